//! What a backend sends, as far as attribution needs it.

use crate::postgres::backend::{BackendMessage, TransactionStatus};
use crate::postgres::direction::Backend;
use crate::postgres::error::Error;
use crate::postgres::limits;
use crate::postgres::message::MessageRef;

/// Kind of a backend message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Incoming {
    /// `ParseComplete`
    ParseComplete,
    /// `BindComplete`
    BindComplete,
    /// `CloseComplete`
    CloseComplete,
    /// `ParameterDescription`
    ParameterDescription,
    /// `RowDescription`
    RowDescription,
    /// `NoData`
    NoData,
    /// `DataRow`
    DataRow,
    /// `CommandComplete`
    CommandComplete,
    /// `EmptyQueryResponse`
    EmptyQueryResponse,
    /// `PortalSuspended`
    PortalSuspended,
    /// `CopyInResponse`
    CopyInResponse,
    /// `CopyOutResponse`
    CopyOutResponse,
    /// `CopyData`
    CopyData,
    /// `CopyDone`
    CopyDone,
    /// `FunctionCallResponse`
    FunctionCallResponse,
    /// `ReadyForQuery`
    ReadyForQuery(TransactionStatus),
    /// `ErrorResponse`
    Error {
        /// True for FATAL and PANIC, after which the connection ends.
        ends_session: bool,
    },
    /// `NoticeResponse`
    Notice,
    /// `ParameterStatus`
    ParameterStatus,
    /// `NotificationResponse`
    Notification,
    /// What has no place in a conversation: authentication, key data, version negotiation, `CopyBothResponse`
    /// (replication). Its type byte.
    Other(u8),
}

impl Incoming {
    /// The kind of a message, without reading rows and other bodies: only `ReadyForQuery` and `ErrorResponse` are
    /// looked into.
    ///
    /// # Errors
    /// [`Error`] if one of those two is malformed.
    pub fn of<'a>(message: impl Into<MessageRef<'a, Backend>>) -> Result<Self, Error> {
        let message = message.into();
        Ok(match message.tag() {
            b'1' => Self::ParseComplete,
            b'2' => Self::BindComplete,
            b'3' => Self::CloseComplete,
            b't' => Self::ParameterDescription,
            b'T' => Self::RowDescription,
            b'n' => Self::NoData,
            b'D' => Self::DataRow,
            b'C' => Self::CommandComplete,
            b'I' => Self::EmptyQueryResponse,
            b's' => Self::PortalSuspended,
            b'G' => Self::CopyInResponse,
            b'H' => Self::CopyOutResponse,
            b'd' => Self::CopyData,
            b'c' => Self::CopyDone,
            b'V' => Self::FunctionCallResponse,
            b'N' => Self::Notice,
            b'S' => Self::ParameterStatus,
            b'A' => Self::Notification,
            b'Z' | b'E' => Self::from(&BackendMessage::decode(message)?),
            tag => Self::Other(tag),
        })
    }

    /// Name in the PostgreSQL documentation.
    #[must_use]
    pub fn name(self) -> &'static str {
        let tag = match self {
            Self::ParseComplete => b'1',
            Self::BindComplete => b'2',
            Self::CloseComplete => b'3',
            Self::ParameterDescription => b't',
            Self::RowDescription => b'T',
            Self::NoData => b'n',
            Self::DataRow => b'D',
            Self::CommandComplete => b'C',
            Self::EmptyQueryResponse => b'I',
            Self::PortalSuspended => b's',
            Self::CopyInResponse => b'G',
            Self::CopyOutResponse => b'H',
            Self::CopyData => b'd',
            Self::CopyDone => b'c',
            Self::FunctionCallResponse => b'V',
            Self::ReadyForQuery(_) => b'Z',
            Self::Error { .. } => b'E',
            Self::Notice => b'N',
            Self::ParameterStatus => b'S',
            Self::Notification => b'A',
            Self::Other(tag) => tag,
        };
        limits::backend(tag).map_or("message", |bounds| bounds.name)
    }
}

impl From<&BackendMessage<'_>> for Incoming {
    fn from(message: &BackendMessage<'_>) -> Self {
        match message {
            BackendMessage::ParseComplete => Self::ParseComplete,
            BackendMessage::BindComplete => Self::BindComplete,
            BackendMessage::CloseComplete => Self::CloseComplete,
            BackendMessage::ParameterDescription(_) => Self::ParameterDescription,
            BackendMessage::RowDescription(_) => Self::RowDescription,
            BackendMessage::NoData => Self::NoData,
            BackendMessage::DataRow(_) => Self::DataRow,
            BackendMessage::CommandComplete { .. } => Self::CommandComplete,
            BackendMessage::EmptyQueryResponse => Self::EmptyQueryResponse,
            BackendMessage::PortalSuspended => Self::PortalSuspended,
            BackendMessage::CopyInResponse(_) => Self::CopyInResponse,
            BackendMessage::CopyOutResponse(_) => Self::CopyOutResponse,
            BackendMessage::CopyData(_) => Self::CopyData,
            BackendMessage::CopyDone => Self::CopyDone,
            BackendMessage::FunctionCallResponse(_) => Self::FunctionCallResponse,
            BackendMessage::ReadyForQuery(status) => Self::ReadyForQuery(*status),
            BackendMessage::ErrorResponse(fields) => Self::Error { ends_session: fields.severity.ends_session() },
            BackendMessage::NoticeResponse(_) => Self::Notice,
            BackendMessage::ParameterStatus { .. } => Self::ParameterStatus,
            BackendMessage::NotificationResponse { .. } => Self::Notification,
            BackendMessage::Authentication(_) => Self::Other(b'R'),
            BackendMessage::BackendKeyData { .. } => Self::Other(b'K'),
            BackendMessage::CopyBothResponse(_) => Self::Other(b'W'),
            BackendMessage::NegotiateProtocolVersion { .. } => Self::Other(b'v'),
        }
    }
}
