//! ECDSA P-256 with SHA-256: keys, signatures in DER. `openssl dgst -sha256 -verify` checks them.

use std::fmt;
use std::hash::{Hash, Hasher};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair, ParsedPublicKey,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::digest::Sha256Digest;
use crate::error::Error;
use crate::identifiers::Incarnation;
use crate::pem;

/// A P-256 public key. JSON form: Base64 of its SubjectPublicKeyInfo (DER).
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicKey {
    point: [u8; POINT_LENGTH],
    parsed: std::sync::Arc<ParsedPublicKey>,
}

/// Something that signs: a key in memory here, a key service elsewhere.
pub trait Signer {
    /// The key that verifies what [`Signer::sign`] makes.
    fn public_key(&self) -> &PublicKey;

    /// ECDSA signature over SHA-256 of `message`, DER (RFC 3279 section 2.2.3).
    ///
    /// # Errors
    /// [`Error::Machine`] when the provider fails.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error>;
}

/// A P-256 private key in memory.
pub struct P256Key {
    pair: EcdsaKeyPair,
    public: PublicKey,
}

impl PublicKey {
    /// Reads a SubjectPublicKeyInfo in DER (RFC 5480), uncompressed point.
    ///
    /// # Errors
    /// [`Error::Key`] when it is no P-256 key in exactly that form.
    pub fn from_spki_der(der: &[u8]) -> Result<Self, Error> {
        let point = der.strip_prefix(SPKI_PREFIX).and_then(|point| point.try_into().ok()).ok_or(NOT_A_KEY)?;
        Self::from_point(point)
    }

    /// Reads one PEM block `PUBLIC KEY`.
    ///
    /// # Errors
    /// [`Error::Key`] when it is no P-256 key.
    pub fn from_pem(text: &str) -> Result<Self, Error> {
        Self::from_spki_der(&pem::decode("PUBLIC KEY", text).ok_or(NOT_A_KEY)?)
    }

    /// PEM block `PUBLIC KEY`.
    #[must_use]
    pub fn to_pem(&self) -> String {
        pem::encode("PUBLIC KEY", &self.spki_der())
    }

    /// SubjectPublicKeyInfo in DER.
    #[must_use]
    pub fn spki_der(&self) -> Vec<u8> {
        [SPKI_PREFIX, &self.point].concat()
    }

    /// SHA-256 of the SubjectPublicKeyInfo: the `keyid` of envelopes.
    #[must_use]
    pub fn key_id(&self) -> Sha256Digest {
        Sha256Digest::of(&self.spki_der())
    }

    /// The incarnation whose key this is: the first 32 digits of the key id.
    #[must_use]
    pub fn incarnation(&self) -> Incarnation {
        Incarnation::of_key(&self.key_id())
    }

    /// Checks a DER signature over `message`.
    ///
    /// # Errors
    /// [`Error::Signature`] when it does not verify.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Error> {
        self.parsed.verify_sig(message, signature).map_err(|_| Error::Signature("message"))
    }

    fn from_point(point: [u8; POINT_LENGTH]) -> Result<Self, Error> {
        let parsed = ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).map_err(|_| NOT_A_KEY)?;
        Ok(Self { point, parsed: std::sync::Arc::new(parsed) })
    }
}

impl P256Key {
    /// A new key from the provider's generator.
    ///
    /// # Errors
    /// [`Error::Machine`] when the provider fails.
    pub fn generate() -> Result<Self, Error> {
        let pair =
            EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).map_err(|_| Error::Machine("key generation"))?;
        Self::from_pair(pair)
    }

    /// Reads one PEM block `PRIVATE KEY` (PKCS #8, RFC 5958), as `openssl genpkey` writes it.
    ///
    /// # Errors
    /// [`Error::Key`] when it is no P-256 key.
    pub fn from_pkcs8_pem(text: &str) -> Result<Self, Error> {
        let refused = Error::Key { what: "private key", expected: "one PEM block PRIVATE KEY with a P-256 key" };
        let der = zeroize::Zeroizing::new(pem::decode("PRIVATE KEY", text).ok_or(refused.clone())?);
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &der).map_err(|_| refused)?;
        Self::from_pair(pair)
    }

    /// PEM block `PRIVATE KEY` (PKCS #8), to be wiped by the caller when it was used.
    ///
    /// # Errors
    /// [`Error::Machine`] when the provider fails.
    pub fn to_pkcs8_pem(&self) -> Result<zeroize::Zeroizing<String>, Error> {
        let der = self.pair.to_pkcs8v1().map_err(|_| Error::Machine("key export"))?;
        Ok(zeroize::Zeroizing::new(pem::encode("PRIVATE KEY", der.as_ref())))
    }

    fn from_pair(pair: EcdsaKeyPair) -> Result<Self, Error> {
        let point = pair.public_key().as_ref().try_into().map_err(|_| NOT_A_KEY)?;
        Ok(Self { pair, public: PublicKey::from_point(point)? })
    }
}

impl Signer for P256Key {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let signature = self.pair.sign(&SystemRandom::new(), message).map_err(|_| Error::Machine("signing"))?;
        Ok(signature.as_ref().to_vec())
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.point == other.point
    }
}

impl Eq for PublicKey {}

impl Hash for PublicKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.point.hash(state);
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.key_id())
    }
}

impl fmt::Debug for P256Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "P256Key(public {})", self.public.key_id())
    }
}

impl TryFrom<String> for PublicKey {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        if text.len() > SPKI_TEXT_MAX {
            return Err(NOT_A_KEY);
        }
        Self::from_spki_der(&STANDARD.decode(text).map_err(|_| NOT_A_KEY)?)
    }
}

impl From<PublicKey> for String {
    fn from(key: PublicKey) -> Self {
        STANDARD.encode(key.spki_der())
    }
}

/// SEC 1 uncompressed point of P-256.
const POINT_LENGTH: usize = 65;
/// `SEQUENCE { SEQUENCE { id-ecPublicKey, prime256v1 }, BIT STRING (66 bytes, 0 unused) }` before the point (RFC 5480).
const SPKI_PREFIX: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// Base64 of the 91 bytes above, which take 124 characters.
const SPKI_TEXT_MAX: usize = 124;
const NOT_A_KEY: Error =
    Error::Key { what: "public key", expected: "a P-256 SubjectPublicKeyInfo with an uncompressed point" };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_verifies_under_its_key_and_no_other() {
        let (key, other) = (P256Key::generate().unwrap(), P256Key::generate().unwrap());
        let signature = key.sign(b"message").unwrap();
        key.public_key().verify(b"message", &signature).unwrap();
        assert!(key.public_key().verify(b"massage", &signature).is_err());
        assert!(other.public_key().verify(b"message", &signature).is_err());
    }

    #[test]
    fn keys_survive_their_text_forms() {
        let key = P256Key::generate().unwrap();
        let again = P256Key::from_pkcs8_pem(&key.to_pkcs8_pem().unwrap()).unwrap();
        assert_eq!(again.public_key(), key.public_key());
        assert_eq!(&PublicKey::from_pem(&key.public_key().to_pem()).unwrap(), key.public_key());
        let json = serde_json::to_string(key.public_key()).unwrap();
        assert_eq!(&serde_json::from_str::<PublicKey>(&json).unwrap(), key.public_key());
    }

    #[test]
    fn a_point_off_the_curve_is_no_key() {
        let mut der = P256Key::generate().unwrap().public_key().spki_der();
        *der.last_mut().unwrap() ^= 1;
        assert!(PublicKey::from_spki_der(&der).is_err());
        assert!(PublicKey::from_spki_der(&der[..60]).is_err());
    }

    #[test]
    fn a_private_key_never_shows_in_debug() {
        let key = P256Key::generate().unwrap();
        assert_eq!(format!("{key:?}"), format!("P256Key(public {})", key.public_key().key_id()));
    }
}
