//! What there is, by relay, incarnation and session.

use std::collections::{BTreeMap, BTreeSet};

use super::examiner::Examiner;
use super::log::{self, StoredLog};
use crate::identifiers::{Incarnation, RequestId, SessionId};
use crate::layout::{
    self, EVIDENCE_PREFIX, KEYS_PREFIX, LOG_PREFIX, Object, ObjectKind, SHREDDED_PREFIX, Scope, TRUST_PREFIX,
    parse_key_certificate, parse_log, parse_shredding,
};
use crate::log::LogOrigin;
use crate::rule::Rule;

#[derive(Default)]
pub(super) struct Inventory {
    pub(super) relays: BTreeMap<Scope, BTreeMap<Incarnation, StoredIncarnation>>,
    /// Keys of the details of requests and of decisions.
    pub(super) details: BTreeSet<String>,
    /// Keys of key certificates.
    pub(super) trust: BTreeSet<String>,
    pub(super) revocations: BTreeSet<Object>,
    /// Keys of the statements that a session's key was destroyed.
    pub(super) shreddings: BTreeSet<String>,
    /// Sessions whose wrapped key is there.
    pub(super) wrapped_keys: BTreeSet<(Scope, SessionId)>,
    pub(super) logs: BTreeMap<LogOrigin, StoredLog>,
}

/// Which objects of an incarnation there are.
#[derive(Default)]
pub(super) struct StoredIncarnation {
    pub(super) certificate: bool,
    pub(super) start: bool,
    pub(super) retired: bool,
    pub(super) abandoned: bool,
    pub(super) heartbeats: BTreeSet<u64>,
    pub(super) sessions: BTreeMap<u64, StoredSession>,
}

/// Which objects of a session there are.
#[derive(Default)]
pub(super) struct StoredSession {
    pub(super) open: bool,
    pub(super) chunks: BTreeSet<u64>,
    pub(super) close: bool,
    pub(super) void: bool,
    pub(super) approvals: BTreeMap<u64, StoredApproval>,
}

impl StoredSession {
    /// Whether there is any object that a void counter has not.
    pub(super) fn is_served(&self) -> bool {
        self.open || self.close || !self.chunks.is_empty() || !self.approvals.is_empty()
    }
}

/// Which objects of an approval there are.
#[derive(Default)]
pub(super) struct StoredApproval {
    pub(super) requested: bool,
    pub(super) decided: bool,
}

impl Inventory {
    pub(super) fn of(keys: Vec<String>, examiner: &mut Examiner<'_>) -> Self {
        let mut inventory = Self::default();
        for key in keys {
            match layout::parse(&key) {
                // Deletable and writable by others: they add nothing that there is no evidence of.
                Some(Object { kind: ObjectKind::ApprovalRequest(_) | ObjectKind::ApprovalDecision(_), .. }) => {
                    inventory.details.insert(key);
                }
                Some(object @ Object { kind: ObjectKind::Revocation(..), .. }) => {
                    inventory.revocations.insert(object);
                }
                Some(object) => inventory.add(object.scope, object.kind, examiner),
                None => inventory.add_other(key, examiner),
            }
        }
        inventory
    }

    fn add(&mut self, scope: Scope, kind: ObjectKind, examiner: &mut Examiner<'_>) {
        match kind {
            ObjectKind::Certificate(incarnation) => self.incarnation(scope, incarnation).certificate = true,
            ObjectKind::RelayStart(incarnation) => self.incarnation(scope, incarnation).start = true,
            ObjectKind::RelayRetired(incarnation) => self.incarnation(scope, incarnation).retired = true,
            ObjectKind::Abandoned(incarnation) => self.incarnation(scope, incarnation).abandoned = true,
            ObjectKind::Heartbeat(incarnation, sequence) => {
                self.incarnation(scope, incarnation).heartbeats.insert(sequence);
            }
            ObjectKind::SessionOpen(session) => self.session(scope, session).open = true,
            ObjectKind::SessionClose(session) => self.session(scope, session).close = true,
            ObjectKind::SessionVoid(session) => self.session(scope, session).void = true,
            ObjectKind::Chunk(session, sequence) => {
                self.session(scope, session).chunks.insert(sequence);
            }
            ObjectKind::ApprovalRequested(request) => self.approval(scope, request).requested = true,
            ObjectKind::ApprovalDecided(request) => self.approval(scope, request).decided = true,
            ObjectKind::ApprovalRequest(_) | ObjectKind::ApprovalDecision(_) | ObjectKind::Revocation(..) => {}
            ObjectKind::WrappedKey(session) => {
                examiner.report.checked.wrapped_keys += 1;
                self.wrapped_keys.insert((scope, session));
            }
        }
    }

    fn add_other(&mut self, key: String, examiner: &mut Examiner<'_>) {
        let ours = [EVIDENCE_PREFIX, KEYS_PREFIX, LOG_PREFIX, SHREDDED_PREFIX, TRUST_PREFIX];
        if let Some(object) = parse_log(&key) {
            log::add(&mut self.logs, object);
        } else if parse_key_certificate(&key).is_some() {
            self.trust.insert(key);
        } else if parse_shredding(&key).is_some() {
            self.shreddings.insert(key);
        } else if ours.iter().any(|prefix| key.starts_with(prefix)) {
            examiner.find(&key, Rule::ObjectLayout, "expected a key of the layout");
        } else {
            examiner.report.checked.ignored += 1;
        }
    }

    fn incarnation(&mut self, scope: Scope, incarnation: Incarnation) -> &mut StoredIncarnation {
        self.relays.entry(scope).or_default().entry(incarnation).or_default()
    }

    fn session(&mut self, scope: Scope, session: SessionId) -> &mut StoredSession {
        self.incarnation(scope, session.incarnation).sessions.entry(session.counter).or_default()
    }

    fn approval(&mut self, scope: Scope, request: RequestId) -> &mut StoredApproval {
        self.session(scope, request.session).approvals.entry(request.statement).or_default()
    }
}
