//! Keyed digests of results: what an outcome tells of rows that are not on record. Without the session's key nothing can
//! be guessed from one; with it, whoever has a file can tell whether it is what the client got. `SPEC.md`, section
//! "Results", is normative.

use std::fmt;

use aws_lc_rs::hmac;

use crate::digest::Sha256Digest;

/// Key of one session's digests of results.
#[derive(Clone)]
pub struct ResultKey(hmac::Key);

/// The digest of one execution's rows, as far as they came.
#[derive(Clone)]
pub struct ResultDigest(hmac::Context);

impl ResultKey {
    /// The key that these bytes are.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// The digest of no rows yet.
    #[must_use]
    pub fn begin(&self) -> ResultDigest {
        ResultDigest(hmac::Context::with_key(&self.0))
    }
}

impl ResultDigest {
    /// Takes up a part of a row.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// HMAC-SHA-256 (FIPS 198-1) of all that was taken up; more may follow.
    #[must_use]
    pub fn so_far(&self) -> Sha256Digest {
        let mut digest = [0; 32];
        for (to, from) in digest.iter_mut().zip(self.0.clone().sign().as_ref()) {
            *to = *from;
        }
        Sha256Digest::from_bytes(digest)
    }
}

impl fmt::Debug for ResultKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResultKey(HMAC-SHA-256)")
    }
}

impl fmt::Debug for ResultDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResultDigest(HMAC-SHA-256)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_the_hmac_of_all_parts_and_may_go_on() {
        // RFC 4231 pads short keys with zeros, so its test case 2 ("Jefe") serves.
        let mut key = [0; 32];
        key[..4].copy_from_slice(b"Jefe");
        let mut digest = ResultKey::new(&key).begin();
        digest.update(b"what do ya want ");
        let before = digest.so_far();
        digest.update(b"for nothing?");
        let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(digest.so_far().to_string(), expected);
        assert_ne!(before, digest.so_far());
    }
}
