//! Prepared statements of SQL: `PREPARE`, `EXECUTE`, `DEALLOCATE`, and the protocol's under the same names.

use serde_json::Value;

use crate::harness::{Database, Relay, have_psycopg};
use crate::skip_without;

#[test]
fn what_sql_prepares_is_masked_and_each_run_of_it_is_on_record() {
    skip_without!(have_psycopg(), "psycopg");
    let mut relay = Relay::fresh();
    let said = relay.psycopg("alice", BY_NAME).ok();
    assert_eq!(Database::shared().leak_in(&said), None);
    assert!(said.ends_with("done\n") && said.contains("***-**-"), "{said}");

    relay.stop();
    let verdict: Value = serde_json::from_str(&relay.verify_json(&relay.evidence()).ok()).unwrap();
    assert_eq!(verdict["report"]["findings"], serde_json::json!([]));
    let events: Value = serde_json::from_str(&relay.events()).unwrap();
    let statements = events["sessions"][0]["statements"].as_array().unwrap();
    let told = |class: &str, text: &str| {
        let found = statements.iter().filter(|one| one["class"] == class && one["decision"]["outcome"] == "permitted");
        found.filter(|one| one["text"].as_str().unwrap().contains(text)).collect::<Vec<_>>()
    };
    let [prepared] = told("prepare", "PREPARE masked(")[..] else { panic!("{events:#}") };
    assert_eq!(prepared["executions"], 1 + 4, "PREPARE itself, and each EXECUTE: {prepared:#}");
    assert!(prepared["objects"].to_string().contains("clinic.patients"), "{prepared:#}");
    for executed in told("execute", "EXECUTE masked") {
        assert_eq!((&executed["executions"], &executed["text"]), (&0.into(), &"EXECUTE masked(?1)".into()));
    }
    let [protocols] = told("select", "birth_date")[..] else { panic!("{events:#}") };
    assert_eq!(protocols["executions"], 1 + 1, "by the protocol and by SQL: {protocols:#}");
}

const BY_NAME: &str = r#"
import sys, psycopg
def state(sql):
    try:
        connection.execute(sql)
        return "no error"
    except psycopg.Error as error:
        return error.sqlstate
with psycopg.connect(sys.argv[1], autocommit=True) as connection:
    connection.execute("PREPARE masked(int) AS SELECT id, name, ssn FROM clinic.patients WHERE id <= $1 ORDER BY id")
    print(connection.execute("EXECUTE masked(3)").fetchall())
    # The server knows the name already, and what it means there stays.
    assert state("PREPARE masked AS SELECT 1") == "42P05"
    assert len(connection.execute("EXECUTE masked(2)").fetchall()) == 2
    # No transaction undoes it.
    connection.execute("BEGIN")
    connection.execute("PREPARE summed(int, int) AS SELECT $1 + $2")
    assert connection.execute("EXECUTE summed(40, 2)").fetchone() == (42,)
    connection.execute("ROLLBACK")
    assert connection.execute("EXECUTE summed(1, -1)").fetchone() == (0,)
    # One space of names with the protocol's.
    by_protocol = "SELECT id, birth_date, ssn FROM clinic.patients WHERE id = %s"
    print(connection.execute(by_protocol, (5,), prepare=True).fetchall())
    print(connection.execute('EXECUTE "_pg3_0"(6)').fetchall())
    # A value that cannot be read, after what the names mean was found out.
    assert state("EXECUTE masked('x')") == "22P02"
    assert len(connection.execute("EXECUTE masked(1)").fetchall()) == 1
    connection.execute("DEALLOCATE masked")
    for unknown in ("EXECUTE masked(1)", "EXECUTE nobodys"):
        assert state(unknown) == "26000", unknown
    for refused in (
        "PREPARE held AS UPDATE billing.invoices SET amount = 1 WHERE id = $1",
        "PREPARE one AS SELECT 1; EXECUTE one",
        "PREPARE copied AS SELECT pg_read_file('/etc/passwd')",
    ):
        assert state(refused) in ("0A000", "42501"), refused
    for never in ("held", "one", "copied"):
        assert state("EXECUTE " + never) == "26000", never
    connection.execute("DEALLOCATE ALL")
    assert state("EXECUTE summed(1, 1)") == "26000"
print("done")
"#;
