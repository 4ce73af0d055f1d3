//! What an operator does who holds a relay's key: everything here bears a signature that verifies.

use super::agreement::Ask;
use super::tree::{SECOND, T0, TestKeys, Tree, put, retire, scope};
use super::vectors::read_tree;
use crate::chunk::{Container, SKIPPABLE_MAGIC, append_envelope};
use crate::dsse::{Envelope, Statement};
use crate::identifiers::SessionId;
use crate::leaf::{SessionCloseLeaf, SessionOpenLeaf, SessionVoid};
use crate::manifest::{ChunkManifest, Extent};
use crate::rule::Rule;
use crate::signature::Signer;
use crate::verify::{Options, verify};

/// Names the case, changes the evidence, and tells the rule that must be named first.
type Case = (&'static str, fn(&mut Scene), Rule);

/// The golden tree, and the keys of its relay's two lives.
struct Scene {
    tree: Tree,
    keys: TestKeys,
}

const CASES: &[Case] = &[
    ("a recovery after an orderly retirement", |s| s.retire_in_order(), Rule::SignerRetired),
    ("voids after an orderly retirement", |s| s.void_retired(), Rule::SignerRetired),
    ("a chunk of another session", |s| s.replay_of_session(), Rule::ChunkIdentity),
    ("a chunk of another relay", |s| s.manifest(|m| m.relay = "other".parse().unwrap()), Rule::ChunkIdentity),
    ("a chunk of another environment", |s| s.manifest(|m| m.environment = name("other")), Rule::ChunkIdentity),
    ("a chunk of another tenant", |s| s.manifest(|m| m.tenant = name("other")), Rule::ChunkIdentity),
    ("a chunk replayed after the last", |s| s.replay_at_end(), Rule::SessionLast),
    ("a chunk whose own earlier self it follows", |s| s.manifest(|m| m.sequence = 2), Rule::ChunkIdentity),
    ("a chunk from before the certificate", |s| s.manifest(|m| m.sealed_time_us -= YEAR), Rule::CertificateValidity),
    ("a close from before the certificate", |s| s.close(|c| c.time_us -= YEAR), Rule::CertificateValidity),
    ("a session opened before the certificate", |s| s.open(|o| o.time_us -= YEAR), Rule::CertificateValidity),
    (
        "a session-open that commits to nothing",
        |s| s.open(|o| o.details_commitment = o.policy_sha256),
        Rule::SessionChain,
    ),
    ("bytes after the last whole frame", |s| s.stored(|b| b.push(0)), Rule::ChunkContainer),
    ("a skippable frame in front", |s| s.stored(|b| splice(b, &skippable(b"hidden"))), Rule::ChunkContainer),
    ("a skippable frame between", |s| s.stored(|b| b.extend(skippable(b"hidden"))), Rule::ChunkContainer),
    ("an envelope within the stored bytes", |s| s.stored(|b| b.extend(skippable(b"{}"))), Rule::ChunkContainer),
    ("a window of 16 MiB", |s| s.stored(|b| *b = frame(0, &[14 << 3, 1, 0, 0])), Rule::ChunkContainer),
    ("a dictionary", |s| s.stored(|b| *b = frame(1, &[0, 9, 1, 0, 0])), Rule::ChunkContainer),
    ("a reserved bit", |s| s.stored(|b| *b = frame(8, &[0, 1, 0, 0])), Rule::ChunkContainer),
    ("a block of the reserved type", |s| s.stored(|b| *b = frame(0, &[0, 7, 0, 0])), Rule::ChunkContainer),
    ("a block beyond 128 KiB", |s| s.stored(|b| *b = frame(0, &[0, 3, 0, 0x80])), Rule::ChunkContainer),
    (
        "a frame that says another size than it has",
        |s| s.stored(|b| *b = frame(0x20, &[9, 1, 0, 0])),
        Rule::ChunkDigest,
    ),
    ("a run of 100 KiB more than the manifest says", |s| s.stored(bomb), Rule::ChunkDigest),
    ("more content than the limit", |s| s.manifest(|m| m.decoded.length = 1 << 40), Rule::ChunkManifest),
    ("less content than there is", |s| s.manifest(|m| m.decoded.length -= 1), Rule::ChunkDigest),
    ("two envelopes in the last frame", |s| s.two_envelopes(), Rule::ChunkManifest),
    ("data after the signed frame", |s| s.append(b"\0"), Rule::ChunkContainer),
    ("another signed frame after the last", |s| s.append(&skippable(b"{}")), Rule::ChunkContainer),
];

#[test]
fn each_signed_lie_is_found_and_the_rule_is_named() {
    for (name, change, rule) in CASES {
        let mut scene = Scene::new();
        change(&mut scene);
        let report = verify(&scene.tree, scene.keys.root(), &Options::default()).unwrap();
        let first = report.errors().next().map(|finding| finding.rule);
        assert_eq!(first, Some(*rule), "{name}: {:#?}", report.findings);
    }
}

/// Rules that have their case here.
pub(super) fn rules() -> impl Iterator<Item = Rule> {
    CASES.iter().map(|(_, _, rule)| *rule)
}

/// All cases, for both verifiers.
pub(super) fn asks() -> Vec<Ask> {
    let ask = |(name, change, _): &Case| {
        let mut scene = Scene::new();
        change(&mut scene);
        Ask { name: (*name).to_owned(), files: scene.tree, options: Options::default(), is_bundle: false }
    };
    CASES.iter().map(ask).collect()
}

impl Scene {
    fn new() -> Self {
        Self { tree: read_tree(), keys: TestKeys::read() }
    }

    /// The session of the second life, which one chunk holds.
    fn session(&self) -> SessionId {
        SessionId { incarnation: self.keys.second.public_key().incarnation(), counter: 1 }
    }

    fn chunk(&self) -> String {
        scope().chunk(&self.session(), 1)
    }

    fn read<T: Statement>(&self, key: &str) -> T {
        Envelope::from_slice(&self.tree[key]).unwrap().read_unverified().unwrap()
    }

    fn close(&mut self, change: impl FnOnce(&mut SessionCloseLeaf)) {
        let key = scope().session_close(&self.session());
        let mut close = self.read(&key);
        change(&mut close);
        put(&mut self.tree, key, &close, &self.keys.second);
    }

    fn open(&mut self, change: impl FnOnce(&mut SessionOpenLeaf)) {
        let key = scope().session_open(&self.session());
        let mut open = self.read(&key);
        change(&mut open);
        put(&mut self.tree, key, &open, &self.keys.second);
    }

    /// Stored bytes and manifest of a chunk.
    fn parts(&self, key: &str) -> (Vec<u8>, ChunkManifest) {
        let container = Container::parse(&self.tree[key]).unwrap();
        let manifest = container.manifest().clone();
        (self.tree[key][..usize::try_from(manifest.stored.length).unwrap()].to_vec(), manifest)
    }

    /// Signs this chunk in the second life's name.
    fn seal(&mut self, key: String, mut stored: Vec<u8>, mut manifest: ChunkManifest) {
        manifest.stored = Extent::of(&stored);
        append_envelope(&Envelope::of(&manifest, &self.keys.second).unwrap(), &mut stored).unwrap();
        self.tree.insert(key, stored);
    }

    fn manifest(&mut self, change: impl FnOnce(&mut ChunkManifest)) {
        let (stored, mut manifest) = self.parts(&self.chunk());
        change(&mut manifest);
        self.seal(self.chunk(), stored, manifest);
    }

    fn stored(&mut self, change: impl FnOnce(&mut Vec<u8>)) {
        let (mut stored, manifest) = self.parts(&self.chunk());
        change(&mut stored);
        self.seal(self.chunk(), stored, manifest);
    }

    fn append(&mut self, bytes: &[u8]) {
        let key = self.chunk();
        self.tree.get_mut(&key).unwrap().extend_from_slice(bytes);
    }

    fn replay_of_session(&mut self) {
        let (stored, manifest) = self.parts(&scope().chunk(&self.keys.first_session(1), 1));
        let sealed_by = self.keys.second.public_key().incarnation();
        self.seal(self.chunk(), stored, ChunkManifest { sealed_by, recovered: true, ..manifest });
    }

    fn replay_at_end(&mut self) {
        let (stored, manifest) = self.parts(&self.chunk());
        let prev = Container::parse(&self.tree[&self.chunk()]).unwrap().envelope().statement_digest();
        self.seal(scope().chunk(&self.session(), 2), stored, ChunkManifest { sequence: 2, prev, ..manifest });
    }

    fn two_envelopes(&mut self) {
        let (mut bytes, _) = self.parts(&self.chunk());
        let envelope = Container::parse(&self.tree[&self.chunk()]).unwrap().envelope().to_vec().unwrap();
        let content = [envelope.as_slice(), &envelope].concat();
        let length = u32::try_from(content.len() + 8).unwrap().to_le_bytes();
        let magic = SKIPPABLE_MAGIC.to_le_bytes();
        bytes.extend([&magic[..], &length, &content, &length, &magic].concat());
        self.tree.insert(self.chunk(), bytes);
    }

    /// The first life says that it ended in order, and the second has signed for it.
    fn retire_in_order(&mut self) {
        retire(&mut self.tree, &self.keys.first, &self.keys.first, 3, T0 + 59 * SECOND);
    }

    /// The second life lets sessions of the first disappear, which had retired.
    fn void_retired(&mut self) {
        self.retire_in_order();
        let void: SessionVoid = self.read(&scope().session_void(&self.keys.first_session(2)));
        let sealed_by = self.keys.second.public_key().incarnation();
        for counter in [2, 3] {
            let session = self.keys.first_session(counter);
            let prefix = scope().session_prefix(&session);
            self.tree.retain(|key, _| !key.starts_with(&prefix));
            let (key, sealed_by) = (scope().session_void(&session), sealed_by.clone());
            let void = SessionVoid { session, sealed_by, recovered: true, ..void.clone() };
            put(&mut self.tree, key, &void, &self.keys.second);
        }
    }
}

fn name(text: &str) -> crate::identifiers::Name {
    text.parse().unwrap()
}

/// A standard zstd frame with this descriptor.
fn frame(descriptor: u8, rest: &[u8]) -> Vec<u8> {
    [&[0x28, 0xb5, 0x2f, 0xfd, descriptor][..], rest].concat()
}

fn skippable(content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap().to_le_bytes();
    [&SKIPPABLE_MAGIC.to_le_bytes()[..], &length, content].concat()
}

fn splice(bytes: &mut Vec<u8>, front: &[u8]) {
    *bytes = [front, bytes].concat();
}

/// Eleven bytes that decode to 100 KiB.
fn bomb(bytes: &mut Vec<u8>) {
    let run = (100 << 10) << 3 | 1 << 1 | 1_u32;
    let [a, b, c, _] = run.to_le_bytes();
    bytes.extend(frame(0, &[7 << 3, a, b, c, 0]));
}

const YEAR: u64 = 365 * 86_400 * SECOND;
