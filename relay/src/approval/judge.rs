//! Whether a stored decision is one (rules 21 and 22).

use std::sync::Arc;

use identity::{Login, Principal};
use schemas::approval::{ApprovalDecision, DecisionVerdict};
use schemas::digest::Sha256Digest;
use schemas::dsse::Envelope;

use super::approved::Approved;
use super::asked::Asked;
use super::{Approvals, Permission};
use crate::access::AccessError;
use crate::issuers::AuthenticationError;

/// A verified decision: who, when, why.
#[derive(Debug, Clone)]
pub(crate) struct Decided {
    /// As the verified ID token says.
    pub(crate) approver: Principal,
    /// In the approver's words.
    pub(crate) rationale: String,
    /// The console's clock, microseconds since 1970.
    pub(crate) decided_us: u64,
    /// SHA-256 of the stored decision.
    pub(crate) decision_sha256: Sha256Digest,
}

/// What came of a request.
pub(crate) enum Judgement {
    /// Somebody who may approved it.
    Approved(Approved),
    /// Somebody who may denied it.
    Denied(Decided),
    /// Nobody decided in time.
    Expired,
    /// What stands where the decision belongs is none, and cannot be replaced.
    Invalid {
        /// What is wrong with it.
        problem: Problem,
        /// What was read.
        decision_sha256: Sha256Digest,
    },
    /// Nobody could be asked: leaf or details could not be stored.
    Unpublished,
}

/// Why a stored decision is none. The text goes into evidence and to the requester, and holds nothing of the decision.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Problem {
    /// Not an envelope, not of this kind, not canonical.
    #[error("it is not a decision signed with the approvals key")]
    NotSigned,
    /// Signed for another request.
    #[error("it is about another request")]
    OtherRequest,
    /// Signed for something else than what is held.
    #[error("it does not bind what is held")]
    OtherCommitment,
    /// It came after the request had ended.
    #[error("it came after the request had ended")]
    Late,
    /// The ID token does not prove a fresh login for this request.
    #[error("the approver's login does not hold: {0}")]
    Login(AuthenticationError),
    /// The token is somebody else's than the decision says.
    #[error("it names another approver than the one who logged in")]
    OtherApprover,
    /// The requester, or somebody the requester acts for.
    #[error("nobody approves their own request, nor that of their agents")]
    OwnRequest,
    /// Policy.
    #[error("policy does not permit this approver to approve {verb} on {object}")]
    Forbidden {
        /// The verb.
        verb: &'static str,
        /// The object.
        object: String,
    },
    /// Policy could not be evaluated: that denies.
    #[error("policy could not be evaluated")]
    PolicyFailed,
}

/// It cannot be told now; try again.
#[derive(Debug)]
pub(super) struct Later;

impl Approvals {
    /// Judges what is stored in the decision's place.
    pub(super) async fn judge(
        &self,
        asked: &Arc<Asked>,
        permission: &dyn Permission,
        stored: &[u8],
    ) -> Result<Judgement, Later> {
        let decision_sha256 = Sha256Digest::of(stored);
        let invalid = |problem| Ok(Judgement::Invalid { problem, decision_sha256 });
        let decision = match self.read(asked, stored) {
            Ok(decision) => decision,
            Err(problem) => return invalid(problem),
        };
        let approver = match self.approver(asked, &decision).await {
            Ok(approver) => approver,
            Err(AuthenticationError::IssuerUnavailable) => return Err(Later),
            Err(error) => return invalid(Problem::Login(error)),
        };
        if let Err(problem) = check_person(asked, &decision, &approver) {
            return invalid(problem);
        }
        match permission.first_forbidden(&approver, asked.objects()).await {
            Ok(None) => {}
            Ok(Some(object)) => {
                return invalid(Problem::Forbidden { verb: object.verb, object: object.object });
            }
            Err(AccessError::Policy(error)) => {
                tracing::error!(%error, "policy failed for an approver");
                return invalid(Problem::PolicyFailed);
            }
            Err(AccessError::Target(_) | AccessError::Catalog(_)) => return Err(Later),
        }
        let ApprovalDecision { verdict, rationale, decided_us, .. } = decision;
        let decided = Decided { approver, rationale, decided_us, decision_sha256 };
        Ok(match verdict {
            DecisionVerdict::Approved => Judgement::Approved(Approved::new(Arc::clone(asked), decided)),
            DecisionVerdict::Denied => Judgement::Denied(decided),
        })
    }

    /// What the approvals key signed, for this request and in time.
    fn read(&self, asked: &Asked, stored: &[u8]) -> Result<ApprovalDecision, Problem> {
        let envelope = Envelope::from_slice(stored).map_err(|_| Problem::NotSigned)?;
        let decision: ApprovalDecision = envelope.open(&self.key).map_err(|_| Problem::NotSigned)?;
        if decision.request != *asked.request() {
            return Err(Problem::OtherRequest);
        }
        if decision.commitment != *asked.commitment() {
            return Err(Problem::OtherCommitment);
        }
        if self.incarnations.now_us() >= asked.expires_us() || decision.decided_us >= asked.expires_us() {
            return Err(Problem::Late);
        }
        Ok(decision)
    }

    /// Whose fresh login for this very request the decision carries, by the identity provider's own keys.
    async fn approver(&self, asked: &Asked, decision: &ApprovalDecision) -> Result<Principal, AuthenticationError> {
        let nonce = asked.commitment().to_string();
        let login = Login { nonce: &nonce, since_unix: asked.requested_us() / SECOND_US };
        self.logins.login(&decision.id_token, &login).await
    }
}

fn check_person(asked: &Asked, decision: &ApprovalDecision, approver: &Principal) -> Result<(), Problem> {
    let who = (&approver.issuer, &approver.subject);
    if who != (&decision.approver.issuer, &decision.approver.subject) {
        return Err(Problem::OtherApprover);
    }
    let concerned = std::iter::successors(Some(asked.requester()), |principal| principal.acts_for.as_deref());
    for principal in concerned {
        if who == (&principal.issuer, &principal.subject) {
            return Err(Problem::OwnRequest);
        }
    }
    Ok(())
}

const SECOND_US: u64 = 1_000_000;
