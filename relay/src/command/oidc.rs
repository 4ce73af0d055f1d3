//! Logging in as a native program (RFC 8252): authorization code with PKCE S256, in the person's own browser, with a
//! redirect to this machine.

use std::io::Write;
use std::net::IpAddr;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::{Client, Url};
use serde::Deserialize;
use serde_json::Value;

use super::error::CommandError;
use super::loopback::{Answer, Loopback};
use super::scripted;

/// An identity provider, and this program as the console's client there.
pub(super) struct Oidc {
    issuer: Url,
    client_id: String,
    authorization: Url,
    token: Url,
    http: Client,
    login: Option<String>,
}

/// What somebody logs in for.
pub(super) enum Purpose<'a> {
    /// To look; whoever is logged in at the provider need not log in again.
    Look,
    /// To sign one decision: a fresh login with this nonce.
    Decide { nonce: &'a str },
}

impl Oidc {
    /// Asks the provider for its endpoints. With `login`, nobody is asked: see [`scripted`].
    pub(super) async fn discover(issuer: &str, client_id: String, login: Option<String>) -> Result<Self, CommandError> {
        let parsed = acceptable("--issuer", issuer)?;
        let http = client(&parsed)?;
        let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let what = "the identity provider";
        let answer = http.get(url).send().await.map_err(CommandError::http(what))?;
        let document: Discovery = serde_json::from_slice(&read(what, answer).await?)
            .map_err(|_| CommandError::exchange(what, "expected a discovery document"))?;
        if document.issuer != issuer {
            return Err(CommandError::exchange(what, "its discovery document is of another issuer"));
        }
        Ok(Self {
            authorization: acceptable("authorization_endpoint", &document.authorization_endpoint)?,
            token: acceptable("token_endpoint", &document.token_endpoint)?,
            issuer: parsed,
            client_id,
            http,
            login,
        })
    }

    /// An ID token of whoever logs in now. `err` gets the link to follow.
    pub(super) async fn id_token(
        &self,
        purpose: &Purpose<'_>,
        err: &mut (dyn Write + Send),
    ) -> Result<String, CommandError> {
        let loopback = Loopback::listen().await?;
        let callback = loopback.url();
        let (state, verifier) = (random()?, random()?);
        let url = self.authorization_url(purpose, &callback, &state, &verifier)?;
        let answer = match &self.login {
            Some(name) => scripted::log_in(&self.http, &self.issuer, &url, name, &callback).await?,
            None => {
                writeln!(err, "Log in with your browser:\n\n  {url}\n")?;
                err.flush()?;
                loopback.answer(&state).await?
            }
        };
        self.redeem(&self.code(answer, &state)?, &callback, &verifier).await
    }

    fn authorization_url(
        &self,
        purpose: &Purpose<'_>,
        callback: &str,
        state: &str,
        verifier: &str,
    ) -> Result<Url, CommandError> {
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
        let mut url = self.authorization.clone();
        let mut query = url.query_pairs_mut();
        query.extend_pairs([
            ("response_type", "code"),
            ("client_id", &self.client_id),
            ("redirect_uri", callback),
            ("scope", "openid profile"),
            ("state", state),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ]);
        match purpose {
            Purpose::Look => query.append_pair("nonce", &random()?),
            Purpose::Decide { nonce } => query.extend_pairs([("nonce", *nonce), ("prompt", "login"), ("max_age", "0")]),
        };
        drop(query);
        Ok(url)
    }

    fn code(&self, answer: Answer, state: &str) -> Result<String, CommandError> {
        let failed = |problem: &str| CommandError::Login(problem.to_owned());
        if answer.state.as_deref() != Some(state) {
            return Err(failed("the answer belongs to another login"));
        }
        if answer
            .issuer
            .is_some_and(|issuer| issuer.trim_end_matches('/') != self.issuer.as_str().trim_end_matches('/'))
        {
            return Err(failed("the answer is by another identity provider"));
        }
        answer.code.ok_or_else(|| failed("the identity provider did not log you in"))
    }

    /// RFC 6749 section 4.1.3, RFC 7636 section 4.5.
    async fn redeem(&self, code: &str, callback: &str, verifier: &str) -> Result<String, CommandError> {
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", &self.client_id),
            ("redirect_uri", callback),
            ("code", code),
            ("code_verifier", verifier),
        ];
        let what = "the identity provider's token endpoint";
        let answer = self.http.post(self.token.clone()).form(&form).send().await.map_err(CommandError::http(what))?;
        let body: Value = serde_json::from_slice(&read(what, answer).await?)
            .map_err(|_| CommandError::exchange(what, "expected JSON"))?;
        let id_token = body.get("id_token").and_then(Value::as_str).map(str::to_owned);
        id_token.ok_or_else(|| CommandError::exchange(what, "it gave no ID token"))
    }
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
}

/// An `https` URL, or an `http` one to this machine.
pub(super) fn acceptable(argument: &'static str, url: &str) -> Result<Url, CommandError> {
    let invalid = |problem: String| CommandError::Argument { argument, problem };
    let parsed = Url::parse(url).map_err(|error| invalid(format!("{url} is no URL: {error}")))?;
    if parsed.scheme() == "https" || (parsed.scheme() == "http" && is_loopback(&parsed)) {
        return Ok(parsed);
    }
    Err(invalid(format!("{url} is not https (http is accepted for a loopback host alone)")))
}

pub(super) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// A client that follows no redirects: neither a token nor a code goes where another server points.
pub(super) fn client(url: &Url) -> Result<Client, CommandError> {
    let mut client = Client::builder().timeout(EXCHANGE).redirect(reqwest::redirect::Policy::none());
    if is_loopback(url) {
        client = client.no_proxy();
    }
    client.build().map_err(CommandError::http("HTTP"))
}

/// The body of an answer with status 200, up to a limit.
pub(super) async fn read(what: &'static str, mut answer: reqwest::Response) -> Result<Vec<u8>, CommandError> {
    let status = answer.status();
    if status != reqwest::StatusCode::OK {
        return Err(CommandError::exchange(what, format_args!("status {status}, expected 200")));
    }
    body(what, &mut answer).await
}

pub(super) async fn body(what: &'static str, answer: &mut reqwest::Response) -> Result<Vec<u8>, CommandError> {
    let mut body = Vec::new();
    while let Some(piece) = answer.chunk().await.map_err(CommandError::http(what))? {
        if body.len().saturating_add(piece.len()) > ANSWER_MAX {
            return Err(CommandError::exchange(what, format_args!("the answer is longer than {ANSWER_MAX} bytes")));
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

fn random() -> Result<String, CommandError> {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).map_err(|_| CommandError::Login("there are no random numbers".to_owned()))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// For one exchange.
const EXCHANGE: Duration = Duration::from_secs(30);
/// Bytes; a page of requests has 50 KiB, one request with its text at most 128.
const ANSWER_MAX: usize = 1024 * 1024;
