//! The one secret of a session, from which its other keys are derived. To destroy its wrapped form is to destroy what
//! the session's data blocks hold, and nothing else (crypto-shredding).

use std::fmt;

use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use zeroize::Zeroizing;

use crate::entropy::Entropy;
use crate::error::Error;
use crate::result_digest::ResultKey;
use crate::token::TokenKey;

/// 32 random bytes, never stored unwrapped.
#[derive(Clone)]
pub struct SessionKey(Zeroizing<[u8; 32]>);

/// Seals the session's data blocks (AES-256).
#[derive(Clone)]
pub struct DataKey(Zeroizing<[u8; 32]>);

/// Seals the session's records in the spool (AES-256).
#[derive(Clone)]
pub struct SpoolKey(Zeroizing<[u8; 32]>);

impl SessionKey {
    /// A new key.
    ///
    /// # Errors
    /// Those of `entropy`.
    pub fn generate(entropy: &dyn Entropy) -> Result<Self, Error> {
        let mut key = Self(Zeroizing::new([0; 32]));
        entropy.fill(key.0.as_mut_slice())?;
        Ok(key)
    }

    /// The key that these 32 bytes are.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The 32 bytes, to be wrapped.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Key of the tokens in events.
    ///
    /// # Errors
    /// [`Error::Machine`] when the provider fails.
    pub fn token_key(&self) -> Result<TokenKey, Error> {
        let key = self.derive(b"affidavit/token/v1")?;
        Ok(TokenKey::new(&key))
    }

    /// Key of the digests of results.
    ///
    /// # Errors
    /// [`Error::Machine`] when the provider fails.
    pub fn result_key(&self) -> Result<ResultKey, Error> {
        let key = self.derive(b"affidavit/result/v1")?;
        Ok(ResultKey::new(&key))
    }

    /// Key of the data blocks.
    ///
    /// # Errors
    /// [`Error::Machine`] when the provider fails.
    pub fn data_key(&self) -> Result<DataKey, Error> {
        Ok(DataKey(self.derive(b"affidavit/data/v1")?))
    }

    /// Key of the spool's records.
    ///
    /// # Errors
    /// [`Error::Machine`] when the provider fails.
    pub fn spool_key(&self) -> Result<SpoolKey, Error> {
        Ok(SpoolKey(self.derive(b"affidavit/spool/v1")?))
    }

    // HKDF-SHA-256 (RFC 5869); distinct labels make the keys independent of each other.
    fn derive(&self, label: &[u8]) -> Result<Zeroizing<[u8; 32]>, Error> {
        let mut key = Zeroizing::new([0; 32]);
        Salt::new(HKDF_SHA256, b"affidavit/session-key/v1")
            .extract(self.0.as_slice())
            .expand(&[label], ThirtyTwo)
            .and_then(|expanded| expanded.fill(key.as_mut_slice()))
            .map_err(|_| Error::Machine("HKDF"))?;
        Ok(key)
    }
}

impl DataKey {
    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl SpoolKey {
    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

struct ThirtyTwo;

impl KeyType for ThirtyTwo {
    fn len(&self) -> usize {
        32
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionKey(32 bytes)")
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(32 bytes)")
    }
}

impl fmt::Debug for SpoolKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SpoolKey(32 bytes)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derived_keys_are_stable_and_distinct() {
        let key = SessionKey::from_bytes([7; 32]);
        let (data, spool) = (key.data_key().unwrap(), key.spool_key().unwrap());
        assert_eq!(data.as_bytes(), key.data_key().unwrap().as_bytes());
        assert_ne!(data.as_bytes(), spool.as_bytes());
        assert_ne!(data.as_bytes(), key.as_bytes());
    }
}
