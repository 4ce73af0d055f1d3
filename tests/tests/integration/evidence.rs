//! Sealed evidence verifies; changed evidence does not, and the object is named; nothing protected is readable in it.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::{Database, Relay, Said, repository};

#[test]
fn a_sealed_session_verifies_and_replays() {
    let relay = with_one_session();
    let report = relay.verify(&relay.evidence()).ok();
    assert!(report.contains("complete"), "{report}");
    let session = only_session(&relay);
    let replay = relay.replay(&session).ok();
    assert!(replay.contains("clinic.patients"), "the statement is in it: {replay}");
    assert!(replay.contains("first_seen"), "with the alias the client gave: {replay}");
    assert_eq!(Database::shared().leak_in(&replay), None, "what was masked for alice is masked in her recording");
}

#[test]
fn a_chunk_verifies_by_hand_with_standard_tools() {
    let relay = with_one_session();
    let chunks = objects(&relay).into_iter().filter(|key| key.extension().is_some_and(|it| it == "zst"));
    for chunk in chunks.map(|key| relay.evidence().join("objects").join(key)) {
        let certificate = chunk.ancestors().nth(3).unwrap().join("certificate.json");
        let root = relay.keys().join("certificates.pub.pem");
        let mut by_hand = Command::new(repository().join("schemas/vectors/by-hand.sh"));
        Said::by(by_hand.arg(chunk).arg(certificate).arg(root)).ok();
    }
}

#[test]
fn one_byte_changed_anywhere_is_found_and_the_object_named() {
    let relay = with_one_session();
    for object in objects(&relay) {
        let length = std::fs::metadata(relay.evidence().join("objects").join(&object)).unwrap().len();
        for position in [0, length / 2, length - 1] {
            let copy = Copy::of(&relay.evidence());
            copy.flip(&object, position);
            let report = relay.verify(copy.path()).refused();
            assert!(report.contains(object.to_str().unwrap()), "byte {position} of {}: {report}", object.display());
        }
    }
}

#[test]
fn an_object_that_is_missing_is_named() {
    let relay = with_one_session();
    for object in objects(&relay) {
        let copy = Copy::of(&relay.evidence());
        std::fs::remove_file(copy.object(&object)).unwrap();
        let key = object.to_str().unwrap();
        let report = relay.verify(copy.path()).refused();
        assert!(report.contains(&format!("ERROR {key}\n  log.entry")), "{key}: {report}");
        std::fs::remove_dir_all(copy.object(Path::new("log"))).unwrap();
        let report = relay.verify(copy.path());
        if object.ends_with("relay-retired.json") {
            // Without the log its absence is what a relay that still runs looks like: told, with what it leaves open.
            let report = report.ok();
            assert!(report.contains("incarnation.unretired") && report.contains("log.absent"), "{report}");
        } else {
            report.refused();
        }
    }
}

#[test]
fn no_stored_object_holds_a_protected_value_in_clear() {
    let relay = with_one_session();
    for object in files(&relay.evidence()) {
        let bytes = std::fs::read(relay.evidence().join(&object)).unwrap();
        assert_eq!(Database::shared().leak_in(&String::from_utf8_lossy(&bytes)), None, "{}", object.display());
    }
    let events = relay.events();
    assert!(events.contains("first_seen"), "{events}");
    assert_eq!(Database::shared().leak_in(&events), None);
    assert!(!events.contains("Whosoever"), "a literal of the client's is a token");
}

#[test]
fn an_agent_is_recorded_with_the_human_it_acts_for() {
    let mut relay = Relay::fresh();
    relay.psql("scribe", &["SELECT count(*) FROM clinic.visits"]).ok();
    relay.stop();
    let events: serde_json::Value = serde_json::from_str(&relay.events()).unwrap();
    let text = events.to_string();
    assert!(text.contains("\"scribe\"") && text.contains("acts_for") && text.contains("\"alice\""), "{text}");
}

/// One psql session of alice's, sealed and stored.
fn with_one_session() -> Relay {
    let mut relay = Relay::fresh();
    let statements = [
        "SELECT id AS first_seen, name, ssn FROM clinic.patients ORDER BY id LIMIT 25",
        "SELECT count(*) FROM clinic.patients WHERE zip <> 'Nobody Whosoever'",
    ];
    relay.psql("alice", &statements).ok();
    relay.stop();
    relay
}

fn only_session(relay: &Relay) -> String {
    let text = relay.sessions().ok();
    let id = |word: &str| word.len() == 43 && word.as_bytes()[32] == b'-';
    let found: Vec<&str> = text.split_whitespace().filter(|word| id(word)).collect();
    assert_eq!(found.len(), 1, "{text}");
    found[0].to_owned()
}

/// Files below `folder`, relative to it.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(next).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                open.push(entry.path());
            } else {
                found.push(entry.path().strip_prefix(folder).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

/// What is signed, by key; wrapped data keys are not evidence.
fn objects(relay: &Relay) -> Vec<PathBuf> {
    let mut found = files(&relay.evidence().join("objects"));
    found.retain(|key| key.starts_with("evidence"));
    assert!(found.len() >= 6, "certificate, start, open, chunk, close, retirement: {found:?}");
    found
}

/// A copy of stored evidence that may be changed.
struct Copy {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

impl Copy {
    fn of(evidence: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("copy");
        Said::by(Command::new("cp").arg("-r").arg(evidence).arg(&path)).ok();
        Self { _folder: folder, path }
    }

    fn path(&self) -> &Path {
        &self.path
    }

    fn object(&self, key: &Path) -> PathBuf {
        self.path.join("objects").join(key)
    }

    fn flip(&self, object: &Path, position: u64) {
        let path = self.object(object);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[usize::try_from(position).unwrap()] ^= 1;
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, bytes).unwrap();
    }
}
