use async_trait::async_trait;

/// Write-once objects with retention.
///
/// Contract: an object that was put is complete, durable and visible to `get` and `list` before `put` returns; no
/// reader ever sees a part of one; nothing that this trait offers can replace an object. Whatever others did to a store
/// behind its back, `get` and `list` answer what was put here, or fail; keys are those of [`crate::object_key`].
#[async_trait]
pub trait EvidenceStore: Send + Sync {
    /// Stores `bytes` under `key` if nothing stands there (S3: `If-None-Match: *`). If an object stands there, nothing
    /// changes: with equal bytes that is success, for delivery may be repeated; with others it is
    /// [`StoreError::Conflict`], and the caller must stop. Of several at once exactly one creates. The object is then
    /// under this retention at least, whoever put it first. After [`StoreError::Unavailable`] it may be stored or not;
    /// the same put again tells.
    async fn put(&self, key: &str, bytes: &[u8], retention: Retention) -> Result<PutOutcome, StoreError>;

    /// The object's bytes; nothing when there is none.
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// Keys that start with `prefix`, sorted. The empty prefix lists all.
    async fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError>;

    /// The first `limit` keys that start with `prefix` and are greater than `after`, sorted by their bytes (S3:
    /// `StartAfter`, `MaxKeys`). So a reader passes over what it knows and holds a page at a time.
    async fn list_after(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<String>, StoreError> {
        let mut keys = self.list(prefix).await?;
        keys.retain(|key| key.as_str() > after);
        keys.truncate(limit);
        Ok(keys)
    }

    /// The first `limit` folders right below `prefix`, which ends with `/`, that come after the folder `after`, sorted: what
    /// keys have up to and with the next `/` (S3: `Delimiter`). So a reader passes over a folder at once, however much is
    /// in it. Those of nothing but what was deleted may be among them.
    async fn folders_after(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<String>, StoreError> {
        let (mut folders, mut after) = (Vec::new(), last_in(after));
        while folders.len() < limit {
            let Some(key) = self.list_after(prefix, &after, 1).await?.pop() else { break };
            match key.strip_prefix(prefix).and_then(|rest| rest.split_once('/')) {
                Some((name, _)) => {
                    let folder = format!("{prefix}{name}/");
                    after = last_in(&folder);
                    folders.push(folder);
                }
                None => after = key,
            }
        }
        Ok(folders)
    }

    /// Deletes an object that is under no retention (crypto-shredding of wrapped keys), with every version of it: what was
    /// deleted is not to be had again. Deleting nothing is success.
    /// Under retention it is [`StoreError::Retained`].
    async fn delete(&self, key: &str) -> Result<(), StoreError>;

    /// The first `limit` objects with this prefix over which somebody laid something, or took them away though they are
    /// under retention, as far as the store itself can tell: a hint for people, never proof. Nothing here does that.
    async fn overlays(&self, prefix: &str, limit: usize) -> Result<Vec<Overlay>, StoreError>;
}

/// Greater than every key in this folder: no key has a `~`. Nothing is before nothing.
#[must_use]
pub fn last_in(folder: &str) -> String {
    if folder.is_empty() { String::new() } else { format!("{folder}~") }
}

/// What somebody did to an object, past this trait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlay {
    /// Object key.
    pub key: String,
    /// What was done.
    pub kind: OverlayKind,
    /// When, seconds since 1970, by the store's clock, where it tells.
    pub at_s: Option<u64>,
}

/// See [`Overlay`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OverlayKind {
    /// A delete marker lies over it: to others it looks deleted.
    Hidden,
    /// A later version lies over it: others read that one.
    Overwritten,
    /// It is gone before its retention ended; or whoever put it died before it was there, and has not come again.
    Missing,
}

/// How long an object cannot be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    days: u32,
}

/// What a successful put did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutOutcome {
    /// The object is new.
    Created,
    /// The same bytes stood there already.
    AlreadyIdentical,
}

/// Why a store did not do what it was asked. No variant carries an object's content.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another object stands under this key. Never worth a retry: somebody else writes in this place.
    #[error("{key}: another object stands there")]
    Conflict {
        /// Object key.
        key: String,
    },
    /// The object is under retention.
    #[error("{key}: under retention until {until_s} s after 1970")]
    Retained {
        /// Object key.
        key: String,
        /// End of the retention, seconds since 1970.
        until_s: u64,
    },
    /// The caller: not a key this store can hold.
    #[error("{key:?}: no object key")]
    InvalidKey {
        /// What was given.
        key: String,
    },
    /// The store is away or broken; the same call may succeed later.
    #[error("{0}: store unavailable: {1}")]
    Unavailable(String, Box<dyn std::error::Error + Send + Sync>),
}

impl OverlayKind {
    /// The kind as words that follow the key.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hidden => "a delete marker lies over it",
            Self::Overwritten => "a later version lies over it",
            Self::Missing => "under retention, and not there",
        }
    }
}

impl Retention {
    /// Deletable at once: wrapped keys only.
    #[must_use]
    pub fn none() -> Self {
        Self { days: 0 }
    }

    /// Not deletable for this many days. Evidence: at least 2,192, six years (45 CFR 164.316(b)(2)(i)).
    #[must_use]
    pub fn days(days: u32) -> Self {
        Self { days }
    }

    /// Days; 0 = none.
    #[must_use]
    pub fn in_days(self) -> u32 {
        self.days
    }
}
