//! What is held runs when somebody who may has approved exactly that, and then once.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use schemas::approval::{ApprovalDecision, DecisionVerdict};
use schemas::digest::Sha256Digest;
use schemas::signature::P256Key;

use crate::harness::approvals::{Pending, now, said_by};
use crate::harness::{Database, RawClient, Relay, Said, have_psycopg, psycopg};
use crate::skip_without;

#[test]
fn an_approved_statement_runs_once_and_every_step_is_evidence() {
    let mut relay = Relay::fresh();
    let client = start(
        &relay,
        &[
            "SET affidavit.reason = 'invoice 11 was booked twice'",
            "UPDATE billing.invoices SET status = 'void' WHERE id = 11 RETURNING id, status",
            "SELECT 'goes on' AS session",
        ],
    );
    let pending = Pending::about(&relay, "= 11");
    let details = &pending.details;
    assert!(details.text.contains("UPDATE billing.invoices") && details.text.contains("'void'"), "{}", details.text);
    assert_eq!(details.reason.as_deref(), Some("invoice 11 was booked twice"));
    assert_eq!((details.actor.subject.as_str(), details.objects[0].object.as_str()), ("alice", "billing.invoices"));
    assert_ne!(status_of(11), "void", "nothing ran yet");
    pending.approve();
    let said = said_by(client).ok();
    assert!(said.contains("held for approval") && said.contains(&details.request.to_string()), "{said}");
    assert!(said.contains("11 | void") && said.contains("goes on"), "{said}");
    assert_eq!(status_of(11), "void");
    relay.stop();
    let verified = relay.verify(&relay.evidence()).ok();
    assert!(verified.contains("It holds"), "{verified}");
    let replay = relay.replay(&details.request.session.to_string()).ok();
    for expected in ["HELD for approval", "invoice 11 was booked twice", "approved by", "checked against the bank"] {
        assert!(replay.contains(expected), "{expected}:\n{replay}");
    }
}

#[test]
fn masks_are_stored_in_protected_columns_where_policy_says_so_and_somebody_approves() {
    let database = Database::shared();
    database.run("CREATE DATABASE storing");
    let at = |sql: &str| {
        let mut psql = database.psql();
        psql.args(["--dbname=storing", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1", "--command", sql]);
        Said::by(&mut psql).ok().trim().to_owned()
    };
    at("CREATE SCHEMA clinic; CREATE TABLE clinic.patients (id int PRIMARY KEY, ssn text, email text, visited date, born date);
        INSERT INTO clinic.patients SELECT n, '912-34-' || n + 1000, n || '@a.example', '2026-01-02', '1950-03-04'
        FROM generate_series(1, 50) n");
    let relay = |policies: &'static str| {
        Relay::of_superuser(database, "storing", move |data| {
            std::fs::write(data.join("classification.toml"), CLASSIFICATION).unwrap();
            std::fs::write(data.join("policies/storing.cedar"), policies).unwrap();
        })
    };
    let update = |id: u32| format!("UPDATE clinic.patients SET email = ssn WHERE id = {id} RETURNING id, email");
    let without = relay("permit (principal, action == Action::\"update\", resource);");
    let refused = without.psql("alice", &[&update(7)]).refused();
    assert!(refused.contains("must never choose or become rows"), "{refused}");
    let relay = relay(STORING);
    for sql in [
        "UPDATE clinic.patients SET email = ssn WHERE ssn LIKE '9%'",
        "UPDATE clinic.patients SET visited = born",
        "UPDATE clinic.patients SET email = (SELECT max(p.ssn) FROM clinic.patients p)",
        "UPDATE clinic.patients p SET email = q.ssn FROM clinic.patients q WHERE q.id = p.id",
    ] {
        let said = relay.psql("alice", &[sql]).refused();
        assert!(said.contains("must never choose or become rows"), "{sql}: {said}");
    }
    let email = |id: u32| at(&format!("SELECT email FROM clinic.patients WHERE id = {id}"));
    let client = start(&relay, &[&update(7)]);
    let pending = Pending::about(&relay, "id = 7");
    let why: Vec<_> = pending.details.objects.iter().filter(|object| object.held).collect();
    assert_eq!((why.len(), why[0].verb.as_str(), &*why[0].from_masks), (1, "write_masks", &["email".to_owned()][..]));
    pending.deny();
    said_by(client).refused();
    assert_eq!(email(7), "7@a.example", "nothing ran");

    let client = start(&relay, &[&update(7)]);
    Pending::about(&relay, "id = 7").approve();
    let said = said_by(client).ok();
    assert!(said.contains("7 | ***") && !said.contains("912-34"), "{said}");
    assert_eq!(email(7), "***-**-1007", "the mask is stored, and no value moved");
    let client = start(
        &relay,
        &["INSERT INTO clinic.patients (id, ssn, email) SELECT id + 100, ssn, email FROM clinic.patients WHERE id = 8"],
    );
    Pending::about(&relay, "id = 8").approve();
    said_by(client).ok();
    assert_eq!(at("SELECT ssn, email FROM clinic.patients WHERE id = 108"), "***-**-1008|***");
}

const CLASSIFICATION: &str = r#"
[[table]]
name = "clinic.patients"
columns = { id = "clear", ssn = "last4", email = "redact", visited = "clear", born = "year" }
"#;

const STORING: &str = r#"
permit (principal in Group::"engineers", action in [Action::"update", Action::"insert", Action::"write_masks"],
        resource == Table::"clinic/clinic.patients");
permit (principal in Group::"approvers", action == Action::"approve", resource == Table::"clinic/clinic.patients")
when { context.verb == "write_masks" };
"#;

#[test]
fn parameters_are_bound_and_each_bind_needs_an_approval_of_its_own() {
    skip_without!(have_psycopg(), "psycopg");
    let relay = Relay::fresh();
    let before: f64 = amount_of(21);
    let client = spawn(&mut psycopg(PARAMETERS, &relay.connection("alice")));
    let first = Pending::about(&relay, "amount + $1");
    let shown: Vec<_> = first.details.parameters.iter().map(|one| one.value.clone().unwrap()).collect();
    assert_eq!(shown, ["10", "21"]);
    first.approve();
    let second = Pending::about(&relay, "amount + $1");
    assert_ne!(first.details.request, second.details.request);
    assert_ne!(first.details.commitment, second.details.commitment);
    assert!((amount_of(21) - before - 10.0).abs() < 0.001, "the first ran, the second waits");
    second.approve();
    let third = Pending::about(&relay, "amount + $1");
    third.deny();
    let said = said_by(client).ok();
    assert_eq!(said, "1\n1\n42501 IDLE\n1\n", "{}", relay.log());
    assert!((amount_of(21) - before - 30.0).abs() < 0.001, "each ran once");
}

#[test]
fn a_decision_that_nobody_made_who_may_runs_nothing() {
    let relay = Relay::shared();
    let other_key = P256Key::generate().unwrap();
    let good = |pending: &Pending| pending.decision("bob", &["approvers"], DecisionVerdict::Approved);
    type Forge = Box<dyn Fn(&Pending) -> Vec<u8>>;
    let claim = |name: &'static str, value: serde_json::Value| -> Forge {
        Box::new(move |pending| {
            let mut decision = pending.decision("bob", &["approvers"], DecisionVerdict::Approved);
            decision.claims[name] = value.clone();
            pending.signed(decision)
        })
    };
    let stated = |change: fn(&mut ApprovalDecision)| -> Forge {
        Box::new(move |pending| {
            let mut decision = pending.decision("bob", &["approvers"], DecisionVerdict::Approved);
            change(&mut decision.statement);
            pending.signed(decision)
        })
    };
    let by = |person: &'static str, groups: &'static [&'static str]| -> Forge {
        Box::new(move |pending| pending.signed(pending.decision(person, groups, DecisionVerdict::Approved)))
    };
    let forgeries: Vec<(&str, &str, Forge)> = vec![
        ("garbage", "not a decision signed", Box::new(|_| b"approved".to_vec())),
        ("another key", "not a decision signed", Box::new(move |pending| pending.signed_by(good(pending), &other_key))),
        ("another hash", "does not bind", stated(|s| s.commitment = Sha256Digest::of(b"other"))),
        ("another request", "another request", stated(|s| s.request.statement += 1)),
        ("no token", "login does not hold", stated(|s| s.id_token = "e30.e30.AA".to_owned())),
        ("another approver than the token's", "another approver", stated(|s| s.approver.subject = "carol".to_owned())),
        ("a login for another hash", "`nonce`", claim("nonce", Sha256Digest::of(b"other").to_string().into())),
        ("a login before the request", "`iat`", claim("iat", (now() - 3600).into())),
        ("a token for the relay, not the console", "`aud`", claim("aud", "affidavit".into())),
        ("an agent", "neither a service nor an agent", claim("act", serde_json::json!({"sub": "helper"}))),
        ("the requester", "their own request", by("alice", &["engineers", "approvers"])),
        ("somebody whom policy does not name", "does not permit this approver", by("carol", &["clinicians"])),
    ];
    let before = status_of(31);
    for (name, problem, forge) in forgeries {
        let client = start(relay, &["UPDATE billing.invoices SET status = 'forged' WHERE id = 31"]);
        let pending = Pending::about(relay, "= 31");
        pending.store(&forge(&pending));
        let said = said_by(client).refused();
        assert!(said.contains("42501") && said.contains(problem), "{name}: {said}");
        assert_eq!(status_of(31), before, "{name}");
    }
}

#[test]
fn a_denial_is_told_with_its_reason() {
    let relay = Relay::shared();
    let client = start(relay, &["UPDATE billing.invoices SET status = 'denied' WHERE id = 32"]);
    Pending::about(relay, "= 32").deny();
    let said = said_by(client).refused();
    assert!(said.contains("42501") && said.contains("denied by bob: checked against"), "{said}");
    assert_ne!(status_of(32), "denied");
}

#[test]
fn what_nobody_decides_on_expires() {
    let mut relay = Relay::configured(&[("search_path", "approval_seconds = 2\nsearch_path")]);
    let said = relay.psql("alice", &["UPDATE billing.invoices SET status = 'late' WHERE id = 33"]).refused();
    assert!(said.contains("57014") && said.contains("in time"), "{said}");
    let request = Pending::all(&relay).remove(0);
    request.approve();
    std::thread::sleep(Duration::from_secs(3));
    assert_ne!(status_of(33), "late");
    relay.stop();
    relay.verify(&relay.evidence()).ok();
    assert!(relay.replay(&request.details.request.session.to_string()).ok().contains(": expired"));
}

#[test]
fn a_cancelled_request_is_over() {
    let relay = Relay::shared();
    let client = start(relay, &["UPDATE billing.invoices SET status = 'cancelled' WHERE id = 34"]);
    let pending = Pending::about(relay, "= 34");
    // Ctrl-C: psql sends a CancelRequest.
    assert!(Command::new("kill").args(["-INT", &client.id().to_string()]).status().unwrap().success());
    let said = said_by(client).refused();
    assert!(said.contains("57014") && said.contains("cancelled"), "{said}");
    pending.approve();
    std::thread::sleep(Duration::from_secs(3));
    assert_ne!(status_of(34), "cancelled");
}

#[test]
fn a_client_that_leaves_takes_its_request_along() {
    let mut relay = Relay::fresh();
    let mut client = start(&relay, &["UPDATE billing.invoices SET status = 'gone' WHERE id = 35"]);
    let pending = Pending::about(&relay, "= 35");
    client.kill().unwrap();
    let _status = client.wait();
    std::thread::sleep(Duration::from_secs(1));
    pending.approve();
    std::thread::sleep(Duration::from_secs(3));
    assert_ne!(status_of(35), "gone");
    relay.stop();
    relay.verify(&relay.evidence()).ok();
    let replay = relay.replay(&pending.details.request.session.to_string()).ok();
    assert!(replay.contains(": cancelled") && !replay.contains("execution 1"), "{replay}");
}

#[test]
fn a_target_that_dies_ends_what_waits_for_it() {
    let relay = Relay::shared();
    let client = start(
        relay,
        &["SET application_name = 'dies while held'", "UPDATE billing.invoices SET status = 'dead' WHERE id = 36"],
    );
    let pending = Pending::about(relay, "= 36");
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'dies while held'";
    assert_eq!(Database::shared().values(sql), ["t"]);
    let said = said_by(client).refused();
    assert!(said.contains("target"), "{said}");
    pending.approve();
    std::thread::sleep(Duration::from_secs(3));
    assert_ne!(status_of(36), "dead");
}

#[test]
fn a_relay_that_stops_ends_what_is_held() {
    let mut relay = Relay::fresh();
    let client = start(&relay, &["UPDATE billing.invoices SET status = 'stopped' WHERE id = 37"]);
    let pending = Pending::about(&relay, "= 37");
    relay.stop();
    let said = said_by(client).refused();
    assert!(said.contains("stopping"), "{said}");
    assert_ne!(status_of(37), "stopped");
    relay.verify(&relay.evidence()).ok();
    assert!(relay.replay(&pending.details.request.session.to_string()).ok().contains(": cancelled"));
}

#[test]
fn nothing_waits_inside_of_a_transaction_or_behind_others() {
    let relay = Relay::shared();
    let update = "UPDATE billing.invoices SET status = 'x' WHERE id = 38";
    let said = relay.psql("alice", &["BEGIN", update]).refused();
    assert!(said.contains("55000") && said.contains("inside of a transaction"), "{said}");
    let said = relay.psql("alice", &[&format!("SELECT 1; {update}")]).refused();
    assert!(said.contains("0A000") && said.contains("alone"), "{said}");
    assert_ne!(status_of(38), "x");
}

#[test]
fn a_held_bind_holds_no_locks_and_its_portal_runs_once() {
    let relay = Relay::shared();
    let mut client = RawClient::logged_in(relay, "alice");
    client.message(b'P', b"\0UPDATE billing.invoices SET amount = amount + 1 WHERE id = 39 RETURNING id\0\0\0");
    client.message(b'B', b"\0\0\0\0\0\0\0\0");
    client.message(b'E', b"\0\0\0\0\0");
    client.message(b'E', b"\0\0\0\0\0");
    client.message(b'S', b"");
    let before = amount_of(39);
    let pending = Pending::about(relay, "= 39");
    let locks =
        "SELECT count(*) FROM pg_locks WHERE relation = 'billing.invoices'::regclass AND pid <> pg_backend_pid()";
    assert_eq!(Database::shared().values(locks), ["0"], "the target waits without locks");
    pending.approve();
    let mut tags = String::new();
    while !tags.ends_with('Z') {
        tags.push(client.read().expect("the session goes on").tag);
    }
    // Parsed, told to wait, bound, one row, done; then the second Execute fails, and with it the implicit transaction.
    assert_eq!(tags, "1N2DCEZ");
    assert!((amount_of(39) - before).abs() < 0.001, "a failed pipeline changes nothing");
}

#[test]
fn an_approved_portal_runs_at_once_or_not_at_all() {
    let relay = Relay::shared();
    let mut client = RawClient::logged_in(relay, "alice");
    let before = amount_of(41);
    client.message(b'P', b"\0UPDATE billing.invoices SET amount = amount + 1 WHERE id = 41\0\0\0");
    client.message(b'B', b"p\0\0\0\0\0\0\0\0");
    // Makes a transaction of what was none: the portal outlives its Sync, and could be executed whenever Alice likes.
    client.message(b'P', b"begin\0BEGIN\0\0\0");
    client.message(b'B', b"\0begin\0\0\0\0\0\0\0");
    client.message(b'E', b"\0\0\0\0\0");
    client.message(b'S', b"");
    Pending::about(relay, "= 41").approve();
    assert_eq!(tags(&mut client), "1N212CZ");
    client.message(b'E', b"p\0\0\0\0\0");
    client.message(b'S', b"");
    assert_eq!(tags(&mut client), "EZ");
    client.message(b'Q', b"COMMIT\0");
    assert_eq!(tags(&mut client), "CZ");
    assert!(
        (amount_of(41) - before).abs() < 0.001,
        "what was approved to run by itself ran later, amid other statements"
    );
}

#[test]
fn a_pipeline_that_failed_asks_nobody() {
    let relay = Relay::shared();
    let mut client = RawClient::logged_in(relay, "alice");
    client.message(b'P', b"u\0UPDATE billing.invoices SET amount = amount + 1 WHERE id = 42\0\0\0");
    client.message(b'S', b"");
    assert_eq!(tags(&mut client), "1Z");
    client.message(b'P', b"\0SELEC\0\0\0");
    client.message(b'H', b"");
    assert_eq!(client.read().expect("it goes on").tag, 'E');
    // The server skips all of this (PostgreSQL, "Extended Query"): the client never meant it to run.
    client.message(b'B', b"\0u\0\0\0\0\0\0\0");
    client.message(b'E', b"\0\0\0\0\0");
    client.message(b'S', b"");
    assert_eq!(client.read().expect("it goes on").tag, 'Z', "somebody was asked");
    client.message(b'Q', b"SELECT 1\0");
    assert_eq!(tags(&mut client), "TDCZ");
}

#[test]
fn a_failed_parse_before_a_bind_answers_once() {
    let relay = Relay::shared();
    let mut client = RawClient::logged_in(relay, "alice");
    // The target refuses the text: there is no such operator for these types.
    client.message(b'P', b"s\0UPDATE billing.invoices SET amount = amount + 'x'::jsonb WHERE id = 40\0\0\0");
    client.message(b'B', b"\0s\0\0\0\0\0\0\0");
    client.message(b'E', b"\0\0\0\0\0");
    client.message(b'S', b"");
    client.message(b'Q', b"SELECT 1\0");
    let mut tags = String::new();
    while tags.matches('Z').count() < 2 {
        tags.push(client.read().expect("the session goes on").tag);
    }
    assert_eq!(tags, "EZTDCZ");
}

/// The tags of all messages up to the next `ReadyForQuery`.
fn tags(client: &mut RawClient) -> String {
    let mut tags = String::new();
    while !tags.ends_with('Z') {
        tags.push(client.read().expect("the session goes on").tag);
    }
    tags
}

fn start(relay: &Relay, sql: &[&str]) -> Child {
    let mut psql = Command::new("psql");
    psql.args(["--no-psqlrc", "--set=ON_ERROR_STOP=1", "--set=VERBOSITY=verbose", &relay.connection("alice")]);
    for statement in sql {
        psql.args(["--command", statement]);
    }
    spawn(&mut psql)
}

fn spawn(client: &mut Command) -> Child {
    client.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn status_of(invoice: u32) -> String {
    Database::shared().values(&format!("SELECT status FROM billing.invoices WHERE id = {invoice}")).remove(0)
}

fn amount_of(invoice: u32) -> f64 {
    let sql = format!("SELECT amount FROM billing.invoices WHERE id = {invoice}");
    Database::shared().values(&sql).remove(0).parse().unwrap()
}

const PARAMETERS: &str = r#"
import sys, psycopg
sql = "UPDATE billing.invoices SET amount = amount + %s WHERE id = %s"
with psycopg.connect(sys.argv[1], autocommit=True) as connection:
    print(connection.execute(sql, (10, 21), prepare=True).rowcount)
    print(connection.execute(sql, (20, 21), prepare=True).rowcount)
    try:
        connection.execute(sql, (40, 21), prepare=True)
    except psycopg.Error as error:
        print(error.sqlstate, connection.info.transaction_status.name)
    print(connection.execute("SELECT 1").fetchone()[0])
"#;
