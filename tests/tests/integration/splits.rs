//! How a client's bytes were cut on their way changes neither what is answered nor what is on record.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::raw::{bind, execute, parse, query, sync};
use crate::harness::workload::Moments;
use crate::harness::{RawClient, Relay};
use crate::pipelines::until_ready;

#[test]
fn the_same_bytes_cut_anywhere_give_the_same_answers_and_the_same_evidence() {
    let (stream, ends) = conversation();
    let mut relay = Relay::fresh();
    let mut moments = Moments::seeded();
    let whole = answers(&relay, &[&stream], ends);
    for _ in 0..SPLITS {
        let pieces = cut(&stream, &mut moments);
        assert_eq!(answers(&relay, &pieces, ends), whole, "cut into {:?}", lengths(&pieces));
    }
    relay.stop();
    let export: Value = serde_json::from_str(&relay.events()).unwrap();
    let told: Vec<Value> = export["sessions"].as_array().unwrap().iter().map(told).collect();
    assert_eq!(told.len(), SPLITS + 1);
    assert!(told[0].as_array().unwrap().len() > 10, "{}", told[0]);
    for other in &told {
        assert_eq!(*other, told[0]);
    }
}

/// Every kind of request that a session knows, and how many `ReadyForQuery` answer it.
fn conversation() -> (Vec<u8>, usize) {
    let run = |sql: &str| [parse("", sql), bind("", ""), execute("")].concat();
    let parts = [
        query("SELECT id, ssn FROM clinic.patients WHERE id < 4; SELECT 1 / 0; SELECT 2"),
        [run("SELECT name FROM billing.payers"), run("SELECT 'é' AS letter"), sync()].concat(),
        // Nothing after what fails: under which statement a skipped execution is recorded depends on when the error came.
        [run("SELECT 1"), run("SELECT 1 / (id - id) FROM billing.payers"), sync()].concat(),
        [run("SELECT 1"), parse("", "SELECT pg_ls_dir('.')"), sync()].concat(),
        [parse("kept", "SELECT count(*) FROM clinic.visits"), sync()].concat(),
        [bind("a", "kept"), execute("a"), bind("", "kept"), execute(""), sync()].concat(),
        query("BEGIN; UPDATE billing.payers SET name = name WHERE id = 4"),
        [run("SELECT 4"), sync(), query("ROLLBACK")].concat(),
        query("DROP TABLE clinic.patients"),
        query("no statement"),
        query(""),
    ];
    (parts.concat(), parts.len() + 1)
}

fn answers(relay: &Relay, pieces: &[&[u8]], ends: usize) -> Vec<(char, Vec<u8>)> {
    let mut client = RawClient::logged_in(relay, "alice");
    for piece in pieces {
        client.send(piece);
        // Long enough for the relay to read each piece by itself, most times.
        std::thread::sleep(Duration::from_millis(2));
    }
    let said = (0..ends).flat_map(|_| until_ready(&mut client)).map(|message| (message.tag, message.body)).collect();
    client.message(b'X', b"");
    while client.read().is_some() {}
    said
}

fn cut<'a>(stream: &'a [u8], moments: &mut Moments) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    let mut rest = stream;
    while !rest.is_empty() {
        // Mostly a few bytes, so that headers are cut too.
        let most = if moments.below(3) == 0 { 200 } else { 12 };
        let (piece, after) = rest.split_at(rest.len().min(1 + usize::try_from(moments.below(most)).unwrap()));
        pieces.push(piece);
        rest = after;
    }
    pieces
}

fn lengths(pieces: &[&[u8]]) -> Vec<usize> {
    pieces.iter().map(|piece| piece.len()).collect()
}

/// What a session's evidence says, without times and without digests under the session's own key.
fn told(session: &Value) -> Value {
    let members = |statement: &Value| {
        let of = |name: &str| statement[name].clone();
        json!([
            of("statement"),
            of("path"),
            of("class"),
            of("text"),
            of("upstream_text"),
            of("text_length"),
            of("objects"),
            of("decision"),
            of("executions"),
            of("outcome"),
            of("outcome_sqlstate"),
            of("rows_returned"),
            of("rows_affected"),
            of("bytes_returned"),
        ])
    };
    session["statements"].as_array().unwrap().iter().map(members).collect()
}

const SPLITS: usize = 4;
