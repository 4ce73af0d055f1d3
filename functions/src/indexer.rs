//! The indexer: reads a stored object, verifies it alone, and writes down what it says, so that it can be found.
//!
//! It checks one object at a time and may see them in any order; what holds between objects (chains, counters) is the
//! verifier's to say. An object that does not verify is never indexed.

use std::fmt;
use std::sync::Arc;

use schemas::dsse::{Envelope, Statement};
use schemas::identifiers::{Incarnation, RequestId, SessionId};
use schemas::layout::{self, Object, ObjectKind, Scope};
use schemas::leaf::{RelayRetired, RelayStart, SessionCloseLeaf, SessionOpenLeaf, SessionVoid};
use schemas::signature::PublicKey;
use seams::{EvidenceStore, Index, IndexError, SessionRow, StoreError};

use crate::signers::{self, SignerError};

mod approvals;
mod chunks;

/// What the indexer works with.
#[derive(Clone)]
pub struct Env {
    /// Where objects are read.
    pub store: Arc<dyn EvidenceStore>,
    /// Where they are written down.
    pub index: Arc<dyn Index>,
    /// The certificates root.
    pub root: PublicKey,
    /// The key that decisions on approvals are signed with.
    pub approvals: PublicKey,
}

/// What was done with an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Indexed {
    /// It told about this session.
    Session(SessionId),
    /// It is a chunk of this session, with this sequence.
    Chunk(SessionId, u64),
    /// It told about this request for approval.
    Approval(RequestId),
    /// It is in order and tells nothing that the index holds.
    Nothing,
    /// Not an object of ours.
    Unknown,
}

/// Why an object was not indexed.
#[derive(Debug, thiserror::Error)]
pub enum IndexerError {
    /// The object, or the certificate it needs, is not stored yet, or store or index are away: try again later.
    #[error("{key}: {problem}; try again later")]
    Later {
        /// The object.
        key: String,
        /// What is missing.
        problem: String,
    },
    /// The object does not verify, or contradicts what is known. Trying again cannot help; somebody must look.
    #[error("{key}: {problem}")]
    Rejected {
        /// The object.
        key: String,
        /// What is wrong with it.
        problem: String,
    },
}

/// Indexes the object under `key`. Repeating it, in any order with others, ends the same.
///
/// # Errors
/// [`IndexerError`].
pub async fn index(env: &Env, key: &str) -> Result<Indexed, IndexerError> {
    let Some(object) = layout::parse(key) else { return Ok(Indexed::Unknown) };
    // Of no session: the verifier reads them, and nothing here is asked for by them.
    let is_aside =
        matches!(object.kind, ObjectKind::Heartbeat(..) | ObjectKind::Abandoned(_) | ObjectKind::Revocation(..));
    if is_aside || matches!(object.kind, ObjectKind::WrappedKey(_)) {
        return Ok(Indexed::Nothing);
    }
    let stored = env.store.get(key).await.map_err(|error| of_store(key, &error))?;
    let bytes = stored.ok_or_else(|| later(key, "not stored"))?;
    Reader { env, key, object: &object, bytes }.index().await
}

/// One object under examination.
struct Reader<'a> {
    env: &'a Env,
    key: &'a str,
    object: &'a Object,
    bytes: Vec<u8>,
}

impl Reader<'_> {
    async fn index(&self) -> Result<Indexed, IndexerError> {
        match &self.object.kind {
            ObjectKind::Certificate(incarnation) => {
                signers::certificate(&self.bytes, &self.env.root, &self.object.scope, incarnation)
                    .map_err(|problem| rejected(self.key, problem))?;
                Ok(Indexed::Nothing)
            }
            ObjectKind::RelayStart(incarnation) => {
                let start: RelayStart = self.signed_by(incarnation).await?;
                self.same(&scope(&start.tenant, &start.environment, &start.relay), start.incarnation == *incarnation)?;
                Ok(Indexed::Nothing)
            }
            ObjectKind::RelayRetired(incarnation) => {
                let sealed_by = self.unverified::<RelayRetired>()?.sealed_by;
                let retired: RelayRetired = self.signed_by(&sealed_by).await?;
                let says = scope(&retired.tenant, &retired.environment, &retired.relay);
                self.same(&says, retired.incarnation == *incarnation)?;
                Ok(Indexed::Nothing)
            }
            ObjectKind::SessionOpen(session) => self.open(session).await,
            ObjectKind::SessionClose(session) => self.close(session).await,
            ObjectKind::SessionVoid(session) => self.void(session).await,
            ObjectKind::Chunk(session, sequence) => chunks::index(self, session, *sequence).await,
            ObjectKind::ApprovalRequested(request) => approvals::requested(self, request).await,
            ObjectKind::ApprovalRequest(request) => approvals::details(self, request).await,
            ObjectKind::ApprovalDecision(request) => approvals::decision(self, request).await,
            ObjectKind::ApprovalDecided(request) => approvals::decided(self, request).await,
            ObjectKind::WrappedKey(_)
            | ObjectKind::Heartbeat(..)
            | ObjectKind::Abandoned(_)
            | ObjectKind::Revocation(..) => Ok(Indexed::Nothing),
        }
    }

    async fn open(&self, session: &SessionId) -> Result<Indexed, IndexerError> {
        let leaf: SessionOpenLeaf = self.signed_by(&session.incarnation).await?;
        self.same(&scope(&leaf.tenant, &leaf.environment, &leaf.relay), leaf.session == *session)?;
        let known =
            SessionRow { connection: Some(leaf.connection), opened_us: Some(leaf.time_us), ..self.row(session) };
        self.record(known).await
    }

    async fn close(&self, session: &SessionId) -> Result<Indexed, IndexerError> {
        let sealed_by = self.unverified::<SessionCloseLeaf>()?.sealed_by;
        let leaf: SessionCloseLeaf = self.signed_by(&sealed_by).await?;
        self.same(&scope(&leaf.tenant, &leaf.environment, &leaf.relay), leaf.session == *session)?;
        let known = SessionRow {
            closed_us: Some(leaf.time_us),
            reason: Some(leaf.reason),
            chunks: Some(leaf.chunks),
            events: Some(leaf.events),
            recovered: Some(leaf.recovered),
            ..self.row(session)
        };
        self.record(known).await
    }

    async fn void(&self, session: &SessionId) -> Result<Indexed, IndexerError> {
        let sealed_by = self.unverified::<SessionVoid>()?.sealed_by;
        let leaf: SessionVoid = self.signed_by(&sealed_by).await?;
        self.same(&scope(&leaf.tenant, &leaf.environment, &leaf.relay), leaf.session == *session)?;
        self.record(SessionRow { voided: true, ..self.row(session) }).await
    }

    async fn record(&self, known: SessionRow) -> Result<Indexed, IndexerError> {
        let session = known.session.clone();
        self.env.index.record_session(known).await.map_err(|error| of_index(self.key, &error))?;
        Ok(Indexed::Session(session))
    }

    fn row(&self, session: &SessionId) -> SessionRow {
        let Scope { tenant, environment, relay } = self.object.scope.clone();
        SessionRow::new(session.clone(), tenant, environment, relay)
    }

    fn envelope(&self) -> Result<Envelope, IndexerError> {
        Envelope::from_slice(&self.bytes).map_err(|error| rejected(self.key, error))
    }

    /// The statement before anybody checked its signature: only to learn whose it must be.
    fn unverified<T: Statement>(&self) -> Result<T, IndexerError> {
        self.envelope()?.read_unverified().map_err(|error| rejected(self.key, error))
    }

    async fn signed_by<T: Statement>(&self, incarnation: &Incarnation) -> Result<T, IndexerError> {
        let signer = self.signer(incarnation).await?;
        self.envelope()?.open(&signer).map_err(|error| rejected(self.key, error))
    }

    async fn signer(&self, incarnation: &Incarnation) -> Result<PublicKey, IndexerError> {
        let found = signers::key_of(&*self.env.store, &self.env.root, &self.object.scope, incarnation).await;
        found.map_err(|error| match error {
            SignerError::NotCertified(_) => later(self.key, error),
            SignerError::Wrong { .. } => rejected(self.key, error),
            SignerError::Store(error) => of_store(self.key, &error),
        })
    }

    /// What the object says of itself must be what its key says.
    fn same(&self, says: &Scope, same_subject: bool) -> Result<(), IndexerError> {
        if *says == self.object.scope && same_subject {
            Ok(())
        } else {
            Err(rejected(self.key, "the object's content names another object"))
        }
    }
}

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("indexer::Env").finish_non_exhaustive()
    }
}

fn scope(
    tenant: &schemas::identifiers::Name,
    environment: &schemas::identifiers::Name,
    relay: &schemas::identifiers::Name,
) -> Scope {
    Scope { tenant: tenant.clone(), environment: environment.clone(), relay: relay.clone() }
}

fn later(key: &str, problem: impl fmt::Display) -> IndexerError {
    IndexerError::Later { key: key.to_owned(), problem: problem.to_string() }
}

fn rejected(key: &str, problem: impl fmt::Display) -> IndexerError {
    IndexerError::Rejected { key: key.to_owned(), problem: problem.to_string() }
}

fn of_store(key: &str, error: &StoreError) -> IndexerError {
    match error {
        StoreError::Unavailable(..) => later(key, error),
        _ => rejected(key, error),
    }
}

fn of_index(key: &str, error: &IndexError) -> IndexerError {
    match error {
        IndexError::Unavailable(..) => later(key, error),
        IndexError::Conflict { .. } => rejected(key, error),
    }
}

#[cfg(test)]
mod tests;
