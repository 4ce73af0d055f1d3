//! What a relay says of itself at a stated interval, also when it is idle: so a part that is missing shows, and how far
//! the evidence is known to be whole.

use serde::{Deserialize, Serialize};

use crate::dsse::Statement;
use crate::identifiers::{Incarnation, Name};
use crate::payload_type::PayloadType;

/// An incarnation lives, and has stored so much. Signed by it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Heartbeat {
    /// Tenant.
    pub tenant: Name,
    /// Environment.
    pub environment: Name,
    /// Relay.
    pub relay: Name,
    /// Incarnation.
    pub incarnation: Incarnation,
    /// From 1 without gaps.
    pub sequence: u64,
    /// Counters up to [`Heartbeat::last_counter`] whose session-open is stored.
    pub opened: u64,
    /// Of these, sessions whose session-close is stored.
    pub closed: u64,
    /// Counters up to [`Heartbeat::last_counter`] whose session-void is stored.
    pub voided: u64,
    /// Last counter that was taken; 0 = none.
    pub last_counter: u64,
    /// Counters up to it of which neither is stored yet, ascending; at most [`UNSTORED_MAX`].
    pub unstored: Vec<u64>,
    /// Sessions of which something is not yet stored, those of dead incarnations that this one completes included.
    pub backlog_sessions: u64,
    /// Bytes that wait in the spool.
    pub backlog_bytes: u64,
    /// The relay's clock, microseconds since 1970; never before that of the heartbeat before.
    pub time_us: u64,
}

impl Statement for Heartbeat {
    const TYPE: PayloadType = PayloadType::Heartbeat;
}

impl Heartbeat {
    /// Whether its numbers fit each other.
    #[must_use]
    pub fn adds_up(&self) -> bool {
        let unstored = u64::try_from(self.unstored.len()).unwrap_or(u64::MAX);
        let total = self.opened.checked_add(self.voided).and_then(|sum| sum.checked_add(unstored));
        let ascends = self.unstored.is_sorted_by(|before, after| before < after);
        let within = self.unstored.first().is_none_or(|first| *first > 0)
            && self.unstored.last().is_none_or(|last| *last <= self.last_counter);
        total == Some(self.last_counter)
            && self.closed <= self.opened
            && ascends
            && within
            && self.unstored.len() <= UNSTORED_MAX
    }

    /// Whether it can come after `before`: nothing that was said to be stored is gone, and time did not go back.
    #[must_use]
    pub fn can_follow(&self, before: &Self) -> bool {
        let grows = self.opened >= before.opened
            && self.closed >= before.closed
            && self.voided >= before.voided
            && self.last_counter >= before.last_counter
            && self.time_us >= before.time_us;
        let was_stored =
            |counter: &u64| *counter <= before.last_counter && before.unstored.binary_search(counter).is_err();
        grows && !self.unstored.iter().any(was_stored)
    }
}

/// More sessions than a relay lets wait for a store that is away.
pub const UNSTORED_MAX: usize = 1024;
/// Longest interval that a relay-start may state: an hour in which nobody knows is long enough.
pub const INTERVAL_MAX_SECONDS: u64 = 3600;

/// The longest time between two heartbeats, microseconds: two intervals, for one may be on its way, and a minute.
#[must_use]
pub fn allowed_us(interval_seconds: u64) -> u64 {
    interval_seconds.saturating_mul(2).saturating_add(60).saturating_mul(1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heartbeat() -> Heartbeat {
        let name = |text: &str| text.parse().unwrap();
        Heartbeat {
            tenant: name("t"),
            environment: name("e"),
            relay: name("r"),
            incarnation: "0123456789abcdef".repeat(2).parse().unwrap(),
            sequence: 1,
            opened: 5,
            closed: 3,
            voided: 1,
            last_counter: 8,
            unstored: vec![4, 8],
            backlog_sessions: 4,
            backlog_bytes: 0,
            time_us: 10,
        }
    }

    #[test]
    fn numbers_fit_each_other() {
        assert!(heartbeat().adds_up());
        for bad in [
            Heartbeat { opened: 4, ..heartbeat() },
            Heartbeat { closed: 6, ..heartbeat() },
            Heartbeat { opened: u64::MAX, ..heartbeat() },
            Heartbeat { unstored: vec![8, 4], ..heartbeat() },
            Heartbeat { unstored: vec![4, 4], ..heartbeat() },
            Heartbeat { unstored: vec![0, 4], ..heartbeat() },
            Heartbeat { unstored: vec![4, 9], ..heartbeat() },
        ] {
            assert!(!bad.adds_up(), "{bad:?}");
        }
    }

    #[test]
    fn nothing_goes_back() {
        let before = heartbeat();
        assert!(heartbeat().can_follow(&before));
        assert!(Heartbeat { unstored: vec![8, 9], last_counter: 9, ..heartbeat() }.can_follow(&before));
        for bad in [
            Heartbeat { opened: 4, ..heartbeat() },
            Heartbeat { closed: 2, ..heartbeat() },
            Heartbeat { voided: 0, ..heartbeat() },
            Heartbeat { last_counter: 7, ..heartbeat() },
            Heartbeat { time_us: 9, ..heartbeat() },
            Heartbeat { unstored: vec![5], ..heartbeat() },
        ] {
            assert!(!bad.can_follow(&before), "{bad:?}");
        }
    }
}
