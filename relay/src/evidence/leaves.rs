//! What a live session says beside its chunks: signed here, stored before its session-close.

use std::sync::Arc;
use std::time::Duration;

use schemas::dsse::{Envelope, Statement};
use schemas::layout::Scope;
use seams::Retention;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::{EvidenceError, Incarnation};
use crate::recorder::Recorder;
use crate::ship::{Fenced, ShipError};

/// A leaf on its way into the store; it gets there also when this is dropped.
pub(crate) struct Storing(JoinHandle<Result<(), Fenced>>);

impl Storing {
    /// Waits until it is stored.
    ///
    /// # Errors
    /// [`EvidenceError::StoreUnavailable`] when that takes longer; it goes on all the same.
    pub(crate) async fn within(self, patience: Duration) -> Result<(), EvidenceError> {
        match timeout(patience, self.0).await {
            Ok(Ok(stored)) => Ok(stored?),
            Ok(Err(_)) => Err(EvidenceError::Interrupted),
            Err(_) => Err(EvidenceError::StoreUnavailable),
        }
    }
}

impl Incarnation {
    /// Signs a leaf about a session that `recorder` records, and stores it however long the store is away. The
    /// session's close is not stored before it.
    ///
    /// # Errors
    /// Those of signing.
    pub(crate) fn store_leaf<T: Statement>(
        &self,
        recorder: &Recorder,
        key: String,
        leaf: &T,
    ) -> Result<Storing, EvidenceError> {
        let bytes = self.sign(leaf)?;
        let (core, debt) = (Arc::clone(&self.core), recorder.owe());
        // Not where the session is served: that may end before, and the debt with it.
        Ok(Storing(self.core.runtime.spawn(async move {
            let stored = core.shipper.until_stored(&key, &bytes, core.retention()).await;
            drop(debt);
            stored
        })))
    }

    /// Signs a statement.
    ///
    /// # Errors
    /// [`EvidenceError::Revoked`], those of signing.
    pub(crate) fn sign<T: Statement>(&self, statement: &T) -> Result<Vec<u8>, EvidenceError> {
        self.core.may_sign()?;
        Ok(Envelope::of(statement, &self.core.key)?.to_vec()?)
    }

    /// Stores an object that is no evidence, in one attempt.
    ///
    /// # Errors
    /// [`EvidenceError::StoreUnavailable`], also when something else stands there: others may write in that place.
    pub(crate) async fn offer(&self, key: &str, bytes: &[u8]) -> Result<(), EvidenceError> {
        self.core.shipper.offer(key, bytes, Retention::none()).await.map_err(EvidenceError::from)
    }

    /// Looks once for an object that somebody else stores.
    ///
    /// # Errors
    /// [`EvidenceError::StoreUnavailable`].
    pub(crate) async fn look(&self, key: &str) -> Result<Option<Vec<u8>>, EvidenceError> {
        self.core.shipper.look(key).await.map_err(|_: ShipError| EvidenceError::StoreUnavailable)
    }

    /// Where this relay's objects stand.
    pub(crate) fn scope(&self) -> &Scope {
        &self.core.scope
    }

    /// The relay's clock, microseconds since 1970.
    pub(crate) fn now_us(&self) -> u64 {
        self.core.clock.now_us()
    }
}
