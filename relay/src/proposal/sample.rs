//! What values of a column look like: counted, and forgotten.

use std::collections::{BTreeMap, HashSet};

use crate::catalog::{Column, FIRST_USER_OID, Kind, Relation, quoted};
use crate::safe_harbor::{Identifier, Values};
use crate::upstream::{Questions, UpstreamError};

/// What a sample of a column shows. It holds no value.
#[derive(Debug, Default)]
pub(super) struct Sample {
    /// Values that are not NULL and not empty.
    pub(super) values: usize,
    /// Different ones.
    pub(super) distinct: usize,
    /// How many have the form of each kind, as a whole.
    pub(super) whole: BTreeMap<Identifier, usize>,
    /// How many hold each kind.
    pub(super) within: BTreeMap<Identifier, usize>,
    /// How many consist of several words.
    pub(super) wordy: usize,
}

/// Why a relation cannot be sampled.
pub(super) fn obstacle(relation: &Relation) -> Option<String> {
    if relation.kind == Kind::Foreign {
        return Some("a foreign table holds what another server holds".to_owned());
    }
    if relation.row_security {
        return Some("row security decides what the login sees".to_owned());
    }
    (!relation.readable).then(|| "the login may not read it".to_owned())
}

/// Samples columns, by number; those of types that are not PostgreSQL's own are left out.
pub(super) async fn take(
    questions: &mut Questions,
    relation: &Relation,
    columns: &[&Column],
    rows: Option<&f64>,
    values: &Values,
) -> Result<BTreeMap<i16, Sample>, UpstreamError> {
    let plain: Vec<&Column> =
        columns.iter().copied().filter(|column| column.base < FIRST_USER_OID || column.base_kind == 'e').collect();
    let mut samples = BTreeMap::new();
    for some in plain.chunks(COLUMNS_A_QUESTION) {
        let answer = questions.ask(&question(relation, some, rows.copied())).await?;
        let rows: Vec<Vec<Option<String>>> =
            serde_json::from_str(&answer).map_err(|_| UpstreamError::Login("a sample has another form".to_owned()))?;
        for (place, column) in some.iter().enumerate() {
            let cells = rows.iter().filter_map(|row| row.get(place)?.as_deref());
            samples.insert(column.number, looked_at(cells, values));
        }
    }
    Ok(samples)
}

/// The beginnings of so many rows' columns. Of a large table, of pages all over it.
fn question(relation: &Relation, columns: &[&Column], rows: Option<f64>) -> String {
    let name = format!("{}.{}", quoted(&relation.schema), quoted(&relation.name));
    let sampled = match rows {
        Some(rows) if rows > LARGE => format!(" TABLESAMPLE SYSTEM ({:.6})", 100.0 * LARGE / rows),
        _ => String::new(),
    };
    let cells: Vec<String> = columns
        .iter()
        .map(|column| format!("pg_catalog.left(CAST(s.{} AS pg_catalog.text), {CHARACTERS})", quoted(&column.name)))
        .collect();
    format!(
        "SELECT COALESCE(pg_catalog.json_agg(pg_catalog.json_build_array({})), '[]')::pg_catalog.text \
         FROM (SELECT * FROM {name}{sampled} LIMIT {ROWS}) AS s",
        cells.join(", "),
    )
}

fn looked_at<'a>(cells: impl Iterator<Item = &'a str>, values: &Values) -> Sample {
    let mut sample = Sample::default();
    let mut different = HashSet::new();
    for cell in cells.filter(|cell| !cell.trim().is_empty()) {
        sample.values = sample.values.saturating_add(1);
        different.insert(cell);
        if let Some(identifier) = values.whole(cell) {
            let count = sample.whole.entry(identifier).or_default();
            *count = count.saturating_add(1);
        }
        let mut kinds: Vec<Identifier> = values.within(cell).into_iter().map(|found| found.identifier).collect();
        kinds.dedup();
        for identifier in kinds {
            let count = sample.within.entry(identifier).or_default();
            *count = count.saturating_add(1);
        }
        if cell.split_whitespace().count() >= WORDS {
            sample.wordy = sample.wordy.saturating_add(1);
        }
    }
    sample.distinct = different.len();
    sample
}

impl Sample {
    /// The kind that most values have the form of, and how many of a hundred do.
    pub(super) fn commonest(&self) -> Option<(Identifier, usize)> {
        let (identifier, count) = self.whole.iter().max_by_key(|(_, count)| **count)?;
        Some((*identifier, percent(*count, self.values)))
    }

    /// Whether it is prose.
    pub(super) fn is_prose(&self) -> bool {
        percent(self.wordy, self.values) >= 30
    }

    /// Whether there are few different values, each of them often.
    pub(super) fn is_repetitive(&self) -> bool {
        self.values >= 20 && self.distinct <= self.values / 5
    }
}

pub(super) fn percent(part: usize, whole: usize) -> usize {
    part.saturating_mul(100).checked_div(whole).unwrap_or(0)
}

/// Enough to tell a form; few enough to be read at once.
const ROWS: usize = 200;
/// Beyond so many rows, pages are chosen by chance.
const LARGE: f64 = 20_000.0;
/// Of each value. With rows and columns this bounds an answer to some 10 MB.
const CHARACTERS: usize = 256;
/// A function takes a hundred arguments at most.
const COLUMNS_A_QUESTION: usize = 50;
/// Fewer are a name or a code.
const WORDS: usize = 4;
