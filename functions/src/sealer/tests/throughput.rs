//! How fast it is. Run by hand: `cargo test -p functions throughput -- --ignored --nocapture`.

use std::sync::Arc;
use std::time::Instant;

use seams::{EvidenceStore, FileStore, Retention};

use super::Scene;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn leaves_a_second_over_files() {
    let mut scene = Scene::new().await;
    let folder = tempfile::tempdir().unwrap();
    let store = FileStore::open(folder.path(), || 0).unwrap();
    let life = scene.evidence.life(3000);
    for (key, bytes) in &life.objects {
        store.put(key, bytes, Retention::days(1)).await.unwrap();
    }
    scene.env.store = Arc::new(store);
    let started = Instant::now();
    let sealed = scene.seal().await.unwrap();
    let took = started.elapsed();
    println!(
        "{} entries in {} checkpoints: {:.0} entries/s",
        sealed.entries,
        sealed.checkpoints,
        sealed.entries as f64 / took.as_secs_f64()
    );
    let started = Instant::now();
    assert_eq!(scene.seal().await.unwrap().entries, 0);
    println!("nothing to do: {:?}", started.elapsed());
}
