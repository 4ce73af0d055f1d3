//! From a recording to something a person can read: what was asked with which parameters, and what came back.
//!
//! Requests are told in the order in which the server took them up, each with its own answer, also where a client
//! sent many at once. Names of statements and portals are resolved as the server knew them at that moment: a `Parse`
//! that failed never lends its text to a later `Execute`. A recording may end anywhere.

mod entry;
mod gathered;
mod request;
mod safe_text;
mod server;
mod values;

pub use entry::{Diagnostic, Entry, Parameter};
pub use gathered::{Column, CopyPiece, Table};
pub use values::{render, type_name};

use super::backend::{BackendMessage, TransactionStatus};
use super::conversation::{Conversation, ConversationError, FrontendOp, Incoming, OpKind, Reply};
use super::direction::{Backend, Frontend, Side};
use super::frontend::FrontendMessage;
use super::limits;
use super::message::{HEADER, RawMessage};
use super::{Deframer, Error, Piece};
use gathered::{Copying, Rows};
use request::Request;
use server::Server;
use std::collections::BTreeMap;

/// Reads a recorded session, piece by piece.
#[derive(Debug, Default)]
pub struct Transcript {
    frontend: Deframer<Frontend>,
    backend: Deframer<Backend>,
    /// Bytes that could not be read because an earlier one of that side could not.
    unread: [Option<u64>; 2],
    conversation: Conversation,
    requests: BTreeMap<u64, Request>,
    next_ticket: u64,
    server: Server,
    rows: Rows,
    copy_in: Copying,
    copy_out: Copying,
    status: Option<TransactionStatus>,
    entries: Vec<Entry>,
}

impl Transcript {
    /// A transcript of nothing yet. The recording may begin with the start of the session or behind it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds recorded bytes of one side and gives what can be told by now.
    pub fn feed(&mut self, side: Side, bytes: &[u8]) -> Vec<Entry> {
        if let Some(unread) = self.unread_of(side) {
            *unread = unread.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
            return Vec::new();
        }
        let result = match side {
            Side::Frontend => self.feed_frontend(bytes),
            Side::Backend => self.feed_backend(bytes),
        };
        if let Err(error) = result {
            self.entries.push(Entry::Unreadable { side, reason: error.to_string() });
            let left = match side {
                Side::Frontend => self.frontend.buffered(),
                Side::Backend => self.backend.buffered(),
            };
            *self.unread_slot(side) = Some(u64::try_from(left).unwrap_or(u64::MAX));
        }
        std::mem::take(&mut self.entries)
    }

    /// The recording has a hole here (a chunk is missing): tells what was under way, and reads on as if a new piece
    /// of the session began with a whole message.
    pub fn gap(&mut self) -> Vec<Entry> {
        self.wind_up();
        let entries = std::mem::take(&mut self.entries);
        *self = Self { next_ticket: self.next_ticket, ..Self::default() };
        entries
    }

    /// The recording ends: tells what was under way.
    #[must_use]
    pub fn finish(mut self) -> Vec<Entry> {
        self.wind_up();
        self.entries
    }

    fn feed_frontend(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.frontend.push(bytes);
        loop {
            if let Some(piece) = self.frontend.next_piece(limits::FRONTEND_MAX)? {
                self.asked_long(&piece);
            } else if let Some(message) = self.frontend.next()? {
                self.asked(&message);
            } else {
                return Ok(());
            }
        }
    }

    fn feed_backend(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.backend.push(bytes);
        loop {
            if let Some(piece) = self.backend.next_piece(limits::BACKEND_MAX)? {
                self.answered_long(&piece);
            } else if let Some(message) = self.backend.next()? {
                self.answered(&message);
            } else {
                return Ok(());
            }
        }
    }

    /// COPY data of such a length may begin and end anywhere, so each piece of it is told as it comes.
    fn asked_long(&mut self, piece: &Piece) {
        if piece.first {
            let op = FrontendOp { kind: OpKind::CopyData, ticket: self.next_ticket };
            self.next_ticket += 1;
            if let Err(error) = self.conversation.on_frontend(op) {
                self.out_of_step(error);
            }
        }
        let told = self.copy_in.add(without_header(piece));
        self.entries.extend(told.map(|piece| Entry::Copy { side: Side::Frontend, piece }));
    }

    /// A row of such a length is told as one that is too long to be shown.
    fn answered_long(&mut self, piece: &Piece) {
        let row = piece.tag == b'D';
        if piece.first {
            let message = if row { Incoming::DataRow } else { Incoming::CopyData };
            if let Err(error) = self.conversation.on_backend(message) {
                self.out_of_step(error);
            }
        }
        if row && piece.first {
            let reason = "a row that is too long to be shown".to_owned();
            self.entries.push(Entry::Unreadable { side: Side::Backend, reason });
        } else if !row {
            let told = self.copy_out.add(without_header(piece));
            self.entries.extend(told.map(|piece| Entry::Copy { side: Side::Backend, piece }));
        }
    }

    fn asked(&mut self, message: &RawMessage<Frontend>) {
        let decoded = match FrontendMessage::decode(message) {
            Ok(decoded) => decoded,
            Err(error) => return self.unreadable(Side::Frontend, error),
        };
        // Passwords and tokens are not told, and are no part of the conversation.
        let Some(kind) = OpKind::of(&decoded) else { return };
        if let FrontendMessage::CopyData(data) = decoded {
            self.entries.extend(self.copy_in.add(data).map(|piece| Entry::Copy { side: Side::Frontend, piece }));
        }
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        if let Some(request) = Request::of(&decoded) {
            self.requests.insert(ticket, request);
        }
        let sent = self.conversation.on_frontend(FrontendOp { kind, ticket });
        match sent {
            Ok(super::conversation::Sent::Skipped) => self.skip(&[ticket]),
            Ok(_) => {}
            Err(error) => self.out_of_step(error),
        }
    }

    fn answered(&mut self, message: &RawMessage<Backend>) {
        let decoded = match BackendMessage::decode(message) {
            Ok(decoded) => decoded,
            Err(error) => return self.unreadable(Side::Backend, error),
        };
        if let BackendMessage::ReadyForQuery(status) = decoded
            && self.status.is_none()
            && self.conversation.is_idle()
        {
            // The first of the session, which nobody asked for.
            self.status = Some(status);
            return;
        }
        if is_before_conversation(&decoded) {
            return;
        }
        let reply = self.conversation.on_backend(&decoded).unwrap_or_else(|error| {
            self.out_of_step(error);
            Reply::default()
        });
        self.announce(&reply, &decoded);
        self.tell(&reply, &decoded);
        self.skip(&reply.skipped);
        if let Some(ticket) = reply.ticket.filter(|_| reply.ends) {
            self.requests.remove(&ticket);
        }
    }

    /// Tells a request when its answer begins.
    fn announce(&mut self, reply: &Reply, message: &BackendMessage<'_>) {
        let Some(request) = reply.ticket.and_then(|ticket| self.requests.get_mut(&ticket)) else { return };
        let failed = matches!(message, BackendMessage::ErrorResponse(_));
        if let Some(entry) = request.announce(&self.server, failed) {
            self.entries.push(entry);
        }
    }

    fn tell(&mut self, reply: &Reply, message: &BackendMessage<'_>) {
        let request = reply.ticket.and_then(|ticket| self.requests.get(&ticket));
        match message {
            BackendMessage::ParseComplete | BackendMessage::BindComplete | BackendMessage::CloseComplete => {
                if let Some(request) = request {
                    self.server.took(request);
                }
            }
            BackendMessage::ParameterDescription(types) => self.server.described_parameters(request, types),
            BackendMessage::RowDescription(fields) => {
                let columns: Vec<Column> = fields.iter().map(Column::of).collect();
                if !self.server.described_columns(request, &columns) {
                    self.end_rows();
                    self.rows.begin(columns);
                }
            }
            BackendMessage::DataRow(row) => {
                if let Some(Request::Execute { portal, .. }) = request {
                    self.rows.begin_once(|| self.server.columns_of(portal));
                }
                self.entries.extend(self.rows.add(*row).map(Entry::Table));
            }
            BackendMessage::CopyInResponse(copy) => self.copy_in.begin(copy.format),
            BackendMessage::CopyOutResponse(copy) => self.copy_out.begin(copy.format),
            BackendMessage::CopyData(data) => {
                let piece = self.copy_out.add(data);
                self.entries.extend(piece.map(|piece| Entry::Copy { side: Side::Backend, piece }));
            }
            _ => {
                self.tell_end(message);
            }
        }
    }

    /// Messages that end something, or stand for themselves.
    fn tell_end(&mut self, message: &BackendMessage<'_>) {
        let entry = match message {
            BackendMessage::CommandComplete { tag } => Entry::Complete { tag: (*tag).to_owned() },
            BackendMessage::PortalSuspended => Entry::Suspended,
            BackendMessage::EmptyQueryResponse => Entry::EmptyQuery,
            BackendMessage::ErrorResponse(fields) => Entry::Error(Diagnostic::of(fields)),
            BackendMessage::NoticeResponse(fields) => {
                // A notice may come between rows; the table goes on behind it.
                return self.entries.push(Entry::Notice(Diagnostic::of(fields)));
            }
            BackendMessage::FunctionCallResponse(value) => {
                Entry::FunctionResult { value: value.map(|value| render(0, super::Format::Binary, value)) }
            }
            BackendMessage::ParameterStatus { name, value } => {
                return self.entries.push(Entry::Setting { name: (*name).to_owned(), value: (*value).to_owned() });
            }
            BackendMessage::NotificationResponse { channel, payload, .. } => {
                let (channel, payload) = ((*channel).to_owned(), (*payload).to_owned());
                return self.entries.push(Entry::Notification { channel, payload });
            }
            BackendMessage::ReadyForQuery(status) => {
                let before = self.status.replace(*status);
                if before.is_none_or(|before| before == *status) {
                    return;
                }
                Entry::Transaction(*status)
            }
            _ => return,
        };
        match message {
            BackendMessage::CommandComplete { tag } => self.entries.extend(self.rows.complete(tag).map(Entry::Table)),
            _ => self.end_rows(),
        }
        self.end_copies();
        self.entries.push(entry);
    }

    fn end_rows(&mut self) {
        self.entries.extend(self.rows.end().map(Entry::Table));
    }

    fn end_copies(&mut self) {
        for (side, copying) in [(Side::Frontend, &mut self.copy_in), (Side::Backend, &mut self.copy_out)] {
            self.entries.extend(copying.end().map(|piece| Entry::Copy { side, piece }));
        }
    }

    fn skip(&mut self, tickets: &[u64]) {
        for request in tickets.iter().filter_map(|ticket| self.requests.remove(ticket)) {
            self.entries.extend(request.summary(&self.server).map(|request| Entry::Skipped { request }));
        }
    }

    fn unreadable(&mut self, side: Side, error: Error) {
        self.entries.push(Entry::Unreadable { side, reason: error.to_string() });
    }

    /// Replies can no longer be given to requests; from the next request on they can again.
    fn out_of_step(&mut self, error: ConversationError) {
        self.entries.push(Entry::OutOfStep { reason: error.to_string() });
        self.leave_unanswered();
        self.conversation = Conversation::new();
    }

    fn leave_unanswered(&mut self) {
        for (_, request) in std::mem::take(&mut self.requests) {
            self.entries.extend(request.summary(&self.server).map(|request| Entry::Unanswered { request }));
        }
    }

    fn wind_up(&mut self) {
        self.end_rows();
        self.end_copies();
        self.leave_unanswered();
        for (side, buffered) in [(Side::Frontend, self.frontend.buffered()), (Side::Backend, self.backend.buffered())] {
            let buffered = u64::try_from(buffered).unwrap_or(u64::MAX);
            let bytes = self.unread_slot(side).unwrap_or(buffered);
            if bytes > 0 {
                self.entries.push(Entry::CutOff { side, bytes });
            }
        }
    }

    fn unread_of(&mut self, side: Side) -> Option<&mut u64> {
        self.unread_slot(side).as_mut()
    }

    fn unread_slot(&mut self, side: Side) -> &mut Option<u64> {
        let [frontend, backend] = &mut self.unread;
        match side {
            Side::Frontend => frontend,
            Side::Backend => backend,
        }
    }
}

fn is_before_conversation(message: &BackendMessage<'_>) -> bool {
    matches!(
        message,
        BackendMessage::Authentication(_)
            | BackendMessage::BackendKeyData { .. }
            | BackendMessage::NegotiateProtocolVersion { .. }
    )
}

/// The data of a piece.
fn without_header(piece: &Piece) -> &[u8] {
    piece.bytes.get(if piece.first { HEADER } else { 0 }..).unwrap_or_default()
}

#[cfg(test)]
mod tests;
