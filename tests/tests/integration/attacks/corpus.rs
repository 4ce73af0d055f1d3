//! The corpus as it stands in `tests/attacks/`: its README is the format's description.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::leak::Marks;
use crate::harness::corpus::{self, Does, Step};
use crate::harness::repository;

/// One file: a class of attacks.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Class {
    pub(crate) class: String,
    #[expect(dead_code, reason = "for people")]
    about: String,
    /// Where its cases are made, when the product is set up for them otherwise than for the rest.
    database: Option<Own>,
    pub(crate) case: Vec<Case>,
}

/// A database of a class's own, and what is special of the product in front of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Own {
    /// As a case's `own_database`.
    name: String,
    /// What the superuser makes before the cases do.
    #[serde(default)]
    pub(crate) setup: String,
    /// What is protected for all cases.
    #[serde(default)]
    pub(crate) protects: BTreeMap<String, BTreeMap<String, toml::Value>>,
    /// The product logs in without every right: the set-up gives those that it has.
    #[serde(default)]
    pub(crate) plain_login: bool,
    /// Kinds of identifiers that are seen by their form, in columns that nobody protected.
    #[serde(default)]
    pub(crate) detects: Vec<String>,
    /// Relations in which masks are stored once somebody approves, who approves everything.
    #[serde(default)]
    pub(crate) stores_masks: Vec<String>,
}

/// One attack.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    pub(crate) id: String,
    pub(crate) why: String,
    #[serde(default, rename = "source")]
    _source: String,
    /// Major versions of the server that it works on.
    #[serde(default = "corpus::first_version")]
    pub(crate) since: u32,
    #[serde(default = "corpus::last_version")]
    pub(crate) until: u32,
    /// Extensions that the target must have.
    #[serde(default)]
    pub(crate) needs: Vec<String>,
    /// It changes what is global to a database, so it gets another one: that of this name.
    pub(crate) own_database: Option<String>,
    /// What the superuser makes beforehand.
    #[serde(default)]
    pub(crate) setup: String,
    /// Relations of the set-up that are protected.
    #[serde(default)]
    pub(crate) protects: BTreeMap<String, BTreeMap<String, toml::Value>>,
    pub(crate) steps: Vec<Step>,
    /// What tells that it succeeded, where that is another text than a canary.
    #[serde(default)]
    pub(crate) reveals: Vec<String>,
    /// Values for `{name}` in the steps: it succeeds where both give different answers.
    #[serde(default)]
    pub(crate) right: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) wrong: BTreeMap<String, String>,
}

/// What is the same for all of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Schema {
    /// Planted values, by column.
    pub(crate) canaries: BTreeMap<String, String>,
    /// How the columns of protected relations are classified.
    pub(crate) protects: BTreeMap<String, BTreeMap<String, toml::Value>>,
}

/// Everything.
pub(crate) struct Corpus {
    pub(crate) schema: Schema,
    /// What to look for in answers.
    pub(crate) canaries: Marks,
    pub(crate) classes: Vec<Class>,
}

impl Corpus {
    /// Reads all of it; a file that is not as the README says fails by name.
    pub(crate) fn read() -> Self {
        let mut classes = corpus::classes(&folder(), |class: &Class| &class.class);
        for class in &mut classes {
            if let Some(own) = &class.database {
                class.case.iter_mut().for_each(|case| case.own_database = Some(own.name.clone()));
            }
        }
        let schema: Schema = toml::from_str(&std::fs::read_to_string(folder().join("schema.toml")).unwrap()).unwrap();
        let canaries = Marks::of(schema.canaries.values());
        Self { schema, canaries, classes }
    }

    /// What is special of the product in front of this database.
    pub(crate) fn own(&self, name: &str) -> Option<&Own> {
        self.classes.iter().filter_map(|class| class.database.as_ref()).find(|own| own.name == name)
    }

    /// Every case, with the name of its class.
    pub(crate) fn cases(&self) -> impl Iterator<Item = (&str, &Case)> {
        self.classes.iter().flat_map(|class| class.case.iter().map(|case| (class.class.as_str(), case)))
    }
}

impl Case {
    pub(crate) fn is_for(&self, version: u32) -> bool {
        (self.since..=self.until).contains(&version)
    }

    /// It succeeds by different answers.
    pub(crate) fn is_oracle(&self) -> bool {
        !self.right.is_empty()
    }

    /// It takes as long as the product may be behind.
    pub(crate) fn is_slow(&self) -> bool {
        self.steps.iter().any(|step| matches!(step.does, Does::Settle))
    }

    /// The steps with these values in them.
    pub(crate) fn steps_with(&self, values: &BTreeMap<String, String>) -> Vec<Step> {
        let fill = |text: &str| {
            values.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
        };
        self.steps.iter().map(|step| step.filled(&fill)).collect()
    }
}

/// Where the corpus is.
pub(crate) fn folder() -> PathBuf {
    repository().join("tests/attacks")
}
