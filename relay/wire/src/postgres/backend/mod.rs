//! What a backend says.
//!
//! Source: PostgreSQL documentation, "Message Formats", the messages marked (B).

mod decode;
mod encode;
mod row;

pub use encode::{authentication_cleartext_password, authentication_ok, authentication_sasl, backend_key_data};
pub use encode::{command_complete, data_row, error_response, negotiate_protocol_version, notice_response};
pub use encode::{parameter_status, ready_for_query};
pub use row::{Columns, DataRow};

use super::error_fields::ErrorFields;
use super::format::Format;
use std::fmt;

/// One backend message, borrowed from its bytes.
///
/// `Debug` shows kinds and sizes; rows, COPY data, notifications and error texts are never in it.
#[derive(Clone, PartialEq, Eq)]
pub enum BackendMessage<'a> {
    /// `Authentication…`: where authentication stands.
    Authentication(Authentication<'a>),
    /// `ParameterStatus`: a setting's value, at the start and whenever it changes.
    ParameterStatus {
        /// Its name.
        name: &'a str,
        /// Its value.
        value: &'a str,
    },
    /// `BackendKeyData`: what a `CancelRequest` must name.
    BackendKeyData {
        /// Process id.
        process_id: i32,
        /// Secret key: 4 bytes in protocol 3.0, 4 to 256 since 3.2.
        secret: &'a [u8],
    },
    /// `ReadyForQuery`: a new query or series may begin.
    ReadyForQuery(TransactionStatus),
    /// `RowDescription`: the columns of the rows that follow.
    RowDescription(Vec<FieldDescription<'a>>),
    /// `DataRow`: one row.
    DataRow(DataRow<'a>),
    /// `CommandComplete`: one statement is done.
    CommandComplete {
        /// What it did, e.g. `SELECT 5`.
        tag: &'a str,
    },
    /// `ErrorResponse`.
    ErrorResponse(Box<ErrorFields>),
    /// `NoticeResponse`.
    NoticeResponse(Box<ErrorFields>),
    /// `ParseComplete`
    ParseComplete,
    /// `BindComplete`
    BindComplete,
    /// `CloseComplete`
    CloseComplete,
    /// `NoData`: what was described returns no rows.
    NoData,
    /// `ParameterDescription`: OIDs of the types of a statement's parameters.
    ParameterDescription(Vec<u32>),
    /// `PortalSuspended`: `Execute` stopped at its maximum of rows.
    PortalSuspended,
    /// `EmptyQueryResponse`: the query text held no statement.
    EmptyQueryResponse,
    /// `CopyInResponse`: the backend is ready to take COPY data.
    CopyInResponse(CopyResponse),
    /// `CopyOutResponse`: COPY data follows.
    CopyOutResponse(CopyResponse),
    /// `CopyBothResponse`: COPY data both ways (replication).
    CopyBothResponse(CopyResponse),
    /// `CopyData`: a piece of a COPY stream; from a PostgreSQL server always one row.
    CopyData(&'a [u8]),
    /// `CopyDone`: end of a COPY stream.
    CopyDone,
    /// `NotificationResponse`: a `NOTIFY` of some session.
    NotificationResponse {
        /// Process id of the session that notified.
        process_id: i32,
        /// The channel.
        channel: &'a str,
        /// The payload.
        payload: &'a str,
    },
    /// `NegotiateProtocolVersion`: the backend speaks less than was asked for.
    NegotiateProtocolVersion {
        /// Newest version it speaks, as the server wrote it: PostgreSQL sends the whole version number
        /// ([`Protocol::code`](super::startup::Protocol::code)), some others the minor alone.
        newest: u32,
        /// Options (`_pq_.…`) it did not recognise.
        unrecognized: Vec<&'a str>,
    },
    /// `FunctionCallResponse`: result of the fast path; `None` is SQL NULL.
    FunctionCallResponse(Option<&'a [u8]>),
}

/// The kinds of `Authentication…`.
#[derive(Clone, PartialEq, Eq)]
pub enum Authentication<'a> {
    /// It succeeded.
    Ok,
    /// Kerberos V5 is asked for (no server since 9.3 does).
    KerberosV5,
    /// A password in clear is asked for.
    CleartextPassword,
    /// An MD5 password is asked for.
    Md5Password {
        /// Salt.
        salt: [u8; 4],
    },
    /// GSSAPI is asked for.
    Gss,
    /// More GSSAPI or SSPI data.
    GssContinue(&'a [u8]),
    /// SSPI is asked for.
    Sspi,
    /// SASL is asked for, by one of these mechanisms in the server's order of preference.
    Sasl {
        /// Names of mechanisms, at least one.
        mechanisms: Vec<&'a str>,
    },
    /// A SASL challenge.
    SaslContinue(&'a [u8]),
    /// The last SASL data.
    SaslFinal(&'a [u8]),
}

/// Where a session's transaction stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TransactionStatus {
    /// `I`: in none.
    Idle,
    /// `T`: in a transaction block.
    Active,
    /// `E`: in a failed one, where everything is refused until it ends.
    Failed,
}

/// One column in `RowDescription`.
#[derive(Clone, PartialEq, Eq)]
pub struct FieldDescription<'a> {
    /// Name.
    pub name: &'a str,
    /// OID of the table, if the column is one of a table; else 0.
    pub table_oid: u32,
    /// Attribute number in that table; else 0. Negative for system columns.
    pub column: i16,
    /// OID of the data type.
    pub type_oid: u32,
    /// Size of the data type in bytes, negative if variable (`pg_type.typlen`).
    pub type_size: i16,
    /// Type modifier (`pg_attribute.atttypmod`), -1 if none.
    pub type_modifier: i32,
    /// Format of the values; text where it is not known yet (`Describe` of a statement).
    pub format: Format,
}

/// The body that the three `Copy…Response` share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyResponse {
    /// Format of the whole.
    pub format: Format,
    /// Format of each column, as many as there are columns.
    pub columns: Vec<Format>,
}

impl TransactionStatus {
    /// The byte on the wire.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Idle => b'I',
            Self::Active => b'T',
            Self::Failed => b'E',
        }
    }

    /// The status of such a byte.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        match code {
            b'I' => Some(Self::Idle),
            b'T' => Some(Self::Active),
            b'E' => Some(Self::Failed),
            _ => None,
        }
    }
}

impl fmt::Debug for BackendMessage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Authentication(kind) => kind.fmt(f),
            Self::ParameterStatus { name, value } => write!(f, "ParameterStatus {name:?} ({} bytes)", value.len()),
            Self::BackendKeyData { process_id, secret } => {
                write!(f, "BackendKeyData (process {process_id}, secret of {} bytes)", secret.len())
            }
            Self::ReadyForQuery(status) => write!(f, "ReadyForQuery {status:?}"),
            Self::RowDescription(fields) => f.debug_tuple("RowDescription").field(fields).finish(),
            Self::DataRow(row) => row.fmt(f),
            Self::CommandComplete { tag } => write!(f, "CommandComplete {tag:?}"),
            Self::ErrorResponse(fields) => write!(f, "ErrorResponse {fields:?}"),
            Self::NoticeResponse(fields) => write!(f, "NoticeResponse {fields:?}"),
            Self::ParameterDescription(types) => write!(f, "ParameterDescription {types:?}"),
            Self::CopyInResponse(response) => write!(f, "CopyInResponse {response:?}"),
            Self::CopyOutResponse(response) => write!(f, "CopyOutResponse {response:?}"),
            Self::CopyBothResponse(response) => write!(f, "CopyBothResponse {response:?}"),
            Self::CopyData(data) => write!(f, "CopyData ({} bytes)", data.len()),
            Self::NotificationResponse { channel, payload, .. } => {
                write!(f, "NotificationResponse ({} and {} bytes)", channel.len(), payload.len())
            }
            Self::NegotiateProtocolVersion { newest, unrecognized } => {
                write!(f, "NegotiateProtocolVersion {newest} {unrecognized:?}")
            }
            Self::FunctionCallResponse(value) => {
                write!(f, "FunctionCallResponse ({} bytes)", value.map_or(0, <[u8]>::len))
            }
            Self::ParseComplete => f.write_str("ParseComplete"),
            Self::BindComplete => f.write_str("BindComplete"),
            Self::CloseComplete => f.write_str("CloseComplete"),
            Self::NoData => f.write_str("NoData"),
            Self::PortalSuspended => f.write_str("PortalSuspended"),
            Self::EmptyQueryResponse => f.write_str("EmptyQueryResponse"),
            Self::CopyDone => f.write_str("CopyDone"),
        }
    }
}

impl fmt::Debug for Authentication<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "AuthenticationOk",
            Self::KerberosV5 => "AuthenticationKerberosV5",
            Self::CleartextPassword => "AuthenticationCleartextPassword",
            Self::Md5Password { .. } => "AuthenticationMD5Password",
            Self::Gss => "AuthenticationGSS",
            Self::GssContinue(_) => "AuthenticationGSSContinue",
            Self::Sspi => "AuthenticationSSPI",
            Self::Sasl { .. } => "AuthenticationSASL",
            Self::SaslContinue(_) => "AuthenticationSASLContinue",
            Self::SaslFinal(_) => "AuthenticationSASLFinal",
        })
    }
}

/// A column's name is the query's own; it could be chosen to carry a value, so it is told by its length.
impl fmt::Debug for FieldDescription<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "type {} of {}.{} {:?}", self.type_oid, self.table_oid, self.column, self.format)
    }
}
