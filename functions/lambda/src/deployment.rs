//! What every function is told of the deployment that it serves.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use aws::{CallFailed, Connection, Deadlines, KmsKeys, KmsSettings, LockMode, PlacedSettings, PlacedStore};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use functions::console::{ProviderError, SettingsError};
use functions::signing;
use schemas::identifiers::Name;
use schemas::signature::PublicKey;
use seams::{EvidenceStore, KeyName, Keys, KeysError, Retention, StoreError};

use crate::clock;
use crate::environment::{Environment, EnvironmentError, wrong};

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

/// How long a function waits for AWS: always less than it may run itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// Somebody waits for it, or it is soon tried again: it may run half a minute.
    Short,
    /// It may run ten minutes and more.
    Long,
}

/// Why a function cannot work: told at its start where its environment is wrong, else by the first event.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its environment.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// A bucket.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A signing key.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The key that seals cookies.
    #[error("AFFIDAVIT_KEY_COOKIES: {0}")]
    Cookies(#[from] CallFailed),
    /// The identity provider.
    #[error("AFFIDAVIT_ISSUER: {0}")]
    Provider(#[from] ProviderError),
    /// The console's address.
    #[error("AFFIDAVIT_CONSOLE_URL: {0}")]
    Console(#[from] SettingsError),
    /// What the cryptographic library refuses.
    #[error("{0}: the cryptographic library refuses it")]
    Cryptography(&'static str),
}

impl Deployment {
    /// Reads what is said of it. Nothing is asked yet.
    ///
    /// # Errors
    /// [`EnvironmentError`], naming the variable.
    pub fn read(environment: &Environment, patience: Patience) -> Result<Self, EnvironmentError> {
        const NAME: &str = "a name of a-z, 0-9 and hyphens";
        Ok(Self {
            tenant: environment.parsed("AFFIDAVIT_TENANT", NAME)?,
            environment: environment.parsed("AFFIDAVIT_ENVIRONMENT", NAME)?,
            retention: Retention::days(environment.parsed("AFFIDAVIT_RETAIN_DAYS", "a number of days")?),
            connection: connection(environment, patience)?,
            buckets: PlacedSettings {
                evidence: environment.text("AFFIDAVIT_BUCKET_EVIDENCE")?,
                log: environment.text("AFFIDAVIT_BUCKET_LOG")?,
                deletable: environment.text("AFFIDAVIT_BUCKET_DELETABLE")?,
                owner: Some(environment.text("AFFIDAVIT_BUCKET_OWNER")?),
                mode: mode(environment)?,
            },
        })
    }

    /// Opens the store.
    ///
    /// # Errors
    /// [`StartError::Store`].
    pub async fn store(&self) -> Result<PlacedStore, StartError> {
        Ok(PlacedStore::open(&self.connection, &self.buckets, clock::now_s).await?)
    }

    /// The keys that this function has. It has no data key: none of them opens what was recorded.
    ///
    /// # Errors
    /// [`EnvironmentError`], naming the variable.
    pub fn keys(&self, environment: &Environment, names: &[KeyName]) -> Result<Arc<dyn Keys>, EnvironmentError> {
        let mut signing = HashMap::new();
        for name in names {
            signing.insert(*name, environment.text(variable(*name))?);
        }
        let (tenant, environment) = (self.tenant.clone(), self.environment.clone());
        let settings = KmsSettings { tenant, environment, signing, data: None, earlier_data: Vec::new() };
        Ok(Arc::new(KmsKeys::new(&self.connection, settings)))
    }

    /// What a function works with that signs statements about the environment.
    pub(crate) fn signing(&self, store: Arc<dyn EvidenceStore>, keys: Arc<dyn Keys>) -> signing::Env {
        signing::Env {
            keys,
            store,
            tenant: self.tenant.clone(),
            environment: self.environment.clone(),
            retention: self.retention,
            now_us: Arc::new(clock::now_us),
        }
    }
}

/// What others verify with that this key signs.
pub(crate) async fn public_key(keys: &Arc<dyn Keys>, name: KeyName) -> Result<PublicKey, StartError> {
    Ok(keys.public_key(name).await?)
}

/// Lambda gives a function credentials for as long as it keeps the process.
fn connection(environment: &Environment, patience: Patience) -> Result<Connection, EnvironmentError> {
    let credentials = Credentials::new(
        environment.text("AWS_ACCESS_KEY_ID")?,
        environment.text("AWS_SECRET_ACCESS_KEY")?,
        environment.optional("AWS_SESSION_TOKEN"),
        None,
        "lambda",
    );
    Ok(Connection {
        region: environment.text("AWS_REGION")?,
        endpoint: environment.optional("AWS_ENDPOINT_URL"),
        credentials: SharedCredentialsProvider::new(credentials),
        deadlines: match patience {
            Patience::Short => SHORT,
            Patience::Long => Deadlines::default(),
        },
    })
}

fn mode(environment: &Environment) -> Result<LockMode, EnvironmentError> {
    const NAME: &str = "AFFIDAVIT_LOCK_MODE";
    match environment.text(NAME)?.as_str() {
        "compliance" => Ok(LockMode::Compliance),
        "governance" => Ok(LockMode::Governance),
        _ => Err(wrong(NAME, "expected compliance or governance")),
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

/// A chunk of 64 MiB comes in a second or two.
const SHORT: Deadlines = Deadlines {
    connect: Duration::from_secs(2),
    attempt: Duration::from_secs(5),
    operation: Duration::from_secs(12),
    attempts: 3,
    longest_wait: Duration::from_secs(1),
};

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [(&str, &str); 12] = [
        ("AFFIDAVIT_TENANT", "clinic"),
        ("AFFIDAVIT_ENVIRONMENT", "test"),
        ("AFFIDAVIT_RETAIN_DAYS", "2192"),
        ("AFFIDAVIT_BUCKET_OWNER", "000000000000"),
        ("AFFIDAVIT_BUCKET_EVIDENCE", "evidence"),
        ("AFFIDAVIT_BUCKET_LOG", "log"),
        ("AFFIDAVIT_BUCKET_DELETABLE", "deletable"),
        ("AFFIDAVIT_LOCK_MODE", "governance"),
        ("AFFIDAVIT_KEY_CERTIFICATES", "arn"),
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
            let deployment = Deployment::read(environment, Patience::Short)?;
            deployment.keys(environment, &[KeyName::Certificates]).map(|_| deployment)
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
