//! The table of faults: every change that storing and deleting make to the disk, failing in every way; the process dying
//! at it; the machine dying after that. What was acknowledged is there and durable, what was not is as if never asked for
//! or as if done, and the same calls again end the same.

use std::collections::BTreeMap;

use super::*;
use crate::disk::faults::Fault;

/// A call to the store.
#[derive(Debug, Clone, Copy)]
enum Call {
    /// Object, content, days.
    Put(&'static str, &'static [u8], u32),
    Delete(&'static str),
}

/// Calls whose steps are all that a store does: first objects and later ones of a folder, with and without retention, a
/// retention that grows, an object again, one that goes and comes again.
const CALLS: [Call; 8] = [
    Call::Put("evidence/a/x", b"first", 2),
    Call::Put("evidence/a/y", b"second", 2),
    Call::Put("keys/k", b"wrapped", 0),
    Call::Put("evidence/a/x", b"first", 9),
    Call::Put("evidence/a/y", b"second", 2),
    Call::Delete("keys/k"),
    Call::Put("keys/j", b"wrapped too", 0),
    Call::Put("evidence/b/z", b"", 2),
];

struct Scene {
    folder: tempfile::TempDir,
    disk: Disk,
}

impl Scene {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), disk: Disk::default() }
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    fn open(&self) -> Result<Arc<Folder>, StoreError> {
        FileStore::on(self.disk.clone(), self.root(), Box::new(|| DAY_S)).map(|store| store.0)
    }

    /// The end is the one without faults: these objects, these retentions, and nothing else.
    fn check(&self, place: &str) {
        let mut found = BTreeMap::new();
        for area in [OBJECTS, RETENTION, INCOMING] {
            for key in listing::all(&self.root().join(area), "").unwrap() {
                let bytes = fs::read(self.root().join(area).join(&key)).unwrap();
                found.insert(format!("{area}/{key}"), String::from_utf8(bytes).unwrap());
            }
        }
        let retained = |days: u64| ((days + 1) * DAY_S).to_string();
        let expected = [
            ("objects/evidence/a/x", "first".to_owned()),
            ("objects/evidence/a/y", "second".to_owned()),
            ("objects/evidence/b/z", String::new()),
            ("objects/keys/j", "wrapped too".to_owned()),
            ("retention/evidence/a/x", retained(9)),
            ("retention/evidence/a/y", retained(2)),
            ("retention/evidence/b/z", retained(2)),
        ];
        assert_eq!(found, expected.map(|(key, text)| (key.to_owned(), text)).into(), "{place}");
    }

    /// What an acknowledged call is worth: nothing that it made depends on power.
    fn assert_durable(&self, place: &str) {
        let lost = self.disk.faults.unsafe_names(&[&self.root().join(INCOMING)]);
        assert!(lost.is_empty(), "{place}: acknowledged, and not on the disk: {lost:?}");
    }
}

fn make(store: &Folder, call: Call) -> Result<(), StoreError> {
    match call {
        Call::Put(key, bytes, days) => store.put(key, bytes, Retention::days(days)).map(drop),
        Call::Delete(key) => store.delete(key),
    }
}

fn changes() -> usize {
    let scene = Scene::new();
    scene.disk.faults.plan(usize::MAX, Fault::NotDone);
    let store = scene.open().unwrap();
    CALLS.into_iter().for_each(|call| make(&store, call).unwrap());
    scene.check("no fault");
    scene.assert_durable("no fault");
    scene.disk.faults.changes()
}

#[test]
fn a_disk_that_refuses_or_lies_once_loses_nothing() {
    let all = changes();
    assert!(all > 60, "only {all} changes");
    for at in 0..all {
        for fault in Fault::PASSING {
            let scene = Scene::new();
            scene.disk.faults.plan(at, fault);
            let mut failed = 0;
            let store = scene.open().or_else(|_| {
                failed += 1;
                scene.open()
            });
            let store = store.unwrap();
            for call in CALLS {
                let place = format!("{fault:?} at change {at}, {call:?}");
                if make(&store, call).is_err() {
                    failed += 1;
                    // As every caller does after a failure that may pass.
                    make(&store, call).unwrap_or_else(|error| panic!("{place}: {error}"));
                }
                scene.assert_durable(&place);
            }
            assert!(failed <= 1, "{fault:?} at change {at}");
            // What a reported failure left half done goes with the next start.
            scene.open().unwrap();
            scene.check(&format!("{fault:?} at change {at}"));
        }
    }
}

#[test]
fn a_full_disk_is_not_filled_by_attempts() {
    let scene = Scene::new();
    let store = scene.open().unwrap();
    for at in 0..20 {
        for fault in [Fault::DiskFull, Fault::Torn] {
            scene.disk.faults.plan(at, fault);
            let _refused_or_not = store.put(&format!("evidence/{at}/{fault:?}"), b"bytes", Retention::days(2));
            let left = fs::read_dir(scene.root().join(INCOMING)).unwrap().count();
            let is_removal = fault == Fault::DiskFull && left == 1;
            assert!(left == 0 || is_removal, "{fault:?} at change {at}: {left} files");
            scene.disk.faults.plan(usize::MAX, fault);
            scene.open().unwrap();
        }
    }
}

#[test]
fn a_death_at_any_change_with_and_without_power_loses_nothing_that_was_acknowledged() {
    for at in 0..changes() {
        for fault in Fault::DEADLY {
            for power in [true, false] {
                let scene = Scene::new();
                scene.disk.faults.plan(at, fault);
                let dead = scene.open();
                let acknowledged = match &dead {
                    Ok(store) => CALLS.into_iter().take_while(|call| make(store, *call).is_ok()).count(),
                    Err(_) => 0,
                };
                let place = format!("{fault:?} at change {at}, power {power}, after {acknowledged} calls");
                drop(dead);
                if power {
                    scene.disk.faults.plan(usize::MAX, fault);
                } else {
                    scene.disk.faults.lose_power();
                }
                let store = scene.open().unwrap_or_else(|error| panic!("{place}: {error}"));
                assert_kept(&store, &CALLS[..acknowledged], CALLS.get(acknowledged), &place);
                for call in &CALLS[acknowledged..] {
                    make(&store, *call).unwrap_or_else(|error| panic!("{place}: {error}"));
                    scene.assert_durable(&place);
                }
                scene.check(&place);
            }
        }
    }
}

/// Every acknowledged call shows; the one at which the process died may or may not; no object is a part of one or
/// without its retention.
fn assert_kept(store: &Folder, calls: &[Call], pending: Option<&Call>, place: &str) {
    let mut expected: BTreeMap<&str, &[u8]> = BTreeMap::new();
    for call in calls {
        match call {
            Call::Put(key, bytes, _) => drop(expected.insert(key, bytes)),
            Call::Delete(key) => drop(expected.remove(key)),
        }
    }
    for call in CALLS {
        let Call::Put(key, bytes, days) = call else { continue };
        let found = store.get(key).unwrap();
        let may_differ = pending.is_some_and(|pending| match pending {
            Call::Put(pending, ..) | Call::Delete(pending) => *pending == key,
        });
        if may_differ {
            assert!(found.is_none_or(|found| found == bytes), "{place}: {key} is a part");
        } else {
            assert_eq!(found.as_deref(), expected.get(key).copied(), "{place}: {key}");
        }
        if store.path(OBJECTS, key).unwrap().exists() && days > 0 {
            assert!(store.retained_until(key).unwrap() >= 3 * DAY_S, "{place}: {key} is without its retention");
        }
    }
}

#[test]
fn a_clock_that_jumps_back_ends_no_retention_early() {
    let scene = Scene::new();
    let at = |now_s| FileStore::on(Disk::default(), scene.root(), Box::new(move || now_s)).unwrap().0;
    at(10 * DAY_S).put("evidence/x", b"x", Retention::days(2)).unwrap();
    at(0).put("evidence/x", b"x", Retention::days(2)).unwrap();
    for now_s in [0, 3 * DAY_S, 12 * DAY_S - 1] {
        assert!(matches!(at(now_s).delete("evidence/x"), Err(StoreError::Retained { .. })), "{now_s}");
    }
    at(12 * DAY_S).delete("evidence/x").unwrap();
}
