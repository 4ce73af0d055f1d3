//! Evidence on the relay's own disk, from the moment it is durable until it is stored remotely.
//!
//! ```text
//! <spool>/lock                                   held exclusively by one process
//! <spool>/<incarnation>/origin.json              whose evidence this is
//! <spool>/<incarnation>/announcement.json        its certificate and relay-start, once it has them
//! <spool>/<incarnation>/ledger                   counters allocated and settled, a line each
//! <spool>/<incarnation>/<counter>.<sequence>.spool   a segment: records as they happen
//! <spool>/<incarnation>/<counter>.<sequence>.chunk   the same, sealed; complete, for it is renamed into place
//! ```
//!
//! An unsettled session always has at least one of the last two: a segment's successor is created before the
//! segment is given to sealing, and its last chunk goes only after the session-close leaf is stored. Recovery
//! therefore finds every session that was ever promised anything.

mod budget;
pub(crate) mod disk;
mod folder;
mod ledger;
mod record;
mod segment;
mod tape;

#[cfg(test)]
mod model;

pub(crate) use budget::Budget;
pub(crate) use folder::{Entry, Folder, Kind, Spool};
pub(crate) use ledger::{Account, Ledger};
pub(crate) use record::{Header, Origin, Record, SessionFacts};
pub(crate) use segment::Contents;
pub(crate) use tape::{End, Ending, Tape, Written};

/// What can go wrong with the spool.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// Disk full, I/O error, missing rights. The file is named, its content never.
    #[error("spool: {action} {path}: {source}")]
    Disk {
        /// What was tried.
        action: &'static str,
        /// On which file or folder.
        path: std::path::PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// All segments and chunks together have reached `spool_bytes`.
    #[error("spool: its limit of {limit} bytes is reached")]
    Full {
        /// The limit, in bytes.
        limit: u64,
    },
    /// Another process holds the spool.
    #[error("spool: {path} is locked by another relay")]
    Locked {
        /// The lock file.
        path: std::path::PathBuf,
    },
    /// The folder holds evidence of another relay, which that relay must recover under its own name.
    #[error("spool: {path} holds evidence of another tenant, environment or relay")]
    Foreign {
        /// The incarnation's folder.
        path: std::path::PathBuf,
    },
    /// One record or batch exceeds a named limit.
    #[error("spool: {what} exceeds {limit} bytes")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// The limit, in bytes.
        limit: usize,
    },
    /// An earlier write failed: what is on disk is no longer known, so nothing more is taken.
    #[error("spool: an earlier write failed")]
    Poisoned,
    /// The recording is closed.
    #[error("spool: the recording is closed")]
    Closed,
    /// A file is not what this relay wrote.
    #[error("spool: {path}: {problem}")]
    Damaged {
        /// The file.
        path: std::path::PathBuf,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The cryptographic provider refused, or a record cannot be encoded: a defect of the relay.
    #[error("spool: {0}")]
    Internal(&'static str),
}

impl SpoolError {
    pub(crate) fn disk(action: &'static str, path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Disk { action, path, source }
    }
}
