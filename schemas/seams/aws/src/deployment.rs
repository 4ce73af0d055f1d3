//! What every program is told of the deployment that it serves (infra/README.md, Contract).

use std::collections::HashMap;
use std::sync::Arc;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use schemas::identifiers::Name;
use seams::{KeyName, Keys, Retention, StoreError};

use crate::connection::{Connection, Deadlines};
use crate::environment::{Environment, EnvironmentError};
use crate::kms_keys::{KmsKeys, KmsSettings};
use crate::lake_bucket::LakeBucket;
use crate::placed_store::{PlacedSettings, PlacedStore};
use crate::s3_store::LockMode;

/// Whose evidence, where it stands, and how AWS is reached.
#[derive(Debug, Clone)]
pub struct Deployment {
    /// Tenant.
    pub tenant: Name,
    /// Environment.
    pub environment: Name,
    /// Of what is stored under one.
    pub retention: Retention,
    /// To AWS.
    pub connection: Connection,
    buckets: PlacedSettings,
}

impl Deployment {
    /// Reads what is said of it. Nothing is asked yet.
    ///
    /// # Errors
    /// [`EnvironmentError`], naming the variable.
    pub fn read(
        environment: &Environment,
        credentials: SharedCredentialsProvider,
        deadlines: Deadlines,
    ) -> Result<Self, EnvironmentError> {
        const NAME: &str = "a name of a-z, 0-9 and hyphens";
        Ok(Self {
            tenant: environment.parsed("AFFIDAVIT_TENANT", NAME)?,
            environment: environment.parsed("AFFIDAVIT_ENVIRONMENT", NAME)?,
            retention: Retention::days(environment.parsed("AFFIDAVIT_RETAIN_DAYS", "a number of days")?),
            connection: Connection {
                region: environment.text("AWS_REGION")?,
                endpoint: environment.optional("AWS_ENDPOINT_URL"),
                credentials,
                deadlines,
            },
            buckets: PlacedSettings {
                evidence: environment.text("AFFIDAVIT_BUCKET_EVIDENCE")?,
                log: environment.text("AFFIDAVIT_BUCKET_LOG")?,
                deletable: environment.text("AFFIDAVIT_BUCKET_DELETABLE")?,
                owner: Some(environment.text("AFFIDAVIT_BUCKET_OWNER")?),
                mode: mode(environment)?,
            },
        })
    }

    /// Opens the store. `now_s` tells the time in seconds since 1970.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn store(
        &self,
        now_s: impl Fn() -> u64 + Clone + Send + Sync + 'static,
    ) -> Result<PlacedStore, StoreError> {
        PlacedStore::open(&self.connection, &self.buckets, now_s).await
    }

    /// The lake in this bucket.
    #[must_use]
    pub fn lake(&self, bucket: String) -> LakeBucket {
        LakeBucket::new(&self.connection, bucket, self.buckets.owner.clone())
    }

    /// The keys that a function has. It has no data key: none of them opens what was recorded.
    ///
    /// # Errors
    /// [`EnvironmentError`], naming the variable.
    pub fn keys(&self, environment: &Environment, names: &[KeyName]) -> Result<Arc<dyn Keys>, EnvironmentError> {
        self.keys_of(environment, names, None)
    }

    /// The keys that a relay has: those whose public half it verifies with, and the data key. It has the right to sign
    /// with none.
    ///
    /// # Errors
    /// [`EnvironmentError`], naming the variable.
    pub fn recording_keys(&self, environment: &Environment) -> Result<Arc<dyn Keys>, EnvironmentError> {
        let data = environment.text("AFFIDAVIT_KEY_DATA")?;
        self.keys_of(environment, &[KeyName::Certificates, KeyName::Approvals], Some(data))
    }

    fn keys_of(
        &self,
        environment: &Environment,
        names: &[KeyName],
        data: Option<String>,
    ) -> Result<Arc<dyn Keys>, EnvironmentError> {
        let mut signing = HashMap::new();
        for name in names {
            signing.insert(*name, environment.text(variable(*name))?);
        }
        let (tenant, environment) = (self.tenant.clone(), self.environment.clone());
        let settings = KmsSettings { tenant, environment, signing, data, earlier_data: Vec::new() };
        Ok(Arc::new(KmsKeys::new(&self.connection, settings)))
    }
}

/// Credentials that stand in the environment, as Lambda gives them for as long as it keeps the process.
///
/// # Errors
/// [`EnvironmentError`], naming the variable.
pub fn credentials_of(environment: &Environment) -> Result<SharedCredentialsProvider, EnvironmentError> {
    Ok(SharedCredentialsProvider::new(Credentials::new(
        environment.text("AWS_ACCESS_KEY_ID")?,
        environment.text("AWS_SECRET_ACCESS_KEY")?,
        environment.optional("AWS_SESSION_TOKEN"),
        None,
        "environment",
    )))
}

fn mode(environment: &Environment) -> Result<LockMode, EnvironmentError> {
    const NAME: &str = "AFFIDAVIT_LOCK_MODE";
    match environment.text(NAME)?.as_str() {
        "compliance" => Ok(LockMode::Compliance),
        "governance" => Ok(LockMode::Governance),
        _ => Err(EnvironmentError::new(NAME, "expected compliance or governance")),
    }
}

fn variable(key: KeyName) -> &'static str {
    match key {
        KeyName::Certificates => "AFFIDAVIT_KEY_CERTIFICATES",
        KeyName::Checkpoints => "AFFIDAVIT_KEY_CHECKPOINTS",
        KeyName::Approvals => "AFFIDAVIT_KEY_APPROVALS",
        KeyName::Bundles => "AFFIDAVIT_KEY_BUNDLES",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [(&str, &str); 14] = [
        ("AFFIDAVIT_TENANT", "clinic"),
        ("AFFIDAVIT_ENVIRONMENT", "test"),
        ("AFFIDAVIT_RETAIN_DAYS", "2192"),
        ("AFFIDAVIT_BUCKET_OWNER", "000000000000"),
        ("AFFIDAVIT_BUCKET_EVIDENCE", "evidence"),
        ("AFFIDAVIT_BUCKET_LOG", "log"),
        ("AFFIDAVIT_BUCKET_DELETABLE", "deletable"),
        ("AFFIDAVIT_LOCK_MODE", "governance"),
        ("AFFIDAVIT_KEY_CERTIFICATES", "arn"),
        ("AFFIDAVIT_KEY_APPROVALS", "arn"),
        ("AFFIDAVIT_KEY_DATA", "arn"),
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "not-told"),
        ("AWS_REGION", "eu-central-1"),
    ];

    fn without(absent: &'static str) -> Environment {
        Environment::new(move |name| {
            ALL.iter().find(|(known, _)| *known == name && name != absent).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn each_variable_that_is_missing_is_named() {
        let start = |environment: &Environment| {
            let deployment = Deployment::read(environment, credentials_of(environment)?, Deadlines::default())?;
            deployment.keys(environment, &[KeyName::Certificates])?;
            deployment.recording_keys(environment).map(|_| deployment)
        };
        let deployment = start(&without("")).unwrap();
        assert_eq!((deployment.tenant.as_str(), deployment.retention.in_days()), ("clinic", 2192));
        assert!(!format!("{deployment:?}").contains("not-told"));
        for (name, _) in ALL {
            let error = start(&without(name)).unwrap_err().to_string();
            assert!(error.contains(name), "{name}: {error}");
        }
    }

    #[test]
    fn an_unknown_lock_mode_is_none() {
        let environment = Environment::new(|name| {
            if name == "AFFIDAVIT_LOCK_MODE" { Some("COMPLIANCE ".to_owned()) } else { Some("1".to_owned()) }
        });
        assert!(mode(&environment).unwrap_err().to_string().contains("AFFIDAVIT_LOCK_MODE: expected compliance or"));
    }
}
