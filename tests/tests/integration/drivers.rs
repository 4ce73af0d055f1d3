//! psql and psycopg 3 as people use them.

use crate::harness::{Database, Relay, have_psycopg};
use crate::skip_without;

#[test]
fn text_and_binary_results_are_the_same_values() {
    skip_without!(have_psycopg(), "psycopg");
    let said = Relay::shared().psycopg("alice", TEXT_AND_BINARY).ok();
    assert!(said.contains("same 200"), "{said}");
    assert_eq!(Database::shared().leak_in(&said), None);
}

#[test]
fn parameters_prepared_statements_and_pipelines_work() {
    skip_without!(have_psycopg(), "psycopg");
    assert_eq!(Relay::shared().psycopg("alice", EXTENDED).ok(), "parameters\nprepared\npipeline\n");
}

#[test]
fn errors_keep_their_sqlstate_and_a_transaction_its_rules() {
    skip_without!(have_psycopg(), "psycopg");
    let said = Relay::shared().psycopg("alice", ERRORS).ok();
    assert_eq!(said, "42601\n42P01\n42501\n25P02\nINERROR\nIDLE\n1\n");
}

#[test]
fn psql_runs_several_statements_of_one_session() {
    let said = Relay::shared()
        .psql("alice", &["BEGIN", "SELECT 40 + 2 AS answer", "ROLLBACK", "SELECT 'done' AS state", ""])
        .ok();
    assert!(said.contains("42") && said.contains("ROLLBACK") && said.contains("done"), "{said}");
}

const TEXT_AND_BINARY: &str = r#"
import sys, psycopg
sql = "SELECT p.*, i.amount, i.status FROM clinic.patients p LEFT JOIN billing.invoices i ON i.id = p.id WHERE p.id <= %s ORDER BY p.id"
with psycopg.connect(sys.argv[1]) as connection:
    results = []
    for binary in (False, True):
        cursor = connection.cursor(binary=binary)
        cursor.execute(sql, (200,))
        results.append(cursor.fetchall())
    text, binary = results
    assert text == binary, [pair for pair in zip(text, binary) if pair[0] != pair[1]][:3]
    print("same", len(text))
    print(text)
"#;

const EXTENDED: &str = r#"
import sys, psycopg
with psycopg.connect(sys.argv[1]) as connection:
    for binary in (False, True):
        cursor = connection.cursor(binary=binary)
        cursor.execute("SELECT id FROM clinic.patients WHERE id = %s AND registered_on > %s", (17, "2000-01-01"))
        assert cursor.fetchall() == [(17,)]
        cursor.execute("SELECT %b::bigint + 1, %t::text", (41, "it's"))
        assert cursor.fetchall() == [(42, "it's")]
    print("parameters")
    for number in range(1, 21):
        row = connection.execute("SELECT id, %s::int FROM clinic.patients WHERE id = %s", (number, number), prepare=True).fetchone()
        assert row == (number, number), row
    print("prepared")
    with connection.pipeline():
        cursors = [connection.execute("SELECT %s::int * 2", (number,)) for number in range(20)]
        assert [cursor.fetchone()[0] for cursor in cursors] == [number * 2 for number in range(20)]
    print("pipeline")
"#;

const ERRORS: &str = r#"
import sys, psycopg
def state(connection, sql):
    try:
        connection.execute(sql)
        return "no error"
    except psycopg.Error as error:
        return error.sqlstate
with psycopg.connect(sys.argv[1], autocommit=True) as connection:
    print(state(connection, "SELEC 1"))
    print(state(connection, "SELECT * FROM clinic.no_such_table"))
    connection.execute("BEGIN")
    print(state(connection, "DROP TABLE clinic.visits"))
    print(state(connection, "SELECT 1"))
    print(connection.info.transaction_status.name)
    connection.execute("ROLLBACK")
    print(connection.info.transaction_status.name)
    print(connection.execute("SELECT 1").fetchone()[0])
"#;

#[test]
fn a_running_statement_is_cancelled_by_its_own_session_alone() {
    skip_without!(have_psycopg(), "psycopg");
    assert_eq!(Relay::shared().psycopg("alice", CANCEL).ok(), "57014 safe\n57014 plain\n2\n");
}

/// `cancel_safe` goes over TLS, `cancel` in plaintext, as PostgreSQL takes it.
const CANCEL: &str = r#"
import sys, psycopg, threading, time
with psycopg.connect(sys.argv[1], autocommit=True) as connection, psycopg.connect(sys.argv[1], autocommit=True) as other:
    for name, cancel in (("safe", connection.cancel_safe), ("plain", connection.cancel)):
        timer = threading.Timer(0.5, cancel)
        timer.start()
        try:
            connection.execute("SELECT count(*) FROM generate_series(1, 2000000000) AS x")
            print("not cancelled", name)
        except psycopg.Error as error:
            print(error.sqlstate, name)
        timer.join()
    print(other.execute("SELECT 2").fetchone()[0])
"#;
