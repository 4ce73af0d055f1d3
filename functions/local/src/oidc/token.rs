//! The token endpoint.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Oidc, exchange, now};
use crate::mint::{Mint, MintError};
use crate::users::{User, UserKind};

/// The parameters of every grant; each grant looks for its own.
#[derive(Deserialize)]
pub(super) struct TokenRequest {
    grant_type: String,
    client_id: Option<String>,
    client_secret: Option<String>,
    code: Option<String>,
    redirect_uri: Option<String>,
    code_verifier: Option<String>,
    pub(super) subject_token: Option<String>,
    pub(super) subject_token_type: Option<String>,
    pub(super) requested_token_type: Option<String>,
    pub(super) actor_token: Option<String>,
    pub(super) audience: Option<String>,
}

/// Why there is no token: the error codes of RFC 6749 section 5.2 and RFC 8693 section 2.2.2.
pub(super) enum Refusal {
    Request(&'static str),
    Client,
    Bug(MintError),
}

/// `POST /token`.
pub(super) async fn token(
    State(oidc): State<Arc<Oidc>>,
    headers: HeaderMap,
    request: Result<Form<TokenRequest>, FormRejection>,
) -> Response {
    let request = match request {
        Ok(Form(request)) => request,
        Err(FormRejection::BytesRejection(error)) => return error.into_response(),
        Err(_) => return Refusal::Request("invalid_request").into_response(),
    };
    let answer = match request.grant_type.as_str() {
        AUTHORIZATION_CODE => redeem(&oidc, &request),
        CLIENT_CREDENTIALS => credentials(&oidc, &headers, &request),
        exchange::TOKEN_EXCHANGE => exchange::exchange(&oidc, &headers, &request, now()),
        _ => Err(Refusal::Request("unsupported_grant_type")),
    };
    match answer {
        Ok(body) => ([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

impl TokenRequest {
    /// The service or agent that shows its own secret: RFC 6749 section 2.3.1.
    pub(super) fn authenticated<'a>(
        &self,
        oidc: &'a Oidc,
        headers: &HeaderMap,
        kind: UserKind,
    ) -> Result<&'a User, Refusal> {
        let in_body = || self.client_id.clone().zip(self.client_secret.clone());
        let (id, secret) = basic(headers).or_else(in_body).ok_or(Refusal::Client)?;
        let client = oidc.users.get(&id).filter(|user| user.kind == kind && user.has_secret(&secret));
        client.ok_or(Refusal::Client)
    }
}

/// RFC 6749 section 4.1.3 and RFC 7636 section 4.5. The client is public: what proves it is the code's verifier.
fn redeem(oidc: &Oidc, request: &TokenRequest) -> Result<Value, Refusal> {
    let invalid = || Refusal::Request("invalid_grant");
    let (code, redirect) = (request.code.as_deref(), request.redirect_uri.as_deref());
    let verifier = request.code_verifier.as_deref().ok_or(Refusal::Request("invalid_request"))?;
    if request.client_id.as_deref() != Some(Oidc::CLIENT) {
        return Err(Refusal::Client);
    }
    // Used up whatever comes next: a code that somebody tried to guess for is no longer a secret.
    let now = now();
    let grant = oidc.codes.redeem(code.unwrap_or_default(), now).ok_or_else(invalid)?;
    if redirect != Some(&grant.redirect) || !grant.challenge.is_met_by(verifier) {
        return Err(invalid());
    }
    let user = oidc.users.get(&grant.user).ok_or_else(invalid)?;
    let login = json!({ "nonce": grant.nonce, "auth_time": grant.at });
    let id_token = oidc.mint.id_token(&oidc.issuer, Oidc::CLIENT, user, login, now, ID_TOKEN_SECONDS)?;
    let access_token = oidc.mint.access_token(&oidc.issuer, Oidc::CLIENT, user, now, ID_TOKEN_SECONDS)?;
    Ok(json!({
        "id_token": id_token,
        "access_token": access_token,
        "token_type": "Bearer",
        "expires_in": ID_TOKEN_SECONDS,
        "scope": "openid",
    }))
}

/// RFC 6749 section 4.4: a service shows its secret and gets a token for itself.
fn credentials(oidc: &Oidc, headers: &HeaderMap, request: &TokenRequest) -> Result<Value, Refusal> {
    let service = request.authenticated(oidc, headers, UserKind::Service)?;
    let token = oidc.mint.token(&oidc.issuer, &oidc.users, service, now(), Mint::TOKEN_SECONDS)?;
    Ok(json!({ "access_token": token, "token_type": "Bearer", "expires_in": Mint::TOKEN_SECONDS }))
}

impl From<MintError> for Refusal {
    fn from(error: MintError) -> Self {
        Self::Bug(error)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let no_store = [(header::CACHE_CONTROL, "no-store")];
        let body = |error: &'static str| Json(json!({ "error": error }));
        match self {
            Self::Request(error) => (StatusCode::BAD_REQUEST, no_store, body(error)).into_response(),
            Self::Client => {
                let challenge = [(header::WWW_AUTHENTICATE, "Basic realm=\"local\"")];
                (StatusCode::UNAUTHORIZED, no_store, challenge, body("invalid_client")).into_response()
            }
            Self::Bug(error) => {
                tracing::error!(%error, "cannot sign a token");
                (StatusCode::INTERNAL_SERVER_ERROR, no_store, body("server_error")).into_response()
            }
        }
    }
}

/// RFC 7617.
fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = decoded.split_once(':')?;
    Some((id.to_owned(), secret.to_owned()))
}

pub(super) const AUTHORIZATION_CODE: &str = "authorization_code";
pub(super) const CLIENT_CREDENTIALS: &str = "client_credentials";
/// Long enough to read what one decides about.
const ID_TOKEN_SECONDS: u64 = 600;
