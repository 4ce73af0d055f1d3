//! Verification of a token against an issuer's keys.

use jsonwebtoken::Algorithm as Signing;
use serde_json::Value;

use crate::claims;
use crate::error::TokenError;
use crate::jwks::Jwks;
use crate::login::Login;
use crate::members::Members;
use crate::principal::Principal;
use crate::token::{Algorithm, CompactToken};

/// What one issuer's tokens must say to be accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verifier {
    issuer: String,
    audience: String,
    groups_claim: String,
}

impl Verifier {
    /// Accepts tokens whose `iss` is `issuer` and whose `aud` is or contains `audience`, both compared exactly;
    /// groups are read from the claim `groups_claim`.
    #[must_use]
    pub fn new(issuer: impl Into<String>, audience: impl Into<String>, groups_claim: impl Into<String>) -> Self {
        Self { issuer: issuer.into(), audience: audience.into(), groups_claim: groups_claim.into() }
    }

    /// The issuer whose tokens these are.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Verifies a token at `now_unix` (seconds since 1970) and tells whose it is. Nothing in the claims is looked at
    /// before the signature holds.
    ///
    /// # Errors
    /// [`TokenError`]; [`TokenError::UnknownKey`] means that fresh keys may help.
    pub fn verify(&self, token: &str, keys: &Jwks, now_unix: u64) -> Result<Principal, TokenError> {
        self.verify_parsed(&CompactToken::parse(token)?, keys, now_unix).map(|(principal, _)| principal)
    }

    /// Verifies the ID token of a login that was made for one purpose: [`Verifier::verify`], and what [`Login`] asks.
    /// The audience is then the client's id.
    ///
    /// # Errors
    /// Those of [`Verifier::verify`]; [`TokenError::Claim`] names what the login lacks.
    pub fn verify_login(
        &self,
        token: &str,
        keys: &Jwks,
        now_unix: u64,
        login: &Login<'_>,
    ) -> Result<Principal, TokenError> {
        let token = CompactToken::parse(token)?;
        let (principal, claims) = self.verify_parsed(&token, keys, now_unix)?;
        login.check(&token.header, &claims, &self.audience, &principal)?;
        Ok(principal)
    }

    fn verify_parsed(
        &self,
        token: &CompactToken<'_>,
        keys: &Jwks,
        now_unix: u64,
    ) -> Result<(Principal, Members), TokenError> {
        let key = keys.key(&token.header)?;
        let signed = token.signed.as_bytes();
        match jsonwebtoken::crypto::verify(token.signature, signed, key, signing(token.header.algorithm)) {
            Ok(true) => {}
            Ok(false) | Err(_) => return Err(TokenError::Signature),
        }
        let claims = token.claims()?;
        self.check_parties(&claims)?;
        check_purpose(&claims)?;
        let expires_at = check_times(&claims, now_unix)?;
        let principal = claims::principal(&claims, &self.issuer, &self.groups_claim, expires_at)?;
        Ok((principal, claims))
    }

    fn check_parties(&self, claims: &Members) -> Result<(), TokenError> {
        if claims.get("iss").and_then(Value::as_str) != Some(&self.issuer) {
            return Err(TokenError::Claim { claim: "iss", expected: "the configured issuer" });
        }
        let is_ours = |value: &Value| value.as_str() == Some(&self.audience);
        let addressed = match claims.get("aud") {
            Some(Value::Array(all)) => all.iter().any(is_ours),
            Some(one) => is_ours(one),
            None => false,
        };
        if addressed {
            Ok(())
        } else {
            Err(TokenError::Claim { claim: "aud", expected: "the configured audience among them" })
        }
    }
}

/// Refuses what an issuer signs with the same keys and for the same audience, yet means otherwise.
fn check_purpose(claims: &Members) -> Result<(), TokenError> {
    if claims.get("events").is_some() {
        // A security event, such as a logout token (OpenID Connect Back-Channel Logout 1.0 section 2.4).
        return Err(TokenError::Claim { claim: "events", expected: "none: this is a notice, not a login" });
    }
    if claims.get("cnf").is_some() {
        // Proof of a key that a password message cannot carry (RFC 7800); as a bearer it may be stolen.
        return Err(TokenError::Claim { claim: "cnf", expected: "none: the token is bound to a key" });
    }
    Ok(())
}

fn check_times(claims: &Members, now: u64) -> Result<u64, TokenError> {
    let expires_at = date(claims, "exp")?.ok_or(NO_EXPIRY)?;
    // No leeway here: a session ends at `exp`, so one that began later would end at once.
    if now >= expires_at {
        return Err(TokenError::Expired);
    }
    for claim in ["nbf", "iat"] {
        if date(claims, claim)?.is_some_and(|from| from > now.saturating_add(LEEWAY_SECONDS)) {
            return Err(TokenError::NotYetValid);
        }
    }
    Ok(expires_at)
}

/// A `NumericDate` in whole seconds: RFC 7519 section 2 allows fractions, which are cut off.
pub(crate) fn date(claims: &Members, claim: &'static str) -> Result<Option<u64>, TokenError> {
    let Some(value) = claims.get(claim) else { return Ok(None) };
    let cut = |seconds: f64| format!("{:.0}", seconds.floor()).parse().ok();
    let seconds: Option<u64> = value.as_u64().or_else(|| value.as_f64().and_then(cut));
    match seconds {
        Some(seconds) if seconds <= DATE_MAX => Ok(Some(seconds)),
        _ => Err(TokenError::Claim { claim, expected: "seconds since 1970" }),
    }
}

fn signing(algorithm: Algorithm) -> Signing {
    match algorithm {
        Algorithm::Rs256 => Signing::RS256,
        Algorithm::Ps256 => Signing::PS256,
        Algorithm::Es256 => Signing::ES256,
        Algorithm::EdDsa => Signing::EdDSA,
    }
}

const NO_EXPIRY: TokenError = TokenError::Claim { claim: "exp", expected: "seconds since 1970" };

/// Seconds that the issuer's clock may be ahead of ours, or behind it.
pub(crate) const LEEWAY_SECONDS: u64 = 30;

/// 2^53 - 1, the largest integer that every JSON reader agrees on.
const DATE_MAX: u64 = 9_007_199_254_740_991;
