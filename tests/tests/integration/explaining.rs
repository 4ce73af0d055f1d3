//! `relay explain` says what the relay would do, and does none of it.

use std::process::Command;

use crate::harness::{Database, Programs, Relay, Said};

fn explain(group: &str, sql: &str) -> String {
    explain_to(&["--group", group], sql)
}

fn explain_to(whom: &[&str], sql: &str) -> String {
    let mut relay = Command::new(Programs::built().executable("relay"));
    relay.args(["explain", "--connection", "clinic", sql]).args(whom).arg("--config");
    Said::by(relay.arg(Relay::shared().config())).ok()
}

#[test]
fn an_agent_is_explained_with_whom_it_acts_for() {
    let sql = "SELECT name FROM clinic.patients";
    let told = |whom: &[&str]| explain_to(whom, sql).contains("Revealed:   clinic.patients.name");
    assert!(told(&["--group", "clinicians", "--acts-for-group", "clinicians"]));
    assert!(!told(&["--group", "clinicians", "--acts-for-group", "strangers"]), "the person may not see it");
    assert!(!told(&["--group", "strangers", "--acts-for-group", "clinicians"]), "the agent may not see it");
}

#[test]
fn what_is_explained_is_what_runs() {
    let sql = "SELECT ssn, email FROM clinic.patients WHERE id = 7777001";
    let said = explain("engineers", sql);
    for line in [
        "Permitted.",
        "Touches:    select clinic.patients",
        "Masked:     clinic.patients.ssn by last4",
        "Masked:     clinic.patients.birth_date by year",
        "Decided by: ",
    ] {
        assert!(said.contains(line), "{line}:\n{said}");
    }
    assert!(!said.contains("Revealed:"), "{said}");
    let text = said.lines().find(|line| line.starts_with("    SELECT")).unwrap().trim();
    let database = Database::shared();
    assert!(!database.log().contains(text), "it has not run");
    Relay::shared().psql("alice", &[sql]).ok();
    assert!(database.log().contains(text), "{text}");
    assert!(explain("clinicians", sql).contains("Revealed:   clinic.patients.name"), "others see more");
}

#[test]
fn what_is_held_or_refused_says_so_and_why() {
    let held = explain("engineers", "UPDATE billing.invoices SET amount = 80 WHERE id = 7777002");
    assert!(held.starts_with("Held:"), "{held}");
    assert!(held.contains("Touches:    update billing.invoices (held)"), "{held}");
    assert!(held.contains("Exactly this would run"), "{held}");

    let dropped = explain("engineers", "DROP TABLE clinic.patients");
    assert!(dropped.starts_with("Refused:") && dropped.contains("Hint:") && dropped.contains("\"ddl\""), "{dropped}");
    let stranger = explain("strangers", "SELECT 1");
    assert!(stranger.contains("policy does not permit this connection"), "{stranger}");
    let unknown = explain("engineers", "SELECT * FROM clinic.nobody_has_this");
    assert!(unknown.contains("does not exist") && unknown.contains("42P01"), "{unknown}");
    let deep = explain("engineers", &format!("SELECT {}1{}", "(".repeat(20_000), ")".repeat(20_000)));
    assert!(deep.starts_with("Refused:"), "{}", &deep[..deep.len().min(300)]);
}
