//! The relay, as a part of this process.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use functions::certifier;
use relay::clock::SystemClock;
use relay::config::Config;
use relay::evidence::{CertificateRequest, Certifier, CertifierError, EvidenceError};
use relay::serve::{Dependencies, Relay};
use schemas::dsse::Envelope;
use seams::{EvidenceStore, Keys};
use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinHandle};

use crate::error::Error;

/// A serving relay.
pub(crate) struct Relaying {
    address: SocketAddr,
    health: Option<SocketAddr>,
    stop: oneshot::Sender<()>,
    served: Served,
}

enum Served {
    Running(JoinHandle<Result<(), EvidenceError>>),
    Ended(Result<(), Error>),
}

impl Relaying {
    /// Starts the relay; the certifier answers in this process.
    pub(crate) async fn start(
        config: Config,
        store: Arc<dyn EvidenceStore>,
        keys: Arc<dyn Keys>,
        validity: Duration,
        health: Option<SocketAddr>,
    ) -> Result<Self, Error> {
        let (tenant, environment, name) = (config.tenant.clone(), config.environment.clone(), config.relay.clone());
        let policy = certifier::Policy::new(tenant, environment, vec![name]).with_validity(validity);
        let certifier = InProcess(certifier::Env {
            keys: keys.clone(),
            store: store.clone(),
            policy: policy.map_err(Error::of("certifier"))?,
            now_us: Arc::new(|| relay::clock::Clock::now_us(&SystemClock)),
        });
        let dependencies = Dependencies {
            store,
            keys,
            certifier: Arc::new(certifier),
            clock: Arc::new(SystemClock),
            // Passwords and certificates are files here.
            secrets: None,
            health,
        };
        let relay = Relay::start(config, dependencies).await.map_err(Error::of("relay"))?;
        let address = relay.addresses().first().copied().ok_or_else(|| Error::of("relay")("it has no listener"))?;
        let health = relay.health_address();
        let (stop, stopped) = oneshot::channel();
        let served = tokio::spawn(relay.run(async move {
            // A dropped sender is as good as a message.
            let _ = stopped.await;
        }));
        Ok(Self { address, health, stop, served: Served::Running(served) })
    }

    /// Where clients connect, with a host name that its certificate has.
    pub(crate) fn endpoint(&self) -> String {
        format!("localhost:{}", self.address.port())
    }

    /// Where it tells of its health, if it is to.
    pub(crate) fn health(&self) -> Option<String> {
        self.health.map(|address| format!("http://{address}"))
    }

    /// Resolves when the relay has ended by itself.
    pub(crate) async fn ended(&mut self) {
        if let Served::Running(served) = &mut self.served {
            self.served = Served::Ended(told(served.await));
        }
    }

    /// Lets sessions finish, and resolves when all evidence is stored.
    pub(crate) async fn stop(self) -> Result<(), Error> {
        // A receiver that is gone means that it ended by itself, which `served` tells.
        let _ = self.stop.send(());
        match self.served {
            Served::Running(served) => told(served.await),
            Served::Ended(result) => result,
        }
    }
}

fn told(served: Result<Result<(), EvidenceError>, JoinError>) -> Result<(), Error> {
    served.map_err(Error::of("relay"))?.map_err(Error::of("relay"))
}

/// The certifier, in the relay's own process. In the cloud it is a function; here a call.
pub struct InProcess(pub certifier::Env);

#[async_trait]
impl Certifier for InProcess {
    async fn certify(&self, request: CertificateRequest) -> Result<Envelope, CertifierError> {
        let request = certifier::Request {
            tenant: request.tenant,
            environment: request.environment,
            relay: request.relay,
            key: request.public_key,
            build: request.build,
        };
        certifier::certify(&self.0, request).await.map_err(|error| match error {
            certifier::CertifierError::Refused { .. } => CertifierError::Refused(error.to_string()),
            certifier::CertifierError::Keys(_)
            | certifier::CertifierError::Store(_)
            | certifier::CertifierError::Schema(_) => CertifierError::Unavailable(error.to_string()),
        })
    }
}
