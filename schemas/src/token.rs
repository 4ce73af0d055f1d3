//! Tokens: what an event tells of a value. Equal values in one session have equal tokens; without the session's key
//! nothing can be guessed from one.

use std::fmt;

use aws_lc_rs::hmac;

use crate::hex;

/// Key of one session's tokens.
#[derive(Clone)]
pub struct TokenKey(hmac::Key);

impl TokenKey {
    /// The key that these bytes are.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// First 16 hex digits of HMAC-SHA-256 (FIPS 198-1) over the value's bytes.
    #[must_use]
    pub fn token(&self, value: &[u8]) -> String {
        let tag = hmac::sign(&self.0, value);
        hex::encode(tag.as_ref().first_chunk::<TOKEN_LENGTH>().unwrap_or(&[0; TOKEN_LENGTH]))
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey(HMAC-SHA-256)")
    }
}

/// 64 bits: two different values of one session share a token once in billions of values, and events stay short.
const TOKEN_LENGTH: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_the_head_of_the_hmac() {
        // RFC 4231 pads short keys with zeros, so its test case 2 ("Jefe") serves.
        let mut key = [0; 32];
        key[..4].copy_from_slice(b"Jefe");
        assert_eq!(TokenKey::new(&key).token(b"what do ya want for nothing?"), "5bdcc146bf60754e");
    }
}
