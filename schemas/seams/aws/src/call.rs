use std::time::Duration;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

/// A call to AWS that failed. It names the operation and what kind of failure it was: messages of the service may quote
/// what it was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{operation}: {kind}")]
pub struct CallFailed {
    operation: &'static str,
    kind: String,
}

impl CallFailed {
    /// A failure of another kind than the service's own.
    pub(crate) fn new(operation: &'static str, kind: impl Into<String>) -> Self {
        Self { operation, kind: kind.into() }
    }

    pub(crate) fn of<E: ProvideErrorMetadata>(operation: &'static str, error: &SdkError<E, HttpResponse>) -> Self {
        let kind = match error {
            SdkError::ConstructionFailure(_) => "the request could not be made".to_owned(),
            SdkError::TimeoutError(_) => "no answer in time".to_owned(),
            SdkError::DispatchFailure(failure) if failure.is_timeout() => "no connection in time".to_owned(),
            SdkError::DispatchFailure(_) => "no connection, or it broke".to_owned(),
            SdkError::ResponseError(_) => "no answer of the service's own".to_owned(),
            _ => match (code(error), status(error)) {
                (Some(code), _) => shown(code),
                (None, Some(status)) => format!("status {status}"),
                (None, None) => "unknown".to_owned(),
            },
        };
        Self { operation, kind }
    }
}

/// The service's code, e.g. `AccessDenied`.
pub(crate) fn code<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Option<&str> {
    error.as_service_error().and_then(ProvideErrorMetadata::code)
}

/// The answer's HTTP status.
pub(crate) fn status<E>(error: &SdkError<E, HttpResponse>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}

/// Whoever was faster has changed what this one built on: waits before round `round` (from 1) of it.
pub(crate) async fn wait_for_others(round: u32) {
    tokio::time::sleep(STEP.saturating_mul(round)).await;
}

fn shown(code: &str) -> String {
    code.chars().filter(|letter| letter.is_ascii_alphanumeric() || *letter == '.').take(CODE_MAX).collect()
}

/// How often something is done again because somebody else was faster.
pub(crate) const ROUNDS: u32 = 20;
const STEP: Duration = Duration::from_millis(10);
/// The longest code of the services used has some 40 letters.
const CODE_MAX: usize = 64;
