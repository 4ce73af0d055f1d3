//! A relay that dies, at every point where it leaves a trace. What survives a death is what is on the disk and in the
//! store: a copy of both is a death at that moment.

use std::path::Path;

use schemas::data_block::Direction;
use schemas::event::{CloseReason, Durability, EventBody, Recovered};

use schemas::verify::SessionState;

use super::bench::{Bench, Found, Mood, details, outcome, query};
use crate::evidence::EvidenceError;

fn recovery_of(session: &Found) -> Recovered {
    match session.events().pop().unwrap().body {
        EventBody::Recovered(recovered) => recovered,
        other => panic!("the last event is {other:?}"),
    }
}

#[tokio::test]
async fn what_was_recorded_before_a_death_is_evidence_after_it() {
    for durability in [Durability::Process, Durability::Disk] {
        let mut bench = Bench::new();
        bench.evidence.durability = durability;
        let incarnation = bench.start().await.unwrap();
        let mut recorder = incarnation.open_session(details()).await.unwrap();
        let _sent = recorder.record(vec![query(1, "one;"), query(2, "two;")]).await.unwrap();
        recorder.record_replies(b"rows", vec![outcome(1)]).await.unwrap();
        let dead = bench.resume(&bench.snapshot().await);

        let next = dead.start().await.unwrap();
        next.recovered().await.unwrap();
        let report = dead.verified().await;
        assert_eq!(report.sessions[0].state, SessionState::Aborted);
        assert_eq!(report.sessions[0].outcome_unknown, [2]);
        let sessions = dead.sessions().await;
        let (id, session) = sessions.first_key_value().unwrap();
        let recovered = recovery_of(session);
        assert_eq!((recovered.outcome_unknown, recovered.discarded_bytes), (vec![2], 0));
        assert_eq!(recovered.by_incarnation, next.id().to_string());
        let close = session.close.as_ref().unwrap();
        assert_eq!((close.reason, close.recovered, &close.sealed_by), (CloseReason::Aborted, true, next.id()));
        assert!(session.chunks.values().all(|chunk| chunk.manifest().recovered));
        assert_eq!(dead.bytes(id, session, Direction::Frontend).await, b"one;two;");
        assert_eq!(dead.bytes(id, session, Direction::Backend).await, b"rows");
    }
}

#[tokio::test]
async fn a_torn_write_is_counted_and_not_believed() {
    let bench = Bench::new();
    let incarnation = bench.start().await.unwrap();
    let segment = Path::new(incarnation.id().as_str()).join("0000000001.0000000001.spool");
    let mut recorder = incarnation.open_session(details()).await.unwrap();
    let before = std::fs::metadata(bench.evidence.spool.join(&segment)).unwrap().len();
    let _sent = recorder.record(vec![query(1, "one;")]).await.unwrap();
    let snapshot = bench.snapshot().await;
    let segment = snapshot.join("spool").join(segment);
    let bytes = std::fs::read(&segment).unwrap();
    std::fs::write(&segment, &bytes[..bytes.len() - 5]).unwrap();
    let dead = bench.resume(&snapshot);
    dead.recover().await;
    let sessions = dead.sessions().await;
    let (id, session) = sessions.first_key_value().unwrap();
    // Nothing of the batch is believed, its events neither: it was never sent.
    assert_eq!(recovery_of(session).discarded_bytes, bytes.len() as u64 - 5 - before);
    assert_eq!(dead.bytes(id, session, Direction::Frontend).await, b"");
}

#[tokio::test]
async fn an_execution_that_began_in_a_stored_chunk_is_still_named_unknown() {
    let mut bench = Bench::new();
    bench.evidence.segment_seconds = 1;
    let incarnation = bench.start().await.unwrap();
    let mut recorder = incarnation.open_session(details()).await.unwrap();
    let _sent = recorder.record(vec![query(1, "one;"), query(2, "two;")]).await.unwrap();
    recorder.record_replies(b"rows", vec![outcome(1)]).await.unwrap();
    while bench.sessions().await.values().all(|session| session.chunks.is_empty()) {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let dead = bench.resume(&bench.snapshot().await);
    dead.recover().await;
    let sessions = dead.sessions().await;
    let session = sessions.values().next().unwrap();
    assert_eq!((session.chunks.len(), recovery_of(session).outcome_unknown), (2, vec![2]));
}

#[tokio::test]
async fn a_death_at_any_put_leaves_nothing_unexplained() {
    let bench = Bench::new();
    bench.store.keep_snapshots(&bench.evidence.spool);
    let incarnation = bench.start().await.unwrap();
    let mut recorder = incarnation.open_session(details()).await.unwrap();
    for number in 1..=3 {
        let _sent = recorder.record(vec![query(number, "q;")]).await.unwrap();
        recorder.record_replies(&[7; 50_000], vec![outcome(number)]).await.unwrap();
    }
    recorder.close(CloseReason::ClientTerminated).await.unwrap();
    incarnation.retire(std::time::Duration::from_secs(30)).await.unwrap();
    let snapshots = bench.store.snapshots();
    assert!(snapshots.len() >= 2 * 9, "{} snapshots", snapshots.len());
    for snapshot in snapshots {
        let dead = bench.resume(&snapshot);
        dead.recover().await;
    }
}

#[tokio::test]
async fn a_recovery_that_dies_is_recovered() {
    let bench = Bench::new();
    let incarnation = bench.start().await.unwrap();
    let mut recorders = Vec::new();
    for _ in 0..2 {
        let mut recorder = incarnation.open_session(details()).await.unwrap();
        for number in 1..=3 {
            let _sent = recorder.record(vec![query(number, "q;")]).await.unwrap();
            recorder.record_replies(&[7; 50_000], vec![outcome(number)]).await.unwrap();
        }
        recorders.push(recorder);
    }
    let dead = bench.resume(&bench.snapshot().await);
    dead.store.keep_snapshots(&dead.evidence.spool);
    dead.recover().await;
    for snapshot in dead.store.snapshots() {
        let again = dead.resume(&snapshot);
        again.recover().await;
        let sessions = again.sessions().await;
        assert_eq!(sessions.len(), 2);
    }
}

#[tokio::test]
async fn a_counter_without_a_session_gets_a_void() {
    let bench = Bench::new();
    let incarnation = bench.start().await.unwrap();
    incarnation.ledger.lock().unwrap().allocate().unwrap();
    let dead = bench.resume(&bench.snapshot().await);
    dead.recover().await;
    let sessions = dead.sessions().await;
    assert_eq!(sessions.len(), 1);
    assert!(sessions.values().all(|session| session.void && session.open.is_none()));
}

#[tokio::test]
async fn a_spool_that_lost_a_sessions_files_is_closed_and_the_loss_is_named() {
    let bench = Bench::new();
    let incarnation = bench.start().await.unwrap();
    let mut recorder = incarnation.open_session(details()).await.unwrap();
    let _sent = recorder.record(vec![query(1, "q;")]).await.unwrap();
    let snapshot = bench.snapshot().await;
    let folder = snapshot.join("spool").join(incarnation.id().as_str());
    std::fs::remove_file(folder.join("0000000001.0000000001.spool")).unwrap();
    let dead = bench.resume(&snapshot);
    let next = dead.start().await.unwrap();
    next.recovered().await.unwrap();
    let sessions = dead.sessions().await;
    let close = sessions.values().next().unwrap().close.as_ref().unwrap();
    assert_eq!((close.chunks, close.events, close.reason), (0, 0, CloseReason::Aborted));
}

#[tokio::test]
async fn a_death_while_the_store_lies_is_recovered_too() {
    for part in ["keys/", "open.json", "chunk-", "close.json"] {
        let bench = Bench::new();
        let incarnation = bench.start().await.unwrap();
        bench.store.be_for(Mood::Lying, part);
        if let Ok(mut recorder) = incarnation.open_session(details()).await {
            let _sent = recorder.record(vec![query(1, "q;")]).await.unwrap();
            recorder.close(CloseReason::ClientTerminated).await.unwrap();
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        let dead = bench.resume(&bench.snapshot().await);
        dead.recover().await;
        let sessions = dead.sessions().await;
        assert_eq!(sessions.len(), 1, "{part}");
    }
}

#[tokio::test]
async fn a_spool_in_use_is_not_taken() {
    let bench = Bench::new();
    let _incarnation = bench.start().await.unwrap();
    assert!(matches!(bench.start().await, Err(EvidenceError::Spool(crate::evidence::SpoolError::Locked { .. }))));
}
