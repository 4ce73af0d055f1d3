//! Whether the relay can record, and how far it is from where it could not: for whoever watches it.

use super::succession::Incarnations;
use crate::spool::Budget;

/// The incarnation that takes new sessions, as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Condition {
    /// Somebody else wrote in its place, or its key is revoked, or another one took over.
    pub(crate) is_fenced: bool,
    /// Until when sessions may record, microseconds since 1970.
    pub(crate) until_us: u64,
    /// The relay's time, microseconds since 1970.
    pub(crate) now_us: u64,
    /// Bytes on disk that are not stored yet.
    pub(crate) spool_used: u64,
    /// Bytes that may be.
    pub(crate) spool_limit: u64,
    /// Less than an eighth of it is left.
    pub(crate) is_spool_nearly_full: bool,
}

impl Incarnations {
    pub(crate) fn condition(&self) -> Condition {
        let current = self.current();
        let budget: &Budget = current.folder.budget();
        Condition {
            is_fenced: current.fenced().is_some() || current.core.may_sign().is_err(),
            until_us: current.until_us,
            now_us: current.now_us(),
            spool_used: budget.used(),
            spool_limit: budget.limit(),
            is_spool_nearly_full: budget.is_nearly_full(),
        }
    }
}
