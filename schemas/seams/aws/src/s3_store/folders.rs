//! Folders, as `ListObjectVersions` rolls keys up to their delimiter: a thousand a request, whatever is in them.

use aws_sdk_s3::types::EncodingType;
use seams::{StoreError, last_in};

use super::{Bucket, CallFailed, encoded_key, failed};

/// The first `limit` folders right below `prefix` after the folder `after`.
pub(super) async fn after(bucket: &Bucket, prefix: &str, after: &str, limit: usize) -> Result<Vec<String>, StoreError> {
    let unreadable = || failed(prefix, CallFailed::new(LIST, "an answer that cannot be read"));
    let (mut folders, mut marker) = (Vec::new(), last_in(after));
    while folders.len() < limit {
        let list = bucket.client.list_object_versions().bucket(&bucket.settings.bucket).prefix(prefix).delimiter("/");
        let list =
            list.encoding_type(EncodingType::Url).set_key_marker(Some(marker.clone()).filter(|key| !key.is_empty()));
        let answer = list.set_expected_bucket_owner(bucket.settings.owner.clone()).send().await;
        let answer = answer.map_err(|error| failed(prefix, CallFailed::of(LIST, &error)))?;
        let decode = |key: &str| match &answer.encoding_type {
            Some(EncodingType::Url) => encoded_key::decode(key),
            _ => Some(key.to_owned()),
        };
        for folder in answer.common_prefixes() {
            let folder = folder.prefix().and_then(decode).ok_or_else(unreadable)?;
            if folder.as_str() > after && folder.starts_with(prefix) && folders.last() < Some(&folder) {
                folders.push(folder);
            }
        }
        if answer.is_truncated != Some(true) {
            break;
        }
        let next = answer.next_key_marker.as_deref().and_then(decode).ok_or_else(unreadable)?;
        // What is in a folder that was listed comes before what is asked for next.
        let next = if next.ends_with('/') { last_in(&next) } else { next };
        if next <= marker {
            return Err(failed(prefix, CallFailed::new(LIST, "pages without an end")));
        }
        marker = next;
    }
    folders.truncate(limit);
    Ok(folders)
}

const LIST: &str = "ListObjectVersions";
