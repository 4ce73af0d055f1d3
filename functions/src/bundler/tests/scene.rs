//! A store with the golden evidence tree, and the keys that made it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use schemas::identifiers::SessionId;
use schemas::period::Period;
use seams::{EvidenceStore, KeyName, Keys, Retention};

use crate::bundler::{Bundled, Env, WorkFolder, bundle, fetch};
use crate::sealer::{self, tests::store::MemoryStore};
use crate::{golden, signing, trust};

/// With what the client sent and received.
pub(super) static RECORDED: LazyLock<SessionId> =
    LazyLock::new(|| "c2a35b2d82043f03310e1d0c0bca33a1-0000000001".parse().unwrap());
/// Sealed by another life than its own.
pub(super) static RECOVERED: LazyLock<SessionId> =
    LazyLock::new(|| "c2a35b2d82043f03310e1d0c0bca33a1-0000000003".parse().unwrap());
/// With a statement that somebody approved.
pub(super) static APPROVED: LazyLock<SessionId> =
    LazyLock::new(|| "9f05b38685d760d161390dfc433d35e1-0000000002".parse().unwrap());

pub(super) struct Scene {
    folder: tempfile::TempDir,
    store: Arc<MemoryStore>,
    made: AtomicU64,
    pub(super) env: Env,
}

impl Scene {
    pub(super) async fn new() -> Self {
        Self::of(golden::objects()).await
    }

    /// A store with these objects of the tree.
    pub(super) async fn of(objects: BTreeMap<String, Vec<u8>>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys: Arc<dyn Keys> = Arc::new(golden::keys(&folder.path().join("keys")));
        let store = Arc::new(MemoryStore::default());
        for (key, bytes) in objects {
            store.put(&key, &bytes, Retention::none()).await.unwrap();
        }
        let env = Env {
            store: store.clone(),
            root: keys.public_key(KeyName::Certificates).await.unwrap(),
            keys,
            tenant: "clinic".parse().unwrap(),
            environment: "test".parse().unwrap(),
            work: folder.path().join("work"),
            retention: Retention::none(),
            now_us: Arc::new(|| 1_790_000_200_000_000),
        };
        let trust = signing::Env {
            keys: env.keys.clone(),
            store: env.store.clone(),
            tenant: env.tenant.clone(),
            environment: env.environment.clone(),
            retention: Retention::none(),
            now_us: env.now_us.clone(),
        };
        trust::certify(&trust).await.unwrap();
        Self { folder, store, made: AtomicU64::new(0), env }
    }

    /// Where the scene's files are.
    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Puts all statements into the log; gives how many it appended.
    pub(super) async fn seal(&self) -> u64 {
        let env = sealer::Env {
            store: self.env.store.clone(),
            keys: self.env.keys.clone(),
            tenant: self.env.tenant.clone(),
            environment: self.env.environment.clone(),
            retention: Retention::none(),
            batch: sealer::Env::BATCH,
            now_us: self.env.now_us.clone(),
        };
        let sealed = sealer::seal(&env).await.unwrap();
        assert!(sealed.rejected.is_empty(), "{sealed:?}");
        sealed.entries
    }

    /// A bundle as it came out of the store.
    pub(super) async fn bundle(&self, period: Period) -> (Bundled, BTreeMap<String, Vec<u8>>) {
        let bundled = bundle(&self.env, period).await.unwrap();
        let files = self.fetch(&bundled).await;
        (bundled, files)
    }

    /// The same, once more.
    pub(super) async fn fetch(&self, bundled: &Bundled) -> BTreeMap<String, Vec<u8>> {
        let out = self.fresh("out");
        let fetched = fetch(&self.env, &bundled.id, &out).await.unwrap();
        let mut files = BTreeMap::new();
        for file in golden::files_below(&out) {
            let name = file.strip_prefix(&out).unwrap().to_str().unwrap().to_owned();
            files.insert(name, fs::read(&file).unwrap());
        }
        assert_eq!(fetched, files.len() as u64);
        files
    }

    /// Everything that the store has, but bundles.
    pub(super) fn stored(&self) -> BTreeMap<String, Vec<u8>> {
        let mut objects = self.store.objects();
        objects.retain(|key, _| !key.starts_with("bundles/"));
        objects.into_iter().map(|(key, (bytes, _))| (key, bytes)).collect()
    }

    pub(super) fn work_folder(&self) -> WorkFolder {
        WorkFolder::create(self.fresh("work")).unwrap()
    }

    pub(super) async fn chunk_of(&self, session: &SessionId) -> String {
        let keys = self.env.store.list("evidence/").await.unwrap();
        let place = format!("/{}/sessions/{:010}/chunk-", session.incarnation, session.counter);
        keys.into_iter().find(|key| key.contains(&place)).unwrap()
    }

    /// Changes one bit of a stored object, as whoever owns the disk can.
    pub(super) async fn flip(&self, key: &str) {
        let mut bytes = self.store.get(key).await.unwrap().unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        self.store.overwrite(key, &bytes);
    }

    /// A path that nothing stands at.
    pub(super) fn fresh(&self, name: &str) -> PathBuf {
        self.path().join(format!("{name}-{}", self.made.fetch_add(1, Ordering::Relaxed)))
    }
}
