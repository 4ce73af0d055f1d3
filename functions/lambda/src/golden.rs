//! The golden evidence in a store, and the keys that made it: what functions meet in tests.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use functions::signing;
use lambda_runtime::{Context, LambdaEvent};
use schemas::identifiers::Name;
use seams::{EvidenceStore, FileStore, KeyFiles, Keys, Retention};

/// A folder with a store and keys.
pub(crate) struct Golden {
    _folder: tempfile::TempDir,
    pub(crate) store: Arc<dyn EvidenceStore>,
    pub(crate) keys: Arc<dyn Keys>,
    /// Of its objects, but for the log's.
    pub(crate) objects: Vec<String>,
}

impl Golden {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = FileStore::open(folder.path().join("store"), || 0).unwrap();
        let mut objects = Vec::new();
        for file in files_below(&vectors().join("tree")) {
            let key = file.strip_prefix(vectors().join("tree")).unwrap().to_str().unwrap().to_owned();
            if !key.starts_with(schemas::layout::LOG_PREFIX) {
                store.put(&key, &fs::read(file).unwrap(), Retention::none()).await.unwrap();
                objects.push(key);
            }
        }
        objects.sort();
        let keys = folder.path().join("keys");
        fs::create_dir(&keys).unwrap();
        for (from, to) in
            [("root.pem", "certificates.pem"), ("approvals.pem", "approvals.pem"), ("data.key", "data.key")]
        {
            fs::copy(vectors().join(format!("test-keys/TEST-KEY-{from}")), keys.join(to)).unwrap();
        }
        let keys = Arc::new(KeyFiles::open_or_create(&keys).unwrap());
        Self { _folder: folder, store: Arc::new(store), keys, objects }
    }

    /// The key of the one object whose key ends so.
    pub(crate) fn ending(&self, end: &str) -> String {
        self.objects.iter().find(|key| key.ends_with(end)).unwrap().clone()
    }

    pub(crate) fn signing(&self) -> signing::Env {
        signing::Env {
            keys: self.keys.clone(),
            store: self.store.clone(),
            tenant: name("clinic"),
            environment: name("test"),
            retention: Retention::none(),
            now_us: Arc::new(|| 1_000_000),
        }
    }
}

pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// An event, as Lambda says that it came by this ARN.
pub(crate) fn event<T>(payload: T, arn: &str) -> LambdaEvent<T> {
    let mut context = Context::default();
    arn.clone_into(&mut context.invoked_function_arn);
    LambdaEvent::new(payload, context)
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

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas/vectors")
}
