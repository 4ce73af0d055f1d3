//! Nothing is sent to a target, and nothing is released to a client, before its record is durable.
//!
//! [`Recorder::record`] is the only maker of [`Recorded`], and an upstream takes nothing else.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use schemas::data_block::Direction;
use schemas::event::{CloseReason, Durability, EventBody};
use schemas::identifiers::SessionId;
use schemas::result_digest::{ResultDigest, ResultKey};
use schemas::token::TokenKey;
use tokio::sync::{Notify, watch};

use crate::clock::Clock;
use crate::policy::permit::Permit;
use crate::spool::{End, Folder, SpoolError, Tape, Written};

/// Records one session. Dropped without [`Recorder::close`], the session is recorded as aborted.
pub struct Recorder {
    session: SessionId,
    keys: RecordKeys,
    durability: Durability,
    clock: Arc<dyn Clock>,
    /// From here on the incarnation's key could not seal what is recorded. Microseconds since 1970.
    until_us: u64,
    reel: Arc<Reel>,
    /// How long the session may wait for room in the spool, and where that is; nothing where it ends at once.
    hold: Option<(Arc<Folder>, Duration)>,
    closed: bool,
}

/// Keys of what events tell of values.
#[derive(Debug, Clone)]
pub(crate) struct RecordKeys {
    /// Of tokens.
    pub(crate) token: TokenKey,
    /// Of digests of results.
    pub(crate) result: ResultKey,
}

/// What a target may be sent: the exact bytes, recorded. Made by [`Recorder::record`] alone and consumed by sending.
#[must_use = "recorded bytes are to be sent"]
pub struct Recorded {
    bytes: Bytes,
}

/// A session's tape, shared by its recorder and its sealing.
pub(crate) struct Reel {
    tape: Mutex<Tape>,
    /// Rung when a segment is complete, when the first content came, and at the end.
    pub(crate) changed: Notify,
    /// Leaves of the session that are not stored yet.
    owed: watch::Sender<usize>,
}

/// A leaf that must be stored before the session's close is; settled when dropped.
pub(crate) struct Debt(Arc<Reel>);

/// Why something could not be recorded. The session must end: nothing is served unrecorded.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The spool has reached `spool_bytes`; the store has been away for long, or the limit is small.
    #[error("the spool's limit of {limit} bytes is reached")]
    SpoolFull {
        /// The limit, in bytes.
        limit: u64,
    },
    /// Writing failed, now or earlier in this session.
    #[error(transparent)]
    Spool(SpoolError),
    /// The incarnation's certificate ends: what is recorded from here on could not be sealed under it.
    #[error("the relay's certificate has expired")]
    CertificateExpired,
    /// Bytes were permitted without an event and without anything that the client sent: a defect of the relay.
    #[error("bytes to be sent came without anything to record")]
    NothingToRecord,
    /// Flushing to disk could not be awaited: the relay is stopping.
    #[error("flushing was interrupted")]
    Interrupted,
}

impl Recorder {
    pub(crate) fn new(
        session: SessionId,
        keys: RecordKeys,
        durability: Durability,
        clock: Arc<dyn Clock>,
        until_us: u64,
        reel: Arc<Reel>,
    ) -> Self {
        Self { session, keys, durability, clock, until_us, reel, hold: None, closed: false }
    }

    /// The session waits for room in a spool that is nearly full, so long at most.
    pub(crate) fn holding(mut self, hold: Option<(Arc<Folder>, Duration)>) -> Self {
        self.hold = hold;
        self
    }

    /// How long the session has to wait for room at most, if it has to wait now.
    pub(crate) fn must_wait(&self) -> Option<Duration> {
        let (folder, most) = self.hold.as_ref()?;
        folder.budget().is_nearly_full().then_some(*most)
    }

    /// Whether the session may go on that had to wait.
    pub(crate) fn has_room(&self) -> bool {
        self.hold.as_ref().is_none_or(|(folder, _)| folder.budget().has_room())
    }

    /// Why a session ends that waited in vain.
    pub(crate) fn spool_full(&self) -> RecordError {
        RecordError::SpoolFull { limit: self.hold.as_ref().map_or(0, |(folder, _)| folder.budget().limit()) }
    }

    /// Has what is recorded so far sealed without waiting for more, so that it can leave the spool.
    pub(crate) fn seal_early(&self) {
        if let Err(error) = self.reel.tape().rotate_if_older(Duration::ZERO) {
            tracing::error!(session = %self.session, %error, "cannot start a segment: the session must end");
        }
        self.reel.changed.notify_one();
    }

    /// How long the incarnation's certificate lets this session record.
    pub(crate) fn time_left(&self) -> std::time::Duration {
        std::time::Duration::from_micros(self.until_us.saturating_sub(self.clock.now_us()))
    }

    /// The session's identifier.
    #[must_use]
    pub fn session(&self) -> &SessionId {
        &self.session
    }

    /// Key of this session's tokens.
    #[must_use]
    pub fn token_key(&self) -> &TokenKey {
        &self.keys.token
    }

    /// The digest of a result of which no row has come yet.
    #[must_use]
    pub fn begin_result(&self) -> ResultDigest {
        self.keys.result.begin()
    }

    /// Records a batch with one `write(2)`: the events of all permits in order, then what the client sent.
    ///
    /// Cancel-safe: a dropped future leaves a record of something that was not sent, never the reverse.
    ///
    /// # Errors
    /// [`RecordError`]; nothing may be sent and the session must end.
    pub async fn record(&mut self, permits: Vec<Permit>) -> Result<Recorded, RecordError> {
        let mut events = Vec::new();
        let mut client = Joined::default();
        let mut upstream = Joined::default();
        for permit in permits {
            events.extend(permit.events);
            client.push(permit.client);
            upstream.push(permit.upstream);
        }
        let (client, bytes) = (client.into_bytes(), upstream.into_bytes());
        if events.is_empty() && client.is_empty() && !bytes.is_empty() {
            return Err(RecordError::NothingToRecord);
        }
        self.write(events, &client, Direction::Frontend).await?;
        Ok(Recorded { bytes })
    }

    /// Records what the target answered and what it means, before any of it is released to the client. Of rows that are
    /// kept off the record nothing may be left: then this only tells whether recording can go on.
    ///
    /// # Errors
    /// [`RecordError`]; nothing may be released and the session must end.
    pub async fn record_replies(&mut self, bytes: &[u8], events: Vec<EventBody>) -> Result<(), RecordError> {
        self.write(events, bytes, Direction::Backend).await
    }

    /// Records an event that belongs to no bytes, such as a refusal's outcome or a cancel request.
    ///
    /// # Errors
    /// [`RecordError`]; the session must end.
    pub async fn note(&mut self, event: EventBody) -> Result<(), RecordError> {
        self.write(vec![event], &[], Direction::Frontend).await
    }

    /// As [`Recorder::end`], with nothing more to tell.
    ///
    /// # Errors
    /// [`RecordError`]: the end could not be written; the evidence is completed as a crashed session's.
    pub async fn close(self, reason: CloseReason) -> Result<(), RecordError> {
        self.end(reason, Vec::new(), &[]).await
    }

    /// Records the end: what is still to be told of what was under way, the last bytes for the client, and why.
    /// Executions on record that get no outcome by it get an unknown one. Sealing and shipping go on without the session.
    ///
    /// # Errors
    /// [`RecordError`]: the end could not be written; the evidence is completed as a crashed session's.
    pub async fn end(mut self, reason: CloseReason, last: Vec<EventBody>, told: &[u8]) -> Result<(), RecordError> {
        self.closed = true;
        let closed = self.reel.tape().close(End { last, told, reason }, self.clock.now_us());
        self.reel.changed.notify_one();
        self.flush(closed?).await
    }

    /// Leaves of the session that are not stored yet.
    pub(crate) fn owed(&self) -> usize {
        *self.reel.owed.borrow()
    }

    /// Holds the session's close back until what is owed is stored.
    pub(crate) fn owe(&self) -> Debt {
        self.reel.owed.send_modify(|owed| *owed = owed.saturating_add(1));
        Debt(Arc::clone(&self.reel))
    }

    /// From now on the disk refuses.
    #[cfg(test)]
    pub(crate) fn break_file(&self) {
        self.reel.tape().break_file();
    }

    async fn write(&mut self, events: Vec<EventBody>, data: &[u8], direction: Direction) -> Result<(), RecordError> {
        let now_us = self.clock.now_us();
        if now_us >= self.until_us {
            return Err(RecordError::CertificateExpired);
        }
        if events.is_empty() && data.is_empty() {
            return Ok(self.reel.tape().takes_more()?);
        }
        let written = self.reel.tape().append(events, data, direction, now_us);
        // A refused batch may have begun a segment all the same.
        if written.as_ref().map_or(true, |written| written.noteworthy) {
            self.reel.changed.notify_one();
        }
        self.flush(written?).await
    }

    /// With durability `disk`, returns once the batch is on the disk. Sessions flush beside each other, each its own file:
    /// the file system takes all that wait into one commit of its journal, and tells each of its own errors. To gather them
    /// here first and flush one by one was slower, and so was `syncfs`, which also waits for what is not ours.
    async fn flush(&self, written: Written) -> Result<(), RecordError> {
        if self.durability == Durability::Process {
            return Ok(());
        }
        let flush = move || if written.noteworthy { written.flush() } else { written.flush_content() };
        let result = match tokio::task::spawn_blocking(flush).await {
            Ok(result) => result.map_err(RecordError::from),
            Err(_) => Err(RecordError::Interrupted),
        };
        if result.is_err() {
            // After a failed flush the kernel may have dropped the pages: what is on the disk is unknown.
            self.reel.tape().poison();
        }
        result
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        if !self.closed {
            // The session's task ended without saying why; an error here is completed by sealing.
            let _ = self.reel.tape().close(End::silent(CloseReason::Aborted), self.clock.now_us());
            self.reel.changed.notify_one();
        }
    }
}

impl Recorded {
    /// The bytes to send.
    pub(crate) fn into_bytes(self) -> Bytes {
        self.bytes
    }
}

impl Reel {
    pub(crate) fn new(tape: Tape) -> Self {
        Self { tape: Mutex::new(tape), changed: Notify::new(), owed: watch::Sender::new(0) }
    }

    /// Waits until no leaf of the session is owed any more.
    pub(crate) async fn paid(&self) {
        // An error means that the sender is gone, and `self` holds it.
        let _ = self.owed.subscribe().wait_for(|owed| *owed == 0).await;
    }

    /// Held for one write at most, never over an await.
    pub(crate) fn tape(&self) -> std::sync::MutexGuard<'_, Tape> {
        self.tape.lock().unwrap_or_else(|broken: PoisonError<_>| {
            // Somebody panicked in the middle of a write.
            let mut tape = broken.into_inner();
            tape.poison();
            tape
        })
    }
}

impl Drop for Debt {
    fn drop(&mut self) {
        self.0.owed.send_modify(|owed| *owed = owed.saturating_sub(1));
    }
}

impl RecordError {
    /// What a client may be told.
    #[must_use]
    pub fn external(&self) -> &'static str {
        match self {
            Self::SpoolFull { .. } => "evidence cannot be written: the spool is full",
            Self::CertificateExpired => "evidence cannot be signed: the relay's certificate has expired",
            Self::Spool(_) | Self::NothingToRecord | Self::Interrupted => "evidence cannot be written",
        }
    }
}

impl From<SpoolError> for RecordError {
    fn from(error: SpoolError) -> Self {
        match error {
            SpoolError::Full { limit } => Self::SpoolFull { limit },
            other => Self::Spool(other),
        }
    }
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Recorder({})", self.session)
    }
}

impl std::fmt::Debug for Recorded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Recorded({} bytes)", self.bytes.len())
    }
}

/// Pieces put together; a single piece is not copied.
#[derive(Default)]
struct Joined {
    first: Bytes,
    rest: Option<BytesMut>,
}

impl Joined {
    fn push(&mut self, bytes: Bytes) {
        if self.first.is_empty() && self.rest.is_none() {
            self.first = bytes;
        } else if !bytes.is_empty() {
            self.rest.get_or_insert_with(|| BytesMut::from(self.first.as_ref())).extend_from_slice(&bytes);
        }
    }

    fn into_bytes(self) -> Bytes {
        self.rest.map_or(self.first, BytesMut::freeze)
    }
}
