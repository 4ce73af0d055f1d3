//! Small files below a prefix of a bucket, read together: a configuration.

use std::collections::BTreeMap;
use std::fmt;

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ChecksumMode;
use tokio::time::timeout;

use crate::call::CallFailed;
use crate::connection::{Connection, Deadlines};

/// A prefix of a bucket. It is read as it is now; who must know that it is what was meant compares a digest.
#[derive(Clone)]
pub struct S3Folder {
    client: Client,
    bucket: String,
    prefix: String,
    deadlines: Deadlines,
}

/// How much may be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FolderLimits {
    /// Files, at most 1,000.
    pub files: usize,
    /// Bytes of all of them together.
    pub bytes: usize,
}

/// A folder was not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FolderError {
    /// A call failed.
    #[error("{place}: {source}")]
    Call {
        /// The bucket with the prefix or key.
        place: String,
        /// Why.
        source: CallFailed,
    },
    /// It holds more than it may.
    #[error("{place}: expected at most {files} files of {bytes} bytes in all", files = limits.files, bytes = limits.bytes)]
    TooMuch {
        /// The bucket with the prefix.
        place: String,
        /// What it may hold.
        limits: FolderLimits,
    },
}

impl S3Folder {
    /// What stands below `prefix`, which ends in a slash, in this bucket.
    #[must_use]
    pub fn new(connection: &Connection, bucket: impl Into<String>, prefix: impl Into<String>) -> Self {
        let bucket = bucket.into();
        // As `S3Store` does it, and why.
        let config = aws_sdk_s3::config::Builder::from(&connection.to_sdk())
            .force_path_style(connection.endpoint.is_some() || bucket.contains('.'));
        let (client, deadlines) = (Client::from_conf(config.build()), connection.deadlines);
        Self { client, bucket, prefix: prefix.into(), deadlines }
    }

    /// Every file by its key below the prefix; at most `limits` are held in memory.
    ///
    /// # Errors
    /// [`FolderError`].
    pub async fn read(&self, limits: FolderLimits) -> Result<BTreeMap<String, Vec<u8>>, FolderError> {
        let late = |_| self.failed(&self.prefix, CallFailed::new(GET, "no answer in time"));
        timeout(self.deadlines.operation, self.read_at_leisure(limits)).await.map_err(late)?
    }

    async fn read_at_leisure(&self, limits: FolderLimits) -> Result<BTreeMap<String, Vec<u8>>, FolderError> {
        let too_much = || FolderError::TooMuch { place: self.place(&self.prefix), limits };
        let mut left = limits.bytes;
        let mut files = BTreeMap::new();
        for key in self.keys(limits).await?.ok_or_else(too_much)? {
            let bytes = self.get(&key, left).await?.ok_or_else(too_much)?;
            left = left.saturating_sub(bytes.len());
            let name = key.strip_prefix(&self.prefix).unwrap_or(&key).to_owned();
            files.insert(name, bytes);
        }
        Ok(files)
    }

    /// Nothing when there are too many.
    async fn keys(&self, limits: FolderLimits) -> Result<Option<Vec<String>>, FolderError> {
        // One more than may be there tells that there are more.
        let page = i32::try_from(limits.files.saturating_add(1)).unwrap_or(PAGE_MAX).min(PAGE_MAX);
        let list = self.client.list_objects_v2().bucket(&self.bucket).prefix(&self.prefix).max_keys(page);
        let answer = list.send().await.map_err(|error| self.failed(&self.prefix, CallFailed::of(LIST, &error)))?;
        let keys: Vec<String> = answer.contents().iter().filter_map(|object| object.key()).map(str::to_owned).collect();
        let is_all = answer.is_truncated != Some(true) && keys.len() <= limits.files;
        Ok(is_all.then_some(keys))
    }

    /// Nothing when it is longer than `longest`.
    async fn get(&self, key: &str, longest: usize) -> Result<Option<Vec<u8>>, FolderError> {
        let get = self.client.get_object().bucket(&self.bucket).key(key).checksum_mode(ChecksumMode::Enabled);
        let answer = get.send().await.map_err(|error| self.failed(key, CallFailed::of(GET, &error)))?;
        bounded(answer.body, longest).await.map_err(|()| self.failed(key, CallFailed::new(GET, "it broke on the way")))
    }

    fn place(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.bucket)
    }

    fn failed(&self, key: &str, source: CallFailed) -> FolderError {
        FolderError::Call { place: self.place(key), source }
    }
}

/// What the service says of a length is not believed.
async fn bounded(mut body: ByteStream, longest: usize) -> Result<Option<Vec<u8>>, ()> {
    let mut bytes = Vec::new();
    while let Some(piece) = body.try_next().await.map_err(drop)? {
        if piece.len() > longest.saturating_sub(bytes.len()) {
            return Ok(None);
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(Some(bytes))
}

impl fmt::Debug for S3Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("S3Folder").field(&self.place(&self.prefix)).finish()
    }
}

const LIST: &str = "ListObjectsV2";
const GET: &str = "GetObject";
/// S3's own limit.
const PAGE_MAX: i32 = 1000;
