//! COPY data: passed on as they come, each piece on record first, and counted for the one statement that they belong to.

use bytes::Bytes;
use wire::postgres::Piece;
use wire::postgres::conversation::{FrontendOp, Incoming, OpKind, Reply};

use crate::policy::{Control, Copies, Permit};

use super::replies::unasked;
use super::requests::impossible;
use super::{Ending, Session};

impl Session {
    /// `CopyData`, `CopyDone` or `CopyFail` from the client, in or out of place: the target drops what no COPY takes.
    pub(super) fn copy_message(&mut self, kind: OpKind, client: Bytes, data: usize) -> Result<Permit, Ending> {
        self.count_copied(data);
        self.numbers.ticket += 1;
        let op = FrontendOp { kind, ticket: self.numbers.ticket };
        self.conversation.on_frontend(op).map_err(|error| impossible(&error))?;
        Ok(Permit::control(Control::Copy, client))
    }

    /// A part of a long `CopyData`. Once its beginning is sent the rest has to follow, whatever comes of the COPY.
    pub(super) fn copy_piece(&mut self, piece: &Piece) -> Result<Permit, Ending> {
        if piece.first {
            return self.copy_message(OpKind::CopyData, piece.bytes.clone(), piece.bytes.len());
        }
        self.count_copied(piece.bytes.len());
        Ok(Permit::control(Control::Copy, piece.bytes.clone()))
    }

    fn count_copied(&mut self, data: usize) {
        let data = u64::try_from(data).unwrap_or(u64::MAX);
        let taker = self.conversation.copying_in().and_then(|ticket| self.operations.get_mut(ticket));
        match taker.and_then(|operation| operation.execution()) {
            Some(execution) => execution.received = execution.received.saturating_add(data),
            None => self.copied_ahead = self.copied_ahead.saturating_add(data),
        }
    }

    /// The target begins a COPY: only where that was decided on, and in that direction.
    pub(super) fn copy_begins(&mut self, way: Copies, message: &str, answer: &Reply) -> Result<(), Ending> {
        let ahead = std::mem::take(&mut self.copied_ahead);
        match self.execution(answer) {
            Some(execution) if execution.copies == way => {
                execution.received = execution.received.saturating_add(if way == Copies::In { ahead } else { 0 });
                Ok(())
            }
            _ => Err(unasked(message)),
        }
    }

    /// `Sync` that libpq sends behind the `Execute` of a COPY, before it knows of the COPY: the target dropped it.
    /// What an error skips is told with the error.
    pub(super) fn dropped_syncs(&mut self, kind: Incoming, answer: &Reply) {
        if matches!(kind, Incoming::Error { .. }) {
            return;
        }
        for ticket in &answer.skipped {
            self.finished(Some(*ticket), false);
            self.segment.rejoin(*ticket);
        }
    }
}
