//! A small OpenID Connect issuer on loopback: discovery, keys, and tokens for services. It stands in for what a
//! customer brings, so it has no login page; people get their tokens from `local token`.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::extract::{DefaultBodyLimit, Form, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::mint::Mint;
use crate::users::{UserKind, Users};

/// What the issuer answers from.
pub struct Oidc {
    /// Its URL, the `iss` of its tokens.
    pub issuer: String,
    /// Its key.
    pub mint: Mint,
    /// Whom it knows.
    pub users: Users,
}

impl Oidc {
    /// The issuer's HTTP interface.
    pub fn router(self) -> Router {
        Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/keys", get(keys))
            .route("/token", post(token))
            .layer(DefaultBodyLimit::max(REQUEST_MAX))
            .with_state(Arc::new(self))
    }
}

/// OpenID Connect Discovery 1.0 section 3, as far as it applies.
async fn discovery(State(oidc): State<Arc<Oidc>>) -> Json<Value> {
    let issuer = &oidc.issuer;
    Json(json!({
        "issuer": issuer,
        "jwks_uri": format!("{issuer}/keys"),
        "token_endpoint": format!("{issuer}/token"),
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "response_types_supported": [],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
    }))
}

async fn keys(State(oidc): State<Arc<Oidc>>) -> Json<Value> {
    Json(oidc.mint.jwks())
}

#[derive(Deserialize)]
struct TokenRequest {
    grant_type: String,
    client_id: Option<String>,
    client_secret: Option<String>,
}

/// RFC 6749 section 4.4: a service shows its secret and gets a token for itself.
async fn token(State(oidc): State<Arc<Oidc>>, headers: HeaderMap, Form(request): Form<TokenRequest>) -> Response {
    if request.grant_type != "client_credentials" {
        return refuse(StatusCode::BAD_REQUEST, "unsupported_grant_type");
    }
    let credentials = basic(&headers).or_else(|| request.client_id.zip(request.client_secret));
    let service = credentials.and_then(|(id, secret)| {
        oidc.users.get(&id).filter(|user| user.kind == UserKind::Service && user.has_secret(&secret))
    });
    let Some(service) = service else { return refuse(StatusCode::UNAUTHORIZED, "invalid_client") };
    match oidc.mint.token(&oidc.issuer, &oidc.users, service, now(), TOKEN_SECONDS) {
        Ok(token) => {
            let body = json!({ "access_token": token, "token_type": "Bearer", "expires_in": TOKEN_SECONDS });
            ([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "cannot sign a token");
            refuse(StatusCode::INTERNAL_SERVER_ERROR, "server_error")
        }
    }
}

/// RFC 6749 section 5.2.
fn refuse(status: StatusCode, error: &'static str) -> Response {
    let headers = [(header::CACHE_CONTROL, "no-store"), (header::WWW_AUTHENTICATE, "Basic realm=\"local\"")];
    (status, headers, Json(json!({ "error": error }))).into_response()
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

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Bytes of a request's body; a token request has a few hundred.
const REQUEST_MAX: usize = 16 * 1024;
/// An hour, as identity providers usually give.
const TOKEN_SECONDS: u64 = 3600;
