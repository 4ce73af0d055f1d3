//! A relay's surroundings in a temporary folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use schemas::chunk::OpenedChunk;
use schemas::data_block::Direction;
use schemas::dsse::{Envelope, pae};
use schemas::event::{
    Actor, ActorKind, Durability, Event, EventBody, Execute, Outcome, OutcomeKind, Path as Way, SessionOpen, Statement,
    Verdict,
};
use schemas::identifiers::SessionId;
use schemas::layout::{ObjectKind, parse};
use schemas::leaf::{Certificate, SessionCloseLeaf};
use schemas::payload_type::PayloadType;
use schemas::verify::{Options, Report, Retirement};
use schemas::wrapped_key::WrappedKey;
use seams::{EvidenceStore, FileStore, KeyFiles, KeyName, Keys, Overlay, PutOutcome, Retention, StoreError};
use tempfile::TempDir;

use crate::clock::Clock;
use crate::config;
use crate::evidence::{CertificateRequest, Certifier, CertifierError, EvidenceError, Incarnation, Settings};
use crate::policy::permit::Permit;

/// Store, keys, clock and spool of one relay.
pub(super) struct Bench {
    root: Arc<TempDir>,
    pub(super) store: Arc<FaultyStore>,
    pub(super) keys: Arc<KeyFiles>,
    pub(super) clock: Arc<Ticking>,
    pub(super) evidence: config::Evidence,
    pub(super) lifetime: Duration,
    /// How far the certifier's clock is ahead of the relay's.
    pub(super) certifier_ahead: Duration,
}

/// Every look is a microsecond later.
pub(super) struct Ticking(AtomicU64);

/// What the store does with the next puts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    Healthy,
    /// Nothing is persisted, everything reported failed.
    Away,
    /// Everything is persisted and reported failed.
    Lying,
}

/// A file store that can fail, and that can be told to keep a copy of everything at each of its puts.
pub(super) struct FaultyStore {
    inner: FileStore,
    root: PathBuf,
    mood: Mutex<Mood>,
    /// Puts whose key contains this are not answered well.
    only: Mutex<String>,
    snapshots: Mutex<Option<(PathBuf, Vec<PathBuf>)>>,
    /// Held while the store changes and while it is copied: a copy is one moment.
    still: tokio::sync::Mutex<()>,
}

impl Bench {
    pub(super) fn new() -> Self {
        Self::at(Arc::new(tempfile::tempdir().unwrap()))
    }

    fn at(root: Arc<TempDir>) -> Self {
        {
            let folder = root.path().to_owned();
            Self::over(&folder, root)
        }
    }

    /// Surroundings as they stood when `snapshot` was taken.
    pub(super) fn resume(&self, snapshot: &Path) -> Self {
        let mut bench = Self::over(snapshot, Arc::clone(&self.root));
        bench.keys = Arc::clone(&self.keys);
        bench.evidence = config::Evidence { spool: snapshot.join("spool"), ..self.evidence.clone() };
        bench.clock = Arc::new(Ticking(AtomicU64::new(self.clock.0.load(Ordering::Relaxed))));
        bench
    }

    /// Another relay of the same name, with the same store, keys and clock, over a spool of its own: an empty one, or a
    /// copy of this.
    pub(super) fn twin(&self, spool: Option<&Path>) -> Self {
        let own = tempfile::tempdir_in(self.root.path()).unwrap().keep().join("spool");
        if let Some(spool) = spool {
            copy(spool, &own);
        }
        Self {
            store: Arc::clone(&self.store),
            keys: Arc::clone(&self.keys),
            clock: Arc::clone(&self.clock),
            evidence: config::Evidence { spool: own, ..self.evidence.clone() },
            lifetime: self.lifetime,
            certifier_ahead: self.certifier_ahead,
            root: Arc::clone(&self.root),
        }
    }

    fn over(folder: &Path, root: Arc<TempDir>) -> Self {
        let inner = FileStore::open(folder.join("store"), || 1_800_000_000).unwrap();
        let store = FaultyStore {
            inner,
            root: folder.to_owned(),
            mood: Mutex::new(Mood::Healthy),
            only: Mutex::new(String::new()),
            snapshots: Mutex::new(None),
            still: tokio::sync::Mutex::new(()),
        };
        let keys = root.path().join("keys");
        std::fs::create_dir_all(&keys).unwrap();
        Self {
            store: Arc::new(store),
            keys: Arc::new(KeyFiles::open_or_create(&keys).unwrap()),
            clock: Arc::new(Ticking(AtomicU64::new(1_800_000_000_000_000))),
            evidence: config::Evidence {
                spool: folder.join("spool"),
                durability: Durability::Process,
                segment_bytes: 64 * 1024,
                segment_seconds: 3600,
                spool_bytes: 64 * 1024 * 1024,
                heartbeat_seconds: 60,
                when_full: config::WhenFull::Stop,
                hold_seconds: 60,
                retain_days: 1,
            },
            lifetime: Duration::from_secs(3600),
            certifier_ahead: Duration::ZERO,
            root,
        }
    }

    pub(super) async fn start(&self) -> Result<Arc<Incarnation>, EvidenceError> {
        let name = |text: &str| text.parse().unwrap();
        let settings = Settings {
            tenant: name("clinic"),
            environment: name("test"),
            relay: name("relay-1"),
            log_origin: "log.test/clinic".to_owned(),
            build: "test".to_owned(),
            evidence: self.evidence.clone(),
        };
        let certifier = Arc::new(KeyCertifier {
            keys: Arc::clone(&self.keys),
            clock: Arc::clone(&self.clock),
            lifetime: self.lifetime,
            ahead: self.certifier_ahead,
        });
        Incarnation::start(
            settings,
            Arc::clone(&self.store) as Arc<dyn EvidenceStore>,
            Arc::clone(&self.keys) as Arc<dyn Keys>,
            certifier,
            Arc::clone(&self.clock) as Arc<dyn Clock>,
        )
        .await
    }

    /// Starts, recovers and retires: what a clean restart after a crash does.
    pub(super) async fn recover(&self) {
        let incarnation = self.start().await.unwrap();
        tokio::time::timeout(Duration::from_secs(30), incarnation.recovered()).await.unwrap().unwrap();
        incarnation.retire(Duration::from_secs(30)).await.unwrap();
        assert_eq!(spool_files(&self.evidence.spool), Vec::<String>::new(), "the spool is empty");
        assert!(self.verified().await.incarnations.iter().all(|life| life.retirement != Retirement::Unretired));
    }

    /// What the one verifier says of everything in the store: nothing wrong.
    pub(super) async fn verified(&self) -> Report {
        let report = self.report().await;
        let errors: Vec<_> = report.errors().collect();
        assert!(errors.is_empty(), "{errors:#?}");
        report
    }

    /// What the one verifier says of everything in the store.
    pub(super) async fn report(&self) -> Report {
        let mut objects = BTreeMap::new();
        for key in self.store.inner.list("").await.unwrap() {
            let bytes = self.store.inner.get(&key).await.unwrap().unwrap();
            objects.insert(key, bytes);
        }
        let root = self.keys.public_key(KeyName::Certificates).await.unwrap();
        schemas::verify::verify(&objects, &root, &Options::default()).unwrap()
    }

    /// Copies spool and store as they stand: what a crash would leave.
    pub(super) async fn snapshot(&self) -> PathBuf {
        let _still = self.store.still.lock().await;
        let snapshot = tempfile::tempdir_in(self.root.path()).unwrap().keep();
        copy(&self.evidence.spool, &snapshot.join("spool"));
        copy(&self.store.root.join("store"), &snapshot.join("store"));
        snapshot
    }

    pub(super) async fn sessions(&self) -> BTreeMap<SessionId, Found> {
        let mut sessions: BTreeMap<SessionId, Found> = BTreeMap::new();
        for key in self.store.inner.list("").await.unwrap() {
            let bytes = self.store.inner.get(&key).await.unwrap().unwrap();
            match parse(&key).unwrap().kind {
                ObjectKind::SessionOpen(id) => {
                    sessions.entry(id).or_default().open = Some(Envelope::from_slice(&bytes).unwrap());
                }
                ObjectKind::SessionClose(id) => {
                    let envelope = Envelope::from_slice(&bytes).unwrap();
                    sessions.entry(id).or_default().close = Some(envelope.read_unverified().unwrap());
                }
                ObjectKind::SessionVoid(id) => sessions.entry(id).or_default().void = true,
                ObjectKind::WrappedKey(id) => {
                    sessions.entry(id).or_default().key = Some(WrappedKey::from_slice(&bytes).unwrap());
                }
                ObjectKind::Chunk(id, sequence) => {
                    let chunk = schemas::chunk::open(&bytes).unwrap();
                    sessions.entry(id).or_default().chunks.insert(sequence, chunk);
                }
                _ => {}
            }
        }
        sessions
    }

    /// All bytes of one direction of a session, in order.
    pub(super) async fn bytes(&self, id: &SessionId, found: &Found, direction: Direction) -> Vec<u8> {
        let key = self.keys.unwrap(found.key.as_ref().unwrap(), id).await.unwrap().data_key().unwrap();
        let mut bytes = Vec::new();
        for chunk in found.chunks.values() {
            for block in chunk.blocks(&key) {
                let block = block.unwrap();
                for record in block.records().map(|record| record.unwrap()) {
                    if record.direction == direction {
                        bytes.extend_from_slice(record.bytes);
                    }
                }
            }
        }
        bytes
    }
}

/// What the store holds of a session.
#[derive(Default)]
pub(super) struct Found {
    pub(super) open: Option<Envelope>,
    pub(super) close: Option<SessionCloseLeaf>,
    pub(super) void: bool,
    pub(super) key: Option<WrappedKey>,
    pub(super) chunks: BTreeMap<u64, OpenedChunk>,
}

impl Found {
    pub(super) fn events(&self) -> Vec<Event> {
        self.chunks.values().flat_map(|chunk| chunk.events().map(|event| event.unwrap())).collect()
    }
}

impl FaultyStore {
    pub(super) fn be(&self, mood: Mood) {
        self.be_for(mood, "");
    }

    /// Only puts whose key contains `part` are treated so.
    pub(super) fn be_for(&self, mood: Mood, part: &str) {
        *self.only.lock().unwrap() = part.to_owned();
        *self.mood.lock().unwrap() = mood;
    }

    /// From now on, each put leaves a copy of spool and store before and after it.
    pub(super) fn keep_snapshots(&self, spool: &Path) {
        *self.snapshots.lock().unwrap() = Some((spool.to_owned(), Vec::new()));
    }

    pub(super) fn snapshots(&self) -> Vec<PathBuf> {
        self.snapshots.lock().unwrap().take().unwrap().1
    }

    fn take_snapshot(&self) {
        if let Some((spool, taken)) = self.snapshots.lock().unwrap().as_mut() {
            let snapshot = self.root.join(format!("snapshot-{}", taken.len()));
            copy(spool, &snapshot.join("spool"));
            copy(&self.root.join("store"), &snapshot.join("store"));
            taken.push(snapshot);
        }
    }
}

#[async_trait]
impl EvidenceStore for FaultyStore {
    async fn put(&self, key: &str, bytes: &[u8], retention: Retention) -> Result<PutOutcome, StoreError> {
        let concerned = key.contains(self.only.lock().unwrap().as_str());
        let mood = if concerned { *self.mood.lock().unwrap() } else { Mood::Healthy };
        let away = || StoreError::Unavailable(key.to_owned(), "told to fail".into());
        if mood == Mood::Away {
            return Err(away());
        }
        let _still = self.still.lock().await;
        self.take_snapshot();
        let outcome = self.inner.put(key, bytes, retention).await;
        self.take_snapshot();
        if mood == Mood::Lying { Err(away()) } else { outcome }
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.get(key).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        self.inner.list(prefix).await
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.inner.delete(key).await
    }

    async fn overlays(&self, prefix: &str, limit: usize) -> Result<Vec<Overlay>, StoreError> {
        self.inner.overlays(prefix, limit).await
    }
}

impl Clock for Ticking {
    fn now_us(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }
}

impl Ticking {
    pub(super) fn retreat(&self, by: Duration) {
        self.0.fetch_sub(u64::try_from(by.as_micros()).unwrap(), Ordering::Relaxed);
    }

    pub(super) fn advance(&self, by: Duration) {
        self.0.fetch_add(u64::try_from(by.as_micros()).unwrap(), Ordering::Relaxed);
    }
}

struct KeyCertifier {
    keys: Arc<KeyFiles>,
    clock: Arc<Ticking>,
    lifetime: Duration,
    ahead: Duration,
}

#[async_trait]
impl Certifier for KeyCertifier {
    async fn certify(&self, request: CertificateRequest) -> Result<Envelope, CertifierError> {
        let now_us = self.clock.now_us() + u64::try_from(self.ahead.as_micros()).unwrap();
        let certificate = Certificate {
            tenant: request.tenant,
            environment: request.environment,
            relay: request.relay,
            incarnation: request.public_key.incarnation(),
            spki: request.public_key,
            not_before_us: now_us,
            not_after_us: now_us + u64::try_from(self.lifetime.as_micros()).unwrap(),
            build: request.build,
        };
        let payload = schemas::canonical::to_vec(&certificate).unwrap();
        let root = self.keys.public_key(KeyName::Certificates).await.unwrap();
        let signed = self.keys.sign(KeyName::Certificates, &pae(PayloadType::Certificate, &payload)).await.unwrap();
        Ok(Envelope::assemble(PayloadType::Certificate, payload, &root, signed))
    }
}

pub(super) fn details() -> SessionOpen {
    SessionOpen {
        salt: String::new(),
        actor: Actor {
            kind: ActorKind::User,
            issuer: "https://issuer.test".to_owned(),
            subject: "u-1".to_owned(),
            name: "Ana Example".to_owned(),
            groups: Vec::new(),
            acts_for: None,
        },
        expires_at: 1_900_000_000,
        client_address: "192.0.2.7:50000".to_owned(),
        client_application: "psql".to_owned(),
        client_tls: "none".to_owned(),
        protocol: "postgresql 3.0".to_owned(),
        connection: "db".to_owned(),
        target: "db.test:5432/clinic".to_owned(),
        target_role: "affidavit".to_owned(),
        target_version: "15.18".to_owned(),
        target_tls: "none".to_owned(),
        policy_sha256: "ab".repeat(32),
        scope: Vec::new(),
        durability: Durability::Process,
    }
}

/// A statement that starts at once, as a simple query does.
pub(super) fn query(number: u64, text: &str) -> Permit {
    let statement = Statement {
        statement: number,
        path: Way::Simple,
        class: "select".to_owned(),
        text: None,
        text_length: 0,
        text_token: String::new(),
        literals: Vec::new(),
        upstream_text: None,
        objects: Vec::new(),
        decision: schemas::event::Decision {
            outcome: Verdict::Permitted,
            policies: Vec::new(),
            sqlstate: None,
            reason: None,
        },
    };
    Permit {
        upstream: Bytes::from(format!("upstream {text}")),
        client: Bytes::from(text.to_owned()),
        events: vec![
            EventBody::Statement(Box::new(statement)),
            EventBody::Execute(Execute { execution: number, statement: number, row_limit: 0, rows_kept: None }),
        ],
    }
}

pub(super) fn outcome(number: u64) -> EventBody {
    EventBody::Outcome(Outcome {
        execution: number,
        statement: number,
        outcome: OutcomeKind::Completed,
        command: None,
        rows_returned: 1,
        rows_affected: 0,
        bytes_returned: 1,
        bytes_received: 0,
        sqlstate: None,
        rows_recorded: None,
        result_hmac: None,
    })
}

/// Files below a folder but the lock, as relative paths.
pub(super) fn spool_files(folder: &Path) -> Vec<String> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap()) {
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_dir() {
            files.extend(spool_files(&entry.path()).into_iter().map(|file| format!("{name}/{file}")));
        } else if name != "lock" {
            files.push(name);
        }
    }
    files.sort();
    files
}

/// Copies a folder as it stood at one moment: again, if files came or went meanwhile.
fn copy(from: &Path, to: &Path) {
    loop {
        let before = spool_files(from);
        std::fs::create_dir_all(to).unwrap();
        let copied = before.iter().all(|file| {
            let target = to.join(file);
            std::fs::create_dir_all(target.parent().unwrap()).unwrap();
            std::fs::copy(from.join(file), target).is_ok()
        });
        if copied && spool_files(from) == before {
            return;
        }
        std::fs::remove_dir_all(to).unwrap();
    }
}
