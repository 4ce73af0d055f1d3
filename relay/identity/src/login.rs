//! A login made for one purpose, such as signing one decision.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use serde_json::Value;

use crate::error::TokenError;
use crate::members::Members;
use crate::principal::{Kind, Principal};
use crate::token::Header;
use crate::verifier::{LEEWAY_SECONDS, date};

/// What an ID token must say to prove that a person has just logged in for one purpose, and for no other.
#[derive(Clone, Copy)]
pub struct Login<'a> {
    /// The `nonce` of the authentication request (OpenID Connect Core 1.0 section 3.1.2.1), which ties the token to
    /// the purpose. Compared in constant time; an empty one is never met.
    pub nonce: &'a str,
    /// Seconds since 1970: the token's `iat` and `auth_time` must not be earlier. An issuer's clock may be 30 seconds
    /// behind. Without `auth_time` a token is no sign of a fresh login: single sign-on gives one with any nonce and a new
    /// `iat` to whoever sends the person's browser past the issuer. With 0 any login will do, and none need be told of.
    pub since_unix: u64,
}

impl Login<'_> {
    /// Checks claims whose signature, issuer, audience and times have been checked.
    pub(crate) fn check(
        &self,
        header: &Header,
        claims: &Members,
        client: &str,
        principal: &Principal,
    ) -> Result<(), TokenError> {
        if header.is_access_token {
            return Err(TokenError::Header { header: "typ" });
        }
        if claims.get("azp").is_some_and(|azp| azp.as_str() != Some(client)) {
            return Err(TokenError::Claim { claim: "azp", expected: "the client that asked for the login" });
        }
        if !self.has_nonce(claims) {
            return Err(TokenError::Claim { claim: "nonce", expected: "the one that this login was asked for with" });
        }
        let earliest = self.since_unix.saturating_sub(LEEWAY_SECONDS);
        let issued_at = date(claims, "iat")?.ok_or(NOT_FRESH)?;
        if issued_at < earliest {
            return Err(NOT_FRESH);
        }
        match date(claims, "auth_time")? {
            Some(logged_in) if logged_in < earliest => return Err(NOT_FRESH),
            None if self.since_unix > 0 => return Err(NOT_TOLD),
            Some(_) | None => {}
        }
        if principal.kind != Kind::User {
            return Err(TokenError::Claim { claim: "sub", expected: "a person, neither a service nor an agent" });
        }
        Ok(())
    }

    fn has_nonce(&self, claims: &Members) -> bool {
        let claimed = claims.get("nonce").and_then(Value::as_str).unwrap_or_default();
        !self.nonce.is_empty() && verify_slices_are_equal(claimed.as_bytes(), self.nonce.as_bytes()).is_ok()
    }
}

impl std::fmt::Debug for Login<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login").field("since_unix", &self.since_unix).finish_non_exhaustive()
    }
}

const NOT_FRESH: TokenError =
    TokenError::Claim { claim: "iat", expected: "a login made after it was asked for, not an earlier one" };
const NOT_TOLD: TokenError = TokenError::Claim {
    claim: "auth_time",
    expected: "when the person logged in, which the issuer must be set up to tell",
};
