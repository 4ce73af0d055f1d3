//! Tells the indexer what was stored, as S3's notifications do in the cloud.

use std::sync::Arc;

use async_trait::async_trait;
use seams::{EvidenceStore, Overlay, PutOutcome, Retention, StoreError};
use tokio::sync::mpsc;

/// A store that tells the key of each object it was given.
pub(crate) struct WatchedStore {
    store: Arc<dyn EvidenceStore>,
    stored: mpsc::UnboundedSender<String>,
}

impl WatchedStore {
    /// The watched store, and where the keys come out. The receiver ends when the store is dropped.
    pub(crate) fn new(store: Arc<dyn EvidenceStore>) -> (Self, mpsc::UnboundedReceiver<String>) {
        let (stored, keys) = mpsc::unbounded_channel();
        (Self { store, stored }, keys)
    }
}

#[async_trait]
impl EvidenceStore for WatchedStore {
    async fn put(&self, key: &str, bytes: &[u8], retention: Retention) -> Result<PutOutcome, StoreError> {
        let outcome = self.store.put(key, bytes, retention).await?;
        // An indexer that is gone finds the object at its next start.
        let _ = self.stored.send(key.to_owned());
        Ok(outcome)
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
