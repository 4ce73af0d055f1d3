//! Which request a reply belongs to.
//!
//! A backend answers in the order it was asked, without saying what it answers. [`Conversation`] keeps what was
//! asked and not yet answered, and follows the rules by which PostgreSQL answers, skips and stays silent. It is one
//! connection between two `ReadyForQuery` of the start and the end; authentication comes before it.
//!
//! Sources: PostgreSQL documentation, "Message Flow": Simple Query, Extended Query, Pipelining, Function Call, COPY
//! Operations, Asynchronous Operations. What it leaves open was read off PostgreSQL 15's behaviour:
//!
//! * After an error in `Parse`, `Bind`, `Describe`, `Execute` or `Close`, everything up to the next `Sync` is
//!   skipped, `Query` and `FunctionCall` included.
//! * An error while `Sync` commits is followed by the `ReadyForQuery` of that `Sync`.
//! * While it reads COPY data, the backend drops `Sync` and `Flush` without a word (libpq sends such a `Sync`
//!   behind `Execute`, before it knows that a COPY began). Whether a COPY that failed had got as far as such a
//!   `Sync` cannot be seen; both courses are followed (see `perhaps_answered`).
//! * `CopyData`, `CopyDone` and `CopyFail` outside of a COPY are dropped without a word.

mod incoming;
mod operation;
mod pending;
mod reply;

pub use incoming::Incoming;
pub use operation::{FrontendOp, OpKind, Sent};
pub use reply::{ConversationError, Reply};

use pending::{Pending, Progress};
use std::collections::VecDeque;

/// Attributes replies to requests. Requests are named by tickets, numbers of the caller's choice.
///
/// Tell it every frontend message as it is sent to the backend, in order, and every backend message as it comes.
/// After an error of either the conversation is not to be continued, except after
/// [`ConversationError::TooManyPending`].
#[derive(Debug, Clone, Default)]
pub struct Conversation {
    /// Sent and not answered to the end, in order; the first is being answered.
    pending: VecDeque<Pending>,
    /// How far the answer to the first has come.
    progress: Progress,
    /// An error was answered and no `Sync` was sent since: the backend skips what it gets.
    skipping: bool,
    /// Tickets of `Sync` among the data of a COPY that failed. If it failed before they were read, they are answered
    /// after all: by one more `ReadyForQuery` than anybody else awaits.
    perhaps_answered: VecDeque<u64>,
    /// `Terminate` was sent, or a fatal error came.
    ended: bool,
}

impl Conversation {
    /// Most requests that may wait. Each costs a few bytes here. A server holds back 8 KiB of replies at most before
    /// it writes them, and a reply has 5 bytes, so a sender that waits for room below this number never waits for
    /// ever.
    pub const PENDING_MAX: usize = 65_536;

    /// A conversation right after the first `ReadyForQuery`.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A message is being sent to the backend.
    ///
    /// # Errors
    /// [`ConversationError::DuringCopyIn`], [`ConversationError::AfterEnd`]: the message must not be sent, the
    /// frontend broke the protocol. [`ConversationError::TooManyPending`]: not now, read replies first.
    pub fn on_frontend(&mut self, op: FrontendOp) -> Result<Sent, ConversationError> {
        if self.ended {
            return Err(ConversationError::AfterEnd);
        }
        match op.kind {
            OpKind::Terminate => {
                self.ended = true;
                Ok(Sent::Silent)
            }
            OpKind::Flush => Ok(Sent::Silent),
            _ if self.copying_in().is_some() => self.during_copy_in(op),
            OpKind::CopyData | OpKind::CopyDone | OpKind::CopyFail => self.copy_ahead(op),
            OpKind::Sync => {
                self.skipping = false;
                self.await_answer(op)
            }
            _ if self.skipping => Ok(Sent::Skipped),
            _ => self.await_answer(op),
        }
    }

    /// A message came from the backend.
    ///
    /// # Errors
    /// [`ConversationError::Unasked`]: the backend sent what nobody asked for.
    pub fn on_backend(&mut self, message: impl Into<Incoming>) -> Result<Reply, ConversationError> {
        let message = message.into();
        match message {
            Incoming::ParameterStatus | Incoming::Notification => Ok(Reply::default()),
            Incoming::Notice => Ok(self.reply()),
            Incoming::Error { ends_session: true } => Ok(self.session_ends()),
            Incoming::Error { ends_session: false } => self.fails(message),
            Incoming::ReadyForQuery(status) => {
                let mut reply = self.ready(message)?;
                reply.transaction = Some(status);
                Ok(reply)
            }
            _ => self.answers(message),
        }
    }

    /// Ticket of the request that is being answered, or will be next; `None` if nothing is awaited.
    #[must_use]
    pub fn current(&self) -> Option<u64> {
        self.pending.front().map(|pending| pending.ticket)
    }

    /// Number of requests that wait for the end of their answer.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// True if one more request may be sent.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.pending.len() < Self::PENDING_MAX
    }

    /// True if everything sent was answered.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.pending.is_empty()
    }

    /// True if the backend skips what it gets until a `Sync`.
    #[must_use]
    pub fn is_skipping(&self) -> bool {
        self.skipping
    }

    /// Ticket of the request whose COPY takes data from the frontend; only `CopyData`, `CopyDone`, `CopyFail`,
    /// `Flush` and `Sync` may be sent meanwhile.
    #[must_use]
    pub fn copying_in(&self) -> Option<u64> {
        (self.progress == Progress::CopyIn).then(|| self.current()).flatten()
    }

    /// True if the backend has to hear more before it has answered everything: COPY data, or the `Sync` without which it
    /// keeps its answers to the extended protocol.
    #[must_use]
    pub fn awaits_frontend(&self) -> bool {
        let last = self.pending.back().map(|pending| pending.kind);
        let answered = matches!(last, None | Some(OpKind::Query | OpKind::FunctionCall | OpKind::Sync));
        self.copying_in().is_some() || !answered
    }

    fn during_copy_in(&mut self, op: FrontendOp) -> Result<Sent, ConversationError> {
        match op.kind {
            OpKind::CopyData | OpKind::Sync => self.copy_ahead(op),
            OpKind::CopyDone | OpKind::CopyFail => {
                let sent = self.copy_ahead(op)?;
                self.progress = Progress::CopyInDone;
                Ok(sent)
            }
            kind => Err(ConversationError::DuringCopyIn(kind)),
        }
    }

    /// What a COPY reads, or will if a request that waits turns out to be one. It waits too, for only the outcome
    /// tells whether the COPY read it.
    fn copy_ahead(&mut self, op: FrontendOp) -> Result<Sent, ConversationError> {
        let ignored = self.skipping || self.pending.is_empty();
        let repeated = op.kind == OpKind::CopyData && self.pending.back().is_some_and(|last| last.kind == op.kind);
        if ignored || repeated {
            return Ok(Sent::Silent);
        }
        self.await_answer(op).map(|_| Sent::Silent)
    }

    fn await_answer(&mut self, op: FrontendOp) -> Result<Sent, ConversationError> {
        if !self.has_room() {
            return Err(ConversationError::TooManyPending);
        }
        self.pending.push_back(Pending { kind: op.kind, ticket: op.ticket, statement: 0 });
        Ok(Sent::Awaited)
    }

    /// Part of the answer to the first request, neither error nor `ReadyForQuery`.
    fn answers(&mut self, message: Incoming) -> Result<Reply, ConversationError> {
        let step = self.pending.front().and_then(|first| first.kind.step(self.progress, message));
        let step = step.ok_or_else(|| self.unasked(message))?;
        let mut reply = self.reply();
        reply.ends_statement = step.ends_statement;
        reply.skipped.extend(self.perhaps_answered.drain(..));
        let copied = self.progress == Progress::CopyInDone;
        self.progress = step.progress;
        if message == Incoming::CopyInResponse && !self.ahead().all(|(_, kind)| kind.is_inside_copy()) {
            self.progress = Progress::CopyInDone;
        }
        if step.ends_statement {
            if copied {
                reply.skipped.extend(self.take_copied());
            }
            if let Some(first) = self.pending.front_mut() {
                first.statement = first.statement.saturating_add(1);
            }
        }
        if step.ends {
            reply.ends = true;
            self.finish_first();
        }
        Ok(reply)
    }

    /// `ReadyForQuery`.
    fn ready(&mut self, message: Incoming) -> Result<Reply, ConversationError> {
        let awaited = self.pending.front().is_some_and(|first| first.kind.may_be_ready(self.progress));
        if awaited {
            let reply = Reply { ends: true, ..self.reply() };
            self.finish_first();
            return Ok(reply);
        }
        let ticket = self.perhaps_answered.pop_front().ok_or_else(|| self.unasked(message))?;
        self.skipping = false;
        Ok(Reply { ticket: Some(ticket), ends: true, ..Reply::default() })
    }

    /// `ErrorResponse` that leaves the session alive.
    fn fails(&mut self, message: Incoming) -> Result<Reply, ConversationError> {
        let first = self.pending.front().filter(|_| self.progress != Progress::Failed);
        let kind = first.ok_or_else(|| self.unasked(message))?.kind;
        let mut reply = Reply { ends_statement: true, ..self.reply() };
        reply.skipped.extend(self.perhaps_answered.drain(..));
        if matches!(self.progress, Progress::CopyIn | Progress::CopyInDone) {
            self.doubt_syncs();
        }
        if kind.is_extended() {
            reply.ends = true;
            self.pending.pop_front();
            self.progress = Progress::Start;
            reply.skipped.extend(self.skip_to_sync());
        } else {
            self.progress = Progress::Failed;
        }
        Ok(reply)
    }

    /// `ErrorResponse` that ends the session: nothing behind it will be answered.
    fn session_ends(&mut self) -> Reply {
        let mut reply = self.reply();
        let first = self.pending.pop_front();
        reply.ends = first.is_some();
        reply.ends_statement = first.is_some();
        reply.skipped.extend(self.perhaps_answered.drain(..));
        reply.skipped.extend(self.pending.drain(..).filter(Pending::is_answered).map(|pending| pending.ticket));
        self.progress = Progress::Start;
        self.ended = true;
        reply
    }

    /// What waits behind the first request, with its place in the queue.
    fn ahead(&self) -> impl Iterator<Item = (usize, OpKind)> {
        self.pending.iter().map(|pending| pending.kind).enumerate().skip(1)
    }

    /// A COPY succeeded: it has read everything up to `CopyDone`. Gives tickets of the `Sync` it dropped.
    fn take_copied(&mut self) -> Vec<u64> {
        let mut dropped = Vec::new();
        while let Some(next) = self.pending.remove(1) {
            match next.kind {
                OpKind::Sync => dropped.push(next.ticket),
                OpKind::CopyData => {}
                _ => break,
            }
        }
        dropped
    }

    /// A COPY failed: nobody knows how much it read. `Sync` among its data were probably dropped.
    fn doubt_syncs(&mut self) {
        let data = self.ahead().take_while(|(_, kind)| kind.is_inside_copy()).count();
        let mut place = 0;
        let perhaps_answered = &mut self.perhaps_answered;
        self.pending.retain(|pending| {
            let doubtful = (1..=data).contains(&place) && pending.kind == OpKind::Sync;
            if doubtful {
                perhaps_answered.push_back(pending.ticket);
            }
            place += 1;
            !doubtful
        });
    }

    /// Drops what the backend skips after an error. Gives the tickets of what would have been answered.
    fn skip_to_sync(&mut self) -> Vec<u64> {
        let sync = self.pending.iter().position(|pending| pending.kind == OpKind::Sync);
        self.skipping = sync.is_none();
        let skipped = self.pending.drain(..sync.unwrap_or(self.pending.len()));
        skipped.filter(Pending::is_answered).map(|pending| pending.ticket).collect()
    }

    /// The first request is answered; COPY messages behind it that found no COPY were dropped by the backend.
    fn finish_first(&mut self) {
        self.pending.pop_front();
        self.progress = Progress::Start;
        while self.pending.front().is_some_and(|pending| !pending.is_answered()) {
            self.pending.pop_front();
        }
    }

    /// A reply to the first request.
    fn reply(&self) -> Reply {
        self.pending.front().map_or_else(Reply::default, |first| Reply {
            ticket: Some(first.ticket),
            statement: first.statement,
            ..Reply::default()
        })
    }

    fn unasked(&self, message: Incoming) -> ConversationError {
        ConversationError::Unasked { message: message.name(), awaiting: self.pending.front().map(|first| first.kind) }
    }
}

#[cfg(test)]
mod tests;
