//! A sealer over a store in memory.

mod completeness;
mod damage;
mod evidence;
mod faults;
mod interleaving;
mod late;
mod listings;
pub(crate) mod store;
mod throughput;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use schemas::layout::{LogObjectKind, parse, parse_log};
use schemas::log::{Checkpoint, Edge, Entry, LogOrigin, Precedence, Rank, Tile, TileKind, decode_bundle};
use schemas::signature::PublicKey;
use seams::{KeyFiles, KeyName, Keys, Retention};

use super::{Env, Sealed, SealerError, remember_named, seal};
use evidence::Evidence;
use store::{MemoryStore, Objects};

use crate::steps::{Fault, Stepped, Steps};

/// A relay's evidence, a store, and a sealer's surroundings.
struct Scene {
    _folder: tempfile::TempDir,
    env: Env,
    store: Arc<MemoryStore>,
    evidence: Evidence,
    checkpoints: PublicKey,
}

impl Scene {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = Arc::new(KeyFiles::open_or_create(folder.path()).unwrap());
        let store = Arc::new(MemoryStore::default());
        let evidence = Evidence::new(keys.clone());
        let checkpoints = keys.public_key(KeyName::Checkpoints).await.unwrap();
        let env = Env {
            store: store.clone(),
            keys,
            tenant: evidence.scope.tenant.clone(),
            environment: evidence.scope.environment.clone(),
            retention: Retention::days(2192),
            batch: Env::BATCH,
            now_us: Arc::new(|| 100),
        };
        Self { _folder: folder, env, store, evidence, checkpoints }
    }

    fn origin(&self) -> LogOrigin {
        LogOrigin::of(&self.env.tenant, &self.env.environment)
    }

    async fn seal(&self) -> Result<Sealed, SealerError> {
        seal(&self.env).await
    }

    /// Another sealer over the same store and keys, each of whose calls is a step.
    fn stepped(&self) -> (Env, Arc<Steps>) {
        let steps = Arc::new(Steps::default());
        let store = Arc::new(Stepped { seam: self.env.store.clone(), steps: steps.clone() });
        let keys = Arc::new(Stepped { seam: self.env.keys.clone(), steps: steps.clone() });
        (Env { store, keys, ..self.env.clone() }, steps)
    }

    /// Asserts that the log is whole: every statement is in it once and in order, every checkpoint is of it, every
    /// tile stands where it belongs; gives its size.
    fn check(&self) -> u64 {
        let objects = self.store.objects();
        let origin = self.origin();
        let mut checkpoints = BTreeMap::new();
        for (key, (bytes, _)) in &objects {
            if let Some(LogObjectKind::Checkpoint(number)) = parse_log(key).map(|object| object.kind) {
                let checkpoint = Checkpoint::open(bytes, &origin, &self.checkpoints).unwrap();
                checkpoints.insert(number, checkpoint);
            }
        }
        assert!(checkpoints.keys().copied().eq(1..=checkpoints.len() as u64), "{:?}", checkpoints.keys());
        assert!(checkpoints.values().is_sorted_by(|a, b| a.size < b.size), "{checkpoints:?}");
        let size = checkpoints.last_key_value().map_or(0, |(_, newest)| newest.size);
        let (mut edge, mut places, mut order) = (Edge::default(), BTreeMap::new(), Precedence::default());
        for entry in self.entries(size) {
            let object = Entry::from_slice(&entry).unwrap().place().unwrap().object;
            assert!(!order.is_followed(&object), "{} comes too late", object.key());
            order.insert(&object);
            assert!(places.insert(object.key(), ()).is_none(), "{} is there twice", object.key());
            for (tile, bytes) in edge.push(entry).unwrap() {
                assert_eq!(objects[&origin.tile(&tile)], (bytes, 2192), "{tile}");
            }
            for checkpoint in checkpoints.values().filter(|checkpoint| checkpoint.size == edge.size()) {
                assert_eq!(checkpoint.root, edge.root(), "size {}", edge.size());
            }
        }
        for (tile, bytes) in edge.partial().unwrap() {
            assert_eq!(objects[&origin.tile(&tile)], (bytes, 0), "{tile}");
        }
        let is_statement = |key: &&String| parse(key).is_some_and(|object| Rank::of(&object.kind).is_some());
        let stored = objects.keys().filter(is_statement);
        assert!(stored.eq(places.keys()), "every statement is in the log");
        size
    }

    fn entries(&self, size: u64) -> Vec<Vec<u8>> {
        let partial = Tile::partial(size).into_iter().filter(|tile| tile.kind == TileKind::Entries);
        let bundles = (0..size >> 8).map(Tile::entries).chain(partial);
        let read = |tile: Tile| decode_bundle(&self.store.objects()[&self.origin().tile(&tile)].0, tile.width).unwrap();
        bundles.flat_map(read).collect()
    }
}

/// A log of 254 entries, and five statements that wait: the next checkpoint fills tiles.
async fn before_tiles_get_full() -> (Scene, Objects) {
    let mut scene = Scene::new().await;
    let life = scene.evidence.life(64);
    life.store(&scene.store, 0..254);
    scene.seal().await.unwrap();
    life.store(&scene.store, 254..259);
    let objects = scene.store.objects();
    (scene, objects)
}

#[tokio::test]
async fn everything_stored_is_appended_once_and_in_order() {
    let mut scene = Scene::new().await;
    assert_eq!(scene.seal().await.unwrap(), Sealed::default());
    scene.evidence.life(3).store_all(&scene.store);
    let sealed = scene.seal().await.unwrap();
    assert_eq!((sealed.entries, sealed.checkpoints, scene.check()), (2 + 3 * 4 + 1, 1, 15));
    assert_eq!(sealed.newest.unwrap().size, 15);
    let again = scene.seal().await.unwrap();
    assert_eq!((again.entries, again.checkpoints, again.newest.unwrap().size), (0, 0, 15));
    scene.evidence.life(2).store_all(&scene.store);
    assert_eq!((scene.seal().await.unwrap().entries, scene.check()), (2 + 2 * 4 + 1, 26));
}

#[tokio::test]
async fn a_session_is_appended_as_it_grows() {
    let mut scene = Scene::new().await;
    let life = scene.evidence.life(4);
    for (count, object) in life.objects.iter().enumerate() {
        scene.store.insert(object);
        assert_eq!(scene.seal().await.unwrap().entries, 1, "{}", object.0);
        assert_eq!(scene.check(), count as u64 + 1);
    }
}

#[tokio::test]
async fn a_backlog_is_appended_in_batches() {
    let mut scene = Scene::new().await;
    scene.evidence.life(150).store_all(&scene.store);
    scene.env.batch = 100;
    let sealed = scene.seal().await.unwrap();
    assert_eq!((sealed.entries, sealed.checkpoints, scene.check()), (603, 7, 603));
    let objects = scene.store.objects();
    let of = |folder: &str| {
        objects.keys().filter(|key| key.starts_with(&format!("{}{folder}", scene.origin().prefix()))).count()
    };
    assert_eq!((of("state/"), of("staging/")), (1, 0), "old ones are gone");
    assert_eq!(of("tile/0/000.p/") + of("tile/entries/000.p/") + of("tile/entries/001.p/"), 0, "of full tiles too");
}

#[tokio::test]
async fn a_state_that_is_gone_or_another_is_made_again() {
    let mut scene = Scene::new().await;
    scene.env.batch = 50;
    let life = scene.evidence.life(80);
    life.store(&scene.store, 0..300);
    scene.seal().await.unwrap();
    let states = |scene: &Scene| {
        let objects = scene.store.objects();
        objects.into_iter().filter(|(key, _)| key.starts_with(&scene.origin().states())).collect::<Vec<_>>()
    };
    let before = states(&scene);
    for spoil in [true, false] {
        let key = &before[0].0;
        if spoil {
            scene.store.overwrite(key, b"{}")
        } else {
            scene.store.remove(key)
        }
        assert_eq!(scene.seal().await.unwrap().entries, 0);
        assert_eq!(scene.check(), 300);
    }
    life.store(&scene.store, 300..323);
    scene.seal().await.unwrap();
    assert_eq!(scene.check(), 323);
    assert_eq!(states(&scene).len(), 1);
}

#[tokio::test]
async fn what_no_certified_relay_signed_is_not_appended() {
    let mut scene = Scene::new().await;
    let life = scene.evidence.life(2);
    life.store(&scene.store, 0..3);
    let rogue = Evidence::stranger(&scene.evidence).life(1);
    rogue.store_all(&scene.store);
    let (open, elsewhere) = (&life.objects[2], &life.objects[6].0);
    scene.store.insert(&(elsewhere.clone(), open.1.clone()));
    let chunk = life.objects[3].0.clone();
    scene.store.insert(&(chunk.clone(), b"no chunk".to_vec()));
    let sealed = scene.seal().await.unwrap();
    assert_eq!(sealed.entries, 3);
    assert!(sealed.rejected.contains(elsewhere) && sealed.rejected.contains(&chunk));
    assert!(rogue.objects.iter().all(|(key, _)| sealed.rejected.contains(key)), "{:?}", sealed.rejected);
    assert_eq!(scene.seal().await.unwrap().entries, 0);
}

/// What is wrong stays so: an alarm that every run raises is none.
#[tokio::test]
async fn what_was_named_is_not_named_again_until_the_sealer_forgot_it() {
    let mut scene = Scene::new().await;
    let life = scene.evidence.life(2);
    life.store(&scene.store, 0..3);
    let rogue = |scene: &Scene| Evidence::stranger(&scene.evidence).life(1).objects.remove(0);
    let first = rogue(&scene);
    scene.store.insert(&first);
    let named = |keys: &[&(String, Vec<u8>)]| keys.iter().map(|(key, _)| key.clone()).collect::<BTreeSet<_>>();
    let sealed = scene.seal().await.unwrap();
    assert_eq!(sealed.rejected, named(&[&first]));
    assert_eq!(scene.seal().await.unwrap().rejected, sealed.rejected, "who was to be told may not have been");
    for _ in 0..2 {
        remember_named(&scene.env, &sealed.rejected).await.unwrap();
        assert!(scene.seal().await.unwrap().rejected.is_empty());
    }

    let second = rogue(&scene);
    scene.store.insert(&second);
    life.store(&scene.store, 3..5);
    let sealed = scene.seal().await.unwrap();
    assert_eq!((sealed.entries, sealed.rejected), (2, named(&[&second])), "a later checkpoint remembers");
    let state = scene.store.objects().into_keys().find(|key| key.starts_with(&scene.origin().states())).unwrap();
    scene.store.remove(&state);
    assert_eq!(scene.seal().await.unwrap().rejected, named(&[&first, &second]));
}

/// One sealer dies at any step, and one that ran beside it then remembers what it named.
#[tokio::test]
async fn what_another_sealer_remembers_keeps_nobody_from_publishing() {
    let mut scene = Scene::new().await;
    let life = scene.evidence.life(2);
    life.store(&scene.store, 0..3);
    scene.store.insert(&Evidence::stranger(&scene.evidence).life(1).objects[0]);
    let named = scene.seal().await.unwrap().rejected;
    life.store(&scene.store, 3..5);
    let before = scene.store.objects();
    let (env, steps) = scene.stepped();
    seal(&env).await.unwrap();
    for at in 0..steps.taken() {
        for fault in Fault::BOTH {
            scene.store.reset(&before);
            steps.fail([(at, fault)]);
            let _died = seal(&env).await;
            let place = format!("{fault:?}: {}", steps.name(at));
            // Not where tiles are missing, which the next run puts.
            let _maybe = remember_named(&scene.env, &named).await;
            let sealed = scene.seal().await.unwrap_or_else(|error| panic!("{place}: {error}"));
            assert_eq!(sealed.newest.unwrap().size, 5, "{place}");
        }
    }
}

#[tokio::test]
async fn what_was_named_and_comes_right_is_appended() {
    let mut scene = Scene::new().await;
    let life = scene.evidence.life(1);
    life.store(&scene.store, 0..3);
    let (chunk, _) = &life.objects[3];
    scene.store.insert(&(chunk.clone(), b"no chunk".to_vec()));
    let sealed = scene.seal().await.unwrap();
    remember_named(&scene.env, &sealed.rejected).await.unwrap();
    scene.store.overwrite(chunk, &life.objects[3].1);
    let sealed = scene.seal().await.unwrap();
    assert_eq!((sealed.entries, sealed.rejected.len()), (1, 0));
}
