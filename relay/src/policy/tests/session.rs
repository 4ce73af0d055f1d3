//! What concerns the session and other sessions more than rows.

use super::*;
use crate::rewrite::{Cursor, Effects, SettingChange};

fn effects(clinic: &Clinic, sql: &str) -> Effects {
    clinic.upstream(sql);
    clinic.decide(sql).statements[0].effects.clone()
}

#[test]
fn a_search_path_goes_upstream_as_it_was_written_and_the_session_is_told_of_it() {
    let clinic = Clinic::analyst();
    for (sql, upstream, path, local) in [
        ("SET search_path TO billing, public", "SET search_path TO billing, public", Some("billing,public"), false),
        (
            "SET LOCAL search_path = 'Odd, one', \"$user\"",
            "SET LOCAL search_path TO \"Odd, one\", \"$user\"",
            Some("Odd, one,$user"),
            true,
        ),
        ("SET SCHEMA 'clinic'", "SET search_path TO clinic", Some("clinic"), false),
        ("SET search_path = ''", "SET search_path TO ''", Some(""), false),
        ("SET search_path = pg_catalog, public", "SET search_path TO pg_catalog, public", Some("public"), false),
        ("RESET search_path", "RESET search_path", None, false),
        ("SET LOCAL search_path TO DEFAULT", "SET LOCAL search_path TO DEFAULT", None, true),
    ] {
        assert_eq!(clinic.upstream(sql), upstream);
        let SettingChange { name, value, local: is_local } = effects(&clinic, sql).setting.unwrap();
        assert_eq!(
            (name, value.map(|path| path.join(",")).as_deref(), is_local),
            ("search_path", path, local),
            "{sql}"
        );
    }
}

#[test]
fn names_are_looked_up_where_the_session_looks_now() {
    let mut clinic = Clinic::analyst();
    clinic.refusal("SELECT name FROM payers");
    clinic.search_path = vec!["nowhere".to_owned(), "billing".to_owned()];
    assert!(clinic.upstream("SELECT name FROM payers").contains("FROM billing.payers"));
    clinic.refusal("SELECT ssn FROM patients");
}

#[test]
fn nothing_comes_behind_a_changed_setting_in_the_same_message() {
    let clinic = Clinic::analyst();
    for sql in [
        "SET search_path = billing; SELECT * FROM billing.payers",
        "BEGIN; SET LOCAL search_path = clinic; SELECT * FROM patients; COMMIT",
        "RESET search_path; TABLE patients",
        "SET work_mem = '1MB'; SELECT ssn FROM clinic.patients",
    ] {
        assert!(clinic.refusal(sql).message.contains("must be sent alone"), "{sql}");
    }
    clinic.upstream("BEGIN; SET LOCAL search_path = clinic");
    clinic.upstream("BEGIN; SET LOCAL search_path = clinic; COMMIT");
}

#[test]
fn while_plans_are_steered_masked_columns_are_not_read() {
    let clinic = Clinic::analyst();
    let set = effects(&clinic, "SET enable_seqscan = off").setting.unwrap();
    assert_eq!((set.name, set.value.is_some()), ("enable_seqscan", true));
    assert_eq!(effects(&clinic, "SET work_mem TO DEFAULT").setting.unwrap().value, None);
    let steered = Footing { steers_plans: true, ..Footing::on(&clinic.search_path) };
    let decide = |clinic: &Clinic, sql: &str| {
        let context = Context {
            profile: &clinic.profile,
            snapshot: &clinic.snapshot,
            footing: &steered,
            own: &clinic.own,
            token: &token,
        };
        decide(&context, Path::Simple, sql, &[]).outcome
    };
    for sql in [
        "SELECT id FROM clinic.patients",
        "SELECT count(*) FROM billing.payers p WHERE EXISTS (SELECT FROM patients)",
        "EXPLAIN SELECT id FROM patients",
        "DECLARE c CURSOR FOR SELECT id FROM patients",
        "COPY clinic.patients (id) TO STDOUT",
    ] {
        clinic.upstream(sql);
        let Outcome::Refused { refusal } = decide(&clinic, sql) else { panic!("{sql} was not refused") };
        assert!(refusal.message.contains("masked columns are not read while"), "{sql}: {}", refusal.message);
    }
    assert!(matches!(decide(&clinic, "SELECT count(*) FROM billing.invoices"), Outcome::Permitted { .. }));
}

#[test]
fn one_may_take_the_role_that_one_has() {
    let clinic = Clinic::analyst();
    let login = clinic.snapshot.login().to_owned();
    for sql in [format!("SET ROLE {login}"), "SET LOCAL ROLE NONE".to_owned(), "RESET ROLE".to_owned()] {
        clinic.upstream(&sql);
    }
    clinic.refusal("SET ROLE somebody");
    clinic.refusal("SET SESSION AUTHORIZATION somebody");
    clinic.refusal("SET SESSION AUTHORIZATION none");
}

#[test]
fn a_snapshot_is_shared_by_its_name() {
    let clinic = Clinic::analyst();
    clinic.upstream("SELECT pg_export_snapshot()");
    let sql = "SET TRANSACTION SNAPSHOT '00000003-0000001B-1'";
    assert_eq!(clinic.upstream(sql), sql);
}

#[test]
fn a_table_is_locked_by_whose_work_would_lock_it() {
    let (analyst, operator) = (Clinic::analyst(), Clinic::of("operators", &|_| {}));
    for mode in ["ROW SHARE", "ROW EXCLUSIVE", "SHARE UPDATE EXCLUSIVE", "SHARE", "SHARE ROW EXCLUSIVE", "EXCLUSIVE"] {
        let sql = format!("LOCK TABLE billing.payers IN {mode} MODE");
        assert_eq!(analyst.upstream(&sql), sql);
        assert!(!effects(&analyst, &sql).locks_relations);
        let refusal = analyst.refusal(&format!("LOCK TABLE clinic.patients IN {mode} MODE"));
        assert!(refusal.message.contains("locking clinic.patients"), "{}", refusal.message);
    }
    analyst.refusal("LOCK billing.payers");
    assert!(effects(&operator, "LOCK clinic.patients NOWAIT").locks_relations, "nobody reads definitions behind it");
}

#[test]
fn other_sessions_are_reached_by_whom_policy_lets() {
    let (analyst, owner) = (Clinic::analyst(), Clinic::of("owners", &|_| {}));
    for (sql, action) in [
        ("LISTEN jobs", "notify"),
        ("NOTIFY jobs, 'x'", "notify"),
        ("SELECT pg_notify('jobs', $1)", "notify"),
        ("SELECT pg_cancel_backend(pid) FROM pg_stat_activity", "signal"),
        ("SELECT pg_terminate_backend(1)", "signal"),
    ] {
        let hint = analyst.refusal(sql).hint.unwrap_or_default();
        assert!(hint.contains(&format!("\"{action}\"")), "{sql}: {hint}");
        owner.upstream(sql);
    }
    let touched = &owner.decide("SELECT pg_terminate_backend(1)").statements[0].event.objects;
    assert_eq!(
        (touched[0].object.as_str(), touched[0].action.as_str()),
        ("pg_catalog.pg_terminate_backend()", "signal")
    );
    owner.refusal("SELECT pg_notify('jobs', ssn) FROM clinic.patients");
    owner.refusal("SELECT pg_notify('jobs', 'x' || name) FROM billing.payers");
}

#[test]
fn the_row_at_a_cursor_is_changed_where_nothing_protected_is() {
    let clinic = Clinic::analyst();
    let sql = "UPDATE billing.invoices SET amount = amount + 1 WHERE CURRENT OF c";
    assert_eq!(clinic.upstream(sql), sql);
    assert_eq!(effects(&clinic, sql).cursor, Cursor::Positions("c".to_owned()));
    assert_eq!(
        effects(&clinic, "DELETE FROM billing.invoices WHERE CURRENT OF c").cursor,
        Cursor::Positions("c".to_owned())
    );
    for sql in [
        "UPDATE billing.invoices SET amount = 1 FROM billing.payers WHERE CURRENT OF c",
        "WITH u AS (UPDATE billing.invoices SET amount = 1 WHERE CURRENT OF c RETURNING id) SELECT * FROM u",
        "PREPARE p AS UPDATE billing.invoices SET amount = 1 WHERE CURRENT OF c",
        "EXPLAIN UPDATE billing.invoices SET amount = 1 WHERE CURRENT OF c",
        "COPY (DELETE FROM billing.invoices WHERE CURRENT OF c RETURNING id) TO STDOUT",
    ] {
        clinic.refusal(sql);
    }
    let operator = Clinic::of("operators", &|_| {});
    assert!(
        operator.refusal("UPDATE clinic.patients SET visited = NULL WHERE CURRENT OF c").message.contains("CURRENT OF")
    );
}
