//! A segment becomes a chunk: one function for live sessions and for recovered ones.

use std::borrow::Cow;
use std::collections::BTreeSet;

use schemas::chunk::{ChunkBuilder, ChunkHead, Seal, SealedChunk};
use schemas::data_block::DataRecord;
use schemas::digest::Sha256Digest;
use schemas::entropy::Entropy;
use schemas::event::{CloseReason, Event, EventBody, Recovered};
use schemas::identifiers::Incarnation;
use schemas::manifest::ChunkManifest;
use schemas::rule::Violation;
use schemas::session_key::SessionKey;
use schemas::signature::Signer;
use serde::Deserialize;

use crate::spool::{Contents, Header, Record};

/// What is sealed, and as what.
pub(crate) struct Sealing<'a> {
    pub(crate) contents: &'a Contents,
    pub(crate) session_key: &'a SessionKey,
    /// Statement digest of the chunk before, or of the session-open leaf.
    pub(crate) prev: Sha256Digest,
    /// The session's last segment.
    pub(crate) last: bool,
    /// Set for the last segment of a dead incarnation's session: the last event then says what survived.
    pub(crate) survived: Option<Survived>,
    /// The sealing relay's clock, microseconds since 1970.
    pub(crate) now_us: u64,
}

/// What a recovery has to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Survived {
    /// Who seals.
    pub(crate) by: Incarnation,
    /// Bytes of the session's segments that were no whole record.
    pub(crate) discarded_bytes: u64,
}

/// A sealed segment.
#[derive(Debug)]
pub(crate) struct Sealed {
    pub(crate) chunk: SealedChunk,
    /// Of the session's close event, if it stands in this segment.
    pub(crate) reason: Option<CloseReason>,
}

/// Seals a segment's records in their order.
///
/// # Errors
/// Those of the chunk builder: events out of order, limits, signer, compressor.
pub(crate) fn seal(
    sealing: &Sealing<'_>,
    signer: &dyn Signer,
    entropy: &dyn Entropy,
) -> Result<Sealed, schemas::Error> {
    let header = &sealing.contents.header;
    let mut builder = ChunkBuilder::new(head(header, sealing.prev), sealing.session_key, entropy)?;
    let pending = header.pending.iter().copied().collect();
    let mut seen = Seen { next_event: header.first_event, pending, ..Seen::default() };
    for record in sealing.contents.records() {
        match record {
            Record::Event(line) => {
                let glance = Glance::at(&line)?;
                builder.push_event_text(glance.number, glance.time_us, &line)?;
                seen.see(&glance);
            }
            Record::Data { direction, time_us, bytes } => {
                builder.push_data(&DataRecord { direction, time_us, bytes: &bytes })?;
            }
        }
    }
    if let Some(survived) = &sealing.survived {
        let time_us = sealing.now_us.max(seen.time_us);
        builder.push_event(&Event { number: seen.next_event, time_us, body: seen.recovered(survived) })?;
    }
    let chunk = builder.finish(&Seal { time_us: sealing.now_us, last: sealing.last }, signer)?;
    Ok(Sealed { chunk, reason: seen.reason })
}

/// What is needed of a chunk that was sealed earlier, by whomever.
#[derive(Debug)]
pub(crate) struct Earlier {
    pub(crate) manifest: ChunkManifest,
    pub(crate) digest: Sha256Digest,
    /// Of the session's close event, if it stands in this chunk.
    pub(crate) reason: Option<CloseReason>,
}

/// Reads a sealed chunk, strictly.
///
/// # Errors
/// The rule that it does not keep.
pub(crate) fn read(bytes: &[u8]) -> Result<Earlier, Violation> {
    let chunk = schemas::chunk::open(bytes)?;
    let mut reason = None;
    for event in chunk.events() {
        if let EventBody::SessionClose(close) = event?.body {
            reason = Some(close.reason);
        }
    }
    Ok(Earlier { manifest: chunk.manifest().clone(), digest: chunk.envelope().statement_digest(), reason })
}

fn head(header: &Header, prev: Sha256Digest) -> ChunkHead {
    ChunkHead {
        scope: header.facts.origin.scope(),
        log_origin: header.facts.origin.log_origin.clone(),
        session: header.facts.session.clone(),
        connection: header.facts.connection.clone(),
        sequence: header.sequence,
        prev,
        first_event: header.first_event,
    }
}

/// The few members of an event that sealing looks at.
#[derive(Deserialize)]
struct Glance<'a> {
    number: u64,
    time_us: u64,
    #[serde(borrow)]
    event: Cow<'a, str>,
    execution: Option<u64>,
    reason: Option<serde_json::Value>,
}

impl<'a> Glance<'a> {
    fn at(line: &'a [u8]) -> Result<Self, schemas::Error> {
        serde_json::from_slice(line).map_err(|_| schemas::Error::Bug("a recorded event cannot be read"))
    }

    fn reason(&self) -> Option<CloseReason> {
        let reason = self.reason.as_ref().filter(|_| self.event == "session-close")?;
        CloseReason::deserialize(reason).ok()
    }
}

#[derive(Default)]
struct Seen {
    next_event: u64,
    time_us: u64,
    pending: BTreeSet<u64>,
    reason: Option<CloseReason>,
}

impl Seen {
    fn see(&mut self, glance: &Glance<'_>) {
        self.next_event = glance.number.saturating_add(1);
        self.time_us = self.time_us.max(glance.time_us);
        match (glance.event.as_ref(), glance.execution) {
            ("execute", Some(execution)) => self.pending.insert(execution),
            ("outcome", Some(execution)) => self.pending.remove(&execution),
            _ => false,
        };
        self.reason = self.reason.or(glance.reason());
    }

    fn recovered(&self, survived: &Survived) -> EventBody {
        EventBody::Recovered(Recovered {
            by_incarnation: survived.by.to_string(),
            discarded_bytes: survived.discarded_bytes,
            outcome_unknown: self.pending.iter().copied().collect(),
        })
    }
}
