//! The order of a session's events: what may follow what, and which executions still have no outcome. The verifier
//! and the recovery of a dead relay's spool use this one.

mod done;

use std::collections::BTreeMap;
use std::fmt::Display;

use crate::approval::ApprovalVerdict;
use crate::digest::Sha256Digest;
use crate::event::{
    ApprovalDecided, ApprovalRequested, CloseReason, Detected, DetectedPlace, Event, EventBody, Execute, Outcome,
    OutcomeKind, Recovered, RolledBack, SessionClose, Statement, Verdict,
};
use crate::rule::{Rule, Violation};

use done::Done;

/// The state of a session after the events observed so far.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    events: u64,
    statements: u64,
    executions: u64,
    /// Executions without outcome.
    unanswered: BTreeMap<u64, Started>,
    /// Executions whose recorded outcome is that it is unknown.
    said_unknown: Vec<u64>,
    /// Executions that completed or were suspended, and were not rolled back.
    done: Done,
    /// The last execution that was rolled back, 0 before any was.
    rolled_back_to: u64,
    /// Held statements.
    held: BTreeMap<u64, Hold>,
    closed: Option<CloseReason>,
    recovered: bool,
}

/// An execution without outcome.
#[derive(Debug, Clone, Copy)]
struct Started {
    statement: u64,
    rows_kept: Option<u64>,
}

/// How far a held statement came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hold {
    /// The request's commitment and end (microseconds since 1970), once somebody was asked.
    pub requested: Option<(Sha256Digest, u64)>,
    /// How the request ended, and the digest of the decision object the relay read.
    pub decided: Option<(ApprovalVerdict, Option<Sha256Digest>)>,
    /// It was executed.
    pub executed: bool,
}

impl Ledger {
    /// A session before its first event.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next event.
    ///
    /// # Errors
    /// The rule that it does not keep. What follows cannot be judged after that.
    pub fn observe(&mut self, event: &Event) -> Result<(), Violation> {
        let expected = self.events.saturating_add(1);
        if event.number != expected {
            return Err(violation(Rule::EventNumber, format!("event {}: expected number {expected}", event.number)));
        }
        self.check_order(event)?;
        match &event.body {
            EventBody::SessionOpen(_) | EventBody::Cancel => {}
            EventBody::Statement(statement) => self.statement(event.number, statement)?,
            EventBody::Bind(bind) => self.check_statement(event.number, bind.statement)?,
            EventBody::Execute(execute) => self.execute(event.number, execute)?,
            EventBody::Outcome(outcome) => self.outcome(event.number, outcome)?,
            EventBody::RolledBack(range) => self.rolled_back(event.number, range)?,
            EventBody::Detected(detected) => self.detected(event.number, detected)?,
            EventBody::ApprovalRequested(requested) => self.approval_requested(event.number, requested)?,
            EventBody::ApprovalDecided(decided) => self.approval_decided(event.number, decided)?,
            EventBody::SessionClose(close) => self.close(event.number, close)?,
            EventBody::Recovered(recovered) => self.recover(event.number, recovered)?,
        }
        self.events = expected;
        Ok(())
    }

    /// Events observed: the number of the last one.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events
    }

    /// Statements decided.
    #[must_use]
    pub fn statements(&self) -> u64 {
        self.statements
    }

    /// Executions started.
    #[must_use]
    pub fn executions(&self) -> u64 {
        self.executions
    }

    /// Executions that have no outcome on record, in order.
    #[must_use]
    pub fn unanswered(&self) -> Vec<u64> {
        self.unanswered.keys().copied().collect()
    }

    /// Executions of which it is not known whether they ran: those whose outcome says so, and those without any.
    #[must_use]
    pub fn outcome_unknown(&self) -> Vec<u64> {
        let mut unknown = self.unanswered();
        unknown.extend_from_slice(&self.said_unknown);
        unknown.sort_unstable();
        unknown
    }

    /// Held statements by number.
    #[must_use]
    pub fn held(&self) -> &BTreeMap<u64, Hold> {
        &self.held
    }

    /// Reason of the session-close event, if there was one.
    #[must_use]
    pub fn closed(&self) -> Option<CloseReason> {
        self.closed
    }

    /// Whether a recovered event ended it.
    #[must_use]
    pub fn recovered(&self) -> bool {
        self.recovered
    }

    fn check_order(&self, event: &Event) -> Result<(), Violation> {
        let refused =
            |expected: &str| Err(violation(Rule::EventOrder, format!("event {}: expected {expected}", event.number)));
        let opens = matches!(event.body, EventBody::SessionOpen(_));
        if self.recovered {
            return refused("nothing after the recovered event");
        }
        if self.closed.is_some() && !matches!(event.body, EventBody::Recovered(_)) {
            return refused("nothing but a recovered event after the session-close event");
        }
        match (self.events, opens) {
            (0, false) => refused("a session-open event first"),
            (1.., true) => refused("no second session-open event"),
            _ => Ok(()),
        }
    }

    fn statement(&mut self, number: u64, statement: &Statement) -> Result<(), Violation> {
        let expected = self.statements.saturating_add(1);
        if statement.statement != expected {
            return Err(reference(number, format!("statement {}: expected {expected}", statement.statement)));
        }
        self.statements = expected;
        if statement.decision.outcome == Verdict::Held {
            self.held.insert(expected, Hold::default());
        }
        Ok(())
    }

    fn execute(&mut self, number: u64, execute: &Execute) -> Result<(), Violation> {
        self.check_statement(number, execute.statement)?;
        let expected = self.executions.saturating_add(1);
        if execute.execution != expected {
            return Err(reference(number, format!("execution {}: expected {expected}", execute.execution)));
        }
        if let Some(hold) = self.held.get_mut(&execute.statement) {
            let approved = matches!(hold.decided, Some((ApprovalVerdict::Approved, _)));
            if !approved || hold.executed {
                let found = format!("event {number}: held statement {} is executed", execute.statement);
                let message = format!("{found}: expected an approval, and no execution before");
                return Err(violation(Rule::EventApproval, message));
            }
            hold.executed = true;
        }
        self.executions = expected;
        let started = Started { statement: execute.statement, rows_kept: execute.rows_kept };
        self.unanswered.insert(execute.execution, started);
        Ok(())
    }

    fn outcome(&mut self, number: u64, outcome: &Outcome) -> Result<(), Violation> {
        if outcome.execution == 0 {
            self.check_statement(number, outcome.statement)?;
            return check_result(number, outcome, None);
        }
        let started = self.unanswered.get(&outcome.execution).filter(|started| started.statement == outcome.statement);
        let Some(&Started { rows_kept, .. }) = started else {
            let found = format!("execution {} of statement {}", outcome.execution, outcome.statement);
            return Err(reference(number, format!("{found}: expected one that was started and has no outcome yet")));
        };
        check_result(number, outcome, rows_kept)?;
        self.unanswered.remove(&outcome.execution);
        match outcome.outcome {
            OutcomeKind::Completed | OutcomeKind::Suspended => self.done.insert(outcome.execution),
            OutcomeKind::Unknown => self.said_unknown.push(outcome.execution),
            OutcomeKind::Failed | OutcomeKind::Skipped | OutcomeKind::Refused => {}
        }
        Ok(())
    }

    fn rolled_back(&mut self, number: u64, range: &RolledBack) -> Result<(), Violation> {
        let (first, last) = (range.first_execution, range.last_execution);
        // In order, as transactions are: so each number is passed over once, whatever a session tells.
        let in_order = self.rolled_back_to < first && first <= last;
        if !in_order || !self.done.contains(first) || !self.done.contains(last) {
            let expected = "expected the first and last of those that completed since the range before";
            return Err(reference(number, format!("executions {first} to {last}: {expected}")));
        }
        self.done.remove(first..=last);
        self.rolled_back_to = last;
        Ok(())
    }

    fn detected(&self, number: u64, detected: &Detected) -> Result<(), Violation> {
        let returned = matches!(detected.place, DetectedPlace::Result | DetectedPlace::Copy);
        match detected.execution {
            None if !returned => self.check_statement(number, detected.statement),
            Some(execution)
                if returned && self.unanswered.get(&execution).is_some_and(|of| of.statement == detected.statement) =>
            {
                Ok(())
            }
            _ => {
                let expected = "expected an execution without outcome yet for what is returned, and none for the rest";
                Err(reference(number, format!("detected in statement {}: {expected}", detected.statement)))
            }
        }
    }

    fn approval_requested(&mut self, number: u64, requested: &ApprovalRequested) -> Result<(), Violation> {
        let ApprovalRequested { statement, request, commitment, expires_us, .. } = requested;
        match self.held.get_mut(statement) {
            Some(hold) if hold.requested.is_none() && request.statement == *statement => {
                hold.requested = Some((*commitment, *expires_us));
                Ok(())
            }
            _ => Err(approval(number, *statement, "a held statement of the request's number, not asked for before")),
        }
    }

    fn approval_decided(&mut self, number: u64, decided: &ApprovalDecided) -> Result<(), Violation> {
        let ApprovalDecided { statement, request, verdict, decision_sha256, .. } = decided;
        match self.held.get_mut(statement) {
            Some(hold) if hold.requested.is_some() && hold.decided.is_none() && request.statement == *statement => {
                hold.decided = Some((*verdict, *decision_sha256));
                Ok(())
            }
            _ => Err(approval(number, *statement, "a request that is not decided yet")),
        }
    }

    fn close(&mut self, number: u64, close: &SessionClose) -> Result<(), Violation> {
        if (close.statements, close.executions) != (self.statements, self.executions) {
            let found = format!("{} statements and {} executions", close.statements, close.executions);
            let message = format!("event {number}: {found}, expected {} and {}", self.statements, self.executions);
            return Err(violation(Rule::EventTotals, message));
        }
        self.closed = Some(close.reason);
        Ok(())
    }

    fn recover(&mut self, number: u64, recovered: &Recovered) -> Result<(), Violation> {
        if recovered.outcome_unknown != self.unanswered() {
            let message = format!("event {number}: expected exactly the executions without outcome");
            return Err(violation(Rule::EventRecovered, message));
        }
        self.recovered = true;
        Ok(())
    }

    fn check_statement(&self, number: u64, statement: u64) -> Result<(), Violation> {
        if (1..=self.statements).contains(&statement) {
            Ok(())
        } else {
            Err(reference(number, format!("statement {statement}: expected one of 1 to {}", self.statements)))
        }
    }
}

/// Rows that are not on record are there by setting, said before they were, and have a digest in their place.
fn check_result(number: u64, outcome: &Outcome, rows_kept: Option<u64>) -> Result<(), Violation> {
    let ended = matches!(outcome.outcome, OutcomeKind::Completed | OutcomeKind::Suspended);
    let holds = match (rows_kept, outcome.rows_recorded, outcome.result_hmac) {
        (None, None, None) => true,
        (Some(most), Some(recorded), Some(_)) => recorded <= most,
        (Some(_), None, None) => !ended,
        _ => false,
    };
    if holds {
        return Ok(());
    }
    let message = format!("event {number}: expected rows_recorded and result_hmac as the execution's rows_kept asks");
    Err(violation(Rule::EventResult, message))
}

fn reference(number: u64, message: impl Display) -> Violation {
    violation(Rule::EventReference, format!("event {number}: {message}"))
}

fn approval(number: u64, statement: u64, expected: &str) -> Violation {
    violation(Rule::EventApproval, format!("event {number}: statement {statement}: expected {expected}"))
}

fn violation(rule: Rule, message: String) -> Violation {
    Violation::new(rule, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Bind;
    use crate::sample;

    fn observe(bodies: &[EventBody]) -> (Ledger, Result<(), Violation>) {
        let mut ledger = Ledger::new();
        let result = (1..)
            .zip(bodies)
            .try_for_each(|(number, body)| ledger.observe(&Event { number, time_us: 0, body: body.clone() }));
        (ledger, result)
    }

    fn execute(execution: u64, statement: u64) -> EventBody {
        EventBody::Execute(Execute { execution, statement, row_limit: 0, rows_kept: None })
    }

    fn close(statements: u64, executions: u64) -> EventBody {
        EventBody::SessionClose(SessionClose { reason: CloseReason::ClientTerminated, statements, executions })
    }

    fn recovered(outcome_unknown: Vec<u64>) -> EventBody {
        EventBody::Recovered(Recovered { by_incarnation: String::new(), discarded_bytes: 0, outcome_unknown })
    }

    #[test]
    fn an_ordinary_session_leaves_nothing_open() {
        let (ledger, result) = observe(&[
            sample::session_open(),
            sample::statement(1),
            EventBody::Bind(Bind { statement: 1, parameters: Vec::new() }),
            execute(1, 1),
            sample::outcome(1, 1),
            close(1, 1),
        ]);
        result.unwrap();
        assert!(ledger.outcome_unknown().is_empty() && ledger.closed().is_some());
    }

    #[test]
    fn what_was_detected_is_of_a_statement_or_of_what_it_is_returning() {
        let detected = |statement, execution, place| {
            EventBody::Detected(Detected {
                statement,
                execution,
                place,
                position: 1,
                column: None,
                kind: "ssn".to_owned(),
                values: 1,
                action: crate::event::DetectedAction::Reported,
            })
        };
        let begun = [sample::session_open(), sample::statement(1), execute(1, 1)];
        let (result, literal) = (DetectedPlace::Result, DetectedPlace::Literal);
        for good in
            [detected(1, Some(1), result), detected(1, None, literal), detected(1, None, DetectedPlace::Parameter)]
        {
            assert!(observe(&[&begun[..], &[good]].concat()).1.is_ok());
        }
        for bad in [
            detected(1, None, result),
            detected(1, Some(2), result),
            detected(2, Some(1), DetectedPlace::Copy),
            detected(1, Some(1), literal),
            detected(2, None, literal),
        ] {
            assert_eq!(observe(&[&begun[..], &[bad]].concat()).1.unwrap_err().rule, Rule::EventReference);
        }
        let over = [&begun[..], &[sample::outcome(1, 1), detected(1, Some(1), result)]].concat();
        assert!(observe(&over).1.is_err(), "it is over");
    }

    #[test]
    fn what_completed_is_rolled_back_once_and_what_did_not_is_never() {
        let rolled_back =
            |first_execution, last_execution| EventBody::RolledBack(RolledBack { first_execution, last_execution });
        let ended = |execution, outcome| match sample::outcome(execution, 1) {
            EventBody::Outcome(told) => EventBody::Outcome(Outcome { outcome, ..told }),
            other => other,
        };
        let mut events = vec![sample::session_open(), sample::statement(1)];
        events.extend((1..=5).map(|execution| execute(execution, 1)));
        events.extend([
            ended(1, OutcomeKind::Completed),
            ended(2, OutcomeKind::Failed),
            ended(3, OutcomeKind::Suspended),
            ended(4, OutcomeKind::Skipped),
        ]);
        for good in [vec![rolled_back(1, 3)], vec![rolled_back(1, 1), rolled_back(3, 3)]] {
            observe(&[&events[..], &good].concat()).1.unwrap();
        }
        for bad in [(3, 1), (1, 2), (2, 3), (1, 4), (1, 5), (0, 3), (1, 6), (1, u64::MAX)] {
            let bodies = [&events[..], &[rolled_back(bad.0, bad.1)]].concat();
            assert_eq!(observe(&bodies).1.unwrap_err().rule, Rule::EventReference, "{bad:?}");
        }
        // Ranges around others would be work without end for whoever reads them.
        for first in [rolled_back(1, 3), rolled_back(3, 3)] {
            for second in [rolled_back(3, 3), rolled_back(1, 1)] {
                let bad = [&events[..], &[first.clone(), second]].concat();
                assert_eq!(observe(&bad).1.unwrap_err().rule, Rule::EventReference);
            }
        }
    }

    #[test]
    fn a_dead_session_names_what_was_sent_and_never_answered() {
        let events =
            [sample::session_open(), sample::statement(1), execute(1, 1), execute(2, 1), sample::outcome(1, 1)];
        let (ledger, result) = observe(&events);
        result.unwrap();
        assert_eq!(ledger.outcome_unknown(), [2]);
        observe(&[&events[..], &[recovered(vec![2])]].concat()).1.unwrap();
        assert_eq!(observe(&[&events[..], &[recovered(vec![])]].concat()).1.unwrap_err().rule, Rule::EventRecovered);
    }

    #[test]
    fn a_held_statement_is_asked_for_then_approved_then_executed_once() {
        let (open, held) = (sample::session_open(), sample::held_statement(1));
        let (asked, approved) = (sample::approval_requested(1), sample::approval_decided(1, ApprovalVerdict::Approved));
        let denied = sample::approval_decided(1, ApprovalVerdict::Denied);
        let whole = [open.clone(), held.clone(), asked.clone(), approved.clone(), execute(1, 1), sample::outcome(1, 1)];
        let (ledger, result) = observe(&whole);
        result.unwrap();
        assert!(ledger.held()[&1].executed && ledger.held()[&1].requested.is_some());
        for bad in [
            vec![held.clone(), execute(1, 1)],
            vec![held.clone(), asked.clone(), execute(1, 1)],
            vec![held.clone(), asked.clone(), denied.clone(), execute(1, 1)],
            vec![held.clone(), asked.clone(), denied, approved.clone()],
            vec![held.clone(), approved.clone()],
            vec![held.clone(), asked.clone(), asked.clone()],
            vec![held.clone(), sample::approval_requested(2)],
            vec![held, asked.clone(), approved, execute(1, 1), execute(2, 1)],
            vec![sample::statement(1), asked],
        ] {
            let bodies = [vec![open.clone()], bad].concat();
            assert_eq!(observe(&bodies).1.unwrap_err().rule, Rule::EventApproval, "{bodies:?}");
        }
    }

    #[test]
    fn rows_are_off_the_record_only_where_that_was_said_before_and_with_a_digest() {
        let said = |rows_kept, rows_recorded, digest: bool, kind| {
            let EventBody::Outcome(outcome) = sample::outcome(1, 1) else { unreachable!() };
            let result_hmac = digest.then(|| Sha256Digest::of(b"rows"));
            let started = EventBody::Execute(Execute { execution: 1, statement: 1, row_limit: 0, rows_kept });
            let ended = EventBody::Outcome(Outcome { outcome: kind, rows_recorded, result_hmac, ..outcome });
            observe(&[sample::session_open(), sample::statement(1), started, ended]).1.map_err(|broken| broken.rule)
        };
        use OutcomeKind::{Completed, Failed, Suspended, Unknown};
        for (kept, recorded, digest, kind) in [
            (None, None, false, Completed),
            (Some(0), Some(0), true, Completed),
            (Some(2), Some(2), true, Suspended),
            (Some(2), Some(1), true, Failed),
            (Some(2), None, false, Unknown),
        ] {
            assert_eq!(said(kept, recorded, digest, kind), Ok(()), "{kept:?} {recorded:?}");
        }
        for (kept, recorded, digest, kind) in [
            (None, Some(0), true, Completed),
            (None, None, true, Failed),
            (Some(2), Some(3), true, Completed),
            (Some(2), None, false, Completed),
            (Some(2), Some(1), false, Failed),
            (Some(2), None, true, Failed),
        ] {
            assert_eq!(said(kept, recorded, digest, kind), Err(Rule::EventResult), "{kept:?} {recorded:?}");
        }
    }

    #[test]
    fn each_disorder_has_its_rule() {
        let open = sample::session_open();
        for (bodies, rule) in [
            (vec![sample::statement(1)], Rule::EventOrder),
            (vec![open.clone(), open.clone()], Rule::EventOrder),
            (vec![open.clone(), close(0, 0), EventBody::Cancel], Rule::EventOrder),
            (vec![open.clone(), recovered(vec![]), EventBody::Cancel], Rule::EventOrder),
            (vec![open.clone(), sample::statement(2)], Rule::EventReference),
            (vec![open.clone(), execute(1, 1)], Rule::EventReference),
            (vec![open.clone(), sample::statement(1), execute(2, 1)], Rule::EventReference),
            (vec![open.clone(), sample::statement(1), sample::outcome(1, 1)], Rule::EventReference),
            (vec![open.clone(), close(1, 0)], Rule::EventTotals),
        ] {
            assert_eq!(observe(&bodies).1.unwrap_err().rule, rule, "{bodies:?}");
        }
        let event = Event { number: 2, time_us: 0, body: open };
        assert_eq!(Ledger::new().observe(&event).unwrap_err().rule, Rule::EventNumber);
    }
}
