//! A bundle of what the relay recorded: it verifies, other programs open it, and nothing can be done to it unnoticed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use schemas::bundle::layout::{BundleFile, Encoding};
use schemas::layout::{self, ObjectKind};
use schemas::signature::PublicKey;
use schemas::verify::{BundleReport, Options, verify_bundle};

use crate::harness::{Database, Relay, Said, have_python, interpreter, python, repository};

/// One bundle for all of it: starting a relay costs more than looking at what it recorded.
#[test]
fn a_bundle_verifies_opens_elsewhere_and_shows_whatever_is_done_to_it() {
    let bundle = Bundle::fresh();
    let said = bundle.verify().ok();
    assert!(said.contains("signed by the bundles key") && said.contains("It holds."), "{said}");
    open_elsewhere(&bundle);
    let files = bundle.files();
    for (path, bytes) in &files {
        let leak = Database::shared().leak_in(&String::from_utf8_lossy(bytes));
        assert_eq!(leak, None, "{path} holds a protected value");
    }
    tamper(&bundle, &files);
    take_out_a_session(&bundle, &files);
}

/// Every row of every table, as DuckDB and pyarrow read it, is the same in all encodings.
fn open_elsewhere(bundle: &Bundle) {
    if !have_python("duckdb, pyarrow") {
        eprintln!("SKIPPED in part: no DuckDB and pyarrow; tests/setup.sh installs them");
        return;
    }
    let report = bundle.folder.with_extension("report.json");
    std::fs::write(&report, bundle.verify_json().ok()).unwrap();
    let mut opened = Command::new(interpreter());
    opened.arg(repository().join("tests/bundle/open_bundle.py")).arg(&bundle.folder).arg(report);
    let said = Said::by(&mut opened).ok();
    assert!(said.contains("statements "), "{said}");
    find_what_happened(bundle);
}

/// A stranger finds in the tables what happened.
fn find_what_happened(bundle: &Bundle) {
    let said = Said::by(&mut python(WHAT_HAPPENED, bundle.folder.join("tables").to_str().unwrap())).ok();
    let expected = [
        "('alice', [], 'permitted', 'completed', None)",
        "('alice', [], 'refused', 'refused', '42501')",
        "('scribe', ['alice'], 'permitted', 'completed', None)",
        "('carol', [], 'permitted', 'completed', None)",
        "('alice', 'name', 'masked')",
        "('alice', 'ssn', 'masked')",
        "('carol', 'name', 'revealed')",
        "('carol', 'ssn', 'masked')",
    ];
    assert_eq!(said.lines().collect::<Vec<_>>(), expected, "{said}");
}

const WHAT_HAPPENED: &str = r#"
import duckdb, pathlib, sys
for file in pathlib.Path(sys.argv[1]).iterdir():
    duckdb.sql(f"CREATE VIEW {file.stem} AS FROM read_parquet('{file}')")
for row in duckdb.sql("""
    SELECT sessions.subject, acts_for, decision, outcome, sqlstate
    FROM statements JOIN sessions USING (session) ORDER BY time
""").fetchall():
    print(row)
for row in duckdb.sql("""
    SELECT DISTINCT subject, "column", treatment FROM masking
    WHERE object = 'clinic.patients' AND "column" IN ('name', 'ssn') ORDER BY ALL
""").fetchall():
    print(row)
"#;

/// Every operation on one file of every kind that the bundle has: far more than 25 ways.
fn tamper(bundle: &Bundle, files: &Files) {
    let kinds: BTreeMap<String, &String> = files.keys().map(|path| (kind(path), path)).collect();
    let mut ways = 0;
    for (kind, path) in &kinds {
        for (operation, change) in OPERATIONS {
            let mut changed = files.clone();
            let object = change(&mut changed, path);
            if changed == *files {
                continue;
            }
            ways += 1;
            let report = bundle.report(&changed);
            let way = format!("{kind}: {operation}");
            assert!(!report.holds(), "{way}");
            let named = report.errors().any(|finding| finding.object == object);
            assert!(named, "{way}: {object} is not in {:#?}", report.errors().collect::<Vec<_>>());
        }
    }
    assert!(kinds.len() >= 12 && ways >= 100, "{ways} ways over {:?}", kinds.keys());
}

fn take_out_a_session(bundle: &Bundle, files: &Files) {
    let open = files.keys().find(|path| path.ends_with("/open.json")).unwrap();
    let prefix = open.strip_suffix("open.json").unwrap();
    let mut changed = files.clone();
    changed.retain(|path, _| !path.starts_with(prefix));
    let report = bundle.report(&changed);
    assert!(report.errors().any(|finding| finding.object == *open), "{:#?}", report.findings);
    assert!(
        report.errors().any(|finding| finding.rule.id() == "incarnation.counter"),
        "{:#?}",
        report.evidence.findings
    );
}

type Files = BTreeMap<String, Vec<u8>>;

/// Does something to a file and gives the path that must be named.
type Operation = (&'static str, fn(&mut Files, &str) -> String);

const OPERATIONS: &[Operation] = &[
    ("the first byte flipped", |files, path| edit(files, path, |bytes| bytes[0] ^= 1)),
    ("a byte in the middle flipped", |files, path| {
        edit(files, path, |bytes| {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 0x10;
        })
    }),
    ("the last byte flipped", |files, path| edit(files, path, |bytes| *bytes.last_mut().unwrap() ^= 1)),
    ("truncated", |files, path| edit(files, path, |bytes| bytes.truncate(bytes.len() - 1))),
    ("emptied", |files, path| edit(files, path, Vec::clear)),
    ("written twice into one file", |files, path| edit(files, path, |bytes| bytes.extend_from_within(..))),
    ("dropped", |files, path| {
        files.remove(path);
        path.to_owned()
    }),
    ("replaced by the file before", |files, path| {
        let before = files.range(..path.to_owned()).next_back().or_else(|| files.iter().next_back());
        let bytes = before.unwrap().1.clone();
        edit(files, path, |file| *file = bytes)
    }),
    ("duplicated under a name that no bundle has", |files, path| {
        let bytes = files[path].clone();
        files.insert(format!("{path}.orig"), bytes);
        format!("{path}.orig")
    }),
];

fn edit(files: &mut Files, path: &str, change: impl FnOnce(&mut Vec<u8>)) -> String {
    change(files.get_mut(path).unwrap());
    path.to_owned()
}

/// What a file is: files of one kind are checked in the same way.
fn kind(path: &str) -> String {
    match BundleFile::parse(path).unwrap() {
        BundleFile::Table(_, encoding) => match encoding {
            Encoding::Parquet => "a table as Parquet".to_owned(),
            Encoding::Csv => "a table as CSV".to_owned(),
            Encoding::Json => "a table as JSON".to_owned(),
        },
        BundleFile::Replay(_) => "a replay".to_owned(),
        BundleFile::Object(key) => object_kind(&key),
        other => other.path(),
    }
}

fn object_kind(key: &str) -> String {
    match layout::parse(key).map(|object| object.kind) {
        Some(ObjectKind::Chunk(..)) => "a chunk".to_owned(),
        Some(_) => key.rsplit('/').next().unwrap().to_owned(),
        None => key.split('/').filter(|segment| segment.bytes().all(|byte| byte.is_ascii_lowercase())).collect(),
    }
}

/// A bundle of sessions of several people.
struct Bundle {
    folder: PathBuf,
    root: PathBuf,
    relay: Relay,
}

impl Bundle {
    fn fresh() -> Self {
        let mut relay = Relay::fresh();
        relay.psql("alice", &["SELECT name, ssn FROM clinic.patients ORDER BY id LIMIT 3"]).ok();
        relay.psql("alice", &["DROP TABLE clinic.visits"]).refused();
        relay.psql("scribe", &["SELECT count(*) FROM clinic.visits"]).ok();
        relay.psql("carol", &["SELECT name FROM clinic.patients ORDER BY id LIMIT 3"]).ok();
        relay.stop();
        let folder = relay.bundle("bundle");
        Self { folder, root: relay.keys().join("certificates.pub.pem"), relay }
    }

    /// `auditor verify` over the folder.
    fn verify(&self) -> Said {
        self.relay.verify(&self.folder)
    }

    fn verify_json(&self) -> Said {
        self.relay.verify_json(&self.folder)
    }

    fn report(&self, files: &Files) -> BundleReport {
        let root = PublicKey::from_pem(&std::fs::read_to_string(&self.root).unwrap()).unwrap();
        verify_bundle(files, &root, &Options::default()).unwrap()
    }

    fn files(&self) -> Files {
        let mut files = Files::new();
        collect(&self.folder, &self.folder, &mut files);
        files
    }
}

fn collect(root: &Path, folder: &Path, files: &mut Files) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, files);
        } else {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            files.insert(name, std::fs::read(&path).unwrap());
        }
    }
}
