use std::fmt;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use schemas::digest::Sha256Digest;
use seams::{Lake, StoreError};

use crate::call::CallFailed;
use crate::connection::Connection;

/// A [`Lake`] in an S3 bucket, without a lock. Cloning shares its connections.
#[derive(Clone)]
pub struct LakeBucket {
    client: Client,
    bucket: String,
    owner: Option<String>,
}

impl LakeBucket {
    /// The bucket of this name, which must be there and belong to `owner`, if that is told. Nothing is asked yet.
    #[must_use]
    pub fn new(connection: &Connection, bucket: impl Into<String>, owner: Option<String>) -> Self {
        let bucket = bucket.into();
        let config = aws_sdk_s3::config::Builder::from(&connection.to_sdk())
            .force_path_style(connection.endpoint.is_some() || bucket.contains('.'));
        Self { client: Client::from_conf(config.build()), bucket, owner }
    }
}

#[async_trait]
impl Lake for LakeBucket {
    async fn put(&self, key: &str, bytes: Vec<u8>) -> Result<(), StoreError> {
        let checksum = STANDARD.encode(Sha256Digest::of(&bytes).as_bytes());
        let put = self.client.put_object().bucket(&self.bucket).key(key).checksum_sha256(checksum).body(bytes.into());
        let sent = put.set_expected_bucket_owner(self.owner.clone()).send().await;
        let failed = |error| StoreError::Unavailable(key.to_owned(), Box::new(CallFailed::of("PutObject", &error)));
        sent.map(drop).map_err(failed)
    }
}

impl fmt::Debug for LakeBucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LakeBucket").field("bucket", &self.bucket).finish_non_exhaustive()
    }
}
