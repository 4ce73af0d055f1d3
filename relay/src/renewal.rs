//! TLS from secrets: what the relay shows to clients and verifies its peers against. Whoever replaces a certificate before
//! it ends need not restart the relay: secrets are looked at again while it serves.

use std::sync::Arc;
use std::time::Duration;

use seams::{Secret, Secrets, SecretsError};
use serde::Deserialize;
use tokio::time::{sleep, timeout};
use zeroize::Zeroizing;

use crate::config::{Authorities, ListenerTls, SecretArn};
use crate::peers::PeersTls;
use crate::tls::{self, ShownCertificate, TlsError};

/// Makes TLS ready, and makes it anew when the secrets that it came from have changed.
pub(crate) struct Renewals {
    /// Absent where no configuration may name a secret.
    secrets: Option<Arc<dyn Secrets>>,
    watched: Vec<Watched>,
}

/// A secret, as it was last, and what was made of it.
struct Watched {
    arn: SecretArn,
    text: Secret,
    uses: Vec<Use>,
}

enum Use {
    Listener(Arc<ShownCertificate>),
    Peers(Arc<PeersTls>),
}

/// Why TLS cannot be made ready, for the operator.
#[derive(Debug, thiserror::Error)]
pub enum SecretTlsError {
    /// Files, or what a secret holds.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A secret cannot be read.
    #[error(transparent)]
    Secret(#[from] SecretsError),
    /// Its holder does not answer.
    #[error("{0}: no answer in time")]
    TimedOut(String),
    /// A secret is no JSON with what is needed of it.
    #[error("{0}: expected a JSON object with {1}")]
    Malformed(String, &'static str),
}

/// What a listener needs of a secret's JSON.
#[derive(Deserialize)]
struct OwnCertificate {
    certificate: String,
    key: String,
}

/// What peers need of it.
#[derive(Deserialize)]
struct TheirAuthorities {
    ca: String,
}

impl Renewals {
    pub(crate) fn new(secrets: Option<Arc<dyn Secrets>>) -> Self {
        Self { secrets, watched: Vec::new() }
    }

    /// The certificate of a listener.
    ///
    /// # Errors
    /// [`SecretTlsError`], naming file or secret.
    pub(crate) async fn certificate(&mut self, tls: &ListenerTls) -> Result<Arc<ShownCertificate>, SecretTlsError> {
        let arn = match tls {
            ListenerTls::Files { certificate, key } => {
                return Ok(Arc::new(ShownCertificate::read(certificate, key)?));
            }
            ListenerTls::Secret { secret } => secret,
        };
        let watched = self.watch(arn).await?;
        let shown = Arc::new(own_certificate(&watched.arn, &watched.text)?);
        watched.uses.push(Use::Listener(Arc::clone(&shown)));
        Ok(shown)
    }

    /// What peers are verified against.
    ///
    /// # Errors
    /// [`SecretTlsError`], naming file or secret.
    pub(crate) async fn peers(&mut self, ca: &Authorities) -> Result<Arc<PeersTls>, SecretTlsError> {
        let arn = match ca {
            Authorities::File(path) => return Ok(Arc::new(PeersTls::new(tls::authorities(path)?))),
            Authorities::Secret { secret } => secret,
        };
        let watched = self.watch(arn).await?;
        let peers = Arc::new(PeersTls::new(authorities(&watched.arn, &watched.text)?));
        watched.uses.push(Use::Peers(Arc::clone(&peers)));
        Ok(peers)
    }

    /// Looks again and again; ends never, or at once where there is nothing to look at.
    pub(crate) async fn run(mut self) {
        while !self.watched.is_empty() {
            sleep(LOOK_EVERY).await;
            self.look().await;
        }
    }

    /// Looks at every secret. One that is away, or holds nothing that could be served with, changes nothing.
    async fn look(&mut self) {
        let Some(secrets) = &self.secrets else { return };
        for watched in &mut self.watched {
            match read(secrets, &watched.arn).await {
                Ok(text) if text == watched.text => {}
                Ok(text) => match watched.renew(&text) {
                    Ok(()) => {
                        watched.text = text;
                        tracing::info!(secret = %watched.arn, "TLS is renewed from its secret");
                    }
                    Err(error) => tracing::error!(%error, "a secret changed and is of no use: TLS stays as it was"),
                },
                Err(error) => tracing::warn!(%error, "a secret cannot be looked at: TLS stays as it was"),
            }
        }
    }

    async fn watch(&mut self, arn: &SecretArn) -> Result<&mut Watched, SecretTlsError> {
        // One secret usually has both: the relay's certificate and who signed it and its peers'.
        let at = match self.watched.iter().position(|watched| watched.arn == *arn) {
            Some(at) => at,
            None => {
                let nobody = || SecretsError::Refused(arn.to_string());
                let text = read(self.secrets.as_ref().ok_or_else(nobody)?, arn).await?;
                self.watched.push(Watched { arn: arn.clone(), text, uses: Vec::new() });
                self.watched.len().saturating_sub(1)
            }
        };
        self.watched.get_mut(at).ok_or_else(|| SecretsError::Refused(arn.to_string()).into())
    }
}

impl Watched {
    /// All that is made of it, or nothing.
    fn renew(&self, text: &Secret) -> Result<(), SecretTlsError> {
        let mut replacing: Vec<Box<dyn FnOnce() + Send>> = Vec::new();
        for one in &self.uses {
            match one {
                Use::Listener(shown) => {
                    let (shown, new) = (Arc::clone(shown), own_certificate(&self.arn, text)?);
                    replacing.push(Box::new(move || shown.replace(&new)));
                }
                Use::Peers(peers) => {
                    let (peers, new) = (Arc::clone(peers), authorities(&self.arn, text)?);
                    replacing.push(Box::new(move || peers.replace(new)));
                }
            }
        }
        replacing.into_iter().for_each(|replace| replace());
        Ok(())
    }
}

async fn read(secrets: &Arc<dyn Secrets>, arn: &SecretArn) -> Result<Secret, SecretTlsError> {
    let read = timeout(ANSWER_LIMIT, secrets.get(arn.as_str())).await;
    Ok(read.map_err(|_| SecretTlsError::TimedOut(arn.to_string()))??)
}

fn own_certificate(arn: &SecretArn, text: &Secret) -> Result<ShownCertificate, SecretTlsError> {
    let malformed = |_| SecretTlsError::Malformed(arn.to_string(), "certificate and key, texts in PEM");
    let OwnCertificate { certificate, key } = serde_json::from_str(text.text()).map_err(malformed)?;
    let key = Zeroizing::new(key);
    Ok(ShownCertificate::new(arn.as_str(), &certificate, &key)?)
}

fn authorities(arn: &SecretArn, text: &Secret) -> Result<Arc<rustls::ClientConfig>, SecretTlsError> {
    let malformed = |_| SecretTlsError::Malformed(arn.to_string(), "ca, a text in PEM");
    let TheirAuthorities { ca } = serde_json::from_str(text.text()).map_err(malformed)?;
    Ok(tls::authorities_of(arn.as_str(), &ca)?)
}

/// Certificates are replaced days before they end. A look costs half a thousandth of a cent.
const LOOK_EVERY: Duration = Duration::from_mins(5);
/// For a secret, all attempts together.
const ANSWER_LIMIT: Duration = Duration::from_secs(20);

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, PoisonError};

    use async_trait::async_trait;
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
    use rustls::pki_types::ServerName;
    use seams::DatabaseLogin;
    use tokio_rustls::{TlsAcceptor, TlsConnector};

    use super::*;

    struct Holder(Mutex<String>);

    #[async_trait]
    impl Secrets for Holder {
        async fn get(&self, _arn: &str) -> Result<Secret, SecretsError> {
            Ok(Secret::new(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()))
        }

        async fn database_token(&self, login: &DatabaseLogin<'_>) -> Result<Secret, SecretsError> {
            Err(SecretsError::Refused(login.host.to_owned()))
        }
    }

    /// A secret with a certificate for `relay.internal`, and who signed it.
    fn secret() -> String {
        let (ca_key, key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let mut ca = CertificateParams::new(Vec::new()).unwrap();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca_pem = ca.self_signed(&ca_key).unwrap().pem();
        let leaf = CertificateParams::new(vec!["relay.internal".to_owned()]).unwrap();
        let leaf = leaf.signed_by(&key, &Issuer::new(ca, ca_key)).unwrap();
        serde_json::json!({ "certificate": leaf.pem(), "key": key.serialize_pem(), "ca": ca_pem }).to_string()
    }

    fn arn() -> SecretArn {
        SecretArn::try_from("arn:aws:secretsmanager:eu-central-1:1:secret:tls".to_owned()).unwrap()
    }

    /// Whether a client that verifies by `text` takes who serves with this certificate.
    async fn is_trusted(shown: &Arc<ShownCertificate>, text: &str) -> bool {
        let client = authorities(&arn(), &Secret::new(text.to_owned())).unwrap();
        let server = tls::server_config(Arc::clone(shown)).unwrap();
        let (near, far) = tokio::io::duplex(64 * 1024);
        let name = ServerName::try_from("relay.internal").unwrap();
        let (connected, _) =
            tokio::join!(TlsConnector::from(client).connect(name, near), TlsAcceptor::from(server).accept(far));
        connected.is_ok()
    }

    #[tokio::test]
    async fn who_comes_after_a_secret_changed_is_shown_the_new_certificate() {
        let (first, second) = (secret(), secret());
        let holder = Arc::new(Holder(Mutex::new(first.clone())));
        let mut renewals = Renewals::new(Some(Arc::clone(&holder) as _));
        let shown = renewals.certificate(&ListenerTls::Secret { secret: arn() }).await.unwrap();
        renewals.peers(&Authorities::Secret { secret: arn() }).await.unwrap();
        assert_eq!((renewals.watched.len(), renewals.watched[0].uses.len()), (1, 2), "one secret, asked for once");
        assert!(is_trusted(&shown, &first).await && !is_trusted(&shown, &second).await);
        // What cannot be served with, in part or whole, changes nothing.
        let mut torn: serde_json::Value = serde_json::from_str(&second).unwrap();
        let whole = torn.clone();
        torn["ca"] = "".into();
        let mut strange = whole.clone();
        strange["key"] = serde_json::from_str::<serde_json::Value>(&first).unwrap()["key"].clone();
        for bad in [torn.to_string(), strange.to_string(), "{}".to_owned(), "no JSON".to_owned()] {
            *holder.0.lock().unwrap() = bad;
            renewals.look().await;
            assert!(is_trusted(&shown, &first).await);
        }
        *holder.0.lock().unwrap() = second.clone();
        renewals.look().await;
        assert!(is_trusted(&shown, &second).await && !is_trusted(&shown, &first).await);
    }

    #[tokio::test]
    async fn a_secret_that_is_of_no_use_is_named_and_not_told() {
        let holder = Arc::new(Holder(Mutex::new(r#"{"certificate":"hunter2"}"#.to_owned())));
        let mut renewals = Renewals::new(Some(holder as _));
        let error = renewals.certificate(&ListenerTls::Secret { secret: arn() }).await.unwrap_err();
        let told = format!("{error} {error:?}");
        assert!(
            told.contains("secret:tls") && told.contains("certificate and key") && !told.contains("hunter2"),
            "{told}"
        );
    }
}
