//! Sessions that end in order, and stores that do not answer.

use std::time::Duration;

use schemas::data_block::Direction;
use schemas::event::{CloseReason, Durability, EventBody};

use super::bench::{Bench, Mood, details, outcome, query, spool_files};
use crate::evidence::EvidenceError;
use crate::recorder::RecordError;

const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn an_orderly_session_is_in_the_store_when_the_relay_has_retired() {
    for durability in [Durability::Process, Durability::Disk] {
        let mut bench = Bench::new();
        bench.evidence.durability = durability;
        let incarnation = bench.start().await.unwrap();
        let mut recorder = incarnation.open_session(details()).await.unwrap();
        let recorded = recorder.record(vec![query(1, "one;"), query(2, "two;")]).await.unwrap();
        assert_eq!(&recorded.into_bytes()[..], b"upstream one;upstream two;");
        recorder.record_replies(b"rows", vec![outcome(1), outcome(2)]).await.unwrap();
        recorder.note(EventBody::Cancel).await.unwrap();
        recorder.close(CloseReason::ClientTerminated).await.unwrap();
        incarnation.retire(PATIENCE).await.unwrap();

        let sessions = bench.sessions().await;
        let (id, session) = sessions.first_key_value().unwrap();
        bench.verified().await;
        let close = session.close.as_ref().unwrap();
        assert_eq!(
            (close.reason, close.chunks, close.events, close.recovered),
            (CloseReason::ClientTerminated, 1, 9, false)
        );
        assert_eq!(bench.bytes(id, session, Direction::Frontend).await, b"one;two;");
        assert_eq!(bench.bytes(id, session, Direction::Backend).await, b"rows");
        assert_eq!(spool_files(&bench.evidence.spool), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_session_larger_than_a_segment_becomes_a_chain_of_chunks() {
    let bench = Bench::new();
    let incarnation = bench.start().await.unwrap();
    let mut recorder = incarnation.open_session(details()).await.unwrap();
    let reply = vec![7; 50_000];
    for number in 1..=6 {
        let _sent = recorder.record(vec![query(number, "q")]).await.unwrap();
        recorder.record_replies(&reply, vec![outcome(number)]).await.unwrap();
    }
    let huge = vec![9; 1_000_000];
    recorder.record_replies(&huge, Vec::new()).await.unwrap();
    recorder.close(CloseReason::Idle).await.unwrap();
    incarnation.retire(PATIENCE).await.unwrap();
    let sessions = bench.sessions().await;
    let (id, session) = sessions.first_key_value().unwrap();
    bench.verified().await;
    assert!(session.chunks.len() >= 6, "{} chunks", session.chunks.len());
    let bytes = bench.bytes(id, session, Direction::Backend).await;
    assert_eq!(bytes.len(), 1_300_000);
    assert_eq!(incarnation.spool_bytes_used(), 0);
}

#[tokio::test]
async fn an_idle_sessions_content_is_stored_when_it_is_old() {
    let mut bench = Bench::new();
    bench.evidence.segment_seconds = 1;
    let incarnation = bench.start().await.unwrap();
    let mut recorder = incarnation.open_session(details()).await.unwrap();
    let _sent = recorder.record(vec![query(1, "q")]).await.unwrap();
    for _ in 0..100 {
        if bench.sessions().await.values().any(|session| session.chunks.len() == 1) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(bench.sessions().await.values().next().unwrap().chunks.len(), 1, "nothing is sealed twice or empty");
    recorder.record_replies(b"late", vec![outcome(1)]).await.unwrap();
    recorder.close(CloseReason::ClientTerminated).await.unwrap();
    incarnation.retire(PATIENCE).await.unwrap();
    bench.verified().await;
}

#[tokio::test]
async fn a_full_spool_ends_sessions_and_says_so_in_their_evidence() {
    let mut bench = Bench::new();
    bench.evidence.spool_bytes = 200_000;
    bench.evidence.segment_bytes = 150_000;
    let incarnation = bench.start().await.unwrap();
    let mut recorder = incarnation.open_session(details()).await.unwrap();
    bench.store.be_for(Mood::Away, "chunk-");
    let reply = vec![7; 50_000];
    let mut number = 0;
    let refused = loop {
        number += 1;
        match recorder.record(vec![query(number, "q")]).await {
            Ok(_sent) => {}
            Err(error) => break error,
        }
        if let Err(error) = recorder.record_replies(&reply, vec![outcome(number)]).await {
            break error;
        }
        assert!(number < 10);
    };
    assert!(matches!(refused, RecordError::SpoolFull { limit: 200_000 }), "{refused}");
    recorder.close(CloseReason::EvidenceFailure).await.unwrap();
    bench.store.be(Mood::Healthy);
    incarnation.retire(PATIENCE).await.unwrap();
    let sessions = bench.sessions().await;
    let session = sessions.values().next().unwrap();
    bench.verified().await;
    assert_eq!(session.close.as_ref().unwrap().reason, CloseReason::EvidenceFailure);
}

#[tokio::test]
async fn an_end_tells_of_what_is_on_record_and_of_nothing_else() {
    let mut bench = Bench::new();
    bench.evidence.spool_bytes = 200_000;
    let incarnation = bench.start().await.unwrap();
    let mut recorder = incarnation.open_session(details()).await.unwrap();
    let _sent = recorder.record(vec![query(1, "one"), query(2, "two")]).await.unwrap();
    recorder.record_replies(b"rows", vec![outcome(1)]).await.unwrap();
    let refused = recorder.record(vec![query(3, &"three".repeat(60_000))]).await;
    assert!(matches!(refused, Err(RecordError::SpoolFull { .. })));
    // Of the three that the session believes to be under way, one is answered and one was never recorded.
    recorder.end(CloseReason::EvidenceFailure, vec![outcome(1), outcome(3)], b"FATAL").await.unwrap();
    incarnation.retire(PATIENCE).await.unwrap();
    bench.verified().await;
    let sessions = bench.sessions().await;
    let (id, session) = sessions.first_key_value().unwrap();
    let close = session.close.as_ref().unwrap();
    assert_eq!((close.reason, close.recovered), (CloseReason::EvidenceFailure, false));
    assert_eq!(bench.bytes(id, session, Direction::Backend).await, b"rowsFATAL");
}

#[tokio::test]
async fn no_session_begins_while_the_store_is_away_and_every_counter_is_explained() {
    for (mood, part) in
        [(Mood::Away, "keys/"), (Mood::Lying, "keys/"), (Mood::Away, "open.json"), (Mood::Lying, "open.json")]
    {
        let bench = Bench::new();
        let incarnation = bench.start().await.unwrap();
        bench.store.be_for(mood, part);
        let refused = incarnation.open_session(details()).await;
        assert!(matches!(refused, Err(EvidenceError::StoreUnavailable)));
        bench.store.be(Mood::Healthy);
        incarnation.open_session(details()).await.unwrap().close(CloseReason::ClientTerminated).await.unwrap();
        incarnation.retire(PATIENCE).await.unwrap();
        let sessions = bench.sessions().await;
        assert_eq!(sessions.len(), 2);
        bench.verified().await;
        let reasons: Vec<_> = sessions.values().map(|session| session.close.as_ref().unwrap().reason).collect();
        assert_eq!(reasons, [CloseReason::EvidenceFailure, CloseReason::ClientTerminated]);
    }
}

#[tokio::test]
async fn sessions_go_on_while_the_store_is_away_and_are_stored_when_it_is_back() {
    for mood in [Mood::Away, Mood::Lying] {
        let bench = Bench::new();
        let incarnation = bench.start().await.unwrap();
        let mut recorder = incarnation.open_session(details()).await.unwrap();
        bench.store.be(mood);
        for number in 1..=4 {
            let _sent = recorder.record(vec![query(number, "q")]).await.unwrap();
            recorder.record_replies(&[7; 50_000], vec![outcome(number)]).await.unwrap();
        }
        recorder.close(CloseReason::ClientTerminated).await.unwrap();
        let early = incarnation.retire(Duration::from_millis(500)).await;
        assert!(matches!(early, Err(EvidenceError::Unfinished { .. })), "{early:?}");
        bench.store.be(Mood::Healthy);
        incarnation.retire(PATIENCE).await.unwrap();
        bench.verified().await;
        assert_eq!(incarnation.spool_bytes_used(), 0);
    }
}

#[tokio::test]
async fn a_recorder_that_is_dropped_closes_its_session_as_aborted() {
    let bench = Bench::new();
    let incarnation = bench.start().await.unwrap();
    drop(incarnation.open_session(details()).await.unwrap());
    incarnation.retire(PATIENCE).await.unwrap();
    let sessions = bench.sessions().await;
    let session = sessions.values().next().unwrap();
    bench.verified().await;
    assert_eq!(session.close.as_ref().unwrap().reason, CloseReason::Aborted);
}

#[tokio::test]
async fn nothing_is_recorded_that_could_not_be_sealed_under_the_certificate() {
    let bench = Bench::new();
    let incarnation = bench.start().await.unwrap();
    let mut recorder = incarnation.open_session(details()).await.unwrap();
    bench.clock.advance(bench.lifetime);
    assert!(matches!(recorder.record(vec![query(1, "q")]).await, Err(RecordError::CertificateExpired)));
    assert!(matches!(incarnation.open_session(details()).await, Err(EvidenceError::CertificateExpired)));
    recorder.close(CloseReason::EvidenceFailure).await.unwrap();
    incarnation.retire(PATIENCE).await.unwrap();
}

#[tokio::test]
async fn somebody_elses_object_in_our_place_fences_the_relay() {
    use seams::{EvidenceStore, Retention};
    let bench = Bench::new();
    let incarnation = bench.start().await.unwrap();
    let recorder = incarnation.open_session(details()).await.unwrap();
    let chunk = incarnation.core.scope.chunk(recorder.session(), 1);
    bench.store.put(&chunk, b"forged", Retention::none()).await.unwrap();
    recorder.close(CloseReason::ClientTerminated).await.unwrap();
    let unfinished = incarnation.retire(PATIENCE).await;
    assert!(matches!(unfinished, Err(EvidenceError::Unfinished { sessions: 1 })), "{unfinished:?}");
    assert!(incarnation.fenced().is_some());
    assert!(!spool_files(&bench.evidence.spool).is_empty(), "the evidence stays");
}

#[tokio::test]
async fn a_retired_relay_takes_no_sessions() {
    let bench = Bench::new();
    let incarnation = bench.start().await.unwrap();
    incarnation.retire(PATIENCE).await.unwrap();
    assert!(matches!(incarnation.open_session(details()).await, Err(EvidenceError::Retiring)));
}

#[tokio::test]
async fn a_session_whose_disk_fails_ends_and_its_evidence_is_what_was_written() {
    let bench = Bench::new();
    let incarnation = bench.start().await.unwrap();
    let mut recorder = incarnation.open_session(details()).await.unwrap();
    let _sent = recorder.record(vec![query(1, "one;")]).await.unwrap();
    recorder.break_file();
    assert!(matches!(recorder.record(vec![query(2, "two;")]).await, Err(RecordError::Spool(_))));
    assert!(matches!(recorder.record_replies(b"rows", Vec::new()).await, Err(RecordError::Spool(_))));
    assert!(recorder.close(CloseReason::EvidenceFailure).await.is_err());
    incarnation.retire(PATIENCE).await.unwrap();
    bench.verified().await;
    let sessions = bench.sessions().await;
    let (id, session) = sessions.first_key_value().unwrap();
    assert_eq!(session.close.as_ref().unwrap().reason, CloseReason::Aborted);
    assert_eq!(bench.bytes(id, session, Direction::Frontend).await, b"one;");
}

#[tokio::test]
async fn a_session_whose_chunk_cannot_be_stored_ends() {
    use seams::{EvidenceStore, Retention};
    let mut bench = Bench::new();
    bench.evidence.segment_seconds = 1;
    let incarnation = bench.start().await.unwrap();
    let mut recorder = incarnation.open_session(details()).await.unwrap();
    let chunk = incarnation.core.scope.chunk(recorder.session(), 1);
    bench.store.put(&chunk, b"forged", Retention::none()).await.unwrap();
    while incarnation.fenced().is_none() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    while recorder.record_replies(b"rows", Vec::new()).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(matches!(incarnation.open_session(details()).await, Err(EvidenceError::Fenced { .. })));
}

#[tokio::test]
async fn a_counter_that_was_burnt_gets_a_void_while_the_relay_lives() {
    let bench = Bench::new();
    let incarnation = bench.start().await.unwrap();
    std::fs::write(incarnation.folder.path().join("0000000001.0000000001.spool"), b"in the way").unwrap();
    assert!(matches!(incarnation.open_session(details()).await, Err(EvidenceError::Spool(_))));
    incarnation.open_session(details()).await.unwrap().close(CloseReason::ClientTerminated).await.unwrap();
    incarnation.retire(PATIENCE).await.unwrap();
    let report = bench.verified().await;
    assert_eq!((report.checked.voids, report.checked.sessions), (1, 1));
}

#[tokio::test]
async fn bytes_without_any_record_are_not_made_sendable() {
    let bench = Bench::new();
    let incarnation = bench.start().await.unwrap();
    let mut recorder = incarnation.open_session(details()).await.unwrap();
    let mut permit = query(1, "q");
    permit.client = bytes::Bytes::new();
    permit.events.clear();
    assert!(matches!(recorder.record(vec![permit]).await, Err(RecordError::NothingToRecord)));
}

/// The first heartbeat is on its way then.
#[tokio::test]
async fn a_relay_may_retire_as_soon_as_it_has_started() {
    for moment in 0..40 {
        let bench = Bench::new();
        let incarnation = bench.start().await.unwrap();
        tokio::time::sleep(Duration::from_micros(100 * moment)).await;
        incarnation.retire(PATIENCE).await.unwrap();
        bench.verified().await;
    }
}
