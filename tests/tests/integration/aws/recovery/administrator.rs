//! Somebody with all rights to a bucket, but for those that its lock takes from everybody.

use super::account::hold;
use super::life::Life;
use super::world::World;
use super::{RESULT, proxy};
use crate::emulator;
use crate::harness::workload::Moments;

/// A delete marker over a chunk, another version of a session's end, and a file of their own, before any program has
/// read of them: all programs work with what was recorded, and whoever verifies hears of each.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn what_an_administrator_lays_over_evidence_changes_nothing_and_is_named() {
    let emulator = emulator!();
    let mut world = World::new(emulator, 10, 1).await;
    world.certify_keys().unwrap();
    let mut life = Life::begin(&world, &proxy(emulator)).await;
    for statements in [9, 2] {
        life.serve(statements, RESULT).await;
    }
    let served = life.end().await;
    let told = world.hear().await;

    let (s3, bucket) = (emulator.s3(), world.lambdas.buckets.evidence.clone());
    let keys = world.lambdas.store().await.list("evidence/").await.unwrap();
    let find = |end: &str| keys.iter().find(|key| key.ends_with(end)).unwrap();
    let (chunk, close) = (find("/chunk-00000001.zst"), find("/close.json"));
    let stranger = format!("{close}/in-the-way");
    s3.delete_object().bucket(&bucket).key(chunk).send().await.unwrap();
    for key in [close, &stranger] {
        s3.put_object().bucket(&bucket).key(key).body(b"{}".to_vec().into()).send().await.unwrap();
    }
    s3.get_object().bucket(&bucket).key(chunk).send().await.unwrap_err();

    world.deliver(told, &mut Moments::of(1), 0).await;
    world.index_all().await;
    let verified = hold(&mut world, &served).await;
    for report in [verified.store, verified.bundle] {
        for named in [
            format!("{chunk}: a delete marker lies over it, since 20"),
            format!("{close}: a later version lies over it, since 20"),
            format!("{stranger}: not copied"),
        ] {
            assert!(report.contains(&named), "{named}: {report}");
        }
    }
}
