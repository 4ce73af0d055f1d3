//! Heartbeats of one life: without gaps, in time, and telling nothing that the evidence does not have.

use std::collections::BTreeSet;

use super::ahead::Wanted;
use super::certificates::Certificates;
use super::completeness::{Gap, Missing};
use super::examiner::Examiner;
use super::incarnation::gaps;
use super::inventory::StoredIncarnation;
use super::statement;
use crate::heartbeat::{Heartbeat, allowed_us};
use crate::identifiers::Incarnation;
use crate::layout::{Object, ObjectKind, Scope};
use crate::leaf::{RelayRetired, RelayStart};
use crate::rule::Rule;

/// What an incarnation's heartbeats tell.
#[derive(Default)]
pub(super) struct Pulse {
    /// Heartbeats that hold.
    pub(super) count: u64,
    /// The newest that holds.
    pub(super) newest: Option<Heartbeat>,
    pub(super) gaps: Vec<Gap>,
}

/// Reads the heartbeats in order, up to the end where there is one.
pub(super) fn check(
    examiner: &mut Examiner<'_>,
    (scope, incarnation): (&Scope, &Incarnation),
    certificates: &Certificates,
    stored: &BTreeSet<u64>,
    start: Option<&RelayStart>,
    retired: Option<&RelayRetired>,
) -> Pulse {
    let mut pulse = Pulse::default();
    // Those before and after the period need not be there.
    let whole = examiner.options.period.is_none();
    let mut expected = if whole { 1 } else { stored.first().copied().unwrap_or(1) };
    let mut heard_us = start.filter(|_| expected == 1).map(|start| start.time_us);
    let interval = start.map(|start| start.heartbeat_seconds);
    let mut coming = stored.iter().map(|sequence| Wanted::Statement(scope.heartbeat(incarnation, *sequence)));
    for sequence in stored {
        examiner.ahead.plan(&mut coming, 1);
        let key = scope.heartbeat(incarnation, *sequence);
        let rules = (Rule::HeartbeatSignature, Rule::HeartbeatIdentity);
        let held = statement::check(examiner, scope, certificates, &key, rules, |heartbeat: &Heartbeat| {
            heartbeat.incarnation == *incarnation && heartbeat.sequence == *sequence
        });
        let held = held.map(|held| held.statement);
        let time_us = held.as_ref().map(|heartbeat| heartbeat.time_us);
        let unbroken = *sequence == expected;
        if !unbroken {
            let missing = Missing::Heartbeats { first: expected, last: sequence.saturating_sub(1) };
            let gap = Gap { missing, from_us: heard_us, to_us: time_us };
            examiner.find(&scope.heartbeat(incarnation, expected), Rule::HeartbeatSequence, gap.to_string());
            pulse.gaps.push(gap);
        }
        expected = sequence.saturating_add(1);
        let Some(heartbeat) = held else { continue };
        let early = start.is_some_and(|start| heartbeat.time_us < start.time_us);
        if early || !heartbeat.adds_up() || pulse.newest.as_ref().is_some_and(|newest| !heartbeat.can_follow(newest)) {
            let message = "numbers or time do not fit each other or go back behind the heartbeat before";
            examiner.find(&key, Rule::HeartbeatOrder, message);
        }
        if unbroken {
            name_silence(examiner, &key, (heard_us, time_us), interval, &mut pulse.gaps);
        }
        heard_us = time_us;
        pulse.count += 1;
        let object = Object { scope: scope.clone(), kind: ObjectKind::Heartbeat(incarnation.clone(), *sequence) };
        examiner.statements.heard(object, &heartbeat);
        pulse.newest = Some(heartbeat);
    }
    if let Some(retired) = retired {
        check_end(examiner, scope, retired, expected, (heard_us, interval), &mut pulse.gaps);
    }
    pulse
}

/// Compares the last heartbeat with the one that the relay-retired names; `next` is the sequence after it.
fn check_end(
    examiner: &mut Examiner<'_>,
    scope: &Scope,
    retired: &RelayRetired,
    next: u64,
    (heard_us, interval): (Option<u64>, Option<u64>),
    gaps: &mut Vec<Gap>,
) {
    let (incarnation, last) = (&retired.incarnation, retired.last_heartbeat);
    let whole = examiner.options.period.is_none();
    if next > last.saturating_add(1) {
        let message = format!("the relay-retired says that {last} was the last one");
        examiner.find(&scope.heartbeat(incarnation, last.saturating_add(1)), Rule::HeartbeatSequence, message);
    } else if whole && next <= last {
        let gap =
            Gap { missing: Missing::Heartbeats { first: next, last }, from_us: heard_us, to_us: Some(retired.time_us) };
        examiner.find(&scope.heartbeat(incarnation, next), Rule::HeartbeatSequence, gap.to_string());
        gaps.push(gap);
    } else if whole && !retired.recovered {
        let key = scope.relay_retired(incarnation);
        name_silence(examiner, &key, (heard_us, Some(retired.time_us)), interval, gaps);
    }
}

/// Compares what the newest heartbeat says with what there is.
pub(super) fn check_counters(
    examiner: &mut Examiner<'_>,
    (scope, incarnation): (&Scope, &Incarnation),
    stored: &StoredIncarnation,
    pulse: &mut Pulse,
    retired: Option<&RelayRetired>,
) {
    let Some(newest) = &pulse.newest else { return };
    let key = scope.heartbeat(incarnation, newest.sequence);
    if let Some(retired) = retired.filter(|retired| retired.last_counter < newest.last_counter) {
        let (last, said) = (newest.last_counter, retired.last_counter);
        let message = format!("says that counter {last} was taken, the relay-retired that {said} was the last one");
        examiner.find(&key, Rule::HeartbeatCounter, message);
    }
    let last_seen = stored.sessions.last_key_value().map_or(0, |(counter, _)| *counter);
    let unseen = last_seen.saturating_add(1);
    for (first, last) in gaps(newest.unstored.iter().copied(), newest.last_counter) {
        let first = first.max(unseen);
        if first > last {
            continue;
        }
        let missing = Missing::Sessions { first, last };
        let gap = Gap { missing, from_us: None, to_us: Some(newest.time_us) };
        examiner.find(&key, Rule::HeartbeatCounter, format!("says that they are stored: {gap}"));
        pulse.gaps.push(gap);
    }
    let sessions = || stored.sessions.range(..=newest.last_counter).map(|(_, session)| session);
    let count =
        |is: fn(&super::inventory::StoredSession) -> bool| sessions().filter(|session| is(session)).count() as u64;
    for (what, said, found) in [
        ("session-opens", newest.opened, count(|session| session.open)),
        ("session-closes", newest.closed, count(|session| session.close)),
        ("session-voids", newest.voided, count(|session| session.void)),
    ] {
        if found < said {
            let message = format!("says that {said} {what} are stored, and there are {found}");
            examiner.find(&key, Rule::HeartbeatCounter, message);
        }
    }
}

fn name_silence(
    examiner: &mut Examiner<'_>,
    key: &str,
    (before, after): (Option<u64>, Option<u64>),
    interval: Option<u64>,
    gaps: &mut Vec<Gap>,
) {
    let (Some(from_us), Some(to_us), Some(interval)) = (before, after, interval) else { return };
    if to_us <= from_us.saturating_add(allowed_us(interval)) {
        return;
    }
    let gap = Gap { missing: Missing::Silence, from_us: before, to_us: after };
    examiner.find(key, Rule::HeartbeatSilence, format!("{gap}; one is owed every {interval} s"));
    gaps.push(gap);
}
