//! Frontend messages: each is decided and recorded before it is sent.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use schemas::event::{CloseReason, EventBody, Path};
use wire::postgres::conversation::{ConversationError, OpKind};
use wire::postgres::frontend::{Bind, Target};
use wire::postgres::{Frontend, FrontendMessage, RawMessage, SqlState};

use crate::access::MAX_AGE;
use crate::approval::OneRun;
use crate::policy::{self, Admitted, Control, Cursor, Effects, Permit, Refusal, Ruling};
use crate::rewrite::Class;

use super::cursors::{Cursors, Source, chosen_by_masks};
use super::diagnostics::Exposure;
use super::names::Lookup;
use super::operation::{Execution, HeldSource, Lasts, Operation, Prepared, Standing};
use super::{Delayed, Ending, IN_FLIGHT_MAX, NAMES_MAX, Session, WHOLE_MAX};

/// Why an `Execute` may be sent.
enum Right {
    /// Its statement was permitted.
    Admitted(Admitted),
    /// Its portal was approved, and this is its one run.
    Approved(OneRun),
}

/// What becomes of one frontend message.
pub(super) enum Taken {
    /// To be recorded and sent.
    Permit(Permit),
    /// To be looked at again when the target has answered.
    Delay,
    /// As `Delay`; this goes first, and has the message on record.
    DelayBehind(Permit),
}

impl Session {
    /// Takes every whole message that has come, records them together and sends them together.
    pub(super) async fn forward_requests(&mut self) -> Result<(), Ending> {
        let mut permits = Vec::new();
        let taken = self.take_requests(&mut permits).await;
        // What came before a bad message is recorded and sent all the same, as the server itself would have run it.
        if !permits.is_empty() {
            self.last_request = tokio::time::Instant::now();
            let recorded = self.recorder.record(permits).await?;
            self.pump.upstream.send(recorded);
        }
        self.publish_held().await?;
        taken
    }

    async fn take_requests(&mut self, permits: &mut Vec<Permit>) -> Result<(), Ending> {
        // The target's answers alone tell of a changed catalog, and none are taken in between: once is enough.
        let mut fresh = false;
        while self.holding.is_none() && !self.has_terminated() {
            if self.delayed.is_none()
                && let Some(piece) =
                    self.from_client.next_piece(WHOLE_MAX).map_err(|error| Ending::violation(&error))?
            {
                permits.push(self.copy_piece(&piece)?);
                continue;
            }
            let Some(Delayed { message, on_record }) = self.next_request()? else { break };
            let decoded = FrontendMessage::decode(&message).map_err(|error| Ending::violation(&error))?;
            if !fresh && rests_on_catalog(&decoded) {
                self.refresh_for_request().await?;
                fresh = true;
            }
            let client = if on_record { Bytes::new() } else { message.bytes().clone() };
            if self.segment.is_skipping() && !matches!(decoded, FrontendMessage::Sync | FrontendMessage::Terminate) {
                permits.push(Permit::kept(client, Vec::new()));
                continue;
            }
            match self.take(&message, &decoded, client).await? {
                Taken::Permit(permit) => permits.push(permit),
                Taken::Delay => {
                    self.delayed = Some(Delayed { message, on_record });
                    break;
                }
                Taken::DelayBehind(permit) => {
                    permits.push(permit);
                    self.delayed = Some(Delayed { message, on_record: true });
                    break;
                }
            }
            if matches!(decoded, FrontendMessage::Terminate) {
                self.leaving = Some(CloseReason::ClientTerminated);
                self.pump.upstream.expect_end();
            }
        }
        Ok(())
    }

    fn next_request(&mut self) -> Result<Option<Delayed>, Ending> {
        if let Some(delayed) = self.delayed.take() {
            return Ok(Some(delayed));
        }
        if self.operations.len() >= IN_FLIGHT_MAX {
            // Left in the deframer; looked at again with the target's next answers.
            return Ok(None);
        }
        let message = self.from_client.next().map_err(|error| Ending::violation(&error))?;
        Ok(message.map(|message| Delayed { message, on_record: false }))
    }

    /// Nothing is decided on a stale catalog, and nothing runs that was decided on one (rules 1 and 8).
    async fn refresh_for_request(&mut self) -> Result<(), Ending> {
        if self.keeps_catalog_locked() {
            return Ok(());
        }
        let changed = std::mem::take(&mut self.catalog_changed);
        self.refresh(if changed { Duration::ZERO } else { MAX_AGE }).await
    }

    /// A catalog of another epoch: decided anew is what comes; what was prepared must be prepared again.
    pub(super) async fn refresh(&mut self, max_age: Duration) -> Result<(), Ending> {
        if self.keeps_catalog_locked() {
            return Ok(());
        }
        match self.guarded.newer(&self.principal, &self.access, max_age).await {
            Ok(None) => Ok(()),
            Ok(Some(access)) => {
                self.access = access;
                self.prepared.invalidate();
                self.portals.invalidate();
                Ok(())
            }
            Err(error) => {
                tracing::error!(%error, "the catalog cannot be read anew: the session ends");
                Err(Ending::told(
                    CloseReason::TargetDisconnected,
                    SqlState::CONNECTION_FAILURE,
                    "the target's catalog cannot be read anew, and nothing is decided on a stale one",
                ))
            }
        }
    }

    /// `client` is what of the message is not on record yet.
    async fn take(
        &mut self,
        message: &RawMessage<Frontend>,
        decoded: &FrontendMessage<'_>,
        client: Bytes,
    ) -> Result<Taken, Ending> {
        if names_of(decoded).iter().any(|name| name.len() > NAME_BYTES_MAX) {
            return self.name_too_long(client);
        }
        if begins_something_else(decoded)
            && let Some(turn) = self.turn.take()
        {
            turn.lapse();
        }
        let decides = matches!(decoded, FrontendMessage::Query { .. } | FrontendMessage::Parse { .. });
        if decides && self.waits_for_names() {
            return Ok(Taken::Delay);
        }
        if rests_on_settings(decoded) {
            if self.segment.has_moved_settings() {
                return self.behind_settings(matches!(decoded, FrontendMessage::Query { .. }), client);
            }
            if self.waits_for_settings() {
                return Ok(Taken::Delay);
            }
        }
        let permit = match decoded {
            FrontendMessage::Query { text } => return self.query(text, client).await,
            FrontendMessage::Parse { name, query, parameter_types } => {
                self.parse(name, query, parameter_types, client).await?
            }
            FrontendMessage::Bind(bind) => return self.bind(bind, message, client),
            FrontendMessage::Execute { portal, max_rows } => return self.execute(portal, *max_rows, client),
            FrontendMessage::Describe { target, name } => return self.describe(*target, name, client),
            FrontendMessage::Close { target, name } => self.close(*target, name, client)?,
            FrontendMessage::Flush => Permit::control(Control::Flush, client),
            FrontendMessage::Sync => {
                self.numbers.segment += 1;
                // The target drops one that comes among the data of a COPY.
                let inside = self.conversation.copying_in().is_some();
                self.expect(OpKind::Sync, Operation::Sync, &mut Vec::new())?;
                if !inside {
                    self.segment.end(self.numbers.ticket);
                }
                Permit::control(Control::Sync, client)
            }
            FrontendMessage::Terminate => Permit::control(Control::Terminate, client),
            FrontendMessage::FunctionCall(_) => {
                let refusal = refusal("0A000", "the fast-path function call is not relayed", "call it in a SELECT");
                self.expect(OpKind::Query, Operation::Refused(refusal), &mut Vec::new())?;
                Permit::failing_query(client, Vec::new())?
            }
            FrontendMessage::CopyData(_) => self.copy_message(OpKind::CopyData, client, message.bytes().len())?,
            FrontendMessage::CopyDone => self.copy_message(OpKind::CopyDone, client, 0)?,
            FrontendMessage::CopyFail { .. } => self.copy_message(OpKind::CopyFail, client, 0)?,
            FrontendMessage::Password(_) => {
                let text = format!("{} is not expected now: no authentication is under way", message.name());
                return Err(Ending::told(CloseReason::ProtocolViolation, SqlState::PROTOCOL_VIOLATION, &text));
            }
        };
        Ok(Taken::Permit(permit))
    }

    async fn query(&mut self, text: &str, client: Bytes) -> Result<Taken, Ending> {
        self.bound_names()?;
        let mut ruling = self.decide(Path::Simple, text, &[]).await?;
        if let (Some(refusal), true) =
            (self.unsettled(ruling.statements.iter().map(|ruled| &ruled.effects)), ruling.admitted().is_some())
        {
            ruling = Arc::new(policy::Ruling::clone(&ruling).refuse(refusal));
        }
        let runs = match self.cursors(&ruling) {
            Cursors::There(runs) => runs,
            Cursors::Unconfirmed => return Ok(Taken::Delay),
            Cursors::Missing(refusal) if ruling.admitted().is_some() => {
                ruling = Arc::new(policy::Ruling::clone(&ruling).refuse(refusal));
                Vec::new()
            }
            Cursors::Missing(_) => Vec::new(),
        };
        if let (policy::Outcome::Held { upstream_sql, objects }, [ruled]) = (&ruling.outcome, &*ruling.statements) {
            return self.held_query(text, ruled, (upstream_sql, objects), client);
        }
        let admitted = ruling.admitted().is_some();
        let mut events = Vec::new();
        let mut statements = Vec::new();
        let mut numbers = Vec::new();
        let mut sent = Vec::new();
        for (index, ruled) in ruling.statements.iter().enumerate() {
            let statement = self.number_statement(ruled, &mut events);
            numbers.push((statement, ruled.event.literals.len()));
            let mut runs = runs.get(index).copied().unwrap_or_else(|| self.runs(ruled));
            // EXECUTE is a run of what was prepared, with the values of its text; in a refused text it is none.
            runs.prepared = runs.prepared.filter(|_| admitted);
            if let Some(statement) = runs.prepared {
                let parameters = ruled.event.literals.clone();
                events.push(EventBody::Bind(schemas::event::Bind { statement, parameters }));
            }
            let of = runs.prepared.unwrap_or(statement);
            let Source { exposure, rows_kept } = runs.source;
            let mut started = Execution::new(0, of, exposure).copying(Some(&ruled.effects));
            if admitted {
                started.execution = self.number_execution(of, 0, rows_kept, &mut events);
                started = started.keeping(self.kept(rows_kept));
            }
            statements.push(started);
            sent.push((ruled.effects.clone(), statement, runs.source));
        }
        self.detect_literals(text, &numbers, &mut events);
        let (refusal, effects) = (refused(&ruling), effects(&ruling));
        let operation = Operation::Query { statements, answered: 0, refusal, failed: None, effects };
        let ticket = self.expect(OpKind::Query, operation, &mut events)?;
        if let (Some(ticket), Some(admitted)) = (ticket, ruling.admitted()) {
            self.declare(ticket, admitted, &sent);
        }
        // What it made has to be confirmed before it is used: a query that fails makes the target skip nothing.
        self.numbers.segment += 1;
        self.segment.end(self.numbers.ticket);
        Ok(Taken::Permit(Permit::query(&ruling, client, events)?))
    }

    async fn parse(
        &mut self,
        name: &str,
        text: &str,
        parameter_types: &[u32],
        client: Bytes,
    ) -> Result<Permit, Ending> {
        self.bound_names()?;
        let mut ruling = self.decide(Path::Extended, text, parameter_types).await?;
        if let (Some(refusal), true) =
            (self.unsettled(ruling.statements.iter().map(|ruled| &ruled.effects)), ruling.admitted().is_some())
        {
            ruling = Arc::new(policy::Ruling::clone(&ruling).refuse(refusal));
        }
        let mut events = Vec::new();
        let mut statement = 0;
        let mut numbers = Vec::new();
        for ruled in &ruling.statements {
            statement = self.number_statement(ruled, &mut events);
            numbers.push((statement, ruled.event.literals.len()));
        }
        self.detect_literals(text, &numbers, &mut events);
        let exposure = ruling.statements.first().map_or(Exposure::Open, exposure);
        let prepared = Prepared {
            statement,
            exposure,
            parameter_types: Arc::from(parameter_types),
            effects: effects(&ruling),
            standing: standing(&ruling, text),
            rows_kept: ruling.statements.first().and_then(|ruled| self.rows_kept(ruled)),
            lasts: Lasts::Transaction,
            footing: (!ruling.statements.iter().all(looks_nothing_up)).then(|| Arc::clone(self.chosen.footing())),
            // What is fetched has the columns of whatever cursor has the name by then.
            columns: self.undescribed().filter(|_| !ruling.statements.iter().any(fetches)),
        };
        // What ran before in the same pipeline may have changed settings, and the target tells of that at `Sync` alone.
        let held = match &prepared.standing {
            Standing::Held(source) if !self.segment.is_in_transaction() => Some(Arc::clone(source)),
            _ => None,
        };
        let refusal = refused(&ruling);
        let operation = Operation::Parse { name: name.to_owned(), statement, exposure, refusal, held };
        if let Some(ticket) = self.expect(OpKind::Parse, operation, &mut events)? {
            self.prepared.change(name, ticket, self.numbers.segment, Some(prepared));
        }
        self.segment.prepare();
        Ok(Permit::parse(&ruling, name, parameter_types, client, events)?)
    }

    fn bind(&mut self, bind: &Bind<'_>, message: &RawMessage<Frontend>, client: Bytes) -> Result<Taken, Ending> {
        self.bound_names()?;
        let prepared = match self.prepared_named(bind.statement) {
            Lookup::Known(prepared) => prepared,
            Lookup::Unconfirmed => return Ok(Taken::Delay),
            Lookup::Unknown => return self.no_such("26000", "prepared statement", bind.statement, client),
        };
        let admitted = match &prepared.standing {
            Standing::Admitted(admitted) => *admitted,
            Standing::Held(source) => {
                let source = Arc::clone(source);
                return self.held_bind(bind, &prepared, &source, message, client);
            }
            Standing::Refused | Standing::Approved(_) => return self.skipped(client),
        };
        let mut events = Vec::new();
        if prepared.statement != 0 {
            events.push(self.bound(bind, &prepared, prepared.statement));
            self.detect_parameters(bind, prepared.statement, &mut events);
        }
        let operation = Operation::Bind {
            portal: bind.portal.to_owned(),
            statement: prepared.statement,
            exposure: prepared.exposure,
        };
        if let Some(ticket) = self.expect(OpKind::Bind, operation, &mut events)? {
            self.portals.change(bind.portal, ticket, self.numbers.segment, Some(prepared));
        }
        self.segment.begin_transaction();
        Ok(Taken::Permit(Permit::run(admitted, client, events)))
    }

    fn execute(&mut self, portal: &str, max_rows: i32, client: Bytes) -> Result<Taken, Ending> {
        let prepared = match self.portal_named(portal) {
            Lookup::Known(prepared) => prepared,
            Lookup::Unconfirmed => return Ok(Taken::Delay),
            Lookup::Unknown => return self.no_such("34000", "portal", portal, client),
        };
        let right = match &prepared.standing {
            Standing::Admitted(admitted) => Right::Admitted(*admitted),
            Standing::Approved(turn) => match turn.take() {
                Some(execution) => Right::Approved(execution),
                None => return self.ran_already(prepared.statement, client),
            },
            Standing::Refused | Standing::Held(_) => return self.skipped(client),
        };
        let own = Source { exposure: prepared.exposure, rows_kept: prepared.rows_kept };
        let Source { exposure, rows_kept } = match prepared.effects.first().map(|effects| &effects.cursor) {
            Some(Cursor::Used(name)) => match self.cursor(name) {
                Lookup::Known(source) => source,
                Lookup::Unconfirmed => return Ok(Taken::Delay),
                Lookup::Unknown => return self.no_such("34000", "cursor", name, client),
            },
            Some(Cursor::Positions(name)) => match self.cursor(name) {
                Lookup::Known(source) if source.exposure != Exposure::Open => {
                    return self.declined(prepared.statement, chosen_by_masks(), client);
                }
                Lookup::Known(_) => own,
                Lookup::Unconfirmed => return Ok(Taken::Delay),
                Lookup::Unknown => return self.no_such("34000", "cursor", name, client),
            },
            _ => own,
        };
        if let Some(refusal) = self.unsettled(prepared.effects.iter()) {
            return self.declined(prepared.statement, refusal, client);
        }
        let mut events = Vec::new();
        let row_limit = u64::try_from(max_rows).unwrap_or(0);
        let execution = match prepared.statement {
            0 => 0,
            statement => self.number_execution(statement, row_limit, rows_kept, &mut events),
        };
        let kept = self.kept(rows_kept.filter(|_| execution != 0));
        let started = Execution::new(execution, prepared.statement, exposure)
            .copying(prepared.effects.first())
            .keeping(kept)
            .described(prepared.columns.clone());
        let effects = Arc::clone(&prepared.effects);
        if effects.iter().any(|effects| effects.moves_settings(self.chosen.has_moved())) {
            self.segment.move_settings();
        }
        let ticket = self.expect(OpKind::Execute, Operation::Execute { started, effects }, &mut events)?;
        if let (Some(ticket), Right::Admitted(admitted), [effects]) = (ticket, &right, &*prepared.effects) {
            self.declare(ticket, *admitted, &[(effects.clone(), prepared.statement, own)]);
        }
        self.segment.begin_transaction();
        Ok(Taken::Permit(match right {
            Right::Admitted(admitted) => Permit::run(admitted, client, events),
            Right::Approved(execution) => execution.permit(client, events),
        }))
    }

    /// An approval is for one run, at once: also a part of its result more is a run of its own here.
    fn ran_already(&mut self, statement: u64, client: Bytes) -> Result<Taken, Ending> {
        let refusal = Refusal::prerequisite("the approval is used up: it is for one run, right after the portal is bound")
            .hint("Send Execute, without a limit of rows, as the next message that does anything; or bind again to ask again.");
        self.declined(statement, refusal, client)
    }

    /// A statement that was admitted is not run here and now.
    fn declined(&mut self, statement: u64, refusal: Refusal, client: Bytes) -> Result<Taken, Ending> {
        let mut events = Vec::new();
        self.expect(OpKind::Parse, Operation::Declined { statement, refusal }, &mut events)?;
        Ok(Taken::Permit(Permit::failing_parse(client, events)?))
    }

    fn describe(&mut self, target: Target, name: &str, client: Bytes) -> Result<Taken, Ending> {
        let (found, code, kind) = match target {
            Target::Statement => (self.prepared_named(name), "26000", "prepared statement"),
            Target::Portal => (self.portal_named(name), "34000", "portal"),
        };
        let prepared = match found {
            Lookup::Known(prepared) => prepared,
            Lookup::Unconfirmed => return Ok(Taken::Delay),
            Lookup::Unknown => return self.no_such(code, kind, name, client),
        };
        if matches!(prepared.standing, Standing::Refused) {
            return self.skipped(client);
        }
        match target {
            Target::Statement => self.segment.prepare(),
            Target::Portal => self.segment.begin_transaction(),
        }
        let asked = match target {
            Target::Statement => OpKind::DescribeStatement,
            Target::Portal => OpKind::DescribePortal,
        };
        self.expect(
            asked,
            Operation::Describe { columns: prepared.columns, exposure: prepared.exposure },
            &mut Vec::new(),
        )?;
        Ok(Taken::Permit(Permit::control(Control::Describe, client)))
    }

    /// Closing a name that does not exist is no error in PostgreSQL.
    fn close(&mut self, target: Target, name: &str, client: Bytes) -> Result<Permit, Ending> {
        self.bound_names()?;
        let operation = match target {
            Target::Statement => Operation::CloseStatement(name.to_owned()),
            Target::Portal => Operation::ClosePortal(name.to_owned()),
        };
        if let Some(ticket) = self.expect(OpKind::Close, operation, &mut Vec::new())? {
            let names = match target {
                Target::Statement => &mut self.prepared,
                Target::Portal => &mut self.portals,
            };
            names.change(name, ticket, self.numbers.segment, None);
        }
        self.segment.prepare();
        Ok(Permit::control(Control::Close, client))
    }

    /// A name that the target does not know, or not for this session's statements: refused in its place in the
    /// pipeline.
    fn no_such(&mut self, code: &'static str, kind: &str, name: &str, client: Bytes) -> Result<Taken, Ending> {
        let refusal = refusal(
            code,
            &format!("{kind} \"{name}\" does not exist"),
            "it may have been refused or closed, or made with other settings",
        );
        self.expect(OpKind::Parse, Operation::Refused(refusal), &mut Vec::new())?;
        Ok(Taken::Permit(Permit::failing_parse(client, Vec::new())?))
    }

    fn name_too_long(&mut self, client: Bytes) -> Result<Taken, Ending> {
        let text = format!("names of prepared statements and portals have at most {NAME_BYTES_MAX} bytes");
        let refusal = refusal("42622", &text, "the server would cut it, and take two names for one");
        self.expect(OpKind::Parse, Operation::Refused(refusal), &mut Vec::new())?;
        Ok(Taken::Permit(Permit::failing_parse(client, Vec::new())?))
    }

    /// Follows a refused `Parse` in the same pipeline: the target skips everything until `Sync`.
    fn skipped(&mut self, client: Bytes) -> Result<Taken, Ending> {
        let refusal = refusal("26000", "the statement was refused", "see the refusal before");
        self.expect(OpKind::Parse, Operation::Refused(refusal), &mut Vec::new())?;
        Ok(Taken::Permit(Permit::failing_parse(client, Vec::new())?))
    }

    fn bound_names(&self) -> Result<(), Ending> {
        if self.prepared.len() + self.portals.len() < NAMES_MAX {
            return Ok(());
        }
        let text = format!("more than {NAMES_MAX} prepared statements and portals in one session");
        Err(Ending::told(CloseReason::ProtocolViolation, SqlState::CONFIGURATION_LIMIT_EXCEEDED, &text))
    }
}

impl Ending {
    pub(super) fn violation(error: &wire::postgres::Error) -> Self {
        Self::told(CloseReason::ProtocolViolation, error.sqlstate(), &error.to_string())
    }
}

impl From<wire::postgres::EncodeError> for Ending {
    fn from(error: wire::postgres::EncodeError) -> Self {
        Self::told(CloseReason::ProtocolViolation, SqlState::PROTOCOL_VIOLATION, &error.to_string())
    }
}

/// The session itself keeps to the order that the conversation knows; what breaks it must not be sent.
pub(super) fn impossible(error: &ConversationError) -> Ending {
    Ending::told(CloseReason::ProtocolViolation, SqlState::PROTOCOL_VIOLATION, &error.to_string())
}

/// What may not come between the `Bind` that was approved and its `Execute`.
fn begins_something_else(message: &FrontendMessage<'_>) -> bool {
    matches!(
        message,
        FrontendMessage::Query { .. }
            | FrontendMessage::Parse { .. }
            | FrontendMessage::Bind(_)
            | FrontendMessage::FunctionCall(_)
            | FrontendMessage::Sync
    )
}

fn rests_on_catalog(message: &FrontendMessage<'_>) -> bool {
    matches!(
        message,
        FrontendMessage::Query { .. }
            | FrontendMessage::Parse { .. }
            | FrontendMessage::Bind(_)
            | FrontendMessage::Execute { .. }
    )
}

fn rests_on_settings(message: &FrontendMessage<'_>) -> bool {
    rests_on_catalog(message) || matches!(message, FrontendMessage::Describe { .. })
}

/// What controls transactions and settings means the same with any of them: drivers keep it prepared.
fn looks_nothing_up(ruled: &policy::StatementRuling) -> bool {
    matches!(ruled.class, Class::Transaction | Class::Set | Class::Show | Class::Discard)
}

fn fetches(ruled: &policy::StatementRuling) -> bool {
    matches!(ruled.effects.cursor, Cursor::Used(_))
}

/// The names of prepared statements and portals in a message.
fn names_of<'a>(message: &FrontendMessage<'a>) -> [&'a str; 2] {
    match message {
        FrontendMessage::Parse { name, .. }
        | FrontendMessage::Describe { name, .. }
        | FrontendMessage::Close { name, .. } => [name, ""],
        FrontendMessage::Bind(bind) => [bind.portal, bind.statement],
        FrontendMessage::Execute { portal, .. } => [portal, ""],
        _ => ["", ""],
    }
}

pub(super) fn exposure(ruled: &policy::StatementRuling) -> Exposure {
    match (ruled.scrub_diagnostics, ruled.class) {
        (false, _) => Exposure::Open,
        // The rows of a cursor that is to outlive its transaction are read when that commits.
        (true, _) if matches!(ruled.effects.cursor, Cursor::Declared { held: true, .. }) => {
            Exposure::WithheldUntilCommit
        }
        // What is prepared may be a write.
        (true, Class::Insert | Class::Update | Class::Delete | Class::Merge | Class::CopyIn | Class::Prepare) => {
            Exposure::WithheldUntilCommit
        }
        (true, _) => Exposure::Withheld,
    }
}

fn effects(ruling: &Ruling) -> Arc<[Effects]> {
    ruling.statements.iter().map(|statement| statement.effects.clone()).collect()
}

pub(super) fn refused(ruling: &Ruling) -> Option<Refusal> {
    match &ruling.outcome {
        policy::Outcome::Refused { refusal } => Some(refusal.clone()),
        policy::Outcome::Permitted { .. } | policy::Outcome::Held { .. } => None,
    }
}

fn standing(ruling: &Ruling, text: &str) -> Standing {
    match &ruling.outcome {
        policy::Outcome::Permitted { .. } => ruling.admitted().map_or(Standing::Refused, Standing::Admitted),
        policy::Outcome::Refused { .. } => Standing::Refused,
        policy::Outcome::Held { upstream_sql, .. } => Standing::Held(Arc::new(HeldSource {
            text: text.to_owned(),
            upstream_sql: upstream_sql.clone(),
            asked: AtomicBool::new(false),
            read_with: OnceLock::new(),
        })),
    }
}

fn refusal(sqlstate: &'static str, message: &str, hint: &str) -> Refusal {
    Refusal {
        sqlstate,
        message: message.to_owned(),
        hint: Some(hint.to_owned()),
        reason: String::new(),
        unknown_name: false,
    }
}
/// The server compares names of statements and portals by their first `NAMEDATALEN - 1` bytes alone. Two longer ones
/// could be one there and two here, and the record would tell of another statement than the one that ran.
const NAME_BYTES_MAX: usize = 63;
