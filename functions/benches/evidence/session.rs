//! A session: statements as an analyst's tool sends them, and results that do not compress.

use schemas::chunk::{ChunkBuilder, ChunkHead, Seal, SealedChunk};
use schemas::data_block::{DataRecord, Direction};
use schemas::digest::Sha256Digest;
use schemas::dsse::{Envelope, Statement as _};
use schemas::entropy::{Entropy, SystemEntropy};
use schemas::event::{CloseReason, Event, EventBody, SessionClose, SessionOpen};
use schemas::identifiers::SessionId;
use schemas::layout::Scope;
use schemas::leaf::{SessionCloseLeaf, SessionOpenLeaf, commit_to};
use schemas::log::Entry;
use schemas::manifest::{ChunkManifest, Extent};
use schemas::session_key::SessionKey;
use schemas::signature::Signer;
use serde_json::json;

use crate::deployment::Life;

/// What a chunk holds: statements, each with its execution and outcome, and so many bytes of protocol.
#[derive(Clone, Copy)]
pub(crate) struct Chunk {
    pub(crate) statements: u64,
    pub(crate) bytes: u64,
}

pub(crate) struct Opened {
    id: SessionId,
    key: SessionKey,
    details: SessionOpen,
    prev: Sha256Digest,
    chunks: u64,
    events: u64,
    statements: u64,
    /// Made once: random bytes take longer than all else.
    noise: Vec<u8>,
    offset: usize,
    like: Option<ChunkManifest>,
}

/// What a session's close says.
pub(crate) struct Closed {
    id: SessionId,
    chunks: u64,
    events: u64,
    last_manifest: Sha256Digest,
}

impl Opened {
    pub(crate) fn new(life: &Life<'_>, id: SessionId) -> (Self, SessionOpenLeaf) {
        let Scope { tenant, environment, relay } = life.scope().clone();
        let mut noise = vec![0; NOISE];
        SystemEntropy.fill(&mut noise).unwrap();
        let details = details(&id);
        let leaf = SessionOpenLeaf {
            tenant,
            environment,
            relay,
            session: id.clone(),
            connection: "clinic".parse().unwrap(),
            time_us: life.now_us(),
            policy_sha256: policy(),
            details_commitment: commit_to(&details).unwrap(),
            data_key_id: "bench".to_owned(),
        };
        let prev = Envelope::of(&leaf, &life.key).unwrap().statement_digest();
        let key = SessionKey::generate(&SystemEntropy).unwrap();
        let opened = Self { id, key, details, prev, chunks: 0, events: 0, statements: 0, noise, offset: 0, like: None };
        (opened, leaf)
    }

    pub(crate) fn id(&self) -> &SessionId {
        &self.id
    }

    /// The next chunk.
    pub(crate) fn chunk(&mut self, life: &Life<'_>, chunk: &Chunk, last: bool) -> SealedChunk {
        self.chunks += 1;
        let head = self.head(life);
        let mut builder = ChunkBuilder::new(head, &self.key, &SystemEntropy).unwrap();
        let time_us = life.now_us();
        let mut push = |builder: &mut ChunkBuilder<'_>, body| {
            self.events += 1;
            builder.push_event(&Event { number: self.events, time_us, body }).unwrap();
        };
        if self.chunks == 1 {
            push(&mut builder, EventBody::SessionOpen(Box::new(self.details.clone())));
        }
        let each = chunk.bytes / chunk.statements;
        for _ in 0..chunk.statements {
            self.statements += 1;
            statement(self.statements, each).into_iter().for_each(|body| push(&mut builder, body));
            let mut left = usize::try_from(each).unwrap();
            while left > 0 {
                self.offset = (self.offset + STEP) % (NOISE / 2);
                let bytes = &self.noise[self.offset..][..left.min(NOISE / 2)];
                builder.push_data(&DataRecord { direction: Direction::Backend, time_us, bytes }).unwrap();
                left -= bytes.len();
            }
        }
        if last {
            let reason = CloseReason::ClientTerminated;
            let close = SessionClose { reason, statements: self.statements, executions: self.statements };
            push(&mut builder, EventBody::SessionClose(close));
        }
        let sealed = builder.finish(&Seal { time_us: life.now_us(), last }, &life.key).unwrap();
        self.prev = sealed.digest;
        sealed
    }

    /// The entries of so many chunks that are stored nowhere, and the session's end after them.
    pub(crate) fn without_chunks(mut self, life: &Life<'_>, count: u64) -> (Closed, Vec<Vec<u8>>) {
        let like = self.like.take().unwrap_or_else(|| {
            let head = self.head(life);
            let builder = ChunkBuilder::new(head, &self.key, &SystemEntropy).unwrap();
            builder.finish(&Seal { time_us: life.now_us(), last: false }, &life.key).unwrap().manifest
        });
        let entries = (1..=count).map(|sequence| {
            self.chunks += 1;
            let sha256 = Sha256Digest::of(&sequence.to_be_bytes());
            let stored = Extent { sha256, length: 3_000_000 };
            let manifest = ChunkManifest { sequence, prev: self.prev, stored, last: sequence == count, ..like.clone() };
            let payload = schemas::canonical::to_vec(&manifest).unwrap();
            let envelope = Envelope::assemble(ChunkManifest::TYPE, payload, life.key.public_key(), Vec::new());
            self.prev = envelope.statement_digest();
            Entry::of(&envelope).to_vec()
        });
        let entries = entries.collect();
        (self.closed(), entries)
    }

    pub(crate) fn closed(self) -> Closed {
        Closed { id: self.id, chunks: self.chunks, events: self.events, last_manifest: self.prev }
    }

    fn head(&self, life: &Life<'_>) -> ChunkHead {
        ChunkHead {
            scope: life.scope().clone(),
            log_origin: life.log_origin(),
            session: self.id.clone(),
            connection: "clinic".parse().unwrap(),
            sequence: self.chunks.max(1),
            prev: self.prev,
            first_event: self.events + 1,
        }
    }
}

impl Closed {
    pub(crate) fn leaf(self, life: &Life<'_>) -> SessionCloseLeaf {
        let Scope { tenant, environment, relay } = life.scope().clone();
        SessionCloseLeaf {
            tenant,
            environment,
            relay,
            sealed_by: self.id.incarnation.clone(),
            session: self.id,
            reason: CloseReason::ClientTerminated,
            chunks: self.chunks,
            events: self.events,
            last_manifest: self.last_manifest,
            recovered: false,
            time_us: life.now_us(),
        }
    }
}

fn details(id: &SessionId) -> SessionOpen {
    let scope = ["patients", "visits", "departments", "invoices"].map(|table| {
        json!({"object": format!("clinic.{table}"), "permitted": ["select", "update"], "held": [], "revealed": []})
    });
    let details = json!({
        "salt": Sha256Digest::of(id.to_string().as_bytes()).to_string(),
        "actor": {"kind": "user", "issuer": "https://issuer.test", "subject": "u-1", "name": "Ana Example", "groups": ["analysts"]},
        "expires_at": 1_800_000_000, "client_address": "192.0.2.7:50000", "client_application": "psql",
        "client_tls": "TLSv1.3 TLS_AES_256_GCM_SHA384", "protocol": "postgresql 3.0", "connection": "clinic",
        "target": "db.test:5432/clinic", "target_role": "affidavit", "target_version": "15.18",
        "target_tls": "TLSv1.3 TLS_AES_256_GCM_SHA384", "policy_sha256": policy().to_string(), "scope": scope,
        "durability": "process",
    });
    serde_json::from_value(details).unwrap()
}

/// A statement, its execution and its outcome.
pub(crate) fn statement(number: u64, bytes: u64) -> [EventBody; 3] {
    let text = "SELECT p.name, p.ssn, v.day FROM clinic.patients p JOIN clinic.visits v ON v.patient_id = p.id WHERE p.id = ?1";
    let statement = json!({
        "event": "statement", "statement": number, "path": "extended", "class": "select", "text": text,
        "text_length": text.len(), "text_token": "0011223344556677",
        "literals": [{"kind": "integer", "length": 4, "token": "8899aabbccddeeff"}],
        "objects": [
            {"object": "clinic.patients", "action": "select", "masked": [{"column": "ssn", "style": "last4"}], "revealed": []},
            {"object": "clinic.visits", "action": "select", "masked": [], "revealed": []},
        ],
        "decision": {"outcome": "permitted", "policies": ["analysts-read"]},
    });
    let execute = json!({"event": "execute", "execution": number, "statement": number, "row_limit": 0});
    let outcome = json!({
        "event": "outcome", "execution": number, "statement": number, "outcome": "completed", "command": "SELECT",
        "rows_returned": 20, "rows_affected": 0, "bytes_returned": bytes,
    });
    [statement, execute, outcome].map(|body| serde_json::from_value(body).unwrap())
}

fn policy() -> Sha256Digest {
    Sha256Digest::from_bytes([0xab; 32])
}

/// Longer than a block, so that no two records in one look alike to a compressor.
const NOISE: usize = 4 * 1024 * 1024;
/// Where the next record begins in it: coprime to its half, and longer than most records.
const STEP: usize = 300_007;
