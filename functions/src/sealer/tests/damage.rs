//! A log that somebody changed is not appended to.

use schemas::log::{Checkpoint, Tile};
use schemas::signature::P256Key;

use super::{Scene, SealerError};

async fn sealed() -> Scene {
    let mut scene = Scene::new().await;
    scene.env.batch = 100;
    let life = scene.evidence.life(70);
    life.store(&scene.store, 0..280);
    scene.seal().await.unwrap();
    life.store(&scene.store, 280..283);
    scene
}

async fn refused(scene: &Scene) -> String {
    let before = scene.store.objects();
    let Err(SealerError::Damaged { key, problem }) = scene.seal().await else { panic!("it was appended to") };
    assert_eq!(scene.store.objects(), before, "nothing was written");
    format!("{key}: {problem}")
}

#[tokio::test]
async fn a_log_that_lost_a_checkpoint_is_not_rolled_back() {
    let scene = sealed().await;
    let lost = scene.origin().checkpoint(3);
    scene.store.remove(&lost);
    assert!(refused_at(&refused(&scene).await, &lost));
    // The tiles tell, too.
    scene.store.remove(&scene.origin().state(3));
    assert!(refused_at(&refused(&scene).await, &scene.origin().tile(&Tile::entries(0))));
}

#[tokio::test]
async fn a_checkpoint_that_another_signed_is_not_followed() {
    let scene = sealed().await;
    let key = scene.origin().checkpoint(3);
    let stored = Checkpoint::read_unverified(&scene.store.objects()[&key].0).unwrap();
    let other = stored.sign(&P256Key::generate().unwrap()).unwrap().to_vec();
    scene.store.overwrite(&key, &other);
    assert!(refused_at(&refused(&scene).await, &key));
}

#[tokio::test]
async fn an_edge_that_was_changed_or_taken_away_is_not_grown() {
    for tile in Tile::partial(280) {
        let scene = sealed().await;
        let key = scene.origin().tile(&tile);
        let mut bytes = scene.store.objects()[&key].0.clone();
        *bytes.last_mut().unwrap() ^= 1;
        scene.store.overwrite(&key, &bytes);
        refused(&scene).await;
        scene.store.remove(&key);
        assert!(refused_at(&refused(&scene).await, &key));
    }
}

fn refused_at(refusal: &str, key: &str) -> bool {
    refusal.starts_with(&format!("{key}: "))
}
