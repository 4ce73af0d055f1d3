//! What can be wrong with bytes that came, or with a message to be made.

use super::direction::Side;
use super::sqlstate::SqlState;

/// Why bytes from a peer were refused. No variant holds anything the peer sent except type bytes, lengths and
/// version numbers, so an error may be logged and shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The first byte of a message is no type of that direction. The stream cannot be followed any further.
    #[error("the {side} sent a message of type 0x{tag:02x}, which the protocol does not have in that direction")]
    UnknownType {
        /// Who sent it.
        side: Side,
        /// The type byte.
        tag: u8,
    },
    /// A stated length is outside what this message may have. The stream cannot be followed any further.
    #[error("{message}: stated length {length} is outside {minimum} to {maximum} bytes")]
    Length {
        /// The message's name in the PostgreSQL documentation.
        message: &'static str,
        /// The stated length in bytes, itself included.
        length: u32,
        /// Smallest length allowed.
        minimum: u32,
        /// Largest length allowed: the message's limit or the deframer's ceiling, whichever is less.
        maximum: u32,
    },
    /// A startup packet asks for a protocol other than 3.x.
    #[error("protocol version {major}.{minor} is not supported, 3.0 and 3.2 are")]
    UnsupportedProtocol {
        /// Major version asked for.
        major: u16,
        /// Minor version asked for.
        minor: u16,
    },
    /// The frame is whole but its body is not what the message's format says.
    #[error("{message}: {field} at byte {offset}: {problem}")]
    Malformed {
        /// The message's name in the PostgreSQL documentation.
        message: &'static str,
        /// The field that was being read.
        field: &'static str,
        /// Where the field begins, in bytes from the first byte of the message (its type; in a startup packet,
        /// which has none, its length).
        offset: usize,
        /// What was expected there.
        problem: Problem,
    },
}

/// What was expected at a place in a message, and what was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The body ends too early.
    #[error("expected {wanted} bytes, {left} are left")]
    Short {
        /// Bytes the field needs (for a list: its smallest possible size).
        wanted: usize,
        /// Bytes left in the body.
        left: usize,
    },
    /// The body goes on after its last field.
    #[error("expected the end of the message, {left} bytes are left")]
    Trailing {
        /// Bytes left in the body.
        left: usize,
    },
    /// A string has no terminating zero byte.
    #[error("expected a string that ends in a zero byte")]
    Unterminated,
    /// A string is not valid UTF-8, the only client encoding there is here.
    #[error("expected UTF-8")]
    NotUtf8,
    /// A number or string is outside the values the format allows.
    #[error("expected {0}")]
    Value(&'static str),
}

impl Error {
    /// True if the stream itself is lost, so that the connection must end; false if one whole message was bad,
    /// and the session could go on as PostgreSQL's does.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        !matches!(self, Self::Malformed { .. })
    }

    /// The SQLSTATE PostgreSQL itself answers such bytes with.
    #[must_use]
    pub fn sqlstate(&self) -> SqlState {
        match self {
            Self::Malformed { problem: Problem::NotUtf8, .. } => SqlState::CHARACTER_NOT_IN_REPERTOIRE,
            Self::UnsupportedProtocol { .. } => SqlState::FEATURE_NOT_SUPPORTED,
            _ => SqlState::PROTOCOL_VIOLATION,
        }
    }
}

/// Why a message could not be made. Always the caller's fault, never a peer's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// A string holds a zero byte, which would end it early on the wire.
    #[error("{message}: {field} holds a zero byte")]
    Nul {
        /// The message's name.
        message: &'static str,
        /// The field's name.
        field: &'static str,
    },
    /// A list has more than 65,535 elements, or a value more than 2,147,483,647 bytes.
    #[error("{message}: {field} is too long for the protocol")]
    TooLong {
        /// The message's name.
        message: &'static str,
        /// The field's name.
        field: &'static str,
    },
}
