//! One key to trust: the certificates root says which other long-lived keys are this deployment's.

use serde::{Deserialize, Serialize};

use crate::dsse::Statement;
use crate::ed25519::Ed25519PublicKey;
use crate::identifiers::Name;
use crate::payload_type::PayloadType;
use crate::signature::PublicKey;

/// The keys of a deployment that no relay has. Signed by the certificates root, once for each set of keys: whoever
/// makes bundles or decides has no right to sign with that root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyCertificate {
    /// Tenant.
    pub tenant: Name,
    /// Environment.
    pub environment: Name,
    /// Signs checkpoints of the log.
    pub checkpoints: PublicKey,
    /// Signs them too, where the keys' holder has such a key.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub checkpoints_ed25519: Option<Ed25519PublicKey>,
    /// Signs decisions on approval requests.
    pub approvals: PublicKey,
    /// Signs bundles.
    pub bundles: PublicKey,
    /// Start of validity, microseconds since 1970.
    pub not_before_us: u64,
    /// End of validity, microseconds since 1970.
    pub not_after_us: u64,
}

impl Statement for KeyCertificate {
    const TYPE: PayloadType = PayloadType::KeyCertificate;
}
