//! What must be stored, and so logged, before what.
//!
//! A relay stores a certificate, then a relay-start, then of each session its open, its chunks and what else it says,
//! its close; heartbeats one after the other; and after everything, the relay-retired. A sealer keeps that order. So an object that is not in the log
//! although something after it is was kept out of it, and is not merely new.

use std::collections::BTreeMap;

use crate::identifiers::Incarnation;
use crate::layout::{Object, ObjectKind, Scope};

/// The objects that were seen, as far as order asks.
#[derive(Debug, Clone, Default)]
pub struct Precedence {
    lives: BTreeMap<(Scope, Incarnation), Life>,
}

#[derive(Debug, Clone, Default)]
struct Life {
    /// Highest rank of an object that belongs to no session.
    rank: Option<Rank>,
    /// Highest heartbeat.
    heartbeat: u64,
    sessions: BTreeMap<u64, Session>,
}

#[derive(Debug, Clone, Default)]
struct Session {
    rank: Option<Rank>,
    /// Highest chunk.
    chunk: u64,
}

/// When a statement comes; lower ones come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// What others than the relay say of an incarnation: it has no place in this order.
    Aside,
    /// A certificate.
    Certificate,
    /// A relay-start.
    Start,
    /// A heartbeat.
    Heartbeat,
    /// A session's open.
    Open,
    /// What a session says between.
    Content,
    /// A session's close, or a void.
    Close,
    /// A relay-retired.
    Retired,
}

impl Precedence {
    /// Notes that this object was seen.
    pub fn insert(&mut self, object: &Object) {
        let (incarnation, Some(rank)) = (object.kind.incarnation(), Rank::of(&object.kind)) else { return };
        let life = self.lives.entry((object.scope.clone(), incarnation.clone())).or_default();
        let Some(session) = object.kind.session() else {
            life.rank = life.rank.max(Some(rank));
            if let ObjectKind::Heartbeat(_, sequence) = object.kind {
                life.heartbeat = life.heartbeat.max(sequence);
            }
            return;
        };
        let seen = life.sessions.entry(session.counter).or_default();
        seen.rank = seen.rank.max(Some(rank));
        if let ObjectKind::Chunk(_, sequence) = object.kind {
            seen.chunk = seen.chunk.max(sequence);
        }
    }

    /// Whether something was seen that this object must be stored before.
    #[must_use]
    pub fn is_followed(&self, object: &Object) -> bool {
        let (incarnation, Some(rank)) = (object.kind.incarnation(), Rank::of(&object.kind)) else {
            return false;
        };
        if rank == Rank::Aside {
            return false;
        }
        let Some(life) = self.lives.get(&(object.scope.clone(), incarnation.clone())) else { return false };
        let by_heartbeat = matches!(object.kind, ObjectKind::Heartbeat(_, sequence) if sequence < life.heartbeat);
        let by_life = by_heartbeat || life.rank > Some(rank);
        let by_session = match object.kind.session() {
            Some(session) => life.sessions.get(&session.counter).is_some_and(|seen| {
                let by_chunk = matches!(object.kind, ObjectKind::Chunk(_, sequence) if sequence < seen.chunk);
                by_chunk || seen.rank > Some(rank)
            }),
            None => rank < Rank::Heartbeat && !life.sessions.is_empty(),
        };
        by_life || by_session
    }
}

impl Rank {
    /// When this comes; nothing for what is no statement.
    #[must_use]
    pub fn of(kind: &ObjectKind) -> Option<Self> {
        Some(match kind {
            ObjectKind::Abandoned(_) | ObjectKind::Revocation(..) => Self::Aside,
            ObjectKind::Certificate(_) => Self::Certificate,
            ObjectKind::RelayStart(_) => Self::Start,
            ObjectKind::Heartbeat(..) => Self::Heartbeat,
            ObjectKind::SessionOpen(_) => Self::Open,
            ObjectKind::Chunk(..) | ObjectKind::ApprovalRequested(_) | ObjectKind::ApprovalDecided(_) => Self::Content,
            ObjectKind::SessionClose(_) | ObjectKind::SessionVoid(_) => Self::Close,
            ObjectKind::RelayRetired(_) => Self::Retired,
            ObjectKind::ApprovalRequest(_) | ObjectKind::ApprovalDecision(_) | ObjectKind::WrappedKey(_) => {
                return None;
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identifiers::SessionId;

    fn object(kind: ObjectKind) -> Object {
        let name = |text: &str| text.parse().unwrap();
        Object { scope: Scope { tenant: name("t"), environment: name("e"), relay: name("r") }, kind }
    }

    fn session(counter: u64) -> SessionId {
        format!("{}-{counter:010}", "0123456789abcdef".repeat(2)).parse().unwrap()
    }

    /// A life with two sessions in the order in which it is stored.
    fn life() -> Vec<Object> {
        let incarnation = session(1).incarnation;
        let kinds = vec![
            ObjectKind::Certificate(incarnation.clone()),
            ObjectKind::RelayStart(incarnation.clone()),
            ObjectKind::SessionOpen(session(1)),
            ObjectKind::Chunk(session(1), 1),
            ObjectKind::Chunk(session(1), 2),
            ObjectKind::SessionClose(session(1)),
            ObjectKind::SessionVoid(session(2)),
            ObjectKind::RelayRetired(incarnation),
        ];
        kinds.into_iter().map(object).collect()
    }

    #[test]
    fn what_is_stored_later_follows_and_what_is_stored_before_does_not() {
        let life = life();
        for (later, seen) in life.iter().enumerate() {
            let mut precedence = Precedence::default();
            precedence.insert(seen);
            for (earlier, object) in life.iter().enumerate() {
                let independent = matches!(seen.kind, ObjectKind::SessionVoid(_))
                    && !matches!(object.kind, ObjectKind::Certificate(_) | ObjectKind::RelayStart(_));
                assert_eq!(precedence.is_followed(object), earlier < later && !independent, "{object:?} {seen:?}");
            }
        }
    }

    #[test]
    fn another_life_says_nothing() {
        let mut precedence = Precedence::default();
        precedence.insert(&object(ObjectKind::RelayRetired("f".repeat(32).parse().unwrap())));
        assert!(!life().iter().any(|object| precedence.is_followed(object)));
    }
}
