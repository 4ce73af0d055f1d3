//! Code that a write sets off: triggers, defaults, event triggers. It reads what it likes, with nobody's masks.

use super::*;

/// Writes of `billing.payers`, whose rows set off this trigger.
fn with_trigger(source: Option<&'static str>, conditional: bool) -> Clinic {
    Clinic::of("operators", &move |catalog| {
        catalog["relations"][4]["triggers"] = json!(true);
        catalog["relations"][4]["trigger_functions"] = json!([{"source": source, "conditional": conditional}]);
    })
}

#[test]
fn a_write_that_sets_off_code_that_cannot_be_seen_through_is_refused() {
    let writes = [
        "INSERT INTO billing.payers VALUES (9, 'x')",
        "UPDATE billing.payers SET name = 'x'",
        "DELETE FROM billing.payers",
        "COPY billing.payers FROM STDIN",
        "TRUNCATE billing.payers",
    ];
    for source in [
        "BEGIN NEW.name := (SELECT ssn FROM clinic.patients WHERE id = NEW.id); RETURN NEW; END",
        "BEGIN NEW.name := email FROM \"contacts\"; RETURN NEW; END",
        "BEGIN EXECUTE NEW.name; RETURN NEW; END",
        "BEGIN NEW.name := leak(1); RETURN NEW; END",
        "BEGIN PERFORM set_config('application_name', NEW.name, false); RETURN NEW; END",
        "BEGIN NEW.name := query_to_xml(NEW.name, true, true, '')::text; RETURN NEW; END",
        "BEGIN NEW.name := (SELECT max(query) FROM pg_stat_activity); RETURN NEW; END",
        "BEGIN NEW.name := U&\"p\\0061tients\"; RETURN NEW; END",
        "BEGIN NEW.name := 'unterminated",
    ] {
        for write in writes {
            let refusal = with_trigger(Some(source), false).refusal(write);
            assert!(refusal.message.contains("trigger"), "{write}\n{source}: {}", refusal.message);
        }
    }
    for (source, conditional) in [(None, false), (Some("BEGIN RETURN NEW; END"), true)] {
        with_trigger(source, conditional).refusal(writes[0]);
    }
}

#[test]
fn a_trigger_that_names_nothing_protected_runs() {
    for source in [
        "",
        "BEGIN NEW.name := initcap(NEW.name); NEW.updated_at := now(); RETURN NEW; -- patients\nEND",
        "DECLARE n integer := nextval('numbers'); BEGIN IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; \
         INSERT INTO billing.invoices (id, status) VALUES (n, 'made of patients'); RAISE NOTICE 'x %', n; RETURN NEW; END",
    ] {
        with_trigger(Some(source), false).upstream("INSERT INTO billing.payers VALUES (9, 'x') RETURNING name");
    }
}

#[test]
fn a_write_reaches_parts_and_those_that_refer_to_what_is_deleted() {
    let opaque = json!([{"source": null, "conditional": false}]);
    let part = Clinic::of("operators", &|catalog| {
        catalog["relations"][7]["parents"] = json!([300]);
        catalog["relations"][7]["trigger_functions"] = opaque.clone();
    });
    assert!(part.refusal("INSERT INTO billing.payers VALUES (9, 'x')").message.contains("trigger"));
    let referring = Clinic::of("operators", &|catalog| {
        catalog["relations"][7]["trigger_functions"] = opaque.clone();
        let keys = catalog["foreign_keys"].as_array_mut().unwrap();
        keys.push(json!({"from": 303, "from_columns": [1], "to": 300, "to_columns": [1], "acts": true}));
    });
    referring.upstream("INSERT INTO billing.payers VALUES (9, 'x')");
    assert!(referring.refusal("DELETE FROM billing.payers").message.contains("trigger"));
}

#[test]
fn a_default_that_runs_text_refuses_the_write() {
    let with = |expression: &'static str| {
        Clinic::of("operators", &move |catalog| {
            catalog["relations"][4]["write_expressions"] = json!([expression]);
        })
    };
    for expression in ["nextval('numbers'::regclass)", "(name || 'patients'::text)", "now()", "(id > 0)"] {
        with(expression).upstream("INSERT INTO billing.payers (id) VALUES (9) RETURNING name");
    }
    let refusal = with("(query_to_xml('x'::text, true, true, ''::text))::text").refusal("DELETE FROM billing.payers");
    assert!(refusal.message.contains("functions"), "{}", refusal.message);
}

#[test]
fn an_event_trigger_that_cannot_be_seen_through_refuses_changes_of_definitions() {
    let clinic = Clinic::of("operators", &|catalog| {
        catalog["event_triggers"] = json!([{"source": "BEGIN PERFORM leak(1); END", "conditional": false}]);
    });
    for sql in ["CREATE TABLE billing.t (id int)", "DROP TABLE billing.payers", "CREATE INDEX ON billing.payers (id)"] {
        assert!(clinic.refusal(sql).message.contains("event trigger"), "{sql}");
    }
}
