//! From fields to one whole backend message.

use super::{Authentication, BackendMessage, CopyResponse, FieldDescription, TransactionStatus};
use crate::postgres::body::Writer;
use crate::postgres::error::EncodeError;
use crate::postgres::error_fields::ErrorFields;
use crate::postgres::startup::Protocol;
use bytes::{Bytes, BytesMut};

impl BackendMessage<'_> {
    /// Appends the message to `out`; on an error nothing is appended.
    ///
    /// # Errors
    /// [`EncodeError`] for a zero byte in a string, or a list or value too long for the protocol.
    pub fn encode(&self, out: &mut BytesMut) -> Result<(), EncodeError> {
        let (name, tag) = self.type_of();
        Writer::message(out, name, Some(tag), |writer| self.encode_body(writer))
    }

    fn type_of(&self) -> (&'static str, u8) {
        match self {
            Self::Authentication(_) => ("Authentication", b'R'),
            Self::ParameterStatus { .. } => ("ParameterStatus", b'S'),
            Self::BackendKeyData { .. } => ("BackendKeyData", b'K'),
            Self::ReadyForQuery(_) => ("ReadyForQuery", b'Z'),
            Self::RowDescription(_) => ("RowDescription", b'T'),
            Self::DataRow(_) => ("DataRow", b'D'),
            Self::CommandComplete { .. } => ("CommandComplete", b'C'),
            Self::ErrorResponse(_) => ("ErrorResponse", b'E'),
            Self::NoticeResponse(_) => ("NoticeResponse", b'N'),
            Self::ParseComplete => ("ParseComplete", b'1'),
            Self::BindComplete => ("BindComplete", b'2'),
            Self::CloseComplete => ("CloseComplete", b'3'),
            Self::NoData => ("NoData", b'n'),
            Self::ParameterDescription(_) => ("ParameterDescription", b't'),
            Self::PortalSuspended => ("PortalSuspended", b's'),
            Self::EmptyQueryResponse => ("EmptyQueryResponse", b'I'),
            Self::CopyInResponse(_) => ("CopyInResponse", b'G'),
            Self::CopyOutResponse(_) => ("CopyOutResponse", b'H'),
            Self::CopyBothResponse(_) => ("CopyBothResponse", b'W'),
            Self::CopyData(_) => ("CopyData", b'd'),
            Self::CopyDone => ("CopyDone", b'c'),
            Self::NotificationResponse { .. } => ("NotificationResponse", b'A'),
            Self::NegotiateProtocolVersion { .. } => ("NegotiateProtocolVersion", b'v'),
            Self::FunctionCallResponse(_) => ("FunctionCallResponse", b'V'),
        }
    }

    fn encode_body(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        match self {
            Self::Authentication(kind) => authentication(kind, writer)?,
            Self::ParameterStatus { name, value } => {
                writer.string("name", name)?;
                writer.string("value", value)?;
            }
            Self::BackendKeyData { process_id, secret } => {
                writer.i32(*process_id);
                writer.bytes(secret);
            }
            Self::ReadyForQuery(status) => writer.u8(status.code()),
            Self::RowDescription(fields) => writer.list("fields", fields, field)?,
            Self::DataRow(row) => columns(writer, &row.columns().collect::<Vec<_>>())?,
            Self::CommandComplete { tag } => writer.string("tag", tag)?,
            Self::ErrorResponse(fields) | Self::NoticeResponse(fields) => fields.encode(writer)?,
            Self::ParameterDescription(types) => writer.list("types", types, |writer, oid| {
                writer.u32(*oid);
                Ok(())
            })?,
            Self::CopyInResponse(copy) | Self::CopyOutResponse(copy) | Self::CopyBothResponse(copy) => {
                copy_response(copy, writer)?;
            }
            Self::CopyData(data) => writer.bytes(data),
            Self::NotificationResponse { process_id, channel, payload } => {
                writer.i32(*process_id);
                writer.string("channel", channel)?;
                writer.string("payload", payload)?;
            }
            Self::NegotiateProtocolVersion { newest, unrecognized } => negotiate(*newest, unrecognized, writer)?,
            Self::FunctionCallResponse(value) => writer.nullable("result", *value)?,
            Self::ParseComplete
            | Self::BindComplete
            | Self::CloseComplete
            | Self::NoData
            | Self::PortalSuspended
            | Self::EmptyQueryResponse
            | Self::CopyDone => {}
        }
        Ok(())
    }
}

/// `ErrorResponse`. Always succeeds: zero bytes are dropped, fields of unknown type left out, and texts cut to
/// 64 KiB each.
#[must_use]
pub fn error_response(fields: &ErrorFields) -> Bytes {
    whole(&BackendMessage::ErrorResponse(Box::new(fields.sendable())))
}

/// `NoticeResponse`, in the same way.
#[must_use]
pub fn notice_response(fields: &ErrorFields) -> Bytes {
    whole(&BackendMessage::NoticeResponse(Box::new(fields.sendable())))
}

/// `ReadyForQuery`.
#[must_use]
pub fn ready_for_query(status: TransactionStatus) -> Bytes {
    whole(&BackendMessage::ReadyForQuery(status))
}

/// `AuthenticationOk`.
#[must_use]
pub fn authentication_ok() -> Bytes {
    whole(&BackendMessage::Authentication(Authentication::Ok))
}

/// `AuthenticationCleartextPassword`.
#[must_use]
pub fn authentication_cleartext_password() -> Bytes {
    whole(&BackendMessage::Authentication(Authentication::CleartextPassword))
}

/// `AuthenticationSASL`.
///
/// # Errors
/// [`EncodeError`] if a name holds a zero byte.
pub fn authentication_sasl(mechanisms: &[&str]) -> Result<Bytes, EncodeError> {
    let mechanisms = mechanisms.to_vec();
    try_whole(&BackendMessage::Authentication(Authentication::Sasl { mechanisms }))
}

/// `BackendKeyData`.
#[must_use]
pub fn backend_key_data(process_id: i32, secret: [u8; 4]) -> Bytes {
    whole(&BackendMessage::BackendKeyData { process_id, secret: &secret })
}

/// `ParameterStatus`.
///
/// # Errors
/// [`EncodeError`] if either holds a zero byte.
pub fn parameter_status(name: &str, value: &str) -> Result<Bytes, EncodeError> {
    try_whole(&BackendMessage::ParameterStatus { name, value })
}

/// `CommandComplete`.
///
/// # Errors
/// [`EncodeError`] if the tag holds a zero byte.
pub fn command_complete(tag: &str) -> Result<Bytes, EncodeError> {
    try_whole(&BackendMessage::CommandComplete { tag })
}

/// `NegotiateProtocolVersion`, as PostgreSQL sends it.
///
/// # Errors
/// [`EncodeError`] if an option holds a zero byte.
pub fn negotiate_protocol_version(newest: Protocol, unrecognized: &[&str]) -> Result<Bytes, EncodeError> {
    let unrecognized = unrecognized.to_vec();
    try_whole(&BackendMessage::NegotiateProtocolVersion { newest: newest.code(), unrecognized })
}

/// Appends `DataRow`.
///
/// # Errors
/// [`EncodeError`] for more than 65,535 columns or a value of 2 GiB.
pub fn data_row(values: &[Option<&[u8]>], out: &mut BytesMut) -> Result<(), EncodeError> {
    Writer::message(out, "DataRow", Some(b'D'), |writer| columns(writer, values))
}

fn try_whole(message: &BackendMessage<'_>) -> Result<Bytes, EncodeError> {
    let mut out = BytesMut::new();
    message.encode(&mut out)?;
    Ok(out.freeze())
}

/// For messages that have no string of the caller's and no list, so that nothing can fail.
fn whole(message: &BackendMessage<'_>) -> Bytes {
    try_whole(message).unwrap_or_default()
}

fn authentication(kind: &Authentication<'_>, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
    match kind {
        Authentication::Ok => writer.u32(0),
        Authentication::KerberosV5 => writer.u32(2),
        Authentication::CleartextPassword => writer.u32(3),
        Authentication::Md5Password { salt } => {
            writer.u32(5);
            writer.bytes(salt);
        }
        Authentication::Gss => writer.u32(7),
        Authentication::GssContinue(data) => {
            writer.u32(8);
            writer.bytes(data);
        }
        Authentication::Sspi => writer.u32(9),
        Authentication::Sasl { mechanisms } => {
            writer.u32(10);
            for mechanism in mechanisms {
                writer.string("mechanism", mechanism)?;
            }
            writer.u8(0);
        }
        Authentication::SaslContinue(data) => {
            writer.u32(11);
            writer.bytes(data);
        }
        Authentication::SaslFinal(data) => {
            writer.u32(12);
            writer.bytes(data);
        }
    }
    Ok(())
}

fn field(writer: &mut Writer<'_>, field: &FieldDescription<'_>) -> Result<(), EncodeError> {
    writer.string("name", field.name)?;
    writer.u32(field.table_oid);
    writer.i16(field.column);
    writer.u32(field.type_oid);
    writer.i16(field.type_size);
    writer.i32(field.type_modifier);
    writer.u16(field.format.code());
    Ok(())
}

fn columns(writer: &mut Writer<'_>, columns: &[Option<&[u8]>]) -> Result<(), EncodeError> {
    writer.list("columns", columns, |writer, column| writer.nullable("column", *column))
}

fn copy_response(copy: &CopyResponse, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
    writer.u8(match copy.format {
        crate::postgres::Format::Text => 0,
        crate::postgres::Format::Binary => 1,
    });
    writer.formats("column formats", &copy.columns)
}

fn negotiate(newest: u32, unrecognized: &[&str], writer: &mut Writer<'_>) -> Result<(), EncodeError> {
    writer.u32(newest);
    let too_long = EncodeError::TooLong { message: "NegotiateProtocolVersion", field: "options" };
    writer.u32(u32::try_from(unrecognized.len()).map_err(|_| too_long)?);
    unrecognized.iter().try_for_each(|option| writer.string("option", option))
}
