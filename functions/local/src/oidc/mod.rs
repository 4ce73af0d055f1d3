//! A small OpenID Connect issuer on loopback, in the place of what a customer brings: discovery, keys, a login page
//! without passwords (whoever reaches it is on this machine), and tokens for people, services and agents.
//!
//! Grants: authorization code with PKCE S256 (RFC 6749 section 4.1, RFC 7636, RFC 8252), client credentials (RFC 6749
//! section 4.4), token exchange for agents (RFC 8693).

mod authorization;
mod authorize;
mod codes;
mod exchange;
mod pkce;
mod token;

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::extract::{DefaultBodyLimit, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::mint::Mint;
use crate::users::Users;
use codes::Codes;

/// What the issuer answers from.
pub struct Oidc {
    issuer: String,
    mint: Mint,
    users: Users,
    codes: Codes,
}

impl Oidc {
    /// The issuer with this URL (the `iss` of its tokens) and key, which knows these users.
    #[must_use]
    pub fn new(issuer: String, mint: Mint, users: Users) -> Self {
        Self { issuer, mint, users, codes: Codes::default() }
    }

    /// The issuer's HTTP interface.
    pub fn router(self) -> Router {
        Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/keys", get(keys))
            .route("/authorize", get(authorize::show).post(authorize::log_in))
            .route("/token", post(token::token))
            .layer(DefaultBodyLimit::max(REQUEST_MAX))
            .with_state(Arc::new(self))
    }

    /// The one client that people log in to: the console, and the program `relay` when it speaks with the console.
    pub const CLIENT: &str = "affidavit-console";
}

/// OpenID Connect Discovery 1.0 section 3, as far as it applies.
async fn discovery(State(oidc): State<Arc<Oidc>>) -> Json<Value> {
    let issuer = &oidc.issuer;
    Json(json!({
        "issuer": issuer,
        "jwks_uri": format!("{issuer}/keys"),
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "grant_types_supported": [token::AUTHORIZATION_CODE, token::CLIENT_CREDENTIALS, exchange::TOKEN_EXCHANGE],
        "token_endpoint_auth_methods_supported": ["none", "client_secret_basic", "client_secret_post"],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "code_challenge_methods_supported": ["S256"],
        "prompt_values_supported": ["none", "login", "select_account"],
        "scopes_supported": ["openid"],
        "claims_supported": ["iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "name", "groups", "act"],
        "authorization_response_iss_parameter_supported": true,
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
    }))
}

async fn keys(State(oidc): State<Arc<Oidc>>) -> Json<Value> {
    Json(oidc.mint.jwks())
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Bytes of a request's body; a token exchange, the longest, has a token of at most 16 KiB beside a few hundred.
const REQUEST_MAX: usize = 24 * 1024;

#[cfg(test)]
mod tests;
