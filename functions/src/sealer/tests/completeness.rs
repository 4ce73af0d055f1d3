//! Heartbeats come after what they count; revocations first; who never retired is said to be abandoned.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemas::canonical;
use schemas::dsse::{Envelope, Statement, pae};
use schemas::heartbeat::Heartbeat;
use schemas::layout::Scope;
use schemas::leaf::RelayRetired;
use schemas::revocation::{ABANDONED_AFTER_US, Revocation, RevocationReason};
use schemas::rule::Rule;
use schemas::signature::{P256Key, Signer};
use schemas::verify::{Options, Report, verify};
use seams::{EvidenceStore, KeyName, Retention};

use super::Scene;
use super::evidence::sign;

/// A life that says after each session that it lives, in the order in which it stores.
pub(super) fn life(scene: &Scene, key: &P256Key, sessions: u64, retires: bool) -> Vec<(String, Vec<u8>)> {
    let mut objects = Vec::new();
    scene.evidence.begin(key, &mut objects);
    let Scope { tenant, environment, relay } = scene.evidence.scope.clone();
    let incarnation = key.public_key().incarnation();
    for counter in 0..=sessions {
        if counter > 0 {
            scene.evidence.session(key, counter, &mut objects);
        }
        let heartbeat = Heartbeat {
            tenant: tenant.clone(),
            environment: environment.clone(),
            relay: relay.clone(),
            incarnation: incarnation.clone(),
            sequence: counter + 1,
            opened: counter,
            closed: counter,
            voided: 0,
            last_counter: counter,
            unstored: Vec::new(),
            backlog_sessions: 0,
            backlog_bytes: 0,
            time_us: 5,
        };
        objects.push((scene.evidence.scope.heartbeat(&incarnation, counter + 1), sign(&heartbeat, key).0));
    }
    if retires {
        let retired = RelayRetired {
            tenant,
            environment,
            relay,
            incarnation: incarnation.clone(),
            last_counter: sessions,
            last_heartbeat: sessions + 1,
            sealed_by: incarnation.clone(),
            recovered: false,
            time_us: 9,
        };
        objects.push((scene.evidence.scope.relay_retired(&incarnation), sign(&retired, key).0));
    }
    objects
}

/// Stores that this key is revoked from this size of the log on; gives the key of the revocation.
pub(super) async fn revoke(scene: &Scene, key: &P256Key, size: u64) -> String {
    let Scope { tenant, environment, relay } = scene.evidence.scope.clone();
    let incarnation = key.public_key().incarnation();
    let place = scene.evidence.scope.revocation(&incarnation, size);
    let (log_origin, reason) = (scene.origin().to_string(), RevocationReason::Compromised);
    let revocation =
        Revocation { tenant, environment, relay, incarnation, log_origin, log_size: size, reason, time_us: 7 };
    let payload = canonical::to_vec(&revocation).unwrap();
    let root = scene.env.keys.public_key(KeyName::Certificates).await.unwrap();
    let signature = scene.env.keys.sign(KeyName::Certificates, &pae(Revocation::TYPE, &payload)).await.unwrap();
    let envelope = Envelope::assemble(Revocation::TYPE, payload, &root, signature).to_vec().unwrap();
    scene.store.put(&place, &envelope, Retention::none()).await.unwrap();
    place
}

/// What the verifier says of the log; sessions here have no first event, which is not asked for.
pub(super) async fn of_log(scene: &Scene) -> (Report, Vec<Rule>) {
    let objects: BTreeMap<_, _> = scene.store.objects().into_iter().map(|(key, (bytes, _))| (key, bytes)).collect();
    let root = scene.env.keys.public_key(KeyName::Certificates).await.unwrap();
    let options = Options { checkpoints_key: Some(scene.checkpoints.clone()), ..Options::default() };
    let report = verify(&objects, &root, &options).unwrap();
    let of_log = ["log.", "checkpoint.", "revocation.", "abandoned.", "heartbeat.", "incarnation."];
    let rules = report.findings.iter().map(|finding| finding.rule);
    let rules = rules.filter(|rule| of_log.iter().any(|prefix| rule.id().starts_with(prefix))).collect();
    (report, rules)
}

#[tokio::test]
async fn heartbeats_come_after_what_they_count_however_the_log_grows() {
    for batch in [1, 3, 4096] {
        for together in [1, 2, 5, 1000] {
            let mut scene = Scene::new().await;
            scene.env.batch = batch;
            let objects = life(&scene, &P256Key::generate().unwrap(), 4, true);
            for some in objects.chunks(together) {
                some.iter().for_each(|object| scene.store.insert(object));
                scene.seal().await.unwrap();
            }
            assert_eq!(scene.check(), objects.len() as u64);
            assert_eq!(of_log(&scene).await.1, [], "batch {batch}, {together} at once");
        }
    }
}

#[tokio::test]
async fn a_backlog_of_heartbeats_without_an_end_is_appended_once() {
    let scene = Scene::new().await;
    let (one, other) = (P256Key::generate().unwrap(), P256Key::generate().unwrap());
    let objects = [life(&scene, &one, 2, false), life(&scene, &other, 3, false)].concat();
    objects.iter().for_each(|object| scene.store.insert(object));
    for entries in [objects.len() as u64, 0] {
        assert_eq!(scene.seal().await.unwrap().entries, entries);
    }
    assert_eq!(scene.check(), objects.len() as u64);
    assert_eq!(of_log(&scene).await.1, [Rule::IncarnationUnretired, Rule::IncarnationUnretired]);
}

#[tokio::test]
async fn who_never_retired_is_abandoned_an_hour_after_the_certificate_and_not_before() {
    let mut scene = Scene::new().await;
    let key = P256Key::generate().unwrap();
    life(&scene, &key, 1, false).iter().for_each(|object| scene.store.insert(object));
    let retired = P256Key::generate().unwrap();
    life(&scene, &retired, 1, true).iter().for_each(|object| scene.store.insert(object));
    // The certificates end at 100 us.
    scene.env.now_us = Arc::new(|| 99 + ABANDONED_AFTER_US);
    scene.seal().await.unwrap();
    assert_eq!(scene.seal().await.unwrap().entries, 0);
    scene.env.now_us = Arc::new(|| 100 + ABANDONED_AFTER_US);
    assert_eq!(scene.seal().await.unwrap().entries, 0, "it is stored, and appended as all that is stored");
    assert_eq!(scene.seal().await.unwrap().entries, 1);
    assert_eq!(scene.seal().await.unwrap().entries, 0);
    scene.check();
    assert_eq!(of_log(&scene).await.1, [Rule::IncarnationAbandoned]);
    // Should it come back, what it left is evidence all the same.
    let late = life(&scene, &key, 1, true).pop().unwrap();
    scene.store.insert(&late);
    assert_eq!(scene.seal().await.unwrap().entries, 1);
    scene.check();
    assert_eq!(of_log(&scene).await.1, []);
}

#[tokio::test]
async fn a_revocation_is_appended_before_what_waits_and_decides_what_stands() {
    let scene = Scene::new().await;
    let key = P256Key::generate().unwrap();
    let objects = life(&scene, &key, 2, true);
    let (before, after) = objects.split_at(objects.len() - 3);
    before.iter().for_each(|object| scene.store.insert(object));
    let size = scene.seal().await.unwrap().newest.unwrap().size;
    let place = revoke(&scene, &key, size).await;
    after.iter().for_each(|object| scene.store.insert(object));
    assert_eq!(scene.seal().await.unwrap().entries, 4);
    assert_eq!(scene.seal().await.unwrap().entries, 0);
    let (report, rules) = of_log(&scene).await;
    assert_eq!(rules, [Rule::RevocationVoid; 3]);
    let life = report.incarnations.first().unwrap();
    assert_eq!((life.revoked_from, life.void), (Some(size), 3));
    let entries = scene.entries(size + 4);
    let first = schemas::log::Entry::from_slice(&entries[usize::try_from(size).unwrap()]).unwrap();
    assert_eq!(first.place().unwrap().object.key(), place);
}
