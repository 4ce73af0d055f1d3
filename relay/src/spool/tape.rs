//! The growing end of one session's evidence: numbers events, writes batches, starts new segments.

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use schemas::data_block::Direction;
use schemas::event::{CloseReason, Event, EventBody, Outcome, OutcomeKind, SessionClose};
use schemas::session_key::SpoolKey;
use smallvec::SmallVec;
use tokio::time::Instant;

use super::record::{DATA_MAX, Draft, EVENT_MAX, Header, SessionFacts, VERSION, length_on_disk};
use super::segment::Segment;
use super::{Folder, SpoolError, disk};

/// One session's recording. Written by its recorder, rotated by size here and by age from sealing.
pub(crate) struct Tape {
    folder: Arc<Folder>,
    facts: Arc<SessionFacts>,
    spool_key: SpoolKey,
    segment_bytes: u64,
    segment: Segment,
    next_event: u64,
    last_time_us: u64,
    statements: u64,
    executions: u64,
    /// Executions on record without an outcome, each with its statement.
    pending: BTreeMap<u64, u64>,
    scratch: Vec<u8>,
    state: State,
}

/// How a recording ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Its last event is the session's close.
    Orderly,
    /// Writing failed: what is on disk is evidence up to some point, to be completed as recovery does.
    Broken,
}

/// What a session's end puts on record.
#[derive(Debug)]
pub(crate) struct End<'a> {
    /// What is still to be told of what was under way.
    pub(crate) last: Vec<EventBody>,
    /// The last bytes that the client gets.
    pub(crate) told: &'a [u8],
    /// Why it ends.
    pub(crate) reason: CloseReason,
}

/// A batch was written: what to flush, should it be durable on disk.
pub(crate) struct Written {
    file: Arc<File>,
    /// Where the first part of it went, if it was written in two and began a segment in between.
    earlier: Option<Arc<File>>,
    folder: Arc<Folder>,
    /// Sealing should look: a segment is complete, or got its first content.
    pub(crate) noteworthy: bool,
}

/// What sealing needs to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Progress {
    /// The segment that is written; all earlier ones are complete.
    pub(crate) sequence: u64,
    /// When that segment got its first content; absent too when it cannot grow any more.
    pub(crate) content_since: Option<Instant>,
    /// Set once nothing more will be written.
    pub(crate) ending: Option<Ending>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// A write failed. Record numbers, and so nonces, may be used up: nothing more may be written.
    Poisoned,
    Ended(Ending),
}

impl Tape {
    /// Starts the recording with its first segment.
    pub(crate) fn create(
        folder: Arc<Folder>,
        facts: Arc<SessionFacts>,
        spool_key: SpoolKey,
        segment_bytes: u64,
    ) -> Result<Self, SpoolError> {
        let facts_of_header = SessionFacts::clone(&facts);
        let header =
            Header { version: VERSION, facts: facts_of_header, sequence: 1, first_event: 1, pending: Vec::new() };
        let segment = Segment::create(&folder, &header, &spool_key)?;
        Ok(Self {
            folder,
            facts,
            spool_key,
            segment_bytes,
            segment,
            next_event: 1,
            last_time_us: 0,
            statements: 0,
            executions: 0,
            pending: BTreeMap::new(),
            scratch: Vec::new(),
            state: State::Open,
        })
    }

    /// Writes the session's first event.
    pub(crate) fn begin(&mut self, event: EventBody, now_us: u64) -> Result<Written, SpoolError> {
        self.write(vec![event], &[], Direction::Frontend, now_us, true)
    }

    /// Writes a batch with one `write(2)`: the events in order, then the bytes. All of it or an error; after an error
    /// other than [`SpoolError::Full`] and [`SpoolError::TooLarge`] nothing more is taken.
    pub(crate) fn append(
        &mut self,
        events: Vec<EventBody>,
        data: &[u8],
        direction: Direction,
        now_us: u64,
    ) -> Result<Written, SpoolError> {
        self.write(events, data, direction, now_us, true)
    }

    /// Writes the session's end: `last`, an outcome for every execution on record that has none, what the client is
    /// told, and the close. Of `last`, what refers to something that never came on record is left out: a batch may have
    /// been refused. An outcome that was refused with its batch becomes unknown, which is what the client knows of it.
    /// All this is written beyond the spool's limit too, so that a full spool can say so.
    pub(crate) fn close(&mut self, end: End<'_>, now_us: u64) -> Result<Written, SpoolError> {
        let events = self.settled(end.last);
        let said = self.write(events, end.told, Direction::Backend, now_us, false);
        let close = SessionClose { reason: end.reason, statements: self.statements, executions: self.executions };
        let event = vec![EventBody::SessionClose(close)];
        let closed = |said: Written| Ok(self.write(event, &[], Direction::Frontend, now_us, false)?.after(said));
        let written = said.and_then(closed);
        self.state = match (self.state, &written) {
            (State::Ended(ending), _) => State::Ended(ending),
            (_, Ok(_)) => State::Ended(Ending::Orderly),
            (_, Err(_)) => State::Ended(Ending::Broken),
        };
        written
    }

    /// `last` without what is not on record, and with an unknown outcome for each execution that it leaves without one.
    fn settled(&self, last: Vec<EventBody>) -> Vec<EventBody> {
        let mut pending = self.pending.clone();
        let on_record = |event: &EventBody| match event {
            EventBody::Outcome(outcome) if outcome.execution == 0 => outcome.statement <= self.statements,
            EventBody::Outcome(outcome) => pending.remove(&outcome.execution).is_some(),
            _ => true,
        };
        let mut events: Vec<EventBody> = last.into_iter().filter(on_record).collect();
        events.extend(
            pending.into_iter().map(|(execution, statement)| EventBody::Outcome(unknown(execution, statement))),
        );
        events
    }

    /// Starts a new segment if this one has had content for `age`.
    pub(crate) fn rotate_if_older(&mut self, age: Duration) -> Result<(), SpoolError> {
        match self.state {
            State::Open if self.segment.content_since.is_some_and(|since| since.elapsed() >= age) => self.rotate(),
            _ => Ok(()),
        }
    }

    /// Whether anything may still be written.
    pub(crate) fn takes_more(&self) -> Result<(), SpoolError> {
        match self.state {
            State::Open => Ok(()),
            State::Poisoned => Err(SpoolError::Poisoned),
            State::Ended(_) => Err(SpoolError::Closed),
        }
    }

    pub(crate) fn progress(&self) -> Progress {
        let ending = match self.state {
            State::Ended(ending) => Some(ending),
            State::Open | State::Poisoned => None,
        };
        let content_since = self.segment.content_since.filter(|_| self.state == State::Open);
        Progress { sequence: self.segment.sequence, content_since, ending }
    }

    /// What must reach the disk for the current segment to be there. Through a descriptor of its own: the kernel tells each
    /// descriptor once of what it could not write, and the session must not miss it because somebody else was told.
    pub(crate) fn current(&self) -> Result<Written, SpoolError> {
        Ok(Written { file: Arc::new(self.segment.open_again()?), ..self.written(false) })
    }

    /// From now on the disk refuses.
    #[cfg(test)]
    pub(crate) fn break_file(&mut self) {
        self.segment.break_file();
    }

    /// Takes nothing more: what was written may not be on the disk.
    pub(crate) fn poison(&mut self) {
        if self.state == State::Open {
            self.state = State::Poisoned;
        }
    }

    fn write(
        &mut self,
        events: Vec<EventBody>,
        data: &[u8],
        direction: Direction,
        now_us: u64,
        limited: bool,
    ) -> Result<Written, SpoolError> {
        self.takes_more()?;
        // A clock that steps back must not make evidence go backwards.
        let time_us = self.last_time_us.max(now_us);
        let (lines, tally) = self.encode(events, time_us)?;
        let drafts: SmallVec<[Draft<'_>; BATCH_USUAL]> = lines
            .iter()
            .map(Draft::Event)
            .chain(data.chunks(DATA_MAX).map(|bytes| Draft::Data { direction, time_us, bytes }))
            .collect();
        let noteworthy = self.make_room(&drafts, limited)?;
        self.put(&drafts)?;
        self.last_time_us = time_us;
        self.apply(tally);
        Ok(self.written(noteworthy))
    }

    fn written(&self, noteworthy: bool) -> Written {
        Written { file: self.segment.file(), earlier: None, folder: Arc::clone(&self.folder), noteworthy }
    }

    /// Takes the batch's length from the budget, in a new segment if this one would grow too large. Says whether the
    /// batch begins a segment.
    fn make_room(&mut self, drafts: &[Draft<'_>], limited: bool) -> Result<bool, SpoolError> {
        let length = length_on_disk(drafts);
        if length > BATCH_MAX {
            let limit = usize::try_from(BATCH_MAX).unwrap_or(usize::MAX);
            return Err(SpoolError::TooLarge { what: "a batch", limit });
        }
        let first = self.segment.content_since.is_none();
        let full = !first && self.segment.length().saturating_add(length) > self.segment_bytes;
        if full {
            self.rotate()?;
        }
        if limited {
            self.folder.budget().reserve(length)?;
        } else {
            self.folder.budget().force(length);
        }
        Ok(first || full)
    }

    fn put(&mut self, drafts: &[Draft<'_>]) -> Result<(), SpoolError> {
        let written = self.segment.append(drafts, &mut self.scratch);
        self.scratch.clear();
        // An idle session keeps no more than this.
        self.scratch.shrink_to(SCRATCH_KEPT);
        if written.is_err() {
            self.folder.budget().release(length_on_disk(drafts));
            self.state = State::Poisoned;
        }
        written
    }

    /// Canonical JSON of the events, numbered from the next number on; changes nothing yet.
    fn encode(&self, events: Vec<EventBody>, time_us: u64) -> Result<(Lines, Tally), SpoolError> {
        let mut tally = Tally { next_event: self.next_event, ..Tally::default() };
        let mut lines =
            Lines { text: Vec::with_capacity(events.len().saturating_mul(EVENT_USUAL)), ends: SmallVec::new() };
        for body in events {
            tally.count(&body);
            let event = Event { number: tally.next_event, time_us, body };
            let start = lines.text.len();
            schemas::canonical::append(&event, &mut lines.text).map_err(|_| SpoolError::Internal("event"))?;
            if lines.text.len() - start > EVENT_MAX {
                return Err(SpoolError::TooLarge { what: "an event", limit: EVENT_MAX });
            }
            lines.ends.push(lines.text.len());
            tally.next_event = tally.next_event.checked_add(1).ok_or(SpoolError::Internal("event numbers"))?;
        }
        Ok((lines, tally))
    }

    fn apply(&mut self, tally: Tally) {
        self.next_event = tally.next_event;
        self.statements = self.statements.saturating_add(tally.statements);
        self.executions = self.executions.saturating_add(tally.executions);
        for change in tally.changes {
            match change {
                Change::Started { execution, statement } => self.pending.insert(execution, statement),
                Change::Ended { execution } => self.pending.remove(&execution),
            };
        }
    }

    /// The successor is on disk before the segment counts as complete, so that an open session always has one.
    fn rotate(&mut self) -> Result<(), SpoolError> {
        let sequence = self.segment.sequence.checked_add(1).ok_or(SpoolError::Internal("sequences"))?;
        let facts = SessionFacts::clone(&self.facts);
        let pending = self.pending.keys().copied().collect();
        let header = Header { version: VERSION, facts, sequence, first_event: self.next_event, pending };
        match Segment::create(&self.folder, &header, &self.spool_key) {
            Ok(segment) => {
                self.segment = segment;
                Ok(())
            }
            Err(error) => {
                self.state = State::Poisoned;
                Err(error)
            }
        }
    }
}

impl Written {
    /// This and what was written just before, as one.
    fn after(self, before: Self) -> Self {
        let earlier = (!Arc::ptr_eq(&self.file, &before.file)).then_some(before.file);
        Self { earlier, noteworthy: self.noteworthy || before.noteworthy, ..self }
    }

    /// Puts content and name on the disk. Blocks.
    pub(crate) fn flush(&self) -> Result<(), SpoolError> {
        self.flush_content()?;
        super::folder::sync(self.folder.path())
    }

    /// As [`Written::flush`], for a segment whose name is on the disk already.
    pub(crate) fn flush_content(&self) -> Result<(), SpoolError> {
        let failed = || SpoolError::disk("cannot flush a segment in", self.folder.path());
        for file in self.earlier.iter().chain([&self.file]) {
            disk::flush_segment(file, self.folder.path()).map_err(|source| failed()(source))?;
        }
        Ok(())
    }
}

impl End<'_> {
    /// An end of which nothing more is to be said.
    pub(crate) fn silent(reason: CloseReason) -> Self {
        Self { last: Vec::new(), told: &[], reason }
    }
}

fn unknown(execution: u64, statement: u64) -> Outcome {
    Outcome {
        execution,
        statement,
        outcome: OutcomeKind::Unknown,
        command: None,
        rows_returned: 0,
        rows_affected: 0,
        bytes_returned: 0,
        bytes_received: 0,
        sqlstate: None,
        rows_recorded: None,
        result_hmac: None,
    }
}

/// Events as text, one after the other.
struct Lines {
    text: Vec<u8>,
    /// Where each ends.
    ends: SmallVec<[usize; BATCH_USUAL]>,
}

impl Lines {
    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).filter_map(|(start, end)| self.text.get(start..*end))
    }
}

/// What a batch changes once it is written.
#[derive(Debug, Default)]
struct Tally {
    next_event: u64,
    statements: u64,
    executions: u64,
    changes: SmallVec<[Change; BATCH_USUAL]>,
}

#[derive(Debug, Clone, Copy)]
enum Change {
    Started { execution: u64, statement: u64 },
    Ended { execution: u64 },
}

impl Tally {
    fn count(&mut self, body: &EventBody) {
        match body {
            EventBody::Statement(_) => self.statements = self.statements.saturating_add(1),
            EventBody::Execute(execute) => {
                self.executions = self.executions.saturating_add(1);
                let (execution, statement) = (execute.execution, execute.statement);
                self.changes.push(Change::Started { execution, statement });
            }
            EventBody::Outcome(outcome) => self.changes.push(Change::Ended { execution: outcome.execution }),
            _ => {}
        }
    }
}

/// Records in a batch of one prepared statement's run, and some more.
const BATCH_USUAL: usize = 4;
/// Most events that are written for each run are shorter.
const EVENT_USUAL: usize = 256;
/// One batch is what a session gathered before it wrote: bounded by the session's own buffers, far below this.
const BATCH_MAX: u64 = 64 * 1024 * 1024;
/// Part of the 40 kB that an idle connection may cost.
const SCRATCH_KEPT: usize = 4 * 1024;
