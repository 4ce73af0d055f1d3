//! What is known of a session once all its events are.

use super::{Session, at, kebab};
use crate::event::{Actor, OutcomeKind, SessionOpen};
use crate::tables::{SessionRow, StatementRow, Time};
use crate::verify::SessionReport;

impl Session {
    /// What has no outcome when its session has ended may or may not have run.
    pub(super) fn settle(&mut self) {
        let unknown = kebab(&OutcomeKind::Unknown);
        for execution in self.rows.executions.iter_mut().filter(|execution| execution.outcome.is_none()) {
            execution.outcome = Some(unknown.clone());
            if let Some(statement) = at(&mut self.rows.statements, execution.statement) {
                statement.outcome = Some(unknown.clone());
            }
        }
    }

    /// Fills in what only later events told.
    pub(super) fn complete(&mut self) {
        for row in &mut self.rows.approvals {
            row.outcome = at(&mut self.rows.statements, row.statement).and_then(|statement| statement.outcome.clone());
        }
        for row in &mut self.rows.denials {
            if let Some(statement) = at(&mut self.rows.statements, row.statement) {
                row.sqlstate.clone_from(&statement.sqlstate);
                row.error_class.clone_from(&statement.error_class);
            }
        }
    }

    pub(super) fn session_row(&self, report: &SessionReport) -> SessionRow {
        let open = report.details.as_ref();
        let text = |value: fn(&SessionOpen) -> &String| open.map(|open| value(open).clone());
        let sum = |value: fn(&StatementRow) -> u64| {
            self.rows.statements.iter().fold(0, |total: u64, row| total.saturating_add(value(row)))
        };
        SessionRow {
            session: report.session.to_string(),
            tenant: report.scope.tenant.to_string(),
            environment: report.scope.environment.to_string(),
            relay: report.scope.relay.to_string(),
            state: kebab(&report.state),
            opened: report.opened_us.map(Time),
            closed: report.closed_us.map(Time),
            close_reason: report.reason.map(|reason| kebab(&reason)),
            recovered: report.recovered,
            actor_kind: open.map(|open| kebab(&open.actor.kind)),
            issuer: text(|open| &open.actor.issuer),
            subject: text(|open| &open.actor.subject),
            name: text(|open| &open.actor.name),
            groups: open.map(|open| open.actor.groups.clone()).unwrap_or_default(),
            acts_for: open.map(|open| acts_for(&open.actor)).unwrap_or_default(),
            client_address: text(|open| &open.client_address),
            client_application: text(|open| &open.client_application),
            client_tls: text(|open| &open.client_tls),
            protocol: text(|open| &open.protocol),
            connection: text(|open| &open.connection),
            target: text(|open| &open.target),
            target_role: text(|open| &open.target_role),
            target_version: text(|open| &open.target_version),
            target_tls: text(|open| &open.target_tls),
            policy_sha256: text(|open| &open.policy_sha256),
            durability: open.map(|open| kebab(&open.durability)),
            expires: open.map(|open| Time::from_seconds(open.expires_at)),
            chunks: report.chunks,
            events: report.events,
            statements: self.rows.statements.len() as u64,
            denied: self.rows.denials.len() as u64,
            executions: self.rows.executions.len() as u64,
            outcome_unknown: report.outcome_unknown.len() as u64,
            rows_returned: sum(|row| row.rows_returned),
            rows_affected: sum(|row| row.rows_affected),
            bytes_returned: sum(|row| row.bytes_returned),
        }
    }
}

fn acts_for(actor: &Actor) -> Vec<String> {
    let chain = std::iter::successors(actor.acts_for.as_deref(), |actor| actor.acts_for.as_deref());
    chain.map(|actor| actor.subject.clone()).collect()
}
