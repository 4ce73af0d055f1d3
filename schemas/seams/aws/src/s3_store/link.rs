//! Addresses that carry the right to read one object for a while.

use std::time::Duration;

use aws_sdk_s3::presigning::PresigningConfig;
use seams::{StoreError, object_key};

use super::{CallFailed, S3Store, failed};

impl S3Store {
    /// A URL under which whoever has it may read the object, as far as this program may, for so long; nothing when there is
    /// no such object. It is of the version that was recorded, whatever lies over it, and a browser stores it and does not
    /// show it.
    ///
    /// # Errors
    /// [`StoreError::InvalidKey`], [`StoreError::Unavailable`].
    pub async fn link(&self, key: &str, valid: Duration) -> Result<Option<String>, StoreError> {
        object_key::check(key)?;
        let Some(first) = self.0.first(key).await? else { return Ok(None) };
        let get = self.0.client.get_object().bucket(&self.0.settings.bucket).key(key).version_id(&first.id);
        let get = get.response_content_type("application/octet-stream").response_content_disposition("attachment");
        let config = PresigningConfig::expires_in(valid);
        let config = config.map_err(|_| failed(key, CallFailed::new(PRESIGN, "expected a week at most")))?;
        let signed = get.presigned(config).await.map_err(|error| failed(key, CallFailed::of(PRESIGN, &error)))?;
        Ok(Some(signed.uri().to_owned()))
    }
}

const PRESIGN: &str = "GetObject, presigned";
