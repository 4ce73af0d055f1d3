//! The order of a log's entries: nothing comes before what must be stored before it, nothing twice, nothing late.

use std::collections::{BTreeMap, BTreeSet};

use super::super::examiner::Examiner;
use super::{Stated, Statements};
use crate::identifiers::{Incarnation, SessionId};
use crate::layout::{ObjectKind, Scope};
use crate::log::{Precedence, Rank};
use crate::rule::Rule;

/// Judges entries one after the other; names what it found afterwards.
pub(super) struct Order {
    /// By object: when a heartbeat was signed.
    beats: BTreeMap<(Scope, Incarnation, u64), u64>,
    /// When the newest heartbeat that is an entry so far was signed.
    heard: BTreeMap<(Scope, Incarnation), u64>,
    findings: Vec<(String, Rule, String)>,
}

impl Order {
    pub(super) fn of(statements: &Statements) -> Self {
        let beats = statements.beats.iter().filter_map(|beat| match &beat.object.kind {
            ObjectKind::Heartbeat(incarnation, sequence) => {
                Some(((beat.object.scope.clone(), incarnation.clone(), *sequence), beat.time_us))
            }
            _ => None,
        });
        Self { beats: beats.collect(), heard: BTreeMap::new(), findings: Vec::new() }
    }

    /// The statement is the next entry of its log; `seen` are those before.
    pub(super) fn judge(&mut self, stated: &Stated, seen: &Precedence) {
        let key = || stated.object.key();
        if stated.index.is_some() {
            self.findings.push((key(), Rule::LogOrder, "is an entry twice".to_owned()));
        } else if seen.is_followed(&stated.object) {
            let message = "is an entry after one that must be stored after it";
            self.findings.push((key(), Rule::LogOrder, message.to_owned()));
        }
        let (scope, incarnation) = (&stated.object.scope, stated.object.kind.incarnation());
        let life = (scope.clone(), incarnation.clone());
        if let ObjectKind::Heartbeat(_, sequence) = stated.object.kind {
            if let Some(time_us) = self.beats.get(&(life.0.clone(), life.1.clone(), sequence)) {
                self.heard.entry(life).and_modify(|heard| *heard = (*heard).max(*time_us)).or_insert(*time_us);
            }
        } else if let (Some(time_us), None, Some(heard)) = (stated.time_us, &stated.signer, self.heard.get(&life))
            && Rank::of(&stated.object.kind) > Some(Rank::Heartbeat)
            && *heard > time_us.saturating_add(DEADLINE_US)
        {
            let message = format!("signed at {time_us} us, and is an entry after a heartbeat of {heard} us");
            self.findings.push((key(), Rule::LogLate, message));
        }
    }

    pub(super) fn name(self, examiner: &mut Examiner<'_>) {
        for (object, rule, message) in self.findings {
            examiner.find(&object, rule, message);
        }
    }
}

/// Names the heartbeats that are entries before a session-open or void which they say is stored; gives the sessions of
/// which neither is an entry, though an entry says that it is stored.
pub(super) fn name_early_heartbeats(
    examiner: &mut Examiner<'_>,
    statements: &Statements,
) -> BTreeSet<(Scope, SessionId)> {
    let mut kept_out = BTreeSet::new();
    let mut beginnings: BTreeMap<(&Scope, &SessionId), Option<u64>> = BTreeMap::new();
    let mut places = BTreeMap::new();
    for stated in &statements.all {
        match &stated.object.kind {
            ObjectKind::SessionOpen(session) | ObjectKind::SessionVoid(session) => {
                let index = beginnings.entry((&stated.object.scope, session)).or_default();
                *index = [*index, stated.index].into_iter().flatten().min();
            }
            ObjectKind::Heartbeat(incarnation, sequence) => {
                places.insert((&stated.object.scope, incarnation, *sequence), stated.index);
            }
            _ => {}
        }
    }
    let mut told: BTreeMap<(&Scope, &Incarnation), (u64, BTreeSet<u64>)> = BTreeMap::new();
    for beat in &statements.beats {
        let ObjectKind::Heartbeat(incarnation, sequence) = &beat.object.kind else { continue };
        let scope = &beat.object.scope;
        let Some(Some(place)) = places.get(&(scope, incarnation, *sequence)) else { continue };
        // Each counter is judged by the first heartbeat that says it is stored.
        let (last, waiting) = told.entry((scope, incarnation)).or_default();
        let first = SessionId { incarnation: incarnation.clone(), counter: last.saturating_add(1) };
        let end = SessionId { incarnation: incarnation.clone(), counter: beat.last_counter };
        let newly = if first.counter > end.counter {
            Vec::new()
        } else {
            beginnings.range((scope, &first)..=(scope, &end)).map(|((_, session), _)| session.counter).collect()
        };
        let counters: BTreeSet<u64> = newly.into_iter().chain(std::mem::take(waiting)).collect();
        for counter in counters {
            if beat.unstored.binary_search(&counter).is_ok() {
                waiting.insert(counter);
                continue;
            }
            let session = SessionId { incarnation: incarnation.clone(), counter };
            match beginnings.get(&(scope, &session)) {
                Some(None) => drop(kept_out.insert((scope.clone(), session))),
                Some(Some(index)) if index > place => {
                    let message = format!("is an entry before session {counter}, which it says is stored");
                    examiner.find(&beat.object.key(), Rule::LogOrder, message);
                }
                _ => {}
            }
        }
        *last = (*last).max(beat.last_counter);
    }
    kept_out
}

/// A statement is in the log ten minutes after it was stored: a writer runs every few seconds or minutes.
const DEADLINE_US: u64 = 10 * 60 * 1_000_000;
