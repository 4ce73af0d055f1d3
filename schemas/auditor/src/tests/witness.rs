//! A witness keeps what it saw, and refuses by name what does not go on from there.

use std::fs;
use std::path::PathBuf;

use schemas::ed25519::Ed25519Key;
use schemas::log::{Checkpoint, Edge, LogOrigin, NOTE_MAX, Note, Witness};
use schemas::signature::{P256Key, Signer};

use super::{Answer, VECTORS, auditor};
use crate::Exit;

/// A growing log that its holder may forge, and a witness beside it.
struct Scene {
    folder: tempfile::TempDir,
    key: P256Key,
}

impl Scene {
    fn new() -> Self {
        let scene = Self { folder: tempfile::tempdir().unwrap(), key: P256Key::generate().unwrap() };
        let own = Ed25519Key::generate().unwrap();
        fs::write(scene.path("witness.pem"), own.to_pkcs8_pem().unwrap().as_bytes()).unwrap();
        fs::write(scene.path("checkpoints.pem"), scene.key.public_key().to_pem()).unwrap();
        fs::create_dir_all(scene.path("store/evidence")).unwrap();
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// The log over entries `0..size`, of which those from `changed` on are others than they would be.
    fn grow(&self, number: u64, size: u64, changed: u64) {
        let mut edge = Edge::default();
        let store = |key: String, bytes: Vec<u8>| {
            let path = self.path("store").join(key);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        };
        for entry in 0..size {
            let text = if entry < changed { format!("entry {entry}") } else { format!("other {entry}") };
            for (tile, bytes) in edge.push(text.into_bytes()).unwrap() {
                store(origin().tile(&tile), bytes);
            }
        }
        edge.partial().unwrap().into_iter().for_each(|(tile, bytes)| store(origin().tile(&tile), bytes));
        let checkpoint = Checkpoint { origin: origin(), size, root: edge.root() };
        store(origin().checkpoint(number), checkpoint.sign(&self.key).unwrap().to_vec());
    }

    fn checkpoint(&self, number: u64) -> String {
        self.path("store").join(origin().checkpoint(number)).display().to_string()
    }

    fn witness(&self, checkpoint: &str, more: &[&str]) -> Answer {
        let (state, key) = (self.text("state"), self.text("witness.pem"));
        let own = ["witness", checkpoint, "--state", &state, "--key", &key, "--name", "witness.test/w1"];
        auditor(&[&own, ["--checkpoints-key", &self.text("checkpoints.pem")].as_slice(), more].concat())
    }

    fn store(&self) -> String {
        self.text("store")
    }
}

fn origin() -> LogOrigin {
    "log.test/one".parse().unwrap()
}

#[test]
fn a_log_that_grows_is_cosigned_and_what_is_kept_is_cosigned() {
    let scene = Scene::new();
    for (number, size) in [(1, 7), (2, 7), (3, 300), (4, 301), (5, 1025)] {
        scene.grow(number, size, u64::MAX);
        let answer = scene.witness(&scene.store(), &[]);
        assert_eq!(answer.exit, Exit::Holds, "{size}: {}{}", answer.out, answer.problems);
        let vkey = auditor(&["witness-key", "--key", &scene.text("witness.pem"), "--name", "witness.test/w1"]).out;
        let witness = Witness::from_vkey(vkey.trim()).unwrap();
        let note = Note::from_slice(&fs::read(scene.path("state")).unwrap()).unwrap();
        assert!(witness.saw(&note).is_some());
        let line = answer.out.lines().last().unwrap();
        assert!(line.starts_with("\u{2014} witness.test/w1 "), "{line}");
        assert!(note.to_vec().ends_with(format!("{line}\n").as_bytes()));
        assert_eq!(Checkpoint::read_unverified(&note.to_vec()).unwrap().size, size);
    }
}

/// The name of the refusal, and what makes a checkpoint that is refused: its file, or the folder.
type Case = (&'static str, fn(&Scene) -> String);

#[test]
fn what_does_not_go_on_from_what_is_kept_is_refused_by_name_and_what_is_kept_stays() {
    let cases: [Case; 6] = [
        ("witness.smaller", |s| s.checkpoint(1)),
        ("witness.forked", |s| {
            s.grow(3, 300, 299);
            s.checkpoint(3)
        }),
        ("witness.inconsistent", |s| {
            s.grow(3, 400, 100);
            s.store()
        }),
        ("witness.inconsistent", |s| {
            s.grow(3, 400, u64::MAX);
            fs::remove_dir_all(s.path("store").join("log/log.test/one/tile/0")).unwrap();
            s.store()
        }),
        ("witness.signature", |s| {
            fs::write(s.path("checkpoints.pem"), P256Key::generate().unwrap().public_key().to_pem()).unwrap();
            s.store()
        }),
        ("witness.origin", |s| {
            let other = Checkpoint { origin: "log.test/two".parse().unwrap(), ..kept(s) };
            fs::write(s.path("other"), other.sign(&s.key).unwrap().to_vec()).unwrap();
            s.text("other")
        }),
    ];
    for (name, change) in cases {
        let scene = Scene::new();
        scene.grow(1, 7, u64::MAX);
        scene.grow(2, 300, u64::MAX);
        assert_eq!(scene.witness(&scene.store(), &[]).exit, Exit::Holds);
        let before = fs::read(scene.path("state")).unwrap();
        let given = change(&scene);
        let answer = scene.witness(&given, &[]);
        assert_eq!(answer.exit, Exit::Findings, "{name}: {}{}", answer.out, answer.problems);
        assert!(answer.out.starts_with(&format!("REFUSED {name}: ")), "{name}: {}", answer.out);
        assert!(!answer.out.contains('\u{2014}'), "nothing is signed");
        assert_eq!(fs::read(scene.path("state")).unwrap(), before, "{name}");
    }
}

fn kept(scene: &Scene) -> Checkpoint {
    Checkpoint::read_unverified(&fs::read(scene.path("state")).unwrap()).unwrap()
}

#[test]
fn a_checkpoint_in_a_file_needs_the_tiles_beside_it_once_the_log_grew() {
    let scene = Scene::new();
    scene.grow(1, 7, u64::MAX);
    let file = scene.checkpoint(1);
    assert_eq!(scene.witness(&file, &[]).exit, Exit::Holds);
    assert_eq!(scene.witness(&file, &[]).exit, Exit::Holds, "the same again");
    scene.grow(2, 300, u64::MAX);
    let file = scene.checkpoint(2);
    let answer = scene.witness(&file, &[]);
    assert_eq!(answer.exit, Exit::Unreadable);
    assert!(answer.problems.contains("--log"), "{}", answer.problems);
    assert_eq!(scene.witness(&file, &["--log", &scene.store()]).exit, Exit::Holds);
}

#[test]
fn evidence_is_verified_by_what_a_witness_saw() {
    let scene = Scene::new();
    let tree = scene.path("tree");
    super::copy(&PathBuf::from(VECTORS).join("tree"), &tree);
    super::copy(&PathBuf::from(VECTORS).join("log"), &tree.join("log"));
    let pem = fs::read_to_string(format!("{VECTORS}/test-keys/TEST-KEY-checkpoints.pem")).unwrap();
    let public = P256Key::from_pkcs8_pem(&pem).unwrap().public_key().to_pem();
    fs::write(scene.path("checkpoints.pem"), public).unwrap();
    let tree = tree.display().to_string();
    assert_eq!(scene.witness(&tree, &[]).exit, Exit::Holds);
    let vkey = auditor(&["witness-key", "--key", &scene.text("witness.pem"), "--name", "witness.test/w1"]).out;
    fs::write(scene.path("witness.vkey"), vkey).unwrap();
    let other = Witness::new("witness.test/w1", Ed25519Key::generate().unwrap().public_key()).unwrap();
    fs::write(scene.path("other.vkey"), other.to_vkey()).unwrap();
    let root = format!("{VECTORS}/root.pub.pem");
    let verify = |more: &[&str]| {
        let key = scene.text("checkpoints.pem");
        auditor(&[&["verify", &tree, "--root", &root, "--checkpoints-key", &key], more].concat())
    };
    let (state, own, other) = (scene.text("state"), scene.text("witness.vkey"), scene.text("other.vkey"));
    let answer = verify(&["--checkpoint", &state, "--witness", &own, "--witness", &other]);
    assert_eq!(answer.exit, Exit::Holds, "{}", answer.out);
    assert!(answer.out.contains("begins with 1 kept checkpoint, seen by a witness at "), "{}", answer.out);
    let bare = format!("{tree}/{}", "log/log.affidavit.test/clinic/checkpoint/0000000002");
    for arguments in [
        vec!["--checkpoint", &state, "--witness", &other],
        vec!["--checkpoint", &bare, "--witness", &own],
        vec!["--witness", &own],
    ] {
        let answer = verify(&arguments);
        assert_eq!(answer.exit, Exit::Findings, "{arguments:?}: {}", answer.out);
        assert!(answer.out.contains("checkpoint.witness: "), "{}", answer.out);
    }
}

#[test]
fn two_at_once_do_not_both_go_on_from_what_is_kept() {
    let scene = Scene::new();
    scene.grow(1, 7, u64::MAX);
    assert_eq!(scene.witness(&scene.store(), &[]).exit, Exit::Holds);
    let before = fs::read(scene.path("state")).unwrap();
    scene.grow(2, 300, u64::MAX);
    // Another one that compares with what is kept, and has not kept its own yet.
    let other = fs::File::create(scene.path("state.lock")).unwrap();
    other.lock().unwrap();
    let answer = scene.witness(&scene.store(), &[]);
    assert_eq!(answer.exit, Exit::Unreadable, "{}{}", answer.out, answer.problems);
    assert!(!answer.out.contains('\u{2014}'), "nothing is signed");
    assert_eq!(fs::read(scene.path("state")).unwrap(), before);
    drop(other);
    assert_eq!(scene.witness(&scene.store(), &[]).exit, Exit::Holds);
}

/// The log's holder writes what lines it likes under the log's own.
#[test]
fn lines_that_would_spoil_what_is_kept_are_refused_and_what_is_kept_stays() {
    let scene = Scene::new();
    scene.grow(1, 7, u64::MAX);
    assert_eq!(scene.witness(&scene.store(), &[]).exit, Exit::Holds);
    let before = fs::read(scene.path("state")).unwrap();
    let note = fs::read_to_string(scene.checkpoint(1)).unwrap();
    // This witness's own line, but for one digit.
    let mut own = String::from_utf8(before.clone()).unwrap().lines().last().unwrap().to_owned();
    let place = own.len() - 20;
    let digit = if own.get(place..=place) == Some("A") { "B" } else { "A" };
    own.replace_range(place..=place, digit);
    let forged = format!("{note}{own}\n");
    let key = Ed25519Key::generate().unwrap();
    let other = Witness::new("o", key.public_key()).unwrap();
    let mut full = Note::from_slice(note.as_bytes()).unwrap();
    other.cosign(&mut full, &key, 1).unwrap();
    let line = full.last_line().unwrap().len();
    for _ in 0..(NOTE_MAX - full.to_vec().len()) / line {
        other.cosign(&mut full, &key, 1).unwrap();
    }
    assert!(Note::from_slice(&full.to_vec()).is_ok());
    for spoilt in [forged.into_bytes(), full.to_vec()] {
        fs::write(scene.checkpoint(1), spoilt).unwrap();
        let answer = scene.witness(&scene.store(), &[]);
        assert_eq!(answer.exit, Exit::Findings, "{}{}", answer.out, answer.problems);
        assert!(answer.out.starts_with("REFUSED witness.lines: "), "{}", answer.out);
        assert_eq!(fs::read(scene.path("state")).unwrap(), before);
    }
}
