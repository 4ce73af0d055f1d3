//! The certifier. Two ask for something: a schedule, that the long-lived keys be certified; and a relay, for a
//! certificate of its new life's key.
//!
//! **Which relay asks is never the caller's to say.** Each relay may invoke the alias of its own name alone (IAM sees to
//! that), and the name is taken from the ARN that Lambda says was invoked. Who invokes the function itself gets no
//! relay's certificate.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws::{Deployment, Environment, EnvironmentError};
use functions::certifier::{self, CertifierError, Env, Policy, Request};
use functions::signing::Env as SigningEnv;
use functions::trust::{self, TrustError};
use lambda_runtime::{Diagnostic, LambdaEvent};
use schemas::dsse::Envelope;
use schemas::identifiers::Name;
use schemas::signature::PublicKey;
use seams::KeyName;
use serde::Deserialize;

use crate::deployment::{Patience, StartError, deployment, signing, store};
use crate::metrics::Metrics;
use crate::opened::Opened;

/// The certifier and what it tells.
#[derive(Clone)]
pub struct Certifying {
    env: Env,
    signing: SigningEnv,
    metrics: Metrics,
}

/// What is asked.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Asked {
    /// By the schedule.
    Keys(KeysAsked),
    /// By a relay.
    Relay(RelayAsked),
}

/// That the keys in use be certified, unless they are: `{"certify":"keys"}`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeysAsked {
    #[serde(rename = "certify")]
    _certify: Keys,
}

#[derive(Debug, Deserialize)]
enum Keys {
    #[serde(rename = "keys")]
    Keys,
}

/// A certificate for the relay whose alias was invoked: `{"key":…,"build":…}`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RelayAsked {
    /// The key of its new life.
    key: PublicKey,
    /// Build of its program, as it claims.
    build: String,
}

/// Why nothing was certified.
#[derive(Debug, thiserror::Error)]
pub enum CertifyingError {
    /// Not by this way.
    #[error("{0}")]
    Way(&'static str),
    /// The relay's certificate.
    #[error(transparent)]
    Relay(#[from] CertifierError),
    /// That of the keys.
    #[error(transparent)]
    Keys(#[from] TrustError),
}

impl Certifying {
    /// Reads the environment. The buckets are opened with the first event.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn start(environment: &Environment) -> Result<Opened<Self>, StartError> {
        let deployment = deployment(environment, Patience::Short)?;
        let policy = policy(environment, &deployment)?;
        let keys = deployment.keys(environment, &KeyName::ALL)?;
        let metrics = Metrics::read(environment)?;
        let said = (deployment, policy, keys, metrics);
        Ok(Opened::by(said, async |(deployment, policy, keys, metrics)| {
            let signing = signing(&deployment, Arc::new(store(&deployment).await?), keys);
            Ok(Self::new(policy, signing, metrics))
        }))
    }

    /// Over these.
    #[must_use]
    pub fn new(policy: Policy, signing: SigningEnv, metrics: Metrics) -> Self {
        let (keys, store, now_us) = (signing.keys.clone(), signing.store.clone(), signing.now_us.clone());
        Self { env: Env { keys, store, policy, now_us }, signing, metrics }
    }

    /// Certifies. A relay's certificate is the answer, and storing it is the relay's; that of the keys is stored here.
    ///
    /// # Errors
    /// [`CertifyingError`].
    pub async fn handle(&self, event: LambdaEvent<Asked>) -> Result<Option<Envelope>, CertifyingError> {
        let arn = event.context.invoked_function_arn;
        let certified = self.certify(event.payload, &arn).await.inspect_err(|error| {
            tracing::error!(%error, arn, "not certified");
            self.metrics.count(&[("NotCertified", 1)]);
        })?;
        self.metrics.count(&[("Certified", 1)]);
        Ok(certified)
    }

    async fn certify(&self, asked: Asked, arn: &str) -> Result<Option<Envelope>, CertifyingError> {
        match (asked, alias(arn)?) {
            (Asked::Keys(_), None) => Ok(trust::certify(&self.signing).await.map(|()| None)?),
            (Asked::Relay(RelayAsked { key, build }), Some(relay)) => {
                let (tenant, environment) = (self.signing.tenant.clone(), self.signing.environment.clone());
                let request = Request { tenant, environment, relay, key, build };
                Ok(Some(certifier::certify(&self.env, request).await?))
            }
            (Asked::Keys(_), Some(_)) => Err(CertifyingError::Way("an alias certifies its relay and no keys")),
            (Asked::Relay(_), None) => Err(CertifyingError::Way("expected that a relay invokes the alias of its name")),
        }
    }
}

impl From<CertifyingError> for Diagnostic {
    fn from(error: CertifyingError) -> Self {
        let is_final =
            matches!(error, CertifyingError::Way(_) | CertifyingError::Relay(CertifierError::Refused { .. }));
        let kind = if is_final { "Refused" } else { "TryAgain" };
        Self { error_type: kind.to_owned(), error_message: error.to_string() }
    }
}

impl fmt::Debug for Certifying {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certifying").field("env", &self.env).finish_non_exhaustive()
    }
}

/// The alias in `arn:…:function:<name>[:<alias>]`; none when the function itself was invoked.
fn alias(arn: &str) -> Result<Option<Name>, CertifyingError> {
    let segments: Vec<&str> = arn.split(':').collect();
    match segments.as_slice() {
        ["arn", _, "lambda", _, _, "function", _] => Ok(None),
        ["arn", _, "lambda", _, _, "function", _, alias] => {
            alias.parse().map(Some).map_err(|_| CertifyingError::Way("the alias is no relay's name"))
        }
        _ => Err(CertifyingError::Way("expected the ARN of a function, or of its alias")),
    }
}

fn policy(environment: &Environment, deployment: &Deployment) -> Result<Policy, StartError> {
    const RELAYS: &str = "AFFIDAVIT_RELAYS";
    const HOURS: &str = "AFFIDAVIT_CERTIFICATE_HOURS";
    let relays: Vec<Name> = environment.list(RELAYS, "names of relays, with commas")?;
    if relays.is_empty() {
        return Err(EnvironmentError::new(RELAYS, "expected the name of a relay at least").into());
    }
    let hours: u32 = environment.parsed(HOURS, "1 to 168")?;
    let policy = Policy::new(deployment.tenant.clone(), deployment.environment.clone(), relays);
    let validity = Duration::from_secs(u64::from(hours) * 3600);
    policy.with_validity(validity).map_err(|_| EnvironmentError::new(HOURS, "expected 1 to 168").into())
}

#[cfg(test)]
mod tests;
