//! What a decision costs: `cargo bench -p relay`. Times are told, never asserted.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark: it has nobody to report to but its reader")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use relay::catalog::Snapshot;
use relay::config::{Classification, Connection};
use relay::policy::{AccessProfile, Context, Decisions, Footing, Outcome, Own, PolicySet, decide};
use schemas::event::Path;
use schemas::token::TokenKey;
use serde_json::{Value, json};

const STATEMENTS: [(&str, &str); 4] = [
    ("one table", "SELECT abalance FROM public.accounts WHERE aid = 77123"),
    ("one table, masked", "SELECT id, name, ssn, birth_date, zip FROM clinic.patients WHERE id = 712"),
    (
        "five-way join, masked",
        "SELECT p.name, v.day, d.title, i.amount, y.name FROM clinic.patients p JOIN clinic.visits v ON v.patient_id = p.id \
         JOIN clinic.departments d ON d.id = v.department_id JOIN billing.invoices i ON i.visit_id = v.id \
         JOIN billing.payers y ON y.id = i.payer_id WHERE p.id = 7 AND v.day > '2026-01-01' ORDER BY v.day LIMIT 20",
    ),
    ("transaction", "BEGIN"),
];
const ROUNDS: usize = 2_000;

fn main() {
    let snapshot = Snapshot::from_json(&catalog().to_string()).unwrap();
    let profile = policies().profile(&principal(), &connection(), &classification(), &snapshot).unwrap();
    let key = TokenKey::new(&[7; 32]);
    println!("| statement                | uncached us | (9 of 10 below) | cached us |");
    println!("|--------------------------|------------:|----------------:|----------:|");
    // As in the relay: on a stack like its workers'.
    let worker = std::thread::Builder::new().stack_size(64 * 1024 * 1024);
    worker
        .spawn(move || STATEMENTS.iter().for_each(|(name, sql)| row(name, sql, &snapshot, &profile, &key)))
        .unwrap()
        .join()
        .unwrap();
}

fn row(name: &str, sql: &str, snapshot: &Snapshot, profile: &AccessProfile, key: &TokenKey) {
    let token = |bytes: &[u8]| key.token(bytes);
    let footing = Footing::on(&["public".to_owned()]);
    let context = Context { profile, snapshot, footing: &footing, own: Own::none(), token: &token };
    let ruling = decide(&context, Path::Simple, sql, &[]);
    assert!(matches!(ruling.outcome, Outcome::Permitted { .. }), "{:?}", ruling.outcome);
    let uncached = times(|| drop(black_box(decide(&context, Path::Simple, black_box(sql), &[]))));
    let mut decisions = Decisions::default();
    let cached = times(|| drop(black_box(decisions.decide(&context, Path::Simple, black_box(sql), &[]))));
    println!(
        "| {name:<24} | {:>11.1} | {:>15.1} | {:>9.2} |",
        micros(at(&uncached, 50)),
        micros(at(&uncached, 90)),
        micros(at(&cached, 50))
    );
}

fn times(mut work: impl FnMut()) -> Vec<Duration> {
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    times
}

fn at(times: &[Duration], percent: usize) -> Duration {
    times.get(times.len() * percent / 100).copied().unwrap_or_default()
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn principal() -> identity::Principal {
    identity::Principal {
        kind: identity::Kind::User,
        issuer: "https://idp.example".to_owned(),
        subject: "u1".to_owned(),
        name: "Ada".to_owned(),
        groups: vec!["analysts".to_owned()],
        expires_at: 4_000_000_000,
        acts_for: None,
    }
}

fn connection() -> Connection {
    toml::from_str(
        "name = 'clinic'\nhost = 'localhost'\ndatabase = 'clinic'\nuser = 'relay'\npassword = { file = 'p' }\n\
         classification = 'c.toml'\ntls = { mode = 'disable' }",
    )
    .unwrap()
}

fn policies() -> PolicySet {
    let text = r#"@id("analysts read")
        permit(principal in Group::"analysts", action in [Action::"connect", Action::"select"], resource);"#;
    PolicySet::from_texts(&[("bench.cedar".to_owned(), text.to_owned())]).unwrap()
}

fn classification() -> Classification {
    toml::from_str(
        r#"[[table]]
        name = "clinic.patients"
        columns = { id = "clear", name = "redact", ssn = "last4", birth_date = "year", zip = "zip3" }"#,
    )
    .unwrap()
}

fn catalog() -> Value {
    let (int, text, date) = (|n, name| column(n, name, 23, "integer"), |n, name| column(n, name, 25, "text"), 1082);
    json!({
        "format": 4, "server_version_num": 150018, "login": "relay", "encoding": "UTF8",
        "schemas": [{"name": "public", "usable": true}, {"name": "clinic", "usable": true}, {"name": "billing", "usable": true}],
        "system_relations": ["pg_class"],
        "relations": [
            relation(100, "public", "accounts", &[int(1, "aid"), int(2, "bid"), int(3, "abalance")]),
            relation(101, "clinic", "patients", &[
                int(1, "id"), text(2, "name"), text(3, "ssn"), column(4, "birth_date", date, "date"), text(5, "zip")]),
            relation(102, "clinic", "visits", &[
                int(1, "id"), int(2, "patient_id"), int(3, "department_id"), column(4, "day", date, "date")]),
            relation(103, "clinic", "departments", &[int(1, "id"), text(2, "title")]),
            relation(104, "billing", "invoices", &[int(1, "id"), int(2, "visit_id"), int(3, "payer_id"), int(4, "amount")]),
            relation(105, "billing", "payers", &[int(1, "id"), text(2, "name")]),
        ],
        "foreign_keys": null, "types": null, "functions": null, "added_to_pg_catalog": null, "operators": null,
        "operators_added_to_pg_catalog": null, "opaque_casts": null
    })
}

fn column(number: i16, name: &str, oid: u32, base_name: &str) -> Value {
    json!({"number": number, "name": name, "type": oid, "base": oid, "typmod": -1, "base_kind": "b",
           "base_name": base_name, "collation": null, "generated_from": null})
}

fn relation(oid: u32, schema: &str, name: &str, columns: &[Value]) -> Value {
    json!({"oid": oid, "schema": schema, "name": name, "kind": "r", "readable": true, "row_security": false,
           "triggers": false, "rules": false, "options": null, "parents": null, "definition": null, "reads": null,
           "opaque_writes": false, "columns": columns})
}
