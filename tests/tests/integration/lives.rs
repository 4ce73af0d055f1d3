//! The lives of a relay: a certificate is renewed without a restart, and a key that was revoked serves no more.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::harness::{Relay, have_psycopg, psycopg};
use crate::skip_without;

/// Asks at once, and again for each line it reads; tells what came of it.
const ASKS_ON: &str = r#"
import itertools, psycopg, sys
with psycopg.connect(sys.argv[1], autocommit=True) as connection:
    for _ in itertools.chain([1], sys.stdin):
        try:
            print(connection.execute("SELECT count(*) FROM clinic.visits").fetchone()[0] > 0, flush=True)
        except psycopg.Error as error:
            print(error.sqlstate, error, flush=True)
            break
"#;

#[test]
fn a_certificate_is_renewed_while_sessions_run_and_the_old_one_ends_after_its_last() {
    skip_without!(have_psycopg(), "psycopg");
    let mut relay = Relay::fresh();
    relay.stop();
    relay.prepend("local.toml", "certificate_minutes = 1\n");
    relay.start();
    let mut session =
        psycopg(ASKS_ON, &relay.connection("alice")).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut idle =
        psycopg(ASKS_ON, &relay.connection("alice")).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut input, mut says) = (session.stdin.take().unwrap(), BufReader::new(session.stdout.take().unwrap()).lines());
    let (mut idle_input, mut idle_says) =
        (idle.stdin.take().unwrap(), BufReader::new(idle.stdout.take().unwrap()).lines());
    assert_eq!(says.next().unwrap().unwrap(), "True");
    assert_eq!(idle_says.next().unwrap().unwrap(), "True");
    // Sessions may record for half a minute of the minute, and half of that passes.
    let starts = || count(&relay.evidence(), "relay-start.json");
    let before = starts();
    until(|| starts() > before);
    relay.psql("alice", &["SELECT count(*) FROM clinic.visits"]).ok();
    writeln!(input, "again").unwrap();
    assert_eq!(says.next().unwrap().unwrap(), "True", "the old certificate's session goes on");
    drop(input);
    assert!(session.wait().unwrap().success());
    // What is left open ends before its certificate does, and is told so.
    until(|| relay.sessions().ok().contains("expired") || count(&relay.evidence(), "relay-retired.json") > before);
    writeln!(idle_input, "again").unwrap();
    let told = idle_says.next().unwrap().unwrap();
    assert!(told.contains("expired"), "{told}");
    drop(idle_input);
    let _ended = idle.wait().unwrap();
    relay.stop();
    let report: serde_json::Value = serde_json::from_str(&relay.verify_json(&relay.evidence()).ok()).unwrap();
    let lives = report["report"]["incarnations"].as_array().unwrap();
    assert!(lives.len() > 2, "{lives:#?}");
    assert!(
        lives.iter().all(|life| life["retirement"] == "retired" && life["gaps"] == serde_json::json!([])),
        "{lives:#?}"
    );
    let sessions = report["report"]["sessions"].as_array().unwrap();
    assert!(sessions.iter().all(|session| session["state"] == "complete" && session["recovered"] == false));
    assert!(sessions.iter().any(|session| session["reason"] == "expired"), "{sessions:#?}");
}

#[test]
fn a_revoked_key_serves_no_more_and_what_stands_is_told() {
    let mut relay = Relay::configured(&[("[evidence]\n", "[evidence]\nheartbeat_seconds = 1\n")]);
    relay.psql("alice", &["SELECT count(*) FROM clinic.visits"]).ok();
    until(|| count(&relay.evidence(), "close.json") > 0 && count(&relay.evidence(), "0000000003.json") > 0);
    let serving = relay.incarnation();
    let said = relay.local(&["revoke", &serving]).ok();
    assert!(said.contains("Revoked: what it signed stands in the first "), "{said}");
    relay.wait_for_end();
    assert!(relay.log().contains("revoked"), "{}", relay.log());
    relay.start();
    relay.psql("alice", &["SELECT count(*) FROM clinic.visits"]).ok();
    relay.stop();
    let report = relay.verify(&relay.evidence()).refused();
    assert!(report.contains("REVOKED what it signed stands in the first "), "{report}");
    let errors = report.lines().filter(|line| line.starts_with("ERROR ")).count();
    assert_eq!(errors, report.matches("  revocation.void: ").count(), "nothing else is wrong: {report}");
    let other: Vec<_> = report.lines().filter(|line| line.starts_with("ERROR ") && !line.contains(&serving)).collect();
    assert!(other.is_empty(), "what the next life did stands: {other:?}");
}

/// Files of this name below the folder.
fn count(folder: &Path, name: &str) -> usize {
    let found = Command::new("find").arg(folder).args(["-name", name]).output().unwrap();
    String::from_utf8(found.stdout).unwrap().lines().count()
}

fn until(is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < deadline, "it did not come");
        std::thread::sleep(Duration::from_millis(100));
    }
}
