//! What is refused is named to the client, never reaches the target, and leaves the session usable.

use crate::harness::{Database, Relay};

#[test]
fn a_drop_is_refused_and_the_target_never_hears_of_it() {
    let said = Relay::shared().psql("alice", &["DROP TABLE clinic.visits"]).refused();
    assert!(said.contains("42501"), "insufficient_privilege: {said}");
    let log = Database::shared().log();
    assert!(log.contains("statement: "), "the target logs what it runs");
    // Other cases drop tables of their own, as the superuser.
    assert!(!log.to_uppercase().contains("DROP TABLE CLINIC.VISITS"), "and it ran no such DROP TABLE");
    assert_eq!(Database::shared().values("SELECT count(*) FROM clinic.visits"), ["6000"]);
}

#[test]
fn a_refused_batch_runs_none_of_its_statements() {
    let said = Relay::shared().psql("alice", &["SELECT 1 AS before_the_refusal; DROP TABLE clinic.visits"]).refused();
    assert!(said.contains("42501"), "{said}");
    assert!(!Database::shared().log().contains("before_the_refusal"), "all are decided before any runs");
}

#[test]
fn a_connection_nobody_configured_is_refused_by_name() {
    let relay = Relay::shared();
    let connection = relay.connection("alice").replace("dbname=clinic", "dbname=payroll");
    let said = crate::harness::psql(&connection, &["SELECT 1"]).refused();
    assert!(said.contains("payroll"), "{said}");
}

#[test]
fn a_table_that_no_policy_opens_is_refused_by_name() {
    let relay = Relay::shared();
    relay.psql("ci", &["SELECT count(*) FROM billing.invoices"]).ok();
    let said = relay.psql("ci", &["SELECT count(*) FROM clinic.visits"]).refused();
    assert!(said.contains("42501") && said.contains("clinic.visits"), "{said}");
    let said = relay.psql("alice", &["DELETE FROM billing.invoices"]).refused();
    assert!(said.contains("42501") && said.contains("billing.invoices"), "{said}");
}
