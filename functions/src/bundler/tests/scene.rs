//! A store with the golden evidence tree, and the keys that made it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use schemas::identifiers::SessionId;
use schemas::period::Period;
use seams::{EvidenceStore, KeyFiles, KeyName, Keys, Retention};

use crate::bundler::{Bundled, Env, WorkFolder, bundle, fetch};
use crate::sealer::{self, tests::store::MemoryStore};
use crate::{signing, trust};

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
        let folder = tempfile::tempdir().unwrap();
        let keys = folder.path().join("keys");
        fs::create_dir(&keys).unwrap();
        for (from, to) in [("root", "certificates.pem"), ("approvals", "approvals.pem")] {
            fs::copy(vectors().join(format!("test-keys/TEST-KEY-{from}.pem")), keys.join(to)).unwrap();
        }
        fs::copy(vectors().join("test-keys/TEST-KEY-data.key"), keys.join("data.key")).unwrap();
        let keys: Arc<dyn Keys> = Arc::new(KeyFiles::open_or_create(&keys).unwrap());
        let store = Arc::new(MemoryStore::default());
        let tree = vectors().join("tree");
        for file in files_below(&tree) {
            let key = file.strip_prefix(&tree).unwrap().to_str().unwrap();
            store.put(key, &fs::read(&file).unwrap(), Retention::none()).await.unwrap();
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

    /// Puts all statements into the log.
    pub(super) async fn seal(&self) {
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
        assert!(sealed.entries > 0 && sealed.rejected.is_empty(), "{sealed:?}");
    }

    /// A bundle as it came out of the store.
    pub(super) async fn bundle(&self, period: Period) -> (Bundled, BTreeMap<String, Vec<u8>>) {
        let bundled = bundle(&self.env, period).await.unwrap();
        let out = self.fresh("out");
        let fetched = fetch(&self.env, &bundled.id, &out).await.unwrap();
        let mut files = BTreeMap::new();
        for file in files_below(&out) {
            let name = file.strip_prefix(&out).unwrap().to_str().unwrap().to_owned();
            files.insert(name, fs::read(&file).unwrap());
        }
        assert_eq!(fetched, files.len() as u64);
        (bundled, files)
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

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas/vectors")
}

fn files_below(root: &Path) -> Vec<PathBuf> {
    let (mut files, mut open) = (Vec::new(), vec![root.to_owned()]);
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { open.push(path) } else { files.push(path) }
        }
    }
    files
}
