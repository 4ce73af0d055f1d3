//! The bearer token of a program (RFC 6750).

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;

use super::Env;
use super::problem::Problem;
use super::visitor::Visitor;

/// Who a program acts as.
pub(super) struct Bearer(pub(super) Visitor);

impl FromRequestParts<Arc<Env>> for Bearer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, env: &Arc<Env>) -> Result<Self, Problem> {
        let value = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let (scheme, token) = value.and_then(|value| value.split_once(' ')).ok_or_else(Problem::login_required)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Problem::login_required());
        }
        let principal = env.provider.authenticate(token.trim(), env.now()).await?;
        Ok(Self(Visitor::of(&principal, &env.settings.access)))
    }
}
