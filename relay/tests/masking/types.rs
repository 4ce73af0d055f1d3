//! Masks are of the column's exact type, and total.

use super::clinic::{Clinic, skip};

#[tokio::test]
async fn a_masked_scan_has_the_exact_types_modifiers_and_collations_of_its_relation() {
    let Some(clinic) = Clinic::start().await else { return skip() };
    for table in ["odd.things", "clinic.patients", "clinic.visits"] {
        let upstream = clinic.upstream(&format!("SELECT * FROM {table}"));
        clinic.superuser.batch_execute(&format!("CREATE VIEW odd.shape AS {upstream}")).await.unwrap();
        let sql = format!(
            "WITH base AS (SELECT a.attname::text AS name, CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE a.atttypid END AS type,
                    CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END AS typmod, a.attcollation
                 FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
                 WHERE a.attrelid = '{table}'::regclass AND a.attnum > 0),
             masked AS (SELECT a.attname::text AS name, a.atttypid AS type, a.atttypmod AS typmod, a.attcollation
                 FROM pg_attribute a WHERE a.attrelid = 'odd.shape'::regclass AND a.attnum > 0)
             SELECT coalesce(base.name, masked.name), base::text, masked::text FROM base FULL JOIN masked USING (name)
             WHERE base IS DISTINCT FROM masked"
        );
        let rows = clinic.superuser.query(&sql, &[]).await.unwrap();
        let differing: Vec<(String, Option<String>, Option<String>)> =
            rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
        assert!(differing.is_empty(), "{table}: {differing:?}");
        clinic.superuser.batch_execute("DROP VIEW odd.shape").await.unwrap();
    }
}

#[tokio::test]
async fn masks_show_what_they_promise_and_fail_on_nothing() {
    let Some(clinic) = Clinic::start().await else { return skip() };
    let column = async |name: &str| -> Vec<Option<String>> {
        let rows = clinic.text_rows(&clinic.upstream(&format!("SELECT {name} FROM odd.things ORDER BY id"))).await;
        rows.into_iter().map(|mut row| row.remove(0)).collect()
    };
    let texts =
        |values: &[Option<&str>]| -> Vec<Option<String>> { values.iter().map(|v| v.map(str::to_owned)).collect() };
    let check =
        async |name: &str, expected: [Option<&str>; 5]| assert_eq!(column(name).await, texts(&expected), "{name}");
    check("ssn", [Some("***-**-6789"), Some("***"), None, Some("***-**-5678"), Some("***")]).await;
    check("short", [Some("*****6789"), Some("***"), None, Some("*****5678"), Some("***")]).await;
    check("fixed", [Some("***  "); 5]).await;
    check("cased", [Some("***"); 5]).await;
    check("born", [Some("1950-01-01"), None, None, None, None]).await;
    check("seen", [Some("2020-01-01 00:00:00"), None, None, None, None]).await;
    check("zip", [Some("021"), Some("000"), Some("000"), Some("941"), Some("000")]).await;
    check("flag", [Some("f"); 5]).await;
    check("amount", [Some("0.00"); 5]).await;
    check("label", [Some("mas"); 5]).await;
    check("list", [Some("{}"); 5]).await;
    check("tiny", [None; 5]).await;
    check("mood", [None; 5]).await;
    check("code", [Some("***"); 5]).await;
    check("place", [None; 5]).await;
    check("opened", [Some("1900-01-01"); 5]).await;
}

#[tokio::test]
async fn masks_do_not_depend_on_settings() {
    let Some(clinic) = Clinic::start().await else { return skip() };
    let upstream = clinic.upstream("SELECT ssn, born, zip, amount, cased FROM odd.things WHERE id = 1");
    let before = clinic.relay.query_one(&upstream, &[]).await.unwrap();
    let settings = "SET DateStyle = 'SQL, DMY'; SET TimeZone = 'Asia/Tokyo'; SET IntervalStyle = 'sql_standard'; SET extra_float_digits = 0";
    clinic.relay.batch_execute(settings).await.unwrap();
    let after = clinic.relay.query_one(&upstream, &[]).await.unwrap();
    assert_eq!(before.get::<_, String>(0), after.get::<_, String>(0));
    assert_eq!(before.get::<_, String>(2), after.get::<_, String>(2));
    let rows = clinic
        .text_rows(
            &clinic.upstream("SELECT extract(year from born), extract(doy from born) FROM odd.things WHERE id = 1"),
        )
        .await;
    assert_eq!(rows, [[Some("1950".to_owned()), Some("1".to_owned())]]);
}

#[tokio::test]
async fn what_cannot_be_masked_is_refused_by_name() {
    let Some(clinic) = Clinic::start().await else { return skip() };
    for (sql, part) in [
        ("SELECT * FROM odd.barrier", "security barrier"),
        ("SELECT * FROM odd.sly", "query_to_xml"),
        ("SELECT * FROM odd.opaque", "leak"),
        ("SELECT * FROM odd.stored", "materialized view odd.stored"),
        ("SELECT odd.leak(1)", "leak"),
        ("SELECT p.ctid FROM pg_stats p", "pg_stats"),
    ] {
        let message = clinic.decide(sql).unwrap_err();
        assert!(message.contains(part), "{sql}: {message}");
    }
}
