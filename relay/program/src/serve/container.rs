//! The credentials that ECS gives to a task's role: from an address that answers inside of the task alone, for some hours
//! each, so they are asked for again shortly before they end.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aws::EnvironmentError;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use reqwest::{Client, StatusCode};
use serde::Deserialize;

/// See there.
pub(super) struct ContainerCredentials {
    url: String,
    client: Client,
    given: Mutex<Option<Credentials>>,
}

/// What is answered. It is never shown.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    access_key_id: String,
    secret_access_key: String,
    token: String,
    /// RFC 3339 in UTC.
    expiration: String,
}

#[derive(Debug, thiserror::Error)]
enum NotGiven {
    #[error("{0}")]
    Exchange(#[from] reqwest::Error),
    #[error("the answer has status {0}, expected 200")]
    Status(StatusCode),
    #[error("the answer is longer than {ANSWER_MAX} bytes")]
    TooLong,
    #[error("the answer holds no credentials")]
    Malformed,
}

impl ContainerCredentials {
    /// Those of the path that ECS tells in [`VARIABLE`].
    ///
    /// # Errors
    /// When it is no path.
    pub(super) fn new(path: &str) -> Result<Self, EnvironmentError> {
        Self::at(ADDRESS, path)
    }

    fn at(address: &str, path: &str) -> Result<Self, EnvironmentError> {
        if !path.starts_with('/') {
            return Err(EnvironmentError::new(VARIABLE, "expected a path that begins with a slash"));
        }
        // No proxy and no redirect: the answer is as good as the role.
        let client = Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).timeout(LIMIT);
        let client = client.build().map_err(|_| EnvironmentError::new(VARIABLE, "no HTTP client can be made"))?;
        Ok(Self { url: format!("{address}{path}"), client, given: Mutex::default() })
    }

    async fn credentials(&self) -> Result<Credentials, NotGiven> {
        let given = self.given.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(given) = given.filter(|given| given.expiry() > SystemTime::now().checked_add(RENEWED)) {
            return Ok(given);
        }
        let new = self.ask().await?;
        *self.given.lock().unwrap_or_else(PoisonError::into_inner) = Some(new.clone());
        Ok(new)
    }

    async fn ask(&self) -> Result<Credentials, NotGiven> {
        let mut answer = self.client.get(&self.url).send().await.map_err(reqwest::Error::without_url)?;
        if answer.status() != StatusCode::OK {
            return Err(NotGiven::Status(answer.status()));
        }
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(reqwest::Error::without_url)? {
            if body.len().saturating_add(piece.len()) > ANSWER_MAX {
                return Err(NotGiven::TooLong);
            }
            body.extend_from_slice(&piece);
        }
        // What serde says may quote it.
        let answer: Answer = serde_json::from_slice(&body).map_err(|_| NotGiven::Malformed)?;
        let until = schemas::instant::parse(&answer.expiration).ok_or(NotGiven::Malformed)?;
        let until = SystemTime::UNIX_EPOCH.checked_add(Duration::from_micros(until)).ok_or(NotGiven::Malformed)?;
        let Answer { access_key_id, secret_access_key, token, .. } = answer;
        Ok(Credentials::new(access_key_id, secret_access_key, Some(token), Some(until), "container"))
    }
}

impl ProvideCredentials for ContainerCredentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            self.credentials().await.map_err(|error| {
                // The SDK tells no cause with its own error.
                tracing::warn!(%error, "ECS gives no credentials");
                CredentialsError::provider_error(error)
            })
        })
    }
}

impl fmt::Debug for ContainerCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ContainerCredentials")
    }
}

/// Tells the path of the task's own credentials. Whoever knows it inside of the task has them.
pub(super) const VARIABLE: &str = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
const ADDRESS: &str = "http://169.254.170.2";
/// It answers from the same machine. The SDK waits for five seconds.
const LIMIT: Duration = Duration::from_secs(4);
/// So long before they end others are asked for; ECS has them by then.
const RENEWED: Duration = Duration::from_mins(5);
const ANSWER_MAX: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// In thirty years.
    const LATE: &str = "2056-11-27T20:00:00Z";

    /// What is made of this answer to a request for `/v2/credentials/1`.
    async fn given(status: &str, body: &str) -> Result<Credentials, String> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let credentials = ContainerCredentials::at(&address, "/v2/credentials/1").unwrap();
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        let serve = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4096];
            let length = stream.read(&mut request).await.unwrap();
            assert!(request[..length].starts_with(b"GET /v2/credentials/1 "));
            stream.write_all(answer.as_bytes()).await.unwrap();
        };
        let (given, ()) = tokio::join!(credentials.provide_credentials(), serve);
        // Nobody answers any more: those that last are kept.
        let again = tokio::time::timeout(Duration::from_millis(100), credentials.provide_credentials()).await;
        assert_eq!(again.is_ok_and(|again| again.is_ok()), given.is_ok());
        given.map_err(|error| {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            format!("{error} {error:?} {cause:?}")
        })
    }

    #[tokio::test]
    async fn they_are_a_role_s_until_a_time() {
        let body = r#"{"RoleArn":"arn","AccessKeyId":"id","SecretAccessKey":"secret","Token":"token","Expiration":"#;
        let credentials = given("200 OK", &format!("{body}\"{LATE}\"}}")).await.unwrap();
        let told = (credentials.access_key_id(), credentials.secret_access_key(), credentials.session_token());
        assert_eq!(told, ("id", "secret", Some("token")));
        let until = credentials.expiry().unwrap().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        assert_eq!(until.as_secs(), 2_742_580_800);
    }

    #[tokio::test]
    async fn what_is_no_answer_is_told_without_what_it_held() {
        let cut = r#"{"AccessKeyId":"id","SecretAccessKey":"very-secret""#;
        let timeless = r#"{"AccessKeyId":"id","SecretAccessKey":"very-secret","Token":"t","Expiration":"soon"}"#;
        for (status, body, told) in [
            ("200 OK", cut, "holds no credentials"),
            ("200 OK", timeless, "holds no credentials"),
            ("403 Forbidden", "very-secret", "status 403"),
        ] {
            let error = given(status, body).await.unwrap_err();
            assert!(error.contains(told) && !error.contains("very-secret"), "{error}");
        }
        let long = format!("{cut}{}", " ".repeat(ANSWER_MAX));
        assert!(given("200 OK", &long).await.unwrap_err().contains("longer than"));
        assert!(ContainerCredentials::new("http://elsewhere/").unwrap_err().to_string().contains(VARIABLE));
    }
}
