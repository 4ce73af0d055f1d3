//! Revokes a relay's key from a size of the log on: what it signed and the log held by then stands, the rest does not.

use schemas::canonical;
use schemas::dsse::{Envelope, Statement, pae};
use schemas::identifiers::{Incarnation, Name};
use schemas::layout::{LogObjectKind, Scope, parse_log};
use schemas::log::{Checkpoint, LogOrigin};
use schemas::revocation::{Revocation, RevocationReason};
use schemas::signature::PublicKey;
use seams::{EvidenceStore, KeyName, KeysError, StoreError};

use crate::signers::{self, SignerError};
use crate::signing::Env;

/// What is revoked.
#[derive(Debug, Clone)]
pub struct Request {
    /// The relay.
    pub relay: Name,
    /// The incarnation whose key it is.
    pub incarnation: Incarnation,
    /// Entries of the log in which its statements stand; without it, those of the newest checkpoint.
    pub log_size: Option<u64>,
    /// Why.
    pub reason: RevocationReason,
}

/// Why nothing was revoked.
#[derive(Debug, thiserror::Error)]
pub enum RevokerError {
    /// There is no such incarnation: nothing would be revoked.
    #[error("incarnation: {0}")]
    Incarnation(String),
    /// The log cannot be read.
    #[error("{key}: {problem}")]
    Log {
        /// The checkpoint.
        key: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A key could not be used; the same call may succeed later.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The store did not do what it was asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The revocation could not be written down.
    #[error(transparent)]
    Schema(#[from] schemas::Error),
}

/// Signs and stores a revocation, with the certificates key. Of several for one key, the one with the least size counts.
///
/// # Errors
/// [`RevokerError`].
pub async fn revoke(env: &Env, request: Request) -> Result<Revocation, RevokerError> {
    let Env { tenant, environment, .. } = env;
    let scope = Scope { tenant: tenant.clone(), environment: environment.clone(), relay: request.relay.clone() };
    let root = env.keys.public_key(KeyName::Certificates).await?;
    match signers::key_of(env.store.as_ref(), &root, &scope, &request.incarnation).await {
        Ok(_) => {}
        Err(SignerError::Store(error)) => return Err(error.into()),
        Err(error) => return Err(RevokerError::Incarnation(error.to_string())),
    }
    let origin = LogOrigin::of(tenant, environment);
    let log_size = match request.log_size {
        Some(size) => size,
        None => newest_size(env, &origin).await?,
    };
    let key = scope.revocation(&request.incarnation, log_size);
    let revocation = Revocation {
        tenant: tenant.clone(),
        environment: environment.clone(),
        relay: request.relay,
        incarnation: request.incarnation,
        log_origin: origin.to_string(),
        log_size,
        reason: request.reason,
        time_us: (env.now_us)(),
    };
    let payload = canonical::to_vec(&revocation)?;
    let signature = env.keys.sign(KeyName::Certificates, &pae(Revocation::TYPE, &payload)).await?;
    let envelope = Envelope::assemble(Revocation::TYPE, payload, &root, signature).to_vec()?;
    match env.store.put(&key, &envelope, env.retention).await {
        // The same key at the same size: somebody was faster, and it is revoked.
        Err(StoreError::Conflict { .. })
            if is_revoked(env.store.as_ref(), &root, &scope, &revocation.incarnation).await? => {}
        outcome => drop(outcome?),
    }
    tracing::warn!(key, "revoked");
    Ok(revocation)
}

/// Whether the root revoked this incarnation's key, at whatever size.
///
/// # Errors
/// Those of the store.
pub async fn is_revoked(
    store: &dyn EvidenceStore,
    root: &PublicKey,
    scope: &Scope,
    incarnation: &Incarnation,
) -> Result<bool, StoreError> {
    for key in store.list(&scope.revocations(incarnation)).await? {
        let Some(bytes) = store.get(&key).await? else { continue };
        let revocation = Envelope::from_slice(&bytes).and_then(|envelope| envelope.open::<Revocation>(root));
        if revocation.is_ok_and(|revocation| revocation.incarnation == *incarnation) {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn newest_size(env: &Env, origin: &LogOrigin) -> Result<u64, RevokerError> {
    let number = |key: &String| match parse_log(key)?.kind {
        LogObjectKind::Checkpoint(number) => Some(number),
        _ => None,
    };
    let Some(newest) = env.store.list(&origin.checkpoints()).await?.iter().filter_map(number).max() else {
        return Ok(0);
    };
    let key = origin.checkpoint(newest);
    let refused = |problem: String| RevokerError::Log { key: key.clone(), problem };
    let note = env.store.get(&key).await?.ok_or_else(|| refused("is gone".to_owned()))?;
    let signer = env.keys.public_key(KeyName::Checkpoints).await?;
    Ok(Checkpoint::open(&note, origin, &signer).map_err(|error| refused(error.to_string()))?.size)
}
