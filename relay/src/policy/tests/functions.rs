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

/// With functions that the server has parsed.
fn parsed(bodies: &[(&str, &str)], calls: &str) -> Clinic {
    let mut clinic = Clinic::changed(&|catalog| {
        for (name, _) in bodies {
            catalog["functions"].as_array_mut().unwrap().push(json!(["billing", name, false]));
        }
        let body = |(name, body): &(&str, &str)| json!({"schema": "billing", "name": name, "bodies": [body]});
        catalog["parsed_functions"] = bodies.iter().map(body).collect();
    });
    clinic.search_path = vec!["billing".to_owned()];
    let set = PolicySet::from_texts(&[("calls.cedar".to_owned(), format!("{READ}\n{calls}"))]).unwrap();
    clinic.profile = set.profile(&principal("analysts"), &connection(), &classification(), &clinic.snapshot).unwrap();
    clinic
}

#[test]
fn a_function_that_computes_from_its_arguments_alone_is_called_unless_policy_forbids_it() {
    let bodies = [
        ("gross", "RETURN (amount + COALESCE(tax, (0)::numeric))"),
        ("shout", "RETURN btrim($1)"),
        ("peek", "RETURN ( SELECT max(patients.ssn) AS max\n   FROM clinic.patients)"),
        ("calls", "RETURN public.leak(1)"),
        ("reads", "RETURN pg_read_file('x'::text)"),
        ("counts", "RETURN nextval('clinic.patients_id_seq'::regclass)"),
        ("sets", "RETURN current_setting('x'::text)"),
        ("casts", "RETURN (($1)::billing.sly)::text"),
        ("writes", "BEGIN ATOMIC\n INSERT INTO billing.payers (id) VALUES (1);\nEND"),
    ];
    let clinic = parsed(&bodies, "");
    let ruling = clinic.decide("SELECT gross(amount, 1), billing.gross(amount, 2) FROM invoices");
    assert!(matches!(ruling.outcome, Outcome::Permitted { .. }), "{:?}", ruling.outcome);
    assert!(ruling.statements[0].event.objects.iter().any(|touched| touched.object == "billing.gross()"));
    // What it is given is masked.
    assert!(clinic.upstream("SELECT billing.shout(ssn) FROM clinic.patients").contains("scan.ssn"));
    for (name, _) in &bodies[2..] {
        assert!(clinic.refusal(&format!("SELECT billing.{name}('1')")).message.contains("does not permit"), "{name}");
    }
    let forbids = r#"forbid(principal, action == Action::"call", resource == Function::"clinic/billing.gross");"#;
    parsed(&bodies, forbids).refusal("SELECT gross(1, 1)");
    // One of that name which nobody has parsed: the catalog tells nothing of the name.
    parsed(&[], "").refusal("SELECT gross(1, 1)");
    let mut owner = parsed(&bodies, r#"permit(principal, action == Action::"ddl", resource);"#);
    owner.search_path = vec!["billing".to_owned()];
    assert!(owner.refusal("CREATE INDEX ON payers (gross(id, 1))").message.contains("list alone"));
}

#[test]
fn a_cast_names_domains_and_rows_of_plain_values() {
    let clinic = Clinic::analyst();
    for sql in [
        "SELECT 5::billing.cents, (ROW(1, 2)::billing.amounts).high, '{1,2}'::billing.cents[]",
        "SELECT p.id, p.name FROM jsonb_populate_record(NULL::billing.payers, '{}') AS p",
        "SELECT * FROM json_populate_recordset(NULL::billing.amounts, '[]')",
    ] {
        clinic.upstream(sql);
    }
    for sql in [
        "SELECT NULL::clinic.patients",
        "SELECT 'x'::billing.sly",
        "SELECT ROW(1, 'x')::billing.of_sly",
        "SELECT NULL::billing.strange",
        "SELECT NULL::public.positive",
        "SELECT NULL::pg_catalog.pg_class",
        "SELECT NULL::billing.nothing",
        "SELECT * FROM jsonb_populate_record(NULL::clinic.patients, '{}')",
        "SELECT jsonb_populate_record(p, '{}') FROM billing.payers p",
        "SELECT jsonb_populate_record(NULL::text, '{}')",
    ] {
        clinic.refusal(sql);
    }
    // Of definitions they are no part.
    let owner = Clinic::of("operators", &|_| {});
    for sql in [
        "CREATE TABLE billing.t (c billing.cents)",
        "CREATE TABLE billing.t (c int CHECK (c::billing.cents > 0))",
        "CREATE INDEX ON billing.payers ((id::billing.cents))",
        "CREATE VIEW billing.v AS SELECT id::billing.cents FROM billing.payers",
    ] {
        assert!(owner.refusal(sql).message.contains("list of types"), "{sql}");
    }
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
