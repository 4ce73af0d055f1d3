//! What a backend message means.

use super::operation::OpKind;
use crate::postgres::backend::TransactionStatus;

/// Whose a backend message is, and what it ends.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reply {
    /// Ticket of the request it answers; `None` for what comes unasked (settings, notifications, a notice or fatal
    /// error while nothing is awaited).
    pub ticket: Option<u64>,
    /// Which statement of that request it belongs to, from 0: a `Query` may hold several, all else holds one.
    /// Counted in statements of the text as PostgreSQL's parser sees them, without empty ones.
    ///
    /// Behind the last statement (`ReadyForQuery`) it is the number of statements done. An error in the text's
    /// syntax comes at statement 0, wherever in the text it is: nothing of it was run. Outside of a transaction
    /// block, an error undoes the statements before it in the same text, though each had its `CommandComplete`.
    pub statement: u32,
    /// It ends that statement: done, failed, or suspended at the maximum of rows.
    pub ends_statement: bool,
    /// It is the last message to that request. (For `Query` and `FunctionCall` that is `ReadyForQuery`, after errors
    /// too.)
    pub ends: bool,
    /// Tickets of requests that, as is known from this message, were not run and will not be answered, in order.
    /// A `Sync` among them was dropped during a COPY.
    pub skipped: Vec<u64>,
    /// With `ReadyForQuery`: where the transaction stands.
    pub transaction: Option<TransactionStatus>,
}

/// Somebody broke the rules of the conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ConversationError {
    /// The backend sent what nobody asked for.
    #[error("the server sent {message}, which {awaiting:?} cannot be answered with")]
    Unasked {
        /// Name of the message.
        message: &'static str,
        /// What it would have to answer; `None` if nothing was asked.
        awaiting: Option<OpKind>,
    },
    /// The frontend sent something else while its COPY data were expected.
    #[error("the client sent {0:?} in the middle of COPY data")]
    DuringCopyIn(OpKind),
    /// The frontend sent something after the end of the session.
    #[error("the client sent a message after the end of the session")]
    AfterEnd,
    /// Too many requests wait. Send it again after replies were read; nothing has changed.
    #[error("more than {} requests wait for their answers", super::Conversation::PENDING_MAX)]
    TooManyPending,
}
