//! The table of faults: every change that spool, seal and ship make, failing in every way. Whatever fails, nothing that
//! was acknowledged is lost, nothing is there twice, and what is stored after a restart verifies.
//!
//! A row is a step; its tests are the ways it fails. *Not done*, *disk full* and *torn* leave the disk without it, *done
//! and reported failed* with it, and the relay cannot tell which.

use std::time::Duration;

use schemas::data_block::Direction;
use schemas::event::{CloseReason, Durability};
use schemas::identifiers::SessionId;

use super::bench::{Bench, Mood, details, outcome, query};
use crate::evidence::Incarnation;
use crate::spool::disk::Change;
use crate::spool::disk::faults::{self, Fault};

/// A table row a line: step, change, part of the path, and how many such changes go well before.
macro_rules! disk {
    (@torn Write $part:literal $spared:literal) => {
        #[tokio::test]
        async fn torn() {
            endure(Change::Write, $part, $spared, Fault::Torn).await;
        }
    };
    // Nothing else can be done by half.
    (@torn $change:ident $part:literal $spared:literal) => {};
    ($($step:ident: $change:ident $part:literal after $spared:literal;)*) => {
        mod disk {
            $(mod $step {
                use super::super::*;

                #[tokio::test]
                async fn not_done() {
                    endure(Change::$change, $part, $spared, Fault::NotDone).await;
                }

                #[tokio::test]
                async fn disk_full() {
                    endure(Change::$change, $part, $spared, Fault::DiskFull).await;
                }

                #[tokio::test]
                async fn done_and_reported_failed() {
                    endure(Change::$change, $part, $spared, Fault::DoneAndReportedFailed).await;
                }

                disk!(@torn $change $part $spared);
            })*
        }
    };
}

/// The same for what is put into the store.
macro_rules! store {
    ($($step:ident: $part:literal;)*) => {
        mod store {
            $(mod $step {
                use super::super::*;

                #[tokio::test]
                async fn not_stored() {
                    outlast(Mood::Away, $part).await;
                }

                #[tokio::test]
                async fn stored_and_reported_failed() {
                    outlast(Mood::Lying, $part).await;
                }
            })*
        }
    };
}

disk! {
    an_incarnations_origin_is_written: Write "origin.json" after 0;
    an_incarnations_ledger_is_made: Create "ledger" after 0;
    an_incarnations_folder_gets_its_name: Rename "" after 1;
    the_spools_names_are_flushed: FlushFolder "" after 1;
    an_announcement_is_written: Write "announcement" after 0;
    an_announcement_is_flushed: Flush "announcement" after 0;
    an_announcement_gets_its_name: Rename "announcement" after 0;
    a_counter_is_written: Write "ledger" after 0;
    a_counter_is_flushed: Flush "ledger" after 0;
    a_later_counter_is_written: Write "ledger" after 1;
    a_later_counter_is_flushed: Flush "ledger" after 1;
    a_first_segment_is_made: Create ".0000000001.spool" after 0;
    a_first_header_is_written: Write ".0000000001.spool" after 0;
    a_first_event_is_written: Write ".0000000001.spool" after 1;
    a_first_event_is_flushed: FlushSegment "" after 0;
    a_statement_is_written: Write ".0000000001.spool" after 2;
    a_statement_is_flushed: FlushSegment "" after 1;
    a_reply_is_written: Write ".0000000001.spool" after 3;
    a_reply_is_flushed: FlushSegment "" after 2;
    a_next_segment_is_made: Create ".0000000002.spool" after 0;
    a_next_header_is_written: Write ".0000000002.spool" after 0;
    a_next_batch_is_written: Write ".0000000002.spool" after 1;
    a_next_batch_is_flushed: FlushSegment "" after 5;
    a_close_is_written: Write ".0000000003.spool" after 1;
    a_chunk_is_made: Create ".chunk" after 0;
    a_chunk_is_written: Write ".chunk" after 0;
    a_chunk_is_flushed: Flush ".chunk" after 0;
    a_chunk_gets_its_name: Rename ".chunk" after 0;
    a_chunks_name_is_flushed: FlushFolder "" after 4;
    a_sealed_segment_is_removed: Remove ".spool" after 0;
    a_later_chunk_is_written: Write ".0000000002.chunk" after 0;
    a_later_chunk_gets_its_name: Rename ".0000000002.chunk" after 0;
    a_stored_chunk_is_removed: Remove ".chunk" after 0;
    a_closed_session_is_settled: Write "ledger" after 2;
    a_retired_incarnation_is_removed: Rename ".old-" after 0;
}

store! {
    a_certificate: "certificate.json";
    a_relay_start: "relay-start.json";
    a_wrapped_key: "keys/";
    a_session_open: "open.json";
    a_first_chunk: "chunk-00000001";
    a_later_chunk: "chunk-00000002";
    a_session_close: "close.json";
    a_relay_retired: "relay-retired.json";
}

/// A relay lives through a fault of its disk, dies or retires, and its successor recovers what is left.
async fn endure(change: Change, part: &'static str, spared: usize, fault: Fault) {
    let mut bench = Bench::new();
    bench.evidence.durability = Durability::Disk;
    let planned = faults::plan(&bench.evidence.spool, change, part, spared, fault);
    let mut told = Vec::new();
    if let Ok(incarnation) = bench.start().await {
        told = two_sessions(&incarnation).await;
        let _retired_or_not = incarnation.retire(Duration::from_secs(2)).await;
    }
    assert!(planned.was_met(), "the fault never came about");
    drop(planned);
    let after = bench.resume(&bench.snapshot().await);
    after.recover().await;
    check(&after, &told).await;
}

/// A relay lives through a store that fails for a while.
async fn outlast(mood: Mood, part: &'static str) {
    let bench = Bench::new();
    bench.store.be_for(mood, part);
    let store = std::sync::Arc::clone(&bench.store);
    let well_again = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(700)).await;
        store.be(Mood::Healthy);
    });
    let incarnation = bench.start().await.unwrap();
    let told = two_sessions(&incarnation).await;
    well_again.await.unwrap();
    incarnation.retire(Duration::from_secs(30)).await.unwrap();
    assert_eq!(incarnation.spool_bytes_used(), 0);
    check(&bench, &told).await;
}

/// What was tried in a session, and how much of it was acknowledged.
#[derive(Debug)]
struct Told {
    session: SessionId,
    /// From client and target: bytes tried, and how many of them must be on record.
    client: (Vec<u8>, usize),
    target: (Vec<u8>, usize),
}

async fn two_sessions(incarnation: &Incarnation) -> Vec<Told> {
    let mut told = Vec::new();
    for _ in 0..2 {
        told.extend(session(incarnation).await);
    }
    told
}

/// Three segments' worth of statements and replies, until something fails.
async fn session(incarnation: &Incarnation) -> Option<Told> {
    let mut recorder = incarnation.open_session(details()).await.ok()?;
    let session = recorder.session().clone();
    let mut told = Told { session, client: (Vec::new(), 0), target: (Vec::new(), 0) };
    for number in 1..=5 {
        let text = format!("statement {number};");
        told.client.0.extend_from_slice(text.as_bytes());
        if recorder.record(vec![query(number, &text)]).await.is_err() {
            break;
        }
        told.client.1 = told.client.0.len();
        let reply = vec![b'0' + u8::try_from(number).unwrap(); 25_000];
        told.target.0.extend_from_slice(&reply);
        if recorder.record_replies(&reply, vec![outcome(number)]).await.is_err() {
            break;
        }
        told.target.1 = told.target.0.len();
    }
    let _closed_or_not = recorder.close(CloseReason::ClientTerminated).await;
    Some(told)
}

/// Everything verifies; each session has what was acknowledged, in order and once, and nothing that was not tried.
async fn check(bench: &Bench, told: &[Told]) {
    bench.verified().await;
    let sessions = bench.sessions().await;
    for Told { session, client, target } in told {
        let found = sessions.get(session).unwrap_or_else(|| panic!("{session} is lost"));
        for (direction, (tried, acknowledged)) in [(Direction::Frontend, client), (Direction::Backend, target)] {
            let bytes = bench.bytes(session, found, direction).await;
            assert!(tried.starts_with(&bytes), "{session} has {} bytes that nobody sent so", bytes.len());
            assert!(bytes.len() >= *acknowledged, "{session} has {} of {acknowledged} bytes", bytes.len());
        }
    }
    let told: Vec<&SessionId> = told.iter().map(|told| &told.session).collect();
    for (id, session) in sessions.iter().filter(|(id, _)| !told.contains(id)) {
        let unserved = session.void || bench.bytes(id, session, Direction::Frontend).await.is_empty();
        assert!(unserved, "{id} was never told to anybody");
    }
}
