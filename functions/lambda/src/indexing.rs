//! The indexer, behind a queue of S3's notifications.
//!
//! What cannot be indexed *yet* is a failed message: the queue hands it over again, and puts it aside after some
//! attempts. What *never* verifies is named in the quarantine queue and counted, and done with here: the object stays
//! where it is, under its lock, for it is itself evidence. A message is done with after that name is sent, so a name may
//! be sent twice and is never lost.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws::{DynamoIndex, SqsQueue};
use functions::indexer::{self, Env, Indexed, IndexerError};
use lambda_runtime::LambdaEvent;
use seams::KeyName;
use serde_json::json;
use tokio::time::{Instant, timeout_at};

use crate::deployment::{Deployment, Patience, StartError, public_key};
use crate::environment::Environment;
use crate::metrics::Metrics;
use crate::notification;
use crate::opened::Opened;

pub use crate::notification::{Batch, Failures};

/// The indexer and what it tells.
#[derive(Clone)]
pub struct Indexing {
    env: Env,
    quarantine: Arc<dyn Quarantine>,
    metrics: Metrics,
}

/// Where the names of objects go that do not verify.
#[async_trait]
pub trait Quarantine: Send + Sync {
    /// Names an object, so that somebody looks at it. Naming it twice does no harm.
    ///
    /// # Errors
    /// When it may not have been named.
    async fn name(&self, key: &str, problem: &str) -> Result<(), QuarantineError>;
}

/// It was not named, or that is not known.
#[derive(Debug, thiserror::Error)]
#[error("quarantine: {0}")]
pub struct QuarantineError(pub Box<dyn std::error::Error + Send + Sync>);

#[derive(Default)]
struct Tally {
    indexed: u64,
    rejected: u64,
    unknown: u64,
}

impl Indexing {
    /// Reads the environment. The buckets are opened, and the public keys asked for, with the first event.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn start(environment: &Environment) -> Result<Opened<Self>, StartError> {
        let deployment = Deployment::read(environment, Patience::Short)?;
        let keys = deployment.keys(environment, &[KeyName::Certificates, KeyName::Approvals])?;
        let index = DynamoIndex::new(&deployment.connection, environment.text("AFFIDAVIT_TABLE")?);
        let quarantine = SqsQueue::new(&deployment.connection, environment.text("AFFIDAVIT_QUARANTINE")?);
        let metrics = Metrics::read(environment)?;
        let said = (deployment, keys, Arc::new(index), Arc::new(quarantine), metrics);
        Ok(Opened::by(said, async |(deployment, keys, index, quarantine, metrics)| {
            let (store, root, approvals) = tokio::try_join!(
                deployment.store(),
                public_key(&keys, KeyName::Certificates),
                public_key(&keys, KeyName::Approvals)
            )?;
            Ok(Self::new(Env { store: Arc::new(store), index, root, approvals }, quarantine, metrics))
        }))
    }

    /// Over these.
    pub fn new(env: Env, quarantine: Arc<dyn Quarantine>, metrics: Metrics) -> Self {
        Self { env, quarantine, metrics }
    }

    /// Indexes what a batch of messages tells of, as far as Lambda's time goes.
    pub async fn handle(&self, event: LambdaEvent<Batch>) -> Failures {
        let left = event.context.deadline().duration_since(SystemTime::now()).unwrap_or_default();
        self.index(event.payload, Instant::now() + left.saturating_sub(MARGIN)).await
    }

    async fn index(&self, batch: Batch, until: Instant) -> Failures {
        let (mut failures, mut tally) = (Failures::default(), Tally::default());
        for message in batch.messages {
            let in_time = Instant::now() < until;
            if !(in_time && timeout_at(until, self.message(&message.body, &mut tally)).await.unwrap_or(false)) {
                tracing::warn!(message = message.message_id, "not done with; it is tried again");
                failures.add(message.message_id);
            }
        }
        let waiting = u64::try_from(failures.len()).unwrap_or(u64::MAX);
        let Tally { indexed, rejected, unknown } = tally;
        let counts = [("Indexed", indexed), ("Rejected", rejected), ("Unknown", unknown), ("NotIndexedYet", waiting)];
        self.metrics.count(&counts);
        failures
    }

    /// Whether everything that a message tells of is done with.
    async fn message(&self, body: &str, tally: &mut Tally) -> bool {
        let Some(keys) = notification::keys(body) else {
            tracing::error!(bytes = body.len(), "expected a notification of S3's");
            return false;
        };
        let mut done = true;
        for key in keys {
            done &= self.object(&key, tally).await;
        }
        done
    }

    async fn object(&self, key: &str, tally: &mut Tally) -> bool {
        match indexer::index(&self.env, key).await {
            Ok(Indexed::Unknown) => {
                // Whoever may put there put something that no program of ours names: the sealer says so too.
                tracing::warn!(key, "no object of ours");
                tally.unknown += 1;
                true
            }
            Ok(_) => {
                tally.indexed += 1;
                true
            }
            Err(error @ IndexerError::Later { .. }) => {
                tracing::warn!(%error, "not indexed yet");
                false
            }
            Err(IndexerError::Rejected { key, problem }) => {
                tracing::error!(key, problem, "rejected");
                tally.rejected += 1;
                match self.quarantine.name(&key, &problem).await {
                    Ok(()) => true,
                    Err(error) => {
                        tracing::error!(%error, key, "rejected and not named in the quarantine; it is tried again");
                        false
                    }
                }
            }
        }
    }
}

#[async_trait]
impl Quarantine for SqsQueue {
    async fn name(&self, key: &str, problem: &str) -> Result<(), QuarantineError> {
        let sent = self.send(json!({ "key": key, "problem": problem }).to_string()).await;
        sent.map_err(|error| QuarantineError(error.into()))
    }
}

impl fmt::Debug for Indexing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Indexing").field("env", &self.env).finish_non_exhaustive()
    }
}

/// Enough to tell what was not done.
const MARGIN: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests;
