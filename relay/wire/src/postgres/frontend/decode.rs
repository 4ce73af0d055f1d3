//! From one whole frontend message to its fields.

use super::{Bind, FrontendMessage, FunctionCall, Target};
use crate::postgres::body::Reader;
use crate::postgres::direction::Frontend;
use crate::postgres::error::{Error, Problem};
use crate::postgres::format::Format;
use crate::postgres::message::MessageRef;

impl<'a> FrontendMessage<'a> {
    /// Reads a message. Strict: every byte of it is a field of its format.
    ///
    /// # Errors
    /// [`Error::Malformed`]. The session could go on: the message was whole.
    pub fn decode(message: impl Into<MessageRef<'a, Frontend>>) -> Result<Self, Error> {
        let message = message.into();
        let mut reader = Reader::new(message.name(), message.body());
        let decoded = match message.tag() {
            b'B' => Self::Bind(bind(&mut reader)?),
            b'C' => Self::Close { target: target(&mut reader)?, name: reader.string("name")? },
            b'D' => Self::Describe { target: target(&mut reader)?, name: reader.string("name")? },
            b'E' => Self::Execute { portal: reader.string("portal")?, max_rows: reader.i32("maximum of rows")? },
            b'F' => Self::FunctionCall(function_call(&mut reader)?),
            b'H' => Self::Flush,
            b'P' => parse(&mut reader)?,
            b'Q' => Self::Query { text: reader.string("text")? },
            b'S' => Self::Sync,
            b'X' => Self::Terminate,
            b'c' => Self::CopyDone,
            b'd' => Self::CopyData(reader.rest()),
            b'f' => Self::CopyFail { reason: reader.string("reason")? },
            b'p' => Self::Password(reader.rest()),
            tag => return Err(Error::UnknownType { side: crate::postgres::Side::Frontend, tag }),
        };
        reader.finish()?;
        Ok(decoded)
    }
}

fn parse<'a>(reader: &mut Reader<'a>) -> Result<FrontendMessage<'a>, Error> {
    Ok(FrontendMessage::Parse {
        name: reader.string("name")?,
        query: reader.string("query")?,
        parameter_types: reader.list("parameter types", 4, |reader| reader.u32("parameter type"))?,
    })
}

fn bind<'a>(reader: &mut Reader<'a>) -> Result<Bind<'a>, Error> {
    let portal = reader.string("portal")?;
    let statement = reader.string("statement")?;
    let (parameter_formats, parameters) = values(reader)?;
    let result_formats = reader.list("result formats", 2, |reader| reader.format("result format"))?;
    Ok(Bind { portal, statement, parameter_formats, parameters, result_formats })
}

fn function_call<'a>(reader: &mut Reader<'a>) -> Result<FunctionCall<'a>, Error> {
    let function = reader.u32("function")?;
    let (argument_formats, arguments) = values(reader)?;
    let result_format = reader.format("result format")?;
    Ok(FunctionCall { function, argument_formats, arguments, result_format })
}

/// Formats, then values; as many formats as values unless there are none or one.
type Values<'a> = (Vec<Format>, Vec<Option<&'a [u8]>>);

fn values<'a>(reader: &mut Reader<'a>) -> Result<Values<'a>, Error> {
    let here = reader.clone();
    let formats = reader.list("formats", 2, |reader| reader.format("format"))?;
    let values = reader.list("values", 4, |reader| reader.nullable("value"))?;
    if formats.len() > 1 && formats.len() != values.len() {
        return Err(here.error("formats", Problem::Value("no format, one, or one for each value")));
    }
    Ok((formats, values))
}

fn target(reader: &mut Reader<'_>) -> Result<Target, Error> {
    let here = reader.clone();
    match reader.u8("kind")? {
        b'S' => Ok(Target::Statement),
        b'P' => Ok(Target::Portal),
        _ => Err(here.error("kind", Problem::Value("'S' or 'P'"))),
    }
}
