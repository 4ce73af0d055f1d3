//! A relay's key that is trusted no more, and an incarnation of which nothing more is expected.

use serde::{Deserialize, Serialize};

use crate::dsse::Statement;
use crate::identifiers::{Incarnation, Name};
use crate::payload_type::PayloadType;

/// What an incarnation's key signed stands only as far as the log held it at this size: what a thief claims about the
/// time changes nothing. Signed by the certificates root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revocation {
    /// Tenant.
    pub tenant: Name,
    /// Environment.
    pub environment: Name,
    /// Relay.
    pub relay: Name,
    /// The incarnation whose key it is.
    pub incarnation: Incarnation,
    /// Origin of the log.
    pub log_origin: String,
    /// Entries of that log, the first ones, in which its statements stand.
    pub log_size: u64,
    /// Why.
    pub reason: RevocationReason,
    /// When it was revoked, microseconds since 1970; decides nothing.
    pub time_us: u64,
}

/// Why a key is revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RevocationReason {
    /// Somebody else may have the key, or the machine it is on.
    Compromised,
    /// The relay is taken out of service.
    Withdrawn,
}

/// An incarnation's certificate ended long ago and nothing says that it retired: what it owes is not waited for. Signed
/// by the checkpoints key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Abandoned {
    /// Tenant.
    pub tenant: Name,
    /// Environment.
    pub environment: Name,
    /// Relay.
    pub relay: Name,
    /// The incarnation.
    pub incarnation: Incarnation,
    /// End of its certificate, microseconds since 1970.
    pub not_after_us: u64,
    /// Entries that the log had when this was signed.
    pub log_size: u64,
    /// The signer's clock, microseconds since 1970: at least [`ABANDONED_AFTER_US`] after the certificate's end.
    pub time_us: u64,
}

impl Statement for Revocation {
    const TYPE: PayloadType = PayloadType::Revocation;
}

impl Statement for Abandoned {
    const TYPE: PayloadType = PayloadType::Abandoned;
}

/// An hour: longer than a store is usually away, and than a successor takes to start.
pub const ABANDONED_AFTER_US: u64 = 3600 * 1_000_000;
