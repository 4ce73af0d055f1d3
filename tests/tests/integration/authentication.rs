//! Who is not proven to be somebody does not come in, and is told so with a SQLSTATE of class 28.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::TcpStream;
use std::process::Command;

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use crate::harness::{RawClient, Relay, Said, raw};

#[test]
fn a_token_that_is_none_is_refused() {
    for password in ["", "secret", "a.b.c", &"x".repeat(5000)] {
        let error = refusal(password);
        assert_eq!(error[&'S'], "FATAL");
        assert!(error[&'C'].starts_with("28"), "{error:?}");
    }
}

#[test]
fn an_expired_token_is_refused_and_the_client_is_told_why() {
    let error = refusal(&Forgery::of("alice").with("exp", now() - 3600).with("iat", now() - 7200).sign());
    assert!(error[&'C'].starts_with("28"), "{error:?}");
    assert!(error[&'M'].contains("expired"), "{error:?}");
}

#[test]
fn a_token_for_another_audience_is_refused() {
    let error = refusal(&Forgery::of("alice").with("aud", "payroll").sign());
    assert!(error[&'C'].starts_with("28"), "{error:?}");
}

#[test]
fn a_token_of_another_issuer_or_key_is_refused() {
    let other_issuer = Forgery::of("alice").with("iss", "http://127.0.0.1:1/").sign();
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key");
    Said::by(Command::new("openssl").args(["genpkey", "-algorithm", "RSA", "-out"]).arg(&key)).ok();
    let other_key = Forgery::of("alice").sign_with(&std::fs::read(key).unwrap());
    for token in [other_issuer, other_key] {
        let error = refusal(&token);
        assert!(error[&'C'].starts_with("28"), "{error:?}");
    }
}

#[test]
fn the_forgeries_are_refused_for_what_is_changed_in_them_alone() {
    let relay = Relay::shared();
    let said = crate::harness::psql(&relay.connection_with("alice", &Forgery::of("alice").sign()), &["SELECT 1"]);
    said.ok();
}

#[test]
fn neither_tokens_nor_passwords_are_logged() {
    let token = Forgery::of("alice").with("aud", "payroll").sign();
    refusal(&token);
    refusal("a-password-of-somebody");
    let log = Relay::shared().log();
    let signature = token.rsplit_once('.').unwrap().1;
    assert!(!log.contains(signature) && !log.contains("a-password-of-somebody"));
}

#[test]
fn plaintext_is_refused_before_any_password_is_asked_for() {
    let (host, port) = Relay::shared().address();
    let mut stream = TcpStream::connect((host, port)).unwrap();
    stream.write_all(&raw::startup("alice")).unwrap();
    let message = raw::read_message(&mut stream).expect("the relay answers");
    assert_eq!(message.tag, 'E', "an error, and no request for a password");
    let error = message.fields();
    assert_eq!(error[&'S'], "FATAL");
    assert!(error[&'C'].starts_with("28"), "{error:?}");
    assert!(error[&'M'].to_uppercase().contains("TLS") || error[&'M'].to_uppercase().contains("SSL"), "{error:?}");
    assert!(raw::read_message(&mut stream).is_none(), "and the connection ends");
}

/// The fields of the `ErrorResponse` that this password gets.
fn refusal(password: &str) -> BTreeMap<char, String> {
    let mut client = RawClient::connect(Relay::shared());
    client.start("alice");
    client.password(password);
    client.error()
}

/// A true token's header and claims, to be changed and signed anew.
struct Forgery {
    kid: String,
    claims: Value,
}

impl Forgery {
    fn of(name: &str) -> Self {
        let token = Relay::shared().token(name);
        let kid = jsonwebtoken::decode_header(&token).unwrap().kid.unwrap();
        let claims = jsonwebtoken::dangerous::insecure_decode::<Value>(&token).unwrap().claims;
        Self { kid, claims }
    }

    fn with(mut self, claim: &str, value: impl Into<Value>) -> Self {
        self.claims[claim] = value.into();
        self.claims["jti"] = json!(format!("{claim} changed"));
        self
    }

    fn sign(self) -> String {
        self.sign_with(&std::fs::read(Relay::shared().issuer_key()).unwrap())
    }

    fn sign_with(self, key: &[u8]) -> String {
        let header = Header { kid: Some(self.kid), ..Header::new(Algorithm::RS256) };
        jsonwebtoken::encode(&header, &self.claims, &EncodingKey::from_rsa_pem(key).unwrap()).unwrap()
    }
}

fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}
