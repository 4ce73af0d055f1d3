//! The transparency log over signed statements: RFC 6962 Merkle tree in C2SP tlog-tiles, with tlog-checkpoint heads.
//!
//! What is in the log cannot be taken out, changed or reordered without every later checkpoint telling. No I/O here:
//! `functions::sealer` writes a log, [`crate::verify`] reads one. Sources: RFC 6962 section 2.1, RFC 9162 section 2.1,
//! c2sp.org/tlog-tiles, c2sp.org/tlog-checkpoint, c2sp.org/signed-note.

mod checkpoint;
mod edge;
mod entry;
mod entry_bundle;
pub mod hash;
mod note;
mod origin;
mod precedence;
pub mod proof;
mod second_key;
mod staged;
mod subtrees;
mod tile;
mod witness;

pub use checkpoint::Checkpoint;
pub use edge::Edge;
pub use entry::{ENTRY_MAX, Entry, Place, Signatory};
pub use entry_bundle::{BUNDLE_MAX, decode as decode_bundle, encode as encode_bundle};
pub use note::{NOTE_MAX, Note, NoteKey};
pub use origin::LogOrigin;
pub use precedence::{Precedence, Rank};
pub use proof::{Consistency, Inclusion};
pub use second_key::SecondKey;
pub use staged::{STAGED_MAX, Staged};
pub use subtrees::{Subtrees, Tiles};
pub use tile::{FULL_WIDTH, Tile, TileKind};
pub use witness::Witness;

#[cfg(test)]
mod interoperation;
#[cfg(test)]
mod naive;
