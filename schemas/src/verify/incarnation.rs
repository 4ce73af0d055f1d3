//! One life of a relay: started, counted without gaps, retired.

use std::collections::BTreeSet;

use super::certificates::Certificates;
use super::examiner::Examiner;
use super::inventory::StoredIncarnation;
use super::report::{IncarnationReport, Retirement};
use super::session::{self, Relay};
use super::statement;
use crate::identifiers::{Incarnation, SessionId};
use crate::layout::Scope;
use crate::leaf::{RelayRetired, RelayStart};
use crate::rule::Rule;

pub(super) fn check(
    examiner: &mut Examiner<'_>,
    (scope, incarnation): (&Scope, &Incarnation),
    certificates: &Certificates,
    stored: &StoredIncarnation,
    details: &BTreeSet<String>,
) {
    examiner.report.checked.incarnations += 1;
    examiner.retired = None;
    let start = check_start(examiner, scope, certificates, incarnation, stored);
    let retired = check_retired(examiner, scope, certificates, incarnation, stored);
    examiner.retired = retired.as_ref().filter(|retired| !retired.recovered).map(|_| incarnation.clone());
    let log_origin = start.map(|start| start.log_origin);
    if let Some(origin) = &log_origin {
        examiner.statements.names(scope, incarnation, origin);
    }
    let relay = Relay { scope, certificates, log_origin, retired: stored.retired, details };
    for (counter, session) in &stored.sessions {
        let id = SessionId { incarnation: incarnation.clone(), counter: *counter };
        let report = session::check(examiner, &relay, &id, session);
        examiner.report.sessions.push(report);
    }
    let last_seen = stored.sessions.last_key_value().map_or(0, |(counter, _)| *counter);
    let prefix = scope.incarnation_prefix(incarnation);
    check_counters(examiner, &prefix, stored, retired.as_ref().map_or(last_seen, |retired| retired.last_counter));
    let retirement = match retired {
        Some(retired) if retired.recovered => {
            let message = "retired by the incarnation that recovered its spool: sessions it opened after its last \
                           durable counter could not be known";
            examiner.find(&scope.relay_retired(incarnation), Rule::IncarnationRecovered, message);
            Retirement::Recovered
        }
        Some(_) => Retirement::Retired,
        None => {
            if !stored.retired {
                let message = format!("not retired: sessions after counter {last_seen} could be missing unnoticed");
                examiner.find(&prefix, Rule::IncarnationUnretired, message);
            }
            Retirement::Unretired
        }
    };
    examiner.report.incarnations.push(IncarnationReport {
        scope: scope.clone(),
        incarnation: incarnation.clone(),
        retirement,
        last_counter: last_seen,
    });
}

fn check_start(
    examiner: &mut Examiner<'_>,
    scope: &Scope,
    certificates: &Certificates,
    incarnation: &Incarnation,
    stored: &StoredIncarnation,
) -> Option<RelayStart> {
    let key = scope.relay_start(incarnation);
    if !stored.start {
        // A relay that was certified and died before it started has served nobody.
        if stored.retired || !stored.sessions.is_empty() {
            examiner.find(&key, Rule::RelayStartMissing, "expected the relay-start of this incarnation");
        }
        return None;
    }
    let rules = (Rule::RelayStartSignature, Rule::RelayStartIdentity);
    let held = statement::check(examiner, scope, certificates, &key, rules, |start: &RelayStart| {
        start.incarnation == *incarnation
            && certificates.get(incarnation).is_some_and(|certified| certified.digest == start.certificate)
    });
    held.map(|held| held.statement)
}

fn check_retired(
    examiner: &mut Examiner<'_>,
    scope: &Scope,
    certificates: &Certificates,
    incarnation: &Incarnation,
    stored: &StoredIncarnation,
) -> Option<RelayRetired> {
    if !stored.retired {
        return None;
    }
    let rules = (Rule::RelayRetiredSignature, Rule::RelayRetiredIdentity);
    let key = scope.relay_retired(incarnation);
    let held = statement::check(examiner, scope, certificates, &key, rules, |retired: &RelayRetired| {
        retired.incarnation == *incarnation
    });
    held.map(|held| held.statement)
}

/// Names the counters from 1 to `last` that have no object, and those beyond it that have one.
fn check_counters(examiner: &mut Examiner<'_>, prefix: &str, stored: &StoredIncarnation, last: u64) {
    for (from, to) in gaps(stored.sessions.keys().copied(), last) {
        let message = format!("no session or void for counters {from} to {to}");
        examiner.find(prefix, Rule::IncarnationCounter, message);
    }
    if let Some((beyond, _)) = stored.sessions.last_key_value().filter(|(counter, _)| **counter > last) {
        let message = format!("counter {beyond} is there, the relay-retired says the last one is {last}");
        examiner.find(prefix, Rule::IncarnationCounter, message);
    }
}

/// The ranges of `1..=last` that the ascending `present` leaves out.
pub(super) fn gaps(present: impl Iterator<Item = u64>, last: u64) -> Vec<(u64, u64)> {
    let mut gaps = Vec::new();
    let mut next = 1u64;
    for number in present.take_while(|number| *number <= last) {
        if number > next {
            gaps.push((next, number.saturating_sub(1)));
        }
        next = number.saturating_add(1);
    }
    if next <= last {
        gaps.push((next, last));
    }
    gaps
}
