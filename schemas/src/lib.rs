//! The contract of Affidavit: records, chunks, manifests, signatures, object keys and the one verifier.
//!
//! No I/O, no async. `SPEC.md` beside this crate is the normative text.

pub mod approval;
mod base64_bytes;
pub mod bundle;
pub mod canonical;
pub mod chunk;
pub mod csv;
pub mod data_block;
pub mod digest;
pub mod dsse;
pub mod ed25519;
pub mod entropy;
mod error;
pub mod event;
pub mod export_notes;
pub mod frame;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod heartbeat;
mod hex;
pub mod identifiers;
pub mod instant;
pub mod key_certificate;
pub mod layout;
pub mod leaf;
pub mod ledger;
pub mod log;
pub mod manifest;
pub mod payload_type;
mod pem;
pub mod period;
pub mod result_digest;
pub mod revocation;
pub mod rule;
pub mod safeguards;
#[cfg(test)]
mod sample;
mod sealed;
pub mod session_key;
pub mod shredding;
pub mod signature;
pub mod tables;
mod text_form;
pub mod token;
pub mod verify;
pub mod visible;
pub mod wrapped_key;

pub use error::Error;
