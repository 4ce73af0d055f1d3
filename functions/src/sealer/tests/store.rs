//! A store in memory, which lets others run at every operation.

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
    /// How often each operation lets others run: a repeating pattern.
    pauses: Mutex<Vec<u8>>,
    operations: AtomicUsize,
}

impl MemoryStore {
    /// With these objects, under no retention.
    pub(crate) fn of(objects: BTreeMap<String, Vec<u8>>) -> Self {
        let objects = objects.into_iter().map(|(key, bytes)| (key, (bytes, 0))).collect();
        Self { objects: Mutex::new(objects), ..Self::default() }
    }

    /// From now on has these and no others.
    pub(super) fn reset(&self, objects: &Objects) {
        objects.clone_into(&mut self.objects.lock().unwrap());
    }

    pub(crate) fn objects(&self) -> Objects {
        self.objects.lock().unwrap().clone()
    }

    pub(crate) fn insert(&self, (key, bytes): &(String, Vec<u8>)) {
        self.objects.lock().unwrap().insert(key.clone(), (bytes.clone(), 2192));
    }

    pub(crate) fn overwrite(&self, key: &str, bytes: &[u8]) {
        self.objects.lock().unwrap().get_mut(key).unwrap().0 = bytes.to_vec();
    }

    pub(super) fn remove(&self, key: &str) {
        self.objects.lock().unwrap().remove(key).unwrap();
    }

    pub(super) fn pause(&self, pauses: Vec<u8>) {
        *self.pauses.lock().unwrap() = pauses;
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
        let mut objects = self.objects.lock().unwrap();
        match objects.get_mut(key) {
            Some((stored, days)) if stored == bytes => {
                *days = retention.in_days().max(*days);
                Ok(PutOutcome::AlreadyIdentical)
            }
            Some(_) => Err(StoreError::Conflict { key: key.to_owned() }),
            None => {
                objects.insert(key.to_owned(), (bytes.to_vec(), retention.in_days()));
                Ok(PutOutcome::Created)
            }
        }
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
        let mut objects = self.objects.lock().unwrap();
        match objects.get(key) {
            Some((_, days)) if *days > 0 => Err(StoreError::Retained { key: key.to_owned(), until_s: 1 }),
            _ => {
                objects.remove(key);
                Ok(())
            }
        }
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
