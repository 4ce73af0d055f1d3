//! Who looks at the console.

use identity::{Kind, Principal};
use schemas::event::Actor;
use serde::{Deserialize, Serialize};

use super::Access;
use super::problem::Problem;

/// Who looks at the console, and what they may do there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Visitor {
    pub(super) issuer: String,
    pub(super) subject: String,
    pub(super) name: String,
    /// A person: neither a service nor an agent ever decides.
    pub(super) is_person: bool,
    is_approver: bool,
    is_reviewer: bool,
}

impl Visitor {
    pub(super) fn of(principal: &Principal, access: &Access) -> Self {
        let is_in = |groups: &[String]| principal.groups.iter().any(|group| groups.contains(group));
        Self {
            issuer: principal.issuer.clone(),
            subject: principal.subject.clone(),
            name: principal.name.clone(),
            is_person: principal.kind == Kind::User,
            is_approver: is_in(&access.approvers),
            is_reviewer: is_in(&access.reviewers),
        }
    }

    /// May look at requests for approval that are not their own.
    pub(super) fn may_see_requests(&self) -> bool {
        self.is_approver || self.is_reviewer
    }

    /// Sessions and bundles are for reviewers.
    pub(super) fn check_reviewer(&self) -> Result<(), Problem> {
        if self.is_reviewer {
            return Ok(());
        }
        Err(Problem::forbidden("You are in none of the groups that look at sessions and bundles."))
    }

    /// May decide on requests of others.
    pub(super) fn may_decide(&self) -> bool {
        self.is_person && self.is_approver
    }

    pub(super) fn is(&self, issuer: &str, subject: &str) -> bool {
        self.issuer == issuer && self.subject == subject
    }

    /// Whether this is the actor, or anybody the actor acts for.
    pub(super) fn is_behind(&self, actor: &Actor) -> bool {
        let chain = std::iter::successors(Some(actor), |actor| actor.acts_for.as_deref());
        chain.into_iter().any(|actor| self.is(&actor.issuer, &actor.subject))
    }
}
