//! One version of a key: what it holds, how long it stays.

use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::types::{ChecksumMode, ObjectLockLegalHoldStatus, ObjectLockMode, ObjectLockRetention};
use aws_smithy_types::DateTime;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use schemas::chunk::STORED_MAX;
use schemas::digest::Sha256Digest;
use seams::{PutOutcome, Retention, StoreError};

use super::{Bucket, CallFailed, LockMode, call, failed};
use crate::call::{ROUNDS, wait_for_others};

/// A version, by its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) key: String,
    pub(super) id: String,
}

/// What shall be stored.
pub(super) struct Wanted {
    pub(super) bytes: Vec<u8>,
    /// SHA-256, Base64.
    pub(super) checksum: String,
    retention: Retention,
}

impl Wanted {
    pub(super) fn new(bytes: &[u8], retention: Retention) -> Self {
        let checksum = STANDARD.encode(Sha256Digest::of(bytes).as_bytes());
        Self { bytes: bytes.to_vec(), checksum, retention }
    }

    /// End of the retention if it begins at `from_s`.
    pub(super) fn until_s(&self, from_s: u64) -> Option<u64> {
        let days = u64::from(self.retention.in_days());
        (days > 0).then(|| from_s.saturating_add(days.saturating_mul(DAY_S)))
    }
}

impl Version {
    /// Its bytes; nothing when it is gone.
    pub(super) async fn read(&self, bucket: &Bucket) -> Result<Option<Vec<u8>>, StoreError> {
        bucket.in_time(&self.key, GET, self.read_at_leisure(bucket)).await
    }

    async fn read_at_leisure(&self, bucket: &Bucket) -> Result<Option<Vec<u8>>, StoreError> {
        let fail = |kind: &str| failed(&self.key, CallFailed::new(GET, kind));
        for round in 1..=ROUNDS {
            let get = bucket.client.get_object().bucket(&bucket.settings.bucket).key(&self.key).version_id(&self.id);
            let get = get.checksum_mode(ChecksumMode::Enabled).set_expected_bucket_owner(bucket.settings.owner.clone());
            let answer = match get.send().await {
                Ok(answer) => answer,
                Err(error) if call::status(&error) == Some(404) => return Ok(None),
                Err(error) => return Err(failed(&self.key, CallFailed::of(GET, &error))),
            };
            let length = answer.content_length.and_then(|length| u64::try_from(length).ok());
            let length = length.ok_or_else(|| fail("no length"))?;
            if length > STORED_MAX {
                return Err(fail("larger than any object of ours"));
            }
            // It may break on the way, and its checksum may not fit: then once more.
            match answer.body.collect().await.map(|body| body.into_bytes()) {
                Ok(bytes) if bytes.len() as u64 == length => return Ok(Some(bytes.to_vec())),
                _ => wait_for_others(round).await,
            }
        }
        Err(fail("it broke on the way, each time"))
    }

    /// Whether it is what was wanted, kept as long as was wanted; nothing when it is gone.
    pub(super) async fn compare(&self, bucket: &Bucket, wanted: &Wanted) -> Result<Option<PutOutcome>, StoreError> {
        let Some(head) = self.head(bucket).await? else { return Ok(None) };
        let conflict = || StoreError::Conflict { key: self.key.clone() };
        if head.content_length.and_then(|length| usize::try_from(length).ok()) != Some(wanted.bytes.len()) {
            return Err(conflict());
        }
        // S3 computed it when the object came; one that another program put may have none of this kind.
        if head.checksum_sha256.as_deref() != Some(wanted.checksum.as_str()) {
            match self.read(bucket).await? {
                Some(bytes) if bytes == wanted.bytes => {}
                Some(_) => return Err(conflict()),
                None => return Ok(None),
            }
        }
        self.keep(bucket, &head, wanted).await?;
        Ok(Some(PutOutcome::AlreadyIdentical))
    }

    /// Somebody may have put the same bytes before, to delete them later: they stay as long as ours would.
    async fn keep(&self, bucket: &Bucket, head: &HeadObjectOutput, wanted: &Wanted) -> Result<(), StoreError> {
        let mode_holds = match bucket.settings.mode {
            LockMode::Compliance => head.object_lock_mode == Some(ObjectLockMode::Compliance),
            LockMode::Governance => head.object_lock_mode.is_some(),
        };
        let held_s = if mode_holds { seconds(head.object_lock_retain_until_date.as_ref()) } else { 0 };
        // It was put by another clock than S3's.
        let Some(needed_s) = wanted.until_s(seconds(head.last_modified.as_ref())) else { return Ok(()) };
        if held_s.saturating_add(DAY_S) >= needed_s {
            return Ok(());
        }
        let until_s = wanted.until_s((bucket.now_s)()).unwrap_or(needed_s).max(held_s);
        let retention = ObjectLockRetention::builder()
            .mode(bucket.settings.mode.of_retention())
            .retain_until_date(DateTime::from_secs(i64::try_from(until_s).unwrap_or(i64::MAX)))
            .build();
        let put = bucket.client.put_object_retention().bucket(&bucket.settings.bucket).key(&self.key);
        let put = put.version_id(&self.id).retention(retention);
        let put = put.set_expected_bucket_owner(bucket.settings.owner.clone()).send().await;
        put.map(|_| ()).map_err(|error| failed(&self.key, CallFailed::of("PutObjectRetention", &error)))
    }

    /// End of its retention; nothing when it is under none now.
    pub(super) async fn retained_until(&self, bucket: &Bucket) -> Result<Option<u64>, StoreError> {
        let Some(head) = self.head(bucket).await? else { return Ok(None) };
        if head.object_lock_legal_hold_status == Some(ObjectLockLegalHoldStatus::On) {
            return Ok(Some(u64::MAX));
        }
        let until_s = seconds(head.object_lock_retain_until_date.as_ref());
        Ok((until_s > (bucket.now_s)()).then_some(until_s))
    }

    /// Deletes it for good.
    pub(super) async fn delete(&self, bucket: &Bucket) -> Result<(), StoreError> {
        let delete = bucket.client.delete_object().bucket(&bucket.settings.bucket).key(&self.key);
        let delete = delete.version_id(&self.id).set_expected_bucket_owner(bucket.settings.owner.clone());
        let Err(error) = delete.send().await else { return Ok(()) };
        let refused = failed(&self.key, CallFailed::of("DeleteObject", &error));
        if call::status(&error) != Some(403) {
            return Err(refused);
        }
        // No right to do so, or under retention: only the version itself tells.
        match self.retained_until(bucket).await? {
            Some(until_s) => Err(StoreError::Retained { key: self.key.clone(), until_s }),
            None => Err(refused),
        }
    }

    async fn head(&self, bucket: &Bucket) -> Result<Option<HeadObjectOutput>, StoreError> {
        let head = bucket.client.head_object().bucket(&bucket.settings.bucket).key(&self.key).version_id(&self.id);
        let head = head.checksum_mode(ChecksumMode::Enabled).set_expected_bucket_owner(bucket.settings.owner.clone());
        match head.send().await {
            Ok(head) => Ok(Some(head)),
            Err(error) if call::status(&error) == Some(404) => Ok(None),
            Err(error) => Err(failed(&self.key, CallFailed::of("HeadObject", &error))),
        }
    }
}

fn seconds(time: Option<&DateTime>) -> u64 {
    time.and_then(|time| u64::try_from(time.secs()).ok()).unwrap_or(0)
}

const GET: &str = "GetObject";
const DAY_S: u64 = 86_400;
