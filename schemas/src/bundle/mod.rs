//! Bundles: the evidence of a period as a folder, with tables, a report and one signature over every file of it.
//!
//! [`layout`] says which files there are, [`BundleManifest`] what is signed, `Assembly` writes one (feature
//! `parquet`), and `crate::verify::verify_bundle` checks one. `SPEC.md`, section "Bundle", is normative.

#[cfg(feature = "parquet")]
mod assembly;
pub mod layout;
mod manifest;
#[cfg(feature = "parquet")]
mod table_files;

#[cfg(feature = "parquet")]
pub use assembly::{Assembly, BundleWriter, Destination};
pub use manifest::{
    BundleManifest, Counts, FORMAT_VERSION, MANIFEST_MAX, Predicate, PredicateType, SigningKeys, StatementType,
    Subject, SubjectDigest,
};
#[cfg(feature = "parquet")]
pub use table_files::TableFiles;

/// The source of `verify.py`, which every bundle has: a verifier that shares no code with ours.
pub const STRANGER: &str = include_str!("../../verify.py");

/// `forms.json`, which stands beside it: a part of SPEC.md, with the form of every statement and event.
pub const FORMS: &str = include_str!("../../forms.json");
