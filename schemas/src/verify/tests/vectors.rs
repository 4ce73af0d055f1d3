//! Golden vectors: `vectors/` is made again from the test keys and must come out the same, but for the signatures,
//! which ECDSA makes from random numbers. `AFFIDAVIT_WRITE_VECTORS=1 cargo test -p schemas` writes what differs.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::tree::{Counting, SECOND, T0, TestKeys, Tree, build, scope, vectors};
use crate::canonical;
use crate::chunk::{self, Container};
use crate::data_block::{BlockSealer, DataRecord, Direction, Place};
use crate::digest::Sha256Digest;
use crate::dsse::{Envelope, pae};
use crate::frame::{Frame, Kind};
use crate::hex;
use crate::layout::{KEYS_PREFIX, ObjectKind, parse};
use crate::payload_type::PayloadType;
use crate::rule::Rule;
use crate::session_key::SessionKey;
use crate::signature::Signer;
use crate::verify::{Options, Report, Retirement, SessionState, verify};
use crate::wrapped_key::WrappedKey;

#[test]
fn the_tree_comes_out_as_stored_but_for_the_signatures() {
    let made = build(&TestKeys::read());
    if std::env::var_os("AFFIDAVIT_WRITE_VECTORS").is_some() {
        write_tree(&made);
    }
    let stored = read_tree();
    assert_eq!(made.keys().collect::<Vec<_>>(), stored.keys().collect::<Vec<_>>());
    for (key, object) in &made {
        assert_eq!(unsigned(key, object), unsigned(key, &stored[key]), "{key}");
    }
}

#[test]
fn the_stored_tree_verifies_and_its_weaknesses_are_named() {
    let keys = TestKeys::read();
    let report = verify(&read_tree(), keys.root(), &Options::default()).unwrap();
    compare_json("report.json", &serde_json::to_value(&report).unwrap());
    assert!(report.holds(), "{:#?}", report.findings);
    let rules: Vec<_> = report.findings.iter().map(|finding| finding.rule).collect();
    let weaknesses = [Rule::SessionRecovered, Rule::OutcomeUnknown, Rule::IncarnationRecovered, Rule::LogAbsent];
    assert!(rules.len() == 4 && weaknesses.iter().all(|rule| rules.contains(rule)), "{rules:?}");
    let checked = report.checked;
    assert_eq!((checked.certificates, checked.sessions, checked.voids, checked.chunks), (2, 4, 1, 6));
    assert_eq!(checked.approvals, 1);
    let first = &keys.first.public_key().incarnation();
    let states: Vec<_> = report.sessions.iter().filter(|s| s.session.incarnation == *first).map(|s| s.state).collect();
    assert_eq!(states, [SessionState::Complete, SessionState::Void, SessionState::Aborted]);
    assert_eq!(died(&report).outcome_unknown, [2]);
    assert!(report.incarnations.iter().any(|life| life.retirement == Retirement::Recovered));
}

#[test]
fn a_relay_whose_disk_failed_while_a_request_waited_could_not_record_its_end() {
    let report = verify(&aborted_while_a_request_waited(), TestKeys::read().root(), &Options::default()).unwrap();
    assert!(report.holds(), "{:#?}", report.findings);
}

/// The stored tree with one more session: the end of its request is stored, and not on record.
pub(super) fn aborted_while_a_request_waited() -> Tree {
    let (keys, mut tree) = (TestKeys::read(), read_tree());
    let mut session = super::tree::Writer::open(&mut tree, &keys, &keys.second, 3);
    session.approval(&keys.second, &keys.approvals);
    let id = session.id.clone();
    let events = vec![session.details(), crate::sample::held_statement(1), crate::sample::requested_in(&id, 1)];
    session.chunk(&keys.second, events, &[], true);
    session.close(&keys.second, crate::event::CloseReason::Aborted);
    super::tree::retire(&mut tree, &keys.second, &keys.second, 3, T0 + 200 * SECOND);
    tree
}

#[test]
fn the_data_of_a_stored_session_opens_with_its_wrapped_key() {
    let (keys, tree) = (TestKeys::read(), read_tree());
    let session = keys.first_session(1);
    let wrapped = WrappedKey::from_slice(&tree[&scope().wrapped_key(&session)]).unwrap();
    let key = keys.data.unwrap(&wrapped, &session).unwrap().data_key().unwrap();
    let opened = chunk::open(&tree[&scope().chunk(&session, 1)]).unwrap();
    let blocks: Vec<_> = opened.blocks(&key).map(Result::unwrap).collect();
    let record = blocks[0].records().next().unwrap().unwrap();
    assert_eq!(record.direction, Direction::Frontend);
    assert!(record.bytes.ends_with(b"SELECT ssn FROM clinic.patients WHERE id = 7\0"));
}

#[test]
fn the_small_forms_come_out_as_stored() {
    let key = SessionKey::from_bytes([0x11; 32]);
    let session = "00112233445566778899aabbccddeeff-0000000042".parse().unwrap();
    let place = Place { session: &session, sequence: 3, block: 1 };
    let mut block = BlockSealer::new(&key.data_key().unwrap()).unwrap();
    assert!(
        block.gather(&DataRecord { direction: Direction::Frontend, time_us: T0, bytes: b"X\0\0\0\x04" }).is_empty()
    );
    let sealed = block.seal(&place, &Counting::from(7)).unwrap();
    let mut result = key.result_key().unwrap().begin();
    result.update(b"abc");
    let mut frame = Vec::new();
    Frame { kind: Kind::Event, payload: b"{}" }.encode(&mut frame).unwrap();
    let value = json!({"b": [1, "\u{20ac}\n\u{1}\""], "a": {"z": null, "A": true}, "": -5});
    compare_json(
        "small-forms.json",
        &json!({
            "canonical": {"value": value, "text": String::from_utf8(canonical::to_vec(&value).unwrap()).unwrap()},
            "frame": {"kind": "event", "payload": "{}", "bytes_hex": hex::encode(&frame)},
            "pae": {
                "payload_type": PayloadType::Chunk,
                "payload": "{}",
                "text": String::from_utf8(pae(PayloadType::Chunk, b"{}")).unwrap(),
                "statement_digest": Sha256Digest::of(&pae(PayloadType::Chunk, b"{}")),
            },
            "keys": {
                "session_key_hex": hex::encode(key.as_bytes()),
                "data_key_hex": hex::encode(key.data_key().unwrap().as_bytes()),
                "spool_key_hex": hex::encode(key.spool_key().unwrap().as_bytes()),
                "token_of_abc": key.token_key().unwrap().token(b"abc"),
                "result_hmac_of_abc": result.so_far(),
            },
            "data_block": {
                "session": session, "sequence": 3, "block": 1,
                "direction": "F", "time_us": T0, "bytes_hex": "5800000004",
                "sealed_hex": hex::encode(&sealed),
            },
        }),
    );
}

#[test]
fn a_certificate_that_ended_before_the_session_does_not_cover_it() {
    let keys = TestKeys::read();
    let strict = Options { grace_us: 0, ..Options::default() };
    assert!(verify(&read_tree(), keys.root(), &strict).unwrap().holds());
    let mut tree = read_tree();
    let key = scope().certificate(&keys.first.public_key().incarnation());
    let envelope = Envelope::from_slice(&tree[&key]).unwrap();
    let mut certificate: crate::leaf::Certificate = envelope.open(keys.root()).unwrap();
    certificate.not_after_us = T0 + 20 * SECOND;
    super::tree::put(&mut tree, key, &certificate, &keys.root);
    let report = verify(&tree, keys.root(), &strict).unwrap();
    assert!(report.errors().any(|finding| finding.rule == Rule::CertificateValidity), "{:#?}", report.findings);
}

/// With the programs that `tests/setup.sh` installs.
#[test]
fn a_stored_chunk_verifies_by_hand_and_a_changed_one_does_not() {
    let session = TestKeys::read().first_session(1);
    let tree = vectors().join("tree");
    let certificate = tree.join(scope().certificate(&session.incarnation));
    let by_hand = |chunk: &Path| {
        let mut command = std::process::Command::new("sh");
        command.arg(vectors().join("by-hand.sh")).arg(chunk).arg(&certificate).arg(vectors().join("root.pub.pem"));
        command.output().unwrap().status.success()
    };
    let folder = tempfile::tempdir().unwrap();
    let changed = folder.path().join("changed.zst");
    for sequence in [1, 2] {
        let chunk = tree.join(scope().chunk(&session, sequence));
        assert!(by_hand(&chunk), "{}", chunk.display());
        let bytes = fs::read(&chunk).unwrap();
        for position in [100, bytes.len() - 500] {
            let mut bytes = bytes.clone();
            bytes[position] ^= 1;
            fs::write(&changed, bytes).unwrap();
            assert!(!by_hand(&changed), "{} byte {position}", chunk.display());
        }
    }
}

#[test]
fn the_specification_lists_every_rule_as_the_program_has_it() {
    let specification = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("SPEC.md")).unwrap();
    for rule in Rule::ALL {
        let severity = serde_json::to_value(rule.severity()).unwrap();
        let row = format!("| `{}` | {} | {} |", rule.id(), severity.as_str().unwrap(), rule.requires());
        assert!(specification.contains(&row), "SPEC.md lacks: {row}");
    }
}

fn died(report: &Report) -> &crate::verify::SessionReport {
    report.sessions.iter().find(|session| session.state == SessionState::Aborted).unwrap()
}

/// The object without its signature.
fn unsigned(key: &str, object: &[u8]) -> (Vec<u8>, Vec<u8>, String) {
    let of = |envelope: &Envelope| (envelope.pae(), envelope.key_id().to_string());
    match parse(key).unwrap().kind {
        ObjectKind::Chunk(..) => {
            let container = Container::parse(object).unwrap();
            let (pae, signer) = of(container.envelope());
            let stored = usize::try_from(container.manifest().stored.length).unwrap();
            (object[..stored].to_vec(), pae, signer)
        }
        ObjectKind::WrappedKey(_) => (object.to_vec(), Vec::new(), String::new()),
        _ => {
            let (pae, signer) = of(&Envelope::from_slice(object).unwrap());
            (Vec::new(), pae, signer)
        }
    }
}

pub(super) fn read_tree() -> Tree {
    read_below(&vectors().join("tree"), vectors().join("tree"))
}

/// A folder of the vectors whose name is a part of the keys.
pub(super) fn read_folder(name: &str) -> Tree {
    read_below(&vectors(), vectors().join(name))
}

/// Writes what differs in more than its signature into a folder of the vectors whose name is a part of the keys.
pub(super) fn write_folder(name: &str, made: &Tree, unsigned: impl Fn(&str, &[u8]) -> Vec<u8>) {
    let stored = if vectors().join(name).exists() { read_folder(name) } else { Tree::new() };
    for key in stored.keys().filter(|key| !made.contains_key(*key)) {
        fs::remove_file(vectors().join(key)).unwrap();
    }
    for (key, object) in made {
        if stored.get(key).is_none_or(|stored| unsigned(key, stored) != unsigned(key, object)) {
            fs::create_dir_all(vectors().join(key).parent().unwrap()).unwrap();
            fs::write(vectors().join(key), object).unwrap();
        }
    }
}

fn read_below(root: &Path, folder: PathBuf) -> Tree {
    let (mut tree, mut folders) = (Tree::new(), vec![folder]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let key = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                tree.insert(key, fs::read(path).unwrap());
            }
        }
    }
    tree
}

fn write_tree(made: &Tree) {
    let root = vectors().join("tree");
    let stored = if root.exists() { read_tree() } else { Tree::new() };
    for key in stored.keys().filter(|key| !made.contains_key(*key)) {
        fs::remove_file(root.join(key)).unwrap();
    }
    for (key, object) in made {
        let same = stored.get(key).is_some_and(|stored| {
            parse(key).is_some()
                && (key.starts_with(KEYS_PREFIX)
                    || Envelope::from_slice(stored).is_ok()
                    || Container::parse(stored).is_ok())
                && unsigned(key, stored) == unsigned(key, object)
        });
        if !same {
            fs::create_dir_all(root.join(key).parent().unwrap()).unwrap();
            fs::write(root.join(key), object).unwrap();
        }
    }
}

fn compare_json(name: &str, made: &Value) {
    let path = vectors().join(name);
    let text = format!("{}\n", serde_json::to_string_pretty(made).unwrap());
    if std::env::var_os("AFFIDAVIT_WRITE_VECTORS").is_some() {
        fs::write(&path, &text).unwrap();
    }
    assert_eq!(serde_json::from_str::<Value>(&fs::read_to_string(&path).unwrap()).unwrap(), *made, "{name}");
}
