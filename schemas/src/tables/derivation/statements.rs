//! Statements: what was decided, what they touch, what came of them.

use super::{Session, at, class_of, kebab};
use crate::event::{Execute, Outcome, OutcomeKind, RolledBack, Statement, Touched, Verdict};
use crate::tables::{DenialRow, ExecutionRow, MaskingRow, ObjectRow, StatementRow, Time};

impl Session {
    pub(super) fn statement(&mut self, time: Time, statement: Statement) {
        let objects: Vec<String> =
            statement.objects.iter().map(|touched| format!("{} {}", touched.action, touched.object)).collect();
        for touched in &statement.objects {
            self.touched(time, &statement, touched);
        }
        let (number, decision) = (statement.statement, statement.decision);
        let refused = decision.outcome == Verdict::Refused;
        self.rows.statements.push(StatementRow {
            session: self.id.clone(),
            statement: statement.statement,
            time,
            issuer: self.issuer.clone(),
            subject: self.subject.clone(),
            connection: self.connection.clone(),
            path: kebab(&statement.path),
            class: statement.class,
            decision: kebab(&decision.outcome),
            policies: decision.policies,
            reason: decision.reason,
            text: statement.text,
            upstream_text: statement.upstream_text,
            text_length: statement.text_length,
            objects,
            executions: 0,
            rolled_back: 0,
            outcome: None,
            error_class: class_of(decision.sqlstate.as_deref()),
            sqlstate: decision.sqlstate,
            rows_returned: 0,
            rows_affected: 0,
            bytes_returned: 0,
            started: None,
            ended: None,
        });
        if refused {
            self.deny(time, number, "policy", None);
        }
    }

    pub(super) fn touched(&mut self, time: Time, statement: &Statement, touched: &Touched) {
        let decision = kebab(&statement.decision.outcome);
        self.rows.objects_touched.push(ObjectRow {
            session: self.id.clone(),
            statement: statement.statement,
            time,
            issuer: self.issuer.clone(),
            subject: self.subject.clone(),
            connection: self.connection.clone(),
            object: touched.object.clone(),
            action: touched.action.clone(),
            decision: decision.clone(),
            masked: touched.masked.len() as u64,
            revealed: touched.revealed.len() as u64,
        });
        let masked = touched.masked.iter().map(|mask| ("masked", &mask.column, Some(mask.style.clone())));
        let revealed = touched.revealed.iter().map(|column| ("revealed", column, None));
        for (treatment, column, style) in masked.chain(revealed) {
            self.rows.masking.push(MaskingRow {
                session: self.id.clone(),
                statement: statement.statement,
                time,
                issuer: self.issuer.clone(),
                subject: self.subject.clone(),
                connection: self.connection.clone(),
                object: touched.object.clone(),
                column: column.clone(),
                treatment: treatment.to_owned(),
                style,
                decision: decision.clone(),
            });
        }
    }

    /// Writes down, once, that a statement was not let through.
    pub(super) fn deny(&mut self, time: Time, number: u64, refused_by: &str, verdict: Option<String>) {
        let Some(statement) = at(&mut self.rows.statements, number) else { return };
        if !self.denied.insert(number) {
            return;
        }
        self.rows.denials.push(DenialRow {
            session: self.id.clone(),
            statement: number,
            time,
            issuer: self.issuer.clone(),
            subject: self.subject.clone(),
            connection: self.connection.clone(),
            class: statement.class.clone(),
            objects: statement.objects.clone(),
            refused_by: refused_by.to_owned(),
            verdict,
            sqlstate: None,
            error_class: None,
            reason: statement.reason.clone(),
            policies: statement.policies.clone(),
        });
    }

    pub(super) fn execute(&mut self, time: Time, execute: &Execute) {
        if let Some(statement) = at(&mut self.rows.statements, execute.statement) {
            statement.executions = statement.executions.saturating_add(1);
            statement.started.get_or_insert(time);
        }
        self.rows.executions.push(ExecutionRow {
            session: self.id.clone(),
            execution: execute.execution,
            statement: execute.statement,
            started: time,
            ended: None,
            outcome: None,
            rolled_back: false,
            command: None,
            row_limit: execute.row_limit,
            sqlstate: None,
            error_class: None,
            rows_returned: 0,
            rows_affected: 0,
            bytes_returned: 0,
        });
    }

    pub(super) fn outcome(&mut self, time: Time, outcome: Outcome) {
        let class = class_of(outcome.sqlstate.as_deref());
        if outcome.outcome == OutcomeKind::Refused {
            self.deny(time, outcome.statement, "relay", None);
        }
        if let Some(statement) = at(&mut self.rows.statements, outcome.statement) {
            statement.outcome = Some(kebab(&outcome.outcome));
            statement.ended = Some(time);
            if outcome.sqlstate.is_some() {
                statement.sqlstate.clone_from(&outcome.sqlstate);
                statement.error_class.clone_from(&class);
            }
            statement.rows_returned = statement.rows_returned.saturating_add(outcome.rows_returned);
            statement.rows_affected = statement.rows_affected.saturating_add(outcome.rows_affected);
            statement.bytes_returned = statement.bytes_returned.saturating_add(outcome.bytes_returned);
        }
        if let Some(execution) = at(&mut self.rows.executions, outcome.execution) {
            execution.ended = Some(time);
            execution.outcome = Some(kebab(&outcome.outcome));
            execution.command = outcome.command;
            execution.sqlstate = outcome.sqlstate;
            execution.error_class = class;
            execution.rows_returned = outcome.rows_returned;
            execution.rows_affected = outcome.rows_affected;
            execution.bytes_returned = outcome.bytes_returned;
        }
    }

    /// Only what is done can be undone: an execution of the range that failed or was skipped changed nothing.
    pub(super) fn rolled_back(&mut self, range: &RolledBack) {
        let done = [kebab(&OutcomeKind::Completed), kebab(&OutcomeKind::Suspended)];
        let first = range.first_execution.saturating_sub(1);
        let length = range.last_execution.saturating_sub(first);
        let rows = self.rows.executions.iter_mut();
        for execution in rows.skip(index(first)).take(index(length)) {
            let was_done = execution.outcome.as_ref().is_some_and(|outcome| done.contains(outcome));
            if !was_done || std::mem::replace(&mut execution.rolled_back, true) {
                continue;
            }
            if let Some(statement) = at(&mut self.rows.statements, execution.statement) {
                statement.rolled_back = statement.rolled_back.saturating_add(1);
            }
        }
    }
}

fn index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
