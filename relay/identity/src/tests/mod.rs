//! The crate as its callers see it, against real keys.

mod forgeries;
mod identities;
mod issuer;
mod logins;

use serde_json::{Value, json};

use crate::{Jwks, Principal, TokenError, Verifier};
use issuer::{AUDIENCE, ISSUER, KEYS, NOW, claims};

fn verifier() -> Verifier {
    Verifier::new(ISSUER, AUDIENCE, "groups")
}

fn jwks() -> Jwks {
    parse(&KEYS.set())
}

fn parse(set: &Value) -> Jwks {
    Jwks::parse(set.to_string().as_bytes()).unwrap()
}

/// Verifies a token with these claims, signed as it should be.
fn verify(claims: &Value) -> Result<Principal, TokenError> {
    let token = KEYS.sign(&json!({"alg": "ES256", "kid": "p256", "typ": "JWT"}), claims);
    verifier().verify(&token, &jwks(), NOW)
}

/// Claims in order, with these members changed; `null` removes.
fn claims_with(changes: Value) -> Value {
    let mut all = claims();
    let Value::Object(changes) = changes else { panic!("changes are an object") };
    for (name, value) in changes {
        if value.is_null() {
            all.as_object_mut().unwrap().remove(&name);
        } else {
            all[name] = value;
        }
    }
    all
}
