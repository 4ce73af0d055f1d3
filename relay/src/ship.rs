//! Objects go into the evidence store: written once, retried until they are there, and never replaced.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use schemas::entropy::Entropy;
use seams::{EvidenceStore, PutOutcome, Retention, StoreError};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

/// Brings objects into the store. The backlog stays on disk.
pub(crate) struct Shipper {
    store: Arc<dyn EvidenceStore>,
    entropy: Arc<dyn Entropy>,
    puts: Semaphore,
    fence: Fence,
    /// Nothing is stored any more: what would be is worth nothing.
    closed: AtomicBool,
}

/// Raised once, when something stands in the store that this relay did not put there: it serves no new sessions.
#[derive(Debug, Default)]
pub(crate) struct Fence(OnceLock<String>);

/// An object could not be stored and never can be. The fence is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the evidence store holds another object in this place")]
pub(crate) struct Fenced;

/// Why one attempt failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ShipError {
    /// See [`Fenced`].
    #[error(transparent)]
    Fenced(#[from] Fenced),
    /// The store is away; whether the object is there is unknown.
    #[error("the evidence store is unavailable")]
    Unavailable,
}

impl Shipper {
    pub(crate) fn new(store: Arc<dyn EvidenceStore>, entropy: Arc<dyn Entropy>) -> Self {
        Self {
            store,
            entropy,
            puts: Semaphore::new(PUTS_AT_ONCE),
            fence: Fence::default(),
            closed: AtomicBool::new(false),
        }
    }

    /// Stores an object; one that stands there with equal bytes is stored.
    pub(crate) async fn once(&self, key: &str, bytes: &[u8], retention: Retention) -> Result<(), ShipError> {
        if self.closed.load(Ordering::SeqCst) {
            return Err(ShipError::Fenced(Fenced));
        }
        match timeout(PUT_TIME, self.store.put(key, bytes, retention)).await {
            Ok(Ok(PutOutcome::Created | PutOutcome::AlreadyIdentical)) => Ok(()),
            Ok(Err(StoreError::Unavailable(_, source))) => {
                tracing::warn!(key, error = %source, "evidence store unavailable");
                Err(ShipError::Unavailable)
            }
            Ok(Err(error)) => Err(ShipError::Fenced(self.fence.raise(&error.to_string()))),
            Err(_) => {
                tracing::warn!(key, "evidence store did not answer in time");
                Err(ShipError::Unavailable)
            }
        }
    }

    /// As [`Shipper::once`], where others may write too: what stands there is no reason to fence.
    pub(crate) async fn offer(&self, key: &str, bytes: &[u8], retention: Retention) -> Result<(), ShipError> {
        match timeout(LOOK_TIME, self.store.put(key, bytes, retention)).await {
            Ok(Ok(PutOutcome::Created | PutOutcome::AlreadyIdentical)) => Ok(()),
            Ok(Err(error)) => {
                tracing::warn!(key, %error, "cannot store");
                Err(ShipError::Unavailable)
            }
            Err(_) => {
                tracing::warn!(key, "evidence store did not answer in time");
                Err(ShipError::Unavailable)
            }
        }
    }

    /// Reads an object in one attempt.
    pub(crate) async fn look(&self, key: &str) -> Result<Option<Vec<u8>>, ShipError> {
        match timeout(LOOK_TIME, self.store.get(key)).await {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(error)) => {
                tracing::warn!(key, %error, "evidence store unavailable");
                Err(ShipError::Unavailable)
            }
            Err(_) => {
                tracing::warn!(key, "evidence store did not answer in time");
                Err(ShipError::Unavailable)
            }
        }
    }

    /// Lists keys in one attempt.
    pub(crate) async fn look_below(&self, prefix: &str) -> Result<Vec<String>, ShipError> {
        match timeout(LOOK_TIME, self.store.list(prefix)).await {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(error)) => {
                tracing::warn!(prefix, %error, "evidence store unavailable");
                Err(ShipError::Unavailable)
            }
            Err(_) => Err(ShipError::Unavailable),
        }
    }

    /// Stores nothing from here on.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }

    /// Where it stores.
    pub(crate) fn store(&self) -> &Arc<dyn EvidenceStore> {
        &self.store
    }

    /// Stores a small object, however long the store is away.
    pub(crate) async fn until_stored(&self, key: &str, bytes: &[u8], retention: Retention) -> Result<(), Fenced> {
        let mut pause = Pause::default();
        loop {
            match self.once(key, bytes, retention).await {
                Ok(()) => return Ok(()),
                Err(ShipError::Fenced(fenced)) => return Err(fenced),
                Err(ShipError::Unavailable) => pause.wait(self.entropy.as_ref()).await,
            }
        }
    }

    /// Stores what `load` reads from the disk, however long the store is away; nothing if it reads nothing. It is read
    /// anew for each attempt, of which few run at once: whoever waits for a better time holds nothing in memory.
    pub(crate) async fn until_loaded_and_stored<E, F>(
        &self,
        key: &str,
        retention: Retention,
        load: impl Fn() -> F,
    ) -> Result<bool, E>
    where
        E: From<Fenced>,
        F: Future<Output = Result<Option<Vec<u8>>, E>>,
    {
        let mut pause = Pause::default();
        loop {
            let attempt = {
                let _slot = self.puts.acquire().await;
                let Some(bytes) = load().await? else { return Ok(false) };
                self.once(key, &bytes, retention).await
            };
            match attempt {
                Ok(()) => return Ok(true),
                Err(ShipError::Fenced(fenced)) => return Err(fenced.into()),
                Err(ShipError::Unavailable) => pause.wait(self.entropy.as_ref()).await,
            }
        }
    }

    /// Reads an object, however long the store is away.
    pub(crate) async fn read(&self, key: &str) -> Option<Vec<u8>> {
        self.patiently(key, || self.store.get(key)).await
    }

    /// Lists keys, however long the store is away.
    pub(crate) async fn list(&self, prefix: &str) -> Vec<String> {
        self.patiently(prefix, || self.store.list(prefix)).await
    }

    pub(crate) fn fence(&self) -> &Fence {
        &self.fence
    }

    async fn patiently<T, F>(&self, key: &str, mut attempt: impl FnMut() -> F) -> T
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let mut pause = Pause::default();
        loop {
            match timeout(PUT_TIME, attempt()).await {
                Ok(Ok(found)) => return found,
                Ok(Err(error)) => tracing::warn!(key, %error, "evidence store unavailable"),
                Err(_) => tracing::warn!(key, "evidence store did not answer in time"),
            }
            pause.wait(self.entropy.as_ref()).await;
        }
    }
}

impl Fence {
    /// Puts the fence up; the first reason stays.
    pub(crate) fn raise(&self, reason: &str) -> Fenced {
        tracing::error!(reason, "FENCED: this relay takes no new sessions; somebody else writes in its place");
        let _ = self.0.set(reason.to_owned());
        Fenced
    }

    /// Why the fence is up, if it is.
    pub(crate) fn reason(&self) -> Option<&str> {
        self.0.get().map(String::as_str)
    }
}

/// Growing pauses between attempts, each of random length, so that many sessions do not come back at once.
#[derive(Debug, Default)]
pub(crate) struct Pause {
    attempts: u32,
}

impl Pause {
    pub(crate) async fn wait(&mut self, entropy: &dyn Entropy) {
        let whole = PAUSE_LEAST.saturating_mul(1 << self.attempts.min(PAUSE_DOUBLINGS)).min(PAUSE_MOST);
        self.attempts = self.attempts.saturating_add(1);
        let mut random = [0; 1];
        // Without randomness the pause is whole, which is right too.
        let share = entropy.fill(&mut random).map_or(u32::from(u8::MAX), |()| u32::from(u8::from_be_bytes(random)));
        sleep(whole / 2 + whole.saturating_mul(share) / (2 * u32::from(u8::MAX))).await;
    }
}

/// Chunks in memory and connections in use: enough to fill a link, little enough to bound memory.
const PUTS_AT_ONCE: usize = 8;
/// The largest chunk on a poor link; an attempt that takes longer is tried again.
const PUT_TIME: Duration = Duration::from_secs(60);
/// Small objects that somebody waits for.
const LOOK_TIME: Duration = Duration::from_secs(10);
const PAUSE_LEAST: Duration = Duration::from_millis(200);
const PAUSE_MOST: Duration = Duration::from_secs(30);
const PAUSE_DOUBLINGS: u32 = 8;
