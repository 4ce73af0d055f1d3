//! What a frontend does.

use crate::postgres::frontend::{FrontendMessage, Target};

/// One frontend message, as far as attribution needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrontendOp {
    /// Its kind.
    pub kind: OpKind,
    /// The caller's number for it, which comes back in [`Reply`](super::Reply).
    pub ticket: u64,
}

/// Kinds of frontend messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OpKind {
    /// `Query`
    Query,
    /// `Parse`
    Parse,
    /// `Bind`
    Bind,
    /// `Describe` of a prepared statement.
    DescribeStatement,
    /// `Describe` of a portal.
    DescribePortal,
    /// `Execute`
    Execute,
    /// `Close`
    Close,
    /// `FunctionCall`
    FunctionCall,
    /// `Sync`
    Sync,
    /// `Flush`
    Flush,
    /// `CopyData`
    CopyData,
    /// `CopyDone`
    CopyDone,
    /// `CopyFail`
    CopyFail,
    /// `Terminate`
    Terminate,
}

impl OpKind {
    /// The kind of a message; `None` for what belongs to authentication.
    #[must_use]
    pub fn of(message: &FrontendMessage<'_>) -> Option<Self> {
        Some(match message {
            FrontendMessage::Query { .. } => Self::Query,
            FrontendMessage::Parse { .. } => Self::Parse,
            FrontendMessage::Bind(_) => Self::Bind,
            FrontendMessage::Describe { target: Target::Statement, .. } => Self::DescribeStatement,
            FrontendMessage::Describe { target: Target::Portal, .. } => Self::DescribePortal,
            FrontendMessage::Execute { .. } => Self::Execute,
            FrontendMessage::Close { .. } => Self::Close,
            FrontendMessage::FunctionCall(_) => Self::FunctionCall,
            FrontendMessage::Sync => Self::Sync,
            FrontendMessage::Flush => Self::Flush,
            FrontendMessage::CopyData(_) => Self::CopyData,
            FrontendMessage::CopyDone => Self::CopyDone,
            FrontendMessage::CopyFail { .. } => Self::CopyFail,
            FrontendMessage::Terminate => Self::Terminate,
            FrontendMessage::Password(_) => return None,
        })
    }
}

/// What will come of a message that is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// It will be answered, or its ticket will be among the skipped ones of some reply.
    Awaited,
    /// It is never answered by itself, and its ticket does not come back (a `Sync` during a COPY: only among the
    /// skipped ones, or if the COPY fails before it is read).
    Silent,
    /// The backend skips it, for an error came before and no `Sync` since.
    Skipped,
}
