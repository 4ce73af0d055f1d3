//! One life of a relay: its key, its certificate, its sessions, its end.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use schemas::dsse::{Envelope, Statement};
use schemas::entropy::{Entropy, SystemEntropy};
use schemas::identifiers::{Incarnation as IncarnationId, Name};
use schemas::leaf::RelayRetired;
use schemas::signature::{P256Key, Signer};
use seams::{EvidenceStore, Keys};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

use super::announcement::{announce, certify};
use super::core::{Core, Parts, blocking};
use super::heartbeat::Heartbeats;
use super::recovery::{Recovery, recover};
use super::{Certifier, EvidenceError};
use crate::clock::{Clock, Steady};
use crate::config;
use crate::ship::Shipper;
use crate::spool::{Folder, Ledger, Origin, Spool};

/// A relay that may serve: certified, announced in the store, holding its spool alone.
pub struct Incarnation {
    pub(super) core: Arc<Core>,
    pub(super) folder: Arc<Folder>,
    pub(super) ledger: Arc<Mutex<Ledger>>,
    /// Sessions that are being opened, or whose opening failed and is not settled: bounded, so that a store that is
    /// away cannot fill memory with attempts.
    pub(super) openings: Arc<Semaphore>,
    /// Until when sessions may record, microseconds since 1970.
    pub(super) until_us: u64,
    /// From when its certificate is valid.
    pub(super) from_us: u64,
    heartbeats: Heartbeats,
    /// Makes its successor.
    certifier: Arc<dyn Certifier>,
    build: String,
    recovery: watch::Receiver<Recovery>,
    /// Whether the end is stored; held while it is brought about.
    ended: tokio::sync::Mutex<bool>,
}

/// What an incarnation is told.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Whose evidence this is.
    pub tenant: Name,
    /// Such as `production`.
    pub environment: Name,
    /// This relay's name, stable over restarts.
    pub relay: Name,
    /// Origin line of the log that the evidence goes to.
    pub log_origin: String,
    /// Build of this program, for the certificate.
    pub build: String,
    /// Spool, durability, limits, retention.
    pub evidence: config::Evidence,
}

impl Incarnation {
    /// Begins a new life: locks the spool, makes a key, has it certified, stores certificate and relay-start leaf.
    /// Then, in the background, completes what dead incarnations left in the spool ([`Incarnation::recovered`]).
    ///
    /// # Errors
    /// [`EvidenceError`]: the spool is held by another process or holds another relay's evidence, there is no
    /// certificate, or the store cannot be reached within a minute.
    pub async fn start(
        settings: Settings,
        store: Arc<dyn EvidenceStore>,
        keys: Arc<dyn Keys>,
        certifier: Arc<dyn Certifier>,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<Self>, EvidenceError> {
        let clock: Arc<dyn Clock> = Arc::new(Steady::new(clock));
        let Settings { tenant, environment, relay, log_origin, build, evidence } = settings;
        let origin = Origin { tenant, environment, relay, log_origin };
        let (spool, dead) = blocking({
            let (origin, evidence) = (origin.clone(), evidence.clone());
            move || take_spool(&evidence, &origin)
        })
        .await?;
        let life = Life { origin, evidence, spool, store, keys, clock, certifier, build };
        Self::begin(life, dead).await
    }

    /// The next life of the same relay, beside this one: its own key, its own certificate, its own counters. This one
    /// may go on and must be retired.
    ///
    /// # Errors
    /// As [`Incarnation::start`]; this one goes on as it was.
    pub(super) async fn succeed(&self) -> Result<Arc<Self>, EvidenceError> {
        let core = &self.core;
        core.may_sign()?;
        if let Some(reason) = self.fenced() {
            return Err(EvidenceError::Fenced { reason: reason.to_owned() });
        }
        let life = Life {
            origin: core.origin.clone(),
            evidence: core.evidence.clone(),
            spool: Arc::clone(&core.spool),
            store: Arc::clone(core.shipper.store()),
            keys: Arc::clone(&core.keys),
            clock: Arc::clone(&core.clock),
            certifier: Arc::clone(&self.certifier),
            build: self.build.clone(),
        };
        Self::begin(life, Vec::new()).await
    }

    async fn begin(life: Life, dead: Vec<(IncarnationId, Folder)>) -> Result<Arc<Self>, EvidenceError> {
        let Life { origin, evidence, spool, store, keys, clock, certifier, build } = life;
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
        let key = P256Key::generate()?;
        let id = key.public_key().incarnation();
        let (folder, ledger) = blocking({
            let (origin, id, spool) = (origin.clone(), id.clone(), Arc::clone(&spool));
            move || Ok(spool.create(&id, &origin)?)
        })
        .await?;
        let shipper = Shipper::new(store, Arc::clone(&entropy));
        let core = Arc::new(Core::new(Parts { origin, key, id, evidence, shipper, keys, clock, entropy, spool }));
        let folder = Arc::new(folder);
        let certificate = match certify(&core, certifier.as_ref(), build.clone()).await {
            Ok(certificate) => certificate,
            Err(error) => {
                // Nothing was signed with this key, so nothing is owed; and renewal tries again every second.
                let (spool, id) = (Arc::clone(&core.spool), core.id.clone());
                if let Err(error) = blocking(move || Ok(spool.remove(&id)?)).await {
                    tracing::warn!(incarnation = %core.id, %error, "an empty folder stays in the spool");
                }
                return Err(error);
            }
        };
        announce(&core, &folder, &certificate).await?;
        let (sender, recovery) = watch::channel(Recovery::Running);
        tokio::spawn(recover(Arc::clone(&core), dead, sender));
        let heartbeats = Heartbeats::start(&core);
        Ok(Arc::new(Self {
            core,
            folder,
            ledger: Arc::new(Mutex::new(ledger)),
            openings: Arc::new(Semaphore::new(OPENINGS)),
            until_us: certificate.until_us,
            from_us: certificate.from_us,
            heartbeats,
            certifier,
            build,
            recovery,
            ended: tokio::sync::Mutex::new(false),
        }))
    }

    /// The incarnation's identifier.
    #[must_use]
    pub fn id(&self) -> &IncarnationId {
        &self.core.id
    }

    /// Bytes that segments and unshipped chunks take on disk.
    #[must_use]
    pub fn spool_bytes_used(&self) -> u64 {
        self.folder.budget().used()
    }

    /// Sessions that still owe something to the store, live ones included.
    #[must_use]
    pub fn unsettled(&self) -> usize {
        *self.core.active().borrow()
    }

    /// Why this relay takes no new sessions, if somebody else wrote in its place.
    #[must_use]
    pub fn fenced(&self) -> Option<&str> {
        self.core.shipper.fence().reason()
    }

    /// How much of the time in which sessions may record is left: 0 to 100.
    pub(super) fn percent_left(&self) -> u64 {
        let whole = self.until_us.saturating_sub(self.from_us).max(1);
        self.until_us.saturating_sub(self.core.clock.now_us()).saturating_mul(100) / whole
    }

    /// Resolves when what it signs is worth nothing any more; tells why.
    pub(super) async fn disowned(&self) -> EvidenceError {
        let mut standing = self.core.standing();
        let lost = standing.wait_for(|standing| standing.check().is_err()).await;
        match lost.map(|standing| standing.check()) {
            Ok(Err(error)) => error,
            Ok(Ok(())) | Err(_) => std::future::pending().await,
        }
    }

    /// Waits until what dead incarnations left is sealed, stored and closed.
    ///
    /// # Errors
    /// [`EvidenceError::Unfinished`] when some of it stays in the spool; the log says which and why.
    pub async fn recovered(&self) -> Result<(), EvidenceError> {
        let mut recovery = self.recovery.clone();
        let state = recovery.wait_for(|state| *state != Recovery::Running).await;
        match state.as_deref() {
            Ok(Recovery::Done) => Ok(()),
            Ok(Recovery::Unfinished(sessions)) => Err(EvidenceError::Unfinished { sessions: *sessions }),
            Ok(Recovery::Running) | Err(_) => Err(EvidenceError::Interrupted),
        }
    }

    /// Ends: takes no new sessions, waits until everything is sealed and stored, and stores the relay-retired leaf.
    /// Sessions must have been closed by those who hold their recorders.
    ///
    /// # Errors
    /// [`EvidenceError::Unfinished`] when that takes longer than `patience` or cannot be; nothing is lost, the next
    /// incarnation recovers it.
    pub async fn retire(&self, patience: Duration) -> Result<(), EvidenceError> {
        self.core.retiring.store(true, Ordering::SeqCst);
        let ended = timeout(patience, self.end()).await;
        ended.unwrap_or_else(|_| Err(EvidenceError::Unfinished { sessions: self.unsettled().max(1) }))
    }

    async fn end(&self) -> Result<(), EvidenceError> {
        let mut ended = self.ended.lock().await;
        if *ended {
            return Ok(());
        }
        self.core.may_sign()?;
        // What recovery had to leave is the next incarnation's to try; nothing more may be signed after this end.
        let mut recovery = self.recovery.clone();
        let _ = recovery.wait_for(|state| *state != Recovery::Running).await;
        let mut active = self.core.active();
        active.wait_for(|active| *active == 0).await.map_err(|_| EvidenceError::Interrupted)?;
        match self.core.stuck() {
            0 => {}
            sessions => return Err(EvidenceError::Unfinished { sessions }),
        }
        let last_counter = self.ledger.lock().unwrap_or_else(std::sync::PoisonError::into_inner).last();
        let last_heartbeat = self.heartbeats.end().await?;
        store_retired(&self.core, &self.core.id, last_counter, last_heartbeat).await?;
        *ended = true;
        let core = Arc::clone(&self.core);
        blocking(move || Ok(core.spool.remove(&core.id)?)).await
    }
}

/// Signs and stores that an incarnation owes nothing more: this one, or a dead one that it recovered.
pub(super) async fn store_retired(
    core: &Core,
    ended: &IncarnationId,
    last_counter: u64,
    last_heartbeat: u64,
) -> Result<(), EvidenceError> {
    let leaf = RelayRetired {
        tenant: core.scope.tenant.clone(),
        environment: core.scope.environment.clone(),
        relay: core.scope.relay.clone(),
        incarnation: ended.clone(),
        last_counter,
        last_heartbeat,
        sealed_by: core.id.clone(),
        recovered: *ended != core.id,
        time_us: core.clock.now_us(),
    };
    store(core, &core.scope.relay_retired(ended), &leaf).await?;
    Ok(())
}

/// Signs a leaf and stores it, however long the store is away.
pub(super) async fn store<T: Statement>(core: &Core, key: &str, leaf: &T) -> Result<Envelope, EvidenceError> {
    core.may_sign()?;
    let envelope = Envelope::of(leaf, &core.key)?;
    core.shipper.until_stored(key, &envelope.to_vec()?, core.retention()).await?;
    Ok(envelope)
}

/// What the lives of a relay share.
struct Life {
    origin: Origin,
    evidence: config::Evidence,
    spool: Arc<Spool>,
    store: Arc<dyn EvidenceStore>,
    keys: Arc<dyn Keys>,
    clock: Arc<dyn Clock>,
    certifier: Arc<dyn Certifier>,
    build: String,
}

type Taken = (Arc<Spool>, Vec<(IncarnationId, Folder)>);

/// Dead incarnations are looked at before there is a new one, so that a spool that is not ours stays as it is.
fn take_spool(evidence: &config::Evidence, origin: &Origin) -> Result<Taken, EvidenceError> {
    let spool = Spool::open(&evidence.spool, evidence.spool_bytes)?;
    let mut dead = Vec::new();
    for incarnation in spool.incarnations()? {
        let folder = spool.reopen(&incarnation, origin)?;
        dead.push((incarnation, folder));
    }
    Ok((Arc::new(spool), dead))
}

impl std::fmt::Debug for Incarnation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Incarnation({})", self.core.id)
    }
}

/// A few kilobytes each while the store is away.
const OPENINGS: usize = 256;
