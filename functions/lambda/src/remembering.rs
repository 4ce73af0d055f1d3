//! A store that reads but once what every object of a relay's life needs: its certificate and its start. What was put under
//! a key is never anything else.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use schemas::layout::{self, ObjectKind};
use seams::{EvidenceStore, Overlay, PutOutcome, Retention, StoreError};

/// See there.
pub(crate) struct Remembering<S> {
    store: S,
    known: Mutex<BTreeMap<String, Vec<u8>>>,
}

impl<S> Remembering<S> {
    /// Nothing is known yet.
    pub(crate) fn new(store: S) -> Self {
        Self { store, known: Mutex::default() }
    }
}

#[async_trait]
impl<S: EvidenceStore> EvidenceStore for Remembering<S> {
    async fn put(&self, key: &str, bytes: &[u8], retention: Retention) -> Result<PutOutcome, StoreError> {
        self.store.put(key, bytes, retention).await
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        if !is_of_a_life(key) {
            return self.store.get(key).await;
        }
        if let Some(bytes) = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(key) {
            return Ok(Some(bytes.clone()));
        }
        let bytes = self.store.get(key).await?;
        if let Some(bytes) = bytes.as_ref().filter(|bytes| bytes.len() <= LENGTH_MAX) {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            if known.len() >= KNOWN_MAX {
                known.clear();
            }
            known.insert(key.to_owned(), bytes.clone());
        }
        Ok(bytes)
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

fn is_of_a_life(key: &str) -> bool {
    let kind = layout::parse(key).map(|object| object.kind);
    matches!(kind, Some(ObjectKind::Certificate(_) | ObjectKind::RelayStart(_)))
}

/// A fleet of relays, and their lives of yesterday.
const KNOWN_MAX: usize = 1024;
/// Longer than any of ours.
const LENGTH_MAX: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::Golden;

    #[tokio::test]
    async fn what_a_life_begins_with_is_read_once_and_nothing_is_remembered_of_what_is_not_there() {
        let golden = Golden::new().await;
        let folder = tempfile::tempdir().unwrap();
        let store = Remembering::new(seams::FileStore::open(folder.path().join("store"), || 0).unwrap());
        let certificate = golden.ending("certificate.json");
        let (chunk, bytes) =
            (golden.ending("chunk-00000001.zst"), golden.store.get(&certificate).await.unwrap().unwrap());
        assert_eq!(store.get(&certificate).await.unwrap(), None);
        for key in [&certificate, &chunk] {
            store.put(key, &bytes, Retention::none()).await.unwrap();
            assert_eq!(store.get(key).await.unwrap().as_ref(), Some(&bytes));
            store.delete(key).await.unwrap();
        }
        assert_eq!(store.get(&certificate).await.unwrap(), Some(bytes));
        assert_eq!(store.get(&chunk).await.unwrap(), None, "it may be large, and is asked for once");
    }
}
