//! Profiles: who gets what, and classifications that do not fit.

use super::*;

fn profile(classified: &str, change: &dyn Fn(&mut Value)) -> Result<AccessProfile, ProfileError> {
    let mut catalog = catalog();
    change(&mut catalog);
    let snapshot = Snapshot::from_json(&catalog.to_string()).unwrap();
    let classification = toml::from_str(classified).unwrap();
    policies().profile(&principal("analysts"), &connection(), &classification, &snapshot)
}

fn problem(classified: &str) -> String {
    profile(classified, &|_| {}).unwrap_err().to_string()
}

#[test]
fn a_classification_that_does_not_fit_names_table_and_column() {
    let table = |columns: &str| format!("[[table]]\nname = \"clinic.patients\"\ncolumns = {{ {columns} }}");
    for (columns, parts) in [
        ("ssn = \"hash\"", ["clinic.patients.ssn", "hash"]),
        ("ssn = \"blur\"", ["clinic.patients.ssn", "blur"]),
        ("birth_date = \"last4\"", ["clinic.patients.birth_date", "character types"]),
        ("ssn = \"year\"", ["clinic.patients.ssn", "dates"]),
        ("id = \"zip3\"", ["clinic.patients.id", "character types"]),
        ("social = \"redact\"", ["clinic.patients", "no column social"]),
    ] {
        let problem = problem(&table(columns));
        assert!(parts.iter().all(|part| problem.contains(part)), "{columns}: {problem}");
    }
    assert!(problem("[[table]]\nname = \"clinic.people\"\ncolumns = {}").contains("no such relation"));
    assert!(problem("[[table]]\nname = \"clinic.contacts\"\ncolumns = {}").contains("view"));
    assert!(problem("[[table]]\nname = \"patients\"\ncolumns = {}").contains("schema.relation"));
}

#[test]
fn what_is_wrong_with_a_classification_whatever_the_database_is_told_without_one() {
    let check = |columns: &str| {
        let text = format!("[[table]]\nname = \"a.b\"\n[table.columns]\n{columns}");
        check_classification(&toml::from_str(&text).unwrap()).map_err(|error| error.to_string())
    };
    assert_eq!(check("c = \"last4\"\nd = { json = { \"e.f\" = \"redact\" }, otherwise = \"clear\" }"), Ok(()));
    for (columns, parts) in [
        ("c = \"blur\"", ["a.b.c", "blur"]),
        ("c = { json = { e = \"redact\", \"e.f\" = \"redact\" } }", ["a.b.c", "e.f"]),
        ("c = { json = { \"e..f\" = \"redact\" } }", ["a.b.c", "keys with dots"]),
    ] {
        let problem = check(columns).unwrap_err();
        assert!(parts.iter().all(|part| problem.contains(part)), "{columns}: {problem}");
    }
    // Of another form altogether: the file cannot be read, and says where and what was expected.
    for columns in ["c = 7", "c = { json = { e = \"redact\" }, other = 1 }", "c = { otherwise = \"clear\" }"] {
        let text = format!("[[table]]\nname = \"a.b\"\n[table.columns]\n{columns}");
        let problem = toml::from_str::<Classification>(&text).unwrap_err().to_string();
        assert!(problem.contains("expected") || problem.contains("missing field `json`"), "{columns}: {problem}");
    }
}

#[test]
fn documents_of_which_parts_are_classified_are_remembered_with_them() {
    use crate::rewrite::access::Treatment;
    let documents = |names: [&'static str; 2]| {
        move |catalog: &mut Value| {
            catalog["relations"][0]["columns"][6] = column(7, names[0], 3802, "jsonb");
            catalog["relations"][0]["columns"][7] = column(8, names[1], 3802, "jsonb");
        }
    };
    let classification: Classification = toml::from_str(
        "[[table]]\nname = \"clinic.patients\"\n\
         columns = { id = \"clear\", phone = \"clear\", email = { json = { \"a[].b\" = \"redact\" } } }",
    )
    .unwrap();
    let before = Clinic::changed(&documents(["email", "phone"]));
    let after = Clinic::changed(&documents(["phone", "email"]));
    let mut remembered = Remembered::default();
    remembered.kept(&classification, &before.snapshot).unwrap();
    let kept = remembered.kept(&classification, &after.snapshot).unwrap();
    let profile = policies().profile(&principal("analysts"), &connection(), &kept, &after.snapshot).unwrap();
    for number in [7, 8] {
        let columns = &profile.access().relations[&100].columns;
        let treatment = &columns.iter().find(|column| column.number == number).unwrap().treatment;
        let expected = crate::rewrite::Style::stated(&classification.table[0].columns["email"]).unwrap().unwrap();
        assert_eq!(*treatment, Treatment::Masked(expected), "column {number}");
    }
}

#[test]
fn a_rename_never_declassifies_it_stops_the_connection() {
    let rename = |catalog: &mut Value| catalog["relations"][0]["name"] = json!("patients_v2");
    let classified = "[[table]]\nname = \"clinic.patients\"\ncolumns = { ssn = \"last4\" }";
    assert!(profile(classified, &rename).is_err());
}

#[test]
fn in_a_table_with_a_protected_column_every_unnamed_column_is_masked() {
    let profile =
        profile("[[table]]\nname = \"clinic.patients\"\ncolumns = { id = \"clear\", ssn = \"last4\" }", &|_| {})
            .unwrap();
    let masked: Vec<i16> = profile.masked_columns().filter(|(oid, _)| *oid == 100).map(|(_, number)| number).collect();
    assert_eq!(masked, [2, 3, 4, 5, 6, 7, 8, 9]);
}

#[test]
fn partitions_and_their_parent_protect_the_same_columns() {
    let profile =
        profile("[[table]]\nname = \"clinic.visits_2024\"\ncolumns = { id = \"clear\", reason = \"redact\" }", &|_| {})
            .unwrap();
    for oid in [200, 201, 202] {
        assert!(profile.masked_columns().any(|column| column == (oid, 5)), "{oid}");
        assert!(!profile.masked_columns().any(|column| column == (oid, 1)), "{oid}");
    }
}

#[test]
fn a_column_generated_from_a_protected_one_cannot_be_clear() {
    let generate = |catalog: &mut Value| catalog["relations"][0]["columns"][8]["generated_from"] = json!([4]);
    let classified = "[[table]]\nname = \"clinic.patients\"\ncolumns = { ssn = \"last4\", visited = \"clear\" }";
    assert!(profile(classified, &generate).unwrap_err().to_string().contains("clinic.patients.visited"));
}

#[test]
fn a_database_with_casts_that_run_user_code_is_not_served() {
    let cast = |catalog: &mut Value| catalog["opaque_casts"] = json!(["text to integer"]);
    assert!(matches!(profile("", &cast), Err(ProfileError::OpaqueCasts(_))));
}

#[test]
fn who_has_reveal_sees_the_column_and_evidence_says_so() {
    let doctor = Clinic::of("doctors", &|_| {});
    let ruling = doctor.decide("SELECT name, ssn FROM clinic.patients");
    let Outcome::Permitted { upstream_sql } = &ruling.outcome else { panic!() };
    assert!(upstream_sql.contains("scan.name,"), "{upstream_sql}");
    let statement = &ruling.statements[0];
    let touched = &statement.event.objects[0];
    assert_eq!(touched.object, "clinic.patients");
    assert_eq!(
        touched.masked.iter().map(|m| (m.column.as_str(), m.style.as_str())).collect::<Vec<_>>(),
        [("ssn", "last4")]
    );
    assert!(touched.revealed.contains(&"name".to_owned()));
    assert_eq!(statement.event.decision.policies, ["doctors", "doctors see names"]);
    assert!(statement.scrub_diagnostics);
}

#[test]
fn an_agent_needs_the_permission_of_its_human_too() {
    let snapshot = Snapshot::from_json(&catalog().to_string()).unwrap();
    let mut agent = principal("owners");
    agent.kind = identity::Kind::Agent;
    agent.subject = "agent-1".to_owned();
    agent.acts_for = Some(Box::new(principal("analysts")));
    let profile = policies().profile(&agent, &connection(), &classification(), &snapshot).unwrap();
    assert!(profile.may_connect().permitted);
    assert!(profile.access().relations[&100].select.permitted);
    assert!(!profile.access().relations[&100].ddl.permitted, "the human may not");
    assert!(profile.masked_columns().count() > 0, "the human has no reveal");
}

#[test]
fn nobody_knows_is_nobody_served() {
    let stranger = Clinic::of("strangers", &|_| {});
    assert!(!stranger.profile.may_connect().permitted);
    assert!(stranger.refusal("SELECT 1").message.contains("connection"));
}

#[test]
fn a_policy_that_fails_denies_everything() {
    let text = "permit(principal, action, resource);\n\
                permit(principal, action == Action::\"select\", resource) when { resource.kind == \"table\" && 9223372036854775807 + 1 > 0 };";
    let set = PolicySet::from_texts(&[("p.cedar".to_owned(), text.to_owned())]).unwrap();
    let snapshot = Snapshot::from_json(&catalog().to_string()).unwrap();
    let result = set.profile(&principal("analysts"), &connection(), &classification(), &snapshot);
    assert!(matches!(result, Err(ProfileError::Cedar(_))));
}

#[test]
fn the_policy_digest_covers_the_classification() {
    let one = profile("[[table]]\nname = \"clinic.patients\"\ncolumns = { ssn = \"last4\" }", &|_| {}).unwrap();
    let other = profile("[[table]]\nname = \"clinic.patients\"\ncolumns = { ssn = \"redact\" }", &|_| {}).unwrap();
    assert_ne!(one.policy_sha256(), other.policy_sha256());
}

#[test]
fn the_policy_digest_covers_what_detectors_look_for() {
    let snapshot = Snapshot::from_json(&catalog().to_string()).unwrap();
    let digest = |detectors: &str| {
        let detectors = (!detectors.is_empty()).then(|| toml::from_str(detectors).unwrap());
        let connection = Connection { detectors, ..connection() };
        let profile = policies().profile(&principal("analysts"), &connection, &classification(), &snapshot).unwrap();
        profile.policy_sha256().to_owned()
    };
    let all = [
        digest(""),
        digest("kinds = [\"ssn\"]"),
        digest("kinds = [\"ssn\"]\naction = \"report\""),
        digest("kinds = [\"ssn\"]\nexcept = [\"clinic.visits.note\"]"),
    ];
    let different: std::collections::BTreeSet<&String> = all.iter().collect();
    assert_eq!(different.len(), all.len());
}

/// As the clinic was when the relay began, and as it is now: how columns of a relation are treated.
fn treated(change: &dyn Fn(&mut Value), oid: u32) -> Option<Vec<(String, crate::rewrite::access::Treatment)>> {
    let (before, after) = (Clinic::analyst(), Clinic::changed(change));
    let mut remembered = Remembered::default();
    remembered.kept(&classification(), &before.snapshot).unwrap();
    let given = classification();
    let kept = remembered.kept(&given, &after.snapshot).unwrap();
    let profile = policies().profile(&principal("analysts"), &connection(), &kept, &after.snapshot).unwrap();
    let access = profile.access().relations.get(&oid)?;
    access.protected.then(|| access.columns.iter().map(|c| (c.name.clone(), c.treatment.clone())).collect())
}

#[test]
fn protection_follows_relations_and_columns_and_not_their_names() {
    use crate::rewrite::access::Treatment;
    let masked = |columns: &[(String, Treatment)], name: &str| {
        columns.iter().any(|(column, treatment)| column == name && matches!(treatment, Treatment::Masked(_)))
    };
    // Two columns swapped their names: both are masked.
    let swapped = |catalog: &mut Value| {
        catalog["relations"][0]["columns"][3]["name"] = json!("visited");
        catalog["relations"][0]["columns"][8]["name"] = json!("mrn2");
        catalog["relations"][0]["columns"][1]["name"] = json!("ssn");
        catalog["relations"][0]["columns"][8]["name"] = json!("mrn");
        catalog["relations"][0]["columns"][8]["base"] = json!(25);
        catalog["relations"][0]["columns"][8]["base_name"] = json!("text");
    };
    let columns = treated(&swapped, 100).unwrap();
    assert!(masked(&columns, "visited") && masked(&columns, "ssn") && masked(&columns, "mrn"), "{columns:?}");
    // A part was detached, with its columns as they were.
    let columns = treated(&|catalog| catalog["relations"][2]["parents"] = json!(null), 201).unwrap();
    assert!(masked(&columns, "reason") && masked(&columns, "notes") && !masked(&columns, "department"), "{columns:?}");
    // Nothing changed, nothing is added.
    assert!(treated(&|_| {}, 300).is_none());
}
