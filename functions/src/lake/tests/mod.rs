//! The golden tree, drawn in every order, with late, damaged and missing parts, and drawn again.

mod faults;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use proptest::prelude::*;
use schemas::identifiers::SessionId;
use schemas::layout::{Scope, lake_file};
use schemas::signature::PublicKey;
use schemas::tables::parquet::ParquetReader;
use schemas::tables::{Derivation, RowSink, SessionRows, Table, Value};
use schemas::verify::{self, Options};
use seams::{EvidenceStore, Index, KeyName, Keys, Lake, RedbIndex, Retention, StoreError};
use tokio::time::Instant;

use super::{Drawn, Env, Limits, Redrawn, Undrawn, Why, follow, redraw};
use crate::sealer::tests::store::MemoryStore;
use crate::{golden, indexer};

type Files = BTreeMap<String, Vec<u8>>;

/// A lake in memory.
#[derive(Default)]
struct MemoryLake(Mutex<Files>);

#[async_trait]
impl Lake for MemoryLake {
    async fn put(&self, key: &str, bytes: Vec<u8>) -> Result<(), StoreError> {
        self.0.lock().unwrap().insert(key.to_owned(), bytes);
        Ok(())
    }
}

struct Scene {
    store: Arc<MemoryStore>,
    lake: Arc<MemoryLake>,
    index: Arc<dyn Index>,
    root: PublicKey,
    approvals: PublicKey,
    _folder: tempfile::TempDir,
}

impl Scene {
    /// Nothing is stored yet.
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = golden::keys(&folder.path().join("keys"));
        Self {
            store: Arc::default(),
            lake: Arc::default(),
            index: Arc::new(RedbIndex::in_memory().unwrap()),
            root: keys.public_key(KeyName::Certificates).await.unwrap(),
            approvals: keys.public_key(KeyName::Approvals).await.unwrap(),
            _folder: folder,
        }
    }

    fn env(&self) -> Env {
        Env {
            store: self.store.clone(),
            index: self.index.clone(),
            lake: self.lake.clone(),
            root: self.root.clone(),
            limits: Limits::default(),
        }
    }

    async fn put(&self, objects: &Files) {
        for (key, bytes) in objects {
            self.store.put(key, bytes, Retention::none()).await.unwrap();
        }
    }

    async fn index_only(&self, key: &str) {
        let Self { store, index, root, approvals, .. } = self;
        let (store, index, root, approvals) = (store.clone(), index.clone(), root.clone(), approvals.clone());
        indexer::index(&indexer::Env { store, index, root, approvals }, key).await.unwrap();
    }

    /// What the queue has the indexer do for an object.
    async fn told(&self, key: &str) -> Drawn {
        self.index_only(key).await;
        follow(&self.env(), key).await.unwrap()
    }

    async fn all_told(&self, objects: &Files) {
        self.put(objects).await;
        for key in objects.keys() {
            self.told(key).await;
        }
    }

    fn files(&self) -> Files {
        self.lake.0.lock().unwrap().clone()
    }

    /// The rows of the lake, by table and session.
    fn rows(&self) -> Rows {
        let mut rows = Rows::default();
        for (key, bytes) in self.files() {
            let (table, file) = key.strip_prefix("tables/1/").unwrap().split_once('/').unwrap();
            let session = file.split_once('/').unwrap().1.strip_suffix(".parquet").unwrap().to_owned();
            let table = Table::named(table).unwrap();
            let mut read = Vec::new();
            for row in ParquetReader::open(table, Box::new(std::io::Cursor::new(bytes))).unwrap() {
                read.push(row.unwrap());
            }
            assert!(!read.is_empty(), "{key}: an empty table has no file");
            rows.0.insert((table, session), read);
        }
        rows
    }
}

/// Rows by table and session.
#[derive(Debug, Default, PartialEq)]
struct Rows(BTreeMap<(Table, String), Vec<Vec<Value>>>);

impl Rows {
    /// Those that a bundle of these objects has.
    fn of_bundle(objects: &Files, root: &PublicKey) -> Self {
        let mut rows = Self::default();
        let mut derivation = Derivation::new(&mut rows);
        verify::observe(objects, root, &Options::default(), &mut derivation).unwrap();
        derivation.finish().unwrap();
        rows
    }

    fn sessions(&self) -> BTreeSet<&str> {
        self.0.keys().map(|(_, session)| session.as_str()).collect()
    }
}

impl RowSink for Rows {
    fn session(&mut self, rows: &SessionRows) -> io::Result<()> {
        for table in Table::ALL {
            for row in rows.of(table) {
                let column = table.column("session").unwrap();
                let Value::Text(session) = &row[column] else { panic!("a session") };
                self.0.entry((table, session.clone())).or_default().push(row);
            }
        }
        Ok(())
    }
}

/// The golden evidence, but for the log, which the lake does not know.
fn objects() -> Files {
    let mut objects = golden::objects();
    objects.retain(|key, _| key.starts_with("evidence/") || key.starts_with("approvals/"));
    objects
}

fn session(text: &str) -> SessionId {
    text.parse().unwrap()
}

fn key_of(session: &SessionId, name: &str) -> String {
    format!("{}{name}", golden::scope().session_prefix(session))
}

/// Its own life closed it.
fn whole() -> SessionId {
    session("9f05b38685d760d161390dfc433d35e1-0000000002")
}

/// Its life ended in it; another one sealed the rest and closed it.
fn recovered() -> SessionId {
    session("c2a35b2d82043f03310e1d0c0bca33a1-0000000003")
}

#[tokio::test]
async fn the_lake_has_the_rows_that_a_bundle_has() {
    let (scene, objects) = (Scene::new().await, objects());
    scene.all_told(&objects).await;
    let (rows, expected) = (scene.rows(), Rows::of_bundle(&objects, &scene.root));
    assert!(rows.sessions().len() >= 4 && rows.sessions().contains(recovered().to_string().as_str()));
    assert_eq!(rows, expected);
    let day = lake_file(Table::Statements, &whole(), 1_790_000_070_000_000).unwrap();
    assert!(scene.files().contains_key(&day), "{day} of {:?}", scene.files().keys());
}

#[tokio::test]
async fn a_session_is_drawn_when_the_last_of_what_it_needs_is_there_whichever_that_is() {
    let all = objects();
    let parts: Vec<_> = all.keys().filter(|key| key.starts_with(&golden::scope().session_prefix(&whole()))).collect();
    assert!(parts.len() >= 5, "open, chunk, close, a request and its end: {parts:?}");
    for late in parts {
        let (scene, mut objects) = (Scene::new().await, all.clone());
        let bytes = objects.remove(late).unwrap();
        scene.all_told(&objects).await;
        assert!(!scene.rows().sessions().contains(whole().to_string().as_str()), "drawn without {late}");
        scene.put(&BTreeMap::from([(late.clone(), bytes)])).await;
        assert_eq!(scene.told(late).await, Drawn { sessions: 1, undrawn: Vec::new() }, "{late}");
        assert_eq!(scene.rows(), Rows::of_bundle(&all, &scene.root), "{late}");
    }
}

/// After an outage they come all at once: each chunk that follows its session's end must not draw all of them.
#[tokio::test]
async fn a_session_whose_end_comes_first_is_drawn_once() {
    let (scene, objects) = (Scene::new().await, objects());
    scene.put(&objects).await;
    let prefix = golden::scope().session_prefix(&recovered());
    let mut drawn = 0;
    for key in objects.keys().filter(|key| key.ends_with("close.json") && key.starts_with(&prefix)) {
        drawn += scene.told(key).await.sessions;
    }
    for key in objects.keys().filter(|key| !key.ends_with("close.json") && key.starts_with(&prefix)).rev() {
        drawn += scene.told(key).await.sessions;
    }
    assert_eq!(drawn, 1);
}

#[tokio::test]
async fn what_does_not_verify_is_not_drawn_and_is_named() {
    let (scene, mut objects) = (Scene::new().await, objects());
    scene.all_told(&objects).await;
    let files = scene.files();
    // After it was indexed, somebody with the disk changed it.
    let chunk = key_of(&whole(), "chunk-00000001.zst");
    let bytes = objects.get_mut(&chunk).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let bytes = bytes.clone();
    scene.store.overwrite(&chunk, &bytes);
    scene.lake.0.lock().unwrap().clear();
    let mut undrawn = Vec::new();
    for key in objects.keys() {
        undrawn.extend(follow(&scene.env(), key).await.unwrap().undrawn);
    }
    assert!(undrawn.contains(&Undrawn { session: whole(), why: Why::Unsound }), "{undrawn:?}");
    let others: Files = files.into_iter().filter(|(key, _)| !key.contains(&whole().to_string())).collect();
    assert_eq!(scene.files(), others);
}

#[tokio::test]
async fn a_session_that_nobody_closed_is_drawn_when_its_life_is_given_up_and_again_when_it_is_closed() {
    let (scene, all) = (Scene::new().await, objects());
    let is_end =
        |key: &String| ["chunk-00000002.zst", "close.json"].iter().any(|end| *key == key_of(&recovered(), end));
    let end: Files = all.clone().into_iter().filter(|(key, _)| is_end(key)).collect();
    assert_eq!(end.len(), 2);
    let mut begun = all.clone();
    begun.retain(|key, _| !end.contains_key(key));
    scene.all_told(&begun).await;
    let id = recovered().to_string();
    assert!(!scene.rows().sessions().contains(id.as_str()), "it may go on");

    let abandoned = golden::scope().abandoned(&recovered().incarnation);
    assert_eq!(scene.told(&abandoned).await.sessions, 1);
    let state = Table::Sessions.column("state").unwrap();
    assert_eq!(scene.rows().0[&(Table::Sessions, id.clone())][0][state], Value::Text("open".to_owned()));

    for (key, bytes) in &end {
        scene.put(&BTreeMap::from([(key.clone(), bytes.clone())])).await;
        scene.told(key).await;
    }
    assert_eq!(scene.rows(), Rows::of_bundle(&all, &scene.root));
}

#[tokio::test]
async fn what_is_too_long_is_not_drawn_and_is_named() {
    let (scene, objects) = (Scene::new().await, objects());
    scene.all_told(&objects).await;
    scene.lake.0.lock().unwrap().clear();
    for limits in [Limits { stored: 2000, ..Limits::default() }, Limits { events: 500, ..Limits::default() }] {
        for session in [whole(), recovered()] {
            let env = Env { limits, ..scene.env() };
            let drawn = follow(&env, &golden::scope().session_close(&session)).await.unwrap();
            let undrawn = vec![Undrawn { session, why: Why::TooLong }];
            assert_eq!(drawn, Drawn { sessions: 0, undrawn }, "{limits:?}");
        }
    }
    assert_eq!(scene.files(), Files::new());
}

#[tokio::test]
async fn all_of_it_is_drawn_again_out_of_the_evidence_alone() {
    let (scene, objects) = (Scene::new().await, objects());
    scene.all_told(&objects).await;
    let files = scene.files();
    let (tenant, environment) = ("clinic".parse().unwrap(), "test".parse().unwrap());
    let fresh = Env { index: Arc::new(RedbIndex::in_memory().unwrap()), ..scene.env() };
    scene.lake.0.lock().unwrap().clear();
    let later = Instant::now() + Duration::from_secs(60);
    let drawn = redraw(&fresh, (&tenant, &environment), "", later).await.unwrap();
    assert_eq!((drawn.after, drawn.drawn.undrawn), (None, Vec::new()));
    assert_eq!(scene.files(), files);

    // There is no time at all: it says where to go on, and that is where it was.
    let none = redraw(&fresh, (&tenant, &environment), "", Instant::now()).await.unwrap();
    let Redrawn { after: Some(after), .. } = none else { panic!("{none:?}") };
    assert!(!after.contains("/sessions/"), "{after}");
    // From each session on, the rest is drawn.
    let mut before = usize::MAX;
    for key in objects.keys().filter(|key| key.ends_with("/close.json")) {
        scene.lake.0.lock().unwrap().clear();
        let rest = redraw(&fresh, (&tenant, &environment), key, later).await.unwrap();
        assert_eq!(rest.after, None);
        let left = scene.rows().sessions().len();
        assert!(left < before, "{left} after {key}");
        before = left;
    }
}

/// A year of heartbeats is more than one call has time for.
#[tokio::test]
async fn where_nothing_is_to_be_drawn_a_redraw_still_ends_in_time_and_goes_on_from_there() {
    let scene = Scene::new().await;
    let (tenant, environment) = ("clinic".parse().unwrap(), "test".parse().unwrap());
    let relay = Scope { tenant, environment, relay: "idle".parse().unwrap() };
    let life = "0123456789abcdef0123456789abcdef".parse().unwrap();
    let beats: Vec<String> = (1..=2_500).map(|sequence| relay.heartbeat(&life, sequence)).collect();
    for key in &beats {
        scene.store.put(key, b"", Retention::none()).await.unwrap();
    }
    let (mut after, mut calls) = (String::new(), 0);
    while let Some(next) =
        redraw(&scene.env(), (&relay.tenant, &relay.environment), &after, Instant::now()).await.unwrap().after
    {
        assert!(next > after && calls < 10);
        (after, calls) = (next, calls + 1);
    }
    assert_eq!((calls, after), (3, beats[2_499].clone()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    /// Notifications come in any order and repeatedly; the files end the same, byte for byte.
    #[test]
    fn any_order_and_any_repetition_draw_the_same(
        order in Just((0..objects().len()).chain(0..objects().len()).collect::<Vec<usize>>()).prop_shuffle()
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let objects = objects();
            let (straight, shuffled) = (Scene::new().await, Scene::new().await);
            straight.all_told(&objects).await;
            shuffled.put(&objects).await;
            let keys: Vec<_> = objects.keys().collect();
            for at in order {
                shuffled.told(keys[at]).await;
            }
            assert_eq!(shuffled.files(), straight.files());
        });
    }
}
