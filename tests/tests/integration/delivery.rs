//! Notifications of stored objects come twice and in any order, as queues deliver them: what is made of them ends the
//! same.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use functions::indexer::{self, IndexerError};
use proptest::prelude::*;
use schemas::identifiers::SessionId;
use schemas::signature::PublicKey;
use seams::{
    ApprovalRow, ApprovalState, ChunkRow, EvidenceStore, FileStore, KeyFiles, KeyName, Keys, RedbIndex, Retention,
    SessionRow,
};

use crate::harness::Relay;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(8) })]

    #[test]
    fn every_object_delivered_twice_in_any_order_gives_the_same_index(order in deliveries()) {
        let recorded = Recorded::shared();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let expected = Place::new(recorded).delivered(0..recorded.objects.len()).await.known().await;
            assert!(expected.sessions.len() >= 4 && expected.chunks.len() >= 4, "the deliveries say something");
            assert_eq!(Place::new(recorded).delivered(order).await.known().await, expected);
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
        relay.kill();
        relay.start();
        relay.psql("carol", &["SELECT name FROM clinic.patients ORDER BY id LIMIT 3"]).ok();
        relay.stop();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(Self::read(&relay.evidence(), &relay.keys()))
    }

    async fn read(evidence: &Path, keys: &Path) -> Self {
        let keys = KeyFiles::open(keys).unwrap();
        let store = FileStore::for_reading(evidence);
        let mut objects = Vec::new();
        for key in store.list("").await.unwrap() {
            let bytes = store.get(&key).await.unwrap().unwrap();
            objects.push((key, bytes));
        }
        let root = keys.public_key(KeyName::Certificates).await.unwrap();
        Self { objects, root, approvals: keys.public_key(KeyName::Approvals).await.unwrap() }
    }
}

/// A store and an index that know nothing yet.
struct Place {
    recorded: &'static Recorded,
    env: indexer::Env,
    _folder: tempfile::TempDir,
}

/// All that an index knows.
#[derive(Debug, PartialEq, Eq)]
struct Known {
    sessions: Vec<SessionRow>,
    chunks: Vec<ChunkRow>,
    approvals: Vec<ApprovalRow>,
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
        Self { recorded, env, _folder: folder }
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
        Known { sessions, chunks, approvals }
    }

    async fn chunks(&self, session: &SessionId) -> Vec<ChunkRow> {
        self.env.index.chunks(session).await.unwrap()
    }
}
