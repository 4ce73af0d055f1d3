//! The table of faults: every change that recording makes to the disk, failing in every way; the process dying at it; the
//! machine dying after that. What was acknowledged is known, and the same calls again end the same.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard};

use redb::StorageBackend;
use schemas::digest::Sha256Digest;

use super::*;
use crate::contract::sample_session;
use crate::disk::faults::Fault;

/// A file whose changes can fail, and which forgets what was not flushed.
#[derive(Debug, Clone, Default)]
struct Platter(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    bytes: Vec<u8>,
    flushed: Vec<u8>,
    /// Parts that were written since.
    written: Vec<(usize, Vec<u8>)>,
    changes: usize,
    plan: Option<(usize, Fault)>,
}

impl Platter {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Counts anew; change `at` fails.
    fn plan(&self, at: usize, fault: Fault) {
        let mut state = self.state();
        (state.changes, state.plan) = (0, Some((at, fault)));
    }

    /// The process is gone; with the power, so is what was not flushed, but for every other part of it.
    fn restart(&self, power: bool) {
        let mut state = self.state();
        state.plan = None;
        if !power {
            let mut bytes = std::mem::take(&mut state.flushed);
            for (offset, part) in state.written.iter().step_by(2) {
                let end = offset + part.len();
                if end <= bytes.len() {
                    bytes[*offset..end].copy_from_slice(part);
                }
            }
            state.bytes.clone_from(&bytes);
            state.flushed = bytes;
        }
        state.written.clear();
    }

    fn index(&self) -> Result<RedbIndex, IndexError> {
        let platter = self.clone();
        RedbIndex::with(move || Database::builder().create_with_backend(platter.clone()).map_err(away))
    }

    fn change(&self, act: impl Fn(&mut State, bool)) -> io::Result<()> {
        let mut state = self.state();
        let number = state.changes;
        state.changes += 1;
        let broken = || Err(io::Error::from_raw_os_error(5));
        let Some((at, fault)) =
            state.plan.filter(|(at, fault)| number == *at || number > *at && Fault::DEADLY.contains(fault))
        else {
            act(&mut state, true);
            return Ok(());
        };
        match fault {
            Fault::DoneAndReportedFailed => act(&mut state, true),
            Fault::Torn | Fault::DeathInAWrite if number == at => act(&mut state, false),
            Fault::DiskFull => return Err(io::ErrorKind::StorageFull.into()),
            _ => {}
        }
        broken()
    }
}

impl StorageBackend for Platter {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state().bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).unwrap();
        out.copy_from_slice(&self.state().bytes[start..start + out.len()]);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let len = usize::try_from(len).unwrap();
        self.change(|state, whole| {
            if whole {
                state.bytes.resize(len, 0);
            }
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        self.change(|state, whole| {
            if whole {
                state.flushed.clone_from(&state.bytes);
                state.written.clear();
            }
        })
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let start = usize::try_from(offset).unwrap();
        self.change(|state, whole| {
            let data = if whole { data } else { &data[..data.len() / 2] };
            state.bytes[start..start + data.len()].copy_from_slice(data);
            state.written.push((start, data.to_vec()));
        })
    }
}

/// Sessions in two steps each, and a chunk of each.
#[derive(Debug, Clone)]
enum Call {
    Session(SessionRow),
    Chunk(ChunkRow),
}

fn calls() -> Vec<Call> {
    let mut calls = Vec::new();
    for counter in 1..=2 {
        let plain = sample_session(counter).unwrap();
        let chunk = ChunkRow {
            session: plain.session.clone(),
            sequence: 1,
            key: format!("evidence/{counter}"),
            manifest: Sha256Digest::of(b"manifest"),
            length: 5,
            events: 2,
            first_time_us: 1,
            last_time_us: 3,
        };
        calls.push(Call::Session(SessionRow { opened_us: Some(1), ..plain.clone() }));
        calls.push(Call::Chunk(chunk));
        calls.push(Call::Session(SessionRow { closed_us: Some(3), ..plain }));
    }
    calls
}

async fn make(index: &RedbIndex, call: Call) -> Result<(), IndexError> {
    match call {
        Call::Session(row) => index.record_session(row).await,
        Call::Chunk(row) => index.record_chunk(row).await,
    }
}

/// What is known, as facts: each is there or not.
async fn facts(index: &RedbIndex) -> BTreeSet<String> {
    let mut facts = BTreeSet::new();
    for row in index.sessions().await.unwrap() {
        facts.extend(row.opened_us.map(|_| format!("{} opened", row.session)));
        facts.extend(row.closed_us.map(|_| format!("{} closed", row.session)));
        let chunks = index.chunks(&row.session).await.unwrap();
        facts.extend(chunks.iter().map(|chunk| format!("{} chunk {}", chunk.session, chunk.sequence)));
    }
    facts
}

fn fact(call: &Call) -> String {
    match call {
        Call::Session(row) if row.opened_us.is_some() => format!("{} opened", row.session),
        Call::Session(row) => format!("{} closed", row.session),
        Call::Chunk(row) => format!("{} chunk {}", row.session, row.sequence),
    }
}

async fn changes() -> usize {
    let platter = Platter::default();
    let index = platter.index().unwrap();
    platter.plan(usize::MAX, Fault::NotDone);
    for call in calls() {
        make(&index, call).await.unwrap();
    }
    platter.state().changes
}

#[tokio::test]
async fn a_disk_that_refuses_or_lies_once_is_an_index_that_goes_on() {
    let all = changes().await;
    assert!(all > 20, "only {all} changes");
    for at in 0..all {
        for fault in Fault::PASSING {
            let platter = Platter::default();
            let index = platter.index().unwrap();
            platter.plan(at, fault);
            for call in calls() {
                if make(&index, call.clone()).await.is_err() {
                    let again = make(&index, call.clone()).await;
                    again.unwrap_or_else(|error| panic!("{fault:?} at change {at}, {call:?}: {error}"));
                }
            }
            assert_eq!(facts(&index).await, calls().iter().map(fact).collect(), "{fault:?} at change {at}");
        }
    }
}

#[tokio::test]
async fn a_death_at_any_change_with_and_without_power_loses_nothing_that_was_acknowledged() {
    for at in 0..changes().await {
        for fault in Fault::DEADLY {
            for power in [true, false] {
                let place = format!("{fault:?} at change {at}, power {power}");
                let platter = Platter::default();
                let index = platter.index().unwrap();
                platter.plan(at, fault);
                let mut acknowledged = BTreeSet::new();
                for call in calls() {
                    match make(&index, call.clone()).await {
                        Ok(()) => drop(acknowledged.insert(fact(&call))),
                        Err(_) => break,
                    }
                }
                drop(index);
                platter.restart(power);
                let index = platter.index().unwrap_or_else(|error| panic!("{place}: {error:?}"));
                assert!(facts(&index).await.is_superset(&acknowledged), "{place}: {acknowledged:?}");
                for call in calls() {
                    make(&index, call).await.unwrap();
                }
                assert_eq!(facts(&index).await, calls().iter().map(fact).collect(), "{place}");
            }
        }
    }
}

/// A death while the file is made leaves one that is no database.
#[tokio::test]
async fn a_start_that_died_while_it_made_the_file_does_not_keep_the_next_one_from_starting() {
    let platter = Platter::default();
    platter.index().unwrap();
    let all = platter.state().changes;
    for at in 0..all {
        let platter = Platter::default();
        platter.plan(at, Fault::DeathInAWrite);
        let _dead = platter.index();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("index.redb");
        fs::write(path.with_extension("new"), &platter.state().bytes).unwrap();
        let index = RedbIndex::open(&path).unwrap();
        assert!(index.sessions().await.unwrap().is_empty());
        assert!(!path.with_extension("new").exists());
    }
}
