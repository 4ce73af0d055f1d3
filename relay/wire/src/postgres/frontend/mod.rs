//! What a frontend says.
//!
//! Source: PostgreSQL documentation, "Message Formats", the messages marked (F).

mod decode;
mod encode;
mod password;

pub use encode::{bind, close, copy_data, copy_done, copy_fail, describe, execute, flush, parse, password, query};
pub use encode::{sasl_initial_response, sasl_response, sync, terminate};
pub use password::{SaslInitialResponse, cleartext_password};

use super::format::Format;
use std::fmt;

/// One frontend message, borrowed from its bytes.
///
/// `Debug` shows names and sizes; texts, parameters and passwords are never in it.
#[derive(Clone, PartialEq, Eq)]
pub enum FrontendMessage<'a> {
    /// `Query`: a simple query, one or more statements in one text.
    Query {
        /// The text.
        text: &'a str,
    },
    /// `Parse`: makes a prepared statement.
    Parse {
        /// Its name, empty for the unnamed one.
        name: &'a str,
        /// The text, one statement.
        query: &'a str,
        /// OIDs of the parameters' types, 0 or absent where the server shall choose.
        parameter_types: Vec<u32>,
    },
    /// `Bind`: makes a portal from a prepared statement.
    Bind(Bind<'a>),
    /// `Describe`: asks for the description of a statement or portal.
    Describe {
        /// Which of the two.
        target: Target,
        /// Its name, empty for the unnamed one.
        name: &'a str,
    },
    /// `Execute`: runs a portal.
    Execute {
        /// Its name, empty for the unnamed one.
        portal: &'a str,
        /// Most rows to return before `PortalSuspended`; 0 or less means all.
        max_rows: i32,
    },
    /// `Close`: forgets a statement or portal.
    Close {
        /// Which of the two.
        target: Target,
        /// Its name, empty for the unnamed one.
        name: &'a str,
    },
    /// `Flush`: asks for the replies so far.
    Flush,
    /// `Sync`: ends a series of extended-query messages, and with it an implicit transaction.
    Sync,
    /// `Terminate`: the frontend leaves.
    Terminate,
    /// All that share the type `p`: which of them it is only the state of authentication tells. See
    /// [`cleartext_password`] and [`SaslInitialResponse`].
    Password(&'a [u8]),
    /// `CopyData`: a piece of a COPY stream, cut anywhere.
    CopyData(&'a [u8]),
    /// `CopyDone`: end of a COPY stream.
    CopyDone,
    /// `CopyFail`: the COPY stream is to fail.
    CopyFail {
        /// Why, in the frontend's words.
        reason: &'a str,
    },
    /// `FunctionCall`: the fast path, which calls a function by OID past any SQL.
    FunctionCall(FunctionCall<'a>),
}

/// The fields of `Bind`.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Bind<'a> {
    /// Name of the portal to make, empty for the unnamed one.
    pub portal: &'a str,
    /// Name of the statement to make it from, empty for the unnamed one.
    pub statement: &'a str,
    /// Formats of the parameters: none (all text), one (for all), or one each.
    pub parameter_formats: Vec<Format>,
    /// The parameters; `None` is SQL NULL.
    pub parameters: Vec<Option<&'a [u8]>>,
    /// Formats wanted for the result's columns: none (all text), one (for all), or one each.
    pub result_formats: Vec<Format>,
}

/// The fields of `FunctionCall`.
#[derive(Clone, PartialEq, Eq)]
pub struct FunctionCall<'a> {
    /// OID of the function.
    pub function: u32,
    /// Formats of the arguments: none (all text), one (for all), or one each.
    pub argument_formats: Vec<Format>,
    /// The arguments; `None` is SQL NULL.
    pub arguments: Vec<Option<&'a [u8]>>,
    /// Format wanted for the result.
    pub result_format: Format,
}

/// What `Describe` and `Close` name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Target {
    /// A prepared statement (`S`).
    Statement,
    /// A portal (`P`).
    Portal,
}

impl Bind<'_> {
    /// Format of the parameter at `index`, from 0.
    #[must_use]
    pub fn parameter_format(&self, index: usize) -> Format {
        Format::of(&self.parameter_formats, index)
    }
}

impl fmt::Debug for FrontendMessage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Query { text } => write!(f, "Query ({} bytes)", text.len()),
            Self::Parse { name, query, parameter_types } => {
                write!(f, "Parse {name:?} ({} bytes, {} types)", query.len(), parameter_types.len())
            }
            Self::Bind(bind) => bind.fmt(f),
            Self::Describe { target, name } => write!(f, "Describe {target:?} {name:?}"),
            Self::Execute { portal, max_rows } => write!(f, "Execute {portal:?} (at most {max_rows} rows)"),
            Self::Close { target, name } => write!(f, "Close {target:?} {name:?}"),
            Self::Flush => f.write_str("Flush"),
            Self::Sync => f.write_str("Sync"),
            Self::Terminate => f.write_str("Terminate"),
            Self::Password(body) => write!(f, "Password ({} bytes)", body.len()),
            Self::CopyData(data) => write!(f, "CopyData ({} bytes)", data.len()),
            Self::CopyDone => f.write_str("CopyDone"),
            Self::CopyFail { reason } => write!(f, "CopyFail ({} bytes)", reason.len()),
            Self::FunctionCall(call) => call.fmt(f),
        }
    }
}

impl fmt::Debug for Bind<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bind {:?} from {:?} ({} parameters)", self.portal, self.statement, self.parameters.len())
    }
}

impl fmt::Debug for FunctionCall<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FunctionCall {} ({} arguments)", self.function, self.arguments.len())
    }
}
