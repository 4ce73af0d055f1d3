//! Writes that would store masks in protected columns: refused, unless policy lets somebody approve them; then that is all
//! that changes.

use super::*;

/// Of an operator who may store masks, where somebody approves it.
fn clinic() -> Clinic {
    with_policy("permit(principal, action == Action::\"write_masks\", resource == Table::\"clinic/clinic.patients\");")
}

fn with_policy(more: &str) -> Clinic {
    let text = format!(
        r#"
        permit(principal, action in [Action::"connect", Action::"select", Action::"insert", Action::"update",
               Action::"delete"], resource);
        permit(principal, action == Action::"reveal", resource == Column::"clinic/clinic.patients.name");
        {more}
        "#
    );
    let policies = PolicySet::from_texts(&[("p.cedar".to_owned(), text)]).unwrap();
    let mut catalog = catalog();
    catalog["foreign_keys"].as_array_mut().unwrap().retain(|key| key["to_columns"] != json!([4]));
    let snapshot = Snapshot::from_json(&catalog.to_string()).unwrap();
    let profile = policies.profile(&principal("x"), &connection(), &classification(), &snapshot).unwrap();
    Clinic { snapshot, profile, search_path: vec!["public".to_owned(), "clinic".to_owned()], own: Arc::default() }
}

fn held(clinic: &Clinic, sql: &str) -> (String, Vec<String>) {
    match clinic.decide(sql).outcome {
        Outcome::Held { upstream_sql, objects } => {
            let held: Vec<_> = objects.into_iter().filter(|object| object.held).collect();
            let [one] = held.as_slice() else { panic!("{sql}: {held:?}") };
            assert_eq!((one.object.as_str(), one.verb), ("clinic.patients", "write_masks"), "{sql}");
            (upstream_sql, one.from_masks.clone())
        }
        other => panic!("{sql}\n{other:?}"),
    }
}

#[test]
fn what_an_update_sets_from_masked_columns_of_its_row_is_held_and_sets_masks() {
    let clinic = clinic();
    for (sql, columns) in [
        ("UPDATE clinic.patients SET mrn = ssn WHERE id = 7", vec!["mrn"]),
        (
            "UPDATE clinic.patients p SET mrn = upper(p.ssn), visited = NULL, email = zip WHERE p.id = 7",
            vec!["mrn", "email"],
        ),
        ("UPDATE clinic.patients SET ssn = ssn RETURNING id, ssn, patients.mrn", vec!["ssn"]),
    ] {
        let (text, from_masks) = held(&clinic, sql);
        assert_eq!(from_masks, columns, "{sql}");
        assert!(
            text.contains("= CASE WHEN pg_catalog.char_length(") || text.contains("upper(CASE WHEN"),
            "a mask: {text}"
        );
        assert!(
            !text.contains("= ssn") && !text.contains("= patients.ssn") && !text.contains("upper(p.ssn)"),
            "{text}"
        );
    }
    // What needs no mask runs as it does without.
    for sql in [
        "UPDATE clinic.patients SET mrn = 'x', visited = visited + 1 WHERE id = 7",
        "INSERT INTO clinic.patients (id, mrn) SELECT id + 100, 'x' FROM clinic.patients",
    ] {
        clinic.upstream(sql);
    }
}

#[test]
fn what_an_insert_reads_of_masks_is_held_and_stores_masks() {
    let clinic = clinic();
    let (text, from_masks) = held(
        &clinic,
        "INSERT INTO clinic.patients (id, mrn, zip) SELECT id + 100, ssn, zip FROM clinic.patients WHERE id < 3",
    );
    assert_eq!(from_masks, ["mrn", "zip"]);
    assert!(text.contains("***-**-"), "{text}");
    let ruling = clinic.decide("INSERT INTO clinic.patients SELECT * FROM clinic.patients");
    assert!(matches!(ruling.outcome, Outcome::Refused { .. }), "a name is revealed, and goes nowhere: {ruling:?}");
    let touched = clinic.decide("UPDATE clinic.patients SET mrn = ssn").statements[0].event.objects.clone();
    assert!(touched.iter().any(|touched| touched.action == "write_masks"), "{touched:?}");
}

/// With the policy as without it.
#[test]
fn masks_choose_no_rows_go_nowhere_else_and_revealed_values_stay() {
    let (with, without) = (clinic(), with_policy(""));
    for sql in [
        "UPDATE clinic.patients SET mrn = ssn WHERE zip = '021'",
        "UPDATE clinic.patients SET visited = birth_date",
        "UPDATE clinic.patients SET mrn = (SELECT p.ssn FROM clinic.patients p WHERE p.id = 1)",
        "UPDATE clinic.patients SET mrn = (SELECT max(v.id)::text FROM clinic.visits v WHERE v.department = ssn)",
        "UPDATE clinic.patients SET (mrn, email) = (ssn, zip)",
        "UPDATE clinic.patients SET (mrn, email) = (SELECT ssn, zip)",
        "UPDATE clinic.patients SET mrn = patients::text",
        "UPDATE clinic.patients SET mrn = name || ssn",
        "UPDATE clinic.patients SET mrn = name",
        "UPDATE clinic.patients p SET mrn = q.ssn FROM clinic.patients q WHERE q.id = p.id",
        "UPDATE clinic.patients p SET mrn = p.ssn FROM billing.payers q WHERE q.id = p.id",
        "UPDATE clinic.visits SET reason = notes",
        "INSERT INTO clinic.visits (id, reason) SELECT id, ssn FROM clinic.patients",
        "INSERT INTO clinic.patients (id, mrn) SELECT id, name FROM clinic.patients",
        "INSERT INTO clinic.patients (id, mrn) SELECT id, ssn FROM clinic.patients ON CONFLICT (id) DO UPDATE SET mrn = 'x'",
        "INSERT INTO clinic.patients (id, mrn) VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET mrn = patients.ssn",
        "MERGE INTO clinic.patients p USING billing.payers q ON p.id = q.id WHEN MATCHED THEN UPDATE SET mrn = p.ssn",
        "WITH w AS (UPDATE clinic.patients SET mrn = ssn RETURNING id) SELECT * FROM w",
        "WITH w AS (INSERT INTO billing.payers VALUES (1, 'x')) UPDATE clinic.patients SET mrn = ssn",
        "INSERT INTO clinic.patients (id, visited) SELECT id, birth_date FROM clinic.patients",
        "DELETE FROM clinic.patients WHERE ssn = 'x'",
    ] {
        let refusal = with.refusal(sql);
        assert_eq!(refusal, without.refusal(sql), "{sql}");
    }
    for sql in [
        "UPDATE clinic.patients SET mrn = ssn",
        "INSERT INTO clinic.patients (id, mrn) SELECT id, ssn FROM clinic.patients",
    ] {
        assert!(without.refusal(sql).message.contains("masked"), "{sql}");
    }
}

#[test]
fn it_needs_update_and_select_too_and_who_approves_it_is_asked_for_that() {
    let policies = |more: &str| {
        let text = format!(
            "permit(principal, action == Action::\"connect\", resource);
             permit(principal, action in [Action::\"write_masks\", Action::\"update\"], resource); {more}"
        );
        PolicySet::from_texts(&[("p.cedar".to_owned(), text)]).unwrap()
    };
    let mut catalog = catalog();
    catalog["foreign_keys"] = json!([]);
    let snapshot = Snapshot::from_json(&catalog.to_string()).unwrap();
    let decide = |more: &str| {
        let profile = policies(more).profile(&principal("x"), &connection(), &classification(), &snapshot).unwrap();
        let footing = Footing::on(&["public".to_owned()]);
        let own = Arc::default();
        let context = Context { profile: &profile, snapshot: &snapshot, footing: &footing, own: &own, token: &token };
        decide(&context, Path::Simple, "UPDATE clinic.patients SET mrn = ssn", &[]).outcome
    };
    assert!(matches!(decide(""), Outcome::Refused { .. }));
    let Outcome::Held { objects, .. } = decide("permit(principal, action == Action::\"select\", resource);") else {
        panic!("held")
    };
    let approver = principal("approvers");
    for (verb, may) in [("update", false), ("write_masks", true)] {
        let policies = policies(&format!(
            "permit(principal is User, action == Action::\"approve\", resource) when {{ context.verb == \"{verb}\" }};"
        ));
        let refused =
            policies.may_not_approve(&approver, &connection(), &classification(), &snapshot, &objects).unwrap();
        assert_eq!(refused.is_none(), may, "{verb}");
    }
}
