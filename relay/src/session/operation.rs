//! What a frontend message that was sent is waiting for, and what its reply means to the evidence.

use std::sync::Arc;

use schemas::event::{Outcome, OutcomeKind};
use wire::postgres::{ErrorFields, SqlState};

use crate::policy::{Admitted, Refusal};
use crate::session::diagnostics::Exposure;

/// A prepared statement as the target knows it.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// Its number in the evidence.
    pub statement: u64,
    /// What may be said of its errors.
    pub exposure: Exposure,
    /// Types of its parameters as the client gave them; 0 where it left them to the target.
    pub parameter_types: Arc<[u32]>,
    /// The right to run it; `None` for a refused one, which the target never parsed.
    pub admitted: Option<Admitted>,
}

/// One message in flight.
#[derive(Debug)]
pub enum Operation {
    /// A simple query and its statements, in order.
    Query {
        /// They answer in this order.
        statements: Vec<Execution>,
        /// Set when a failing text was sent in its place.
        refusal: Option<Refusal>,
        /// It changes what names mean once it is done.
        effects: crate::policy::Effects,
    },
    /// `Parse` of a named or the unnamed statement.
    Parse {
        /// The name.
        name: String,
        /// Its statement number.
        statement: u64,
        /// What may be said of its errors.
        exposure: Exposure,
        /// Set when a failing text was sent in its place.
        refusal: Option<Refusal>,
    },
    /// `Bind` of a portal.
    Bind {
        /// The portal.
        portal: String,
        /// Statement bound.
        statement: u64,
        /// What may be said of its errors.
        exposure: Exposure,
    },
    /// `Execute` of a portal.
    Execute(Execution),
    /// `Describe`.
    Describe {
        /// What may be said of its errors.
        exposure: Exposure,
    },
    /// `Close` of a prepared statement.
    CloseStatement(String),
    /// `Close` of a portal.
    ClosePortal(String),
    /// `Sync`.
    Sync,
    /// A message for which a failing text was sent in its place, with nothing else on record.
    Refused(Refusal),
}

/// One execution and what it has returned so far.
#[derive(Debug)]
pub struct Execution {
    /// Its number in the evidence; 0 when it never got one.
    pub execution: u64,
    /// The statement's number.
    pub statement: u64,
    /// What may be said of its errors.
    pub exposure: Exposure,
    /// Rows so far.
    pub rows: u64,
    /// Bytes of rows so far.
    pub bytes: u64,
}

impl Execution {
    /// An execution that has returned nothing yet.
    pub fn new(execution: u64, statement: u64, exposure: Exposure) -> Self {
        Self { execution, statement, exposure, rows: 0, bytes: 0 }
    }

    /// Its end as an event, without a command tag.
    pub fn ended(&self, outcome: OutcomeKind, sqlstate: Option<SqlState>) -> Outcome {
        Outcome {
            execution: self.execution,
            statement: self.statement,
            outcome,
            command: None,
            rows_returned: self.rows,
            rows_affected: 0,
            bytes_returned: self.bytes,
            sqlstate: sqlstate.map(|code| code.as_str().to_owned()),
        }
    }

    /// Its end as the target's `CommandComplete` tells it: a tag such as `INSERT 0 5`.
    pub fn completed(&self, tag: &str) -> Outcome {
        let mut words = tag.split(' ');
        let command: Vec<&str> = words.by_ref().take_while(|word| !word.starts_with(|c: char| c.is_ascii_digit())).collect();
        let count = tag.rsplit(' ').next().and_then(|last| last.parse().ok()).unwrap_or(0);
        let changes = matches!(command.first(), Some(&("INSERT" | "UPDATE" | "DELETE" | "MERGE" | "COPY")));
        Outcome {
            command: Some(command.join(" ")),
            rows_affected: if changes { count } else { 0 },
            ..self.ended(OutcomeKind::Completed, None)
        }
    }
}

impl Operation {
    /// What may be said of an error that answers this message (`part` counts the statements of a simple query).
    pub fn exposure(&self, part: usize) -> Exposure {
        match self {
            Self::Query { statements, .. } => statements.get(part).map_or(Exposure::Withheld, |one| one.exposure),
            Self::Execute(one) => one.exposure,
            Self::Parse { exposure, .. } | Self::Bind { exposure, .. } | Self::Describe { exposure } => *exposure,
            Self::CloseStatement(_) | Self::ClosePortal(_) | Self::Sync | Self::Refused(_) => Exposure::Withheld,
        }
    }

    /// The refusal that stands behind a failing text sent in this message's place.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Query { refusal, .. } | Self::Parse { refusal, .. } => refusal.as_ref(),
            Self::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }

    /// The execution that a row or a completion belongs to.
    pub fn execution(&mut self, part: usize) -> Option<&mut Execution> {
        match self {
            Self::Query { statements, .. } => statements.get_mut(part),
            Self::Execute(one) => Some(one),
            _ => None,
        }
    }

    /// What is to be recorded when this message ends without completing: failed, skipped or of unknown outcome.
    /// For a simple query, statements before `part` have their outcome already, the one at `part` gets `first`,
    /// later ones never ran.
    pub fn unfinished(&self, part: usize, first: OutcomeKind, sqlstate: Option<SqlState>) -> Vec<Outcome> {
        let later = if first == OutcomeKind::Failed { OutcomeKind::Skipped } else { first };
        match self {
            Self::Query { statements, .. } => statements
                .iter()
                .enumerate()
                .skip(part)
                .map(|(index, one)| if index == part { one.ended(first, sqlstate) } else { one.ended(later, None) })
                .collect(),
            Self::Execute(one) => vec![one.ended(first, sqlstate)],
            Self::Parse { statement, exposure, .. } | Self::Bind { statement, exposure, .. }
                if first != OutcomeKind::Skipped && first != OutcomeKind::Unknown =>
            {
                vec![Execution::new(0, *statement, *exposure).ended(first, sqlstate)]
            }
            _ => Vec::new(),
        }
    }
}

/// A refusal as the client sees it.
pub fn refusal_fields(refusal: &Refusal) -> ErrorFields {
    let mut fields = ErrorFields::error(refusal.sqlstate, refusal.message.clone());
    fields.hint.clone_from(&refusal.hint);
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_tags_are_split_into_command_and_count() {
        let execution = Execution::new(1, 1, Exposure::Open);
        let inserted = execution.completed("INSERT 0 5");
        assert_eq!((inserted.command.as_deref(), inserted.rows_affected), (Some("INSERT"), 5));
        let selected = execution.completed("SELECT 3");
        assert_eq!((selected.command.as_deref(), selected.rows_affected), (Some("SELECT"), 0));
        let created = execution.completed("CREATE TABLE");
        assert_eq!((created.command.as_deref(), created.rows_affected), (Some("CREATE TABLE"), 0));
    }

    #[test]
    fn of_a_failed_batch_the_first_failed_and_the_rest_was_skipped() {
        let statements = (1..=3).map(|n| Execution::new(n, n, Exposure::Open)).collect();
        let query = Operation::Query { statements, refusal: None, effects: crate::policy::Effects::default() };
        let kinds: Vec<_> = query.unfinished(1, OutcomeKind::Failed, None).iter().map(|o| (o.statement, o.outcome)).collect();
        assert_eq!(kinds, [(2, OutcomeKind::Failed), (3, OutcomeKind::Skipped)]);
    }
}
