//! What an error or ROLLBACK undoes is on record as undone, though the target had reported it as done.

use std::process::Command;

use serde_json::Value;

use crate::harness::raw::{bind, execute, parse, query, sync};
use crate::harness::{Database, RawClient, Relay, Said, have_python, interpreter, repository};
use crate::pipelines::until_ready;

#[test]
fn what_the_target_undid_is_told_execution_by_execution() {
    superuser(
        "CREATE TABLE billing.undone (id int, UNIQUE (id) DEFERRABLE INITIALLY DEFERRED); \
         GRANT SELECT, INSERT ON billing.undone TO affidavit_relay",
    );
    let mut relay = Relay::fresh();
    let mut client = RawClient::logged_in(&relay, "alice");
    let insert = |id: u32| format!("INSERT INTO billing.undone VALUES ({id})");
    let run = |sql: &str| [parse("", sql), bind("", ""), execute("")].concat();
    let mut expected = Vec::new();
    let mut told = |undone: &[u64]| expected.extend_from_slice(undone);
    // One Query.
    client.send(&query(&format!("{}; {}; SELECT 1/0", insert(1), insert(2))));
    until_ready(&mut client);
    told(&[1, 1, 0]);
    // One pipeline.
    client.send(&[run(&insert(1)), run(&insert(2)), run("SELECT 1/0"), sync()].concat());
    until_ready(&mut client);
    told(&[1, 1, 0]);
    // At Sync, where the transaction commits.
    client.send(&[run(&insert(1)), run(&insert(1)), sync()].concat());
    until_ready(&mut client);
    told(&[1, 1]);
    // A block, in messages of its own: undone by the client, and by its own COMMIT.
    for sql in ["BEGIN", &insert(1), "ROLLBACK", "BEGIN", &insert(1), &insert(1), "COMMIT"] {
        client.send(&query(sql));
        until_ready(&mut client);
    }
    told(&[0, 1, 0, 0, 1, 1, 0]);
    // A commit in the middle keeps what went before, and BEGIN takes in what did.
    client.send(&query(&format!("{}; COMMIT; {}; SELECT 1/0", insert(1), insert(2))));
    until_ready(&mut client);
    told(&[0, 0, 1, 0]);
    client.send(&[query(&format!("{}; BEGIN; {}; SELECT 1/0", insert(2), insert(3))), query("COMMIT")].concat());
    until_ready(&mut client);
    until_ready(&mut client);
    // BEGIN stands among what was undone.
    told(&[1, 1, 1, 0, 0]);
    // Nothing is undone; and what the end of the session undoes.
    client.send(&[query(&insert(4)), query("BEGIN"), query(&insert(5))].concat());
    for _ in 0..3 {
        until_ready(&mut client);
    }
    told(&[0, 0, 1]);
    drop(client);
    relay.stop();
    let kept = Database::shared().values("SELECT id FROM billing.undone ORDER BY id");
    superuser("DROP TABLE billing.undone");
    assert_eq!(kept, ["1", "4"]);
    relay.verify(&relay.evidence()).ok();
    stranger_verifies(&relay);
    let events: Value = serde_json::from_str(&relay.events()).unwrap();
    let statements = events["sessions"][0]["statements"].as_array().unwrap();
    let said: Vec<u64> = statements.iter().map(|statement| statement["rolled_back"].as_u64().unwrap()).collect();
    assert_eq!(said, expected, "{events}");
    let session = events["sessions"][0]["session"].as_str().unwrap();
    let replay = relay.replay(session).ok();
    assert!(replay.contains("rolled back: what executions 1 to 2 changed was undone"), "{replay}");
}

/// `verify.py`, which shares no code with the auditor.
fn stranger_verifies(relay: &Relay) {
    if !have_python("cryptography, zstandard") {
        eprintln!("SKIPPED in part: no cryptography and zstandard; tests/setup.sh installs them");
        return;
    }
    let mut stranger = Command::new(interpreter());
    stranger.arg(repository().join("schemas/verify.py")).arg(relay.evidence());
    Said::by(stranger.arg("--root").arg(relay.keys().join("certificates.pub.pem"))).ok();
}

fn superuser(sql: &str) {
    Said::by(Database::shared().psql().args(["--quiet", "--command", sql])).ok();
}
