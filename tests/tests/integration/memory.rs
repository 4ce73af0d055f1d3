//! Much goes through, little stays: the memory of the process that relays, records, seals, stores, indexes and logs.

use std::time::Duration;

use crate::harness::{Database, Relay, Said, have_psycopg};
use crate::skip_without;

#[test]
fn a_large_result_and_a_million_rows_each_way_go_through_in_little_memory() {
    skip_without!(have_psycopg(), "psycopg");
    superuser(
        "CREATE TABLE billing.many (id int, name text, amount numeric); \
         GRANT SELECT, INSERT ON billing.many TO affidavit_relay",
    );
    let mut relay = Relay::fresh();
    relay.psql("alice", &["SELECT count(*) FROM clinic.visits", "COPY billing.payers TO STDOUT"]).ok();
    let before = relay.peak_memory();
    let said = relay.psycopg("alice", MUCH).ok();
    // What was recorded last is still being sealed, stored, indexed and logged.
    std::thread::sleep(Duration::from_secs(3));
    let grown = relay.peak_memory() - before;
    relay.stop();
    superuser("DROP TABLE billing.many");
    assert_eq!(said.trim(), "204800000 1000000 1000000");
    eprintln!("the process grew by {} MiB", grown >> 20);
    assert!(grown <= GROWTH_MAX, "the process grew by {} MiB", grown >> 20);
    relay.verify(&relay.evidence()).ok();
}

/// 200,000 rows of 1 KiB that hardly compress, and a million rows in and out.
const MUCH: &str = r#"
import sys, psycopg
length = rows = 0
with psycopg.connect(sys.argv[1], autocommit=True) as connection:
    cursor = connection.cursor()
    value = " || ".join(f"md5((i * 32 + {part})::text)" for part in range(32))
    for (text,) in cursor.stream(f"SELECT {value} FROM generate_series(1, 200000) AS g(i)"):
        length += len(text)
    with cursor.copy("COPY billing.many FROM STDIN") as copy:
        for first in range(0, 1000000, 1000):
            copy.write("".join(f"{id}\tname of number {id}\t{id}.50\n" for id in range(first, first + 1000)))
    copied = cursor.rowcount
    with cursor.copy("COPY billing.many TO STDOUT") as copy:
        for block in copy:
            rows += bytes(block).count(b"\n")
print(length, copied, rows)
"#;

fn superuser(sql: &str) {
    Said::by(Database::shared().psql().args(["--quiet", "--command", sql])).ok();
}

const GROWTH_MAX: u64 = 64 << 20;
