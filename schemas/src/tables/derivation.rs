//! Makes rows of evidence while the verifier reads it: memory holds one chunk and the rows of one session.

use std::collections::BTreeSet;
use std::io;
use std::mem;

use serde::Serialize;

use super::{
    ApprovalRow, ChunkRow, DenialRow, ExecutionRow, GrantRow, MaskingRow, ObjectRow, SessionRow, SessionRows,
    StatementRow, Time, error_class,
};
use crate::approval::ApprovalVerdict;
use crate::chunk::OpenedChunk;
use crate::event::{
    Actor, ApprovalDecided, ApprovalRequested, Event, EventBody, Execute, Outcome, OutcomeKind, SessionOpen, Statement,
    Touched, Verdict,
};
use crate::layout::Scope;
use crate::verify::{Observer, SessionReport, SessionState};

/// Where rows go.
pub trait RowSink {
    /// The rows of the next session, in the order of relays, incarnations and counters.
    ///
    /// # Errors
    /// Whatever keeps them from being stored; no more rows are given then.
    fn session(&mut self, rows: &SessionRows) -> io::Result<()>;
}

/// Derives rows from what [`crate::verify::observe`] shows.
pub struct Derivation<'a> {
    sink: &'a mut dyn RowSink,
    session: Session,
    failed: Option<io::Error>,
}

/// The session that is being read.
#[derive(Default)]
struct Session {
    rows: SessionRows,
    id: String,
    issuer: String,
    subject: String,
    connection: String,
    /// Statements with a denial.
    denied: BTreeSet<u64>,
}

impl<'a> Derivation<'a> {
    /// Gives rows to `sink`.
    pub fn new(sink: &'a mut dyn RowSink) -> Self {
        Self { sink, session: Session::default(), failed: None }
    }

    /// Tells whether all rows were stored.
    ///
    /// # Errors
    /// The sink's.
    pub fn finish(self) -> io::Result<()> {
        self.failed.map_or(Ok(()), Err)
    }
}

impl Observer for Derivation<'_> {
    fn chunk(&mut self, scope: &Scope, chunk: &OpenedChunk) {
        self.session.chunk(scope, chunk);
    }

    fn session(&mut self, report: &SessionReport) {
        let rows = mem::take(&mut self.session).finish(report);
        if self.failed.is_none() {
            self.failed = self.sink.session(&rows).err();
        }
    }
}

impl Session {
    fn chunk(&mut self, scope: &Scope, chunk: &OpenedChunk) {
        let manifest = chunk.manifest();
        self.id = manifest.session.to_string();
        self.rows.chunks.push(ChunkRow {
            session: self.id.clone(),
            sequence: manifest.sequence,
            object: scope.chunk(&manifest.session, manifest.sequence),
            statement_sha256: chunk.envelope().statement_digest().to_string(),
            prev: manifest.prev.to_string(),
            stored_length: manifest.stored.length,
            stored_sha256: manifest.stored.sha256.to_string(),
            decoded_length: manifest.decoded.length,
            decoded_sha256: manifest.decoded.sha256.to_string(),
            events: manifest.events,
            data_blocks: manifest.data_blocks,
            first_event: manifest.first_event,
            last_event: manifest.last_event,
            first_time: Time(manifest.first_time_us),
            last_time: Time(manifest.last_time_us),
            sealed: Time(manifest.sealed_time_us),
            sealed_by: manifest.sealed_by.to_string(),
            recovered: manifest.recovered,
            last: manifest.last,
        });
        // The verifier has read them all; one that it could not read is a finding there.
        for event in chunk.events().map_while(Result::ok) {
            self.event(event);
        }
    }

    fn event(&mut self, event: Event) {
        let time = Time(event.time_us);
        match event.body {
            EventBody::SessionOpen(open) => {
                self.grant(time, &open);
                self.issuer = open.actor.issuer;
                self.subject = open.actor.subject;
                self.connection = open.connection;
            }
            EventBody::Statement(statement) => self.statement(time, statement),
            EventBody::Execute(execute) => self.execute(time, &execute),
            EventBody::Outcome(outcome) => self.outcome(time, outcome),
            EventBody::ApprovalRequested(requested) => self.approval_requested(time, requested),
            EventBody::ApprovalDecided(decided) => self.approval_decided(time, decided),
            EventBody::Bind(_) | EventBody::Cancel | EventBody::SessionClose(_) | EventBody::Recovered(_) => {}
        }
    }

    fn statement(&mut self, time: Time, statement: Statement) {
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

    fn touched(&mut self, time: Time, statement: &Statement, touched: &Touched) {
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
    fn deny(&mut self, time: Time, number: u64, refused_by: &str, verdict: Option<String>) {
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

    fn grant(&mut self, time: Time, open: &SessionOpen) {
        self.rows.grants.extend(open.scope.iter().map(|object| GrantRow {
            session: self.id.clone(),
            issuer: open.actor.issuer.clone(),
            subject: open.actor.subject.clone(),
            connection: open.connection.clone(),
            object: object.object.clone(),
            permitted: object.permitted.clone(),
            held: object.held.clone(),
            revealed: object.revealed.clone(),
            starts: time,
            expires: Time::from_seconds(open.expires_at),
        }));
    }

    fn approval_requested(&mut self, time: Time, requested: ApprovalRequested) {
        self.rows.approvals.push(ApprovalRow {
            request: requested.request.to_string(),
            session: self.id.clone(),
            statement: requested.statement,
            issuer: self.issuer.clone(),
            subject: self.subject.clone(),
            connection: self.connection.clone(),
            reason: requested.reason,
            commitment: requested.commitment.to_string(),
            requested: time,
            expires: Time(requested.expires_us),
            verdict: None,
            approver_kind: None,
            approver_issuer: None,
            approver_subject: None,
            approver_name: None,
            rationale: None,
            decided: None,
            decision_sha256: None,
            problem: None,
            outcome: None,
        });
    }

    fn approval_decided(&mut self, time: Time, decided: ApprovalDecided) {
        let verdict = kebab(&decided.verdict);
        if decided.verdict != ApprovalVerdict::Approved {
            self.deny(time, decided.statement, "approval", Some(verdict.clone()));
        }
        // A session waits for one approval at a time: the request is the last one.
        let waiting = self.rows.approvals.iter_mut().rev().find(|row| row.statement == decided.statement);
        let Some(row) = waiting else { return };
        let approver = decided.approver.as_ref();
        row.verdict = Some(verdict);
        row.approver_kind = approver.map(|approver| kebab(&approver.kind));
        row.approver_issuer = approver.map(|approver| approver.issuer.clone());
        row.approver_subject = approver.map(|approver| approver.subject.clone());
        row.approver_name = approver.map(|approver| approver.name.clone());
        row.rationale = decided.rationale;
        row.decided = Some(Time(decided.decided_us));
        row.decision_sha256 = decided.decision_sha256.map(|digest| digest.to_string());
        row.problem = decided.problem;
    }

    fn execute(&mut self, time: Time, execute: &Execute) {
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
            command: None,
            row_limit: execute.row_limit,
            sqlstate: None,
            error_class: None,
            rows_returned: 0,
            rows_affected: 0,
            bytes_returned: 0,
        });
    }

    fn outcome(&mut self, time: Time, outcome: Outcome) {
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

    fn finish(mut self, report: &SessionReport) -> SessionRows {
        if report.state != SessionState::Open {
            self.settle();
        }
        self.complete();
        let row = self.session_row(report);
        self.rows.sessions.push(row);
        self.rows
    }

    /// What has no outcome when its session has ended may or may not have run.
    fn settle(&mut self) {
        let unknown = kebab(&OutcomeKind::Unknown);
        for execution in self.rows.executions.iter_mut().filter(|execution| execution.outcome.is_none()) {
            execution.outcome = Some(unknown.clone());
            if let Some(statement) = at(&mut self.rows.statements, execution.statement) {
                statement.outcome = Some(unknown.clone());
            }
        }
    }

    /// Fills in what only later events told.
    fn complete(&mut self) {
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

    fn session_row(&self, report: &SessionReport) -> SessionRow {
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

/// The row of a number that counts from 1.
fn at<R>(rows: &mut [R], number: u64) -> Option<&mut R> {
    rows.get_mut(usize::try_from(number.checked_sub(1)?).ok()?)
}

fn acts_for(actor: &Actor) -> Vec<String> {
    let chain = std::iter::successors(actor.acts_for.as_deref(), |actor| actor.acts_for.as_deref());
    chain.map(|actor| actor.subject.clone()).collect()
}

fn class_of(sqlstate: Option<&str>) -> Option<String> {
    sqlstate.map(|sqlstate| error_class(sqlstate).to_owned())
}

/// What a unit variant is serialised as, e.g. `client-terminated`.
fn kebab<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}
