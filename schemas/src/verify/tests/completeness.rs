//! What is left out, put in later or signed with a key that is trusted no more: by somebody who can write to the store,
//! by an operator who holds a relay's key, by a sealer.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::agreement::Ask;
use super::log::{Scene, origin, statements};
use super::tree::{SECOND, T0, beat, heartbeat, put, retire, scope};
use crate::dsse::Envelope;
use crate::ed25519::Ed25519Key;
use crate::heartbeat::Heartbeat;
use crate::identifiers::Incarnation;
use crate::layout::Scope;
use crate::leaf::RelayStart;
use crate::log::{Note, Witness};
use crate::revocation::{Abandoned, Revocation, RevocationReason};
use crate::rule::Rule;
use crate::signature::{P256Key, Signer};
use crate::verify::{Gap, Missing, Retirement, SessionState};

/// Names the case, changes the scene, and tells the rule that must be named first.
type Case = (&'static str, fn(&mut Scene), Rule);

/// By somebody who can write to the store.
const WITHOUT_KEY: &[Case] = &[
    ("a heartbeat dropped", |s| s.without_log(|s| s.drop(&s.beat(1))), Rule::HeartbeatSequence),
    ("the last heartbeat dropped", |s| s.without_log(|s| s.drop(&s.beat(2))), Rule::HeartbeatSequence),
    ("the newest heartbeat and the retirement dropped", |s| s.drop_newest(), Rule::LogEntry),
    ("a heartbeat's signature spoilt", |s| s.spoil_beat(), Rule::HeartbeatSignature),
    ("a heartbeat doubled in the next place", |s| s.copy(&s.beat(2), &s.beat(3)), Rule::HeartbeatIdentity),
    ("a heartbeat of another incarnation", |s| s.copy(&s.beat_of_second(), &s.beat(3)), Rule::HeartbeatIdentity),
    ("two heartbeats exchanged", |s| s.exchange_beats(), Rule::HeartbeatIdentity),
    ("a heartbeat that is none", |s| s.copy(&s.start(), &s.beat(2)), Rule::EnvelopeForm),
    ("the last session and the retirement dropped", |s| s.drop_last_session(), Rule::HeartbeatCounter),
    ("a void and what comes after it dropped", |s| s.drop_void_and_later(), Rule::HeartbeatCounter),
    ("a revocation dropped that is in the log", |s| s.drop_logged_revocation(), Rule::LogEntry),
    ("an abandoned dropped that is in the log", |s| s.drop_logged_abandoned(), Rule::LogEntry),
    ("a revocation in another place", |s| s.move_revocation(), Rule::RevocationIdentity),
    ("an abandoned in another place", |s| s.move_abandoned(), Rule::AbandonedIdentity),
    ("a strange object beside revocations", |s| s.strange_trust(), Rule::ObjectLayout),
];

/// By an operator who holds the relay's key.
const WITH_RELAYS_KEY: &[Case] = &[
    ("a heartbeat forged over a removed session", |s| s.forge_over_removed(), Rule::LogEntry),
    ("a retirement forged over a removed session", |s| s.retire_over_removed(), Rule::HeartbeatCounter),
    ("a heartbeat that says less than the one before", |s| s.add_beat(|b| b.less()), Rule::HeartbeatOrder),
    ("a heartbeat that is backdated", |s| s.add_beat(|b| b.time_us = T0 + SECOND), Rule::HeartbeatOrder),
    ("a heartbeat from before the start", |s| s.resign_beat(1, |b| b.time_us -= SECOND), Rule::HeartbeatOrder),
    ("a heartbeat whose sum is wrong", |s| s.resign_beat(2, |b| b.last_counter += 1), Rule::HeartbeatOrder),
    ("a heartbeat with more closed than opened", |s| s.resign_beat(2, |b| b.closed = 9), Rule::HeartbeatOrder),
    ("a session that was stored is none any more", |s| s.add_beat(|b| b.forget()), Rule::HeartbeatOrder),
    ("a heartbeat of another relay", |s| s.resign_beat(2, |b| b.relay = name("other")), Rule::HeartbeatIdentity),
    ("a heartbeat of another tenant", |s| s.resign_beat(2, |b| b.tenant = name("other")), Rule::HeartbeatIdentity),
    ("a heartbeat after the certificate", |s| s.add_beat(|b| b.time_us += 90_000 * SECOND), Rule::CertificateValidity),
    ("a heartbeat signed by the next incarnation", |s| s.sign_beat_as_second(), Rule::HeartbeatSignature),
    ("heartbeats further on than there are", |s| s.skip_beat(), Rule::HeartbeatSequence),
    ("a heartbeat that says more is closed", |s| s.resign_beat(2, |b| b.closed += 1), Rule::LogEntry),
    ("an interval of nothing", |s| s.resign_start(|r| r.heartbeat_seconds = 0), Rule::RelayStartIdentity),
    ("an interval of a day", |s| s.resign_start(|r| r.heartbeat_seconds = 86_400), Rule::RelayStartIdentity),
    ("an abandoned by the relay", |s| s.abandon_with(|s| s.keys.second.pkcs8()), Rule::AbandonedSignature),
    ("a revoked key that signs on", |s| s.sign_on(5, 1), Rule::RevocationVoid),
    ("a revoked key that signs on, backdated", |s| s.sign_on(20, 0), Rule::RevocationVoid),
    ("a statement kept back until after the revocation", |s| s.keep_back(), Rule::RevocationVoid),
    ("a revocation undone by a later one", |s| s.revoke_twice(), Rule::RevocationVoid),
    ("a revocation by the relay", |s| s.revoke_as(|s| s.keys.first.pkcs8()), Rule::RevocationSignature),
    ("a revocation by the sealer", |s| s.revoke_as(|s| s.keys.checkpoints.pkcs8()), Rule::RevocationSignature),
    ("a revoked key without its log", |s| s.without_log(|s| s.revoke(1000)), Rule::RevocationVoid),
    ("a revoked key with another log", |s| s.revoke_in_other_log(), Rule::RevocationVoid),
];

/// What an auditor kept, who trusts a witness.
const WITNESSED: &[Case] = &[
    ("a kept checkpoint that no witness saw", |s| drop(s.witness()), Rule::CheckpointWitness),
    ("a kept checkpoint that another witness saw", |s| s.seen_by_another(), Rule::CheckpointWitness),
    ("a cosignature whose time was changed", |s| s.seen_at_another_time(), Rule::CheckpointWitness),
    ("a cosignature of another checkpoint", |s| s.saw_another(), Rule::CheckpointWitness),
    ("a witness, and nothing that it saw", |s| s.nothing_seen(), Rule::CheckpointWitness),
    ("a witness, and no log", |s| s.without_log(|s| drop(s.witness())), Rule::CheckpointWitness),
];

/// By whoever has the checkpoints key.
const WITH_SEALERS_KEY: &[Case] = &[
    ("an entry doubled", |s| s.log_again(|entries| entries.push(entries[3].clone())), Rule::LogOrder),
    ("heartbeats in another order", |s| s.log_swapped(".json", "heartbeats/0000000002"), Rule::LogOrder),
    ("a heartbeat before what it counts", |s| s.log_beat_early(), Rule::LogOrder),
    ("a close before its session's chunk", |s| s.log_swapped("chunk-00000002.zst", "close.json"), Rule::LogOrder),
    ("an abandoned while the certificate is valid", |s| s.abandon_early(), Rule::AbandonedEarly),
    ("an abandoned that names another end", |s| s.abandon_other_end(), Rule::AbandonedEarly),
];

fn cases() -> impl Iterator<Item = &'static Case> {
    WITHOUT_KEY.iter().chain(WITH_RELAYS_KEY).chain(WITH_SEALERS_KEY).chain(WITNESSED)
}

/// Rules that have their case here.
pub(super) fn rules() -> impl Iterator<Item = Rule> {
    cases().map(|(_, _, rule)| *rule)
}

#[test]
fn each_change_is_found_and_the_rule_is_named() {
    for (name, change, rule) in cases() {
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
    let mut asks: Vec<_> = cases().map(ask).collect();
    for (name, change) in SOUND {
        let mut scene = Scene::new();
        change(&mut scene);
        asks.push(Ask { name: (*name).to_owned(), files: scene.tree, options: scene.options, is_bundle: false });
    }
    asks
}

/// Names what is no error, and makes it.
type Sound = (&'static str, fn(&mut Scene));

/// What is no error.
const SOUND: &[Sound] = &[
    ("a kept checkpoint that a witness saw", |s| s.seen()),
    ("a key revoked after all it signed", |s| s.revoke(100)),
    ("an abandoned incarnation", |s| s.abandon()),
    ("an abandoned incarnation, given no key", |s| s.abandon_unknown()),
    ("an incarnation that is silent while another goes on", |s| s.fall_silent()),
    ("a counter whose open waits for the store", |s| s.wait_for_store()),
];

#[test]
fn what_is_no_error_is_none() {
    for (name, change) in SOUND {
        let mut scene = Scene::new();
        change(&mut scene);
        let report = scene.verify();
        assert!(report.holds(), "{name}: {:#?}", report.findings);
    }
}

#[test]
fn every_new_rule_that_is_an_error_has_its_case() {
    let new = ["heartbeat.", "abandoned.", "revocation.", "log.order"];
    for rule in Rule::ALL.iter().filter(|rule| new.iter().any(|prefix| rule.id().starts_with(prefix))) {
        let is_error = rule.severity() == crate::rule::Severity::Error;
        assert!(!is_error || cases().any(|(_, _, tested)| tested == rule), "{rule}");
    }
}

#[test]
fn a_revocation_says_what_stands_and_what_does_not() {
    let mut scene = Scene::new();
    let size = statements(&scene.tree).iter().position(|key| *key == scene.beat(2)).unwrap() as u64;
    scene.revoke(size);
    let report = scene.verify();
    let void: Vec<_> = report.errors().map(|finding| (finding.object.clone(), finding.rule)).collect();
    assert_eq!(void, [(scene.beat(2), Rule::RevocationVoid)], "{:#?}", report.findings);
    let life = report.incarnations.iter().find(|life| life.incarnation == scene.first()).unwrap();
    assert_eq!((life.revoked_from, life.void), (Some(size), 1));
    assert!(report.sessions.iter().all(|session| session.sound));

    scene.revoke(size - 1);
    let report = scene.verify();
    let unsound: Vec<_> = report.sessions.iter().filter(|session| !session.sound).collect();
    assert!(unsound.is_empty(), "the session's end was sealed by another key: {unsound:#?}");
    scene.revoke(4);
    let report = scene.verify();
    let unsound = report.sessions.iter().filter(|session| !session.sound).count();
    assert_eq!(unsound, 3, "all that the first incarnation served: {:#?}", report.findings);
}

#[test]
fn an_end_that_is_missing_is_named_with_its_times() {
    let mut scene = Scene::new();
    scene.lose_log();
    scene.options.earlier.clear();
    scene.drop(&scene.beat(1));
    scene.drop(&scope().chunk(&scene.keys.first_session(1), 1));
    scene.drop(&scope().session_void(&scene.keys.first_session(2)));
    let report = scene.verify();
    let life = report.incarnations.iter().find(|life| life.incarnation == scene.first()).unwrap();
    let opened = |counter| {
        let session = scene.keys.first_session(counter);
        report.sessions.iter().find(|one| one.session == session).unwrap().opened_us
    };
    let sessions = Gap { missing: Missing::Sessions { first: 2, last: 2 }, from_us: opened(1), to_us: opened(3) };
    let (from_us, to_us) = (Some(T0), Some(T0 + 40 * SECOND));
    let heartbeats = Gap { missing: Missing::Heartbeats { first: 1, last: 1 }, from_us, to_us };
    assert_eq!(life.gaps, [sessions, heartbeats]);
    let session = report.sessions.iter().find(|one| one.session == scene.keys.first_session(1)).unwrap();
    let gap = session.gaps.first().unwrap();
    assert_eq!((gap.missing, gap.from_us), (Missing::Chunks { first: 1, last: 1 }, session.opened_us));
    assert!(gap.to_us > gap.from_us);
    let json = serde_json::to_value(gap).unwrap();
    assert_eq!((&json["missing"], &json["first"]), (&"chunks".into(), &1.into()));
}

#[test]
fn until_when_the_evidence_is_whole_is_told_by_the_newest_heartbeat() {
    let report = Scene::new().verify();
    let ends: Vec<_> = report.incarnations.iter().map(|life| (life.retirement, life.complete_until_us)).collect();
    assert!(ends.contains(&(Retirement::Recovered, Some(T0 + 40 * SECOND))), "{ends:?}");
    assert!(ends.contains(&(Retirement::Retired, Some(T0 + 90 * SECOND))), "{ends:?}");
}

#[test]
fn a_session_that_is_open_is_open_as_of_the_newest_heartbeat() {
    let mut scene = Scene::new();
    scene.lose_log();
    scene.options.earlier.clear();
    scene.leave_first_life_open();
    let report = scene.verify();
    let open = report.sessions.iter().find(|session| session.state == SessionState::Open).unwrap();
    assert_eq!(open.open_at_us, Some(T0 + 40 * SECOND), "{:#?}", report.findings);
}

#[test]
fn silence_is_named_once_it_is_longer_than_allowed() {
    let mut scene = Scene::new();
    scene.lose_log();
    scene.options.earlier.clear();
    let (key, counts) = (P256Key::from_pkcs8_pem(&scene.keys.first.to_pkcs8_pem().unwrap()).unwrap(), (2, 1, 1));
    let silent =
        |scene: &Scene| scene.verify().findings.iter().filter(|finding| finding.rule == Rule::HeartbeatSilence).count();
    beat(&mut scene.tree, &key, 3, counts, T0 + (40 + 180) * SECOND);
    retire(&mut scene.tree, &scene.keys.first, &scene.keys.second, 3, T0 + 61 * SECOND);
    assert_eq!(silent(&scene), 0);
    beat(&mut scene.tree, &key, 3, counts, T0 + (40 + 180) * SECOND + 1);
    assert_eq!(silent(&scene), 1);
    assert!(scene.verify().holds());

    let mut scene = Scene::new();
    scene.fall_silent();
    assert_eq!(silent(&scene), 2, "{:#?}", scene.verify().findings);
}

#[test]
fn a_statement_that_comes_late_into_the_log_is_named() {
    let mut scene = Scene::new();
    let key = scene.keys.first.pkcs8();
    beat(&mut scene.tree, &key, 3, (2, 1, 1), T0 + 4000 * SECOND);
    retire(&mut scene.tree, &scene.keys.first, &scene.keys.second, 3, T0 + 61 * SECOND);
    scene.options.earlier.clear();
    let keys = statements(&scene.tree);
    let late = keys.iter().position(|key| *key == scope().session_close(&scene.keys.first_session(1))).unwrap();
    let newest = keys.iter().position(|key| *key == scene.beat(3)).unwrap();
    scene.log_again(|entries| {
        let close = entries.remove(late);
        entries.insert(newest, close);
    });
    let report = scene.verify();
    assert!(report.holds(), "{:#?}", report.errors().collect::<Vec<_>>());
    let late: Vec<_> = report.findings.iter().filter(|finding| finding.rule == Rule::LogLate).collect();
    assert_eq!(late.len(), 1, "{late:#?}");
}

impl Scene {
    fn without_log(&mut self, change: impl FnOnce(&mut Self)) {
        self.lose_log();
        self.options.earlier.clear();
        change(self);
    }

    /// Trusts a witness from here on.
    fn witness(&mut self) -> (Witness, Ed25519Key) {
        let seed =
            [[0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20].as_slice(), &[7; 32]].concat();
        let key = Ed25519Key::from_pkcs8_pem(&crate::pem::encode("PRIVATE KEY", &seed)).unwrap();
        let witness = Witness::new("witness.test/w1", key.public_key()).unwrap();
        self.options.witnesses.push(witness.clone());
        (witness, key)
    }

    fn cosign(&mut self, witness: &Witness, key: &Ed25519Key) {
        let kept = &mut self.options.earlier[0].note;
        let mut note = Note::from_slice(kept).unwrap();
        witness.cosign(&mut note, key, T0 / SECOND).unwrap();
        *kept = note.to_vec();
    }

    fn seen(&mut self) {
        let (witness, key) = self.witness();
        self.cosign(&witness, &key);
    }

    fn seen_by_another(&mut self) {
        self.witness();
        let key = Ed25519Key::generate().unwrap();
        let other = Witness::new("witness.test/w1", key.public_key()).unwrap();
        self.cosign(&other, &key);
    }

    fn seen_at_another_time(&mut self) {
        let (witness, key) = self.witness();
        let before = self.options.earlier[0].note.len();
        self.cosign(&witness, &key);
        let line = String::from_utf8(self.options.earlier[0].note.split_off(before)).unwrap();
        let (start, encoded) = line.trim_end().rsplit_once(' ').unwrap();
        let mut bytes = STANDARD.decode(encoded).unwrap();
        bytes[11] ^= 1;
        self.options.earlier[0].note.extend(format!("{start} {}\n", STANDARD.encode(bytes)).into_bytes());
    }

    fn saw_another(&mut self) {
        let (witness, key) = self.witness();
        let mut other = Note::from_slice(&self.tree[&origin().checkpoint(2)]).unwrap();
        witness.cosign(&mut other, &key, 7).unwrap();
        self.options.earlier[0].note.extend(other.last_line().unwrap().into_bytes());
    }

    fn nothing_seen(&mut self) {
        self.witness();
        self.options.earlier.clear();
    }

    fn first(&self) -> Incarnation {
        self.keys.first.public_key().incarnation()
    }

    fn second(&self) -> Incarnation {
        self.keys.second.public_key().incarnation()
    }

    fn beat(&self, sequence: u64) -> String {
        scope().heartbeat(&self.first(), sequence)
    }

    fn beat_of_second(&self) -> String {
        scope().heartbeat(&self.second(), 2)
    }

    fn start(&self) -> String {
        scope().relay_start(&self.first())
    }

    fn copy(&mut self, from: &str, to: &str) {
        let bytes = self.tree[from].clone();
        self.tree.insert(to.to_owned(), bytes);
    }

    fn exchange_beats(&mut self) {
        let (one, two) = (self.tree[&self.beat(1)].clone(), self.tree[&self.beat(2)].clone());
        self.tree.insert(self.beat(1), two);
        self.tree.insert(self.beat(2), one);
    }

    /// Another signature of the same key under it.
    fn spoil_beat(&mut self) {
        let (one, two) = (self.envelope(&self.beat(1)), self.envelope(&self.beat(2)));
        let text = String::from_utf8(two.to_vec().unwrap()).unwrap();
        let signature = |envelope: &Envelope| {
            let json: serde_json::Value = serde_json::from_slice(&envelope.to_vec().unwrap()).unwrap();
            json["signatures"][0]["sig"].as_str().unwrap().to_owned()
        };
        let forged = text.replace(&signature(&two), &signature(&one));
        self.tree.insert(self.beat(2), forged.into_bytes());
    }

    fn envelope(&self, key: &str) -> Envelope {
        Envelope::from_slice(&self.tree[key]).unwrap()
    }

    fn add_beat(&mut self, edit: impl FnOnce(&mut Heartbeat)) {
        self.without_log(|_| {});
        let key = self.keys.first.pkcs8();
        let mut beat = heartbeat(&key, 3, (2, 1, 1), T0 + 50 * SECOND);
        edit(&mut beat);
        let place = self.beat(3);
        put(&mut self.tree, place, &beat, &key);
    }

    fn resign_beat(&mut self, sequence: u64, edit: impl FnOnce(&mut Heartbeat)) {
        let place = self.beat(sequence);
        let mut beat: Heartbeat = self.envelope(&place).read_unverified().unwrap();
        edit(&mut beat);
        put(&mut self.tree, place, &beat, &self.keys.first);
    }

    fn resign_start(&mut self, edit: impl FnOnce(&mut RelayStart)) {
        let place = self.start();
        let mut start: RelayStart = self.envelope(&place).read_unverified().unwrap();
        edit(&mut start);
        put(&mut self.tree, place, &start, &self.keys.first);
    }

    fn sign_beat_as_second(&mut self) {
        let beat: Heartbeat = self.envelope(&self.beat(2)).read_unverified().unwrap();
        let place = self.beat(2);
        put(&mut self.tree, place, &beat, &self.keys.second);
    }

    fn skip_beat(&mut self) {
        self.without_log(|_| {});
        let key = self.keys.first.pkcs8();
        beat(&mut self.tree, &key, 5, (2, 1, 1), T0 + 50 * SECOND);
    }

    fn drop_sessions(&mut self, counters: &[u64]) {
        for counter in counters {
            let session = self.keys.first_session(*counter);
            let (prefix, wrapped) = (scope().session_prefix(&session), scope().wrapped_key(&session));
            self.tree.retain(|key, _| !key.starts_with(&prefix) && *key != wrapped);
        }
    }

    fn drop_last_session(&mut self) {
        self.without_log(|s| s.drop(&scope().relay_retired(&s.first())));
        self.drop_sessions(&[3]);
    }

    fn drop_newest(&mut self) {
        let (retired, newest) = (scope().relay_retired(&self.first()), self.beat(2));
        self.drop(&retired);
        self.drop(&newest);
    }

    fn drop_void_and_later(&mut self) {
        self.without_log(|s| s.drop(&scope().relay_retired(&s.first())));
        self.drop_sessions(&[2, 3]);
    }

    /// All that is left of the first incarnation was signed anew to fit; only the log remembers.
    fn forge_over_removed(&mut self) {
        self.drop_sessions(&[3]);
        let key = self.keys.first.pkcs8();
        beat(&mut self.tree, &key, 2, (1, 1, 1), T0 + 40 * SECOND);
        retire(&mut self.tree, &key, &key, 2, T0 + 61 * SECOND);
    }

    fn retire_over_removed(&mut self) {
        self.without_log(|s| s.drop_sessions(&[3]));
        let key = self.keys.first.pkcs8();
        retire(&mut self.tree, &key, &key, 2, T0 + 61 * SECOND);
    }

    fn revocation(&self, log_size: u64) -> Revocation {
        let Scope { tenant, environment, relay } = scope();
        let (log_origin, reason) = (origin().to_string(), RevocationReason::Compromised);
        let incarnation = self.first();
        Revocation { tenant, environment, relay, incarnation, log_origin, log_size, reason, time_us: T0 }
    }

    fn revoke(&mut self, log_size: u64) {
        let revocation = self.revocation(log_size);
        put(&mut self.tree, scope().revocation(&revocation.incarnation, log_size), &revocation, &self.keys.root);
    }

    fn revoke_twice(&mut self) {
        self.revoke(3);
        self.revoke(1000);
    }

    fn revoke_as(&mut self, signer: impl FnOnce(&Self) -> P256Key) {
        let (revocation, signer) = (self.revocation(100), signer(self));
        put(&mut self.tree, scope().revocation(&revocation.incarnation, 100), &revocation, &signer);
    }

    fn revoke_in_other_log(&mut self) {
        let revocation = Revocation { log_origin: "log.test/other".to_owned(), ..self.revocation(100) };
        put(&mut self.tree, scope().revocation(&revocation.incarnation, 100), &revocation, &self.keys.root);
    }

    fn move_revocation(&mut self) {
        let revocation = self.revocation(100);
        put(&mut self.tree, scope().revocation(&revocation.incarnation, 101), &revocation, &self.keys.root);
    }

    fn strange_trust(&mut self) {
        let place = scope().revocation(&self.first(), 7).replace("revocation-", "revocation-0");
        self.tree.insert(place, Vec::new());
    }

    /// Revokes at a size, and lets the first incarnation say something more at its end.
    fn sign_on(&mut self, log_size: u64, later: u64) {
        self.options.earlier.clear();
        let key = self.keys.first.pkcs8();
        self.revoke(log_size);
        beat(&mut self.tree, &key, 3, (2, 1, 1), T0 + (40 + later) * SECOND);
        retire(&mut self.tree, &key, &self.keys.second, 3, T0 + 61 * SECOND);
        self.log_again(|_| {});
    }

    /// A close that was signed in time and given to the log only after the key was revoked.
    fn keep_back(&mut self) {
        self.options.earlier.clear();
        let (retired, close) =
            (scope().relay_retired(&self.first()), scope().session_close(&self.keys.first_session(1)));
        self.drop(&retired);
        self.revoke(26);
        let place = statements(&self.tree).iter().position(|key| *key == close).unwrap();
        self.log_again(|entries| {
            let close = entries.remove(place);
            entries.push(close);
        });
    }

    fn drop_logged_revocation(&mut self) {
        self.options.earlier.clear();
        self.revoke(1000);
        self.log_again(|_| {});
        let place = scope().revocation(&self.first(), 1000);
        self.drop(&place);
    }

    fn abandoned(&self) -> Abandoned {
        let Scope { tenant, environment, relay } = scope();
        let not_after_us = T0 + (60 + 24 * 3600) * SECOND;
        let time_us = not_after_us + 3600 * SECOND;
        Abandoned { tenant, environment, relay, incarnation: self.second(), not_after_us, log_size: 7, time_us }
    }

    /// The second incarnation did not retire.
    fn abandon_as(&mut self, abandoned: &Abandoned, signer: &P256Key) {
        self.options.earlier.clear();
        let retired = scope().relay_retired(&self.second());
        self.drop(&retired);
        let place = scope().abandoned(&self.second());
        put(&mut self.tree, place, abandoned, signer);
        self.log_again(|_| {});
    }

    fn abandon(&mut self) {
        let (abandoned, key) = (self.abandoned(), self.keys.checkpoints.pkcs8());
        self.abandon_as(&abandoned, &key);
    }

    fn abandon_unknown(&mut self) {
        self.abandon();
        self.options.checkpoints_key = None;
    }

    fn abandon_with(&mut self, signer: impl FnOnce(&Self) -> P256Key) {
        let (abandoned, key) = (self.abandoned(), signer(self));
        self.abandon_as(&abandoned, &key);
    }

    fn abandon_early(&mut self) {
        let abandoned = Abandoned { time_us: T0 + 90 * SECOND, ..self.abandoned() };
        self.abandon_as(&abandoned, &self.keys.checkpoints.pkcs8());
    }

    fn abandon_other_end(&mut self) {
        let abandoned = Abandoned { not_after_us: T0 + 90 * SECOND, ..self.abandoned() };
        self.abandon_as(&abandoned, &self.keys.checkpoints.pkcs8());
    }

    fn move_abandoned(&mut self) {
        let abandoned = Abandoned { relay: name("other"), ..self.abandoned() };
        self.abandon_as(&abandoned, &self.keys.checkpoints.pkcs8());
    }

    fn drop_logged_abandoned(&mut self) {
        self.abandon();
        let place = scope().abandoned(&self.second());
        self.drop(&place);
    }

    /// Exchanges two entries of the first incarnation.
    fn log_swapped(&mut self, one: &str, other: &str) {
        self.options.earlier.clear();
        let keys = statements(&self.tree);
        let of_first = |part: &str| {
            let is_it = |key: &&String| key.contains(self.first().as_str()) && key.contains(part);
            let found =
                keys.iter().filter(is_it).find(|key| *key != &self.start() && !key.ends_with("certificate.json"));
            keys.iter().position(|key| Some(key) == found).unwrap()
        };
        let (one, other) = (of_first(one), of_first(other));
        self.log_again(|entries| entries.swap(one, other));
    }

    fn log_beat_early(&mut self) {
        self.options.earlier.clear();
        let keys = statements(&self.tree);
        let place = |wanted: &str| keys.iter().position(|key| key == wanted).unwrap();
        let (beat, open) = (place(&self.beat(2)), place(&scope().session_open(&self.keys.first_session(3))));
        self.log_again(|entries| {
            let beat = entries.remove(beat);
            entries.insert(open, beat);
        });
    }

    /// The first incarnation is not over.
    fn leave_first_life_open(&mut self) {
        let (retired, session) = (scope().relay_retired(&self.first()), self.keys.first_session(3));
        self.drop(&retired);
        self.drop(&scope().session_close(&session));
        self.drop(&scope().chunk(&session, 2));
    }

    fn fall_silent(&mut self) {
        self.without_log(Self::leave_first_life_open);
        let key = self.keys.second.pkcs8();
        beat(&mut self.tree, &key, 3, (2, 2, 0), T0 + 500 * SECOND);
        retire(&mut self.tree, &key, &key, 2, T0 + 501 * SECOND);
    }

    fn wait_for_store(&mut self) {
        self.without_log(Self::leave_first_life_open);
        self.resign_beat(2, |beat| (beat.last_counter, beat.unstored) = (4, vec![4]));
    }
}

impl Heartbeat {
    fn less(&mut self) {
        (self.opened, self.last_counter) = (1, 2);
    }

    fn forget(&mut self) {
        (self.opened, self.unstored) = (1, vec![3]);
    }
}

trait Again {
    fn pkcs8(&self) -> P256Key;
}

impl Again for P256Key {
    /// The same key once more.
    fn pkcs8(&self) -> P256Key {
        P256Key::from_pkcs8_pem(&self.to_pkcs8_pem().unwrap()).unwrap()
    }
}

fn name(text: &str) -> crate::identifiers::Name {
    text.parse().unwrap()
}
