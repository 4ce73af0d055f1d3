//! Builds a chunk: used when a segment is sealed and, by the same function, when a dead relay's spool is recovered.

use std::io::Write;

use super::{DECODED_MAX, SKIPPABLE_MAGIC, TRAILER_LENGTH};
use crate::canonical;
use crate::data_block::{BlockSealer, DataRecord, Place};
use crate::digest::{Hasher, Sha256Digest};
use crate::dsse::Envelope;
use crate::entropy::Entropy;
use crate::error::Error;
use crate::event::Event;
use crate::frame::{Frame, HEADER_LENGTH, Kind};
use crate::identifiers::{Name, SessionId};
use crate::layout::Scope;
use crate::manifest::{ChunkManifest, Extent, FORMAT_VERSION};
use crate::session_key::SessionKey;
use crate::signature::Signer;

/// Gathers a chunk's events and data records.
pub struct ChunkBuilder<'a> {
    head: ChunkHead,
    entropy: &'a dyn Entropy,
    blocks: BlockSealer,
    /// Event frames, compressed as they come.
    events: zstd::stream::write::Encoder<'static, Vec<u8>>,
    decoded: Hasher,
    decoded_length: u64,
    /// Data frames as they will be decoded; ciphertext, so they are stored without compression. One by one, so that each
    /// goes as soon as it is in the chunk: a chunk is not in memory twice.
    data_frames: Vec<Vec<u8>>,
    event_count: u64,
    times: Option<(u64, u64)>,
}

/// What is known before the first frame.
#[derive(Debug, Clone)]
pub struct ChunkHead {
    /// Tenant, environment, relay.
    pub scope: Scope,
    /// Origin line of the log.
    pub log_origin: String,
    /// Session.
    pub session: SessionId,
    /// Connection by its configured name.
    pub connection: Name,
    /// Position in the session, from 1.
    pub sequence: u64,
    /// Statement digest of the chunk before, or of the session-open leaf.
    pub prev: Sha256Digest,
    /// Number that the chunk's first event has or would have.
    pub first_event: u64,
}

/// What is known when the chunk is sealed.
#[derive(Debug, Clone, Copy)]
pub struct Seal {
    /// The signing relay's clock, microseconds since 1970.
    pub time_us: u64,
    /// The session's last chunk.
    pub last: bool,
}

/// A finished chunk.
#[derive(Debug, Clone)]
pub struct SealedChunk {
    /// The object.
    pub bytes: Vec<u8>,
    /// What was signed.
    pub manifest: ChunkManifest,
    /// Statement digest: `prev` of the next chunk.
    pub digest: Sha256Digest,
}

impl<'a> ChunkBuilder<'a> {
    /// An empty chunk.
    ///
    /// # Errors
    /// [`Error::Machine`] when compressor or provider fail.
    pub fn new(head: ChunkHead, key: &SessionKey, entropy: &'a dyn Entropy) -> Result<Self, Error> {
        Ok(Self {
            head,
            entropy,
            blocks: BlockSealer::new(&key.data_key()?)?,
            events: zstd::stream::write::Encoder::new(Vec::new(), LEVEL).map_err(|_| COMPRESSION)?,
            decoded: Hasher::new(),
            decoded_length: 0,
            data_frames: Vec::new(),
            event_count: 0,
            times: None,
        })
    }

    /// Appends an event, which must have the next number.
    ///
    /// # Errors
    /// [`Error::Bug`] for another number, [`Error::TooLarge`] beyond the frame's or chunk's limit.
    pub fn push_event(&mut self, event: &Event) -> Result<(), Error> {
        self.push_event_text(event.number, event.time_us, &canonical::to_vec(event)?)
    }

    /// Appends an event given as the canonical JSON that was recorded, with the number and time it holds.
    ///
    /// # Errors
    /// Those of [`ChunkBuilder::push_event`].
    pub fn push_event_text(&mut self, number: u64, time_us: u64, text: &[u8]) -> Result<(), Error> {
        if Some(number) != self.head.first_event.checked_add(self.event_count) {
            return Err(Error::Bug("an event was not given in its order"));
        }
        let header = Frame::header(Kind::Event, text.len())?;
        self.count_decoded(text.len())?;
        for part in [header.as_slice(), text] {
            self.decoded.update(part);
            self.events.write_all(part).map_err(|_| COMPRESSION)?;
        }
        self.event_count += 1;
        self.see_time(time_us);
        Ok(())
    }

    /// Appends a data record, continued over several blocks if it must.
    ///
    /// # Errors
    /// [`Error::TooLarge`] beyond the chunk's limit, [`Error::Machine`].
    pub fn push_data(&mut self, record: &DataRecord<'_>) -> Result<(), Error> {
        self.see_time(record.time_us);
        let mut rest = *record;
        while !rest.bytes.is_empty() {
            rest.bytes = self.blocks.gather(&rest);
            if !rest.bytes.is_empty() {
                self.seal_block()?;
            }
        }
        Ok(())
    }

    /// Whether nothing was appended.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.times.is_none()
    }

    /// Bytes of frames so far, decoded, with what waits to become a data block.
    #[must_use]
    pub fn decoded_length(&self) -> u64 {
        self.decoded_length.saturating_add(self.blocks.gathered() as u64)
    }

    /// Seals the chunk: `recovered` is said when the signer is not the session's own incarnation.
    ///
    /// # Errors
    /// [`Error::Machine`] when signer, compressor or provider fail.
    pub fn finish(mut self, seal: &Seal, signer: &dyn Signer) -> Result<SealedChunk, Error> {
        if !self.blocks.is_empty() {
            self.seal_block()?;
        }
        let mut bytes = Vec::new();
        if self.event_count > 0 || self.data_frames.is_empty() {
            bytes = self.events.finish().map_err(|_| COMPRESSION)?;
        }
        let data_blocks = self.data_frames.len() as u64;
        let length = self.data_frames.iter().map(Vec::len).sum::<usize>();
        bytes.reserve(length.saturating_add(length >> 8).saturating_add(ENVELOPE_ROOM));
        for frame in self.data_frames {
            self.decoded.update(&frame);
            super::raw_frame::write(&frame, &mut bytes)?;
        }
        let decoded = Extent { sha256: self.decoded.finish(), length: self.decoded_length };
        let counts =
            Counts { events: self.event_count, data_blocks, times: self.times.unwrap_or((seal.time_us, seal.time_us)) };
        let manifest = self.head.manifest(Extent::of(&bytes), decoded, &counts, seal, signer);
        let envelope = Envelope::of(&manifest, signer)?;
        append_envelope(&envelope, &mut bytes)?;
        Ok(SealedChunk { bytes, manifest, digest: envelope.statement_digest() })
    }

    fn seal_block(&mut self) -> Result<(), Error> {
        let block = self.data_frames.len() as u64;
        let place = Place { session: &self.head.session, sequence: self.head.sequence, block };
        let sealed = self.blocks.seal(&place, self.entropy)?;
        self.count_decoded(sealed.len())?;
        let mut frame = Vec::with_capacity(HEADER_LENGTH + sealed.len());
        Frame { kind: Kind::Data, payload: &sealed }.encode(&mut frame)?;
        self.data_frames.push(frame);
        Ok(())
    }

    fn count_decoded(&mut self, payload: usize) -> Result<(), Error> {
        let length = self.decoded_length.saturating_add((HEADER_LENGTH + payload) as u64);
        if length > DECODED_MAX {
            return Err(Error::TooLarge { what: "chunk", limit: DECODED_MAX });
        }
        self.decoded_length = length;
        Ok(())
    }

    fn see_time(&mut self, time_us: u64) {
        let (first, last) = self.times.unwrap_or((time_us, time_us));
        self.times = Some((first.min(time_us), last.max(time_us)));
    }
}

struct Counts {
    events: u64,
    data_blocks: u64,
    times: (u64, u64),
}

impl ChunkHead {
    fn manifest(
        self,
        stored: Extent,
        decoded: Extent,
        counts: &Counts,
        seal: &Seal,
        signer: &dyn Signer,
    ) -> ChunkManifest {
        let sealed_by = signer.public_key().incarnation();
        ChunkManifest {
            format: FORMAT_VERSION,
            tenant: self.scope.tenant,
            environment: self.scope.environment,
            log_origin: self.log_origin,
            relay: self.scope.relay,
            recovered: sealed_by != self.session.incarnation,
            session: self.session,
            connection: self.connection,
            sequence: self.sequence,
            prev: self.prev,
            stored,
            decoded,
            events: counts.events,
            data_blocks: counts.data_blocks,
            first_event: self.first_event,
            last_event: self.first_event.saturating_add(counts.events).saturating_sub(1),
            first_time_us: counts.times.0,
            last_time_us: counts.times.1,
            sealed_time_us: seal.time_us,
            sealed_by,
            last: seal.last,
        }
    }
}

pub(crate) fn append_envelope(envelope: &Envelope, bytes: &mut Vec<u8>) -> Result<(), Error> {
    let envelope = envelope.to_vec()?;
    let length = u32::try_from(envelope.len() + TRAILER_LENGTH).map_err(|_| Error::Bug("an envelope is too large"))?;
    bytes.extend_from_slice(&SKIPPABLE_MAGIC.to_le_bytes());
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&envelope);
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&SKIPPABLE_MAGIC.to_le_bytes());
    Ok(())
}

impl std::fmt::Debug for ChunkBuilder<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ChunkBuilder({} sequence {})", self.head.session, self.head.sequence)
    }
}

/// Level 3 gives no better ratio and a third less speed (rule 26).
const LEVEL: i32 = 1;
/// What an envelope usually takes.
const ENVELOPE_ROOM: usize = 2048;
const COMPRESSION: Error = Error::Machine("compression");
