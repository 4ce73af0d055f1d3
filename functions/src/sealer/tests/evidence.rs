//! What relays store, in the order in which they do.

use std::ops::Range;
use std::sync::Arc;

use schemas::canonical;
use schemas::chunk::{ChunkBuilder, ChunkHead, Seal};
use schemas::digest::Sha256Digest;
use schemas::dsse::{Envelope, Statement, pae};
use schemas::entropy::SystemEntropy;
use schemas::event::{CloseReason, Event, EventBody};
use schemas::identifiers::SessionId;
use schemas::layout::Scope;
use schemas::leaf::{Certificate, RelayRetired, RelayStart, SessionCloseLeaf, SessionOpenLeaf};
use schemas::log::LogOrigin;
use schemas::session_key::SessionKey;
use schemas::signature::{P256Key, Signer};
use seams::{KeyFiles, KeyName, Keys};

use super::store::MemoryStore;

/// Makes evidence of one relay, life by life.
pub(super) struct Evidence {
    pub(super) scope: Scope,
    root: Root,
}

enum Root {
    Keys(Arc<KeyFiles>),
    /// One that nobody trusts.
    Own(P256Key),
}

/// Objects of one incarnation, in the order in which they are stored.
pub(super) struct Life {
    pub(super) objects: Vec<(String, Vec<u8>)>,
}

impl Life {
    pub(super) fn store_all(&self, store: &MemoryStore) {
        self.objects.iter().for_each(|object| store.insert(object));
    }

    pub(super) fn store(&self, store: &MemoryStore, range: Range<usize>) {
        self.objects[range].iter().for_each(|object| store.insert(object));
    }
}

impl Evidence {
    pub(super) fn new(keys: Arc<KeyFiles>) -> Self {
        let name = |text: &str| text.parse().unwrap();
        let scope = Scope { tenant: name("clinic"), environment: name("test"), relay: name("r1") };
        Self { scope, root: Root::Keys(keys) }
    }

    /// As one who can write to the store and was certified by himself alone.
    pub(super) fn stranger(other: &Self) -> Self {
        Self { scope: other.scope.clone(), root: Root::Own(P256Key::generate().unwrap()) }
    }

    /// A life that serves so many sessions of two chunks each, and retires.
    pub(super) fn life(&mut self, sessions: u64) -> Life {
        let key = P256Key::generate().unwrap();
        let mut objects = Vec::new();
        self.begin(&key, &mut objects);
        for counter in 1..=sessions {
            self.session(&key, counter, &mut objects);
        }
        let Scope { tenant, environment, relay } = self.scope.clone();
        let incarnation = key.public_key().incarnation();
        let retired = RelayRetired {
            tenant,
            environment,
            relay,
            incarnation: incarnation.clone(),
            last_counter: sessions,
            last_heartbeat: 0,
            sealed_by: incarnation.clone(),
            recovered: false,
            time_us: 9,
        };
        objects.push((self.scope.relay_retired(&incarnation), sign(&retired, &key).0));
        Life { objects }
    }

    pub(super) fn begin(&self, key: &P256Key, objects: &mut Vec<(String, Vec<u8>)>) {
        let Scope { tenant, environment, relay } = self.scope.clone();
        let incarnation = key.public_key().incarnation();
        let certificate = Certificate {
            tenant: tenant.clone(),
            environment: environment.clone(),
            relay: relay.clone(),
            incarnation: incarnation.clone(),
            spki: key.public_key().clone(),
            not_before_us: 0,
            not_after_us: 100,
            build: "test".to_owned(),
        };
        let (certificate, digest) = self.certify(&certificate);
        let log_origin = LogOrigin::of(&tenant, &environment).to_string();
        let start = RelayStart {
            tenant,
            environment,
            relay,
            incarnation: incarnation.clone(),
            certificate: digest,
            log_origin,
            heartbeat_seconds: 60,
            time_us: 1,
        };
        objects.push((self.scope.certificate(&incarnation), certificate));
        objects.push((self.scope.relay_start(&incarnation), sign(&start, key).0));
    }

    fn certify(&self, certificate: &Certificate) -> (Vec<u8>, Sha256Digest) {
        match &self.root {
            Root::Own(key) => sign(certificate, key),
            Root::Keys(keys) => {
                let payload = canonical::to_vec(certificate).unwrap();
                let keys = keys.as_ref();
                let signature = now(keys.sign(KeyName::Certificates, &pae(Certificate::TYPE, &payload))).unwrap();
                let root = now(keys.public_key(KeyName::Certificates)).unwrap();
                let envelope = Envelope::assemble(Certificate::TYPE, payload, &root, signature);
                (envelope.to_vec().unwrap(), envelope.statement_digest())
            }
        }
    }

    pub(super) fn session(&self, key: &P256Key, counter: u64, objects: &mut Vec<(String, Vec<u8>)>) {
        let session = SessionId { incarnation: key.public_key().incarnation(), counter };
        let Scope { tenant, environment, relay } = self.scope.clone();
        let open = SessionOpenLeaf {
            tenant: tenant.clone(),
            environment: environment.clone(),
            relay: relay.clone(),
            session: session.clone(),
            connection: "db".parse().unwrap(),
            time_us: 2,
            policy_sha256: Sha256Digest::of(b"policy"),
            details_commitment: Sha256Digest::of(b"details"),
            data_key_id: "data".to_owned(),
        };
        let (open, mut prev) = sign(&open, key);
        objects.push((self.scope.session_open(&session), open));
        for sequence in 1..=2 {
            let head = ChunkHead {
                scope: self.scope.clone(),
                log_origin: LogOrigin::of(&tenant, &environment).to_string(),
                session: session.clone(),
                connection: "db".parse().unwrap(),
                sequence,
                prev,
                first_event: sequence,
            };
            let session_key = SessionKey::from_bytes([7; 32]);
            let mut builder = ChunkBuilder::new(head, &session_key, &SystemEntropy).unwrap();
            builder.push_event(&Event { number: sequence, time_us: 3, body: EventBody::Cancel }).unwrap();
            let sealed = builder.finish(&Seal { time_us: 3, last: sequence == 2 }, key).unwrap();
            prev = sealed.digest;
            objects.push((self.scope.chunk(&session, sequence), sealed.bytes));
        }
        let close = SessionCloseLeaf {
            tenant,
            environment,
            relay,
            session: session.clone(),
            reason: CloseReason::ClientTerminated,
            chunks: 2,
            events: 2,
            last_manifest: prev,
            sealed_by: session.incarnation.clone(),
            recovered: false,
            time_us: 4,
        };
        objects.push((self.scope.session_close(&session), sign(&close, key).0));
    }
}

pub(super) fn sign<T: Statement>(statement: &T, key: &P256Key) -> (Vec<u8>, Sha256Digest) {
    let envelope = Envelope::of(statement, key).unwrap();
    (envelope.to_vec().unwrap(), envelope.statement_digest())
}

/// Key files answer at once.
fn now<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(&mut context) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => panic!("key files wait for nothing"),
    }
}
