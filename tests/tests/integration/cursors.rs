//! Cursors: what they read is masked where they are declared, and no other portal is read from by name.

use crate::harness::raw::{Message, bind, describe, execute, parse, query, sync};
use crate::harness::{Database, RawClient, Relay, have_psycopg};
use crate::skip_without;

#[test]
fn a_server_side_cursor_pages_through_masked_rows() {
    skip_without!(have_psycopg(), "psycopg");
    let said = Relay::shared().psycopg("alice", PAGES).ok();
    assert_eq!(Database::shared().leak_in(&said), None);
    let counts: Vec<&str> = said.lines().filter(|line| !line.starts_with("ROWS")).collect();
    assert_eq!(counts, ["1200", "1200", "1200 held", "34000", "34000"], "{said}");
}

/// Without and with HOLD, text and binary; then a cursor that its transaction took with it, and one that never was.
const PAGES: &str = r#"
import sys, psycopg
def state(connection, sql):
    try:
        connection.execute(sql)
        return "no error"
    except psycopg.Error as error:
        connection.rollback()
        return error.sqlstate
with psycopg.connect(sys.argv[1]) as connection:
    for binary in (False, True):
        with connection.cursor("pages", binary=binary) as cursor:
            cursor.itersize = 100
            cursor.execute("SELECT p.*, p FROM clinic.patients p WHERE id > %s ORDER BY id", (0,))
            rows = [row for row in cursor]
            print("ROWS", rows)
            print(len(rows))
    with connection.cursor("kept", withhold=True, scrollable=True) as cursor:
        cursor.execute("SELECT name, ssn FROM clinic.patients")
        connection.commit()
        rows = cursor.fetchmany(7)
        cursor.scroll(0, mode="absolute")
        rows = cursor.fetchall()
        print("ROWS", rows)
        print(len(rows), "held")
    connection.commit()
    connection.execute("DECLARE gone CURSOR FOR SELECT ssn FROM clinic.patients")
    connection.commit()
    print(state(connection, "FETCH ALL FROM gone"))
    print(state(connection, "FETCH ALL FROM nobody"))
"#;

#[test]
fn a_portal_that_a_trigger_opened_is_no_cursor_of_the_clients() {
    superuser(
        "CREATE TABLE billing.opening (id int); GRANT INSERT ON billing.opening TO affidavit_relay; \
         CREATE FUNCTION billing.opens() RETURNS trigger LANGUAGE plpgsql AS \
         $$ DECLARE c refcursor := 'c'; BEGIN OPEN c FOR SELECT amount FROM billing.invoices; RETURN NULL; END $$; \
         CREATE TRIGGER open AFTER INSERT ON billing.opening FOR EACH ROW EXECUTE FUNCTION billing.opens()",
    );
    let relay = Relay::fresh();
    let mut client = RawClient::logged_in(&relay, "alice");
    let mut said = Vec::new();
    // Plainly; under a name that was the client's, before a savepoint's rollback, a failed transaction, or its end.
    let opens = "INSERT INTO billing.opening VALUES (1)";
    let declares = "DECLARE c CURSOR FOR SELECT 1 AS harmless";
    let held = "DECLARE c CURSOR WITH HOLD FOR SELECT 1 AS harmless";
    for attack in [
        vec!["BEGIN", opens, "FETCH ALL FROM c", "ROLLBACK"],
        vec!["BEGIN; SAVEPOINT s", declares, "ROLLBACK TO s", opens, "FETCH ALL FROM c", "MOVE ALL IN c", "ROLLBACK"],
        vec!["BEGIN", held, "ROLLBACK", "BEGIN", opens, "FETCH ALL FROM c", "ROLLBACK"],
        vec!["BEGIN", held, "SELECT 1/0", "COMMIT", "BEGIN", opens, "FETCH ALL FROM c", "ROLLBACK"],
        vec!["DECLARE c CURSOR FOR SELECT 1 AS harmless; SELECT 2", "BEGIN", opens, "FETCH ALL FROM c", "ROLLBACK"],
        vec!["BEGIN", declares, "CLOSE c", opens, "FETCH ALL FROM c", "ROLLBACK"],
    ] {
        for one in &attack {
            client.send(&query(one));
            said.extend(until_ready(&mut client));
        }
        // And the same by the extended protocol, in one pipeline.
        let extended: Vec<u8> = attack
            .iter()
            .flat_map(|one| [parse("", one), bind("p", ""), execute("p"), sync()].concat())
            .chain([parse("", opens), bind("", ""), execute(""), describe("P", "c"), execute("c"), sync()].concat())
            .collect();
        client.send(&extended);
        for _ in 0..=attack.len() {
            said.extend(until_ready(&mut client));
        }
    }
    superuser("DROP TABLE billing.opening; DROP FUNCTION billing.opens()");
    let rows = said.iter().filter(|message| message.tag == 'D').count();
    assert!(said.iter().filter(|message| message.tag == 'C').count() > 20, "the attacks ran");
    assert!(rows < 5, "{rows} rows came out of the trigger's cursor");
    let all: Vec<u8> = said.iter().flat_map(|message| message.body.clone()).collect();
    assert_eq!(Database::shared().leak_in(&String::from_utf8_lossy(&all)), None);
}

fn superuser(sql: &str) {
    crate::harness::Said::by(Database::shared().psql().args(["--quiet", "--command", sql])).ok();
}

/// Everything up to the next `ReadyForQuery`.
fn until_ready(client: &mut RawClient) -> Vec<Message> {
    let mut said = Vec::new();
    while said.last().is_none_or(|message: &Message| message.tag != 'Z') {
        said.push(client.read().expect("the session goes on"));
    }
    said
}
