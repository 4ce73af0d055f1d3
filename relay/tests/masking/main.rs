//! Rewritten statements against a real PostgreSQL: no raw value comes back, types stay what they are, and what psql
//! and drivers ask of the catalog runs.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test: clippy's own exception covers test functions and not what they share"
)]

mod catalog_queries;
mod clinic;
mod every_type;
mod hashing;
mod json_paths;
mod raw_values;
mod splices;
mod types;

use clinic::{Clinic, skip};

/// Queries that touch every protected column in some way. None of their results may hold a raw value.
const QUERIES: &[&str] = &[
    "SELECT * FROM clinic.patients ORDER BY id LIMIT 200",
    "TABLE clinic.patients",
    "SELECT * FROM ONLY clinic.patients p(a, b, c, d, e)",
    "SELECT p FROM clinic.patients p LIMIT 50",
    "SELECT row_to_json(p) FROM clinic.patients p LIMIT 50",
    "SELECT to_jsonb(p) - 'id' FROM clinic.patients p LIMIT 50",
    "SELECT p::text FROM clinic.patients p LIMIT 50",
    "SELECT json_agg(patients) FROM clinic.patients",
    "SELECT e.key, e.value FROM clinic.patients p, jsonb_each_text(to_jsonb(p)) e LIMIT 500",
    "SELECT ssn, count(*) FROM clinic.patients GROUP BY ssn ORDER BY 2 DESC LIMIT 50",
    "SELECT DISTINCT name, email, phone FROM clinic.patients",
    "SELECT reverse(reverse(ssn)), upper(name), initcap(mrn), substr(email, 1, 100) FROM clinic.patients",
    "SELECT convert_from(decode(encode(convert_to(name, 'UTF8'), 'base64'), 'base64'), 'UTF8') FROM clinic.patients",
    "SELECT string_agg(ssn, ',' ORDER BY ssn), max(name), min(birth_date), array_agg(zip) FROM clinic.patients",
    "SELECT birth_date, birth_date + 0, birth_date::timestamp, to_char(birth_date, 'YYYY-MM-DD') FROM clinic.patients",
    "SELECT x.n FROM (SELECT name AS n FROM clinic.patients) x ORDER BY n LIMIT 5",
    "WITH q AS (SELECT * FROM clinic.patients) SELECT q.ssn, q FROM q LIMIT 20",
    "WITH RECURSIVE r(n, s) AS (SELECT 1, max(ssn) FROM clinic.patients UNION ALL SELECT n + 1, s FROM r WHERE n < 3) SELECT * FROM r",
    "SELECT (SELECT ssn FROM clinic.patients WHERE id = 7), (SELECT array_agg(name) FROM clinic.patients)",
    "SELECT name FROM billing.payers UNION ALL SELECT name FROM clinic.patients",
    "SELECT p.name, v.notes, v.reason FROM clinic.patients p JOIN clinic.visits v ON v.patient_id = p.id LIMIT 300",
    "SELECT notes FROM clinic.visits_2024 UNION SELECT notes FROM ONLY clinic.visits_2025",
    "SELECT i.*, p.* FROM billing.invoices i LEFT JOIN clinic.patients p ON p.id = i.patient_id ORDER BY i.id LIMIT 100",
    "SELECT b.name, x.ssn FROM billing.payers b, LATERAL (SELECT ssn FROM clinic.patients p WHERE p.id = b.id) x",
    "SELECT clinic.patients.ssn, clinic.patients.* FROM clinic.patients LIMIT 5",
    "SELECT name, rank() OVER (PARTITION BY zip ORDER BY ssn), lag(ssn) OVER (ORDER BY id) FROM clinic.patients",
    "SELECT zip, grouping(zip), count(*) FROM clinic.patients GROUP BY ROLLUP (zip)",
    "SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY ssn) FROM clinic.patients",
    "SELECT unnest(array_agg(email)) FROM clinic.patients",
    "SELECT * FROM clinic.visits_per_department ORDER BY 1",
    "SELECT * FROM odd.contacts c ORDER BY 1 LIMIT 20",
    "SELECT * FROM odd.nested LIMIT 20",
    "SELECT id FROM clinic.patients WHERE ssn LIKE '***%' ORDER BY id",
    "SELECT coalesce(ssn, name, mrn), ssn || name, greatest(ssn, name) FROM clinic.patients",
    "SELECT a.ssn FROM clinic.patients a JOIN clinic.patients b USING (id) WHERE a.name = b.name LIMIT 10",
    "SELECT * FROM odd.things",
    "SELECT t, t.* FROM odd.things t ORDER BY t.id",
];

#[tokio::test]
async fn no_result_holds_a_raw_value_as_text() {
    let Some(clinic) = Clinic::start().await else { return skip() };
    let raw = clinic.raw_values().await;
    assert!(raw.len() > 5_000, "only {} raw values to look for", raw.len());
    for sql in QUERIES {
        let rows = clinic.text_rows(&clinic.upstream(sql)).await;
        assert!(!rows.is_empty(), "{sql} finds nothing, so it proves nothing");
        let all: String = rows.into_iter().flatten().flatten().flat_map(|cell| [cell, "\n".to_owned()]).collect();
        assert_eq!(raw.find_in(&all), None, "{sql}");
    }
}

#[tokio::test]
async fn no_copy_holds_a_raw_value_in_any_format() {
    let Some(clinic) = Clinic::start().await else { return skip() };
    let raw = clinic.raw_values().await;
    let relations =
        ["clinic.patients", "clinic.visits_2024", "odd.things", "odd.secret_notes", "clinic.patients (ssn)"];
    let queries = QUERIES.iter().map(|sql| format!("({sql})"));
    let sources: Vec<String> = relations.map(str::to_owned).into_iter().chain(queries).collect();
    for format in ["text", "csv", "binary"] {
        let mut psql = clinic.psql();
        psql.args(["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"]);
        for source in &sources {
            psql.args(["--command", &clinic.upstream(&format!("COPY {source} TO STDOUT (FORMAT {format})"))]);
        }
        let output = psql.output().unwrap();
        assert!(output.status.success(), "{format}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(output.stdout.len() > 500_000, "only {} bytes were copied as {format}", output.stdout.len());
        assert_eq!(raw.find_in(&String::from_utf8_lossy(&output.stdout)), None, "{format}");
    }
}

#[tokio::test]
async fn a_predicate_on_a_protected_column_sees_its_mask() {
    let Some(clinic) = Clinic::start().await else { return skip() };
    let rows =
        clinic.superuser.query("SELECT ssn FROM clinic.patients WHERE ssn IS NOT NULL LIMIT 1", &[]).await.unwrap();
    let ssn: String = rows[0].get(0);
    for sql in [
        format!("SELECT id FROM clinic.patients WHERE ssn = '{ssn}'"),
        format!("SELECT id FROM clinic.patients WHERE ssn LIKE '{}%'", &ssn[..5]),
        format!("SELECT id FROM clinic.patients WHERE position('{}' in ssn) > 0", &ssn[..6]),
    ] {
        assert!(clinic.text_rows(&clinic.upstream(&sql)).await.is_empty(), "{sql}");
    }
}

#[tokio::test]
async fn the_raw_values_are_found_where_nothing_masks() {
    let Some(clinic) = Clinic::start().await else { return skip() };
    let raw = clinic.raw_values().await;
    let rows = clinic.text_rows("SELECT * FROM clinic.patients LIMIT 5").await;
    let leaks = |cell: &String| raw.find_in(&format!("before {cell} after")).is_some();
    assert!(rows.iter().flatten().flatten().any(leaks), "the search itself must work");
}

#[tokio::test]
async fn binary_results_keep_the_types_of_the_unmasked_statement() {
    let Some(clinic) = Clinic::start().await else { return skip() };
    for sql in QUERIES {
        let upstream = clinic.upstream(sql);
        let masked = clinic.relay.prepare(&upstream).await.unwrap_or_else(|error| panic!("{sql}: {error}\n{upstream}"));
        let plain = clinic.superuser.prepare(sql).await.unwrap();
        for (masked, plain) in masked.columns().iter().zip(plain.columns()) {
            assert_eq!(masked.name(), plain.name(), "{sql}");
            // A whole row of a masked scan is a record: the relation's row type would promise the raw values.
            if !matches!(plain.type_().kind(), tokio_postgres::types::Kind::Composite(_)) {
                assert_eq!(masked.type_(), plain.type_(), "{sql}: {}", plain.name());
            }
        }
        clinic.relay.query(&masked, &[]).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
}

#[tokio::test]
async fn a_parameter_compared_with_a_masked_column_has_the_columns_type() {
    let Some(clinic) = Clinic::start().await else { return skip() };
    let sql = "SELECT id FROM clinic.patients WHERE ssn = $1 AND birth_date > $2 AND mrn = ANY ($3)";
    let masked = clinic.relay.prepare(&clinic.upstream(sql)).await.unwrap();
    let plain = clinic.superuser.prepare(sql).await.unwrap();
    assert_eq!(masked.params(), plain.params());
}

#[tokio::test]
async fn after_a_swap_of_names_the_guarded_statement_finds_nothing() {
    let Some(clinic) = Clinic::alone().await else { return skip() };
    let masked = clinic.relay.prepare(&clinic.upstream("SELECT * FROM odd.open_notes")).await.unwrap();
    assert!(!clinic.relay.query(&masked, &[]).await.unwrap().is_empty());
    clinic
        .superuser
        .batch_execute(
            "BEGIN; ALTER TABLE odd.open_notes RENAME TO gone; ALTER TABLE odd.secret_notes RENAME TO open_notes; COMMIT",
        )
        .await
        .unwrap();
    assert!(clinic.relay.query(&masked, &[]).await.unwrap().is_empty(), "the guard must hold on a replanned statement");
}
