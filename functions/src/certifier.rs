//! The certifier: says, for a bounded time, that a key is a relay's. It alone may sign with the certificates key.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use schemas::canonical;
use schemas::dsse::{Envelope, Statement, pae};
use schemas::identifiers::Name;
use schemas::layout::Scope;
use schemas::leaf::Certificate;
use schemas::signature::PublicKey;
use seams::{EvidenceStore, KeyName, Keys, KeysError, StoreError};

use crate::revoker;

/// What the certifier works with.
#[derive(Clone)]
pub struct Env {
    /// Holds the certificates key.
    pub keys: Arc<dyn Keys>,
    /// Where revocations are: a key that was revoked is not certified again.
    pub store: Arc<dyn EvidenceStore>,
    /// Whom it may certify.
    pub policy: Policy,
    /// Tells the microseconds since 1970.
    pub now_us: Arc<dyn Fn() -> u64 + Send + Sync>,
}

/// Whom the certifier certifies, and for how long.
#[derive(Debug, Clone)]
pub struct Policy {
    tenant: Name,
    environment: Name,
    relays: Vec<Name>,
    validity: Duration,
}

/// What a relay asks for when it starts. Who asks is checked by whoever carries the request (IAM, one process).
#[derive(Debug, Clone)]
pub struct Request {
    /// The relay's tenant.
    pub tenant: Name,
    /// The relay's environment.
    pub environment: Name,
    /// The relay's name.
    pub relay: Name,
    /// The new incarnation's key.
    pub key: PublicKey,
    /// Build of the relay's program, as it claims: 1 to 128 printable ASCII characters.
    pub build: String,
}

/// Why no certificate was issued.
#[derive(Debug, thiserror::Error)]
pub enum CertifierError {
    /// The relay asked for what policy does not allow.
    #[error("{field}: {problem}")]
    Refused {
        /// Member of the request.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// Whether the key is revoked cannot be known now; the same request may succeed later.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The key could not be used; the same request may succeed later.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The certificate could not be written down.
    #[error(transparent)]
    Schema(#[from] schemas::Error),
}

/// Issues a certificate that is valid from now. Asking again for the same key gives another certificate for it, which
/// is harmless: a key is an incarnation, and its first certificate stands in the store.
///
/// # Errors
/// [`CertifierError`].
pub async fn certify(env: &Env, request: Request) -> Result<Envelope, CertifierError> {
    env.policy.allow(&request)?;
    let (tenant, environment, relay) = (request.tenant.clone(), request.environment.clone(), request.relay.clone());
    let scope = Scope { tenant, environment, relay };
    let root = env.keys.public_key(KeyName::Certificates).await?;
    if revoker::is_revoked(env.store.as_ref(), &root, &scope, &request.key.incarnation()).await? {
        return Err(refused("key", "it is revoked"));
    }
    let not_before_us = (env.now_us)();
    let validity_us = u64::try_from(env.policy.validity.as_micros()).unwrap_or(u64::MAX);
    let certificate = Certificate {
        tenant: request.tenant,
        environment: request.environment,
        relay: request.relay,
        incarnation: request.key.incarnation(),
        spki: request.key,
        not_before_us,
        not_after_us: not_before_us.saturating_add(validity_us),
        build: request.build,
    };
    let payload = canonical::to_vec(&certificate)?;
    let signature = env.keys.sign(KeyName::Certificates, &pae(Certificate::TYPE, &payload)).await?;
    tracing::info!(relay = %certificate.relay, incarnation = %certificate.incarnation, "certified");
    Ok(Envelope::assemble(Certificate::TYPE, payload, &root, signature))
}

impl Policy {
    /// Certifies these relays of one tenant's environment, for [`Policy::VALIDITY`] each time.
    #[must_use]
    pub fn new(tenant: Name, environment: Name, relays: Vec<Name>) -> Self {
        Self { tenant, environment, relays, validity: Self::VALIDITY }
    }

    /// The same policy with another validity.
    ///
    /// # Errors
    /// When it is not between [`Policy::VALIDITY_MIN`] and [`Policy::VALIDITY_MAX`].
    pub fn with_validity(self, validity: Duration) -> Result<Self, CertifierError> {
        if (Self::VALIDITY_MIN..=Self::VALIDITY_MAX).contains(&validity) {
            Ok(Self { validity, ..self })
        } else {
            Err(refused("validity", "expected one minute to seven days"))
        }
    }

    fn allow(&self, request: &Request) -> Result<(), CertifierError> {
        if request.tenant != self.tenant {
            return Err(refused("tenant", "not the one this certifier serves"));
        }
        if request.environment != self.environment {
            return Err(refused("environment", "not the one this certifier serves"));
        }
        if !self.relays.contains(&request.relay) {
            return Err(refused("relay", format_args!("{} is not among the relays it may certify", request.relay)));
        }
        let printable = request.build.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
        if !printable || !(1..=BUILD_MAX).contains(&request.build.len()) {
            return Err(refused("build", "expected 1 to 128 printable ASCII characters"));
        }
        Ok(())
    }

    /// A day: a stolen key serves for no longer, and a relay that runs on gets a new one.
    pub const VALIDITY: Duration = Duration::from_hours(24);
    /// Shorter ones end before a session does.
    pub const VALIDITY_MIN: Duration = Duration::from_mins(1);
    /// Every certificate without a retirement owes heartbeats until it ends (rule 15), so it must end.
    pub const VALIDITY_MAX: Duration = Duration::from_hours(24 * 7);
}

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("certifier::Env").field("policy", &self.policy).finish_non_exhaustive()
    }
}

fn refused(field: &'static str, problem: impl fmt::Display) -> CertifierError {
    CertifierError::Refused { field, problem: problem.to_string() }
}

/// A version, a commit and a target triple take less.
const BUILD_MAX: usize = 128;

#[cfg(test)]
mod tests {
    use schemas::signature::{P256Key, Signer};
    use seams::KeyFiles;

    use super::*;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    fn env(folder: &tempfile::TempDir) -> Env {
        let keys = Arc::new(KeyFiles::open_or_create(folder.path()).unwrap());
        let policy = Policy::new(name("clinic"), name("test"), vec![name("r1")]);
        let store = Arc::new(seams::FileStore::open(folder.path().join("store"), || 0).unwrap());
        Env { keys, store, policy, now_us: Arc::new(|| 1_795_000_000_000_000) }
    }

    fn request() -> Request {
        Request {
            tenant: name("clinic"),
            environment: name("test"),
            relay: name("r1"),
            key: P256Key::generate().unwrap().public_key().clone(),
            build: "relay 0.1.0".to_owned(),
        }
    }

    #[tokio::test]
    async fn a_certificate_names_the_key_and_verifies_under_the_root() {
        let folder = tempfile::tempdir().unwrap();
        let env = env(&folder);
        let request = request();
        let envelope = certify(&env, request.clone()).await.unwrap();
        let root = env.keys.public_key(KeyName::Certificates).await.unwrap();
        let certificate: Certificate = envelope.open(&root).unwrap();
        assert_eq!(certificate.spki, request.key);
        assert_eq!(certificate.incarnation, request.key.incarnation());
        assert_eq!(certificate.not_after_us - certificate.not_before_us, 24 * 3600 * 1_000_000);
        let other = env.keys.public_key(KeyName::Bundles).await.unwrap();
        assert!(envelope.open::<Certificate>(&other).is_err());
    }

    #[tokio::test]
    async fn a_revoked_key_is_not_certified_again_and_another_one_is() {
        let folder = tempfile::tempdir().unwrap();
        let env = env(&folder);
        let request = request();
        let scope = Scope { tenant: name("clinic"), environment: name("test"), relay: name("r1") };
        let certificate = certify(&env, request.clone()).await.unwrap().to_vec().unwrap();
        let place = scope.certificate(&request.key.incarnation());
        env.store.put(&place, &certificate, seams::Retention::none()).await.unwrap();
        let revoker = crate::signing::Env {
            keys: env.keys.clone(),
            store: env.store.clone(),
            tenant: name("clinic"),
            environment: name("test"),
            retention: seams::Retention::none(),
            now_us: Arc::new(|| 7),
        };
        let asked = |key: &PublicKey| revoker::Request {
            relay: name("r1"),
            incarnation: key.incarnation(),
            log_size: None,
            reason: schemas::revocation::RevocationReason::Compromised,
        };
        let stranger = P256Key::generate().unwrap();
        assert!(revoker::revoke(&revoker, asked(stranger.public_key())).await.is_err(), "nobody has this key");
        for _ in 0..2 {
            let revocation = revoker::revoke(&revoker, asked(&request.key)).await.unwrap();
            assert_eq!((revocation.log_size, revocation.log_origin.as_str()), (0, "affidavit/clinic/test"));
        }
        let refused = certify(&env, request).await.unwrap_err();
        assert_eq!(refused.to_string(), "key: it is revoked");
        certify(&env, self::request()).await.unwrap();
    }

    #[tokio::test]
    async fn what_policy_does_not_name_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let env = env(&folder);
        for (field, bad) in [
            ("tenant", Request { tenant: name("other"), ..request() }),
            ("environment", Request { environment: name("production"), ..request() }),
            ("relay", Request { relay: name("r2"), ..request() }),
            ("build", Request { build: String::new(), ..request() }),
            ("build", Request { build: "a\nb".to_owned(), ..request() }),
            ("build", Request { build: "x".repeat(129), ..request() }),
        ] {
            let error = certify(&env, bad).await.unwrap_err();
            assert!(error.to_string().starts_with(field), "{error}");
        }
        assert!(env.policy.with_validity(Duration::from_hours(24 * 8)).is_err());
    }
}
