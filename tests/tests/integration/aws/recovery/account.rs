//! What must be true in the end, whatever happened on the way.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use functions::bundler;
use schemas::identifiers::SessionId;
use schemas::layout::{EVIDENCE_PREFIX, parse};
use schemas::log::Rank;
use seams::export::export;
use seams::{ApprovalRow, ApprovalState, ChunkRow, Index, KeyName, Keys, Retention, SessionRow};
use serde_json::Value;

use super::world::{World, batch, failures};
use crate::harness::{Programs, Said, have_python, interpreter, repository};

/// All rows of an index.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rows {
    sessions: Vec<SessionRow>,
    chunks: Vec<ChunkRow>,
    approvals: Vec<ApprovalRow>,
}

impl Rows {
    pub(super) async fn of(index: &dyn Index) -> Self {
        let sessions = index.sessions().await.unwrap();
        let mut chunks = Vec::new();
        for row in &sessions {
            chunks.extend(index.chunks(&row.session).await.unwrap());
        }
        Self { sessions, chunks, approvals: index.approvals(ApprovalState::Any, None, 1000).await.unwrap() }
    }
}

/// What `auditor verify` says.
pub(super) struct Verified {
    /// Of the store, copied out.
    pub(super) store: String,
    /// Of the bundle.
    pub(super) bundle: String,
}

/// As [`hold`], and nobody laid anything over anything, nor put anything twice.
pub(super) async fn balance(world: &mut World<'_>, served: &BTreeMap<SessionId, usize>) {
    let verified = hold(world, served).await;
    assert!(!verified.store.contains(TOLD), "{}", verified.store);
    assert!(!verified.bundle.contains(TOLD), "{}", verified.bundle);
    each_key_has_one_version(world).await;
}

/// Nothing disturbs any more. What these sessions did is in index, log and bundle, once, and all of it verifies.
pub(super) async fn hold(world: &mut World<'_>, served: &BTreeMap<SessionId, usize>) -> Verified {
    world.calm();
    index_is_that_of_an_undisturbed_run(world, served).await;
    assert_eq!((world.waiting(&world.dead).await, world.waiting(&world.lambdas.quarantine).await), (0, 0));
    assert_eq!((world.indexer.metric("Rejected"), world.sealer.metric("Rejected")), (0, 0));

    let statements = statements_stored(world).await;
    let sealed = world.seal().unwrap();
    assert_eq!((&sealed["rejected"], sealed["size"].as_u64()), (&Value::from(0), Some(statements)), "{sealed}");
    let folder = tempfile::tempdir().unwrap();
    export(&*world.lambdas.store().await, &folder.path().join("store")).await.unwrap();
    let root = root(world, folder.path()).await;
    let store = verify(&folder.path().join("store"), &root).ok();
    assert!(store.contains(&format!("{statements} of {statements} entries read")), "{store}");
    assert_eq!(store.matches("complete (client-terminated)").count() + world.died, served.len(), "{store}");

    let made = world.bundle().unwrap();
    assert_eq!(made["holds"], true, "{made}");
    let files = fetch(world, made["id"].as_str().unwrap(), &folder.path().join("bundle")).await;
    let bundle = verify(&files, &root).ok();
    assert!(bundle.contains("It holds."), "{bundle}");
    let mut recorded: BTreeMap<String, usize> = BTreeMap::new();
    let rows = std::fs::read(files.join("json/statements.json")).unwrap();
    for row in serde_json::from_slice::<Vec<Value>>(&rows).unwrap() {
        *recorded.entry(row["session"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    let served = served.iter().map(|(session, statements)| (session.to_string(), *statements));
    assert_eq!(recorded, served.collect(), "each statement is in the bundle, once");
    Verified { store, bundle }
}

/// Another indexer is told of everything once and in order, by nobody disturbed, and knows the same.
async fn index_is_that_of_an_undisturbed_run(world: &World<'_>, served: &BTreeMap<SessionId, usize>) {
    let table = world.lambdas.emulator.table().await;
    let mut undisturbed = world.indexer_of(&table);
    for some in world.told.chunks(10) {
        let answer = tokio::task::block_in_place(|| {
            undisturbed.invoke(&world.lambdas.arn("indexer"), &batch(some.iter().map(|body| ("m", body.as_str()))))
        });
        assert_eq!(failures(&answer.unwrap()).count(), 0, "{}", undisturbed.log());
    }
    let expected = Rows::of(&aws::DynamoIndex::new(&world.lambdas.emulator.connection(), table)).await;
    assert!(expected.sessions.len() >= served.len() && expected.chunks.len() >= served.len(), "{expected:?}");
    assert_eq!(Rows::of(&world.lambdas.index()).await, expected);
}

/// How many of the stored objects belong into the log.
async fn statements_stored(world: &World<'_>) -> u64 {
    let keys = world.lambdas.store().await.list(EVIDENCE_PREFIX).await.unwrap();
    let logged = keys.iter().filter(|key| parse(key).is_some_and(|object| Rank::of(&object.kind).is_some()));
    logged.count() as u64
}

/// What was put twice is there once.
async fn each_key_has_one_version(world: &World<'_>) {
    for bucket in [&world.lambdas.buckets.evidence, &world.lambdas.buckets.deletable] {
        let listed = world.lambdas.emulator.s3().list_object_versions().bucket(bucket).send().await.unwrap();
        assert_eq!((listed.is_truncated(), listed.delete_markers().len()), (Some(false), 0));
        let mut keys: Vec<_> = listed.versions().iter().map(|version| version.key().unwrap()).collect();
        keys.sort_unstable();
        let versions = keys.len();
        keys.dedup();
        assert_eq!(keys.len(), versions, "a version each");
    }
}

/// A file with the certificates root.
async fn root(world: &World<'_>, folder: &Path) -> PathBuf {
    let path = folder.join("root.pem");
    let root = world.lambdas.key_service().public_key(KeyName::Certificates).await.unwrap();
    std::fs::write(&path, root.to_pem()).unwrap();
    path
}

/// By the auditor's program, which says what it found, and by the one that shares no code with it.
fn verify(folder: &Path, root: &Path) -> Said {
    if have_python("cryptography, zstandard") {
        let mut stranger = Command::new(interpreter());
        Said::by(stranger.arg(repository().join("schemas/verify.py")).arg(folder).arg("--root").arg(root)).ok();
    }
    let mut auditor = Command::new(Programs::built().executable("auditor"));
    Said::by(auditor.arg("verify").arg(folder).arg("--root").arg(root))
}

/// A bundle's files out of their bucket.
async fn fetch(world: &World<'_>, bundle: &str, out: &Path) -> PathBuf {
    let keys = Arc::new(world.lambdas.key_service());
    let env = bundler::Env {
        store: world.lambdas.store().await,
        root: keys.public_key(KeyName::Certificates).await.unwrap(),
        keys,
        tenant: "clinic".parse().unwrap(),
        environment: "test".parse().unwrap(),
        work: out.to_owned(),
        retention: Retention::days(1),
        now_us: Arc::new(|| 0),
    };
    assert!(bundler::fetch(&env, &bundle.parse().unwrap(), out).await.unwrap() > 40);
    out.to_owned()
}

/// With this begins what the auditor says of the store.
const TOLD: &str = "The store told this";
