//! Every call that drawing makes, failing in both ways, and what another one does between them.

use std::sync::Arc;

use async_trait::async_trait;
use seams::{EvidenceStore, Index, Lake, StoreError};

use super::{Env, Files, MemoryLake, Scene, follow, golden, key_of, objects, recovered, whole};
use crate::steps::{Fault, Stepped, Steps, weave};

/// A lake, each of whose calls is a step of another seam's.
struct SteppedLake {
    lake: Arc<MemoryLake>,
    steps: Arc<Steps>,
}

#[async_trait]
impl Lake for SteppedLake {
    async fn put(&self, key: &str, bytes: Vec<u8>) -> Result<(), StoreError> {
        self.steps.step("draw", key, self.lake.put(key, bytes)).await
    }
}

fn stepped(scene: &Scene) -> (Env, Arc<Steps>) {
    let steps = Arc::new(Steps::default());
    let env = scene.env();
    let (store, index): (Arc<dyn EvidenceStore>, Arc<dyn Index>) = (env.store, env.index);
    let env = Env {
        store: Arc::new(Stepped { seam: store, steps: steps.clone() }),
        index: Arc::new(Stepped { seam: index, steps: steps.clone() }),
        lake: Arc::new(SteppedLake { lake: scene.lake.clone(), steps: steps.clone() }),
        ..env
    };
    (env, steps)
}

#[tokio::test]
async fn a_fault_at_any_step_is_told_and_the_next_attempt_draws_the_same() {
    let scene = Scene::new().await;
    scene.all_told(&objects()).await;
    let expected = scene.files();
    for session in [whole(), recovered()] {
        let close = golden::scope().session_close(&session);
        let (env, steps) = stepped(&scene);
        steps.count();
        follow(&env, &close).await.unwrap();
        let taken = steps.taken();
        assert!(taken > 8, "{taken}");
        for at in 0..taken {
            for fault in Fault::BOTH {
                scene.lake.0.lock().unwrap().retain(|key, _| !key.contains(&session.to_string()));
                steps.fail([(at, fault)]);
                assert!(follow(&env, &close).await.is_err(), "{fault:?} at {} was not told", steps.name(at));
                steps.count();
                follow(&env, &close).await.unwrap();
                assert!(scene.files() == expected, "{fault:?} at step {at}");
            }
        }
    }
}

/// One draws what was given up as far as it came; meanwhile the rest comes, and another one draws all of it.
#[tokio::test]
async fn older_files_never_stay_over_newer_ones() {
    let all = objects();
    let is_end =
        |key: &String| ["chunk-00000002.zst", "close.json"].iter().any(|end| *key == key_of(&recovered(), end));
    let (end, begun): (Files, Files) = all.clone().into_iter().partition(|(key, _)| is_end(key));
    assert_eq!(end.len(), 2);
    let whole = Scene::new().await;
    whole.all_told(&all).await;
    let abandoned = golden::scope().abandoned(&recovered().incarnation);
    let steps_of = async |scene: &Scene| {
        let (env, steps) = stepped(scene);
        follow(&env, &abandoned).await.unwrap();
        steps.taken()
    };
    let scene = Scene::new().await;
    scene.all_told(&begun).await;
    let taken = steps_of(&scene).await;
    for at in 0..taken {
        for other_at in [0, 3, 9, usize::MAX] {
            let scene = Scene::new().await;
            scene.all_told(&begun).await;
            let ((one, one_steps), (other, other_steps)) = (stepped(&scene), stepped(&scene));
            let closing = async {
                scene.put(&end).await;
                for key in end.keys() {
                    scene.index_only(key).await;
                    follow(&other, key).await.unwrap();
                }
            };
            let (drawn, ()) =
                weave((&one_steps, at, follow(&one, &abandoned)), (&other_steps, other_at, closing)).await;
            drawn.unwrap();
            assert!(scene.files() == whole.files(), "at {at}, {other_at}");
        }
    }
}
