//! What is done to a bundle on its way, and what a bundler who lies could sign; with the object and the rule that the
//! verifier must name.

use std::collections::BTreeSet;

use super::scene::{Scene, certificate};
use crate::bundle::Subject;
use crate::canonical;
use crate::identifiers::Name;
use crate::layout::{EVIDENCE_PREFIX, Scope};
use crate::rule::{Rule, Severity};
use crate::safeguards::{Answering, Answers};
use crate::signature::{P256Key, Signer};
use crate::tables::parquet::{ParquetReader, ParquetWriter};
use crate::tables::{Table, Value};
use crate::verify::Options;
use crate::verify::agreement::Ask;
use crate::verify::testing::{SECOND, T0, TestKeys, Tree, scope};

/// Names the case, changes the bundle, and tells how the object's path ends and which rule must be named for it.
type Case = (&'static str, fn(&mut Scene), &'static str, Rule);

/// Names the case, changes the bundle, and tells the rule.
type Lie = (&'static str, fn(&mut Scene), Rule);

/// By somebody who has the bundle and no key.
const WITHOUT_KEY: &[Case] = &[
    ("a byte of a chunk flipped", |s| flip(s, &s.chunk(1), 40), "chunk-00000001.zst", Rule::BundleDigest),
    ("a chunk dropped", |s| drop(s, &s.chunk(2)), "chunk-00000002.zst", Rule::BundleMissing),
    ("two chunks swapped", |s| swap(s, &s.chunk(1), &s.chunk(2)), "chunk-00000001.zst", Rule::BundleDigest),
    ("a chunk truncated", |s| cut(s, &s.chunk(1)), "chunk-00000001.zst", Rule::BundleDigest),
    ("a chunk duplicated", |s| copy(s, &s.chunk(2), &s.chunk(3)), "chunk-00000003.zst", Rule::BundleExtra),
    ("a frame put before a chunk's", prepend_frame, "chunk-00000001.zst", Rule::BundleDigest),
    ("a session dropped", drop_session, "open.json", Rule::BundleMissing),
    ("a certificate dropped", |s| drop(s, &s.path("certificate.json")), "certificate.json", Rule::BundleMissing),
    ("a manifest's payload changed", |s| flip(s, MANIFEST, 20), MANIFEST, Rule::BundleManifest),
    ("a manifest's signature changed", spoil_signature, MANIFEST, Rule::BundleSignature),
    ("a manifest truncated", |s| cut(s, MANIFEST), MANIFEST, Rule::BundleManifest),
    ("a manifest dropped", |s| drop(s, MANIFEST), MANIFEST, Rule::BundleManifest),
    ("another period's manifest", |s| of_other_period(s, MANIFEST), "tables/statements.parquet", Rule::BundleDigest),
    ("a manifest over the changes, signed by a stranger", sign_as_stranger, MANIFEST, Rule::BundleSignature),
    ("a stranger's key, certified by the stranger", certify_stranger, ".json", Rule::KeyCertificate),
    ("a key certificate in another place", move_certificate, ".json", Rule::KeyCertificate),
    ("the key certificate dropped", drop_certificate, MANIFEST, Rule::BundleSignature),
    ("a byte of a Parquet table flipped", |s| flip(s, PARQUET, 30), PARQUET, Rule::BundleDigest),
    ("a row of a Parquet table dropped", |s| parquet(s, drop_row), PARQUET, Rule::BundleDigest),
    ("a row of a CSV table duplicated", |s| csv(s, double_row), CSV, Rule::BundleDigest),
    ("a row of a JSON table dropped", |s| json(s, drop_row), JSON, Rule::BundleDigest),
    ("two tables swapped", |s| swap(s, CSV, "csv/chunks.csv"), CSV, Rule::BundleDigest),
    ("another period's table", |s| of_other_period(s, PARQUET), PARQUET, Rule::BundleDigest),
    ("a table dropped", |s| drop(s, JSON), JSON, Rule::BundleMissing),
    ("a count of the safeguards changed", change_answer, SAFEGUARDS, Rule::BundleDigest),
    ("the report changed", |s| append(s, "report.html", b"<b>"), "report.html", Rule::BundleDigest),
    ("the guide changed", |s| append(s, "VERIFY.md", b"trust me"), "VERIFY.md", Rule::BundleDigest),
    ("a replay changed", |s| append(s, &s.path("0000000001.html"), b"<p>"), "0000000001.html", Rule::BundleDigest),
    ("a replay of another session added", extra_replay, "0000000009.html", Rule::BundleExtra),
    ("notes that nobody signed", |s| put(s, "export-notes.json"), "export-notes.json", Rule::BundleExtra),
    ("a file that no bundle has", |s| put(s, "README.html"), "README.html", Rule::BundleLayout),
    ("an object that is no evidence", |s| put(s, "evidence/x/y.json"), "y.json", Rule::BundleLayout),
    ("a session's key", wrapped_key, "0000000001.json", Rule::BundleLayout),
];

/// By somebody who has the bundles key.
const WITH_KEY: &[Case] = &[
    ("a row of a Parquet table dropped", |s| parquet(s, drop_row), PARQUET, Rule::TableRows),
    ("a row of a Parquet table duplicated", |s| parquet(s, double_row), PARQUET, Rule::TableRows),
    ("rows of a Parquet table swapped", |s| parquet(s, swap_rows), PARQUET, Rule::TableRows),
    ("the last row of a Parquet table dropped", |s| parquet(s, drop_last), PARQUET, Rule::TableRows),
    ("a value of a Parquet table changed", |s| parquet(s, change_value), PARQUET, Rule::TableRows),
    ("another table as Parquet", |s| copy(s, "tables/chunks.parquet", PARQUET), PARQUET, Rule::TableForm),
    ("a Parquet table truncated", |s| cut(s, PARQUET), PARQUET, Rule::TableForm),
    ("a Parquet table of an earlier state", |s| of_other_period(s, PARQUET), PARQUET, Rule::TableRows),
    ("a row of a CSV table dropped", |s| csv(s, drop_row), CSV, Rule::TableRows),
    ("a row of a CSV table duplicated", |s| csv(s, double_row), CSV, Rule::TableRows),
    ("rows of a CSV table swapped", |s| csv(s, swap_rows), CSV, Rule::TableRows),
    ("a value of a CSV table changed", |s| replace(s, CSV, "\"select\"", "\"delete\""), CSV, Rule::TableRows),
    ("a column of a CSV table renamed", |s| replace(s, CSV, "\"time\"", "\"when\""), CSV, Rule::TableForm),
    ("a CSV table cut within a record", |s| cut(s, CSV), CSV, Rule::TableForm),
    ("a formula put into a CSV table", |s| replace(s, CSV, "\"select\"", "=1+1"), CSV, Rule::TableRows),
    ("a row of a JSON table dropped", |s| json(s, drop_row), JSON, Rule::TableRows),
    ("a row of a JSON table duplicated", |s| json(s, double_row), JSON, Rule::TableRows),
    ("rows of a JSON table swapped", |s| json(s, swap_rows), JSON, Rule::TableRows),
    ("a value of a JSON table changed", |s| replace(s, JSON, "\"select\"", "\"delete\""), JSON, Rule::TableRows),
    ("a JSON table spelled otherwise", |s| replace(s, JSON, "{\"bytes", "{ \"bytes"), JSON, Rule::TableRows),
    ("a JSON table cut", |s| cut(s, JSON), JSON, Rule::TableForm),
    ("a JSON table that goes on", |s| append(s, JSON, b"[]"), JSON, Rule::TableForm),
    ("a count of the safeguards changed", change_answer, SAFEGUARDS, Rule::Safeguards),
    ("an answer left out", drop_answer, SAFEGUARDS, Rule::Safeguards),
    ("answers in another spelling", |s| append(s, SAFEGUARDS, b" "), SAFEGUARDS, Rule::Safeguards),
    ("a catalogue that asks for less", |s| replace(s, CATALOGUE, "label", "labell"), CATALOGUE, Rule::Safeguards),
    ("a catalogue of the bundler's own", |s| append(s, CATALOGUE, b"\n"), CATALOGUE, Rule::SafeguardsCatalogue),
    ("a chunk dropped", |s| drop(s, &s.chunk(2)), "chunk-00000002.zst", Rule::SessionSequence),
    ("a chunk truncated", |s| cut(s, &s.chunk(1)), "chunk-00000001.zst", Rule::ChunkContainer),
    ("a byte of a chunk flipped", |s| flip(s, &s.chunk(1), 40), "chunk-00000001.zst", Rule::ChunkDigest),
    ("two chunks swapped", |s| swap(s, &s.chunk(1), &s.chunk(2)), "chunk-00000001.zst", Rule::ChunkIdentity),
    ("a frame put before a chunk's", prepend_frame, "chunk-00000001.zst", Rule::ChunkDigest),
    ("a chunk duplicated", |s| copy(s, &s.chunk(2), &s.chunk(3)), "chunk-00000003.zst", Rule::SessionLast),
    ("a session dropped", drop_session, "/", Rule::IncarnationCounter),
    ("a required file dropped", |s| drop(s, "VERIFY.md"), "VERIFY.md", Rule::BundleMissing),
    ("a table dropped", |s| drop(s, JSON), JSON, Rule::BundleMissing),
    ("evidence of another environment", other_scope, "/", Rule::BundleScope),
];

/// By somebody who has the bundles key and says other things than the bundle's files.
const LIES: &[Lie] = &[
    ("another count", |s| s.resign(|m| *m.predicate.counts.get_mut("statements").unwrap() += 1), Rule::BundleCounts),
    ("a count too few", |s| s.resign(|m| drop_count(&mut m.predicate.counts)), Rule::BundleCounts),
    (
        "a count too many",
        |s| {
            s.resign(|m| {
                m.predicate.counts.insert("secrets".into(), 0);
            })
        },
        Rule::BundleCounts,
    ),
    (
        "a period that the sessions do not touch",
        |s| s.resign(|m| m.predicate.period.to_us = T0 + SECOND),
        Rule::BundlePeriod,
    ),
    ("a period that is none", |s| s.resign(|m| m.predicate.period.to_us = 0), Rule::BundleManifest),
    ("another tenant", |s| s.resign(|m| m.predicate.tenant = name("other")), Rule::BundleSignature),
    ("another environment", |s| s.resign(|m| m.predicate.environment = name("other")), Rule::BundleSignature),
    ("a time outside of the key's", |s| s.resign(|m| m.predicate.created_us = T0 - 1), Rule::BundleSignature),
    ("other keys", |s| s.resign(|m| m.predicate.keys.certificates = m.predicate.keys.bundles), Rule::BundleSignature),
    ("a later format", |s| s.resign(|m| m.predicate.format += 1), Rule::BundleManifest),
    ("a file named twice", |s| s.resign(|m| double(&mut m.subject)), Rule::BundleManifest),
    ("names in another order", |s| s.resign(|m| m.subject.swap(0, 1)), Rule::BundleManifest),
    (
        "a file not named",
        |s| {
            s.resign(|m| {
                m.subject.pop();
            })
        },
        Rule::BundleExtra,
    ),
    ("a file named that is not there", |s| s.resign(add_subject), Rule::BundleMissing),
    ("a longer period than its evidence", of_longer_period, Rule::SessionSequence),
];

/// All cases, for both verifiers, with the bundle they are made of.
pub(in crate::verify) fn asks() -> (Tree, Vec<Ask>) {
    let resign: fn(&mut Scene) = |scene| scene.resign(|_| {});
    let keep: fn(&mut Scene) = |_| {};
    let without = WITHOUT_KEY.iter().map(|(name, change, ..)| (*name, *change, keep));
    let with = WITH_KEY.iter().map(|(name, change, ..)| (*name, *change, resign));
    let lies = LIES.iter().map(|(name, change, _)| (*name, *change, keep));
    let asks = without.chain(with).chain(lies).map(|(name, change, then)| {
        let mut scene = Scene::whole();
        change(&mut scene);
        then(&mut scene);
        ask(name.to_owned(), scene)
    });
    (Scene::whole().files, asks.collect())
}

/// Bundles that `mutate` changed, every other one signed again, with the bundle they are made of.
pub(in crate::verify) fn mutated(count: usize, mut mutate: impl FnMut(&mut Tree) -> String) -> (Tree, Vec<Ask>) {
    let asks = (0..count).map(|number| {
        let mut scene = Scene::whole();
        let name = mutate(&mut scene.files);
        if number % 2 == 0 {
            scene.files.insert(MANIFEST.to_owned(), Scene::whole().files[MANIFEST].clone());
            scene.resign(|_| {});
        }
        ask(name, scene)
    });
    (Scene::whole().files, asks.collect())
}

fn ask(name: String, scene: Scene) -> Ask {
    Ask { name, files: scene.files, options: Options::default(), is_bundle: true }
}

#[test]
fn each_change_is_found_and_object_and_rule_are_named() {
    for (name, change, object, rule) in WITHOUT_KEY {
        let mut scene = Scene::whole();
        change(&mut scene);
        expect(name, &scene, object, *rule);
    }
}

#[test]
fn a_bundler_who_signs_something_else_than_the_evidence_is_found() {
    for (name, change, object, rule) in WITH_KEY {
        let mut scene = Scene::whole();
        change(&mut scene);
        scene.resign(|_| {});
        expect(&format!("signed: {name}"), &scene, object, *rule);
    }
    for (name, change, rule) in LIES {
        let mut scene = Scene::whole();
        change(&mut scene);
        expect(name, &scene, "", *rule);
    }
}

#[test]
fn every_rule_of_bundles_has_its_case() {
    let cases = WITHOUT_KEY.iter().chain(WITH_KEY).map(|case| case.3).chain(LIES.iter().map(|lie| lie.2));
    let cases: BTreeSet<Rule> = cases.collect();
    let prefixes = ["bundle.", "key-certificate", "table.", "safeguards."];
    let errors = Rule::ALL.iter().filter(|rule| rule.severity() == Severity::Error);
    let missing: Vec<_> = errors
        .filter(|rule| prefixes.iter().any(|prefix| rule.id().starts_with(prefix)) && !cases.contains(rule))
        .collect();
    assert_eq!(missing, Vec::<&Rule>::new());
}

/// Whoever has the bundles key and chooses the questions chooses the answers too.
#[test]
fn answers_to_other_questions_do_not_hold() {
    let mut scene = Scene::whole();
    scene.edit_text(CATALOGUE, |text| text.replace("Sessions", "Attested sessions"));
    let mut again = Answering::new(&String::from_utf8(scene.files[CATALOGUE].clone()).unwrap()).unwrap();
    for table in Table::ALL {
        let file = Box::new(std::io::Cursor::new(scene.files[&format!("tables/{table}.parquet")].clone()));
        for row in ParquetReader::open(table, file).unwrap() {
            again.row(table, &row.unwrap());
        }
    }
    let answers = canonical::to_vec(&again.finish()).unwrap();
    scene.edit(SAFEGUARDS, |bytes| *bytes = answers);
    scene.resign(|_| {});
    let report = scene.verify();
    let rules: Vec<Rule> = report.errors().map(|finding| finding.rule).collect();
    assert_eq!(rules, [Rule::SafeguardsCatalogue], "{:#?}", report.findings);
    assert!(!report.holds());
}

#[test]
fn the_row_and_column_of_a_difference_are_named() {
    for (path, change) in [
        (PARQUET, (|s| parquet(s, change_value)) as fn(&mut Scene)),
        (CSV, |s| replace(s, CSV, "\"select\"", "\"delete\"")),
        (JSON, |s| replace(s, JSON, "\"select\"", "\"delete\"")),
    ] {
        let mut scene = Scene::whole();
        change(&mut scene);
        scene.resign(|_| {});
        let report = scene.verify();
        let finding = report.errors().find(|finding| finding.object == path).unwrap();
        assert!(finding.message.contains(", column class: not what"), "{path}: {}", finding.message);
        assert!(!finding.message.contains("delete"), "{}", finding.message);
    }
}

fn expect(name: &str, scene: &Scene, object: &str, rule: Rule) {
    let report = scene.verify();
    assert!(!report.holds(), "{name}");
    let named = report.errors().any(|finding| finding.rule == rule && finding.object.ends_with(object));
    assert!(named, "{name}: {:#?}", report.errors().collect::<Vec<_>>());
}

fn flip(scene: &mut Scene, path: &str, position: usize) {
    scene.edit(path, |bytes| bytes[position] ^= 1);
}

fn cut(scene: &mut Scene, path: &str) {
    scene.edit(path, |bytes| bytes.truncate(bytes.len() - 1));
}

fn append(scene: &mut Scene, path: &str, more: &[u8]) {
    scene.edit(path, |bytes| bytes.extend_from_slice(more));
}

fn drop(scene: &mut Scene, path: &str) {
    scene.files.remove(path).unwrap();
}

fn put(scene: &mut Scene, path: &str) {
    scene.files.insert(path.to_owned(), b"{}".to_vec());
}

fn copy(scene: &mut Scene, from: &str, to: &str) {
    let bytes = scene.files[from].clone();
    scene.files.insert(to.to_owned(), bytes);
}

fn swap(scene: &mut Scene, one: &str, other: &str) {
    let (first, second) = (scene.files[one].clone(), scene.files[other].clone());
    scene.files.insert(one.to_owned(), second);
    scene.files.insert(other.to_owned(), first);
}

fn replace(scene: &mut Scene, path: &str, from: &str, to: &str) {
    scene.edit_text(path, |text| {
        assert!(text.contains(from), "{path} has no {from}");
        text.replacen(from, to, 1)
    });
}

fn of_other_period(scene: &mut Scene, path: &str) {
    let other = Scene::of_second_life().files.remove(path).unwrap();
    scene.files.insert(path.to_owned(), other);
}

/// The shorter period's files under a manifest of the longer one.
fn of_longer_period(scene: &mut Scene) {
    let predicate = scene.manifest().predicate;
    scene.files = Scene::of_second_life().files;
    scene.resign(|manifest| manifest.predicate = predicate);
}

fn prepend_frame(scene: &mut Scene) {
    let path = scene.chunk(1);
    let frame = zstd::bulk::compress(b"", 1).unwrap();
    scene.edit(&path, |bytes| *bytes = [frame, bytes.clone()].concat());
}

fn drop_session(scene: &mut Scene) {
    let prefix = scope().session_prefix(&TestKeys::read().first_session(1));
    scene.files.retain(|path, _| !path.starts_with(&prefix));
}

fn spoil_signature(scene: &mut Scene) {
    let other = Scene::of_second_life();
    let signature = |scene: &Scene| {
        let text = String::from_utf8(scene.files[MANIFEST].clone()).unwrap();
        text.split_once("\"sig\":\"").unwrap().1.to_owned()
    };
    let (old, new) = (signature(scene), signature(&other));
    replace(scene, MANIFEST, &old, &new);
}

fn sign_as_stranger(scene: &mut Scene) {
    parquet(scene, drop_row);
    scene.resign_with(&P256Key::generate().unwrap(), |_| {});
}

fn certify_stranger(scene: &mut Scene) {
    let stranger = P256Key::generate().unwrap();
    let (path, envelope) = certificate(&stranger, stranger.public_key(), &scope());
    scene.files.insert(path, envelope);
    scene.resign_with(&stranger, |manifest| manifest.predicate.keys.bundles = stranger.public_key().key_id());
}

fn move_certificate(scene: &mut Scene) {
    let path = certificate_path(scene);
    let envelope = scene.files.remove(&path).unwrap();
    scene.files.insert(path.replace("/test/", "/best/"), envelope);
}

fn drop_certificate(scene: &mut Scene) {
    drop(scene, &certificate_path(scene));
}

fn certificate_path(scene: &Scene) -> String {
    scene.files.keys().find(|path| path.starts_with("trust/")).unwrap().clone()
}

fn extra_replay(scene: &mut Scene) {
    let path = scene.path("0000000001.html");
    copy(scene, &path, &path.replace("0000000001", "0000000009"));
}

fn wrapped_key(scene: &mut Scene) {
    let path = scope().wrapped_key(&TestKeys::read().first_session(1));
    put(scene, &path);
}

/// The same evidence once more, as if of a relay elsewhere; none of it verifies there either.
fn other_scope(scene: &mut Scene) {
    let other = Scope { environment: name("other"), ..scope() };
    let evidence: Vec<_> = scene.files.iter().filter(|(path, _)| path.starts_with(EVIDENCE_PREFIX)).collect();
    let moved: Vec<_> = evidence
        .into_iter()
        .map(|(path, bytes)| (path.replace(&scope().relay_prefix(), &other.relay_prefix()), bytes.clone()))
        .collect();
    scene.files.extend(moved);
}

fn change_answer(scene: &mut Scene) {
    edit_answers(scene, |answers| answers.answers[0].counts[0].count += 1);
}

fn drop_answer(scene: &mut Scene) {
    edit_answers(scene, |answers| {
        answers.answers.remove(0);
    });
}

fn edit_answers(scene: &mut Scene, change: impl FnOnce(&mut Answers)) {
    scene.edit(SAFEGUARDS, |bytes| {
        let mut answers: Answers = canonical::from_slice("answers", bytes).unwrap();
        change(&mut answers);
        *bytes = canonical::to_vec(&answers).unwrap();
    });
}

/// Changes the rows of a table as Parquet.
fn parquet(scene: &mut Scene, change: fn(&mut Vec<Vec<Value>>)) {
    scene.edit(PARQUET, |bytes| {
        let reader = ParquetReader::open(TABLE, Box::new(std::io::Cursor::new(bytes.clone()))).unwrap();
        let mut rows: Vec<Vec<Value>> = reader.collect::<Result<_, _>>().unwrap();
        change(&mut rows);
        let mut writer = ParquetWriter::new(TABLE, Vec::new()).unwrap();
        rows.into_iter().for_each(|row| writer.push_values(row).unwrap());
        *bytes = writer.finish().unwrap();
    });
}

/// Changes the records of a table as CSV; none of them has a line end within.
fn csv(scene: &mut Scene, change: fn(&mut Vec<String>)) {
    scene.edit_text(CSV, |text| {
        let mut records: Vec<String> = text.split_inclusive("\r\n").map(str::to_owned).collect();
        let mut rows = records.split_off(1);
        change(&mut rows);
        records.extend(rows);
        records.concat()
    });
}

/// Changes the rows of a table as JSON.
fn json(scene: &mut Scene, change: fn(&mut Vec<String>)) {
    scene.edit_text(JSON, |text| {
        let rows = text.strip_prefix("[\n").unwrap().strip_suffix("\n]\n").unwrap();
        let mut rows: Vec<String> = rows.split(",\n").map(str::to_owned).collect();
        change(&mut rows);
        format!("[\n{}\n]\n", rows.join(",\n"))
    });
}

fn drop_row<R>(rows: &mut Vec<R>) {
    rows.remove(0);
}

fn drop_last(rows: &mut Vec<Vec<Value>>) {
    rows.pop();
}

fn double_row<R: Clone>(rows: &mut Vec<R>) {
    rows.insert(0, rows[0].clone());
}

#[expect(clippy::ptr_arg, reason = "one type for all changes of rows")]
fn swap_rows<R>(rows: &mut Vec<R>) {
    rows.swap(0, 1);
}

#[expect(clippy::ptr_arg, reason = "one type for all changes of rows")]
fn change_value(rows: &mut Vec<Vec<Value>>) {
    rows[0][TABLE.column("class").unwrap()] = Value::Text("delete".to_owned());
}

fn drop_count(counts: &mut crate::bundle::Counts) {
    counts.remove("statements");
}

fn double(subjects: &mut Vec<Subject>) {
    subjects.insert(0, subjects[0].clone());
}

fn add_subject(manifest: &mut crate::bundle::BundleManifest) {
    let first = manifest.subject[0].clone();
    manifest.subject.insert(0, Subject { name: "VERIFY.html".to_owned(), ..first });
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

const TABLE: Table = Table::Statements;
const MANIFEST: &str = "manifest.dsse.json";
const PARQUET: &str = "tables/statements.parquet";
const CSV: &str = "csv/statements.csv";
const JSON: &str = "json/statements.json";
const SAFEGUARDS: &str = "safeguards.json";
const CATALOGUE: &str = "safeguards.toml";
