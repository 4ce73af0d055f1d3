//! What of an incarnation's counters is stored: what its heartbeats tell.

use std::collections::BTreeSet;

/// Counts as things are stored, and never before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) last_counter: u64,
    /// Counters of which neither open nor void is stored.
    pub(super) unstored: BTreeSet<u64>,
    pub(super) opened: u64,
    pub(super) closed: u64,
    pub(super) voided: u64,
}

impl Tally {
    /// A counter was allocated. Counters come in their order.
    pub(super) fn take(&mut self, counter: u64) {
        self.last_counter = self.last_counter.max(counter);
        self.unstored.insert(counter);
    }

    /// Its session-open is stored.
    pub(super) fn open(&mut self, counter: u64) {
        self.opened = self.opened.saturating_add(u64::from(self.unstored.remove(&counter)));
    }

    /// Its session-void is stored.
    pub(super) fn void(&mut self, counter: u64) {
        self.voided = self.voided.saturating_add(u64::from(self.unstored.remove(&counter)));
    }

    /// A session-close is stored.
    pub(super) fn close(&mut self) {
        self.closed = self.closed.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_counted_once() {
        let mut tally = Tally::default();
        for counter in 1..=3 {
            tally.take(counter);
        }
        tally.open(1);
        tally.open(1);
        tally.void(3);
        tally.close();
        assert_eq!((tally.last_counter, tally.opened, tally.closed, tally.voided), (3, 1, 1, 1));
        assert_eq!(tally.unstored, BTreeSet::from([2]));
    }
}
