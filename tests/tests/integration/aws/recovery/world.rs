//! A deployment whose programs are processes that can be killed, each with a proxy of its own between it and AWS; a
//! courier who hands notifications over as queues do: twice, late, in any order.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_sqs::types::{Message, QueueAttributeName};
use schemas::layout::{APPROVALS_PREFIX, EVIDENCE_PREFIX};
use seams::KeyName;
use serde_json::{Value, json};

use crate::harness::lambdas::{queue, until_dead};
use crate::harness::weather::{Strike, Weather, storm};
use crate::harness::workload::Moments;
use crate::harness::{Emulator, Fault, FaultProxy, Function, Lambdas, Unanswered};

/// See there.
pub(super) struct World<'a> {
    pub(super) lambdas: Lambdas<'a>,
    pub(super) certifier: Arc<Mutex<Function>>,
    pub(super) indexer: Function,
    pub(super) sealer: Function,
    pub(super) bundler: Function,
    /// What S3 told, each object's once.
    pub(super) told: Vec<String>,
    /// From which the indexer is called.
    work: String,
    /// How many relays died over a session.
    pub(super) died: usize,
    /// Where messages end that were handed over too often.
    pub(super) dead: String,
    _folder: tempfile::TempDir,
}

/// What became of a look into the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// Nothing was there to be handed over.
    Nothing,
    /// The indexer answered.
    Answered,
    /// It died over it.
    Died,
    /// It could not begin.
    Unopened,
}

impl<'a> World<'a> {
    /// Each message is handed over so often at most, `seconds` apart when it was not done with.
    pub(super) async fn new(emulator: &'a Emulator, receives: u32, seconds: u32) -> Self {
        let lambdas = Lambdas::new(emulator).await;
        let dead = queue(emulator, &lambdas.sqs, "dead", &[]).await;
        let work = queue(emulator, &lambdas.sqs, "work", &until_dead(&dead, receives, seconds)).await;
        let folder = tempfile::tempdir().unwrap();
        let work_folder = folder.path().to_str().unwrap();
        let function = |program, keys: &[KeyName], more: &[(&str, &str)]| {
            Function::new(emulator, program, TIMEOUT, lambdas.variables(keys, more))
        };
        let relays = [("AFFIDAVIT_RELAYS", "r1"), ("AFFIDAVIT_CERTIFICATE_HOURS", "24")];
        let certifier = Arc::new(Mutex::new(function("certifier", &KeyName::ALL, &relays)));
        let indexer = function("indexer", &INDEXER_KEYS, &[]);
        let sealer = function("sealer", &[KeyName::Certificates, KeyName::Checkpoints], &[]);
        let names = [KeyName::Certificates, KeyName::Checkpoints, KeyName::Bundles];
        let bundler = function("bundler", &names, &[("AFFIDAVIT_WORK", work_folder)]);
        Self { certifier, indexer, sealer, bundler, told: Vec::new(), work, died: 0, dead, _folder: folder, lambdas }
    }

    /// Another indexer, with a table of its own and nothing between it and AWS.
    pub(super) fn indexer_of(&self, table: &str) -> Function {
        let variables = self.lambdas.variables(&INDEXER_KEYS, &[("AFFIDAVIT_TABLE", table)]);
        Function::new(self.lambdas.emulator, "indexer", TIMEOUT, variables)
    }

    /// Over all programs: of so many requests one suffers. Of who has more to do in one run, fewer do: a run must end.
    pub(super) fn storm(&self, moments: &mut Moments, one_in: u32) {
        let mut weather = |one_in| -> Weather { storm(u64::from(moments.below(u32::MAX)), one_in) };
        self.certifier.lock().unwrap().proxy.weather(weather(one_in));
        self.indexer.proxy.weather(weather(one_in));
        self.sealer.proxy.weather(weather(one_in * 2));
        self.bundler.proxy.weather(weather(one_in * 5));
    }

    pub(super) fn calm(&self) {
        self.certifier.lock().unwrap().proxy.heal();
        for proxy in [&self.indexer.proxy, &self.sealer.proxy, &self.bundler.proxy] {
            proxy.heal();
        }
    }

    /// As the schedule has it done.
    pub(super) fn certify_keys(&self) -> Result<Value, Unanswered> {
        let arn = self.lambdas.arn("certifier");
        tokio::task::block_in_place(|| self.certifier.lock().unwrap().invoke(&arn, &json!({ "certify": "keys" })))
    }

    /// As the schedule has it done.
    pub(super) fn seal(&mut self) -> Result<Value, Unanswered> {
        let arn = self.lambdas.arn("sealer");
        tokio::task::block_in_place(|| self.sealer.invoke(&arn, &json!({})))
    }

    /// As the console has it done, of all times.
    pub(super) fn bundle(&mut self) -> Result<Value, Unanswered> {
        let (arn, period) = (self.lambdas.arn("bundler"), json!({ "from_us": 0, "to_us": 4_102_444_800_000_000_u64 }));
        tokio::task::block_in_place(|| self.bundler.invoke(&arn, &period))
    }

    /// Takes what S3 has told since, until it has told of every object that is stored.
    pub(super) async fn hear(&mut self) -> Vec<String> {
        let store = self.lambdas.store().await;
        let mut stored = BTreeSet::new();
        for prefix in [EVIDENCE_PREFIX, APPROVALS_PREFIX] {
            stored.extend(store.list(prefix).await.unwrap());
        }
        let known = self.told.len();
        let mut named: BTreeSet<String> = self.told.iter().filter_map(|body| key(body)).collect();
        for _ in 0..LOOKS {
            let messages = self.receive(&self.lambdas.stored).await;
            if messages.is_empty() && stored.is_subset(&named) {
                return self.told[known..].to_vec();
            }
            if messages.is_empty() {
                tokio::time::sleep(PAUSE).await;
            }
            for message in messages {
                self.delete(&self.lambdas.stored, &message).await;
                let body = message.body.unwrap();
                // The first told is that S3 will tell.
                if key(&body).is_some_and(|key| named.insert(key)) {
                    self.told.push(body);
                }
            }
        }
        panic!("S3 did not tell of {:?}", stored.difference(&named));
    }

    /// Puts messages into the queue, each twice and in any order; `late` of ten are kept back and given.
    pub(super) async fn deliver(&self, messages: Vec<String>, moments: &mut Moments, late: u32) -> Vec<String> {
        let twice = messages.iter().chain(&messages).cloned();
        let (late, mut now): (Vec<_>, Vec<_>) = twice.partition(|_| moments.below(10) < late);
        for place in (1..now.len()).rev() {
            now.swap(place, moments.below(u32::try_from(place + 1).unwrap()) as usize);
        }
        for body in now {
            self.send(&self.work, body).await;
        }
        late
    }

    /// Hands a batch of messages to the indexer, as Lambda does: what it answers is deleted but for those that it names,
    /// and after no answer all of them are handed over again.
    pub(super) async fn look(&mut self) -> Look {
        let messages = self.receive(&self.work).await;
        if messages.is_empty() {
            return Look::Nothing;
        }
        let arn = self.lambdas.arn("indexer");
        let batch = batch(messages.iter().map(|message| (message.message_id().unwrap(), message.body().unwrap())));
        match tokio::task::block_in_place(|| self.indexer.invoke(&arn, &batch)) {
            Ok(answer) => {
                let failed: BTreeSet<&str> = failures(&answer).collect();
                for message in messages.iter().filter(|message| !failed.contains(message.message_id().unwrap())) {
                    self.delete(&self.work, message).await;
                }
                Look::Answered
            }
            Err(Unanswered::Died) => Look::Died,
            // As Lambda hands a batch over again after an error.
            Err(Unanswered::Error(error)) if error["errorType"] == "TryAgain" => Look::Unopened,
            Err(Unanswered::Error(error)) => panic!("the indexer answers with what failed: {error}"),
        }
    }

    /// Until the queue is empty: every message is done with, or dead.
    pub(super) async fn index_all(&mut self) {
        for _ in 0..LOOKS {
            match self.look().await {
                Look::Nothing if self.waiting(&self.work).await == 0 => return,
                Look::Nothing => tokio::time::sleep(PAUSE).await,
                Look::Answered | Look::Died | Look::Unopened => {}
            }
        }
        panic!("messages are left: {}", self.indexer.log());
    }

    /// Takes what is dead back into the queue, as `aws sqs start-message-move-task` does, which the emulator lacks.
    pub(super) async fn redrive(&self) -> usize {
        let mut moved = 0;
        loop {
            let messages = self.receive(&self.dead).await;
            if messages.is_empty() {
                return moved;
            }
            for message in messages {
                self.send(&self.work, message.body.clone().unwrap()).await;
                self.delete(&self.dead, &message).await;
                moved += 1;
            }
        }
    }

    /// How many messages are in a queue, handed over or not.
    pub(super) async fn waiting(&self, queue: &str) -> usize {
        let names = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        ];
        let get = self.lambdas.sqs.get_queue_attributes().queue_url(queue).set_attribute_names(Some(names.to_vec()));
        let attributes = get.send().await.unwrap().attributes.unwrap();
        names.iter().map(|name| attributes[name].parse::<usize>().unwrap()).sum()
    }

    pub(super) async fn send_to_indexer(&self, body: &str) {
        self.send(&self.work, body.to_owned()).await;
    }

    async fn receive(&self, queue: &str) -> Vec<Message> {
        let receive = self.lambdas.sqs.receive_message().queue_url(queue).max_number_of_messages(10);
        receive.send().await.unwrap().messages.unwrap_or_default()
    }

    async fn send(&self, queue: &str, body: String) {
        self.lambdas.sqs.send_message().queue_url(queue).message_body(body).send().await.unwrap();
    }

    async fn delete(&self, queue: &str, message: &Message) {
        let delete = self.lambdas.sqs.delete_message().queue_url(queue);
        delete.receipt_handle(message.receipt_handle().unwrap()).send().await.unwrap();
    }
}

/// A proxy for a relay, in a storm. Some requests are not answered for longer than it waits, done or not: its deadlines
/// are short, here.
pub(super) fn stormy(emulator: &Emulator, moments: &mut Moments, one_in: u32) -> FaultProxy {
    let proxy = FaultProxy::before(emulator.address());
    let mut storm = storm(u64::from(moments.below(u32::MAX)), one_in);
    let mut requests = 0;
    proxy.weather(Box::new(move |call| {
        requests += 1;
        if requests % SILENT == 0 {
            return Some(Strike { fault: Fault::Silence, persists: requests % 2 == 0 });
        }
        storm(call)
    }));
    proxy
}

/// Messages as Lambda takes them from a queue.
pub(super) fn batch<'m>(messages: impl Iterator<Item = (&'m str, &'m str)>) -> Value {
    let records: Vec<Value> = messages.map(|(id, body)| json!({ "messageId": id, "body": body })).collect();
    json!({ "Records": records })
}

/// Which messages the indexer says it is not done with.
pub(super) fn failures(answer: &Value) -> impl Iterator<Item = &str> {
    let items = answer["batchItemFailures"].as_array().unwrap();
    items.iter().map(|item| item["itemIdentifier"].as_str().unwrap())
}

/// Of the object that a notification tells of; ours need no decoding.
fn key(body: &str) -> Option<String> {
    let told: Value = serde_json::from_str(body).unwrap();
    told["Records"][0]["s3"]["object"]["key"].as_str().map(str::to_owned)
}

const INDEXER_KEYS: [KeyName; 2] = [KeyName::Certificates, KeyName::Approvals];
/// One request in so many.
const SILENT: usize = 19;
/// The indexer's own; long enough for the others with what these tests store.
const TIMEOUT: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(100);
const LOOKS: usize = 1000;
