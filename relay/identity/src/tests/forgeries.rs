//! Tokens that must not pass.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{claims_with, jwks, parse, verifier, verify};
use crate::tests::issuer::{AUDIENCE, ISSUER, KEYS, Keys, NOW, claims, encode};
use crate::{Jwks, JwksError, TokenError, Verifier, unverified_issuer};

fn attempt(header: &Value) -> Result<(), TokenError> {
    verifier().verify(&KEYS.sign(header, &claims()), &jwks(), NOW).map(|_| ())
}

#[test]
fn each_accepted_algorithm_verifies_with_its_own_kind_of_key() {
    for (alg, kid) in [("RS256", "rsa"), ("PS256", "rsa"), ("ES256", "p256"), ("EdDSA", "ed25519")] {
        assert_eq!(attempt(&json!({"alg": alg, "kid": kid})), Ok(()), "{alg}");
        for other in ["rsa", "p256", "ed25519"].into_iter().filter(|other| *other != kid) {
            assert_eq!(attempt(&json!({"alg": alg, "kid": other})), Err(TokenError::KeyMismatch), "{alg} {other}");
        }
    }
}

#[test]
fn no_algorithm_without_a_private_key_is_accepted() {
    for alg in ["none", "None", "", "HS256", "HS512", "RS1", "ES384"] {
        assert_eq!(attempt(&json!({"alg": alg, "kid": "rsa"})), Err(TokenError::Algorithm), "{alg}");
    }
    let unsigned = format!("{}.{}.", encode(br#"{"alg":"none"}"#), encode(claims().to_string().as_bytes()));
    assert_eq!(verifier().verify(&unsigned, &jwks(), NOW), Err(TokenError::Algorithm));
}

#[test]
fn a_signature_by_another_key_of_the_same_kind_is_refused() {
    let stranger = Keys::generate();
    for (alg, kid) in [("RS256", "rsa"), ("PS256", "rsa"), ("ES256", "p256"), ("EdDSA", "ed25519")] {
        let token = stranger.sign(&json!({"alg": alg, "kid": kid}), &claims());
        assert_eq!(verifier().verify(&token, &jwks(), NOW), Err(TokenError::Signature), "{alg}");
    }
}

#[test]
fn a_key_reserved_for_one_algorithm_serves_no_other() {
    let mut key = KEYS.rsa_jwk("rsa");
    key["alg"] = json!("RS256");
    let set = parse(&json!({"keys": [key]}));
    let sign = |alg| KEYS.sign(&json!({"alg": alg, "kid": "rsa"}), &claims());
    assert!(verifier().verify(&sign("RS256"), &set, NOW).is_ok());
    assert_eq!(verifier().verify(&sign("PS256"), &set, NOW), Err(TokenError::KeyMismatch));
}

#[test]
fn a_key_is_chosen_by_kid_alone_unless_there_is_only_one() {
    assert_eq!(attempt(&json!({"alg": "ES256"})), Err(TokenError::AmbiguousKey));
    assert_eq!(attempt(&json!({"alg": "ES256", "kid": "new"})), Err(TokenError::UnknownKey));
    assert_eq!(attempt(&json!({"alg": "ES256", "kid": 7})), Err(TokenError::Header { header: "kid" }));
    let single = parse(&json!({"keys": [KEYS.p256_jwk("only")]}));
    let token = KEYS.sign(&json!({"alg": "ES256"}), &claims());
    assert!(verifier().verify(&token, &single, NOW).is_ok());
}

#[test]
fn two_fitting_keys_under_one_kid_are_ambiguous() {
    let twice = parse(&json!({"keys": [KEYS.p256_jwk("k"), Keys::generate().p256_jwk("k")]}));
    let token = KEYS.sign(&json!({"alg": "ES256", "kid": "k"}), &claims());
    assert_eq!(verifier().verify(&token, &twice, NOW), Err(TokenError::AmbiguousKey));
    let of_two_kinds = parse(&json!({"keys": [KEYS.rsa_jwk("k"), KEYS.p256_jwk("k")]}));
    assert!(verifier().verify(&token, &of_two_kinds, NOW).is_ok());
}

#[test]
fn another_issuer_or_audience_is_refused_though_the_signature_holds() {
    let token = KEYS.sign(&json!({"alg": "ES256", "kid": "p256"}), &claims());
    let refused = |issuer, audience| Verifier::new(issuer, audience, "groups").verify(&token, &jwks(), NOW);
    assert!(refused(ISSUER, AUDIENCE).is_ok());
    assert!(matches!(refused("https://id.example/", AUDIENCE), Err(TokenError::Claim { claim: "iss", .. })));
    assert!(matches!(refused(ISSUER, "affidavit2"), Err(TokenError::Claim { claim: "aud", .. })));
}

#[test]
fn notices_and_key_bound_tokens_are_no_logins() {
    for claim in ["events", "cnf"] {
        assert!(matches!(verify(&claims_with(json!({claim: {}}))), Err(TokenError::Claim { .. })));
    }
    for typ in ["logout+jwt", "dpop+jwt", ""] {
        let refusal = attempt(&json!({"alg": "ES256", "kid": "p256", "typ": typ}));
        assert_eq!(refusal, Err(TokenError::Header { header: "typ" }));
    }
    assert_eq!(attempt(&json!({"alg": "ES256", "kid": "p256", "typ": "at+JWT"})), Ok(()));
    let refusal = attempt(&json!({"alg": "ES256", "kid": "p256", "crit": ["exp"]}));
    assert_eq!(refusal, Err(TokenError::Header { header: "crit" }));
}

#[test]
fn a_claim_that_stands_twice_is_refused() {
    let twice = claims().to_string().replacen('{', r#"{"sub":"admin","#, 1);
    let token = KEYS.sign_text(r#"{"alg":"ES256","kid":"p256"}"#, &twice, "ES256");
    assert!(matches!(verifier().verify(&token, &jwks(), NOW), Err(TokenError::Malformed { .. })));
}

#[test]
fn an_oversized_token_is_refused_before_it_is_decoded() {
    let token = KEYS.sign(&json!({"alg": "ES256", "kid": "p256"}), &claims_with(json!({"name": "x".repeat(20_000)})));
    assert!(matches!(verifier().verify(&token, &jwks(), NOW), Err(TokenError::TooLong { .. })));
}

#[test]
fn the_issuer_of_an_unverified_token_is_only_a_hint() {
    let stranger = Keys::generate().sign(&json!({"alg": "ES256", "kid": "p256"}), &claims());
    assert_eq!(unverified_issuer(&stranger).unwrap(), ISSUER);
    for bad in ["", ".", "..", "a.b.c", "a.b.c.d", "é.é.é"] {
        assert!(unverified_issuer(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn keys_that_cannot_verify_are_left_out() {
    let usable = |key: Value| Jwks::parse(json!({"keys": [key]}).to_string().as_bytes()).map(|_| ());
    let changed = |name: &str, value: Value| {
        let mut key = KEYS.rsa_jwk("k");
        key[name] = value;
        key
    };
    assert_eq!(usable(KEYS.rsa_jwk("k")), Ok(()));
    for key in [
        changed("use", json!("enc")),
        changed("key_ops", json!(["encrypt"])),
        changed("alg", json!("HS256")),
        changed("alg", json!("RSA-OAEP")),
        changed("kty", json!("oct")),
        changed("n", json!(encode(&[0xff; 128]))),
        changed("n", json!(encode(&[0xff; 4096]))),
        json!({"kty": "oct", "k": encode(b"secret"), "kid": "k"}),
        json!({"kty": "EC", "crv": "P-384", "x": "AA", "y": "AA"}),
        json!({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}),
        json!("key"),
    ] {
        assert_eq!(usable(key.clone()), Err(JwksError::NoUsableKey), "{key}");
    }
    assert_eq!(Jwks::parse(b"[]").map(|_| ()), Err(JwksError::Malformed));
    let many = json!({"keys": vec![KEYS.p256_jwk("k"); 65]}).to_string();
    assert!(matches!(Jwks::parse(many.as_bytes()), Err(JwksError::TooLarge { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever one byte of a token is changed to, it no longer verifies.
    #[test]
    fn any_changed_byte_is_noticed(position in 0usize..10_000, byte in 0u8..128, which in 0usize..4) {
        let (alg, kid) = [("RS256", "rsa"), ("PS256", "rsa"), ("ES256", "p256"), ("EdDSA", "ed25519")][which];
        let token = KEYS.sign(&json!({"alg": alg, "kid": kid}), &claims());
        let mut bytes = token.into_bytes();
        let position = position % bytes.len();
        prop_assume!(bytes[position] != byte);
        bytes[position] = byte;
        let changed = String::from_utf8(bytes).unwrap();
        prop_assert!(verifier().verify(&changed, &jwks(), NOW).is_err());
    }

    /// No input makes the verifier panic or repeat what it was given.
    #[test]
    fn errors_never_repeat_the_token(header in "\\PC{0,40}", payload in "[a-z]{12,40}", raw in any::<bool>()) {
        let token = if raw {
            format!("{header}.{payload}.{payload}")
        } else {
            KEYS.sign_text(&json!({"alg": "ES256", "kid": "p256", "x": header}).to_string(),
                &json!({"iss": payload, "sub": payload}).to_string(), "ES256")
        };
        let error = verifier().verify(&token, &jwks(), NOW).unwrap_err();
        let told = format!("{error} {error:?}");
        prop_assert!(!told.contains(&payload));
    }

    /// A verified token tells exactly the subject and groups that were signed.
    #[test]
    fn what_is_signed_is_what_is_told(subject in "[ -~]{1,255}", groups in proptest::collection::btree_set("[a-z0-9:/-]{1,20}", 0..20)) {
        let principal = verify(&claims_with(json!({"sub": subject, "groups": groups}))).unwrap();
        prop_assert_eq!(principal.subject, subject);
        prop_assert_eq!(principal.groups, groups.into_iter().collect::<Vec<_>>());
    }
}
