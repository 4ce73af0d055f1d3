//! What an attacker does to stored evidence, and the rule the verifier must name first. Together the cases break every
//! rule that is an error.

use std::collections::BTreeSet;
use std::io;

use proptest::prelude::*;

use super::agreement::Ask;
use super::tree::{SECOND, T0, TestKeys, Tree, Writer, execute, put, retire, scope};
use super::vectors::read_tree;
use crate::approval::{ApprovalDecidedLeaf, ApprovalRequestedLeaf, ApprovalVerdict};
use crate::canonical;
use crate::chunk::{self, Container, append_envelope};
use crate::digest::Sha256Digest;
use crate::dsse::{Envelope, Statement};
use crate::event::{CloseReason, Event, EventBody, Outcome, SessionOpen};
use crate::frame::{Frame, Frames, Kind};
use crate::identifiers::{RequestId, SessionId};
use crate::layout::EVIDENCE_PREFIX;
use crate::leaf::{Certificate, SessionCloseLeaf, SessionVoid};
use crate::manifest::{ChunkManifest, Extent};
use crate::rule::{Rule, Severity};
use crate::sample;
use crate::signature::{P256Key, Signer};
use crate::verify::{Options, Report, Source, verify};

/// Names the case, changes the tree, and tells the rule that must be named first.
type Case = (&'static str, fn(&mut Scene), Rule);

/// The golden tree, and what an attacker may have.
struct Scene {
    tree: Tree,
    keys: TestKeys,
    /// Certified by nobody.
    stranger: P256Key,
}

/// Changes by somebody who can write to the store and has no key.
const WITHOUT_KEY: &[Case] = &[
    ("a byte of a chunk's content flipped", |s| s.flip_in_content(), Rule::ChunkDigest),
    ("a byte of a chunk's signature flipped", |s| s.spoil_chunk_signature(), Rule::ChunkSignature),
    ("a byte of a chunk's manifest flipped", |s| s.edit_manifest_text(), Rule::ChunkSignature),
    ("the first chunk dropped", |s| s.drop(&s.chunk(1, 1)), Rule::SessionSequence),
    ("the last chunk dropped", |s| s.drop(&s.chunk(1, 2)), Rule::SessionSequence),
    ("two chunks swapped", |s| s.swap(&s.chunk(1, 1), &s.chunk(1, 2)), Rule::ChunkIdentity),
    ("a chunk of another session", |s| s.copy(&s.chunk(3, 1), &s.chunk(1, 1)), Rule::ChunkIdentity),
    ("a chunk stored once more at the end", |s| s.copy(&s.chunk(1, 2), &s.chunk(1, 3)), Rule::SessionLast),
    ("a chunk truncated", |s| s.edit(&s.chunk(1, 1), |b| b.truncate(b.len() - 1)), Rule::ChunkContainer),
    ("a chunk emptied", |s| s.edit(&s.chunk(1, 1), Vec::clear), Rule::ChunkContainer),
    ("data after a chunk", |s| s.edit(&s.chunk(1, 1), |b| b.push(b'\n')), Rule::ChunkContainer),
    ("a standard frame put in front", |s| s.prepend_frame(), Rule::ChunkDigest),
    ("a second skippable frame in front", |s| s.prepend_skippable(), Rule::ChunkContainer),
    ("a second skippable frame before the last", |s| s.insert_skippable(), Rule::ChunkContainer),
    ("a second envelope", |s| s.append_second_envelope(), Rule::ChunkContainer),
    ("two chunks in one object", |s| s.join_chunks(), Rule::ChunkContainer),
    ("a second signature in an envelope", |s| s.add_signature(), Rule::EnvelopeForm),
    ("an envelope of another kind", |s| s.copy(&s.close(1), &s.open(1)), Rule::EnvelopeForm),
    ("a session dropped", |s| s.drop_session(1), Rule::IncarnationCounter),
    ("the last session dropped", |s| s.drop_session(3), Rule::IncarnationCounter),
    ("a void dropped", |s| s.drop(&scope().session_void(&s.session(2))), Rule::IncarnationCounter),
    ("a session-open dropped", |s| s.drop(&s.open(1)), Rule::SessionOpenMissing),
    ("a session-close dropped", |s| s.drop(&s.close(1)), Rule::SessionClose),
    ("a session-open of another session", |s| s.copy(&s.open(3), &s.open(1)), Rule::SessionOpenIdentity),
    ("a session-close of another session", |s| s.copy(&s.close(3), &s.close(1)), Rule::SessionCloseIdentity),
    ("a void made of another session's", |s| s.copy_void(), Rule::SessionVoidIdentity),
    ("a session-open's signature spoilt", |s| s.spoil(&s.open(1)), Rule::SessionOpenSignature),
    ("a session-close's signature spoilt", |s| s.spoil(&s.close(1)), Rule::SessionCloseSignature),
    ("a void's signature spoilt", |s| s.spoil(&scope().session_void(&s.session(2))), Rule::SessionVoidSignature),
    ("a certificate dropped", |s| s.drop(&s.certificate()), Rule::CertificateMissing),
    ("a certificate's signature spoilt", |s| s.spoil(&s.certificate()), Rule::CertificateSignature),
    ("a certificate of another incarnation", |s| s.copy_certificate(), Rule::CertificateIdentity),
    ("a relay-start dropped", |s| s.drop(&s.start()), Rule::RelayStartMissing),
    ("a relay-start's signature spoilt", |s| s.spoil(&s.start()), Rule::RelayStartSignature),
    ("a relay-start of another incarnation", |s| s.copy_start(), Rule::RelayStartIdentity),
    ("a relay-retired's signature spoilt", |s| s.spoil(&s.retired()), Rule::RelayRetiredSignature),
    ("a relay-retired of another incarnation", |s| s.copy_retired(), Rule::RelayRetiredIdentity),
    ("an approval-requested dropped", |s| s.drop(&s.requested()), Rule::ApprovalRequested),
    ("an approval-decided dropped", |s| s.drop(&s.decided()), Rule::ApprovalDecided),
    ("an approval-requested's signature spoilt", |s| s.spoil(&s.requested()), Rule::ApprovalRequestedSignature),
    ("an approval-decided's signature spoilt", |s| s.spoil(&s.decided()), Rule::ApprovalDecidedSignature),
    ("an approval-requested elsewhere", |s| s.copy_requested(), Rule::ApprovalRequestedIdentity),
    ("an approval-decided elsewhere", |s| s.copy_decided(), Rule::ApprovalDecidedIdentity),
    ("a strange object", |s| s.strange_object(), Rule::ObjectLayout),
    ("an object beyond its limit", |s| s.edit(&s.open(1), |b| b.resize(70_000, b' ')), Rule::ObjectRead),
];

/// Changes signed by a key that nobody certified, or by a certified relay that lies.
const WITH_KEY: &[Case] = &[
    ("a chunk signed by a stranger's key", |s| s.sign_chunk_as_stranger(), Rule::SignerCertified),
    ("a close forged by a stranger's key", |s| s.forge_close_as_stranger(), Rule::SignerCertified),
    ("a close forged in the relay's name", |s| s.forge_close_in_relays_name(), Rule::SessionCloseSignature),
    ("a stranger's relay", |s| s.strange_relay(), Rule::CertificateSignature),
    ("a recovery that is not said", |s| s.resign_close(|c| c.recovered = true), Rule::SignerRecovered),
    ("a close that says more chunks", |s| s.resign_close(|c| c.chunks += 1), Rule::SessionSequence),
    ("a close that says fewer chunks", |s| s.resign_close(|c| c.chunks -= 1), Rule::SessionTotals),
    ("a close that says more events", |s| s.resign_close(|c| c.events += 1), Rule::SessionTotals),
    ("a close with another reason", |s| s.resign_close(|c| c.reason = CloseReason::Idle), Rule::SessionTotals),
    ("a close with another last manifest", |s| s.resign_close(forget_manifest), Rule::SessionTotals),
    ("a close after the certificate", |s| s.resign_close(|c| c.time_us += 90_000 * SECOND), Rule::CertificateValidity),
    ("a retirement that says fewer", |s| s.retire_early(), Rule::IncarnationCounter),
    ("a retirement that says more", |s| s.retire_late(), Rule::IncarnationCounter),
    ("a void over a session", |s| s.void_session(), Rule::SessionVoid),
    ("another first event than committed", |s| s.reforge(other_name), Rule::SessionOpenCommitment),
    ("another prev", |s| s.remanifest(|m| m.prev = m.decoded.sha256), Rule::SessionChain),
    ("another log", |s| s.remanifest(|m| m.log_origin.push('x')), Rule::ChunkIdentity),
    ("another connection", |s| s.remanifest(|m| m.connection = "other".parse().unwrap()), Rule::ChunkIdentity),
    ("a last chunk that does not say so", |s| s.remanifest(|m| m.last = false), Rule::SessionLast),
    ("another number of data blocks", |s| s.remanifest(|m| m.data_blocks += 1), Rule::ChunkCounts),
    ("times that do not fit", |s| s.remanifest(|m| m.last_time_us = m.first_time_us), Rule::ChunkCounts),
    ("a later format", |s| s.remanifest(|m| m.format += 1), Rule::ChunkManifest),
    ("counts that do not fit each other", |s| s.remanifest(|m| m.events += 1), Rule::ChunkManifest),
    ("another decoded digest", |s| s.remanifest(|m| m.decoded.sha256 = m.prev), Rule::ChunkDigest),
    ("event numbers from 2", |s| s.remanifest(first_event_two), Rule::EventNumber),
    ("a frame of unknown kind", |s| s.reforge(|c, _| c.extend_from_slice(&[0, 0, 0, 0, 9])), Rule::ChunkFrames),
    ("an event with a member too many", |s| s.reforge(extra_member), Rule::EventForm),
    ("an event after the end", |s| s.add_event(EventBody::Cancel), Rule::EventOrder),
    ("an execution of nothing", |s| s.replace_event(4, execute(1, 9)), Rule::EventReference),
    ("a roll-back of what has no outcome", |s| s.replace_event(4, rolled_back(1)), Rule::EventReference),
    ("a roll-back of nothing", |s| s.replace_event(4, rolled_back(2)), Rule::EventReference),
    ("something detected in what is over", |s| s.replace_event(5, sample::detected(1, 1)), Rule::EventReference),
    ("a statement left out", |s| s.replace_event(2, EventBody::Cancel), Rule::EventReference),
    ("a statement more than the close says", |s| s.replace_event(4, sample::statement(2)), Rule::EventTotals),
    ("rows off the record that nobody spoke of", |s| s.replace_event(3, off_record()), Rule::EventResult),
    ("a request with another expiry", |s| s.resign_requested(|r| r.expires_us += 1), Rule::ApprovalRequested),
    ("another verdict", |s| s.resign_decided(|d| d.verdict = ApprovalVerdict::Denied), Rule::ApprovalDecided),
    ("a decision that nobody made", |s| s.resign_decided(|d| d.decision_sha256 = None), Rule::ApprovalDecided),
    ("a held statement that nobody approved", |s| s.run_unapproved(), Rule::EventApproval),
    ("a recovery by nobody", |s| s.add_event(recovered()), Rule::EventRecovered),
];

#[test]
fn each_change_is_found_and_the_rule_is_named() {
    for (name, change, rule) in WITHOUT_KEY.iter().chain(WITH_KEY) {
        let mut scene = Scene::new();
        change(&mut scene);
        let report = scene.verify();
        let first = report.errors().next().map(|finding| finding.rule);
        assert_eq!(first, Some(*rule), "{name}: {:#?}", report.findings);
        assert!(!report.holds(), "{name}");
    }
}

/// All cases, for both verifiers.
pub(super) fn asks() -> Vec<Ask> {
    let ask = |(name, change, _): &Case| {
        let mut scene = Scene::new();
        change(&mut scene);
        Ask { name: (*name).to_owned(), files: scene.tree, options: Options::default(), is_bundle: false }
    };
    WITHOUT_KEY.iter().chain(WITH_KEY).map(ask).collect()
}

/// Those have their cases in `verify::bundle`, in `log` and in `shredding`.
fn is_of_others(rule: Rule) -> bool {
    ["bundle.", "key-certificate", "table.", "safeguards.", "log.", "checkpoint.", "shredding."]
        .iter()
        .any(|prefix| rule.id().starts_with(prefix))
}

#[test]
fn every_rule_that_is_an_error_has_its_case() {
    let cases = WITHOUT_KEY.iter().chain(WITH_KEY).map(|(_, _, rule)| *rule);
    let cases: BTreeSet<_> = cases.chain(super::insider::rules()).chain(super::completeness::rules()).collect();
    let errors: BTreeSet<_> =
        Rule::ALL.iter().copied().filter(|rule| rule.severity() == Severity::Error && !is_of_others(*rule)).collect();
    assert_eq!(errors.difference(&cases).collect::<Vec<_>>(), Vec::<&Rule>::new());
}

#[test]
fn a_relay_that_is_not_retired_is_named_and_may_have_open_sessions() {
    let mut scene = Scene::new();
    scene.drop(&scene.retired());
    let report = scene.verify();
    assert!(report.holds() && report.findings.iter().any(|finding| finding.rule == Rule::IncarnationUnretired));
    let mut writer = Writer::open(&mut scene.tree, &scene.keys, &scene.keys.first, 4);
    let events = vec![writer.details(), sample::statement(1), execute(1, 1)];
    writer.chunk(&scene.keys.first, events, &[], false);
    let report = scene.verify();
    assert!(report.holds(), "{:#?}", report.findings);
    let open = report.sessions.iter().find(|session| session.session == scene.session(4)).unwrap();
    assert_eq!((open.outcome_unknown.as_slice(), open.chunks), ([1].as_slice(), 1));
    scene.drop(&scene.close(1));
    assert_eq!(scene.verify().errors().next().unwrap().rule, Rule::SessionClose);
}

#[test]
fn what_is_no_evidence_is_a_warning_when_it_was_exchanged_and_nothing_when_it_was_deleted() {
    let scene = Scene::new();
    let request = scene.request();
    let (details, decision) = (scope().approval_request(&request), scope().approval_decision(&request));
    for (key, rule) in [(details, Rule::ApprovalDetails), (decision, Rule::ApprovalDecision)] {
        let mut scene = Scene::new();
        scene.edit(&key, |bytes| bytes.push(b' '));
        let report = scene.verify();
        assert!(report.holds() && report.findings.iter().any(|finding| finding.rule == rule), "{key}");
        scene.drop(&key);
        assert!(scene.verify().findings.iter().all(|finding| finding.rule != rule), "{key}");
    }
}

#[test]
fn nothing_is_not_evidence() {
    let keys = TestKeys::read();
    let report = verify(&Tree::new(), keys.root(), &Options::default()).unwrap();
    assert!(report.findings.is_empty() && !report.holds());
}

#[test]
fn a_flipped_byte_anywhere_is_found() {
    let tree = read_tree();
    let keys = TestKeys::read();
    for (index, key) in tree.keys().filter(|key| key.starts_with(EVIDENCE_PREFIX)).enumerate() {
        for position in (index % STRIDE..tree[key].len()).step_by(STRIDE) {
            let mut changed = tree.clone();
            changed.get_mut(key).unwrap()[position] ^= 1 << (position % 8);
            let report = verify(&changed, keys.root(), &Options::default()).unwrap();
            assert!(!report.holds(), "{key} byte {position}");
            assert!(report.errors().any(|finding| finding.object == *key), "{key} byte {position}");
        }
    }
}

#[test]
fn any_object_that_is_taken_away_is_missed() {
    let tree = read_tree();
    let keys = TestKeys::read();
    for key in tree.keys().filter(|key| key.starts_with(EVIDENCE_PREFIX)) {
        let mut changed = tree.clone();
        changed.remove(key);
        let report = verify(&changed, keys.root(), &Options::default()).unwrap();
        let unretired = report.findings.iter().any(|finding| finding.rule == Rule::IncarnationUnretired);
        assert!(!report.holds() || (unretired && key.ends_with("relay-retired.json")), "{key}");
    }
}

#[test]
fn a_store_that_fails_is_a_finding_and_not_an_end() {
    struct Failing(Tree);
    impl Source for Failing {
        fn keys(&self) -> io::Result<Vec<String>> {
            Source::keys(&self.0)
        }
        fn get(&self, key: &str, limit: u64) -> io::Result<Vec<u8>> {
            if key.ends_with("chunk-00000001.zst") {
                Err(io::ErrorKind::TimedOut.into())
            } else {
                Source::get(&self.0, key, limit)
            }
        }
    }
    let report = verify(&Failing(read_tree()), TestKeys::read().root(), &Options::default()).unwrap();
    assert_eq!(report.errors().filter(|finding| finding.rule == Rule::ObjectRead).count(), 4);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn garbage_in_any_place_never_panics_and_never_holds(place in any::<prop::sample::Index>(), garbage in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut tree = read_tree();
        let keys: Vec<_> = tree.keys().filter(|key| key.starts_with(EVIDENCE_PREFIX)).cloned().collect();
        tree.insert(place.get(&keys).clone(), garbage);
        prop_assert!(!verify(&tree, TestKeys::read().root(), &Options::default()).unwrap().holds());
    }
}

impl Scene {
    fn new() -> Self {
        Self { tree: read_tree(), keys: TestKeys::read(), stranger: P256Key::generate().unwrap() }
    }

    fn verify(&self) -> Report {
        verify(&self.tree, self.keys.root(), &Options::default()).unwrap()
    }

    fn session(&self, counter: u64) -> SessionId {
        self.keys.first_session(counter)
    }

    /// The session that the second incarnation served: one chunk, which is the one that lies below.
    fn second_session(&self) -> SessionId {
        SessionId { incarnation: self.keys.second.public_key().incarnation(), counter: 1 }
    }

    fn chunk(&self, counter: u64, sequence: u64) -> String {
        scope().chunk(&self.session(counter), sequence)
    }

    fn open(&self, counter: u64) -> String {
        scope().session_open(&self.session(counter))
    }

    fn close(&self, counter: u64) -> String {
        scope().session_close(&self.session(counter))
    }

    fn certificate(&self) -> String {
        scope().certificate(&self.session(1).incarnation)
    }

    fn start(&self) -> String {
        scope().relay_start(&self.session(1).incarnation)
    }

    fn retired(&self) -> String {
        scope().relay_retired(&self.session(1).incarnation)
    }

    /// The approved request.
    fn request(&self) -> RequestId {
        RequestId { session: SessionId { counter: 2, ..self.second_session() }, statement: 1 }
    }

    fn requested(&self) -> String {
        scope().approval_requested(&self.request())
    }

    fn decided(&self) -> String {
        scope().approval_decided(&self.request())
    }

    fn run_unapproved(&mut self) {
        self.replace_event(2, sample::held_statement(1));
        self.replace_event(4, execute(1, 1));
    }

    fn copy_requested(&mut self) {
        let other = RequestId { statement: 2, ..self.request() };
        self.copy(&self.requested(), &scope().approval_requested(&other));
    }

    fn copy_decided(&mut self) {
        let other = RequestId { statement: 2, ..self.request() };
        self.copy(&self.decided(), &scope().approval_decided(&other));
    }

    fn resign_requested(&mut self, change: impl FnOnce(&mut ApprovalRequestedLeaf)) {
        let mut leaf: ApprovalRequestedLeaf = self.read(&self.requested());
        change(&mut leaf);
        let key = self.requested();
        put(&mut self.tree, key, &leaf, &self.keys.second);
    }

    fn resign_decided(&mut self, change: impl FnOnce(&mut ApprovalDecidedLeaf)) {
        let mut leaf: ApprovalDecidedLeaf = self.read(&self.decided());
        change(&mut leaf);
        let key = self.decided();
        put(&mut self.tree, key, &leaf, &self.keys.second);
    }

    fn drop(&mut self, key: &str) {
        self.tree.remove(key).unwrap();
    }

    fn drop_session(&mut self, counter: u64) {
        let prefix = scope().session_prefix(&self.session(counter));
        self.tree.retain(|key, _| !key.starts_with(&prefix));
    }

    fn copy(&mut self, from: &str, to: &str) {
        let object = self.tree[from].clone();
        self.tree.insert(to.to_owned(), object);
    }

    fn swap(&mut self, one: &str, other: &str) {
        let object = self.tree[one].clone();
        self.copy(other, one);
        self.tree.insert(other.to_owned(), object);
    }

    fn edit(&mut self, key: &str, change: impl FnOnce(&mut Vec<u8>)) {
        change(self.tree.get_mut(key).unwrap());
    }

    fn envelope(&self, key: &str) -> Envelope {
        Envelope::from_slice(&self.tree[key]).unwrap()
    }

    fn read<T: Statement>(&self, key: &str) -> T {
        self.envelope(key).read_unverified().unwrap()
    }

    fn spoil(&mut self, key: &str) {
        let spoilt = spoilt(&self.envelope(key));
        self.tree.insert(key.to_owned(), spoilt.to_vec().unwrap());
    }

    fn flip_in_content(&mut self) {
        let stored = Container::parse(&self.tree[&self.chunk(1, 1)]).unwrap().manifest().stored.length;
        self.edit(&self.chunk(1, 1), |bytes| bytes[usize::try_from(stored).unwrap() - 1] ^= 1);
    }

    fn spoil_chunk_signature(&mut self) {
        let key = self.chunk(1, 1);
        let chunk = self.tree[&key].clone();
        let container = Container::parse(&chunk).unwrap();
        let stored = usize::try_from(container.manifest().stored.length).unwrap();
        let mut bytes = chunk[..stored].to_vec();
        append_envelope(&spoilt(container.envelope()), &mut bytes).unwrap();
        self.tree.insert(key, bytes);
    }

    fn edit_manifest_text(&mut self) {
        let key = self.chunk(1, 1);
        let chunk = self.tree[&key].clone();
        let container = Container::parse(&chunk).unwrap();
        let manifest = ChunkManifest { sealed_time_us: T0 + 1, ..container.manifest().clone() };
        let signature = container.envelope().signature().to_vec();
        let payload = canonical::to_vec(&manifest).unwrap();
        let signer = self.keys.first.public_key();
        let envelope = Envelope::assemble(ChunkManifest::TYPE, payload, signer, signature);
        let mut bytes = chunk[..usize::try_from(manifest.stored.length).unwrap()].to_vec();
        append_envelope(&envelope, &mut bytes).unwrap();
        self.tree.insert(key, bytes);
    }

    fn prepend_frame(&mut self) {
        let frame = zstd::bulk::compress(b"more", 1).unwrap();
        self.edit(&self.chunk(1, 1), |bytes| drop(bytes.splice(0..0, frame)));
    }

    fn prepend_skippable(&mut self) {
        self.edit(&self.chunk(1, 1), |bytes| drop(bytes.splice(0..0, skippable())));
    }

    fn insert_skippable(&mut self) {
        let stored = Container::parse(&self.tree[&self.chunk(1, 1)]).unwrap().manifest().stored.length;
        let at = usize::try_from(stored).unwrap();
        self.edit(&self.chunk(1, 1), |bytes| drop(bytes.splice(at..at, skippable())));
    }

    fn append_second_envelope(&mut self) {
        let envelope = self.envelope_of_chunk(&self.chunk(1, 2));
        self.edit(&self.chunk(1, 1), |bytes| append_envelope(&envelope, bytes).unwrap());
    }

    fn envelope_of_chunk(&self, key: &str) -> Envelope {
        Container::parse(&self.tree[key]).unwrap().envelope().clone()
    }

    fn join_chunks(&mut self) {
        let second = self.tree[&self.chunk(1, 2)].clone();
        self.edit(&self.chunk(1, 1), |bytes| bytes.extend(second));
    }

    fn add_signature(&mut self) {
        let key = self.open(1);
        let text = String::from_utf8(self.tree[&key].clone()).unwrap();
        let one = text.split_once('[').unwrap().1.split_once(']').unwrap().0;
        let two = text.replace(one, &format!("{one},{one}"));
        self.tree.insert(key, two.into_bytes());
    }

    fn copy_void(&mut self) {
        let to = scope().session_void(&self.session(4));
        self.copy(&scope().session_void(&self.session(2)), &to);
        let (first, second) = (&self.keys.first, &self.keys.second);
        retire(&mut self.tree, first, second, 4, T0 + 61 * SECOND);
    }

    fn copy_certificate(&mut self) {
        let from = scope().certificate(&self.second_session().incarnation);
        self.copy(&from, &self.certificate());
    }

    fn copy_start(&mut self) {
        let from = scope().relay_start(&self.second_session().incarnation);
        self.copy(&from, &self.start());
    }

    fn copy_retired(&mut self) {
        let from = scope().relay_retired(&self.second_session().incarnation);
        self.copy(&from, &self.retired());
    }

    fn strange_object(&mut self) {
        self.tree.insert(format!("{}note.txt", scope().session_prefix(&self.session(1))), b"hello".to_vec());
    }

    fn sign_chunk_as_stranger(&mut self) {
        let stranger = P256Key::from_pkcs8_pem(&self.stranger.to_pkcs8_pem().unwrap()).unwrap();
        let sealed_by = stranger.public_key().incarnation();
        self.forge(&stranger, |_, manifest| {
            manifest.recovered = true;
            manifest.sealed_by = sealed_by;
        });
    }

    fn forge_close_as_stranger(&mut self) {
        let mut close: SessionCloseLeaf = self.read(&self.close(1));
        close.sealed_by = self.stranger.public_key().incarnation();
        close.recovered = true;
        put(&mut self.tree, scope().session_close(&close.session), &close, &self.stranger);
    }

    fn forge_close_in_relays_name(&mut self) {
        let close: SessionCloseLeaf = self.read(&self.close(1));
        let payload = canonical::to_vec(&close).unwrap();
        let signature = self.stranger.sign(&crate::dsse::pae(SessionCloseLeaf::TYPE, &payload)).unwrap();
        let envelope = Envelope::assemble(SessionCloseLeaf::TYPE, payload, self.keys.first.public_key(), signature);
        self.tree.insert(self.close(1), envelope.to_vec().unwrap());
    }

    /// A rogue relay that certified itself.
    fn strange_relay(&mut self) {
        let mut certificate: Certificate = self.read(&self.certificate());
        certificate.incarnation = self.stranger.public_key().incarnation();
        certificate.spki = self.stranger.public_key().clone();
        put(&mut self.tree, scope().certificate(&certificate.incarnation), &certificate, &self.stranger);
    }

    fn resign_close(&mut self, change: impl FnOnce(&mut SessionCloseLeaf)) {
        let mut close: SessionCloseLeaf = self.read(&self.close(1));
        change(&mut close);
        let key = self.close(1);
        put(&mut self.tree, key, &close, &self.keys.first);
    }

    fn retire_early(&mut self) {
        let (first, second) = (&self.keys.first, &self.keys.second);
        retire(&mut self.tree, first, second, 2, T0 + 61 * SECOND);
    }

    fn retire_late(&mut self) {
        let (first, second) = (&self.keys.first, &self.keys.second);
        retire(&mut self.tree, first, second, 7, T0 + 61 * SECOND);
    }

    fn void_session(&mut self) {
        let void: SessionVoid = self.read(&scope().session_void(&self.session(2)));
        let void = SessionVoid { session: self.session(1), ..void };
        let key = scope().session_void(&void.session);
        put(&mut self.tree, key, &void, &self.keys.first);
    }

    /// The second incarnation signs another version of its own chunk.
    fn reforge(&mut self, change: impl FnOnce(&mut Vec<u8>, &mut ChunkManifest)) {
        let signer = P256Key::from_pkcs8_pem(&self.keys.second.to_pkcs8_pem().unwrap()).unwrap();
        self.forge(&signer, change);
    }

    fn remanifest(&mut self, change: impl FnOnce(&mut ChunkManifest)) {
        self.reforge(|_, manifest| change(manifest));
    }

    fn forge(&mut self, signer: &P256Key, change: impl FnOnce(&mut Vec<u8>, &mut ChunkManifest)) {
        let key = scope().chunk(&self.second_session(), 1);
        let mut manifest = chunk::open(&self.tree[&key]).unwrap().manifest().clone();
        let mut content = zstd::stream::decode_all(self.tree[&key].as_slice()).unwrap();
        let before = content.clone();
        change(&mut content, &mut manifest);
        let mut bytes = zstd::bulk::compress(&content, 1).unwrap();
        manifest.stored = Extent::of(&bytes);
        if content != before {
            manifest.decoded = Extent::of(&content);
        }
        append_envelope(&Envelope::of(&manifest, signer).unwrap(), &mut bytes).unwrap();
        self.tree.insert(key, bytes);
    }

    fn add_event(&mut self, body: EventBody) {
        self.reforge(|content, manifest| {
            let number = manifest.last_event + 1;
            append_event(content, &Event { number, time_us: manifest.last_time_us, body });
            manifest.last_event += 1;
            manifest.events += 1;
        });
    }

    fn replace_event(&mut self, number: u64, body: EventBody) {
        self.reforge(|content, manifest| {
            let mut events = read_events(content);
            let time_us = manifest.first_time_us;
            events[usize::try_from(number).unwrap() - 1] = Event { number, time_us, body };
            content.clear();
            events.iter().for_each(|event| append_event(content, event));
        });
    }
}

fn off_record() -> EventBody {
    let EventBody::Outcome(outcome) = sample::outcome(0, 1) else { unreachable!() };
    let result_hmac = Some(Sha256Digest::of(b"rows"));
    EventBody::Outcome(Outcome { rows_recorded: Some(0), result_hmac, ..outcome })
}

fn spoilt(envelope: &Envelope) -> Envelope {
    let text = String::from_utf8(envelope.to_vec().unwrap()).unwrap();
    // The last Base64 digit group of the signature, and so the last bytes of its DER.
    let (head, tail) = text.rsplit_once("\"sig\":\"").unwrap();
    let swapped: String = tail
        .chars()
        .map(|c| if c == tail.chars().nth(20).unwrap() { if c == 'A' { 'B' } else { 'A' } } else { c })
        .collect();
    Envelope::from_slice(format!("{head}\"sig\":\"{swapped}").as_bytes()).unwrap()
}

fn skippable() -> Vec<u8> {
    [0x184D_2A50u32.to_le_bytes().as_slice(), &3u32.to_le_bytes(), b"abc"].concat()
}

fn forget_manifest(close: &mut SessionCloseLeaf) {
    close.last_manifest = crate::digest::Sha256Digest::of(b"");
}

fn first_event_two(manifest: &mut ChunkManifest) {
    manifest.first_event += 1;
    manifest.last_event += 1;
}

fn read_events(content: &[u8]) -> Vec<Event> {
    Frames::new(content).map(|frame| chunk::read_event(frame.unwrap().payload).unwrap()).collect()
}

fn append_event(content: &mut Vec<u8>, event: &Event) {
    Frame { kind: Kind::Event, payload: &canonical::to_vec(event).unwrap() }.encode(content).unwrap();
}

fn other_name(content: &mut Vec<u8>, _: &mut ChunkManifest) {
    let mut events = read_events(content);
    let EventBody::SessionOpen(details) = &events[0].body else { unreachable!() };
    let details = SessionOpen { client_address: "198.51.100.1:1".to_owned(), ..SessionOpen::clone(details) };
    events[0].body = EventBody::SessionOpen(Box::new(details));
    content.clear();
    events.iter().for_each(|event| append_event(content, event));
}

fn extra_member(content: &mut Vec<u8>, manifest: &mut ChunkManifest) {
    let text = format!("{{\"event\":\"cancel\",\"extra\":1,\"number\":6,\"time_us\":{}}}", manifest.last_time_us);
    Frame { kind: Kind::Event, payload: text.as_bytes() }.encode(content).unwrap();
    manifest.last_event += 1;
    manifest.events += 1;
}

fn rolled_back(execution: u64) -> EventBody {
    EventBody::RolledBack(crate::event::RolledBack { first_execution: execution, last_execution: execution })
}

fn recovered() -> EventBody {
    EventBody::Recovered(crate::event::Recovered {
        by_incarnation: "0".repeat(32),
        discarded_bytes: 0,
        outcome_unknown: Vec::new(),
    })
}

/// A prime, so that positions differ from object to object.
const STRIDE: usize = 89;
