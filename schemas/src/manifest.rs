//! What a chunk's signature says of the chunk.

use serde::{Deserialize, Serialize};

use crate::digest::Sha256Digest;
use crate::dsse::Statement;
use crate::identifiers::{Incarnation, Name, SessionId};
use crate::payload_type::PayloadType;

/// The signed statement inside every chunk. Members stand in the order that canonical JSON gives them, so that whoever
/// reads a log of a million of them sorts nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChunkManifest {
    /// Connection by its configured name.
    pub connection: Name,
    /// Data frames.
    pub data_blocks: u64,
    /// The frames, decompressed.
    pub decoded: Extent,
    /// Environment, e.g. `production`.
    pub environment: Name,
    /// Event frames.
    pub events: u64,
    /// Number of the first event; without events, the number the next event will have.
    pub first_event: u64,
    /// Least time of an event or data record, microseconds since 1970 by the relay's clock.
    pub first_time_us: u64,
    /// Version of the chunk format: [`FORMAT_VERSION`].
    pub format: u32,
    /// The session's last chunk.
    pub last: bool,
    /// Number of the last event: always `first_event + events - 1`.
    pub last_event: u64,
    /// Greatest time of an event or data record.
    pub last_time_us: u64,
    /// Origin line of the log that the chunk's statement goes to.
    pub log_origin: String,
    /// Statement digest of the chunk before; for the first chunk, of the session-open leaf.
    pub prev: Sha256Digest,
    /// Sealed from the spool of a dead incarnation by another one: weaker evidence (rule 15).
    pub recovered: bool,
    /// Relay.
    pub relay: Name,
    /// Incarnation whose key signed.
    pub sealed_by: Incarnation,
    /// When it was sealed, by the clock of the relay that sealed it.
    pub sealed_time_us: u64,
    /// Position in the session, from 1 without gaps.
    pub sequence: u64,
    /// Session.
    pub session: SessionId,
    /// The chunk's bytes before its last (skippable) frame.
    pub stored: Extent,
    /// Tenant.
    pub tenant: Name,
}

/// Digest and length of some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extent {
    /// Length in bytes.
    pub length: u64,
    /// SHA-256.
    pub sha256: Sha256Digest,
}

impl Extent {
    /// Digest and length of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self { sha256: Sha256Digest::of(bytes), length: bytes.len() as u64 }
    }
}

impl Statement for ChunkManifest {
    const TYPE: PayloadType = PayloadType::Chunk;
}

/// Version of the chunk format that this crate writes and reads.
pub const FORMAT_VERSION: u32 = 1;
