//! Two relays that claim one name at once: with a spool each they are two lives; over copies of one spool each object is
//! stored by one of them, and whoever comes second is fenced and keeps what it has.

use std::time::Duration;

use schemas::data_block::Direction;
use schemas::event::CloseReason;
use schemas::identifiers::SessionId;
use schemas::rule::Rule;
use schemas::verify::{Retirement, SessionState};
use seams::{EvidenceStore, Retention};

use super::bench::{Bench, details, outcome, query, spool_files};
use super::completeness::{heartbeats, wait_for};
use crate::evidence::{EvidenceError, Incarnation};
use crate::recorder::Recorder;

const PATIENCE: Duration = Duration::from_secs(30);

/// A session with one statement and its reply.
async fn begin(incarnation: &Incarnation, text: &str) -> Recorder {
    let mut recorder = incarnation.open_session(details()).await.unwrap();
    let _sent = recorder.record(vec![query(1, text)]).await.unwrap();
    recorder.record_replies(b"rows", vec![outcome(1)]).await.unwrap();
    recorder
}

async fn bytes_of(bench: &Bench, session: &SessionId) -> Vec<u8> {
    bench.bytes(session, &bench.sessions().await[session], Direction::Frontend).await
}

#[tokio::test]
async fn two_relays_of_one_name_are_two_lives_and_neither_takes_from_the_other() {
    let bench = Bench::new();
    let twin = bench.twin(None);
    let (one, other) = tokio::join!(bench.start(), twin.start());
    let (one, other) = (one.unwrap(), other.unwrap());
    let mut told = Vec::new();
    for round in 0..5 {
        let texts = [format!("one {round};"), format!("other {round};")];
        let (a, b) = tokio::join!(begin(&one, &texts[0]), begin(&other, &texts[1]));
        for (recorder, text) in [a, b].into_iter().zip(texts) {
            told.push((recorder.session().clone(), text));
            recorder.close(CloseReason::ClientTerminated).await.unwrap();
        }
    }
    let (a, b) = tokio::join!(one.retire(PATIENCE), other.retire(PATIENCE));
    a.and(b).unwrap();
    let report = bench.verified().await;
    assert_eq!(report.sessions.len(), told.len());
    assert!(report.sessions.iter().all(|session| session.state == SessionState::Complete && !session.recovered));
    let lives: Vec<_> = report.incarnations.iter().map(|life| (life.retirement, life.last_counter)).collect();
    assert_eq!(lives, [(Retirement::Retired, 5), (Retirement::Retired, 5)]);
    for (session, text) in &told {
        assert_eq!(bytes_of(&bench, session).await, text.as_bytes());
    }
}

#[tokio::test]
async fn two_that_recover_copies_of_one_spool_store_each_object_once() {
    for rows in [1, 30_000] {
        let bench = Bench::new();
        let incarnation = bench.start().await.unwrap();
        let (mut recorders, mut sessions) = (Vec::new(), Vec::new());
        for number in 0..4 {
            let mut recorder = begin(&incarnation, &format!("statement {number};")).await;
            recorder.record_replies(&vec![b'r'; 3 * rows], Vec::new()).await.unwrap();
            sessions.push(recorder.session().clone());
            recorders.push(recorder);
        }
        let dead = bench.resume(&bench.snapshot().await);
        let twin = dead.twin(Some(&dead.evidence.spool));
        let (one, other) = tokio::join!(dead.start(), twin.start());
        let lives = [(one.unwrap(), &dead), (other.unwrap(), &twin)];
        let (a, b) = tokio::join!(lives[0].0.recovered(), lives[1].0.recovered());
        assert!(a.is_err() || b.is_err(), "both say that they stored what one of them can store");

        let found = dead.sessions().await;
        for (number, session) in sessions.iter().enumerate() {
            let close = found[session].close.as_ref().unwrap();
            let mut recovered = found[session].chunks.values().filter(|chunk| chunk.manifest().recovered);
            assert!(recovered.all(|chunk| chunk.manifest().sealed_by == close.sealed_by), "two sealed one session");
            assert_eq!(bytes_of(&dead, session).await, format!("statement {number};").as_bytes());
        }
        assert_eq!(dead.verified().await.sessions.len(), sessions.len());
        for ((life, bench), recovered) in lives.iter().zip([a, b]) {
            assert_eq!(life.fenced().is_some(), recovered.is_err());
            match life.open_session(details()).await {
                Ok(recorder) => recorder.close(CloseReason::ClientTerminated).await.unwrap(),
                Err(error) => assert!(matches!(error, EvidenceError::Fenced { .. }) && recovered.is_err(), "{error}"),
            }
            let kept =
                spool_files(&bench.evidence.spool).iter().any(|file| file.starts_with(incarnation.id().as_str()));
            assert_eq!(kept, recovered.is_err(), "whoever did not store it keeps it");
        }
        for (life, _) in lives {
            life.retire(PATIENCE).await.unwrap();
        }
        dead.verified().await;
    }
}

/// A machine that was copied while it served: the copy takes the original for dead.
#[tokio::test]
async fn a_relay_that_another_took_for_dead_ends_and_loses_nothing() {
    let mut bench = Bench::new();
    bench.evidence.heartbeat_seconds = 1;
    let original = bench.start().await.unwrap();
    let mut recorder = begin(&original, "before;").await;
    let session = recorder.session().clone();
    // What no relay of its name signed says nothing.
    let place = original.scope().relay_retired(original.id());
    bench.store.put(&place, b"no envelope", Retention::none()).await.unwrap();
    let told = heartbeats(&bench).await.len();
    wait_for(async || heartbeats(&bench).await.len() >= told + 2).await;
    assert_eq!(original.fenced(), None);
    bench.store.delete(&place).await.unwrap();
    let copy = bench.twin(Some(&bench.evidence.spool));
    let successor = copy.start().await.unwrap();
    successor.recovered().await.unwrap();
    wait_for(async || original.fenced().is_some()).await;
    let refused = original.open_session(details()).await;
    assert!(matches!(refused, Err(EvidenceError::Superseded)));
    assert!(matches!(original.disowned().await, EvidenceError::Superseded), "the relay stops");

    // What it has still is on its disk, and cannot be stored any more: that is said.
    let _sent_or_not = recorder.record(vec![query(2, "after;")]).await;
    let _closed_or_not = recorder.close(CloseReason::ClientTerminated).await;
    assert!(matches!(original.retire(PATIENCE).await, Err(EvidenceError::Superseded)));
    let of_original = |file: &String| file.starts_with(original.id().as_str());
    assert!(spool_files(&bench.evidence.spool).iter().any(of_original));

    assert_eq!(bytes_of(&bench, &session).await, b"before;");
    let told = heartbeats(&bench).await.iter().filter(|heartbeat| heartbeat.incarnation == *original.id()).count();
    tokio::time::sleep(Duration::from_millis(2200)).await;
    let later = heartbeats(&bench).await.iter().filter(|heartbeat| heartbeat.incarnation == *original.id()).count();
    assert_eq!(told, later, "it says no more that it lives");
    successor.retire(PATIENCE).await.unwrap();
    let report = bench.report().await;
    // One that was on its way when the successor looked is named.
    assert!(report.errors().all(|finding| finding.rule == Rule::HeartbeatSequence), "{:#?}", report.findings);
    let life = report.incarnations.iter().find(|life| life.incarnation == *original.id()).unwrap();
    assert_eq!(life.retirement, Retirement::Recovered);
}
