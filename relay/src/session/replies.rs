//! Backend messages: each is checked, attributed and recorded before the client receives it.

use schemas::event::{CloseReason, EventBody, OutcomeKind};
use wire::postgres::conversation::{Incoming, Reply};
use wire::postgres::{
    Backend, BackendMessage, ErrorFields, Format, MessageRef, Piece, SqlState, TransactionStatus, backend,
};

use crate::policy::{Copies, Effects, EndsPrepared, OnTransaction, ReasonChange};

use super::diagnostics::{Exposure, released};
use super::operation::{Operation, refusal_fields};
use super::release::{Outputs, Release};
use super::settings::is_for_reading;
use super::{Ending, Session};

/// What one batch of replies becomes.
#[derive(Default)]
struct Batch {
    release: Release,
    events: Vec<EventBody>,
}

impl Batch {
    /// A row or a part of one, for the client and, if `recorded`, for the tape.
    fn row(&mut self, bytes: &[u8], recorded: bool) {
        if recorded {
            self.release.pass(bytes);
        } else {
            self.release.pass_unrecorded(bytes);
        }
    }
}

impl Session {
    /// Takes every whole message that has come, records what the client will get, then lets it go.
    pub(super) async fn release_replies(&mut self) -> Result<(), Ending> {
        let mut batch = Batch::default();
        let taken = self.take_replies(&mut batch);
        let Outputs { released, recorded } = batch.release.finish();
        self.recorder.record_replies(&recorded, batch.events).await?;
        self.pump.client.queue_whole(released);
        taken?;
        if self.delayed.is_some() || self.from_client.buffered() > 0 {
            self.forward_requests().await?;
        }
        self.stop_if_finished()
    }

    fn take_replies(&mut self, batch: &mut Batch) -> Result<(), Ending> {
        loop {
            if let Some(piece) = self.from_target.next_piece(self.whole_max()).map_err(|error| broken(&error))? {
                self.reply_piece(&piece, batch)?;
            } else if let Some(came) = self.from_target.next_batch().map_err(|error| broken(&error))? {
                batch.release.begin(came.bytes());
                for message in came.messages() {
                    self.reply(message, batch)?;
                }
            } else {
                return Ok(());
            }
        }
    }

    /// A part of a long row or piece of COPY data: goes on as it comes.
    fn reply_piece(&mut self, piece: &Piece, batch: &mut Batch) -> Result<(), Ending> {
        let kind = if piece.tag == b'D' { Incoming::DataRow } else { Incoming::CopyData };
        let ticket = if piece.first {
            let answer = self.conversation.on_backend(kind).map_err(|error| broken(&error))?;
            self.dropped_syncs(kind, &answer);
            self.detect_long(kind, &answer, &mut batch.events)?;
            answer.ticket
        } else {
            self.conversation.current()
        };
        batch.release.begin(&piece.bytes);
        let execution = ticket.and_then(|ticket| self.operations.get_mut(ticket)?.execution());
        let recorded = execution.is_none_or(|execution| match piece.first {
            true => execution.row(kind, &piece.bytes),
            false => execution.more_of_row(&piece.bytes),
        });
        batch.row(&piece.bytes, recorded);
        Ok(())
    }

    fn reply(&mut self, message: MessageRef<'_, Backend>, batch: &mut Batch) -> Result<(), Ending> {
        let kind = Incoming::of(message).map_err(|error| broken(&error))?;
        let answer = self.conversation.on_backend(kind).map_err(|error| broken(&error))?;
        if let (Incoming::ReadyForQuery(status), true) = (kind, self.is_settling(&answer)) {
            // The answer to the relay's own `Sync`; the client gets one to its own.
            self.ready(status, batch);
            self.finished(answer.ticket, true);
            self.over(kind);
            return Ok(());
        }
        self.dropped_syncs(kind, &answer);
        if matches!(kind, Incoming::DataRow | Incoming::CopyData) {
            // Rows pass as they came, and are looked into by detectors alone: what is in them was masked at the scan.
            self.detect(kind, message, &answer, &mut batch.events)?;
            let recorded = self.execution(&answer).is_none_or(|execution| execution.row(kind, message.bytes()));
            batch.row(message.bytes(), recorded);
            return Ok(());
        }
        match BackendMessage::decode(message).map_err(|error| broken(&error))? {
            BackendMessage::ErrorResponse(fields) => {
                self.failed(&fields, &answer, batch);
                return Ok(());
            }
            BackendMessage::NoticeResponse(fields) => {
                batch.release.put(&backend::notice_response(&self.shown(&fields, &answer)));
                return Ok(());
            }
            // A trigger's or another session's text: for whom policy lets hear it, and nobody else.
            BackendMessage::NotificationResponse { .. } => {
                if self.access.may_notify() {
                    batch.release.pass(message.bytes());
                }
                return Ok(());
            }
            BackendMessage::RowDescription(fields) => {
                self.check_origins(&fields)?;
                self.described(&fields, &answer);
            }
            BackendMessage::ParameterStatus { name, value } => {
                check_pinned(name, value)?;
                if is_for_reading(name) {
                    self.reading.insert(name.to_owned(), value.to_owned());
                }
            }
            BackendMessage::CommandComplete { tag } => self.completed(&answer, Some(tag), batch),
            BackendMessage::EmptyQueryResponse => self.completed(&answer, None, batch),
            BackendMessage::PortalSuspended => self.suspended(&answer, batch),
            BackendMessage::ReadyForQuery(status) => self.ready(status, batch),
            BackendMessage::CopyInResponse(_) => self.copy_begins(Copies::In, message.name(), &answer)?,
            BackendMessage::CopyOutResponse(response) => {
                self.copy_begins(Copies::Out, message.name(), &answer)?;
                if let Some(execution) = self.execution(&answer) {
                    execution.copies_binary = response.format == Format::Binary;
                }
            }
            BackendMessage::Authentication(_)
            | BackendMessage::BackendKeyData { .. }
            | BackendMessage::DataRow(_)
            | BackendMessage::CopyBothResponse(_)
            | BackendMessage::CopyData(_)
            | BackendMessage::NegotiateProtocolVersion { .. }
            | BackendMessage::FunctionCallResponse(_) => return Err(unasked(message.name())),
            BackendMessage::CopyDone
            | BackendMessage::ParseComplete
            | BackendMessage::BindComplete
            | BackendMessage::CloseComplete
            | BackendMessage::NoData
            | BackendMessage::ParameterDescription(_) => {}
        }
        if answer.ends {
            self.finished(answer.ticket, true);
        }
        self.over(kind);
        batch.release.pass(message.bytes());
        Ok(())
    }

    /// An error: of the target's, or of the failing text that stands for a refusal.
    fn failed(&mut self, fields: &ErrorFields, answer: &Reply, batch: &mut Batch) {
        let refusal = answer.ticket.and_then(|ticket| self.operations.get(ticket)).and_then(Operation::refusal);
        let (shown, kind) = match refusal.filter(|_| !fields.severity.ends_session()) {
            Some(refusal) => (refusal_fields(refusal), OutcomeKind::Refused),
            None => (self.shown(fields, answer), OutcomeKind::Failed),
        };
        self.undone = true;
        self.chosen.failed();
        self.uncommitted.failed(self.on_transaction(answer));
        if fields.severity.ends_session() && answer.ticket.is_some() {
            // What is in flight could be a commit, which the target may have done before it ended.
            self.uncommitted.settled();
        }
        self.unfinished(answer.ticket, kind, Some(shown.sqlstate), batch);
        let settling = self.operations.iter().any(|operation| matches!(operation, Operation::Settle));
        self.segment.failed(answer.ticket, settling);
        for skipped in &answer.skipped {
            self.unfinished(Some(*skipped), OutcomeKind::Skipped, None, batch);
            self.finished(Some(*skipped), false);
        }
        batch.release.put(&backend::error_response(&shown));
        if answer.ends {
            self.finished(answer.ticket, false);
        }
    }

    fn unfinished(&mut self, ticket: Option<u64>, kind: OutcomeKind, sqlstate: Option<SqlState>, batch: &mut Batch) {
        if let Some(operation) = ticket.and_then(|ticket| self.operations.get_mut(ticket)) {
            let outcomes = operation.unfinished(kind, sqlstate);
            batch.events.extend(outcomes.into_iter().map(EventBody::Outcome));
        }
    }

    fn is_settling(&self, answer: &Reply) -> bool {
        let operation = answer.ticket.and_then(|ticket| self.operations.get(ticket));
        matches!(operation, Some(Operation::Settle))
    }

    fn on_transaction(&self, answer: &Reply) -> OnTransaction {
        let operation = answer.ticket.and_then(|ticket| self.operations.get(ticket));
        operation.map_or(OnTransaction::Nothing, Operation::on_transaction)
    }

    /// What the client gets of a diagnostic of the target's.
    fn shown(&self, fields: &ErrorFields, answer: &Reply) -> ErrorFields {
        let exposure = if self.detected_in(fields) { Exposure::Withheld } else { self.exposure(answer) };
        released(fields, exposure)
    }

    fn exposure(&self, answer: &Reply) -> Exposure {
        if self.deferred_triggers {
            return Exposure::WithheldUntilCommit;
        }
        // A message that belongs to nothing in flight (a warning of the server's) could be of any trigger's making.
        answer.ticket.and_then(|ticket| self.operations.get(ticket)).map_or(Exposure::Withheld, Operation::exposure)
    }

    /// The second net: a protected column in a result, under its own name and unmasked, ends the session.
    fn check_origins(&self, fields: &[wire::postgres::backend::FieldDescription<'_>]) -> Result<(), Ending> {
        let bare = |field: &&wire::postgres::backend::FieldDescription<'_>| {
            self.access.must_be_masked(field.table_oid, field.column)
        };
        match fields.iter().find(bare) {
            None => Ok(()),
            Some(field) => {
                tracing::error!(table = field.table_oid, column = field.column, "a protected column came unmasked");
                Err(Ending::told(
                    CloseReason::MaskingViolation,
                    SqlState::INSUFFICIENT_PRIVILEGE,
                    "a protected column would have been returned unmasked; the session ends. This is a defect of the \
                     relay: please report it",
                ))
            }
        }
    }

    fn over(&mut self, kind: Incoming) {
        if kind == Incoming::ReadyForQuery(TransactionStatus::Idle) {
            self.transaction_over();
        }
    }

    fn completed(&mut self, answer: &Reply, tag: Option<&str>, batch: &mut Batch) {
        self.note_deferred(answer);
        let on = self.on_transaction(answer);
        if let Some(tag) = tag {
            let effects = answer.ticket.and_then(|ticket| self.operations.get(ticket)).and_then(Operation::effects);
            self.chosen.completed(effects, tag);
        }
        match tag {
            Some("ROLLBACK") => {
                self.undone = true;
                self.portals_undone();
                match on {
                    OnTransaction::UndoesPart => self.own.partly_undone(),
                    _ => self.own.undone(),
                }
            }
            Some("COMMIT") => {
                self.undone = false;
                self.names_committed();
            }
            _ => {}
        }
        if let Some(execution) = self.execution(answer)
            && execution.statement != 0
        {
            let number = execution.execution;
            let outcome = match tag {
                Some(tag) => execution.completed(tag),
                None => execution.ended(OutcomeKind::Completed, None),
            };
            batch.events.push(EventBody::Outcome(outcome));
            let undone = tag.and_then(|tag| self.uncommitted.completed(number, tag, on));
            batch.events.extend(undone.map(EventBody::RolledBack));
        }
        if let Some(operation) = answer.ticket.and_then(|ticket| self.operations.get_mut(ticket)) {
            operation.next_statement();
        }
    }

    fn suspended(&mut self, answer: &Reply, batch: &mut Batch) {
        self.note_deferred(answer);
        if let Some(execution) = self.execution(answer) {
            let number = execution.execution;
            batch.events.push(EventBody::Outcome(execution.ended(OutcomeKind::Suspended, None)));
            self.uncommitted.done(number);
        }
    }

    /// What a trigger says at commit comes as the answer to whatever is last in the transaction.
    fn note_deferred(&mut self, answer: &Reply) {
        let exposure = self.execution(answer).map(|execution| execution.exposure);
        self.deferred_triggers |= exposure == Some(Exposure::WithheldUntilCommit);
    }

    pub(super) fn execution(&mut self, answer: &Reply) -> Option<&mut super::operation::Execution> {
        self.operations.get_mut(answer.ticket?)?.execution()
    }

    fn ready(&mut self, status: TransactionStatus, batch: &mut Batch) {
        batch.events.extend(self.uncommitted.ready(status).map(EventBody::RolledBack));
        self.chosen.ready(status);
        self.transaction = status;
        // A long statement is no idleness.
        self.last_request = tokio::time::Instant::now();
        if self.conversation.is_idle() {
            self.copied_ahead = 0;
        }
        if status == TransactionStatus::Idle {
            self.deferred_triggers = false;
        }
    }

    /// A message has its last reply: what it changed is confirmed, or did not happen.
    pub(super) fn finished(&mut self, ticket: Option<u64>, done: bool) {
        let Some(ticket) = ticket else { return };
        match self.operations.remove(ticket) {
            Some(Operation::Parse { name, held, .. }) => {
                self.prepared.answered(&name, ticket, done);
                if let Some(source) = held.filter(|_| done) {
                    let _ = source.read_with.set(self.reading.clone());
                }
            }
            Some(Operation::CloseStatement(name)) => self.prepared.answered(&name, ticket, done),
            Some(Operation::Bind { portal: name, .. } | Operation::ClosePortal(name)) => {
                self.portals.answered(&name, ticket, done);
            }
            Some(Operation::Query { effects, failed, .. }) => {
                // A simple query takes the unnamed statement with it.
                self.prepared.forget("");
                self.declared(ticket, &effects, failed.is_none());
                self.took_effect(&effects, failed);
            }
            Some(Operation::Execute { effects, .. }) => {
                self.declared(ticket, &effects, done);
                // Its transaction ends later, so one that failed did nothing.
                self.took_effect(&effects, (!done).then_some(0));
            }
            _ => {}
        }
    }

    /// A failed text may have changed the catalog before it failed. What it prepared or deallocated no transaction undoes,
    /// also where that fails at its end. A name that the session knows must be one that the target has: else a `PREPARE` that
    /// is said to have failed, and did not, gives it another meaning.
    fn took_effect(&mut self, effects: &[Effects], failed: Option<usize>) {
        for (index, effect) in effects.iter().enumerate() {
            self.catalog_changed |= effect.changes_catalog;
            // `DISCARD ALL` refuses wherever something could fail behind it.
            let refused = failed == Some(index + 1) && effect.resets_settings;
            if failed.is_none_or(|ran| index < ran) && !refused {
                match &effect.ends_prepared {
                    EndsPrepared::None => {}
                    EndsPrepared::Named(name) => self.prepared.forget(name),
                    EndsPrepared::All => self.prepared.forget_all(),
                }
            }
            if failed.is_some() {
                continue;
            }
            self.own.took_effect(effect);
            if effect.closes_portals {
                self.portals.forget_all();
            }
            match &effect.reason {
                ReasonChange::None => {}
                ReasonChange::Set(reason) => self.reason = Some(reason.clone()).filter(|reason| !reason.is_empty()),
                ReasonChange::Reset => self.reason.clone_from(&self.first_reason),
            }
        }
    }
}

/// The target must keep what the relay pinned: otherwise it may read a statement otherwise than the relay did.
fn check_pinned(name: &str, value: &str) -> Result<(), Ending> {
    let expected = match name {
        "client_encoding" => "UTF8",
        "standard_conforming_strings" => "on",
        _ => return Ok(()),
    };
    if value == expected {
        return Ok(());
    }
    tracing::error!(setting = name, "a pinned setting changed at the target");
    let text = format!("the target changed {name}, which the relay pins; the session ends");
    Err(Ending::told(CloseReason::ProtocolViolation, SqlState::PROTOCOL_VIOLATION, &text))
}

pub(super) fn unasked(message: &str) -> Ending {
    let text = format!("the target sent {message}, which nothing here asks for; the session ends");
    Ending::told(CloseReason::ProtocolViolation, SqlState::PROTOCOL_VIOLATION, &text)
}

pub(super) fn broken(error: &dyn std::fmt::Display) -> Ending {
    tracing::error!(%error, "the target broke the protocol");
    Ending::told(
        CloseReason::ProtocolViolation,
        SqlState::PROTOCOL_VIOLATION,
        "the target broke the protocol; the session ends",
    )
}
