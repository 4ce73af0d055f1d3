//! Deciding, numbering, and expecting answers: what every request needs.

use std::sync::Arc;
use std::time::Duration;

use schemas::event::{Bind as Bound, EventBody, Execute as Started, OutcomeKind, Path, Token};
use wire::postgres::conversation::{FrontendOp, OpKind, Sent};
use wire::postgres::frontend::Bind;

use crate::policy::{self, Ruling};

use super::kept::Kept;
use super::operation::{Operation, Prepared};
use super::requests::impossible;
use super::{Ending, Session};

impl Session {
    /// Decides; a name that the catalog snapshot does not know may be younger than it, so then it is read anew, and so it is
    /// before definitions change.
    pub(super) async fn decide(
        &mut self,
        path: Path,
        text: &str,
        parameter_types: &[u32],
    ) -> Result<Arc<Ruling>, Ending> {
        let ruling = self.decide_once(path, text, parameter_types);
        let misses_name = match &ruling.outcome {
            policy::Outcome::Refused { refusal } => refusal.unknown_name,
            // What comes behind a lock on definitions rests on the catalog from before it.
            _ => (ruling.statements.iter()).any(|ruled| ruled.effects.assumes_absent || ruled.effects.locks_relations),
        };
        if !misses_name {
            return Ok(ruling);
        }
        self.refresh(UNKNOWN_NAME_MAX_AGE).await?;
        Ok(self.decide_once(path, text, parameter_types))
    }

    fn decide_once(&mut self, path: Path, text: &str, parameter_types: &[u32]) -> Arc<Ruling> {
        let tokens = self.recorder.token_key();
        let token = |bytes: &[u8]| tokens.token(bytes);
        let context = self.access.context(self.chosen.footing(), self.own.now(), &token);
        let decided = self.decisions.decided();
        let ruling = self.decisions.decide(&context, path, text, parameter_types);
        let remembered = self.decisions.decided() == decided;
        if remembered { &self.figures.remembered } else { &self.figures.decided }.add(1);
        ruling
    }

    /// As [`Session::decide`], without a look at what was decided before.
    pub(super) fn decide_now(&self, path: Path, text: &str, parameter_types: &[u32]) -> Ruling {
        let tokens = self.recorder.token_key();
        let token = |bytes: &[u8]| tokens.token(bytes);
        policy::decide(&self.access.context(self.chosen.footing(), self.own.now(), &token), path, text, parameter_types)
    }

    /// The next statement's number; its event goes first.
    pub(super) fn number_statement(&mut self, ruled: &policy::StatementRuling, events: &mut Vec<EventBody>) -> u64 {
        self.numbers.statement += 1;
        let mut event = ruled.event.clone();
        event.statement = self.numbers.statement;
        self.figures.of_verdict(event.decision.outcome).add(1);
        events.push(EventBody::Statement(Box::new(event)));
        self.numbers.statement
    }

    /// The next execution's number; its event goes first, and says how much of its result goes on record.
    pub(super) fn number_execution(
        &mut self,
        statement: u64,
        row_limit: u64,
        rows_kept: Option<u64>,
        events: &mut Vec<EventBody>,
    ) -> u64 {
        self.numbers.execution += 1;
        self.figures.executions.add(1);
        let execution = self.numbers.execution;
        events.push(EventBody::Execute(Started { execution, statement, row_limit, rows_kept }));
        execution
    }

    /// How many rows of each run of a statement go on record at most; none where all do.
    pub(super) fn rows_kept(&self, ruled: &policy::StatementRuling) -> Option<u64> {
        let connection = &self.guarded.connection;
        let reveals = ruled.event.objects.iter().any(|touched| !touched.revealed.is_empty());
        if reveals { connection.revealed_results } else { connection.results }.rows_kept()
    }

    /// What goes on record of a result of which no row has come yet.
    pub(super) fn kept(&self, rows_kept: Option<u64>) -> Option<Kept> {
        rows_kept.map(|most| Kept::first(most, self.recorder.begin_result()))
    }

    /// Notes that a message is on its way and what its reply will mean. Gives its ticket, unless the target skips it
    /// after an earlier error: then its outcome is known, and goes among the events.
    pub(super) fn expect(
        &mut self,
        kind: OpKind,
        mut operation: Operation,
        events: &mut Vec<EventBody>,
    ) -> Result<Option<u64>, Ending> {
        self.numbers.ticket += 1;
        let ticket = self.numbers.ticket;
        match self.conversation.on_frontend(FrontendOp { kind, ticket }).map_err(|error| impossible(&error))? {
            Sent::Awaited => {
                self.operations.insert(ticket, operation);
                Ok(Some(ticket))
            }
            Sent::Skipped => {
                events.extend(operation.unfinished(OutcomeKind::Skipped, None).into_iter().map(EventBody::Outcome));
                Ok(None)
            }
            Sent::Silent => Ok(None),
        }
    }

    fn token(&self, prepared: &Prepared, index: usize, value: Option<&[u8]>) -> Token {
        let oid = prepared.parameter_types.get(index).copied().unwrap_or(0);
        Token {
            kind: oid.to_string(),
            length: value.map(|bytes| u64::try_from(bytes.len()).unwrap_or(u64::MAX)),
            token: value.map(|bytes| self.recorder.token_key().token(bytes)),
        }
    }

    /// The event of a `Bind`.
    pub(super) fn bound(&self, bind: &Bind<'_>, prepared: &Prepared, statement: u64) -> EventBody {
        let parameters = bind.parameters.iter().enumerate().map(|(index, value)| self.token(prepared, index, *value));
        EventBody::Bind(Bound { statement, parameters: parameters.collect() })
    }
}

/// Misspelt names must not make every session read the catalog: at most once in this time for all of them.
const UNKNOWN_NAME_MAX_AGE: Duration = Duration::from_secs(5);
