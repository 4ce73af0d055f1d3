//! The two directions as types: `S`, `D`, `C`, `E`, `H` and `d` mean different things each way.

use super::limits;
use std::fmt;

/// Who sends, as a type.
pub trait Direction: sealed::Sealed + Copy + Eq + fmt::Debug + Send + Sync + 'static {
    /// Who sends, as a value.
    const SIDE: Side;

    /// Name and allowed lengths of a message type; `None` if the direction has no such type.
    #[must_use]
    fn bounds(tag: u8) -> Option<limits::Bounds>;

    /// Whether messages of this type are data that pass without being looked into: rows, COPY data. Long ones may be taken in
    /// pieces.
    #[must_use]
    fn is_data(tag: u8) -> bool;
}

/// Messages from the frontend: the client, and the relay where it speaks to the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frontend {}

/// Messages from the backend: the target, and the relay where it speaks to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {}

impl Direction for Frontend {
    const SIDE: Side = Side::Frontend;

    fn bounds(tag: u8) -> Option<limits::Bounds> {
        limits::frontend(tag)
    }

    fn is_data(tag: u8) -> bool {
        tag == b'd'
    }
}

impl Direction for Backend {
    const SIDE: Side = Side::Backend;

    fn bounds(tag: u8) -> Option<limits::Bounds> {
        limits::backend(tag)
    }

    fn is_data(tag: u8) -> bool {
        matches!(tag, b'D' | b'd')
    }
}

/// Who sends, as a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The client's side.
    Frontend,
    /// The server's side.
    Backend,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Frontend => "frontend",
            Self::Backend => "backend",
        })
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Frontend {}
    impl Sealed for super::Backend {}
}
