//! Prepared statements of SQL: `PREPARE`, `EXECUTE`, `DEALLOCATE`, and the protocol's under the same names.

use serde_json::Value;

use crate::harness::raw::{Message, bind, describe, execute, parse, query, sync};
use crate::harness::{Database, RawClient, Relay, have_psycopg};
use crate::pipelines::until_ready;
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

/// Neither `PREPARE` nor `DEALLOCATE` is undone with its transaction, so both have their effect where the target says that
/// they failed: before another statement of the same text, or at the commit of what an earlier message had begun.
#[test]
fn a_name_never_runs_another_statement_than_the_one_on_record() {
    let database = Database::shared();
    database.run(
        "CREATE TABLE billing.twice (id int, UNIQUE (id) DEFERRABLE INITIALLY DEFERRED); \
         GRANT SELECT, INSERT ON billing.twice TO affidavit_relay",
    );
    let mut relay = Relay::fresh();
    let mut client = RawClient::logged_in(&relay, "alice");
    let mut ask = |messages: &[Vec<u8>]| {
        client.send(&messages.concat());
        until_ready(&mut client)
    };
    let doomed = [parse("", "INSERT INTO billing.twice VALUES (1), (1)"), bind("", ""), execute("")].concat();
    let fails = |said: &[Message]| said.iter().any(|message| message.tag == 'E');
    let mut ran = Vec::new();
    for (number, end) in
        ["DEALLOCATE p; SELECT 1/0", "DEALLOCATE ALL; SELECT 1/0", "DEALLOCATE p"].into_iter().enumerate()
    {
        let (first, second) = (10 * (number + 1), 10 * (number + 1) + 1);
        // What an earlier round left there.
        ask(&[query("DEALLOCATE ALL")]);
        assert!(!fails(&ask(&[query(&format!("PREPARE p AS SELECT {first}"))])));
        let ends = if end.contains(';') { vec![query(end)] } else { vec![doomed.clone(), query(end)] };
        assert!(fails(&ask(&ends)), "{end}");
        assert!(fails(&ask(&[doomed.clone(), query(&format!("PREPARE p AS SELECT {second}"))])), "{end}");
        ran.extend(ask(&[query("EXECUTE p")]).iter().filter(|message| message.tag == 'D').map(row));
        ran.extend(ask(&[bind("", "p"), execute(""), sync()]).iter().filter(|message| message.tag == 'D').map(row));
    }
    drop(client);
    relay.stop();
    database.run("DROP TABLE billing.twice");
    let log = relay.events();
    relay.verify(&relay.evidence()).ok();
    assert_eq!(ran, [""; 0], "the record of these runs names the statement that was there before: {log}");
}

#[test]
fn a_refused_text_is_no_run_of_what_it_would_have_executed() {
    let mut relay = Relay::fresh();
    let mut client = RawClient::logged_in(&relay, "alice");
    for sql in ["PREPARE p AS SELECT 1", "EXECUTE p; DROP TABLE clinic.visits"] {
        client.send(&query(sql));
        until_ready(&mut client);
    }
    drop(client);
    relay.stop();
    let events: Value = serde_json::from_str(&relay.events()).unwrap();
    let statements = events["sessions"][0]["statements"].as_array().unwrap();
    let outcomes: Vec<_> = statements.iter().map(|one| (&one["class"], &one["outcome"])).collect();
    let expected = [("prepare", "completed"), ("execute", "refused"), ("ddl", "refused")]
        .map(|(class, outcome)| (Value::from(class), Value::from(outcome)));
    assert_eq!(outcomes, expected.each_ref().map(|(class, outcome)| (class, outcome)), "{events:#}");
}

/// The one value of a `DataRow`.
fn row(message: &Message) -> String {
    String::from_utf8_lossy(message.body.get(6..).unwrap_or_default()).into_owned()
}

#[test]
fn no_form_of_prepare_or_execute_shows_what_is_masked() {
    let database = Database::shared();
    let mut relay = Relay::fresh();
    let mut client = RawClient::logged_in(&relay, "alice");
    let long = "n".repeat(70);
    let texts = [
        "PREPARE p AS SELECT ssn, name FROM clinic.patients LIMIT 3",
        "EXECUTE p",
        "EXECUTE P",
        "EXECUTE \"P\"",
        "EXECUTE p; EXECUTE p",
        "BEGIN; EXECUTE p; ROLLBACK",
        "CREATE TABLE billing.taken AS EXECUTE p",
        "EXPLAIN EXECUTE p",
        "EXPLAIN ANALYZE EXECUTE p",
        "PREPARE q(text) AS SELECT $1",
        "EXECUTE q((SELECT ssn FROM clinic.patients LIMIT 1))",
        "EXECUTE q(ARRAY(SELECT ssn FROM clinic.patients LIMIT 1))",
        "EXECUTE q(query_to_xml('SELECT ssn FROM clinic.patients', true, true, ''))",
        "EXECUTE q(current_setting('primary_conninfo'))",
        "EXECUTE q(set_config('search_path', 'clinic', false))",
        "PREPARE r AS TABLE clinic.patients",
        "EXECUTE r",
        "PREPARE s AS VALUES ((SELECT max(ssn) FROM clinic.patients))",
        "EXECUTE s",
        "PREPARE t(clinic.patients) AS SELECT $1",
        "PREPARE t(refcursor) AS SELECT $1",
        "PREPARE t(xml) AS SELECT $1",
        "PREPARE t(pg_temp.patients) AS SELECT $1",
        "PREPARE t(clinic.patients.ssn%TYPE) AS SELECT $1",
        "PREPARE u AS UPDATE clinic.patients SET phone = phone RETURNING *",
        "EXECUTE u",
        "PREPARE v AS DELETE FROM clinic.patients WHERE ssn = '1' RETURNING ssn",
        "PREPARE w AS INSERT INTO billing.payers (id, name) SELECT 9000 + id, ssn FROM clinic.patients LIMIT 1 RETURNING name",
        "EXECUTE w",
        "PREPARE x AS DECLARE c CURSOR FOR SELECT ssn FROM clinic.patients",
        "PREPARE x AS SELECT ssn FROM clinic.patients FOR UPDATE",
        "COPY (EXECUTE p) TO STDOUT",
        "SET LOCAL row_security = off; EXECUTE p",
        "DISCARD PLANS",
        "EXECUTE p",
        "DISCARD SEQUENCES",
        "SELECT set_config('search_path', '', false)",
        "EXECUTE p",
        "RESET ALL",
        "EXECUTE p",
        "DEALLOCATE p; EXECUTE p",
    ];
    let long_ones = [
        format!("PREPARE {long} AS SELECT ssn FROM clinic.patients LIMIT 2"),
        format!("PREPARE {long}x AS SELECT 1"),
        format!("EXECUTE {long}y"),
        format!("PREPARE \"{}\" AS SELECT 1", "é".repeat(32)),
    ];
    let mut said = String::new();
    for text in texts.iter().map(|text| (*text).to_owned()).chain(long_ones) {
        client.send(&query(&text));
        let came = until_ready(&mut client);
        let tags: String = came.iter().map(|message| message.tag).collect();
        said.push_str(&format!("{text}: {tags} "));
        for message in came {
            said.push_str(&String::from_utf8_lossy(&message.body));
        }
        said.push('\n');
    }
    for pipeline in [
        [parse("p2", "SELECT ssn FROM clinic.patients LIMIT 2"), query("EXECUTE p2")].concat(),
        [parse("p2", "SELECT 1"), query("EXECUTE p2"), sync()].concat(),
        [query("SELECT 1/0"), describe("S", "p2"), bind("", "p2"), execute(""), sync()].concat(),
    ] {
        client.send(&[pipeline, query("SELECT 'the end'")].concat());
        while !said.contains("the end") {
            for message in until_ready(&mut client) {
                said.push_str(&format!("{} {}", message.tag, String::from_utf8_lossy(&message.body)));
            }
        }
        said = said.replace("the end", "");
    }
    drop(client);
    relay.stop();
    relay.verify(&relay.evidence()).ok();
    assert!(said.matches("***-**-").count() > 1000, "what was prepared ran: {said}");
    assert_eq!(database.leak_in(&said), None, "{said}");
    assert_eq!(database.leak_in(&relay.log()), None);
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
