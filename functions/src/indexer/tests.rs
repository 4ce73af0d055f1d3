//! One recorded session, indexed in every order.

mod faults;

use std::sync::Arc;

use proptest::prelude::*;
use schemas::approval::{
    ApprovalDecidedLeaf, ApprovalDecision, ApprovalRequest, ApprovalRequestedLeaf, ApprovalVerdict, Approver,
    DecisionVerdict,
};
use schemas::chunk::{ChunkBuilder, ChunkHead, Seal};
use schemas::digest::Sha256Digest;
use schemas::dsse::{Envelope, Statement};
use schemas::entropy::SystemEntropy;
use schemas::event::{Actor, ActorKind, CloseReason, Durability, Event, EventBody, SessionClose, SessionOpen};
use schemas::identifiers::{Name, RequestId, SessionId};
use schemas::layout::Scope;
use schemas::leaf::{Certificate, RelayRetired, RelayStart, SessionCloseLeaf, SessionOpenLeaf, SessionVoid};
use schemas::session_key::SessionKey;
use schemas::signature::{P256Key, Signer};
use seams::{ApprovalRow, ApprovalState, ChunkRow, FileStore, Index, RedbIndex, Retention, SessionRow};

use super::{Env, Indexed, IndexerError, index};

/// A store and index with nothing in them, a root, and a relay that made evidence.
struct Scene {
    _folder: tempfile::TempDir,
    env: Env,
    root: P256Key,
    relay: P256Key,
    approvals: P256Key,
    scope: Scope,
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let [root, relay, approvals] = [(); 3].map(|()| P256Key::generate().unwrap());
        let env = Env {
            store: Arc::new(FileStore::open(folder.path().join("store"), || 0).unwrap()),
            index: Arc::new(RedbIndex::open(&folder.path().join("index.redb")).unwrap()),
            root: root.public_key().clone(),
            approvals: approvals.public_key().clone(),
        };
        let scope = Scope { tenant: name("clinic"), environment: name("test"), relay: name("r1") };
        Self { _folder: folder, env, root, relay, approvals, scope }
    }

    fn session(&self, counter: u64) -> SessionId {
        SessionId { incarnation: self.relay.public_key().incarnation(), counter }
    }

    /// Everything that is stored in a relay's life with one session, which held a statement, and one burnt counter:
    /// key and bytes.
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
            heartbeat_seconds: 60,
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
            last_heartbeat: 0,
            sealed_by: incarnation.clone(),
            recovered: false,
            time_us: 10,
        };
        let mut all = vec![
            (self.scope.certificate(&incarnation), certificate),
            (self.scope.relay_start(&incarnation), sign(&start, &self.relay).0),
            (self.scope.session_open(&session), open),
            (self.scope.chunk(&session, 1), chunk),
            (self.scope.session_close(&session), sign(&close, &self.relay).0),
            (self.scope.session_void(&burnt), sign(&void, &self.relay).0),
            (self.scope.relay_retired(&incarnation), sign(&retired, &self.relay).0),
        ];
        all.extend(self.approval());
        all
    }

    fn request(&self) -> RequestId {
        RequestId { session: self.session(1), statement: 1 }
    }

    /// What is stored about a request for approval that was approved.
    fn approval(&self) -> [(String, Vec<u8>); 4] {
        let (request, commitment) = (self.request(), Sha256Digest::of(b"commitment"));
        let Scope { tenant, environment, relay } = self.scope.clone();
        let requested = ApprovalRequestedLeaf {
            tenant: tenant.clone(),
            environment: environment.clone(),
            relay: relay.clone(),
            request: request.clone(),
            commitment,
            expires_us: 9,
            time_us: 4,
        };
        let details = ApprovalRequest {
            tenant: tenant.clone(),
            environment: environment.clone(),
            relay: relay.clone(),
            request: request.clone(),
            commitment,
            actor: actor(),
            connection: name("db"),
            target: "db:5432/clinic".to_owned(),
            target_role: "affidavit".to_owned(),
            text: "DELETE FROM t".to_owned(),
            parameters: Vec::new(),
            settings: std::collections::BTreeMap::new(),
            objects: Vec::new(),
            reason: None,
            policy_sha256: Sha256Digest::of(b"policy"),
            requested_us: 4,
            expires_us: 9,
        };
        let decision = ApprovalDecision {
            request: request.clone(),
            commitment,
            verdict: DecisionVerdict::Approved,
            approver: Approver {
                issuer: "https://id.example".to_owned(),
                subject: "u-2".to_owned(),
                name: "Bo".to_owned(),
            },
            rationale: "checked".to_owned(),
            decided_us: 5,
            id_token: "token".to_owned(),
        };
        let decided = ApprovalDecidedLeaf {
            tenant,
            environment,
            relay,
            request: request.clone(),
            commitment,
            verdict: ApprovalVerdict::Approved,
            decision_sha256: None,
            time_us: 6,
        };
        [
            (self.scope.approval_requested(&request), sign(&requested, &self.relay).0),
            (self.scope.approval_request(&request), sign(&details, &self.relay).0),
            (self.scope.approval_decision(&request), sign(&decision, &self.approvals).0),
            (self.scope.approval_decided(&request), sign(&decided, &self.relay).0),
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

    async fn known(&self) -> Known {
        known(&*self.env.index, &self.session(1)).await
    }
}

type Known = (Vec<SessionRow>, Vec<ChunkRow>, Vec<ApprovalRow>);

/// All that an index knows.
async fn known(index: &dyn Index, session: &SessionId) -> Known {
    let approvals = index.approvals(ApprovalState::Any, None, 100).await.unwrap();
    (index.sessions().await.unwrap(), index.chunks(session).await.unwrap(), approvals)
}

fn sign<T: Statement>(statement: &T, key: &P256Key) -> (Vec<u8>, Sha256Digest) {
    let envelope = Envelope::of(statement, key).unwrap();
    (envelope.to_vec().unwrap(), envelope.statement_digest())
}

fn actor() -> Actor {
    Actor {
        kind: ActorKind::User,
        issuer: "https://id.example".to_owned(),
        subject: "u-1".to_owned(),
        name: "Ana Example".to_owned(),
        groups: Vec::new(),
        acts_for: None,
    }
}

fn session_open() -> EventBody {
    EventBody::SessionOpen(Box::new(SessionOpen {
        salt: "00".repeat(32),
        actor: actor(),
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
    }))
}

#[tokio::test]
async fn what_a_session_left_behind_is_found() {
    let scene = Scene::new();
    for (key, bytes) in scene.objects() {
        scene.store(&key, &bytes).await;
        index(&scene.env, &key).await.unwrap();
    }
    let (sessions, chunks, _) = scene.known().await;
    let [served, burnt] = sessions.as_slice() else { panic!("two sessions") };
    assert_eq!(served.subject.as_deref(), Some("u-1"));
    assert_eq!(served.connection, Some(name("db")));
    assert_eq!((served.opened_us, served.closed_us, served.chunks), (Some(2), Some(9), Some(1)));
    assert!(burnt.voided && !served.voided);
    assert_eq!(chunks.len(), 1);
    assert_eq!((chunks[0].events, chunks[0].first_time_us, chunks[0].last_time_us), (2, 3, 4));
    let approval = scene.env.index.approval(&scene.request()).await.unwrap().unwrap();
    assert_eq!((approval.subject.as_deref(), approval.approver_subject.as_deref()), (Some("u-1"), Some("u-2")));
    assert_eq!((approval.requested_us, approval.decided_us, approval.ended_us), (Some(4), Some(5), Some(6)));
    assert_eq!(approval.outcome, Some(ApprovalVerdict::Approved));
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
    let [(_, requested), (_, details), (_, decision), (_, decided)] = scene.approval();
    let other_request = RequestId { statement: 2, ..scene.request() };
    let forged: ApprovalDecision = Envelope::from_slice(&decision).unwrap().read_unverified().unwrap();
    for (key, bytes) in [
        (scene.scope.session_open(&scene.session(3)), open.0.clone()),
        (scene.scope.session_open(&scene.session(1)), sign(&scene.open_leaf(), &scene.root).0),
        (scene.scope.session_close(&scene.session(1)), open.0),
        (scene.scope.chunk(&scene.session(1), 2), chunk.clone()),
        (scene.scope.chunk(&scene.session(3), 1), chunk),
        (scene.scope.approval_requested(&other_request), requested),
        (scene.scope.approval_request(&other_request), details.clone()),
        (scene.scope.approval_decision(&other_request), decision),
        (scene.scope.approval_decided(&other_request), decided),
        (scene.scope.approval_decision(&scene.request()), sign(&forged, &scene.relay).0),
        (scene.scope.approval_decided(&scene.request()), details),
        (other_relay.certificate(&scene.session(1).incarnation), scene.certificate()),
    ] {
        scene.store(&key, &bytes).await;
        assert!(matches!(index(&scene.env, &key).await, Err(IndexerError::Rejected { .. })), "{key}");
    }
    assert_eq!(scene.known().await, (Vec::new(), Vec::new(), Vec::new()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Notifications come in any order and repeatedly; the index ends the same.
    #[test]
    fn any_order_and_any_repetition_end_the_same(
        order in Just((0..11).chain(0..11).collect::<Vec<usize>>()).prop_shuffle()
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
            assert_eq!(known(&*other.index, &scene.session(1)).await, expected);
        });
    }

    /// One changed bit anywhere, and an object is not indexed. A bit of `sealed_by` may make it another signer's, whose
    /// certificate is not there: then it is not rejected, but waits for it in vain.
    #[test]
    fn a_changed_object_is_never_indexed(object in 0_usize..11, position in any::<prop::sample::Index>(), bit in 0_u32..8) {
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
            assert!(index(&scene.env, &key).await.is_err(), "{key}");
        });
    }
}
