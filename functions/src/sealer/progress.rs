//! Which objects are in the log. Small though the log is large: what is over is one number or one flag.

use std::collections::{BTreeMap, BTreeSet};

use schemas::digest::Sha256Digest;
use schemas::identifiers::{Incarnation, Name, SessionId};
use schemas::layout::{Object, ObjectKind, Scope};
use schemas::log::Rank;
use serde::{Deserialize, Serialize};

use super::head::Head;

/// A sealer's state at a checkpoint. It can be made again from the entries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    number: u64,
    root: Sha256Digest,
    progress: Progress,
}

/// The objects that are in the log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Progress {
    /// By relay and incarnation.
    lives: BTreeMap<Name, BTreeMap<Incarnation, Life>>,
    /// Keys of revocations.
    #[serde(default)]
    revocations: BTreeSet<String>,
    /// Keys of objects that are not in the log, for they are no statements in their places, and that somebody was told
    /// of.
    #[serde(default)]
    named: BTreeSet<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Life {
    certificate: bool,
    start: bool,
    /// Nothing comes after this; the other fields are then empty.
    retired: bool,
    /// End of its certificate, microseconds since 1970.
    #[serde(default)]
    not_after_us: Option<u64>,
    #[serde(default)]
    abandoned: bool,
    /// All heartbeats up to this one.
    #[serde(default)]
    heartbeats: u64,
    /// All sessions from 1 to this one are over.
    through: u64,
    /// Later ones.
    sessions: BTreeMap<u64, Session>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Session {
    open: bool,
    /// All chunks from 1 to this one.
    chunks: u64,
    /// Keys of other objects of it.
    others: BTreeSet<String>,
    /// Closed or void; the other fields are then empty.
    over: bool,
}

impl State {
    pub(super) fn new(head: &Head, progress: Progress) -> Self {
        Self { number: head.number, root: head.root, progress }
    }

    pub(super) fn to_vec(&self) -> Result<Vec<u8>, schemas::Error> {
        serde_json::to_vec(self).map_err(|_| schemas::Error::Bug("a sealer's state has no other names than its own"))
    }

    /// The progress, if these bytes are the state at this checkpoint.
    pub(super) fn read(bytes: &[u8], head: &Head) -> Option<Progress> {
        let state: Self = serde_json::from_slice(bytes).ok()?;
        ((state.number, state.root) == (head.number, head.root)).then_some(state.progress)
    }

    /// Whether these are two states at this checkpoint that differ at most in what somebody was told of.
    pub(super) fn agree(bytes: &[u8], others: &[u8], head: &Head) -> bool {
        let unnamed = |bytes| Self::read(bytes, head).map(|progress| Progress { named: BTreeSet::new(), ..progress });
        let one = unnamed(bytes);
        one.is_some() && one == unnamed(others)
    }
}

impl Progress {
    /// A hundred bytes each.
    pub(super) const NAMED_MAX: usize = 1000;

    /// Whether somebody was told of this object that is not in the log.
    pub(super) fn is_named(&self, key: &str) -> bool {
        self.named.contains(key)
    }

    /// Notes that somebody was told of these, as far as there is room; whether any was not noted before.
    pub(super) fn name(&mut self, keys: &BTreeSet<String>) -> bool {
        let room = Self::NAMED_MAX.saturating_sub(self.named.len());
        let new: Vec<_> = keys.difference(&self.named).take(room).cloned().collect();
        let any = !new.is_empty();
        self.named.extend(new);
        any
    }

    /// Whether the object is in the log, or comes too late: after the end of its session or incarnation.
    pub(super) fn contains(&self, object: &Object) -> bool {
        if let ObjectKind::Revocation(..) = object.kind {
            return self.revocations.contains(&object.key());
        }
        let Some((incarnation, session)) = owner(object) else { return true };
        let Some(life) = self.life(&object.scope, incarnation) else { return false };
        match (&object.kind, session) {
            _ if life.retired => true,
            (ObjectKind::Certificate(_), _) => life.certificate,
            (ObjectKind::RelayStart(_), _) => life.start,
            (ObjectKind::Abandoned(_), _) => life.abandoned,
            (ObjectKind::Heartbeat(_, sequence), _) => *sequence <= life.heartbeats,
            (kind, Some(session)) => session.counter <= life.through || life.holds(session.counter, kind, object),
            _ => false,
        }
    }

    /// When the object stands in something that is over: the last key there can be in it.
    pub(super) fn last_of_over(&self, object: &Object) -> Option<String> {
        let (incarnation, session) = owner(object)?;
        let life = self.life(&object.scope, incarnation)?;
        if life.retired {
            return Some(last_below(&object.scope.incarnation_prefix(incarnation)));
        }
        if let ObjectKind::Heartbeat(_, sequence) = object.kind {
            let newest = || object.scope.heartbeat(incarnation, life.heartbeats);
            return (sequence <= life.heartbeats).then(newest);
        }
        let counter = session?.counter;
        let is_over = life.sessions.get(&counter).is_some_and(|session| session.over);
        let last = if counter <= life.through { life.through } else { is_over.then_some(counter)? };
        let last = SessionId { incarnation: incarnation.clone(), counter: last };
        Some(last_below(&object.scope.session_prefix(&last)))
    }

    /// Notes that the object is in the log.
    pub(super) fn record(&mut self, object: &Object) {
        if !self.named.is_empty() {
            self.named.remove(&object.key());
        }
        if let ObjectKind::Revocation(..) = object.kind {
            self.revocations.insert(object.key());
            return;
        }
        let Some((incarnation, session)) = owner(object) else { return };
        let lives = self.lives.entry(object.scope.relay.clone()).or_default();
        let life = lives.entry(incarnation.clone()).or_default();
        match (&object.kind, session) {
            _ if life.retired => {}
            (ObjectKind::Certificate(_), _) => life.certificate = true,
            (ObjectKind::RelayStart(_), _) => life.start = true,
            (ObjectKind::Abandoned(_), _) => life.abandoned = true,
            (ObjectKind::Heartbeat(_, sequence), _) => life.heartbeats = life.heartbeats.max(*sequence),
            (ObjectKind::RelayRetired(_), _) => *life = Life { retired: true, ..Life::default() },
            (kind, Some(session)) if session.counter > life.through => life.record(session.counter, kind, object),
            _ => {}
        }
    }

    /// Notes when the certificate of an incarnation ends.
    pub(super) fn expires(&mut self, certificate: &Object, not_after_us: u64) {
        let lives = self.lives.get_mut(&certificate.scope.relay);
        if let Some(life) = lives.and_then(|lives| lives.get_mut(certificate.kind.incarnation())) {
            life.not_after_us = Some(not_after_us);
        }
    }

    /// Relay, incarnation and end of the certificate of those whose certificate ended by then and that have no end.
    pub(super) fn unended(&self, by_us: u64) -> Vec<(Name, Incarnation, u64)> {
        let lives = self.lives.iter().flat_map(|(relay, lives)| lives.iter().map(move |(id, life)| (relay, id, life)));
        let unended = lives.filter(|(_, _, life)| !life.retired && !life.abandoned);
        let end =
            |(relay, id, life): (&Name, &Incarnation, &Life)| Some((relay.clone(), id.clone(), life.not_after_us?));
        unended.filter_map(end).filter(|(_, _, not_after_us)| *not_after_us <= by_us).collect()
    }

    fn life(&self, scope: &Scope, incarnation: &Incarnation) -> Option<&Life> {
        self.lives.get(&scope.relay)?.get(incarnation)
    }
}

impl Life {
    fn holds(&self, counter: u64, kind: &ObjectKind, object: &Object) -> bool {
        let Some(session) = self.sessions.get(&counter) else { return false };
        let held = match kind {
            ObjectKind::SessionOpen(_) => session.open,
            ObjectKind::Chunk(_, sequence) if *sequence <= session.chunks => true,
            _ => session.others.contains(&object.key()),
        };
        session.over || held
    }

    fn record(&mut self, counter: u64, kind: &ObjectKind, object: &Object) {
        let session = self.sessions.entry(counter).or_default();
        match kind {
            ObjectKind::SessionOpen(_) => session.open = true,
            ObjectKind::SessionClose(_) | ObjectKind::SessionVoid(_) => {
                *session = Session { over: true, ..Session::default() };
            }
            ObjectKind::Chunk(id, sequence) if *sequence == session.chunks.saturating_add(1) => {
                session.chunks = *sequence;
                // Those that came before their time.
                while session.others.remove(&object.scope.chunk(id, session.chunks.saturating_add(1))) {
                    session.chunks = session.chunks.saturating_add(1);
                }
            }
            _ => {
                session.others.insert(object.key());
            }
        }
        while let Some(next) = self.through.checked_add(1)
            && self.sessions.get(&next).is_some_and(|session| session.over)
        {
            self.sessions.remove(&next);
            self.through = next;
        }
    }
}

/// Whose statement it is; nothing for what goes into no log.
fn owner(object: &Object) -> Option<(&Incarnation, Option<&SessionId>)> {
    Rank::of(&object.kind)?;
    Some((object.kind.incarnation(), object.kind.session()))
}

/// No key has this letter, and it comes after all that keys have.
fn last_below(prefix: &str) -> String {
    format!("{prefix}~")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn object(kind: ObjectKind) -> Object {
        let name = |text: &str| text.parse().unwrap();
        Object { scope: Scope { tenant: name("t"), environment: name("e"), relay: name("r") }, kind }
    }

    fn session(counter: u64) -> SessionId {
        format!("{}-{counter:010}", "0123456789abcdef".repeat(2)).parse().unwrap()
    }

    /// A life of five sessions with three chunks each, without its end.
    fn life() -> Vec<Object> {
        let incarnation = session(1).incarnation;
        let mut kinds = vec![ObjectKind::Certificate(incarnation.clone()), ObjectKind::RelayStart(incarnation)];
        for counter in 1..=5 {
            kinds.push(ObjectKind::SessionOpen(session(counter)));
            kinds.extend((1..=3).map(|sequence| ObjectKind::Chunk(session(counter), sequence)));
        }
        kinds.into_iter().map(object).collect()
    }

    proptest! {
        #[test]
        fn what_was_recorded_and_nothing_else_is_contained(order in Just(life()).prop_shuffle(), count in 0usize..=22) {
            let mut progress = Progress::default();
            for object in &order[..count] {
                progress.record(object);
            }
            for (place, object) in order.iter().enumerate() {
                prop_assert_eq!(progress.contains(object), place < count, "{:?}", object);
                prop_assert_eq!(progress.last_of_over(object), None);
            }
            let head = Head { number: 1, size: 1, root: Sha256Digest::of(b"root") };
            let bytes = State::new(&head, progress.clone()).to_vec().unwrap();
            prop_assert_eq!(State::read(&bytes, &head), Some(progress));
            prop_assert_eq!(State::read(&bytes, &Head { number: 2, ..head }), None);
        }
    }

    #[test]
    fn sessions_that_are_over_are_one_number_and_a_retired_life_is_one_flag() {
        let mut progress = Progress::default();
        life().iter().for_each(|object| progress.record(object));
        for counter in [1, 2, 4] {
            progress.record(&object(ObjectKind::SessionClose(session(counter))));
        }
        let of_second = object(ObjectKind::Chunk(session(2), 9));
        assert!(progress.contains(&of_second), "too late");
        assert_eq!(
            progress.last_of_over(&of_second).unwrap(),
            format!("{}~", of_second.scope.session_prefix(&session(2)))
        );
        let of_first = object(ObjectKind::Chunk(session(1), 1));
        assert_eq!(progress.last_of_over(&of_first), progress.last_of_over(&of_second));
        assert!(!progress.contains(&object(ObjectKind::Chunk(session(3), 9))));
        assert!(progress.contains(&object(ObjectKind::Chunk(session(4), 9))));
        let whole = serde_json::to_string(&progress).unwrap().len();
        progress.record(&object(ObjectKind::RelayRetired(session(1).incarnation)));
        assert!(serde_json::to_string(&progress).unwrap().len() < whole);
        assert_eq!(
            progress.last_of_over(&of_first).unwrap(),
            format!("{}~", of_first.scope.incarnation_prefix(&session(1).incarnation))
        );
    }
}
