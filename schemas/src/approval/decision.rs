//! What an approver decided.

use serde::{Deserialize, Serialize};

use super::ApprovalVerdict;
use crate::digest::Sha256Digest;
use crate::dsse::Statement;
use crate::identifiers::RequestId;
use crate::payload_type::PayloadType;

/// A person's decision on a request. Signed with the approvals key; honoured only with the approver's own ID token,
/// which the relay verifies against the identity provider itself (rule 22).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovalDecision {
    /// The request.
    pub request: RequestId,
    /// The commitment of the request that was shown.
    pub commitment: Sha256Digest,
    /// Approved or denied.
    pub verdict: DecisionVerdict,
    /// Who decided, as the console read it from the token; the relay believes the token only.
    pub approver: Approver,
    /// Why, in the approver's words.
    pub rationale: String,
    /// The console's clock, microseconds since 1970.
    pub decided_us: u64,
    /// The approver's ID token (compact JWS) from a fresh login whose `nonce` is the commitment.
    pub id_token: String,
}

/// What an approver can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DecisionVerdict {
    /// It may run, once.
    Approved,
    /// It must not run.
    Denied,
}

/// Who decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approver {
    /// OIDC issuer (`iss`).
    pub issuer: String,
    /// OIDC subject (`sub`).
    pub subject: String,
    /// A name for people to read.
    pub name: String,
}

impl From<DecisionVerdict> for ApprovalVerdict {
    fn from(verdict: DecisionVerdict) -> Self {
        match verdict {
            DecisionVerdict::Approved => Self::Approved,
            DecisionVerdict::Denied => Self::Denied,
        }
    }
}

impl Statement for ApprovalDecision {
    const TYPE: PayloadType = PayloadType::ApprovalDecision;
}

/// Neither token nor rationale.
impl std::fmt::Debug for ApprovalDecision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "decision on {}: {:?} by {}", self.request, self.verdict, self.approver.subject)
    }
}
