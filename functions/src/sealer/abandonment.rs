//! Incarnations whose certificate ended long ago and that never said that they retired: nobody waits for them any more.

use schemas::canonical;
use schemas::dsse::{Envelope, Statement, pae};
use schemas::layout::Scope;
use schemas::revocation::{ABANDONED_AFTER_US, Abandoned};
use seams::{KeyName, StoreError};

use super::batch::Batch;
use super::{Log, SealerError};

/// Signs and stores that they are abandoned; the next run appends it, as everything that is stored.
pub(super) async fn sign(log: &Log<'_>, batch: &Batch) -> Result<(), SealerError> {
    let now_us = (log.env.now_us)();
    for (relay, incarnation, not_after_us) in batch.progress().unended(now_us.saturating_sub(ABANDONED_AFTER_US)) {
        let (tenant, environment) = (log.env.tenant.clone(), log.env.environment.clone());
        let scope = Scope { tenant: tenant.clone(), environment: environment.clone(), relay: relay.clone() };
        // A retirement that is stored and not appended yet is an end.
        if log.env.store.get(&scope.relay_retired(&incarnation)).await?.is_some() {
            continue;
        }
        let key = scope.abandoned(&incarnation);
        if log.env.store.get(&key).await?.is_some() {
            continue;
        }
        let log_size = batch.size();
        let abandoned = Abandoned { tenant, environment, relay, incarnation, not_after_us, log_size, time_us: now_us };
        let payload = canonical::to_vec(&abandoned)?;
        let signature = log.env.keys.sign(KeyName::Checkpoints, &pae(Abandoned::TYPE, &payload)).await?;
        let envelope = Envelope::assemble(Abandoned::TYPE, payload, &log.key, signature).to_vec()?;
        match log.env.store.put(&key, &envelope, log.env.retention).await {
            // Another sealer said so at the same time.
            Err(StoreError::Conflict { .. }) => {}
            outcome => {
                outcome?;
                tracing::warn!(key, "abandoned: its certificate ended, and nothing says that it retired");
            }
        }
    }
    Ok(())
}
