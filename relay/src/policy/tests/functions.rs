//! Functions of users: only those that policy names, and on record.

use super::*;

const READ: &str = r#"permit(principal, action in [Action::"connect", Action::"select"], resource);"#;

/// Somebody who reads, and calls what these permit.
fn clinic(calls: &str) -> Clinic {
    let mut clinic = Clinic::changed(&|catalog| {
        let functions = catalog["functions"].as_array_mut().unwrap();
        functions.extend([
            json!(["public", "age_of", false]),
            json!(["billing", "age_of", false]),
            json!(["billing", "net", false]),
            json!(["public", "now", false]),
            json!(["hidden", "secret", false]),
        ]);
    });
    let set = PolicySet::from_texts(&[("calls.cedar".to_owned(), format!("{READ}\n{calls}"))]).unwrap();
    let profile = set.profile(&principal("analysts"), &connection(), &classification(), &clinic.snapshot).unwrap();
    clinic.profile = profile;
    clinic
}

#[test]
fn a_function_is_called_where_policy_names_it_and_is_on_record() {
    let clinic = clinic(
        r#"@id("ages") permit(principal, action == Action::"call", resource == Function::"clinic/public.age_of");"#,
    );
    for sql in [
        "SELECT age_of(birth_date) FROM clinic.patients",
        "SELECT public.age_of(birth_date) FROM clinic.patients",
        "SELECT id FROM clinic.patients ORDER BY age_of(birth_date)",
        "SELECT a FROM age_of('2000-01-01') a",
    ] {
        let ruling = clinic.decide(sql);
        let Outcome::Permitted { upstream_sql } = &ruling.outcome else { panic!("{sql}: {:?}", ruling.outcome) };
        assert!(upstream_sql.contains("public.age_of("), "{upstream_sql}");
        let [statement] = ruling.statements.as_slice() else { panic!() };
        assert!(statement.scrub_diagnostics, "what it says in errors is its own text");
        let called = statement.event.objects.iter().find(|touched| touched.action == "call").unwrap();
        assert_eq!(called.object, "public.age_of()");
        assert!(statement.event.decision.policies.contains(&"ages".to_owned()));
    }
    // What it is given is masked as for anybody else.
    assert!(clinic.upstream("SELECT age_of(birth_date) FROM clinic.patients").contains("scan.birth_date"));
    let scope = clinic.profile.scope(&clinic.snapshot);
    let granted = scope.iter().find(|entry| entry.object == "public.age_of()").unwrap();
    assert_eq!(granted.permitted, ["call"]);
}

#[test]
fn any_other_function_is_refused_with_what_to_do() {
    let clinic = clinic(
        r#"permit(principal, action == Action::"call", resource in Schema::"clinic/billing");
        permit(principal, action == Action::"call", resource == Function::"clinic/public.now");"#,
    );
    clinic.upstream("SELECT billing.net(1), billing.age_of('2000-01-01')");
    let refusal = clinic.refusal("SELECT public.age_of('2000-01-01')");
    assert_eq!((refusal.sqlstate, refusal.message.as_str()), ("42501", "policy does not permit calling public.age_of"));
    assert!(refusal.hint.unwrap().contains("action \"call\" on public.age_of"));
    for sql in [
        // Not in the search path, where it may not be seen at all, and nowhere.
        "SELECT net(1)",
        "SELECT hidden.secret()",
        "SELECT secret()",
        "SELECT public.nothing()",
        // Permitted, but the server has one of that name too, and would choose.
        "SELECT now()",
        // Called by its name as a field.
        "SELECT (p).age_of FROM clinic.patients p",
    ] {
        clinic.refusal(sql);
    }
    // Several of one name along the path: which one would run is the server's choice.
    let mut two = self::clinic(r#"permit(principal, action == Action::"call", resource);"#);
    two.search_path = vec!["public".to_owned(), "billing".to_owned()];
    assert!(two.refusal("SELECT age_of('2000-01-01')").hint.unwrap().contains("schema"));
    two.upstream("SELECT billing.age_of('2000-01-01')");
}

#[test]
fn nobody_calls_by_a_permission_for_something_else() {
    let clinic = Clinic::analyst();
    for sql in ["SELECT public.leak(1)", "SELECT leak(1)", "SELECT * FROM billing.opaque"] {
        clinic.refusal(sql);
    }
    let clinic = self::clinic("");
    clinic.refusal("SELECT age_of('2000-01-01')");
    assert!(clinic.profile.scope(&clinic.snapshot).iter().all(|entry| !entry.object.ends_with("()")));
}

#[test]
fn a_view_that_calls_is_read_by_whoever_may_call() {
    let refused = clinic("").refusal("SELECT * FROM billing.opaque");
    assert!(refused.message.contains("billing.opaque"), "{}", refused.message);
    clinic(r#"permit(principal, action == Action::"call", resource == Function::"clinic/public.leak");"#)
        .upstream("SELECT * FROM billing.opaque");
}

#[test]
fn a_plan_tells_nothing_of_what_a_function_reads() {
    let clinic =
        clinic(r#"permit(principal, action == Action::"call", resource == Function::"clinic/public.age_of");"#);
    let plan = clinic.upstream("EXPLAIN (COSTS) SELECT a FROM age_of('2000-01-01') a");
    assert!(plan.to_lowercase().contains("costs off"), "{plan}");
    let refusal = clinic.refusal("EXPLAIN ANALYZE SELECT a FROM age_of('2000-01-01') a");
    assert!(refusal.message.contains("functions"), "{}", refusal.message);
}
