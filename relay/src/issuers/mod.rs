//! Who may say who somebody is: the configured OpenID Connect issuers and their keys.
//!
//! Keys are fetched by discovery, cached, and fetched again when a token names a key that is not among them, for
//! issuers rotate. While an issuer is away its last keys serve for [`Patience::serve_stale`]: a short outage of the
//! identity provider stops nobody, a long one does, for keys that cannot be refreshed cannot be withdrawn either.

mod fetch;
mod keys;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use identity::{Jwks, Login, Principal, TokenError, Verifier};

use crate::config::{self, ConfigError};
use fetch::Endpoint;
use keys::KeySource;

/// The configured issuers.
pub struct Issuers {
    issuers: Vec<Issuer>,
    clock: UnixClock,
}

/// Tells the seconds since 1970-01-01T00:00:00Z.
pub type UnixClock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// Why a token did not become a principal. The text is safe for the client; what failed inside is logged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthenticationError {
    /// The token itself is at fault.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// No issuer is configured under the token's `iss`.
    #[error("the token is by an issuer that is not configured here")]
    UnknownIssuer,
    /// The issuer's keys cannot be had.
    #[error("the keys of the token's issuer cannot be fetched; try again later")]
    IssuerUnavailable,
}

/// How long keys serve and how often they are asked for.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Keys younger than this are used without asking.
    pub fresh: Duration,
    /// Keys younger than this are used when the issuer does not answer.
    pub serve_stale: Duration,
    /// Between two attempts to fetch one issuer's keys, so that tokens with invented `kid`s cause no flood.
    pub between_fetches: Duration,
    /// For one HTTP exchange.
    pub exchange: Duration,
}

impl Issuers {
    /// Makes ready to ask these issuers; nothing is fetched yet.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] when an issuer is no `https` URL (`http` is accepted for a loopback host).
    pub fn new(issuers: &[config::Issuer]) -> Result<Self, ConfigError> {
        Self::with(issuers, Patience::default(), Arc::new(system_clock))
    }

    /// As [`Issuers::new`], with other time limits and another clock.
    ///
    /// # Errors
    /// As [`Issuers::new`].
    pub fn with(issuers: &[config::Issuer], patience: Patience, clock: UnixClock) -> Result<Self, ConfigError> {
        let mut known: Vec<Issuer> = Vec::new();
        for (index, issuer) in issuers.iter().enumerate() {
            let verifier = Verifier::new(&issuer.issuer, &issuer.audience, &issuer.groups_claim);
            if let Some(same) = known.iter_mut().find(|one| one.url == issuer.issuer) {
                same.verifiers.push(verifier);
                continue;
            }
            let endpoint = Endpoint::new(&issuer.issuer, patience.exchange)
                .map_err(|problem| ConfigError::Invalid { field: format!("issuer[{index}].issuer"), problem })?;
            let keys = KeySource::new(endpoint, patience);
            known.push(Issuer { url: issuer.issuer.clone(), verifiers: vec![verifier], keys });
        }
        Ok(Self { issuers: known, clock })
    }

    /// Verifies a token against the issuer it names, if that one is configured.
    ///
    /// # Errors
    /// [`AuthenticationError`].
    pub async fn authenticate(&self, token: &str) -> Result<Principal, AuthenticationError> {
        self.verify(token, |verifier, jwks, now| verifier.verify(token, jwks, now)).await
    }

    /// Verifies the ID token of a login that was made for one purpose, against the issuer it names.
    ///
    /// # Errors
    /// [`AuthenticationError`].
    pub async fn login(&self, token: &str, login: &Login<'_>) -> Result<Principal, AuthenticationError> {
        self.verify(token, |verifier, jwks, now| verifier.verify_login(token, jwks, now, login)).await
    }

    async fn verify(
        &self,
        token: &str,
        check: impl Fn(&Verifier, &Jwks, u64) -> Result<Principal, TokenError> + Send,
    ) -> Result<Principal, AuthenticationError> {
        let named = identity::unverified_issuer(token)?;
        let issuer = self.issuers.iter().find(|issuer| issuer.url == named);
        let issuer = issuer.ok_or(AuthenticationError::UnknownIssuer)?;
        let keys = issuer.keys.get().await.ok_or(AuthenticationError::IssuerUnavailable)?;
        let mut verified = issuer.verify(|verifier| check(verifier, &keys.jwks, (self.clock)()));
        if verified == Err(TokenError::UnknownKey)
            && let Some(newer) = issuer.keys.newer_than(&keys).await
        {
            verified = issuer.verify(|verifier| check(verifier, &newer.jwks, (self.clock)()));
        }
        Ok(verified?)
    }
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            fresh: Duration::from_mins(10),
            // A night's outage of an identity provider is rare, a morning's common.
            serve_stale: Duration::from_hours(6),
            between_fetches: Duration::from_secs(5),
            exchange: Duration::from_secs(5),
        }
    }
}

impl std::fmt::Debug for Issuers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.issuers.iter().map(|issuer| &issuer.url)).finish()
    }
}

struct Issuer {
    url: String,
    /// One for each audience configured for this issuer; at least one.
    verifiers: Vec<Verifier>,
    keys: KeySource,
}

impl Issuer {
    fn verify(&self, check: impl Fn(&Verifier) -> Result<Principal, TokenError>) -> Result<Principal, TokenError> {
        let mut refusal = TokenError::UnknownKey;
        for verifier in &self.verifiers {
            match check(verifier) {
                Err(error @ TokenError::Claim { claim: "aud", .. }) => refusal = error,
                other => return other,
            }
        }
        Err(refusal)
    }
}

fn system_clock() -> u64 {
    // A clock before 1970 makes every token "not valid yet": fails closed.
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests;
