//! The evidence of one session as the verifier reads it: object by object, out of the store.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use schemas::verify::Source;
use seams::{EvidenceStore, StoreError};
use tokio::runtime::Handle;

/// Some objects of a store. Read by threads that are not the runtime's.
pub(super) struct Evidence {
    store: Arc<dyn EvidenceStore>,
    keys: Vec<String>,
    runtime: Handle,
    reading: Arc<Reading>,
}

/// What came of reading.
pub(super) struct Reading {
    /// Bytes that may still be read.
    left: AtomicU64,
    too_long: AtomicBool,
    /// The first one. The verifier takes it for a finding, which it is not.
    failed: Mutex<Option<StoreError>>,
}

/// Ends the reading when nobody waits for it any more.
pub(super) struct Waiting(pub(super) Arc<Reading>);

impl Evidence {
    /// These objects, of which so many bytes may be read. Needs a runtime.
    pub(super) fn new(store: Arc<dyn EvidenceStore>, keys: Vec<String>, limit: u64) -> Self {
        let reading =
            Reading { left: AtomicU64::new(limit), too_long: AtomicBool::new(false), failed: Mutex::new(None) };
        Self { store, keys, runtime: Handle::current(), reading: Arc::new(reading) }
    }

    pub(super) fn reading(&self) -> Arc<Reading> {
        self.reading.clone()
    }
}

impl Source for Evidence {
    fn keys(&self) -> io::Result<Vec<String>> {
        Ok(self.keys.clone())
    }

    fn get(&self, key: &str, limit: u64) -> io::Result<Vec<u8>> {
        self.reading.take(0)?;
        match self.runtime.block_on(self.store.get(key)) {
            Ok(Some(bytes)) if bytes.len() as u64 > limit => Err(io::ErrorKind::FileTooLarge.into()),
            Ok(Some(bytes)) => self.reading.take(bytes.len() as u64).map(|()| bytes),
            Ok(None) => Err(io::ErrorKind::NotFound.into()),
            Err(error) => {
                let told = io::Error::other(error.to_string());
                self.reading.failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                Err(told)
            }
        }
    }
}

impl Reading {
    /// Takes from what may be read; nothing may be once that was not enough.
    fn take(&self, bytes: u64) -> io::Result<()> {
        let taken = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
            left.checked_sub(bytes.max(1)).filter(|left| *left > 0)
        });
        if taken.is_err() {
            self.too_long.store(true, Ordering::Relaxed);
            self.left.store(0, Ordering::Relaxed);
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        Ok(())
    }

    pub(super) fn was_too_long(&self) -> bool {
        self.too_long.load(Ordering::Relaxed)
    }

    pub(super) fn failed(&self) -> Option<StoreError> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.left.store(0, Ordering::Relaxed);
    }
}
