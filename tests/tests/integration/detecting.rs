//! The third net: what a classification forgot is seen by its form, before it is recorded or returned.

use std::path::Path;

use serde_json::Value;

use crate::harness::raw::{Message, bind, bind_of, describe, execute, parse, parse_with, query, sync};
use crate::harness::{Database, RawClient, Relay, have_psycopg};
use crate::skip_without;

/// Of ids that stand for one row each, so that a test knows whose number it must not see.
const NOTES: &str = "SELECT id, notes FROM clinic.visits WHERE notes LIKE '%MRN%' ORDER BY id LIMIT 3";

#[test]
fn a_note_that_holds_a_record_number_is_not_returned_however_it_is_asked_for() {
    skip_without!(have_psycopg(), "psycopg");
    let mut relay = forgetful("kinds = [\"ssn\", \"mrn\"]");
    let numbers = numbers();
    // By text and binary, as parts of other values, by COPY in each format, by cursors.
    for sql in [
        NOTES,
        "SELECT array_agg(notes) FROM clinic.visits",
        "SELECT jsonb_agg(v) FROM (SELECT id, notes FROM clinic.visits) v",
        "SELECT ROW(id, ARRAY[notes]) FROM clinic.visits",
        "SELECT repeat('x', 5000000) || ' ' || notes FROM clinic.visits",
        "SELECT E'first\\n' || right(notes, 40) || notes FROM clinic.visits",
    ] {
        for binary in ["False", "True"] {
            let said = relay.psycopg("alice", &format!("{FETCH}fetch({sql:?}, {binary})")).refused();
            assert!(said.contains("the form of: mrn"), "{sql}: {said}");
            assert_eq!(leaked(&said, &numbers), None, "{sql}");
        }
    }
    for format in ["TEXT", "CSV", "BINARY"] {
        let sql = format!("COPY (SELECT notes FROM clinic.visits) TO STDOUT (FORMAT {format})");
        let said = relay.psycopg("alice", &format!("{FETCH}copy({sql:?})")).refused();
        assert!(said.contains("the form of: mrn"), "{said}");
        assert_eq!(leaked(&said, &numbers), None);
    }
    let said = relay.psql("alice", &["BEGIN", &format!("DECLARE c CURSOR FOR {NOTES}"), "FETCH 2 FROM c"]).refused();
    assert!(said.contains("FATAL:  42501") && said.contains("column \"notes\" (number 2 of the result)"), "{said}");

    // Without a description of its columns every column is looked into.
    for binary in [false, true] {
        let mut client = RawClient::logged_in(&relay, "alice");
        client.send(&[parse("", NOTES), bind_of(&[], binary), execute(""), sync()].concat());
        let said = client.read_all();
        assert!(said.iter().all(|message| message.tag != 'D'), "{said:?}");
        assert_eq!(said.last().unwrap().fields()[&'C'], "42501");
    }
    relay.stop();
    relay.verify(&relay.evidence()).ok();
    for line in relay.sessions().ok().lines() {
        let replay = relay.replay(line.split(' ').next().unwrap()).ok();
        assert!(replay.contains("closed: identifier-detected"), "{replay}");
        assert!(replay.contains("DETECTED mrn in statement"), "{replay}");
        assert_eq!(leaked(&replay, &numbers), None, "not on record either");
    }
    let told = detections(&relay, "ended");
    assert!(told.iter().all(|row| row["kind"] == "mrn" && row["action"] == "ended" && row["values"] == 1), "{told:?}");
    let named = told.iter().filter(|row| row["column"] == "clinic.visits.notes").count();
    assert!(named >= 3, "text, binary and by cursor: {told:?}");
}

#[test]
fn what_policy_reveals_and_what_the_operator_excepts_passes_and_what_is_made_of_it_does_not() {
    let settings = "kinds = [\"email\", \"mrn\", \"phone\"]\nexcept = [\"clinic.visits.notes\"]";
    let relay = forgetful(settings);
    relay.psql("carol", &["SELECT email FROM clinic.patients WHERE email IS NOT NULL LIMIT 5"]).ok();
    relay.psql("alice", &[NOTES, "SELECT max(ssn), max(phone), max(email), max(mrn) FROM clinic.patients"]).ok();
    let mut client = RawClient::logged_in(&relay, "carol");
    let sql = "SELECT email FROM clinic.patients WHERE email IS NOT NULL LIMIT 2";
    client.send(&[parse("kept", sql), describe("S", "kept"), sync()].concat());
    until_ready(&mut client);
    client.send(&[bind("", "kept"), execute(""), bind("", "kept"), execute(""), sync()].concat());
    assert_eq!(until_ready(&mut client).iter().filter(|message| message.tag == 'D').count(), 4);
    for (name, sql) in [
        ("carol", "SELECT lower(email) FROM clinic.patients"),
        ("carol", "COPY (SELECT email FROM clinic.patients) TO STDOUT"),
        ("alice", "SELECT notes || '' FROM clinic.visits"),
        ("alice", "SELECT 'ann@' || 'clinic.example' AS address"),
    ] {
        let said = relay.psql(name, &[sql]).refused();
        assert!(said.contains("the form of"), "{sql}: {said}");
    }
    // Who may not see addresses gets masks, which have no form.
    let said = relay.psql("alice", &["SELECT * FROM clinic.patients LIMIT 50", "TABLE billing.payers"]).ok();
    assert!(said.contains("(50 rows)"), "{said}");
}

#[test]
fn a_report_counts_what_passes_and_marks_literals_and_parameters() {
    let mut relay = forgetful("kinds = [\"mrn\", \"email\", \"card\"]\naction = \"report\"");
    let mut client = RawClient::logged_in(&relay, "alice");
    client.send(&query("SELECT id, notes FROM clinic.visits WHERE notes LIKE '%MRN%' ORDER BY id LIMIT 500"));
    assert_eq!(until_ready(&mut client).iter().filter(|message| message.tag == 'D').count(), 500);
    client.send(&query("SELECT 1, 'x'; SELECT 2 WHERE 'ann@clinic.example' = 'y' OR 4111111111111111 = 1"));
    until_ready(&mut client);
    let bound =
        [parse_with("", "SELECT 1 WHERE $1::text = $2::text", &[25, 25]), bind_of(&["x", "bob@b.example"], true)];
    client.send(&[&bound.concat()[..], &execute(""), &sync()].concat());
    until_ready(&mut client);
    client.send(&query("SELECT repeat('x', 17000000) AS much"));
    assert_eq!(until_ready(&mut client).iter().filter(|message| message.tag == 'D').count(), 1);
    drop(client);
    relay.stop();
    relay.verify(&relay.evidence()).ok();
    let told = detections(&relay, "reported");
    let of = |place: &str, kind: &str| {
        let rows = told.iter().filter(|row| row["place"] == place && row["kind"] == kind);
        rows.map(|row| (row["position"].as_u64().unwrap(), row["values"].as_u64().unwrap())).collect::<Vec<_>>()
    };
    let notes = of("result", "mrn");
    assert_eq!((notes[0].0, notes.iter().map(|(_, values)| values).sum::<u64>()), (2, 500), "{told:?}");
    assert!(notes.len() < 100, "together: {notes:?}");
    assert_eq!((of("literal", "email"), of("literal", "card")), (vec![(2, 1)], vec![(4, 1)]), "{told:?}");
    assert_eq!(of("parameter", "email"), [(2, 1)]);
    assert_eq!(of("result", "unexamined"), [(0, 1)]);
    assert!(told.iter().all(|row| row["action"] == "reported"), "{told:?}");
    let text = serde_json::to_string(&told).unwrap();
    assert!(!text.contains("clinic.example") && !text.contains("4111"), "{text}");
}

#[test]
fn a_cursor_that_is_declared_anew_is_looked_into_by_what_it_holds_now() {
    let relay = forgetful("kinds = [\"mrn\"]");
    let mut client = RawClient::logged_in(&relay, "alice");
    for sql in ["BEGIN", "DECLARE c CURSOR FOR SELECT id, id FROM clinic.visits"] {
        client.send(&query(sql));
        until_ready(&mut client);
    }
    // Described while all columns are numbers, in which nothing is looked for.
    client.send(&[parse("kept", "FETCH ALL FROM c"), describe("S", "kept"), sync()].concat());
    until_ready(&mut client);
    for sql in ["CLOSE c", &format!("DECLARE c CURSOR FOR {NOTES}")] {
        client.send(&query(sql));
        until_ready(&mut client);
    }
    client.send(&[bind("", "kept"), execute(""), sync()].concat());
    let said = client.read_all();
    assert!(said.iter().all(|message| message.tag != 'D'), "{said:?}");
    assert_eq!(said.last().unwrap().fields()[&'C'], "42501");
}

#[test]
fn what_is_too_long_to_be_looked_into_ends_the_session_unless_it_holds_no_text() {
    let relay = forgetful("kinds = [\"mrn\"]");
    let mut client = RawClient::logged_in(&relay, "alice");
    client.send(&query("SELECT decode(repeat('00', 17000000), 'hex') AS picture"));
    assert_eq!(until_ready(&mut client).iter().filter(|message| message.tag == 'D').count(), 1);
    client.send(&query("SELECT repeat('x', 17000000) AS much"));
    let said = client.read_all();
    assert!(said.iter().all(|message| message.tag != 'D'));
    assert!(said.last().unwrap().fields()[&'M'].contains("too long for this connection's detectors"), "{said:?}");
}

/// A relay whose classification forgot that notes are about patients, and whose policy lets who is at the front desk see
/// addresses.
fn forgetful(settings: &str) -> Relay {
    let database = Database::shared();
    Relay::in_front_of(database, database.get("PGDATABASE"), |data| {
        change(&data.join("classification.toml"), "notes = \"redact\"", "notes = \"clear\"");
        let detectors = format!("[connection.detectors]\n{settings}\n\n[evidence]");
        change(&data.join("relay.toml"), "[evidence]", &detectors);
        let reveal = "permit (principal in Group::\"clinicians\", action == Action::\"reveal\", \
                      resource == Column::\"clinic/clinic.patients.email\");";
        std::fs::write(data.join("policies/addresses.cedar"), reveal).unwrap();
    })
}

fn change(path: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{} has {from}", path.display());
    std::fs::write(path, text.replace(from, to)).unwrap();
}

fn numbers() -> Vec<String> {
    Database::shared().values("SELECT mrn FROM clinic.patients")
}

fn leaked<'a>(text: &str, numbers: &'a [String]) -> Option<&'a String> {
    numbers.iter().find(|number| text.contains(*number))
}

fn detections(relay: &Relay, name: &str) -> Vec<Value> {
    let bundle = relay.bundle(name);
    relay.verify(&bundle).ok();
    let told: Value = serde_json::from_slice(&std::fs::read(bundle.join("json/detections.json")).unwrap()).unwrap();
    told.as_array().unwrap().clone()
}

fn until_ready(client: &mut RawClient) -> Vec<Message> {
    let mut messages = Vec::new();
    while messages.last().is_none_or(|last: &Message| last.tag != 'Z') {
        messages.push(client.read().expect("the session goes on"));
    }
    messages
}

const FETCH: &str = r#"
import sys, psycopg
connection = psycopg.connect(sys.argv[1])
def fetch(sql, binary):
    cursor = connection.cursor(binary=binary)
    cursor.execute(sql, prepare=True)
    for row in cursor:
        print(row)
def copy(sql):
    with connection.cursor().copy(sql) as data:
        for piece in data:
            print(bytes(piece))
"#;
