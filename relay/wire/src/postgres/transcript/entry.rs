//! One thing that happened, and its lines of text.

use super::gathered::{CopyPiece, Table};
use super::safe_text::{line, text};
use super::values::type_name;
use crate::postgres::backend::TransactionStatus;
use crate::postgres::direction::Side;
use crate::postgres::error_fields::{ErrorFields, Severity};
use std::fmt;

/// One thing that happened in a session. Holds what people asked and got: it is for the eyes that may see the
/// recording, never for a log.
///
/// `Display` writes lines of text without a newline at the end. Control characters of recorded values never reach
/// the terminal, their lines never begin where ours do, and in values backslash, newline, tab and SQL NULL are written as COPY writes them: `\\`, `\n`,
/// `\t`, `\N`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A simple query.
    Query {
        /// Its text.
        text: String,
    },
    /// A statement was prepared.
    Prepare {
        /// Its name, empty for the unnamed one.
        name: String,
        /// Its text.
        text: String,
    },
    /// A `Bind` that failed. (One that succeeds is told with its `Execute`.)
    Bind {
        /// Name of the statement.
        statement: String,
        /// Its text; `None` if the server knew no such statement by any `Parse` in the recording.
        text: Option<String>,
        /// Its parameters.
        parameters: Vec<Parameter>,
    },
    /// A prepared statement was run.
    Execute {
        /// Name of the portal, empty for the unnamed one.
        portal: String,
        /// The statement's text; `None` if the portal was not made by a `Bind` in the recording.
        text: Option<String>,
        /// The parameters it was bound to.
        parameters: Vec<Parameter>,
        /// Most rows asked for; `None` for all.
        max_rows: Option<i32>,
    },
    /// A function was called by the fast path.
    FunctionCall {
        /// OID of the function.
        function: u32,
        /// Number of arguments.
        arguments: usize,
    },
    /// What the function returned; `None` is SQL NULL.
    FunctionResult {
        /// The value in hexadecimal: its type is not known.
        value: Option<String>,
    },
    /// Rows, all or a page of them.
    Table(Table),
    /// COPY data, all or a page of it.
    Copy {
        /// Who sent it.
        side: Side,
        /// The data.
        piece: CopyPiece,
    },
    /// A statement was done.
    Complete {
        /// What it did.
        tag: String,
    },
    /// An `Execute` stopped at its most rows.
    Suspended,
    /// The text held no statement.
    EmptyQuery,
    /// An error.
    Error(Diagnostic),
    /// A notice.
    Notice(Diagnostic),
    /// The server told a setting.
    Setting {
        /// Its name.
        name: String,
        /// Its value.
        value: String,
    },
    /// A `NOTIFY` was delivered.
    Notification {
        /// The channel.
        channel: String,
        /// The payload.
        payload: String,
    },
    /// The transaction's status changed.
    Transaction(TransactionStatus),
    /// A request that the server did not run, because an error came before it.
    Skipped {
        /// The request.
        request: Box<Entry>,
    },
    /// A request whose answer is not, or not wholly, in the recording: whether it ran is unknown.
    Unanswered {
        /// The request.
        request: Box<Entry>,
    },
    /// Recorded bytes are no PostgreSQL protocol.
    Unreadable {
        /// Who sent them.
        side: Side,
        /// What is wrong with them.
        reason: String,
    },
    /// Requests and replies do not fit each other; replies up to the next request are told without theirs.
    OutOfStep {
        /// What did not fit.
        reason: String,
    },
    /// The recording ends in the middle of a message, or could not be read to its end.
    CutOff {
        /// Whose message.
        side: Side,
        /// Bytes of it that are there and not told.
        bytes: u64,
    },
}

/// A bound parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// OID of its type; 0 if the recording does not tell.
    pub type_oid: u32,
    /// Its value as text; `None` is SQL NULL.
    pub value: Option<String>,
}

/// The fields of an error or notice that people read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Severity.
    pub severity: Severity,
    /// SQLSTATE.
    pub sqlstate: String,
    /// Message.
    pub message: String,
    /// Detail.
    pub detail: Option<String>,
    /// Hint.
    pub hint: Option<String>,
    /// Where in the query text, in characters from 1.
    pub position: Option<u32>,
    /// Call stack.
    pub context: Option<String>,
}

impl Diagnostic {
    pub(super) fn of(fields: &ErrorFields) -> Self {
        Self {
            severity: fields.severity,
            sqlstate: fields.sqlstate.to_string(),
            message: fields.message.clone(),
            detail: fields.detail.clone(),
            hint: fields.hint.clone(),
            position: fields.position,
            context: fields.context.clone(),
        }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Query { text } => statement(f, "=>", text),
            Self::Prepare { name, text } if name.is_empty() => statement(f, "prepare =>", text),
            Self::Prepare { name, text } => statement(f, &format!("prepare {} =>", line(name)), text),
            Self::Bind { statement: name, text, parameters } => {
                named_statement(f, "bind", name, text.as_deref())?;
                self::parameters(f, parameters)
            }
            Self::Execute { portal, text, parameters, max_rows } => {
                named_statement(f, "execute", portal, text.as_deref())?;
                self::parameters(f, parameters)?;
                max_rows.map_or(Ok(()), |rows| write!(f, "\n   (at most {rows} rows)"))
            }
            Self::FunctionCall { function, arguments } => {
                write!(f, "function call: OID {function}, {arguments} arguments")
            }
            Self::FunctionResult { value } => write!(f, "result: {}", value.as_deref().map_or(NULL.into(), line)),
            Self::Table(table) => table.fmt(f),
            Self::Copy { side, piece } => write!(f, "COPY data from the {side}, {piece}"),
            Self::Complete { tag } => f.write_str(&line(tag)),
            Self::Suspended => f.write_str("(more rows to come)"),
            Self::EmptyQuery => f.write_str("(no statement)"),
            Self::Error(diagnostic) | Self::Notice(diagnostic) => diagnostic.fmt(f),
            Self::Setting { name, value } => write!(f, "setting {} = {}", line(name), line(value)),
            Self::Notification { channel, payload } => write!(f, "NOTIFY {}: {}", line(channel), line(payload)),
            Self::Transaction(TransactionStatus::Idle) => f.write_str("(transaction ended)"),
            Self::Transaction(TransactionStatus::Active) => f.write_str("(in a transaction)"),
            Self::Transaction(TransactionStatus::Failed) => f.write_str("(in a failed transaction)"),
            Self::Skipped { request } => write!(f, "NOT RUN, an error came before it:\n{request}"),
            Self::Unanswered { request } => write!(f, "NO ANSWER RECORDED:\n{request}"),
            Self::Unreadable { side, reason } => write!(f, "UNREADABLE bytes of the {side}: {reason}"),
            Self::OutOfStep { reason } => write!(f, "OUT OF STEP: {reason}"),
            Self::CutOff { side, bytes } => write!(f, "RECORDING ENDS with {bytes} unread bytes of the {side}"),
        }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.severity.as_str(), self.sqlstate, indented(&self.message))?;
        for (label, field) in [("DETAIL", &self.detail), ("HINT", &self.hint), ("CONTEXT", &self.context)] {
            if let Some(field) = field {
                write!(f, "\n   {label}: {}", indented(field))?;
            }
        }
        self.position.map_or(Ok(()), |position| write!(f, "\n   at character {position}"))
    }
}

/// Lines after the first cannot pass for lines of ours: those begin at the margin.
fn indented(field: &str) -> String {
    text(field).replace('\n', "\n   | ")
}

fn statement(f: &mut fmt::Formatter<'_>, prompt: &str, statement: &str) -> fmt::Result {
    write!(f, "{prompt} {}", text(statement).replace('\n', "\n-> "))
}

fn named_statement(f: &mut fmt::Formatter<'_>, verb: &str, name: &str, text: Option<&str>) -> fmt::Result {
    let prompt = if name.is_empty() { format!("{verb} =>") } else { format!("{verb} {} =>", line(name)) };
    match text {
        Some(text) => statement(f, &prompt, text),
        None => write!(f, "{prompt} (its text is not in the recording)"),
    }
}

fn parameters(f: &mut fmt::Formatter<'_>, parameters: &[Parameter]) -> fmt::Result {
    for (number, parameter) in (1..).zip(parameters) {
        let value = parameter.value.as_deref().map_or(NULL.into(), line);
        match type_name(parameter.type_oid) {
            Some(name) => write!(f, "\n   ${number} {name} = {value}")?,
            None if parameter.type_oid == 0 => write!(f, "\n   ${number} = {value}")?,
            None => write!(f, "\n   ${number} type {} = {value}", parameter.type_oid)?,
        }
    }
    Ok(())
}

/// SQL NULL, as COPY writes it.
pub(super) const NULL: &str = "\\N";
