//! What tells that nothing is missing: heartbeats, certificates that follow each other, keys that are trusted no more.

use std::sync::Arc;
use std::time::Duration;

use schemas::approval::ApprovalRequestedLeaf;
use schemas::digest::Sha256Digest;
use schemas::dsse::{Envelope, Statement, pae};
use schemas::event::CloseReason;
use schemas::heartbeat::Heartbeat;
use schemas::identifiers::RequestId;
use schemas::layout::{ObjectKind, Scope, parse};
use schemas::revocation::{Revocation, RevocationReason};
use schemas::verify::{Retirement, SessionState};
use seams::{EvidenceStore, KeyName, Keys, Retention};

use super::bench::{Bench, Mood, details, outcome, query, spool_files};
use crate::evidence::{EvidenceError, Incarnation, Incarnations};

const PATIENCE: Duration = Duration::from_secs(30);

pub(super) async fn heartbeats(bench: &Bench) -> Vec<Heartbeat> {
    let mut found = Vec::new();
    for key in bench.store.list("evidence/").await.unwrap() {
        if let ObjectKind::Heartbeat(..) = parse(&key).unwrap().kind {
            let bytes = bench.store.get(&key).await.unwrap().unwrap();
            found.push(Envelope::from_slice(&bytes).unwrap().read_unverified().unwrap());
        }
    }
    found
}

pub(super) async fn wait_for(what: impl AsyncFn() -> bool) {
    for _ in 0..200 {
        if what().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it did not come");
}

#[tokio::test]
async fn an_idle_relay_says_at_its_interval_that_it_lives() {
    let mut bench = Bench::new();
    bench.evidence.heartbeat_seconds = 1;
    let incarnation = bench.start().await.unwrap();
    wait_for(async || heartbeats(&bench).await.len() >= 3).await;
    let mut recorder = incarnation.open_session(details()).await.unwrap();
    let _sent = recorder.record(vec![query(1, "q")]).await.unwrap();
    recorder.record_replies(b"rows", vec![outcome(1)]).await.unwrap();
    wait_for(async || heartbeats(&bench).await.last().is_some_and(|last| last.opened == 1)).await;
    recorder.close(CloseReason::ClientTerminated).await.unwrap();
    wait_for(async || heartbeats(&bench).await.last().is_some_and(|last| last.closed == 1)).await;
    incarnation.retire(PATIENCE).await.unwrap();
    let report = bench.verified().await;
    let life = report.incarnations.first().unwrap();
    assert_eq!(life.heartbeats, heartbeats(&bench).await.len() as u64);
    assert!(life.gaps.is_empty() && life.heartbeats >= 5, "{life:#?}");
}

#[tokio::test]
async fn heartbeats_of_a_time_without_a_store_come_afterwards_in_their_order() {
    let mut bench = Bench::new();
    bench.evidence.heartbeat_seconds = 1;
    let incarnation = bench.start().await.unwrap();
    wait_for(async || heartbeats(&bench).await.len() == 1).await;
    bench.store.be(Mood::Away);
    let refused = incarnation.open_session(details()).await;
    assert!(matches!(refused, Err(EvidenceError::StoreUnavailable)));
    tokio::time::sleep(Duration::from_millis(3200)).await;
    let missed = heartbeats(&bench).await.len();
    assert_eq!(missed, 1, "nothing is stored");
    bench.store.be(Mood::Healthy);
    incarnation.retire(PATIENCE).await.unwrap();
    let told = heartbeats(&bench).await;
    assert!(told.len() >= 4, "{told:#?}");
    assert!(told.iter().any(|heartbeat| heartbeat.unstored == [1]), "the counter that waits is told of: {told:#?}");
    bench.verified().await;
}

#[tokio::test]
async fn a_successor_names_the_last_heartbeat_that_a_dead_relay_stored() {
    let bench = Bench::new();
    let incarnation = bench.start().await.unwrap();
    wait_for(async || heartbeats(&bench).await.len() == 1).await;
    let mut recorder = incarnation.open_session(details()).await.unwrap();
    let _sent = recorder.record(vec![query(1, "q")]).await.unwrap();
    let died = bench.resume(&bench.snapshot().await);
    died.recover().await;
    let report = died.verified().await;
    let dead = report.incarnations.iter().find(|life| life.retirement == Retirement::Recovered).unwrap();
    assert_eq!((dead.heartbeats, dead.gaps.len()), (1, 0));
    assert!(report.sessions.iter().any(|session| session.state == SessionState::Aborted));
}

async fn revoke(bench: &Bench, incarnation: &Incarnation) {
    let scope = incarnation.scope();
    let revocation = Revocation {
        tenant: scope.tenant.clone(),
        environment: scope.environment.clone(),
        relay: scope.relay.clone(),
        incarnation: incarnation.id().clone(),
        log_origin: "log.test/clinic".to_owned(),
        log_size: 0,
        reason: RevocationReason::Compromised,
        time_us: 1,
    };
    let payload = schemas::canonical::to_vec(&revocation).unwrap();
    let root = bench.keys.public_key(KeyName::Certificates).await.unwrap();
    let signed = bench.keys.sign(KeyName::Certificates, &pae(Revocation::TYPE, &payload)).await.unwrap();
    let envelope = Envelope::assemble(Revocation::TYPE, payload, &root, signed).to_vec().unwrap();
    bench.store.put(&scope.revocation(incarnation.id(), 0), &envelope, Retention::none()).await.unwrap();
}

#[tokio::test]
async fn a_relay_whose_key_is_revoked_signs_and_stores_nothing_more() {
    let mut bench = Bench::new();
    bench.evidence.heartbeat_seconds = 1;
    let incarnation = bench.start().await.unwrap();
    let mut recorder = incarnation.open_session(details()).await.unwrap();
    let _sent = recorder.record(vec![query(1, "q")]).await.unwrap();
    // What nobody trusted signed revokes nothing.
    let place = incarnation.scope().revocation(incarnation.id(), 7);
    bench.store.put(&place, b"no envelope", Retention::none()).await.unwrap();
    wait_for(async || heartbeats(&bench).await.len() >= 3).await;
    revoke(&bench, &incarnation).await;
    tokio::time::timeout(PATIENCE, incarnation.disowned()).await.unwrap();
    let refused = incarnation.open_session(details()).await;
    assert!(matches!(refused, Err(EvidenceError::Revoked)));
    let stored = bench.store.list("evidence/").await.unwrap();
    let _ = recorder.close(CloseReason::ClientTerminated).await;
    assert!(matches!(incarnation.retire(PATIENCE).await, Err(EvidenceError::Revoked)));
    tokio::time::sleep(Duration::from_millis(2200)).await;
    assert_eq!(bench.store.list("evidence/").await.unwrap(), stored);
    assert!(incarnation.succeed().await.is_err(), "somebody must start it anew");

    // Whoever comes next seals what is in the spool.
    let next = bench.resume(&bench.snapshot().await);
    next.store.delete(&place).await.unwrap();
    let successor = next.start().await.unwrap();
    tokio::time::timeout(PATIENCE, successor.recovered()).await.unwrap().unwrap();
    successor.retire(PATIENCE).await.unwrap();
    let sessions = next.sessions().await;
    let close = sessions.values().next().unwrap().close.as_ref().unwrap();
    assert_eq!((close.recovered, &close.sealed_by), (true, successor.id()));
}

#[tokio::test]
async fn a_new_certificate_takes_the_new_sessions_and_the_old_one_retires_after_its_last() {
    let bench = Bench::new();
    let first = bench.start().await.unwrap();
    let incarnations = Arc::new(Incarnations::new(Arc::clone(&first)));
    let mut old = incarnations.open_session(details()).await.unwrap();
    let _sent = old.record(vec![query(1, "before")]).await.unwrap();
    let second = first.succeed().await.unwrap();
    incarnations.hand_over(Arc::clone(&second));
    let mut new = incarnations.open_session(details()).await.unwrap();
    assert_eq!((&old.session().incarnation, &new.session().incarnation), (first.id(), second.id()));
    assert_eq!(new.session().counter, 1);
    old.record_replies(b"rows", vec![outcome(1)]).await.unwrap();
    let _sent = new.record(vec![query(1, "after")]).await.unwrap();
    new.record_replies(b"rows", vec![outcome(1)]).await.unwrap();
    // The last session of the old one ends it; the new one goes on.
    old.close(CloseReason::ClientTerminated).await.unwrap();
    let retired = first.scope().relay_retired(first.id());
    wait_for(async || bench.store.get(&retired).await.unwrap().is_some()).await;
    new.close(CloseReason::ClientTerminated).await.unwrap();
    incarnations.retire(PATIENCE).await.unwrap();
    let report = bench.verified().await;
    assert!(report.incarnations.iter().all(|life| life.retirement == Retirement::Retired), "{report:#?}");
    assert!(report.sessions.iter().all(|session| session.state == SessionState::Complete && !session.recovered));
    assert_eq!(spool_files(&bench.evidence.spool), Vec::<String>::new());
}

#[tokio::test]
async fn a_certificate_is_renewed_in_half_of_its_time_without_anybody_asking() {
    let mut bench = Bench::new();
    bench.lifetime = Duration::from_secs(1000);
    let first = bench.start().await.unwrap();
    let incarnations = Arc::new(Incarnations::new(Arc::clone(&first)));
    let running = tokio::spawn(Arc::clone(&incarnations).run());
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let recorder = incarnations.open_session(details()).await.unwrap();
    assert_eq!(&recorder.session().incarnation, first.id(), "there is no hurry yet");
    assert!(recorder.time_left() < Duration::from_secs(971), "a session ends before its certificate");
    recorder.close(CloseReason::ClientTerminated).await.unwrap();
    bench.clock.advance(Duration::from_secs(490));
    let opened = async || {
        let recorder = incarnations.open_session(details()).await.unwrap();
        let incarnation = recorder.session().incarnation.clone();
        recorder.close(CloseReason::ClientTerminated).await.unwrap();
        incarnation
    };
    wait_for(async || opened().await != *first.id()).await;
    running.abort();
    incarnations.retire(PATIENCE).await.unwrap();
    assert_eq!(bench.verified().await.incarnations.len(), 2);
}

#[tokio::test]
async fn without_a_certifier_the_old_certificate_serves_to_its_end_and_no_longer() {
    let mut bench = Bench::new();
    bench.lifetime = Duration::from_secs(1000);
    let first = bench.start().await.unwrap();
    let incarnations = Arc::new(Incarnations::new(Arc::clone(&first)));
    // Nothing can be announced while the store refuses certificates.
    bench.store.be_for(Mood::Away, "certificate.json");
    bench.clock.advance(Duration::from_secs(900));
    let recorder = incarnations.open_session(details()).await.unwrap();
    assert_eq!(&recorder.session().incarnation, first.id());
    recorder.close(CloseReason::ClientTerminated).await.unwrap();
    bench.clock.advance(Duration::from_secs(80));
    let refused = incarnations.open_session(details()).await;
    assert!(matches!(refused, Err(EvidenceError::CertificateExpired)));
}

/// Renewal tries every second, and a supervisor starts a relay again and again.
#[tokio::test]
async fn a_life_that_gets_no_certificate_leaves_nothing_in_the_spool() {
    let mut bench = Bench::new();
    bench.lifetime = Duration::from_secs(10);
    for _ in 0..3 {
        assert!(matches!(bench.start().await, Err(EvidenceError::CertificateExpired)));
    }
    let left = std::fs::read_dir(&bench.evidence.spool).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(left, ["lock"]);
}

#[tokio::test]
async fn a_session_of_a_revoked_life_serves_no_more_though_another_life_took_over() {
    let mut bench = Bench::new();
    bench.evidence.heartbeat_seconds = 1;
    // No segment gets complete meanwhile.
    bench.evidence.segment_bytes = 16 * 1024 * 1024;
    let first = bench.start().await.unwrap();
    let incarnations = Arc::new(Incarnations::new(Arc::clone(&first)));
    let mut old = incarnations.open_session(details()).await.unwrap();
    let _sent = old.record(vec![query(1, "before")]).await.unwrap();
    incarnations.hand_over(first.succeed().await.unwrap());
    revoke(&bench, &first).await;
    let lost = tokio::time::timeout(PATIENCE, first.disowned()).await.unwrap();
    assert!(matches!(lost, EvidenceError::Revoked), "{lost}");
    let mut refused = false;
    for number in 2..100 {
        refused = refused || old.record(vec![query(number, "after")]).await.is_err();
        tokio::time::sleep(Duration::from_millis(if refused { 0 } else { 20 })).await;
    }
    assert!(refused, "nothing may be recorded, and so served, that nobody can seal");
    assert!(first.sign(&heartbeats(&bench).await[0]).is_err());
    let mut new = incarnations.open_session(details()).await.unwrap();
    let _sent = new.record(vec![query(1, "q")]).await.unwrap();
    new.close(CloseReason::ClientTerminated).await.unwrap();
}

#[tokio::test]
async fn a_leaf_is_stored_before_its_sessions_close_though_the_thread_that_served_it_ends() {
    let bench = Bench::new();
    let incarnation = bench.start().await.unwrap();
    let recorder = incarnation.open_session(details()).await.unwrap();
    let request = RequestId { session: recorder.session().clone(), statement: 1 };
    let Scope { tenant, environment, relay } = incarnation.scope().clone();
    let key = incarnation.scope().approval_requested(&request);
    let leaf = ApprovalRequestedLeaf {
        tenant,
        environment,
        relay,
        request,
        commitment: Sha256Digest::of(b"bound"),
        expires_us: 1,
        time_us: incarnation.now_us(),
    };
    bench.store.be_for(Mood::Away, "requested.json");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let core = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            core.block_on(async { drop(incarnation.store_leaf(&recorder, key.clone(), &leaf).unwrap()) });
        });
    });
    recorder.close(CloseReason::ClientTerminated).await.unwrap();
    bench.store.be(Mood::Healthy);
    wait_for(async || incarnation.unsettled() == 0).await;
    assert!(bench.store.get(&key).await.unwrap().is_some());
}
