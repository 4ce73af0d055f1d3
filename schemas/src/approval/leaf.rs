//! What of an approval is evidence: no name of a person, no text, no reason (rule 18).

use serde::{Deserialize, Serialize};

use crate::digest::Sha256Digest;
use crate::dsse::Statement;
use crate::identifiers::{Name, RequestId};
use crate::payload_type::PayloadType;

/// A statement is held until somebody approves it. Signed by the session's incarnation, stored before anybody is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovalRequestedLeaf {
    /// Tenant.
    pub tenant: Name,
    /// Environment.
    pub environment: Name,
    /// Relay.
    pub relay: Name,
    /// The request: session and statement.
    pub request: RequestId,
    /// [`super::commit`] over what would run.
    pub commitment: Sha256Digest,
    /// When the request ends, microseconds since 1970.
    pub expires_us: u64,
    /// The relay's clock, microseconds since 1970.
    pub time_us: u64,
}

/// How a request ended. Signed by the session's incarnation; stored before an approved statement runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovalDecidedLeaf {
    /// Tenant.
    pub tenant: Name,
    /// Environment.
    pub environment: Name,
    /// Relay.
    pub relay: Name,
    /// The request.
    pub request: RequestId,
    /// The request's commitment.
    pub commitment: Sha256Digest,
    /// How it ended.
    pub verdict: ApprovalVerdict,
    /// SHA-256 of the stored decision object, all its bytes; absent when there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision_sha256: Option<Sha256Digest>,
    /// The relay's clock, microseconds since 1970.
    pub time_us: u64,
}

/// How a request ended, as the relay saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ApprovalVerdict {
    /// An approver's decision that the relay verified: the statement may run, once.
    Approved,
    /// An approver's decision that the relay verified: the statement must not run.
    Denied,
    /// Nobody decided in time.
    Expired,
    /// The requester cancelled or went away, or the session ended.
    Cancelled,
    /// There is a decision object, and it is not the decision of somebody who may decide. What is stored cannot be
    /// replaced, so the request is over.
    Invalid,
}

impl Statement for ApprovalRequestedLeaf {
    const TYPE: PayloadType = PayloadType::ApprovalRequested;
}

impl Statement for ApprovalDecidedLeaf {
    const TYPE: PayloadType = PayloadType::ApprovalDecided;
}
