//! The certifier as a function that this relay may invoke by the alias of its name, and by no other.

use async_trait::async_trait;
use aws::{AskFailed, Connection, LambdaFunction};
use relay::evidence::{CertificateRequest, Certifier, CertifierError};
use schemas::dsse::Envelope;
use schemas::signature::PublicKey;
use serde::Serialize;

/// See there.
pub(super) struct CertifierFunction(LambdaFunction);

/// What it is asked. Whose certificate it shall be is not said: the alias says it.
#[derive(Serialize)]
struct Asked<'a> {
    key: &'a PublicKey,
    build: &'a str,
}

impl CertifierFunction {
    /// The function of this ARN, which ends in the alias.
    pub(super) fn new(connection: &Connection, arn: String) -> Self {
        Self(LambdaFunction::new(connection, arn))
    }
}

#[async_trait]
impl Certifier for CertifierFunction {
    async fn certify(&self, request: CertificateRequest) -> Result<Envelope, CertifierError> {
        let unavailable = |error: &dyn std::fmt::Display| CertifierError::Unavailable(error.to_string());
        let asked = Asked { key: &request.public_key, build: &request.build };
        let asked = serde_json::to_vec(&asked).map_err(|error| unavailable(&error))?;
        let answer = self.0.ask(asked, ANSWER_MAX).await.map_err(failed)?;
        certificate(&answer)
    }
}

/// Whoever stands between may have written a function's JSON anew. What is signed is inside, as it was.
fn certificate(answer: &[u8]) -> Result<Envelope, CertifierError> {
    serde_json::from_slice(answer).map_err(|error| CertifierError::Unavailable(format!("its answer: {error}")))
}

fn failed(error: AskFailed) -> CertifierError {
    match error {
        AskFailed::Function { kind, message } if kind == REFUSED => CertifierError::Refused(message),
        error => CertifierError::Unavailable(error.to_string()),
    }
}

/// What the function calls an error that trying again does not mend.
const REFUSED: &str = "Refused";
/// Bytes. A certificate has about one thousand.
const ANSWER_MAX: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_was_written_anew_is_the_same_certificate() {
        let (kind, key) = ("application/vnd.affidavit.certificate.v1+json", "ab".repeat(32));
        let canonical =
            format!(r#"{{"payload":"e30=","payloadType":"{kind}","signatures":[{{"keyid":"{key}","sig":"AAAA"}}]}}"#);
        let anew = format!(
            r#"{{ "payloadType": "{kind}", "signatures": [ {{"sig": "AAAA", "keyid": "{key}"}} ], "payload": "e30=" }}"#
        );
        assert!(Envelope::from_slice(anew.as_bytes()).is_err());
        assert_eq!(certificate(anew.as_bytes()).unwrap(), Envelope::from_slice(canonical.as_bytes()).unwrap());
        let error = certificate(b"null").unwrap_err().to_string();
        assert!(error.starts_with("unavailable: its answer: "), "{error}");
    }

    #[test]
    fn only_what_the_function_calls_refused_is_final() {
        let told = |kind: &str| {
            failed(AskFailed::Function { kind: kind.to_owned(), message: "relay is unknown".to_owned() }).to_string()
        };
        assert_eq!(told("Refused"), "refused: relay is unknown");
        assert_eq!(told("TryAgain"), "unavailable: TryAgain: relay is unknown");
        assert_eq!(told("Runtime.ExitError"), "unavailable: Runtime.ExitError: relay is unknown");
    }
}
