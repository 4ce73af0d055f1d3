use std::fmt;
use std::time::SystemTime;

use async_trait::async_trait;
use aws_credential_types::provider::ProvideCredentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::config::http::HttpResponse;
use aws_sdk_secretsmanager::error::SdkError;
use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueError;
use seams::{DatabaseLogin, SECRET_BYTES_MAX, Secret, Secrets, SecretsError};

use crate::call::{CallFailed, code};
use crate::connection::Connection;
use crate::rds_token::rds_token;

/// AWS Secrets Manager, and tokens for RDS, which the program's own credentials make.
///
/// What is given is erased after its use; copies that the SDK and its TLS make on the way are not.
#[derive(Clone)]
pub struct SecretsManager {
    client: Client,
    credentials: SharedCredentialsProvider,
}

impl SecretsManager {
    /// The secrets of this region and account.
    #[must_use]
    pub fn new(connection: &Connection) -> Self {
        Self { client: Client::new(&connection.to_sdk()), credentials: connection.credentials.clone() }
    }
}

#[async_trait]
impl Secrets for SecretsManager {
    async fn get(&self, arn: &str) -> Result<Secret, SecretsError> {
        let answer = self.client.get_secret_value().secret_id(arn).send().await.map_err(|error| failed(arn, &error))?;
        let secret = answer.secret_string.map(Secret::new);
        let secret = secret.ok_or_else(|| SecretsError::Unusable(arn.to_owned(), "expected text, found bytes"))?;
        if secret.text().len() > SECRET_BYTES_MAX {
            return Err(SecretsError::Unusable(arn.to_owned(), "expected 65,536 bytes at most"));
        }
        Ok(secret)
    }

    async fn database_token(&self, login: &DatabaseLogin<'_>) -> Result<Secret, SecretsError> {
        let what = || format!("token for {}@{}:{}", login.user, login.host, login.port);
        let credentials = self.credentials.provide_credentials().await.map_err(|_| {
            // The error may quote what the provider was answered.
            SecretsError::Unavailable(what(), Box::new(CallFailed::new("credentials", "none are to be had")))
        })?;
        rds_token(&credentials, login, SystemTime::now())
            .map_err(|failed| SecretsError::Unavailable(what(), Box::new(failed)))
    }
}

impl fmt::Debug for SecretsManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretsManager").finish_non_exhaustive()
    }
}

fn failed(arn: &str, error: &SdkError<GetSecretValueError, HttpResponse>) -> SecretsError {
    let failed = CallFailed::of("GetSecretValue", error);
    match code(error) {
        Some(code) if REFUSALS.contains(&code) => SecretsError::Refused(format!("{arn}: {failed}")),
        _ => SecretsError::Unavailable(arn.to_owned(), Box::new(failed)),
    }
}

/// What asking again does not change: `InvalidRequestException` says that it is to be deleted, `DecryptionFailure` that
/// its KMS key may not be used.
const REFUSALS: [&str; 5] = [
    "ResourceNotFoundException",
    "AccessDeniedException",
    "InvalidParameterException",
    "InvalidRequestException",
    "DecryptionFailure",
];
