//! Runs the indexer over what is stored already and over what comes.

use std::time::Duration;

use functions::indexer::{self, IndexerError};
use schemas::layout::EVIDENCE_PREFIX;
use tokio::sync::mpsc::UnboundedReceiver;

/// Indexes until `stored` ends and everything that came is done.
pub(crate) async fn run(env: indexer::Env, mut stored: UnboundedReceiver<String>) {
    match env.store.list(EVIDENCE_PREFIX).await {
        Ok(keys) => {
            for key in keys {
                index(&env, &key).await;
            }
        }
        Err(error) => tracing::error!(%error, "cannot list the evidence; what was stored before is not indexed"),
    }
    while let Some(key) = stored.recv().await {
        index(&env, &key).await;
    }
}

/// Tries again what may succeed later, as a queue would; after that it is found at the next start.
async fn index(env: &indexer::Env, key: &str) {
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
