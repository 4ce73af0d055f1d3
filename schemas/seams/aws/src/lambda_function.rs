use std::fmt;

use aws_sdk_lambda::Client;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use serde::Deserialize;

use crate::call::CallFailed;
use crate::connection::Connection;

/// A function to begin, or to ask. Cloning shares its connections.
#[derive(Clone)]
pub struct LambdaFunction {
    client: Client,
    arn: String,
}

/// A function was asked and gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskFailed {
    /// It may have run or not.
    #[error(transparent)]
    Call(#[from] CallFailed),
    /// It ran, and answered with an error. The message is the function's own, or Lambda's where it broke off.
    #[error("{kind}: {message}")]
    Function {
        /// What it calls this kind of error.
        kind: String,
        /// What it says of it.
        message: String,
    },
}

impl LambdaFunction {
    /// The function of this ARN or name.
    #[must_use]
    pub fn new(connection: &Connection, arn: impl Into<String>) -> Self {
        Self { client: Client::new(&connection.to_sdk()), arn: arn.into() }
    }

    /// Has it run with this event, and does not wait for it. After an error it may run or not.
    ///
    /// # Errors
    /// [`CallFailed`].
    pub async fn begin(&self, event: impl Into<Vec<u8>>) -> Result<(), CallFailed> {
        let invoke = self.client.invoke().function_name(&self.arn).invocation_type(InvocationType::Event);
        let invoked = invoke.payload(Blob::new(event)).send().await;
        invoked.map(drop).map_err(|error| CallFailed::of(INVOKE, &error))
    }

    /// Has it run with this event, and waits for its answer. It may run several times: what is not answered in time is
    /// asked again.
    ///
    /// # Errors
    /// [`AskFailed`]; also for an answer that is longer than `longest` bytes.
    pub async fn ask(&self, event: impl Into<Vec<u8>>, longest: usize) -> Result<Vec<u8>, AskFailed> {
        let invoke = self.client.invoke().function_name(&self.arn).invocation_type(InvocationType::RequestResponse);
        let answer = invoke.payload(Blob::new(event)).send().await.map_err(|error| CallFailed::of(INVOKE, &error))?;
        let payload = answer.payload.map(Blob::into_inner).unwrap_or_default();
        if answer.function_error.is_some() {
            return Err(told(&payload));
        }
        if payload.len() > longest {
            return Err(CallFailed::new(INVOKE, "a longer answer than any that was expected").into());
        }
        Ok(payload)
    }
}

/// What Lambda hands on as a function's error.
#[derive(Default, Deserialize)]
struct Told {
    #[serde(rename = "errorType", default)]
    kind: String,
    #[serde(rename = "errorMessage", default)]
    message: String,
}

fn told(payload: &[u8]) -> AskFailed {
    let Told { kind, message } = serde_json::from_slice(payload).unwrap_or_default();
    let kind = if kind.is_empty() { "an error that it does not name".to_owned() } else { shown(&kind) };
    AskFailed::Function { kind, message: shown(&message) }
}

/// For a log: a line of bounded length.
fn shown(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(SHOWN_MAX).collect()
}

impl fmt::Debug for LambdaFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LambdaFunction").field("arn", &self.arn).finish_non_exhaustive()
    }
}

const INVOKE: &str = "Invoke";
/// Our functions' errors are a sentence or two.
const SHOWN_MAX: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_a_function_is_told_in_one_line_of_bounded_length() {
        let error = told(br#"{"errorType":"Refused","errorMessage":"refused: no\nsuch relay","stackTrace":[]}"#);
        assert_eq!(error.to_string(), "Refused: refused: nosuch relay");
        let long = format!(r#"{{"errorType":"Refused","errorMessage":"{}"}}"#, "x".repeat(10_000));
        assert!(told(long.as_bytes()).to_string().len() < 600);
        assert!(told(b"not JSON").to_string().contains("does not name"));
    }
}
