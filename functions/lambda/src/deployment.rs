//! The deployment that a function serves, and what it waits for.

use std::sync::Arc;
use std::time::Duration;

use aws::{CallFailed, Deadlines, Deployment, Environment, EnvironmentError, PlacedStore, credentials_of};
use functions::console::{ProviderError, SettingsError};
use functions::signing;
use schemas::signature::PublicKey;
use seams::{EvidenceStore, KeyName, Keys, KeysError, StoreError};

use crate::clock;

/// How long a function waits for AWS: always less than it may run itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
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

/// Reads what is said of the deployment.
///
/// # Errors
/// [`EnvironmentError`], naming the variable.
pub(crate) fn deployment(environment: &Environment, patience: Patience) -> Result<Deployment, EnvironmentError> {
    let deadlines = match patience {
        Patience::Short => SHORT,
        Patience::Long => Deadlines::default(),
    };
    Deployment::read(environment, credentials_of(environment)?, deadlines)
}

/// Opens the store.
pub(crate) async fn store(of: &Deployment) -> Result<PlacedStore, StartError> {
    Ok(of.store(clock::now_s).await?)
}

/// What others verify with that this key signs.
pub(crate) async fn public_key(keys: &Arc<dyn Keys>, name: KeyName) -> Result<PublicKey, StartError> {
    Ok(keys.public_key(name).await?)
}

/// What a function works with that signs statements about the environment.
pub(crate) fn signing(of: &Deployment, store: Arc<dyn EvidenceStore>, keys: Arc<dyn Keys>) -> signing::Env {
    signing::Env {
        keys,
        store,
        tenant: of.tenant.clone(),
        environment: of.environment.clone(),
        retention: of.retention,
        now_us: Arc::new(clock::now_us),
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
