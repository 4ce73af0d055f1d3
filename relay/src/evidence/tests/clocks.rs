//! Clocks that jump, and clocks that differ: no evidence goes backwards or stands outside of its certificate.

use std::time::Duration;

use schemas::data_block::Direction;
use schemas::event::CloseReason;
use schemas::heartbeat::Heartbeat;

use super::bench::{Bench, details, outcome, query};
use super::completeness::{heartbeats, wait_for};
use crate::evidence::EvidenceError;

#[tokio::test]
async fn a_clock_that_jumps_back_makes_no_evidence_go_backwards() {
    let bench = Bench::new();
    let incarnation = bench.start().await.unwrap();
    let mut recorder = incarnation.open_session(details()).await.unwrap();
    let _sent = recorder.record(vec![query(1, "before;")]).await.unwrap();
    bench.clock.retreat(Duration::from_secs(24 * 3600));
    recorder.record_replies(&[7; 70_000], vec![outcome(1)]).await.unwrap();
    let _sent = recorder.record(vec![query(2, "after;")]).await.unwrap();
    recorder.close(CloseReason::ClientTerminated).await.unwrap();
    let later = incarnation.open_session(details()).await.unwrap();
    later.close(CloseReason::ClientTerminated).await.unwrap();
    incarnation.retire(Duration::from_secs(30)).await.unwrap();
    let report = bench.verified().await;
    assert!(report.sessions.iter().all(|session| session.opened_us <= session.closed_us), "{:#?}", report.sessions);
    assert_eq!(report.sessions.len(), 2);
    let sessions = bench.sessions().await;
    for session in sessions.values() {
        let times: Vec<u64> = session.events().iter().map(|event| event.time_us).collect();
        assert!(times.is_sorted(), "{times:?}");
    }
}

#[tokio::test]
async fn a_clock_that_jumped_back_before_a_restart_makes_a_recovery_none_the_worse() {
    let bench = Bench::new();
    let incarnation = bench.start().await.unwrap();
    let mut recorder = incarnation.open_session(details()).await.unwrap();
    let _sent = recorder.record(vec![query(1, "before;")]).await.unwrap();
    let dead = bench.resume(&bench.snapshot().await);
    dead.clock.retreat(Duration::from_secs(24 * 3600));
    dead.recover().await;
    let sessions = dead.sessions().await;
    let (id, session) = sessions.first_key_value().unwrap();
    assert_eq!(dead.bytes(id, session, Direction::Frontend).await, b"before;");
}

#[tokio::test]
async fn heartbeats_of_a_clock_that_jumps_back_do_not_go_back() {
    let mut bench = Bench::new();
    bench.evidence.heartbeat_seconds = 1;
    let incarnation = bench.start().await.unwrap();
    wait_for(async || heartbeats(&bench).await.len() >= 2).await;
    bench.clock.retreat(Duration::from_secs(24 * 3600));
    let before = heartbeats(&bench).await.len();
    wait_for(async || heartbeats(&bench).await.len() >= before + 2).await;
    incarnation.retire(Duration::from_secs(30)).await.unwrap();
    let times: Vec<u64> = heartbeats(&bench).await.iter().map(|heartbeat: &Heartbeat| heartbeat.time_us).collect();
    assert!(times.is_sorted() && times.len() >= 4, "{times:?}");
    let report = bench.verified().await;
    assert!(report.incarnations[0].gaps.is_empty(), "{:#?}", report.incarnations);
}

/// A verifier compares its statements' times with its certificate, so everything it did would be worth nothing.
#[tokio::test]
async fn a_relay_whose_clock_is_far_behind_its_certifiers_does_not_serve() {
    let mut bench = Bench::new();
    bench.certifier_ahead = Duration::from_secs(3600);
    let refused = bench.start().await.unwrap_err();
    assert!(matches!(refused, EvidenceError::ClockBehind { .. }), "{refused}");
    bench.certifier_ahead = Duration::ZERO;
    bench.recover().await;
}

#[tokio::test]
async fn a_relay_whose_clock_is_a_little_behind_its_certifiers_serves() {
    let mut bench = Bench::new();
    bench.certifier_ahead = Duration::from_secs(120);
    let incarnation = bench.start().await.unwrap();
    let mut recorder = incarnation.open_session(details()).await.unwrap();
    let _sent = recorder.record(vec![query(1, "q;")]).await.unwrap();
    recorder.record_replies(b"rows", vec![outcome(1)]).await.unwrap();
    recorder.close(CloseReason::ClientTerminated).await.unwrap();
    incarnation.retire(Duration::from_secs(30)).await.unwrap();
    assert_eq!(bench.verified().await.sessions.len(), 1);
}
