//! The mask `hash`: by a function of the database alone, which keeps its key.

use std::collections::BTreeSet;

use super::clinic::{Clinic, skip};

const FUNCTION: &str = include_str!("../../src/rewrite/hash_function.sql");
const GRANTS: &str = "GRANT USAGE ON SCHEMA affidavit_masks TO affidavit_relay;
    GRANT EXECUTE ON FUNCTION affidavit_masks.keyed_hash(text) TO affidavit_relay";
const TABLES: &str = "CREATE SCHEMA lab; GRANT USAGE ON SCHEMA lab TO affidavit_relay;
    CREATE TABLE lab.results (id int PRIMARY KEY, mrn text, code varchar(20), short varchar(10), number int);
    CREATE TABLE lab.orders (id int PRIMARY KEY, mrn text);
    INSERT INTO lab.results SELECT n, 'MRN-' || n % 7, 'MRN-' || n % 7, 'x', n FROM generate_series(1, 20) n;
    INSERT INTO lab.results VALUES (21, NULL, NULL, NULL, NULL);
    INSERT INTO lab.orders SELECT n, 'MRN-' || n FROM generate_series(0, 6) n;
    GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA lab TO affidavit_relay";

fn classified(column: &str, function: &str) -> String {
    format!(
        "[[table]]\nname = \"lab.results\"\n[table.columns]\nid = \"clear\"\n{column} = {{ hash = \"{function}\" }}\n\
         [[table]]\nname = \"lab.orders\"\n[table.columns]\nid = \"clear\"\nmrn = {{ hash = \"{function}\" }}"
    )
}

#[tokio::test]
async fn hashes_join_tell_no_value_and_neither_plan_nor_log_has_the_key() {
    let Some(mut clinic) = Clinic::alone().await else { return skip() };
    clinic.superuser.batch_execute(&format!("{FUNCTION};{TABLES};{GRANTS}")).await.unwrap();
    clinic.classify(&classified("mrn", "affidavit_masks.keyed_hash")).await.unwrap();
    let rows = clinic.text_rows(&clinic.upstream("SELECT mrn FROM lab.results ORDER BY id")).await;
    let hashes: BTreeSet<_> = rows.iter().take(20).map(|row| row[0].clone().unwrap()).collect();
    assert_eq!((hashes.len(), rows[20][0].clone()), (7, None));
    assert!(hashes.iter().all(|hash| hash.len() == 64 && !hash.contains("MRN")), "{hashes:?}");
    let joined = "SELECT count(*), pg_typeof(min(r.mrn))::text FROM lab.results r JOIN lab.orders o USING (mrn)";
    let joined = clinic.text_rows(&clinic.upstream(joined)).await;
    assert_eq!(joined, [[Some("20".to_owned()), Some("text".to_owned())]]);

    let keys = "SELECT encode(outer_key, 'hex'), encode(inner_key, 'hex') FROM affidavit_masks.hash_key";
    let keys = clinic.superuser.query_one(keys, &[]).await.unwrap();
    let keys: Vec<String> = vec![keys.get(0), keys.get(1)];
    assert!(keys.iter().all(|key| key.len() == 128));
    assert!(clinic.relay.simple_query("TABLE affidavit_masks.hash_key").await.is_err(), "the relay cannot read it");
    let upstream = clinic.upstream("SELECT mrn FROM lab.results");
    clinic
        .superuser
        .batch_execute(
            "SET log_statement = 'all'; LOAD 'auto_explain'; SET auto_explain.log_min_duration = 0;
        SET auto_explain.log_verbose = on; SET auto_explain.log_nested_statements = on; SET client_min_messages = log",
        )
        .await
        .unwrap();
    for sql in [format!("EXPLAIN (VERBOSE) {upstream}"), upstream] {
        let told = clinic.superuser.simple_query(&sql).await.unwrap();
        let told = format!("{told:?}");
        assert!(keys.iter().all(|key| !told.contains(key)), "{told}");
    }
    let log = clinic.log();
    assert!(log.contains("keyed_hash"), "the log has the statement");
    assert!(keys.iter().all(|key| !log.contains(key)), "and not the key");

    // Whoever gives values would have the hash of a guess.
    for sql in [
        "INSERT INTO lab.results (id, mrn) VALUES (99, 'MRN-3') RETURNING mrn",
        "UPDATE lab.results SET mrn = 'MRN-3' WHERE id = 1",
        "INSERT INTO lab.results VALUES (99)",
        "INSERT INTO lab.results (id, mrn) VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET mrn = 'MRN-3'",
    ] {
        let problem = clinic.decide(sql).unwrap_err();
        assert!(problem.contains("hash"), "{sql}: {problem}");
    }
    clinic.upstream("INSERT INTO lab.results (id, number) VALUES (99, 1) RETURNING mrn");
}

#[tokio::test]
async fn a_function_that_does_not_keep_its_key_or_a_type_too_short_is_refused_by_name() {
    let Some(mut clinic) = Clinic::alone().await else { return skip() };
    clinic.superuser.batch_execute(&format!("{FUNCTION};{TABLES};{GRANTS}")).await.unwrap();
    let hash = "affidavit_masks.keyed_hash";
    clinic.classify(&classified("code", hash)).await.unwrap();
    let rows = clinic.text_rows(&clinic.upstream("SELECT DISTINCT code FROM lab.results WHERE code IS NOT NULL")).await;
    assert!(rows.len() == 7 && rows.iter().all(|row| row[0].as_ref().unwrap().len() == 20), "{rows:?}");
    for (column, named) in [("short", "lab.results.short"), ("number", "lab.results.number")] {
        let problem = clinic.classify(&classified(column, hash)).await.unwrap_err();
        assert!(problem.contains(named) && problem.contains("at least 16"), "{problem}");
    }
    let as_it_is = |change: &str| format!("BEGIN; ALTER FUNCTION {hash}(text) {change}; COMMIT");
    for (change, back) in [
        (as_it_is("VOLATILE"), as_it_is("STABLE")),
        (as_it_is("SECURITY INVOKER"), as_it_is("SECURITY DEFINER")),
        (as_it_is("CALLED ON NULL INPUT"), as_it_is("STRICT")),
        (as_it_is("RESET search_path"), as_it_is("SET search_path = pg_catalog, pg_temp")),
        (as_it_is("OWNER TO affidavit_relay"), as_it_is("OWNER TO CURRENT_USER")),
        (
            "CREATE FUNCTION affidavit_masks.keyed_hash(varchar) RETURNS text LANGUAGE sql AS 'SELECT $1'".to_owned(),
            "DROP FUNCTION affidavit_masks.keyed_hash(varchar)".to_owned(),
        ),
        (
            format!("REVOKE EXECUTE ON FUNCTION {hash}(text) FROM affidavit_relay"),
            format!("GRANT EXECUTE ON FUNCTION {hash}(text) TO affidavit_relay"),
        ),
    ] {
        clinic.superuser.batch_execute(&change).await.unwrap();
        let problem = clinic.classify(&classified("mrn", hash)).await.unwrap_err();
        assert!(problem.contains("lab.") && problem.contains("SECURITY DEFINER"), "{change}: {problem}");
        clinic.superuser.batch_execute(&back).await.unwrap();
    }
    clinic.classify(&classified("mrn", hash)).await.unwrap();
    for function in ["keyed_hash", "affidavit_masks.", "pg_catalog.md5", "affidavit_masks.other"] {
        assert!(clinic.classify(&classified("mrn", function)).await.is_err(), "{function}");
    }
}
