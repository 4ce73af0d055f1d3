//! A relay's life that records and ships to AWS: its own spool, sealing and shipping, without clients and a target.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use aws::{KmsKeys, PlacedStore};
use relay::clock::SystemClock;
use relay::evidence::{CertificateRequest, Certifier, CertifierError, Incarnation, Settings};
use relay::recorder::Recorder;
use schemas::dsse::Envelope;
use schemas::entropy::{Entropy, SystemEntropy};
use schemas::event::{CloseReason, EventBody};
use schemas::identifiers::SessionId;
use schemas::log::LogOrigin;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::world::World;
use crate::harness::weather::severed;
use crate::harness::{Emulator, FaultProxy, Function, Said, now_s};

/// See there.
pub(super) struct Life {
    incarnation: Arc<Incarnation>,
    /// Statements of each session that was served to its end.
    pub(super) served: BTreeMap<SessionId, usize>,
    /// It ends with this.
    spool: TempDir,
}

/// What is left of a relay that died.
pub(super) struct Legacy {
    spool: TempDir,
    served: BTreeMap<SessionId, usize>,
}

/// The function `certifier`, called by the alias of the relay's name.
struct Alias {
    certifier: Arc<Mutex<Function>>,
    arn: String,
}

impl Life {
    /// Begins it, as often as it must be tried, with this between it and AWS.
    pub(super) async fn begin(world: &World<'_>, proxy: &FaultProxy) -> Self {
        let legacy = Legacy { spool: tempfile::tempdir().unwrap(), served: BTreeMap::new() };
        Self::succeed(world, proxy, legacy).await
    }

    /// The same over what a dead one left, which it completes.
    pub(super) async fn succeed(world: &World<'_>, proxy: &FaultProxy, legacy: Legacy) -> Self {
        let Legacy { spool, served } = legacy;
        let name = |text: &str| text.parse().unwrap();
        let text = format!("spool = {:?}\nsegment_bytes = 65536\nretain_days = 1", spool.path().join("spool"));
        let settings = Settings {
            tenant: name("clinic"),
            environment: name("test"),
            relay: name("r1"),
            log_origin: LogOrigin::of(&name("clinic"), &name("test")).to_string(),
            build: "relay test".to_owned(),
            evidence: toml::from_str(&text).unwrap(),
        };
        let connection = Emulator::connection_to(proxy.address());
        let keys = Arc::new(KmsKeys::new(&connection, world.lambdas.keys.clone()));
        let arn = format!("{}:r1", world.lambdas.arn("certifier"));
        let certifier = Arc::new(Alias { certifier: world.certifier.clone(), arn });
        for _ in 0..ATTEMPTS {
            let Ok(store) = PlacedStore::open(&connection, &world.lambdas.buckets, now_s).await else { continue };
            let (store, clock) = (Arc::new(store), Arc::new(SystemClock));
            match Incarnation::start(settings.clone(), store, keys.clone(), certifier.clone(), clock).await {
                Ok(incarnation) => return Self { incarnation, served, spool },
                Err(error) => println!("a relay did not start: {error}"),
            }
        }
        panic!("no relay starts");
    }

    /// Serves a session of so many statements, each with so many bytes of a result that does not compress.
    pub(super) async fn serve(&mut self, statements: usize, bytes: usize) {
        let recorder = self.record(statements, bytes).await;
        recorder.close(CloseReason::ClientTerminated).await.unwrap();
    }

    /// Dies over a session that is open, of so many statements; nothing that it began reaches AWS from then on.
    pub(super) async fn die(mut self, proxy: &FaultProxy, statements: usize, bytes: usize) -> Legacy {
        let recorder = self.record(statements, bytes).await;
        while self.incarnation.unsettled() > 1 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        proxy.weather(severed());
        // Dropped, it would still close its session.
        let _open = std::mem::ManuallyDrop::new(recorder);
        // The dead one's own folder is locked for as long as this process lives.
        let spool = tempfile::tempdir().unwrap();
        let mut copy = Command::new("cp");
        Said::by(copy.arg("-a").arg(self.spool.path().join("spool")).arg(spool.path())).ok();
        Legacy { spool, served: self.served }
    }

    /// A session that has so many statements and is open.
    async fn record(&mut self, statements: usize, bytes: usize) -> Recorder {
        for _ in 0..ATTEMPTS {
            let mut recorder = match self.incarnation.open_session(details()).await {
                Ok(recorder) => recorder,
                Err(error) => {
                    println!("a session was refused: {error}");
                    continue;
                }
            };
            let session = recorder.session().clone();
            let mut result = vec![0; bytes];
            for number in 1..=statements {
                let [statement, execute, outcome] = statement(number, bytes);
                recorder.note(statement).await.unwrap();
                recorder.note(execute).await.unwrap();
                SystemEntropy.fill(&mut result).unwrap();
                recorder.record_replies(&result, vec![outcome]).await.unwrap();
            }
            self.served.insert(session, statements);
            return recorder;
        }
        panic!("no session is served");
    }

    /// Ends it: everything is stored then.
    pub(super) async fn end(self) -> BTreeMap<SessionId, usize> {
        self.incarnation.recovered().await.unwrap();
        self.incarnation.retire(PATIENCE).await.unwrap();
        assert_eq!(self.incarnation.fenced(), None);
        self.served
    }
}

#[async_trait]
impl Certifier for Alias {
    async fn certify(&self, request: CertificateRequest) -> Result<Envelope, CertifierError> {
        let asked = json!({ "key": request.public_key, "build": request.build });
        let (certifier, arn) = (self.certifier.clone(), self.arn.clone());
        let answer = tokio::task::spawn_blocking(move || certifier.lock().unwrap().invoke(&arn, &asked)).await.unwrap();
        let answer = answer.map_err(|error| CertifierError::Unavailable(format!("{error:?}")))?;
        serde_json::from_value(answer).map_err(|error| CertifierError::Unavailable(error.to_string()))
    }
}

fn details() -> schemas::event::SessionOpen {
    let details = json!({
        "salt": "00".repeat(32),
        "actor": {"kind": "user", "issuer": "https://issuer.test", "subject": "u-1", "name": "Ana Example", "groups": ["analysts"]},
        "expires_at": now_s() + 3600, "client_address": "192.0.2.7:50000", "client_application": "psql",
        "client_tls": "TLSv1.3 TLS_AES_256_GCM_SHA384", "protocol": "postgresql 3.0", "connection": "clinic",
        "target": "db.test:5432/clinic", "target_role": "affidavit", "target_version": "15.18",
        "target_tls": "TLSv1.3 TLS_AES_256_GCM_SHA384", "policy_sha256": "ab".repeat(32), "scope": [],
        "durability": "process",
    });
    serde_json::from_value(details).unwrap()
}

/// A statement, its execution and its outcome.
fn statement(number: usize, bytes: usize) -> [EventBody; 3] {
    let text = "SELECT name FROM clinic.patients WHERE id = ?1";
    let events: [Value; 3] = [
        json!({
            "event": "statement", "statement": number, "path": "extended", "class": "select", "text": text,
            "text_length": text.len(), "text_token": "0011223344556677",
            "literals": [{"kind": "integer", "length": 4, "token": "8899aabbccddeeff"}],
            "objects": [{"object": "clinic.patients", "action": "select", "masked": [], "revealed": []}],
            "decision": {"outcome": "permitted", "policies": ["analysts-read"]},
        }),
        json!({"event": "execute", "execution": number, "statement": number, "row_limit": 0}),
        json!({
            "event": "outcome", "execution": number, "statement": number, "outcome": "completed", "command": "SELECT",
            "rows_returned": 1, "rows_affected": 0, "bytes_returned": bytes,
        }),
    ];
    events.map(|body| serde_json::from_value(body).unwrap())
}

/// Of what a storm lets fail; more would be no storm but an outage.
const ATTEMPTS: usize = 20;
const PATIENCE: Duration = Duration::from_secs(60);
