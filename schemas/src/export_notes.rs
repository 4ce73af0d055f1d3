//! What stands beside evidence that was copied out of a store: nothing signed, nothing proven, but worth a look.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// What the store told when its evidence was copied, in the file [`ExportNotes::FILE`]. Whoever copied may have left
/// out or made up anything; what the evidence itself says, signatures prove.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportNotes {
    /// Objects that were copied.
    pub objects: u64,
    /// Objects that somebody tampered with, past the store's own rules. What was copied is what was recorded, where it
    /// was still there.
    pub overlays: Vec<ExportedOverlay>,
    /// Keys among the evidence that are none of the layout's; not copied.
    pub strangers: BTreeSet<String>,
}

/// An object that somebody tampered with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportedOverlay {
    /// Object key.
    pub key: String,
    /// What the store tells of it.
    pub what: String,
    /// When, seconds since 1970, by the store's clock, where it tells.
    pub at_s: Option<u64>,
}

impl ExportNotes {
    /// Name of the file, in the root of the copy.
    pub const FILE: &'static str = "export-notes.json";
    /// Most overlays, and most strangers, that are named.
    pub const NAMED_MAX: usize = 1000;
    /// Longest file that is read: all that can be named, with keys of S3's greatest length, escaped.
    pub const LENGTH_MAX: u64 = 16 * 1024 * 1024;

    /// Adds one if there is room.
    pub fn add_stranger(&mut self, key: String) {
        if self.strangers.len() < Self::NAMED_MAX {
            self.strangers.insert(key);
        }
    }

    /// Whether there is anything to look at.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.overlays.is_empty() && self.strangers.is_empty()
    }

    /// JSON for the file.
    ///
    /// # Errors
    /// [`Error::Bug`].
    pub fn to_vec(&self) -> Result<Vec<u8>, Error> {
        serde_json::to_vec_pretty(self).map_err(|_| Error::Bug("notes have no other names than their own"))
    }

    /// Reads the file.
    ///
    /// # Errors
    /// [`Error::Malformed`].
    pub fn from_slice(bytes: &[u8]) -> Result<Self, Error> {
        let expected = "an object with `objects`, `overlays` and `strangers`";
        serde_json::from_slice(bytes).map_err(|_| Error::Malformed { what: Self::FILE, expected })
    }
}
