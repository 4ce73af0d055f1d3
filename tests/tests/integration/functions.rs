//! Functions that users made: called where policy names them, told on record, and nowhere else.

use crate::harness::{Database, Relay};

#[test]
fn a_function_that_policy_names_runs_on_what_is_masked_and_is_on_record() {
    let database = Database::shared();
    database.run(
        "CREATE SCHEMA reporting;
         CREATE FUNCTION reporting.initials(name text) RETURNS text LANGUAGE sql AS $$ SELECT left(name, 1) $$;
         CREATE FUNCTION reporting.of_all() RETURNS SETOF text LANGUAGE sql SECURITY DEFINER
             AS $$ SELECT ssn FROM clinic.patients $$;
         GRANT USAGE ON SCHEMA reporting TO affidavit_relay",
    );
    let mut relay = Relay::before(database, CALLS);
    let said =
        relay.psql("alice", &["SELECT DISTINCT 'initial ' || reporting.initials(name) FROM clinic.patients"]).ok();
    assert!(said.contains("initial *\n(1 row)"), "of the mask, and of nothing else: {said}");
    let refused = relay.psql("alice", &["SELECT * FROM reporting.of_all()"]).refused();
    assert!(refused.contains("policy does not permit calling reporting.of_all"), "{refused}");
    assert_eq!(database.leak_in(&refused), None);
    relay.stop();
    let events = relay.events();
    for told in ["reporting.initials()", "calls-initials", "policy does not permit calling reporting.of_all"] {
        assert!(events.contains(told), "{told}: {events}");
    }
    relay.verify(&relay.evidence()).ok();
    database.run("DROP SCHEMA reporting CASCADE");
}

const CALLS: &str = r#"
@id("calls-initials")
permit (
  principal in Group::"engineers",
  action == Action::"call",
  resource == Function::"clinic/reporting.initials"
);
"#;
