//! Why a request was not served: a status, a code for programs, words for people.

use std::borrow::Cow;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemas::identifiers::RequestId;
use seams::{IndexError, KeysError, StoreError};
use serde_json::json;

use super::provider::LoginError;

/// Why a request was not served. As a response it is JSON; pages show its words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {text}")]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    /// For programs; never changes its meaning.
    pub(super) code: &'static str,
    /// For people; safe to show to whoever asked.
    pub(super) text: Cow<'static, str>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, code: &'static str, text: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code, text: text.into() }
    }

    pub(super) fn bad_request(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", text)
    }

    /// Also what somebody is told who may not see it: whether it exists is nothing to tell.
    pub(super) fn no_such_request() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "There is no such request here that you may see.")
    }

    pub(super) fn not_found(text: &'static str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", text)
    }

    pub(super) fn login_required() -> Self {
        let text = "Expected a bearer token for the console, from its identity provider.";
        Self::new(StatusCode::UNAUTHORIZED, "login-required", text)
    }

    pub(super) fn forbidden(text: &'static str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", text)
    }

    pub(super) fn self_approval() -> Self {
        let text = "You asked for this yourself, or it was asked on your behalf; somebody else must decide.";
        Self::new(StatusCode::FORBIDDEN, "self-approval", text)
    }

    pub(super) fn over(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::CONFLICT, "over", text)
    }

    fn unavailable(text: &'static str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", text)
    }

    /// Something stored is not what it should be: somebody must look, and nobody decides by it.
    pub(super) fn damaged(request: &RequestId, problem: &dyn std::fmt::Display) -> Self {
        tracing::error!(%request, %problem, "what is stored of a request does not verify");
        let text =
            "What is stored of this request does not verify. Nobody should decide on it; tell your administrator.";
        Self::new(StatusCode::BAD_GATEWAY, "damaged", text)
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "store");
        Self::unavailable("The store cannot be reached; try again later.")
    }
}

impl From<IndexError> for Problem {
    fn from(error: IndexError) -> Self {
        tracing::error!(%error, "index");
        Self::unavailable("The index cannot be reached; try again later.")
    }
}

impl From<KeysError> for Problem {
    fn from(error: KeysError) -> Self {
        tracing::error!(%error, "keys");
        Self::unavailable("The approvals key cannot be used; try again later.")
    }
}

impl From<schemas::Error> for Problem {
    fn from(error: schemas::Error) -> Self {
        tracing::error!(%error, "cannot write down");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "The decision could not be written down.")
    }
}

impl From<LoginError> for Problem {
    fn from(error: LoginError) -> Self {
        match error {
            LoginError::Unavailable => Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", error.to_string()),
            LoginError::Token(_) | LoginError::Code => {
                Self::new(StatusCode::UNAUTHORIZED, "login-refused", error.to_string())
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = Json(json!({ "error": { "code": self.code, "message": self.text } }));
        let mut response = (self.status, body).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
