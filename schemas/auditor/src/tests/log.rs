//! The log of the golden evidence, and what is found when it and the evidence differ: in a folder of evidence, and in a
//! bundle whose maker signed what was changed.

use std::fs;
use std::path::{Path, PathBuf};

use schemas::layout::{LOG_PREFIX, parse, parse_log};
use schemas::log::{Checkpoint, Edge, Entry, LogOrigin, Tile, decode_bundle, hash};
use schemas::signature::{P256Key, Signer};

use super::bundle::make_of;
use super::{Answer, VECTORS, auditor, copy, files, flip};
use crate::Exit;

/// Evidence with its log, to be changed.
struct Scene {
    folder: tempfile::TempDir,
}

/// Names the case, changes the folder and gives the object that must be named, and tells the rule.
type Case = (&'static str, fn(&Scene) -> String, &'static str);

const CASES: &[Case] = &[
    ("a statement that the log leaves out", |s| s.leave_out("sessions/0000000001/open.json"), "log.statement"),
    ("an entry whose object is not there", |s| s.remove("sessions/0000000001/chunk-00000001.zst"), "log.entry"),
    ("the newest object taken away", |s| s.remove("relay-retired.json"), "log.entry"),
    ("a forked checkpoint", |s| s.fork(), "log.root"),
    ("a changed checkpoint", |s| s.change("checkpoint/0000000002"), "checkpoint.signature"),
    ("a checkpoint taken away", |s| s.remove("checkpoint/0000000001"), "checkpoint.sequence"),
    ("a changed tile", |s| s.change("tile/0/000.p/27"), "log.tile"),
    ("a tile taken away", |s| s.remove("tile/0/000.p/27"), "log.tile"),
    ("an entry bundle taken away", |s| s.remove("tile/entries/000.p/27"), "log.tile"),
];

#[test]
fn what_differs_between_log_and_evidence_is_named_in_a_folder() {
    for (name, change, rule) in CASES {
        let scene = Scene::new();
        let object = change(&scene);
        let answer = scene.verify(&[]);
        assert_eq!(answer.exit, Exit::Findings, "{name}: {}", answer.out);
        assert!(answer.out.contains(&format!("ERROR {object}\n  {rule}: ")), "{name}: {}", answer.out);
    }
}

#[test]
fn what_differs_between_log_and_evidence_is_named_in_a_bundle_though_its_maker_signed_it() {
    for (name, change, rule) in CASES {
        let scene = Scene::new();
        let object = change(&scene);
        let bundle = scene.folder.path().join("bundle");
        make_of(&scene.tree(), &bundle);
        let answer = auditor(&["verify", &bundle.display().to_string(), "--root", &root()]);
        assert_eq!(answer.exit, Exit::Findings, "{name}: {}", answer.out);
        assert!(answer.out.contains(&format!("ERROR {object}\n  {rule}: ")), "{name}: {}", answer.out);
        assert!(answer.out.contains("signed by the bundles key"), "{name}: {}", answer.out);
    }
}

#[test]
fn a_bundle_with_its_log_holds_and_a_changed_one_does_not() {
    let scene = Scene::new();
    let bundle = scene.folder.path().join("bundle");
    make_of(&scene.tree(), &bundle);
    let (dir, kept) = (bundle.display().to_string(), scene.kept());
    let verify = || auditor(&["verify", &dir, "--root", &root(), "--checkpoint", &kept]);
    let answer = verify();
    assert_eq!(answer.exit, Exit::Holds, "{}", answer.out);
    assert!(answer.out.contains("clinic signed, checkpoint 2: 27 of 27 entries read, begins with 1 kept"));
    for path in files(&bundle.join("log")) {
        let before = fs::read(&path).unwrap();
        flip(&path);
        let (answer, name) = (verify(), path.strip_prefix(&bundle).unwrap().display().to_string());
        assert!(answer.out.contains(&format!("ERROR {name}\n  bundle.digest: ")), "{name}: {}", answer.out);
        fs::write(&path, before).unwrap();
    }
}

#[test]
fn evidence_with_its_log_holds_and_whose_key_signed_it_is_told() {
    let scene = Scene::new();
    let answer = scene.verify(&[]);
    assert_eq!(answer.exit, Exit::Holds, "{}", answer.out);
    assert!(answer.out.contains("log log.affidavit.test/clinic signed, checkpoint 2: 27 of 27 entries read\n"));
    let answer = auditor(&["verify", &scene.tree().display().to_string(), "--root", &root()]);
    assert_eq!(answer.exit, Exit::Holds, "{}", answer.out);
    assert!(answer.out.contains("NOT SIGNED by a known key") && answer.out.contains("warning log/"), "{}", answer.out);
}

#[test]
fn what_was_taken_away_together_with_its_entries_is_missed_by_whoever_kept_a_checkpoint() {
    let changes: [fn(&Scene); 4] = [
        |scene| scene.forget("sessions/0000000003/"),
        |scene| scene.forget("/relay-1/"),
        |scene| scene.forget("relay-retired.json"),
        |scene| fs::remove_dir_all(scene.tree().join("log")).unwrap(),
    ];
    for (number, change) in changes.iter().enumerate() {
        let scene = Scene::new();
        let kept = scene.kept();
        change(&scene);
        let answer = scene.verify(&["--checkpoint", &kept]);
        assert_eq!(answer.exit, Exit::Findings, "{number}: {}", answer.out);
        assert!(answer.out.contains(&format!("ERROR {kept}\n  checkpoint.earlier: ")), "{number}: {}", answer.out);
    }
}

#[test]
fn a_kept_checkpoint_that_is_none_or_cannot_be_read_is_told_apart() {
    let scene = Scene::new();
    let file = scene.folder.path().join("kept").display().to_string();
    assert_eq!(scene.verify(&["--checkpoint", &file]).exit, Exit::Unreadable);
    fs::write(&file, "a note").unwrap();
    let answer = scene.verify(&["--checkpoint", &file]);
    assert!(answer.out.contains(&format!("ERROR {file}\n  checkpoint.form: ")), "{}", answer.out);
}

#[test]
fn verify_py_ends_as_the_auditor_does_on_folders_and_bundles() {
    let scene = Scene::new();
    let bundle = scene.folder.path().join("bundle");
    make_of(&scene.tree(), &bundle);
    let (kept, chunk) = (scene.kept(), scene.find("sessions/0000000001/chunk-00000001.zst"));
    for folder in [scene.tree(), bundle] {
        let dir = folder.display().to_string();
        let arguments = [dir.as_str(), "--root", &root(), "--checkpoint", &kept].map(str::to_owned);
        let both = || {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            (stranger(&arguments), auditor(&[&["verify"], arguments.as_slice()].concat()).exit)
        };
        let (told, exit) = both();
        assert_eq!((told.0, exit), (Some(0), Exit::Holds), "{}", told.1);
        flip(&folder.join(&chunk));
        let (told, exit) = both();
        assert_eq!((told.0, exit), (Some(1), Exit::Findings), "{}", told.1);
        assert!(told.1.contains(&format!("ERROR {chunk}: ")), "{}", told.1);
        fs::remove_dir_all(&folder).unwrap();
        let (told, exit) = both();
        assert_eq!((told.0, exit), (Some(2), Exit::Unreadable), "{}", told.1);
    }
}

/// What `verify.py` prints, and its exit code.
fn stranger(arguments: &[&str]) -> (Option<i32>, String) {
    let set = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let cache = set("AFFIDAVIT_CACHE").or_else(|| Some(set("XDG_CACHE_HOME")?.join("affidavit")));
    let cache = cache.unwrap_or_else(|| set("HOME").unwrap().join(".cache/affidavit"));
    let mut python = std::process::Command::new(cache.join("venv/bin/python"));
    let output = python.arg(format!("{VECTORS}/../verify.py")).args(arguments).output();
    let output = output.expect("tests/setup.sh --test installs Python with cryptography and zstandard");
    let told = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(told).unwrap())
}

fn root() -> String {
    format!("{VECTORS}/root.pub.pem")
}

fn origin() -> LogOrigin {
    "log.affidavit.test/clinic".parse().unwrap()
}

fn key() -> P256Key {
    let pem = fs::read_to_string(format!("{VECTORS}/test-keys/TEST-KEY-checkpoints.pem")).unwrap();
    P256Key::from_pkcs8_pem(&pem).unwrap()
}

impl Scene {
    fn new() -> Self {
        let scene = Self { folder: tempfile::tempdir().unwrap() };
        copy(&Path::new(VECTORS).join("tree"), &scene.tree());
        copy(&Path::new(VECTORS).join("log"), &scene.tree().join("log"));
        fs::write(scene.folder.path().join("checkpoints.pem"), key().public_key().to_pem()).unwrap();
        scene
    }

    fn tree(&self) -> PathBuf {
        self.folder.path().join("tree")
    }

    /// Verifies under the checkpoints key, with these further arguments.
    fn verify(&self, more: &[&str]) -> Answer {
        let (dir, root) = (self.tree().display().to_string(), root());
        let key = self.folder.path().join("checkpoints.pem").display().to_string();
        auditor(&[&["verify", &dir, "--root", &root, "--checkpoints-key", &key], more].concat())
    }

    /// A copy of the newest checkpoint, as an auditor keeps it.
    fn kept(&self) -> String {
        let file = self.folder.path().join("kept-checkpoint");
        fs::copy(self.tree().join(origin().checkpoint(2)), &file).unwrap();
        file.display().to_string()
    }

    /// The first object whose key ends like this.
    fn find(&self, ending: &str) -> String {
        let found = files(&self.tree()).into_iter().find(|path| path.display().to_string().ends_with(ending)).unwrap();
        found.strip_prefix(self.tree()).unwrap().display().to_string()
    }

    fn remove(&self, ending: &str) -> String {
        let object = self.find(ending);
        fs::remove_file(self.tree().join(&object)).unwrap();
        object
    }

    fn change(&self, ending: &str) -> String {
        let object = self.find(ending);
        let bytes = fs::read(self.tree().join(&object)).unwrap();
        // Of a checkpoint, a digit of its size.
        let changed = match parse_log(&object).unwrap().kind {
            schemas::layout::LogObjectKind::Checkpoint(_) => {
                String::from_utf8(bytes).unwrap().replace("\n27\n", "\n26\n").into()
            }
            _ => bytes.iter().map(|byte| byte ^ 1).collect::<Vec<_>>(),
        };
        fs::write(self.tree().join(&object), changed).unwrap();
        object
    }

    /// As whoever has the checkpoints key: signs another root.
    fn fork(&self) -> String {
        let checkpoint = Checkpoint { origin: origin(), size: 27, root: hash::empty_root() };
        fs::write(self.tree().join(origin().checkpoint(2)), checkpoint.sign(&key()).unwrap().to_vec()).unwrap();
        origin().checkpoint(2)
    }

    /// As whoever has the checkpoints key: makes the log anew without the statement of this object.
    fn leave_out(&self, ending: &str) -> String {
        let object = self.find(ending);
        let left_out = parse(&object).unwrap();
        self.log_again(|entry| entry.place().unwrap().object != left_out);
        object
    }

    /// As whoever has the checkpoints key and may write to the store: takes objects away, and makes the log anew.
    fn forget(&self, part: &str) {
        self.log_again(|entry| !entry.place().unwrap().object.key().contains(part));
        let gone = files(&self.tree()).into_iter().filter(|path| path.display().to_string().contains(part));
        gone.for_each(|path| fs::remove_file(path).unwrap());
    }

    fn log_again(&self, is_kept: impl Fn(&Entry) -> bool) {
        let bundle = Tile { width: 27, ..Tile::entries(0) };
        let entries = decode_bundle(&fs::read(self.tree().join(origin().tile(&bundle))).unwrap(), 27).unwrap();
        fs::remove_dir_all(self.tree().join(LOG_PREFIX)).unwrap();
        let mut edge = Edge::default();
        for entry in entries.into_iter().filter(|entry| is_kept(&Entry::from_slice(entry).unwrap())) {
            edge.push(entry).unwrap();
        }
        let checkpoint = Checkpoint { origin: origin(), size: edge.size(), root: edge.root() };
        let tiles = edge.partial().unwrap().into_iter().map(|(tile, bytes)| (origin().tile(&tile), bytes));
        let note = (origin().checkpoint(1), checkpoint.sign(&key()).unwrap().to_vec());
        for (key, bytes) in tiles.chain([note]) {
            let path = self.tree().join(key);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
    }
}
