//! Evidence in three buckets, by how objects are kept: a bucket's rights, retention and rules are of the whole bucket.

use std::time::Duration;

use async_trait::async_trait;
use schemas::layout::Place;
use seams::{EvidenceStore, Overlay, PutOutcome, Retention, StoreError};

use crate::connection::Connection;
use crate::s3_store::{LockMode, S3Settings, S3Store};

/// An [`EvidenceStore`] whose objects stand in the bucket of their [`Place`]. Cloning shares its connections.
#[derive(Debug, Clone)]
pub struct PlacedStore {
    evidence: S3Store,
    log: S3Store,
    deletable: S3Store,
}

/// Which buckets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedSettings {
    /// Name of the bucket for [`Place::Evidence`].
    pub evidence: String,
    /// For [`Place::Log`].
    pub log: String,
    /// For [`Place::Deletable`].
    pub deletable: String,
    /// The account that owns all three.
    pub owner: Option<String>,
    /// Of retentions.
    pub mode: LockMode,
}

impl PlacedStore {
    /// Connects to the buckets. `now_s` tells the time in seconds since 1970.
    ///
    /// # Errors
    /// Those of [`S3Store::open`], for any of them.
    pub async fn open(
        connection: &Connection,
        settings: &PlacedSettings,
        now_s: impl Fn() -> u64 + Clone + Send + Sync + 'static,
    ) -> Result<Self, StoreError> {
        let bucket =
            |bucket: &String| S3Settings { bucket: bucket.clone(), owner: settings.owner.clone(), mode: settings.mode };
        let (evidence, log, deletable) = tokio::try_join!(
            S3Store::open(connection, bucket(&settings.evidence), now_s.clone()),
            S3Store::open(connection, bucket(&settings.log), now_s.clone()),
            S3Store::open(connection, bucket(&settings.deletable), now_s),
        )?;
        Ok(Self { evidence, log, deletable })
    }

    /// See [`S3Store::link`].
    ///
    /// # Errors
    /// Those of [`S3Store::link`].
    pub async fn link(&self, key: &str, valid: Duration) -> Result<Option<String>, StoreError> {
        self.at(key)?.link(key, valid).await
    }

    /// The bucket of a key or prefix. One that belongs to several is refused: nothing lists across them.
    fn at(&self, key: &str) -> Result<&S3Store, StoreError> {
        match Place::of(key) {
            Some(Place::Evidence) => Ok(&self.evidence),
            Some(Place::Log) => Ok(&self.log),
            Some(Place::Deletable) => Ok(&self.deletable),
            None => Err(StoreError::InvalidKey { key: key.to_owned() }),
        }
    }
}

#[async_trait]
impl EvidenceStore for PlacedStore {
    async fn put(&self, key: &str, bytes: &[u8], retention: Retention) -> Result<PutOutcome, StoreError> {
        self.at(key)?.put(key, bytes, retention).await
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.at(key)?.get(key).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        self.at(prefix)?.list(prefix).await
    }

    async fn list_after(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<String>, StoreError> {
        self.at(prefix)?.list_after(prefix, after, limit).await
    }

    async fn folders_after(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<String>, StoreError> {
        self.at(prefix)?.folders_after(prefix, after, limit).await
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.at(key)?.delete(key).await
    }

    async fn overlays(&self, prefix: &str, limit: usize) -> Result<Vec<Overlay>, StoreError> {
        self.at(prefix)?.overlays(prefix, limit).await
    }
}
