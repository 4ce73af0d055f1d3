//! Logins made for one purpose.

use serde_json::{Value, json};

use super::{claims_with, jwks};
use crate::tests::issuer::{ISSUER, KEYS, Keys, NOW};
use crate::{Login, Principal, TokenError, Verifier};

const CLIENT: &str = "affidavit-console";
const NONCE: &str = "4f5c0b6e";
const SINCE: u64 = NOW - 120;

/// Claims of a login in order, with these members changed; `null` removes.
fn login_with(changes: Value) -> Value {
    let mut all = json!({"aud": CLIENT, "nonce": NONCE, "iat": NOW - 60, "auth_time": NOW - 60});
    let Value::Object(changes) = changes else { panic!("changes are an object") };
    all.as_object_mut().unwrap().extend(changes);
    claims_with(all)
}

fn attempt(nonce: &str, header: &Value, claims: &Value) -> Result<Principal, TokenError> {
    let login = Login { nonce, since_unix: SINCE };
    Verifier::new(ISSUER, CLIENT, "groups").verify_login(&KEYS.sign(header, claims), &jwks(), NOW, &login)
}

fn verify(changes: Value) -> Result<Principal, TokenError> {
    attempt(NONCE, &json!({"alg": "ES256", "kid": "p256", "typ": "JWT"}), &login_with(changes))
}

fn refused_for(claim: &str, result: Result<Principal, TokenError>) -> bool {
    matches!(result.map(drop), Err(TokenError::Claim { claim: named, .. }) if named == claim)
}

#[test]
fn a_fresh_login_with_the_nonce_is_the_persons() {
    let bob = verify(json!({"sub": "bob", "azp": CLIENT})).unwrap();
    assert_eq!((bob.subject.as_str(), bob.groups.as_slice()), ("bob", ["engineers".to_owned()].as_slice()));
}

#[test]
fn without_the_nonce_of_this_request_it_is_refused() {
    for nonce in
        [json!(null), json!(""), json!("4f5c0b6"), json!("4f5c0b6e0"), json!("4F5C0B6E"), json!(7), json!([NONCE])]
    {
        assert!(refused_for("nonce", verify(json!({"nonce": nonce}))), "{nonce}");
    }
    let header = json!({"alg": "ES256", "kid": "p256"});
    assert!(refused_for("nonce", attempt("", &header, &login_with(json!({"nonce": null})))));
    assert!(refused_for("nonce", attempt("", &header, &login_with(json!({"nonce": ""})))));
}

#[test]
fn an_earlier_login_is_refused_even_where_the_token_is_new() {
    assert!(verify(json!({"iat": SINCE - 30, "auth_time": SINCE - 30})).is_ok(), "clocks differ");
    assert!(refused_for("iat", verify(json!({"iat": SINCE - 31, "auth_time": null}))));
    assert!(refused_for("iat", verify(json!({"iat": null, "auth_time": null}))));
    assert!(refused_for("iat", verify(json!({"auth_time": SINCE - 31}))), "single sign-on is no fresh login");
    assert!(refused_for("auth_time", verify(json!({"auth_time": "yesterday"}))));
    assert!(refused_for("auth_time", verify(json!({"auth_time": null}))), "nor is one that does not say when it was");
}

#[test]
fn whoever_only_looks_need_not_log_in_anew() {
    let header = json!({"alg": "ES256", "kid": "p256"});
    let login = Login { nonce: NONCE, since_unix: 0 };
    let verifier = Verifier::new(ISSUER, CLIENT, "groups");
    for auth_time in [json!(null), json!(1)] {
        let token = KEYS.sign(&header, &login_with(json!({"auth_time": auth_time})));
        assert!(verifier.verify_login(&token, &jwks(), NOW, &login).is_ok(), "{auth_time}");
    }
}

#[test]
fn a_token_for_the_relay_or_another_client_is_refused() {
    for aud in ["affidavit", "affidavit-console2", ""] {
        assert!(refused_for("aud", verify(json!({"aud": aud}))), "{aud}");
    }
    assert!(refused_for("azp", verify(json!({"aud": [CLIENT, "other"], "azp": "other"}))));
    let access_token = json!({"alg": "ES256", "kid": "p256", "typ": "at+jwt"});
    assert_eq!(attempt(NONCE, &access_token, &login_with(json!({}))), Err(TokenError::Header { header: "typ" }));
}

#[test]
fn neither_a_service_nor_an_agent_can_log_in() {
    assert!(refused_for("sub", verify(json!({"act": {"sub": "scribe"}}))));
    assert!(refused_for("sub", verify(json!({"client_id": "u-1"}))));
    assert!(refused_for("sub", verify(json!({"gty": "client-credentials"}))));
}

#[test]
fn what_every_token_must_be_a_login_must_be_too() {
    let header = json!({"alg": "ES256", "kid": "p256"});
    let login = Login { nonce: NONCE, since_unix: SINCE };
    let forged = Keys::generate().sign(&header, &login_with(json!({})));
    let verifier = Verifier::new(ISSUER, CLIENT, "groups");
    assert_eq!(verifier.verify_login(&forged, &jwks(), NOW, &login), Err(TokenError::Signature));
    assert_eq!(verify(json!({"exp": NOW})), Err(TokenError::Expired));
    assert!(refused_for("iss", verify(json!({"iss": "https://other.example"}))));
    assert!(!format!("{login:?}").contains(NONCE));
}
