//! One session: opened, chained chunk to chunk, closed.

use std::collections::BTreeSet;

use super::approval;
use super::certificates::Certificates;
use super::chunk::Walk;
use super::examiner::Examiner;
use super::incarnation::gaps;
use super::inventory::StoredSession;
use super::report::{SessionReport, SessionState};
use super::statement::{self, Held};
use crate::event::CloseReason;
use crate::identifiers::SessionId;
use crate::layout::Scope;
use crate::leaf::{SessionCloseLeaf, SessionOpenLeaf, SessionVoid};
use crate::rule::Rule;

/// The relay that served it.
pub(super) struct Relay<'a> {
    pub(super) scope: &'a Scope,
    pub(super) certificates: &'a Certificates,
    /// As the relay-start says, if that holds.
    pub(super) log_origin: Option<String>,
    /// The incarnation has ended, so that every session of it must have.
    pub(super) retired: bool,
    /// Keys of the details of requests and of decisions.
    pub(super) details: &'a BTreeSet<String>,
}

pub(super) fn check(
    examiner: &mut Examiner<'_>,
    relay: &Relay<'_>,
    session: &SessionId,
    stored: &StoredSession,
) -> SessionReport {
    let errors_before = examiner.errors();
    let mut report = SessionReport {
        scope: relay.scope.clone(),
        session: session.clone(),
        state: SessionState::Open,
        sound: false,
        outside: false,
        opened_us: None,
        closed_us: None,
        reason: None,
        recovered: false,
        chunks: 0,
        events: 0,
        open_at_us: None,
        gaps: Vec::new(),
        outcome_unknown: Vec::new(),
        shredded_us: None,
        details: None,
    };
    if stored.void {
        check_void(examiner, relay, session, stored);
        report.state = SessionState::Void;
    }
    let served = !stored.void || stored.is_served();
    if served {
        examiner.report.checked.sessions += 1;
        check_served(examiner, relay, stored, &mut report);
    }
    report.sound = examiner.errors() == errors_before;
    if served && !report.outside {
        examiner.observer.session(&report);
    }
    report
}

fn check_void(examiner: &mut Examiner<'_>, relay: &Relay<'_>, session: &SessionId, stored: &StoredSession) {
    examiner.report.checked.voids += 1;
    let key = relay.scope.session_void(session);
    let rules = (Rule::SessionVoidSignature, Rule::SessionVoidIdentity);
    let _: Option<Held<SessionVoid>> =
        statement::check(examiner, relay.scope, relay.certificates, &key, rules, |void: &SessionVoid| {
            void.session == *session
        });
    if stored.is_served() {
        examiner.find(&key, Rule::SessionVoid, "the counter is void, and has other objects");
    }
}

fn check_served(examiner: &mut Examiner<'_>, relay: &Relay<'_>, stored: &StoredSession, report: &mut SessionReport) {
    let session = report.session.clone();
    let open = check_open(examiner, relay, &session, stored);
    let close = check_close(examiner, relay, &session, stored);
    let mut walk = Walk::new(relay, &session, open.as_ref());
    for sequence in &stored.chunks {
        walk.step(examiner, *sequence);
    }
    report.outside = is_outside(examiner, stored, open.as_ref(), close.as_ref());
    if !report.outside {
        check_sequence(examiner, relay, &session, stored, close.as_ref().map(|close| &close.statement));
    }
    if !report.outside {
        report.gaps = walk.gaps(close.as_ref().map(|close| &close.statement));
    }
    report.opened_us = open.as_ref().map(|open| open.statement.time_us);
    report.recovered = walk.recovered() || close.as_ref().is_some_and(|close| close.statement.recovered);
    report.chunks = walk.chunks();
    report.events = walk.events();
    report.outcome_unknown = walk.outcome_unknown();
    if let Some(Held { statement: close, .. }) = &close {
        walk.check_close(examiner, close);
        report.closed_us = Some(close.time_us);
        report.reason = Some(close.reason);
        report.state = match close.reason {
            CloseReason::Aborted => SessionState::Aborted,
            _ => SessionState::Complete,
        };
    } else if !stored.close && (relay.retired || walk.said_last()) {
        examiner.find(&relay.scope.session_close(&session), Rule::SessionClose, "expected the session's close");
    }
    let ended = report.state == SessionState::Complete && !report.recovered;
    let held = walk.held().filter(|_| !report.outside);
    approval::check(examiner, relay, &session, &stored.approvals, held, ended);
    report.details = walk.into_details();
    let prefix = relay.scope.session_prefix(&session);
    if report.recovered {
        examiner.find(
            &prefix,
            Rule::SessionRecovered,
            "a part was sealed by another incarnation than the session's own",
        );
    }
    if report.state != SessionState::Open && !report.outcome_unknown.is_empty() {
        let executions = list(&report.outcome_unknown);
        examiner.find(&prefix, Rule::OutcomeUnknown, format!("outcome unknown: executions {executions}"));
    }
}

fn check_open(
    examiner: &mut Examiner<'_>,
    relay: &Relay<'_>,
    session: &SessionId,
    stored: &StoredSession,
) -> Option<Held<SessionOpenLeaf>> {
    let key = relay.scope.session_open(session);
    if !stored.open {
        examiner.find(&key, Rule::SessionOpenMissing, "expected the session's open");
        return None;
    }
    let rules = (Rule::SessionOpenSignature, Rule::SessionOpenIdentity);
    statement::check(examiner, relay.scope, relay.certificates, &key, rules, |open: &SessionOpenLeaf| {
        open.session == *session
    })
}

fn check_close(
    examiner: &mut Examiner<'_>,
    relay: &Relay<'_>,
    session: &SessionId,
    stored: &StoredSession,
) -> Option<Held<SessionCloseLeaf>> {
    if !stored.close {
        return None;
    }
    let key = relay.scope.session_close(session);
    let rules = (Rule::SessionCloseSignature, Rule::SessionCloseIdentity);
    statement::check(examiner, relay.scope, relay.certificates, &key, rules, |close: &SessionCloseLeaf| {
        close.session == *session
    })
}

/// Whether the session has no chunks and needs none: its own statements show that it lies outside of the period.
fn is_outside(
    examiner: &Examiner<'_>,
    stored: &StoredSession,
    open: Option<&Held<SessionOpenLeaf>>,
    close: Option<&Held<SessionCloseLeaf>>,
) -> bool {
    let (Some(period), Some(open)) = (examiner.options.period, open) else { return false };
    // A close that is there and does not hold shows nothing.
    let end_is_known = close.is_some() || !stored.close;
    let closed_us = close.map(|close| close.statement.time_us);
    stored.chunks.is_empty() && end_is_known && !period.overlaps(open.statement.time_us, closed_us)
}

/// Names the chunks that are not there.
fn check_sequence(
    examiner: &mut Examiner<'_>,
    relay: &Relay<'_>,
    session: &SessionId,
    stored: &StoredSession,
    close: Option<&SessionCloseLeaf>,
) {
    let last_seen = stored.chunks.last().copied().unwrap_or(0);
    let last = close.map_or(last_seen, |close| close.chunks.max(last_seen));
    for (from, to) in gaps(stored.chunks.iter().copied(), last) {
        let object = relay.scope.chunk(session, from);
        examiner.find(&object, Rule::SessionSequence, format!("chunks {from} to {to} are missing"));
    }
}

fn list(numbers: &[u64]) -> String {
    let shown: Vec<_> = numbers.iter().take(LISTED_MAX).map(u64::to_string).collect();
    let more = numbers.len().saturating_sub(LISTED_MAX);
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{rest}", shown.join(", "))
}

/// A message is a line; the report holds them all.
const LISTED_MAX: usize = 20;
