//! What the verifier says.

use serde::Serialize;

use super::completeness::Gap;
use crate::digest::Sha256Digest;
use crate::event::{CloseReason, SessionOpen};
use crate::identifiers::{Incarnation, SessionId};
use crate::layout::Scope;
use crate::log::LogOrigin;
use crate::rule::{Rule, Severity};

/// The outcome of a verification.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// What was looked at.
    pub checked: Checked,
    /// What does not hold, or is weaker than it could be, in the order it was found.
    pub findings: Vec<Finding>,
    /// Incarnations, by relay and name.
    pub incarnations: Vec<IncarnationReport>,
    /// Sessions, by relay and id.
    pub sessions: Vec<SessionReport>,
    /// Logs that were given, by origin. Without one nothing shows that all evidence was given.
    pub logs: Vec<LogReport>,
}

/// How much was checked; a report without findings over nothing proves nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// Objects read.
    pub objects: u64,
    /// Certificates that hold.
    pub certificates: u64,
    /// Incarnations.
    pub incarnations: u64,
    /// Sessions, without voided counters.
    pub sessions: u64,
    /// Voided counters.
    pub voids: u64,
    /// Signatures that verify.
    pub signatures: u64,
    /// Chunks whose signature and digests hold.
    pub chunks: u64,
    /// Events in them.
    pub events: u64,
    /// Data blocks in them; their content stays encrypted.
    pub data_blocks: u64,
    /// Bytes of chunks as stored.
    pub stored_bytes: u64,
    /// Requests for approval whose statement holds.
    pub approvals: u64,
    /// Wrapped session keys seen; not evidence, not opened.
    pub wrapped_keys: u64,
    /// Checkpoints of logs that are signed, or where no key is known, well formed.
    pub checkpoints: u64,
    /// Entries of logs whose statements were given.
    pub log_entries: u64,
    /// Tiles and entry bundles of logs that are those of their entries.
    pub log_tiles: u64,
    /// Objects outside `evidence/`, `keys/`, `log/`, `shredded/` and `trust/`: not looked at.
    pub ignored: u64,
}

/// One thing that does not keep a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Object key, or the prefix where an object is missing.
    pub object: String,
    /// The rule.
    pub rule: Rule,
    /// What it means.
    pub severity: Severity,
    /// What was found and what was expected.
    pub message: String,
}

/// One life of a relay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IncarnationReport {
    /// Relay.
    #[serde(flatten)]
    pub scope: Scope,
    /// Incarnation.
    pub incarnation: Incarnation,
    /// How it ended.
    pub retirement: Retirement,
    /// Highest counter seen.
    pub last_counter: u64,
    /// When it started, microseconds since 1970.
    pub started_us: Option<u64>,
    /// Heartbeats that hold.
    pub heartbeats: u64,
    /// Until when its evidence is known to be whole, but for the gaps: when it retired, or its newest heartbeat.
    pub complete_until_us: Option<u64>,
    /// Entries of its log in which its statements stand, if its key is revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked_from: Option<u64>,
    /// Statements that do not stand, for its key is revoked.
    #[serde(skip_serializing_if = "is_zero")]
    pub void: u64,
    /// What is missing.
    pub gaps: Vec<Gap>,
}

/// One log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogReport {
    /// Its name.
    pub origin: LogOrigin,
    /// Whether a key was known that its checkpoints were checked with.
    pub signed: bool,
    /// Number of its newest checkpoint; 0 when none holds.
    pub checkpoint: u64,
    /// Entries that this has.
    pub size: u64,
    /// Root of the tree over them.
    pub root: Option<Sha256Digest>,
    /// Checkpoints from earlier that it begins with.
    pub earlier: u64,
    /// When a witness last saw one of them, seconds since 1970: the only time here that is not a relay's claim.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub witnessed: Option<u64>,
    /// Entries that were read.
    pub entries: u64,
    /// Of these, chunks of sessions outside of what the evidence is of.
    pub outside: u64,
}

/// How an incarnation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Retirement {
    /// It says itself that it serves no more.
    Retired,
    /// The incarnation that recovered its spool says so.
    Recovered,
    /// It never said so; whoever keeps the log says that nothing more is expected.
    Abandoned,
    /// Nothing says so: it may still serve.
    Unretired,
}

/// One session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SessionReport {
    /// Relay.
    #[serde(flatten)]
    pub scope: Scope,
    /// Session.
    pub session: SessionId,
    /// How far it came.
    pub state: SessionState,
    /// No finding of severity error concerns it.
    pub sound: bool,
    /// It lies outside of the period asked for, and has no chunks here.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub outside: bool,
    /// When it was opened, microseconds since 1970, if that is known.
    pub opened_us: Option<u64>,
    /// When it was closed, if it was.
    pub closed_us: Option<u64>,
    /// Why it was closed.
    pub reason: Option<CloseReason>,
    /// A part of it was sealed by another incarnation.
    pub recovered: bool,
    /// Chunks that hold.
    pub chunks: u64,
    /// Events in them.
    pub events: u64,
    /// Until when it is known to have been open, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_at_us: Option<u64>,
    /// What is missing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<Gap>,
    /// Executions of which it is not known whether they ran; in an open session, whether they ended.
    pub outcome_unknown: Vec<u64>,
    /// When its key was destroyed, microseconds since 1970, if a shredding that holds says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shredded_us: Option<u64>,
    /// The session's first event, if it holds.
    pub details: Option<SessionOpen>,
}

/// How far a session came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SessionState {
    /// It has an orderly end.
    Complete,
    /// Its relay died; it was closed by the incarnation that recovered it.
    Aborted,
    /// It has no end yet.
    Open,
    /// The counter was taken and served nothing.
    Void,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Report {
    /// Whether the evidence holds: something was checked, and no finding is an error.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.checked.certificates > 0 && self.errors().next().is_none()
    }

    /// The findings of severity error.
    pub fn errors(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.severity == Severity::Error)
    }
}
