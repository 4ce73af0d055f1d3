//! The table of faults: every call that sealing makes to store and keys, failing in both ways. Whatever fails, the log is
//! in the end the one that a run without faults makes.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use schemas::layout::{LogObjectKind, parse_log};
use schemas::log::Checkpoint;
use schemas::revocation::ABANDONED_AFTER_US;
use schemas::rule::Rule;
use schemas::signature::P256Key;

use super::completeness::{life, of_log, revoke};
use super::store::Objects;
use super::{Env, Scene, before_tiles_get_full, seal};
use crate::sealer::SealerError;
use crate::steps::{Fault, Steps};

/// A log's objects without its signatures, which are random.
type Tree = BTreeMap<String, (Vec<u8>, u32)>;

/// What is stored before the faults, and what is stored after them: then whatever was left behind is removed.
struct Case {
    scene: Scene,
    before: Objects,
    last: (String, Vec<u8>),
    /// Whether runs sign nothing that is appended itself: then each run appends the same in the same order.
    exact: bool,
}

/// What a run without faults makes, and the steps that it takes before the last thing is stored.
struct Expected {
    tree: Tree,
    size: u64,
    rules: Vec<Rule>,
    steps: Arc<Steps>,
}

impl Case {
    fn new(scene: Scene, last: (String, Vec<u8>), exact: bool) -> Self {
        Self { before: scene.store.objects(), scene, last, exact }
    }

    async fn expected(&self) -> Expected {
        self.scene.store.reset(&self.before);
        let (env, steps) = self.scene.stepped();
        to_the_end(&env).await.unwrap();
        let tree = self.ended().await;
        Expected { tree, size: self.scene.check(), rules: of_log(&self.scene).await.1, steps }
    }

    /// The log is whole, and the one that was expected.
    fn assert_same(&self, found: &Tree, expected: &Expected, place: &str) {
        assert_eq!(self.scene.check(), expected.size, "{place}");
        if self.exact {
            assert_same(found, &expected.tree, place);
        }
    }

    /// Runs again and again, each run failing as it is told; then to the end.
    async fn fail(&self, faults: &[(usize, Fault)]) -> Tree {
        self.scene.store.reset(&self.before);
        let (env, steps) = self.scene.stepped();
        for fault in faults {
            steps.fail([*fault]);
            let _died_or_not = to_the_end(&env).await;
        }
        self.ended().await
    }

    async fn ended(&self) -> Tree {
        to_the_end(&self.scene.env).await.unwrap();
        self.scene.store.insert(&self.last);
        to_the_end(&self.scene.env).await.unwrap();
        tree(&self.scene.store.objects())
    }
}

/// Until nothing waits. What a run signs of an abandoned life, the next one appends.
async fn to_the_end(env: &Env) -> Result<(), SealerError> {
    let mut idle = 0;
    while idle < 2 {
        idle = if seal(env).await?.entries == 0 { idle + 1 } else { 0 };
    }
    Ok(())
}

fn tree(objects: &Objects) -> Tree {
    let unsigned = |key: &str, bytes: &[u8]| match parse_log(key)?.kind {
        LogObjectKind::Checkpoint(_) => Some(Checkpoint::read_unverified(bytes).unwrap().text().into_bytes()),
        _ => Some(bytes.to_vec()),
    };
    let part = |(key, (bytes, days)): (&String, &(Vec<u8>, u32))| Some((key.clone(), (unsigned(key, bytes)?, *days)));
    objects.iter().filter_map(part).collect()
}

/// The only thing that a death may leave for ever are partial tiles of a tile that is full now: copies of its beginning.
fn assert_same(found: &Tree, expected: &Tree, place: &str) {
    for (key, object) in expected {
        assert!(found.get(key) == Some(object), "{key}: {place}");
    }
    for key in found.keys().filter(|key| !expected.contains_key(*key)) {
        let Some(LogObjectKind::Tile(tile)) = parse_log(key).map(|object| object.kind) else {
            panic!("{key}: {place}")
        };
        assert!(!tile.is_full(), "{key}: {place}");
    }
}

/// A relay that retired, one that never did, a key that was revoked: everything that a sealer does, from no log on.
async fn everything() -> Case {
    let mut scene = Scene::new().await;
    scene.env.batch = 7;
    scene.env.now_us = Arc::new(|| 100 + ABANDONED_AFTER_US);
    let (retired, silent, other) =
        (P256Key::generate().unwrap(), P256Key::generate().unwrap(), P256Key::generate().unwrap());
    life(&scene, &retired, 1, true).iter().for_each(|object| scene.store.insert(object));
    life(&scene, &silent, 1, false).iter().for_each(|object| scene.store.insert(object));
    revoke(&scene, &silent, 0).await;
    let mut later = Vec::new();
    scene.evidence.begin(&other, &mut later);
    Case::new(scene, later.swap_remove(0), false)
}

async fn full_tiles() -> Case {
    let (mut scene, _) = before_tiles_get_full().await;
    let last = scene.evidence.life(0).objects.swap_remove(0);
    Case::new(scene, last, true)
}

#[tokio::test]
async fn a_sealer_may_die_at_any_step() {
    for (case, least) in [(everything().await, 120), (full_tiles().await, 40)] {
        let expected = case.expected().await;
        let all = &expected.steps;
        assert!(all.taken() > least, "only {} steps", all.taken());
        for at in 0..all.taken() {
            for fault in Fault::BOTH {
                let found = case.fail(&[(at, fault)]).await;
                case.assert_same(&found, &expected, &format!("{fault:?} at {}", all.name(at)));
            }
            // What `check` looks at is what the verifier does; it is asked once for each step.
            assert_eq!(of_log(&case.scene).await.1, expected.rules, "{}", all.name(at));
        }
    }
}

#[tokio::test]
async fn a_sealer_may_die_again_after_it_died() {
    let case = full_tiles().await;
    let expected = case.expected().await;
    let changes = expected.steps.changes();
    assert!(changes.len() >= 12, "{} changes", changes.len());
    for at in changes {
        for (again, first) in (at % 2..expected.steps.taken()).step_by(2).zip(Fault::BOTH.into_iter().cycle()) {
            let faults = [(at, first), (again, Fault::DoneAndReportedFailed)];
            let place = format!("{faults:?} at {} and after that", expected.steps.name(at));
            assert_same(&case.fail(&faults).await, &expected.tree, &place);
        }
    }
}

#[tokio::test]
async fn a_sealer_may_die_again_and_again() {
    let case = everything().await;
    let expected = case.expected().await;
    let faults: Vec<_> = (0..60).map(|at| (3 + at * 7 % 40, Fault::BOTH[at % 2])).collect();
    let found = case.fail(&faults).await;
    case.assert_same(&found, &expected, "sixty deaths");
    assert_eq!(of_log(&case.scene).await.1, expected.rules);
}

#[tokio::test]
async fn a_clock_that_jumps_back_makes_nobody_abandoned_and_changes_no_entry() {
    let case = everything().await;
    let expected = case.expected().await;
    case.scene.store.reset(&case.before);
    let at = |now_us: u64| Env { now_us: Arc::new(move || now_us), ..case.scene.env.clone() };
    for now_us in [99 + ABANDONED_AFTER_US, 50, 0] {
        to_the_end(&at(now_us)).await.unwrap();
        assert!(!case.scene.store.objects().keys().any(|key| key.ends_with("abandoned.json")), "{now_us}");
    }
    seal(&at(100 + ABANDONED_AFTER_US)).await.unwrap();
    for now_us in [50, 0] {
        to_the_end(&at(now_us)).await.unwrap();
    }
    case.ended().await;
    assert_eq!(case.scene.check(), expected.size);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Relays store in order while the sealers list; each sealer runs several times.
    #[test]
    fn several_sealers_at_once_make_one_log(
        pauses in prop::collection::vec(0u8..6, 1..40), batch in 5usize..80, sealers in 2usize..4,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut scene = Scene::new().await;
            scene.env.batch = batch;
            let lives = [scene.evidence.life(12), scene.evidence.life(7)];
            scene.store.pause(pauses);
            let mut tasks = tokio::task::JoinSet::new();
            for life in lives {
                let store = scene.store.clone();
                tasks.spawn(async move {
                    for object in &life.objects {
                        store.insert(object);
                        tokio::task::yield_now().await;
                    }
                });
            }
            for _ in 0..sealers {
                let env = scene.env.clone();
                tasks.spawn(async move {
                    for _ in 0..4 {
                        // Contended is an end like another.
                        let _ = seal(&env).await;
                    }
                });
            }
            while let Some(ended) = tasks.join_next().await {
                ended.unwrap();
            }
            scene.seal().await.unwrap();
            assert_eq!(scene.check(), 12 * 4 + 3 + 7 * 4 + 3);
        });
    }
}
