//! The indexer, behind a queue of S3's notifications.
//!
//! What cannot be indexed *yet* is a failed message: the queue hands it over again, and puts it aside after some
//! attempts. What *never* verifies is named in the quarantine queue and counted, and done with here: the object stays
//! where it is, under its lock, for it is itself evidence. A message is done with after that name is sent, so a name may
//! be sent twice and is never lost.
//!
//! What an object completes is drawn into the lake before its message is done with: so what fails there comes again too.
//! An event of another form, [`Redraw`], draws all of it again, a piece a call.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws::{DynamoIndex, Environment, SqsQueue};
use functions::indexer::{self, Env, Indexed, IndexerError};
use functions::lake::{self, Drawn, LakeError, Limits};
use lambda_runtime::{Diagnostic, LambdaEvent};
use schemas::identifiers::Name;
use seams::{KeyName, Lake};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::{Instant, timeout_at};

use crate::deployment::{Patience, StartError, deployment, public_key, store};
use crate::metrics::Metrics;
use crate::notification;
use crate::opened::Opened;
use crate::remembering::Remembering;

pub use crate::notification::{Batch, Failures};

/// The indexer and what it tells.
#[derive(Clone)]
pub struct Indexing {
    env: Env,
    lake: lake::Env,
    /// Tenant and environment: whose lake it is.
    of: (Name, Name),
    quarantine: Arc<dyn Quarantine>,
    metrics: Metrics,
}

/// What an indexer is asked.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Asked {
    /// By the queue: to index what is stored.
    Stored(Batch),
    /// By an administrator: to draw the lake again.
    Redraw {
        /// From where on.
        redraw: Redraw,
    },
}

/// Where to begin: after this key of evidence, or at the beginning.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Redraw {
    after: Option<String>,
}

/// What an indexer answers.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Answered {
    /// Which messages are to come again.
    Stored(Failures),
    /// How far the lake was drawn again.
    Redrawn {
        /// Sessions drawn.
        drawn: u64,
        /// Sessions left out; the log names them.
        undrawn: u64,
        /// What to ask for next; nothing when all is done.
        after: Option<String>,
    },
}

/// The lake was not drawn again; the same call may succeed later.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct RedrawError(#[from] LakeError);

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
    drawn: u64,
    undrawn: u64,
}

impl Indexing {
    /// Reads the environment. The buckets are opened, and the public keys asked for, with the first event.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn start(environment: &Environment) -> Result<Opened<Self>, StartError> {
        let deployment = deployment(environment, Patience::Short)?;
        let keys = deployment.keys(environment, &[KeyName::Certificates, KeyName::Approvals])?;
        let index = DynamoIndex::new(&deployment.connection, environment.text("AFFIDAVIT_TABLE")?);
        let quarantine = SqsQueue::new(&deployment.connection, environment.text("AFFIDAVIT_QUARANTINE")?);
        let metrics = Metrics::read(environment)?;
        let lake = Arc::new(deployment.lake(environment.text("AFFIDAVIT_BUCKET_LAKE")?));
        let said = (deployment, keys, Arc::new(index), lake, Arc::new(quarantine), metrics);
        Ok(Opened::by(said, async |(deployment, keys, index, lake, quarantine, metrics)| {
            let (store, root, approvals) = tokio::try_join!(
                store(&deployment),
                public_key(&keys, KeyName::Certificates),
                public_key(&keys, KeyName::Approvals)
            )?;
            let env = Env { store: Arc::new(Remembering::new(store)), index, root, approvals };
            Ok(Self::new(env, (lake, (deployment.tenant, deployment.environment)), quarantine, metrics))
        }))
    }

    /// Over these; the lake is of this tenant and environment.
    pub fn new(
        env: Env,
        (lake, of): (Arc<dyn Lake>, (Name, Name)),
        quarantine: Arc<dyn Quarantine>,
        metrics: Metrics,
    ) -> Self {
        let Env { store, index, root, .. } = env.clone();
        Self { env, lake: lake::Env { store, index, lake, root, limits: Limits::default() }, of, quarantine, metrics }
    }

    /// Does what it is asked, as far as Lambda's time goes.
    ///
    /// # Errors
    /// [`RedrawError`]; the invocation counts as failed.
    pub async fn handle(&self, event: LambdaEvent<Asked>) -> Result<Answered, RedrawError> {
        let left = event.context.deadline().duration_since(SystemTime::now()).unwrap_or_default();
        let until = Instant::now() + left.saturating_sub(MARGIN);
        match event.payload {
            Asked::Stored(batch) => Ok(Answered::Stored(self.index(batch, until).await)),
            Asked::Redraw { redraw } => self.redraw(&redraw.after.unwrap_or_default(), until).await,
        }
    }

    async fn redraw(&self, after: &str, until: Instant) -> Result<Answered, RedrawError> {
        let (tenant, environment) = &self.of;
        let redrawn = lake::redraw(&self.lake, (tenant, environment), after, until).await?;
        let mut tally = Tally::default();
        tally.tell(&redrawn.drawn);
        Ok(Answered::Redrawn { drawn: tally.drawn, undrawn: tally.undrawn, after: redrawn.after })
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
        let Tally { indexed, rejected, unknown, drawn, undrawn } = tally;
        let counts = [("Indexed", indexed), ("Rejected", rejected), ("Unknown", unknown), ("NotIndexedYet", waiting)];
        self.metrics.count(&[&counts[..], &[("Drawn", drawn), ("Undrawn", undrawn)]].concat());
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
                self.draw(key, tally).await
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

    /// Whether what the object completes is drawn, or never is.
    async fn draw(&self, key: &str, tally: &mut Tally) -> bool {
        match lake::follow(&self.lake, key).await {
            Ok(drawn) => {
                tally.tell(&drawn);
                true
            }
            Err(error) => {
                tracing::warn!(%error, key, "indexed, and not drawn yet");
                false
            }
        }
    }
}

impl Tally {
    fn tell(&mut self, drawn: &Drawn) {
        self.drawn += drawn.sessions;
        for lake::Undrawn { session, why } in &drawn.undrawn {
            tracing::warn!(%session, %why, "not in the lake");
            self.undrawn += 1;
        }
    }
}

impl From<RedrawError> for Diagnostic {
    fn from(error: RedrawError) -> Self {
        Self { error_type: "TryAgain".to_owned(), error_message: error.to_string() }
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
