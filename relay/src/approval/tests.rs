//! What an approval is worth, apart from who gave it: that is tested over the real `local` (tests/integration/approvals).

use std::sync::Arc;

use identity::{Kind, Principal};
use schemas::digest::Sha256Digest;

use super::approved::Approved;
use super::asked::Asked;
use super::judge::Decided;
use crate::policy::{Outcome, Resolved, Resource, Ruling};
use crate::statement::Refusal;

fn person(subject: &str) -> Principal {
    Principal {
        kind: Kind::User,
        issuer: "https://issuer.test".to_owned(),
        subject: subject.to_owned(),
        name: subject.to_owned(),
        groups: Vec::new(),
        expires_at: 4_000_000_000,
        acts_for: None,
    }
}

fn objects(oid: u32) -> Vec<Resolved> {
    let object = "billing.invoices".to_owned();
    vec![Resolved { object, verb: "update", resource: Resource::Relation(oid), held: true, from_masks: Vec::new() }]
}

fn approved() -> Approved {
    let asked = Asked::for_test("UPDATE 1", objects(16_400), person("alice"));
    let decided = Decided {
        approver: person("bob"),
        rationale: "fine".to_owned(),
        decided_us: 1,
        decision_sha256: Sha256Digest::of(b"decision"),
    };
    Approved::new(Arc::new(asked), decided)
}

fn ruling(outcome: Outcome) -> Ruling {
    Ruling { statements: Vec::new(), outcome }
}

fn held(text: &str, objects: Vec<Resolved>) -> Ruling {
    ruling(Outcome::Held { upstream_sql: text.to_owned(), objects })
}

#[test]
fn an_approval_is_of_the_same_text_over_the_same_objects_alone() {
    let (permit, _turn) =
        approved().confirm(&held("UPDATE 1", objects(16_400))).expect("it means the same").permit(Vec::new());
    assert_eq!(&permit.upstream[..], b"the held message");
    for changed in [
        held("UPDATE 2", objects(16_400)),
        held("UPDATE 1", objects(16_401)),
        held("UPDATE 1", [objects(16_400), objects(16_401)].concat()),
        ruling(Outcome::Permitted { upstream_sql: "UPDATE 1".to_owned() }),
        ruling(Outcome::Refused { refusal: Refusal::forbidden("no") }),
    ] {
        assert!(approved().confirm(&changed).is_none(), "{:?}", changed.outcome);
    }
}

#[test]
fn a_bound_portal_has_one_turn_whoever_names_it() {
    let confirmed = approved().confirm(&held("UPDATE 1", objects(16_400))).unwrap();
    let (_permit, turn) = confirmed.permit(Vec::new());
    let named_again = turn.clone();
    assert!(turn.take().is_some());
    assert!(turn.take().is_none() && named_again.take().is_none());
}
