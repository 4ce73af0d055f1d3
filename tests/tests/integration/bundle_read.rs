//! The bundle of a period, as strangers read it: its tables open in DuckDB and pyarrow, and count what the verifier
//! counts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use schemas::tables::Table;
use serde_json::Value;

use crate::harness::{Database, Relay, Said, have_python, python, repository};
use crate::skip_without;

#[test]
fn duckdb_and_pyarrow_count_what_the_verifier_makes_again_from_the_chunks() {
    skip_without!(have_python("duckdb, pyarrow"), "DuckDB or pyarrow");
    let bundle = Bundle::made();
    let report = bundle.verified();
    let recomputed = &report["checked"]["rows"];
    assert_eq!(&report["bundle"]["counts"], recomputed, "what the manifest says");
    for table in ["sessions", "statements", "masking", "denials", "grants", "chunks"] {
        assert!(recomputed[table].as_u64().unwrap() > 0, "{table} is not empty: {recomputed}");
    }
    let read = bundle.opened();
    for table in Table::ALL {
        let line = format!("{table} {}", recomputed[table.name()]);
        assert!(read.lines().any(|read| read == line), "{line}: {read}");
    }
}

#[test]
fn a_stranger_finds_in_the_tables_what_happened() {
    skip_without!(have_python("duckdb, pyarrow"), "DuckDB or pyarrow");
    let bundle = Bundle::made();
    let told = bundle.asked(WHAT_HAPPENED);
    assert_eq!(
        told.lines().collect::<Vec<_>>(),
        [
            "('scribe', ['alice'], 'permitted', 'completed', None)",
            "('alice', [], 'permitted', 'completed', None)",
            "('alice', [], 'refused', 'refused', '42501')",
            "('clinic.patients', 'name', 'masked')",
            "('clinic.patients', 'ssn', 'masked')",
        ],
        "{told}"
    );
}

#[test]
fn nothing_protected_is_in_any_file_of_a_bundle() {
    let bundle = Bundle::made();
    for path in files(&bundle.path) {
        let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
        assert_eq!(Database::shared().leak_in(&text), None, "{}", path.display());
        assert!(!text.contains("Whosoever"), "a literal of the client's, in {}", path.display());
    }
}

/// `schemas` has every kind of tampering; here it is the program and a bundle of real sessions.
#[test]
fn one_byte_changed_in_a_bundle_is_found_and_the_file_named() {
    let bundle = Bundle::made();
    let kind = |path: &PathBuf| path.strip_prefix(&bundle.path).unwrap().iter().next().unwrap().to_owned();
    let of_each_kind: BTreeMap<_, _> = files(&bundle.path).into_iter().map(|path| (kind(&path), path)).collect();
    assert!(of_each_kind.len() >= 10, "{of_each_kind:?}");
    for path in of_each_kind.into_values() {
        let bytes = std::fs::read(&path).unwrap();
        let mut changed = bytes.clone();
        changed[bytes.len() / 2] ^= 1;
        replace(&path, &changed);
        let said = bundle.relay.verify(&bundle.path).refused();
        let name = path.strip_prefix(&bundle.path).unwrap().to_str().unwrap();
        assert!(said.contains(name), "{name}: {said}");
        replace(&path, &bytes);
    }
    bundle.relay.verify(&bundle.path).ok();
}

/// Sessions of alice's and of her agent's, and the bundle of them.
struct Bundle {
    relay: Relay,
    path: PathBuf,
}

impl Bundle {
    fn made() -> Self {
        let mut relay = Relay::fresh();
        relay.psql("scribe", &["SELECT count(*) FROM clinic.visits WHERE reason <> 'Nobody Whosoever'"]).ok();
        let refused = ["SELECT name, ssn FROM clinic.patients ORDER BY id LIMIT 3", "DROP TABLE clinic.visits"];
        relay.psql("alice", &refused).refused();
        relay.stop();
        let path = relay.bundle("bundle");
        Self { relay, path }
    }

    /// What `auditor verify` reports of it; it holds.
    fn verified(&self) -> Value {
        let mut report: Value = serde_json::from_str(&self.relay.verify_json(&self.path).ok()).unwrap();
        assert_eq!(report["holds"], true, "{report}");
        report["report"].take()
    }

    /// What `tests/bundle/open_bundle.py` prints: it compares all encodings of all tables, value by value.
    fn opened(&self) -> String {
        let report = self.path.with_extension("json");
        std::fs::write(&report, self.relay.verify_json(&self.path).ok()).unwrap();
        let script = std::fs::read_to_string(repository().join("tests/bundle/open_bundle.py")).unwrap();
        Said::by(python(&script, self.path.to_str().unwrap()).arg(report)).ok()
    }

    /// What a script prints that finds the folder of tables in `sys.argv[1]`.
    fn asked(&self, script: &str) -> String {
        let tables = self.path.join("tables");
        Said::by(&mut python(script, tables.to_str().unwrap())).ok()
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(next).unwrap().map(Result::unwrap) {
            let list = if entry.file_type().unwrap().is_dir() { &mut open } else { &mut found };
            list.push(entry.path());
        }
    }
    assert!(found.len() > 40, "nine tables thrice, and evidence: {found:?}");
    found
}

fn replace(path: &Path, bytes: &[u8]) {
    std::fs::remove_file(path).unwrap();
    std::fs::write(path, bytes).unwrap();
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
    SELECT DISTINCT object, "column", treatment FROM masking WHERE "column" IN ('name', 'ssn') ORDER BY ALL
""").fetchall():
    print(row)
"#;
