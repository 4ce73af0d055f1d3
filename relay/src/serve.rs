//! The relay as a service: everything that is shared by its sessions, started in order and stopped in order.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use schemas::log::LogOrigin;
use seams::{EvidenceStore, KeyName, Keys, Secrets};
use tokio_util::task::TaskTracker;
use tracing::info;

use crate::access::Guarded;
use crate::approval::Approvals;
use crate::cancel::Cancellations;
use crate::clock::Clock;
use crate::config::{Classification, Config, ConfigError, Connection};
use crate::cores::Cores;
use crate::counted_store::{CountedStore, Puts};
use crate::detectors::Detectors;
use crate::evidence::{Certifier, EvidenceError, Incarnation, Incarnations, Settings};
use crate::health::{Health, HealthServer, Watched};
use crate::issuers::Issuers;
use crate::listener::Listener;
use crate::peers::{self, Peers};
use crate::policy::{PolicyError, PolicySet};
use crate::renewal::{Renewals, SecretTlsError};
use crate::upstream::{Login, Logins, Password, Target};
use crate::{session, stop, tls};

/// What the relay is given and does not make: where evidence goes, keys, certificates, time.
#[derive(Clone)]
pub struct Dependencies {
    /// Write-once objects.
    pub store: Arc<dyn EvidenceStore>,
    /// Wraps session keys; the relay signs with none of these.
    pub keys: Arc<dyn Keys>,
    /// Issues the certificate of this incarnation's own key.
    pub certifier: Arc<dyn Certifier>,
    /// The time that evidence claims.
    pub clock: Arc<dyn Clock>,
    /// Who holds what the configuration names by ARN; absent where it may name none.
    pub secrets: Option<Arc<dyn Secrets>>,
    /// Where `GET /ready` and `GET /metrics` are answered, from the start to the end; port 0 takes a free one.
    pub health: Option<SocketAddr>,
}

/// A started relay: its listeners are bound and its evidence has begun.
pub struct Relay {
    shared: Arc<Shared>,
    listeners: Vec<Listener>,
    cores: Arc<Cores>,
    drain: Duration,
    renewals: Renewals,
    health: Arc<Health>,
    health_server: Option<HealthServer>,
}

/// What all sessions share.
pub(crate) struct Shared {
    connections: BTreeMap<String, Arc<Guarded>>,
    pub(crate) issuers: Issuers,
    pub(crate) incarnations: Arc<Incarnations>,
    pub(crate) cancellations: Cancellations,
    /// Other relays behind the same address; absent where there are none.
    peers: Option<Peers>,
    /// Absent when nobody can be asked for approval.
    pub(crate) approvals: Option<Arc<Approvals>>,
}

/// Why a relay does not start, for the operator.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Configuration, classification.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Certificates and keys of TLS.
    #[error(transparent)]
    Tls(#[from] tls::TlsError),
    /// The same, from a secret.
    #[error("TLS: {0}")]
    Secret(#[from] SecretTlsError),
    /// Policies.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// A listener.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// No thread to serve sessions on.
    #[error("cannot start the threads of sessions: {0}")]
    Threads(std::io::Error),
    /// Evidence.
    #[error("evidence: {0}")]
    Evidence(#[from] EvidenceError),
}

impl Relay {
    /// Reads policies, binds listeners, begins the incarnation (which recovers what a dead one left).
    ///
    /// # Errors
    /// [`StartError`]; nothing was served.
    pub async fn start(config: Config, dependencies: Dependencies) -> Result<Self, StartError> {
        let Dependencies { store, keys, certifier, clock, secrets, health: health_address } = dependencies;
        if let (Some(field), None) = (config.first_secret(), &secrets) {
            return Err(nobody_to_ask(field).into());
        }
        let health = Arc::new(Health::default());
        let health_server = health_address
            .map(|address| HealthServer::start(address, Arc::clone(&health)).map_err(cannot_listen(address)))
            .transpose()?;
        let policies = Arc::new(PolicySet::read(&config.policies)?);
        let mut connections = BTreeMap::new();
        for connection in &config.connection {
            let guarded = guard(connection, &policies, secrets.as_ref())?;
            connections.insert(connection.name.to_string(), Arc::new(guarded));
        }
        let issuers = Issuers::new(&config.issuer)?;
        let mut renewals = Renewals::new(secrets);
        let peers = match &config.peers {
            Some(peers) => Some(Peers::new(peers.addresses.clone(), renewals.peers(&peers.ca).await?)),
            None => None,
        };
        let (mut listeners, mut certificates) = (Vec::new(), Vec::new());
        for listener in &config.listener {
            let tls = match &listener.tls {
                Some(tls) => {
                    let shown = renewals.certificate(tls).await?;
                    certificates.push(Arc::clone(&shown));
                    Some(tls::server_config(shown)?)
                }
                None => None,
            };
            let bound = Listener::bind(listener.bind, tls, listener.max_connections).await;
            listeners.push(bound.map_err(cannot_listen(listener.bind))?);
        }
        let approvals_key = match &config.approvals {
            Some(_) => Some(keys.public_key(KeyName::Approvals).await.map_err(EvidenceError::from)?),
            None => None,
        };
        let puts = Arc::new(Puts::new(Arc::clone(&clock)));
        let store = Arc::new(CountedStore::new(store, Arc::clone(&puts)));
        let incarnation = Incarnation::start(settings(&config), store, keys, certifier, clock).await?;
        let incarnations = Arc::new(Incarnations::new(incarnation));
        let approvals = match (&config.approvals, approvals_key) {
            (Some(settings), Some(key)) => {
                Some(Arc::new(Approvals::new(settings, &config.issuer, key, Arc::clone(&incarnations))?))
            }
            _ => None,
        };
        let cores = Arc::new(Cores::start().map_err(StartError::Threads)?);
        let heartbeat = Duration::from_secs(config.evidence.heartbeat_seconds);
        let figures = cores.figures();
        health.watch(Watched { incarnations: Arc::clone(&incarnations), figures, puts, certificates, heartbeat });
        let cancellations = Cancellations::default();
        let shared = Arc::new(Shared { connections, issuers, incarnations, cancellations, peers, approvals });
        let drain = Duration::from_secs(config.drain_seconds);
        Ok(Self { shared, listeners, cores, drain, renewals, health, health_server })
    }

    /// Where health is told, if it is.
    #[must_use]
    pub fn health_address(&self) -> Option<SocketAddr> {
        self.health_server.as_ref().map(HealthServer::address)
    }

    /// The addresses really bound, in the configuration's order.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners.iter().filter_map(|listener| listener.address().ok()).collect()
    }

    /// Serves until `shutdown` resolves; then takes nothing new, lets transactions finish for `drain_seconds`, ends
    /// the rest, and stores all evidence.
    ///
    /// # Errors
    /// [`EvidenceError`] when evidence could not be completed in time; it stays in the spool for the next start.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), EvidenceError> {
        // Until all is stored.
        let _health_server = self.health_server;
        let (sender, stop) = stop::channel();
        let sessions = TaskTracker::new();
        let accepting = TaskTracker::new();
        for listener in self.listeners {
            let (shared, for_sessions) = (Arc::clone(&self.shared), stop.clone());
            let serve = move |accepted| session::serve(accepted, Arc::clone(&shared), for_sessions.clone());
            accepting.spawn(listener.run(stop.clone(), Arc::clone(&self.cores), sessions.clone(), serve));
        }
        accepting.close();
        let renewing = tokio::spawn(Arc::clone(&self.shared.incarnations).run());
        let abort = renewing.abort_handle();
        let looking = tokio::spawn(self.renewals.run()).abort_handle();
        let (drain, revoked) = tokio::select! {
            () = shutdown => (self.drain, None),
            // Nothing that is served from here on could be vouched for.
            ended = renewing => (Duration::ZERO, Some(ended.unwrap_or(EvidenceError::Interrupted))),
        };
        self.health.stop();
        abort.abort();
        looking.abort();
        info!(sessions = sessions.len(), "stopping: no new sessions");
        sessions.close();
        let finished = async {
            accepting.wait().await;
            sessions.wait().await;
        };
        sender.stop_within(drain, finished).await;
        if tokio::time::timeout(AFTER_DUE, sessions.wait()).await.is_err() {
            tracing::error!("sessions did not end in time; their evidence is completed by the next start");
        }
        match revoked {
            Some(error) => Err(error),
            None => self.shared.incarnations.retire(RETIRE_LIMIT).await,
        }
    }
}

impl Shared {
    pub(crate) fn connection(&self, name: &str) -> Option<Arc<Guarded>> {
        self.connections.get(name).cloned()
    }

    /// Takes a `CancelRequest`; returns when it is passed on or known to be for nobody.
    pub(crate) async fn cancel(&self, process_id: i32, secret: &[u8]) {
        let (secret, is_passed_on) = peers::received(secret);
        if self.cancellations.request(process_id, secret) || is_passed_on {
            return;
        }
        if let Some(peers) = &self.peers {
            peers.pass_on(process_id, secret).await;
        }
    }
}

/// A connection under guard, as configured.
///
/// # Errors
/// [`StartError`], when its classification cannot be read or its TLS not be made ready.
pub(crate) fn guard(
    connection: &Connection,
    policies: &Arc<PolicySet>,
    secrets: Option<&Arc<dyn Secrets>>,
) -> Result<Guarded, StartError> {
    let classification = Classification::read(&connection.classification)?;
    let (login, detectors) = (login(connection, secrets)?, detectors(connection)?);
    Ok(Guarded::new(connection.clone(), login, detectors, classification, Arc::clone(policies)))
}

/// Whether a connection's detectors can be made: its own form of record numbers must be a regular expression.
///
/// # Errors
/// [`ConfigError::Invalid`], with the field.
pub fn check_detectors(connection: &Connection) -> Result<(), ConfigError> {
    detectors(connection).map(drop)
}

fn detectors(connection: &Connection) -> Result<Option<Detectors>, ConfigError> {
    let made = connection.detectors.as_ref().map(Detectors::new).transpose();
    made.map_err(|problem| ConfigError::Invalid {
        field: format!("connection {}: detectors", connection.name),
        problem,
    })
}

/// The login at a connection's target.
///
/// # Errors
/// When its TLS cannot be made ready, or its password is in a secret and there is nobody to ask.
pub(crate) fn login(connection: &Connection, secrets: Option<&Arc<dyn Secrets>>) -> Result<Login, StartError> {
    let target = Target::new(connection)?;
    let (user, database) = (connection.user.clone(), connection.database.clone());
    let password = Password::of(connection, secrets);
    let password = password.ok_or_else(|| nobody_to_ask(format!("connection {}: password", connection.name)))?;
    Ok(Login::new(target, user, database, password, Logins::default()))
}

fn nobody_to_ask(field: String) -> ConfigError {
    let problem = "names a secret of AWS, and this program has nobody to ask for it; expected a file or a variable";
    ConfigError::Invalid { field, problem: problem.to_owned() }
}

fn cannot_listen(address: SocketAddr) -> impl FnOnce(std::io::Error) -> StartError {
    move |source| StartError::Listen { address, source }
}

fn settings(config: &Config) -> Settings {
    Settings {
        tenant: config.tenant.clone(),
        environment: config.environment.clone(),
        relay: config.relay.clone(),
        log_origin: LogOrigin::of(&config.tenant, &config.environment).to_string(),
        build: concat!("relay ", env!("CARGO_PKG_VERSION")).to_owned(),
        evidence: config.evidence.clone(),
    }
}

/// Sealing and storing what is left; what does not leave in this time stays in the spool for the next start.
const RETIRE_LIMIT: Duration = Duration::from_secs(60);
/// Sessions whose end is due say goodbye to both peers, five seconds at most, and record it.
const AFTER_DUE: Duration = Duration::from_secs(10);
