//! What a recording holds of results: all rows, the first ones, or none, and of what it does not hold a keyed digest.

use std::path::Path;

use serde_json::Value;

use crate::harness::raw::{Message, bind, describe, execute, parse, query, sync};
use crate::harness::{Programs, RawClient, Relay, Said};

/// Rows of the demo's patients.
const PATIENTS: u64 = 1200;

#[test]
fn the_first_rows_are_on_record_and_a_digest_tells_what_all_of_them_were() {
    let mut relay = with_results("results = { keep = \"digest\", rows = 2 }");
    let mut client = RawClient::logged_in(&relay, "alice");
    client.send(&query("SELECT id FROM clinic.patients ORDER BY id"));
    let rows = rows_of(&until_ready(&mut client), 'D');
    client.send(&[parse("", "SELECT id FROM clinic.patients ORDER BY id"), bind("", ""), execute(""), sync()].concat());
    assert_eq!(rows_of(&until_ready(&mut client), 'D'), rows);
    client.send(&query("COPY (SELECT id FROM clinic.patients ORDER BY id) TO STDOUT"));
    let copied: Vec<u8> = until_ready(&mut client).into_iter().filter(|m| m.tag == 'd').flat_map(|m| m.body).collect();
    client.send(&query("SELECT repeat('x', 300000) FROM generate_series(1, 3)"));
    let long = rows_of(&until_ready(&mut client), 'D');
    let session = only_session(&mut relay, client);

    let replay = relay.replay(&session).ok();
    assert!(replay.contains("(1200 rows, 2 of them recorded)"), "{replay}");
    assert!(replay.contains("the first 2 rows of its result on record"), "{replay}");
    assert!(replay.contains("recorded  2 rows by setting, keyed digest"), "{replay}");
    assert!(!replay.contains("| 3\n") && !replay.contains("|   3\n"), "{replay}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("claimed");
    for (execution, claimed) in [(1, &rows), (2, &rows), (3, &copied), (4, &long)] {
        std::fs::write(&file, claimed).unwrap();
        let said = check(&relay, &session, execution, &file).ok();
        assert!(said.starts_with("This is what execution"), "{said}");
        std::fs::write(&file, &claimed[1..]).unwrap();
        check(&relay, &session, execution, &file).refused();
    }
    // A bundle without any key says how much is on record, and verifies as anything does.
    let bundle = relay.bundle("digests");
    relay.verify(&bundle).ok();
    let told: Value = serde_json::from_slice(&std::fs::read(bundle.join("json/executions.json")).unwrap()).unwrap();
    let first = &told.as_array().unwrap()[0];
    assert_eq!((&first["rows_returned"], &first["rows_recorded"]), (&PATIENTS.into(), &2.into()), "{first}");
    assert_eq!(first["result_hmac"].as_str().unwrap().len(), 64);
}

#[test]
fn of_counts_no_row_is_on_record_whatever_way_it_came() {
    let mut relay = with_results("results = { keep = \"counts\" }");
    let mut client = RawClient::logged_in(&relay, "alice");
    client.send(&query("SELECT 'kept-off-' || 'record-1'; SELECT 'kept-off-' || 'record-2'"));
    let said = until_ready(&mut client);
    assert_eq!(said.iter().filter(|message| message.tag == 'D').count(), 2);
    client.send(&query("BEGIN; DECLARE c CURSOR FOR SELECT 'kept-off-' || 'record-3'; FETCH ALL FROM c; COMMIT"));
    assert_eq!(until_ready(&mut client).iter().filter(|message| message.tag == 'D').count(), 1);
    client.send(&query("COPY (SELECT 'kept-off-' || 'record-4') TO STDOUT"));
    assert_eq!(until_ready(&mut client).iter().filter(|message| message.tag == 'd').count(), 1);
    let portal = "SELECT 'kept-off-' || 'record-5' FROM generate_series(1, 3)";
    client.send(&[parse("", portal), bind("", ""), describe("P", ""), execute(""), sync()].concat());
    assert_eq!(until_ready(&mut client).iter().filter(|message| message.tag == 'D').count(), 3);
    let session = only_session(&mut relay, client);
    let replay = relay.replay(&session).ok();
    assert!(!replay.contains("kept-off-record"), "{replay}");
    assert!(replay.contains("(3 rows, 0 of them recorded)") || replay.contains("SELECT 3"), "{replay}");
    assert!(replay.contains("recorded  0 rows by setting"), "{replay}");
}

#[test]
fn what_a_statement_reveals_is_not_on_record_unless_that_was_chosen() {
    let seen = |setting: &str| {
        let mut relay = with_results(setting);
        let mut client = RawClient::logged_in(&relay, "carol");
        client.send(&query("SELECT name FROM clinic.patients WHERE id = 1"));
        let name = until_ready(&mut client).into_iter().find(|message| message.tag == 'D').unwrap().body;
        let name = String::from_utf8(name[6..].to_vec()).unwrap();
        client.send(&query(
            "BEGIN; DECLARE c CURSOR FOR SELECT name FROM clinic.patients WHERE id = 1; FETCH ALL FROM c; COMMIT",
        ));
        assert!(until_ready(&mut client).iter().any(|message| message.tag == 'D'));
        client.send(&query("SELECT 'nothing' || ' protected'"));
        until_ready(&mut client);
        let session = only_session(&mut relay, client);
        let replay = relay.replay(&session).ok();
        assert!(replay.contains("nothing protected"), "{replay}");
        replay.contains(&name)
    };
    assert!(!seen(""), "by default none of it");
    assert!(seen("revealed_results = { keep = \"full\" }"));
}

/// A relay that keeps of results what this line says, in place of the demo's.
fn with_results(setting: &str) -> Relay {
    let line = match setting.split_once(' ') {
        Some(("revealed_results", _)) => "revealed_results = { keep = \"counts\" }",
        _ => "\nresults = { keep = \"full\" }",
    };
    Relay::configured(&[(line, &format!("\n{setting}"))])
}

fn until_ready(client: &mut RawClient) -> Vec<Message> {
    let mut messages = Vec::new();
    while messages.last().is_none_or(|last: &Message| last.tag != 'Z') {
        messages.push(client.read().expect("the session goes on"));
    }
    messages
}

/// Messages of one kind, as they were on the wire.
fn rows_of(messages: &[Message], tag: char) -> Vec<u8> {
    let rows = messages.iter().filter(|message| message.tag == tag);
    rows.flat_map(|row| crate::harness::raw::message(u8::try_from(tag).unwrap(), &[&row.body])).collect()
}

/// Ends it all, verifies it, and gives the one session that there was.
fn only_session(relay: &mut Relay, client: RawClient) -> String {
    drop(client);
    relay.stop();
    relay.verify(&relay.evidence()).ok();
    let sessions = relay.sessions().ok();
    assert_eq!(sessions.lines().count(), 1, "{sessions}");
    sessions.split(' ').next().unwrap().to_owned()
}

fn check(relay: &Relay, session: &str, execution: u64, file: &Path) -> Said {
    let mut auditor = std::process::Command::new(Programs::built().executable("auditor"));
    auditor.arg("check-result").arg(relay.evidence()).args([session, &execution.to_string()]).arg(file);
    Said::by(auditor.arg("--keys").arg(relay.keys()))
}
