//! Writes of relations with protected columns, and writes that read them: what is clear may choose and become rows, what
//! is masked may be given and is shown as masks, and nothing tells what is stored.

use super::*;

/// May write everything; sees masks.
fn operator() -> Clinic {
    changed(&|_| {})
}

/// As [`operator`], with changes to the database. No key refers to an SSN there.
fn changed(change: &dyn Fn(&mut Value)) -> Clinic {
    Clinic::of("operators", &|catalog| {
        without_keys_to_masks(catalog);
        change(catalog);
    })
}

fn without_keys_to_masks(catalog: &mut Value) {
    catalog["foreign_keys"].as_array_mut().unwrap().retain(|key| key["to_columns"] != json!([4]));
}

/// As [`operator`], where the clinic's patients have this beside.
fn with(name: &'static str, value: Value) -> Clinic {
    changed(&move |catalog| catalog["relations"][0][name] = value.clone())
}

/// Sees names, may write.
fn revealer() -> Clinic {
    let text = r#"
        permit(principal, action in [Action::"connect", Action::"select", Action::"insert", Action::"update",
               Action::"delete"], resource);
        permit(principal, action == Action::"reveal", resource == Column::"clinic/clinic.patients.name");
    "#;
    let policies = PolicySet::from_texts(&[("p.cedar".to_owned(), text.to_owned())]).unwrap();
    let mut catalog = catalog();
    without_keys_to_masks(&mut catalog);
    let snapshot = Snapshot::from_json(&catalog.to_string()).unwrap();
    let profile = policies.profile(&principal("x"), &connection(), &classification(), &snapshot).unwrap();
    Clinic { snapshot, profile, search_path: vec!["public".to_owned(), "clinic".to_owned()], own: Arc::default() }
}

fn on_server(version: u32) -> Clinic {
    changed(&move |catalog| catalog["server_version_num"] = json!(version))
}

const GUARD: &str =
    "'clinic.patients'::pg_catalog.regclass::pg_catalog.oid OPERATOR(pg_catalog.=) '100'::pg_catalog.oid";

/// What may run, as `operators` write it.
const RUN: &[&str] = &[
    "INSERT INTO clinic.patients (id, name, ssn) VALUES (7, 'x', $1), (8, DEFAULT, upper('y'))",
    "INSERT INTO clinic.patients VALUES (7, 'x')",
    "INSERT INTO clinic.patients DEFAULT VALUES RETURNING id",
    "INSERT INTO clinic.patients (id, visited) SELECT id + 100, visited FROM clinic.patients WHERE id < 5",
    "INSERT INTO clinic.patients (id, name) SELECT id, name FROM billing.payers",
    "INSERT INTO clinic.patients AS p (id, name) VALUES (7, 'x') ON CONFLICT (id) DO UPDATE SET name = excluded.name, visited = p.visited WHERE p.visited IS NULL",
    "INSERT INTO clinic.patients (id, name) VALUES (7, 'x') ON CONFLICT DO NOTHING RETURNING *",
    "INSERT INTO billing.payers SELECT id, name FROM clinic.patients RETURNING *",
    "INSERT INTO billing.payers SELECT p.id, (SELECT max(notes) FROM clinic.visits) FROM clinic.contacts p",
    "INSERT INTO billing.payers SELECT id, 'x' FROM clinic.patients p WHERE EXISTS (SELECT * FROM clinic.visits v WHERE v.patient_id = p.id) ON CONFLICT (id) DO NOTHING",
    "UPDATE clinic.patients SET ssn = '1', name = DEFAULT, zip = NULL, visited = now() WHERE id = 7",
    "UPDATE clinic.patients p SET mrn = i.status FROM billing.invoices i WHERE i.patient_id = p.id AND i.id = $1",
    "UPDATE clinic.patients SET (name, visited) = (SELECT status, '2020-01-01' FROM billing.invoices WHERE patient_id = patients.id LIMIT 1)",
    "UPDATE clinic.visits SET notes = $2 WHERE id = $1 AND department = 'x' RETURNING *",
    "UPDATE billing.invoices SET (amount, status) = (SELECT 1, department FROM clinic.visits v WHERE v.patient_id = invoices.patient_id LIMIT 1)",
    "UPDATE billing.invoices i SET amount = 0 FROM clinic.patients p WHERE p.id = i.patient_id AND p.visited < now()",
    "DELETE FROM clinic.visits WHERE patient_id = 7 RETURNING id, reason, notes AS n",
    "DELETE FROM billing.invoices USING clinic.visits v WHERE v.patient_id = invoices.patient_id RETURNING invoices.*",
    "DELETE FROM clinic.visits WHERE NOT EXISTS (SELECT * FROM clinic.patients WHERE id = visits.patient_id)",
    "DELETE FROM clinic.visits WHERE id IN (SELECT id FROM clinic.visits ORDER BY id LIMIT 5 FOR UPDATE SKIP LOCKED)",
    "WITH u AS (UPDATE clinic.patients SET visited = now() WHERE id = 7 RETURNING *) SELECT id, ssn, name AS n FROM u",
    "WITH u AS (UPDATE clinic.patients SET visited = now() RETURNING id) SELECT p.name FROM u JOIN clinic.patients p USING (id)",
    "WITH n AS (INSERT INTO clinic.patients (id, name) VALUES (9, 'x') RETURNING id) INSERT INTO clinic.visits (id, patient_id) SELECT 1, id FROM n RETURNING *",
    "WITH d AS (DELETE FROM billing.invoices RETURNING *) SELECT * FROM d",
    "MERGE INTO billing.invoices i USING clinic.patients p ON p.id = i.patient_id WHEN MATCHED AND p.visited IS NULL THEN DELETE WHEN MATCHED THEN DO NOTHING",
    "MERGE INTO clinic.patients p USING (VALUES (1, 'x')) AS n(number, called) ON p.id = n.number WHEN MATCHED THEN UPDATE SET name = n.called WHEN NOT MATCHED THEN INSERT (id, name) VALUES (n.number, n.called)",
    "MERGE INTO clinic.patients USING billing.invoices i ON patients.id = i.patient_id WHEN NOT MATCHED THEN INSERT VALUES (i.patient_id, DEFAULT)",
    "SELECT ssn FROM clinic.patients WHERE id = 7 FOR UPDATE",
    "SELECT p.name, v.notes FROM clinic.patients p JOIN clinic.visits v ON v.patient_id = p.id FOR NO KEY UPDATE OF p NOWAIT",
    "SELECT * FROM clinic.contacts FOR SHARE SKIP LOCKED",
    "EXPLAIN UPDATE clinic.patients SET ssn = '1' WHERE id = 7",
    "EXPLAIN (FORMAT json, VERBOSE) DELETE FROM clinic.visits",
    "PREPARE p AS UPDATE clinic.patients SET name = $1 WHERE id = $2 RETURNING name",
    "PREPARE p AS MERGE INTO billing.payers b USING clinic.visits v ON v.patient_id = b.id WHEN MATCHED THEN UPDATE SET name = v.department",
];

#[test]
fn writes_by_clear_columns_run_and_hold_back_the_targets_words() {
    let clinic = operator();
    for sql in RUN {
        clinic.upstream(sql);
        let reads_protected = sql.contains("clinic.");
        assert_eq!(clinic.decide(sql).scrub_diagnostics(), reads_protected, "{sql}");
    }
}

/// What may not, and a part of the reason.
const REFUSED: &[(&str, &str)] = &[
    // References to what is masked, wherever they stand.
    ("UPDATE clinic.patients SET visited = now() WHERE ssn = '1'", "ssn"),
    ("UPDATE clinic.patients p SET visited = now() WHERE p.ssn = '1'", "ssn"),
    ("UPDATE clinic.patients SET visited = now() WHERE clinic.patients.ssn = '1'", "ssn"),
    (
        "UPDATE clinic.patients SET visited = now() WHERE EXISTS (SELECT FROM billing.payers WHERE ssn = payers.name)",
        "ssn",
    ),
    ("UPDATE clinic.patients SET visited = birth_date", "birth_date"),
    ("UPDATE clinic.patients SET name = upper(name)", "name"),
    ("UPDATE clinic.patients SET (visited, zip) = (SELECT birth_date, '1')", "birth_date"),
    ("UPDATE clinic.patients SET (visited, zip) = (birth_date, '1')", "birth_date"),
    ("DELETE FROM clinic.visits ORDER", "syntax"),
    ("DELETE FROM clinic.visits WHERE notes IS NULL", "notes"),
    ("DELETE FROM clinic.visits WHERE id = (SELECT max(id) FROM clinic.visits v WHERE v.notes > 'x')", "notes"),
    ("DELETE FROM billing.invoices USING clinic.patients p WHERE p.id = patient_id AND name = 'x'", "name"),
    ("DELETE FROM billing.invoices WHERE patient_id IN (SELECT id FROM clinic.patients ORDER BY ssn LIMIT 1)", "ssn"),
    ("DELETE FROM billing.invoices WHERE patient_id IN (SELECT id FROM clinic.contacts WHERE email = 'x')", "email"),
    ("INSERT INTO clinic.patients (id, name) SELECT id + 1, name FROM clinic.patients", "name"),
    ("INSERT INTO clinic.patients (id, name) VALUES (7, (SELECT max(name) FROM clinic.patients))", "name"),
    (
        "INSERT INTO clinic.patients (id) VALUES (7) ON CONFLICT (id) DO UPDATE SET visited = patients.birth_date",
        "birth_date",
    ),
    (
        "INSERT INTO clinic.patients AS excluded (id) VALUES (7) ON CONFLICT (id) DO UPDATE SET visited = excluded.birth_date",
        "birth_date",
    ),
    (
        "INSERT INTO clinic.patients (id) VALUES (7) ON CONFLICT (id) DO UPDATE SET visited = now() WHERE patients.ssn = '1'",
        "ssn",
    ),
    ("INSERT INTO clinic.patients (id) VALUES (7) ON CONFLICT (id) WHERE ssn IS NULL DO NOTHING", "ssn"),
    ("INSERT INTO billing.payers SELECT id, name FROM clinic.patients ON CONFLICT DO NOTHING", "name"),
    (
        "MERGE INTO billing.payers b USING clinic.patients p ON p.id = b.id AND p.ssn = '1' WHEN MATCHED THEN DELETE",
        "ssn",
    ),
    (
        "MERGE INTO billing.payers b USING clinic.patients p ON p.id = b.id WHEN MATCHED AND p.ssn = '1' THEN DELETE",
        "ssn",
    ),
    (
        "MERGE INTO billing.payers b USING clinic.patients p ON p.id = b.id WHEN MATCHED THEN UPDATE SET name = p.ssn",
        "ssn",
    ),
    (
        "MERGE INTO billing.payers b USING clinic.patients p ON p.id = b.id WHEN NOT MATCHED THEN INSERT VALUES (p.id, p.ssn)",
        "ssn",
    ),
    ("MERGE INTO clinic.patients p USING billing.payers b ON p.name = b.name WHEN MATCHED THEN DO NOTHING", "name"),
    // Whole rows, all columns, calls of a function over a row, system columns.
    ("UPDATE clinic.patients p SET visited = now() WHERE p IS NOT NULL", "whole row"),
    ("UPDATE clinic.patients p SET visited = now() WHERE to_jsonb(p) ->> 'ssn' = '1'", "whole row"),
    ("UPDATE clinic.patients p SET visited = now() WHERE (p).ssn = '1'", "whole row"),
    ("UPDATE clinic.patients p SET visited = now() WHERE p.text LIKE '%1%'", "whole row"),
    ("UPDATE clinic.patients SET visited = now() WHERE patients::text LIKE '%1%'", "whole row"),
    ("UPDATE clinic.patients SET visited = now() WHERE ROW(patients.*) IS NULL", "whole row"),
    (
        "UPDATE clinic.patients SET visited = now() WHERE (SELECT count(patients.*) FROM billing.payers) > 1",
        "whole row",
    ),
    ("UPDATE clinic.patients SET visited = now() WHERE tableoid > 1", "tableoid"),
    ("UPDATE clinic.patients SET visited = now() WHERE patients.ctid = '(0,1)'", "ctid"),
    ("INSERT INTO clinic.patients SELECT * FROM clinic.patients", "whole row"),
    ("INSERT INTO billing.payers SELECT p.* FROM clinic.patients p ON CONFLICT DO NOTHING", "whole row"),
    ("DELETE FROM billing.payers WHERE name IN (SELECT p::text FROM clinic.patients p)", "whole row"),
    (
        "DELETE FROM billing.payers WHERE EXISTS (SELECT FROM clinic.patients a NATURAL JOIN clinic.patients b)",
        "whole row",
    ),
    (
        "DELETE FROM billing.payers WHERE EXISTS (SELECT FROM clinic.patients a JOIN clinic.patients b USING (ssn))",
        "ssn",
    ),
    ("DELETE FROM billing.payers WHERE id IN (SELECT a FROM clinic.patients p(a, b))", "other names"),
    // What is returned from inside of a subquery or as a row.
    ("UPDATE clinic.patients p SET visited = now() RETURNING p", "whole row"),
    ("UPDATE clinic.patients p SET visited = now() RETURNING to_jsonb(p)", "whole row"),
    ("UPDATE clinic.patients p SET visited = now() RETURNING (p).ssn", "whole row"),
    ("UPDATE clinic.patients p SET visited = now() RETURNING p.to_jsonb", "whole row"),
    ("UPDATE clinic.patients p SET visited = now() RETURNING ROW(p.*)", "whole row"),
    ("UPDATE clinic.patients p SET visited = now() RETURNING (SELECT p.ssn)", "ssn"),
    ("UPDATE clinic.patients SET visited = now() RETURNING (SELECT ssn)", "ssn"),
    ("UPDATE clinic.patients p SET visited = now() RETURNING (SELECT to_jsonb(p))", "whole row"),
    ("UPDATE clinic.patients p SET visited = now() RETURNING ARRAY(SELECT p.ssn FROM billing.payers)", "ssn"),
    ("UPDATE clinic.patients p SET visited = now() RETURNING tableoid", "tableoid"),
    (
        "UPDATE clinic.patients p SET visited = now() FROM billing.payers b WHERE b.id = p.id RETURNING *",
        "several relations",
    ),
    ("UPDATE billing.payers b SET name = 'x' FROM clinic.patients p WHERE b.id = p.id RETURNING p.ssn", "ssn"),
    ("UPDATE billing.payers b SET name = 'x' FROM clinic.patients p WHERE b.id = p.id RETURNING *", "whole row"),
    // What a common table expression returns goes into other writes.
    (
        "WITH u AS (UPDATE clinic.patients SET visited = now() RETURNING id, ssn AS x) DELETE FROM billing.invoices USING u WHERE x = '1'",
        "ssn",
    ),
    (
        "WITH u AS (UPDATE clinic.patients SET visited = now() RETURNING *), d AS (DELETE FROM billing.payers) SELECT * FROM u",
        "protected",
    ),
    (
        "WITH q AS (SELECT ssn AS x, id FROM clinic.patients), d AS (DELETE FROM billing.invoices USING q WHERE q.id = patient_id AND x = '1') SELECT 1",
        "ssn",
    ),
    (
        "WITH q AS (SELECT ssn AS x, id FROM clinic.patients) UPDATE clinic.visits SET department = x FROM q WHERE q.id = patient_id",
        "ssn",
    ),
    (
        "WITH d AS (DELETE FROM billing.payers RETURNING id), i AS (INSERT INTO billing.payers SELECT id, ssn FROM clinic.patients) SELECT 1",
        "ssn",
    ),
    (
        "INSERT INTO billing.payers WITH d AS (DELETE FROM billing.invoices RETURNING id) SELECT id, 'x' FROM d",
        "WITH clause",
    ),
    ("COPY (DELETE FROM clinic.patients WHERE ssn = '1' RETURNING id) TO STDOUT", "ssn"),
    ("COPY (UPDATE clinic.patients SET name = ssn RETURNING name) TO STDOUT", "ssn"),
    ("DECLARE c CURSOR FOR WITH d AS (DELETE FROM billing.invoices RETURNING id) SELECT * FROM d", "WITH clause"),
    // Parts of a protected value.
    ("UPDATE clinic.patients SET name[2] = 'x' WHERE id = 1", "in part"),
    ("UPDATE clinic.patients SET name.x = 'x' WHERE id = 1", "in part"),
    // What other servers understand.
    (
        "MERGE INTO clinic.patients p USING billing.payers b ON p.id = b.id WHEN MATCHED THEN DO NOTHING RETURNING p.id",
        "17",
    ),
    ("MERGE INTO clinic.patients p USING billing.payers b ON p.id = b.id WHEN NOT MATCHED BY SOURCE THEN DELETE", "17"),
    ("UPDATE clinic.patients SET visited = now() RETURNING merge_action()", "17"),
    ("SELECT merge_action()", "17"),
    ("UPDATE clinic.patients SET visited = now() WHERE CURRENT OF c", "CURRENT OF"),
    ("UPDATE clinic.contacts SET email = 'x'", "email"),
    ("DELETE FROM clinic.contacts", "email"),
    ("INSERT INTO billing.opaque VALUES ('x')", "public.leak"),
    ("EXPLAIN ANALYZE UPDATE clinic.patients SET ssn = '1'", "ANALYZE"),
    ("EXPLAIN (ANALYZE) SELECT id FROM clinic.patients", "ANALYZE"),
    ("EXPLAIN (ANALYZE, COSTS off) SELECT id FROM clinic.contacts", "ANALYZE"),
    ("EXPLAIN (ANALYZE) WITH d AS (DELETE FROM billing.invoices RETURNING id) SELECT * FROM d", "ANALYZE"),
    ("EXPLAIN (BUFFERS) SELECT id FROM clinic.patients", "ANALYZE"),
    ("EXPLAIN (ANALYZE false, ANALYZE) SELECT id FROM clinic.patients", "ANALYZE"),
    ("EXPLAIN (ANALYZE) SELECT * FROM pg_attribute", "seen in part"),
    ("EXPLAIN (GENERIC_PLAN) SELECT id FROM billing.payers", "generic_plan"),
];

#[test]
fn what_is_masked_never_chooses_or_becomes_rows() {
    let clinic = operator();
    for (sql, part) in REFUSED {
        let refusal = clinic.refusal(sql);
        assert!(refusal.message.contains(part), "{sql}\nis refused without naming {part}: {}", refusal.message);
    }
}

#[test]
fn what_a_write_reads_is_scanned_without_what_is_masked() {
    let sql = operator().upstream("DELETE FROM billing.invoices USING clinic.patients p WHERE p.id = patient_id");
    let scan = format!("USING (SELECT scan.id, scan.visited FROM clinic.patients scan WHERE {GUARD}) p WHERE p.id =");
    assert!(sql.contains(&scan), "{sql}");
}

#[test]
fn a_write_carries_the_guard_of_its_target() {
    let clinic = operator();
    let ends = |sql: &str, end: &str| {
        let upstream = clinic.upstream(sql);
        assert!(upstream.ends_with(&format!("{end}{GUARD}")), "{upstream}");
    };
    ends("UPDATE clinic.patients SET ssn = '1' WHERE id = 7", "SET ssn = '1' WHERE id = 7 AND ");
    ends("DELETE FROM clinic.patients", "WHERE ");
    ends(
        "INSERT INTO clinic.patients (id, ssn) VALUES (7, '1') ON CONFLICT (id) DO UPDATE SET ssn = excluded.ssn",
        "DO UPDATE SET ssn = excluded.ssn WHERE ",
    );
    let merge = clinic.upstream(
        "MERGE INTO clinic.patients p USING billing.payers b ON p.id = b.id WHEN MATCHED AND b.id > 5 THEN DELETE \
         WHEN NOT MATCHED THEN INSERT (id) VALUES (b.id)",
    );
    assert_eq!(merge.matches(GUARD).count(), 2, "{merge}");
    assert_eq!(merge.matches("'billing.payers'::").count(), 2, "{merge}");
}

#[test]
fn what_is_returned_is_masked_where_it_is_named_and_keeps_its_name() {
    let clinic = operator();
    let returned = |sql: &str| {
        let sql = clinic.upstream(sql);
        sql.split_once(" RETURNING ").unwrap().1.to_owned()
    };
    assert_eq!(
        returned("DELETE FROM clinic.visits WHERE id = 1 RETURNING id, notes"),
        "id, '***'::pg_catalog.text COLLATE pg_catalog.\"default\" AS notes"
    );
    let all = returned("UPDATE clinic.patients AS p SET visited = now() RETURNING *");
    assert!(all.starts_with("p.id, '***'::pg_catalog.text COLLATE pg_catalog.\"default\" AS mrn, "), "{all}");
    assert!(all.contains("pg_catalog.\"right\"(p.ssn::pg_catalog.text, 4)") && all.ends_with(", p.visited"), "{all}");
    let cast = returned("UPDATE clinic.patients SET visited = now() RETURNING ssn::varchar(3), upper(ssn), zip AS z");
    assert!(cast.contains("AS ssn, pg_catalog.upper(CASE") && cast.ends_with("AS z"), "{cast}");
    let newer = on_server(180_000);
    let sql = newer.upstream("UPDATE clinic.patients SET ssn = '1' WHERE id = 7 RETURNING old.ssn, new.*, old.visited");
    assert!(sql.contains("(old.ssn::pg_catalog.text, 4)") && sql.contains("(new.ssn::pg_catalog.text, 4)"), "{sql}");
    for sql in ["old", "to_jsonb(new)", "old.to_jsonb", "(SELECT old.ssn)", "old.tableoid"] {
        newer.refusal(&format!("UPDATE clinic.patients SET ssn = '1' WHERE id = 7 RETURNING {sql}"));
    }
}

#[test]
fn merge_returns_masks_where_the_server_knows_how() {
    let clinic = on_server(170_000);
    let sql = clinic.upstream(
        "MERGE INTO clinic.patients p USING billing.payers b ON p.id = b.id WHEN NOT MATCHED BY SOURCE THEN DELETE \
         RETURNING merge_action(), p.name, b.name AS payer",
    );
    assert!(sql.contains("RETURNING merge_action() , '***'") && sql.ends_with("AS name, b.name AS payer"), "{sql}");
    clinic.refusal("SELECT merge_action()");
    clinic.refusal("UPDATE clinic.patients SET ssn = '1' RETURNING merge_action()");
    clinic.refusal(
        "MERGE INTO clinic.patients p USING billing.payers b ON p.id = b.id WHEN MATCHED THEN DELETE RETURNING p",
    );
    let merge = "WITH m AS (MERGE INTO clinic.patients p USING billing.payers b ON p.id = b.id WHEN MATCHED THEN DELETE \
                 RETURNING p.ssn) SELECT * FROM m";
    clinic.upstream(merge);
    operator().refusal(merge);
}

#[test]
fn a_plan_of_what_is_protected_has_no_costs() {
    let clinic = operator();
    let sql = clinic.upstream("EXPLAIN (COSTS on, VERBOSE) SELECT id FROM clinic.patients");
    assert!(sql.starts_with("EXPLAIN (VERBOSE, COSTS OFF) SELECT id FROM (SELECT scan.id"), "{sql}");
    assert!(clinic.upstream("EXPLAIN DELETE FROM clinic.visits").starts_with("EXPLAIN (COSTS OFF) DELETE FROM"));
    assert!(!clinic.upstream("EXPLAIN SELECT id FROM billing.payers").contains("COSTS"));
}

#[test]
fn who_may_not_write_a_relation_neither_locks_nor_merges_into_it() {
    let analyst = Clinic::analyst();
    for (sql, part) in [
        ("UPDATE clinic.patients SET ssn = '1' WHERE id = 7", "updating clinic.patients"),
        ("INSERT INTO clinic.patients (id) VALUES (7)", "inserting into clinic.patients"),
        ("INSERT INTO clinic.patients (id) VALUES (7) ON CONFLICT (id) DO UPDATE SET ssn = '1'", "inserting into"),
        ("DELETE FROM clinic.visits", "deleting from clinic.visits"),
        (
            "MERGE INTO clinic.patients p USING billing.payers b ON p.id = b.id WHEN MATCHED THEN DELETE",
            "deleting from",
        ),
        (
            "MERGE INTO clinic.patients p USING billing.payers b ON p.id = b.id WHEN NOT MATCHED THEN INSERT (id) VALUES (1)",
            "inserting into",
        ),
        ("WITH d AS (DELETE FROM clinic.visits) SELECT 1", "deleting from"),
        ("SELECT id FROM clinic.patients FOR KEY SHARE", "locking rows of clinic.patients"),
        (
            "DELETE FROM billing.invoices WHERE patient_id IN (SELECT id FROM clinic.patients FOR UPDATE)",
            "locking rows",
        ),
        ("EXPLAIN DELETE FROM clinic.visits", "deleting from"),
        ("COPY clinic.patients FROM STDIN", "copying into"),
    ] {
        let refusal = analyst.refusal(sql);
        assert!(refusal.message.contains(part), "{sql}: {}", refusal.message);
    }
}

#[test]
fn what_is_revealed_chooses_rows_of_its_own_relation_and_goes_nowhere() {
    let clinic = revealer();
    for sql in [
        "UPDATE clinic.patients SET visited = now() WHERE name = 'x' RETURNING name, ssn",
        "UPDATE clinic.patients SET name = upper(name) WHERE id = 7",
        "DELETE FROM clinic.patients WHERE name LIKE 'x%' RETURNING *",
        "WITH d AS (DELETE FROM clinic.patients WHERE name = 'x' RETURNING name) SELECT name FROM d",
        "INSERT INTO billing.payers SELECT id, ssn FROM clinic.patients",
    ] {
        clinic.upstream(sql);
    }
    for sql in [
        "INSERT INTO billing.payers SELECT id, name FROM clinic.patients",
        "INSERT INTO billing.payers SELECT id, 'x' FROM clinic.patients WHERE name = 'x'",
        "INSERT INTO billing.payers SELECT * FROM clinic.patients",
        "UPDATE clinic.patients SET visited = '2020-01-01'::date + length(name)",
        "UPDATE clinic.patients SET zip = name",
        "UPDATE clinic.patients SET (name, visited) = (SELECT upper(name), now())",
        "UPDATE billing.payers b SET name = p.name FROM clinic.patients p WHERE p.id = b.id",
        "DELETE FROM billing.invoices USING clinic.patients p WHERE p.id = patient_id AND p.name = 'x'",
        "WITH d AS (DELETE FROM clinic.patients RETURNING name AS n) INSERT INTO billing.payers SELECT 1, n FROM d",
        "UPDATE clinic.patients p SET visited = now() WHERE p IS NOT NULL AND ssn = '1'",
        "MERGE INTO clinic.patients p USING billing.payers b ON p.name = b.name WHEN MATCHED THEN DELETE",
    ] {
        let refusal = clinic.refusal(sql);
        assert!(
            refusal.message.contains("protected") || refusal.message.contains("masked"),
            "{sql}: {}",
            refusal.message
        );
    }
    let scan = clinic.upstream("INSERT INTO billing.payers SELECT id, ssn FROM clinic.patients");
    assert!(!scan.contains("scan.name"), "{scan}");
}

#[test]
fn who_sees_everything_writes_everything_and_moves_nothing() {
    let owner = Clinic::of("owners", &without_keys_to_masks);
    let held = |sql: &str| assert!(matches!(owner.decide(sql).outcome, Outcome::Held { .. }), "{sql}");
    held("UPDATE clinic.patients SET visited = now() WHERE ssn = '1' RETURNING *");
    held("DELETE FROM clinic.visits WHERE notes IS NULL RETURNING notes");
    held("INSERT INTO clinic.patients (id, ssn) VALUES (7, '1') RETURNING ssn");
    owner.refusal("INSERT INTO billing.payers SELECT id, name FROM clinic.patients");
    owner.refusal("WITH u AS (UPDATE clinic.patients SET visited = now() RETURNING *) INSERT INTO billing.payers SELECT id, name FROM u");
}

#[test]
fn evidence_says_what_was_masked_and_shows_masks_in_clear() {
    let ruling = operator().decide("UPDATE clinic.patients SET ssn = '123-45-6789' WHERE id = 7 RETURNING ssn");
    let event = &ruling.statements[0].event;
    let objects: Vec<(&str, &str)> = event.objects.iter().map(|o| (o.object.as_str(), o.action.as_str())).collect();
    assert_eq!(objects, [("clinic.patients", "select"), ("clinic.patients", "update")]);
    assert!(event.objects.iter().all(|object| object.masked.iter().any(|masked| masked.column == "ssn")));
    let upstream = event.upstream_text.as_deref().unwrap();
    assert!(upstream.contains("SET ssn = ?1 WHERE id = ?2") && upstream.contains("'***-**-'"), "{upstream}");
    assert!(!format!("{event:?}").contains("6789"), "{event:?}");
    let class = |sql: &str| operator().decide(sql).statements[0].event.class.clone();
    assert_eq!(class("WITH d AS (DELETE FROM clinic.visits) SELECT 1"), "delete");
    assert_eq!(class(RUN.iter().find(|sql| sql.starts_with("MERGE")).unwrap()), "merge");
}

// What success or failure would tell.

fn index(unique: bool, columns: &[i16]) -> Value {
    json!({"unique": unique, "nulls_distinct": true, "columns": columns})
}

fn computed(unique: bool, expressions: &str, predicate: &str) -> Value {
    let or_none = |text: &str| if text.is_empty() { Value::Null } else { json!(text) };
    json!({"unique": unique, "nulls_distinct": true, "expressions": or_none(expressions), "predicate": or_none(predicate)})
}

fn told(clinic: &Clinic, sql: &str) {
    let refusal = clinic.refusal(sql);
    assert!(refusal.message.contains("masked column"), "{sql}: {}", refusal.message);
}

#[test]
fn a_guess_is_not_tried_on_a_unique_index() {
    let plain = with("indexes", json!([index(true, &[1]), index(true, &[4])]));
    for sql in [
        "INSERT INTO clinic.patients (id, ssn) VALUES (7, '1')",
        "INSERT INTO clinic.patients (id, ssn) VALUES (7, '1') ON CONFLICT DO NOTHING",
        "INSERT INTO clinic.patients VALUES (7)",
        "UPDATE clinic.patients SET ssn = '1' WHERE id = 7",
        "INSERT INTO clinic.patients (id) VALUES (7) ON CONFLICT (id) DO UPDATE SET ssn = '1'",
        "MERGE INTO clinic.patients p USING billing.payers b ON p.id = b.id WHEN NOT MATCHED THEN INSERT (id, ssn) VALUES (7, '1')",
        "MERGE INTO clinic.patients p USING billing.payers b ON p.id = b.id WHEN MATCHED THEN UPDATE SET ssn = '1'",
        "WITH i AS (INSERT INTO clinic.patients (ssn) VALUES ('1')) SELECT 1",
        "EXPLAIN INSERT INTO clinic.patients (ssn) VALUES ('1')",
    ] {
        told(&plain, sql);
    }
    plain.upstream("INSERT INTO clinic.patients (id, name) VALUES (7, '1')");
    plain.upstream("UPDATE clinic.patients SET id = 8, name = '1' WHERE id = 7");
    plain.upstream("DELETE FROM clinic.patients WHERE id = 7");
    // With a clear column, whose value can be a guess too.
    let both = with("indexes", json!([index(true, &[9, 4])]));
    told(&both, "UPDATE clinic.patients SET visited = '2020-01-01' WHERE id = 7");
    both.upstream("INSERT INTO clinic.patients (id, visited) VALUES (7, '2020-01-01')");
    for (name, value) in [("nulls_distinct", json!(false)), ("predicate", json!("(ssn IS NULL)"))] {
        let mut index = index(true, &[9, 4]);
        index[name] = value;
        told(&with("indexes", json!([index])), "INSERT INTO clinic.patients (id, visited) VALUES (7, '2020-01-01')");
    }
    let expression = with("indexes", json!([computed(true, "((zip || COALESCE(ssn, ''::text)))", "")]));
    told(&expression, "INSERT INTO clinic.patients (id) VALUES (7)");
    told(&expression, "UPDATE clinic.patients SET zip = '1'");
    let whole_row = with("indexes", json!([computed(true, "hash_record(patients.*)", "")]));
    told(&whole_row, "UPDATE clinic.patients SET visited = now()");
}

#[test]
fn a_default_meets_no_row_only_if_it_is_a_number_of_its_own() {
    let defaulted = |default: Value| {
        changed(&move |catalog| {
            catalog["relations"][0]["indexes"] = json!([index(true, &[9, 4])]);
            catalog["relations"][0]["columns"][3]["default"] = default.clone();
        })
    };
    let sql = "INSERT INTO clinic.patients (id, visited) VALUES (7, '2020-01-01')";
    defaulted(json!("nextval('clinic.numbers'::regclass)")).upstream(sql);
    defaulted(json!(null)).upstream(sql);
    told(&defaulted(json!("'none'::text")), sql);
    let triggered = changed(&|catalog| {
        catalog["relations"][0]["indexes"] = json!([index(true, &[9, 4])]);
        catalog["relations"][0]["trigger_functions"] =
            json!([{"source": "BEGIN NEW.visited := now(); RETURN NEW; END", "conditional": false}]);
    });
    told(&triggered, sql);
}

#[test]
fn stored_values_do_not_meet_given_ones_in_checks_indexes_keys_and_generated_columns() {
    let check = |text: &str| json!([{"columns": [], "validated": true, "expression": text}]);
    let sql = "UPDATE clinic.patients SET visited = '2020-01-01' WHERE id = 7";
    for (name, value) in [
        ("checks", check("(visited > birth_date)")),
        ("checks", check("(patients.* IS NOT NULL)")),
        ("checks", json!([{"columns": [4], "validated": false, "expression": null}])),
        ("checks", check("((birth_date)::text > '1900'::text)")),
        ("checks", check("(to_char(birth_date, 'D'::text) > '1'::text)")),
        ("checks", check("((ssn)::date > '1900-01-01'::date)")),
        ("indexes", json!([computed(false, "((visited - birth_date))", "")])),
        ("indexes", json!([computed(false, "visited", "(ssn IS NOT NULL)")])),
        ("indexes", json!([computed(true, "", "(ssn IS NOT NULL)"), computed(true, "visited", "(ssn IS NOT NULL)")])),
        ("partition_key", json!([9, 5])),
        ("partition_key", json!([0])),
    ] {
        let told = with(name, value.clone()).refusal(sql);
        assert!(told.message.contains("masked column"), "{value}: {}", told.message);
    }
    for (name, value) in [
        ("checks", check("(visited > '1900-01-01'::date)")),
        ("checks", check("((ssn ~ '^9'::text) AND (length((phone)::text) = ANY (ARRAY[11, 9])))")),
        ("checks", check("(birth_date <= CURRENT_DATE)")),
        ("indexes", json!([index(false, &[9, 4])])),
        ("partition_key", json!([9])),
    ] {
        let clinic = with(name, value);
        clinic.upstream(sql);
    }
    with("checks", check("(visited > birth_date)"))
        .upstream("UPDATE clinic.patients SET visited = now(), birth_date = now()");
    with("checks", check("(visited > birth_date)"))
        .upstream("INSERT INTO clinic.patients (visited, birth_date) VALUES (now(), now())");
    // By way of a trigger.
    told(
        &changed(&|catalog| {
            let trigger = "BEGIN NEW.visited := NEW.id + date '1970-01-01'; RETURN NEW; END";
            catalog["relations"][0]["trigger_functions"] = json!([{"source": trigger, "conditional": false}]);
            catalog["relations"][0]["checks"] = check("(visited > birth_date)");
        }),
        "UPDATE clinic.patients SET id = 8 WHERE id = 7",
    );
    // How long both are together.
    told(&with("indexes", json!([index(false, &[2, 4])])), "UPDATE clinic.patients SET mrn = 'x' WHERE id = 7");
    let generated = changed(&|catalog| {
        catalog["relations"][0]["columns"][2]["generated_from"] = json!([9, 4]);
    });
    told(&generated, sql);
}

#[test]
fn a_foreign_key_tells_only_what_is_clear() {
    let keyed = |key: Value| {
        changed(&move |catalog| {
            let keys = catalog["foreign_keys"].as_array_mut().unwrap();
            *keys = vec![key.clone()];
        })
    };
    let referred = keyed(json!({"from": 303, "from_columns": [2], "to": 100, "to_columns": [4], "acts": false}));
    told(&referred, "DELETE FROM clinic.patients WHERE id = 7");
    told(&referred, "UPDATE clinic.patients SET ssn = '1' WHERE id = 7");
    referred.upstream("UPDATE clinic.patients SET visited = now() WHERE id = 7");
    let referring = keyed(json!({"from": 100, "from_columns": [9, 2], "to": 300, "to_columns": [1, 2], "acts": false}));
    told(&referring, "UPDATE clinic.patients SET visited = now() WHERE id = 7");
    referring.upstream("UPDATE clinic.patients SET name = 'x' WHERE id = 7");
    let cascading = keyed(json!({"from": 200, "from_columns": [2], "to": 100, "to_columns": [1], "acts": true}));
    assert!(cascading.refusal("DELETE FROM clinic.patients WHERE id = 7").message.contains("protected"));
}

#[test]
fn a_part_is_held_to_its_own_constraints_and_not_chosen_by_what_cuts_it() {
    let indexed = changed(&|catalog| catalog["relations"][2]["indexes"] = json!([index(true, &[5])]));
    told(&indexed, "UPDATE clinic.visits SET reason = 'x'");
    indexed.upstream("UPDATE clinic.visits_old SET reason = 'x'");
    let cut = changed(&|catalog| catalog["relations"][1]["partition_key"] = json!([5]));
    for sql in ["DELETE FROM clinic.visits_2024 WHERE id = 7", "UPDATE clinic.visits_2024 SET department = 'x'"] {
        assert!(cut.refusal(sql).message.contains("cut by a protected column"), "{sql}");
    }
    cut.upstream("DELETE FROM clinic.visits WHERE id = 7");
    let secured = with("row_security", json!(true));
    assert!(secured.refusal("UPDATE clinic.patients SET visited = now()").message.contains("row-level security"));
    let owner = Clinic::of("owners", &|catalog| {
        without_keys_to_masks(catalog);
        catalog["relations"][0]["row_security"] = json!(true);
        catalog["relations"][0]["indexes"] = json!([index(true, &[4])]);
    });
    let ruling = owner.decide("UPDATE clinic.patients SET ssn = '1' WHERE ssn = '2'");
    assert!(
        matches!(ruling.outcome, Outcome::Held { .. }),
        "nothing is masked for who sees everything: {:?}",
        ruling.outcome
    );
}

#[test]
fn a_trigger_of_a_protected_relation_keeps_to_clear_columns() {
    let triggered = |source: &str, sees_rows: bool| {
        with("trigger_functions", json!([{"source": source, "conditional": false, "sees_rows": sees_rows}]))
    };
    let sql = "UPDATE clinic.patients SET ssn = '1' WHERE id = 7";
    for source in [
        "BEGIN NEW.visited := now(); RETURN NEW; END",
        "BEGIN IF NEW.visited <> OLD.visited THEN INSERT INTO billing.payers VALUES (NEW.id, 'seen'); END IF; RETURN OLD; END",
    ] {
        triggered(source, false).upstream(sql);
        assert!(triggered(source, true).refusal(sql).message.contains("trigger"));
    }
    for source in [
        "",
        "BEGIN IF NEW IS DISTINCT FROM OLD THEN NEW.visited := now(); END IF; RETURN NEW; END",
        "BEGIN IF NEW.ssn <> OLD.ssn THEN NEW.visited := now(); END IF; RETURN NEW; END",
        "BEGIN INSERT INTO billing.payers VALUES (NEW.id, OLD.\"ssn\"); RETURN NEW; END",
        "BEGIN INSERT INTO billing.payers VALUES (NEW.id, to_jsonb(OLD)::text); RETURN NEW; END",
        "BEGIN INSERT INTO billing.payers SELECT NEW.*; RETURN NEW; END",
        "DECLARE r record; BEGIN r := OLD; RETURN NEW; END",
        "DECLARE r ALIAS FOR new; BEGIN RETURN r; END",
        "BEGIN RETURN NEW /* ; */ + 1; END",
    ] {
        let refusal = triggered(source, false).refusal(sql);
        assert!(refusal.message.contains("trigger"), "{source}: {}", refusal.message);
    }
}

#[test]
fn a_view_is_written_as_the_relation_that_it_names() {
    let clinic = Clinic::analyst();
    let sql = clinic.upstream("UPDATE billing.open_invoices SET amount = 5 WHERE id = 3 RETURNING id");
    assert!(
        sql.starts_with("UPDATE billing.open_invoices SET amount = 5 WHERE id = 3 AND 'billing.open_invoices'"),
        "{sql}"
    );
    clinic.upstream("DELETE FROM billing.open_invoices WHERE id = 3");
    clinic.upstream("INSERT INTO billing.open_invoices (id, amount) VALUES (1, 2)");
    let ruling = clinic.decide("DELETE FROM billing.open_invoices");
    let deletes = |object: &str| {
        ruling.statements[0].event.objects.iter().any(|touched| touched.object == object && touched.action == "delete")
    };
    assert!(deletes("billing.open_invoices") && deletes("billing.invoices"));
    for change in [
        ("triggers", json!(true)),
        ("rules", json!(true)),
        (
            "definition",
            json!(
                " SELECT invoices.id,\n    invoices.amount\n   FROM billing.invoices\n  WHERE (EXISTS ( SELECT 1\n FROM clinic.patients\n WHERE (patients.id = invoices.id)));"
            ),
        ),
        ("definition", json!(" SELECT i.id,\n    i.amount\n   FROM billing.invoices i,\n    billing.payers p;")),
        ("definition", json!(" SELECT i.id,\n    i.id AS amount\n   FROM clinic.patients i;")),
    ] {
        let clinic = Clinic::changed(&|catalog| {
            let relations = catalog["relations"].as_array_mut().unwrap();
            let view = relations.iter_mut().find(|relation| relation["oid"] == 501).unwrap();
            view[change.0] = change.1.clone();
        });
        let message = clinic.refusal("UPDATE billing.open_invoices SET amount = 5").message;
        assert!(message.contains("view billing.open_invoices"), "{message}");
    }
}

#[test]
fn what_a_write_returns_is_copied_and_a_plan_that_runs_counts_nothing_protected() {
    let clinic = Clinic::analyst();
    let sql = clinic.upstream("COPY (DELETE FROM billing.invoices WHERE id = 1 RETURNING *) TO STDOUT");
    assert!(sql.starts_with("COPY (DELETE FROM billing.invoices WHERE id = 1 AND 'billing.invoices'"), "{sql}");
    assert_eq!(
        clinic.decide("COPY (DELETE FROM billing.invoices RETURNING *) TO STDOUT").statements[0].event.class,
        "delete"
    );
    clinic.upstream("COPY (WITH d AS (DELETE FROM billing.invoices RETURNING id) SELECT * FROM d) TO STDOUT");
    for sql in [
        "EXPLAIN (ANALYZE, COSTS off, TIMING off, BUFFERS) SELECT count(*) FROM billing.payers",
        "EXPLAIN ANALYZE SELECT count(*) FROM billing.open_invoices",
        "EXPLAIN (FORMAT JSON, ANALYZE FALSE, BUFFERS 0, TIMING off) SELECT * FROM clinic.patients",
    ] {
        clinic.upstream(sql);
    }
}

#[test]
fn a_column_that_the_catalog_does_not_have_yet_is_not_named_in_a_write() {
    let clinic = operator();
    for sql in [
        "UPDATE clinic.patients SET visited = visited WHERE id = 1 RETURNING plain",
        "UPDATE clinic.patients SET id = 1 WHERE plain = 'x'",
        "DELETE FROM clinic.patients WHERE plain IS NULL",
        "UPDATE clinic.patients SET visited = (SELECT x FROM (SELECT plain AS x) q) WHERE id = 1",
        // What a part of the FROM cannot see is none of it.
        "UPDATE clinic.patients SET id = (SELECT q.x FROM (VALUES (1)) s (plain), (SELECT plain AS x) q)",
        "UPDATE clinic.patients SET id = (SELECT 1 FROM (VALUES (1)) s (plain), billing.payers b JOIN billing.payers c ON plain = 1)",
        // An alias means itself where it stands alone.
        "UPDATE clinic.patients SET id = (SELECT b.id AS plain FROM billing.payers b ORDER BY plain + 1 LIMIT 1)",
        "INSERT INTO clinic.patients (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET visited = plain",
        "MERGE INTO clinic.patients p USING billing.payers b ON p.id = b.id WHEN MATCHED AND plain IS NULL THEN DELETE",
        "UPDATE clinic.patients SET visited = visited WHERE id = 1 RETURNING added",
        "UPDATE clinic.patients SET zip = added",
        "UPDATE clinic.patients p SET visited = visited FROM (SELECT 1) s RETURNING added",
        "UPDATE clinic.patients SET visited = (SELECT added)",
        "UPDATE clinic.patients SET visited = (SELECT added FROM (SELECT 1) added)",
        "UPDATE clinic.patients SET visited = (SELECT 1 AS added FROM (SELECT 1) s WHERE added = 1)",
        "UPDATE clinic.patients SET visited = now() WHERE added = 'x'",
        "DELETE FROM clinic.visits USING billing.payers WHERE added = payers.id",
        "INSERT INTO clinic.patients (visited) VALUES (now()) RETURNING added",
        "MERGE INTO clinic.patients p USING billing.payers b ON p.id = b.id WHEN MATCHED AND added = 'x' THEN DELETE",
    ] {
        let refusal = clinic.refusal(sql);
        assert!(refusal.message.contains("not known yet") && refusal.unknown_name, "{sql}: {}", refusal.message);
        assert!(
            !refusal.reason.contains("plain") && !refusal.reason.contains("added"),
            "a name that nobody knows may be anything"
        );
    }
    for sql in [
        "UPDATE clinic.patients SET id = one FROM (SELECT 1 AS one) s WHERE id = one RETURNING one",
        "UPDATE clinic.patients SET id = one FROM (VALUES (1, 2)) s (one, two) WHERE id = two",
        "UPDATE clinic.patients SET id = column2 FROM (VALUES (1, 2)) s WHERE id = column1",
        "DELETE FROM clinic.patients WHERE id IN (SELECT i FROM generate_series(1, 3) i)",
        "WITH gone AS (SELECT id AS which FROM billing.payers) DELETE FROM clinic.patients WHERE id IN (SELECT which FROM gone)",
        "DELETE FROM clinic.patients WHERE id IN (SELECT i.patient_id FROM billing.invoices i WHERE amount > 3)",
        "DELETE FROM clinic.patients WHERE id IN (SELECT i.patient_id AS which FROM billing.invoices i GROUP BY which ORDER BY which LIMIT 3)",
        "UPDATE clinic.patients SET visited = now() WHERE id IN (SELECT patient_id AS p FROM billing.invoices GROUP BY 1 ORDER BY p)",
        "UPDATE clinic.patients SET visited = now() WHERE id IN (SELECT s.added FROM (VALUES (1)) s (added))",
        "UPDATE clinic.patients SET visited = now() FROM billing.invoices WHERE amount > 5 AND patients.id = patient_id",
        "WITH x AS (SELECT 1 AS added) SELECT added FROM x",
    ] {
        clinic.upstream(sql);
    }
}
