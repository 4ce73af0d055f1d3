//! COPY: what goes out is masked, what comes in goes where it may.

use super::*;

#[test]
fn a_table_is_copied_by_its_columns_and_guarded() {
    let sql = Clinic::analyst().upstream("COPY billing.payers TO STDOUT");
    assert_eq!(
        sql,
        "COPY (SELECT id, name FROM ONLY billing.payers WHERE \
         'billing.payers'::pg_catalog.regclass::pg_catalog.oid OPERATOR(pg_catalog.=) '300'::pg_catalog.oid) TO STDOUT"
    );
}

#[test]
fn options_reach_the_target_whole_and_in_one_form() {
    let clinic = Clinic::analyst();
    for (given, written) in [
        ("WITH CSV HEADER", "WITH (format 'csv', header 'true')"),
        ("BINARY", "WITH (format 'binary')"),
        ("(FORMAT text, HEADER match, NULL '\\N')", "WITH (format 'text', header 'match', null '\\N')"),
        ("(DELIMITER '''', HEADER 1)", "WITH (delimiter '''', header '1')"),
        (
            "CSV QUOTE '!' ESCAPE '\\' FORCE QUOTE name, \"id\"",
            "WITH (format 'csv', quote '!', escape '\\', force_quote (\"name\", \"id\"))",
        ),
        ("(FORMAT csv, FORCE_QUOTE *, ENCODING 'UTF8')", "WITH (format 'csv', force_quote *, encoding 'UTF8')"),
    ] {
        let sql = clinic.upstream(&format!("COPY billing.payers TO STDOUT {given}"));
        assert!(sql.ends_with(written), "{given}: {sql}");
    }
    for (given, written) in [
        (
            "WITH CSV HEADER FORCE NOT NULL name FORCE NULL id",
            "(format 'csv', header 'true', force_not_null (\"name\"), force_null (\"id\"))",
        ),
        (
            "(FREEZE, ON_ERROR ignore, LOG_VERBOSITY verbose, DEFAULT 'x', REJECT_LIMIT 5)",
            "(freeze 'true', on_error 'ignore', log_verbosity 'verbose', default 'x', reject_limit '5')",
        ),
    ] {
        let sql =
            Clinic::of("operators", &|_| {}).upstream(&format!("COPY billing.payers (id, name) FROM STDIN {given}"));
        let expected =
            format!("COPY billing.payers (\"id\", \"name\") FROM STDIN WITH {written} WHERE 'billing.payers'::");
        assert!(sql.starts_with(&expected), "{given}: {sql}");
    }
}

#[test]
fn rows_may_be_chosen_as_they_come_in() {
    let sql =
        Clinic::analyst().upstream("COPY billing.invoices FROM STDIN WHERE amount > 5 AND upper(status) = 'OPEN'");
    assert!(
        sql.starts_with(
            "COPY billing.invoices FROM STDIN WHERE amount > 5 AND pg_catalog.upper(status) = 'OPEN' AND '"
        ),
        "{sql}"
    );
}

#[test]
fn generated_columns_are_left_out_as_postgresql_does() {
    let generated = |catalog: &mut Value| catalog["relations"][4]["columns"][1]["generated_from"] = json!([1, 2]);
    let clinic = Clinic::changed(&generated);
    assert!(clinic.upstream("COPY billing.payers TO STDOUT").starts_with("COPY (SELECT id FROM"));
    assert_eq!(clinic.refusal("COPY billing.payers (name) TO STDOUT").sqlstate, "42703");
    assert_eq!(clinic.refusal("COPY billing.payers (nothing) TO STDOUT").sqlstate, "42703");
}

#[test]
fn rows_are_copied_in_where_an_insert_would_tell_nothing() {
    let clinic = Clinic::of("operators", &|_| {});
    for sql in [
        "COPY clinic.patients FROM STDIN",
        "COPY clinic.patients (id, ssn) FROM STDIN CSV WHERE ssn <> ''",
        "COPY clinic.visits_2024 FROM STDIN",
    ] {
        assert!(clinic.decide(sql).scrub_diagnostics(), "{sql}");
        clinic.upstream(sql);
    }
    let unique = Clinic::of("operators", &|catalog| {
        catalog["relations"][0]["indexes"] = json!([{"unique": true, "nulls_distinct": true, "columns": [4]}]);
    });
    for sql in ["COPY clinic.patients FROM STDIN", "COPY clinic.patients (id, ssn) FROM STDIN"] {
        assert!(unique.refusal(sql).message.contains("masked column ssn"), "{sql}");
    }
    unique.upstream("COPY clinic.patients (id, name) FROM STDIN");
    let ruled =
        |change: &dyn Fn(&mut Value)| Clinic::of("operators", change).decide("COPY billing.payers FROM STDIN").outcome;
    assert!(matches!(ruled(&|_| {}), Outcome::Permitted { .. }));
    let opaque = |catalog: &mut Value| catalog["relations"][4]["opaque_writes"] = json!(true);
    let rules = |catalog: &mut Value| catalog["relations"][4]["rules"] = json!(true);
    assert!(matches!(ruled(&opaque), Outcome::Refused { .. }), "a default calls a function of users");
    assert!(matches!(ruled(&rules), Outcome::Refused { .. }));
}

#[test]
fn a_trigger_on_what_is_copied_into_makes_diagnostics_short() {
    let triggers = |catalog: &mut Value| catalog["relations"][4]["triggers"] = json!(true);
    let ruling = Clinic::of("operators", &triggers).decide("COPY billing.payers FROM STDIN");
    assert!(ruling.scrub_diagnostics());
    assert!(!Clinic::of("operators", &|_| {}).decide("COPY billing.payers FROM STDIN").scrub_diagnostics());
}

#[test]
fn a_copy_that_needs_approval_is_refused() {
    let refusal = Clinic::of("owners", &|_| {}).refusal("COPY billing.payers FROM STDIN");
    assert!(refusal.message.contains("approval"), "{}", refusal.message);
}

#[test]
fn evidence_tells_the_direction_by_its_action_and_no_option_in_clear() {
    let ruling =
        Clinic::of("operators", &|_| {}).decide("COPY billing.payers FROM STDIN (FORMAT csv, NULL '123-45-6789')");
    let event = &ruling.statements[0].event;
    assert_eq!((event.class.as_str(), event.objects[0].action.as_str()), ("copy", "insert"));
    assert!(!format!("{event:?}").contains("6789"), "{event:?}");
    assert!(event.upstream_text.as_deref().unwrap().contains("format 'csv', null ?1"), "{event:?}");
}
