//! `kill -9` at random moments of a pipelined workload of many clients, over and over on one data folder. What the
//! target says that it ran is compared with what the evidence says, execution by execution.
//!
//! `AFFIDAVIT_KILLS` sets how often (`make crash`: 50); `AFFIDAVIT_SEED` repeats the moments of an earlier run.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::workload::{Clients, Moments, Table, setting};
use crate::harness::{Database, Programs, Relay, Said, have_psycopg};
use crate::skip_without;

#[test]
fn kills_at_random_moments_lose_nothing_and_double_nothing() {
    skip_without!(have_psycopg(), "psycopg");
    let (kills, mut moments) = (setting("AFFIDAVIT_KILLS", 6), Moments::seeded());
    let _table = Table::create("crashes");
    let marker = format!("crash{}_", std::process::id());
    let mut clients = Clients::start(&marker, "billing.crashes");
    let mut relay = Relay::fresh();
    let mut restarts = Duration::ZERO;
    for round in 1..=kills {
        clients.ask(round, &relay.connection("alice"));
        // Most rounds when all of them ask, some while they connect.
        if round % 8 != 0 {
            clients.await_answers();
        }
        std::thread::sleep(moments.within(ASKED_FOR));
        relay.kill();
        clients.await_end();
        if round % 5 == 0 {
            relay.die_starting(moments.within(STARTING_FOR));
        }
        let begun = Instant::now();
        relay.start();
        restarts += begun.elapsed();
    }
    relay.stop();

    let report = relay.verify(&relay.evidence()).ok();
    assert!(report.to_lowercase().contains("abort"), "the aborts are named: {report}");
    let bundle = relay.bundle("bundle");
    verify_bundle(&relay, &bundle).ok();

    let account = Account::of(&Database::shared().log(), &bundle, &marker);
    account.balance();
    let in_flight = account.kills_in_flight;
    println!("{kills} kills, {in_flight} with statements in flight; {account}; a start took {:?}", restarts / kills);
    assert!(in_flight * 5 >= kills as usize * 3, "too few of {kills} kills met a statement in flight: {in_flight}");
}

/// What the target and the evidence say of the same executions.
struct Account {
    /// Executions at the target, by marker.
    ran: BTreeMap<String, usize>,
    /// Executions on record, by marker.
    recorded: BTreeMap<String, Recorded>,
    /// Incarnations that died with an execution that nobody knows the outcome of.
    kills_in_flight: usize,
    aborted_sessions: usize,
}

/// What is on record under one marker.
#[derive(Default)]
struct Recorded {
    statements: usize,
    executions: usize,
    unknown: usize,
    /// Of them, skipped after an error before.
    skipped: usize,
    completed: usize,
}

impl Account {
    fn of(log: &str, bundle: &Path, marker: &str) -> Self {
        let mut ran = BTreeMap::new();
        // A simple query is one line, whatever number of statements it has; an `Execute` is one.
        for line in log.lines().filter(|line| line.contains("LOG:  statement: ") || line.contains("LOG:  execute ")) {
            markers(line, marker).into_iter().for_each(|one| *ran.entry(one).or_default() += 1);
        }
        let mut recorded: BTreeMap<String, Recorded> = BTreeMap::new();
        let mut marker_of = BTreeMap::new();
        for row in rows(bundle, "statements") {
            for one in markers(row["text"].as_str().unwrap_or_default(), marker) {
                recorded.entry(one.clone()).or_default().statements += 1;
                marker_of.insert((text(&row, "session"), row["statement"].as_u64().unwrap()), one);
            }
        }
        let mut killed = BTreeSet::new();
        for row in rows(bundle, "executions") {
            let (session, unknown) = (text(&row, "session"), row["outcome"] == "unknown");
            if unknown {
                killed.insert(session.split('-').next().unwrap().to_owned());
            }
            let Some(one) = marker_of.get(&(session, row["statement"].as_u64().unwrap())) else { continue };
            let recorded = recorded.get_mut(one).unwrap();
            recorded.executions += 1;
            recorded.skipped += usize::from(row["outcome"] == "skipped");
            recorded.unknown += usize::from(unknown);
            recorded.completed += usize::from(row["outcome"] == "completed");
        }
        let aborted_sessions = rows(bundle, "sessions").iter().filter(|row| row["state"] == "aborted").count();
        Self { ran, recorded, kills_in_flight: killed.len(), aborted_sessions }
    }

    /// Everything that ran is on record; what is on record as completed ran, as often; nothing is on record twice.
    fn balance(&self) {
        let nothing = Recorded::default();
        let mut wrong = Vec::new();
        for (one, ran) in &self.ran {
            let recorded = self.recorded.get(one).unwrap_or(&nothing);
            if recorded.executions < *ran {
                wrong.push(format!("{one} ran {ran} times and is on record {} times", recorded.executions));
            }
        }
        for (one, recorded) in &self.recorded {
            let ran = self.ran.get(one).copied().unwrap_or_default();
            if recorded.completed > ran {
                wrong.push(format!("{one} is on record as completed {} times and ran {ran} times", recorded.completed));
            }
            let once = !one.contains("_prepared_");
            // Which of its pipeline's statements a skipped execution is told of depends on when the error came (README).
            let skipped_besides = recorded.skipped.min(recorded.executions.saturating_sub(1));
            if recorded.statements != 1 || (once && recorded.executions - skipped_besides > 1) {
                let (statements, executions) = (recorded.statements, recorded.executions);
                wrong.push(format!("{one} is on record as {statements} statements and {executions} executions"));
            }
        }
        assert!(
            wrong.is_empty(),
            "{} of {} disagree: {:#?}",
            wrong.len(),
            self.recorded.len(),
            &wrong[..wrong.len().min(20)]
        );
    }
}

impl std::fmt::Display for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sum = |of: fn(&Recorded) -> usize| self.recorded.values().map(of).sum::<usize>();
        write!(
            f,
            "the target ran {} executions of {} statements; on record are {} executions of {} statements, {} of them \
             completed and {} unknown, in {} aborted sessions",
            self.ran.values().sum::<usize>(),
            self.ran.len(),
            sum(|one| one.executions),
            self.recorded.len(),
            sum(|one| one.completed),
            sum(|one| one.unknown),
            self.aborted_sessions,
        )
    }
}

fn verify_bundle(relay: &Relay, bundle: &Path) -> Said {
    let mut auditor = Command::new(Programs::built().executable("auditor"));
    Said::by(auditor.arg("verify").arg(bundle).arg("--root").arg(relay.keys().join("certificates.pub.pem")))
}

fn rows(bundle: &Path, table: &str) -> Vec<Value> {
    let json = std::fs::read(bundle.join(format!("json/{table}.json"))).unwrap();
    serde_json::from_slice(&json).unwrap()
}

fn text(row: &Value, member: &str) -> String {
    row[member].as_str().unwrap().to_owned()
}

/// Each `<marker>…` that stands in `text`, once.
fn markers(text: &str, marker: &str) -> BTreeSet<String> {
    let within = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let after = text.split(marker).skip(1);
    after.map(|rest| rest.split(|c| !within(c)).next().unwrap_or_default().to_owned()).collect()
}

/// The longest that a round's clients ask.
const ASKED_FOR: Duration = Duration::from_millis(800);
/// A relay is up by then, even a debug build on a busy machine.
const STARTING_FOR: Duration = Duration::from_millis(500);
