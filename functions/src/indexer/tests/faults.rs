//! The table of faults: every call that indexing makes, failing in both ways. Whatever fails, a start afterwards indexes
//! everything once, and the index is the one that a run without faults makes.

use std::error::Error;
use std::sync::Arc;

use schemas::layout::{APPROVALS_PREFIX, EVIDENCE_PREFIX};
use seams::{ApprovalRow, ApprovalState, ChunkRow, EvidenceStore, Index, KeyName, Keys, RedbIndex, SessionRow};

use crate::golden;
use crate::indexer::{Env, index};
use crate::sealer::tests::store::MemoryStore;
use crate::steps::{Fault, Stepped, Steps, weave};

/// The golden tree in a store.
struct Scene {
    store: Arc<dyn EvidenceStore>,
    keys: Arc<dyn Keys>,
    _folder: tempfile::TempDir,
}

/// All that an index knows.
#[derive(Debug, PartialEq, Eq)]
struct Known(Vec<SessionRow>, Vec<ChunkRow>, Vec<ApprovalRow>, Vec<ApprovalRow>);

impl Scene {
    fn new() -> Self {
        Self::with(|_| true)
    }

    /// The session with an approval, and who signed.
    fn with_one_session() -> Self {
        let session = "9f05b38685d760d161390dfc433d35e1/sessions/0000000002/";
        let request = "approvals/";
        Self::with(|key| key.contains(session) || key.starts_with(request) || key.ends_with("certificate.json"))
    }

    fn with(part: impl Fn(&str) -> bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = Arc::new(golden::keys(folder.path()));
        let mut objects = golden::objects();
        objects.retain(|key, _| part(key));
        Self { store: Arc::new(MemoryStore::of(objects)), keys, _folder: folder }
    }

    /// An indexer over this index, each of whose calls is a step.
    async fn indexer(&self, index: &Arc<dyn Index>) -> (Env, Arc<Steps>) {
        let steps = Arc::new(Steps::default());
        let env = Env {
            store: Arc::new(Stepped { seam: self.store.clone(), steps: steps.clone() }),
            index: Arc::new(Stepped { seam: index.clone(), steps: steps.clone() }),
            root: self.keys.public_key(KeyName::Certificates).await.unwrap(),
            approvals: self.keys.public_key(KeyName::Approvals).await.unwrap(),
        };
        (env, steps)
    }

    /// What a run without faults makes, and how many steps it takes.
    async fn expected(&self) -> (Known, Arc<Steps>) {
        let index = empty();
        let (env, steps) = self.indexer(&index).await;
        start(&env).await.unwrap();
        let expected = known(&*index).await;
        assert_eq!(expected.2.len(), 1);
        (expected, steps)
    }
}

fn empty() -> Arc<dyn Index> {
    Arc::new(RedbIndex::in_memory().unwrap())
}

/// What a start does: it indexes everything that is stored. The first thing that fails is a death.
async fn start(env: &Env) -> Result<(), Box<dyn Error>> {
    for prefix in [EVIDENCE_PREFIX, APPROVALS_PREFIX] {
        for key in env.store.list(prefix).await? {
            index(env, &key).await?;
        }
    }
    Ok(())
}

async fn known(index: &dyn Index) -> Known {
    let sessions = index.sessions().await.unwrap();
    let mut chunks = Vec::new();
    for row in &sessions {
        chunks.extend(index.chunks(&row.session).await.unwrap());
    }
    let approvals = async |state| index.approvals(state, None, 100).await.unwrap();
    Known(sessions, chunks, approvals(ApprovalState::Any).await, approvals(ApprovalState::Pending).await)
}

#[tokio::test]
async fn an_indexer_may_die_at_any_step() {
    let scene = Scene::new();
    let (expected, all) = scene.expected().await;
    for at in 0..all.taken() {
        for fault in Fault::BOTH {
            let index = empty();
            let (env, steps) = scene.indexer(&index).await;
            steps.fail([(at, fault)]);
            assert!(start(&env).await.is_err(), "{fault:?} at {} was not told", all.name(at));
            steps.count();
            start(&env).await.unwrap();
            assert_eq!(known(&*index).await, expected, "{fault:?} at {}", all.name(at));
        }
    }
}

#[tokio::test]
async fn an_indexer_may_die_again_after_it_died() {
    let scene = Scene::with_one_session();
    let (expected, all) = scene.expected().await;
    let pairs = (0..all.taken()).flat_map(|at| (at % 3..all.taken()).step_by(3).map(move |again| (at, again)));
    for (at, again) in pairs {
        let index = empty();
        let (env, steps) = scene.indexer(&index).await;
        for (at, fault) in [(at, Fault::DoneAndReportedFailed), (again, Fault::BOTH[at % 2])] {
            steps.fail([(at, fault)]);
            assert!(start(&env).await.is_err());
        }
        steps.count();
        start(&env).await.unwrap();
        assert_eq!(known(&*index).await, expected, "{} and {}", all.name(at), all.name(again));
    }
}

/// One stops at a step, the other stops at one, the first goes on, the second goes on.
#[tokio::test]
async fn two_indexers_at_once_make_one_index_whatever_they_do_between_each_others_steps() {
    let scene = Scene::with_one_session();
    let (expected, all) = scene.expected().await;
    for at in 0..all.taken() {
        for other_at in (at % 3..all.taken()).step_by(3).chain([usize::MAX]) {
            let index = empty();
            let (one, one_steps) = scene.indexer(&index).await;
            let (other, other_steps) = scene.indexer(&index).await;
            let (a, b) = weave((&one_steps, at, start(&one)), (&other_steps, other_at, start(&other))).await;
            let place = format!("{}, {}", all.name(at), all.name(other_at));
            assert!(a.is_ok() && b.is_ok(), "{place}: {a:?} {b:?}");
            assert_eq!(known(&*index).await, expected, "{place}");
        }
    }
}
