//! What a bundle's signature is over: an in-toto Statement (v1) that names every file by its digest.
//!
//! Source: in-toto attestation framework, `spec/v1/statement.md` and `resource_descriptor.md`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::digest::Sha256Digest;
use crate::dsse::Statement;
use crate::identifiers::Name;
use crate::payload_type::PayloadType;
use crate::period::Period;

/// The signed statement of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BundleManifest {
    /// Always the one of in-toto's version 1.
    #[serde(rename = "_type")]
    pub statement_type: StatementType,
    /// Every file of the bundle but the manifest, by path, ascending and each once.
    pub subject: Vec<Subject>,
    /// What `predicate` is.
    #[serde(rename = "predicateType")]
    pub predicate_type: PredicateType,
    /// What the bundle is of.
    pub predicate: Predicate,
}

/// Type of an in-toto Statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum StatementType {
    /// Version 1.
    #[serde(rename = "https://in-toto.io/Statement/v1")]
    V1,
}

/// Type of a predicate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PredicateType {
    /// [`Predicate`].
    #[serde(rename = "urn:affidavit:bundle:v1")]
    BundleV1,
}

/// A file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// Path below the bundle's folder.
    pub name: String,
    /// Digest of its bytes.
    pub digest: SubjectDigest,
}

/// Digest of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubjectDigest {
    /// SHA-256.
    pub sha256: Sha256Digest,
}

/// What a bundle is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Predicate {
    /// Version of the bundle format: [`FORMAT_VERSION`].
    pub format: u32,
    /// Tenant.
    pub tenant: Name,
    /// Environment.
    pub environment: Name,
    /// Its sessions are those that touch this period.
    pub period: Period,
    /// When it was made, microseconds since 1970, by the bundler's clock.
    pub created_us: u64,
    /// Rows of each table, by the table's name.
    pub counts: Counts,
    /// Keys that it is to be verified with.
    pub keys: SigningKeys,
}

/// Rows of each table, by the table's name.
pub type Counts = BTreeMap<String, u64>;

/// Key ids of the keys that a bundle is to be verified with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SigningKeys {
    /// The certificates root.
    pub certificates: Sha256Digest,
    /// The key that signed the manifest.
    pub bundles: Sha256Digest,
}

impl BundleManifest {
    /// A manifest over these files.
    #[must_use]
    pub fn new(files: &BTreeMap<String, Sha256Digest>, predicate: Predicate) -> Self {
        let subject = |(name, sha256): (&String, &Sha256Digest)| Subject {
            name: name.clone(),
            digest: SubjectDigest { sha256: *sha256 },
        };
        Self {
            statement_type: StatementType::V1,
            subject: files.iter().map(subject).collect(),
            predicate_type: PredicateType::BundleV1,
            predicate,
        }
    }
}

impl Statement for BundleManifest {
    const TYPE: PayloadType = PayloadType::InToto;
}

/// Version of the bundle format that this crate writes and reads.
pub const FORMAT_VERSION: u32 = 1;
/// The longest manifest's envelope that a reader accepts, in bytes: some 150,000 files. It is read as a whole, so a
/// longer period makes several bundles.
pub const MANIFEST_MAX: usize = 64 * 1024 * 1024;
