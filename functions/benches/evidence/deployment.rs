//! A deployment on this machine's disk, and a relay's life in it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use functions::bundler::{self, WorkFolder};
use functions::{certifier, sealer, signing, trust};
use schemas::chunk::Container;
use schemas::dsse::{Envelope, Statement};
use schemas::heartbeat::Heartbeat;
use schemas::identifiers::{Incarnation, Name, SessionId};
use schemas::layout::Scope;
use schemas::leaf::{RelayRetired, RelayStart};
use schemas::log::LogOrigin;
use schemas::period::Period;
use schemas::signature::{P256Key, PublicKey, Signer};
use seams::{EvidenceStore, FileStore, KeyFiles, KeyName, Keys, Retention};

use crate::session::{Chunk, Closed, Opened};

pub(crate) struct Deployment {
    folder: PathBuf,
    pub(crate) store: Arc<dyn EvidenceStore>,
    pub(crate) keys: Arc<dyn Keys>,
    root: PublicKey,
    pub(crate) scope: Scope,
}

/// One life of the relay. All of it lasts less than a minute of the evidence's own time.
pub(crate) struct Life<'a> {
    deployment: &'a Deployment,
    pub(crate) key: P256Key,
    sessions: u64,
    heartbeats: u64,
    clock_us: AtomicU64,
    /// Stored and not yet asked for.
    statements: Vec<Envelope>,
}

impl Deployment {
    pub(crate) async fn create(folder: &Path) -> Self {
        let keys: Arc<dyn Keys> = Arc::new(KeyFiles::open_or_create(&folder.join("keys")).unwrap());
        let store: Arc<dyn EvidenceStore> = Arc::new(FileStore::open(folder.join("store"), || 0).unwrap());
        let root = keys.public_key(KeyName::Certificates).await.unwrap();
        std::fs::write(folder.join("root.pem"), root.to_pem()).unwrap();
        let name = |text: &str| text.parse::<Name>().unwrap();
        let scope = Scope { tenant: name("clinic"), environment: name("bench"), relay: name("relay-1") };
        let deployment = Self { folder: folder.to_owned(), store, keys, root, scope };
        let trust = signing::Env {
            keys: deployment.keys.clone(),
            store: deployment.store.clone(),
            tenant: deployment.scope.tenant.clone(),
            environment: deployment.scope.environment.clone(),
            retention: Retention::none(),
            now_us: Arc::new(|| T0),
        };
        trust::certify(&trust).await.unwrap();
        deployment
    }

    /// Puts all statements into the log.
    pub(crate) async fn seal(&self) {
        let env = sealer::Env {
            store: self.store.clone(),
            keys: self.keys.clone(),
            tenant: self.scope.tenant.clone(),
            environment: self.scope.environment.clone(),
            retention: Retention::none(),
            now_us: Arc::new(|| T0),
            batch: sealer::Env::BATCH,
        };
        let sealed = sealer::seal(&env).await.unwrap();
        assert!(sealed.rejected.is_empty(), "{sealed:?}");
        println!("{} leaves", sealed.entries);
    }

    /// Makes the bundle, which must hold.
    pub(crate) async fn bundle(&self, period: Period) {
        let env = bundler::Env {
            store: self.store.clone(),
            keys: self.keys.clone(),
            root: self.root.clone(),
            tenant: self.scope.tenant.clone(),
            environment: self.scope.environment.clone(),
            work: self.folder.join("work"),
            retention: Retention::none(),
            now_us: Arc::new(|| T0 + 1_000_000_000),
        };
        let plan = bundler::plan(&env, period).await.unwrap();
        let folder = WorkFolder::create(self.folder.join("bundle")).unwrap();
        for part in &plan.parts {
            bundler::part(&env, &plan, part, &folder).await.unwrap();
        }
        let merged = bundler::merge(&env, &plan, &folder).await.unwrap();
        println!("{:?}", merged.counts);
    }

    pub(crate) fn origin(&self) -> LogOrigin {
        LogOrigin::of(&self.scope.tenant, &self.scope.environment)
    }
}

impl<'a> Life<'a> {
    pub(crate) async fn start(deployment: &'a Deployment) -> Self {
        let key = P256Key::generate().unwrap();
        let Scope { tenant, environment, relay } = deployment.scope.clone();
        let env = certifier::Env {
            keys: deployment.keys.clone(),
            store: deployment.store.clone(),
            policy: certifier::Policy::new(tenant.clone(), environment.clone(), vec![relay.clone()]),
            now_us: Arc::new(|| T0),
        };
        let request = certifier::Request {
            tenant: tenant.clone(),
            environment: environment.clone(),
            relay: relay.clone(),
            key: key.public_key().clone(),
            build: "bench".to_owned(),
        };
        let certificate = certifier::certify(&env, request).await.unwrap();
        let (clock_us, statements) = (AtomicU64::new(T0), Vec::new());
        let mut life = Self { deployment, key, sessions: 0, heartbeats: 0, clock_us, statements };
        let incarnation = life.incarnation();
        let digest = certificate.statement_digest();
        life.put(&deployment.scope.certificate(&incarnation), certificate).await;
        let log_origin = deployment.origin().to_string();
        let time_us = life.now_us();
        let place = deployment.scope.relay_start(&incarnation);
        let start = RelayStart {
            tenant,
            environment,
            relay,
            incarnation,
            certificate: digest,
            log_origin,
            heartbeat_seconds: 60,
            time_us,
        };
        life.say(&place, &start).await;
        life
    }

    /// A whole session.
    pub(crate) async fn session(&mut self, chunks: &[Chunk]) {
        let mut opened = self.open().await;
        for (index, chunk) in chunks.iter().enumerate() {
            let sealed = opened.chunk(self, chunk, index + 1 == chunks.len());
            let key = self.deployment.scope.chunk(opened.id(), sealed.manifest.sequence);
            self.deployment.store.put(&key, &sealed.bytes, Retention::none()).await.unwrap();
            self.statements.push(Container::parse(&sealed.bytes).unwrap().envelope().clone());
        }
        self.close(opened.closed()).await;
    }

    pub(crate) async fn open(&mut self) -> Opened {
        self.sessions += 1;
        let id = SessionId { incarnation: self.incarnation(), counter: self.sessions };
        let (opened, leaf) = Opened::new(self, id);
        self.say(&self.deployment.scope.session_open(opened.id()), &leaf).await;
        opened
    }

    pub(crate) async fn close(&mut self, closed: Closed) {
        let leaf = closed.leaf(self);
        self.say(&self.deployment.scope.session_close(&leaf.session), &leaf).await;
        if self.sessions.is_multiple_of(SESSIONS_A_HEARTBEAT) {
            self.beat().await;
        }
    }

    async fn beat(&mut self) {
        self.heartbeats += 1;
        let Scope { tenant, environment, relay } = self.deployment.scope.clone();
        let incarnation = self.incarnation();
        let heartbeat = Heartbeat {
            tenant,
            environment,
            relay,
            incarnation: incarnation.clone(),
            sequence: self.heartbeats,
            opened: self.sessions,
            closed: self.sessions,
            voided: 0,
            last_counter: self.sessions,
            unstored: Vec::new(),
            backlog_sessions: 0,
            backlog_bytes: 0,
            time_us: self.now_us(),
        };
        self.say(&self.deployment.scope.heartbeat(&incarnation, self.heartbeats), &heartbeat).await;
    }

    pub(crate) async fn retire(&mut self) {
        let Scope { tenant, environment, relay } = self.deployment.scope.clone();
        let incarnation = self.incarnation();
        let retired = RelayRetired {
            tenant,
            environment,
            relay,
            incarnation: incarnation.clone(),
            last_counter: self.sessions,
            last_heartbeat: self.heartbeats,
            sealed_by: incarnation.clone(),
            recovered: false,
            time_us: self.now_us(),
        };
        self.say(&self.deployment.scope.relay_retired(&incarnation), &retired).await;
    }

    /// The statements that were stored since this was asked last.
    pub(crate) fn statements(&mut self) -> Vec<Envelope> {
        std::mem::take(&mut self.statements)
    }

    /// Each time is told once.
    pub(crate) fn now_us(&self) -> u64 {
        self.clock_us.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn scope(&self) -> &Scope {
        &self.deployment.scope
    }

    pub(crate) fn log_origin(&self) -> String {
        self.deployment.origin().to_string()
    }

    fn incarnation(&self) -> Incarnation {
        self.key.public_key().incarnation()
    }

    async fn say<T: Statement>(&mut self, place: &str, statement: &T) {
        let envelope = Envelope::of(statement, &self.key).unwrap();
        self.put(place, envelope).await;
    }

    async fn put(&mut self, place: &str, envelope: Envelope) {
        self.deployment.store.put(place, &envelope.to_vec().unwrap(), Retention::none()).await.unwrap();
        self.statements.push(envelope);
    }
}

/// Far more often than a relay tells, so that there are many.
const SESSIONS_A_HEARTBEAT: u64 = 10;
/// 2026-09-21T14:13:20Z.
const T0: u64 = 1_790_000_000_000_000;
