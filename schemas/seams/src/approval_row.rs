use schemas::approval::{ApprovalVerdict, DecisionVerdict};
use schemas::digest::Sha256Digest;
use schemas::identifiers::{Name, RequestId};
use serde::{Deserialize, Serialize};

use crate::index::{IndexError, merge_fact};

/// What is known of a request for approval; absent = not known yet. It helps people find requests; the relay never
/// looks at it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalRow {
    /// The request.
    pub request: RequestId,
    /// Tenant.
    pub tenant: Name,
    /// Environment.
    pub environment: Name,
    /// Relay.
    pub relay: Name,
    /// What binds a decision to what would run; from the leaf or the details.
    pub commitment: Option<Sha256Digest>,
    /// When the request ends by itself, microseconds since 1970; from the leaf or the details.
    pub expires_us: Option<u64>,
    /// Connection by its configured name; from the details.
    pub connection: Option<Name>,
    /// Issuer and subject of who asks; from the details.
    pub issuer: Option<String>,
    /// See `issuer`.
    pub subject: Option<String>,
    /// When it was asked, microseconds since 1970; from the details.
    pub requested_us: Option<u64>,
    /// What the decision says, whether or not the relay honours it.
    pub verdict: Option<DecisionVerdict>,
    /// Issuer and subject of who decided; from the decision.
    pub approver_issuer: Option<String>,
    /// See `approver_issuer`.
    pub approver_subject: Option<String>,
    /// The console's clock, microseconds since 1970; from the decision.
    pub decided_us: Option<u64>,
    /// How it ended, as the relay says; from its leaf.
    pub outcome: Option<ApprovalVerdict>,
    /// When it ended, microseconds since 1970; from the relay's leaf.
    pub ended_us: Option<u64>,
}

/// Which requests are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApprovalState {
    /// Those whose details are known, and of which neither a decision nor an end is. They may have expired.
    Pending,
    /// All.
    Any,
}

impl ApprovalRow {
    /// A request of which nothing else is known yet.
    #[must_use]
    pub fn new(request: RequestId, tenant: Name, environment: Name, relay: Name) -> Self {
        Self {
            request,
            tenant,
            environment,
            relay,
            commitment: None,
            expires_us: None,
            connection: None,
            issuer: None,
            subject: None,
            requested_us: None,
            verdict: None,
            approver_issuer: None,
            approver_subject: None,
            decided_us: None,
            outcome: None,
            ended_us: None,
        }
    }

    /// See [`ApprovalState::Pending`].
    #[must_use]
    pub fn is_pending(&self) -> bool {
        self.requested_us.is_some() && self.verdict.is_none() && self.outcome.is_none()
    }

    /// Adds what `other` knows; the one merge that every adapter uses.
    ///
    /// # Errors
    /// [`IndexError::Conflict`] when both know a fact and it is not the same one; `self` is then partly merged and
    /// must be dropped.
    pub fn merge(&mut self, other: Self) -> Result<(), IndexError> {
        let what = self.request.to_string();
        let same = self.request == other.request
            && (&self.tenant, &self.environment, &self.relay) == (&other.tenant, &other.environment, &other.relay);
        if !same {
            return Err(IndexError::Conflict { what, member: "tenant, environment, relay" });
        }
        merge_fact(&what, "commitment", &mut self.commitment, other.commitment)?;
        merge_fact(&what, "expires_us", &mut self.expires_us, other.expires_us)?;
        merge_fact(&what, "connection", &mut self.connection, other.connection)?;
        merge_fact(&what, "issuer", &mut self.issuer, other.issuer)?;
        merge_fact(&what, "subject", &mut self.subject, other.subject)?;
        merge_fact(&what, "requested_us", &mut self.requested_us, other.requested_us)?;
        merge_fact(&what, "verdict", &mut self.verdict, other.verdict)?;
        merge_fact(&what, "approver_issuer", &mut self.approver_issuer, other.approver_issuer)?;
        merge_fact(&what, "approver_subject", &mut self.approver_subject, other.approver_subject)?;
        merge_fact(&what, "decided_us", &mut self.decided_us, other.decided_us)?;
        merge_fact(&what, "outcome", &mut self.outcome, other.outcome)?;
        merge_fact(&what, "ended_us", &mut self.ended_us, other.ended_us)
    }
}
