//! Evidence in a bucket with Object Lock.
//!
//! S3 keeps every version of a key. Whoever may put can lay another version, or a delete marker, over one that is under
//! retention: what a plain read answers has then changed, though nothing is lost. Objects here are created only where
//! nothing stands (`If-None-Match: *`), so a key's *first* version is the one that was recorded: reading, listing and
//! comparing resolve it, never the newest one, and [`EvidenceStore::overlays`] names what lies over it. That costs one
//! listing of the key's versions a read, and one a put.

mod encoded_key;
mod folders;
mod link;
mod objects;
mod version;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::types::{BucketVersioningStatus, ObjectLockEnabled, ObjectLockMode, ObjectLockRetentionMode};
use seams::object_key;
use seams::{EvidenceStore, Overlay, PutOutcome, Retention, StoreError};
use tokio::time::timeout;

use crate::call::{self, CallFailed, ROUNDS, wait_for_others};
use crate::connection::{Connection, Deadlines};
use objects::Objects;
use version::{Version, Wanted};

/// An [`EvidenceStore`] in an S3 bucket. Cloning shares its connections.
#[derive(Clone)]
pub struct S3Store(Arc<Bucket>);

/// Which bucket, and how its objects are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Settings {
    /// The bucket's name. It must have versioning and Object Lock.
    pub bucket: String,
    /// The account that owns the bucket, if it shall be checked: evidence must not go into a bucket of the same name
    /// that somebody else made.
    pub owner: Option<String>,
    /// Of retentions.
    pub mode: LockMode,
}

/// Who may end a retention early.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LockMode {
    /// Nobody.
    #[default]
    Compliance,
    /// Whoever has `s3:BypassGovernanceRetention`: for trials.
    Governance,
}

struct Bucket {
    client: Client,
    settings: S3Settings,
    deadlines: Deadlines,
    now_s: Box<dyn Fn() -> u64 + Send + Sync>,
}

impl S3Store {
    /// Connects to the bucket. `now_s` tells the time in seconds since 1970; it starts retentions.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the bucket cannot be asked, or has no versioning or no Object Lock.
    pub async fn open(
        connection: &Connection,
        settings: S3Settings,
        now_s: impl Fn() -> u64 + Send + Sync + 'static,
    ) -> Result<Self, StoreError> {
        // Names of buckets with dots, and of emulators, are no host names that certificates cover.
        let config = aws_sdk_s3::config::Builder::from(&connection.to_sdk())
            .force_path_style(connection.endpoint.is_some() || settings.bucket.contains('.'));
        let bucket = Bucket {
            client: Client::from_conf(config.build()),
            settings,
            deadlines: connection.deadlines,
            now_s: Box::new(now_s),
        };
        bucket.check().await?;
        Ok(Self(Arc::new(bucket)))
    }
}

#[async_trait]
impl EvidenceStore for S3Store {
    async fn put(&self, key: &str, bytes: &[u8], retention: Retention) -> Result<PutOutcome, StoreError> {
        object_key::check(key)?;
        self.0.put(key, &Wanted::new(bytes, retention)).await
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        object_key::check(key)?;
        for round in 1..=ROUNDS {
            let Some(first) = self.0.first(key).await? else { return Ok(None) };
            if let Some(bytes) = first.read(&self.0).await? {
                return Ok(Some(bytes));
            }
            // Deleted between the two.
            wait_for_others(round).await;
        }
        Err(contended(key, "GetObject"))
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        self.list_after(prefix, "", usize::MAX).await
    }

    async fn list_after(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<String>, StoreError> {
        let mut keys = Vec::new();
        let mut objects = Objects::after(&self.0, prefix, after, limit);
        while keys.len() < limit
            && let Some(page) = objects.next().await?
        {
            keys.extend(page.into_iter().filter(|object| object.first.is_some()).map(|object| object.key));
        }
        keys.truncate(limit);
        Ok(keys)
    }

    async fn folders_after(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<String>, StoreError> {
        folders::after(&self.0, prefix, after, limit).await
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        object_key::check(key)?;
        self.0.delete(key).await
    }

    async fn overlays(&self, prefix: &str, limit: usize) -> Result<Vec<Overlay>, StoreError> {
        let mut overlays = Vec::new();
        let mut objects = Objects::after(&self.0, prefix, "", usize::MAX);
        while overlays.len() < limit
            && let Some(page) = objects.next().await?
        {
            overlays.extend(page.into_iter().filter_map(objects::Object::into_overlay));
        }
        overlays.truncate(limit);
        Ok(overlays)
    }
}

impl Bucket {
    async fn put(&self, key: &str, wanted: &Wanted) -> Result<PutOutcome, StoreError> {
        for round in 1..=ROUNDS {
            let created = self.create(key, wanted).await?;
            match (created, self.first(key).await?) {
                (Some(created), Some(first)) if created == first.id => return Ok(PutOutcome::Created),
                // 412; or something lay hidden under a delete marker, which S3 takes for nothing. What comes after a
                // first version is never read, and that it is there is told by `overlays`.
                (_, Some(first)) => {
                    if let Some(outcome) = first.compare(self, wanted).await? {
                        return Ok(outcome);
                    }
                }
                (Some(_), None) => return Ok(PutOutcome::Created),
                (None, None) => {}
            }
            wait_for_others(round).await;
        }
        Err(contended(key, PUT))
    }

    /// The new version's id; nothing where something stands. An attempt that was stored and not answered is answered
    /// like this too when the SDK repeats it: the comparison then finds it.
    async fn create(&self, key: &str, wanted: &Wanted) -> Result<Option<String>, StoreError> {
        for round in 1..=ROUNDS {
            let mut put = self.client.put_object().bucket(&self.settings.bucket).key(key);
            put = put.if_none_match("*").checksum_sha256(&wanted.checksum).body(wanted.bytes.clone().into());
            if let Some(until_s) = wanted.until_s((self.now_s)()) {
                let until = aws_smithy_types::DateTime::from_secs(i64::try_from(until_s).unwrap_or(i64::MAX));
                put = put.object_lock_mode(self.settings.mode.of_object()).object_lock_retain_until_date(until);
            }
            match put.set_expected_bucket_owner(self.settings.owner.clone()).send().await {
                Ok(answer) => {
                    // A bucket without versioning gives none; `check` saw that it had it.
                    let none = || failed(key, CallFailed::new(PUT, "no version"));
                    return answer.version_id.map(Some).ok_or_else(none);
                }
                Err(error) if call::status(&error) == Some(412) => return Ok(None),
                // Another put, or a deletion, of the same key is under way.
                Err(error) if call::status(&error) == Some(409) => wait_for_others(round).await,
                Err(error) => return Err(failed(key, CallFailed::of(PUT, &error))),
            }
        }
        Err(contended(key, PUT))
    }

    async fn first(&self, key: &str) -> Result<Option<Version>, StoreError> {
        let Some(object) = Objects::of_key(self, key).object(key).await? else { return Ok(None) };
        Ok(object.first.map(|id| Version { key: key.to_owned(), id }))
    }

    /// Deletes all versions for good: a delete marker would shred nothing. The first goes last, so that none of the
    /// others is ever the first one.
    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        let (versions, markers) = Objects::of_key(self, key).all_of(key).await?;
        let Some((first, later)) = versions.split_last() else { return Ok(()) };
        if let Some(until_s) = first.retained_until(self).await? {
            return Err(StoreError::Retained { key: key.to_owned(), until_s });
        }
        let mut retained = None;
        for version in markers.iter().chain(later) {
            // Somebody's lock on what they laid over it must not keep the object itself.
            match version.delete(self).await {
                Err(StoreError::Retained { until_s, .. }) => retained = Some(until_s),
                deleted => deleted?,
            }
        }
        first.delete(self).await?;
        retained.map_or(Ok(()), |until_s| Err(StoreError::Retained { key: key.to_owned(), until_s }))
    }

    async fn check(&self) -> Result<(), StoreError> {
        const VERSIONING: &str = "GetBucketVersioning";
        const LOCK: &str = "GetObjectLockConfiguration";
        let bucket = &self.settings.bucket;
        let owner = self.settings.owner.clone();
        let versioning = self.client.get_bucket_versioning().bucket(bucket).set_expected_bucket_owner(owner.clone());
        let versioning = versioning.send().await.map_err(|error| failed(bucket, CallFailed::of(VERSIONING, &error)))?;
        if versioning.status != Some(BucketVersioningStatus::Enabled) {
            return Err(failed(bucket, CallFailed::new(VERSIONING, "expected a bucket with versioning")));
        }
        let lock = self.client.get_object_lock_configuration().bucket(bucket).set_expected_bucket_owner(owner);
        let lock = lock.send().await.map_err(|error| failed(bucket, CallFailed::of(LOCK, &error)))?;
        let enabled = lock.object_lock_configuration.and_then(|lock| lock.object_lock_enabled);
        if enabled != Some(ObjectLockEnabled::Enabled) {
            return Err(failed(bucket, CallFailed::new(LOCK, "expected a bucket with Object Lock")));
        }
        Ok(())
    }

    /// All of a call that reads for a while, within its deadline.
    async fn in_time<T>(
        &self,
        key: &str,
        operation: &'static str,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let late = |_| failed(key, CallFailed::new(operation, "no answer in time"));
        timeout(self.deadlines.operation, work).await.map_err(late)?
    }
}

impl LockMode {
    fn of_object(self) -> ObjectLockMode {
        match self {
            Self::Compliance => ObjectLockMode::Compliance,
            Self::Governance => ObjectLockMode::Governance,
        }
    }

    fn of_retention(self) -> ObjectLockRetentionMode {
        match self {
            Self::Compliance => ObjectLockRetentionMode::Compliance,
            Self::Governance => ObjectLockRetentionMode::Governance,
        }
    }
}

impl fmt::Debug for S3Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("S3Store").field(&self.0.settings).finish()
    }
}

fn failed(key: &str, error: CallFailed) -> StoreError {
    StoreError::Unavailable(key.to_owned(), Box::new(error))
}

fn contended(key: &str, operation: &'static str) -> StoreError {
    failed(key, CallFailed::new(operation, "others were always faster"))
}

const PUT: &str = "PutObject";
