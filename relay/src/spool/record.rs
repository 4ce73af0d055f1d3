//! Records of a segment and how they are framed on disk.
//!
//! `u32 length (big endian) | payload`, over and over. The first payload is the header: `u32` length of a plain canonical
//! JSON, that JSON, the numbers of pending executions as `u64` each, and the SHA-256 of all that. It is readable without
//! a key because it holds the wrapped one, and whole or nothing: a segment never hides what was pending. Every further payload is sealed with
//! AES-256-GCM under a key of this segment alone; the nonce is the payload's number from 1 and the header's digest is
//! the additional data. It holds what was written together, record by record: `u8 kind | u32 length | content`. So nothing in a spool is clear, nothing can be moved between segments, and the first record
//! that does not open is the end of what was written.

use std::borrow::Cow;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use schemas::data_block::Direction;
use schemas::digest::Sha256Digest;
use schemas::dsse::Envelope;
use schemas::identifiers::{Name, SessionId};
use schemas::layout::Scope;
use schemas::session_key::SpoolKey;
use schemas::wrapped_key::WrappedKey;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::SpoolError;

/// Whose evidence it is: part of every header and of the incarnation's folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Origin {
    pub(crate) tenant: Name,
    pub(crate) environment: Name,
    pub(crate) relay: Name,
    /// Origin line of the log that the evidence goes to.
    pub(crate) log_origin: String,
}

/// What a session's evidence needs, whoever completes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SessionFacts {
    pub(crate) origin: Origin,
    pub(crate) session: SessionId,
    pub(crate) connection: Name,
    /// The session's key, as it stands in the store.
    pub(crate) wrapped_key: WrappedKey,
    /// The signed session-open leaf, so that recovery can store the very same one.
    pub(crate) open: Envelope,
}

/// First record of a segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Header {
    pub(crate) version: u32,
    pub(crate) facts: SessionFacts,
    /// Sequence of the segment and of the chunk it becomes, from 1.
    pub(crate) sequence: u64,
    /// Number of the first event that goes into this segment.
    pub(crate) first_event: u64,
    /// Executions that had no outcome when the segment began; recovery names them if they never get one.
    #[serde(skip)]
    pub(crate) pending: Vec<u64>,
}

impl Origin {
    pub(crate) fn scope(&self) -> Scope {
        Scope { tenant: self.tenant.clone(), environment: self.environment.clone(), relay: self.relay.clone() }
    }
}

/// What a segment holds after its header. No `Debug`: it holds what clients sent and received.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Record<'a> {
    /// An event, canonical JSON.
    Event(Cow<'a, [u8]>),
    /// Bytes as the client sent or received them.
    Data { direction: Direction, time_us: u64, bytes: Cow<'a, [u8]> },
}

/// A record that is about to be written; borrows what it holds.
#[derive(Clone, Copy)]
pub(crate) enum Draft<'a> {
    Event(&'a [u8]),
    Data { direction: Direction, time_us: u64, bytes: &'a [u8] },
}

/// Seals or opens the records of one segment, in order.
pub(crate) struct Cipher {
    key: LessSafeKey,
    header: Sha256Digest,
    next: u64,
}

impl Cipher {
    /// The key is derived for this sequence alone, so a nonce is never used twice under one key.
    pub(crate) fn new(spool_key: &SpoolKey, sequence: u64, header: Sha256Digest) -> Result<Self, SpoolError> {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, spool_key.as_bytes()), &sequence.to_be_bytes());
        let derived = Zeroizing::new(tag.as_ref().to_vec());
        let key = UnboundKey::new(&AES_256_GCM, &derived).map_err(|_| SpoolError::Internal("segment key"))?;
        Ok(Self { key: LessSafeKey::new(key), header, next: 1 })
    }

    /// Appends one framed payload to `out`: the drafts that [`together`] put together.
    pub(crate) fn seal(&mut self, drafts: &[Draft<'_>], out: &mut Vec<u8>) -> Result<(), SpoolError> {
        let start = out.len();
        out.extend_from_slice(&[0; LENGTH]);
        drafts.iter().try_for_each(|draft| draft.encode(out))?;
        let nonce = self.nonce()?;
        let plain = out.get_mut(start + LENGTH..).ok_or(SpoolError::Internal("record start"))?;
        if plain.len() > PLAIN_MAX {
            return Err(SpoolError::TooLarge { what: "a record", limit: PLAIN_MAX });
        }
        let tag = self
            .key
            .seal_in_place_separate_tag(nonce, Aad::from(self.header.as_bytes()), plain)
            .map_err(|_| SpoolError::Internal("seal"))?;
        out.extend_from_slice(tag.as_ref());
        let length = u32::try_from(out.len() - start - LENGTH).map_err(|_| SpoolError::Internal("record length"))?;
        let field = out.get_mut(start..start + LENGTH).ok_or(SpoolError::Internal("record start"))?;
        field.copy_from_slice(&length.to_be_bytes());
        Ok(())
    }

    /// Opens the next payload where it stands, and gives it; `None` when it is not what was sealed in that place.
    pub(crate) fn open<'p>(&mut self, payload: &'p mut [u8]) -> Option<&'p [u8]> {
        let nonce = self.nonce().ok()?;
        let plain = self.key.open_in_place(nonce, Aad::from(self.header.as_bytes()), payload).ok()?;
        Some(plain)
    }

    fn nonce(&mut self) -> Result<Nonce, SpoolError> {
        let number = self.next;
        self.next = number.checked_add(1).ok_or(SpoolError::Internal("record numbers"))?;
        let mut nonce = [0; NONCE_LEN];
        let (_, low) = nonce.split_last_chunk_mut::<8>().ok_or(SpoolError::Internal("nonce"))?;
        *low = number.to_be_bytes();
        Ok(Nonce::assume_unique_for_key(nonce))
    }
}

impl Draft<'_> {
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), SpoolError> {
        out.push(match self {
            Draft::Event(_) => EVENT,
            Draft::Data { direction: Direction::Frontend, .. } => FRONTEND,
            Draft::Data { direction: Direction::Backend, .. } => BACKEND,
        });
        out.extend_from_slice(&length(self.content_length())?);
        match self {
            Draft::Event(json) => out.extend_from_slice(json),
            Draft::Data { time_us, bytes, .. } => {
                out.extend_from_slice(&time_us.to_be_bytes());
                out.extend_from_slice(bytes);
            }
        }
        Ok(())
    }

    fn content_length(&self) -> usize {
        match self {
            Draft::Event(json) => json.len(),
            Draft::Data { bytes, .. } => bytes.len().saturating_add(size_of::<u64>()),
        }
    }

    fn length(&self) -> usize {
        self.content_length().saturating_add(KIND + LENGTH)
    }
}

/// The drafts of one batch, parted into payloads: one, unless the batch is long.
pub(crate) fn together<'d, 'b>(drafts: &'d [Draft<'b>]) -> impl Iterator<Item = &'d [Draft<'b>]> {
    let mut rest = drafts;
    std::iter::from_fn(move || {
        let mut length = 0_usize;
        let fits = |draft: &&Draft<'_>| {
            let first = length == 0;
            length = length.saturating_add(draft.length());
            first || length <= TOGETHER_MAX
        };
        let count = rest.iter().take_while(fits).count();
        let (payload, later) = rest.split_at_checked(count)?;
        rest = later;
        (!payload.is_empty()).then_some(payload)
    })
}

impl<'a> Record<'a> {
    /// The records of an opened payload, in order; `None` when it does not hold whole ones.
    pub(crate) fn decode_all(mut plain: &'a [u8]) -> Option<Vec<Self>> {
        let mut records = Vec::new();
        while let Some((kind, rest)) = plain.split_first() {
            let (content, rest) = split(rest)?;
            records.push(Self::decode(*kind, content)?);
            plain = rest;
        }
        Some(records)
    }

    fn decode(kind: u8, content: &'a [u8]) -> Option<Self> {
        match kind {
            EVENT => Some(Self::Event(content.into())),
            FRONTEND | BACKEND => {
                let (time, bytes) = content.split_first_chunk::<8>()?;
                let direction = if kind == FRONTEND { Direction::Frontend } else { Direction::Backend };
                Some(Self::Data { direction, time_us: u64::from_be_bytes(*time), bytes: bytes.into() })
            }
            _ => None,
        }
    }
}

impl Header {
    /// The header's record, and the digest that binds every other record to it.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) -> Result<Sha256Digest, SpoolError> {
        let json = schemas::canonical::to_vec(self).map_err(|_| SpoolError::Internal("header"))?;
        if json.len() > HEADER_MAX {
            return Err(SpoolError::TooLarge { what: "a header", limit: HEADER_MAX });
        }
        let mut payload = Vec::with_capacity(LENGTH + json.len() + size_of_val(self.pending.as_slice()) + DIGEST);
        payload.extend_from_slice(&length(json.len())?);
        payload.extend_from_slice(&json);
        self.pending.iter().for_each(|execution| payload.extend_from_slice(&execution.to_be_bytes()));
        let digest = Sha256Digest::of(&payload);
        payload.extend_from_slice(digest.as_bytes());
        out.extend_from_slice(&length(payload.len())?);
        out.extend_from_slice(&payload);
        Ok(digest)
    }

    /// Reads a header's payload; `None` when it is torn or not ours.
    pub(crate) fn decode(payload: &[u8]) -> Option<(Self, Sha256Digest)> {
        let (content, digest) = payload.split_last_chunk::<DIGEST>()?;
        let computed = Sha256Digest::of(content);
        let (json, pending) = split(content).filter(|_| computed.as_bytes() == digest)?;
        let mut header: Self = serde_json::from_slice(json).ok()?;
        let (pending, []) = pending.as_chunks::<8>() else { return None };
        header.pending = pending.iter().map(|bytes| u64::from_be_bytes(*bytes)).collect();
        (header.version == VERSION && header.sequence > 0 && header.first_event > 0).then_some((header, computed))
    }
}

fn length(bytes: usize) -> Result<[u8; LENGTH], SpoolError> {
    let length = u32::try_from(bytes).map_err(|_| SpoolError::Internal("header length"))?;
    Ok(length.to_be_bytes())
}

/// The next payload and what follows it; `None` at the end and where the file is torn.
pub(crate) fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<LENGTH>()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
}

/// Bytes that a batch takes on disk.
pub(crate) fn length_on_disk(drafts: &[Draft<'_>]) -> u64 {
    let payload =
        |drafts: &[Draft<'_>]| drafts.iter().fold(LENGTH + TAG, |sum, draft| sum.saturating_add(draft.length()));
    let total = together(drafts).map(payload).fold(0, usize::saturating_add);
    u64::try_from(total).unwrap_or(u64::MAX)
}

/// Version of this format. A relay reads the version it writes: an upgrade drains or recovers the spool first.
pub(crate) const VERSION: u32 = 3;
/// Content of one data record. Longer data is split, so that sealing gathers even blocks of bounded size.
pub(crate) const DATA_MAX: usize = 256 * 1024;
/// One event's canonical JSON: as much as a frame of a chunk holds.
pub(crate) const EVENT_MAX: usize = 16 * 1024 * 1024;
/// The largest payload before sealing: one event.
const PLAIN_MAX: usize = EVENT_MAX + KIND + LENGTH;
/// What a payload of several records may hold. One seal a batch costs less than one a record; a payload is opened whole.
const TOGETHER_MAX: usize = 1024 * 1024;
/// A wrapped key is below 1 KiB and an envelope at most 64 KiB.
const HEADER_MAX: usize = 128 * 1024;
const LENGTH: usize = 4;
const KIND: usize = 1;
const DIGEST: usize = 32;
const TAG: usize = 16;
const EVENT: u8 = 1;
const FRONTEND: u8 = 2;
const BACKEND: u8 = 3;
