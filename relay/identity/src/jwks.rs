//! An issuer's public keys (RFC 7517).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use serde::Deserialize;
use serde_json::Value;

use crate::error::TokenError;
use crate::token::{Algorithm, Header};

/// The keys of one issuer that can verify tokens. What cannot (encryption keys, symmetric keys, other curves, short
/// RSA keys) is left out, as RFC 7517 section 5 asks.
#[derive(Clone, Default)]
pub struct Jwks {
    keys: Vec<Key>,
}

/// A JWK set that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JwksError {
    /// Too large or with too many keys.
    #[error("the key set has more than {limit} {unit}")]
    TooLarge {
        /// The limit.
        limit: usize,
        /// `bytes` or `keys`.
        unit: &'static str,
    },
    /// Not a JSON object with an array `keys`.
    #[error("the key set is not a JSON object with an array `keys`")]
    Malformed,
    /// It holds no key that can verify a token.
    #[error("the key set holds no RSA (2048 to 8192 bits), P-256 or Ed25519 key for signatures")]
    NoUsableKey,
}

impl Jwks {
    /// Reads a JWK set.
    ///
    /// # Errors
    /// [`JwksError`].
    pub fn parse(json: &[u8]) -> Result<Self, JwksError> {
        if json.len() > Self::BYTES_MAX {
            return Err(JwksError::TooLarge { limit: Self::BYTES_MAX, unit: "bytes" });
        }
        let set: KeySet = serde_json::from_slice(json).map_err(|_| JwksError::Malformed)?;
        if set.keys.len() > KEYS_MAX {
            return Err(JwksError::TooLarge { limit: KEYS_MAX, unit: "keys" });
        }
        let keys: Vec<Key> = set.keys.iter().filter_map(Key::read).collect();
        if keys.is_empty() {
            return Err(JwksError::NoUsableKey);
        }
        Ok(Self { keys })
    }

    /// The one key that a header names, of a type that fits its algorithm.
    pub(crate) fn key(&self, header: &Header) -> Result<&DecodingKey, TokenError> {
        let named: Vec<&Key> = match &header.kid {
            Some(kid) => self.keys.iter().filter(|key| key.kid.as_ref() == Some(kid)).collect(),
            None if self.keys.len() > 1 => return Err(TokenError::AmbiguousKey),
            None => self.keys.iter().collect(),
        };
        if named.is_empty() {
            return Err(TokenError::UnknownKey);
        }
        let mut fitting = named.into_iter().filter(|key| key.fits(header.algorithm));
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Ok(&key.verifying),
            (None, _) => Err(TokenError::KeyMismatch),
            (Some(_), Some(_)) => Err(TokenError::AmbiguousKey),
        }
    }

    /// Bytes of a JWK set. Sixty-four RSA keys of 8192 bits with their certificates take less.
    pub const BYTES_MAX: usize = 512 * 1024;
}

impl std::fmt::Debug for Jwks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Jwks({} keys)", self.keys.len())
    }
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Value>,
}

#[derive(Clone)]
struct Key {
    kid: Option<String>,
    kind: KeyKind,
    /// The JWK's own `alg`: when present the key serves no other.
    only: Option<Algorithm>,
    verifying: DecodingKey,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum KeyKind {
    Rsa,
    P256,
    Ed25519,
}

impl Key {
    /// `None` for whatever cannot verify a token.
    fn read(jwk: &Value) -> Option<Self> {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        if text("use").is_some_and(|usage| usage != "sig") || !may_verify(jwk) {
            return None;
        }
        let only = match jwk.get("alg") {
            None => None,
            Some(name) => Some(Algorithm::from_name(name.as_str()?)?),
        };
        let (kind, verifying) = match (text("kty")?, text("crv")) {
            ("RSA", _) => (KeyKind::Rsa, rsa(text("n")?, text("e")?)?),
            ("EC", Some("P-256")) => (KeyKind::P256, p256(text("x")?, text("y")?)?),
            ("OKP", Some("Ed25519")) => (KeyKind::Ed25519, ed25519(text("x")?)?),
            _ => return None,
        };
        Some(Self { kid: text("kid").map(str::to_owned), kind, only, verifying })
    }

    fn fits(&self, algorithm: Algorithm) -> bool {
        let kind = match algorithm {
            Algorithm::Rs256 | Algorithm::Ps256 => KeyKind::Rsa,
            Algorithm::Es256 => KeyKind::P256,
            Algorithm::EdDsa => KeyKind::Ed25519,
        };
        self.kind == kind && self.only.is_none_or(|only| only == algorithm)
    }
}

fn may_verify(jwk: &Value) -> bool {
    match jwk.get("key_ops") {
        None => true,
        Some(operations) => {
            operations.as_array().is_some_and(|all| all.iter().any(|one| one.as_str() == Some("verify")))
        }
    }
}

fn rsa(n: &str, e: &str) -> Option<DecodingKey> {
    let modulus = bytes(n)?;
    let bits = modulus.len().checked_mul(8)?.checked_sub(usize::try_from(modulus.first()?.leading_zeros()).ok()?)?;
    (RSA_BITS_MIN..=RSA_BITS_MAX).contains(&bits).then_some(())?;
    Some(DecodingKey::from_rsa_raw_components(&modulus, &bytes(e)?))
}

fn p256(x: &str, y: &str) -> Option<DecodingKey> {
    let whole = |coordinate: &str| bytes(coordinate).is_some_and(|bytes| bytes.len() == 32);
    if whole(x) && whole(y) { DecodingKey::from_ec_components(x, y).ok() } else { None }
}

fn ed25519(x: &str) -> Option<DecodingKey> {
    let key = bytes(x)?;
    (key.len() == 32).then(|| DecodingKey::from_ed_der(&key))
}

fn bytes(base64url: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(base64url).ok()
}

/// No issuer publishes more; each costs a comparison for every token.
const KEYS_MAX: usize = 64;
/// NIST SP 800-131A: shorter keys are disallowed.
const RSA_BITS_MIN: usize = 2048;
/// What the verifying library takes; longer ones only cost time.
const RSA_BITS_MAX: usize = 8192;
