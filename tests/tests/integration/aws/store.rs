//! The evidence store in S3.

use std::time::{Duration, Instant};

use aws::{LockMode, S3Settings, S3Store};
use aws_sdk_s3::types::ObjectLockMode;
use seams::{EvidenceStore, PutOutcome, Retention, StoreError};

use super::{faults, faults_of_reading, proxy, tells_nothing, times};
use crate::emulator;
use crate::harness::{Emulator, Fault, now_s, store};

#[tokio::test]
async fn a_bucket_keeps_the_contract_of_an_evidence_store() {
    let emulator = emulator!();
    let settings = emulator.bucket().await;
    seams::contract::evidence_store(&store(&emulator.connection(), &settings).await).await.unwrap();
}

#[tokio::test]
async fn a_bucket_that_cannot_keep_it_is_refused() {
    let emulator = emulator!();
    let settings = emulator.bucket().await;
    let open = async |bucket: &str| {
        let settings = S3Settings { bucket: bucket.to_owned(), ..settings.clone() };
        S3Store::open(&emulator.connection(), settings, now_s).await.unwrap_err()
    };
    emulator.s3().create_bucket().bucket("without-lock").send().await.unwrap();
    for bucket in ["without-lock", "not-there"] {
        let error = open(bucket).await;
        assert!(matches!(error, StoreError::Unavailable(ref name, _) if name == bucket), "{error}");
    }
}

#[tokio::test]
async fn what_is_under_retention_nobody_deletes() {
    let emulator = emulator!();
    for mode in [LockMode::Compliance, LockMode::Governance] {
        let settings = S3Settings { mode, ..emulator.bucket().await };
        let store = store(&emulator.connection(), &settings).await;
        store.put("evidence/x", b"x", Retention::days(2192)).await.unwrap();
        let (version, locked, until_s) = version(emulator, &settings, "evidence/x").await;
        assert_eq!(locked == ObjectLockMode::Compliance, mode == LockMode::Compliance);
        assert!(until_s.abs_diff(now_s() + 2192 * 86_400) < 60, "{until_s}");
        let delete = emulator.s3().delete_object().bucket(&settings.bucket).key("evidence/x").version_id(version);
        delete.send().await.unwrap_err();
        let refused = store.delete("evidence/x").await.unwrap_err();
        assert!(matches!(refused, StoreError::Retained { until_s: told, .. } if told == until_s), "{refused}");
    }
}

/// Each fault once: a retry mends it. Each fault always: the caller is told, and trying again later mends it.
#[tokio::test]
async fn a_put_that_fails_is_done_once() {
    let emulator = emulator!();
    let (settings, proxy) = (emulator.bucket().await, proxy(emulator));
    let store = store(&Emulator::connection_to(proxy.address()), &settings).await;
    for (number, (fault, persists)) in faults().enumerate() {
        let case = format!("{fault:?} {persists}");
        let retried = if persists { PutOutcome::AlreadyIdentical } else { PutOutcome::Created };
        for &times in times(fault) {
            let key = format!("evidence/{number}-{times}");
            proxy.fail("x-id=putobject", fault, persists, times);
            let first = store.put(&key, b"content of it", Retention::days(1)).await;
            assert_eq!(proxy.heal(), 0, "{case}: it came to that");
            if times == 1 {
                assert_eq!(first.unwrap(), retried, "{case}");
            } else {
                let error = first.unwrap_err();
                assert!(matches!(error, StoreError::Unavailable(..)) && error.to_string().contains(&key), "{case}");
                tells_nothing(&error, &["content of it"]);
                let outcome = store.put(&key, b"content of it", Retention::days(1)).await.unwrap();
                assert_eq!(outcome, retried, "{case}");
            }
            assert_eq!(store.get(&key).await.unwrap().as_deref(), Some(b"content of it".as_slice()), "{case}");
            version(emulator, &settings, &key).await;
            let other = store.put(&key, b"another", Retention::days(1)).await;
            assert!(matches!(other, Err(StoreError::Conflict { .. })), "{case}");
        }
    }
}

#[tokio::test]
async fn a_put_beside_another_of_the_same_key_is_tried_again() {
    let emulator = emulator!();
    let (settings, proxy) = (emulator.bucket().await, proxy(emulator));
    let store = store(&Emulator::connection_to(proxy.address()), &settings).await;
    proxy.fail("x-id=putobject", Fault::Status(409, "ConditionalRequestConflict"), false, 2);
    assert_eq!(store.put("evidence/x", b"x", Retention::days(1)).await.unwrap(), PutOutcome::Created);
    assert_eq!(proxy.heal(), 0);
}

#[tokio::test]
async fn a_put_that_was_refused_says_why_and_is_not_tried_again() {
    let emulator = emulator!();
    let (settings, proxy) = (emulator.bucket().await, proxy(emulator));
    let store = store(&Emulator::connection_to(proxy.address()), &settings).await;
    proxy.fail("x-id=putobject", Fault::Status(403, "AccessDenied"), false, 2);
    let error = store.put("evidence/x", b"x", Retention::days(1)).await.unwrap_err();
    let StoreError::Unavailable(_, cause) = &error else { panic!("{error}") };
    assert_eq!(cause.to_string(), "PutObject: AccessDenied");
    assert_eq!(proxy.heal(), 1);
}

/// Reading, listing, looking at versions, deleting: each bears each fault once.
#[tokio::test]
async fn every_other_call_bears_every_fault() {
    let emulator = emulator!();
    let (settings, proxy) = (emulator.bucket().await, proxy(emulator));
    let store = store(&Emulator::connection_to(proxy.address()), &settings).await;
    store.put("evidence/x", b"content of it", Retention::days(1)).await.unwrap();
    let reads = ["x-id=getobject", "head /", "?versions"];
    let reads = reads.into_iter().flat_map(|call| faults_of_reading().map(move |(fault, _)| (call, fault, false)));
    for (call, fault, persists) in reads.chain(faults().map(|(fault, persists)| ("delete /", fault, persists))) {
        let case = format!("{call} {fault:?} {persists}");
        store.put("keys/x", b"key", Retention::none()).await.unwrap();
        proxy.fail(call, fault, persists, 1);
        let again = store.put("evidence/x", b"content of it", Retention::days(1)).await.unwrap();
        assert_eq!(again, PutOutcome::AlreadyIdentical, "{case}");
        assert_eq!(store.get("evidence/x").await.unwrap().as_deref(), Some(b"content of it".as_slice()), "{case}");
        assert_eq!(store.list("").await.unwrap(), ["evidence/x", "keys/x"], "{case}");
        store.delete("keys/x").await.unwrap();
        assert_eq!(proxy.heal(), 0, "{case}: it came to that");
        assert_eq!(store.list("").await.unwrap(), ["evidence/x"], "{case}");
    }
}

/// An object that nobody answers for is an error in time, and not nothing.
#[tokio::test]
async fn a_store_that_is_away_is_told_as_such() {
    let emulator = emulator!();
    let (settings, proxy) = (emulator.bucket().await, proxy(emulator));
    let store = store(&Emulator::connection_to(proxy.address()), &settings).await;
    store.put("evidence/x", b"content of it", Retention::days(1)).await.unwrap();
    for fault in [Fault::Cut, Fault::Status(503, "SlowDown")] {
        proxy.fail("", fault, false, usize::MAX);
        for error in [
            store.get("evidence/x").await.unwrap_err(),
            store.list("").await.unwrap_err(),
            store.delete("evidence/x").await.unwrap_err(),
            store.overlays("", 1).await.unwrap_err(),
        ] {
            assert!(matches!(error, StoreError::Unavailable(..)), "{error}");
            tells_nothing(&error, &["content of it"]);
        }
        proxy.heal();
    }
}

#[tokio::test]
async fn no_call_takes_longer_than_its_deadline() {
    let emulator = emulator!();
    let (settings, proxy) = (emulator.bucket().await, proxy(emulator));
    let mut connection = Emulator::connection_to(proxy.address());
    connection.deadlines.operation = Duration::from_secs(2);
    let store = store(&connection, &settings).await;
    proxy.fail("", Fault::Silence, true, usize::MAX);
    let began = Instant::now();
    let (put, got) = tokio::join!(store.put("evidence/x", b"x", Retention::days(1)), store.get("evidence/x"));
    let told = |error: StoreError| error.to_string();
    assert_eq!(told(put.unwrap_err()), "evidence/x: store unavailable: PutObject: no answer in time");
    assert_eq!(told(got.unwrap_err()), "evidence/x: store unavailable: ListObjectVersions: no answer in time");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

/// The one version under this key: its id, its lock, and until when.
async fn version(emulator: &Emulator, settings: &S3Settings, key: &str) -> (String, ObjectLockMode, u64) {
    let versions = emulator.s3().list_object_versions().bucket(&settings.bucket).prefix(key).send().await.unwrap();
    assert_eq!(versions.versions().len(), 1, "{key} was put once");
    let head = emulator.s3().head_object().bucket(&settings.bucket).key(key).send().await.unwrap();
    let until_s = head.object_lock_retain_until_date.unwrap().secs();
    (head.version_id.unwrap(), head.object_lock_mode.unwrap(), u64::try_from(until_s).unwrap())
}
