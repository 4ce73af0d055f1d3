//! Runs the indexer over what is stored already and over what comes.

use std::time::Duration;

use functions::indexer::{self, Env, IndexerError};
use schemas::layout::{APPROVALS_PREFIX, EVIDENCE_PREFIX};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::error::Error;

/// A running indexer.
pub(crate) struct Indexing {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Indexing {
    /// Indexes what is stored, then each object whose key comes.
    pub(crate) fn start(env: Env, stored: UnboundedReceiver<String>) -> Self {
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            all(&env).await;
            follow(&env, stored, stopped).await;
        });
        Self { stop, task }
    }

    /// Ends when everything that came is indexed.
    pub(crate) async fn stop(self) -> Result<(), Error> {
        // A receiver that is gone means that the task ended, which `task` tells.
        let _ = self.stop.send(());
        self.task.await.map_err(Error::of("indexer"))
    }
}

/// Indexes everything that is stored.
pub(crate) async fn all(env: &Env) {
    for prefix in [EVIDENCE_PREFIX, APPROVALS_PREFIX] {
        match env.store.list(prefix).await {
            Ok(keys) => {
                for key in keys {
                    index(env, &key).await;
                }
            }
            Err(error) => tracing::error!(%error, prefix, "cannot list; what was stored before is not indexed"),
        }
    }
}

async fn follow(env: &Env, mut stored: UnboundedReceiver<String>, mut stopped: oneshot::Receiver<()>) {
    loop {
        tokio::select! {
            key = stored.recv() => match key {
                Some(key) => index(env, &key).await,
                None => return,
            },
            _ = &mut stopped => break,
        }
    }
    stored.close();
    while let Some(key) = stored.recv().await {
        index(env, &key).await;
    }
}

/// Tries again what may succeed later, as a queue would; after that it is found at the next start.
async fn index(env: &Env, key: &str) {
    for attempt in 1..=ATTEMPTS {
        match indexer::index(env, key).await {
            Ok(indexed) => {
                tracing::debug!(key, ?indexed, "indexed");
                return;
            }
            Err(error @ IndexerError::Later { .. }) if attempt < ATTEMPTS => {
                tracing::debug!(%error, attempt, "not indexed yet");
                tokio::time::sleep(PAUSE * attempt).await;
            }
            Err(error) => {
                tracing::error!(%error, "not indexed");
                return;
            }
        }
    }
}

const ATTEMPTS: u32 = 5;
const PAUSE: Duration = Duration::from_millis(200);
