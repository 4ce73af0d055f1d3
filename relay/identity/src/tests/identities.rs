//! Who somebody is.

use serde_json::json;

use super::{claims_with, verify};
use crate::tests::issuer::{ISSUER, NOW, claims};
use crate::{Kind, TokenError};

#[test]
fn a_person_is_told_by_issuer_and_subject() {
    let alice = verify(&claims()).unwrap();
    assert_eq!(alice.kind, Kind::User);
    assert_eq!((alice.issuer.as_str(), alice.subject.as_str(), alice.name.as_str()), (ISSUER, "u-1", "Alice"));
    assert_eq!(alice.groups, ["engineers"]);
    assert_eq!(alice.expires_at, NOW + 600);
    assert_eq!(alice.acts_for, None);
}

#[test]
fn groups_are_an_array_or_one_string_or_absent_and_nothing_else() {
    assert_eq!(verify(&claims_with(json!({"groups": ["b", "a", "b"]}))).unwrap().groups, ["a", "b"]);
    assert_eq!(verify(&claims_with(json!({"groups": "one"}))).unwrap().groups, ["one"]);
    assert!(verify(&claims_with(json!({"groups": null}))).unwrap().groups.is_empty());
    for bad in [json!([1]), json!({"a": 1}), json!([""]), json!(true), json!(["a\nb"])] {
        assert!(matches!(verify(&claims_with(json!({"groups": bad}))), Err(TokenError::Claim { claim: "groups", .. })));
    }
}

#[test]
fn a_token_issued_to_a_client_for_itself_is_a_service() {
    for service in [
        json!({"sub": "ci", "client_id": "ci"}),
        json!({"sub": "ci", "azp": "ci"}),
        json!({"gty": "client-credentials"}),
        json!({"idtyp": "app"}),
        json!({"sub": "system:serviceaccount:builds:runner"}),
    ] {
        assert_eq!(verify(&claims_with(service)).unwrap().kind, Kind::Service);
    }
    assert_eq!(verify(&claims_with(json!({"client_id": "psql", "azp": "psql"}))).unwrap().kind, Kind::User);
}

#[test]
fn an_agent_acts_for_a_person_and_borrows_none_of_her_groups() {
    let agent = verify(&claims_with(json!({
        "act": {"sub": "copilot", "groups": ["agents"], "act": {"sub": "planner"}}
    })))
    .unwrap();
    assert_eq!((agent.kind, agent.subject.as_str()), (Kind::Agent, "copilot"));
    assert_eq!(agent.groups, ["agents"]);
    let planner = agent.acts_for.unwrap();
    assert_eq!((planner.kind, planner.subject.as_str()), (Kind::Agent, "planner"));
    assert!(planner.groups.is_empty());
    let alice = planner.acts_for.unwrap();
    assert_eq!((alice.kind, alice.subject.as_str()), (Kind::User, "u-1"));
    assert_eq!(alice.groups, ["engineers"]);
    assert_eq!(alice.acts_for, None);
}

#[test]
fn a_chain_of_actors_is_bounded_and_stays_with_its_issuer() {
    let chain = |depth: usize| (1..depth).fold(json!({"sub": "a"}), |act, _| json!({"sub": "a", "act": act}));
    assert!(verify(&claims_with(json!({"act": chain(4)}))).is_ok());
    let bad_acts = [
        chain(5),
        json!("copilot"),
        json!({"sub": ""}),
        json!({}),
        json!({"sub": "admin", "iss": "https://other.example"}),
    ];
    for act in bad_acts {
        assert!(matches!(verify(&claims_with(json!({"act": act}))), Err(TokenError::Claim { .. })));
    }
}

#[test]
fn a_name_is_cut_and_cleaned_and_falls_back_to_the_subject() {
    assert_eq!(verify(&claims_with(json!({"name": "x".repeat(500)}))).unwrap().name.len(), 128);
    assert_eq!(verify(&claims_with(json!({"name": "a\u{1b}[31mb\n"}))).unwrap().name, "a[31mb");
    assert_eq!(verify(&claims_with(json!({"name": " ", "email": "a@b.example"}))).unwrap().name, "a@b.example");
    assert_eq!(verify(&claims_with(json!({"name": null}))).unwrap().name, "u-1");
}

#[test]
fn an_audience_may_stand_among_others() {
    assert!(verify(&claims_with(json!({"aud": ["other", "affidavit"]}))).is_ok());
    for bad in [json!(["other"]), json!([]), json!("affidavit "), json!(7), json!([["affidavit"]]), json!(null)] {
        assert!(matches!(verify(&claims_with(json!({"aud": bad}))), Err(TokenError::Claim { claim: "aud", .. })));
    }
}

#[test]
fn times_are_kept_to() {
    assert_eq!(verify(&claims_with(json!({"exp": NOW}))), Err(TokenError::Expired));
    assert!(verify(&claims_with(json!({"exp": NOW + 1}))).is_ok());
    for claim in ["nbf", "iat"] {
        assert!(verify(&claims_with(json!({claim: NOW + 30}))).is_ok());
        assert_eq!(verify(&claims_with(json!({claim: NOW + 31}))), Err(TokenError::NotYetValid));
        assert!(verify(&claims_with(json!({claim: null}))).is_ok());
    }
    assert_eq!(verify(&claims_with(json!({"exp": 1_795_000_600.75}))).unwrap().expires_at, NOW + 600);
    for bad in [json!(null), json!("1795000600"), json!(-1), json!(1e300), json!([NOW])] {
        assert!(matches!(verify(&claims_with(json!({"exp": bad}))), Err(TokenError::Claim { claim: "exp", .. })));
    }
}
