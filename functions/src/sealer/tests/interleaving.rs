//! Two sealers at once, each stopped at a step while the other goes on: whatever comes between, there is one log.

use super::{Scene, before_tiles_get_full, seal};
use crate::sealer::{Sealed, SealerError};
use crate::steps::{Steps, weave};

/// Nothing that two sealers do to each other is damage; that the other was always faster is an end like another.
fn assert_harmless(sealed: &Result<Sealed, SealerError>, place: &str) {
    assert!(matches!(sealed, Ok(_) | Err(SealerError::Contended(_))), "{place}: {sealed:?}");
}

/// One stops at a step, the other stops at one, the first goes on, the second goes on.
#[tokio::test]
async fn two_sealers_at_once_make_one_log_whatever_they_do_between_each_others_steps() {
    let (scene, before) = before_tiles_get_full().await;
    let (one, one_steps) = scene.stepped();
    let (other, other_steps) = scene.stepped();
    let all = steps_of(&scene, &one_steps, seal(&one)).await;
    let stops: Vec<usize> = one_steps.changes().into_iter().chain([0, usize::MAX]).collect();
    for at in 0..all {
        for other_at in &stops {
            scene.store.reset(&before);
            let first = (&*one_steps, at, seal(&one));
            let (a, b) = weave(first, (&*other_steps, *other_at, seal(&other))).await;
            let place = format!("at {}, {}", one_steps.name(at), other_steps.name(*other_at));
            assert_harmless(&a, &place);
            assert_harmless(&b, &place);
            scene.seal().await.unwrap();
            assert_eq!(scene.check(), 259, "{place}");
        }
    }
}

/// What each wants to append is another: one stops, relays store more, the other appends all of it, the first goes on.
#[tokio::test]
async fn a_sealer_that_stopped_while_the_log_grew_appends_nothing_twice() {
    let (mut scene, mut before) = before_tiles_get_full().await;
    let lives = [scene.evidence.life(1), scene.evidence.life(0)];
    let (one, one_steps) = scene.stepped();
    let (other, other_steps) = scene.stepped();
    let all = steps_of(&scene, &one_steps, seal(&one)).await;
    for dead_between in [false, true] {
        for at in 0..all {
            scene.store.reset(&before);
            let meanwhile = async {
                for life in &lives {
                    life.store_all(&scene.store);
                    seal(&other).await.unwrap();
                }
            };
            let (a, ()) = weave((&one_steps, at, seal(&one)), (&other_steps, usize::MAX, meanwhile)).await;
            let place = format!("at {}", one_steps.name(at));
            assert_harmless(&a, &place);
            scene.seal().await.unwrap();
            assert_eq!(scene.check(), 259 + 7 + 3, "{place}");
        }
        if !dead_between {
            // Once more, over what a sealer left that died before it published.
            scene.store.reset(&before);
            one_steps.fail([(published_at(&scene, &one_steps, seal(&one)).await, crate::steps::Fault::NotDone)]);
            scene.store.reset(&before);
            assert!(seal(&one).await.is_err());
            before = scene.store.objects();
        }
    }
}

async fn steps_of(scene: &Scene, steps: &Steps, run: impl Future<Output = Result<Sealed, SealerError>>) -> usize {
    let before = scene.store.objects();
    steps.count();
    run.await.unwrap();
    scene.store.reset(&before);
    steps.taken()
}

/// The first step after the checkpoint is written.
async fn published_at(scene: &Scene, steps: &Steps, run: impl Future<Output = Result<Sealed, SealerError>>) -> usize {
    let all = steps_of(scene, steps, run).await;
    let checkpoint = format!("put {}checkpoint/", scene.origin().prefix());
    (0..all).find(|step| steps.name(*step).starts_with(&checkpoint)).unwrap() + 1
}
