//! An issuer with real keys, which signs whatever a test wants signed.

use std::sync::LazyLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
    RsaKeyPair, RsaPublicKeyComponents,
};
use aws_lc_rs::{hmac, signature};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

pub(super) const ISSUER: &str = "https://id.example";
pub(super) const AUDIENCE: &str = "affidavit";
pub(super) const NOW: u64 = 1_795_000_000;

/// One key of each kind; making an RSA key takes a while, so all tests share them.
pub(super) static KEYS: LazyLock<Keys> = LazyLock::new(Keys::generate);

pub(super) struct Keys {
    rsa: RsaKeyPair,
    p256: EcdsaKeyPair,
    ed25519: Ed25519KeyPair,
}

impl Keys {
    pub(super) fn generate() -> Self {
        Self {
            rsa: RsaKeyPair::generate(KeySize::Rsa2048).unwrap(),
            p256: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
            ed25519: Ed25519KeyPair::generate().unwrap(),
        }
    }

    pub(super) fn rsa_jwk(&self, kid: &str) -> Value {
        let public = RsaPublicKeyComponents::<Vec<u8>>::from(self.rsa.public_key());
        json!({"kty": "RSA", "use": "sig", "kid": kid, "n": encode(&public.n), "e": encode(&public.e)})
    }

    pub(super) fn p256_jwk(&self, kid: &str) -> Value {
        let (x, y) = self.p256.public_key().as_ref()[1..].split_at(32);
        json!({"kty": "EC", "crv": "P-256", "kid": kid, "x": encode(x), "y": encode(y)})
    }

    pub(super) fn ed25519_jwk(&self, kid: &str) -> Value {
        json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": encode(self.ed25519.public_key().as_ref())})
    }

    /// The set `rsa`, `p256`, `ed25519`.
    pub(super) fn set(&self) -> Value {
        json!({"keys": [self.rsa_jwk("rsa"), self.p256_jwk("p256"), self.ed25519_jwk("ed25519")]})
    }

    /// Signs with the key that `header.alg` needs; `HS256` is the classic confusion, keyed with the RSA public key.
    pub(super) fn sign(&self, header: &Value, claims: &Value) -> String {
        self.sign_text(&header.to_string(), &claims.to_string(), header["alg"].as_str().unwrap())
    }

    pub(super) fn sign_text(&self, header: &str, claims: &str, algorithm: &str) -> String {
        let signed = format!("{}.{}", encode(header.as_bytes()), encode(claims.as_bytes()));
        let random = SystemRandom::new();
        let message = signed.as_bytes();
        let signature = match algorithm {
            "RS256" => self.rsa_signature(&RSA_PKCS1_SHA256, message),
            "PS256" => self.rsa_signature(&RSA_PSS_SHA256, message),
            "ES256" => self.p256.sign(&random, message).unwrap().as_ref().to_vec(),
            "EdDSA" => self.ed25519.sign(message).as_ref().to_vec(),
            "HS256" => {
                let public = RsaPublicKeyComponents::<Vec<u8>>::from(self.rsa.public_key());
                let key = hmac::Key::new(hmac::HMAC_SHA256, &public.n);
                hmac::sign(&key, message).as_ref().to_vec()
            }
            _ => Vec::new(),
        };
        format!("{signed}.{}", encode(&signature))
    }

    fn rsa_signature(&self, encoding: &'static dyn signature::RsaEncoding, message: &[u8]) -> Vec<u8> {
        let mut signature = vec![0; self.rsa.public_modulus_len()];
        self.rsa.sign(encoding, &SystemRandom::new(), message, &mut signature).unwrap();
        signature
    }
}

/// Claims of a user that are in order at [`NOW`].
pub(super) fn claims() -> Value {
    json!({
        "iss": ISSUER, "sub": "u-1", "aud": AUDIENCE, "exp": NOW + 600, "iat": NOW, "nbf": NOW,
        "name": "Alice", "groups": ["engineers"],
    })
}

pub(super) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
