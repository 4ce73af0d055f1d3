//! What is missing, and from when to when.

use serde::Serialize;

use super::examiner::Examiner;
use crate::heartbeat::allowed_us;
use crate::identifiers::Incarnation;
use crate::instant::rfc3339;
use crate::layout::Scope;
use crate::rule::Rule;

/// Something that must have been, and of which the evidence has nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// What.
    #[serde(flatten)]
    pub missing: Missing,
    /// Time of what is there before it, microseconds since 1970, if that is known.
    pub from_us: Option<u64>,
    /// Time of what is there after it.
    pub to_us: Option<u64>,
}

/// What is missing; numbers are inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "missing", rename_all = "kebab-case")]
pub enum Missing {
    /// Heartbeats of an incarnation.
    Heartbeats {
        /// Sequence of the first.
        first: u64,
        /// Sequence of the last.
        last: u64,
    },
    /// Sessions of an incarnation, or voids.
    Sessions {
        /// Counter of the first.
        first: u64,
        /// Counter of the last.
        last: u64,
    },
    /// Chunks of a session.
    Chunks {
        /// Sequence of the first.
        first: u64,
        /// Sequence of the last.
        last: u64,
    },
    /// No heartbeat in a time in which one is owed; their numbers have no gap there.
    Silence,
}

impl std::fmt::Display for Gap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let time = |time: Option<u64>| time.map_or("?".to_owned(), rfc3339);
        match self.missing {
            Missing::Heartbeats { first, last } => write!(f, "heartbeats {first} to {last}")?,
            Missing::Sessions { first, last } => write!(f, "sessions {first} to {last}")?,
            Missing::Chunks { first, last } => write!(f, "chunks {first} to {last}")?,
            Missing::Silence => write!(f, "heartbeats")?,
        }
        write!(f, " missing: gap from {} to {}", time(self.from_us), time(self.to_us))
    }
}

/// An incarnation that nothing says has ended.
pub(super) struct Running {
    pub(super) scope: Scope,
    pub(super) incarnation: Incarnation,
    /// When it was last heard.
    pub(super) heard_us: u64,
    /// End of its certificate.
    pub(super) not_after_us: u64,
    /// Seconds between its heartbeats.
    pub(super) interval: u64,
}

/// Names the incarnations that were silent while others of their environment went on. The newest time that any of them
/// signed is the only clock there is.
pub(super) fn name_silent(examiner: &mut Examiner<'_>) {
    for running in std::mem::take(&mut examiner.running) {
        let Running { scope, incarnation, heard_us, not_after_us, interval } = running;
        let latest_us = examiner.latest_us(&scope).min(not_after_us);
        if latest_us <= heard_us.saturating_add(allowed_us(interval)) {
            continue;
        }
        let gap = Gap { missing: Missing::Silence, from_us: Some(heard_us), to_us: Some(latest_us) };
        let message = format!("{gap}; it is not retired, and others of its environment signed later");
        examiner.find(&scope.incarnation_prefix(&incarnation), Rule::HeartbeatSilence, message);
        let reports = &mut examiner.report.incarnations;
        if let Some(report) = reports.iter_mut().find(|one| one.scope == scope && one.incarnation == incarnation) {
            report.gaps.push(gap);
        }
    }
}
