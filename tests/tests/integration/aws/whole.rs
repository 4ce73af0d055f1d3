//! The golden evidence in S3: sealed there, indexed there, copied out, verified, whatever somebody laid over it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use aws::{DynamoIndex, S3Settings};
use functions::{indexer, sealer};
use seams::export::export;
use seams::{ApprovalState, EvidenceStore, Index, KeyFiles, KeyName, Keys, RedbIndex, Retention};

use super::proxy;
use crate::emulator;
use crate::harness::{Emulator, Fault, Programs, Said, repository, store};

#[tokio::test]
async fn evidence_copied_out_of_a_bucket_verifies_and_what_lay_over_it_is_named() {
    let emulator = emulator!();
    let settings = emulator.bucket().await;
    let store = store(&emulator.connection(), &settings).await;
    let keys = put_golden(&store, |_| true).await;
    let chunk = keys.iter().find(|key| key.ends_with(".zst")).unwrap();
    let close = keys.iter().find(|key| key.ends_with("close.json")).unwrap();
    let overwrite = emulator.s3().put_object().bucket(&settings.bucket).key(close).body(b"{}".to_vec().into());
    overwrite.send().await.unwrap();
    emulator.s3().delete_object().bucket(&settings.bucket).key(chunk).send().await.unwrap();
    let stranger = format!("{close}/in-the-way");
    emulator.s3().put_object().bucket(&settings.bucket).key(&stranger).send().await.unwrap();

    let folder = tempfile::tempdir().unwrap();
    let notes = export(&store, folder.path()).await.unwrap();
    assert_eq!((notes.objects, notes.overlays.len()), (keys.len() as u64, 2));
    let report = verify(folder.path()).ok();
    assert!(report.contains(&format!("{chunk}: a delete marker lies over it, since 20")), "{report}");
    assert!(report.contains(&format!("{close}: a later version lies over it, since 20")), "{report}");
    assert!(report.contains(&format!("{stranger}: not copied")) && report.contains("It holds."), "{report}");

    // A folder of the local store has nothing to tell.
    let local = tempfile::tempdir().unwrap();
    let files = seams::FileStore::open(local.path().join("store"), || 0).unwrap();
    put_golden(&files, |_| true).await;
    assert!(export(&files, &local.path().join("copy")).await.unwrap().is_quiet());
    let report = verify(&local.path().join("copy")).ok();
    assert!(!report.contains("The store told") && report.contains("It holds."), "{report}");
}

/// The checkpoint's swap is a put: two sealers at once, and commits that are done and reported as failed, make one log.
#[tokio::test]
async fn sealers_on_s3_make_one_log_whatever_fails() {
    let emulator = emulator!();
    let proxy = proxy(emulator);
    for (fault, persists) in [(Fault::Cut, false), (Fault::Cut, true), (Fault::Status(500, "InternalError"), true)] {
        let settings = emulator.bucket().await;
        let shared = store(&emulator.connection(), &settings).await;
        let faulty = store(&Emulator::connection_to(proxy.address()), &settings).await;
        put_golden(&shared, |key| !key.starts_with("log/")).await;
        let env = |store| sealer::Env {
            store: Arc::new(store),
            keys: golden_keys(),
            tenant: "clinic".parse().unwrap(),
            environment: "test".parse().unwrap(),
            retention: Retention::days(1),
            batch: 5,
            // Before any certificate ends: nobody is abandoned.
            now_us: Arc::new(|| 0),
        };
        let (first, second) = (env(faulty), env(shared.clone()));
        // One attempt fails and its retry meets what it stored; then all attempts fail, and the next run goes on.
        for times in [1, 3] {
            proxy.fail("put /", fault, persists, times);
            let (a, b) = tokio::join!(sealer::seal(&first), sealer::seal(&second));
            assert!(times == 3 || a.is_ok(), "{fault:?} {persists}: {a:?}");
            b.unwrap();
            proxy.heal();
        }
        let sealed = sealer::seal(&first).await.unwrap();
        assert_eq!((sealed.entries, sealed.rejected.len()), (0, 0), "all of it is in the log");
        let folder = tempfile::tempdir().unwrap();
        assert!(export(&shared, folder.path()).await.unwrap().is_quiet());
        let report = verify(folder.path()).ok();
        let size = sealed.newest.unwrap().size;
        assert!(report.contains(&format!("{size} of {size} entries read")), "{report}");
    }
}

/// Notifications come twice, late and out of order.
#[tokio::test]
async fn the_index_on_aws_says_what_the_local_one_says() {
    let emulator = emulator!();
    let settings: S3Settings = emulator.bucket().await;
    let evidence: Arc<dyn EvidenceStore> = Arc::new(store(&emulator.connection(), &settings).await);
    let keys = put_golden(&*evidence, |_| true).await;
    let folder = tempfile::tempdir().unwrap();
    let local: Arc<dyn Index> = Arc::new(RedbIndex::open(&folder.path().join("index")).unwrap());
    let table: Arc<dyn Index> = Arc::new(DynamoIndex::new(&emulator.connection(), emulator.table().await));
    let holder = golden_keys();
    let root = holder.public_key(KeyName::Certificates).await.unwrap();
    let approvals = holder.public_key(KeyName::Approvals).await.unwrap();
    let env = |index: &Arc<dyn Index>| indexer::Env {
        store: evidence.clone(),
        index: index.clone(),
        root: root.clone(),
        approvals: approvals.clone(),
    };
    for key in &keys {
        indexer::index(&env(&local), key).await.unwrap();
    }
    for key in keys.iter().rev().chain(&keys) {
        indexer::index(&env(&table), key).await.unwrap();
    }
    let sessions = local.sessions().await.unwrap();
    assert!(sessions.len() > 2 && table.sessions().await.unwrap() == sessions);
    for session in sessions {
        let chunks = local.chunks(&session.session).await.unwrap();
        assert_eq!(table.chunks(&session.session).await.unwrap(), chunks);
    }
    for state in [ApprovalState::Any, ApprovalState::Pending] {
        let requests = local.approvals(state, None, 100).await.unwrap();
        assert_eq!(table.approvals(state, None, 100).await.unwrap(), requests);
    }
}

/// Puts the golden evidence into a store; its keys.
async fn put_golden(store: &dyn EvidenceStore, wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let objects = golden(wanted);
    for (key, bytes) in &objects {
        store.put(key, bytes, Retention::days(1)).await.unwrap();
    }
    objects.into_keys().collect()
}

/// The golden evidence, by key.
pub(super) fn golden(wanted: impl Fn(&str) -> bool) -> BTreeMap<String, Vec<u8>> {
    let root = vectors().join("tree");
    let mut objects = BTreeMap::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let key = path.strip_prefix(&root).unwrap().to_str().unwrap();
            if wanted(key) {
                objects.insert(key.to_owned(), std::fs::read(&path).unwrap());
            }
        }
    }
    assert!(objects.len() > 10, "{:?}", objects.keys());
    objects
}

fn golden_keys() -> Arc<KeyFiles> {
    let folder = tempfile::tempdir().unwrap();
    for (name, golden) in [
        ("certificates.pem", "root.pem"),
        ("checkpoints.pem", "checkpoints.pem"),
        ("approvals.pem", "approvals.pem"),
        ("data.key", "data.key"),
    ] {
        let golden = vectors().join(format!("test-keys/TEST-KEY-{golden}"));
        std::fs::copy(golden, folder.path().join(name)).unwrap();
    }
    Arc::new(KeyFiles::open(folder.path()).unwrap())
}

fn verify(folder: &Path) -> Said {
    let mut auditor = Command::new(Programs::built().executable("auditor"));
    Said::by(auditor.arg("verify").arg(folder).arg("--root").arg(vectors().join("root.pub.pem")))
}

fn vectors() -> PathBuf {
    repository().join("schemas/vectors")
}
