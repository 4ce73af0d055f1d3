//! One life of a relay: started, counted without gaps, retired.

use std::collections::BTreeSet;

use super::ahead;
use super::certificates::Certificates;
use super::completeness::{Gap, Missing, Running};
use super::examiner::Examiner;
use super::heartbeats;
use super::inventory::StoredIncarnation;
use super::report::{IncarnationReport, Retirement, SessionState};
use super::revocations;
use super::session::{self, Relay};
use super::statement;
use crate::heartbeat::INTERVAL_MAX_SECONDS;
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
    let life = (scope, incarnation);
    let abandoned = stored.abandoned && revocations::is_abandoned(examiner, life, certificates);
    let end_us = retired.as_ref().filter(|retired| !retired.recovered).map(|retired| retired.time_us);
    let mut pulse = ahead::read(examiner, certificates, |examiner| {
        heartbeats::check(examiner, life, certificates, &stored.heartbeats, start.as_ref(), retired.as_ref())
    });
    let heard_us = pulse.newest.as_ref().map(|newest| newest.time_us);
    let (started_us, interval) =
        (start.as_ref().map(|start| start.time_us), start.as_ref().map(|start| start.heartbeat_seconds));
    let log_origin = start.map(|start| start.log_origin);
    if let Some(origin) = &log_origin {
        examiner.statements.names(scope, incarnation, origin);
    }
    let relay = Relay { scope, certificates, log_origin, retired: stored.retired, details };
    let id = |counter: &u64| SessionId { incarnation: incarnation.clone(), counter: *counter };
    let mut coming = stored.sessions.iter().flat_map(|(counter, session)| ahead::plan(scope, id(counter), session));
    ahead::read(examiner, certificates, |examiner| {
        for (counter, session) in &stored.sessions {
            examiner.ahead.plan(&mut coming, session.chunks.len());
            let mut report = session::check(examiner, &relay, &id(counter), session);
            report.open_at_us = heard_us.filter(|_| report.state == SessionState::Open);
            examiner.report.sessions.push(report);
        }
    });
    let last_seen = stored.sessions.last_key_value().map_or(0, |(counter, _)| *counter);
    let prefix = scope.incarnation_prefix(incarnation);
    check_counters(examiner, &prefix, stored, retired.as_ref().map_or(last_seen, |retired| retired.last_counter));
    let missing = missing_sessions(
        examiner,
        life,
        stored,
        retired.as_ref().map(|retired| (retired.last_counter, retired.time_us)),
    );
    heartbeats::check_counters(examiner, life, stored, &mut pulse, retired.as_ref());
    let retirement = match retired {
        Some(retired) if retired.recovered => {
            let message = "retired by the incarnation that recovered its spool: sessions it opened after its last \
                           durable counter could not be known";
            examiner.find(&scope.relay_retired(incarnation), Rule::IncarnationRecovered, message);
            Retirement::Recovered
        }
        Some(_) => Retirement::Retired,
        None if abandoned => {
            let message = "never retired, and its certificate ended: what it had not stored is lost, or was taken away";
            examiner.find(&scope.abandoned(incarnation), Rule::IncarnationAbandoned, message);
            Retirement::Abandoned
        }
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
        started_us,
        heartbeats: pulse.count,
        complete_until_us: end_us.or(heard_us),
        revoked_from: None,
        void: 0,
        gaps: missing.into_iter().chain(pulse.gaps).collect(),
    });
    let certified = certificates.get(incarnation);
    if let (Some(heard_us), Some(interval), Some(certified), Retirement::Unretired, None) =
        (heard_us.or(started_us), interval, certified, retirement, examiner.options.period)
    {
        let not_after_us = certified.certificate.not_after_us;
        let (scope, incarnation) = (scope.clone(), incarnation.clone());
        examiner.running.push(Running { scope, incarnation, heard_us, not_after_us, interval });
    }
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
            && (1..=INTERVAL_MAX_SECONDS).contains(&start.heartbeat_seconds)
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

/// The same ranges, with the times of what stands beside them. `last` and when that was said.
fn missing_sessions(
    examiner: &Examiner<'_>,
    (scope, incarnation): (&Scope, &Incarnation),
    stored: &StoredIncarnation,
    last: Option<(u64, u64)>,
) -> Vec<Gap> {
    let opened: std::collections::BTreeMap<u64, u64> = examiner
        .report
        .sessions
        .iter()
        .rev()
        .take_while(|report| report.scope == *scope && report.session.incarnation == *incarnation)
        .filter_map(|report| Some((report.session.counter, report.opened_us?)))
        .collect();
    let last_seen = stored.sessions.last_key_value().map_or(0, |(counter, _)| *counter);
    let end = last.map_or(last_seen, |(last, _)| last);
    let gap = |(first, last_missing)| Gap {
        missing: Missing::Sessions { first, last: last_missing },
        from_us: opened.range(..first).next_back().map(|(_, time_us)| *time_us),
        to_us: opened.range(last_missing..).next().map(|(_, time_us)| *time_us).or(last.map(|(_, said_us)| said_us)),
    };
    gaps(stored.sessions.keys().copied(), end).into_iter().map(gap).collect()
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
