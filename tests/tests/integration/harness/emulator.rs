//! AWS as `tests/emulator.sh` starts it: one for the whole binary; each test has a bucket, a table, keys of its own.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws::{Connection, Deadlines, KmsSettings, LockMode, S3Settings, S3Store};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType as Scalar,
};
use aws_sdk_kms::types::{KeySpec, KeyUsageType};
use aws_sdk_s3::config::{BehaviorVersion, Region};
use aws_types::SdkConfig;
use seams::KeyName;

use super::repository;

/// The emulator. It ends with this process, however that ends: it is held by a pipe.
pub(crate) struct Emulator {
    url: String,
    made: AtomicUsize,
    _held: Child,
}

impl Emulator {
    /// Started at first use; nothing where it is not installed.
    pub(crate) fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Emulator>> = OnceLock::new();
        SHARED.get_or_init(Self::start).as_ref()
    }

    fn start() -> Option<Self> {
        let script = repository().join("tests/emulator.sh");
        if !Command::new(&script).arg("installed").status().unwrap().success() {
            return None;
        }
        // Kept, for nobody drops this: `hold` removes it.
        let folder = tempfile::tempdir().unwrap().keep();
        let mut hold = Command::new(script);
        let mut held = hold.arg("hold").arg(folder).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut url = String::new();
        BufReader::new(held.stdout.take().unwrap()).read_line(&mut url).unwrap();
        assert!(url.starts_with("http://127.0.0.1:"), "tests/emulator.sh could not start the emulator");
        Some(Self { url: url.trim().to_owned(), made: AtomicUsize::new(0), _held: held })
    }

    /// `http://` and where it listens.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    /// To it.
    pub(crate) fn connection(&self) -> Connection {
        Self::connection_to(self.address())
    }

    /// To it through somebody at this address, with deadlines that a test can wait for.
    pub(crate) fn connection_to(address: &str) -> Connection {
        Connection {
            region: REGION.to_owned(),
            endpoint: Some(format!("http://{address}")),
            credentials: credentials(),
            deadlines: Deadlines {
                connect: Duration::from_secs(2),
                attempt: Duration::from_secs(1),
                operation: Duration::from_secs(30),
                attempts: 3,
                longest_wait: Duration::from_millis(20),
            },
        }
    }

    /// What others have, who do not use our adapters.
    pub(crate) fn sdk(&self) -> SdkConfig {
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(REGION))
            .credentials_provider(credentials())
            .endpoint_url(&self.url)
            .build()
    }

    pub(crate) fn s3(&self) -> aws_sdk_s3::Client {
        let config = aws_sdk_s3::config::Builder::from(&self.sdk()).force_path_style(true);
        aws_sdk_s3::Client::from_conf(config.build())
    }

    /// A new bucket with Object Lock.
    pub(crate) async fn bucket(&self) -> S3Settings {
        let bucket = self.name("evidence");
        self.s3().create_bucket().bucket(&bucket).object_lock_enabled_for_bucket(true).send().await.unwrap();
        S3Settings { bucket, owner: Some(ACCOUNT.to_owned()), mode: LockMode::Compliance }
    }

    /// A new table for an index; its name.
    pub(crate) async fn table(&self) -> String {
        let name = self.name("index");
        let attribute =
            |name: &str| AttributeDefinition::builder().attribute_name(name).attribute_type(Scalar::S).build().unwrap();
        let key = |name: &str, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build().unwrap();
        let create = aws_sdk_dynamodb::Client::new(&self.sdk()).create_table().table_name(&name);
        let create = create.attribute_definitions(attribute("pk")).attribute_definitions(attribute("sk"));
        let create = create.key_schema(key("pk", KeyType::Hash)).key_schema(key("sk", KeyType::Range));
        create.billing_mode(BillingMode::PayPerRequest).send().await.unwrap();
        name
    }

    /// New keys for all that ours are for.
    pub(crate) async fn keys(&self) -> KmsSettings {
        let kms = aws_sdk_kms::Client::new(&self.sdk());
        let mut settings = KmsSettings {
            tenant: "clinic".parse().unwrap(),
            environment: "test".parse().unwrap(),
            signing: std::collections::HashMap::new(),
            data: Some(arn(kms.create_key().send().await.unwrap())),
            earlier_data: Vec::new(),
        };
        for name in KeyName::ALL {
            let create = kms.create_key().key_spec(KeySpec::EccNistP256).key_usage(KeyUsageType::SignVerify);
            settings.signing.insert(name, arn(create.send().await.unwrap()));
        }
        settings
    }

    /// A name that nothing has yet.
    pub(crate) fn name(&self, what: &str) -> String {
        format!("{what}-{}", self.made.fetch_add(1, Ordering::Relaxed))
    }
}

/// A store in this bucket, over this connection.
pub(crate) async fn store(connection: &Connection, settings: &S3Settings) -> S3Store {
    S3Store::open(connection, settings.clone(), now_s).await.unwrap()
}

/// Seconds since 1970.
pub(crate) fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn arn(created: aws_sdk_kms::operation::create_key::CreateKeyOutput) -> String {
    created.key_metadata.unwrap().arn.unwrap()
}

fn credentials() -> SharedCredentialsProvider {
    SharedCredentialsProvider::new(Credentials::new("test", SECRET, None, None, "test"))
}

pub(crate) const REGION: &str = "us-east-1";
/// The emulator's own.
pub(crate) const ACCOUNT: &str = "000000000000";
/// No message may tell it.
pub(crate) const SECRET: &str = "test-secret-that-nobody-is-told";
