//! What every part of an incarnation shares.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use schemas::entropy::Entropy;
use schemas::identifiers::{Incarnation as IncarnationId, SessionId};
use schemas::layout::Scope;
use schemas::signature::P256Key;
use seams::{Keys, Retention};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};

use super::EvidenceError;
use super::tally::Tally;
use crate::clock::Clock;
use crate::config;
use crate::ship::Shipper;
use crate::spool::{Folder, Ledger, Origin, Spool};

pub(crate) struct Core {
    pub(crate) origin: Origin,
    pub(crate) scope: Scope,
    pub(crate) id: IncarnationId,
    /// The incarnation's key: in memory alone.
    pub(crate) key: P256Key,
    pub(crate) evidence: config::Evidence,
    pub(crate) shipper: Shipper,
    pub(crate) keys: Arc<dyn Keys>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) spool: Arc<Spool>,
    /// Where evidence is completed, which is not where sessions are served.
    pub(crate) runtime: Handle,
    tally: Mutex<Tally>,
    /// What others were seen to say of it.
    standing: watch::Sender<Standing>,
    pub(crate) retiring: AtomicBool,
    /// Segments being sealed: each is wholly in memory.
    sealing: Semaphore,
    /// Sessions that still owe something to the store.
    active: watch::Sender<usize>,
    /// Sessions that this incarnation could not complete and will not try again.
    stuck: AtomicUsize,
}

/// One session whose evidence is to be completed, live or dead.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) core: Arc<Core>,
    pub(crate) folder: Arc<Folder>,
    pub(crate) ledger: Arc<Mutex<Ledger>>,
    pub(crate) session: SessionId,
}

/// Counts a session as active until dropped.
pub(crate) struct Active(Arc<Core>);

/// What others say of an incarnation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nothing.
    Good,
    /// The root revoked its key.
    Revoked,
    /// Another incarnation of its relay says that it has ended: whoever took over a copy of its spool takes it for dead.
    Retired,
}

/// The parts that come from outside.
pub(crate) struct Parts {
    pub(crate) origin: Origin,
    pub(crate) key: P256Key,
    pub(crate) id: IncarnationId,
    pub(crate) evidence: config::Evidence,
    pub(crate) shipper: Shipper,
    pub(crate) keys: Arc<dyn Keys>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) spool: Arc<Spool>,
}

impl Core {
    pub(crate) fn new(parts: Parts) -> Self {
        Self {
            scope: parts.origin.scope(),
            origin: parts.origin,
            id: parts.id,
            key: parts.key,
            evidence: parts.evidence,
            shipper: parts.shipper,
            keys: parts.keys,
            clock: parts.clock,
            entropy: parts.entropy,
            spool: parts.spool,
            runtime: Handle::current(),
            tally: Mutex::new(Tally::default()),
            standing: watch::Sender::new(Standing::Good),
            retiring: AtomicBool::new(false),
            sealing: Semaphore::new(SEALINGS_AT_ONCE),
            active: watch::Sender::new(0),
            stuck: AtomicUsize::new(0),
        }
    }

    /// How long evidence is kept.
    pub(crate) fn retention(&self) -> Retention {
        Retention::days(self.evidence.retain_days)
    }

    /// What of this incarnation's counters is stored.
    pub(super) fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What it signs is worth nothing from here on: nothing more is sealed, stored or served.
    pub(super) fn lose(&self, standing: Standing) {
        if let Err(error) = standing.check() {
            self.shipper.fence().raise(&error.to_string());
        }
        self.shipper.close();
        self.standing.send_replace(standing);
    }

    pub(crate) fn standing(&self) -> watch::Receiver<Standing> {
        self.standing.subscribe()
    }

    /// # Errors
    /// Those of [`Standing::check`].
    pub(super) fn may_sign(&self) -> Result<(), EvidenceError> {
        self.standing.borrow().check()
    }

    pub(crate) fn enter(self: &Arc<Self>) -> Active {
        self.active.send_modify(|active| *active = active.saturating_add(1));
        Active(Arc::clone(self))
    }

    pub(crate) fn active(&self) -> watch::Receiver<usize> {
        self.active.subscribe()
    }

    pub(crate) fn stuck(&self) -> usize {
        self.stuck.load(Ordering::Relaxed)
    }

    /// Counts a session that stays on disk for the next incarnation, and says why.
    pub(crate) fn give_up(&self, session: &SessionId, error: &EvidenceError) {
        self.stuck.fetch_add(1, Ordering::Relaxed);
        tracing::error!(%session, %error, "evidence of a session stays in the spool");
    }

    /// Runs what computes or waits for the disk, a few at a time.
    pub(crate) async fn heavy<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, EvidenceError> + Send + 'static,
    ) -> Result<T, EvidenceError> {
        let _permit = self.sealing.acquire().await;
        blocking(work).await
    }
}

impl Standing {
    /// # Errors
    /// [`EvidenceError::Revoked`], [`EvidenceError::Superseded`]: whose signature is worth nothing.
    pub(crate) fn check(self) -> Result<(), EvidenceError> {
        match self {
            Self::Good => Ok(()),
            Self::Revoked => Err(EvidenceError::Revoked),
            Self::Retired => Err(EvidenceError::Superseded),
        }
    }
}

impl Case {
    pub(crate) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing more is owed. A line that cannot be written costs the next start a look into the store.
    pub(crate) fn settle(&self) {
        if let Err(error) = self.ledger().settle(self.session.counter) {
            tracing::warn!(session = %self.session, %error, "cannot note in the ledger that a session is settled");
        }
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        self.0.active.send_modify(|active| *active = active.saturating_sub(1));
    }
}

/// Runs what waits for the disk.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, EvidenceError> + Send + 'static,
) -> Result<T, EvidenceError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| EvidenceError::Interrupted)?
}

/// Two segments of 64 MiB, read and decoded, are as much memory as sealing may take.
const SEALINGS_AT_ONCE: usize = 2;
