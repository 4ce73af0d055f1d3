//! Evidence that cannot be stored: existing sessions go on as far as the spool reaches, no new one begins, and
//! nothing is served unrecorded.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use crate::harness::{Outage, Relay, have_psycopg, psycopg};
use crate::skip_without;

#[test]
fn a_session_ends_before_it_is_served_unrecorded() {
    skip_without!(have_psycopg(), "psycopg");
    let small = "durability = \"process\"\nsegment_bytes = 65536\nspool_bytes = 262144";
    let mut relay = Relay::configured(&[("durability = \"process\"", small)]);
    let mut client = psycopg(UNTIL_THE_END, &relay.connection("alice"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(client.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert_eq!(said.next().as_deref(), Some("open"));

    let outage = Outage::of(&relay);
    let refused = relay.psql("bob", &["SELECT 1"]).refused();
    assert!(refused.contains("FATAL"), "no new session without a stored session-open: {refused}");

    client.stdin.take().unwrap().write_all(b"go\n").unwrap();
    let end = said.next().unwrap();
    assert!(end.starts_with("ended after"), "{end}");
    let (answers, message) = end.trim_start_matches("ended after ").split_once(' ').unwrap();
    assert!(answers.parse::<u32>().unwrap() > 0, "the spool bears some of it: {end}");
    assert!(message.contains("evidence"), "and the client is told why: {end}");
    assert!(client.wait().unwrap().success());

    drop(outage);
    relay.stop();
    let report = relay.verify(&relay.evidence()).ok();
    assert!(report.contains("evidence-failure"), "the reason is in the evidence: {report}");
}

const UNTIL_THE_END: &str = r#"
import sys, psycopg
with psycopg.connect(sys.argv[1], autocommit=True) as connection:
    print("open")
    sys.stdin.readline()
    answers = 0
    try:
        while answers < 1000:
            connection.execute("SELECT * FROM clinic.visits ORDER BY id LIMIT 100").fetchall()
            answers += 1
    except psycopg.Error as error:
        print("ended after", answers, str(error).replace("\n", " "))
"#;

/// As for an hour: what is recorded meanwhile waits on the disk, not in memory, and leaves it in order.
#[test]
fn what_waits_for_the_store_is_kept_on_the_disk_and_stored_in_order() {
    skip_without!(have_psycopg(), "psycopg");
    let small = "durability = \"process\"\nsegment_bytes = 262144\nspool_bytes = 268435456";
    let mut relay = Relay::configured(&[("durability = \"process\"", small)]);
    let mut client =
        psycopg(MUCH, &relay.connection("alice")).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(client.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert_eq!(said.next().as_deref(), Some("open"));
    let outage = Outage::of(&relay);
    let before = relay.peak_memory();
    client.stdin.take();
    assert_eq!(said.next().as_deref(), Some("done"));
    let after = relay.peak_memory();
    assert!(client.wait().unwrap().success());
    assert!(after < before + MEMORY, "from {before} to {after} bytes for {MUCH_BYTES} on the disk");
    drop(outage);
    relay.stop();
    let report = relay.verify(&relay.evidence()).ok();
    assert!(report.contains("complete (client-terminated)"), "{report}");
    let chunks = relay.chunks();
    assert!(chunks.len() > 20, "{} chunks", chunks.len());
    let stored: Vec<_> = chunks.iter().map(|chunk| chunk.metadata().unwrap().modified().unwrap()).collect();
    assert!(stored.is_sorted(), "chunks were stored in another order than theirs");
}

const MUCH: &str = r#"
import sys, psycopg
with psycopg.connect(sys.argv[1], autocommit=True) as connection:
    print("open")
    sys.stdin.read()
    for first in range(40):
        connection.execute(f"SELECT md5((g + {first * 30000})::text) FROM generate_series(1, 30000) g").fetchall()
    print("done")
"#;
/// 40 times 30,000 rows of 32 digits, and what the protocol adds.
const MUCH_BYTES: u64 = 40 * 30_000 * 43;
const MEMORY: u64 = MUCH_BYTES / 2;
