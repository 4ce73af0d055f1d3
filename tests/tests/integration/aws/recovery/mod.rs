//! What goes wrong between the programs and AWS, and in the programs themselves, and what is left of it afterwards:
//! nothing. Notifications come twice, late and in any order; requests fail, are done twice, or are done and reported as
//! failed; programs are killed in the middle.
//!
//! `AFFIDAVIT_KILLS` sets how often a program is killed, `AFFIDAVIT_STORM` how many lives a relay has in the storm, and
//! `AFFIDAVIT_SEED` repeats an earlier run.

mod account;
mod administrator;
mod life;
mod world;

use std::collections::BTreeMap;

use schemas::identifiers::SessionId;
use seams::Index;

use self::account::balance;
use self::life::Life;
use self::world::{Look, World, stormy};
use super::proxy;
use crate::emulator;
use crate::harness::weather::{KEYS_AWAY, death, throttled};
use crate::harness::workload::{Moments, setting};

/// One request in so many, of every program and of the relay, suffers something, and a relay dies over an open session.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_storm_over_every_call_loses_nothing_and_doubles_nothing() {
    let emulator = emulator!();
    let mut moments = Moments::seeded();
    let mut world = World::new(emulator, 10, 1).await;
    world.storm(&mut moments, ONE_IN);
    until_done("certify keys", || world.certify_keys());
    let proxy = stormy(emulator, &mut moments, ONE_IN);
    let (mut served, mut late) = (BTreeMap::<SessionId, usize>::new(), Vec::new());
    for _ in 0..setting("AFFIDAVIT_STORM", 1) {
        let doomed = stormy(emulator, &mut moments, ONE_IN);
        let legacy = Life::begin(&world, &doomed).await.die(&doomed, 2, RESULT).await;
        world.died += 1;
        let mut life = Life::succeed(&world, &proxy, legacy).await;
        for statements in [3, 9, 1] {
            life.serve(statements, RESULT).await;
            // The next run does what this one does not.
            let _maybe = world.seal();
        }
        served.extend(life.end().await);
        let told = world.hear().await;
        late.extend(world.deliver(told, &mut moments, 2).await);
        world.index_all().await;
    }
    // What was held up comes when everything else is long done.
    world.deliver(late, &mut moments, 0).await;
    world.index_all().await;
    until_done("seal", || world.seal());
    until_done("bundle", || world.bundle());

    let by_relay = (proxy.struck("s3"), proxy.struck("kms"));
    let by_indexer = (world.indexer.proxy.struck("s3"), world.indexer.proxy.struck("dynamodb"));
    let by_sealer = (world.sealer.proxy.struck("s3"), world.sealer.proxy.struck("kms"));
    let by_bundler = world.bundler.proxy.struck("s3");
    println!("suffered: relay {by_relay:?}, indexer {by_indexer:?}, sealer {by_sealer:?}, bundler {by_bundler}");
    assert!(by_relay.0 > 5 && by_indexer.0 > 5 && by_indexer.1 > 5 && by_sealer.0 > 5 && by_bundler > 2);
    for (who, proxy, calls) in [
        ("relay", &proxy, &["Decrypt", "Encrypt", "GetPublicKey"][..]),
        ("certifier", &world.certifier.lock().unwrap().proxy, &["GetPublicKey", "Sign"]),
        ("indexer", &world.indexer.proxy, &["GetPublicKey"]),
        ("sealer", &world.sealer.proxy, &["GetPublicKey", "Sign"]),
        ("bundler", &world.bundler.proxy, &["GetPublicKey", "Sign"]),
    ] {
        let struck = proxy.struck_calls("kms");
        println!("{who}: {struck:?}");
        assert!(struck.keys().eq(calls) && struck.values().all(|times| *times >= KEYS_AWAY), "{who}: {struck:?}");
    }
    balance(&mut world, &served).await;
}

/// `kill -9` when a request of a random number has been sent, or was done and is not answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn programs_that_are_killed_midway_lose_nothing_and_double_nothing() {
    let emulator = emulator!();
    let (kills, mut moments) = (setting("AFFIDAVIT_KILLS", 20), Moments::seeded());
    let mut world = World::new(emulator, 100, 1).await;
    let die = |proxy: &crate::harness::FaultProxy, within: usize, moments: &mut Moments| {
        let at = 1 + moments.below(u32::try_from(within).unwrap()) as usize;
        proxy.weather(death(at, moments.below(2) == 0));
    };
    die(&world.certifier.lock().unwrap().proxy, 12, &mut moments);
    let _maybe = world.certify_keys();
    world.calm();
    world.certify_keys().unwrap();

    let mut life = Life::begin(&world, &proxy(emulator)).await;
    let (mut of_indexer, mut of_sealer) = (0, 0);
    let mut sealing = 30;
    for round in 0.. {
        if of_indexer + of_sealer >= kills {
            break;
        }
        assert!(round < 4 * kills, "too few were killed: {of_indexer} indexers, {of_sealer} sealers");
        life.serve(2, RESULT).await;
        die(&world.sealer.proxy, sealing, &mut moments);
        let before = world.sealer.proxy.requests();
        match world.seal() {
            Err(_) => of_sealer += 1,
            Ok(_) => sealing = world.sealer.proxy.requests() - before,
        }
        let told = world.hear().await;
        world.deliver(told, &mut moments, 0).await;
        die(&world.indexer.proxy, INDEXING, &mut moments);
        of_indexer += u32::from(world.look().await == Look::Died);
        world.calm();
    }
    let served = life.end().await;
    let told = world.hear().await;
    world.deliver(told, &mut moments, 0).await;
    world.index_all().await;
    world.seal().unwrap();

    let mut of_bundler = 0;
    for _ in 0..(kills / 5).max(2) {
        die(&world.bundler.proxy, 200, &mut moments);
        of_bundler += usize::from(world.bundle().is_err());
        world.calm();
    }
    println!("killed: {of_indexer} indexers, {of_sealer} sealers, {of_bundler} bundlers");
    assert!(of_indexer > 0 && of_sealer > 0 && of_bundler > 0);
    balance(&mut world, &served).await;
}

/// A table that is throttled for longer than a message is handed over: exactly what could not be indexed is among the
/// dead letters, and put back it is indexed.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn what_a_throttled_table_did_not_take_is_dead_until_it_is_put_back() {
    let emulator = emulator!();
    let mut moments = Moments::seeded();
    let mut world = World::new(emulator, 2, 1).await;
    world.certify_keys().unwrap();
    let mut life = Life::begin(&world, &proxy(emulator)).await;
    life.serve(2, RESULT).await;
    let served = life.end().await;
    let told = world.hear().await;
    // Certificate, start, end and key of the session's life tell the index nothing.
    let rows = told.iter().filter(|body| body.contains("/sessions/")).count();
    assert!(rows >= 3 && rows < told.len(), "{rows} of {}", told.len());

    world.indexer.proxy.weather(throttled("dynamodb"));
    world.deliver(told, &mut moments, 0).await;
    world.index_all().await;
    assert!(world.lambdas.index().sessions().await.unwrap().is_empty());
    assert_eq!(world.waiting(&world.dead).await, 2 * rows, "each twice, as it came");
    world.calm();
    assert_eq!(world.redrive().await, 2 * rows);
    world.index_all().await;
    balance(&mut world, &served).await;

    world.send_to_indexer("no notification of S3's").await;
    world.index_all().await;
    assert_eq!(world.waiting(&world.dead).await, 1, "what nothing can be done with ends there");
}

fn until_done(what: &str, mut attempt: impl FnMut() -> Result<serde_json::Value, crate::harness::Unanswered>) {
    for _ in 0..40 {
        match attempt() {
            Ok(_) => return,
            Err(error) => println!("{what}: {error:?}"),
        }
    }
    panic!("{what}: never done");
}

const ONE_IN: u32 = 5;
/// Three of them fill a segment.
const RESULT: usize = 24_000;
/// Requests of an indexer for a batch, from its start.
const INDEXING: usize = 60;
