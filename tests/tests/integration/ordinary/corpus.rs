//! The corpus as it stands in `tests/ordinary/`: its README is the format's description.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::program::Program;
use crate::harness::Said;
use crate::harness::corpus::{self, Seen, Step};
use crate::harness::repository;

/// One file: a kind of work.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Class {
    class: String,
    #[expect(dead_code, reason = "for people")]
    about: String,
    case: Vec<Case>,
}

/// One piece of work.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    pub(super) id: String,
    pub(super) doing: String,
    #[serde(default, rename = "source")]
    _source: String,
    /// Major versions of the server that it works on.
    #[serde(default = "corpus::first_version")]
    pub(super) since: u32,
    #[serde(default = "corpus::last_version")]
    pub(super) until: u32,
    /// What exists beforehand, beside the schema.
    #[serde(default)]
    pub(super) setup: String,
    /// It reads definitions alone: it is compared with a plain copy, whose constraints are as they were.
    #[serde(default)]
    pub(super) structure: bool,
    /// Its rows have an order.
    #[serde(default)]
    pub(super) ordered: bool,
    #[serde(default)]
    pub(super) steps: Vec<Step>,
    pub(super) program: Option<Program>,
    /// SQLSTATEs of the errors that belong to it, in their order.
    #[serde(default)]
    pub(super) fails: Vec<String>,
    /// Why the relay refuses it, if it does.
    pub(super) refused: Option<String>,
    /// Why its result differs from the twin's, if it does.
    pub(super) differs: Option<String>,
}

/// What came of a case at one place.
pub(super) enum Answer {
    /// Of its steps.
    Steps(Seen),
    /// Of its program.
    Program(Said),
}

/// What is the same for all of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Schema {
    /// How the columns of protected relations are classified.
    pub(super) protects: BTreeMap<String, BTreeMap<String, toml::Value>>,
}

/// Everything.
pub(super) struct Corpus {
    pub(super) schema: Schema,
    classes: Vec<Class>,
}

impl Corpus {
    /// Reads all of it; a file that is not as the README says fails by name.
    pub(super) fn read() -> Self {
        let classes = corpus::classes(&folder(), |class: &Class| &class.class);
        Self { schema: toml::from_str(&text("schema.toml")).unwrap(), classes }
    }

    /// Every case, with the name of its class.
    pub(super) fn cases(&self) -> impl Iterator<Item = (&str, &Case)> {
        self.classes.iter().flat_map(|class| class.case.iter().map(|case| (class.class.as_str(), case)))
    }
}

/// A file of the corpus.
pub(super) fn text(name: &str) -> String {
    std::fs::read_to_string(folder().join(name)).unwrap()
}

/// Where the corpus is.
pub(super) fn folder() -> PathBuf {
    repository().join("tests/ordinary")
}
