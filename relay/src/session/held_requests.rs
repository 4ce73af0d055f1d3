//! Requests that need approval: whether they can wait here and now, and under which number.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use schemas::event::{EventBody, Path};
use wire::postgres::conversation::OpKind;
use wire::postgres::frontend::Bind;
use wire::postgres::{Frontend, RawMessage};

use crate::approval::Subject;
use crate::policy::{self, Effects, Permit, Refusal};

use super::holding::Resume;
use super::operation::{Execution, HeldSource, Operation, Prepared};
use super::requests::{Taken, exposure};
use super::{Ending, Session};

impl Session {
    /// A simple query that needs approval.
    pub(super) fn held_query(
        &mut self,
        text: &str,
        ruled: &policy::StatementRuling,
        held: (&str, &[policy::Resolved]),
        client: Bytes,
    ) -> Result<Taken, Ending> {
        let open = || Refusal::prerequisite("a statement that needs approval cannot wait in a pipeline without Sync");
        let obstacle = self.obstacle().or_else(|| self.segment.is_open().then(open));
        if obstacle.is_none() && !self.conversation.is_idle() {
            return Ok(Taken::Delay);
        }
        let mut events = Vec::new();
        let statement = self.number_statement(ruled, &mut events);
        self.detect_literals(text, &[(statement, ruled.event.literals.len())], &mut events);
        let (exposure, effects): (_, Arc<[Effects]>) = (exposure(ruled), Arc::from([ruled.effects.clone()]));
        let refused = match obstacle {
            Some(refusal) => Err(refusal),
            None => {
                let (text, rows_kept) = (text.to_owned(), self.rows_kept(ruled));
                let resume = Resume::Query { text, exposure, effects: Arc::clone(&effects), rows_kept };
                self.hold(statement, held, Subject::Query, resume, &mut events)
            }
        };
        let Err(refusal) = refused else { return Ok(Taken::Permit(Permit::kept(client, events))) };
        let statements = vec![Execution::new(0, statement, exposure)];
        let operation = Operation::Query { statements, answered: 0, refusal: Some(refusal), failed: None, effects };
        self.expect(OpKind::Query, operation, &mut events)?;
        self.segment.end(self.numbers.ticket);
        Ok(Taken::Permit(Permit::failing_query(client, events)?))
    }

    /// Holds before `Bind` is sent: binding runs input functions (rule 23).
    pub(super) fn held_bind(
        &mut self,
        bind: &Bind<'_>,
        prepared: &Prepared,
        source: &HeldSource,
        message: &RawMessage<Frontend>,
        client: Bytes,
    ) -> Result<Taken, Ending> {
        let started = || {
            Refusal::prerequisite("a statement that needs approval cannot wait behind others of the same pipeline")
                .hint("Send Sync before it.")
        };
        let obstacle = self.obstacle().or_else(|| self.segment.is_in_transaction().then(started));
        if self.segment.has_failed() {
            // The target skips it, and so must nobody be asked; a `Sync` of the relay's own would end the skipping.
            return Ok(Taken::Permit(Permit::kept(client, Vec::new())));
        }
        if obstacle.is_none() {
            if self.segment.is_open() && !self.segment.is_settled() {
                self.expect(OpKind::Sync, Operation::Settle, &mut Vec::new())?;
                self.segment.settle();
                return Ok(Taken::DelayBehind(Permit::settling(client)));
            }
            if !self.conversation.is_idle() {
                return Ok(Taken::Delay);
            }
        }
        let mut events = Vec::new();
        let mut statement = prepared.statement;
        let refused = match obstacle {
            Some(refusal) => Err(refusal),
            None => self.ask_for_bind(bind, prepared.clone(), source, message, &mut statement, &mut events),
        };
        events.push(self.bound(bind, prepared, statement));
        self.detect_parameters(bind, statement, &mut events);
        let Err(refusal) = refused else { return Ok(Taken::Permit(Permit::kept(client, events))) };
        self.expect(OpKind::Parse, Operation::Declined { statement, refusal }, &mut events)?;
        Ok(Taken::Permit(Permit::failing_parse(client, events)?))
    }

    /// Decides the statement again, for `Parse` may be long ago, and asks under a number that no request has had.
    fn ask_for_bind(
        &mut self,
        bind: &Bind<'_>,
        prepared: Prepared,
        source: &HeldSource,
        message: &RawMessage<Frontend>,
        statement: &mut u64,
        events: &mut Vec<EventBody>,
    ) -> Result<(), Refusal> {
        let ruling = self.decide_now(Path::Extended, &source.text, &prepared.parameter_types);
        let (policy::Outcome::Held { upstream_sql, objects }, [ruled]) = (&ruling.outcome, &*ruling.statements) else {
            return Err(prepared_anew());
        };
        // The target read its literals when it parsed it: what the approver is told of settings must be true of them.
        if *upstream_sql != source.upstream_sql || source.read_with.get() != Some(&self.reading) {
            return Err(prepared_anew());
        }
        if source.asked.swap(true, Ordering::Relaxed) {
            *statement = self.number_statement(ruled, events);
        }
        let types = Arc::clone(&prepared.parameter_types);
        let subject = Subject::Bind { parameter_types: &types, bind, message: message.bytes().clone() };
        let prepared = Prepared { statement: *statement, ..prepared };
        let resume = Resume::Bind { portal: bind.portal.to_owned(), prepared };
        self.hold(*statement, (upstream_sql, objects), subject, resume, events)
    }
}

fn prepared_anew() -> Refusal {
    Refusal::prerequisite("the prepared statement does not mean the same any more: catalog, policy or settings changed")
        .hint("Prepare it again.")
}
