//! Approvals: what a held statement asks a person for, what the person decided, and what binds the two together.
//!
//! ```text
//! commitment      SHA-256 over a secret nonce and everything that would run        (rule 21)
//! requested leaf  evidence: commitment, statement, expiry; no names               signed by the incarnation
//! request         what the approver sees; names the people, deletable             signed by the incarnation
//! decision        verdict, rationale, the approver's own ID token                 signed by the approvals key
//! decided leaf    evidence: verdict and digest of the decision; no names          signed by the incarnation
//! ```
//! `SPEC.md`, section "Approvals", is normative.

mod commitment;
mod decision;
mod leaf;
mod request;

pub use commitment::{Bound, Nonce, commit};
pub use decision::{ApprovalDecision, Approver, DecisionVerdict};
pub use leaf::{ApprovalDecidedLeaf, ApprovalRequestedLeaf, ApprovalVerdict};
pub use request::{ApprovalRequest, RequestedObject, RequestedParameter};

pub use crate::base64_bytes::Base64Bytes;
pub use crate::identifiers::RequestId;
