//! Frontend messages: each is decided and recorded before it is sent.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use schemas::event::{Bind as Bound, CloseReason, EventBody, Execute as Started, OutcomeKind, Path, Token};
use wire::postgres::conversation::{ConversationError, FrontendOp, OpKind, Sent};
use wire::postgres::frontend::{Bind, Target};
use wire::postgres::{Frontend, FrontendMessage, RawMessage, SqlState};

use crate::access::MAX_AGE;
use crate::policy::{self, Control, Effects, Permit, Refusal, Ruling};
use crate::rewrite::Class;

use super::diagnostics::Exposure;
use super::names::Lookup;
use super::operation::{Execution, Operation, Prepared};
use super::{Ending, IN_FLIGHT_MAX, NAMES_MAX, Session};

/// What becomes of one frontend message.
enum Taken {
    /// To be recorded and sent.
    Permit(Permit),
    /// To be looked at again when the target has answered.
    Hold,
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
        taken
    }

    async fn take_requests(&mut self, permits: &mut Vec<Permit>) -> Result<(), Ending> {
        while let Some(message) = self.next_request()? {
            let decoded = FrontendMessage::decode(&message).map_err(|error| Ending::violation(&error))?;
            self.refresh_for(&decoded).await?;
            match self.take(&message, &decoded).await? {
                Taken::Permit(permit) => permits.push(permit),
                Taken::Hold => {
                    self.held = Some(message);
                    break;
                }
            }
            if matches!(decoded, FrontendMessage::Terminate) {
                return Err(Ending::silent(CloseReason::ClientTerminated));
            }
        }
        Ok(())
    }

    fn next_request(&mut self) -> Result<Option<RawMessage<Frontend>>, Ending> {
        if let Some(message) = self.held.take() {
            return Ok(Some(message));
        }
        if self.operations.len() >= IN_FLIGHT_MAX {
            // Left in the deframer; looked at again with the target's next answers.
            return Ok(None);
        }
        self.from_client.next().map_err(|error| Ending::violation(&error))
    }

    /// Nothing is decided on a stale catalog, and nothing runs that was decided on one (rules 1 and 8).
    async fn refresh_for(&mut self, message: &FrontendMessage<'_>) -> Result<(), Ending> {
        match message {
            FrontendMessage::Query { .. }
            | FrontendMessage::Parse { .. }
            | FrontendMessage::Bind(_)
            | FrontendMessage::Execute { .. } => {
                let changed = std::mem::take(&mut self.catalog_changed);
                self.refresh(if changed { Duration::ZERO } else { MAX_AGE }).await
            }
            _ => Ok(()),
        }
    }

    /// A catalog of another epoch: decided anew is what comes; what was prepared must be prepared again.
    async fn refresh(&mut self, max_age: Duration) -> Result<(), Ending> {
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

    async fn take(&mut self, message: &RawMessage<Frontend>, decoded: &FrontendMessage<'_>) -> Result<Taken, Ending> {
        let client = message.bytes().clone();
        if names_of(decoded).iter().any(|name| name.len() > NAME_BYTES_MAX) {
            return self.name_too_long(client);
        }
        let permit = match decoded {
            FrontendMessage::Query { text } => self.query(text, client).await?,
            FrontendMessage::Parse { name, query, parameter_types } => {
                self.parse(name, query, parameter_types, client).await?
            }
            FrontendMessage::Bind(bind) => return self.bind(bind, client),
            FrontendMessage::Execute { portal, max_rows } => return self.execute(portal, *max_rows, client),
            FrontendMessage::Describe { target, name } => return self.describe(*target, name, client),
            FrontendMessage::Close { target, name } => self.close(*target, name, client)?,
            FrontendMessage::Flush => Permit::control(Control::Flush, client),
            FrontendMessage::Sync => {
                self.numbers.segment += 1;
                self.expect(OpKind::Sync, Operation::Sync, &mut Vec::new())?;
                Permit::control(Control::Sync, client)
            }
            FrontendMessage::Terminate => Permit::control(Control::Terminate, client),
            FrontendMessage::FunctionCall(_) => {
                let refusal = refusal("0A000", "the fast-path function call is not relayed", "call it in a SELECT");
                self.expect(OpKind::Query, Operation::Refused(refusal), &mut Vec::new())?;
                Permit::refused_simple(client)?
            }
            FrontendMessage::Password(_)
            | FrontendMessage::CopyData(_)
            | FrontendMessage::CopyDone
            | FrontendMessage::CopyFail { .. } => {
                let text =
                    format!("{} is not expected now: no authentication and no COPY is under way", message.name());
                return Err(Ending::told(CloseReason::ProtocolViolation, SqlState::PROTOCOL_VIOLATION, &text));
            }
        };
        Ok(Taken::Permit(permit))
    }

    async fn query(&mut self, text: &str, client: Bytes) -> Result<Permit, Ending> {
        let ruling = self.decide(Path::Simple, text, &[]).await?;
        let admitted = ruling.admitted().is_some();
        let mut events = Vec::new();
        let mut statements = Vec::new();
        for ruled in &ruling.statements {
            let statement = self.number_statement(ruled, &mut events);
            let execution = if admitted { self.number_execution(statement, 0, &mut events) } else { 0 };
            statements.push(Execution::new(execution, statement, exposure(ruled)));
        }
        let (refusal, effects) = (refused(&ruling), effects(&ruling));
        let operation = Operation::Query { statements, answered: 0, refusal, failed: false, effects };
        self.expect(OpKind::Query, operation, &mut events)?;
        Ok(Permit::query(&ruling, client, events)?)
    }

    async fn parse(
        &mut self,
        name: &str,
        text: &str,
        parameter_types: &[u32],
        client: Bytes,
    ) -> Result<Permit, Ending> {
        self.bound_names()?;
        let ruling = self.decide(Path::Extended, text, parameter_types).await?;
        let mut events = Vec::new();
        let mut statement = 0;
        for ruled in &ruling.statements {
            statement = self.number_statement(ruled, &mut events);
        }
        let exposure = ruling.statements.first().map_or(Exposure::Open, exposure);
        let prepared = Prepared {
            statement,
            exposure,
            parameter_types: Arc::from(parameter_types),
            effects: effects(&ruling),
            admitted: ruling.admitted(),
        };
        let operation = Operation::Parse { name: name.to_owned(), statement, exposure, refusal: refused(&ruling) };
        if let Some(ticket) = self.expect(OpKind::Parse, operation, &mut events)? {
            self.prepared.change(name, ticket, self.numbers.segment, Some(prepared));
        }
        Ok(Permit::parse(&ruling, name, parameter_types, client, events)?)
    }

    fn bind(&mut self, bind: &Bind<'_>, client: Bytes) -> Result<Taken, Ending> {
        self.bound_names()?;
        let prepared = match self.prepared.lookup(bind.statement, self.numbers.segment) {
            Lookup::Known(prepared) => prepared,
            Lookup::Unconfirmed => return Ok(Taken::Hold),
            Lookup::Unknown => return self.no_such("26000", "prepared statement", bind.statement, client),
        };
        let Some(admitted) = prepared.admitted else { return self.skipped(client) };
        let mut events = Vec::new();
        if prepared.statement != 0 {
            let parameters =
                bind.parameters.iter().enumerate().map(|(index, value)| self.token(&prepared, index, *value));
            events.push(EventBody::Bind(Bound { statement: prepared.statement, parameters: parameters.collect() }));
        }
        let operation = Operation::Bind {
            portal: bind.portal.to_owned(),
            statement: prepared.statement,
            exposure: prepared.exposure,
        };
        if let Some(ticket) = self.expect(OpKind::Bind, operation, &mut events)? {
            self.portals.change(bind.portal, ticket, self.numbers.segment, Some(prepared));
        }
        Ok(Taken::Permit(Permit::run(admitted, client, events)))
    }

    fn execute(&mut self, portal: &str, max_rows: i32, client: Bytes) -> Result<Taken, Ending> {
        let prepared = match self.portals.lookup(portal, self.numbers.segment) {
            Lookup::Known(prepared) => prepared,
            Lookup::Unconfirmed => return Ok(Taken::Hold),
            Lookup::Unknown => return self.no_such("34000", "portal", portal, client),
        };
        let Some(admitted) = prepared.admitted else { return self.skipped(client) };
        let mut events = Vec::new();
        let row_limit = u64::try_from(max_rows).unwrap_or(0);
        let execution = match prepared.statement {
            0 => 0,
            statement => self.number_execution(statement, row_limit, &mut events),
        };
        let started = Execution::new(execution, prepared.statement, prepared.exposure);
        self.expect(OpKind::Execute, Operation::Execute { started, effects: prepared.effects }, &mut events)?;
        Ok(Taken::Permit(Permit::run(admitted, client, events)))
    }

    fn describe(&mut self, target: Target, name: &str, client: Bytes) -> Result<Taken, Ending> {
        let (names, code, kind) = match target {
            Target::Statement => (&self.prepared, "26000", "prepared statement"),
            Target::Portal => (&self.portals, "34000", "portal"),
        };
        let prepared = match names.lookup(name, self.numbers.segment) {
            Lookup::Known(prepared) => prepared,
            Lookup::Unconfirmed => return Ok(Taken::Hold),
            Lookup::Unknown => return self.no_such(code, kind, name, client),
        };
        if prepared.admitted.is_none() {
            return self.skipped(client);
        }
        let asked = match target {
            Target::Statement => OpKind::DescribeStatement,
            Target::Portal => OpKind::DescribePortal,
        };
        self.expect(asked, Operation::Describe { exposure: prepared.exposure }, &mut Vec::new())?;
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
        Ok(Permit::control(Control::Close, client))
    }

    /// Decides; a name that the catalog snapshot does not know may be younger than it, so then it is read anew.
    async fn decide(&mut self, path: Path, text: &str, parameter_types: &[u32]) -> Result<Ruling, Ending> {
        let ruling = self.decide_now(path, text, parameter_types);
        if !refused(&ruling).is_some_and(|refusal| refusal.unknown_name) {
            return Ok(ruling);
        }
        self.refresh(UNKNOWN_NAME_MAX_AGE).await?;
        Ok(self.decide_now(path, text, parameter_types))
    }

    fn decide_now(&self, path: Path, text: &str, parameter_types: &[u32]) -> Ruling {
        let tokens = self.recorder.token_key();
        let token = |bytes: &[u8]| tokens.token(bytes);
        policy::decide(&self.access.context(&self.search_path, &token), path, text, parameter_types)
    }

    /// The next statement's number; its event goes first.
    fn number_statement(&mut self, ruled: &policy::StatementRuling, events: &mut Vec<EventBody>) -> u64 {
        self.numbers.statement += 1;
        let mut event = ruled.event.clone();
        event.statement = self.numbers.statement;
        events.push(EventBody::Statement(event));
        self.numbers.statement
    }

    fn number_execution(&mut self, statement: u64, row_limit: u64, events: &mut Vec<EventBody>) -> u64 {
        self.numbers.execution += 1;
        events.push(EventBody::Execute(Started { execution: self.numbers.execution, statement, row_limit }));
        self.numbers.execution
    }

    /// Notes that a message is on its way and what its reply will mean. Gives its ticket, unless the target skips it
    /// after an earlier error: then its outcome is known, and goes among the events.
    fn expect(
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

    /// A name that the target does not know, or not for this session's statements: refused in its place in the
    /// pipeline.
    fn no_such(&mut self, code: &'static str, kind: &str, name: &str, client: Bytes) -> Result<Taken, Ending> {
        let refusal = refusal(code, &format!("{kind} \"{name}\" does not exist"), "it may have been refused or closed");
        self.expect(OpKind::Parse, Operation::Refused(refusal), &mut Vec::new())?;
        Ok(Taken::Permit(Permit::refused_extended(client)?))
    }

    fn name_too_long(&mut self, client: Bytes) -> Result<Taken, Ending> {
        let text = format!("names of prepared statements and portals have at most {NAME_BYTES_MAX} bytes");
        let refusal = refusal("42622", &text, "the server would cut it, and take two names for one");
        self.expect(OpKind::Parse, Operation::Refused(refusal), &mut Vec::new())?;
        Ok(Taken::Permit(Permit::refused_extended(client)?))
    }

    /// Follows a refused `Parse` in the same pipeline: the target skips everything until `Sync`.
    fn skipped(&mut self, client: Bytes) -> Result<Taken, Ending> {
        let refusal = refusal("26000", "the statement was refused", "see the refusal before");
        self.expect(OpKind::Parse, Operation::Refused(refusal), &mut Vec::new())?;
        Ok(Taken::Permit(Permit::refused_extended(client)?))
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
fn impossible(error: &ConversationError) -> Ending {
    Ending::told(CloseReason::ProtocolViolation, SqlState::PROTOCOL_VIOLATION, &error.to_string())
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

fn exposure(ruled: &policy::StatementRuling) -> Exposure {
    match (ruled.scrub_diagnostics, ruled.class) {
        (false, _) => Exposure::Open,
        (true, Class::Insert | Class::Update | Class::Delete) => Exposure::WithheldUntilCommit,
        (true, _) => Exposure::Withheld,
    }
}

fn effects(ruling: &Ruling) -> Arc<[Effects]> {
    ruling.statements.iter().map(|statement| statement.effects.clone()).collect()
}

fn refused(ruling: &Ruling) -> Option<Refusal> {
    match &ruling.outcome {
        policy::Outcome::Refused { refusal } => Some(refusal.clone()),
        policy::Outcome::Permitted { .. } => None,
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

/// Misspelt names must not make every session read the catalog: at most once in this time for all of them.
const UNKNOWN_NAME_MAX_AGE: Duration = Duration::from_secs(5);
/// The server compares names of statements and portals by their first `NAMEDATALEN - 1` bytes alone. Two longer ones
/// could be one there and two here, and the record would tell of another statement than the one that ran.
const NAME_BYTES_MAX: usize = 63;
