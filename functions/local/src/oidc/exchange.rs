//! Token exchange (RFC 8693): an agent shows its own secret and the token of the person who delegated to it, and gets
//! a token that names both.

use axum::http::HeaderMap;
use identity::{Jwks, Kind, Verifier};
use serde_json::{Value, json};

use super::Oidc;
use super::token::{Refusal, TokenRequest};
use crate::mint::{Mint, MintError};
use crate::users::UserKind;

/// RFC 8693 section 2.1, with the actor authenticated as the client.
pub(super) fn exchange(oidc: &Oidc, headers: &HeaderMap, request: &TokenRequest, now: u64) -> Result<Value, Refusal> {
    let agent = request.authenticated(oidc, headers, UserKind::Agent)?;
    let invalid = || Refusal::Request("invalid_request");
    let is_ours = |named: Option<&str>| named.is_none_or(|named| [ACCESS_TOKEN, JWT].contains(&named));
    if request.actor_token.is_some() || !is_ours(request.requested_token_type.as_deref()) {
        return Err(invalid());
    }
    if request.subject_token_type.is_none() || !is_ours(request.subject_token_type.as_deref()) {
        return Err(invalid());
    }
    if request.audience.as_ref().is_some_and(|audience| *audience != oidc.users.audience) {
        return Err(Refusal::Request("invalid_target"));
    }
    let keys = Jwks::parse(oidc.mint.jwks().to_string().as_bytes()).map_err(|_| MintError::Key)?;
    let verifier = Verifier::new(&oidc.issuer, &oidc.users.audience, "groups");
    let subject = verifier.verify(request.subject_token.as_deref().ok_or_else(invalid)?, &keys, now);
    let subject = subject.map_err(|_| invalid())?;
    // Delegation is the person's to give: an agent gets a token for nobody but whom it acts for.
    if subject.kind != Kind::User || agent.acts_for.as_ref() != Some(&subject.subject) {
        return Err(invalid());
    }
    let seconds = subject.expires_at.saturating_sub(now).min(Mint::TOKEN_SECONDS);
    let token = oidc.mint.token(&oidc.issuer, &oidc.users, agent, now, seconds)?;
    Ok(json!({
        "access_token": token,
        "issued_token_type": ACCESS_TOKEN,
        "token_type": "Bearer",
        "expires_in": seconds,
    }))
}

pub(super) const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
/// RFC 8693 section 3.
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
