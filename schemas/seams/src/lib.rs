//! The three seams between Affidavit and where it runs: [`EvidenceStore`], [`Keys`], [`Index`].
//!
//! Each trait's comments are its contract.
//! The local adapters stand here: files, key files, an embedded database.

mod evidence_store;
pub mod file_store;
mod index;
pub mod key_files;
mod keys;

pub use evidence_store::{EvidenceStore, PutOutcome, Retention, StoreError};
pub use file_store::FileStore;
pub use index::{ChunkRow, Index, IndexError, SessionRow};
pub use key_files::KeyFiles;
pub use keys::{KeyName, Keys, KeysError};
