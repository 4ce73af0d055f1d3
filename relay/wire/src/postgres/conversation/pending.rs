//! The grammar of an answer: which messages may come next, and what they end.

use super::incoming::Incoming;
use super::operation::OpKind;

/// A request that waits for the end of its answer, or a COPY message that may belong to a COPY before it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pending {
    pub(super) kind: OpKind,
    pub(super) ticket: u64,
    /// Statements of it that are done.
    pub(super) statement: u32,
}

impl Pending {
    /// False for COPY messages, which are answered through the request they belong to.
    pub(super) fn is_answered(&self) -> bool {
        !matches!(self.kind, OpKind::CopyData | OpKind::CopyDone | OpKind::CopyFail)
    }
}

/// How far an answer has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Progress {
    /// Nothing came yet.
    #[default]
    Start,
    /// Of `Query`: at least one statement is done, and no further one has begun to answer.
    Between,
    /// Of `Describe`: the parameters came, the columns are to come.
    Described,
    /// Rows may come.
    Rows,
    /// The backend takes COPY data, and the frontend may send it.
    CopyIn,
    /// The frontend has ended its COPY data.
    CopyInDone,
    /// The backend sends COPY data.
    CopyOut,
    /// The backend has sent all COPY data.
    CopyOutDone,
    /// All came but `ReadyForQuery`.
    Answered,
    /// An error came; only `ReadyForQuery` is to come.
    Failed,
}

/// What one message does to an answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    pub(super) progress: Progress,
    pub(super) ends_statement: bool,
    pub(super) ends: bool,
}

impl OpKind {
    /// True if an error makes the backend skip until `Sync`.
    pub(super) fn is_extended(self) -> bool {
        matches!(
            self,
            Self::Parse | Self::Bind | Self::DescribeStatement | Self::DescribePortal | Self::Execute | Self::Close
        )
    }

    /// True if a COPY that reads goes on after it.
    pub(super) fn is_inside_copy(self) -> bool {
        matches!(self, Self::CopyData | Self::Sync)
    }

    /// True if `ReadyForQuery` may come now.
    pub(super) fn may_be_ready(self, progress: Progress) -> bool {
        match self {
            Self::Query => matches!(progress, Progress::Between | Progress::Answered | Progress::Failed),
            Self::FunctionCall => matches!(progress, Progress::Answered | Progress::Failed),
            Self::Sync => matches!(progress, Progress::Start | Progress::Failed),
            _ => false,
        }
    }

    /// What `message` does to an answer that has come as far as `progress`; `None` if it may not come.
    pub(super) fn step(self, progress: Progress, message: Incoming) -> Option<Step> {
        match (self, message) {
            (Self::Parse, Incoming::ParseComplete)
            | (Self::Bind, Incoming::BindComplete)
            | (Self::Close, Incoming::CloseComplete)
            | (Self::DescribePortal, Incoming::RowDescription | Incoming::NoData) => {
                (progress == Progress::Start).then_some(END)
            }
            (Self::DescribeStatement, Incoming::ParameterDescription) => {
                (progress == Progress::Start).then_some(go(Progress::Described))
            }
            (Self::DescribeStatement, Incoming::RowDescription | Incoming::NoData) => {
                (progress == Progress::Described).then_some(END)
            }
            (Self::FunctionCall, Incoming::FunctionCallResponse) => {
                (progress == Progress::Start).then_some(Step { ends_statement: true, ..go(Progress::Answered) })
            }
            (Self::Query, _) => query(progress, message),
            (Self::Execute, _) => execute(progress, message),
            _ => None,
        }
    }
}

fn query(progress: Progress, message: Incoming) -> Option<Step> {
    use Progress::{Answered, Between, CopyInDone, CopyOutDone, Rows, Start};
    match (progress, message) {
        // A rule may add a result of its own to a statement's, so a second description may follow rows.
        (Start | Between | Rows, Incoming::RowDescription) | (Rows, Incoming::DataRow) => Some(go(Rows)),
        (Start | Between | Rows | CopyInDone | CopyOutDone, Incoming::CommandComplete) => {
            Some(Step { ends_statement: true, ..go(Between) })
        }
        (Start, Incoming::EmptyQueryResponse) => Some(Step { ends_statement: true, ..go(Answered) }),
        (Start | Between, _) => copy_begins(message),
        _ => copy_goes_on(progress, message),
    }
}

fn execute(progress: Progress, message: Incoming) -> Option<Step> {
    use Progress::{CopyInDone, CopyOutDone, Rows, Start};
    match (progress, message) {
        (Start | Rows, Incoming::DataRow) => Some(go(Rows)),
        (Start | Rows | CopyInDone | CopyOutDone, Incoming::CommandComplete)
        | (Start | Rows, Incoming::PortalSuspended)
        | (Start, Incoming::EmptyQueryResponse) => Some(Step { ends_statement: true, ..END }),
        (Start, _) => copy_begins(message),
        _ => copy_goes_on(progress, message),
    }
}

fn copy_begins(message: Incoming) -> Option<Step> {
    match message {
        Incoming::CopyInResponse => Some(go(Progress::CopyIn)),
        Incoming::CopyOutResponse => Some(go(Progress::CopyOut)),
        _ => None,
    }
}

fn copy_goes_on(progress: Progress, message: Incoming) -> Option<Step> {
    match (progress, message) {
        (Progress::CopyOut, Incoming::CopyData) => Some(go(Progress::CopyOut)),
        (Progress::CopyOut, Incoming::CopyDone) => Some(go(Progress::CopyOutDone)),
        _ => None,
    }
}

const fn go(progress: Progress) -> Step {
    Step { progress, ends_statement: false, ends: false }
}

const END: Step = Step { progress: Progress::Start, ends_statement: false, ends: true };
