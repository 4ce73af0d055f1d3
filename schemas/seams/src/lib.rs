//! The seams between Affidavit and where it runs: [`EvidenceStore`], [`Keys`], [`Index`], and [`Secrets`], which is for AWS
//! alone: on one machine a file or a variable holds a password.
//!
//! Beside them what holds nothing but copies, a [`Lake`].
//!
//! Each trait's comments are its contract; [`contract`] holds one test suite a trait, which every adapter passes. The
//! local adapters stand here: files, key files, an embedded database; those on AWS are a crate of their own, `aws`.

mod approval_row;
pub mod contract;
mod disk;
mod evidence_store;
pub mod export;
pub mod file_store;
mod index;
pub mod key_files;
mod keys;
mod lake;
pub mod object_key;
pub mod redb_index;
mod secrets;

pub use approval_row::{ApprovalRow, ApprovalState};
pub use evidence_store::{EvidenceStore, Overlay, OverlayKind, PutOutcome, Retention, StoreError, last_in};
pub use file_store::FileStore;
pub use index::{ChunkRow, Index, IndexError, SessionRow};
pub use key_files::KeyFiles;
pub use keys::{KeyName, Keys, KeysError};
pub use lake::Lake;
pub use redb_index::RedbIndex;
pub use secrets::{DatabaseLogin, SECRET_BYTES_MAX, Secret, Secrets, SecretsError};
