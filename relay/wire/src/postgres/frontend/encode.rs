//! From fields to one whole frontend message. Strings come in as `&str`; a zero byte in one is an error.

use super::{Bind, FrontendMessage, FunctionCall, Target};
use crate::postgres::body::Writer;
use crate::postgres::error::EncodeError;
use bytes::BytesMut;

impl FrontendMessage<'_> {
    /// Appends the message to `out`; on an error nothing is appended.
    ///
    /// # Errors
    /// [`EncodeError`] for a zero byte in a string, or a list or value too long for the protocol.
    pub fn encode(&self, out: &mut BytesMut) -> Result<(), EncodeError> {
        match self {
            Self::Query { text } => query(text, out)?,
            Self::Parse { name, query, parameter_types } => parse(name, query, parameter_types, out)?,
            Self::Bind(fields) => bind(fields, out)?,
            Self::Describe { target, name } => describe(*target, name, out)?,
            Self::Execute { portal, max_rows } => execute(portal, *max_rows, out)?,
            Self::Close { target, name } => close(*target, name, out)?,
            Self::Flush => flush(out),
            Self::Sync => sync(out),
            Self::Terminate => terminate(out),
            Self::Password(body) => raw("Password", b'p', body, out)?,
            Self::CopyData(data) => copy_data(data, out)?,
            Self::CopyDone => copy_done(out),
            Self::CopyFail { reason } => copy_fail(reason, out)?,
            Self::FunctionCall(call) => function_call(call, out)?,
        }
        Ok(())
    }
}

/// Appends `Query`.
///
/// # Errors
/// [`EncodeError`].
pub fn query(text: &str, out: &mut BytesMut) -> Result<(), EncodeError> {
    Writer::message(out, "Query", Some(b'Q'), |writer| writer.string("text", text))
}

/// Appends `Parse`.
///
/// # Errors
/// [`EncodeError`].
pub fn parse(name: &str, query: &str, parameter_types: &[u32], out: &mut BytesMut) -> Result<(), EncodeError> {
    Writer::message(out, "Parse", Some(b'P'), |writer| {
        writer.string("name", name)?;
        writer.string("query", query)?;
        writer.list("parameter types", parameter_types, |writer, oid| {
            writer.u32(*oid);
            Ok(())
        })
    })
}

/// Appends `Bind`.
///
/// # Errors
/// [`EncodeError`].
pub fn bind(bind: &Bind<'_>, out: &mut BytesMut) -> Result<(), EncodeError> {
    Writer::message(out, "Bind", Some(b'B'), |writer| {
        writer.string("portal", bind.portal)?;
        writer.string("statement", bind.statement)?;
        writer.formats("parameter formats", &bind.parameter_formats)?;
        writer.list("parameters", &bind.parameters, |writer, value| writer.nullable("parameter", *value))?;
        writer.formats("result formats", &bind.result_formats)
    })
}

/// Appends `Describe`.
///
/// # Errors
/// [`EncodeError`].
pub fn describe(target: Target, name: &str, out: &mut BytesMut) -> Result<(), EncodeError> {
    named("Describe", b'D', target, name, out)
}

/// Appends `Execute`; `max_rows` 0 means all.
///
/// # Errors
/// [`EncodeError`].
pub fn execute(portal: &str, max_rows: i32, out: &mut BytesMut) -> Result<(), EncodeError> {
    Writer::message(out, "Execute", Some(b'E'), |writer| {
        writer.string("portal", portal)?;
        writer.i32(max_rows);
        Ok(())
    })
}

/// Appends `Close`.
///
/// # Errors
/// [`EncodeError`].
pub fn close(target: Target, name: &str, out: &mut BytesMut) -> Result<(), EncodeError> {
    named("Close", b'C', target, name, out)
}

/// Appends `Flush`.
pub fn flush(out: &mut BytesMut) {
    empty(b'H', out);
}

/// Appends `Sync`.
pub fn sync(out: &mut BytesMut) {
    empty(b'S', out);
}

/// Appends `Terminate`.
pub fn terminate(out: &mut BytesMut) {
    empty(b'X', out);
}

/// Appends `PasswordMessage` with a password in clear.
///
/// # Errors
/// [`EncodeError`].
pub fn password(password: &str, out: &mut BytesMut) -> Result<(), EncodeError> {
    Writer::message(out, "PasswordMessage", Some(b'p'), |writer| writer.string("password", password))
}

/// Appends `SASLInitialResponse`.
///
/// # Errors
/// [`EncodeError`].
pub fn sasl_initial_response(mechanism: &str, response: Option<&[u8]>, out: &mut BytesMut) -> Result<(), EncodeError> {
    Writer::message(out, "SASLInitialResponse", Some(b'p'), |writer| {
        writer.string("mechanism", mechanism)?;
        writer.nullable("response", response)
    })
}

/// Appends `SASLResponse`.
///
/// # Errors
/// [`EncodeError`].
pub fn sasl_response(response: &[u8], out: &mut BytesMut) -> Result<(), EncodeError> {
    raw("SASLResponse", b'p', response, out)
}

/// Appends `CopyData`.
///
/// # Errors
/// [`EncodeError`].
pub fn copy_data(data: &[u8], out: &mut BytesMut) -> Result<(), EncodeError> {
    raw("CopyData", b'd', data, out)
}

/// Appends `CopyDone`.
pub fn copy_done(out: &mut BytesMut) {
    empty(b'c', out);
}

/// Appends `CopyFail`.
///
/// # Errors
/// [`EncodeError`].
pub fn copy_fail(reason: &str, out: &mut BytesMut) -> Result<(), EncodeError> {
    Writer::message(out, "CopyFail", Some(b'f'), |writer| writer.string("reason", reason))
}

fn function_call(call: &FunctionCall<'_>, out: &mut BytesMut) -> Result<(), EncodeError> {
    Writer::message(out, "FunctionCall", Some(b'F'), |writer| {
        writer.u32(call.function);
        writer.formats("argument formats", &call.argument_formats)?;
        writer.list("arguments", &call.arguments, |writer, value| writer.nullable("argument", *value))?;
        writer.u16(call.result_format.code());
        Ok(())
    })
}

fn named(message: &'static str, tag: u8, target: Target, name: &str, out: &mut BytesMut) -> Result<(), EncodeError> {
    Writer::message(out, message, Some(tag), |writer| {
        writer.u8(match target {
            Target::Statement => b'S',
            Target::Portal => b'P',
        });
        writer.string("name", name)
    })
}

fn raw(message: &'static str, tag: u8, body: &[u8], out: &mut BytesMut) -> Result<(), EncodeError> {
    Writer::message(out, message, Some(tag), |writer| {
        writer.bytes(body);
        Ok(())
    })
}

fn empty(tag: u8, out: &mut BytesMut) {
    out.extend_from_slice(&[tag, 0, 0, 0, 4]);
}
