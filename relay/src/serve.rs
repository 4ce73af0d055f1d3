//! The relay as a service: everything that is shared by its sessions, started in order and stopped in order.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use schemas::log::LogOrigin;
use seams::{EvidenceStore, KeyName, Keys};
use tokio_util::task::TaskTracker;
use tracing::info;

use crate::access::Guarded;
use crate::approval::Approvals;
use crate::cancel::Cancellations;
use crate::clock::Clock;
use crate::config::{Classification, Config, ConfigError, Connection};
use crate::cores::Cores;
use crate::detectors::Detectors;
use crate::evidence::{Certifier, EvidenceError, Incarnation, Incarnations, Settings};
use crate::issuers::Issuers;
use crate::listener::Listener;
use crate::peers::{self, Peers};
use crate::policy::{PolicyError, PolicySet};
use crate::tls::TlsError;
use crate::upstream::{Login, Logins, Target};
use crate::{session, stop, tls};

/// What the relay is given and does not make: where evidence goes, keys, certificates, time.
pub struct Dependencies {
    /// Write-once objects.
    pub store: Arc<dyn EvidenceStore>,
    /// Wraps session keys; the relay signs with none of these.
    pub keys: Arc<dyn Keys>,
    /// Issues the certificate of this incarnation's own key.
    pub certifier: Arc<dyn Certifier>,
    /// The time that evidence claims.
    pub clock: Arc<dyn Clock>,
}

/// A started relay: its listeners are bound and its evidence has begun.
pub struct Relay {
    shared: Arc<Shared>,
    listeners: Vec<Listener>,
    cores: Arc<Cores>,
    drain: Duration,
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
        let policies = Arc::new(PolicySet::read(&config.policies)?);
        let mut connections = BTreeMap::new();
        for connection in &config.connection {
            let guarded = guard(connection, &policies)?;
            connections.insert(connection.name.to_string(), Arc::new(guarded));
        }
        let issuers = Issuers::new(&config.issuer)?;
        let peers = config.peers.as_ref().map(Peers::new).transpose()?;
        let mut listeners = Vec::new();
        for listener in &config.listener {
            let tls = listener.tls.as_ref().map(tls::server_config).transpose()?;
            let bound = Listener::bind(listener.bind, tls, listener.max_connections).await;
            listeners.push(bound.map_err(|source| StartError::Listen { address: listener.bind, source })?);
        }
        let Dependencies { store, keys, certifier, clock } = dependencies;
        let approvals_key = match &config.approvals {
            Some(_) => Some(keys.public_key(KeyName::Approvals).await.map_err(EvidenceError::from)?),
            None => None,
        };
        let incarnation = Incarnation::start(settings(&config), store, keys, certifier, clock).await?;
        let incarnations = Arc::new(Incarnations::new(incarnation));
        let approvals = match (&config.approvals, approvals_key) {
            (Some(settings), Some(key)) => {
                Some(Arc::new(Approvals::new(settings, &config.issuer, key, Arc::clone(&incarnations))?))
            }
            _ => None,
        };
        let cancellations = Cancellations::default();
        let shared = Shared { connections, issuers, incarnations, cancellations, peers, approvals };
        let cores = Arc::new(Cores::start().map_err(StartError::Threads)?);
        Ok(Self { shared: Arc::new(shared), listeners, cores, drain: Duration::from_secs(config.drain_seconds) })
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
        let (drain, revoked) = tokio::select! {
            () = shutdown => (self.drain, None),
            // Nothing that is served from here on could be vouched for.
            ended = renewing => (Duration::ZERO, Some(ended.unwrap_or(EvidenceError::Interrupted))),
        };
        abort.abort();
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
pub(crate) fn guard(connection: &Connection, policies: &Arc<PolicySet>) -> Result<Guarded, StartError> {
    let classification = Classification::read(&connection.classification)?;
    let detectors = detectors(connection)?;
    Ok(Guarded::new(connection.clone(), login(connection)?, detectors, classification, Arc::clone(policies)))
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
/// When its TLS cannot be made ready.
pub(crate) fn login(connection: &Connection) -> Result<Login, TlsError> {
    let target = Target::new(connection)?;
    let (user, database) = (connection.user.clone(), connection.database.clone());
    Ok(Login::new(target, user, database, connection.password.clone(), Logins::default()))
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
