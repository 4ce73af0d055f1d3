//! A bundle: one signature over every file, evidence that holds, and tables that say what the evidence says.

mod answers;
mod comparison;
mod csv_rows;
mod encoded;
mod files;
mod json_rows;
mod manifest;
mod parquet_rows;
mod recomputation;
#[cfg(test)]
mod tests;
#[cfg(test)]
pub(super) use tests::{asks as asks_of_tests, mutated};

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use serde::Serialize;

use super::{Finding, Options, Report, SessionReport, SessionState, Source, observe};
use crate::bundle::layout::BundleFile;
use crate::bundle::{Counts, Predicate};
use crate::export_notes::ExportNotes;
use crate::layout::Scope;
use crate::period::Period;
use crate::rule::{Rule, Severity};
use crate::signature::PublicKey;
use crate::tables::Derivation;
use crate::tables::parquet::RandomRead;
use manifest::Manifest;
use recomputation::Recomputation;

/// The files of a bundle: [`Source`] with paths as keys, all files of the folder included.
pub trait Files: Source {
    /// One file, to be read piece by piece.
    ///
    /// # Errors
    /// Whatever keeps it from being opened.
    fn open(&self, path: &str) -> io::Result<Box<dyn RandomRead>>;
}

/// The outcome of verifying a bundle.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct BundleReport {
    /// What the bundle says it is of, if that could be read; it is believed only if the report holds.
    pub bundle: Option<Predicate>,
    /// What was looked at.
    pub checked: CheckedBundle,
    /// What does not hold of the bundle, in the order it was found.
    pub findings: Vec<Finding>,
    /// Its evidence.
    pub evidence: Report,
    /// What the store told when the bundle was made: a hint for people, on which nothing here rests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub told_by_the_store: Option<ExportNotes>,
}

/// How much of a bundle was checked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CheckedBundle {
    /// Files whose digests were compared.
    pub files: u64,
    /// Bytes of these.
    pub bytes: u64,
    /// Key certificates that hold.
    pub key_certificates: u64,
    /// Whether the manifest's signature holds.
    pub signature: bool,
    /// Rows that the evidence gives, by table.
    pub rows: Counts,
    /// Files of tables that were compared with these rows.
    pub tables: u64,
    /// Rows of these that are equal.
    pub equal_rows: u64,
    /// Safeguards that were answered again.
    pub safeguards: u64,
}

/// Verifies a bundle; `root` must have signed the certificates of its relays and of its bundles key.
///
/// # Errors
/// Only when the files cannot be listed. Everything else is a finding of the report.
pub fn verify_bundle(files: &dyn Files, root: &PublicKey, options: &Options) -> io::Result<BundleReport> {
    let paths = files.keys()?;
    let mut inspection = Inspection { files, report: BundleReport::default() };
    let manifest = Manifest::check(&mut inspection, &paths, root);
    let sound = files::check(&mut inspection, &paths, manifest.as_ref());
    let options = Options { period: manifest.as_ref().map(Manifest::period).or(options.period), ..options.clone() };
    inspection.report.told_by_the_store = notes(files, &sound);
    let mut recomputation = Recomputation::begin(&mut inspection, &sound);
    let mut derivation = Derivation::new(&mut recomputation);
    inspection.report.evidence = observe(&Objects(files), root, &options, &mut derivation)?;
    derivation.finish()?;
    recomputation.finish(&mut inspection);
    if let Some(manifest) = manifest {
        inspection.check_scope(manifest.predicate());
        inspection.check_period(manifest.period());
        inspection.check_counts(manifest.predicate());
        inspection.report.bundle = Some(manifest.into_predicate());
    }
    Ok(inspection.report)
}

impl BundleReport {
    /// Whether the bundle holds: it is signed, its evidence holds, and no finding is an error.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.checked.signature && self.evidence.holds() && self.errors().next().is_none()
    }

    /// The findings of severity error, those of the evidence last.
    pub fn errors(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.severity == Severity::Error).chain(self.evidence.errors())
    }
}

/// A bundle that is being looked at.
struct Inspection<'a> {
    files: &'a dyn Files,
    report: BundleReport,
}

impl Inspection<'_> {
    fn find(&mut self, path: &str, rule: Rule, message: impl Into<String>) {
        let finding = Finding { object: path.to_owned(), rule, severity: rule.severity(), message: message.into() };
        self.report.findings.push(finding);
    }

    /// A bundle is of one tenant and environment.
    fn check_scope(&mut self, predicate: &Predicate) {
        let evidence = &self.report.evidence;
        let scopes = evidence.incarnations.iter().map(|incarnation| (&incarnation.scope, &incarnation.incarnation));
        let strange =
            |scope: &Scope| (&scope.tenant, &scope.environment) != (&predicate.tenant, &predicate.environment);
        let found: Vec<String> = scopes
            .filter(|(scope, _)| strange(scope))
            .map(|(scope, incarnation)| scope.incarnation_prefix(incarnation))
            .collect();
        for prefix in found {
            self.find(&prefix, Rule::BundleScope, "is of another tenant or environment than the bundle");
        }
    }

    /// A session that is in the bundle touches its period, or is told of by its signed statements alone.
    fn check_period(&mut self, period: Period) {
        let sessions = self.report.evidence.sessions.iter().filter(|session| session.state != SessionState::Void);
        let strange = |session: &&SessionReport| {
            !session.outside && session.opened_us.is_some_and(|opened| !period.overlaps(opened, session.closed_us))
        };
        let found: Vec<String> =
            sessions.filter(strange).map(|session| session.scope.session_prefix(&session.session)).collect();
        for prefix in found {
            self.find(&prefix, Rule::BundlePeriod, "its session does not touch the bundle's period");
        }
    }

    fn check_counts(&mut self, predicate: &Predicate) {
        if self.report.checked.rows == predicate.counts {
            return;
        }
        let rows = self.report.checked.rows.clone();
        let manifest = BundleFile::Manifest.path();
        for (table, expected) in &rows {
            match predicate.counts.get(table) {
                Some(found) if found == expected => {}
                Some(found) => {
                    self.find(&manifest, Rule::BundleCounts, format!("{table}: {found} rows, expected {expected}"));
                }
                None => {
                    self.find(&manifest, Rule::BundleCounts, format!("{table}: no count, expected {expected} rows"))
                }
            }
        }
        if predicate.counts.keys().any(|table| !rows.contains_key(table)) {
            self.find(&manifest, Rule::BundleCounts, "has a count for what is no table");
        }
    }
}

/// What the store told. Whoever has the bundles key may leave it out, so one that cannot be read is as none.
fn notes(files: &dyn Files, sound: &BTreeSet<BundleFile>) -> Option<ExportNotes> {
    let is_there = sound.contains(&BundleFile::Notes);
    let bytes = is_there.then(|| files.get(ExportNotes::FILE, ExportNotes::LENGTH_MAX))?;
    ExportNotes::from_slice(&bytes.ok()?).ok()
}

/// What of a bundle is evidence.
struct Objects<'a>(&'a dyn Files);

impl Source for Objects<'_> {
    fn keys(&self) -> io::Result<Vec<String>> {
        let is_object = |path: &String| matches!(BundleFile::parse(path), Some(BundleFile::Object(_)));
        Ok(self.0.keys()?.into_iter().filter(is_object).collect())
    }

    fn get(&self, key: &str, limit: u64) -> io::Result<Vec<u8>> {
        self.0.get(key, limit)
    }
}

/// Files in memory.
impl Files for BTreeMap<String, Vec<u8>> {
    fn open(&self, path: &str) -> io::Result<Box<dyn RandomRead>> {
        let file = BTreeMap::get(self, path).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(io::Cursor::new(file.clone())))
    }
}
