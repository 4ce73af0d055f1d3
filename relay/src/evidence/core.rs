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
    /// Whether its key was seen to be revoked.
    revoked: watch::Sender<bool>,
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
            revoked: watch::Sender::new(false),
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

    /// Its key is worth nothing from here on: nothing more is sealed, stored or served.
    pub(super) fn revoke(&self) {
        self.shipper.fence().raise("this incarnation's key is revoked");
        self.shipper.close();
        self.revoked.send_replace(true);
    }

    pub(crate) fn revoked(&self) -> watch::Receiver<bool> {
        self.revoked.subscribe()
    }

    /// # Errors
    /// [`EvidenceError::Revoked`].
    pub(super) fn may_sign(&self) -> Result<(), EvidenceError> {
        if *self.revoked.borrow() { Err(EvidenceError::Revoked) } else { Ok(()) }
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
