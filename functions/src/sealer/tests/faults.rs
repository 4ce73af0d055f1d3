//! Crashes at every step, and several sealers at once.

use proptest::prelude::*;

use super::store::Fault;
use super::{Scene, seal};

/// Rule 26 of the style: every fault twice, not done and done but reported as failed.
#[tokio::test]
async fn a_sealer_may_die_at_any_put_or_deletion() {
    for persists in [false, true] {
        for at in 0.. {
            let mut scene = Scene::new().await;
            scene.env.batch = 150;
            let life = scene.evidence.life(90);
            life.store(&scene.store, 0..140);
            scene.seal().await.unwrap();
            // The second run fills tiles, so that partial ones are deleted, and makes two checkpoints.
            life.store(&scene.store, 140..363);
            scene.store.fail(Some(Fault { at, persists }));
            let died = scene.seal().await.is_err();
            scene.store.fail(None);
            scene.seal().await.unwrap();
            assert_eq!(scene.check(), 363, "{at} {persists}");
            if !died {
                assert!(at > 15, "only {at} puts and deletions");
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_sealer_may_die_again_and_again() {
    let mut scene = Scene::new().await;
    scene.env.batch = 40;
    scene.evidence.life(90).store_all(&scene.store);
    for at in [0, 1, 2, 3, 4, 5, 1, 2, 3, 6, 7, 8, 9, 2, 1] {
        scene.store.fail(Some(Fault { at, persists: at % 2 == 0 }));
        let _ = scene.seal().await;
    }
    scene.store.fail(None);
    scene.seal().await.unwrap();
    assert_eq!(scene.check(), 363);
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
