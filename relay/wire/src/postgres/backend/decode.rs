//! From one whole backend message to its fields.

use super::{Authentication, BackendMessage, CopyResponse, DataRow, FieldDescription, TransactionStatus};
use crate::postgres::body::Reader;
use crate::postgres::direction::{Backend, Side};
use crate::postgres::error::{Error, Problem};
use crate::postgres::error_fields::ErrorFields;
use crate::postgres::limits::{CANCEL_SECRET_MAX, CANCEL_SECRET_MIN};
use crate::postgres::message::MessageRef;

impl<'a> BackendMessage<'a> {
    /// Reads a message. Strict: every byte of it is a field of its format.
    ///
    /// # Errors
    /// [`Error::Malformed`].
    pub fn decode(message: impl Into<MessageRef<'a, Backend>>) -> Result<Self, Error> {
        let message = message.into();
        let mut reader = Reader::new(message.name(), message.body());
        let decoded = match message.tag() {
            b'1' => Self::ParseComplete,
            b'2' => Self::BindComplete,
            b'3' => Self::CloseComplete,
            b'A' => notification(&mut reader)?,
            b'C' => Self::CommandComplete { tag: reader.string("tag")? },
            b'D' => Self::DataRow(DataRow::decode(&mut reader)?),
            b'E' => Self::ErrorResponse(Box::new(ErrorFields::decode(&mut reader)?)),
            b'G' => Self::CopyInResponse(copy_response(&mut reader)?),
            b'H' => Self::CopyOutResponse(copy_response(&mut reader)?),
            b'I' => Self::EmptyQueryResponse,
            b'K' => key_data(&mut reader)?,
            b'N' => Self::NoticeResponse(Box::new(ErrorFields::decode(&mut reader)?)),
            b'R' => Self::Authentication(authentication(&mut reader)?),
            b'S' => Self::ParameterStatus { name: reader.string("name")?, value: reader.string("value")? },
            b'T' => Self::RowDescription(reader.list("fields", FIELD_MIN, field)?),
            b'V' => Self::FunctionCallResponse(reader.nullable("result")?),
            b'W' => Self::CopyBothResponse(copy_response(&mut reader)?),
            b'Z' => Self::ReadyForQuery(transaction_status(&mut reader)?),
            b'c' => Self::CopyDone,
            b'd' => Self::CopyData(reader.rest()),
            b'n' => Self::NoData,
            b's' => Self::PortalSuspended,
            b't' => Self::ParameterDescription(reader.list("types", 4, |reader| reader.u32("type"))?),
            b'v' => negotiate(&mut reader)?,
            tag => return Err(Error::UnknownType { side: Side::Backend, tag }),
        };
        reader.finish()?;
        Ok(decoded)
    }
}

fn authentication<'a>(reader: &mut Reader<'a>) -> Result<Authentication<'a>, Error> {
    let here = reader.clone();
    Ok(match reader.u32("kind")? {
        0 => Authentication::Ok,
        2 => Authentication::KerberosV5,
        3 => Authentication::CleartextPassword,
        5 => Authentication::Md5Password { salt: reader.u32("salt")?.to_be_bytes() },
        7 => Authentication::Gss,
        8 => Authentication::GssContinue(reader.rest()),
        9 => Authentication::Sspi,
        10 => Authentication::Sasl { mechanisms: mechanisms(reader)? },
        11 => Authentication::SaslContinue(reader.rest()),
        12 => Authentication::SaslFinal(reader.rest()),
        _ => return Err(here.error("kind", Problem::Value("a kind of authentication: 0, 2, 3, 5, 7 to 12"))),
    })
}

fn mechanisms<'a>(reader: &mut Reader<'a>) -> Result<Vec<&'a str>, Error> {
    let mut mechanisms = Vec::new();
    loop {
        let here = reader.clone();
        let name = reader.string("mechanism")?;
        match (name, mechanisms.len()) {
            ("", 0) => return Err(here.error("mechanism", Problem::Value("at least one mechanism"))),
            ("", _) => return Ok(mechanisms),
            (_, MECHANISMS_MAX) => return Err(here.error("mechanism", Problem::Value("at most 64 mechanisms"))),
            _ => mechanisms.push(name),
        }
    }
}

fn key_data<'a>(reader: &mut Reader<'a>) -> Result<BackendMessage<'a>, Error> {
    let process_id = reader.i32("process id")?;
    let here = reader.clone();
    let secret = reader.rest();
    if !(CANCEL_SECRET_MIN..=CANCEL_SECRET_MAX).contains(&secret.len()) {
        return Err(here.error("secret key", Problem::Value("4 to 256 bytes")));
    }
    Ok(BackendMessage::BackendKeyData { process_id, secret })
}

fn notification<'a>(reader: &mut Reader<'a>) -> Result<BackendMessage<'a>, Error> {
    Ok(BackendMessage::NotificationResponse {
        process_id: reader.i32("process id")?,
        channel: reader.string("channel")?,
        payload: reader.string("payload")?,
    })
}

fn field<'a>(reader: &mut Reader<'a>) -> Result<FieldDescription<'a>, Error> {
    Ok(FieldDescription {
        name: reader.string("name")?,
        table_oid: reader.u32("table")?,
        column: reader.i16("column")?,
        type_oid: reader.u32("type")?,
        type_size: reader.i16("type size")?,
        type_modifier: reader.i32("type modifier")?,
        format: reader.format("format")?,
    })
}

fn copy_response(reader: &mut Reader<'_>) -> Result<CopyResponse, Error> {
    let here = reader.clone();
    let format = match reader.u8("format")? {
        0 => crate::postgres::Format::Text,
        1 => crate::postgres::Format::Binary,
        _ => return Err(here.error("format", Problem::Value("format code 0 or 1"))),
    };
    Ok(CopyResponse { format, columns: reader.list("column formats", 2, |reader| reader.format("column format"))? })
}

fn transaction_status(reader: &mut Reader<'_>) -> Result<TransactionStatus, Error> {
    let here = reader.clone();
    TransactionStatus::from_code(reader.u8("status")?).ok_or(here.error("status", Problem::Value("'I', 'T' or 'E'")))
}

fn negotiate<'a>(reader: &mut Reader<'a>) -> Result<BackendMessage<'a>, Error> {
    let newest = reader.u32("newest version")?;
    let here = reader.clone();
    let count = usize::try_from(reader.u32("count of options")?).unwrap_or(usize::MAX);
    // Each option takes its zero byte at least.
    if count > reader.left() {
        return Err(here.error("count of options", Problem::Short { wanted: count, left: reader.left() }));
    }
    let unrecognized = (0..count).map(|_| reader.string("option")).collect::<Result<_, _>>()?;
    Ok(BackendMessage::NegotiateProtocolVersion { newest, unrecognized })
}

/// A field with an empty name.
const FIELD_MIN: usize = 19;

/// Servers offer one to four.
const MECHANISMS_MAX: usize = 64;
