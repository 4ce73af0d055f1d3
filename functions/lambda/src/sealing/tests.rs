//! A run over the golden evidence, and one over a log that somebody damaged.

use seams::{EvidenceStore, Retention};

use super::*;
use crate::golden::{Golden, event, name};
use crate::metrics::tests::Written;

fn sealing(golden: &Golden, written: &Written) -> Sealing {
    let env = Env {
        store: golden.store.clone(),
        keys: golden.keys.clone(),
        tenant: name("clinic"),
        environment: name("test"),
        retention: Retention::none(),
        batch: Env::BATCH,
        now_us: Arc::new(|| 0),
    };
    Sealing::new(env, written.metrics())
}

#[tokio::test]
async fn a_run_tells_what_it_did_and_the_next_one_has_nothing_to_do() {
    let (golden, written) = (Golden::new().await, Written::default());
    let sealing = sealing(&golden, &written);
    let due = || event(serde_json::from_str("{}").unwrap(), "arn");
    let told = sealing.handle(due()).await.unwrap();
    assert!(told.entries > 5 && told.size == told.entries && told.checkpoints == 1 && told.rejected == 0, "{told:?}");
    let again = sealing.handle(due()).await.unwrap();
    assert_eq!((again.entries, again.size), (0, told.size));
    assert_eq!((written.sum("Sealed"), written.sum("LogDamaged")), (told.entries, 0));
}

#[tokio::test]
async fn a_damaged_log_fails_the_run_and_is_counted() {
    let (golden, written) = (Golden::new().await, Written::default());
    let origin = schemas::log::LogOrigin::of(&name("clinic"), &name("test"));
    let store: &dyn EvidenceStore = golden.store.as_ref();
    store.put(&origin.checkpoint(1), b"not signed by anybody", Retention::none()).await.unwrap();
    let error = sealing(&golden, &written).handle(event(Due {}, "arn")).await.unwrap_err();
    assert_eq!(Diagnostic::from(error).error_type, "LogDamaged");
    assert_eq!((written.sum("LogDamaged"), written.sum("Sealed")), (1, 0));
}

/// The alarm is on the metric's sum.
#[tokio::test]
async fn an_object_that_belongs_nowhere_is_counted_once() {
    let (golden, written) = (Golden::new().await, Written::default());
    let store: &dyn EvidenceStore = golden.store.as_ref();
    let forged = format!("evidence/clinic/test/relay-1/{}/sessions/0000000001/open.json", "ab".repeat(16));
    store.put(&forged, b"of nobody", Retention::none()).await.unwrap();
    let sealing = sealing(&golden, &written);
    for rejected in [1, 0, 0] {
        assert_eq!(sealing.handle(event(Due {}, "arn")).await.unwrap().rejected, rejected);
    }
    assert_eq!(written.sum("Rejected"), 1);
}
