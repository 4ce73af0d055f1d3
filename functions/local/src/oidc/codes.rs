//! Authorization codes: each is used once, soon, by whoever it was made for.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::pkce::Challenge;

/// What a code stands for.
#[derive(Clone)]
pub(super) struct Grant {
    pub(super) redirect: String,
    pub(super) challenge: Challenge,
    pub(super) nonce: String,
    /// Name of who logged in.
    pub(super) user: String,
    /// When, seconds since 1970.
    pub(super) at: u64,
}

/// The codes that nobody used yet.
#[derive(Default)]
pub(super) struct Codes(Mutex<HashMap<String, Grant>>);

impl Codes {
    /// A new code; none when too many are unused, or without random numbers.
    pub(super) fn issue(&self, grant: Grant) -> Option<String> {
        let mut bytes = [0; 32];
        rand::fill(&mut bytes).ok()?;
        let code = URL_SAFE_NO_PAD.encode(bytes);
        let mut unused = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        unused.retain(|_, other| is_young(other, grant.at));
        if unused.len() >= UNUSED_MAX {
            return None;
        }
        unused.insert(code.clone(), grant);
        Some(code)
    }

    /// What the code stands for, once.
    pub(super) fn redeem(&self, code: &str, now: u64) -> Option<Grant> {
        let mut unused = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        unused.remove(code).filter(|grant| is_young(grant, now))
    }
}

fn is_young(grant: &Grant, now: u64) -> bool {
    now < grant.at.saturating_add(CODE_SECONDS)
}

/// RFC 6749 section 4.1.2 asks for ten minutes at most; a program redeems it at once.
const CODE_SECONDS: u64 = 60;
/// Far more than the people on one machine have logins under way.
const UNUSED_MAX: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(at: u64) -> Grant {
        let challenge = Challenge::parse("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM").unwrap();
        Grant { redirect: String::new(), challenge, nonce: String::new(), user: "bob".to_owned(), at }
    }

    #[test]
    fn a_code_is_good_once_and_for_a_minute() {
        let codes = Codes::default();
        let (first, second) = (codes.issue(grant(100)).unwrap(), codes.issue(grant(100)).unwrap());
        assert_ne!(first, second);
        assert_eq!(codes.redeem(&first, 159).unwrap().user, "bob");
        assert!(codes.redeem(&first, 159).is_none());
        assert!(codes.redeem(&second, 160).is_none());
        assert!(codes.redeem("invented", 100).is_none());
    }

    #[test]
    fn unused_codes_are_bounded_and_forgotten() {
        let codes = Codes::default();
        for _ in 0..UNUSED_MAX {
            assert!(codes.issue(grant(100)).is_some());
        }
        assert!(codes.issue(grant(100)).is_none());
        assert!(codes.issue(grant(160)).is_some());
    }
}
