//! The table of faults of those who sign a statement and store it: every call fails in both ways, then they are asked
//! again.

use std::sync::Arc;

use schemas::identifiers::SessionId;
use schemas::revocation::RevocationReason;
use schemas::signature::Signer;
use seams::{EvidenceStore, Keys};

use super::*;
use crate::sealer::tests::store::MemoryStore;
use crate::steps::{Fault, Stepped, Steps};
use crate::{golden, revoker, shredder, trust};

/// The golden tree, and who signs over it.
struct Scene {
    store: Arc<dyn EvidenceStore>,
    keys: Arc<dyn Keys>,
    _folder: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = Arc::new(golden::keys(folder.path()));
        Self { store: Arc::new(MemoryStore::of(golden::objects())), keys, _folder: folder }
    }

    fn again(self) -> Self {
        Self { store: Arc::new(MemoryStore::of(golden::objects())), ..self }
    }

    fn env(&self, time_us: u64) -> (Env, Arc<Steps>) {
        let steps = Arc::new(Steps::default());
        let scope = golden::scope();
        let env = Env {
            keys: Arc::new(Stepped { seam: self.keys.clone(), steps: steps.clone() }),
            store: Arc::new(Stepped { seam: self.store.clone(), steps: steps.clone() }),
            tenant: scope.tenant,
            environment: scope.environment,
            retention: Retention::none(),
            now_us: Arc::new(move || time_us),
        };
        (env, steps)
    }

    /// Lets each call fail in each way, then asks again later: `ask` says whether it was answered well, `check` what must
    /// hold after either.
    async fn table(self, ask: impl AsyncFn(&Env) -> bool, check: impl AsyncFn(&dyn EvidenceStore, bool)) {
        let (env, all) = self.env(1);
        assert!(ask(&env).await);
        check(&*self.store, true).await;
        assert!(all.taken() > 3, "only {} steps", all.taken());
        let mut scene = self;
        for at in 0..all.taken() {
            for fault in Fault::BOTH {
                scene = scene.again();
                let (env, steps) = scene.env(1);
                steps.fail([(at, fault)]);
                assert!(!ask(&env).await, "{fault:?} at {} was not told", all.name(at));
                check(&*scene.store, false).await;
                assert!(ask(&scene.env(2).0).await, "{fault:?} at {}", all.name(at));
                check(&*scene.store, true).await;
            }
        }
    }
}

#[tokio::test]
async fn keys_are_certified_once() {
    let ask = async |env: &Env| trust::certify(env).await.is_ok();
    let check = async |store: &dyn EvidenceStore, done: bool| {
        let certified = store.list("trust/").await.unwrap().len();
        assert!(certified == 1 || !done && certified == 0, "{certified} certificates");
    };
    Scene::new().table(ask, check).await;
}

#[tokio::test]
async fn a_key_is_revoked_once() {
    let incarnation = golden::life_key(1).public_key().incarnation();
    let request = || revoker::Request {
        relay: golden::scope().relay,
        incarnation: incarnation.clone(),
        log_size: None,
        reason: RevocationReason::Withdrawn,
    };
    let ask = async |env: &Env| revoker::revoke(env, request()).await.is_ok();
    let check = async |store: &dyn EvidenceStore, done: bool| {
        let revoked = store.list("trust/").await.unwrap().len();
        assert!(revoked == 1 || !done && revoked == 0, "{revoked} revocations");
    };
    Scene::new().table(ask, check).await;
}

#[tokio::test]
async fn no_key_is_destroyed_without_a_word_of_it() {
    let session = SessionId { incarnation: golden::life_key(1).public_key().incarnation(), counter: 1 };
    let ask = async |env: &Env| shredder::shred(env, &session).await.is_ok();
    let check = async |store: &dyn EvidenceStore, done: bool| {
        let wrapped = store.get(&golden::scope().wrapped_key(&session)).await.unwrap().is_some();
        let said = store.get(&golden::scope().shredding(&session)).await.unwrap().is_some();
        assert!(said || wrapped, "destroyed with nobody saying so");
        assert!(!done || said && !wrapped, "said: {said}, and the key is there: {wrapped}");
    };
    Scene::new().table(ask, check).await;
}
