//! Ed25519 (RFC 8032), for signatures that other implementations of transparency logs read: witnesses have no other.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

use crate::error::Error;
use crate::pem;

/// A private key in memory.
pub struct Ed25519Key {
    pair: Ed25519KeyPair,
    public: Ed25519PublicKey,
}

/// A public key: 32 bytes. JSON form: their Base64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Ed25519PublicKey([u8; PUBLIC_LENGTH]);

impl Ed25519Key {
    /// A new key from the provider's generator.
    ///
    /// # Errors
    /// [`Error::Machine`] when the provider fails.
    pub fn generate() -> Result<Self, Error> {
        Self::from_pair(Ed25519KeyPair::generate().map_err(|_| Error::Machine("key generation"))?)
    }

    /// Reads one PEM block `PRIVATE KEY` (PKCS #8), as `openssl genpkey -algorithm ed25519` writes it.
    ///
    /// # Errors
    /// [`Error::Key`] when it is no Ed25519 key.
    pub fn from_pkcs8_pem(text: &str) -> Result<Self, Error> {
        let der = zeroize::Zeroizing::new(pem::decode("PRIVATE KEY", text).ok_or(NOT_A_KEY)?);
        Self::from_pair(Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).map_err(|_| NOT_A_KEY)?)
    }

    /// PEM block `PRIVATE KEY` (PKCS #8), to be wiped by the caller when it was used.
    ///
    /// # Errors
    /// [`Error::Machine`] when the provider fails.
    pub fn to_pkcs8_pem(&self) -> Result<zeroize::Zeroizing<String>, Error> {
        let der = self.pair.to_pkcs8v1().map_err(|_| Error::Machine("key export"))?;
        Ok(zeroize::Zeroizing::new(pem::encode("PRIVATE KEY", der.as_ref())))
    }

    /// The key that verifies what this signs.
    #[must_use]
    pub fn public_key(&self) -> Ed25519PublicKey {
        self.public
    }

    /// Signature over `message`, 64 bytes.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(message).as_ref().to_vec()
    }

    fn from_pair(pair: Ed25519KeyPair) -> Result<Self, Error> {
        let public = Ed25519PublicKey(pair.public_key().as_ref().try_into().map_err(|_| NOT_A_KEY)?);
        Ok(Self { pair, public })
    }
}

impl Ed25519PublicKey {
    /// From its 32 bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; PUBLIC_LENGTH]) -> Self {
        Self(bytes)
    }

    /// Its 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; PUBLIC_LENGTH] {
        &self.0
    }

    /// Checks a signature over `message`.
    ///
    /// # Errors
    /// [`Error::Signature`] when it does not verify.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Error> {
        UnparsedPublicKey::new(&ED25519, &self.0).verify(message, signature).map_err(|_| Error::Signature("message"))
    }
}

impl From<Ed25519PublicKey> for String {
    fn from(key: Ed25519PublicKey) -> Self {
        STANDARD.encode(key.0)
    }
}

impl TryFrom<String> for Ed25519PublicKey {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        let bytes = STANDARD.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or(Error::Key { what: "public key", expected: "Base64 of the 32 bytes of an Ed25519 key" })
    }
}

impl fmt::Debug for Ed25519Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ed25519Key({:?})", self.public)
    }
}

impl fmt::Debug for Ed25519PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ed25519PublicKey({})", crate::hex::encode(&self.0))
    }
}

/// Bytes of a public key.
pub const PUBLIC_LENGTH: usize = 32;
const NOT_A_KEY: Error = Error::Key { what: "private key", expected: "one PEM block PRIVATE KEY with an Ed25519 key" };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_its_file_and_signs_what_it_verifies() {
        let key = Ed25519Key::generate().unwrap();
        let read = Ed25519Key::from_pkcs8_pem(&key.to_pkcs8_pem().unwrap()).unwrap();
        assert_eq!(read.public_key(), key.public_key());
        let signature = read.sign(b"message");
        key.public_key().verify(b"message", &signature).unwrap();
        assert!(key.public_key().verify(b"massage", &signature).is_err());
    }

    // RFC 8032, section 7.1, test 2; the private key in the PKCS #8 form that openssl writes.
    #[test]
    fn the_key_of_the_rfc_signs_as_the_rfc_says() {
        let seed: [u8; 32] =
            crate::hex::decode("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb").unwrap();
        let header: [u8; 16] = crate::hex::decode("302e020100300506032b657004220420").unwrap();
        let der = [&header[..], &seed].concat();
        let key = Ed25519Key::from_pkcs8_pem(&pem::encode("PRIVATE KEY", &der)).unwrap();
        let public = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
        assert_eq!(crate::hex::encode(key.public_key().as_bytes()), public);
        let signature = "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
                         085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";
        assert_eq!(crate::hex::encode(&key.sign(&[0x72])), signature);
    }
}
