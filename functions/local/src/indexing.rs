//! Runs the indexer over what is stored already and over what comes.

use std::collections::BTreeSet;
use std::time::Duration;

use functions::indexer::{self, Env, IndexerError};
use schemas::layout::{APPROVALS_PREFIX, EVIDENCE_PREFIX};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use crate::error::Error;

/// A running indexer.
pub(crate) struct Indexing {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Indexing {
    /// Indexes what is stored, then each object whose key comes.
    pub(crate) fn start(env: Env, stored: UnboundedReceiver<String>) -> Self {
        Self::start_trying(env, stored, AGAIN)
    }

    fn start_trying(env: Env, stored: UnboundedReceiver<String>, again: Duration) -> Self {
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            let mut waiting = Waiting::default();
            waiting.index_all(&env, ATTEMPTS).await;
            follow(&env, stored, stopped, again, waiting).await;
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

/// What could not be indexed yet: a store or an index that is away is back some day, also without a restart.
#[derive(Default)]
struct Waiting {
    keys: BTreeSet<String>,
    /// Too many, or it is not known which: everything that is stored is looked at.
    all: bool,
}

impl Waiting {
    async fn index(&mut self, env: &Env, key: String, attempts: u32) {
        if index(env, &key, attempts).await == Outcome::Later {
            self.keep(key);
        }
    }

    fn keep(&mut self, key: String) {
        self.keys.insert(key);
        if self.keys.len() > WAITING_MAX {
            (self.keys, self.all) = (BTreeSet::new(), true);
        }
    }

    async fn index_all(&mut self, env: &Env, attempts: u32) {
        for prefix in [EVIDENCE_PREFIX, APPROVALS_PREFIX] {
            match env.store.list(prefix).await {
                Ok(keys) => {
                    for key in keys {
                        self.index(env, key, attempts).await;
                    }
                }
                Err(error) => {
                    tracing::error!(%error, prefix, "cannot list; what was stored before is not indexed yet");
                    self.all = true;
                }
            }
        }
    }

    /// Tries each of them once more.
    async fn again(&mut self, env: &Env) {
        if std::mem::take(&mut self.all) {
            self.keys.clear();
            self.index_all(env, 1).await;
            return;
        }
        for key in std::mem::take(&mut self.keys) {
            self.index(env, key, 1).await;
        }
    }
}

/// Indexes everything that is stored.
pub(crate) async fn all(env: &Env) {
    Waiting::default().index_all(env, ATTEMPTS).await;
}

async fn follow(
    env: &Env,
    mut stored: UnboundedReceiver<String>,
    mut stopped: oneshot::Receiver<()>,
    again: Duration,
    mut waiting: Waiting,
) {
    let mut due = interval(again);
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            key = stored.recv() => match key {
                Some(key) => waiting.index(env, key, ATTEMPTS).await,
                None => break,
            },
            _ = due.tick() => waiting.again(env).await,
            _ = &mut stopped => break,
        }
    }
    stored.close();
    while let Some(key) = stored.recv().await {
        waiting.index(env, key, ATTEMPTS).await;
    }
    waiting.again(env).await;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// There is nothing more to do.
    Done,
    /// It may succeed later.
    Later,
}

/// Tries again what may succeed later, as a queue would.
async fn index(env: &Env, key: &str, attempts: u32) -> Outcome {
    let mut attempt = 1;
    loop {
        match indexer::index(env, key).await {
            Ok(indexed) => {
                tracing::debug!(key, ?indexed, "indexed");
                return Outcome::Done;
            }
            Err(error @ IndexerError::Later { .. }) if attempt < attempts => {
                tracing::debug!(%error, attempt, "not indexed yet");
                tokio::time::sleep(PAUSE * attempt).await;
                attempt += 1;
            }
            Err(error @ IndexerError::Later { .. }) => {
                tracing::warn!(%error, "not indexed; it is tried again");
                return Outcome::Later;
            }
            Err(error) => {
                tracing::error!(%error, "not indexed");
                return Outcome::Done;
            }
        }
    }
}

const ATTEMPTS: u32 = 5;
const PAUSE: Duration = Duration::from_millis(200);
/// How long what was not indexed waits.
const AGAIN: Duration = Duration::from_secs(30);
/// Keys of two hundred bytes.
const WAITING_MAX: usize = 10_000;

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use async_trait::async_trait;
    use schemas::signature::{P256Key, PublicKey, Signer};
    use seams::{EvidenceStore, FileStore, Index, Overlay, PutOutcome, RedbIndex, Retention, StoreError};
    use tokio::sync::mpsc;

    use super::*;

    /// A store that nobody can read for a while.
    struct Unreadable {
        store: FileStore,
        away: AtomicBool,
    }

    impl Unreadable {
        fn check(&self, key: &str) -> Result<(), StoreError> {
            let away = || Err(StoreError::Unavailable(key.to_owned(), "told to fail".into()));
            if self.away.load(Ordering::SeqCst) { away() } else { Ok(()) }
        }
    }

    #[async_trait]
    impl EvidenceStore for Unreadable {
        async fn put(&self, key: &str, bytes: &[u8], retention: Retention) -> Result<PutOutcome, StoreError> {
            self.store.put(key, bytes, retention).await
        }

        async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
            self.check(key)?;
            self.store.get(key).await
        }

        async fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
            self.check(prefix)?;
            self.store.list(prefix).await
        }

        async fn delete(&self, key: &str) -> Result<(), StoreError> {
            self.store.delete(key).await
        }

        async fn overlays(&self, prefix: &str, limit: usize) -> Result<Vec<Overlay>, StoreError> {
            self.store.overlays(prefix, limit).await
        }
    }

    /// The golden tree in a store.
    async fn scene(folder: &Path) -> (Env, Arc<Unreadable>) {
        let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas/vectors");
        let tree = FileStore::for_reading(folder.join("tree"));
        std::fs::create_dir_all(folder.join("tree")).unwrap();
        std::os::unix::fs::symlink(vectors.join("tree"), folder.join("tree/objects")).unwrap();
        let store = FileStore::open(folder.join("store"), || 0).unwrap();
        for key in tree.list("").await.unwrap() {
            store.put(&key, &tree.get(&key).await.unwrap().unwrap(), Retention::none()).await.unwrap();
        }
        let store = Arc::new(Unreadable { store, away: AtomicBool::new(true) });
        let key = |name: &str| -> PublicKey {
            let pem = std::fs::read_to_string(vectors.join(format!("test-keys/TEST-KEY-{name}.pem"))).unwrap();
            P256Key::from_pkcs8_pem(&pem).unwrap().public_key().clone()
        };
        let index = Arc::new(RedbIndex::in_memory().unwrap());
        (Env { store: store.clone(), index, root: key("root"), approvals: key("approvals") }, store)
    }

    async fn wait_for_sessions(index: &dyn Index, count: usize) {
        for _ in 0..400 {
            if index.sessions().await.unwrap().len() == count {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("it was not indexed");
    }

    #[tokio::test]
    async fn what_was_stored_before_is_indexed_when_the_store_is_back_without_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let (env, store) = scene(folder.path()).await;
        let index = env.index.clone();
        let (_told, stored) = mpsc::unbounded_channel();
        let indexing = Indexing::start_trying(env, stored, Duration::from_millis(50));
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(index.sessions().await.unwrap(), []);
        store.away.store(false, Ordering::SeqCst);
        wait_for_sessions(&*index, 5).await;
        indexing.stop().await.unwrap();
    }

    #[tokio::test]
    async fn what_was_told_while_the_store_could_not_be_read_is_indexed_when_it_is_back() {
        let folder = tempfile::tempdir().unwrap();
        let (env, store) = scene(folder.path()).await;
        let (told, stored) = mpsc::unbounded_channel();
        let keys = store.store.list("evidence/").await.unwrap();
        told.send(keys.into_iter().find(|key| key.ends_with("open.json")).unwrap()).unwrap();
        let index = env.index.clone();
        let waiting = Waiting::default();
        let (stop, stopped) = oneshot::channel();
        let following =
            tokio::spawn(async move { follow(&env, stored, stopped, Duration::from_millis(50), waiting).await });
        tokio::time::sleep(PAUSE * 12).await;
        assert_eq!(index.sessions().await.unwrap(), []);
        store.away.store(false, Ordering::SeqCst);
        wait_for_sessions(&*index, 1).await;
        stop.send(()).unwrap();
        following.await.unwrap();
    }
}
