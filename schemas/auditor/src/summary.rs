//! A session as its events tell it: for lists, exports and the head of a replay.

use std::collections::BTreeMap;

use schemas::event::{
    Event, EventBody, Execute, Outcome, OutcomeKind, RolledBack, SessionClose, SessionOpen, Statement,
};
use serde::Serialize;

use crate::error::Error;
use crate::folder::Folder;
use crate::listing::Listed;
use crate::names::name;
use schemas::instant::rfc3339;

/// One session.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct SessionSummary {
    pub(crate) session: String,
    pub(crate) tenant: String,
    pub(crate) environment: String,
    pub(crate) relay: String,
    /// Absent when the first chunk is.
    pub(crate) details: Option<SessionOpen>,
    pub(crate) opened: Option<String>,
    pub(crate) closed: Option<String>,
    pub(crate) close_reason: Option<String>,
    /// It was sealed by another incarnation than its own.
    pub(crate) recovered: bool,
    pub(crate) statements: Vec<StatementSummary>,
}

/// One statement with what came of it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct StatementSummary {
    pub(crate) time: String,
    #[serde(flatten)]
    pub(crate) statement: Statement,
    pub(crate) executions: u64,
    /// Executions that completed and were rolled back after that.
    pub(crate) rolled_back: u64,
    /// Of the last execution.
    pub(crate) outcome: Option<String>,
    /// SQLSTATE of the last execution that failed.
    pub(crate) outcome_sqlstate: Option<String>,
    pub(crate) rows_returned: u64,
    pub(crate) rows_affected: u64,
    pub(crate) bytes_returned: u64,
    pub(crate) bytes_received: u64,
}

impl SessionSummary {
    /// Reads all chunks of a session.
    pub(crate) fn read(folder: &Folder, listed: &Listed) -> Result<Self, Error> {
        let mut summary = Self {
            session: listed.session.to_string(),
            tenant: listed.scope.tenant.to_string(),
            environment: listed.scope.environment.to_string(),
            relay: listed.scope.relay.to_string(),
            ..Self::default()
        };
        let mut numbers = Numbers::default();
        for chunk in listed.open(folder) {
            let chunk = chunk?;
            summary.recovered |= chunk.manifest().recovered;
            for event in chunk.events() {
                let event = event.map_err(|violation| Error::content(folder.root(), violation))?;
                summary.add(event, &mut numbers);
            }
        }
        Ok(summary)
    }

    fn add(&mut self, event: Event, numbers: &mut Numbers) {
        let time = rfc3339(event.time_us);
        match event.body {
            EventBody::SessionOpen(open) => {
                self.opened = Some(time);
                self.details = Some(*open);
            }
            EventBody::Statement(statement) => {
                numbers.statements.insert(statement.statement, self.statements.len());
                self.statements.push(StatementSummary::new(time, *statement));
            }
            EventBody::Execute(Execute { statement, .. }) => {
                numbers.executions.push(Execution { statement, done: false });
                if let Some(statement) = self.statement(numbers, statement) {
                    statement.executions += 1;
                }
            }
            EventBody::Outcome(outcome) => {
                if let Some(execution) = at(outcome.execution).and_then(|at| numbers.executions.get_mut(at)) {
                    execution.done = matches!(outcome.outcome, OutcomeKind::Completed | OutcomeKind::Suspended);
                }
                if let Some(statement) = self.statement(numbers, outcome.statement) {
                    statement.add(outcome);
                }
            }
            EventBody::RolledBack(range) => self.roll_back(&range, numbers),
            EventBody::SessionClose(SessionClose { reason, .. }) => {
                self.closed = Some(time);
                self.close_reason = Some(name(&reason));
            }
            EventBody::Bind(_)
            | EventBody::Cancel
            | EventBody::Detected(_)
            | EventBody::ApprovalRequested(_)
            | EventBody::ApprovalDecided(_)
            | EventBody::Recovered(_) => {}
        }
    }

    fn roll_back(&mut self, range: &RolledBack, numbers: &mut Numbers) {
        let (Some(first), Some(last)) = (at(range.first_execution), at(range.last_execution)) else { return };
        // A range that is told in order begins behind the one before; what is not is not gone over again.
        for place in first.max(numbers.rolled_back)..=last {
            let Some(execution) = numbers.executions.get_mut(place) else { return };
            let (statement, was_done) = (execution.statement, std::mem::take(&mut execution.done));
            numbers.rolled_back = place.saturating_add(1);
            if let Some(statement) = self.statement(numbers, statement).filter(|_| was_done) {
                statement.rolled_back += 1;
            }
        }
    }

    fn statement(&mut self, numbers: &Numbers, number: u64) -> Option<&mut StatementSummary> {
        self.statements.get_mut(*numbers.statements.get(&number)?)
    }
}

/// Where what has a number stands.
#[derive(Default)]
struct Numbers {
    statements: BTreeMap<u64, usize>,
    /// In order, from execution 1.
    executions: Vec<Execution>,
    /// How many of them are, or stand before, the last one that was rolled back.
    rolled_back: usize,
}

struct Execution {
    statement: u64,
    /// It completed or was suspended, and was not rolled back.
    done: bool,
}

/// The place of a number that counts from 1.
fn at(number: u64) -> Option<usize> {
    usize::try_from(number.checked_sub(1)?).ok()
}

impl StatementSummary {
    fn new(time: String, statement: Statement) -> Self {
        Self {
            time,
            statement,
            executions: 0,
            rolled_back: 0,
            outcome: None,
            outcome_sqlstate: None,
            rows_returned: 0,
            rows_affected: 0,
            bytes_returned: 0,
            bytes_received: 0,
        }
    }

    fn add(&mut self, outcome: Outcome) {
        self.outcome = Some(name(&outcome.outcome));
        self.outcome_sqlstate = outcome.sqlstate.or(self.outcome_sqlstate.take());
        self.rows_returned = self.rows_returned.saturating_add(outcome.rows_returned);
        self.rows_affected = self.rows_affected.saturating_add(outcome.rows_affected);
        self.bytes_returned = self.bytes_returned.saturating_add(outcome.bytes_returned);
        self.bytes_received = self.bytes_received.saturating_add(outcome.bytes_received);
    }
}
