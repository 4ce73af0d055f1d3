//! What policy protects never comes back raw, however it is asked; ordinary work goes on.

use crate::harness::{Database, Relay, have_psycopg};
use crate::skip_without;

#[test]
fn a_masked_select_shows_the_rows_and_nobody_in_them() {
    let database = Database::shared();
    let sql = "SELECT * FROM clinic.patients ORDER BY id LIMIT 50";
    let direct = database.values(sql).join("\n");
    assert!(database.leak_in(&direct).is_some(), "the comparison sees raw values where they are");

    let said = Relay::shared().psql("alice", &[sql]).ok();
    assert!(said.contains("(50 rows)"), "{said}");
    assert_eq!(database.leak_in(&said), None);
}

#[test]
fn who_may_see_names_sees_the_true_ones_and_nothing_else() {
    let database = Database::shared();
    let said = Relay::shared().psql("carol", &["SELECT id, name, ssn FROM clinic.patients ORDER BY id LIMIT 20"]).ok();
    for name in database.values("SELECT name FROM clinic.patients ORDER BY id LIMIT 20") {
        assert!(said.contains(&name), "{name} is revealed to carol:\n{said}");
    }
    for ssn in database.values("SELECT ssn FROM clinic.patients WHERE ssn IS NOT NULL ORDER BY id LIMIT 20") {
        assert!(!said.contains(&ssn), "SSNs are not");
    }
}

#[test]
fn no_way_of_asking_brings_a_raw_value_back() {
    skip_without!(have_psycopg(), "psycopg");
    let (_, said) = ask_each(PROBES);
    assert_eq!(Database::shared().leak_in(&said), None);
}

#[test]
fn ordinary_work_is_permitted_and_its_numbers_are_the_databases() {
    skip_without!(have_psycopg(), "psycopg");
    let (refused, said) = ask_each(ORDINARY);
    assert_eq!(refused, 0, "{said}");
    assert_eq!(Database::shared().leak_in(&said), None);

    let sql = "SELECT department, count(*) FROM clinic.visits GROUP BY department ORDER BY department";
    let through = Relay::shared().psql("alice", &[sql]).ok();
    for line in Database::shared().values(sql) {
        let (department, count) = line.split_once('|').unwrap();
        assert!(through.lines().any(|l| l.contains(department) && l.trim_end().ends_with(count)), "{line}");
    }
}

/// Asks as alice, each statement in one transaction of its own in the same session: how many failed, and everything
/// that came back, errors included.
fn ask_each(statements: &[&str]) -> (usize, String) {
    let script = format!("STATEMENTS = {}\n{ASK_EACH}", serde_json::to_string(statements).unwrap());
    let said = Relay::shared().psycopg("alice", &script).ok();
    (said.lines().filter(|line| line.starts_with("FAILED")).count(), said)
}

/// Text and binary results of each statement.
const ASK_EACH: &str = r#"
import sys, psycopg
with psycopg.connect(sys.argv[1], autocommit=True) as connection:
    connection.add_notice_handler(lambda notice: print("NOTICE", notice.message_primary, notice.message_detail))
    for statement in STATEMENTS:
        for binary in (False, True):
            try:
                if statement.startswith("COPY"):
                    with connection.cursor().copy(statement) as copy:
                        print("COPIED", statement, b"".join(bytes(part) for part in copy).decode())
                    continue
                cursor = connection.cursor(binary=binary)
                cursor.execute(statement)
                rows = cursor.fetchall() if cursor.description else cursor.statusmessage
                print("ROWS", statement, rows)
            except psycopg.Error as error:
                print("FAILED", statement, error.sqlstate, str(error).replace("\n", " "))
                if connection.broken:
                    connection = psycopg.connect(sys.argv[1], autocommit=True)
"#;

/// Each may be masked or refused; none may show a value of the clinic.
const PROBES: &[&str] = &[
    "SELECT ssn FROM clinic.patients",
    "SELECT p.ssn AS id FROM clinic.patients AS p",
    "SELECT x.a FROM clinic.patients AS x (i, m, n, a) LIMIT 100",
    "SELECT clinic.patients.ssn FROM clinic.patients",
    "SELECT p FROM clinic.patients p LIMIT 100",
    "SELECT (p).ssn FROM clinic.patients p",
    "SELECT p.* FROM clinic.patients p LIMIT 100",
    "SELECT row_to_json(p) FROM clinic.patients p",
    "SELECT to_jsonb(p) -> 'ssn' FROM clinic.patients p",
    "SELECT json_agg(p) FROM clinic.patients p",
    "SELECT array_agg(ssn) FROM clinic.patients",
    "SELECT string_agg(name, ',') FROM clinic.patients",
    "SELECT min(ssn), max(name) FROM clinic.patients",
    "SELECT substr(ssn, 1, 11) || '' FROM clinic.patients",
    "SELECT reverse(reverse(ssn)) FROM clinic.patients",
    "SELECT upper(name), lower(email) FROM clinic.patients",
    "SELECT ssn::varchar(20)::text FROM clinic.patients",
    "SELECT CAST(p AS text) FROM clinic.patients p",
    "SELECT format('%s', p) FROM clinic.patients p",
    "WITH q AS (SELECT * FROM clinic.patients) SELECT q.ssn FROM q",
    "WITH q AS MATERIALIZED (SELECT ssn AS s FROM clinic.patients) SELECT s FROM q",
    "SELECT (SELECT ssn FROM clinic.patients WHERE id = v.patient_id) FROM clinic.visits v LIMIT 100",
    "SELECT s.ssn FROM clinic.visits v, LATERAL (SELECT ssn FROM clinic.patients WHERE id = v.patient_id) s LIMIT 100",
    "SELECT ssn FROM clinic.patients UNION ALL SELECT name FROM clinic.patients",
    "SELECT name FROM clinic.patients EXCEPT SELECT '' ",
    "TABLE clinic.patients",
    "VALUES ((SELECT ssn FROM clinic.patients WHERE id = 1))",
    "SELECT notes FROM clinic.visits_2024",
    "SELECT notes FROM ONLY clinic.visits_2023",
    "SELECT * FROM clinic.visits TABLESAMPLE SYSTEM (100) LIMIT 100",
    "SELECT ssn FROM clinic.patients FOR SHARE",
    "SELECT 1 / (CASE WHEN ssn = '' THEN 1 ELSE 0 END) FROM clinic.patients",
    "SELECT ssn::int FROM clinic.patients",
    "SELECT name::date FROM clinic.patients",
    "SELECT xmlelement(name x, ssn) FROM clinic.patients",
    "SELECT query_to_xml('SELECT ssn FROM clinic.patients', true, false, '')",
    "SELECT table_to_xml('clinic.patients', true, false, '')",
    "SELECT schema_to_xml('clinic', true, false, '')",
    "SELECT cursor_to_xml('c', 10, true, false, '')",
    "SELECT * FROM ts_stat('SELECT to_tsvector(name) FROM clinic.patients')",
    "SELECT most_common_vals, histogram_bounds FROM pg_stats WHERE tablename = 'patients'",
    "SELECT * FROM pg_statistic LIMIT 100",
    "SELECT query FROM pg_stat_activity",
    "COPY clinic.patients TO STDOUT",
    "COPY (SELECT ssn FROM clinic.patients) TO STDOUT",
    "COPY clinic.patients TO PROGRAM 'cat'",
    "DECLARE c CURSOR WITH HOLD FOR SELECT ssn FROM clinic.patients",
    "FETCH ALL FROM c",
    "PREPARE s AS SELECT ssn FROM clinic.patients",
    "EXECUTE s",
    "EXPLAIN ANALYZE VERBOSE SELECT * FROM clinic.patients WHERE ssn = '900-00-0000'",
    "DO $$ BEGIN RAISE NOTICE '%', (SELECT ssn FROM clinic.patients LIMIT 1); END $$",
    "CREATE FUNCTION pg_temp.leak() RETURNS text LANGUAGE sql AS 'SELECT ssn FROM clinic.patients LIMIT 1'",
    "SELECT pg_temp.leak()",
    "CREATE TEMPORARY TABLE taken AS SELECT * FROM clinic.patients",
    "SELECT * FROM taken",
    "SELECT * INTO TEMPORARY taken2 FROM clinic.patients",
    "CREATE VIEW clinic.peek AS SELECT ssn FROM clinic.patients",
    "UPDATE clinic.patients SET zip = ssn RETURNING zip",
    "UPDATE clinic.patients SET zip = zip RETURNING ssn",
    "DELETE FROM clinic.patients WHERE ssn LIKE '9%' AND false RETURNING *",
    "INSERT INTO clinic.patients SELECT * FROM clinic.patients RETURNING *",
    "INSERT INTO billing.payers SELECT id + 100, ssn FROM clinic.patients RETURNING name",
    "MERGE INTO billing.payers t USING clinic.patients p ON t.id = p.id WHEN NOT MATCHED AND false THEN INSERT VALUES (p.id, p.ssn)",
    "SELECT set_config('search_path', 'clinic', false)",
    "SET search_path = clinic",
    "SELECT ssn FROM patients",
    "SELECT visits_per_department FROM clinic.visits_per_department",
    "SELECT 1; SELECT ssn FROM clinic.patients",
    "SELECT /* */ \"ssn\" FROM \"clinic\".\"patients\"",
    "SELECT U&\"ss\\006e\" FROM clinic.patients",
    "LISTEN x",
    "SELECT pg_read_file('PG_VERSION')",
    "SELECT lo_import('/etc/hostname')",
    "SELECT currval('nothing')",
    "LOCK TABLE clinic.patients",
    "SELECT ssn FROM clinic.patients GROUP BY ssn HAVING count(*) = 1 ORDER BY ssn",
    "SELECT DISTINCT ON (ssn) ssn, id FROM clinic.patients",
    "SELECT lag(ssn) OVER (ORDER BY id) FROM clinic.patients",
    "SELECT coalesce(ssn, name), nullif(ssn, ''), greatest(ssn, name) FROM clinic.patients",
    "SELECT a.ssn FROM clinic.patients a NATURAL JOIN clinic.patients b",
    "SELECT ssn FROM clinic.patients a JOIN clinic.patients b USING (ssn)",
];

/// Each must work.
const ORDINARY: &[&str] = &[
    "SELECT 1",
    "SELECT now() IS NOT NULL, current_user IS NOT NULL",
    "SELECT * FROM clinic.patients ORDER BY id LIMIT 3",
    "SELECT id, name, ssn FROM clinic.patients WHERE id = 7",
    "SELECT count(*) FROM clinic.patients",
    "SELECT p.id, count(*) AS visits FROM clinic.patients p JOIN clinic.visits v ON v.patient_id = p.id \
     GROUP BY p.id ORDER BY visits DESC, p.id LIMIT 3",
    "SELECT department, count(*) FROM clinic.visits GROUP BY department ORDER BY 2 DESC",
    "WITH busy AS (SELECT patient_id, count(*) AS n FROM clinic.visits GROUP BY patient_id) \
     SELECT max(n), min(n) FROM busy",
    "SELECT v.id, v.visited_on, v.department FROM clinic.visits v WHERE v.visited_on >= '2025-06-01' \
     ORDER BY v.id LIMIT 3",
    "SELECT status, sum(amount), round(avg(amount), 2) FROM billing.invoices GROUP BY status ORDER BY status",
    "SELECT name FROM billing.payers ORDER BY id",
    "SELECT i.id FROM billing.invoices i LEFT JOIN clinic.visits v ON v.id = i.visit_id WHERE v.id IS NULL",
    "SELECT id FROM clinic.patients WHERE id IN (SELECT patient_id FROM clinic.visits WHERE department = 'oncology') \
     ORDER BY id LIMIT 3",
    "SELECT x FROM generate_series(1, 3) AS x",
    "BEGIN",
    "SELECT count(*) FROM clinic.visits",
    "COMMIT",
    "SHOW server_version",
    "UPDATE billing.payers SET name = name WHERE id = 1 RETURNING id, name",
];

#[test]
fn settings_that_are_named_when_a_statement_runs_tell_and_change_no_more_than_those_named_in_it() {
    skip_without!(have_psycopg(), "psycopg");
    let database = Database::shared();
    let said = Relay::fresh().psycopg("alice", SETTINGS).ok();
    assert!(said.ends_with("done\n"), "{said}");
    assert_eq!(database.leak_in(&said), None);
}

const SETTINGS: &str = r#"
import sys, psycopg
def ask(sql, values=None):
    try:
        return [tuple(row) for row in connection.execute(sql, values, prepare=values is not None).fetchall()]
    except psycopg.Error as error:
        return error.sqlstate
with psycopg.connect(sys.argv[1], autocommit=True) as connection:
    assert ask("SELECT current_setting(%s)", ("server_encoding",)) == [("UTF8",)]
    for name in ("primary_conninfo", "data_directory", "Primary_ConnInfo", "app.secret", "hba_file", "archive_command"):
        assert ask("SELECT current_setting(%s)", (name,)) in ("42704", "42501"), name
        assert ask("SELECT current_setting(%s, true)", (name,)) == [(None,)], name
    connection.execute("PREPARE c(text) AS SELECT current_setting($1, true)")
    assert ask("EXECUTE c('archive_command')") == [(None,)]
    assert ask("EXECUTE c('server_encoding')") == [("UTF8",)]
    # The name is a column's, also a protected one's; the value is never one.
    for name in ("search_path", "session_authorization", "client_encoding", "standard_conforming_strings"):
        before = ask("SHOW " + name)
        ask("SELECT set_config(v.name, 'off', false) FROM (SELECT '" + name + "' AS name) v")
        assert ask("SHOW " + name) == before, name
    print(ask("SELECT set_config(p.ssn, 'x', false) FROM clinic.patients p"))
    for value in ("ssn", "(SELECT max(ssn) FROM clinic.patients)", "p.name", "$1"):
        refused = ask("SELECT set_config('application_name', " + value + ", false) FROM clinic.patients p")
        assert refused in ("0A000", "42501", "42P02"), (value, refused)
        assert ask("SELECT set_config(p.mrn, " + value + ", false) FROM clinic.patients p") in ("0A000", "42501", "42P02")
    print(ask("SHOW application_name"))
    for sql in ("SET row_security = off", "SET restrict_nonsystem_relation_kind = 'view'", "SET synchronize_seqscans = off"):
        ask(sql)
    print(ask("SELECT ssn, name FROM clinic.patients LIMIT 2"))
    for sql in (
        "SELECT subconninfo FROM pg_subscription", "SELECT s.subconninfo FROM pg_subscription s",
        "SELECT x FROM pg_subscription AS x(a, b, c, d, e, f)", "TABLE pg_stat_subscription",
        "SELECT * FROM pg_user_mapping", "SELECT umoptions FROM pg_user_mappings",
    ):
        # Refused, or without what is secret in it: there is no row here.
        assert isinstance(ask(sql), str) or ask(sql) == [], sql
    assert ask("SELECT to_json(s)::text FROM pg_subscription s") == []
    assert ask("LOCK clinic.patients") == "42501"
    assert ask("LOCK pg_catalog.pg_class IN ACCESS SHARE MODE") == "42501"
    print(ask("SELECT a, b FROM unnest(ARRAY(SELECT ssn FROM clinic.patients LIMIT 3), ARRAY(SELECT name FROM clinic.patients LIMIT 3)) u(a, b)"))
print("done")
"#;
