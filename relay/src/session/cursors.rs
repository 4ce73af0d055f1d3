//! Cursors and prepared statements by name: only what was declared or prepared, and so decided on, in this session is read
//! from or executed.

use std::sync::Arc;

use crate::policy::{Admitted, ByName, Cursor, Effects, Refusal, Ruling, StatementRuling};

use super::Session;
use super::diagnostics::Exposure;
use super::names::Lookup;
use super::operation::{Lasts, Prepared, Standing};
use super::requests::exposure;

/// What holds for the rows that a statement returns, its own or those of a cursor or prepared statement that it runs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source {
    /// What may be said of errors.
    pub(super) exposure: Exposure,
    /// How many rows go on record at most; none where all do.
    pub(super) rows_kept: Option<u64>,
}

/// What the cursors and prepared statements of a text allow.
pub(super) enum Cursors {
    /// All are there: what each statement runs.
    There(Vec<Runs>),
    /// The target has not said yet whether one is there.
    Unconfirmed,
    /// One is not.
    Missing(Refusal),
}

/// What a statement runs.
#[derive(Clone, Copy)]
pub(super) struct Runs {
    /// What holds for its rows.
    pub(super) source: Source,
    /// The number of the prepared statement, for EXECUTE.
    pub(super) prepared: Option<u64>,
}

impl Session {
    /// Looks up the cursors that the statements of a text use, in order; earlier ones may declare what later ones use.
    pub(super) fn cursors(&self, ruling: &Ruling) -> Cursors {
        let mut declared: Vec<(&str, Source)> = Vec::new();
        let mut runs = Vec::new();
        for statement in &ruling.statements {
            if let ByName::Executes(name) = &statement.effects.by_name {
                match self.executed(name) {
                    Lookup::Known(prepared) => runs.push(prepared),
                    Lookup::Unconfirmed => return Cursors::Unconfirmed,
                    Lookup::Unknown => return Cursors::Missing(Refusal::unknown_statement(name)),
                }
                continue;
            }
            let own = self.source(statement);
            let source = match &statement.effects.cursor {
                Cursor::Declared { name, .. } => {
                    declared.push((name, own));
                    own
                }
                Cursor::Used(name) => match declared.iter().rev().find(|(known, _)| known == name) {
                    Some((_, source)) => *source,
                    None => match self.cursor(name) {
                        Lookup::Known(source) => source,
                        Lookup::Unconfirmed => return Cursors::Unconfirmed,
                        Lookup::Unknown => return Cursors::Missing(Refusal::unknown_cursor(name)),
                    },
                },
                Cursor::Positions(name) => {
                    let found = match declared.iter().rev().find(|(known, _)| known == name) {
                        Some((_, source)) => Lookup::Known(*source),
                        None => self.cursor(name),
                    };
                    match found {
                        Lookup::Known(source) if source.exposure != Exposure::Open => {
                            return Cursors::Missing(chosen_by_masks());
                        }
                        Lookup::Known(_) => own,
                        Lookup::Unconfirmed => return Cursors::Unconfirmed,
                        Lookup::Unknown => return Cursors::Missing(Refusal::unknown_cursor(name)),
                    }
                }
                Cursor::None | Cursor::Closed(_) => own,
            };
            runs.push(Runs { source, prepared: None });
        }
        Cursors::There(runs)
    }

    /// A prepared statement that EXECUTE may run: one that only reads or writes rows, as often as anybody likes. A held one
    /// is asked about where the protocol binds it.
    fn executed(&self, name: &str) -> Lookup<Runs> {
        match self.prepared_named(name) {
            Lookup::Known(prepared) => match prepared.standing {
                Standing::Admitted(_) if prepared.effects.iter().all(|effects| *effects == Effects::default()) => {
                    let source = Source { exposure: prepared.exposure, rows_kept: prepared.rows_kept };
                    Lookup::Known(Runs { source, prepared: Some(prepared.statement) })
                }
                _ => Lookup::Unknown,
            },
            Lookup::Unknown => Lookup::Unknown,
            Lookup::Unconfirmed => Lookup::Unconfirmed,
        }
    }

    /// A prepared statement that was decided on what still holds.
    pub(super) fn prepared_named(&self, name: &str) -> Lookup<Prepared> {
        self.standing(self.prepared.lookup(name, self.numbers.segment))
    }

    /// The same of a portal or cursor.
    pub(super) fn portal_named(&self, name: &str) -> Lookup<Prepared> {
        self.standing(self.portals.lookup(name, self.numbers.segment))
    }

    fn standing(&self, found: Lookup<Prepared>) -> Lookup<Prepared> {
        match found {
            Lookup::Known(prepared) if !self.stands(&prepared) => Lookup::Unknown,
            found => found,
        }
    }

    /// What holds for the rows of a statement itself.
    pub(super) fn source(&self, ruled: &StatementRuling) -> Source {
        Source { exposure: exposure(ruled), rows_kept: self.rows_kept(ruled) }
    }

    /// What a statement runs that names neither a cursor nor a prepared statement: itself.
    pub(super) fn runs(&self, ruled: &StatementRuling) -> Runs {
        Runs { source: self.source(ruled), prepared: None }
    }

    /// What holds for the rows of a cursor that may be read from. A portal that was approved is for one run.
    pub(super) fn cursor(&self, name: &str) -> Lookup<Source> {
        match self.portal_named(name) {
            Lookup::Known(Prepared { standing: Standing::Admitted(_), exposure, rows_kept, .. }) => {
                Lookup::Known(Source { exposure, rows_kept })
            }
            Lookup::Known(_) | Lookup::Unknown => Lookup::Unknown,
            Lookup::Unconfirmed => Lookup::Unconfirmed,
        }
    }

    /// Statements are sent under this ticket that may declare cursors or prepare statements: known by name from now on, once
    /// the target agrees.
    pub(super) fn declare(&mut self, ticket: u64, admitted: Admitted, sent: &[(Effects, u64, Source)]) {
        for (effects, statement, source) in sent {
            let made = Prepared {
                statement: *statement,
                exposure: source.exposure,
                rows_kept: source.rows_kept,
                parameter_types: Arc::default(),
                effects: Arc::default(),
                standing: Standing::Admitted(admitted),
                lasts: Lasts::Transaction,
                footing: Some(Arc::clone(self.chosen.footing())),
                columns: self.undescribed(),
            };
            if let ByName::Prepares(name) = &effects.by_name {
                self.prepared.change(name, ticket, self.numbers.segment, Some(made));
            } else if let Cursor::Declared { name, held } = &effects.cursor {
                let lasts = if *held { Lasts::BeyondCommit } else { Lasts::Transaction };
                self.portals.change(name, ticket, self.numbers.segment, Some(Prepared { lasts, ..made }));
            }
        }
    }

    /// Work was undone, up to a savepoint or all of it. Which portals went with it only the target knows; a name that it has
    /// forgotten could be taken by code of the database's, so only those of earlier transactions are still known.
    pub(super) fn portals_undone(&mut self) {
        self.portals.forget_unless(|portal| portal.lasts == Lasts::Session);
    }

    /// A transaction is over, and portals with it (PostgreSQL, "Extended Query"), but for cursors `WITH HOLD`.
    pub(super) fn transaction_over(&mut self) {
        if std::mem::take(&mut self.undone) {
            self.portals_undone();
            self.own.undone();
        } else {
            self.names_committed();
        }
        self.portals.forget_unless(|portal| {
            let kept = portal.lasts != Lasts::Transaction;
            portal.lasts = if kept { Lasts::Session } else { Lasts::Transaction };
            kept
        });
    }

    /// The target has answered all that was sent under this ticket.
    pub(super) fn declared(&mut self, ticket: u64, effects: &[Effects], done: bool) {
        for effect in effects {
            if let ByName::Prepares(name) = &effect.by_name {
                self.prepared.answered(name, ticket, done);
            }
            match &effect.cursor {
                Cursor::Declared { name, .. } => self.portals.answered(name, ticket, done),
                Cursor::Closed(name) if done => self.portals.forget(name),
                Cursor::None | Cursor::Used(_) | Cursor::Positions(_) | Cursor::Closed(_) => {}
            }
        }
    }
}

/// A masked column never chooses rows to change (rule 2), and where a cursor stops it may.
pub(super) fn chosen_by_masks() -> Refusal {
    Refusal::forbidden("WHERE CURRENT OF is refused: its cursor reads relations with protected columns")
}
