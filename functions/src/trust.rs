//! Which long-lived keys are this deployment's: said by the certificates root, once for each set of keys, so that an
//! auditor needs to be given no other key.

use std::time::Duration;

use schemas::canonical;
use schemas::dsse::{Envelope, Statement, pae};
use schemas::key_certificate::KeyCertificate;
use schemas::layout;
use seams::{KeyName, KeysError, StoreError};

use crate::signing::Env;

/// Why the keys were not certified.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// A key could not be used; the same call may succeed later.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The store did not do what it was asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The certificate could not be written down.
    #[error(transparent)]
    Schema(#[from] schemas::Error),
}

/// Certifies the keys that are in use, unless a stored certificate already does for at least [`RENEWED_BEFORE`].
/// Repeating it stores nothing more.
///
/// # Errors
/// [`TrustError`].
pub async fn certify(env: &Env) -> Result<(), TrustError> {
    let now_us = (env.now_us)();
    let wanted = KeyCertificate {
        tenant: env.tenant.clone(),
        environment: env.environment.clone(),
        checkpoints: env.keys.public_key(KeyName::Checkpoints).await?,
        checkpoints_ed25519: env.keys.second_checkpoints_key().await?,
        approvals: env.keys.public_key(KeyName::Approvals).await?,
        bundles: env.keys.public_key(KeyName::Bundles).await?,
        not_before_us: now_us,
        not_after_us: now_us.saturating_add(micros(VALIDITY)),
    };
    if is_certified(env, &wanted).await? {
        return Ok(());
    }
    let payload = canonical::to_vec(&wanted)?;
    let signature = env.keys.sign(KeyName::Certificates, &pae(KeyCertificate::TYPE, &payload)).await?;
    let root = env.keys.public_key(KeyName::Certificates).await?;
    let envelope = Envelope::assemble(KeyCertificate::TYPE, payload, &root, signature);
    let key = layout::key_certificate(&env.tenant, &env.environment, &envelope.statement_digest());
    env.store.put(&key, &envelope.to_vec()?, env.retention).await?;
    tracing::info!(key, "keys certified");
    Ok(())
}

async fn is_certified(env: &Env, wanted: &KeyCertificate) -> Result<bool, TrustError> {
    let root = env.keys.public_key(KeyName::Certificates).await?;
    for key in env.store.list(&layout::trust_prefix(&env.tenant, &env.environment)).await? {
        let Some(bytes) = env.store.get(&key).await? else { continue };
        let stored = Envelope::from_slice(&bytes).and_then(|envelope| envelope.open::<KeyCertificate>(&root));
        let certifies = stored.is_ok_and(|stored| {
            let same_keys = (&stored.checkpoints, &stored.checkpoints_ed25519, &stored.approvals, &stored.bundles)
                == (&wanted.checkpoints, &wanted.checkpoints_ed25519, &wanted.approvals, &wanted.bundles);
            let lasts = stored.not_after_us >= wanted.not_before_us.saturating_add(micros(RENEWED_BEFORE));
            same_keys && stored.not_before_us <= wanted.not_before_us && lasts
        });
        if certifies {
            return Ok(true);
        }
    }
    Ok(false)
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// A year: keys of a key service are seldom changed, and a certificate that is not renewed must end.
const VALIDITY: Duration = Duration::from_hours(24 * 366);
/// A month is time enough to notice that nobody renews.
pub const RENEWED_BEFORE: Duration = Duration::from_hours(24 * 31);

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use seams::{FileStore, KeyFiles, Retention};

    use super::*;

    fn env(folder: &tempfile::TempDir, now_us: u64) -> Env {
        Env {
            keys: Arc::new(KeyFiles::open_or_create(&folder.path().join("keys")).unwrap()),
            store: Arc::new(FileStore::open(folder.path().join("store"), || 0).unwrap()),
            tenant: "clinic".parse().unwrap(),
            environment: "test".parse().unwrap(),
            retention: Retention::none(),
            now_us: Arc::new(move || now_us),
        }
    }

    #[tokio::test]
    async fn keys_are_certified_once_and_again_before_that_ends() {
        let folder = tempfile::tempdir().unwrap();
        let stored = async |env: &Env| env.store.list("trust/clinic/test/").await.unwrap().len();
        certify(&env(&folder, 1)).await.unwrap();
        certify(&env(&folder, 2)).await.unwrap();
        assert_eq!(stored(&env(&folder, 2)).await, 1);
        let late = env(&folder, micros(VALIDITY) - micros(RENEWED_BEFORE) + 2);
        certify(&late).await.unwrap();
        assert_eq!(stored(&late).await, 2);
    }

    #[tokio::test]
    async fn a_clock_that_jumped_back_has_a_certificate_too() {
        let folder = tempfile::tempdir().unwrap();
        let (before, after) = (env(&folder, micros(VALIDITY)), env(&folder, 1));
        for certified in [1, 2, 2] {
            certify(if certified == 1 { &before } else { &after }).await.unwrap();
            assert_eq!(before.store.list("trust/clinic/test/").await.unwrap().len(), certified);
        }
    }

    #[tokio::test]
    async fn a_stored_certificate_of_others_certifies_nothing() {
        let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let ours = env(&folder, 1);
        certify(&Env { keys: env(&other, 1).keys, ..ours.clone() }).await.unwrap();
        certify(&ours).await.unwrap();
        assert_eq!(ours.store.list("trust/").await.unwrap().len(), 2);
    }
}
