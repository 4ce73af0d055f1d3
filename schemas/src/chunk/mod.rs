//! Chunks: a session's frames, compressed, with one signature at the end.
//!
//! A chunk is a zstd file (RFC 8878): one or more standard frames that hold the [frames](crate::frame), then one
//! skippable frame that holds the DSSE envelope over the [manifest](crate::manifest) and ends with its own length and
//! magic, so that it is found from the end. `zstd -dc` prints the frames. `SPEC.md`, section "Chunk", is normative.

mod builder;
mod raw_frame;

pub use builder::{ChunkBuilder, ChunkHead, Seal, SealedChunk};

/// Magic of the skippable frame that holds the envelope (RFC 8878 section 3.1.2 gives 0x184D2A50 to 0x184D2A5F).
pub const SKIPPABLE_MAGIC: u32 = 0x184D_2A5A;
/// Decoded bytes that a reader accepts and a writer makes: the largest spool segment (64 MiB) with room for framing.
pub const DECODED_MAX: u64 = 96 * 1024 * 1024;
/// Stored bytes that a reader accepts: incompressible content of [`DECODED_MAX`] with room for the envelope.
pub const STORED_MAX: u64 = 100 * 1024 * 1024;
/// The last bytes of a chunk: u32 little-endian length of the skippable frame's content, u32 little-endian magic.
const TRAILER_LENGTH: usize = 8;
/// Magic of a standard frame (RFC 8878 section 3.1.1).
const STANDARD_MAGIC: u32 = 0xFD2F_B528;
/// Largest window a reader accepts, in bytes: what every decoder must support (RFC 8878 section 3.1.1.1.2).
const WINDOW_MAX: u32 = 8 * 1024 * 1024;
