//! The fields of `ErrorResponse` and `NoticeResponse`.
//!
//! Source: PostgreSQL documentation, "Error and Notice Message Fields".

use super::body::{Reader, Writer};
use super::error::{EncodeError, Error, Problem};
use super::sqlstate::SqlState;
use std::fmt;

/// An error or notice. Text is in UTF-8; a server that reports in another encoding, as it may before the session's
/// encoding is set, has its foreign bytes shown as U+FFFD (the message itself can be passed on unread).
///
/// `Debug` shows severity and SQLSTATE only: every other field may quote data.
#[derive(Clone, PartialEq, Eq)]
pub struct ErrorFields {
    /// Severity, never translated (`V`; in messages from before PostgreSQL 9.6, `S`).
    pub severity: Severity,
    /// Severity as the server shows it to people, perhaps translated (`S`), where it differs from `severity`.
    pub severity_shown: Option<String>,
    /// SQLSTATE (`C`).
    pub sqlstate: SqlState,
    /// The message (`M`).
    pub message: String,
    /// Detail (`D`).
    pub detail: Option<String>,
    /// Hint (`H`).
    pub hint: Option<String>,
    /// Place in the query text, in characters from 1 (`P`).
    pub position: Option<u32>,
    /// Place in `internal_query`, in characters from 1 (`p`).
    pub internal_position: Option<u32>,
    /// Text of a failed command that the server generated (`q`).
    pub internal_query: Option<String>,
    /// Call stack, an entry a line (`W`).
    pub context: Option<String>,
    /// Schema (`s`).
    pub schema: Option<String>,
    /// Table (`t`).
    pub table: Option<String>,
    /// Column (`c`).
    pub column: Option<String>,
    /// Data type (`d`).
    pub data_type: Option<String>,
    /// Constraint (`n`).
    pub constraint: Option<String>,
    /// The server's source file (`F`).
    pub file: Option<String>,
    /// Line in it (`L`).
    pub line: Option<String>,
    /// Function in it (`R`).
    pub routine: Option<String>,
    /// Fields this version does not know, by their type byte, in the order sent.
    pub unknown: Vec<(u8, String)>,
}

impl ErrorFields {
    /// Severity, SQLSTATE and message, nothing else.
    #[must_use]
    pub fn new(severity: Severity, sqlstate: SqlState, message: impl Into<String>) -> Self {
        Self {
            severity,
            severity_shown: None,
            sqlstate,
            message: message.into(),
            detail: None,
            hint: None,
            position: None,
            internal_position: None,
            internal_query: None,
            context: None,
            schema: None,
            table: None,
            column: None,
            data_type: None,
            constraint: None,
            file: None,
            line: None,
            routine: None,
            unknown: Vec::new(),
        }
    }

    /// An error that ends the statement.
    #[must_use]
    pub fn error(sqlstate: SqlState, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, sqlstate, message)
    }

    /// An error that ends the session.
    #[must_use]
    pub fn fatal(sqlstate: SqlState, message: impl Into<String>) -> Self {
        Self::new(Severity::Fatal, sqlstate, message)
    }

    /// A notice.
    #[must_use]
    pub fn notice(message: impl Into<String>) -> Self {
        Self::new(Severity::Notice, SqlState::SUCCESSFUL_COMPLETION, message)
    }

    /// The same with a hint.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same with a detail.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// All that it says in words, which may be anybody's.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        let names = [&self.schema, &self.table, &self.column, &self.data_type, &self.constraint];
        let texts = [&self.detail, &self.hint, &self.internal_query, &self.context, &self.severity_shown];
        let places = [&self.file, &self.line, &self.routine];
        let all =
            texts.into_iter().chain(names).chain(places).flatten().chain(self.unknown.iter().map(|(_, text)| text));
        std::iter::once(&self.message).chain(all).map(String::as_str)
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let start = reader.clone();
        let mut found = Found::default();
        loop {
            let here = reader.clone();
            match reader.u8("field type")? {
                0 => break,
                code => {
                    let value = String::from_utf8_lossy(reader.terminated("field value")?).into_owned();
                    found.put(code, value).map_err(|problem| here.error("field value", problem))?;
                }
            }
        }
        found.finish().map_err(|(field, problem)| start.error(field, problem))
    }

    pub(super) fn encode(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        let shown = self.severity_shown.as_deref().unwrap_or(self.severity.as_str());
        let position = self.position.map(|position| position.to_string());
        let internal_position = self.internal_position.map(|position| position.to_string());
        let fields = [
            (b'S', Some(shown)),
            (b'V', Some(self.severity.as_str())),
            (b'C', Some(self.sqlstate.as_str())),
            (b'M', Some(self.message.as_str())),
            (b'D', self.detail.as_deref()),
            (b'H', self.hint.as_deref()),
            (b'P', position.as_deref()),
            (b'p', internal_position.as_deref()),
            (b'q', self.internal_query.as_deref()),
            (b'W', self.context.as_deref()),
            (b's', self.schema.as_deref()),
            (b't', self.table.as_deref()),
            (b'c', self.column.as_deref()),
            (b'd', self.data_type.as_deref()),
            (b'n', self.constraint.as_deref()),
            (b'F', self.file.as_deref()),
            (b'L', self.line.as_deref()),
            (b'R', self.routine.as_deref()),
        ];
        let unknown = self.unknown.iter().map(|(code, value)| (*code, Some(value.as_str())));
        for (code, value) in fields.into_iter().chain(unknown) {
            if let Some(value) = value {
                writer.u8(code);
                writer.string("field value", value)?;
            }
        }
        writer.u8(0);
        Ok(())
    }

    /// The same without zero bytes and with every text cut to a length that always fits, so that it can be sent.
    pub(super) fn sendable(&self) -> Self {
        let mut fields = self.clone();
        for text in [
            &mut fields.severity_shown,
            &mut fields.detail,
            &mut fields.hint,
            &mut fields.internal_query,
            &mut fields.context,
            &mut fields.schema,
            &mut fields.table,
            &mut fields.column,
            &mut fields.data_type,
            &mut fields.constraint,
            &mut fields.file,
            &mut fields.line,
            &mut fields.routine,
        ]
        .into_iter()
        .flatten()
        {
            clean(text);
        }
        clean(&mut fields.message);
        fields.unknown.clear();
        fields
    }
}

impl fmt::Debug for ErrorFields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.severity.as_str(), self.sqlstate)
    }
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// `DEBUG`
    Debug,
    /// `LOG`
    Log,
    /// `INFO`
    Info,
    /// `NOTICE`
    Notice,
    /// `WARNING`
    Warning,
    /// `ERROR`: the statement failed.
    Error,
    /// `FATAL`: the session ends.
    Fatal,
    /// `PANIC`: all sessions end.
    Panic,
}

impl Severity {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "DEBUG",
            Self::Log => "LOG",
            Self::Info => "INFO",
            Self::Notice => "NOTICE",
            Self::Warning => "WARNING",
            Self::Error => "ERROR",
            Self::Fatal => "FATAL",
            Self::Panic => "PANIC",
        }
    }

    /// True if the connection ends after it.
    #[must_use]
    pub fn ends_session(self) -> bool {
        matches!(self, Self::Fatal | Self::Panic)
    }

    fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "DEBUG" => Self::Debug,
            "LOG" => Self::Log,
            "INFO" => Self::Info,
            "NOTICE" => Self::Notice,
            "WARNING" => Self::Warning,
            "ERROR" => Self::Error,
            "FATAL" => Self::Fatal,
            "PANIC" => Self::Panic,
            _ => return None,
        })
    }
}

/// The fields met so far.
#[derive(Default)]
struct Found {
    known: [Option<String>; CODES.len()],
    unknown: Vec<(u8, String)>,
}

impl Found {
    fn put(&mut self, code: u8, value: String) -> Result<(), Problem> {
        let index = CODES.iter().position(|known| *known == code);
        match index.and_then(|index| self.known.get_mut(index)) {
            Some(Some(_)) => return Err(Problem::Value("each field once")),
            Some(place) => *place = Some(value),
            None if self.unknown.len() < UNKNOWN_MAX => self.unknown.push((code, value)),
            None => return Err(Problem::Value("at most 64 fields of unknown type")),
        }
        Ok(())
    }

    fn take(&mut self, code: u8) -> Option<String> {
        let index = CODES.iter().position(|known| *known == code)?;
        self.known.get_mut(index)?.take()
    }

    fn number(&mut self, code: u8) -> Result<Option<u32>, (&'static str, Problem)> {
        self.take(code).map(|digits| digits.parse()).transpose().map_err(|_| ("position", Problem::Value("a number")))
    }

    fn finish(mut self) -> Result<ErrorFields, (&'static str, Problem)> {
        let shown = self.take(b'S').ok_or(("severity", Problem::Value("a field S")))?;
        let word = self.take(b'V').unwrap_or_else(|| shown.clone());
        // DEBUG1 to DEBUG5 are all DEBUG on the wire.
        let severity = Severity::from_word(&word).ok_or(("severity", Problem::Value("a severity")))?;
        let sqlstate = self.take(b'C').ok_or(("SQLSTATE", Problem::Value("a field C")))?;
        let sqlstate = SqlState::from_code(&sqlstate).ok_or(("SQLSTATE", Problem::Value("five digits or letters")))?;
        let message = self.take(b'M').ok_or(("message", Problem::Value("a field M")))?;
        Ok(ErrorFields {
            severity_shown: (shown != severity.as_str()).then_some(shown),
            detail: self.take(b'D'),
            hint: self.take(b'H'),
            position: self.number(b'P')?,
            internal_position: self.number(b'p')?,
            internal_query: self.take(b'q'),
            context: self.take(b'W'),
            schema: self.take(b's'),
            table: self.take(b't'),
            column: self.take(b'c'),
            data_type: self.take(b'd'),
            constraint: self.take(b'n'),
            file: self.take(b'F'),
            line: self.take(b'L'),
            routine: self.take(b'R'),
            unknown: self.unknown,
            ..ErrorFields::new(severity, sqlstate, message)
        })
    }
}

/// Drops zero bytes and cuts at a character's start.
fn clean(text: &mut String) {
    text.retain(|character| character != '\0');
    text.truncate(text.floor_char_boundary(TEXT_MAX));
}

/// All field types of PostgreSQL 18.
const CODES: [u8; 18] = *b"SVCMDHPpqWstcdnFLR";

/// Each costs an allocation; there is none today.
const UNKNOWN_MAX: usize = 64;

/// Longest text of an error we make ourselves, in bytes: 14 of them stay far below any client's limit, and people
/// read no more.
const TEXT_MAX: usize = 65_536;
