//! When something was stored last: what a relay's readiness and its figures tell of the evidence store.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use seams::{EvidenceStore, Overlay, PutOutcome, Retention, StoreError};
use tokio::time::Instant;

use crate::clock::Clock;

/// A store that remembers how its puts went.
pub(crate) struct CountedStore {
    store: Arc<dyn EvidenceStore>,
    puts: Arc<Puts>,
}

/// How they went.
pub(crate) struct Puts {
    clock: Arc<dyn Clock>,
    since: Instant,
    stored: AtomicU64,
    failed: AtomicU64,
    /// Microseconds since 1970, by the clock of the evidence; 0 before the first.
    last_us: AtomicU64,
    /// Milliseconds since `since`: a clock that jumps must not make a store look away.
    last_ms: AtomicU64,
}

/// One put; one that nobody waited for to its end has failed.
struct Attempt<'a> {
    puts: &'a Puts,
    stored: bool,
}

impl CountedStore {
    pub(crate) fn new(store: Arc<dyn EvidenceStore>, puts: Arc<Puts>) -> Self {
        Self { store, puts }
    }
}

impl Puts {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            since: Instant::now(),
            stored: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            last_us: AtomicU64::new(0),
            last_ms: AtomicU64::new(0),
        }
    }

    /// Objects that were stored, or stood there already.
    pub(crate) fn stored(&self) -> u64 {
        self.stored.load(Ordering::Relaxed)
    }

    /// Puts that failed.
    pub(crate) fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// When something was stored last, microseconds since 1970.
    pub(crate) fn last_us(&self) -> u64 {
        self.last_us.load(Ordering::Relaxed)
    }

    /// How long nothing has been stored.
    pub(crate) fn silence(&self) -> Duration {
        self.since.elapsed().saturating_sub(Duration::from_millis(self.last_ms.load(Ordering::Relaxed)))
    }

    fn count(&self, stored: bool) {
        if !stored {
            self.failed.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.stored.fetch_add(1, Ordering::Relaxed);
        self.last_us.fetch_max(self.clock.now_us(), Ordering::Relaxed);
        let elapsed = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_ms.fetch_max(elapsed, Ordering::Relaxed);
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        self.puts.count(self.stored);
    }
}

#[async_trait]
impl EvidenceStore for CountedStore {
    async fn put(&self, key: &str, bytes: &[u8], retention: Retention) -> Result<PutOutcome, StoreError> {
        let mut attempt = Attempt { puts: &self.puts, stored: false };
        let outcome = self.store.put(key, bytes, retention).await;
        attempt.stored = outcome.is_ok();
        outcome
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.get(key).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        self.store.list(prefix).await
    }

    async fn list_after(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<String>, StoreError> {
        self.store.list_after(prefix, after, limit).await
    }

    async fn folders_after(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<String>, StoreError> {
        self.store.folders_after(prefix, after, limit).await
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.store.delete(key).await
    }

    async fn overlays(&self, prefix: &str, limit: usize) -> Result<Vec<Overlay>, StoreError> {
        self.store.overlays(prefix, limit).await
    }
}
