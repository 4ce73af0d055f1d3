//! What can be an object's key, in every store.

use crate::evidence_store::StoreError;

/// Whether a store can hold an object under this key: segments of `A-Z a-z 0-9 - _ .`, divided by `/`, none empty or
/// starting with a dot. So a key leaves no folder, is written the same in a URL, and no two keys are one to a reader.
/// The layout has no two keys that differ in case alone, which some file systems would take for one, and none that is
/// another one's folder.
#[must_use]
pub fn is_key(key: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let is_segment = |segment: &str| {
        (1..=SEGMENT_MAX).contains(&segment.len()) && !segment.starts_with('.') && segment.bytes().all(allowed)
    };
    key.len() <= KEY_MAX && key.split('/').all(is_segment)
}

/// Refuses what is no key.
///
/// # Errors
/// [`StoreError::InvalidKey`].
pub fn check(key: &str) -> Result<(), StoreError> {
    if is_key(key) { Ok(()) } else { Err(StoreError::InvalidKey { key: key.to_owned() }) }
}

/// S3's limit on an object key, in bytes.
const KEY_MAX: usize = 1024;
/// The limit of file systems on a name, in bytes.
const SEGMENT_MAX: usize = 255;
