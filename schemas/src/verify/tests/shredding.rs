//! Sessions that were shredded, and what passes for that.

use std::collections::BTreeSet;

use super::agreement::Ask;
use super::tree::{SECOND, T0, TestKeys, Tree, put, scope};
use super::vectors::read_tree;
use crate::digest::Sha256Digest;
use crate::identifiers::SessionId;
use crate::key_certificate::KeyCertificate;
use crate::layout;
use crate::rule::{Rule, Severity};
use crate::shredding::SessionShredded;
use crate::signature::{P256Key, Signer};
use crate::verify::{Options, Report, verify};

/// Names the case, changes the scene, and tells the rule that must be named for the shredding or the session.
type Case = (&'static str, fn(&mut Scene), Rule);

/// Evidence of which one session was shredded.
struct Scene {
    tree: Tree,
    keys: TestKeys,
    session: SessionId,
}

const CASES: &[Case] = &[
    ("a shredding by a relay", |s| s.say(|_| {}, |keys| &keys.first), Rule::ShreddingSignature),
    ("a shredding after its key", |s| s.say(|said| said.time_us += YEAR, by), Rule::ShreddingSignature),
    ("a shredding in another tenant's name", |s| s.say(|said| said.tenant = name("x"), by), Rule::ShreddingSignature),
    ("a shredding without key certificate", |s| s.drop("trust/"), Rule::ShreddingSignature),
    ("a shredding of another session", |s| s.say(|said| said.session.counter = 3, by), Rule::ShreddingIdentity),
    ("a shredding of another relay", |s| s.say(|said| said.relay = name("x"), by), Rule::ShreddingIdentity),
    ("a shredding that is none", |s| s.replace(b"{}".to_vec()), Rule::EnvelopeForm),
    ("a strange object among the shreddings", |s| s.stray(), Rule::ObjectLayout),
    ("a shredding whose key is still there", |s| s.keep_key(), Rule::ShreddingKey),
    ("a key that is gone without a shredding", |s| s.drop("shredded/"), Rule::SessionKey),
];

#[test]
fn a_shredded_session_is_named_and_everything_else_holds() {
    let scene = Scene::new();
    let report = scene.verify();
    assert!(report.holds(), "{:#?}", report.findings);
    let of_keys = [Rule::SessionShredded, Rule::SessionKey, Rule::ShreddingKey];
    let named: Vec<_> = report.findings.iter().filter(|finding| of_keys.contains(&finding.rule)).collect();
    assert_eq!(named.len(), 1, "{named:?}");
    assert_eq!((named[0].rule, named[0].severity), (Rule::SessionShredded, Severity::Notice));
    let shredded = report.sessions.iter().filter(|session| session.shredded_us.is_some());
    assert_eq!(shredded.map(|session| &session.session).collect::<Vec<_>>(), [&scene.session]);
}

#[test]
fn each_change_is_found_and_the_rule_is_named() {
    for (case, change, rule) in CASES {
        let mut scene = Scene::new();
        change(&mut scene);
        let report = scene.verify();
        assert!(report.findings.iter().any(|finding| finding.rule == *rule), "{case}: {:#?}", report.findings);
        assert_eq!(report.holds(), rule.severity() != Severity::Error, "{case}");
    }
}

#[test]
fn every_rule_of_shreddings_has_its_case() {
    let cases: BTreeSet<_> = CASES.iter().map(|(_, _, rule)| *rule).collect();
    let rules = Rule::ALL.iter().filter(|rule| rule.id().starts_with("shredding."));
    assert!(rules.clone().count() == 3 && rules.copied().all(|rule| cases.contains(&rule)), "{cases:?}");
}

/// All cases, for both verifiers.
pub(super) fn asks() -> Vec<Ask> {
    let ask = |(case, change): (&str, fn(&mut Scene))| {
        let mut scene = Scene::new();
        change(&mut scene);
        Ask { name: case.to_owned(), files: scene.tree, options: Options::default(), is_bundle: false }
    };
    let untouched: (&str, fn(&mut Scene)) = ("a shredded session", |_| {});
    CASES.iter().map(|(case, change, _)| (*case, *change)).chain([untouched]).map(ask).collect()
}

impl Scene {
    fn new() -> Self {
        let (mut tree, keys) = (read_tree(), TestKeys::read());
        let session = keys.first_session(1);
        let key = |key: &P256Key| key.public_key().clone();
        let certificate = KeyCertificate {
            tenant: scope().tenant,
            environment: scope().environment,
            checkpoints: key(&keys.checkpoints),
            checkpoints_ed25519: None,
            approvals: key(&keys.approvals),
            bundles: key(&keys.root),
            not_before_us: T0,
            not_after_us: T0 + 1000 * SECOND,
        };
        let envelope = crate::dsse::Envelope::of(&certificate, &keys.root).unwrap();
        let place =
            layout::key_certificate(&certificate.tenant, &certificate.environment, &envelope.statement_digest());
        tree.insert(place, envelope.to_vec().unwrap());
        tree.remove(&scope().wrapped_key(&session)).unwrap();
        let mut scene = Self { tree, keys, session };
        scene.say(|_| {}, by);
        scene
    }

    /// Stores a shredding of the session with this changed, signed with this key.
    fn say(&mut self, change: impl FnOnce(&mut SessionShredded), by: fn(&TestKeys) -> &P256Key) {
        let layout::Scope { tenant, environment, relay } = scope();
        let (session, wrapped_key_sha256) = (self.session.clone(), Sha256Digest::of(b"wrapped"));
        let time_us = T0 + 500 * SECOND;
        let mut said = SessionShredded { tenant, environment, relay, session, wrapped_key_sha256, time_us };
        change(&mut said);
        put(&mut self.tree, scope().shredding(&self.session), &said, by(&self.keys));
    }

    fn replace(&mut self, bytes: Vec<u8>) {
        self.tree.insert(scope().shredding(&self.session), bytes);
    }

    fn stray(&mut self) {
        self.tree.insert("shredded/clinic".to_owned(), Vec::new());
    }

    fn keep_key(&mut self) {
        let key = scope().wrapped_key(&self.session);
        self.tree.insert(key.clone(), read_tree()[&key].clone());
    }

    fn drop(&mut self, prefix: &str) {
        self.tree.retain(|key, _| !key.starts_with(prefix));
    }

    fn verify(&self) -> Report {
        verify(&self.tree, self.keys.root(), &Options::default()).unwrap()
    }
}

fn by(keys: &TestKeys) -> &P256Key {
    &keys.approvals
}

fn name(text: &str) -> crate::identifiers::Name {
    text.parse().unwrap()
}

const YEAR: u64 = 366 * 24 * 3600 * SECOND;
