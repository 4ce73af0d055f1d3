//! What is counted while sessions are served, for whoever watches the relay. No name, no text, no value is in it.
//!
//! Each core counts for itself, in a place that no other writes, so that counting costs nobody a wait; who reads adds up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use schemas::event::Verdict;
use wire::postgres::SqlState;

/// What one core has counted since the relay started. Aligned, so that no two of them share a line of any cache.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Figures {
    /// Sessions that are served now.
    pub(crate) sessions: Figure,
    /// Those that were begun.
    pub(crate) begun: Figure,
    /// Statements that wait for an approval now.
    pub(crate) waiting: Figure,
    /// Statements by what was decided.
    pub(crate) permitted: Figure,
    /// The same.
    pub(crate) held: Figure,
    /// The same.
    pub(crate) refused: Figure,
    /// Executions that were sent to targets.
    pub(crate) executions: Figure,
    /// Decisions that were remembered.
    pub(crate) remembered: Figure,
    /// Decisions that were made.
    pub(crate) decided: Figure,
    /// Bytes that clients sent, as they are inside TLS, from their login on.
    pub(crate) received_bytes: Figure,
    /// Bytes that clients were sent.
    pub(crate) sent_bytes: Figure,
    /// Connections that came to no session, by why.
    pub(crate) logins_refused: [Figure; Refused::ALL.len()],
}

/// A number that one thread writes and others read.
#[derive(Debug, Default)]
pub(crate) struct Figure(AtomicU64);

/// Why there was no session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The token is none that is accepted.
    Token,
    /// Policy, or a connection that there is not.
    Policy,
    /// The target, or its catalogue.
    Target,
    /// Evidence could not begin.
    Evidence,
    /// The listener is full.
    Crowded,
    /// Anything else: no TLS, a broken protocol, a client that left, no time.
    Other,
}

/// Counts something as being there until it is dropped.
#[derive(Debug)]
pub(crate) struct Present {
    figures: Arc<Figures>,
    of: fn(&Figures) -> &Figure,
}

impl Figure {
    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Figures {
    pub(crate) fn present(self: &Arc<Self>, of: fn(&Self) -> &Figure) -> Present {
        of(self).add(1);
        Present { figures: Arc::clone(self), of }
    }

    pub(crate) fn of_verdict(&self, verdict: Verdict) -> &Figure {
        match verdict {
            Verdict::Permitted => &self.permitted,
            Verdict::Held => &self.held,
            Verdict::Refused => &self.refused,
        }
    }

    pub(crate) fn refuse_login(&self, sqlstate: SqlState) {
        let refused = Refused::of(sqlstate);
        let all = Refused::ALL.iter().zip(&self.logins_refused);
        all.filter(|(one, _)| **one == refused).for_each(|(_, figure)| figure.add(1));
    }
}

impl Refused {
    pub(crate) const ALL: [Self; 6] =
        [Self::Token, Self::Policy, Self::Target, Self::Evidence, Self::Crowded, Self::Other];

    /// By what the client is told (`session::open`).
    fn of(sqlstate: SqlState) -> Self {
        match sqlstate {
            SqlState::INVALID_PASSWORD => Self::Token,
            SqlState::INSUFFICIENT_PRIVILEGE | SqlState::INVALID_CATALOG_NAME => Self::Policy,
            SqlState::SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION => Self::Target,
            SqlState::IO_ERROR => Self::Evidence,
            SqlState::TOO_MANY_CONNECTIONS => Self::Crowded,
            _ => Self::Other,
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Policy => "policy",
            Self::Target => "target",
            Self::Evidence => "evidence",
            Self::Crowded => "crowded",
            Self::Other => "other",
        }
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        (self.of)(&self.figures).0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_counted_until_it_is_dropped() {
        let figures = Arc::new(Figures::default());
        let (first, second) = (figures.present(|of| &of.sessions), figures.present(|of| &of.sessions));
        assert_eq!(figures.sessions.get(), 2);
        drop(first);
        assert_eq!(figures.sessions.get(), 1);
        drop(second);
        assert_eq!(figures.sessions.get(), 0);
    }

    #[test]
    fn each_refusal_is_counted_once_by_its_reason() {
        let figures = Figures::default();
        for sqlstate in [SqlState::INVALID_PASSWORD, SqlState::IO_ERROR, SqlState::IO_ERROR, SqlState::INTERNAL_ERROR] {
            figures.refuse_login(sqlstate);
        }
        let told = Refused::ALL.iter().zip(&figures.logins_refused).map(|(one, figure)| (one.as_str(), figure.get()));
        let told: Vec<_> = told.filter(|(_, count)| *count > 0).collect();
        assert_eq!(told, [("token", 1), ("evidence", 2), ("other", 1)]);
    }
}
