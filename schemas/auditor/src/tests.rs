//! The program as an auditor uses it, over a copy of the golden evidence.

mod bundle;
mod log;
mod witness;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::{Exit, run};

const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../vectors");

/// A copy of the golden evidence that a test may change.
struct Copy {
    folder: tempfile::TempDir,
}

/// What a command printed, and how it ended.
struct Answer {
    exit: Exit,
    out: String,
    problems: String,
}

fn auditor(arguments: &[&str]) -> Answer {
    let (mut out, mut problems) = (Vec::new(), Vec::new());
    let exit = run(["auditor"].iter().chain(arguments), &mut out, &mut problems);
    Answer { exit, out: String::from_utf8(out).unwrap(), problems: String::from_utf8(problems).unwrap() }
}

impl Copy {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy(&Path::new(VECTORS).join("tree"), &folder.path().join("tree"));
        let keys = folder.path().join("keys");
        fs::create_dir(&keys).unwrap();
        fs::copy(format!("{VECTORS}/test-keys/TEST-KEY-data.key"), keys.join("data.key")).unwrap();
        Self { folder }
    }

    fn dir(&self) -> String {
        self.folder.path().join("tree").display().to_string()
    }

    fn keys(&self) -> String {
        self.folder.path().join("keys").display().to_string()
    }

    fn root(&self) -> String {
        format!("{VECTORS}/root.pub.pem")
    }

    fn verify(&self) -> Answer {
        auditor(&["verify", &self.dir(), "--root", &self.root()])
    }

    fn note(&self, notes: &str) {
        fs::write(self.folder.path().join("tree/export-notes.json"), notes).unwrap();
    }

    /// The session with the most chunks that its own relay closed.
    fn session(&self) -> String {
        let answer = auditor(&["verify", &self.dir(), "--root", &self.root(), "--json"]);
        let answer: Value = serde_json::from_str(&answer.out).unwrap();
        let sessions = answer["report"]["sessions"].as_array().unwrap();
        let complete = sessions.iter().filter(|session| session["state"] == "complete");
        let most = complete.max_by_key(|session| session["chunks"].as_u64()).unwrap();
        most["session"].as_str().unwrap().to_owned()
    }

    fn chunk_of(&self, session: &str) -> PathBuf {
        let (incarnation, counter) = session.split_once('-').unwrap();
        files(&self.folder.path().join("tree"))
            .into_iter()
            .find(|path| {
                let path = path.display().to_string();
                path.contains(incarnation) && path.contains(&format!("{counter}/chunk-00000001.zst"))
            })
            .unwrap()
    }
}

fn copy(from: &Path, to: &Path) {
    for path in files(from) {
        let target = to.join(path.strip_prefix(from).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(&path, &target).unwrap();
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect();
    files.sort();
    files
}

fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[test]
fn what_the_store_told_is_shown_and_changes_no_verdict() {
    let copy = Copy::new();
    copy.note(
        r#"{"objects": 1, "overlays": [{"key": "evidence/a", "what": "a delete marker lies over it", "at_s": 86400}],
            "strangers": ["evidence/\u001b[2J"]}"#,
    );
    let answer = copy.verify();
    assert_eq!(answer.exit, Exit::Holds, "{}", answer.problems);
    let told = "evidence/a: a delete marker lies over it, since 1970-01-02T00:00:00";
    assert!(answer.out.contains(told) && answer.out.contains("evidence/\\u{1b}[2J: not copied"), "{}", answer.out);
    let json = auditor(&["verify", &copy.dir(), "--root", &copy.root(), "--json"]).out;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["told_by_the_store"]["overlays"][0]["key"], "evidence/a");
    copy.note("{}");
    let answer = copy.verify();
    assert!(answer.exit == Exit::Unreadable && answer.problems.contains("export-notes.json"), "{}", answer.problems);
}

#[test]
fn good_evidence_holds_and_what_was_checked_is_told() {
    let answer = Copy::new().verify();
    assert_eq!(answer.exit, Exit::Holds, "{}{}", answer.out, answer.problems);
    assert!(answer.out.starts_with("Checked "), "{}", answer.out);
    assert!(answer.out.contains("4 sessions") && answer.out.contains("6 chunks"), "{}", answer.out);
    assert!(answer.out.ends_with("It holds.\n"), "{}", answer.out);
}

#[test]
fn a_store_with_its_objects_below_is_found_too() {
    let copy = Copy::new();
    let store = copy.folder.path().join("store");
    fs::create_dir(&store).unwrap();
    fs::rename(copy.folder.path().join("tree"), store.join("objects")).unwrap();
    let answer = auditor(&["verify", &store.display().to_string(), "--root", &copy.root()]);
    assert_eq!(answer.exit, Exit::Holds, "{}{}", answer.out, answer.problems);
}

#[test]
fn one_changed_byte_in_any_object_is_named_with_its_rule() {
    let pristine = Copy::new();
    let tree = pristine.folder.path().join("tree/evidence");
    for path in files(&tree) {
        let before = fs::read(&path).unwrap();
        flip(&path);
        let answer = pristine.verify();
        let name = path.strip_prefix(pristine.folder.path().join("tree")).unwrap().display().to_string();
        assert_eq!(answer.exit, Exit::Findings, "{name}");
        assert!(answer.out.contains(&format!("ERROR {name}\n")), "{name}\n{}", answer.out);
        assert!(answer.out.contains("rule: ") && answer.out.contains("It does not hold: "), "{}", answer.out);
        fs::write(&path, before).unwrap();
    }
}

#[test]
fn a_missing_object_is_noticed() {
    let pristine = Copy::new();
    for path in files(&pristine.folder.path().join("tree/evidence")) {
        if path.ends_with("relay-retired.json") {
            continue; // It may still serve: a notice, not an error.
        }
        let before = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        assert_eq!(pristine.verify().exit, Exit::Findings, "{}", path.display());
        fs::write(&path, before).unwrap();
    }
}

#[test]
fn wrong_usage_and_unreadable_files_are_told_apart_from_findings() {
    let copy = Copy::new();
    let (dir, root) = (copy.dir(), copy.root());
    for arguments in [
        vec![],
        vec!["verify", &dir],
        vec!["verify", "/nonexistent", "--root", &root],
        vec!["verify", &dir, "--root", "/nonexistent.pem"],
        vec!["verify", &dir, "--root", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")],
        vec!["verify", &root, "--root", &root],
        vec!["replay", &dir, "0"],
        vec!["replay", &dir, "no-such-session", "--root", &root],
        vec!["export", &dir, "--format", "csv"],
        vec!["export", &dir, "--format", "xml", "--root", &root],
        vec!["export", &dir, "--format", "csv", "--root", &root, "--out", &root],
    ] {
        let answer = auditor(&arguments);
        assert_eq!(answer.exit, Exit::Unreadable, "{arguments:?}\n{}", answer.out);
        assert!(!answer.problems.is_empty(), "{arguments:?}");
    }
    assert_eq!(auditor(&["--help"]).exit, Exit::Holds);
    let link = copy.folder.path().join("tree/evidence/link");
    std::os::unix::fs::symlink("/etc/passwd", link).unwrap();
    assert_eq!(copy.verify().exit, Exit::Unreadable);
}

#[test]
fn a_replay_tells_who_what_and_how_it_was_decided() {
    let copy = Copy::new();
    let session = copy.session();
    let answer = auditor(&["replay", &copy.dir(), &session, "--root", &copy.root()]);
    assert_eq!(answer.exit, Exit::Holds, "{}", answer.problems);
    for expected in ["(verified)", "who ", "acts for", "from ", "asked ", "touches ", "masked: ssn (last4)", "closed: "]
    {
        assert!(answer.out.contains(expected), "{expected}\n{}", answer.out);
    }
}

#[test]
fn the_exact_texts_are_shown_only_with_the_keys() {
    let copy = Copy::new();
    let session = copy.session();
    let (dir, root, keys) = (copy.dir(), copy.root(), copy.keys());
    let with_keys = auditor(&["replay", &dir, &session, "--root", &root, "--keys", &keys]);
    let without = auditor(&["replay", &dir, &session, "--root", &root]);
    assert_eq!(with_keys.exit, Exit::Holds, "{}", with_keys.problems);
    assert!(with_keys.out.lines().count() > without.out.lines().count(), "{}", with_keys.out);
    fs::write(format!("{keys}/data.key"), "00".repeat(32)).unwrap();
    let with_others = auditor(&["replay", &dir, &session, "--root", &root, "--keys", &keys]);
    assert_eq!(with_others.exit, Exit::Unreadable);
    assert!(with_others.problems.contains("data.key"), "{}", with_others.problems);
}

#[test]
fn nothing_unverified_is_shown_unless_told_so() {
    let copy = Copy::new();
    let session = copy.session();
    let other_root = format!("{}/other.pem", copy.keys());
    fs::write(&other_root, other_key()).unwrap();
    let (dir, root) = (copy.dir(), copy.root());
    for arguments in [
        vec!["replay", &dir, &session, "--root", &other_root],
        vec!["export", &dir, "--format", "json", "--root", &other_root],
    ] {
        let refused = auditor(&arguments);
        assert_eq!((refused.exit, refused.out.as_str()), (Exit::Findings, ""));
        let told = auditor(&[arguments.as_slice(), &["--unverified"]].concat());
        assert_eq!(told.exit, Exit::Holds, "{}", told.problems);
        assert!(told.out.contains("NOT VERIFIED") || told.out.contains("\"verified\":false"), "{}", told.out);
    }
    flip(&copy.chunk_of(&session));
    assert_eq!(auditor(&["replay", &dir, &session, "--root", &root]).exit, Exit::Findings);
}

fn other_key() -> String {
    use schemas::signature::{P256Key, Signer};
    P256Key::generate().unwrap().public_key().to_pem()
}

#[test]
fn an_export_has_every_statement_once() {
    let copy = Copy::new();
    let (dir, root) = (copy.dir(), copy.root());
    let file = copy.folder.path().join("out.json").display().to_string();
    let written = auditor(&["export", &dir, "--format", "json", "--root", &root, "--out", &file]);
    assert_eq!(written.exit, Exit::Holds, "{}", written.problems);
    let json: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    assert_eq!(json["verified"], true);
    let sessions = json["sessions"].as_array().unwrap();
    assert_eq!(sessions.len(), 5, "four sessions and a void");
    let rows: usize = sessions.iter().map(|session| session["statements"].as_array().unwrap().len().max(1)).sum();
    let csv = auditor(&["export", &dir, "--format", "csv", "--root", &root]).out;
    assert_eq!(csv.matches("\r\n").count(), rows + 1, "{csv}");
    assert!(csv.starts_with("\"verified\",\"session\","));
    assert!(csv.contains("clinic.patients.ssn=last4"), "{csv}");
}

#[test]
fn sessions_are_listed_whether_or_not_they_verify() {
    let copy = Copy::new();
    let session = copy.session();
    let answer = auditor(&["sessions", &copy.dir()]);
    assert_eq!((answer.exit, answer.out.lines().count()), (Exit::Holds, 5));
    assert!(answer.out.contains(&session));
    flip(&copy.chunk_of(&session));
    let answer = auditor(&["sessions", &copy.dir()]);
    assert!(answer.out.contains(&format!("{session} closed, cannot be read")), "{}", answer.out);
}
