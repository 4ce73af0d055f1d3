//! Logging in from a browser (OpenID Connect Core 1.0 section 3.1): authorization code with PKCE S256, and a state
//! that is bound to the browser by a sealed cookie.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use identity::Login;
use reqwest::Url;
use schemas::approval::DecisionVerdict;
use schemas::digest::Sha256Digest;
use schemas::identifiers::RequestId;
use serde::{Deserialize, Serialize};

use super::Env;
use super::cookies::Cookie;
use super::decision::{self, Intent};
use super::problem::Problem;
use super::visitor::Visitor;

/// What somebody logs in for.
#[derive(Serialize, Deserialize)]
pub(super) enum Purpose {
    /// To look at a request, or at the list.
    Look(Option<RequestId>),
    /// To decide on a request, as this visitor.
    Decide { request: RequestId, verdict: DecisionVerdict, rationale: String, visitor: Visitor },
}

/// What the provider answers, in the query of the callback.
#[derive(Deserialize)]
pub(super) struct Answer {
    code: Option<String>,
    state: Option<String>,
    iss: Option<String>,
    error: Option<String>,
}

/// A browser that is to go to the provider.
pub(super) struct Begun {
    pub(super) cookie: HeaderValue,
    pub(super) to: Url,
}

/// A browser that came back.
pub(super) struct Done {
    /// Who they are, as a session cookie.
    pub(super) session: HeaderValue,
    /// Where they wanted to be: a path of ours.
    pub(super) to: String,
}

/// A login under way, as the cookie holds it.
#[derive(Serialize, Deserialize)]
struct UnderWay {
    state: String,
    nonce: String,
    verifier: String,
    since: u64,
    purpose: Purpose,
}

/// Begins a login to look at something. Who is logged in at the provider already need not log in again.
pub(super) async fn to_look(env: &Env, request: Option<RequestId>) -> Result<Begun, Problem> {
    begin(env, random()?, Purpose::Look(request), &[]).await
}

/// Begins the fresh login that a decision needs; its nonce is what the decision is about.
pub(super) async fn to_decide(
    env: &Env,
    commitment: Sha256Digest,
    visitor: &Visitor,
    intent: &Intent<'_>,
) -> Result<Begun, Problem> {
    let purpose = Purpose::Decide {
        request: intent.request.clone(),
        verdict: intent.verdict,
        rationale: intent.rationale.to_owned(),
        visitor: visitor.clone(),
    };
    // `max_age=0` says the same as `prompt=login`, and makes providers tell `auth_time`.
    let extra = [("prompt", "login"), ("max_age", "0")];
    begin(env, commitment.to_string(), purpose, &extra).await
}

/// Ends a login: checks that the answer belongs to this browser's login, and does what it was for.
pub(super) async fn end(env: &Env, headers: &HeaderMap, answer: &Answer) -> Result<Done, Problem> {
    let lost = || Problem::bad_request("No login is under way in this browser, or it took too long; begin again.");
    let under_way: UnderWay = env.settings.open(Cookie::Login, headers, env.now()).ok_or_else(lost)?;
    let answered = answer.state.as_deref().unwrap_or_default();
    if verify_slices_are_equal(answered.as_bytes(), under_way.state.as_bytes()).is_err() {
        return Err(Problem::bad_request(
            "The answer belongs to another login than the one under way in this browser.",
        ));
    }
    // RFC 9207: the answer of another provider must not pass for this one's.
    if answer.iss.as_deref().is_some_and(|issuer| issuer != env.provider.issuer()) {
        return Err(Problem::bad_request("The answer is by another identity provider."));
    }
    if answer.error.is_some() {
        let text = "The identity provider did not log you in.";
        return Err(Problem::new(StatusCode::UNAUTHORIZED, "login-refused", text));
    }
    let code = answer.code.as_deref().ok_or_else(|| Problem::bad_request("The answer has no code."))?;
    let id_token = env.provider.redeem(code, &under_way.verifier, &env.settings.callback()).await?;
    let login = Login { nonce: &under_way.nonce, since_unix: login_since(&under_way) };
    let principal = env.provider.verify_login(&id_token, env.now(), &login).await?;
    let visitor = Visitor::of(&principal, &env.settings.access);
    let to = match &under_way.purpose {
        Purpose::Look(None) => "/".to_owned(),
        Purpose::Look(Some(request)) => format!("/approvals/{request}"),
        Purpose::Decide { request, verdict, rationale, visitor } => {
            let intent = Intent { request, verdict: *verdict, rationale };
            decision::decide(env, visitor, &intent, &id_token).await?;
            format!("/approvals/{request}")
        }
    };
    let seconds = principal.expires_at.saturating_sub(env.now()).min(SESSION_SECONDS);
    let session = env.settings.seal(Cookie::Session, &visitor, env.now(), seconds);
    Ok(Done { session: session.ok_or_else(|| Problem::bad_request("Your name is too long for a session."))?, to })
}

/// Single sign-on is welcome for looking; a decision's login must be made for it.
fn login_since(under_way: &UnderWay) -> u64 {
    match under_way.purpose {
        Purpose::Look(_) => 0,
        Purpose::Decide { .. } => under_way.since,
    }
}

async fn begin(env: &Env, nonce: String, purpose: Purpose, extra: &[(&str, &str)]) -> Result<Begun, Problem> {
    let (state, verifier) = (random()?, random()?);
    let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
    let callback = env.settings.callback();
    let mut parameters = vec![
        ("response_type", "code"),
        ("client_id", env.provider.client()),
        ("redirect_uri", &callback),
        ("scope", "openid profile"),
        ("state", &state),
        ("nonce", &nonce),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ];
    parameters.extend_from_slice(extra);
    let to = env.provider.authorization(&parameters).await?;
    let under_way = UnderWay { state, nonce, verifier, since: env.now(), purpose };
    let cookie = env.settings.seal(Cookie::Login, &under_way, env.now(), LOGIN_SECONDS);
    let cookie = cookie.ok_or_else(|| Problem::bad_request("The rationale is too long; shorten it."))?;
    Ok(Begun { cookie, to })
}

fn random() -> Result<String, Problem> {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).map_err(|_| {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "There are no random numbers; try again later.")
    })?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// People look for their second factor.
const LOGIN_SECONDS: u64 = 600;
/// An hour without looking at the provider again; looking is all that a session allows.
const SESSION_SECONDS: u64 = 3600;
