//! What a frontend message that was sent is waiting for, and what its reply means to the evidence.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use schemas::event::{Outcome, OutcomeKind};
use wire::postgres::conversation::Incoming;
use wire::postgres::{ErrorFields, HEADER, SqlState};

use crate::approval::Turn;
use crate::policy::{Admitted, Copies, Effects, Footing, OnTransaction, OwnChange, Refusal};
use crate::session::detecting::Described;
use crate::session::diagnostics::Exposure;
use crate::session::kept::Kept;

/// A prepared statement as the target knows it.
#[derive(Debug, Clone)]
pub(crate) struct Prepared {
    /// Its number in the evidence.
    pub(crate) statement: u64,
    /// What may be said of its errors.
    pub(crate) exposure: Exposure,
    /// Types of its parameters as the client gave them; 0 where it left them to the target.
    pub(crate) parameter_types: Arc<[u32]>,
    /// What changes once it ran.
    pub(crate) effects: Arc<[Effects]>,
    /// What was ruled on it.
    pub(crate) standing: Standing,
    /// How many rows of each run go on record at most; none where all do.
    pub(crate) rows_kept: Option<u64>,
    /// How long it lasts, if it is a portal.
    pub(crate) lasts: Lasts,
    /// The settings that it was decided on, where it depends on them.
    pub(crate) footing: Option<Arc<Footing>>,
    /// What is known of its columns.
    pub(crate) columns: Described,
}

/// How long a portal lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lasts {
    /// Until its transaction ends.
    Transaction,
    /// A cursor that is to outlive its transaction, if that commits.
    BeyondCommit,
    /// A cursor whose transaction has committed.
    Session,
}

/// What was ruled on a prepared statement, or is left of it for a portal.
#[derive(Debug, Clone)]
pub(crate) enum Standing {
    /// Refused: the target never parsed it.
    Refused,
    /// It may be run as often as the client likes.
    Admitted(Admitted),
    /// Each `Bind` of it needs an approval of its own.
    Held(Arc<HeldSource>),
    /// A portal that was bound by approval: it runs once.
    Approved(Turn),
}

/// What a held statement is decided from again.
#[derive(Debug)]
pub(crate) struct HeldSource {
    /// The client's text.
    pub(crate) text: String,
    /// The text that the target parsed.
    pub(crate) upstream_sql: String,
    /// Set once a request has the statement's own number; later ones get numbers of their own.
    pub(crate) asked: AtomicBool,
    /// The settings that its literals were read with, once the target has parsed it; never set where they are not known
    /// for sure.
    pub(crate) read_with: OnceLock<BTreeMap<String, String>>,
}

/// One message in flight.
#[derive(Debug)]
pub(crate) enum Operation {
    /// A simple query and its statements, in order.
    Query {
        /// They answer in this order.
        statements: Vec<Execution>,
        /// How many of them have their outcome on record.
        answered: usize,
        /// Set when a failing text was sent in its place.
        refusal: Option<Refusal>,
        /// Set when an error ended it: how many of its statements may have run, the one in turn among them.
        failed: Option<usize>,
        /// What changes once it is done, a statement each.
        effects: Arc<[Effects]>,
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
        /// To be told the settings that hold when the target answers.
        held: Option<Arc<HeldSource>>,
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
    Execute {
        /// What it has returned so far.
        started: Execution,
        /// What changes once it is done.
        effects: Arc<[Effects]>,
    },
    /// `Describe`.
    Describe {
        /// To be told the result's columns.
        columns: Described,
        /// What may be said of its errors.
        exposure: Exposure,
    },
    /// `Close` of a prepared statement.
    CloseStatement(String),
    /// `Close` of a portal.
    ClosePortal(String),
    /// `Sync`.
    Sync,
    /// `Sync` of the relay's own, before it holds a `Bind`: the client learns nothing of it.
    Settle,
    /// A `Bind` that was held and is not to run.
    Declined {
        /// The statement that was to be bound.
        statement: u64,
        /// Why.
        refusal: Refusal,
    },
    /// A message for which a failing text was sent in its place, with nothing else on record.
    Refused(Refusal),
}

/// One execution and what it has returned so far.
#[derive(Debug)]
pub(crate) struct Execution {
    /// Its number in the evidence; 0 when it never got one.
    pub(crate) execution: u64,
    /// The statement's number.
    pub(crate) statement: u64,
    /// What may be said of its errors.
    pub(crate) exposure: Exposure,
    /// Rows so far.
    pub(crate) rows: u64,
    /// Bytes of rows so far.
    pub(crate) bytes: u64,
    /// Which way its COPY data flow.
    pub(crate) copies: Copies,
    /// Bytes of COPY data from the client so far.
    pub(crate) received: u64,
    /// Where not all of its rows go on record.
    pub(crate) kept: Option<Box<Kept>>,
    /// What is known of its columns.
    pub(crate) columns: Described,
    /// Its COPY data are in binary.
    pub(crate) copies_binary: bool,
}

impl Execution {
    /// An execution that has returned nothing yet.
    pub(crate) fn new(execution: u64, statement: u64, exposure: Exposure) -> Self {
        Self {
            execution,
            statement,
            exposure,
            rows: 0,
            bytes: 0,
            copies: Copies::Nothing,
            received: 0,
            kept: None,
            columns: None,
            copies_binary: false,
        }
    }

    /// It may have COPY data, this way.
    pub(crate) fn copying(self, effects: Option<&Effects>) -> Self {
        Self { copies: effects.map_or(Copies::Nothing, |effects| effects.copies), ..self }
    }

    /// This of its rows goes on record, where not all of them do.
    pub(crate) fn keeping(self, kept: Option<Kept>) -> Self {
        Self { kept: kept.map(Box::new), ..self }
    }

    /// Its columns are known, or will be, from what was prepared.
    pub(crate) fn described(self, columns: Described) -> Self {
        Self { columns, ..self }
    }

    /// A row or piece of COPY data comes, or its beginning. Says whether it goes on record.
    pub(crate) fn row(&mut self, kind: Incoming, message: &[u8]) -> bool {
        self.rows += 1;
        self.count(message);
        // Of COPY the data alone: together they are the file that the client gets.
        let header = if kind == Incoming::CopyData { HEADER } else { 0 };
        self.kept.as_mut().is_none_or(|kept| kept.row(message.get(header..).unwrap_or_default()))
    }

    /// A row or piece of COPY data goes on. Says whether it goes on record.
    pub(crate) fn more_of_row(&mut self, part: &[u8]) -> bool {
        self.count(part);
        self.kept.as_mut().is_none_or(|kept| kept.more(part))
    }

    fn count(&mut self, bytes: &[u8]) {
        self.bytes += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    }

    /// Its end as an event, without a command tag.
    pub(crate) fn ended(&self, outcome: OutcomeKind, sqlstate: Option<SqlState>) -> Outcome {
        Outcome {
            execution: self.execution,
            statement: self.statement,
            outcome,
            command: None,
            rows_returned: self.rows,
            rows_affected: 0,
            bytes_returned: self.bytes,
            bytes_received: self.received,
            sqlstate: sqlstate.map(|code| code.as_str().to_owned()),
            rows_recorded: self.kept.as_ref().map(|kept| kept.rows()),
            result_hmac: self.kept.as_ref().map(|kept| kept.digest()),
        }
    }

    /// Its end as the target's `CommandComplete` tells it: a tag such as `INSERT 0 5`.
    pub(crate) fn completed(&self, tag: &str) -> Outcome {
        let mut words = tag.split(' ');
        let command: Vec<&str> =
            words.by_ref().take_while(|word| !word.starts_with(|c: char| c.is_ascii_digit())).collect();
        let count = tag.rsplit(' ').next().and_then(|last| last.parse().ok()).unwrap_or(0);
        let changes = matches!(command.first(), Some(&("INSERT" | "UPDATE" | "DELETE" | "MERGE" | "COPY")))
            && self.copies != Copies::Out;
        Outcome {
            command: Some(command.join(" ")),
            // A header is COPY data too: how many of them were rows only the target tells.
            rows_returned: if self.copies == Copies::Out { count } else { self.rows },
            rows_affected: if changes { count } else { 0 },
            ..self.ended(OutcomeKind::Completed, None)
        }
    }
}

impl Operation {
    /// What may be said of an error or notice that answers this message now.
    pub(crate) fn exposure(&self) -> Exposure {
        match self {
            Self::Query { statements, answered, .. } => {
                statements.get(*answered).map_or(Exposure::Withheld, |one| one.exposure)
            }
            Self::Execute { started, .. } => started.exposure,
            Self::Parse { exposure, .. } | Self::Bind { exposure, .. } | Self::Describe { exposure, .. } => *exposure,
            Self::CloseStatement(_)
            | Self::ClosePortal(_)
            | Self::Sync
            | Self::Settle
            | Self::Declined { .. }
            | Self::Refused(_) => Exposure::Withheld,
        }
    }

    /// The refusal that stands behind a failing text sent in this message's place.
    pub(crate) fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Query { refusal, .. } | Self::Parse { refusal, .. } => refusal.as_ref(),
            Self::Declined { refusal, .. } | Self::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }

    /// The execution that a row or a completion belongs to now.
    pub(crate) fn execution(&mut self) -> Option<&mut Execution> {
        match self {
            Self::Query { statements, answered, .. } => statements.get_mut(*answered),
            Self::Execute { started, .. } => Some(started),
            _ => None,
        }
    }

    /// What the statement in turn does.
    pub(crate) fn effects(&self) -> Option<&Effects> {
        match self {
            Self::Query { effects, answered, .. } => effects.get(*answered),
            Self::Execute { effects, .. } => effects.first(),
            _ => None,
        }
    }

    /// What the statement in turn does to its transaction.
    pub(crate) fn on_transaction(&self) -> OnTransaction {
        self.effects().map_or(OnTransaction::Nothing, |effects| effects.on_transaction)
    }

    /// Whether one of its statements may change a setting that decisions rest on.
    pub(crate) fn moves_settings(&self, moved: bool) -> bool {
        match self {
            Self::Query { effects, .. } | Self::Execute { effects, .. } => {
                effects.iter().any(|effects| effects.moves_settings(moved))
            }
            _ => false,
        }
    }

    /// Whether one of its statements takes locks behind which the catalog cannot be read.
    pub(crate) fn locks_relations(&self) -> bool {
        match self {
            Self::Query { effects, .. } | Self::Execute { effects, .. } => {
                effects.iter().any(|effects| effects.locks_relations)
            }
            _ => false,
        }
    }

    /// Whether one of its statements makes a name, by which later ones may call what it stands for.
    pub(crate) fn makes_names(&self) -> bool {
        let made = |effects: &Effects| effects.own.iter().any(|change| *change != OwnChange::NoTemporary);
        match self {
            Self::Query { effects, .. } | Self::Execute { effects, .. } => effects.iter().any(made),
            _ => false,
        }
    }

    /// The current statement of a simple query has its outcome on record: what comes belongs to the next one.
    pub(crate) fn next_statement(&mut self) {
        if let Self::Query { answered, .. } = self {
            *answered += 1;
        }
    }

    /// What is to be recorded when this message ends without completing: failed, refused, skipped or unknown.
    /// Of a simple query, the statement in turn gets `kind`; those behind a failed one never ran.
    pub(crate) fn unfinished(&mut self, kind: OutcomeKind, sqlstate: Option<SqlState>) -> Vec<Outcome> {
        let answered = kind == OutcomeKind::Failed || kind == OutcomeKind::Refused;
        match self {
            Self::Query { statements, answered: done, failed, .. } => {
                // Of what was refused or skipped nothing ran.
                *failed = Some(if kind == OutcomeKind::Failed { *done + 1 } else { 0 });
                let later = if kind == OutcomeKind::Failed { OutcomeKind::Skipped } else { kind };
                let open = statements.iter().skip(*done).enumerate();
                let ends = open.map(|(index, one)| match index {
                    0 => one.ended(kind, sqlstate),
                    _ => one.ended(later, sqlstate.filter(|_| kind == OutcomeKind::Refused)),
                });
                let ends = ends.collect();
                *done = statements.len();
                ends
            }
            Self::Execute { started, .. } if started.statement != 0 => vec![started.ended(kind, sqlstate)],
            Self::Parse { statement, exposure, .. } | Self::Bind { statement, exposure, .. }
                if answered && *statement != 0 =>
            {
                vec![Execution::new(0, *statement, *exposure).ended(kind, sqlstate)]
            }
            Self::Declined { statement, .. } => {
                vec![Execution::new(0, *statement, Exposure::Withheld).ended(kind, sqlstate)]
            }
            _ => Vec::new(),
        }
    }
}

/// A refusal as the client sees it.
pub(crate) fn refusal_fields(refusal: &Refusal) -> ErrorFields {
    let sqlstate = SqlState::from_code(refusal.sqlstate).unwrap_or(SqlState::INSUFFICIENT_PRIVILEGE);
    let mut fields = ErrorFields::error(sqlstate, refusal.message.clone());
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
    fn the_rows_of_a_copy_are_counted_the_way_they_went() {
        let of = |copies| Execution { copies, rows: 6, ..Execution::new(1, 1, Exposure::Open) };
        let out = of(Copies::Out).completed("COPY 5");
        assert_eq!((out.command.as_deref(), out.rows_returned, out.rows_affected), (Some("COPY"), 5, 0));
        let into = Execution { rows: 0, received: 40, ..of(Copies::In) }.completed("COPY 5");
        assert_eq!((into.rows_returned, into.rows_affected, into.bytes_received), (0, 5, 40));
    }

    #[test]
    fn of_a_failed_batch_the_first_failed_and_the_rest_was_skipped() {
        let statements = (1..=3).map(|n| Execution::new(n, n, Exposure::Open)).collect();
        let mut query =
            Operation::Query { statements, answered: 0, refusal: None, failed: None, effects: Arc::default() };
        query.next_statement();
        let ends = query.unfinished(OutcomeKind::Failed, None);
        let kinds: Vec<_> = ends.iter().map(|outcome| (outcome.statement, outcome.outcome)).collect();
        assert_eq!(kinds, [(2, OutcomeKind::Failed), (3, OutcomeKind::Skipped)]);
        assert!(query.unfinished(OutcomeKind::Unknown, None).is_empty(), "each has its one outcome");
    }
}
