//! The index in DynamoDB.

use aws::DynamoIndex;
use schemas::approval::DecisionVerdict;
use schemas::digest::Sha256Digest;
use seams::{ApprovalRow, ApprovalState, ChunkRow, Index, IndexError, SessionRow};

use super::{faults, faults_of_reading, proxy, tells_nothing, times};
use crate::emulator;
use crate::harness::{Emulator, Fault};

#[tokio::test]
async fn a_table_keeps_the_contract_of_an_index() {
    let emulator = emulator!();
    let index = DynamoIndex::new(&emulator.connection(), emulator.table().await);
    seams::contract::index(&index).await.unwrap();
}

#[tokio::test]
async fn every_call_bears_every_fault() {
    let emulator = emulator!();
    let proxy = proxy(emulator);
    let throttled = (Fault::Status(400, "ProvisionedThroughputExceededException"), false);
    let writes = faults().chain([throttled]).map(|fault| (&[".putitem", ".transactwriteitems"], fault));
    let reads = faults_of_reading().chain([throttled]).map(|fault| (&[".getitem", ".query"], fault));
    for (calls, (fault, persists)) in writes.chain(reads) {
        for call in calls {
            for &times in times(fault) {
                let case = format!("{call} {fault:?} {persists} {times}");
                let index = DynamoIndex::new(&Emulator::connection_to(proxy.address()), emulator.table().await);
                proxy.fail(call, fault, persists, times);
                let mut failures = 0;
                // As a queue does: what failed comes again, and what did not may.
                while let Err(error) = tell(&index).await {
                    assert!(matches!(error, IndexError::Unavailable(..)), "{case}: {error}");
                    tells_nothing(&error, &["u-7"]);
                    failures += 1;
                    assert!(failures < 4, "{case}: {error}");
                }
                assert_eq!(proxy.heal(), 0, "{case}: it came to that");
                assert!(times > 1 || failures == 0, "{case}: a retry mends it");
                tell(&index).await.unwrap();
                check(&index, &case).await;
            }
        }
    }
}

/// Everything at once, in one process and in several.
#[tokio::test]
async fn many_writers_at_once_lose_nothing() {
    let emulator = emulator!();
    let table = emulator.table().await;
    let mut writers = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let index = DynamoIndex::new(&emulator.connection(), &table);
        writers.spawn(async move { tell(&index).await });
    }
    while let Some(told) = writers.join_next().await {
        told.unwrap().unwrap();
    }
    check(&DynamoIndex::new(&emulator.connection(), &table), "many").await;
}

#[tokio::test]
async fn a_table_that_is_not_there_is_told_as_such() {
    let emulator = emulator!();
    let index = DynamoIndex::new(&emulator.connection(), "not-there");
    let error = tell(&index).await.unwrap_err();
    let IndexError::Unavailable(table, cause) = &error else { panic!("{error}") };
    assert_eq!((table.as_str(), cause.to_string().as_str()), ("not-there", "PutItem: ResourceNotFoundException"));
}

/// A session, two chunks, a request that is decided and one that is not, each fact by itself.
async fn tell(index: &DynamoIndex) -> Result<(), IndexError> {
    let plain = session();
    index.record_session(SessionRow { issuer: Some("i".to_owned()), ..plain.clone() }).await?;
    index.record_session(SessionRow { subject: Some("u-7".to_owned()), ..plain.clone() }).await?;
    for sequence in [2, 1] {
        index.record_chunk(chunk(sequence)).await?;
    }
    for statement in [1, 2] {
        index.record_approval(request(statement)).await?;
    }
    let decided = ApprovalRow { verdict: Some(DecisionVerdict::Denied), requested_us: None, ..request(1) };
    index.record_approval(decided).await?;
    index.sessions().await?;
    Ok(())
}

async fn check(index: &DynamoIndex, case: &str) {
    let plain = session();
    let known = SessionRow { issuer: Some("i".to_owned()), subject: Some("u-7".to_owned()), ..plain.clone() };
    assert_eq!(index.sessions().await.unwrap(), [known], "{case}");
    assert_eq!(index.chunks(&plain.session).await.unwrap(), [chunk(1), chunk(2)], "{case}");
    let decided = ApprovalRow { verdict: Some(DecisionVerdict::Denied), ..request(1) };
    let all = index.approvals(ApprovalState::Any, None, 9).await.unwrap();
    assert_eq!(all, [decided, request(2)], "{case}");
    assert_eq!(index.approvals(ApprovalState::Pending, None, 9).await.unwrap(), [request(2)], "{case}");
}

fn session() -> SessionRow {
    seams::contract::sample_session(1).unwrap()
}

fn chunk(sequence: u64) -> ChunkRow {
    ChunkRow {
        session: session().session,
        sequence,
        key: format!("chunk-{sequence}"),
        manifest: Sha256Digest::of(b"manifest"),
        length: 10,
        events: 1,
        first_time_us: 1,
        last_time_us: 2,
    }
}

fn request(statement: u64) -> ApprovalRow {
    let SessionRow { session, tenant, environment, relay, .. } = session();
    let id = format!("{session}-{statement:06}").parse().unwrap();
    ApprovalRow { requested_us: Some(5), ..ApprovalRow::new(id, tenant, environment, relay) }
}
