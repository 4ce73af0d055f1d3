//! A store in memory: fails at a told operation, and lets others run at every operation.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use seams::{EvidenceStore, Overlay, PutOutcome, Retention, StoreError};

/// Bytes, and days of retention.
pub(crate) type Objects = BTreeMap<String, (Vec<u8>, u32)>;

#[derive(Default)]
pub(crate) struct MemoryStore {
    objects: Mutex<Objects>,
    /// Puts and deletions so far.
    changes: AtomicUsize,
    fault: Mutex<Option<Fault>>,
    /// How often each operation lets others run: a repeating pattern.
    pauses: Mutex<Vec<u8>>,
    operations: AtomicUsize,
}

/// What goes wrong, at which put or deletion.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fault {
    pub(super) at: usize,
    /// It happens all the same, and is reported as failed.
    pub(super) persists: bool,
}

impl MemoryStore {
    pub(super) fn objects(&self) -> Objects {
        self.objects.lock().unwrap().clone()
    }

    pub(super) fn insert(&self, (key, bytes): &(String, Vec<u8>)) {
        self.objects.lock().unwrap().insert(key.clone(), (bytes.clone(), 2192));
    }

    pub(crate) fn overwrite(&self, key: &str, bytes: &[u8]) {
        self.objects.lock().unwrap().get_mut(key).unwrap().0 = bytes.to_vec();
    }

    pub(super) fn remove(&self, key: &str) {
        self.objects.lock().unwrap().remove(key).unwrap();
    }

    /// From now on counts anew, and fails once.
    pub(super) fn fail(&self, fault: Option<Fault>) {
        self.changes.store(0, Ordering::Relaxed);
        *self.fault.lock().unwrap() = fault;
    }

    pub(super) fn pause(&self, pauses: Vec<u8>) {
        *self.pauses.lock().unwrap() = pauses;
    }

    fn change<T>(
        &self,
        key: &str,
        change: impl FnOnce(&mut Objects) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let number = self.changes.fetch_add(1, Ordering::Relaxed);
        let fault = self.fault.lock().unwrap().filter(|fault| fault.at == number);
        let away = || StoreError::Unavailable(key.to_owned(), "told to fail".into());
        match fault {
            Some(Fault { persists: false, .. }) => Err(away()),
            Some(Fault { persists: true, .. }) => change(&mut self.objects.lock().unwrap()).and(Err(away())),
            None => change(&mut self.objects.lock().unwrap()),
        }
    }

    async fn let_others_run(&self) {
        let pauses = {
            let pauses = self.pauses.lock().unwrap();
            let number = self.operations.fetch_add(1, Ordering::Relaxed);
            if pauses.is_empty() { 0 } else { pauses[number % pauses.len()] }
        };
        for _ in 0..pauses {
            tokio::task::yield_now().await;
        }
    }
}

#[async_trait]
impl EvidenceStore for MemoryStore {
    async fn put(&self, key: &str, bytes: &[u8], retention: Retention) -> Result<PutOutcome, StoreError> {
        self.let_others_run().await;
        self.change(key, |objects| match objects.get_mut(key) {
            Some((stored, days)) if stored == bytes => {
                *days = retention.in_days().max(*days);
                Ok(PutOutcome::AlreadyIdentical)
            }
            Some(_) => Err(StoreError::Conflict { key: key.to_owned() }),
            None => {
                objects.insert(key.to_owned(), (bytes.to_vec(), retention.in_days()));
                Ok(PutOutcome::Created)
            }
        })
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.let_others_run().await;
        Ok(self.objects.lock().unwrap().get(key).map(|(bytes, _)| bytes.clone()))
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        self.let_others_run().await;
        Ok(self.objects.lock().unwrap().keys().filter(|key| key.starts_with(prefix)).cloned().collect())
    }

    /// A page is listed in halves, as a listing that takes its time: what is stored between is in it or not.
    async fn list_after(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<String>, StoreError> {
        let mut page = Vec::new();
        let mut after = after.to_owned();
        while page.len() < limit {
            self.let_others_run().await;
            let next = {
                let objects = self.objects.lock().unwrap();
                let keys = objects.keys().filter(|key| key.starts_with(prefix) && **key > after);
                keys.take(3.min(limit - page.len())).cloned().collect::<Vec<_>>()
            };
            let Some(last) = next.last() else { break };
            after.clone_from(last);
            page.extend(next);
        }
        Ok(page)
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.let_others_run().await;
        self.change(key, |objects| match objects.get(key) {
            Some((_, days)) if *days > 0 => Err(StoreError::Retained { key: key.to_owned(), until_s: 1 }),
            _ => {
                objects.remove(key);
                Ok(())
            }
        })
    }

    async fn overlays(&self, _: &str, _: usize) -> Result<Vec<Overlay>, StoreError> {
        Ok(Vec::new())
    }
}

#[tokio::test]
async fn it_keeps_the_contract_of_an_evidence_store_but_for_strange_keys() {
    // It takes any key; that clause is the last one.
    let breach = seams::contract::evidence_store(&MemoryStore::default()).await.unwrap_err().to_string();
    assert!(breach.contains("outside the layout's letters"), "{breach}");
}
