//! A session as its events tell it: for lists, exports and the head of a replay.

use std::collections::BTreeMap;

use schemas::event::{Event, EventBody, Execute, Outcome, SessionClose, SessionOpen, Statement};
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
        let mut by_number = BTreeMap::new();
        for chunk in listed.open(folder) {
            let chunk = chunk?;
            summary.recovered |= chunk.manifest().recovered;
            for event in chunk.events() {
                let event = event.map_err(|violation| Error::content(folder.root(), violation))?;
                summary.add(event, &mut by_number);
            }
        }
        Ok(summary)
    }

    fn add(&mut self, event: Event, by_number: &mut BTreeMap<u64, usize>) {
        let time = rfc3339(event.time_us);
        match event.body {
            EventBody::SessionOpen(open) => {
                self.opened = Some(time);
                self.details = Some(open);
            }
            EventBody::Statement(statement) => {
                by_number.insert(statement.statement, self.statements.len());
                self.statements.push(StatementSummary::new(time, statement));
            }
            EventBody::Execute(Execute { statement, .. }) => {
                if let Some(statement) = self.statement(by_number, statement) {
                    statement.executions += 1;
                }
            }
            EventBody::Outcome(outcome) => {
                if let Some(statement) = self.statement(by_number, outcome.statement) {
                    statement.add(outcome);
                }
            }
            EventBody::SessionClose(SessionClose { reason, .. }) => {
                self.closed = Some(time);
                self.close_reason = Some(name(&reason));
            }
            EventBody::Bind(_)
            | EventBody::Cancel
            | EventBody::ApprovalRequested(_)
            | EventBody::ApprovalDecided(_)
            | EventBody::Recovered(_) => {}
        }
    }

    fn statement(&mut self, by_number: &BTreeMap<u64, usize>, number: u64) -> Option<&mut StatementSummary> {
        self.statements.get_mut(*by_number.get(&number)?)
    }
}

impl StatementSummary {
    fn new(time: String, statement: Statement) -> Self {
        Self {
            time,
            statement,
            executions: 0,
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
