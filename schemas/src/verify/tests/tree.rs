//! A small evidence tree: two lives of one relay. The first serves a session, burns a counter and dies in another
//! session; the second recovers that, refuses a statement, runs one that was approved, and retires.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::approval::{
    ApprovalDecidedLeaf, ApprovalDecision, ApprovalRequest, ApprovalRequestedLeaf, ApprovalVerdict, Approver,
    DecisionVerdict, RequestedObject,
};
use crate::chunk::{ChunkBuilder, ChunkHead, Seal, SealedChunk};
use crate::data_block::{DataRecord, Direction};
use crate::digest::Sha256Digest;
use crate::dsse::{Envelope, Statement};
use crate::entropy::Entropy;
use crate::event::{
    Bind, CloseReason, Event, EventBody, Execute, Outcome, OutcomeKind, Recovered, RolledBack, SessionClose,
    SessionOpen, Token, Verdict,
};
use crate::heartbeat::Heartbeat;
use crate::identifiers::{RequestId, SessionId};
use crate::layout::Scope;
use crate::leaf::{Certificate, RelayRetired, RelayStart, SessionCloseLeaf, SessionOpenLeaf, SessionVoid, commit_to};
use crate::sample;
use crate::session_key::SessionKey;
use crate::signature::{P256Key, PublicKey, Signer};
use crate::wrapped_key::WrappingKey;

pub(crate) type Tree = BTreeMap<String, Vec<u8>>;

/// The test keys of `vectors/test-keys/`.
pub(crate) struct TestKeys {
    pub(crate) root: P256Key,
    pub(crate) first: P256Key,
    pub(crate) second: P256Key,
    pub(crate) approvals: P256Key,
    pub(crate) checkpoints: P256Key,
    pub(crate) data: WrappingKey,
}

/// Makes the bytes of "random" numbers from a counter, so that they are the same each time.
pub(crate) struct Counting(AtomicU64);

/// A session being written.
pub(crate) struct Writer<'a> {
    tree: &'a mut Tree,
    keys: &'a TestKeys,
    pub(crate) id: SessionId,
    entropy: Counting,
    key: SessionKey,
    prev: Sha256Digest,
    next_event: u64,
    sequence: u64,
}

pub(crate) fn vectors() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors")
}

pub(crate) fn scope() -> Scope {
    let name = |text: &str| text.parse().unwrap();
    Scope { tenant: name("clinic"), environment: name("test"), relay: name("relay-1") }
}

impl TestKeys {
    pub(crate) fn read() -> Self {
        let read = |name: &str| std::fs::read_to_string(vectors().join("test-keys").join(name)).unwrap();
        let key = |name: &str| P256Key::from_pkcs8_pem(&read(name)).unwrap();
        Self {
            root: key("TEST-KEY-root.pem"),
            first: key("TEST-KEY-incarnation-1.pem"),
            second: key("TEST-KEY-incarnation-2.pem"),
            approvals: key("TEST-KEY-approvals.pem"),
            checkpoints: key("TEST-KEY-checkpoints.pem"),
            data: WrappingKey::from_hex(&read("TEST-KEY-data.key")).unwrap(),
        }
    }

    pub(crate) fn root(&self) -> &PublicKey {
        self.root.public_key()
    }

    pub(crate) fn first_session(&self, counter: u64) -> SessionId {
        SessionId { incarnation: self.first.public_key().incarnation(), counter }
    }
}

pub(crate) fn build(keys: &TestKeys) -> Tree {
    let mut tree = Tree::new();
    let (first, second) = (&keys.first, &keys.second);
    start(&mut tree, keys, first, T0);
    beat(&mut tree, first, 1, (0, 0, 0), T0);
    served(&mut tree, keys);
    void(&mut tree, keys);
    died(&mut tree, keys);
    beat(&mut tree, first, 2, (2, 1, 1), T0 + 40 * SECOND);
    start(&mut tree, keys, second, T0 + 60 * SECOND);
    beat(&mut tree, second, 1, (0, 0, 0), T0 + 60 * SECOND);
    retire(&mut tree, first, second, 3, T0 + 61 * SECOND);
    refused(&mut tree, keys);
    approved(&mut tree, keys);
    beat(&mut tree, second, 2, (2, 2, 0), T0 + 89 * SECOND);
    retire(&mut tree, second, second, 2, T0 + 90 * SECOND);
    tree
}

fn served(tree: &mut Tree, keys: &TestKeys) {
    let mut session = Writer::open(tree, keys, &keys.first, 1);
    let query = message(b'Q', b"SELECT ssn FROM clinic.patients WHERE id = 7\0");
    let reply = [message(b'D', b"\0\x01\0\0\0\x0b***-**-6789"), message(b'Z', b"I")].concat();
    session.chunk(
        &keys.first,
        vec![session.details(), sample::statement(1), execute(1, 1)],
        &[(Direction::Frontend, &query)],
        false,
    );
    session.chunk(
        &keys.first,
        vec![sample::outcome(1, 1), close(CloseReason::ClientTerminated, 1, 1)],
        &[(Direction::Backend, &reply), (Direction::Frontend, &message(b'X', b""))],
        true,
    );
    session.close(&keys.first, CloseReason::ClientTerminated);
}

fn void(tree: &mut Tree, keys: &TestKeys) {
    let Scope { tenant, environment, relay } = scope();
    let session = keys.first_session(2);
    let key = scope().session_void(&session);
    let sealed_by = session.incarnation.clone();
    let void =
        SessionVoid { tenant, environment, relay, session, sealed_by, recovered: false, time_us: T0 + 5 * SECOND };
    put(tree, key, &void, &keys.first);
}

fn died(tree: &mut Tree, keys: &TestKeys) {
    let mut session = Writer::open(tree, keys, &keys.first, 3);
    let parameters = vec![
        Token { kind: "23".to_owned(), length: Some(4), token: Some("0123456789abcdef".to_owned()) },
        Token { kind: "25".to_owned(), length: None, token: None },
    ];
    let EventBody::Outcome(outcome) = sample::outcome(1, 1) else { unreachable!() };
    let copied = Outcome { command: Some("COPY".to_owned()), rows_affected: 1, bytes_received: 12, ..outcome };
    let events = vec![
        session.details(),
        sample::statement(1),
        execute(1, 1),
        sample::detected(1, 1),
        EventBody::Outcome(copied),
        EventBody::RolledBack(RolledBack { first_execution: 1, last_execution: 1 }),
        sample::statement(2),
        EventBody::Bind(Bind { statement: 2, parameters }),
        execute(2, 2),
    ];
    session.chunk(&keys.first, events, &[(Direction::Frontend, b"P\0\0\0\x04")], false);
    let by_incarnation = keys.second.public_key().incarnation().to_string();
    let recovered = Recovered { by_incarnation, discarded_bytes: 12, outcome_unknown: vec![2] };
    session.chunk(&keys.second, vec![EventBody::Recovered(recovered)], &[], true);
    session.close(&keys.second, CloseReason::Aborted);
}

fn refused(tree: &mut Tree, keys: &TestKeys) {
    let mut session = Writer::open(tree, keys, &keys.second, 1);
    let EventBody::Statement(mut statement) = sample::statement(1) else { unreachable!() };
    statement.decision.outcome = Verdict::Refused;
    statement.decision.policies.clear();
    statement.decision.sqlstate = Some("42501".to_owned());
    statement.decision.reason = Some("clinic.patients: DROP TABLE is permitted by no policy".to_owned());
    statement.class = "ddl".to_owned();
    let outcome = Outcome {
        execution: 0,
        statement: 1,
        outcome: OutcomeKind::Refused,
        command: None,
        rows_returned: 0,
        rows_affected: 0,
        bytes_returned: 0,
        bytes_received: 0,
        sqlstate: Some("42501".to_owned()),
        rows_recorded: None,
        result_hmac: None,
    };
    let events = vec![
        session.details(),
        EventBody::Statement(statement),
        EventBody::Outcome(outcome),
        EventBody::Cancel,
        close(CloseReason::ClientDisconnected, 1, 0),
    ];
    session.chunk(&keys.second, events, &[], true);
    session.close(&keys.second, CloseReason::ClientDisconnected);
}

fn approved(tree: &mut Tree, keys: &TestKeys) {
    let mut session = Writer::open(tree, keys, &keys.second, 2);
    let decision = session.approval(&keys.second, &keys.approvals);
    let id = session.id.clone();
    let events = vec![
        session.details(),
        sample::held_statement(1),
        sample::requested_in(&id, 1),
        sample::decided_in(&id, 1, ApprovalVerdict::Approved, Some(decision)),
        execute(1, 1),
        sample::outcome(1, 1),
        close(CloseReason::ClientTerminated, 1, 1),
    ];
    session.chunk(&keys.second, events, &[], true);
    session.close(&keys.second, CloseReason::ClientTerminated);
}

pub(crate) fn start(tree: &mut Tree, keys: &TestKeys, relay_key: &P256Key, time_us: u64) {
    let Scope { tenant, environment, relay } = scope();
    let incarnation = relay_key.public_key().incarnation();
    let certificate = Certificate {
        tenant: tenant.clone(),
        environment: environment.clone(),
        relay: relay.clone(),
        incarnation: incarnation.clone(),
        spki: relay_key.public_key().clone(),
        not_before_us: time_us,
        not_after_us: time_us + 24 * 3600 * SECOND,
        build: "affidavit 0.1.0 (golden vectors)".to_owned(),
    };
    let digest = put(tree, scope().certificate(&incarnation), &certificate, &keys.root);
    let log_origin = LOG_ORIGIN.to_owned();
    let key = scope().relay_start(&incarnation);
    let start = RelayStart {
        tenant,
        environment,
        relay,
        incarnation,
        certificate: digest,
        log_origin,
        heartbeat_seconds: 60,
        time_us,
    };
    put(tree, key, &start, relay_key);
}

/// Stores a heartbeat of `(opened, closed, voided)` counters, at `time_us`.
pub(crate) fn beat(tree: &mut Tree, key: &P256Key, sequence: u64, stored: (u64, u64, u64), time_us: u64) {
    let heartbeat = heartbeat(key, sequence, stored, time_us);
    put(tree, scope().heartbeat(&heartbeat.incarnation, sequence), &heartbeat, key);
}

pub(crate) fn heartbeat(key: &P256Key, sequence: u64, stored: (u64, u64, u64), time_us: u64) -> Heartbeat {
    let Scope { tenant, environment, relay } = scope();
    let (opened, closed, voided) = stored;
    Heartbeat {
        tenant,
        environment,
        relay,
        incarnation: key.public_key().incarnation(),
        sequence,
        opened,
        closed,
        voided,
        last_counter: opened + voided,
        unstored: Vec::new(),
        backlog_sessions: opened - closed,
        backlog_bytes: 4096 * (opened - closed),
        time_us,
    }
}

pub(crate) fn retire(tree: &mut Tree, ended: &P256Key, signer: &P256Key, last_counter: u64, time_us: u64) {
    let Scope { tenant, environment, relay } = scope();
    let (incarnation, sealed_by) = (ended.public_key().incarnation(), signer.public_key().incarnation());
    let key = scope().relay_retired(&incarnation);
    let recovered = incarnation != sealed_by;
    let last_heartbeat = last_heartbeat(tree, &scope().heartbeats(&incarnation));
    let retired = RelayRetired {
        tenant,
        environment,
        relay,
        incarnation,
        last_counter,
        last_heartbeat,
        sealed_by,
        recovered,
        time_us,
    };
    put(tree, key, &retired, signer);
}

fn last_heartbeat(tree: &Tree, prefix: &str) -> u64 {
    let sequence = |key: &String| key.strip_prefix(prefix)?.strip_suffix(".json")?.parse().ok();
    tree.keys().filter_map(sequence).max().unwrap_or(0)
}

/// Signs and stores a statement; gives its digest.
pub(crate) fn put<T: Statement>(tree: &mut Tree, key: String, statement: &T, signer: &P256Key) -> Sha256Digest {
    let envelope = Envelope::of(statement, signer).unwrap();
    tree.insert(key, envelope.to_vec().unwrap());
    envelope.statement_digest()
}

/// The stored envelope of this statement, if there is one: its digest stands in another statement, and signatures differ
/// each time.
fn stored_or_signed<T: Statement>(key: &str, statement: &T, signer: &P256Key) -> Vec<u8> {
    let made = Envelope::of(statement, signer).unwrap();
    let stored = std::fs::read(vectors().join("tree").join(key)).unwrap_or_default();
    match Envelope::from_slice(&stored) {
        Ok(envelope) if envelope.pae() == made.pae() => stored,
        _ => made.to_vec().unwrap(),
    }
}

impl<'a> Writer<'a> {
    pub(crate) fn open(tree: &'a mut Tree, keys: &'a TestKeys, relay_key: &P256Key, counter: u64) -> Self {
        let id = SessionId { incarnation: relay_key.public_key().incarnation(), counter };
        let entropy = Counting::from(counter << 32);
        let key = SessionKey::generate(&entropy).unwrap();
        let wrapped = keys.data.wrap(&key, &id, &entropy).unwrap();
        tree.insert(scope().wrapped_key(&id), wrapped.to_vec().unwrap());
        let prev = Sha256Digest::of(b"");
        let mut writer = Self { tree, keys, id, entropy, key, prev, next_event: 1, sequence: 0 };
        let leaf = writer.leaf();
        writer.prev = put(writer.tree, scope().session_open(&writer.id), &leaf, relay_key);
        writer
    }

    fn leaf(&self) -> SessionOpenLeaf {
        let Scope { tenant, environment, relay } = scope();
        let EventBody::SessionOpen(details) = self.details() else { unreachable!() };
        SessionOpenLeaf {
            tenant,
            environment,
            relay,
            session: self.id.clone(),
            connection: "db".parse().unwrap(),
            time_us: self.time(),
            policy_sha256: Sha256Digest::from_bytes([0xab; 32]),
            details_commitment: commit_to(&details).unwrap(),
            data_key_id: self.keys.data.id(),
        }
    }

    /// Stores all objects of the request for statement 1, approved; gives the digest of the decision.
    pub(crate) fn approval(&mut self, signer: &P256Key, approvals: &P256Key) -> Sha256Digest {
        let Scope { tenant, environment, relay } = scope();
        let request = RequestId { session: self.id.clone(), statement: 1 };
        let EventBody::ApprovalRequested(event) = sample::requested_in(&self.id, 1) else { unreachable!() };
        let EventBody::SessionOpen(open) = self.details() else { unreachable!() };
        let (commitment, expires_us, time_us) = (event.commitment, event.expires_us, self.time() + 1);
        let leaf = ApprovalRequestedLeaf {
            tenant: tenant.clone(),
            environment: environment.clone(),
            relay: relay.clone(),
            request: request.clone(),
            commitment,
            expires_us,
            time_us,
        };
        put(self.tree, scope().approval_requested(&request), &leaf, signer);
        let details = ApprovalRequest {
            tenant: tenant.clone(),
            environment: environment.clone(),
            relay: relay.clone(),
            request: request.clone(),
            commitment,
            actor: open.actor,
            connection: "db".parse().unwrap(),
            target: open.target,
            target_role: open.target_role,
            text: "UPDATE billing.invoices SET amount = 7".to_owned(),
            parameters: Vec::new(),
            settings: BTreeMap::new(),
            objects: vec![RequestedObject {
                object: "billing.invoices".to_owned(),
                oid: 16_400,
                verb: "update".to_owned(),
                held: true,
                from_masks: Vec::new(),
            }],
            reason: event.reason,
            policy_sha256: Sha256Digest::from_bytes([0xab; 32]),
            requested_us: time_us,
            expires_us,
        };
        put(self.tree, scope().approval_request(&request), &details, signer);
        let decision = ApprovalDecision {
            request: request.clone(),
            commitment,
            verdict: DecisionVerdict::Approved,
            approver: Approver {
                issuer: "https://issuer.test".to_owned(),
                subject: "u-2".to_owned(),
                name: "Ben Example".to_owned(),
            },
            rationale: "checked against the bank's statement".to_owned(),
            decided_us: time_us + 2,
            id_token: "e30.e30.AA".to_owned(),
        };
        let decision = stored_or_signed(&scope().approval_decision(&request), &decision, approvals);
        let digest = Sha256Digest::of(&decision);
        self.tree.insert(scope().approval_decision(&request), decision);
        let verdict = ApprovalVerdict::Approved;
        let decision_sha256 = Some(digest);
        let leaf =
            ApprovalDecidedLeaf { tenant, environment, relay, request, commitment, verdict, decision_sha256, time_us };
        put(self.tree, scope().approval_decided(&leaf.request), &leaf, signer);
        digest
    }

    pub(crate) fn details(&self) -> EventBody {
        let EventBody::SessionOpen(details) = sample::session_open() else { unreachable!() };
        let salt = Sha256Digest::of(self.id.to_string().as_bytes()).to_string();
        EventBody::SessionOpen(Box::new(SessionOpen { salt, ..*details }))
    }

    /// Stores the next chunk and gives it.
    pub(crate) fn chunk(
        &mut self,
        signer: &P256Key,
        events: Vec<EventBody>,
        data: &[(Direction, &[u8])],
        last: bool,
    ) -> SealedChunk {
        self.sequence += 1;
        let head = ChunkHead {
            scope: scope(),
            log_origin: LOG_ORIGIN.to_owned(),
            session: self.id.clone(),
            connection: "db".parse().unwrap(),
            sequence: self.sequence,
            prev: self.prev,
            first_event: self.next_event,
        };
        let time_us = self.time();
        let mut builder = ChunkBuilder::new(head, &self.key, &self.entropy).unwrap();
        for body in events {
            let number = self.next_event;
            builder.push_event(&Event { number, time_us: time_us + number, body }).unwrap();
            self.next_event += 1;
        }
        for (direction, bytes) in data {
            builder.push_data(&DataRecord { direction: *direction, time_us: time_us + 1, bytes }).unwrap();
        }
        let time_us = if signer.public_key().incarnation() == self.id.incarnation { time_us } else { T0 + 60 * SECOND };
        let chunk = builder.finish(&Seal { time_us, last }, signer).unwrap();
        self.prev = chunk.digest;
        self.tree.insert(scope().chunk(&self.id, self.sequence), chunk.bytes.clone());
        chunk
    }

    pub(crate) fn close(&mut self, signer: &P256Key, reason: CloseReason) -> SessionCloseLeaf {
        let Scope { tenant, environment, relay } = scope();
        let sealed_by = signer.public_key().incarnation();
        let recovered = sealed_by != self.id.incarnation;
        let close = SessionCloseLeaf {
            tenant,
            environment,
            relay,
            session: self.id.clone(),
            reason,
            chunks: self.sequence,
            events: self.next_event - 1,
            last_manifest: self.prev,
            sealed_by,
            recovered,
            time_us: if recovered { T0 + 60 * SECOND } else { self.time() + SECOND },
        };
        put(self.tree, scope().session_close(&self.id), &close, signer);
        close
    }

    fn time(&self) -> u64 {
        let life = if self.id.incarnation == self.keys.first.public_key().incarnation() { 0 } else { 60 };
        T0 + (life + 10 * self.id.counter + self.sequence) * SECOND
    }
}

impl From<u64> for Counting {
    fn from(count: u64) -> Self {
        Self(AtomicU64::new(count))
    }
}

impl Entropy for Counting {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), crate::Error> {
        for part in bytes.chunks_mut(DIGEST_LENGTH) {
            let count = self.0.fetch_add(1, Ordering::Relaxed);
            let digest = Sha256Digest::of(&[b"golden vectors".as_slice(), &count.to_be_bytes()].concat());
            part.copy_from_slice(&digest.as_bytes()[..part.len()]);
        }
        Ok(())
    }
}

pub(crate) fn execute(execution: u64, statement: u64) -> EventBody {
    EventBody::Execute(Execute { execution, statement, row_limit: 0, rows_kept: None })
}

pub(crate) fn close(reason: CloseReason, statements: u64, executions: u64) -> EventBody {
    EventBody::SessionClose(SessionClose { reason, statements, executions })
}

/// A PostgreSQL message.
fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind], &u32::try_from(body.len() + 4).unwrap().to_be_bytes()[..], body].concat()
}

/// 2026-09-21T14:13:20Z.
pub(crate) const T0: u64 = 1_790_000_000 * SECOND;
pub(crate) const SECOND: u64 = 1_000_000;
const DIGEST_LENGTH: usize = 32;
const LOG_ORIGIN: &str = "log.affidavit.test/clinic";
