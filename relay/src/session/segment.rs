//! What the client's messages since its last `Sync` have begun at the target.
//!
//! `Parse` takes locks at the target, which its implicit transaction keeps until `Sync`. So before a `Bind` is held the
//! relay sends a `Sync` of its own; that is right only where nothing but preparing went before, for `Sync` commits.

/// The messages since the client's last `Sync` or simple query.
#[derive(Debug, Default)]
pub(super) struct Segment {
    /// There is one.
    open: bool,
    /// Something other than preparing went to the target.
    in_transaction: bool,
    /// The last ticket before it.
    after: u64,
    /// The relay has sent a `Sync` of its own into it.
    settled: bool,
    /// It failed before that `Sync`: the client expects everything up to its own to be skipped.
    failed: bool,
    /// It failed, and the target skips by itself.
    errored: bool,
    /// Something in it may change a setting that decisions rest on.
    moves_settings: bool,
}

impl Segment {
    /// A message that only prepares, closes or asks goes to the target.
    pub(super) fn prepare(&mut self) {
        self.open = true;
    }

    /// A message that begins an implicit transaction goes to the target.
    pub(super) fn begin_transaction(&mut self) {
        self.open = true;
        self.in_transaction = true;
    }

    /// What goes to the target may change a setting that decisions rest on.
    pub(super) fn move_settings(&mut self) {
        self.moves_settings = true;
    }

    /// Whether something did that before.
    pub(super) fn has_moved_settings(&self) -> bool {
        self.moves_settings
    }

    /// `Sync` or a simple query, which has this ticket.
    pub(super) fn end(&mut self, ticket: u64) {
        *self = Self { after: ticket, ..Self::default() };
    }

    /// The target dropped the `Sync` with this ticket, for it came among the data of a COPY: what went before it goes on.
    pub(super) fn rejoin(&mut self, ticket: u64) {
        if self.after == ticket {
            self.begin_transaction();
        }
    }

    /// The ticket of the `Sync` or simple query before it: the target answers that, whatever comes.
    pub(super) fn after(&self) -> u64 {
        self.after
    }

    /// Whether there is one.
    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// Whether a `Sync` would end more than preparing.
    pub(super) fn is_in_transaction(&self) -> bool {
        self.in_transaction
    }

    /// Whether the relay has sent a `Sync` of its own into it.
    pub(super) fn is_settled(&self) -> bool {
        self.settled
    }

    /// The relay sends a `Sync` of its own.
    pub(super) fn settle(&mut self) {
        self.settled = true;
    }

    /// An error answers the message with this ticket. `settling` says that the relay's own `Sync` is not answered yet.
    pub(super) fn failed(&mut self, ticket: Option<u64>, settling: bool) {
        let is_of_this = ticket.is_some_and(|ticket| ticket > self.after);
        self.failed |= settling && is_of_this;
        self.errored |= is_of_this;
    }

    /// Whether an error is known to have answered it: a `Sync` of the relay's own would end what the target skips.
    pub(super) fn has_failed(&self) -> bool {
        self.errored
    }

    /// Whether what the client sends is to be skipped, as the target would have done.
    pub(super) fn is_skipping(&self) -> bool {
        self.failed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_failure_of_the_settled_segment_itself_makes_it_skip() {
        let mut segment = Segment::default();
        segment.end(4);
        segment.prepare();
        segment.failed(Some(5), false);
        assert!(!segment.is_skipping(), "the target skips by itself");
        assert!(segment.has_failed());
        segment.end(4);
        assert!(!segment.has_failed());
        segment.prepare();
        segment.settle();
        segment.failed(Some(3), true);
        assert!(!segment.is_skipping(), "that was an earlier segment");
        segment.failed(Some(5), true);
        assert!(segment.is_skipping());
        segment.end(7);
        assert!(!segment.is_skipping() && !segment.is_settled() && !segment.is_open());
    }

    #[test]
    fn a_sync_that_a_copy_swallowed_ends_nothing() {
        let mut segment = Segment::default();
        segment.begin_transaction();
        segment.end(4);
        segment.rejoin(4);
        assert!(segment.is_in_transaction());
        segment.end(9);
        segment.rejoin(4);
        assert!(!segment.is_in_transaction(), "a later one ended it");
    }
}
