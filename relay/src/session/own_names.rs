//! What the session made itself, as far as its transactions have come ([`Own`]).
//!
//! An entry is made when the target says that the statement is done. Where it is not certain what of a transaction was
//! undone, temporary tables stay: a name too many leads to the target's own error.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::policy::{Effects, Own, OwnChange};

use super::Session;

/// The names, and what they were when the transaction under way began.
#[derive(Debug, Default)]
pub(super) struct OwnNames {
    now: Arc<Own>,
    settled: Arc<Own>,
    /// The transaction under way holds locks behind which the catalog cannot be read.
    locking: bool,
    /// Since when the session is known to decide on a catalog that it does not read anew.
    since: Option<Instant>,
    /// It has changed definitions.
    defined: bool,
}

impl OwnNames {
    /// What a decision rests on.
    pub(super) fn now(&self) -> &Arc<Own> {
        &self.now
    }

    /// A statement is done that does this.
    pub(super) fn took_effect(&mut self, effects: &Effects) {
        self.locking |= effects.locks_relations;
        self.defined |= effects.changes_catalog;
        self.change(&effects.own);
    }

    fn change(&mut self, changes: &[OwnChange]) {
        if !changes.is_empty() {
            let now = Arc::make_mut(&mut self.now);
            changes.iter().for_each(|change| now.apply(change));
        }
    }

    /// The transaction has committed. Says whether it changed definitions.
    pub(super) fn committed(&mut self) -> bool {
        if !Arc::ptr_eq(&self.now, &self.settled) {
            Arc::make_mut(&mut self.now).commit();
            self.settled = Arc::clone(&self.now);
        }
        (self.locking, self.since) = (false, None);
        std::mem::take(&mut self.defined)
    }

    /// The transaction was undone.
    pub(super) fn undone(&mut self) {
        (self.locking, self.defined, self.since) = (false, false, None);
        self.now = Arc::clone(&self.settled);
    }

    /// A part of it was.
    pub(super) fn partly_undone(&mut self) {
        if !Arc::ptr_eq(&self.now, &self.settled) {
            Arc::make_mut(&mut self.now).with_temporary_of(&self.settled);
        }
    }
}

impl Session {
    /// A transaction has committed: what it defined everybody is to know.
    pub(super) fn names_committed(&mut self) {
        if self.own.committed() {
            self.guarded.outdate();
        }
    }

    /// Whether a statement is on its way that makes a name, which only the target's answer tells to be there.
    pub(super) fn waits_for_names(&self) -> bool {
        self.operations.up_to(self.segment.after()).any(super::operation::Operation::makes_names)
    }

    /// Whether the session's own transaction keeps the catalog from being read: it would wait for the session, and the
    /// session for it. What it decides until its end rests on the catalog that it began with, though not for ever.
    pub(super) fn keeps_catalog_locked(&mut self) -> bool {
        if !self.own.locking && !self.operations.iter().any(super::operation::Operation::locks_relations) {
            return false;
        }
        self.own.since.get_or_insert_with(Instant::now).elapsed() < LOCKED_MAX
    }
}

/// After this the catalog is read all the same, and where the session's locks are in the way it ends.
const LOCKED_MAX: Duration = Duration::from_secs(300);

#[cfg(test)]
mod tests {
    use super::*;

    fn made(name: &str) -> Effects {
        let own = vec![OwnChange::temporary_table(name)];
        Effects { own, locks_relations: true, ..Effects::default() }
    }

    #[test]
    fn what_was_undone_is_forgotten_and_what_was_committed_stays() {
        let mut names = OwnNames::default();
        let has = |names: &OwnNames, name| names.now().has_temporary(name);
        names.took_effect(&made("kept"));
        names.committed();
        names.took_effect(&made("undone"));
        assert!(has(&names, "kept") && has(&names, "undone") && names.locking);
        names.undone();
        assert!(has(&names, "kept") && !has(&names, "undone") && !names.locking);
    }

    #[test]
    fn what_was_dropped_is_back_after_a_rollback() {
        let mut names = OwnNames::default();
        names.took_effect(&made("kept"));
        names.committed();
        let gone = OwnChange::Gone { schema: "pg_temp".to_owned(), name: "kept".to_owned() };
        names.took_effect(&Effects { own: vec![gone], ..Effects::default() });
        assert!(!names.now().has_temporary("kept"));
        names.partly_undone();
        assert!(names.now().has_temporary("kept"), "perhaps that was undone");
        names.undone();
        assert!(names.now().has_temporary("kept"));
    }
}
