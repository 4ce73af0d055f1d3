//! A session's key, wrapped: what stands under `keys/`, outside every lock, so that deleting it shreds the session.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::canonical;
use crate::digest::Sha256Digest;
use crate::entropy::Entropy;
use crate::error::Error;
use crate::hex;
use crate::identifiers::SessionId;
use crate::sealed::{NONCE_LENGTH, SealingKey};
use crate::session_key::SessionKey;

/// A wrapped session key. Stored as canonical JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrappedKey {
    /// The session whose key it is; bound into the wrapping.
    pub session: SessionId,
    /// Name of the key that wrapped it.
    pub key_id: String,
    /// What the wrapping key's holder made of it, Base64.
    pub wrapped: String,
}

/// A wrapping key in memory: the local stand-in for a key service's.
#[derive(Clone)]
pub struct WrappingKey(Zeroizing<[u8; 32]>);

impl WrappedKey {
    /// Reads the stored form.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::Malformed`].
    pub fn from_slice(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > WRAPPED_MAX {
            return Err(Error::TooLarge { what: "wrapped key", limit: WRAPPED_MAX as u64 });
        }
        canonical::from_slice("wrapped key", bytes)
    }

    /// The stored form.
    ///
    /// # Errors
    /// Those of [`canonical::to_vec`].
    pub fn to_vec(&self) -> Result<Vec<u8>, Error> {
        canonical::to_vec(self)
    }
}

impl WrappingKey {
    /// A new key.
    ///
    /// # Errors
    /// Those of `entropy`.
    pub fn generate(entropy: &dyn Entropy) -> Result<Self, Error> {
        let mut key = Self(Zeroizing::new([0; 32]));
        entropy.fill(key.0.as_mut_slice())?;
        Ok(key)
    }

    /// Reads 64 lowercase hex digits, surrounding white space allowed.
    ///
    /// # Errors
    /// [`Error::Key`] for anything else.
    pub fn from_hex(text: &str) -> Result<Self, Error> {
        let refused = Error::Key { what: "data key", expected: "64 lowercase hex digits" };
        hex::decode(text.trim()).map(|key| Self(Zeroizing::new(key))).ok_or(refused)
    }

    /// 64 lowercase hex digits, to be wiped by the caller when they were used.
    #[must_use]
    pub fn to_hex(&self) -> Zeroizing<String> {
        Zeroizing::new(hex::encode(self.0.as_slice()))
    }

    /// Name of this key: `local:` and the first 16 hex digits of a digest of the key, which is random and so tells
    /// nothing.
    #[must_use]
    pub fn id(&self) -> String {
        let digest = Sha256Digest::of(&[b"affidavit/wrapping-key-id/v1\0".as_slice(), self.0.as_slice()].concat());
        digest.to_string().chars().take(16).fold("local:".to_owned(), |id, digit| id + digit.encode_utf8(&mut [0; 4]))
    }

    /// Wraps a session's key: AES-256-GCM, bound to the session.
    ///
    /// # Errors
    /// [`Error::Machine`] when entropy or provider fail.
    pub fn wrap(&self, key: &SessionKey, session: &SessionId, entropy: &dyn Entropy) -> Result<WrappedKey, Error> {
        let mut buffer = Zeroizing::new(vec![0; NONCE_LENGTH]);
        buffer.extend_from_slice(key.as_bytes());
        SealingKey::new(&self.0)?.seal(&mut buffer, &binding(session), entropy)?;
        Ok(WrappedKey { session: session.clone(), key_id: self.id(), wrapped: STANDARD.encode(&*buffer) })
    }

    /// Opens what [`WrappingKey::wrap`] made for this session.
    ///
    /// # Errors
    /// [`Error::Sealed`] under another key or for another session.
    pub fn unwrap(&self, wrapped: &WrappedKey, session: &SessionId) -> Result<SessionKey, Error> {
        let refused = Error::Sealed("session key");
        let sealed = STANDARD.decode(&wrapped.wrapped).map_err(|_| refused.clone())?;
        let key = Zeroizing::new(SealingKey::new(&self.0)?.open("session key", &sealed, &binding(session))?);
        key.as_slice().try_into().map(SessionKey::from_bytes).map_err(|_| refused)
    }
}

impl fmt::Debug for WrappingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WrappingKey({})", self.id())
    }
}

fn binding(session: &SessionId) -> Vec<u8> {
    [b"affidavit/wrapped-key/v1\0".as_slice(), session.to_string().as_bytes()].concat()
}

/// A key service's ciphertext of 32 bytes takes some 200 bytes; this leaves room for any.
pub const WRAPPED_MAX: usize = 8 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SystemEntropy;

    #[test]
    fn a_wrapped_key_opens_only_for_its_session_and_key() {
        let first: SessionId = "0123456789abcdef0123456789abcdef-0000000001".parse().unwrap();
        let second = SessionId { counter: 2, ..first.clone() };
        let (data_key, other) =
            (WrappingKey::generate(&SystemEntropy).unwrap(), WrappingKey::generate(&SystemEntropy).unwrap());
        let key = SessionKey::generate(&SystemEntropy).unwrap();
        let wrapped = data_key.wrap(&key, &first, &SystemEntropy).unwrap();
        let wrapped = WrappedKey::from_slice(&wrapped.to_vec().unwrap()).unwrap();
        assert_eq!(data_key.unwrap(&wrapped, &first).unwrap().as_bytes(), key.as_bytes());
        assert!(data_key.unwrap(&wrapped, &second).is_err());
        assert!(other.unwrap(&wrapped, &first).is_err());
        assert_eq!(WrappingKey::from_hex(&data_key.to_hex()).unwrap().id(), data_key.id());
    }
}
