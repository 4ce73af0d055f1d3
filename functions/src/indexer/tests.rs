//! One recorded session, indexed in every order.

use std::sync::Arc;

use proptest::prelude::*;
use schemas::chunk::{ChunkBuilder, ChunkHead, Seal};
use schemas::digest::Sha256Digest;
use schemas::dsse::{Envelope, Statement};
use schemas::entropy::SystemEntropy;
use schemas::event::{Actor, ActorKind, CloseReason, Durability, Event, EventBody, SessionClose, SessionOpen};
use schemas::identifiers::{Name, SessionId};
use schemas::layout::Scope;
use schemas::leaf::{Certificate, RelayRetired, RelayStart, SessionCloseLeaf, SessionOpenLeaf, SessionVoid};
use schemas::session_key::SessionKey;
use schemas::signature::{P256Key, Signer};
use seams::{ChunkRow, FileStore, RedbIndex, Retention, SessionRow};

use super::{Env, Indexed, IndexerError, index};

/// A store and index with nothing in them, a root, and a relay that made evidence.
struct Scene {
    _folder: tempfile::TempDir,
    env: Env,
    root: P256Key,
    relay: P256Key,
    scope: Scope,
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (root, relay) = (P256Key::generate().unwrap(), P256Key::generate().unwrap());
        let env = Env {
            store: Arc::new(FileStore::open(folder.path().join("store"), || 0).unwrap()),
            index: Arc::new(RedbIndex::open(&folder.path().join("index.redb")).unwrap()),
            root: root.public_key().clone(),
        };
        let scope = Scope { tenant: name("clinic"), environment: name("test"), relay: name("r1") };
        Self { _folder: folder, env, root, relay, scope }
    }

    fn session(&self, counter: u64) -> SessionId {
        SessionId { incarnation: self.relay.public_key().incarnation(), counter }
    }

    /// Everything the relay stores in a life with one session and one burnt counter: key and bytes.
    fn objects(&self) -> Vec<(String, Vec<u8>)> {
        let Scope { tenant, environment, relay } = self.scope.clone();
        let (session, burnt) = (self.session(1), self.session(2));
        let incarnation = session.incarnation.clone();
        let certificate = self.certificate();
        let start = RelayStart {
            tenant: tenant.clone(),
            environment: environment.clone(),
            relay: relay.clone(),
            incarnation: incarnation.clone(),
            certificate: Sha256Digest::of(&certificate),
            log_origin: "log".to_owned(),
            time_us: 1,
        };
        let (open, opened) = sign(&self.open_leaf(), &self.relay);
        let chunk = self.chunk(opened);
        let close = SessionCloseLeaf {
            tenant: tenant.clone(),
            environment: environment.clone(),
            relay: relay.clone(),
            session: session.clone(),
            reason: CloseReason::ClientTerminated,
            chunks: 1,
            events: 2,
            last_manifest: opened,
            sealed_by: incarnation.clone(),
            recovered: false,
            time_us: 9,
        };
        let void = SessionVoid {
            tenant: tenant.clone(),
            environment: environment.clone(),
            relay: relay.clone(),
            session: burnt.clone(),
            sealed_by: incarnation.clone(),
            recovered: false,
            time_us: 9,
        };
        let retired = RelayRetired {
            tenant,
            environment,
            relay,
            incarnation: incarnation.clone(),
            last_counter: 2,
            sealed_by: incarnation.clone(),
            recovered: false,
            time_us: 10,
        };
        vec![
            (self.scope.certificate(&incarnation), certificate),
            (self.scope.relay_start(&incarnation), sign(&start, &self.relay).0),
            (self.scope.session_open(&session), open),
            (self.scope.chunk(&session, 1), chunk),
            (self.scope.session_close(&session), sign(&close, &self.relay).0),
            (self.scope.session_void(&burnt), sign(&void, &self.relay).0),
            (self.scope.relay_retired(&incarnation), sign(&retired, &self.relay).0),
        ]
    }

    fn certificate(&self) -> Vec<u8> {
        let certificate = Certificate {
            tenant: self.scope.tenant.clone(),
            environment: self.scope.environment.clone(),
            relay: self.scope.relay.clone(),
            incarnation: self.relay.public_key().incarnation(),
            spki: self.relay.public_key().clone(),
            not_before_us: 0,
            not_after_us: 100,
            build: "test".to_owned(),
        };
        sign(&certificate, &self.root).0
    }

    fn open_leaf(&self) -> SessionOpenLeaf {
        SessionOpenLeaf {
            tenant: self.scope.tenant.clone(),
            environment: self.scope.environment.clone(),
            relay: self.scope.relay.clone(),
            session: self.session(1),
            connection: name("db"),
            time_us: 2,
            policy_sha256: Sha256Digest::of(b"policy"),
            details_commitment: Sha256Digest::of(b"details"),
            data_key_id: "local:1".to_owned(),
        }
    }

    fn chunk(&self, prev: Sha256Digest) -> Vec<u8> {
        let head = ChunkHead {
            scope: self.scope.clone(),
            log_origin: "log".to_owned(),
            session: self.session(1),
            connection: name("db"),
            sequence: 1,
            prev,
            first_event: 1,
        };
        let key = SessionKey::generate(&SystemEntropy).unwrap();
        let mut chunk = ChunkBuilder::new(head, &key, &SystemEntropy).unwrap();
        chunk.push_event(&Event { number: 1, time_us: 3, body: session_open() }).unwrap();
        let close = SessionClose { reason: CloseReason::ClientTerminated, statements: 0, executions: 0 };
        chunk.push_event(&Event { number: 2, time_us: 4, body: EventBody::SessionClose(close) }).unwrap();
        chunk.finish(&Seal { time_us: 5, last: true }, &self.relay).unwrap().bytes
    }

    async fn store(&self, key: &str, bytes: &[u8]) {
        self.env.store.put(key, bytes, Retention::none()).await.unwrap();
    }

    async fn known(&self) -> (Vec<SessionRow>, Vec<ChunkRow>) {
        (self.env.index.sessions().await.unwrap(), self.env.index.chunks(&self.session(1)).await.unwrap())
    }
}

fn sign<T: Statement>(statement: &T, key: &P256Key) -> (Vec<u8>, Sha256Digest) {
    let envelope = Envelope::of(statement, key).unwrap();
    (envelope.to_vec().unwrap(), envelope.statement_digest())
}

fn session_open() -> EventBody {
    EventBody::SessionOpen(SessionOpen {
        salt: "00".repeat(32),
        actor: Actor {
            kind: ActorKind::User,
            issuer: "https://id.example".to_owned(),
            subject: "u-1".to_owned(),
            name: "Ana Example".to_owned(),
            groups: Vec::new(),
            acts_for: None,
        },
        expires_at: 1,
        client_address: "192.0.2.1:1".to_owned(),
        client_application: String::new(),
        client_tls: "none".to_owned(),
        protocol: "postgresql 3.0".to_owned(),
        connection: "db".to_owned(),
        target: "db:5432/clinic".to_owned(),
        target_role: "affidavit".to_owned(),
        target_version: "17.0".to_owned(),
        target_tls: "none".to_owned(),
        policy_sha256: "00".repeat(32),
        scope: Vec::new(),
        durability: Durability::Process,
    })
}

#[tokio::test]
async fn what_a_session_left_behind_is_found() {
    let scene = Scene::new();
    for (key, bytes) in scene.objects() {
        scene.store(&key, &bytes).await;
        index(&scene.env, &key).await.unwrap();
    }
    let (sessions, chunks) = scene.known().await;
    let [served, burnt] = sessions.as_slice() else { panic!("two sessions") };
    assert_eq!(served.subject.as_deref(), Some("u-1"));
    assert_eq!(served.connection, Some(name("db")));
    assert_eq!((served.opened_us, served.closed_us, served.chunks), (Some(2), Some(9), Some(1)));
    assert!(burnt.voided && !served.voided);
    assert_eq!(chunks.len(), 1);
    assert_eq!((chunks[0].events, chunks[0].first_time_us, chunks[0].last_time_us), (2, 3, 4));
}

#[tokio::test]
async fn what_is_not_evidence_or_not_there_yet_is_no_failure_for_ever() {
    let scene = Scene::new();
    assert_eq!(index(&scene.env, "evidence/readme.txt").await.unwrap(), Indexed::Unknown);
    let open = scene.scope.session_open(&scene.session(1));
    assert!(matches!(index(&scene.env, &open).await, Err(IndexerError::Later { .. })), "not stored");
    scene.store(&open, &sign(&scene.open_leaf(), &scene.relay).0).await;
    assert!(matches!(index(&scene.env, &open).await, Err(IndexerError::Later { .. })), "not certified");
    scene.store(&scene.scope.certificate(&scene.session(1).incarnation), &scene.certificate()).await;
    assert_eq!(index(&scene.env, &open).await.unwrap(), Indexed::Session(scene.session(1)));
}

#[tokio::test]
async fn an_object_in_the_wrong_place_or_by_the_wrong_key_is_never_indexed() {
    let scene = Scene::new();
    scene.store(&scene.scope.certificate(&scene.session(1).incarnation), &scene.certificate()).await;
    let open = sign(&scene.open_leaf(), &scene.relay);
    let chunk = scene.chunk(open.1);
    let other_relay = Scope { relay: name("r2"), ..scene.scope.clone() };
    for (key, bytes) in [
        (scene.scope.session_open(&scene.session(3)), open.0.clone()),
        (scene.scope.session_open(&scene.session(1)), sign(&scene.open_leaf(), &scene.root).0),
        (scene.scope.session_close(&scene.session(1)), open.0),
        (scene.scope.chunk(&scene.session(1), 2), chunk.clone()),
        (scene.scope.chunk(&scene.session(3), 1), chunk),
        (other_relay.certificate(&scene.session(1).incarnation), scene.certificate()),
    ] {
        scene.store(&key, &bytes).await;
        assert!(matches!(index(&scene.env, &key).await, Err(IndexerError::Rejected { .. })), "{key}");
    }
    assert_eq!(scene.known().await, (Vec::new(), Vec::new()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Notifications come in any order and repeatedly; the index ends the same.
    #[test]
    fn any_order_and_any_repetition_end_the_same(
        order in Just((0..7).chain(0..7).collect::<Vec<usize>>()).prop_shuffle()
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let scene = Scene::new();
            let objects = scene.objects();
            for (key, bytes) in &objects {
                scene.store(key, bytes).await;
            }
            for (key, _) in &objects {
                index(&scene.env, key).await.unwrap();
            }
            let expected = scene.known().await;
            let fresh = tempfile::tempdir().unwrap();
            let fresh_index = RedbIndex::open(&fresh.path().join("i")).unwrap();
            let other = Env { index: Arc::new(fresh_index), ..scene.env.clone() };
            for at in order {
                index(&other, &objects[at].0).await.unwrap();
            }
            assert_eq!(other.index.sessions().await.unwrap(), expected.0);
            assert_eq!(other.index.chunks(&scene.session(1)).await.unwrap(), expected.1);
        });
    }

    /// One changed bit anywhere, and an object is not indexed.
    #[test]
    fn a_changed_object_is_rejected(object in 0_usize..7, position in any::<prop::sample::Index>(), bit in 0_u32..8) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let scene = Scene::new();
            for (at, (key, mut bytes)) in scene.objects().into_iter().enumerate() {
                if at == object {
                    let position = position.index(bytes.len());
                    bytes[position] ^= 1_u8 << bit;
                }
                scene.store(&key, &bytes).await;
            }
            let (key, _) = scene.objects().swap_remove(object);
            assert!(matches!(index(&scene.env, &key).await, Err(IndexerError::Rejected { .. })), "{key}");
        });
    }
}
