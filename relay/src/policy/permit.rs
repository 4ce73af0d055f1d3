//! The right to send one frontend message to the target, once it is recorded.
//!
//! Only this module makes one, and only from a [`Ruling`] or for messages that carry no statement. The recorder
//! turns it into a `Recorded`, and nothing else can be sent ([`crate::upstream::Upstream::send`]).

use bytes::{Bytes, BytesMut};
use schemas::event::EventBody;
use wire::postgres::{EncodeError, frontend};

use super::{Outcome, Ruling};

/// A message that policy lets through, with what is to be recorded of it.
#[must_use]
pub struct Permit {
    /// What goes to the target.
    pub(crate) upstream: Bytes,
    /// Exactly what the client sent.
    pub(crate) client: Bytes,
    /// What to write down before anything is sent.
    pub(crate) events: Vec<EventBody>,
}

/// Messages that name no statement text and can do nothing that an earlier decision did not permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Control {
    /// `Describe`, of a name that the session knows.
    Describe,
    /// `Close`.
    Close,
    /// `CopyData`, `CopyDone`, `CopyFail`: the target takes them for a COPY that was let through, and drops them otherwise.
    Copy,
    /// `Flush`.
    Flush,
    /// `Sync`.
    Sync,
    /// `Terminate`.
    Terminate,
}

/// Proof that the statement behind a `Bind` or `Execute` was ruled on; made only from a permitted [`Ruling`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Admitted(());

impl Permit {
    /// A simple query: what was ruled to run, or in its place one that must fail. A held one runs by
    /// [`crate::approval::Approved`] alone.
    ///
    /// # Errors
    /// The text holds a zero byte; nothing may be sent.
    pub(crate) fn query(ruling: &Ruling, client: Bytes, events: Vec<EventBody>) -> Result<Self, EncodeError> {
        let mut upstream = BytesMut::new();
        let text = match &ruling.outcome {
            Outcome::Permitted { upstream_sql } => upstream_sql,
            Outcome::Held { .. } | Outcome::Refused { .. } => FAILING_TEXT,
        };
        frontend::query(text, &mut upstream)?;
        Ok(Self { upstream: upstream.freeze(), client, events })
    }

    /// A `Parse`, likewise. A refused one fails at the target, so that the rest of its pipeline is skipped and the
    /// transaction is aborted by the target itself (rule 6).
    ///
    /// # Errors
    /// As [`Permit::query`].
    pub(crate) fn parse(
        ruling: &Ruling,
        name: &str,
        parameter_types: &[u32],
        client: Bytes,
        events: Vec<EventBody>,
    ) -> Result<Self, EncodeError> {
        let mut upstream = BytesMut::new();
        // A held one is parsed, and never bound without approval: nothing of it runs.
        let text = match &ruling.outcome {
            Outcome::Permitted { upstream_sql } | Outcome::Held { upstream_sql, .. } => upstream_sql,
            Outcome::Refused { .. } => FAILING_TEXT,
        };
        frontend::parse(name, text, parameter_types, &mut upstream)?;
        Ok(Self { upstream: upstream.freeze(), client, events })
    }

    /// A `Bind` or `Execute` of an admitted statement, as the client sent it.
    pub(crate) fn run(_: Admitted, client: Bytes, events: Vec<EventBody>) -> Self {
        Self { upstream: client.clone(), client, events }
    }

    /// A message without a statement, as the client sent it.
    pub(crate) fn control(_: Control, client: Bytes) -> Self {
        Self { upstream: client.clone(), client, events: Vec::new() }
    }

    /// In place of a message of the extended protocol that must not run: a `Parse` that fails.
    ///
    /// # Errors
    /// None: the text is a constant.
    pub(crate) fn failing_parse(client: Bytes, events: Vec<EventBody>) -> Result<Self, EncodeError> {
        let mut upstream = BytesMut::new();
        frontend::parse("", FAILING_TEXT, &[], &mut upstream)?;
        Ok(Self { upstream: upstream.freeze(), client, events })
    }

    /// In place of a message outside the extended protocol that must not run: a query that fails.
    ///
    /// # Errors
    /// None: the text is a constant.
    pub(crate) fn failing_query(client: Bytes, events: Vec<EventBody>) -> Result<Self, EncodeError> {
        let mut upstream = BytesMut::new();
        frontend::query(FAILING_TEXT, &mut upstream)?;
        Ok(Self { upstream: upstream.freeze(), client, events })
    }

    /// A message that waits or is dropped: on record, and nothing is sent.
    pub(crate) fn kept(client: Bytes, events: Vec<EventBody>) -> Self {
        Self { upstream: Bytes::new(), client, events }
    }

    /// A message that waits, and in its place a `Sync` of the relay's own: it ends the implicit transaction in which
    /// the target would wait too, with its locks.
    pub(crate) fn settling(client: Bytes) -> Self {
        let mut upstream = BytesMut::new();
        frontend::sync(&mut upstream);
        Self { upstream: upstream.freeze(), client, events: Vec::new() }
    }

    /// A `CancelRequest` for the session's own upstream.
    pub(crate) fn cancel(upstream: Bytes) -> Self {
        Self { upstream, client: Bytes::new(), events: vec![EventBody::Cancel] }
    }
}

impl std::fmt::Debug for Permit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Permit({} bytes upstream, {} events)", self.upstream.len(), self.events.len())
    }
}

impl Ruling {
    /// The right to bind and execute, if the ruling gives it.
    pub(crate) fn admitted(&self) -> Option<Admitted> {
        matches!(self.outcome, Outcome::Permitted { .. }).then_some(Admitted(()))
    }
}

/// No server version parses this, in no transaction state; its error is replaced by the refusal's.
const FAILING_TEXT: &str = "REFUSED BY AFFIDAVIT";
