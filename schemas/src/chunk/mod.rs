//! Chunks: a session's frames, compressed, with one signature at the end.
//!
//! A chunk is a zstd file (RFC 8878): one or more standard frames that hold the [frames](crate::frame), then one
//! skippable frame that holds the DSSE envelope over the [manifest](crate::manifest) and ends with its own length and
//! magic, so that it is found from the end. `zstd -dc` prints the frames. `SPEC.md`, section "Chunk", is normative.

mod builder;
mod container;
mod decoded_frames;
mod raw_frame;
#[cfg(test)]
mod tests;
mod zstd_frames;

#[cfg(test)]
pub(crate) use builder::append_envelope;
pub use builder::{ChunkBuilder, ChunkHead, Seal, SealedChunk};
pub use container::Container;
pub(crate) use decoded_frames::DecodedFrames;

use std::borrow::Cow;

use crate::canonical;
use crate::data_block::{OpenedBlock, Place};
use crate::dsse::Envelope;
use crate::event::Event;
use crate::frame::Kind;
use crate::manifest::ChunkManifest;
use crate::rule::{Rule, Violation};
use crate::session_key::DataKey;
use crate::signature::PublicKey;

/// A chunk whose structure and digests are sound. Whether its signer is to be trusted is
/// [`crate::verify`]'s to say. Memory holds it as it is stored; it is decompressed while it is read.
pub struct OpenedChunk {
    manifest: ChunkManifest,
    envelope: Envelope,
    /// What the manifest names as stored: it decodes to what the manifest names as decoded.
    stored: Vec<u8>,
}

/// Takes a chunk apart, strictly, and checks its digests; not its signature.
///
/// # Errors
/// The rule that the chunk does not keep.
pub fn open<'a>(bytes: impl Into<Cow<'a, [u8]>>) -> Result<OpenedChunk, Violation> {
    Container::parse(bytes)?.decode()
}

impl OpenedChunk {
    /// What was signed.
    #[must_use]
    pub fn manifest(&self) -> &ChunkManifest {
        &self.manifest
    }

    /// The signed statement.
    #[must_use]
    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// [`Container::verify`], of a chunk that was taken apart before.
    pub(crate) fn verify(&self, key: &PublicKey) -> Result<(), Violation> {
        container::verify(&self.envelope, &self.manifest, key)
    }

    /// The frames, in order; ends after the first error, which breaks [`Rule::ChunkFrames`].
    pub(crate) fn frames(&self) -> DecodedFrames<'_> {
        DecodedFrames::new(&self.stored)
    }

    /// The events, in order.
    pub fn events(&self) -> impl Iterator<Item = Result<Event, Violation>> {
        let mut frames = self.frames();
        std::iter::from_fn(move || {
            loop {
                match frames.next()? {
                    Ok(frame) if frame.kind == Kind::Event => return Some(read_event(frame.payload)),
                    Ok(_) => {}
                    Err(error) => return Some(Err(frames_broken(&error))),
                }
            }
        })
    }

    /// Bytes of its events, as they are decoded: what they may take in memory.
    #[must_use]
    pub fn event_bytes(&self) -> u64 {
        let (mut frames, mut bytes) = (self.frames(), 0_u64);
        while let Some(Ok(frame)) = frames.next() {
            if frame.kind == Kind::Event {
                bytes = bytes.saturating_add(frame.payload.len() as u64);
            }
        }
        bytes
    }

    /// The data blocks, in order, opened with the session's data key.
    pub fn blocks(&self, key: &DataKey) -> impl Iterator<Item = Result<OpenedBlock, crate::Error>> {
        let (mut frames, mut numbers) = (self.frames(), 0..);
        std::iter::from_fn(move || {
            loop {
                match frames.next()? {
                    Ok(frame) if frame.kind == Kind::Event => {}
                    Ok(frame) => {
                        let (session, sequence) = (&self.manifest.session, self.manifest.sequence);
                        let place = Place { session, sequence, block: numbers.next()? };
                        return Some(OpenedBlock::open(frame.payload, key, &place));
                    }
                    Err(error) => return Some(Err(error)),
                }
            }
        })
    }
}

/// What an error of the frames is as a violation.
pub(crate) fn frames_broken(error: &crate::Error) -> Violation {
    Violation::new(Rule::ChunkFrames, error.to_string())
}

/// Reads an event frame's payload.
///
/// # Errors
/// `event.form`.
pub fn read_event(payload: &[u8]) -> Result<Event, Violation> {
    canonical::from_slice("event", payload).map_err(|error| Violation::new(Rule::EventForm, error.to_string()))
}

impl std::fmt::Debug for OpenedChunk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OpenedChunk({} sequence {})", self.manifest.session, self.manifest.sequence)
    }
}

/// Magic of the skippable frame that holds the envelope (RFC 8878 section 3.1.2 gives 0x184D2A50 to 0x184D2A5F).
pub const SKIPPABLE_MAGIC: u32 = 0x184D_2A5A;
/// Decoded bytes that a reader accepts and a writer makes: the largest spool segment (64 MiB) with room for framing.
pub const DECODED_MAX: u64 = 96 * 1024 * 1024;
/// Stored bytes that a reader accepts: incompressible content of [`DECODED_MAX`] with room for the envelope.
pub const STORED_MAX: u64 = 100 * 1024 * 1024;
/// The last bytes of a chunk: u32 little-endian length of the skippable frame's content, u32 little-endian magic.
const TRAILER_LENGTH: usize = 8;
/// Magic and length before the skippable frame's content.
const SKIPPABLE_HEADER: usize = 8;
/// Magic of a standard frame (RFC 8878 section 3.1.1).
const STANDARD_MAGIC: u32 = 0xFD2F_B528;
/// Largest window a reader accepts, in bytes: what every decoder must support (RFC 8878 section 3.1.1.1.2).
const WINDOW_MAX: u32 = 1 << WINDOW_LOG_MAX;
const WINDOW_LOG_MAX: u32 = 23;
