//! What a connection begins with, before messages have a type byte.
//!
//! Source: PostgreSQL documentation, "Message Formats": StartupMessage, SSLRequest, GSSENCRequest, CancelRequest.

use super::body::{Reader, Writer};
use super::error::{EncodeError, Error, Problem};
use super::limits::{CANCEL_SECRET_MAX, CANCEL_SECRET_MIN, STARTUP_MAX};
use bytes::{Bytes, BytesMut};
use std::fmt;

/// A first packet of a connection.
#[derive(Clone, PartialEq, Eq)]
pub enum Startup {
    /// Asks for TLS; answered by one byte, `S` or `N`.
    Ssl,
    /// Asks for GSSAPI encryption; answered by one byte, `G` or `N`.
    Gss,
    /// Asks to cancel what another connection runs; never answered.
    Cancel {
        /// Process id from that connection's `BackendKeyData`.
        process_id: i32,
        /// Secret from that connection's `BackendKeyData`: 4 bytes in protocol 3.0, 4 to 256 since 3.2.
        secret: Bytes,
    },
    /// Opens a session.
    Start {
        /// Protocol version asked for.
        protocol: Protocol,
        /// Settings as name and value, in the order sent, names unique. `user` is not checked for here.
        parameters: Vec<(String, String)>,
    },
}

/// A protocol version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Protocol {
    /// Major version: 3.
    pub major: u16,
    /// Minor version: 0, 2, or one that is yet to come.
    pub minor: u16,
}

/// Reads the packet that `bytes` begins with, and how many bytes it took; `None` if more are needed.
///
/// # Errors
/// [`Error::Length`] as soon as the length is there and outside 8 to 10,000; [`Error::UnsupportedProtocol`];
/// [`Error::Malformed`], also for a parameter given twice: two readers could take different ones.
pub fn decode(bytes: &[u8]) -> Result<Option<(Startup, usize)>, Error> {
    let Some(&length) = bytes.first_chunk::<4>() else { return Ok(None) };
    let length = u32::from_be_bytes(length);
    if !(STARTUP_MIN..=STARTUP_MAX).contains(&length) {
        return Err(Error::Length { message: MESSAGE, length, minimum: STARTUP_MIN, maximum: STARTUP_MAX });
    }
    let Some(packet) = usize::try_from(length).ok().and_then(|length| bytes.get(..length)) else { return Ok(None) };
    let mut reader = Reader::at(MESSAGE, packet.get(4..).unwrap_or_default(), 4);
    let code = reader.u32("request code")?;
    let startup = match code {
        SSL => Startup::Ssl,
        GSS => Startup::Gss,
        CANCEL => cancel(&mut reader)?,
        _ => start(code, &mut reader)?,
    };
    reader.finish()?;
    Ok(Some((startup, packet.len())))
}

/// True if a connection begins with a TLS record instead of a packet (libpq's `sslnegotiation=direct`, PostgreSQL
/// 17). `None` if nothing has come yet. No startup packet begins with this byte: it would be 369 MB long.
#[must_use]
pub fn is_direct_tls(bytes: &[u8]) -> Option<bool> {
    bytes.first().map(|first| *first == TLS_HANDSHAKE)
}

impl Startup {
    /// Appends the packet to `out`.
    ///
    /// # Errors
    /// [`EncodeError::Nul`] for a zero byte in a parameter, or an empty parameter name, which would end the list;
    /// [`EncodeError::TooLong`] for a cancel secret longer than 256 bytes or a packet longer than 10,000.
    pub fn encode(&self, out: &mut BytesMut) -> Result<(), EncodeError> {
        let start = out.len();
        Writer::message(out, MESSAGE, None, |writer| {
            match self {
                Self::Ssl => writer.u32(SSL),
                Self::Gss => writer.u32(GSS),
                Self::Cancel { process_id, secret } => {
                    if secret.len() > CANCEL_SECRET_MAX {
                        return Err(EncodeError::TooLong { message: MESSAGE, field: "secret key" });
                    }
                    writer.u32(CANCEL);
                    writer.i32(*process_id);
                    writer.bytes(secret);
                }
                Self::Start { protocol, parameters } => encode_start(writer, *protocol, parameters)?,
            }
            Ok(())
        })?;
        if out.len() - start > usize::try_from(STARTUP_MAX).unwrap_or(usize::MAX) {
            out.truncate(start);
            return Err(EncodeError::TooLong { message: MESSAGE, field: "parameters" });
        }
        Ok(())
    }

    /// Value of a parameter of [`Startup::Start`].
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        match self {
            Self::Start { parameters, .. } => {
                parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
            }
            _ => None,
        }
    }
}

/// Secrets and values are told by their length only.
impl fmt::Debug for Startup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ssl => f.write_str("SSLRequest"),
            Self::Gss => f.write_str("GSSENCRequest"),
            Self::Cancel { process_id, secret } => {
                write!(f, "CancelRequest (process {process_id}, secret of {} bytes)", secret.len())
            }
            Self::Start { protocol, parameters } => {
                write!(f, "StartupMessage {protocol} (")?;
                for (name, value) in parameters {
                    write!(f, " {name}: {} bytes", value.len())?;
                }
                f.write_str(" )")
            }
        }
    }
}

impl Protocol {
    /// Protocol 3.0: every PostgreSQL since 7.4.
    pub const V3_0: Self = Self { major: 3, minor: 0 };
    /// Protocol 3.2: PostgreSQL 18, longer cancel secrets.
    pub const V3_2: Self = Self { major: 3, minor: 2 };

    /// The version as one number, major in the upper half.
    #[must_use]
    pub fn code(self) -> u32 {
        u32::from(self.major) << 16 | u32::from(self.minor)
    }

    /// The version of such a number.
    #[must_use]
    pub fn from_code(code: u32) -> Self {
        let [a, b, c, d] = code.to_be_bytes();
        Self { major: u16::from_be_bytes([a, b]), minor: u16::from_be_bytes([c, d]) }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

fn cancel(reader: &mut Reader<'_>) -> Result<Startup, Error> {
    let process_id = reader.i32("process id")?;
    let here = reader.clone();
    let secret = reader.rest();
    if !(CANCEL_SECRET_MIN..=CANCEL_SECRET_MAX).contains(&secret.len()) {
        return Err(here.error("secret key", Problem::Value("4 to 256 bytes")));
    }
    Ok(Startup::Cancel { process_id, secret: Bytes::copy_from_slice(secret) })
}

fn start(code: u32, reader: &mut Reader<'_>) -> Result<Startup, Error> {
    let protocol = Protocol::from_code(code);
    if protocol.major != 3 {
        return Err(Error::UnsupportedProtocol { major: protocol.major, minor: protocol.minor });
    }
    let mut parameters: Vec<(String, String)> = Vec::new();
    loop {
        let here = reader.clone();
        let name = reader.string("parameter name")?;
        if name.is_empty() {
            return Ok(Startup::Start { protocol, parameters });
        }
        if parameters.len() >= PARAMETERS_MAX {
            return Err(here.error("parameter name", Problem::Value("at most 256 parameters")));
        }
        if parameters.iter().any(|(known, _)| known == name) {
            return Err(here.error("parameter name", Problem::Value("each parameter once")));
        }
        let value = reader.string("parameter value")?;
        parameters.push((name.to_owned(), value.to_owned()));
    }
}

fn encode_start(
    writer: &mut Writer<'_>,
    protocol: Protocol,
    parameters: &[(String, String)],
) -> Result<(), EncodeError> {
    writer.u32(protocol.code());
    for (name, value) in parameters {
        if name.is_empty() {
            return Err(EncodeError::Nul { message: MESSAGE, field: "parameter name" });
        }
        writer.string("parameter name", name)?;
        writer.string("parameter value", value)?;
    }
    writer.u8(0);
    Ok(())
}

const MESSAGE: &str = "StartupMessage";

/// Length and request code.
const STARTUP_MIN: u32 = 8;

/// Each name is compared with all before it; real clients send fewer than ten.
const PARAMETERS_MAX: usize = 256;

/// The codes whose upper half, 1234, is no protocol version.
const CANCEL: u32 = 1234 << 16 | 5678;
const SSL: u32 = 1234 << 16 | 5679;
const GSS: u32 = 1234 << 16 | 5680;

/// Content type of a TLS handshake record (RFC 8446, section 5.1).
const TLS_HANDSHAKE: u8 = 0x16;
