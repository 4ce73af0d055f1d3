//! Approval: a held statement is asked for, watched and judged here; the session does the waiting.
//!
//! ```text
//! Approvals::ask ──► Asked ──► Watch: leaf stored, details offered, store looked at ──► Judgement
//!                                                        Approved ──confirm──► Confirmed ──► Permit, once
//! ```
//! Nothing but a decision that [`judge`] verified makes an [`Approved`], nothing but the same ruling made again makes
//! it a [`Confirmed`], and nothing but that makes the [`crate::policy::Permit`] of a held statement. A decision is
//! never believed for standing somewhere: not for being in the index, not for being in the store (rule 22).

mod approved;
mod asked;
mod judge;
#[cfg(test)]
mod tests;
mod watch;

use std::sync::Arc;

use schemas::signature::PublicKey;

pub(crate) use approved::{Approved, Confirmed, OneRun, Turn};
pub(crate) use asked::{Asked, End, Made, Question, Subject};
pub(crate) use judge::Judgement;
pub(crate) use watch::{Progress, Watch};

use crate::access::{AccessError, Guarded};
use crate::config::{self, ConfigError};
use crate::evidence::{EvidenceError, Incarnations, Storing};
use crate::issuers::Issuers;
use crate::recorder::Recorder;

/// What all sessions of a relay share to ask for approval.
pub(crate) struct Approvals {
    incarnations: Arc<Incarnations>,
    /// Verifies decisions; the relay cannot sign with it.
    key: PublicKey,
    /// The issuers again, for tokens that are for the console.
    logins: Issuers,
    console: Option<String>,
}

impl Approvals {
    /// Ready to ask. `issuers` are those of the relay; approvers log in at the same.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub(crate) fn new(
        settings: &config::Approvals,
        issuers: &[config::Issuer],
        key: PublicKey,
        incarnations: Arc<Incarnations>,
    ) -> Result<Self, ConfigError> {
        let for_console =
            |issuer: &config::Issuer| config::Issuer { audience: settings.audience.clone(), ..issuer.clone() };
        let mut logins: Vec<config::Issuer> = issuers.iter().map(for_console).collect();
        logins.dedup_by(|one, other| one.issuer == other.issuer);
        let console = settings.console.as_ref().map(|url| url.trim_end_matches('/').to_owned());
        Ok(Self { incarnations, key, logins: Issuers::new(&logins)?, console })
    }

    /// Signs and stores the leaf that says what was asked.
    ///
    /// # Errors
    /// Those of signing.
    pub(crate) fn announce(&self, recorder: &Recorder, asked: &Asked) -> Result<Storing, EvidenceError> {
        let key = self.incarnations.scope().approval_requested(asked.request());
        self.incarnations.store_leaf(recorder, key, &asked.requested_leaf(self))
    }

    /// Signs and stores the leaf that says how it ended.
    ///
    /// # Errors
    /// Those of signing.
    pub(crate) fn announce_end(&self, recorder: &Recorder, asked: &Asked, end: &End) -> Result<Storing, EvidenceError> {
        let key = self.incarnations.scope().approval_decided(asked.request());
        self.incarnations.store_leaf(recorder, key, &asked.decided_leaf(self, end))
    }

    /// The relay's clock, microseconds since 1970.
    pub(crate) fn now_us(&self) -> u64 {
        self.incarnations.now_us()
    }

    /// Where people look at a request, if there is such a place.
    pub(crate) fn page(&self, asked: &Asked) -> Option<String> {
        self.console.as_ref().map(|console| format!("{console}/approvals/{}", asked.request()))
    }
}

/// Whether somebody may approve what was asked; for judging apart from a target's catalog.
#[async_trait::async_trait]
trait Permission: Send + Sync {
    /// Nothing, or the object and verb that the approver may not approve.
    async fn first_forbidden(
        &self,
        approver: &identity::Principal,
        objects: &[crate::policy::Resolved],
    ) -> Result<Option<crate::policy::Resolved>, AccessError>;
}

#[async_trait::async_trait]
impl Permission for Guarded {
    async fn first_forbidden(
        &self,
        approver: &identity::Principal,
        objects: &[crate::policy::Resolved],
    ) -> Result<Option<crate::policy::Resolved>, AccessError> {
        self.may_not_approve(approver, objects).await
    }
}
