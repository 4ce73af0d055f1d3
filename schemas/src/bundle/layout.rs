//! Paths of a bundle's files, below the bundle's folder, with `/` between segments.
//!
//! ```text
//! manifest.dsse.json          the signed manifest
//! VERIFY.md                   how to verify it, also by hand
//! verify.py                   a verifier that is not ours: Python, written from SPEC.md
//! forms.json                  the forms of statements and events, which it reads
//! report.html                 for people
//! safeguards.json             answers to a catalogue of safeguards
//! safeguards.toml             that catalogue
//! export-notes.json           what the store told, where it told anything
//! tables/<table>.parquet      the tables
//! csv/<table>.csv
//! json/<table>.json
//! replay/<session>.html       a session for people
//! evidence/…                  objects below their keys
//! shredded/…
//! trust/…
//! log/…
//! ```
//! Wrapped session keys (`keys/`) are in no bundle: a copy under retention would keep a session from being shredded.

use crate::export_notes::ExportNotes;
use crate::identifiers::SessionId;
use crate::layout::{self as objects, EVIDENCE_PREFIX, LogObjectKind, ObjectKind, SHREDDED_PREFIX, TRUST_PREFIX};
use crate::tables::Table;

/// A file of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum BundleFile {
    /// The envelope of the [`super::BundleManifest`].
    Manifest,
    /// How to verify the bundle.
    Guide,
    /// A verifier in Python: [`super::STRANGER`].
    Stranger,
    /// Forms of statements and events, which that verifier reads: [`super::FORMS`].
    Forms,
    /// The report for people.
    Report,
    /// Answers to a catalogue of safeguards.
    Safeguards,
    /// That catalogue, as it was when the bundle was made.
    Catalogue,
    /// [`ExportNotes`]; only where the store told of something.
    Notes,
    /// A table.
    Table(Table, Encoding),
    /// A session for people.
    Replay(SessionId),
    /// An object of the store.
    Object(String),
}

/// How a table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Encoding {
    /// Apache Parquet.
    Parquet,
    /// RFC 4180.
    Csv,
    /// An array with a row a line.
    Json,
}

impl Encoding {
    /// All encodings.
    pub const ALL: [Self; 3] = [Self::Parquet, Self::Csv, Self::Json];

    fn place(self) -> (&'static str, &'static str) {
        match self {
            Self::Parquet => ("tables/", ".parquet"),
            Self::Csv => ("csv/", ".csv"),
            Self::Json => ("json/", ".json"),
        }
    }
}

impl BundleFile {
    /// The file's path.
    #[must_use]
    pub fn path(&self) -> String {
        match self {
            Self::Manifest => MANIFEST.to_owned(),
            Self::Guide => GUIDE.to_owned(),
            Self::Stranger => STRANGER.to_owned(),
            Self::Forms => FORMS.to_owned(),
            Self::Report => REPORT.to_owned(),
            Self::Safeguards => SAFEGUARDS.to_owned(),
            Self::Catalogue => CATALOGUE.to_owned(),
            Self::Notes => ExportNotes::FILE.to_owned(),
            Self::Table(table, encoding) => {
                let (folder, ending) = encoding.place();
                format!("{folder}{table}{ending}")
            }
            Self::Replay(session) => format!("{REPLAY_PREFIX}{session}{REPLAY_ENDING}"),
            Self::Object(key) => key.clone(),
        }
    }

    /// The file of this path; nothing for a path that no bundle has.
    #[must_use]
    pub fn parse(path: &str) -> Option<Self> {
        let file = match path {
            MANIFEST => Self::Manifest,
            GUIDE => Self::Guide,
            STRANGER => Self::Stranger,
            FORMS => Self::Forms,
            REPORT => Self::Report,
            SAFEGUARDS => Self::Safeguards,
            CATALOGUE => Self::Catalogue,
            ExportNotes::FILE => Self::Notes,
            _ => parse_table(path).or_else(|| parse_replay(path)).or_else(|| parse_object(path))?,
        };
        (file.path() == path).then_some(file)
    }

    /// The files that every bundle has beside its manifest and objects.
    pub fn required() -> impl Iterator<Item = Self> {
        let tables =
            Table::ALL.into_iter().flat_map(|table| Encoding::ALL.map(|encoding| Self::Table(table, encoding)));
        let others = [Self::Guide, Self::Stranger, Self::Forms, Self::Report, Self::Safeguards, Self::Catalogue];
        others.into_iter().chain(tables)
    }
}

fn parse_table(path: &str) -> Option<BundleFile> {
    Encoding::ALL.into_iter().find_map(|encoding| {
        let (folder, ending) = encoding.place();
        let name = path.strip_prefix(folder)?.strip_suffix(ending)?;
        Some(BundleFile::Table(Table::named(name)?, encoding))
    })
}

fn parse_replay(path: &str) -> Option<BundleFile> {
    let session = path.strip_prefix(REPLAY_PREFIX)?.strip_suffix(REPLAY_ENDING)?;
    Some(BundleFile::Replay(session.parse().ok()?))
}

fn parse_object(path: &str) -> Option<BundleFile> {
    let known = if path.starts_with(EVIDENCE_PREFIX) {
        objects::parse(path).is_some_and(|object| !matches!(object.kind, ObjectKind::WrappedKey(_)))
    } else if path.starts_with(TRUST_PREFIX) {
        objects::parse_key_certificate(path).is_some() || objects::parse(path).is_some()
    } else if path.starts_with(SHREDDED_PREFIX) {
        objects::parse_shredding(path).is_some()
    } else {
        // What is staged and what a sealer remembers proves nothing.
        let kind = objects::parse_log(path).map(|object| object.kind);
        matches!(kind, Some(LogObjectKind::Checkpoint(_) | LogObjectKind::Tile(_)))
    };
    known.then(|| BundleFile::Object(path.to_owned()))
}

const MANIFEST: &str = "manifest.dsse.json";
const GUIDE: &str = "VERIFY.md";
const STRANGER: &str = "verify.py";
const FORMS: &str = "forms.json";
const REPORT: &str = "report.html";
const SAFEGUARDS: &str = "safeguards.json";
const CATALOGUE: &str = "safeguards.toml";
const REPLAY_PREFIX: &str = "replay/";
const REPLAY_ENDING: &str = ".html";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_found_again_from_its_path() {
        let session: SessionId = "0123456789abcdef0123456789abcdef-0000000042".parse().unwrap();
        let object = format!("evidence/clinic/test/r1/{}/certificate.json", session.incarnation);
        let trust = format!("trust/clinic/test/{}.json", "ab".repeat(32));
        let files =
            [BundleFile::Manifest, BundleFile::Replay(session), BundleFile::Object(object), BundleFile::Object(trust)];
        for file in BundleFile::required().chain(files).chain([BundleFile::Notes]) {
            assert_eq!(BundleFile::parse(&file.path()), Some(file));
        }
    }

    #[test]
    fn any_other_path_is_no_file_of_a_bundle() {
        for bad in [
            "",
            "manifest.json",
            "tables/sessions.csv",
            "tables/secrets.parquet",
            "csv/sessions.csv~",
            "replay/../VERIFY.md",
            "replay/1.html",
            "evidence/readme.txt",
            "trust/clinic/test/1.json",
            "keys/clinic/test/r1/0123456789abcdef0123456789abcdef/0000000001.json",
            "approvals/x",
            "log/x",
        ] {
            assert_eq!(BundleFile::parse(bad), None, "{bad}");
        }
    }
}
