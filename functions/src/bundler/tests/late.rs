//! What comes very late: after the bundle of its period was made, after its session's close, after its life's end. It
//! is indexed as if it had come in time, it is in the next bundle, and where it comes too late for the log it is named.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemas::chunk::{ChunkBuilder, ChunkHead, Container, Seal};
use schemas::dsse::{Envelope, Statement};
use schemas::entropy::SystemEntropy;
use schemas::event::{Event, EventBody};
use schemas::heartbeat::Heartbeat;
use schemas::identifiers::SessionId;
use schemas::layout::{self, ObjectKind};
use schemas::leaf::SessionOpenLeaf;
use schemas::rule::Rule;
use schemas::session_key::SessionKey;
use schemas::signature::P256Key;
use schemas::verify::{Finding, Options, verify, verify_bundle};
use seams::{ApprovalRow, ApprovalState, ChunkRow, KeyName, PutOutcome, RedbIndex, Retention, SessionRow};

use super::ALWAYS;
use super::scene::{APPROVED, RECORDED, RECOVERED, Scene};
use crate::{golden, indexer};

pub(super) type Files = BTreeMap<String, Vec<u8>>;

/// The last things of the second life: a store that was away gets them an hour later.
fn comes_late(key: &str) -> bool {
    let Some(object) = layout::parse(key) else { return false };
    match object.kind {
        ObjectKind::Chunk(session, _) | ObjectKind::SessionClose(session) => session == *APPROVED,
        ObjectKind::Heartbeat(incarnation, sequence) => incarnation == APPROVED.incarnation && sequence == 2,
        ObjectKind::RelayRetired(incarnation) => incarnation == APPROVED.incarnation,
        _ => false,
    }
}

/// An index, told of everything that is stored.
struct Indexing(indexer::Env);

impl Indexing {
    async fn of(scene: &Scene) -> Self {
        let env = indexer::Env {
            store: scene.env.store.clone(),
            index: Arc::new(RedbIndex::in_memory().unwrap()),
            root: scene.env.root.clone(),
            approvals: scene.env.keys.public_key(KeyName::Approvals).await.unwrap(),
        };
        for key in env.store.list("").await.unwrap() {
            indexer::index(&env, &key).await.unwrap();
        }
        Self(env)
    }

    /// Tells of an object twice.
    async fn tell(&self, key: &str) {
        for _ in 0..2 {
            indexer::index(&self.0, key).await.unwrap();
        }
    }

    async fn known(&self) -> (Vec<SessionRow>, Vec<ChunkRow>, Vec<ApprovalRow>) {
        let sessions = self.0.index.sessions().await.unwrap();
        let mut chunks = Vec::new();
        for row in &sessions {
            chunks.extend(self.0.index.chunks(&row.session).await.unwrap());
        }
        (sessions, chunks, self.0.index.approvals(ApprovalState::Any, None, 100).await.unwrap())
    }
}

pub(super) fn holds(files: &Files, scene: &Scene) -> bool {
    verify_bundle(files, &scene.env.root, &Options::default()).unwrap().holds()
}

/// What does not depend on when a bundle was made, and under which keys.
pub(super) fn content(files: &Files) -> Files {
    let lasting = ["evidence/", "tables/", "csv/", "json/", "replay/", "safeguards.json"];
    let is_lasting = |path: &String| lasting.iter().any(|prefix| path.starts_with(prefix));
    files.iter().filter(|(path, _)| is_lasting(path)).map(|(path, bytes)| (path.clone(), bytes.clone())).collect()
}

#[tokio::test]
async fn what_comes_after_the_bundle_of_its_period_is_in_the_next_one_as_if_it_had_come_in_time() {
    let (late, early): (Files, Files) = golden::objects().into_iter().partition(|(key, _)| comes_late(key));
    assert_eq!(late.len(), 4);
    let scene = Scene::of(early).await;
    let indexing = Indexing::of(&scene).await;
    assert!(scene.seal().await > 0);
    let (first, files) = scene.bundle(ALWAYS).await;
    assert!(holds(&files, &scene));

    for (key, bytes) in &late {
        for expected in [PutOutcome::Created, PutOutcome::AlreadyIdentical] {
            assert_eq!(scene.env.store.put(key, bytes, Retention::none()).await.unwrap(), expected);
        }
        indexing.tell(key).await;
    }
    assert_eq!((scene.seal().await, scene.seal().await), (4, 0));
    let (_, next) = scene.bundle(ALWAYS).await;

    let in_time = Scene::new().await;
    assert!(in_time.seal().await > 0);
    let (_, expected) = in_time.bundle(ALWAYS).await;
    assert!(holds(&next, &scene));
    assert!(content(&next) == content(&expected), "the next bundle is not what it would have been");
    assert_eq!(indexing.known().await, Indexing::of(&in_time).await.known().await);
    assert!(scene.fetch(&first).await == files, "the first one stays what it was");
}

#[tokio::test]
async fn what_comes_after_an_end_is_named_in_the_evidence_and_in_the_next_bundle() {
    for (key, bytes) in [
        chunk_after_close(&RECORDED),
        heartbeat_after_retirement(&RECORDED, &golden::life_key(1)),
        heartbeat_after_retirement(&APPROVED, &golden::life_key(2)),
        session_after_retirement(),
    ] {
        let scene = Scene::new().await;
        let indexing = Indexing::of(&scene).await;
        assert!(scene.seal().await > 0);
        let (first, files) = scene.bundle(ALWAYS).await;
        assert!(holds(&files, &scene));

        scene.env.store.put(&key, &bytes, Retention::none()).await.unwrap();
        indexing.tell(&key).await;
        assert_eq!(scene.seal().await, 0, "{key} is in the log");
        let stored = scene.stored();
        assert!(stored[&key] == bytes, "{key} is lost");
        let report = verify(&stored, &scene.env.root, &Options::default()).unwrap();
        assert!(report.errors().any(|finding| is_about(finding, &key)), "{key} is not named: {:#?}", report.findings);

        let (_, next) = scene.bundle(ALWAYS).await;
        let report = verify_bundle(&next, &scene.env.root, &Options::default()).unwrap();
        let evidence = &report.evidence;
        assert!(
            evidence.errors().any(|finding| is_about(finding, &key)),
            "{key} is not named: {:#?}",
            evidence.findings
        );
        let again = scene.fetch(&first).await;
        assert!(again == files && holds(&again, &scene), "the first one stays what it was");
    }
}

#[tokio::test]
async fn a_chunk_that_comes_after_the_close_is_found() {
    let scene = Scene::new().await;
    let indexing = Indexing::of(&scene).await;
    let (before, ..) = indexing.known().await;
    let (key, bytes) = chunk_after_close(&RECORDED);
    scene.env.store.put(&key, &bytes, Retention::none()).await.unwrap();
    indexing.tell(&key).await;
    let chunks = indexing.0.index.chunks(&RECORDED).await.unwrap();
    assert_eq!(chunks.iter().map(|chunk| chunk.sequence).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(indexing.known().await.0, before, "what the close says stays");
    assert_eq!(Indexing::of(&scene).await.known().await, indexing.known().await);
}

/// Of counters that are missing or too many, the life's folder is named.
fn is_about(finding: &Finding, key: &str) -> bool {
    finding.object == key || finding.rule == Rule::IncarnationCounter && key.starts_with(&finding.object)
}

fn chunk_after_close(session: &SessionId) -> (String, Vec<u8>) {
    let (objects, scope) = (golden::objects(), golden::scope());
    let before = Container::parse(&objects[&scope.chunk(session, 2)]).unwrap();
    let head = ChunkHead {
        scope: scope.clone(),
        log_origin: before.manifest().log_origin.clone(),
        session: session.clone(),
        connection: before.manifest().connection.clone(),
        sequence: 3,
        prev: before.envelope().statement_digest(),
        first_event: before.manifest().last_event + 1,
    };
    let (number, time_us) = (head.first_event, before.manifest().last_time_us);
    let mut builder = ChunkBuilder::new(head, &SessionKey::from_bytes([7; 32]), &SystemEntropy).unwrap();
    builder.push_event(&Event { number, time_us, body: EventBody::Cancel }).unwrap();
    let sealed = builder.finish(&Seal { time_us, last: true }, &golden::life_key(1)).unwrap();
    (scope.chunk(session, 3), sealed.bytes)
}

fn heartbeat_after_retirement(session: &SessionId, key: &P256Key) -> (String, Vec<u8>) {
    let place = |sequence| golden::scope().heartbeat(&session.incarnation, sequence);
    let heartbeat: Heartbeat = golden_statement(&place(2));
    (place(3), sign(&Heartbeat { sequence: 3, ..heartbeat }, key))
}

fn session_after_retirement() -> (String, Vec<u8>) {
    let session = SessionId { counter: 4, ..RECOVERED.clone() };
    let open: SessionOpenLeaf = golden_statement(&golden::scope().session_open(&RECOVERED));
    let key = golden::scope().session_open(&session);
    (key, sign(&SessionOpenLeaf { session, ..open }, &golden::life_key(1)))
}

fn golden_statement<T: Statement>(key: &str) -> T {
    Envelope::from_slice(&golden::objects()[key]).unwrap().read_unverified().unwrap()
}

fn sign<T: Statement>(statement: &T, key: &P256Key) -> Vec<u8> {
    Envelope::of(statement, key).unwrap().to_vec().unwrap()
}
