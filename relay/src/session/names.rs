//! Names that a client gives to prepared statements and portals, kept exactly as the target keeps them.
//!
//! Evidence says *which* statement an `Execute` ran, before it runs. Under pipelining the target has not yet
//! confirmed a name when it is used again, so a change is *pending* until the target's answer:
//! - used in the same pipeline segment (before the next `Sync`), the pending value counts: had its creation
//!   failed, the target would skip the use too;
//! - used in a later segment, only the target's answer tells which value it has: the session waits for it.

use std::collections::HashMap;

/// Names of one kind in one session.
#[derive(Debug)]
pub(crate) struct Names<T> {
    entries: HashMap<String, Entry<T>>,
}

/// What a name means now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Lookup<T> {
    /// It has this value.
    Known(T),
    /// The target does not know it.
    Unknown,
    /// An earlier segment's change is not confirmed yet: wait for the target.
    Unconfirmed,
}

#[derive(Debug)]
struct Entry<T> {
    confirmed: Option<T>,
    /// Changes sent and not answered, oldest first; `None` closes the name.
    pending: Vec<Change<T>>,
}

#[derive(Debug)]
struct Change<T> {
    ticket: u64,
    segment: u64,
    value: Option<T>,
}

impl<T: Clone> Names<T> {
    /// No names.
    pub(crate) fn new() -> Self {
        Self { entries: HashMap::new() }
    }

    /// Names held, pending ones included; the session bounds it.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// What `name` means to a message of pipeline segment `segment`.
    pub(crate) fn lookup(&self, name: &str, segment: u64) -> Lookup<T> {
        let Some(entry) = self.entries.get(name) else { return Lookup::Unknown };
        let value = match entry.pending.last() {
            Some(change) if change.segment == segment => &change.value,
            Some(_) => return Lookup::Unconfirmed,
            None => &entry.confirmed,
        };
        value.clone().map_or(Lookup::Unknown, Lookup::Known)
    }

    /// A message was sent that sets (or, with `None`, closes) a name.
    pub(crate) fn change(&mut self, name: &str, ticket: u64, segment: u64, value: Option<T>) {
        let entry =
            self.entries.entry(name.to_owned()).or_insert_with(|| Entry { confirmed: None, pending: Vec::new() });
        entry.pending.push(Change { ticket, segment, value });
    }

    /// The target answered: `done` tells whether the change took effect.
    pub(crate) fn answered(&mut self, name: &str, ticket: u64, done: bool) {
        let Some(entry) = self.entries.get_mut(name) else { return };
        if let Some(index) = entry.pending.iter().position(|change| change.ticket == ticket) {
            let change = entry.pending.remove(index);
            if done {
                entry.confirmed = change.value;
            }
        }
        if entry.confirmed.is_none() && entry.pending.is_empty() {
            self.entries.remove(name);
        }
    }

    /// The target forgot one confirmed name by itself (the unnamed statement, at a simple query).
    pub(crate) fn forget(&mut self, name: &str) {
        if let Some(entry) = self.entries.get_mut(name) {
            entry.confirmed = None;
            if entry.pending.is_empty() {
                self.entries.remove(name);
            }
        }
    }

    /// What the names stand for was decided on grounds that changed: none of them may be used again, not even those
    /// that the target has yet to confirm.
    pub(crate) fn invalidate(&mut self) {
        for change in self.entries.values_mut().flat_map(|entry| &mut entry.pending) {
            change.value = None;
        }
        self.forget_all();
    }

    /// The target forgot every confirmed name but those whose value is to be `kept`.
    pub(crate) fn forget_unless(&mut self, kept: impl Fn(&mut T) -> bool) {
        self.entries.retain(|_, entry| {
            entry.confirmed = entry.confirmed.take().and_then(|mut value| kept(&mut value).then_some(value));
            entry.confirmed.is_some() || !entry.pending.is_empty()
        });
    }

    /// The target forgot every confirmed name (portals at the end of a transaction, `DEALLOCATE ALL`).
    pub(crate) fn forget_all(&mut self) {
        self.entries.retain(|_, entry| {
            entry.confirmed = None;
            !entry.pending.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pending_name_counts_in_its_own_segment_and_must_be_confirmed_for_later_ones() {
        let mut names = Names::new();
        names.change("s", 1, 0, Some('a'));
        assert_eq!(names.lookup("s", 0), Lookup::Known('a'));
        assert_eq!(names.lookup("s", 1), Lookup::Unconfirmed);
        names.answered("s", 1, true);
        assert_eq!(names.lookup("s", 1), Lookup::Known('a'));
    }

    #[test]
    fn a_refused_redefinition_leaves_the_old_meaning() {
        let mut names = Names::new();
        names.change("s", 1, 0, Some('a'));
        names.answered("s", 1, true);
        names.change("s", 2, 1, Some('b'));
        assert_eq!(names.lookup("s", 2), Lookup::Unconfirmed, "it may be a or b: only the target knows");
        names.answered("s", 2, false);
        assert_eq!(names.lookup("s", 2), Lookup::Known('a'));
    }

    #[test]
    fn a_skipped_close_keeps_the_name_and_a_done_one_frees_it() {
        let mut names = Names::new();
        names.change("s", 1, 0, Some('a'));
        names.answered("s", 1, true);
        names.change("s", 2, 1, None);
        assert_eq!(names.lookup("s", 1), Lookup::Unknown);
        names.answered("s", 2, false);
        assert_eq!(names.lookup("s", 2), Lookup::Known('a'));
        names.change("s", 3, 2, None);
        names.answered("s", 3, true);
        assert_eq!(names.len(), 0);
    }

    #[test]
    fn forgetting_keeps_what_is_still_pending() {
        let mut names = Names::new();
        names.change("", 1, 0, Some('a'));
        names.answered("", 1, true);
        names.change("", 2, 1, Some('b'));
        names.forget_all();
        names.answered("", 2, true);
        assert_eq!(names.lookup("", 2), Lookup::Known('b'));
    }

    #[test]
    fn nothing_decided_before_can_be_used_after_the_grounds_changed() {
        let mut names = Names::new();
        names.change("old", 1, 0, Some('a'));
        names.answered("old", 1, true);
        names.change("pending", 2, 1, Some('b'));
        names.invalidate();
        assert_eq!(names.lookup("old", 1), Lookup::Unknown);
        assert_eq!(names.lookup("pending", 1), Lookup::Unknown);
        names.answered("pending", 2, true);
        assert_eq!(names.lookup("pending", 2), Lookup::Unknown);
        names.change("pending", 3, 2, Some('c'));
        assert_eq!(names.lookup("pending", 2), Lookup::Known('c'));
    }
}
