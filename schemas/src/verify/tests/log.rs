//! The log over the golden evidence, and what an attacker or a lying sealer does to it.

use std::collections::{BTreeMap, BTreeSet};

use super::agreement::Ask;
use super::tree::{T0, TestKeys, Tree, beat, build, put, retire, scope, start};
use super::vectors::{read_folder, write_folder};
use crate::chunk::Container;
use crate::dsse::Envelope;
use crate::ed25519::Ed25519Key;
use crate::key_certificate::KeyCertificate;
use crate::layout::{self, LOG_PREFIX, ObjectKind, Scope, parse, parse_log};
use crate::leaf::{SessionCloseLeaf, SessionVoid};
use crate::log::{
    Checkpoint, Edge, Entry, LogOrigin, Note, Rank, SecondKey, Staged, Tile, TileKind, decode_bundle, encode_bundle,
    hash,
};
use crate::period::Period;
use crate::rule::{Rule, Severity};
use crate::signature::{P256Key, Signer};
use crate::verify::{EarlierCheckpoint, Options, Report, verify};

/// Names the case, changes the scene, and tells the rule that must be named first.
type Case = (&'static str, fn(&mut Scene), Rule);

/// Evidence with its log, and what an attacker may have.
pub(super) struct Scene {
    pub(super) tree: Tree,
    pub(super) keys: TestKeys,
    pub(super) options: Options,
    /// The log's second key, where it has one.
    second: Option<Ed25519Key>,
}

/// Changes by somebody who can write to the store and, where that is needed, has a relay's key.
const WITHOUT_KEY: &[Case] = &[
    ("a retirement dropped", |s| s.drop(&s.retired()), Rule::LogEntry),
    ("a close exchanged for another that is as good", |s| s.resign_close(), Rule::LogEntry),
    ("a session that never was, with its retirement", |s| s.forget_last_session(), Rule::LogEntry),
    ("a checkpoint's text changed", |s| s.edit_newest(|c| c.size -= 1), Rule::CheckpointSignature),
    ("a checkpoint signed by a stranger", |s| s.sign_newest_as_stranger(), Rule::CheckpointSignature),
    ("a checkpoint of another log", |s| s.rename_newest(), Rule::CheckpointForm),
    ("a checkpoint that is none", |s| s.put_newest(b"checkpoint".to_vec()), Rule::CheckpointForm),
    ("a checkpoint dropped", |s| s.drop(&origin().checkpoint(1)), Rule::CheckpointSequence),
    (
        "all checkpoints dropped",
        |s| (1..=2).for_each(|number| s.drop(&origin().checkpoint(number))),
        Rule::CheckpointSequence,
    ),
    ("an older checkpoint again", |s| s.repeat_checkpoint(), Rule::CheckpointSequence),
    ("two entries exchanged", |s| s.swap_entries(), Rule::LogRoot),
    ("an entry changed", |s| s.change_entry(), Rule::LogEntry),
    ("a bundle dropped", |s| s.drop(&s.edge_tile(TileKind::Entries)), Rule::LogTile),
    ("a tile dropped", |s| s.drop(&s.edge_tile(TileKind::Hashes(0))), Rule::LogTile),
    ("a tile changed", |s| s.flip(&s.edge_tile(TileKind::Hashes(0))), Rule::LogTile),
    ("a tile of no checkpoint", |s| s.strange_tile(), Rule::LogTile),
    ("a strange object in a log", |s| drop(s.tree.insert(format!("{LOG_PREFIX}x"), Vec::new())), Rule::ObjectLayout),
    ("a log that is gone, and was not", |s| s.lose_log(), Rule::CheckpointEarlier),
    ("a log that lost its end", |s| s.lose_end(), Rule::CheckpointEarlier),
];

/// What the sealer itself signs.
const WITH_KEY: &[Case] = &[
    ("a statement kept out", |s| s.keep_out(), Rule::LogStatement),
    ("an entry of nothing", |s| s.log_again(|entries| entries.push(b"nothing".to_vec())), Rule::LogEntry),
    ("a statement that is not here", |s| s.log_unseen(), Rule::LogEntry),
    ("another order than signed before", |s| s.log_again(|entries| entries.swap(2, 3)), Rule::CheckpointEarlier),
    ("a root of nothing", |s| s.edit_newest_with_key(|c| c.root = hash::empty_root()), Rule::LogRoot),
    ("a checkpoint from earlier that is none", |s| s.options.earlier[0].note.clear(), Rule::CheckpointForm),
];

#[test]
fn each_change_is_found_and_the_rule_is_named() {
    for (name, change, rule) in WITHOUT_KEY.iter().chain(WITH_KEY) {
        let mut scene = Scene::new();
        change(&mut scene);
        let report = scene.verify();
        let first = report.errors().next().map(|finding| finding.rule);
        assert_eq!(first, Some(*rule), "{name}: {:#?}", report.findings);
    }
}

/// All cases, for both verifiers.
pub(super) fn asks() -> Vec<Ask> {
    let ask = |(name, change, _): &Case| {
        let mut scene = Scene::new();
        change(&mut scene);
        Ask { name: (*name).to_owned(), files: scene.tree, options: scene.options, is_bundle: false }
    };
    let mut asks: Vec<_> = WITHOUT_KEY.iter().chain(WITH_KEY).map(ask).collect();
    for (first, spoil) in [(true, false), (false, false), (true, true), (false, true)] {
        let mut scene = Scene::new();
        second_key(&mut scene, first, spoil);
        let name = format!("a second key; the first signs: {first}, the second is spoilt: {spoil}");
        asks.push(Ask { name, files: scene.tree, options: scene.options, is_bundle: false });
    }
    asks
}

#[test]
fn every_rule_of_logs_that_is_an_error_has_its_case() {
    let cases = WITHOUT_KEY.iter().chain(WITH_KEY).map(|(_, _, rule)| *rule);
    let cases: BTreeSet<_> = cases.chain(super::completeness::rules()).collect();
    let of_logs = |rule: &&Rule| rule.id().starts_with("log.") || rule.id().starts_with("checkpoint.");
    let errors = Rule::ALL.iter().filter(of_logs).filter(|rule| rule.severity() == Severity::Error);
    assert!(errors.clone().count() > 5 && errors.copied().all(|rule| cases.contains(&rule)), "{cases:?}");
}

#[test]
fn the_log_of_the_vectors_is_that_of_their_tree_and_verifies() {
    let keys = TestKeys::read();
    let mut made = build(&keys);
    add_log(&mut made, &keys.checkpoints, &[7]);
    let logs: Tree =
        made.iter().filter(|(key, _)| key.starts_with(LOG_PREFIX)).map(|(k, v)| (k.clone(), v.clone())).collect();
    if std::env::var_os("AFFIDAVIT_WRITE_VECTORS").is_some() {
        write_folder("log", &logs, unsigned);
    }
    let stored = read_folder("log");
    assert!(logs.keys().eq(stored.keys()));
    for (key, object) in &logs {
        assert_eq!(unsigned(key, object), unsigned(key, &stored[key]), "{key}");
    }
    let scene = Scene::new();
    let report = scene.verify();
    assert!(report.holds(), "{:#?}", report.findings);
    let log = report.logs.first().unwrap();
    let statements = statements(&scene.tree).len() as u64;
    assert_eq!((log.signed, log.checkpoint, log.size, log.entries, log.earlier), (true, 2, statements, statements, 1));
    assert!(report.findings.iter().all(|finding| !finding.rule.id().starts_with("log.")), "{:#?}", report.findings);
    assert_eq!((report.checked.checkpoints, report.checked.log_entries), (2, statements));
}

#[test]
fn a_flipped_byte_anywhere_in_the_log_is_found_and_named() {
    let scene = Scene::new();
    for (index, key) in scene.tree.keys().filter(|key| key.starts_with(LOG_PREFIX)).enumerate() {
        for position in (index % 31..scene.tree[key].len()).step_by(31) {
            let mut changed = Scene { tree: scene.tree.clone(), options: scene.options.clone(), ..Scene::new() };
            changed.tree.get_mut(key).unwrap()[position] ^= 1 << (position % 8);
            let report = changed.verify();
            assert!(!report.holds(), "{key} byte {position}");
        }
    }
}

#[test]
fn any_statement_that_is_taken_away_or_renamed_is_missed() {
    let scene = Scene::new();
    for key in statements(&scene.tree) {
        let mut changed = Scene::new();
        changed.drop(&key);
        assert!(
            changed.verify().errors().any(|finding| finding.object == key && finding.rule == Rule::LogEntry),
            "{key}"
        );
    }
}

#[test]
fn without_a_log_that_is_said_and_what_was_seen_before_is_missed() {
    let mut scene = Scene::new();
    scene.tree.retain(|key, _| !key.starts_with(LOG_PREFIX));
    scene.options.earlier.clear();
    let report = scene.verify();
    assert!(report.holds() && report.logs.is_empty());
    let absent = report.findings.iter().find(|finding| finding.rule == Rule::LogAbsent).unwrap();
    assert_eq!((absent.object.as_str(), absent.severity), ("log/log.affidavit.test/clinic/", Severity::Warning));
}

#[test]
fn a_key_is_given_or_certified_and_without_one_that_is_said() {
    let mut scene = Scene::new();
    scene.options = Options::default();
    let report = scene.verify();
    assert!(report.holds() && !report.logs[0].signed, "{:#?}", report.findings);
    assert!(report.findings.iter().any(|finding| finding.rule == Rule::LogKey));
    scene.flip(&scene.edge_tile(TileKind::Entries));
    assert!(!scene.verify().holds(), "what is in it is compared all the same");

    let mut scene = Scene::new();
    scene.options = Options::default();
    scene.certify(scope().tenant.as_str());
    let report = scene.verify();
    assert!(report.holds() && report.logs[0].signed, "{:#?}", report.findings);
    scene.sign_newest_as_stranger();
    assert_eq!(scene.verify().errors().next().unwrap().rule, Rule::CheckpointSignature);

    let mut scene = Scene::new();
    scene.options = Options::default();
    scene.certify("other");
    assert!(!scene.verify().logs[0].signed, "of another tenant");
}

/// A log whose checkpoints both keys sign, both certified; `spoil` one line of the newest.
fn second_key(scene: &mut Scene, first: bool, spoil: bool) {
    scene.options = Options::default();
    let key = Ed25519Key::from_pkcs8_pem(SECOND).unwrap();
    let second = SecondKey::new(origin(), key.public_key());
    for number in 1..=2 {
        let stored = Note::from_slice(&scene.tree[&origin().checkpoint(number)]).unwrap();
        let checkpoint = Checkpoint::from_text(stored.text_unverified()).unwrap();
        let stranger = P256Key::generate().unwrap();
        let mut note = if first { stored } else { checkpoint.sign(&stranger).unwrap() };
        second.add(&mut note, key.sign(checkpoint.text().as_bytes())).unwrap();
        let mut bytes = note.to_vec();
        if spoil {
            // A bit of the signature, in the last line's Base64.
            let place = bytes.len() - 20;
            bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
        }
        scene.tree.insert(origin().checkpoint(number), bytes);
    }
    scene.second = Some(key);
    scene.certify(scope().tenant.as_str());
}

#[test]
fn either_key_of_a_log_is_enough_and_a_line_that_is_wrong_is_one_too_many() {
    for (first, spoil, holds) in [(true, false, true), (false, false, true), (true, true, false), (false, true, false)]
    {
        let mut scene = Scene::new();
        second_key(&mut scene, first, spoil);
        let report = scene.verify();
        assert_eq!(report.holds(), holds, "{first} {spoil}: {:#?}", report.findings);
        let rule = report.errors().next().map(|finding| finding.rule);
        assert_eq!(rule, (!holds).then_some(Rule::CheckpointSignature), "{first} {spoil}");
    }
}

#[test]
fn a_key_certificate_that_is_none_is_named() {
    let mut scene = Scene::new();
    let key = scene.certify(scope().tenant.as_str());
    scene.flip(&key);
    let report = scene.verify();
    assert!(report.errors().any(|finding| finding.object == key && finding.rule == Rule::KeyCertificate));
}

#[test]
fn what_is_newer_than_the_newest_checkpoint_is_named_and_holds() {
    let mut scene = Scene::new();
    let third = P256Key::generate().unwrap();
    start(&mut scene.tree, &scene.keys, &third, T0);
    let report = scene.verify();
    assert!(report.holds(), "{:#?}", report.findings);
    let pending: Vec<_> = report.findings.iter().filter(|finding| finding.rule == Rule::LogPending).collect();
    assert_eq!(pending.len(), 2);
    assert!(pending.iter().all(|finding| finding.object.contains(third.public_key().incarnation().as_str())));
}

#[test]
fn tiles_that_are_staged_and_not_yet_published_are_read_there() {
    let mut scene = Scene::new();
    let newest = scene.newest();
    let mut staged = Staged::default();
    for tile in Tile::partial(newest.size) {
        let bytes = scene.tree.remove(&origin().tile(&tile)).unwrap();
        staged.tiles.insert(tile, bytes);
    }
    assert!(!scene.verify().holds());
    scene.tree.insert(origin().staged(2, &newest.root), staged.to_vec().unwrap());
    let report = scene.verify();
    assert!(report.holds(), "{:#?}", report.findings);
}

#[test]
fn chunks_of_sessions_outside_of_the_period_need_not_be_there() {
    let mut scene = Scene::new();
    scene.options.period = Some(Period { from_us: 1, to_us: 2 });
    scene.tree.retain(|key, _| !key.ends_with(".zst"));
    let report = scene.verify();
    assert!(report.holds(), "{:#?}", report.findings);
    assert!(report.logs[0].outside > 3);
    scene.options.period = None;
    assert!(scene.verify().errors().any(|finding| finding.rule == Rule::LogEntry));
}

/// A relay's key signs a close of before the period for a session that goes on within it: so it would need no chunks.
#[test]
fn an_open_sessions_chunks_are_missed_though_a_new_close_puts_it_outside_of_the_period() {
    let mut scene = Scene::new();
    let session = scene.keys.first_session(1);
    let close_key = scope().session_close(&session);
    let chunks = scene.tree.iter().filter(|(key, _)| key.starts_with(&scope().session_prefix(&session)));
    let chunks = chunks.filter_map(|(key, object)| Some((key.clone(), Container::parse(object).ok()?)));
    let (chunk_keys, times): (Vec<_>, Vec<_>) = chunks.map(|(key, chunk)| (key, chunk.manifest().last_time_us)).unzip();
    let from_us = *times.iter().max().unwrap();
    scene.options.period = Some(Period { from_us, to_us: from_us + 3_600_000_000 });
    // In the log the session is open.
    let mut close: SessionCloseLeaf = Envelope::from_slice(&scene.tree[&close_key]).unwrap().read_unverified().unwrap();
    scene.drop(&close_key);
    scene.drop(&scene.retired());
    scene.log_again(|_| {});
    scene.options.earlier[0].note = scene.tree[&origin().checkpoint(1)].clone();
    close.time_us = from_us - 1;
    put(&mut scene.tree, close_key, &close, &scene.keys.first);
    let report = scene.verify();
    assert!(report.holds(), "{:#?}", report.findings);
    chunk_keys.iter().for_each(|key| scene.drop(key));
    let report = scene.verify();
    let missed = report.errors().map(|finding| (finding.object.as_str(), finding.rule)).collect::<Vec<_>>();
    assert!(missed.contains(&(chunk_keys.last().unwrap(), Rule::LogEntry)), "{:#?}", report.findings);
}

#[test]
fn a_log_of_several_tiles_is_walked_whole() {
    let keys = TestKeys::read();
    let mut tree = build(&keys);
    let third = P256Key::generate().unwrap();
    start(&mut tree, &keys, &third, T0);
    for counter in 1..=600 {
        void(&mut tree, &third, counter);
    }
    retire(&mut tree, &third, &third, 600, T0);
    add_log(&mut tree, &keys.checkpoints, &[100, 256, 300, 512, 560]);
    let mut scene = Scene { tree, ..Scene::new() };
    scene.options.earlier.clear();
    let report = scene.verify();
    assert!(report.holds(), "{:#?}", report.findings);
    assert_eq!((report.logs[0].checkpoint, report.checked.checkpoints), (6, 6));
    let tiles: Vec<_> = scene.tree.keys().filter(|key| key.contains("/tile/")).cloned().collect();
    assert!(tiles.len() > 10, "{tiles:?}");
    for key in &tiles {
        let mut changed = Scene { tree: scene.tree.clone(), ..Scene::new() };
        changed.options.earlier.clear();
        changed.flip(key);
        assert!(
            changed.verify().errors().any(|finding| finding.object == *key || finding.rule == Rule::LogEntry),
            "{key}"
        );
    }
    // Partial tiles of earlier checkpoints may be gone once the full ones are there.
    let size = scene.newest().size;
    let needed: BTreeSet<_> = Tile::partial(size).iter().map(|tile| origin().tile(tile)).collect();
    scene.tree.retain(|key, _| !key.contains(".p/") || needed.contains(key));
    assert!(scene.verify().holds());
}

pub(super) fn origin() -> LogOrigin {
    "log.affidavit.test/clinic".parse().unwrap()
}

/// The keys of all statements, in an order in which they may have been stored.
pub(super) fn statements(tree: &Tree) -> Vec<String> {
    let objects = tree.keys().filter_map(|key| parse(key));
    let mut ordered: Vec<_> = objects.filter_map(|object| Some((Rank::of(&object.kind)?, object))).collect();
    ordered.sort_by_key(|(rank, object)| {
        let session = object.kind.session().map_or(0, |session| session.counter);
        let session = match object.kind {
            ObjectKind::RelayRetired(_) => u64::MAX,
            // The first one is of before all sessions, later ones are of after them.
            ObjectKind::Heartbeat(_, sequence) if sequence > 1 => u64::MAX - 1,
            _ => session,
        };
        (object.kind.incarnation().to_string(), session, *rank, object.key())
    });
    ordered.iter().map(|(_, object)| object.key()).collect()
}

fn entry(key: &str, object: &[u8]) -> Vec<u8> {
    match parse(key).unwrap().kind {
        ObjectKind::Chunk(..) => Entry::of(Container::parse(object).unwrap().envelope()).to_vec(),
        _ => Entry::of(&Envelope::from_slice(object).unwrap()).to_vec(),
    }
}

/// Adds a log over all statements, with checkpoints at these sizes and at the end.
fn add_log(tree: &mut Tree, key: &P256Key, sizes: &[u64]) {
    let entries: Vec<_> = statements(tree).iter().map(|key| entry(key, &tree[key])).collect();
    add_entries(tree, key, sizes, entries);
}

fn add_entries(tree: &mut Tree, key: &P256Key, sizes: &[u64], entries: Vec<Vec<u8>>) {
    let (mut edge, mut number, all) = (Edge::default(), 0, entries.len() as u64);
    for entry in entries {
        for (tile, bytes) in edge.push(entry).unwrap() {
            tree.insert(origin().tile(&tile), bytes);
        }
        if edge.size() == all || sizes.contains(&edge.size()) {
            number += 1;
            tree.extend(edge.partial().unwrap().into_iter().map(|(tile, bytes)| (origin().tile(&tile), bytes)));
            let checkpoint = Checkpoint { origin: origin(), size: edge.size(), root: edge.root() };
            tree.insert(origin().checkpoint(number), checkpoint.sign(key).unwrap().to_vec());
        }
    }
}

fn void(tree: &mut Tree, key: &P256Key, counter: u64) {
    let Scope { tenant, environment, relay } = scope();
    let session = crate::identifiers::SessionId { incarnation: key.public_key().incarnation(), counter };
    let at = scope().session_void(&session);
    let sealed_by = session.incarnation.clone();
    put(tree, at, &SessionVoid { tenant, environment, relay, session, sealed_by, recovered: false, time_us: T0 }, key);
}

/// The object without its signature.
fn unsigned(key: &str, object: &[u8]) -> Vec<u8> {
    match parse_log(key).unwrap().kind {
        layout::LogObjectKind::Checkpoint(_) => Note::from_slice(object).unwrap().text_unverified().as_bytes().to_vec(),
        _ => object.to_vec(),
    }
}

impl Scene {
    pub(super) fn new() -> Self {
        let keys = TestKeys::read();
        let mut tree = super::vectors::read_tree();
        tree.extend(read_folder("log"));
        let note = tree[&origin().checkpoint(1)].clone();
        let options = Options {
            checkpoints_key: Some(keys.checkpoints.public_key().clone()),
            earlier: vec![EarlierCheckpoint { name: "kept".to_owned(), note }],
            ..Options::default()
        };
        Self { tree, keys, options, second: None }
    }

    pub(super) fn verify(&self) -> Report {
        verify(&self.tree, self.keys.root(), &self.options).unwrap()
    }

    pub(super) fn drop(&mut self, key: &str) {
        self.tree.remove(key).unwrap();
    }

    pub(super) fn flip(&mut self, key: &str) {
        let bytes = self.tree.get_mut(key).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
    }

    fn newest(&self) -> Checkpoint {
        let number = self.tree.keys().filter(|key| key.starts_with(&origin().checkpoints())).count() as u64;
        Checkpoint::read_unverified(&self.tree[&origin().checkpoint(number)]).unwrap()
    }

    fn put_newest(&mut self, note: Vec<u8>) {
        self.tree.insert(origin().checkpoint(2), note).unwrap();
    }

    fn edge_tile(&self, kind: TileKind) -> String {
        let tile = Tile::partial(self.newest().size).into_iter().find(|tile| tile.kind == kind).unwrap();
        origin().tile(&tile)
    }

    fn retired(&self) -> String {
        scope().relay_retired(&self.keys.first.public_key().incarnation())
    }

    fn resign_close(&mut self) {
        let key = scope().session_close(&self.keys.first_session(1));
        let mut close: SessionCloseLeaf = Envelope::from_slice(&self.tree[&key]).unwrap().read_unverified().unwrap();
        close.time_us += 1;
        put(&mut self.tree, key, &close, &self.keys.first);
    }

    /// A relay that wants its last session not to have been: all else it signs anew.
    fn forget_last_session(&mut self) {
        let session = self.keys.first_session(3);
        let prefix = scope().session_prefix(&session);
        let kept = scope().wrapped_key(&session);
        self.tree.retain(|key, _| !key.starts_with(&prefix) && *key != kept);
        beat(&mut self.tree, &self.keys.first, 2, (1, 1, 1), T0);
        retire(&mut self.tree, &self.keys.first, &self.keys.first, 2, T0);
    }

    fn edit_newest(&mut self, edit: impl FnOnce(&mut Checkpoint)) {
        let note = String::from_utf8(self.tree[&origin().checkpoint(2)].clone()).unwrap();
        let mut checkpoint = self.newest();
        let text = checkpoint.text();
        edit(&mut checkpoint);
        self.put_newest(note.replace(&text, &checkpoint.text()).into_bytes());
    }

    fn edit_newest_with_key(&mut self, edit: impl FnOnce(&mut Checkpoint)) {
        let mut checkpoint = self.newest();
        edit(&mut checkpoint);
        self.put_newest(checkpoint.sign(&self.keys.checkpoints).unwrap().to_vec());
    }

    fn sign_newest_as_stranger(&mut self) {
        let note = self.newest().sign(&P256Key::generate().unwrap()).unwrap();
        self.put_newest(note.to_vec());
    }

    fn rename_newest(&mut self) {
        self.edit_newest_with_key(|checkpoint| checkpoint.origin = "log.test/other".parse().unwrap());
    }

    fn repeat_checkpoint(&mut self) {
        let first = self.tree[&origin().checkpoint(1)].clone();
        self.tree.insert(origin().checkpoint(3), first);
    }

    fn edit_entries(&mut self, edit: impl FnOnce(&mut Vec<Vec<u8>>)) {
        let size = self.newest().size;
        let key = self.edge_tile(TileKind::Entries);
        let mut entries = decode_bundle(&self.tree[&key], u16::try_from(size).unwrap()).unwrap();
        edit(&mut entries);
        self.tree.insert(key, encode_bundle(&entries).unwrap());
    }

    fn swap_entries(&mut self) {
        self.edit_entries(|entries| entries.swap(1, 2));
    }

    fn change_entry(&mut self) {
        self.edit_entries(|entries| *entries[5].last_mut().unwrap() ^= 1);
    }

    fn strange_tile(&mut self) {
        let mut edge = Edge::default();
        edge.push(b"x".to_vec()).unwrap();
        self.tree.extend(edge.partial().unwrap().into_iter().map(|(tile, bytes)| (origin().tile(&tile), bytes)));
    }

    pub(super) fn lose_log(&mut self) {
        self.tree.retain(|key, _| !key.starts_with(LOG_PREFIX));
    }

    fn lose_end(&mut self) {
        self.options.earlier[0].note = self.tree[&origin().checkpoint(2)].clone();
        self.drop(&origin().checkpoint(2));
    }

    /// As a sealer that signs whatever it likes.
    pub(super) fn log_again(&mut self, edit: impl FnOnce(&mut Vec<Vec<u8>>)) {
        let mut entries: Vec<_> = statements(&self.tree).iter().map(|key| entry(key, &self.tree[key])).collect();
        edit(&mut entries);
        self.lose_log();
        add_entries(&mut self.tree, &self.keys.checkpoints, &[], entries);
    }

    fn keep_out(&mut self) {
        self.options.earlier.clear();
        let place = statements(&self.tree).iter().position(|key| key.ends_with("open.json")).unwrap();
        self.log_again(|entries| drop(entries.remove(place)));
    }

    fn log_unseen(&mut self) {
        let session = self.keys.first_session(1);
        let key = scope().session_void(&session);
        let mut other = BTreeMap::new();
        void(&mut other, &self.keys.first, 1);
        let unseen = entry(&key, &other[&key]);
        self.log_again(|entries| entries.push(unseen));
    }

    /// Certifies the checkpoints key for a tenant; gives the certificate's key.
    fn certify(&mut self, tenant: &str) -> String {
        let key = self.keys.checkpoints.public_key();
        let certificate = KeyCertificate {
            tenant: tenant.parse().unwrap(),
            environment: scope().environment,
            checkpoints: key.clone(),
            checkpoints_ed25519: self.second.as_ref().map(Ed25519Key::public_key),
            approvals: key.clone(),
            bundles: key.clone(),
            not_before_us: 0,
            not_after_us: T0,
        };
        let envelope = Envelope::of(&certificate, &self.keys.root).unwrap();
        let digest = envelope.statement_digest();
        let key = layout::key_certificate(&certificate.tenant, &certificate.environment, &digest);
        self.tree.insert(key.clone(), envelope.to_vec().unwrap());
        key
    }
}

/// Test key, public to everybody.
const SECOND: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH\n-----END PRIVATE KEY-----\n";
