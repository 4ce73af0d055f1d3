//! COPY as people use it, both ways, in every format and by both protocols: masked, guarded, on record.

use std::process::Command;

use serde_json::Value;

use crate::harness::raw::{Message, bind, describe, execute, message, parse, query, sync};
use crate::harness::{Database, RawClient, Relay, Said, have_psycopg};
use crate::skip_without;

#[test]
fn psql_copies_a_protected_table_out_as_it_would_select_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("patients.csv");
    let copy = format!("\\copy clinic.patients TO '{}' WITH CSV HEADER", file.display());
    let said = Relay::shared().psql("alice", &[&copy]).ok();
    assert!(said.contains("COPY 1200"), "{said}");
    let copied = std::fs::read_to_string(file).unwrap();
    assert_eq!(copied.lines().count(), 1201);
    assert_eq!(Database::shared().leak_in(&copied), None);
    let relay = Relay::shared();
    let mut selecting = Command::new("psql");
    selecting.args(["--no-psqlrc", "--csv", &relay.connection("alice"), "--command", "SELECT * FROM clinic.patients"]);
    assert_eq!(copied, Said::by(&mut selecting).ok());
}

#[test]
fn psql_copies_a_file_in_and_names_what_it_may_not() {
    let table = Table::new("copied_by_psql");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rows.tsv");
    std::fs::write(&file, "1\tone\t1.50\n2\ttwo\\nlines\t\\N\n").unwrap();
    let into = |target: &str| format!("\\copy {target} FROM '{}'", file.display());
    let relay = Relay::fresh();
    let said = relay.psql("alice", &[&into(&table.0)]).ok();
    assert!(said.contains("COPY 2"), "{said}");
    assert_eq!(table.rows(), ["1|one|1.50", "2|two\\nlines|"]);
    for protected in ["clinic.patients", "clinic.patients (id, mrn, name)", "clinic.visits"] {
        let said = relay.psql("alice", &[&into(protected)]).refused();
        assert!(said.contains("42501") && said.contains("copying into"), "{said}");
    }
    let said = relay.psql("alice", &["COPY billing.payers TO '/tmp/payers'"]).refused();
    assert!(said.contains("files and programs"), "{said}");
}

#[test]
fn psycopg_copies_in_every_format_and_errors_leave_the_session_usable() {
    skip_without!(have_psycopg(), "psycopg");
    let table = Table::new("copied_by_psycopg");
    let script = format!("TABLE = {:?}\n{PSYCOPG}", table.0);
    let said = Relay::fresh().psycopg("alice", &script).ok();
    assert_eq!(Database::shared().leak_in(&said), None);
    let last: Vec<&str> = said.lines().filter(|line| !line.starts_with("OUT")).collect();
    assert_eq!(last, ["text 3000", "csv 3000", "binary 3000", "22P02 INERROR", "57014 INERROR", "9000 1"]);
}

/// Every format out of a protected relation, every format into a table of one's own; a bad row; a client that gives up.
const PSYCOPG: &str = r#"
import sys, psycopg
from psycopg import sql
def state(block):
    try:
        block()
        return "no error"
    except psycopg.Error as error:
        return error.sqlstate
with psycopg.connect(sys.argv[1]) as connection:
    cursor = connection.cursor()
    for source in ("clinic.patients", "(SELECT p.*, p FROM clinic.patients p)", "(SELECT notes FROM clinic.visits)"):
        for format in ("text", "csv", "binary"):
            with cursor.copy(f"COPY {source} TO STDOUT (FORMAT {format})") as copy:
                print("OUT", repr(b"".join(bytes(part) for part in copy).decode("latin-1")))
    for first, format in enumerate(("text", "csv", "binary")):
        with cursor.copy(f"COPY {TABLE} (id, name) FROM STDIN (FORMAT {format})") as copy:
            if format == "binary":
                copy.set_types(["int4", "text"])
            for number in range(10000 * first, 10000 * first + 3000):
                if format == "csv":
                    copy.write(f'{number},"name, {number}"\n')
                else:
                    copy.write_row((number, f"name\t{number}"))
        print(format, cursor.rowcount)
    connection.commit()
    def bad():
        with cursor.copy(f"COPY {TABLE} FROM STDIN") as copy:
            for number in range(20000):
                copy.write(f"{100000 + number}\tx\t1\n")
            copy.write("not a number\tx\t1\n")
            for number in range(20000):
                copy.write(f"{200000 + number}\tx\t1\n")
    print(state(bad), connection.info.transaction_status.name)
    connection.rollback()
    class Enough(Exception):
        pass
    def given_up():
        try:
            with cursor.copy(f"COPY {TABLE} FROM STDIN") as copy:
                copy.write("100000\tx\t1\n")
                raise psycopg.errors.QueryCanceled()
        except Enough:
            pass
    print(state(given_up), connection.info.transaction_status.name)
    connection.rollback()
    print(cursor.execute(f"SELECT count(*) FROM {TABLE}").fetchone()[0], cursor.execute("SELECT 1").fetchone()[0])
"#;

#[test]
fn a_copy_in_the_extended_protocol_swallows_the_sync_behind_it_and_its_bytes_are_on_record() {
    let table = Table::new("copied_raw");
    let mut relay = Relay::fresh();
    let mut client = RawClient::logged_in(&relay, "alice");
    let run = |sql: &str| [parse("", sql), bind("", ""), describe("P", ""), execute("")].concat();
    client.send(&[run(&format!("COPY {} FROM STDIN", table.0)), sync()].concat());
    let begun = until(&mut client, 'G');
    assert_eq!(tags(&begun), "12nG");
    let rows = [message(b'd', &[b"1\tone"]), message(b'd', &[b"\t1.5\n2\ttwo\t2.5\n"])].concat();
    client.send(&[rows.clone(), message(b'c', &[]), sync()].concat());
    assert_eq!(tags(&until(&mut client, 'Z')), "CZ", "one ReadyForQuery: the first Sync was dropped");
    let out = format!("COPY (SELECT id, name FROM {} ORDER BY id) TO STDOUT", table.0);
    client.send(&[run(&out), run("SELECT 7"), sync()].concat());
    let said = until(&mut client, 'Z');
    assert_eq!(tags(&said), "12nHddcC12TDCZ");
    let data: Vec<u8> = said.iter().filter(|one| one.tag == 'd').flat_map(|one| one.body.clone()).collect();
    assert_eq!(data, b"1\tone\n2\ttwo\n");
    // Two copies in one Query; the second fails in its data, and the client has sent more than it should.
    let two = format!("COPY {0} FROM STDIN; COPY {0} FROM STDIN; SELECT 8", table.0);
    client.send(&query(&two));
    until(&mut client, 'G');
    client.send(&[message(b'd', &[b"3\tthree\t0\n"]), message(b'c', &[])].concat());
    until(&mut client, 'G');
    let bad = message(b'd', &[b"x\ty\tz\n"]);
    client.send(&[bad.clone(), bad.clone(), message(b'c', &[]), query("SELECT 9")].concat());
    assert_eq!(tags(&until(&mut client, 'Z')), "EZ");
    assert_eq!(tags(&until(&mut client, 'Z')), "TDCZ");
    drop(client);
    relay.stop();
    assert_eq!(table.rows(), ["1|one|1.5", "2|two|2.5"], "the third row went with the fourth");
    relay.verify(&relay.evidence()).ok();
    let events: Value = serde_json::from_str(&relay.events()).unwrap();
    let of = |statement: u64, name: &str| field(&events, statement, name);
    assert_eq!((of(1, "rows_affected"), of(1, "bytes_received")), (2, u64::try_from(rows.len()).unwrap()));
    assert_eq!((of(2, "rows_returned"), of(2, "rows_affected")), (2, 0));
    assert_eq!((of(4, "rows_affected"), of(4, "bytes_received")), (1, 15));
    let sent = u64::try_from(bad.len()).unwrap();
    assert!([sent, 2 * sent].contains(&of(5, "bytes_received")), "{events}");
}

#[test]
fn what_a_cancelled_copy_returned_is_on_record() {
    skip_without!(have_psycopg(), "psycopg");
    let mut relay = Relay::fresh();
    let said = relay.psycopg("alice", CANCELLED).ok();
    assert_eq!(said, "57014\n1\n");
    relay.stop();
    relay.verify(&relay.evidence()).ok();
    let events = relay.events();
    assert!(events.contains("57014"), "{events}");
    let events: Value = serde_json::from_str(&events).unwrap();
    assert!(field(&events, 1, "rows_returned") > 1000 && field(&events, 1, "bytes_returned") > 10_000, "{events}");
}

const CANCELLED: &str = r#"
import sys, psycopg
with psycopg.connect(sys.argv[1], autocommit=True) as connection:
    try:
        with connection.cursor().copy("COPY (SELECT generate_series(1, 2000000000), 'row') TO STDOUT") as copy:
            for number, row in enumerate(copy):
                if number == 2000:
                    connection.cancel_safe()
    except psycopg.Error as error:
        print(error.sqlstate)
    print(connection.execute("SELECT 1").fetchone()[0])
"#;

#[test]
fn a_value_of_many_megabytes_goes_through_both_ways_and_is_kept_nowhere() {
    skip_without!(have_psycopg(), "psycopg");
    let table = Table::new("copied_long");
    let mut relay = Relay::fresh();
    relay.psql("alice", &["SELECT count(*) FROM clinic.visits"]).ok();
    let before = relay.peak_memory();
    let script = format!("TABLE = {:?}\n{LONG}", table.0);
    assert_eq!(relay.psycopg("alice", &script).ok(), "250000000 250000000\n250000000\n");
    let grown = relay.peak_memory() - before;
    assert!(grown < 200 << 20, "the relay grew by {grown} bytes");
    relay.stop();
    relay.verify(&relay.evidence()).ok();
}

/// Longer than any message that is taken whole.
const LONG: &str = r#"
import sys, psycopg
with psycopg.connect(sys.argv[1]) as connection:
    cursor = connection.cursor()
    cursor.execute("SELECT repeat('x', 250000000), length(repeat('x', 250000000))")
    print(*(value if isinstance(value, int) else len(value) for value in cursor.fetchone()))
    connection.pgconn.nonblocking = 0
    connection.pgconn.exec_(f"COPY {TABLE} (id, name) FROM STDIN".encode())
    connection.pgconn.put_copy_data(b"1\t" + b"y" * 250000000 + b"\n")
    connection.pgconn.put_copy_end()
    while result := connection.pgconn.get_result():
        print(result.error_message.decode()[:300], end="")
    connection.commit()
    print(cursor.execute(f"SELECT length(name) FROM {TABLE}").fetchone()[0])
"#;

/// A table of a test's own, which alice may write. A relay that is started afterwards knows it; one that runs reads the
/// catalogue for an unknown name only every few seconds.
struct Table(String);

impl Table {
    fn new(name: &str) -> Self {
        superuser(&format!(
            "CREATE TABLE billing.{name} (id int PRIMARY KEY, name text, amount numeric); \
             GRANT SELECT, INSERT, DELETE ON billing.{name} TO affidavit_relay"
        ));
        Self(format!("billing.{name}"))
    }

    fn rows(&self) -> Vec<String> {
        Database::shared()
            .values(&format!("SELECT id, replace(name, E'\\n', '\\n'), amount FROM {} ORDER BY id", self.0))
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

/// Everything up to a message of this type.
fn until(client: &mut RawClient, tag: char) -> Vec<Message> {
    let mut said = Vec::new();
    while said.last().is_none_or(|message: &Message| message.tag != tag) {
        said.push(client.read().expect("the session goes on"));
    }
    said
}

fn tags(said: &[Message]) -> String {
    said.iter().map(|message| message.tag).collect()
}

/// A count of a statement, as `auditor export` tells it.
fn field(events: &Value, statement: u64, name: &str) -> u64 {
    match events {
        Value::Array(items) => items.iter().map(|item| field(item, statement, name)).sum(),
        Value::Object(members) if members.get("statement") == Some(&statement.into()) => {
            members[name].as_u64().unwrap()
        }
        Value::Object(members) => members.values().map(|member| field(member, statement, name)).sum(),
        _ => 0,
    }
}
