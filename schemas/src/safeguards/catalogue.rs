//! The catalogue: safeguards as data.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::SafeguardError;
use super::query::Query;

/// Safeguards of one rule book.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    /// Short name, e.g. `HIPAA`.
    pub framework: String,
    /// Where the citations lead, and as of when.
    pub source: String,
    /// What holds for every safeguard of it.
    pub note: String,
    /// Those that rows answer, in order of their citation.
    pub safeguard: Vec<Safeguard>,
    /// Those that a reader may look for here and that no row of this version answers.
    pub unanswered: Vec<Unanswered>,
}

/// One standard or implementation specification.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Safeguard {
    /// Where it stands, e.g. `45 CFR 164.312(b)`.
    pub citation: String,
    /// Its heading there.
    pub title: String,
    /// What the rule book says of its force.
    pub designation: Designation,
    /// What it asks for, in our words; the citation has the law's.
    pub asks: String,
    /// What the rows show of that.
    pub shows: String,
    /// How many rows show it.
    pub count: Vec<Count>,
    /// Rows that somebody should look at.
    pub exception: Vec<Exception>,
    /// What the rows do not show.
    pub not_covered: Vec<String>,
}

/// Force of a safeguard, as the rule book has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Designation {
    /// A standard: what must be reached (45 CFR 164.306(c), 164.500).
    Standard,
    /// A required implementation specification (45 CFR 164.306(d)(2)).
    Required,
    /// An addressable one: to be done, or its equivalent, or documented why not (45 CFR 164.306(d)(3)).
    Addressable,
}

/// A number and what it counts.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Count {
    /// What it counts, for people.
    pub label: String,
    /// How it is counted.
    pub query: Query,
}

/// Rows that somebody should look at. None of them is a violation by itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exception {
    /// What they are, for people.
    pub label: String,
    /// Which rows.
    pub query: Query,
    /// Columns shown of each row.
    pub show: Vec<String>,
}

/// A safeguard that is left out, and why.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unanswered {
    /// Where it stands.
    pub citation: String,
    /// Its heading there.
    pub title: String,
    /// Why no row answers it.
    pub why: String,
}

impl Catalogue {
    /// Reads a catalogue (TOML): every citation once, and queries for what there is.
    ///
    /// # Errors
    /// [`SafeguardError`], with the place.
    pub fn parse(text: &str) -> Result<Self, SafeguardError> {
        let catalogue: Self = toml::from_str(text).map_err(|error| SafeguardError::Unreadable(error.to_string()))?;
        let citations = catalogue.safeguard.iter().map(|safeguard| &safeguard.citation);
        let mut seen = BTreeSet::new();
        for citation in citations.chain(catalogue.unanswered.iter().map(|left_out| &left_out.citation)) {
            if !seen.insert(citation) {
                return Err(SafeguardError::Unreadable(format!("{citation} stands twice")));
            }
        }
        for safeguard in &catalogue.safeguard {
            safeguard
                .check()
                .map_err(|problem| SafeguardError::Query { citation: safeguard.citation.clone(), problem })?;
        }
        Ok(catalogue)
    }
}

impl Safeguard {
    fn check(&self) -> Result<(), String> {
        self.count.iter().try_for_each(|count| count.query.check(&[]))?;
        self.exception.iter().try_for_each(|exception| exception.query.check(&exception.show))
    }
}

/// `schemas/safeguards/hipaa.toml`, the catalogue of HIPAA that this version was built with.
pub const HIPAA: &str = include_str!("../../safeguards/hipaa.toml");
