//! What is held, for whom, and who may approve it.

use super::*;

/// The clinic's policies with those of approval.
fn held() -> PolicySet {
    let text = r#"
        @id("bill")
        permit(principal in Group::"analysts", action in [Action::"connect", Action::"select", Action::"insert",
               Action::"update", Action::"delete", Action::"ddl"], resource in Connection::"clinic");
        @id("agents too")
        permit(principal is Agent, action in [Action::"connect", Action::"select", Action::"update"], resource);
        @id("held")
        permit(principal is User, action == Action::"approve_required", resource in Schema::"clinic/billing")
        when { context.verb == "update" || context.verb == "ddl" };
        @id("approve")
        permit(principal in Group::"approvers", action == Action::"approve",
               resource == Table::"clinic/billing.invoices") when { context.verb == "update" };
    "#;
    PolicySet::from_texts(&[("clinic.cedar".to_owned(), text.to_owned())]).unwrap()
}

fn clinic(principal: &identity::Principal) -> Clinic {
    let snapshot = Snapshot::from_json(&catalog().to_string()).unwrap();
    let profile = held().profile(principal, &connection(), &classification(), &snapshot).unwrap();
    Clinic { snapshot, profile, search_path: vec!["public".to_owned(), "clinic".to_owned()], own: Arc::default() }
}

/// An analyst's, whose changes of invoices are held.
pub(super) fn held_clinic() -> Clinic {
    clinic(&principal("analysts"))
}

fn objects(ruling: &Ruling) -> Vec<Resolved> {
    match &ruling.outcome {
        Outcome::Held { objects, .. } => objects.iter().filter(|object| object.held).cloned().collect(),
        other => panic!("{other:?}"),
    }
}

/// Text and objects are the same, and what runs is not.
#[test]
fn columns_that_swapped_names_are_not_what_was_asked_for() {
    let swapped = |catalog: &mut Value| {
        for relation in catalog["relations"].as_array_mut().unwrap() {
            if relation["oid"] == 301 {
                relation["columns"][0]["name"] = json!("patient_id");
                relation["columns"][1]["name"] = json!("id");
            }
        }
    };
    let (before, after) = (Clinic::analyst().snapshot, Clinic::changed(&swapped).snapshot);
    assert!(before.defines_alike(&before, 301) && before.defines_alike(&after, 300));
    assert!(!after.defines_alike(&before, 301));
    assert!(!after.defines_alike(&before, 501), "a view over it");
}

#[test]
fn a_broader_permit_does_not_void_that_approval_is_required() {
    let clinic = clinic(&principal("analysts"));
    let ruling = clinic.decide("UPDATE billing.invoices SET amount = 0 WHERE id = 1");
    let held = objects(&ruling);
    let [one] = held.as_slice() else { panic!("{held:?}") };
    assert_eq!((one.object.as_str(), one.verb), ("billing.invoices", "update"));
    let decision = &ruling.statements[0].event.decision;
    assert_eq!(decision.outcome, schemas::event::Verdict::Held);
    assert!(decision.policies.contains(&"held".to_owned()) && decision.policies.contains(&"bill".to_owned()));
    clinic.upstream("INSERT INTO billing.invoices (id) VALUES (1)");
    clinic.upstream("SELECT id FROM billing.invoices");
}

#[test]
fn what_is_held_inside_of_something_else_holds_all_of_it() {
    let clinic = clinic(&principal("analysts"));
    for sql in [
        "INSERT INTO billing.invoices (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET amount = 0",
        "CREATE TABLE billing.more (id bigint)",
    ] {
        assert_eq!(objects(&clinic.decide(sql)).len(), 1, "{sql}");
    }
}

#[test]
fn a_held_statement_goes_alone() {
    let clinic = clinic(&principal("analysts"));
    let refusal = clinic.refusal("SELECT 1; UPDATE billing.invoices SET amount = 0");
    assert!(refusal.message.contains("alone"), "{}", refusal.message);
}

#[test]
fn what_would_be_held_is_not_prepared_by_sql() {
    let refusal = clinic(&principal("analysts")).refusal("PREPARE p AS UPDATE billing.invoices SET amount = 0");
    assert!(refusal.message.contains("approval"), "{}", refusal.message);
}

#[test]
fn an_agent_is_held_where_whom_it_acts_for_is() {
    let person = principal("analysts");
    let agent = identity::Principal {
        kind: identity::Kind::Agent,
        subject: "agent-1".to_owned(),
        groups: Vec::new(),
        acts_for: Some(Box::new(person)),
        ..principal("none")
    };
    let clinic = clinic(&agent);
    assert_eq!(objects(&clinic.decide("UPDATE billing.invoices SET amount = 0")).len(), 1);
}

#[test]
fn only_who_policy_names_may_approve_and_only_that() {
    let clinic = clinic(&principal("analysts"));
    let update = objects(&clinic.decide("UPDATE billing.invoices SET amount = 0"));
    let create = objects(&clinic.decide("CREATE TABLE billing.more (id bigint)"));
    let asks = |group: &str, objects: &[Resolved]| {
        held()
            .may_not_approve(&principal(group), &connection(), &classification(), &clinic.snapshot, objects)
            .unwrap()
            .map(|object| object.verb)
    };
    assert_eq!(asks("approvers", &update), None);
    assert_eq!(asks("analysts", &update), Some("update"));
    assert_eq!(asks("approvers", &create), Some("ddl"));
    assert_eq!(asks("approvers", &[update, create].concat()), Some("ddl"));
}

#[test]
fn a_reason_is_a_setting_of_the_sessions() {
    let clinic = clinic(&principal("analysts"));
    let reason = |sql: &str| clinic.decide(sql).statements[0].effects.reason.clone();
    assert_eq!(reason("SET affidavit.reason = 'booked twice'"), ReasonChange::Set("booked twice".to_owned()));
    assert_eq!(reason("SET affidavit.reason TO DEFAULT"), ReasonChange::Reset);
    assert_eq!(reason("RESET ALL"), ReasonChange::Reset);
    assert_eq!(reason("SELECT 1"), ReasonChange::None);
    clinic.refusal(&format!("SET affidavit.reason = '{}'", "x".repeat(501)));
}
