//! The statement that a session's wrapped key was destroyed (crypto-shredding): nobody can read its data blocks any
//! more, and that is on purpose. Signed by the approvals key, which signs what people decide.

use serde::{Deserialize, Serialize};

use crate::digest::Sha256Digest;
use crate::dsse::Statement;
use crate::identifiers::{Name, SessionId};
use crate::payload_type::PayloadType;

/// A session's wrapped key is to be destroyed: stored before it is, so that no key is gone of which nobody says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionShredded {
    /// Tenant.
    pub tenant: Name,
    /// Environment.
    pub environment: Name,
    /// Relay.
    pub relay: Name,
    /// Session.
    pub session: SessionId,
    /// SHA-256 of the wrapped key object, all its bytes.
    pub wrapped_key_sha256: Sha256Digest,
    /// When, microseconds since 1970.
    pub time_us: u64,
}

impl Statement for SessionShredded {
    const TYPE: PayloadType = PayloadType::SessionShredded;
}
