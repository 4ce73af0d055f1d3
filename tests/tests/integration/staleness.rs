//! Somebody else changes definitions while a session is open: what was decided on the old ones is not run on the new.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;
use std::sync::mpsc::TryRecvError;
use std::time::Duration;

use crate::harness::raw::{bind, execute, query, sync};
use crate::harness::{Database, RawClient, Relay, have_psycopg, psycopg};
use crate::pipelines::until_ready;
use crate::skip_without;

#[test]
fn a_session_outlives_definitions_that_come_and_go_while_the_catalogue_is_read() {
    let mut client = RawClient::logged_in(Relay::shared(), "alice");
    let restless = "CREATE VIEW clinic.brief AS SELECT id FROM clinic.patients; DROP VIEW clinic.brief;";
    let mut changes = Database::shared().psql().args(["--quiet", "--file=-"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut input = changes.stdin.take().unwrap();
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let writer = std::thread::spawn(move || {
        while stopped.try_recv() == Err(TryRecvError::Empty) {
            writeln!(input, "{restless}").unwrap();
        }
    });
    for number in 0..3 {
        // A name that the relay does not know makes it read the catalogue anew, once in five seconds at most.
        std::thread::sleep(Duration::from_millis(5_100));
        client.send(&query(&format!("SELECT 1 FROM clinic.unknown_{number}")));
        let said = until_ready(&mut client);
        let error = said.iter().find(|message| message.tag == 'E').unwrap().fields();
        assert_eq!(error[&'C'], "42P01", "{error:?}");
    }
    drop(stop);
    writer.join().unwrap();
    assert!(changes.wait().unwrap().success());
}

#[test]
fn a_view_replaced_under_a_session_shows_nothing_raw_once_the_stated_staleness_has_passed() {
    skip_without!(have_psycopg(), "psycopg");
    let database = Database::shared();
    database.values("CREATE VIEW clinic.roster AS SELECT id, registered_on::text AS shown FROM clinic.patients");
    database.values("GRANT SELECT ON clinic.roster TO affidavit_relay");
    let relay = Relay::shared();
    let mut session = psycopg(ACROSS_THE_CHANGE, &relay.connection("alice"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(session.stdout.take().unwrap()).lines();
    let mut said: String = lines.by_ref().take(2).map(|line| line.unwrap() + "\n").collect();
    database.values("CREATE OR REPLACE VIEW clinic.roster AS SELECT id, ssn AS shown FROM clinic.patients");
    session.stdin.take().unwrap().write_all(b"changed\n").unwrap();
    said.extend(lines.map(|line| line.unwrap() + "\n"));
    assert!(session.wait().unwrap().success(), "{said}");
    database.values("DROP VIEW clinic.roster");

    assert_eq!(said.matches("BEFORE 5 rows").count(), 2, "{said}");
    assert!(said.contains("EXECUTE FAILED 26000"), "also what SQL prepared: {said}");
    assert!(said.contains("PREPARED FAILED 26000"), "what was prepared must be prepared again: {said}");
    assert!(said.contains("AGAIN 5 rows"), "and then it runs, masked: {said}");
    assert_eq!(database.leak_in(&said), None);
}

#[test]
fn what_was_prepared_reads_nothing_of_a_table_that_took_the_name_of_its_own() {
    let database = Database::shared();
    database.run(
        "CREATE TABLE billing.own AS SELECT 'open' AS shown; \
         CREATE TABLE billing.others AS SELECT ssn AS shown FROM clinic.patients LIMIT 9; \
         GRANT SELECT ON billing.own, billing.others TO affidavit_relay",
    );
    let relay = Relay::fresh();
    let mut client = RawClient::logged_in(&relay, "alice");
    let mut rows = |messages: &[u8]| {
        client.send(messages);
        until_ready(&mut client).iter().filter(|message| message.tag == 'D').count()
    };
    let by_protocol = [bind("", "p"), execute(""), sync()].concat();
    rows(&query("PREPARE p AS SELECT shown FROM billing.own"));
    assert_eq!((rows(&query("EXECUTE p")), rows(&by_protocol)), (1, 1));
    database.run("ALTER TABLE billing.own RENAME TO once; ALTER TABLE billing.others RENAME TO own");
    let after = (rows(&query("EXECUTE p")), rows(&by_protocol));
    database.run("DROP TABLE billing.once, billing.own");
    assert_eq!(after, (0, 0), "the name is another table's");
}

/// The relay's catalogue may be ten seconds old; the change comes while it waits for a line.
const ACROSS_THE_CHANGE: &str = r#"
import sys, time, psycopg
QUERY = "SELECT shown FROM clinic.roster ORDER BY id LIMIT 5"
with psycopg.connect(sys.argv[1], autocommit=True) as connection:
    # Somebody else's new view may be unknown to the relay for some seconds.
    for _ in range(60):
        try:
            connection.execute(QUERY)
            break
        except psycopg.errors.UndefinedTable:
            time.sleep(0.25)
    for _ in range(2):
        rows = connection.execute(QUERY, prepare=True).fetchall()
        print("BEFORE", len(rows), "rows", rows)
    connection.execute("PREPARE by_sql AS " + QUERY)
    assert len(connection.execute("EXECUTE by_sql").fetchall()) == 5
    sys.stdin.readline()
    time.sleep(11)
    try:
        rows = connection.execute("EXECUTE by_sql").fetchall()
        print("EXECUTE", len(rows), "rows", rows)
    except psycopg.Error as error:
        print("EXECUTE FAILED", error.sqlstate)
    try:
        rows = connection.execute(QUERY, prepare=True).fetchall()
        print("PREPARED", len(rows), "rows", rows)
    except psycopg.Error as error:
        print("PREPARED FAILED", error.sqlstate)
    connection.prepare_threshold = None
    rows = connection.execute(QUERY, prepare=False).fetchall()
    print("AGAIN", len(rows), "rows", rows)
"#;
