//! Clients that say what they have to say, end their half of the connection, and listen.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::raw::{Message, bind, execute, message, parse, query, sync};
use crate::harness::{Database, RawClient, Relay, Said};

#[test]
fn whoever_stops_writing_gets_all_that_was_asked_for_and_its_outcome_is_on_record() {
    let mut relay = Relay::fresh();
    let asked = [
        query("SELECT generate_series(1, 200000)"),
        [parse("", "SELECT count(*) FROM clinic.visits"), bind("", ""), execute(""), sync()].concat(),
    ]
    .concat();
    type Leave = fn(&mut RawClient);
    let ways: [(Leave, &str); 3] = [
        (|client| client.end_writing(true), "client-disconnected"),
        (|client| client.end_writing(false), "client-disconnected"),
        (|client| client.send(&message(b'X', &[])), "client-terminated"),
    ];
    for (leave, reason) in ways {
        let mut client = RawClient::logged_in(&relay, "alice");
        client.send(&asked);
        leave(&mut client);
        let said = client.read_all();
        assert_eq!(tags(&said).replace('D', ""), "TCZ12CZ", "{reason}: {}", relay.log());
        assert_eq!(said.iter().filter(|message| message.tag == 'D').count(), 200_001);
    }
    relay.stop();
    relay.verify(&relay.evidence()).ok();
    let events: Value = serde_json::from_str(&relay.events()).unwrap();
    for (session, (_, reason)) in events["sessions"].as_array().unwrap().iter().zip(ways) {
        assert_eq!(session["close_reason"], reason);
        assert_eq!(outcomes(session), ["completed", "completed"]);
    }
}

#[test]
fn queries_that_come_with_the_password_are_answered() {
    let relay = Relay::shared();
    let mut client = RawClient::connect(relay);
    client.start("alice");
    let password = message(b'p', &[relay.token("alice").as_bytes(), &[0]]);
    client.send(&[password, query("SELECT 7")].concat());
    client.end_writing(true);
    let said = tags(&client.read_all());
    assert!(said.ends_with("ZTDCZ"), "{said}");
}

#[test]
fn a_copy_without_its_end_fails_and_one_with_it_is_kept() {
    let table = Table::new("half_copied");
    let mut relay = Relay::fresh();
    let data = |id: u32| message(b'd', &[format!("{id}\n").as_bytes()]);
    let copy = format!("COPY {} FROM STDIN", table.0);
    // The end is missing: the target is waiting for it already, or hears of the COPY and of its end together.
    for wait in [true, false] {
        let mut client = RawClient::logged_in(&relay, "alice");
        client.send(&query(&copy));
        if wait {
            assert_eq!(client.read().unwrap().tag, 'G');
        }
        client.send(&[data(1), data(2)].concat());
        client.end_writing(true);
        let said = tags(&client.read_all());
        assert!(said.contains('E') && !said.contains('C'), "{said}");
    }
    // In the middle of a message.
    let mut client = RawClient::logged_in(&relay, "alice");
    client.send(&query(&copy));
    assert_eq!(client.read().unwrap().tag, 'G');
    client.send(&[&data(3)[..], &message(b'd', &[&[b'4'; 400_000]])[..300_000]].concat());
    client.end_writing(true);
    assert!(!tags(&client.read_all()).contains('C'));
    let mut client = RawClient::logged_in(&relay, "alice");
    client.send(&[query(&copy), data(5), message(b'c', &[])].concat());
    client.end_writing(true);
    assert_eq!(tags(&client.read_all()), "GCZ");
    relay.stop();
    assert_eq!(table.rows(), ["5"]);
    relay.verify(&relay.evidence()).ok();
    let events: Value = serde_json::from_str(&relay.events()).unwrap();
    let all: Vec<Vec<String>> = events["sessions"].as_array().unwrap().iter().map(outcomes).collect();
    assert_eq!([&all[0][0], &all[1][0], &all[3][0]], ["failed", "failed", "completed"]);
    assert_ne!(all[2][0], "completed");
}

#[test]
fn a_pipeline_without_sync_is_not_committed_and_not_waited_for() {
    let table = Table::new("half_synced");
    let mut relay = Relay::fresh();
    let mut client = RawClient::logged_in(&relay, "alice");
    let begun = Instant::now();
    client.send(&[parse("", &format!("INSERT INTO {} VALUES (1)", table.0)), bind("", ""), execute("")].concat());
    client.end_writing(true);
    client.read_all();
    assert!(begun.elapsed() < Duration::from_secs(10));
    relay.stop();
    assert_eq!(table.rows(), [""; 0]);
    relay.verify(&relay.evidence()).ok();
}

#[test]
fn whoever_stops_writing_while_a_statement_is_held_gives_it_up() {
    let mut relay = Relay::fresh();
    let mut client = RawClient::logged_in(&relay, "alice");
    client.send(&query("UPDATE billing.invoices SET amount = 1 WHERE id = 7"));
    assert_eq!(client.read().unwrap().tag, 'N');
    let begun = Instant::now();
    client.end_writing(true);
    client.read_all();
    assert!(begun.elapsed() < Duration::from_secs(10));
    relay.stop();
    relay.verify(&relay.evidence()).ok();
    let events: Value = serde_json::from_str(&relay.events()).unwrap();
    assert_eq!(outcomes(&events["sessions"][0]), ["refused"]);
}

/// What the clients sent and that it is to stop, the relay learns at once.
#[test]
fn whoever_left_before_the_relay_was_told_to_stop_is_said_to_have_left() {
    let mut relay = Relay::fresh();
    let mut clients: Vec<RawClient> = (0..40).map(|_| RawClient::logged_in(&relay, "alice")).collect();
    relay.signal("STOP");
    clients.iter_mut().for_each(|client| client.send(&message(b'X', &[])));
    relay.signal("TERM");
    relay.signal("CONT");
    relay.wait_for_end();
    let events: Value = serde_json::from_str(&relay.events()).unwrap();
    let reasons = events["sessions"].as_array().unwrap().iter().map(|session| &session["close_reason"]);
    assert_eq!(reasons.collect::<Vec<_>>(), vec!["client-terminated"; clients.len()]);
}

fn outcomes(session: &Value) -> Vec<String> {
    let statements = session["statements"].as_array().unwrap().iter();
    statements.map(|statement| statement["outcome"].as_str().unwrap_or("none").to_owned()).collect()
}

fn tags(said: &[Message]) -> String {
    said.iter().map(|message| message.tag).collect()
}

/// A table of a test's own.
struct Table(String);

impl Table {
    fn new(name: &str) -> Self {
        superuser(&format!(
            "CREATE TABLE billing.{name} (id int); GRANT SELECT, INSERT ON billing.{name} TO affidavit_relay"
        ));
        Self(format!("billing.{name}"))
    }

    fn rows(&self) -> Vec<String> {
        Database::shared().values(&format!("SELECT id FROM {} ORDER BY id", self.0))
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        superuser(&format!("DROP TABLE {}", self.0));
    }
}

fn superuser(sql: &str) {
    Said::by(Database::shared().psql().args(["--quiet", "--command", sql])).ok();
}
