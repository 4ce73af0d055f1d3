//! The sealer, on a schedule. What one run does not do, the next one does.

use std::fmt;
use std::sync::Arc;

use aws::Environment;
use functions::sealer::{self, Env, SealerError};
use lambda_runtime::{Diagnostic, LambdaEvent};
use seams::KeyName;
use serde::{Deserialize, Serialize};

use crate::clock;
use crate::deployment::{Patience, StartError, deployment, store};
use crate::metrics::Metrics;
use crate::opened::Opened;

/// The sealer and what it tells.
#[derive(Clone)]
pub struct Sealing {
    env: Env,
    metrics: Metrics,
}

/// The schedule's event: `{}`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Due {}

/// What a run did.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Told {
    /// Statements it appended.
    entries: u64,
    /// Checkpoints it made.
    checkpoints: u64,
    /// Entries of the log.
    size: u64,
    /// Objects that are no statement in their place, at most [`sealer::Sealed::REJECTED_MAX`].
    rejected: usize,
}

/// A run that stopped. What it committed stays.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct SealingError(#[from] SealerError);

impl Sealing {
    /// Reads the environment. The buckets are opened with the first event.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn start(environment: &Environment) -> Result<Opened<Self>, StartError> {
        let deployment = deployment(environment, Patience::Long)?;
        let keys = deployment.keys(environment, &[KeyName::Certificates, KeyName::Checkpoints])?;
        let metrics = Metrics::read(environment)?;
        Ok(Opened::by((deployment, keys, metrics), async |(deployment, keys, metrics)| {
            let env = Env {
                store: Arc::new(store(&deployment).await?),
                keys,
                tenant: deployment.tenant,
                environment: deployment.environment,
                retention: deployment.retention,
                batch: Env::BATCH,
                now_us: Arc::new(clock::now_us),
            };
            Ok(Self::new(env, metrics))
        }))
    }

    /// Over these.
    #[must_use]
    pub fn new(env: Env, metrics: Metrics) -> Self {
        Self { env, metrics }
    }

    /// Appends what waits.
    ///
    /// # Errors
    /// [`SealingError`]; the invocation counts as failed.
    pub async fn handle(&self, _event: LambdaEvent<Due>) -> Result<Told, SealingError> {
        let sealed = sealer::seal(&self.env).await.inspect_err(|error| {
            tracing::error!(%error, "not sealed");
            if matches!(error, SealerError::Damaged { .. }) {
                self.metrics.count(&[("LogDamaged", 1)]);
            }
        })?;
        for key in &sealed.rejected {
            tracing::error!(key, "no statement of a certified relay in its place");
        }
        let rejected = sealed.rejected.len();
        let counted = u64::try_from(rejected).unwrap_or(u64::MAX);
        self.metrics.count(&[("Sealed", sealed.entries), ("Rejected", counted), ("LogDamaged", 0)]);
        let size = sealed.newest.map_or(0, |newest| newest.size);
        Ok(Told { entries: sealed.entries, checkpoints: sealed.checkpoints, size, rejected })
    }
}

impl From<SealingError> for Diagnostic {
    fn from(error: SealingError) -> Self {
        let kind = if matches!(error.0, SealerError::Damaged { .. }) { "LogDamaged" } else { "TryAgain" };
        Self { error_type: kind.to_owned(), error_message: error.to_string() }
    }
}

impl fmt::Debug for Sealing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealing").field("env", &self.env).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
