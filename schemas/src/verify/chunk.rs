//! Walks a session's chunks in order: each sound in itself, each chained to the one before, all together one gap-free
//! sequence of events.

use std::collections::BTreeMap;

use super::ahead::Chunk;
use super::completeness::{Gap, Missing};
use super::examiner::Examiner;
use super::session::Relay;
use super::statement::{self, Held};
use crate::chunk::{self, Container, OpenedChunk, STORED_MAX};
use crate::digest::Sha256Digest;
use crate::event::{ApprovalDecided, ApprovalRequested, CloseReason, Event, EventBody, SessionOpen};
use crate::frame::Kind;
use crate::identifiers::SessionId;
use crate::leaf::{SessionCloseLeaf, SessionOpenLeaf, commit_to};
use crate::ledger::{Hold, Ledger};
use crate::manifest::ChunkManifest;
use crate::rule::{Rule, Violation};

pub(super) struct Walk<'a> {
    relay: &'a Relay<'a>,
    session: &'a SessionId,
    open: Option<&'a Held<SessionOpenLeaf>>,
    /// What the next chunk's `prev` must be; unknown after a chunk that is missing or cannot be read.
    prev: Option<Sha256Digest>,
    /// Sequence of the last chunk walked.
    sequence: u64,
    /// Nothing is missing and nothing is wrong so far; only then can events be judged together.
    ledger: Option<Ledger>,
    last: Option<bool>,
    details: Option<SessionOpen>,
    chunks: u64,
    events: u64,
    recovered: bool,
    /// Time of what was read last.
    time_us: Option<u64>,
    gaps: Vec<Gap>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(relay: &'a Relay<'a>, session: &'a SessionId, open: Option<&'a Held<SessionOpenLeaf>>) -> Self {
        Self {
            relay,
            session,
            open,
            prev: open.map(|open| open.digest),
            sequence: 0,
            ledger: Some(Ledger::new()),
            last: None,
            details: None,
            chunks: 0,
            events: 0,
            recovered: false,
            time_us: open.map(|open| open.statement.time_us),
            gaps: Vec::new(),
        }
    }

    /// Checks the chunk of this sequence; sequences must ascend.
    pub(super) fn step(&mut self, examiner: &mut Examiner<'_>, sequence: u64) {
        let key = self.relay.scope.chunk(self.session, sequence);
        if sequence != self.sequence.saturating_add(1) {
            self.lose_track();
            let missing = Missing::Chunks { first: self.sequence.saturating_add(1), last: sequence.saturating_sub(1) };
            self.gaps.push(Gap { missing, from_us: self.time_us, to_us: None });
        }
        self.sequence = sequence;
        let prev = self.prev.take();
        if self.last == Some(true) {
            examiner.find(&key, Rule::SessionLast, "the chunk before says it is the session's last");
        }
        self.last = None;
        let checked = match examiner.take_chunk(&key) {
            Some((opened, stored)) => Some(self.check(examiner, &key, Chunk::Opened(opened), (stored, prev))),
            None => examiner.read(&key, STORED_MAX).map(|bytes| self.check_bytes(examiner, &key, bytes, prev)),
        };
        if checked != Some(true) {
            self.ledger = None;
        }
    }

    fn check_bytes(
        &mut self,
        examiner: &mut Examiner<'_>,
        key: &str,
        bytes: Vec<u8>,
        prev: Option<Sha256Digest>,
    ) -> bool {
        let stored = bytes.len();
        match Container::parse(bytes) {
            Ok(container) => self.check(examiner, key, Chunk::Closed(container), (stored, prev)),
            Err(violation) => {
                examiner.note(key, violation);
                false
            }
        }
    }

    /// Whether the chunk holds, of which so many bytes are stored.
    fn check(
        &mut self,
        examiner: &mut Examiner<'_>,
        key: &str,
        container: Chunk<'_>,
        (stored, prev): (usize, Option<Sha256Digest>),
    ) -> bool {
        examiner.statements.note(key, container.envelope());
        let manifest = container.manifest();
        let Some(signer) = statement::check_signer(examiner, self.relay.certificates, key, manifest) else {
            return false;
        };
        if let Err(violation) = container.verify(&signer.certificate.spki) {
            examiner.note(key, violation);
            return false;
        }
        examiner.report.checked.signatures += 1;
        if let Err(violation) = self.check_identity(manifest) {
            examiner.note(key, violation);
            return false;
        }
        if prev.is_some_and(|prev| prev != manifest.prev) {
            examiner.find(key, Rule::SessionChain, "prev is not the digest of the statement before");
        }
        self.prev = Some(container.envelope().statement_digest());
        examiner.hold(self.relay.scope, manifest.sealed_time_us);
        self.time_us = Some(manifest.last_time_us);
        if let Some(gap) = self.gaps.last_mut().filter(|gap| is_before(gap, self.sequence)) {
            gap.to_us = Some(manifest.first_time_us);
        }
        self.last = Some(manifest.last);
        self.recovered |= manifest.recovered;
        match container.decode() {
            Ok(opened) => self.check_content(examiner, key, &opened, stored),
            Err(violation) => {
                examiner.note(key, violation);
                false
            }
        }
    }

    fn check_identity(&self, manifest: &ChunkManifest) -> Result<(), Violation> {
        let refused = |what: &str| Err(Violation::new(Rule::ChunkIdentity, format!("names another {what}")));
        if !statement::is_of(manifest, self.relay.scope) {
            return refused("relay than the place it stands in");
        }
        if manifest.session != *self.session {
            return refused("session than the place it stands in");
        }
        if manifest.sequence != self.sequence {
            return refused("sequence than the place it stands in");
        }
        if self.open.is_some_and(|open| open.statement.connection != manifest.connection) {
            return refused("connection than the session-open");
        }
        if self.relay.log_origin.as_ref().is_some_and(|origin| *origin != manifest.log_origin) {
            return refused("log than the relay-start");
        }
        Ok(())
    }

    fn check_content(&mut self, examiner: &mut Examiner<'_>, key: &str, opened: &OpenedChunk, stored: usize) -> bool {
        let manifest = opened.manifest();
        let expected = self.ledger.as_ref().map(|ledger| ledger.events().saturating_add(1));
        if let Some(expected) = expected.filter(|expected| *expected != manifest.first_event) {
            let message = format!("first_event is {}, expected {expected}", manifest.first_event);
            examiner.find(key, Rule::EventNumber, message);
            return false;
        }
        let (mut events, mut data_blocks) = (0, 0);
        let mut frames = opened.frames();
        while let Some(frame) = frames.next() {
            let result = frame.map_err(|error| chunk::frames_broken(&error)).and_then(|frame| match frame.kind {
                Kind::Event => {
                    events += 1;
                    self.check_event(examiner, key, manifest, events, &chunk::read_event(frame.payload)?)
                }
                Kind::Data => {
                    data_blocks += 1;
                    Ok(())
                }
            });
            if let Err(violation) = result {
                examiner.note(key, violation);
                return false;
            }
        }
        if (events, data_blocks) != (manifest.events, manifest.data_blocks) {
            let message = format!(
                "{events} events and {data_blocks} data blocks, expected {} and {}",
                manifest.events, manifest.data_blocks
            );
            examiner.find(key, Rule::ChunkCounts, message);
            return false;
        }
        self.chunks += 1;
        self.events += events;
        let checked = &mut examiner.report.checked;
        checked.chunks += 1;
        checked.events += events;
        checked.data_blocks += data_blocks;
        checked.stored_bytes += stored as u64;
        examiner.observer.chunk(self.relay.scope, opened);
        true
    }

    /// `position` is the event's among the chunk's events, from 1.
    fn check_event(
        &mut self,
        examiner: &mut Examiner<'_>,
        key: &str,
        manifest: &ChunkManifest,
        position: u64,
        event: &Event,
    ) -> Result<(), Violation> {
        if manifest.first_event.checked_add(position) != event.number.checked_add(1) {
            let message = format!("event {} does not fit first_event {}", event.number, manifest.first_event);
            return Err(Violation::new(Rule::ChunkCounts, message));
        }
        if !(manifest.first_time_us..=manifest.last_time_us).contains(&event.time_us) {
            let message = format!("event {}: its time is outside the manifest's", event.number);
            return Err(Violation::new(Rule::ChunkCounts, message));
        }
        if let Some(ledger) = &mut self.ledger {
            ledger.observe(event)?;
        }
        match &event.body {
            EventBody::SessionOpen(details) => self.check_details(examiner, key, details),
            EventBody::Recovered(recovered)
                if !manifest.recovered || recovered.by_incarnation != manifest.sealed_by.as_str() =>
            {
                let message =
                    format!("event {}: expected a recovered chunk that this incarnation signed", event.number);
                return Err(Violation::new(Rule::EventRecovered, message));
            }
            EventBody::ApprovalRequested(ApprovalRequested { request, .. })
            | EventBody::ApprovalDecided(ApprovalDecided { request, .. })
                if request.session != *self.session =>
            {
                let message = format!("event {}: names a request of another session", event.number);
                return Err(Violation::new(Rule::EventReference, message));
            }
            _ => {}
        }
        Ok(())
    }

    fn check_details(&mut self, examiner: &mut Examiner<'_>, key: &str, details: &SessionOpen) {
        if let Some(Held { statement: open, .. }) = self.open {
            let committed = commit_to(details).is_ok_and(|commitment| commitment == open.details_commitment);
            let agrees = details.connection == open.connection.as_str()
                && details.policy_sha256 == open.policy_sha256.to_string();
            if !committed || !agrees {
                let message = "the session's first event is not the one that its session-open committed to";
                examiner.find(key, Rule::SessionOpenCommitment, message);
                return;
            }
        }
        self.details = Some(details.clone());
    }

    /// Compares the session-close with the chunks; what is missing is named elsewhere and only once.
    pub(super) fn check_close(&self, examiner: &mut Examiner<'_>, close: &SessionCloseLeaf) {
        let key = self.relay.scope.session_close(self.session);
        if self.last == Some(false) && close.chunks == self.sequence {
            let object = self.relay.scope.chunk(self.session, self.sequence);
            examiner.find(&object, Rule::SessionLast, "the session is closed and its last chunk does not say so");
        }
        if close.chunks < self.sequence {
            let message = format!("says {} chunks, expected {}", close.chunks, self.sequence);
            examiner.find(&key, Rule::SessionTotals, message);
        }
        if self.prev.is_some_and(|prev| prev != close.last_manifest) && close.chunks == self.sequence {
            examiner.find(&key, Rule::SessionTotals, "last_manifest is not the digest of the last chunk");
        }
        let Some(ledger) = self.ledger.as_ref().filter(|_| close.chunks == self.sequence) else { return };
        if close.events != ledger.events() {
            let message = format!("says {} events, expected {}", close.events, ledger.events());
            examiner.find(&key, Rule::SessionTotals, message);
        }
        if ledger.events() == 0 && !close.recovered {
            examiner.find(&key, Rule::EventOrder, "a session that its own relay closed has a first event");
        }
        let reason = ledger.closed().unwrap_or(CloseReason::Aborted);
        if close.reason != reason {
            let message = format!("says {:?}, expected {reason:?}", close.reason);
            examiner.find(&key, Rule::SessionTotals, message);
        }
    }

    /// The chunks that are missing, up to the number that the close says.
    pub(super) fn gaps(&mut self, close: Option<&SessionCloseLeaf>) -> Vec<Gap> {
        let mut gaps = std::mem::take(&mut self.gaps);
        if let Some(close) = close.filter(|close| close.chunks > self.sequence) {
            let missing = Missing::Chunks { first: self.sequence.saturating_add(1), last: close.chunks };
            gaps.push(Gap { missing, from_us: self.time_us, to_us: Some(close.time_us) });
        }
        gaps
    }

    pub(super) fn chunks(&self) -> u64 {
        self.chunks
    }

    pub(super) fn events(&self) -> u64 {
        self.events
    }

    pub(super) fn recovered(&self) -> bool {
        self.recovered
    }

    /// Whether the last chunk there is says it is the session's last.
    pub(super) fn said_last(&self) -> bool {
        self.last == Some(true)
    }

    pub(super) fn outcome_unknown(&self) -> Vec<u64> {
        self.ledger.as_ref().map_or_else(Vec::new, Ledger::outcome_unknown)
    }

    /// Held statements by number; nothing when events could not be judged together.
    pub(super) fn held(&self) -> Option<&BTreeMap<u64, Hold>> {
        self.ledger.as_ref().map(Ledger::held)
    }

    pub(super) fn into_details(self) -> Option<SessionOpen> {
        self.details
    }

    fn lose_track(&mut self) {
        self.prev = None;
        self.ledger = None;
    }
}

/// Whether the gap ends with the chunk before this one.
fn is_before(gap: &Gap, sequence: u64) -> bool {
    matches!(gap.missing, Missing::Chunks { last, .. } if last.saturating_add(1) == sequence)
}
