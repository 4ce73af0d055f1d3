//! A bundler that dies on its way: what it left is no bundle, or a whole one, and the next run makes the bundle that a run
//! without faults makes.

use std::sync::Arc;

use schemas::bundle::layout::BundleFile;

use super::ALWAYS;
use super::late::{content, holds};
use super::scene::Scene;
use crate::bundler::{Env, bundle};
use crate::steps::{Fault, Stepped, Steps};

/// A bundler whose calls are steps, at this time.
fn stepped(scene: &Scene, seconds: u64) -> (Env, Arc<Steps>) {
    let steps = Arc::new(Steps::default());
    let store = Arc::new(Stepped { seam: scene.env.store.clone(), steps: steps.clone() });
    let keys = Arc::new(Stepped { seam: scene.env.keys.clone(), steps: steps.clone() });
    let now_us = (scene.env.now_us)() + seconds * 1_000_000;
    (Env { store, keys, now_us: Arc::new(move || now_us), ..scene.env.clone() }, steps)
}

/// A bundler takes its time, and many steps are alike: every ninth is let fail, and the last ones.
#[tokio::test]
async fn a_bundler_may_die_at_any_step() {
    let scene = Scene::new().await;
    assert!(scene.seal().await > 0);
    let (env, all) = stepped(&scene, 0);
    let expected = content(&scene.fetch(&bundle(&env, ALWAYS).await.unwrap()).await);
    let last = all.taken();
    assert!(last > 100, "only {last} steps");
    for (seconds, at) in (1..).zip((0..last).step_by(9).chain(last - 2..last)) {
        for fault in Fault::BOTH {
            let place = format!("{fault:?} at {}", all.name(at));
            let before = scene.env.store.list("bundles/").await.unwrap();
            let (env, steps) = stepped(&scene, seconds * 10 + u64::from(fault == Fault::NotDone));
            steps.fail([(at, fault)]);
            assert!(bundle(&env, ALWAYS).await.is_err(), "{place} was not told");
            let left = scene.env.store.list("bundles/").await.unwrap().into_iter().filter(|key| !before.contains(key));
            let is_manifest = |key: &String| key.ends_with(&BundleFile::Manifest.path());
            let is_last = fault == Fault::DoneAndReportedFailed && at + 1 == last;
            assert_eq!(left.filter(is_manifest).count(), usize::from(is_last), "{place}");
        }
        let (env, _) = stepped(&scene, seconds * 10 + 2);
        let again = scene.fetch(&bundle(&env, ALWAYS).await.unwrap()).await;
        assert!(holds(&again, &scene) && content(&again) == expected, "after {}", all.name(at));
    }
}
