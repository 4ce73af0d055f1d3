//! Answers: what the rows of a period say to a catalogue.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::condition::value;
use crate::digest::Sha256Digest;
use crate::instant::rfc3339;
use crate::tables::{Table, Value};

/// What the rows say to a catalogue: a bundle's `safeguards.json`, as canonical JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answers {
    /// The catalogue's framework.
    pub framework: String,
    /// SHA-256 of the catalogue's text.
    pub catalogue_sha256: Sha256Digest,
    /// One a safeguard, in the catalogue's order.
    pub answers: Vec<Answer>,
}

/// What the rows say to one safeguard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// Where the safeguard stands.
    pub citation: String,
    /// Its heading.
    pub title: String,
    /// Numbers.
    pub counts: Vec<AnsweredCount>,
    /// Rows that somebody should look at.
    pub exceptions: Vec<AnsweredException>,
    /// What the rows do not show.
    pub not_covered: Vec<String>,
}

/// A number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnsweredCount {
    /// What it counts.
    pub label: String,
    /// How it was counted, in words.
    pub query: String,
    /// The number.
    pub count: u64,
}

/// Rows that somebody should look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnsweredException {
    /// What they are.
    pub label: String,
    /// How they were found, in words.
    pub query: String,
    /// How many there are.
    pub count: u64,
    /// What stands in `rows`.
    pub columns: Vec<String>,
    /// The first [`LISTED_MAX`] of them.
    pub rows: Vec<Vec<Json>>,
}

impl Answer {
    /// Rows to look at, over all kinds of exceptions.
    #[must_use]
    pub fn exceptions_total(&self) -> u64 {
        self.exceptions.iter().fold(0, |total, exception| total.saturating_add(exception.count))
    }
}

/// The row's values of these columns.
pub(super) fn shown(table: Table, row: &[Value], columns: &[String]) -> Vec<Json> {
    let cell = |column: &String| match value(table, row, column) {
        Value::Null => Json::Null,
        Value::Text(text) => Json::from(text.clone()),
        Value::Integer(number) => Json::from(*number),
        Value::Boolean(flag) => Json::from(*flag),
        Value::Time(time) => Json::from(rfc3339(u64::try_from(*time).unwrap_or(0))),
        Value::Texts(texts) => Json::from(texts.clone()),
    };
    columns.iter().map(cell).collect()
}

/// Rows of one kind of exception that are listed; all of them stand in the tables.
pub const LISTED_MAX: usize = 50;
