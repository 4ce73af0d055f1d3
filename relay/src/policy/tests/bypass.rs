//! The published ways around masking, and our own: each is refused, or sees masks alone.

use super::*;
use crate::rewrite::Class;

/// Outside of the scans that the profile made, what runs upstream names no protected relation and no view over one.
fn assert_masked(scans: &[String], attack: &str, upstream: &str) {
    let mut rest = upstream.to_owned();
    for scan in scans {
        rest = rest.replace(scan, "(MASKED)");
    }
    let tokens = crate::statement::tokens(&rest).unwrap();
    let words: Vec<&str> = tokens.iter().map(|t| &rest[t.start as usize..t.end as usize]).collect();
    for (index, window) in words.windows(4).enumerate() {
        let listed = window[0] == "," && same_level(&words[..index]).any(|word| word == "FROM");
        let compares = window[0] == "FROM" && index > 0 && words[index - 1] == "DISTINCT";
        let of_from = ["FROM", "JOIN", "ONLY", "COPY", "TABLE"].contains(&window[0]) && !compares || listed;
        let protected = window[1] == "clinic" && window[2] == "." && HIDDEN.contains(&window[3]);
        assert!(!(of_from && protected), "{attack}\nreads unmasked: {rest}");
        assert!(window[1] != "scan" || window[2] != ".", "{attack}\nscans otherwise: {rest}");
    }
}

/// The words before a point, back to the parenthesis that is open there: a comma in a call lists no relations.
fn same_level<'a>(before: &'a [&'a str]) -> impl Iterator<Item = &'a str> {
    let mut closed = 0_usize;
    let inside = before.iter().rev().map_while(move |word| {
        closed += usize::from(*word == ")");
        let within = closed > 0;
        let open = *word == "(" && closed == 0;
        closed -= usize::from(*word == "(" && !open);
        (!open).then_some((*word, within))
    });
    inside.filter(|(_, within)| !within).map(|(word, _)| word)
}

/// Protected relations and views over them, as they are written back.
const HIDDEN: [&str; 5] = ["patients", "visits", "visits_2024", "visits_old", "contacts"];

impl Clinic {
    /// The scans of the profile as they are written upstream.
    fn scans(&self) -> Vec<String> {
        let tables = ["clinic.patients", "clinic.visits", "clinic.visits_2024", "clinic.visits_old"];
        let mut scans = Vec::new();
        for only in ["", "ONLY "] {
            for table in tables {
                let sql = self.upstream(&format!("SELECT 1 FROM {only}{table} x"));
                let scan = sql.trim_start_matches("SELECT 1 FROM ").trim_end_matches(" x");
                scans.push(scan.to_owned());
            }
        }
        scans
    }
}

/// Attacks that may run, because all they see is masks.
const SEES_MASKS: &[&str] = &[
    // 1: aliases, derived tables, CTEs, scalar subqueries, set operations, unnest, star, views.
    "SELECT * FROM clinic.patients",
    "TABLE clinic.patients",
    "SELECT p.* FROM clinic.patients AS p(a, b, c, d)",
    "SELECT x.d FROM (SELECT ssn AS d FROM clinic.patients) x",
    "WITH q AS (SELECT ssn FROM clinic.patients) SELECT * FROM q",
    "WITH q AS MATERIALIZED (TABLE patients) SELECT reverse(ssn) FROM q",
    "SELECT (SELECT ssn FROM clinic.patients LIMIT 1)",
    "SELECT id::text FROM billing.payers UNION ALL SELECT ssn FROM clinic.patients",
    "SELECT id::text FROM billing.payers EXCEPT SELECT ssn FROM ONLY clinic.patients",
    "SELECT unnest(array_agg(ssn)) FROM clinic.patients",
    "SELECT unnest(ARRAY(SELECT ssn FROM clinic.patients))",
    "SELECT * FROM clinic.contacts",
    "SELECT c.email FROM contacts c, LATERAL (SELECT upper_inc(int4range(1, c.id))) x",
    "SELECT * FROM patients",
    "PREPARE p AS SELECT ssn FROM clinic.patients",
    "PREPARE p AS WITH q AS (TABLE clinic.patients) SELECT * FROM q UNION SELECT * FROM patients WHERE id = $1",
    "SELECT * FROM \"clinic\".\"patients\"",
    "SELECT clinic.patients.ssn FROM clinic.patients",
    "SELECT clinic.patients.* FROM clinic.patients",
    "SELECT * FROM billing.invoices i LEFT JOIN clinic.patients p ON p.id = i.patient_id",
    "SELECT * FROM clinic.patients a JOIN clinic.patients b USING (ssn)",
    "SELECT * FROM clinic.patients a NATURAL JOIN clinic.patients b",
    "SELECT * FROM billing.payers b, LATERAL (SELECT ssn FROM clinic.patients p WHERE p.id = b.id) x",
    "SELECT * FROM clinic.visits_2024",
    "SELECT notes FROM clinic.visits_old UNION SELECT reason FROM clinic.visits",
    "WITH RECURSIVE t(n, s) AS (SELECT 1, ssn FROM clinic.patients UNION ALL SELECT n + 1, s FROM t WHERE n < 3) SELECT * FROM t",
    // A CTE named as the relation does not hide what it reads.
    "WITH patients AS (SELECT * FROM clinic.patients) SELECT ssn FROM patients",
    "WITH x AS (SELECT ssn FROM patients), patients AS (SELECT 1 AS ssn) SELECT * FROM x, patients",
    // 2: predicate oracles compare masks.
    "SELECT id FROM clinic.patients WHERE ssn = '123-45-6789'",
    "SELECT id FROM clinic.patients WHERE ssn LIKE '1%' OR birth_date BETWEEN '1970-01-01' AND '1970-12-31'",
    "SELECT EXISTS (SELECT FROM clinic.patients WHERE ssn = $1)",
    "SELECT count(*) FROM clinic.patients WHERE (ssn, name) IN (('a', 'b'), ('c', 'd'))",
    "SELECT CASE ssn WHEN '1' THEN 1 ELSE 2 END FROM clinic.patients",
    "SELECT 1 FROM billing.payers WHERE name = ANY (SELECT ssn FROM clinic.patients)",
    // 3: grouping, distinct, order.
    "SELECT count(*) FROM clinic.patients GROUP BY ssn",
    "SELECT DISTINCT ON (ssn) id FROM clinic.patients ORDER BY ssn, id",
    "SELECT id FROM clinic.patients ORDER BY ssn DESC LIMIT 1 OFFSET 3",
    "SELECT id, rank() OVER (ORDER BY ssn) FROM clinic.patients WINDOW w AS (PARTITION BY name)",
    "SELECT max(ssn), min(birth_date), count(DISTINCT name) FROM clinic.patients HAVING max(ssn) > 'a'",
    "SELECT grouping(zip), zip FROM clinic.patients GROUP BY GROUPING SETS ((zip), ()), ROLLUP (mrn), CUBE (name)",
    "SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY ssn) FROM clinic.patients",
    "SELECT string_agg(ssn, ',' ORDER BY ssn) FILTER (WHERE ssn > 'a') FROM clinic.patients",
    // 4 and 6: errors tell the mask.
    "SELECT ssn::int FROM clinic.patients",
    "SELECT 1 / (length(ssn) - 11) FROM clinic.patients",
    "SELECT CAST(name AS regclass) FROM clinic.patients",
    // 8: nested places that lineage walkers forget.
    "SELECT sum(id) FILTER (WHERE EXISTS (SELECT FROM clinic.patients p WHERE p.ssn = 'x')) FROM billing.invoices",
    "SELECT array_agg(id ORDER BY (SELECT max(ssn) FROM clinic.patients)) FROM billing.invoices",
    "WITH \"Q q\" AS (SELECT ssn FROM clinic.patients) SELECT * FROM \"Q q\"",
    "SELECT * FROM billing.payers LIMIT (SELECT count(ssn) FROM clinic.patients WHERE ssn > 'a')",
    "VALUES ((SELECT ssn FROM clinic.patients LIMIT 1))",
    "SELECT * FROM generate_series(1, (SELECT count(ssn) FROM clinic.patients)) g",
    "SELECT * FROM billing.payers b JOIN billing.payers c ON b.name = (SELECT max(ssn) FROM clinic.patients)",
    "SELECT ROW(p.ssn, p.name) FROM clinic.patients p",
    "SELECT (ARRAY(SELECT ssn FROM clinic.patients))[1:2]",
    "SELECT sum(id) OVER (PARTITION BY (SELECT max(ssn) FROM clinic.patients) ROWS 1 PRECEDING) FROM billing.payers",
    "INSERT INTO billing.payers SELECT id, ssn FROM clinic.patients",
    "EXPLAIN SELECT 1",
    "EXPLAIN SELECT * FROM clinic.patients WHERE ssn = '1'",
    // 14: whole rows.
    "SELECT p FROM clinic.patients p",
    "SELECT row_to_json(p), to_jsonb(p) FROM clinic.patients p",
    "SELECT p::text FROM clinic.patients p",
    "SELECT e.value FROM clinic.patients p, jsonb_each_text(to_jsonb(p)) e",
    "SELECT json_agg(patients) FROM clinic.patients",
    "SELECT count(p.*) FROM clinic.patients p",
    // 15: encodings of a mask are encodings of a mask.
    "SELECT encode(convert_to(ssn, 'UTF8'), 'base64'), md5(ssn), substr(ssn, 1, 3) FROM clinic.patients",
    "SELECT ascii(substring(ssn FROM 1 FOR 1)), overlay(ssn placing 'x' from 1), trim(both '*' from ssn), position('1' in ssn) FROM clinic.patients",
    "SELECT extract(day from birth_date), birth_date + interval '1 day', birth_date AT TIME ZONE 'UTC' FROM clinic.patients",
    "SELECT format('%s', ssn), ssn || name, ssn ~ '1', ssn SIMILAR TO '1%', ssn COLLATE \"C\" FROM clinic.patients",
    "SELECT coalesce(ssn, name), nullif(ssn, 'a'), greatest(ssn, name), ssn IS DISTINCT FROM 'a' FROM clinic.patients",
    // 11: COPY is a query like another.
    "COPY clinic.patients TO STDOUT",
    "COPY patients TO STDOUT",
    "COPY clinic.patients (ssn, name) TO STDOUT",
    "COPY BINARY clinic.patients TO STDOUT",
    "COPY clinic.patients TO STDOUT WITH CSV HEADER FORCE QUOTE ssn, name",
    "COPY clinic.patients (ssn) TO STDOUT (FORMAT csv, HEADER, DELIMITER E'\t', QUOTE '\"', ESCAPE '\\', NULL '', FORCE_QUOTE *)",
    "COPY clinic.visits_2024 TO STDOUT DELIMITER ';' NULL 'n/a'",
    "COPY (SELECT ssn FROM clinic.patients) TO STDOUT",
    "COPY (TABLE clinic.contacts) TO STDOUT (FORMAT binary)",
    "COPY (WITH q AS (SELECT * FROM clinic.visits) SELECT notes FROM q ORDER BY notes) TO STDOUT (FORMAT csv)",
    "COPY (VALUES ((SELECT ssn FROM clinic.patients LIMIT 1))) TO STDOUT",
    "DECLARE c CURSOR FOR SELECT ssn FROM clinic.patients",
    "DECLARE \"C\" BINARY NO SCROLL CURSOR WITH HOLD FOR TABLE patients",
    "DECLARE c INSENSITIVE SCROLL CURSOR FOR SELECT p FROM clinic.patients p; FETCH BACKWARD 5 FROM c; MOVE LAST IN c; CLOSE c",
    "FETCH ALL FROM c",
    "COPY billing.payers TO STDOUT; COPY clinic.patients TO STDOUT",
];

#[test]
fn attacks_that_run_see_masks_alone() {
    let clinic = Clinic::analyst();
    let scans = clinic.scans();
    for attack in SEES_MASKS {
        assert_masked(&scans, attack, &clinic.upstream(attack));
    }
}

/// Attacks, and what their refusal must name.
const REFUSED: &[(&str, &str)] = &[
    // 7, 12: code that no parser sees.
    ("DO $$ BEGIN RAISE NOTICE '%', (SELECT ssn FROM clinic.patients LIMIT 1); END $$", "DO"),
    ("CALL public.leak(1)", "CALL"),
    ("SELECT public.leak(1)", "leak"),
    ("SELECT leak(1)", "leak"),
    ("SELECT * FROM leak(1)", "leak"),
    ("SELECT * FROM ROWS FROM (leak(1)) WITH ORDINALITY", "leak"),
    ("SELECT i.leak FROM billing.invoices i", "leak"),
    ("SELECT (i).leak FROM billing.invoices i", "leak"),
    ("SELECT x.leak FROM (SELECT 1 AS id) x", "leak"),
    ("SELECT ('PG_VERSION'::text).pg_read_file", "pg_read_file"),
    ("SELECT x.pg_read_file FROM unnest(ARRAY['PG_VERSION']) x", "pg_read_file"),
    ("SELECT (x.t).ts_stat FROM (SELECT 'TABLE clinic.patients'::text AS t) x", "ts_stat"),
    ("SELECT (i).pg_ls_dir FROM billing.invoices i", "pg_ls_dir"),
    ("SELECT (ARRAY['1'])[1].lo_get", "lo_get"),
    ("SELECT lower('A')", "lower"),
    ("SELECT 'a' @@@ 'b'", "@@@"),
    ("SELECT 'a' OPERATOR(public.@@@) 'b'", "pg_catalog"),
    ("SELECT 'a' OPERATOR(public.=) 'b'", "pg_catalog"),
    ("CREATE FUNCTION f() RETURNS text LANGUAGE sql AS 'SELECT ssn FROM clinic.patients'", "CREATE FUNCTION"),
    ("CREATE RULE r AS ON SELECT TO billing.payers DO INSTEAD SELECT 1", "CREATE RULE"),
    ("CREATE TRIGGER t AFTER INSERT ON billing.payers EXECUTE FUNCTION leak()", "CREATE TRIGGER"),
    ("CREATE VIEW v AS SELECT ssn FROM clinic.patients", "CREATE VIEW"),
    ("CREATE CAST (int AS text) WITH FUNCTION leak(int)", "cast"),
    ("ALTER TABLE clinic.patients RENAME COLUMN ssn TO visited2", "RENAME"),
    ("ALTER TABLE clinic.patients RENAME TO other", "RENAME"),
    ("ALTER TABLE clinic.patients ADD COLUMN x text GENERATED ALWAYS AS (ssn) STORED", "ALTER TABLE"),
    ("ALTER TABLE clinic.patients ALTER COLUMN ssn TYPE int USING ssn::int", "ALTER TABLE"),
    ("ALTER TABLE clinic.visits DETACH PARTITION clinic.visits_2024", "ALTER TABLE"),
    // SQL text as an argument, files, large objects, other sessions, settings, state.
    ("SELECT query_to_xml('SELECT ssn FROM clinic.patients', true, false, '')", "query_to_xml"),
    ("SELECT table_to_xml('clinic.patients', true, false, '')", "table_to_xml"),
    ("SELECT * FROM ts_stat('SELECT to_tsvector(ssn) FROM clinic.patients')", "ts_stat"),
    ("SELECT ts_rewrite('a'::tsquery, 'SELECT ssn::tsquery, ssn::tsquery FROM clinic.patients')", "ts_rewrite"),
    ("SELECT * FROM dblink('dbname=clinic', 'SELECT ssn FROM clinic.patients') AS t(s text)", "dblink"),
    ("SELECT pg_read_file('base/1/1')", "pg_read_file"),
    ("SELECT lo_get(1)", "lo_get"),
    ("SELECT * FROM pg_largeobject", "pg_largeobject"),
    ("SELECT set_config('search_path', 'evil', false)", "set_config"),
    ("SELECT current_setting('x')", "current_setting"),
    ("SELECT set_config('search_path', ssn, false) FROM clinic.patients", "set_config"),
    ("SELECT pg_notify('c', ssn) FROM clinic.patients", "pg_notify"),
    ("SELECT nextval('s')", "does not exist"),
    ("SELECT pg_terminate_backend(1)", "signal"),
    ("SELECT hidden.upper('a')", "upper"),
    ("SELECT json_populate_record(null::clinic.patients, '{}')", "list"),
    ("SELECT null::clinic.patients", "patients"),
    ("SELECT '(1)'::patients", "patients"),
    ("SELECT ROW(1)::patients", "patients"),
    ("SELECT 1::public.positive", "positive"),
    ("SELECT 1::clinic.patients.id%TYPE", ""),
    // 9, 10: what would change the meaning of names and texts.
    ("SET search_path = clinic, pg_catalog", "search_path"),
    ("SET SCHEMA 'pg_temp'", "search_path"),
    ("SET LOCAL search_path = pg_toast", "search_path"),
    ("SET standard_conforming_strings = off", "standard_conforming_strings"),
    ("SET client_encoding = 'SJIS'", "client_encoding"),
    ("SET NAMES 'LATIN1'", "client_encoding"),
    ("SET ROLE postgres", "role"),
    ("SET SESSION AUTHORIZATION postgres", "session_authorization"),
    ("SET enable_indexonlyscan = on", "enable_indexonlyscan"),
    ("SET debug_print_plan = on", "debug_print_plan"),
    ("SET client_min_messages = debug5", "client_min_messages"),
    ("SET session_replication_role = replica", "session_replication_role"),
    ("SET synchronize_seqscans = on", "synchronize_seqscans"),
    ("CREATE TEMP TABLE patients (id int)", "would be hidden by it"),
    ("CREATE TABLE pg_temp.patients (id int)", "would be hidden by it"),
    ("SELECT * FROM pg_temp.patients", "pg_temp"),
    ("SELECT * FROM other.clinic.patients", "database"),
    ("SELECT other.clinic.patients.ssn FROM clinic.patients", "database"),
    // 11: other ways to run a text and to fetch.
    ("COPY (SELECT ssn FROM clinic.patients) TO PROGRAM 'cat'", "COPY"),
    ("COPY clinic.patients TO '/tmp/patients'", "files"),
    ("COPY clinic.patients FROM PROGRAM 'cat /etc/passwd'", "files"),
    ("COPY billing.invoices FROM '/etc/passwd'", "files"),
    ("COPY clinic.patients FROM STDIN", "copying into clinic.patients"),
    ("COPY clinic.patients (id, visited) FROM STDIN (FORMAT binary)", "copying into clinic.patients"),
    ("COPY billing.audited FROM STDIN", "foreign key"),
    ("COPY billing.invoices FROM STDIN WHERE status = (SELECT max(ssn) FROM clinic.patients)", "clinic.patients"),
    ("COPY billing.invoices FROM STDIN WHERE leak(id) = 'x'", "leak"),
    ("COPY clinic.contacts TO STDOUT", "view"),
    ("COPY clinic.visits TO STDOUT", "partitioned"),
    ("COPY clinic.remote TO STDOUT", "foreign"),
    ("COPY pg_authid TO STDOUT", "pg_authid"),
    ("COPY (SELECT rolpassword FROM pg_authid) TO STDOUT", "pg_authid"),
    ("COPY pg_class TO STDOUT", "system"),
    ("COPY (SELECT leak(id) FROM billing.payers) TO STDOUT", "leak"),
    ("COPY (SELECT * FROM clinic.patients FOR UPDATE) TO STDOUT", "locking rows of"),
    ("COPY (TABLE clinic.patients) TO STDOUT (ENCODING 'latin1')", "ENCODING"),
    ("COPY clinic.patients TO STDOUT (FORMAT)", "option"),
    ("COPY clinic.patients TO STDOUT (DELIMITER 5.5)", "option"),
    ("COPY clinic.patients TO STDOUT (NULL (a, b))", "option"),
    ("COPY clinic.patients TO STDOUT (FORCE_QUOTE 'x')", "option"),
    ("COPY clinic.patients TO STDOUT (FORCE_QUOTE (a, *))", ""),
    ("COPY clinic.patients TO STDOUT (surprise)", "surprise"),
    ("PREPARE p AS COPY clinic.patients TO STDOUT", "syntax"),
    ("PREPARE p AS UPDATE clinic.patients SET zip = ssn", "updating"),
    ("PREPARE p AS SELECT leak(1)", "leak"),
    ("PREPARE p (clinic.patients) AS SELECT 1", "type"),
    ("PREPARE p AS SELECT 1; EXECUTE p", "alone"),
    ("EXECUTE p(leak(1))", "leak"),
    ("EXPLAIN EXECUTE p", "EXPLAIN"),
    ("CREATE TABLE billing.t AS EXECUTE p", "CREATE TABLE"),
    ("SELECT set_config(name, 'x', false) FROM pg_stats", "system relation"),
    ("SELECT set_config(name, setting, false) FROM pg_settings", "plain constants"),
    ("DECLARE c CURSOR FOR SELECT leak(id) FROM billing.payers", "leak"),
    ("DECLARE c CURSOR FOR SELECT * FROM clinic.patients FOR UPDATE", "locking rows of"),
    ("DECLARE c CURSOR FOR SELECT * FROM pg_authid", "pg_authid"),
    ("LISTEN x", "notifications"),
    ("NOTIFY x, 'y'", "notifications"),
    ("LOAD 'auto_explain'", "LOAD"),
    // 13: statistics, plans, other sessions' texts, secrets.
    ("SELECT most_common_vals FROM pg_stats WHERE tablename = 'patients'", "pg_stats"),
    ("SELECT * FROM pg_catalog.pg_statistic", "pg_statistic"),
    ("SELECT n_tup_hot_upd FROM pg_stat_xact_user_tables", "pg_stat_xact_user_tables"),
    ("SELECT * FROM pg_stat_statements", "pg_stat_statements"),
    ("SELECT rolpassword FROM pg_authid", "pg_authid"),
    ("SELECT * FROM information_schema.user_mapping_options", "user_mapping_options"),
    ("SELECT * FROM information_schema.made_by_somebody", "made_by_somebody"),
    ("SELECT * FROM pg_toast.pg_toast_100", "pg_toast"),
    ("EXPLAIN (ANALYZE) SELECT id FROM clinic.patients", "ANALYZE"),
    ("EXPLAIN ANALYZE DELETE FROM billing.invoices", "EXPLAIN"),
    ("ANALYZE clinic.patients", "ANALYZE"),
    ("CREATE STATISTICS s ON ssn, name FROM clinic.patients", "STATISTICS"),
    // 16, 18 and rule 2: writes that read, choose by or store masks; copies.
    ("CREATE TABLE billing.copy AS SELECT * FROM clinic.patients", "CREATE TABLE"),
    ("SELECT * INTO billing.copy FROM clinic.patients", "CREATE TABLE"),
    ("UPDATE clinic.patients SET zip = ssn", "updating clinic.patients"),
    ("UPDATE billing.invoices SET status = (SELECT ssn FROM clinic.patients LIMIT 1)", "clinic.patients"),
    (
        "UPDATE billing.invoices i SET amount = 0 FROM clinic.patients p WHERE p.ssn = '1' AND p.id = i.patient_id",
        "clinic.patients",
    ),
    ("DELETE FROM billing.invoices USING clinic.patients p WHERE p.ssn = '***'", "clinic.patients"),
    ("DELETE FROM billing.invoices WHERE EXISTS (SELECT FROM clinic.visits WHERE reason = 'x')", "clinic.visits"),
    ("DELETE FROM clinic.visits RETURNING *", "clinic.visits"),
    ("INSERT INTO clinic.patients (id) VALUES (1) ON CONFLICT (ssn) DO NOTHING", "inserting into clinic.patients"),
    ("INSERT INTO billing.audited VALUES (1, '123-45-6789')", "foreign key"),
    (
        "INSERT INTO billing.invoices (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET status = (SELECT ssn FROM patients)",
        "clinic.patients",
    ),
    ("SELECT * FROM (WITH d AS (DELETE FROM billing.invoices RETURNING *) SELECT * FROM d) x", "WITH clause"),
    (
        "MERGE INTO billing.invoices i USING clinic.patients p ON p.name = 'x' WHEN MATCHED THEN DELETE",
        "clinic.patients",
    ),
    ("SELECT * FROM clinic.patients FOR UPDATE", "locking rows of"),
    ("SELECT * FROM (SELECT * FROM clinic.patients) x FOR SHARE", "locking rows of"),
    ("SELECT * FROM clinic.patients TABLESAMPLE bernoulli (10) REPEATABLE (1)", "TABLESAMPLE"),
    ("DELETE FROM billing.invoices i USING clinic.patients p WHERE CURRENT OF c", "WHERE CURRENT OF"),
    ("TRUNCATE clinic.visits", "TRUNCATE clinic.visits"),
    ("DROP TABLE clinic.visits", "DROP TABLE clinic.visits"),
    ("DROP TABLE billing.payers CASCADE", "policy does not permit"),
    ("DROP SCHEMA clinic CASCADE", "policy does not permit"),
    ("LOCK TABLE clinic.patients", "locking"),
    ("LOCK TABLE billing.sly IN ROW SHARE MODE", "LOCK"),
    ("LOCK TABLE pg_catalog.pg_class", "LOCK"),
    ("COMMENT ON TABLE clinic.patients IS 'x'", "COMMENT"),
    ("GRANT SELECT ON clinic.patients TO public", "GRANT"),
    ("CREATE INDEX ON clinic.patients (ssn)", "CREATE INDEX"),
    ("CREATE TABLE billing.t (x text REFERENCES clinic.patients (ssn))", "billing"),
    // Views that hide what they read; foreign tables; nobody asked.
    ("SELECT * FROM billing.sly", "query_to_xml"),
    ("SELECT * FROM billing.opaque", "leak"),
    ("SELECT * FROM clinic.remote", "foreign"),
    ("SELECT * FROM billing.payroll", "policy"),
    // Syntax that only newer servers know.
    ("SELECT JSON_VALUE(jsonb '{}', '$.a')", "JSON"),
    ("SELECT * FROM JSON_TABLE(jsonb '[]', '$' COLUMNS (a int PATH '$.a')) t", "JSON"),
    ("SELECT '{}' IS JSON", "JSON"),
    ("SELECT JSON_OBJECT('a': (SELECT ssn FROM clinic.patients LIMIT 1))", "JSON"),
    // More than one statement, where the first changes what the second means.
    ("CREATE TABLE public.patients (id int); SELECT * FROM patients", ""),
    ("DISCARD ALL; SELECT * FROM patients", "alone"),
];

#[test]
fn attacks_that_masks_cannot_answer_are_refused_by_name() {
    let clinic = Clinic::analyst();
    for (attack, part) in REFUSED {
        let refusal = clinic.refusal(attack);
        assert!(refusal.message.contains(part), "{attack}\nis refused without naming {part}: {}", refusal.message);
        assert!(
            matches!(refusal.sqlstate, "42501" | "0A000" | "42601" | "42P01" | "42809"),
            "{attack}: {}",
            refusal.sqlstate
        );
    }
}

#[test]
fn who_may_do_everything_still_may_not_write_or_change_protected_relations() {
    let clinic = Clinic::of("owners", &|_| {});
    for (attack, part) in [
        ("DROP TABLE clinic.visits", "protected columns"),
        ("TRUNCATE clinic.visits_2024", "protected columns"),
        ("UPDATE clinic.patients SET zip = ssn", "protected"),
        ("CREATE INDEX ON clinic.patients (ssn, id)", "ssn is protected"),
        ("CREATE TABLE billing.t (x text REFERENCES clinic.patients (ssn))", "foreign key"),
        ("CREATE TABLE billing.t (x text DEFAULT leak(1))", "list alone"),
        ("CREATE TABLE billing.t (x text CHECK (x > (SELECT max(ssn) FROM clinic.patients)))", "subquery"),
        ("CREATE TABLE billing.t (LIKE clinic.patients INCLUDING ALL)", "LIKE"),
        ("CREATE TABLE billing.t () INHERITS (clinic.patients)", "inheritance"),
        ("CREATE TABLE billing.t PARTITION OF clinic.visits DEFAULT", "protected columns"),
        ("CREATE INDEX ON billing.payers (leak(id))", "list alone"),
        ("CREATE UNIQUE INDEX ON billing.payers (name) WHERE leak(id) > 'a'", "list alone"),
    ] {
        let refusal = clinic.refusal(attack);
        assert!(refusal.message.contains(part), "{attack}: {}", refusal.message);
    }
}

#[test]
fn no_refusal_repeats_a_literal() {
    let clinic = Clinic::analyst();
    for sql in [
        "SELECT * FROM clinic.patients WHERE ssn = '123-45-6789' AND",
        "SELECT leak('123-45-6789')",
        "SELECT '123-45-6789'::clinic.patients",
        "UPDATE clinic.patients SET name = '123-45-6789'",
        "SET search_path = pg_temp, '123-45-6789'",
        "SELECT '123-45-6789",
        "DROP TABLE clinic.visits; SELECT '123-45-6789'",
    ] {
        let ruling = clinic.decide(sql);
        let Outcome::Refused { refusal } = &ruling.outcome else { panic!("{sql}") };
        assert!(!format!("{refusal:?}").contains("6789"), "{sql}: {refusal:?}");
        for statement in &ruling.statements {
            assert!(!format!("{:?}", statement.event).contains("6789"), "{sql}: {:?}", statement.event);
        }
    }
}

/// Whatever grows out of pieces of attacks is refused or masked; nothing panics.
#[test]
fn attacks_spliced_at_random_are_refused_or_see_masks_alone() {
    let clinic = Clinic::of("operators", &|catalog| catalog["functions"] = json!([["public", "leak", false]]));
    let scans = clinic.scans();
    let texts: Vec<&str> = SEES_MASKS.iter().copied().chain(REFUSED.iter().map(|(attack, _)| *attack)).collect();
    let pieces: Vec<Vec<&str>> = texts.iter().map(|text| words(text)).collect();
    let mut random = 42_u64;
    let mut next = |below: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(random >> 33).unwrap() % below.max(1)
    };
    let mut ran = 0;
    for _ in 0..3_000 {
        let (one, other) = (&pieces[next(pieces.len())], &pieces[next(pieces.len())]);
        let (cut, from) = (next(one.len() + 1), next(other.len() + 1));
        let to = from + next(other.len() - from + 1);
        let back = cut + next(one.len() - cut + 1);
        let words = [&one[..cut], &other[from..to], &one[back..]].concat();
        let attack = words.join(" ");
        if let Outcome::Permitted { upstream_sql } = clinic.decide(&attack).outcome {
            ran += 1;
            let class = clinic.decide(&attack).statements.first().map(|s| s.class);
            if matches!(class, Some(Class::Select | Class::CopyOut | Class::Cursor | Class::Prepare)) {
                assert_masked(&scans, &attack, &upstream_sql);
            }
        }
    }
    assert!(ran > 150, "only {ran} of the splices were statements that run");
}

fn words(text: &str) -> Vec<&str> {
    let tokens = crate::statement::tokens(text).unwrap();
    tokens.iter().map(|t| &text[t.start as usize..t.end as usize]).collect()
}

#[test]
fn a_view_over_protected_columns_is_inlined_only_where_that_changes_no_rights() {
    let with = |change: &dyn Fn(&mut Value)| Clinic::changed(change).decide("SELECT * FROM clinic.contacts").outcome;
    assert!(matches!(with(&|_| {}), Outcome::Permitted { .. }));
    let barrier = |catalog: &mut Value| catalog["relations"][9]["options"] = json!(["security_barrier=true"]);
    let unreadable = |catalog: &mut Value| catalog["relations"][0]["readable"] = json!(false);
    let row_security = |catalog: &mut Value| catalog["relations"][0]["row_security"] = json!(true);
    for (change, part) in [
        (&barrier as &dyn Fn(&mut Value), "security barrier"),
        (&unreadable, "may not read"),
        (&row_security, "row-level security"),
    ] {
        let Outcome::Refused { refusal } = with(change) else { panic!("{part}") };
        assert!(refusal.message.contains(part), "{}", refusal.message);
    }
}

#[test]
fn a_view_shows_no_more_of_the_system_than_may_be_read_there() {
    let with = |definition: &'static str, kind: &'static str| {
        Clinic::changed(&move |catalog| {
            catalog["relations"][9]["definition"] = json!(definition);
            catalog["relations"][9]["kind"] = json!(kind);
            catalog["relations"][9]["reads"] = json!([]);
        })
    };
    for (definition, part) in [
        (
            "SELECT pg_subscription.oid AS id, pg_subscription.subconninfo AS email FROM pg_subscription",
            "NULL::pg_catalog.text AS subconninfo",
        ),
        ("SELECT pg_settings.pending_restart AS id, pg_settings.setting AS email FROM pg_settings", "'server_version'"),
    ] {
        let sql = with(definition, "v").upstream("SELECT email FROM clinic.contacts");
        assert!(sql.contains(part) && !sql.contains("clinic.contacts"), "the view itself would tell: {sql}");
        let refusal = with(definition, "m").refusal("SELECT email FROM clinic.contacts");
        assert!(refusal.message.contains("materialized view"), "{}", refusal.message);
    }
}

/// `CYCLE … TO 'again' DEFAULT '-'` as `pg_get_viewdef` prints it.
#[test]
fn a_view_that_the_server_prints_in_no_grammar_is_refused_as_unsupported() {
    let printed = "WITH RECURSIVE q(n) AS (SELECT 1 UNION SELECT q.n + 1 FROM q WHERE q.n < 3) CYCLE n SET met TO 'again'::text \
                   DEFAULT '-'::text USING path SELECT q.n AS id, q.met AS email FROM q";
    let refusal = Clinic::changed(&|catalog| catalog["relations"][9]["definition"] = json!(printed))
        .refusal("SELECT email FROM clinic.contacts");
    assert_eq!(refusal.sqlstate, "0A000", "{}", refusal.message);
    assert!(refusal.message.contains("view clinic.contacts cannot be read: the server prints"), "{}", refusal.message);
}

#[test]
fn an_operator_of_the_sessions_path_cannot_slip_into_an_inlined_view() {
    let clinic = Clinic::changed(&|catalog| {
        catalog["operators"] = json!([["clinic", "<"]]);
        catalog["relations"][9]["definition"] =
            json!("SELECT patients.id, patients.email FROM clinic.patients WHERE patients.id < 5");
    });
    assert!(clinic.refusal("SELECT * FROM clinic.contacts").message.contains("operator <"));
}

/// A subquery in FROM that is not LATERAL does not see the items beside it: there the name is that of an outer item.
#[test]
fn a_column_of_an_item_that_is_out_of_sight_does_not_vouch_for_a_field() {
    let clinic = Clinic::changed(&|catalog| catalog["relations"][4]["columns"][1]["name"] = json!("ts_stat"));
    clinic.upstream("SELECT payers.ts_stat FROM billing.payers");
    let refusal = clinic.refusal(
        "SELECT (SELECT s.y FROM billing.payers, (SELECT payers.ts_stat AS y) s LIMIT 1) \
         FROM unnest(ARRAY['TABLE clinic.patients']) payers",
    );
    assert!(refusal.message.contains("ts_stat"), "{}", refusal.message);
}

#[test]
fn a_table_that_reads_through_to_a_foreign_one_is_barred_with_it() {
    let clinic = Clinic::changed(&|catalog| catalog["relations"][8]["parents"] = json!([300]));
    assert!(clinic.refusal("SELECT * FROM billing.payers").message.contains("foreign"));
}

#[test]
fn a_part_that_is_cut_by_a_protected_column_is_not_read_by_its_name() {
    let clinic = Clinic::changed(&|catalog| catalog["relations"][1]["partition_key"] = json!([5]));
    clinic.upstream("SELECT id FROM clinic.visits");
    for sql in ["SELECT id FROM clinic.visits_2024", "COPY clinic.visits_2024 TO STDOUT"] {
        assert!(clinic.refusal(sql).message.contains("cut by a protected column"), "{sql}");
    }
}

#[test]
fn values_that_are_older_than_their_column_are_not_read_from_the_catalog() {
    let sql = Clinic::analyst().upstream("SELECT a.attmissingval, a.* FROM pg_attribute a");
    assert!(sql.contains("CASE WHEN false THEN n.attmissingval END AS attmissingval"), "{sql}");
}

#[test]
fn an_extensions_function_of_the_same_name_matters_only_for_its_types() {
    let clinic = Clinic::analyst();
    clinic.upstream("SELECT max(amount) FROM billing.invoices");
    let typed = Clinic::changed(&|catalog| {
        catalog["relations"][4]["columns"][1]["base"] = json!(20000);
        catalog["relations"][4]["columns"][1]["type"] = json!(20000);
    });
    assert!(typed.refusal("SELECT max(name) FROM billing.payers").message.contains("max"));
}
