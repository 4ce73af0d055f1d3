//! A relay lives on though each of its certificates ends: before one does, a new incarnation takes the new sessions, and the
//! old one retires when its last session has ended.

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use schemas::dsse::Statement;
use schemas::entropy::Entropy;
use schemas::event::SessionOpen;
use schemas::identifiers::Incarnation as IncarnationId;
use schemas::layout::Scope;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::{EvidenceError, Incarnation, Storing};
use crate::recorder::Recorder;

/// The incarnation that takes new sessions, and those whose sessions have not all ended.
pub(crate) struct Incarnations {
    current: RwLock<Arc<Incarnation>>,
    ending: Mutex<Vec<Arc<Incarnation>>>,
}

impl Incarnations {
    pub(crate) fn new(first: Arc<Incarnation>) -> Self {
        Self { current: RwLock::new(first), ending: Mutex::default() }
    }

    /// Renews the certificate in time, again and again; ends only when what it signs is worth nothing any more.
    pub(crate) async fn run(self: Arc<Self>) -> EvidenceError {
        let mut told = u64::MAX;
        loop {
            let current = self.current();
            tokio::select! {
                error = current.disowned() => return error,
                () = sleep(LOOK) => {}
            }
            let left = current.percent_left();
            if left > RENEW_AT {
                told = u64::MAX;
                continue;
            }
            match current.succeed().await {
                Ok(next) => {
                    tracing::info!(ended = %current.id(), incarnation = %next.id(), "a new certificate: new sessions are its own");
                    self.hand_over(next);
                }
                Err(error) => warn(&current, left, &mut told, &error),
            }
        }
    }

    /// Takes no more sessions, waits until everything is sealed and stored, and stores that all of them retired.
    ///
    /// # Errors
    /// As [`Incarnation::retire`].
    pub(crate) async fn retire(&self, patience: Duration) -> Result<(), EvidenceError> {
        let mut ends = JoinSet::new();
        let mut all = self.ending.lock().unwrap_or_else(PoisonError::into_inner).clone();
        all.push(self.current());
        for incarnation in all {
            ends.spawn(async move { incarnation.retire(patience).await });
        }
        let mut result = Ok(());
        while let Some(ended) = ends.join_next().await {
            result = result.and(ended.unwrap_or(Err(EvidenceError::Interrupted)));
        }
        result
    }

    /// Begins a session of the current incarnation.
    ///
    /// # Errors
    /// As [`Incarnation::open_session`].
    pub(crate) async fn open_session(&self, details: SessionOpen) -> Result<Recorder, EvidenceError> {
        let current = self.current();
        match current.open_session(details.clone()).await {
            // It was followed by another one just now.
            Err(EvidenceError::Retiring) if self.current().id() != current.id() => {
                self.current().open_session(details).await
            }
            result => result,
        }
    }

    /// As [`Incarnation::store_leaf`], by the session's own incarnation.
    ///
    /// # Errors
    /// Those of signing.
    pub(crate) fn store_leaf<T: Statement>(
        &self,
        recorder: &Recorder,
        key: String,
        leaf: &T,
    ) -> Result<Storing, EvidenceError> {
        self.of(&recorder.session().incarnation)?.store_leaf(recorder, key, leaf)
    }

    /// Signs a statement that is no evidence, as this incarnation.
    ///
    /// # Errors
    /// Those of signing.
    pub(crate) fn sign<T: Statement>(&self, by: &IncarnationId, statement: &T) -> Result<Vec<u8>, EvidenceError> {
        self.of(by)?.sign(statement)
    }

    /// As [`Incarnation::offer`].
    ///
    /// # Errors
    /// [`EvidenceError::StoreUnavailable`].
    pub(crate) async fn offer(&self, key: &str, bytes: &[u8]) -> Result<(), EvidenceError> {
        self.current().offer(key, bytes).await
    }

    /// As [`Incarnation::look`].
    ///
    /// # Errors
    /// [`EvidenceError::StoreUnavailable`].
    pub(crate) async fn look(&self, key: &str) -> Result<Option<Vec<u8>>, EvidenceError> {
        self.current().look(key).await
    }

    /// Where this relay's objects stand.
    pub(crate) fn scope(&self) -> Scope {
        self.current().scope().clone()
    }

    /// The relay's clock, microseconds since 1970.
    pub(crate) fn now_us(&self) -> u64 {
        self.current().now_us()
    }

    /// Random bytes.
    pub(crate) fn entropy(&self) -> Arc<dyn Entropy> {
        Arc::clone(&self.current().core.entropy)
    }

    pub(super) fn current(&self) -> Arc<Incarnation> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn of(&self, id: &IncarnationId) -> Result<Arc<Incarnation>, EvidenceError> {
        let current = self.current();
        if current.id() == id {
            return Ok(current);
        }
        let ending = self.ending.lock().unwrap_or_else(PoisonError::into_inner);
        ending.iter().find(|one| one.id() == id).cloned().ok_or(EvidenceError::Retiring)
    }

    pub(super) fn hand_over(self: &Arc<Self>, next: Arc<Incarnation>) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let old = std::mem::replace(&mut *current, next);
        self.ending.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&old));
        drop(current);
        let this = Arc::clone(self);
        tokio::spawn(async move {
            match old.retire(RETIRE_LIMIT).await {
                Ok(()) => tracing::info!(incarnation = %old.id(), "retired"),
                Err(error) => tracing::error!(incarnation = %old.id(), %error, "not retired"),
            }
            this.ending.lock().unwrap_or_else(PoisonError::into_inner).retain(|one| one.id() != old.id());
        });
    }
}

/// Once on each stage; a number for whoever counts.
fn warn(current: &Incarnation, left: u64, told: &mut u64, error: &EvidenceError) {
    let stage = STAGES.into_iter().filter(|stage| left <= *stage).min().unwrap_or(RENEW_AT);
    if stage < *told {
        *told = stage;
        tracing::warn!(
            incarnation = %current.id(),
            certificate_percent_left = left,
            %error,
            "the certificate ends soon and is not renewed; then nothing is served"
        );
    } else {
        tracing::info!(certificate_percent_left = left, %error, "the certificate is not renewed");
    }
}

/// Half of the time is left: what is open then may last as long again.
const RENEW_AT: u64 = 50;
/// Warned at, in percent of the time left.
const STAGES: [u64; 3] = [RENEW_AT, 25, 10];
/// Certificates are valid for a minute at least.
const LOOK: Duration = Duration::from_secs(1);
/// Longer than any certificate: its sessions end by themselves before it does.
const RETIRE_LIMIT: Duration = Duration::from_hours(24 * 8);
