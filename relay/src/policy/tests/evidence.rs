//! What a decision leaves in the evidence.

use schemas::event::Verdict;

use super::*;

#[test]
fn literals_are_numbers_in_both_texts_and_masks_stay_readable() {
    let ruling = Clinic::analyst()
        .decide("SELECT name /* Jane Roe */ FROM clinic.patients WHERE ssn = '123-45-6789' AND id = 42");
    let event = &ruling.statements[0].event;
    assert_eq!(event.text.as_deref(), Some("SELECT name FROM clinic.patients WHERE ssn = ?1 AND id = ?2"));
    let upstream = event.upstream_text.as_deref().unwrap();
    assert!(upstream.ends_with("patients WHERE ssn = ?1 AND id = ?2"), "{upstream}");
    assert!(upstream.contains("'***-**-'") && upstream.contains("'clinic.patients'"), "{upstream}");
    assert_eq!((event.literals[0].kind.as_str(), event.literals[0].length), ("string", Some(11)));
    assert_eq!(event.statement, 0);
}

#[test]
fn a_literal_that_is_written_back_differently_is_not_shown() {
    let ruling = Clinic::analyst().decide("SELECT E'secret\\x41', U&'secret\\0041', 0x1F4D5, 'it''s'");
    let upstream = ruling.statements[0].event.upstream_text.clone().unwrap();
    for part in ["secret", "128213", "it"] {
        assert!(!upstream.contains(part), "{upstream}");
    }
}

#[test]
fn text_that_is_not_sql_is_told_by_length_and_digest() {
    let ruling = Clinic::analyst().decide("SELEC ssn FROM clinic.patients WHERE name = 'Jane Roe'");
    let event = &ruling.statements[0].event;
    assert_eq!((event.class.as_str(), event.text.as_deref()), ("unparsed", None));
    assert!(event.literals.is_empty());
    assert_eq!(event.decision.outcome, Verdict::Refused);
    assert_eq!(event.decision.sqlstate.as_deref(), Some("42601"));
}

#[test]
fn one_refused_statement_refuses_its_message_and_each_says_why() {
    let ruling = Clinic::analyst().decide("SELECT 1; DROP TABLE clinic.visits; SELECT 2");
    assert!(matches!(ruling.outcome, Outcome::Refused { .. }));
    assert_eq!(ruling.statements.len(), 3);
    for statement in &ruling.statements {
        assert_eq!(statement.event.decision.outcome, Verdict::Refused);
        assert!(statement.event.decision.reason.as_deref().unwrap().contains("DROP TABLE clinic.visits"));
        assert_eq!(statement.event.upstream_text, None);
    }
    assert_eq!(ruling.statements[1].event.class, "ddl");
    assert_eq!(ruling.statements[1].event.objects.len(), 0, "nothing was touched");
}

#[test]
fn several_statements_are_decided_in_order_and_sent_as_one_text() {
    let ruling = Clinic::analyst().decide("BEGIN; SELECT 1;; COMMIT");
    assert_eq!(ruling.outcome, Outcome::Permitted { upstream_sql: "BEGIN; SELECT 1; COMMIT".to_owned() });
    let classes: Vec<&str> = ruling.statements.iter().map(|s| s.event.class.as_str()).collect();
    assert_eq!(classes, ["transaction", "select", "transaction"]);
}

#[test]
fn an_empty_text_runs_as_an_empty_text() {
    for sql in ["", "  ", ";", "-- nothing\n"] {
        let ruling = Clinic::analyst().decide(sql);
        assert_eq!(ruling.outcome, Outcome::Permitted { upstream_sql: String::new() }, "{sql:?}");
        assert!(ruling.statements.is_empty());
    }
}

#[test]
fn a_prepared_statement_is_one_statement() {
    let ruling = Clinic::analyst().decide_by(Path::Extended, "SELECT 1; SELECT 2");
    assert!(matches!(&ruling.outcome, Outcome::Refused { refusal } if refusal.sqlstate == "42601"));
}

#[test]
fn effects_tell_the_session_what_is_no_longer_true() {
    use crate::rewrite::EndsPrepared;
    let clinic = Clinic::of("owners", &|_| {});
    let effects = |sql: &str| clinic.decide(sql).statements[0].effects.clone();
    assert_eq!(effects("DEALLOCATE \"_pg3_1\"").ends_prepared, EndsPrepared::Named("_pg3_1".to_owned()));
    assert_eq!(effects("DISCARD ALL").ends_prepared, EndsPrepared::All);
    assert!(effects("CREATE TABLE billing.t (id int PRIMARY KEY, x text NOT NULL)").changes_catalog);
    assert!(effects("DROP TABLE billing.payers").changes_catalog);
    assert_eq!(effects("SELECT 1"), Default::default());
}

#[test]
fn an_unknown_relation_says_that_a_newer_catalog_may_know_it_and_evidence_does_not_repeat_the_name() {
    let clinic = Clinic::analyst();
    let refusal = clinic.refusal("SELECT * FROM clinic.jane_roe");
    assert!(refusal.unknown_name && refusal.message.contains("clinic.jane_roe"));
    assert!(!refusal.reason.contains("jane"));
}

#[test]
fn the_refusal_of_a_drop_reads_well() {
    let analyst = Clinic::analyst().refusal("DROP TABLE clinic.visits");
    assert_eq!(
        (analyst.sqlstate, analyst.message.as_str()),
        ("42501", "policy does not permit DROP TABLE clinic.visits")
    );
    let owner = Clinic::of("owners", &|_| {}).refusal("DROP TABLE clinic.visits");
    assert_eq!(
        owner.message,
        "DROP TABLE clinic.visits is refused: it has protected columns, and the definition of protected relations is not \
         changed through the relay"
    );
}
