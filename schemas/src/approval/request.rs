//! What an approver is shown.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::digest::Sha256Digest;
use crate::dsse::Statement;
use crate::event::Actor;
use crate::identifiers::{Name, RequestId};
use crate::payload_type::PayloadType;

/// The details of a request: exactly what would run, for whom and why. Signed by the session's incarnation; names
/// people and holds literals, so it is no evidence and can be deleted.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovalRequest {
    /// Tenant.
    pub tenant: Name,
    /// Environment.
    pub environment: Name,
    /// Relay.
    pub relay: Name,
    /// The request.
    pub request: RequestId,
    /// [`super::commit`] over what would run: the `nonce` of the approver's login.
    pub commitment: Sha256Digest,
    /// Who asks.
    pub actor: Actor,
    /// Connection by its configured name.
    pub connection: Name,
    /// Target, `host:port/database`.
    pub target: String,
    /// Login at the target.
    pub target_role: String,
    /// The text that will run, exactly.
    pub text: String,
    /// The parameters it will run with, in order.
    pub parameters: Vec<RequestedParameter>,
    /// Settings of the session by which its literals and parameters are read, as the target reports them, by name: a
    /// date may be another one under another `DateStyle`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, String>,
    /// The relations it touches, as resolved.
    pub objects: Vec<RequestedObject>,
    /// Why, in the requester's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// SHA-256 of the policy set in force.
    pub policy_sha256: Sha256Digest,
    /// When it was asked, microseconds since 1970.
    pub requested_us: u64,
    /// When it ends, microseconds since 1970.
    pub expires_us: u64,
}

/// One parameter, for people to read.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestedParameter {
    /// OID of its type; 0 where the client left it to the target.
    pub type_oid: u32,
    /// The value as text; hexadecimal with `\x` in front where the relay cannot read the type. Absent for SQL NULL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// One relation that a request touches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestedObject {
    /// Qualified name, `schema.relation`.
    pub object: String,
    /// Its OID at the target.
    pub oid: u32,
    /// What it does there, as Cedar's action: `select`, `insert`, `update`, `delete`, `ddl`,
    /// `write_masks`.
    pub verb: String,
    /// Whether this verb on this relation is why the statement is held: the approver must be permitted to approve it.
    pub held: bool,
    /// Protected columns that get masks in place of values, where that is why (verb `write_masks`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub from_masks: Vec<String>,
}

impl Statement for ApprovalRequest {
    const TYPE: PayloadType = PayloadType::ApprovalRequest;
}

/// Neither text, parameters nor reason.
impl std::fmt::Debug for ApprovalRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "request {}: {} bytes, {} parameters", self.request, self.text.len(), self.parameters.len())
    }
}

impl std::fmt::Debug for RequestedParameter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "type {}: {:?} bytes", self.type_oid, self.value.as_ref().map(String::len))
    }
}
