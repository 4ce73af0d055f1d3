//! Proof Key for Code Exchange (RFC 7636), method S256 alone.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// SHA-256 of a code verifier, as the authorization request had it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Challenge([u8; 32]);

impl Challenge {
    /// RFC 7636 section 4.2: 43 characters of base64url.
    pub(super) fn parse(text: &str) -> Option<Self> {
        URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok().map(Self)
    }

    /// RFC 7636 section 4.6.
    pub(super) fn is_met_by(&self, verifier: &str) -> bool {
        let unreserved = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
        VERIFIER_LENGTH.contains(&verifier.len())
            && verifier.bytes().all(unreserved)
            && verify_slices_are_equal(digest(&SHA256, verifier.as_bytes()).as_ref(), &self.0).is_ok()
    }
}

/// RFC 7636 section 4.1.
const VERIFIER_LENGTH: std::ops::RangeInclusive<usize> = 43..=128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_7636_appendix_b_is_met() {
        let challenge = Challenge::parse("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM").unwrap();
        assert!(challenge.is_met_by("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"));
        for other in ["", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXK", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"]
        {
            assert!(!challenge.is_met_by(other), "{other}");
        }
        assert!(Challenge::parse("short").is_none());
    }
}
