//! Makes rows of evidence while the verifier reads it: memory holds those rows of one session that later events may
//! still change, and a piece of the others.

mod approvals;
mod statements;
mod totals;

use std::collections::BTreeSet;
use std::io;
use std::mem;

use serde::Serialize;

use super::{ChunkRow, DetectionRow, SessionRows, Time, error_class};
use crate::chunk::OpenedChunk;
use crate::event::{Detected, Event, EventBody};
use crate::layout::Scope;
use crate::verify::{Observer, SessionReport, SessionState};

/// Where rows go.
pub trait RowSink {
    /// Rows of the next session, in the order of relays, incarnations and counters. A long session's come in pieces;
    /// the last one, and no other, has the session's own row. Each table is in its order from piece to piece.
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

    fn give(&mut self, rows: &SessionRows) {
        if self.failed.is_none() {
            self.failed = self.sink.session(rows).err();
        }
    }
}

impl Observer for Derivation<'_> {
    fn chunk(&mut self, scope: &Scope, chunk: &OpenedChunk) {
        self.session.chunk(scope, chunk);
        // The verifier has read them all; one that it could not read is a finding there.
        for event in chunk.events().map_while(Result::ok) {
            self.session.event(event);
            if let Some(rows) = self.session.rows.take_settled() {
                self.give(&rows);
            }
        }
    }

    fn session(&mut self, report: &SessionReport) {
        let rows = mem::take(&mut self.session).finish(report);
        self.give(&rows);
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
            EventBody::Statement(statement) => self.statement(time, *statement),
            EventBody::Execute(execute) => self.execute(time, &execute),
            EventBody::Outcome(outcome) => self.outcome(time, outcome),
            EventBody::RolledBack(range) => self.rolled_back(&range),
            EventBody::Detected(detected) => self.detected(time, detected),
            EventBody::ApprovalRequested(requested) => self.approval_requested(time, requested),
            EventBody::ApprovalDecided(decided) => self.approval_decided(time, decided),
            EventBody::Bind(_) | EventBody::Cancel | EventBody::SessionClose(_) | EventBody::Recovered(_) => {}
        }
    }

    fn detected(&mut self, time: Time, detected: Detected) {
        self.rows.detections.push(DetectionRow {
            session: self.id.clone(),
            statement: detected.statement,
            execution: detected.execution,
            time,
            issuer: self.issuer.clone(),
            subject: self.subject.clone(),
            connection: self.connection.clone(),
            place: kebab(&detected.place),
            position: detected.position,
            column: detected.column,
            kind: detected.kind,
            values: detected.values,
            action: kebab(&detected.action),
        });
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
}

/// The row of a number that counts from 1.
fn at<R>(rows: &mut [R], number: u64) -> Option<&mut R> {
    rows.get_mut(usize::try_from(number.checked_sub(1)?).ok()?)
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
