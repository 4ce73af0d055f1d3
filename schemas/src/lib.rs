//! The contract of Affidavit: records, chunks, manifests, signatures, object keys and the one verifier.
//!
//! No I/O, no async. `SPEC.md` beside this crate is the normative text.

pub mod event;
pub mod identifiers;
