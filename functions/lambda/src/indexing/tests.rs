//! Batches in which some messages are good and some are not.

use std::collections::BTreeMap;
use std::sync::Mutex;

use seams::{Index, RedbIndex, Retention, StoreError};
use serde_json::{Value, json};

use super::*;
use crate::clock;
use crate::golden::{Golden, event, name};
use crate::metrics::tests::Written;

/// Remembers names, and may be away.
#[derive(Default)]
struct Names {
    named: Mutex<Vec<(String, String)>>,
    away: Mutex<bool>,
}

#[async_trait]
impl Quarantine for Names {
    async fn name(&self, key: &str, problem: &str) -> Result<(), QuarantineError> {
        if *self.away.lock().unwrap() {
            return Err(QuarantineError("told to fail".into()));
        }
        self.named.lock().unwrap().push((key.to_owned(), problem.to_owned()));
        Ok(())
    }
}

/// A lake that may be away.
#[derive(Default)]
struct Files {
    files: Mutex<BTreeMap<String, Vec<u8>>>,
    away: Mutex<bool>,
}

#[async_trait]
impl Lake for Files {
    async fn put(&self, key: &str, bytes: Vec<u8>) -> Result<(), StoreError> {
        if *self.away.lock().unwrap() {
            return Err(StoreError::Unavailable(key.to_owned(), "told to fail".into()));
        }
        self.files.lock().unwrap().insert(key.to_owned(), bytes);
        Ok(())
    }
}

struct Scene {
    golden: Golden,
    lake: Arc<Files>,
    index: Arc<RedbIndex>,
    names: Arc<Names>,
    written: Written,
    indexing: Indexing,
}

impl Scene {
    async fn new() -> Self {
        let golden = Golden::new().await;
        let index = Arc::new(RedbIndex::in_memory().unwrap());
        let (names, written) = (Arc::new(Names::default()), Written::default());
        let env = Env {
            store: golden.store.clone(),
            index: index.clone(),
            root: golden.keys.public_key(KeyName::Certificates).await.unwrap(),
            approvals: golden.keys.public_key(KeyName::Approvals).await.unwrap(),
        };
        let (lake, of) = (Arc::new(Files::default()), (name("clinic"), name("test")));
        let indexing = Indexing::new(env, (lake.clone(), of), names.clone(), written.metrics());
        Self { golden, lake, index, names, written, indexing }
    }

    /// Indexes messages, each of one object; which of them, from 0, the queue is to hand over again.
    async fn index(&self, bodies: &[String]) -> Vec<String> {
        let messages: Vec<Value> = bodies
            .iter()
            .enumerate()
            .map(|(number, body)| json!({ "messageId": number.to_string(), "body": body, "attributes": {} }))
            .collect();
        let batch: Batch = serde_json::from_value(json!({ "Records": messages })).unwrap();
        let failures = self.indexing.index(batch, Instant::now() + Duration::from_secs(60)).await;
        let failures = serde_json::to_value(&failures).unwrap();
        let items = failures["batchItemFailures"].as_array().unwrap();
        items.iter().map(|item| item["itemIdentifier"].as_str().unwrap().to_owned()).collect()
    }
}

fn stored(key: &str) -> String {
    json!({ "Records": [{ "eventName": "ObjectCreated:Put", "s3": { "object": { "key": key } } }] }).to_string()
}

#[tokio::test]
async fn the_good_ones_of_a_batch_are_indexed_whatever_the_others_are() {
    let scene = Scene::new().await;
    let good = scene.golden.ending("chunk-00000001.zst");
    // Somebody with the right to put stored a session's end that nobody signed.
    let forged = scene.golden.ending("close.json").replace("/0000000001/", "/0000000099/");
    assert!(!scene.golden.objects.contains(&forged));
    scene.golden.store.put(&forged, b"{\"payload\":\"patient\"}", Retention::none()).await.unwrap();
    let missing = good.replace("chunk-00000001", "chunk-00000077");
    let stranger = "evidence/clinic/test/readme.txt";
    let bodies = [stored(&forged), "not JSON".to_owned(), stored(&missing), stored(stranger), stored(&good)];
    assert_eq!(scene.index(&bodies).await, ["1", "2"], "what is no notification, and what is not stored yet");

    assert_eq!(scene.index.sessions().await.unwrap().len(), 1);
    let named = scene.names.named.lock().unwrap().clone();
    assert_eq!(named.len(), 1);
    assert!(named[0].0 == forged && !named[0].1.contains("patient"), "{named:?}");
    assert!(scene.golden.store.get(&forged).await.unwrap().is_some(), "it is evidence and stays");
    let sums = ["Indexed", "Rejected", "Unknown", "NotIndexedYet"].map(|name| scene.written.sum(name));
    assert_eq!(sums, [1, 1, 1, 2]);
    assert!(!scene.written.text().contains("evidence/"), "{}", scene.written.text());
}

#[tokio::test]
async fn what_cannot_be_named_in_the_quarantine_comes_again() {
    let scene = Scene::new().await;
    let forged = scene.golden.ending("close.json").replace("/0000000001/", "/0000000099/");
    scene.golden.store.put(&forged, b"{}", Retention::none()).await.unwrap();
    *scene.names.away.lock().unwrap() = true;
    assert_eq!(scene.index(&[stored(&forged)]).await, ["0"]);
    *scene.names.away.lock().unwrap() = false;
    assert_eq!(scene.index(&[stored(&forged)]).await, [""; 0]);
    assert_eq!(scene.names.named.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn everything_twice_and_in_any_order_ends_the_same() {
    let scene = Scene::new().await;
    let bodies: Vec<String> = scene.golden.objects.iter().rev().map(|key| stored(key)).collect();
    assert_eq!(scene.index(&bodies).await, [""; 0]);
    let sessions = scene.index.sessions().await.unwrap();
    assert!(sessions.len() > 2, "{sessions:?}");
    assert_eq!(scene.index(&bodies).await, [""; 0]);
    assert_eq!(scene.index.sessions().await.unwrap(), sessions);
    assert_eq!(scene.written.sum("Rejected"), 0);
}

/// Lambda would end it in the middle; the queue would then hand all of the batch over again.
#[tokio::test]
async fn what_there_is_no_time_for_comes_again() {
    let scene = Scene::new().await;
    let body =
        |number: usize| json!({ "messageId": number.to_string(), "body": stored(&scene.golden.objects[number]) });
    let batch = serde_json::from_value(json!({ "Records": [body(0), body(1)] })).unwrap();
    let failures = scene.indexing.index(batch, Instant::now()).await;
    assert_eq!(failures.len(), 2);
    assert_eq!(scene.written.sum("NotIndexedYet"), 2);
}

#[tokio::test]
async fn what_was_indexed_and_not_drawn_comes_again() {
    let scene = Scene::new().await;
    let bodies: Vec<String> = scene.golden.objects.iter().map(|key| stored(key)).collect();
    *scene.lake.away.lock().unwrap() = true;
    let again = scene.index(&bodies).await;
    assert!(!again.is_empty() && again.len() < bodies.len(), "{again:?}");
    assert!(scene.index.sessions().await.unwrap().len() > 2 && scene.lake.files.lock().unwrap().is_empty());
    *scene.lake.away.lock().unwrap() = false;
    let bodies: Vec<String> = again.iter().map(|number| bodies[number.parse::<usize>().unwrap()].clone()).collect();
    assert_eq!(scene.index(&bodies).await, [""; 0]);
    assert_eq!((scene.written.sum("Drawn"), scene.written.sum("Undrawn")), (again.len() as u64, 0));
    assert!(scene.lake.files.lock().unwrap().keys().all(|key| key.starts_with("tables/1/")));
}

#[tokio::test]
async fn an_administrator_has_the_lake_drawn_again() {
    let scene = Scene::new().await;
    let ask = async |asked: Value| {
        let asked: Asked = serde_json::from_value(asked).unwrap();
        let mut asked = event(asked, "arn");
        asked.context.deadline = clock::now_ms() + 60_000;
        serde_json::to_value(scene.indexing.handle(asked).await.unwrap()).unwrap()
    };
    let first = ask(json!({ "redraw": {} })).await;
    assert_eq!((&first["undrawn"], &first["after"]), (&json!(0), &Value::Null), "{first}");
    let files = scene.lake.files.lock().unwrap().clone();
    assert!(first["drawn"].as_u64().unwrap() > 2 && !files.is_empty(), "{first}");
    let last = scene.golden.objects.iter().rfind(|key| key.starts_with("evidence/")).unwrap();
    assert_eq!(ask(json!({ "redraw": { "after": last } })).await["drawn"], json!(0));
    assert_eq!(ask(json!({ "Records": [] })).await, json!({ "batchItemFailures": [] }));
    assert!(serde_json::from_value::<Asked>(json!({ "redraw": { "before": "x" } })).is_err());
}
