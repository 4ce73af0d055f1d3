//! A listing is not a moment: it takes time, and what is stored meanwhile may be missing in it though what was stored
//! after that is not. (A folder is read in any order; S3 promises no snapshot.)

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use schemas::layout::ObjectKind;
use schemas::layout::parse;
use schemas::signature::P256Key;
use seams::{EvidenceStore, Overlay, PutOutcome, Retention, StoreError};

use super::completeness::{life, of_log};
use super::store::MemoryStore;
use super::{Env, Scene, seal};

/// A store whose pages lack one object.
struct Missing {
    store: Arc<MemoryStore>,
    key: String,
}

#[async_trait]
impl EvidenceStore for Missing {
    async fn put(&self, key: &str, bytes: &[u8], retention: Retention) -> Result<PutOutcome, StoreError> {
        self.store.put(key, bytes, retention).await
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.get(key).await
    }

    /// Asked for after the page: it is there now.
    async fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        self.store.list(prefix).await
    }

    async fn list_after(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<String>, StoreError> {
        let mut page = self.store.list_after(prefix, after, limit).await?;
        page.retain(|key| *key != self.key);
        Ok(page)
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.store.delete(key).await
    }

    async fn overlays(&self, prefix: &str, limit: usize) -> Result<Vec<Overlay>, StoreError> {
        self.store.overlays(prefix, limit).await
    }
}

#[tokio::test]
async fn whatever_one_listing_lacks_is_appended_in_its_order() {
    for retires in [false, true] {
        let scene = Scene::new().await;
        let objects = life(&scene, &P256Key::generate().unwrap(), 3, retires);
        objects.iter().for_each(|object| scene.store.insert(object));
        let before = scene.store.objects();
        for (key, _) in &objects {
            // Whoever sees that a relay retired looks at its sessions after that.
            if retires && parse(key).is_some_and(|object| matches!(object.kind, ObjectKind::SessionClose(_))) {
                continue;
            }
            scene.store.reset(&before);
            let store = Arc::new(Missing { store: scene.store.clone(), key: key.clone() });
            seal(&Env { store, ..scene.env.clone() }).await.unwrap();
            scene.seal().await.unwrap();
            assert_eq!(scene.check(), objects.len() as u64, "without {key}");
            let rules: Vec<_> =
                of_log(&scene).await.1.into_iter().filter(|rule| rule.id().starts_with("log.")).collect();
            assert_eq!(rules, [], "without {key}");
        }
    }
}

/// A store that counts what it is asked to list.
struct Counting {
    store: Arc<MemoryStore>,
    listed: AtomicUsize,
}

#[async_trait]
impl EvidenceStore for Counting {
    async fn put(&self, key: &str, bytes: &[u8], retention: Retention) -> Result<PutOutcome, StoreError> {
        self.store.put(key, bytes, retention).await
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.get(key).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        self.listed.fetch_add(1, Ordering::Relaxed);
        self.store.list(prefix).await
    }

    async fn list_after(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<String>, StoreError> {
        self.listed.fetch_add(1, Ordering::Relaxed);
        // As a life of a day fills a page: each page has a life and no more of the next.
        let mut page = self.store.list_after(prefix, after, limit).await?;
        let life = page.first().and_then(|key| parse(key)).map(|object| object.kind.incarnation().clone());
        page.retain(|key| parse(key).map(|object| object.kind.incarnation().clone()) == life);
        Ok(page)
    }

    async fn folders_after(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<String>, StoreError> {
        self.listed.fetch_add(1, Ordering::Relaxed);
        self.store.folders_after(prefix, after, limit).await
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.store.delete(key).await
    }

    async fn overlays(&self, prefix: &str, limit: usize) -> Result<Vec<Overlay>, StoreError> {
        self.store.overlays(prefix, limit).await
    }
}

/// A relay begins a new life each day: a run of the sealer, each minute, must not cost more for each of them.
#[tokio::test]
async fn lives_that_have_ended_are_not_listed_any_more() {
    let scene = Scene::new().await;
    let mut listed = Vec::new();
    for _ in 0..6 {
        for _ in 0..5 {
            for object in life(&scene, &P256Key::generate().unwrap(), 2, true) {
                scene.store.insert(&object);
            }
        }
        while scene.seal().await.unwrap().entries > 0 {}
        let store = Arc::new(Counting { store: scene.store.clone(), listed: AtomicUsize::new(0) });
        assert_eq!(seal(&Env { store: store.clone(), ..scene.env.clone() }).await.unwrap().entries, 0);
        listed.push(store.listed.load(Ordering::Relaxed));
    }
    assert!(listed.iter().all(|count| *count == listed[0]), "{listed:?} for 5, 10, … 30 lives");
}
