//! A deployment on the emulator: buckets, queues, a table, keys, and the functions' own programs as its Lambda functions,
//! with the variables that infra/modules gives them.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use aws::{DynamoIndex, KmsKeys, KmsSettings, LockMode, PlacedSettings, PlacedStore};
use aws_sdk_kms::types::{KeySpec, KeyUsageType};
use aws_sdk_lambda::types::{Environment, FunctionCode, FunctionResponseType, Runtime};
use aws_sdk_s3::types::{
    Event, FilterRule, FilterRuleName, NotificationConfiguration, NotificationConfigurationFilter, QueueConfiguration,
    S3KeyFilter,
};
use aws_sdk_sqs::types::QueueAttributeName;
use seams::{EvidenceStore, KeyName};
use serde_json::{Value, json};

use super::emulator::{ACCOUNT, REGION};
use super::{Emulator, Programs, now_s, repository};

/// See there.
pub(crate) struct Lambdas<'a> {
    emulator: &'a Emulator,
    prefix: String,
    buckets: PlacedSettings,
    /// A bucket without a lock.
    pub(crate) lake: String,
    table: String,
    pub(crate) keys: KmsSettings,
    cookies: String,
    stored: String,
    pub(crate) quarantine: String,
    pub(crate) unindexed: String,
    lambda: aws_sdk_lambda::Client,
    sqs: aws_sdk_sqs::Client,
}

impl<'a> Lambdas<'a> {
    /// Everything but the functions.
    pub(crate) async fn new(emulator: &'a Emulator) -> Self {
        let sqs = aws_sdk_sqs::Client::new(&emulator.sdk());
        let bucket = async || emulator.bucket().await.bucket;
        let buckets = PlacedSettings {
            evidence: bucket().await,
            log: bucket().await,
            deletable: bucket().await,
            owner: Some(ACCOUNT.to_owned()),
            mode: LockMode::Governance,
        };
        let lake = emulator.name("lake");
        emulator.s3().create_bucket().bucket(&lake).send().await.unwrap();
        let queue = async |what: &str, attributes: &[(QueueAttributeName, String)]| {
            let create = sqs.create_queue().queue_name(emulator.name(what));
            let create = create.set_attributes(Some(attributes.iter().cloned().collect()));
            create.send().await.unwrap().queue_url.unwrap()
        };
        let (quarantine, unindexed) = (queue("quarantine", &[]).await, queue("unindexed", &[]).await);
        let redrive = json!({ "deadLetterTargetArn": queue_arn(&unindexed), "maxReceiveCount": 3 }).to_string();
        let attributes =
            [(QueueAttributeName::RedrivePolicy, redrive), (QueueAttributeName::VisibilityTimeout, "3".to_owned())];
        let stored = queue("stored", &attributes).await;
        let kms = aws_sdk_kms::Client::new(&emulator.sdk());
        let cookies = kms.create_key().key_spec(KeySpec::Hmac256).key_usage(KeyUsageType::GenerateVerifyMac);
        let cookies = cookies.send().await.unwrap().key_metadata.unwrap().arn.unwrap();
        for (bucket, prefix) in
            [(&buckets.evidence, "evidence/clinic/test/"), (&buckets.deletable, "approvals/clinic/test/")]
        {
            notify(emulator, bucket, prefix, &stored).await;
        }
        Self {
            emulator,
            prefix: emulator.name("affidavit"),
            buckets,
            lake,
            table: emulator.table().await,
            keys: emulator.keys().await,
            cookies,
            stored,
            quarantine,
            unindexed,
            lambda: aws_sdk_lambda::Client::new(&emulator.sdk()),
            sqs,
        }
    }

    /// Where evidence is.
    pub(crate) async fn store(&self) -> Arc<dyn EvidenceStore> {
        Arc::new(PlacedStore::open(&self.emulator.connection(), &self.buckets, now_s).await.unwrap())
    }

    /// What stands in the lake, by key.
    pub(crate) async fn lake_files(&self) -> BTreeMap<String, Vec<u8>> {
        let s3 = self.emulator.s3();
        let listed = s3.list_objects_v2().bucket(&self.lake).prefix("tables/").send().await.unwrap();
        assert_ne!(listed.is_truncated, Some(true));
        let mut files = BTreeMap::new();
        for object in listed.contents() {
            let key = object.key().unwrap();
            let file = s3.get_object().bucket(&self.lake).key(key).send().await.unwrap();
            files.insert(key.to_owned(), file.body.collect().await.unwrap().to_vec());
        }
        files
    }

    /// What the indexer fills.
    pub(crate) fn index(&self) -> DynamoIndex {
        DynamoIndex::new(&self.emulator.connection(), &self.table)
    }

    /// The deployment's keys.
    pub(crate) fn key_service(&self) -> KmsKeys {
        KmsKeys::new(&self.emulator.connection(), self.keys.clone())
    }

    /// A function's name.
    pub(crate) fn name(&self, function: &str) -> String {
        format!("{}-{function}", self.prefix)
    }

    /// A function's ARN.
    pub(crate) fn arn(&self, function: &str) -> String {
        format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{}", self.name(function))
    }

    /// What every function is told, and the keys that it may use; `more` is its own.
    pub(crate) fn variables(&self, keys: &[KeyName], more: &[(&str, &str)]) -> Vec<(String, String)> {
        let PlacedSettings { evidence, log, deletable, .. } = &self.buckets;
        let common = [
            ("AFFIDAVIT_TENANT", "clinic"),
            ("AFFIDAVIT_ENVIRONMENT", "test"),
            ("AFFIDAVIT_BUCKET_OWNER", ACCOUNT),
            ("AFFIDAVIT_BUCKET_EVIDENCE", evidence),
            ("AFFIDAVIT_BUCKET_LOG", log),
            ("AFFIDAVIT_BUCKET_DELETABLE", deletable),
            ("AFFIDAVIT_BUCKET_LAKE", &self.lake),
            ("AFFIDAVIT_LOCK_MODE", "governance"),
            ("AFFIDAVIT_RETAIN_DAYS", "1"),
            ("AFFIDAVIT_METRICS", "Affidavit/test"),
            ("AFFIDAVIT_TABLE", &self.table),
            ("AFFIDAVIT_QUARANTINE", &self.quarantine),
            ("AFFIDAVIT_KEY_COOKIES", &self.cookies),
            ("RUST_LOG", "info"),
        ];
        let key = |name: &KeyName| {
            (format!("AFFIDAVIT_KEY_{}", name.as_str().to_uppercase()), self.keys.signing[name].clone())
        };
        let given = common.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        given.chain(keys.iter().map(key)).collect()
    }

    /// Makes a function of the program of this name.
    pub(crate) async fn deploy(&self, function: &str, variables: Vec<(String, String)>) {
        let folder = tempfile::tempdir().unwrap();
        let zip = folder.path().join("zip");
        let mut pack = Command::new(repository().join("infra/lambdas.sh"));
        pack.arg("pack").arg(Programs::built().executable(function)).arg(&zip).env("LEVEL", "1");
        assert!(pack.status().unwrap().success(), "{function} could not be packed");
        let code = FunctionCode::builder().zip_file(std::fs::read(zip).unwrap().into()).build();
        let variables = Environment::builder().set_variables(Some(variables.into_iter().collect())).build();
        let create = self.lambda.create_function().function_name(self.name(function)).code(code).environment(variables);
        let create = create.runtime(Runtime::Providedal2023).handler("bootstrap").timeout(60).memory_size(1024);
        create.role(format!("arn:aws:iam::{ACCOUNT}:role/{function}")).send().await.unwrap();
    }

    /// Has the indexer take what is stored.
    pub(crate) async fn map_stored(&self) {
        let map = self.lambda.create_event_source_mapping().function_name(self.name("indexer")).batch_size(10);
        let map = map.event_source_arn(queue_arn(&self.stored));
        map.function_response_types(FunctionResponseType::ReportBatchItemFailures).send().await.unwrap();
    }

    /// Gives a function an alias, as each relay has one of the certifier's.
    pub(crate) async fn alias(&self, function: &str, alias: &str) {
        let create = self.lambda.create_alias().function_name(self.name(function)).name(alias);
        create.function_version("$LATEST").send().await.unwrap();
    }

    /// What a function, or its alias, answers to an event, or its error.
    pub(crate) async fn invoke(&self, arn: &str, event: &Value) -> Result<Value, Value> {
        let invoke = self.lambda.invoke().function_name(arn).payload(event.to_string().into_bytes().into());
        let answer = invoke.send().await.unwrap();
        let payload = serde_json::from_slice(answer.payload.unwrap().as_ref()).unwrap();
        if answer.function_error.is_some() { Err(payload) } else { Ok(payload) }
    }

    /// Sends to the queue of what is stored, as nobody should.
    pub(crate) async fn send_stored(&self, body: &str) {
        self.sqs.send_message().queue_url(&self.stored).message_body(body).send().await.unwrap();
    }

    /// The first message of a queue, when there is one.
    pub(crate) async fn receive(&self, queue: &str) -> String {
        for _ in 0..120 {
            let received = self.sqs.receive_message().queue_url(queue).send().await.unwrap();
            if let Some(message) = received.messages.unwrap_or_default().pop() {
                return message.body.unwrap();
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        panic!("nothing came to {queue}");
    }

    /// An HTTP API in front of the console, whose routes ask for no token themselves; its URL.
    pub(crate) async fn http_api(&self) -> String {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let make = async |path: String, body: Value| -> Value {
            let made = http.post(format!("{}{path}", self.emulator.url())).json(&body).send().await.unwrap();
            let (status, text) = (made.status(), made.text().await.unwrap());
            assert!(status.is_success(), "{path}: {status} {text}");
            serde_json::from_str(&text).unwrap()
        };
        let api = make("/v2/apis".to_owned(), json!({ "name": self.name("console"), "protocolType": "HTTP" })).await;
        let id = api["apiId"].as_str().unwrap().to_owned();
        let integration = json!({
            "integrationType": "AWS_PROXY",
            "integrationUri": self.arn("console"),
            "payloadFormatVersion": "2.0",
        });
        let integration = make(format!("/v2/apis/{id}/integrations"), integration).await;
        let target = format!("integrations/{}", integration["integrationId"].as_str().unwrap());
        make(format!("/v2/apis/{id}/routes"), json!({ "routeKey": "$default", "target": target })).await;
        make(format!("/v2/apis/{id}/stages"), json!({ "stageName": "$default", "autoDeploy": true })).await;
        format!("{}/_aws/execute-api/{id}/$default", self.emulator.url())
    }
}

async fn notify(emulator: &Emulator, bucket: &str, prefix: &str, queue: &str) {
    let rule = FilterRule::builder().name(FilterRuleName::Prefix).value(prefix).build();
    let filter = S3KeyFilter::builder().filter_rules(rule).build();
    let filter = NotificationConfigurationFilter::builder().key(filter).build();
    let queue = QueueConfiguration::builder().queue_arn(queue_arn(queue)).filter(filter);
    let queue = queue.events(Event::from("s3:ObjectCreated:*")).build().unwrap();
    let all = NotificationConfiguration::builder().queue_configurations(queue).build();
    let put = emulator.s3().put_bucket_notification_configuration().bucket(bucket).notification_configuration(all);
    put.send().await.unwrap();
}

fn queue_arn(url: &str) -> String {
    format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{}", url.rsplit('/').next().unwrap())
}
