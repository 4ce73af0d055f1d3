//! Notifications of stored objects come twice and in any order, as queues deliver them: what is made of them ends the
//! same.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, OnceLock};

use functions::bundler::{self, Period};
use functions::indexer::{self, IndexerError};
use proptest::prelude::*;
use schemas::identifiers::SessionId;
use schemas::layout::{self, Scope};
use schemas::signature::PublicKey;
use seams::{
    ApprovalRow, ApprovalState, ChunkRow, EvidenceStore, FileStore, KeyFiles, KeyName, Keys, RedbIndex, Retention,
    SessionRow,
};

use crate::harness::Relay;
use crate::harness::approvals::Pending;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(8) })]

    #[test]
    fn every_object_delivered_twice_in_any_order_gives_the_same_index_and_bundle(order in deliveries()) {
        let recorded = Recorded::shared();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let expected = Place::new(recorded).delivered(0..recorded.objects.len()).await.known().await;
            assert!(expected.sessions.len() >= 5 && expected.chunks.len() >= 5, "the deliveries say something");
            assert_eq!(expected.approvals.len(), 1);
            assert!(expected.bundle.len() > 40, "ten tables thrice, and evidence: {:?}", expected.bundle.keys());
            let found = Place::new(recorded).delivered(order).await.known().await;
            assert_eq!(found.bundle.keys().collect::<Vec<_>>(), expected.bundle.keys().collect::<Vec<_>>());
            for (path, bytes) in &expected.bundle {
                assert!(found.bundle[path] == *bytes, "{path} differs");
            }
            assert_eq!(found, expected);
        });
    }
}

/// Each object's number twice.
fn deliveries() -> impl Strategy<Value = Vec<usize>> {
    let all = 0..Recorded::shared().objects.len();
    Just(all.clone().chain(all).collect::<Vec<usize>>()).prop_shuffle()
}

/// What `local` stored in two lives, the first of which was killed.
struct Recorded {
    objects: Vec<(String, Vec<u8>)>,
    /// The files of its keys, for the bundler trusts what they signed.
    keys: Vec<(std::ffi::OsString, Vec<u8>)>,
    scope: Scope,
    root: PublicKey,
    approvals: PublicKey,
}

impl Recorded {
    fn shared() -> &'static Self {
        static SHARED: OnceLock<Recorded> = OnceLock::new();
        SHARED.get_or_init(Self::record)
    }

    fn record() -> Self {
        let mut relay = Relay::fresh();
        relay.psql("alice", &["SELECT name, ssn FROM clinic.patients ORDER BY id LIMIT 3"]).ok();
        relay.psql("alice", &["DROP TABLE clinic.visits"]).refused();
        relay.psql("scribe", &["SELECT count(*) FROM clinic.visits"]).ok();
        std::thread::scope(|scope| {
            let client =
                scope.spawn(|| relay.psql("alice", &["UPDATE billing.invoices SET amount = 1 WHERE id = 4071"]));
            Pending::about(&relay, "4071").approve();
            client.join().unwrap().ok();
        });
        relay.kill();
        relay.start();
        relay.psql("carol", &["SELECT name FROM clinic.patients ORDER BY id LIMIT 3"]).ok();
        relay.stop();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(Self::read(&relay.evidence(), &relay.keys()))
    }

    async fn read(evidence: &Path, folder: &Path) -> Self {
        let keys = KeyFiles::open(folder).unwrap();
        let store = FileStore::for_reading(evidence);
        let mut objects = Vec::new();
        for key in store.list("").await.unwrap() {
            let bytes = store.get(&key).await.unwrap().unwrap();
            objects.push((key, bytes));
        }
        let scope = objects.iter().find_map(|(key, _)| layout::parse(key)).unwrap().scope;
        let root = keys.public_key(KeyName::Certificates).await.unwrap();
        let approvals = keys.public_key(KeyName::Approvals).await.unwrap();
        let files = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
        let keys = files.map(|file| (file.file_name(), std::fs::read(file.path()).unwrap())).collect();
        Self { objects, keys, scope, root, approvals }
    }
}

/// A store and an index that know nothing yet.
struct Place {
    recorded: &'static Recorded,
    env: indexer::Env,
    folder: tempfile::TempDir,
}

/// All that the index knows, and every file of a bundle but its manifest, whose signature is another each time.
#[derive(Debug, PartialEq, Eq)]
struct Known {
    sessions: Vec<SessionRow>,
    chunks: Vec<ChunkRow>,
    approvals: Vec<ApprovalRow>,
    bundle: BTreeMap<String, Vec<u8>>,
}

impl Place {
    fn new(recorded: &'static Recorded) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let env = indexer::Env {
            store: Arc::new(FileStore::open(folder.path().join("store"), || 0).unwrap()),
            index: Arc::new(RedbIndex::open(&folder.path().join("index.redb")).unwrap()),
            root: recorded.root.clone(),
            approvals: recorded.approvals.clone(),
        };
        Self { recorded, env, folder }
    }

    /// Each delivery stores the object and tells the indexer of it. What has to wait for another object is delivered
    /// again after all others.
    async fn delivered(self, order: impl IntoIterator<Item = usize>) -> Self {
        let mut waiting: VecDeque<usize> = order.into_iter().collect();
        let mut in_vain = 0;
        while let Some(number) = waiting.pop_front() {
            let (key, bytes) = &self.recorded.objects[number];
            self.env.store.put(key, bytes, Retention::none()).await.unwrap();
            match indexer::index(&self.env, key).await {
                Ok(_) => in_vain = 0,
                Err(IndexerError::Later { .. }) if in_vain < waiting.len() => {
                    in_vain += 1;
                    waiting.push_back(number);
                }
                Err(error) => panic!("{error}"),
            }
        }
        self
    }

    async fn known(&self) -> Known {
        let index = &self.env.index;
        let sessions = index.sessions().await.unwrap();
        let mut chunks = Vec::new();
        for session in sessions.iter().map(|row| &row.session) {
            chunks.extend(self.chunks(session).await);
        }
        let approvals = index.approvals(ApprovalState::Any, None, 1000).await.unwrap();
        Known { sessions, chunks, approvals, bundle: self.bundle().await }
    }

    async fn bundle(&self) -> BTreeMap<String, Vec<u8>> {
        let keys = self.folder.path().join("keys");
        std::fs::create_dir_all(&keys).unwrap();
        for (name, bytes) in &self.recorded.keys {
            std::fs::write(keys.join(name), bytes).unwrap();
        }
        let env = bundler::Env {
            store: self.env.store.clone(),
            keys: Arc::new(KeyFiles::open(&keys).unwrap()),
            root: self.recorded.root.clone(),
            tenant: self.recorded.scope.tenant.clone(),
            environment: self.recorded.scope.environment.clone(),
            work: self.folder.path().join("work"),
            retention: Retention::none(),
            now_us: Arc::new(|| MADE_US),
        };
        let id = bundler::bundle(&env, Period { from_us: 0, to_us: MADE_US }).await.unwrap().id;
        let prefix = layout::bundle_prefix(&env.tenant, &env.environment, &id);
        let mut files = BTreeMap::new();
        for key in env.store.list(&prefix).await.unwrap() {
            if !key.ends_with("/manifest.dsse.json") {
                files.insert(key.clone(), env.store.get(&key).await.unwrap().unwrap());
            }
        }
        files
    }

    async fn chunks(&self, session: &SessionId) -> Vec<ChunkRow> {
        self.env.index.chunks(session).await.unwrap()
    }
}

/// The end of 2099: later than anything recorded.
const MADE_US: u64 = 4_102_444_800_000_000;
