//! `kill -9` in the middle: whatever the target ran is in the evidence, and the abort is named.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use crate::harness::{Database, Relay, have_psycopg, psycopg};
use crate::skip_without;

#[test]
fn what_the_target_ran_before_a_kill_is_in_the_evidence() {
    skip_without!(have_psycopg(), "psycopg");
    let mut relay = Relay::fresh();
    let marker = format!("crash_{}_", std::process::id());
    let mut client = start_asking(&relay, &marker);
    await_answers(&mut client, 100);
    relay.kill();
    assert!(!client.wait().unwrap().success(), "the client lost its connection");

    relay.start();
    relay.stop();
    let ran = markers(&Database::shared().log(), &marker);
    let recorded = markers(&relay.events(), &marker);
    assert!(ran.len() >= 100, "the target ran {} of them", ran.len());
    assert_eq!(ran.difference(&recorded).count(), 0, "the target ran statements that are not in the evidence");

    let report = relay.verify(&relay.evidence());
    assert!(report.text.to_lowercase().contains("abort"), "the abort is named: {}", report.text);
    assert!(report.success, "a named abort is no forgery: {}", report.text);
}

#[test]
fn a_spool_that_was_recovered_once_is_not_recovered_again() {
    skip_without!(have_psycopg(), "psycopg");
    let mut relay = Relay::fresh();
    let mut client = start_asking(&relay, "twice_");
    await_answers(&mut client, 20);
    relay.kill();
    let _lost = client.wait();
    relay.start();
    relay.kill();
    relay.start();
    relay.stop();
    let report = relay.verify(&relay.evidence());
    assert!(report.success, "{}", report.text);
}

/// A psycopg session that runs statement after statement, each with its own marker, and prints as it goes.
fn start_asking(relay: &Relay, marker: &str) -> Child {
    let script = format!("MARKER = {marker:?}\n{ASK_ON}");
    psycopg(&script, &relay.connection("alice")).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

fn await_answers(client: &mut Child, count: usize) {
    let output = BufReader::new(client.stdout.take().unwrap());
    let mut lines = output.lines();
    assert_eq!(lines.by_ref().take(count).filter_map(Result::ok).count(), count, "the client was answered");
    // Drained to its end, so that the client goes on asking until the relay dies under it.
    std::thread::spawn(move || lines.count());
}

/// `<marker><number>` wherever it stands.
fn markers(text: &str, marker: &str) -> BTreeSet<u64> {
    let after = text.split(marker).skip(1);
    after.filter_map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()).collect()
}

/// Simple and extended queries by turns. Markers are aliases, which records keep; literals they do not.
const ASK_ON: &str = r#"
import sys, psycopg
with psycopg.connect(sys.argv[1], autocommit=True) as connection:
    for number in range(1000000):
        sql = f"SELECT id AS {MARKER}{number} FROM clinic.patients"
        if number % 2:
            connection.execute(sql + " WHERE id = %s", (number,)).fetchall()
        else:
            connection.execute(sql + " LIMIT 1").fetchall()
        print(number)
"#;
