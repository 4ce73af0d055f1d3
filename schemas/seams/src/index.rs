use async_trait::async_trait;
use schemas::digest::Sha256Digest;
use schemas::event::CloseReason;
use schemas::identifiers::{Name, RequestId, SessionId};
use serde::{Deserialize, Serialize};

use crate::approval_row::{ApprovalRow, ApprovalState};

/// What is known of sessions, chunks and approvals, for finding them. Never evidence: it can be built again from the store.
///
/// Contract: storage notifications come twice, late and out of order, so every `record` may be repeated and reordered
/// with the same end; what is known never becomes unknown again.
#[async_trait]
pub trait Index: Send + Sync {
    /// Merges what `row` knows into what is known of the session. A fact already known must be the same one, else
    /// [`IndexError::Conflict`] and nothing changes.
    async fn record_session(&self, row: SessionRow) -> Result<(), IndexError>;

    /// Adds a chunk. The same chunk again changes nothing; another one for the same (session, sequence) is
    /// equivocation: [`IndexError::Conflict`], and nothing changes.
    async fn record_chunk(&self, row: ChunkRow) -> Result<(), IndexError>;

    /// What is known of one session.
    async fn session(&self, session: &SessionId) -> Result<Option<SessionRow>, IndexError>;

    /// All sessions, by id.
    async fn sessions(&self) -> Result<Vec<SessionRow>, IndexError>;

    /// At most `limit` sessions, by id, from the first after `after`.
    async fn sessions_after(&self, after: Option<&SessionId>, limit: usize) -> Result<Vec<SessionRow>, IndexError>;

    /// The session's chunks, by sequence.
    async fn chunks(&self, session: &SessionId) -> Result<Vec<ChunkRow>, IndexError>;

    /// Merges what `row` knows into what is known of the request for approval: its details, the decision on it, its
    /// end. As [`Index::record_session`]. Nobody may run anything because of what stands here.
    async fn record_approval(&self, row: ApprovalRow) -> Result<(), IndexError>;

    /// What is known of one request.
    async fn approval(&self, request: &RequestId) -> Result<Option<ApprovalRow>, IndexError>;

    /// At most `limit` requests in this state, by the text of their id, from the first after `after`.
    async fn approvals(
        &self,
        state: ApprovalState,
        after: Option<&RequestId>,
        limit: usize,
    ) -> Result<Vec<ApprovalRow>, IndexError>;
}

/// What is known of a session; absent = not known yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRow {
    /// Session.
    pub session: SessionId,
    /// Tenant.
    pub tenant: Name,
    /// Environment.
    pub environment: Name,
    /// Relay.
    pub relay: Name,
    /// Connection by its configured name; from the session-open leaf or a chunk.
    pub connection: Option<Name>,
    /// Issuer and subject of who acts, from the first event.
    pub issuer: Option<String>,
    /// See `issuer`.
    pub subject: Option<String>,
    /// When it was opened, microseconds since 1970; from the session-open leaf.
    pub opened_us: Option<u64>,
    /// When it was closed, microseconds since 1970; from the session-close leaf.
    pub closed_us: Option<u64>,
    /// Why it ended; from the session-close leaf.
    pub reason: Option<CloseReason>,
    /// Chunks it has in all; from the session-close leaf.
    pub chunks: Option<u64>,
    /// Events it has in all; from the session-close leaf.
    pub events: Option<u64>,
    /// Whether a recovering incarnation closed it; from the session-close leaf.
    pub recovered: Option<bool>,
    /// The counter was burnt and never served; from a session-void leaf.
    pub voided: bool,
}

/// A stored chunk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChunkRow {
    /// Session.
    pub session: SessionId,
    /// Position in the session, from 1.
    pub sequence: u64,
    /// Object key.
    pub key: String,
    /// Statement digest of its manifest.
    pub manifest: Sha256Digest,
    /// Length of the object in bytes.
    pub length: u64,
    /// Events in it.
    pub events: u64,
    /// Least time in it, microseconds since 1970.
    pub first_time_us: u64,
    /// Greatest time in it.
    pub last_time_us: u64,
}

/// Why the index did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// Something else is known already: somebody wrote two versions of what can only have one.
    #[error("{what}: {member} is known already, and is not the same")]
    Conflict {
        /// The session, or session and sequence.
        what: String,
        /// The member that differs.
        member: &'static str,
    },
    /// The index is away or broken; the same call may succeed later.
    #[error("{0}: index unavailable: {1}")]
    Unavailable(String, Box<dyn std::error::Error + Send + Sync>),
}

impl SessionRow {
    /// A session of which nothing else is known yet.
    #[must_use]
    pub fn new(session: SessionId, tenant: Name, environment: Name, relay: Name) -> Self {
        Self {
            session,
            tenant,
            environment,
            relay,
            connection: None,
            issuer: None,
            subject: None,
            opened_us: None,
            closed_us: None,
            reason: None,
            chunks: None,
            events: None,
            recovered: None,
            voided: false,
        }
    }

    /// Adds what `other` knows; the one merge that every adapter uses.
    ///
    /// # Errors
    /// [`IndexError::Conflict`] when both know a fact and it is not the same one; `self` is then partly merged and
    /// must be dropped.
    pub fn merge(&mut self, other: Self) -> Result<(), IndexError> {
        let what = self.session.to_string();
        let same = self.session == other.session
            && (&self.tenant, &self.environment, &self.relay) == (&other.tenant, &other.environment, &other.relay);
        if !same {
            return Err(IndexError::Conflict { what, member: "tenant, environment, relay" });
        }
        merge_fact(&what, "connection", &mut self.connection, other.connection)?;
        merge_fact(&what, "issuer", &mut self.issuer, other.issuer)?;
        merge_fact(&what, "subject", &mut self.subject, other.subject)?;
        merge_fact(&what, "opened_us", &mut self.opened_us, other.opened_us)?;
        merge_fact(&what, "closed_us", &mut self.closed_us, other.closed_us)?;
        merge_fact(&what, "reason", &mut self.reason, other.reason)?;
        merge_fact(&what, "chunks", &mut self.chunks, other.chunks)?;
        merge_fact(&what, "events", &mut self.events, other.events)?;
        merge_fact(&what, "recovered", &mut self.recovered, other.recovered)?;
        self.voided |= other.voided;
        Ok(())
    }
}

pub(crate) fn merge_fact<T: PartialEq>(
    what: &str,
    member: &'static str,
    known: &mut Option<T>,
    told: Option<T>,
) -> Result<(), IndexError> {
    match (known.as_ref(), told) {
        (_, None) => Ok(()),
        (Some(known), Some(told)) if *known != told => Err(IndexError::Conflict { what: what.to_owned(), member }),
        (_, told) => {
            *known = told;
            Ok(())
        }
    }
}
