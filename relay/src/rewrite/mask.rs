//! Masks: one SQL expression for each style and type.
//!
//! Every expression is total (no stored value makes it fail), independent of settings, and has exactly the column's
//! base type, type modifier and collation, so that clients which decode binary see the type they expect (rule 10).
//! `redact`, `constant`, `null` and `default` tell nothing, not even whether there is a value; `last4`, `year` and
//! `zip3` show a part of it and leave NULL as NULL. Of arrays, these three would tell how many elements there are, so
//! they are for single values alone. The README says of each style what it does to identifiers under 45 CFR 164.514(b)(2).

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::constant::{constant, is_character, is_character_array, qualified_type};
use super::json_mask::JsonMask;
use crate::catalog::types::{BPCHAR, CHAR, DATE, JSON, JSONB, NAME, TIMESTAMP, TIMESTAMPTZ, VARCHAR};
use crate::catalog::{Column, literal, quoted};
use crate::config::ColumnStyle;

/// How a protected column looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Style {
    /// Character types: `***`; arrays of them: one element, `***`.
    Redact,
    /// Character types: the last four characters of values of eight and more, `***` for shorter ones.
    Last4,
    /// Any type: NULL.
    Null,
    /// Dates and timestamps: the first day of the year, UTC; NULL where the year would tell an age over 89
    /// (45 CFR 164.514(b)(2)(i)(C)).
    Year,
    /// Character types: the first three digits of a ZIP code; `000` for anything else and for sparse areas
    /// (45 CFR 164.514(b)(2)(i)(B)).
    Zip3,
    /// A fixed value of the type: zeros, an empty array or range, an enum's first label; NULL for composite types.
    Constant,
    /// Any type: `redact` for character types, NULL for the others.
    Default,
    /// Character types: what a function of the database makes of it, by a key that it keeps (rule 11).
    Hash(Arc<HashFunction>),
    /// `jsonb` and `json`: a document with the parts that are named, each with a style of its own.
    Json(Arc<JsonMask>),
}

/// A function that takes a text and returns one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HashFunction {
    /// Its schema.
    pub(crate) schema: String,
    /// Its name.
    pub(crate) name: String,
}

/// A style that does not exist, or may not be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StyleError {
    /// Not a style.
    #[error("`{0}` is no mask style: expected clear, redact, last4, null, year, zip3, constant or default")]
    Unknown(String),
    /// A keyed hash would show its key in plans and logs (rule 11).
    #[error(
        "`hash` alone is refused, for its key would appear in plans and server logs: expected {{ hash = \"schema.function\" }}, a function of the database that keeps its key, for a column as a whole"
    )]
    Hash,
    /// A path into JSON documents.
    #[error("path `{path}`: {problem}")]
    Path {
        /// As it is written.
        path: String,
        /// What was expected.
        problem: String,
    },
    /// JSON paths as a whole.
    #[error("{0}")]
    Paths(&'static str),
}

/// A style that does not fit a column.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("style `{style}` does not fit type {type_name}: it is for {fits}")]
pub struct Misfit {
    style: Style,
    type_name: String,
    fits: &'static str,
}

impl FromStr for Style {
    type Err = StyleError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "redact" => Ok(Self::Redact),
            "last4" => Ok(Self::Last4),
            "null" => Ok(Self::Null),
            "year" => Ok(Self::Year),
            "zip3" => Ok(Self::Zip3),
            "constant" => Ok(Self::Constant),
            "default" => Ok(Self::Default),
            "hash" => Err(StyleError::Hash),
            other => Err(StyleError::Unknown(other.to_owned())),
        }
    }
}

impl fmt::Display for Style {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Redact => "redact",
            Self::Last4 => "last4",
            Self::Null => "null",
            Self::Year => "year",
            Self::Zip3 => "zip3",
            Self::Constant => "constant",
            Self::Default => "default",
            Self::Hash(_) => "hash",
            Self::Json(_) => "json",
        })
    }
}

impl Style {
    /// The style that a classification states; nothing for `clear`.
    ///
    /// # Errors
    /// [`StyleError`].
    pub(crate) fn stated(written: &ColumnStyle) -> Result<Option<Self>, StyleError> {
        match written {
            written if written.is_clear() => Ok(None),
            ColumnStyle::Whole(style) => style.parse().map(Some),
            ColumnStyle::Hash(function) => match function.rsplit_once('.') {
                Some((schema, name)) if !schema.is_empty() && !name.is_empty() => {
                    let function = HashFunction { schema: schema.to_owned(), name: name.to_owned() };
                    Ok(Some(Self::Hash(Arc::new(function))))
                }
                _ => Err(StyleError::Hash),
            },
            ColumnStyle::Json(paths) => JsonMask::new(paths).map(|mask| Some(Self::Json(Arc::new(mask)))),
        }
    }

    /// As a classification states it.
    pub(crate) fn written(&self) -> ColumnStyle {
        match self {
            Self::Hash(function) => ColumnStyle::Hash(format!("{}.{}", function.schema, function.name)),
            Self::Json(mask) => ColumnStyle::Json(mask.written().clone()),
            style => ColumnStyle::Whole(style.to_string()),
        }
    }
}

/// Whether a style fits a column.
///
/// # Errors
/// [`Misfit`].
pub(crate) fn check(style: &Style, column: &Column) -> Result<(), Misfit> {
    expression(style, column, "").map(|_| ())
}

/// The mask as SQL text; `reference` is the column's qualified and quoted reference.
///
/// # Errors
/// [`Misfit`] when the style has no meaning for the column's type.
pub(crate) fn expression(style: &Style, column: &Column, reference: &str) -> Result<String, Misfit> {
    let misfit = |fits| Misfit { style: style.clone(), type_name: column.base_name.clone(), fits };
    let character = is_character(column);
    let value = match style {
        Style::Default if character => literal(REDACTED),
        Style::Null | Style::Default => "NULL".to_owned(),
        Style::Redact if character => literal(REDACTED),
        Style::Redact if is_character_array(column) => literal(&format!("{{{REDACTED}}}")),
        Style::Redact if column.base == CHAR => literal("*"),
        Style::Redact => return Err(misfit("character types and arrays of them")),
        Style::Last4 if character => {
            last4(column, reference).ok_or_else(|| misfit("types of at least 8 characters"))?
        }
        Style::Zip3 if character => zip3(column, reference).ok_or_else(|| misfit("types of at least 5 characters"))?,
        Style::Hash(function) if character => hash(function, column, reference).ok_or_else(|| misfit(HASHED_TYPES))?,
        Style::Hash(_) => return Err(misfit(HASHED_TYPES)),
        Style::Last4 | Style::Zip3 => return Err(misfit("character types")),
        Style::Year => year(column, reference).ok_or_else(|| misfit("dates and timestamps"))?,
        Style::Constant => constant(column).ok_or_else(|| misfit("types that have a plain value"))?,
        Style::Json(mask) if column.base == JSONB => mask.expression(reference),
        Style::Json(mask) if column.base == JSON => mask.of_text(reference),
        Style::Json(_) => return Err(misfit("types jsonb and json")),
    };
    Ok(typed(column, &value, character))
}

/// The column's exact type and collation around a value.
fn typed(column: &Column, value: &str, character: bool) -> String {
    let cast = format!("CAST({value} AS {})", qualified_type(&column.base_name));
    match &column.collation {
        Some(collation) => format!("({cast}) COLLATE {collation}"),
        None if column.base == NAME => format!("({cast}) COLLATE pg_catalog.\"C\""),
        None if character => format!("({cast}) COLLATE pg_catalog.\"default\""),
        None => cast,
    }
}

/// Characters the type can hold; `None` = no limit. A type modifier counts four bytes of header.
fn capacity(column: &Column) -> Option<usize> {
    match column.base {
        NAME => Some(63),
        VARCHAR | BPCHAR => usize::try_from(column.typmod).ok().and_then(|typmod| typmod.checked_sub(4)),
        _ => None,
    }
}

fn last4(column: &Column, reference: &str) -> Option<String> {
    let capacity = capacity(column).unwrap_or(usize::MAX);
    if capacity < LAST4_VALUE_MIN {
        return None;
    }
    let room = capacity.saturating_sub(4);
    let prefix = if room >= LAST4_PREFIX.len() { LAST4_PREFIX.to_owned() } else { "*".repeat(room) };
    Some(last4_of(&as_text(reference), &prefix))
}

/// Of a type that holds fewer characters than the hash has, its first ones.
fn hash(function: &HashFunction, column: &Column, reference: &str) -> Option<String> {
    let length = capacity(column).unwrap_or(HASH_LENGTH_MAX).min(HASH_LENGTH_MAX);
    let HashFunction { schema, name } = function;
    (length >= HASH_LENGTH_MIN)
        .then(|| format!("pg_catalog.left({}.{}({}), {length})", quoted(schema), quoted(name), as_text(reference)))
}

fn zip3(column: &Column, reference: &str) -> Option<String> {
    let holds = |characters| characters >= ZIP_LENGTH;
    capacity(column).is_none_or(holds).then(|| zip3_of(&as_text(reference)))
}

fn as_text(reference: &str) -> String {
    format!("CAST({reference} AS pg_catalog.text)")
}

/// `last4` of an expression of type text.
pub(super) fn last4_of(text: &str, prefix: &str) -> String {
    format!(
        "CASE WHEN pg_catalog.char_length({text}) OPERATOR(pg_catalog.>=) {LAST4_VALUE_MIN} \
         THEN {} OPERATOR(pg_catalog.||) pg_catalog.right({text}, 4) \
         WHEN {text} IS NOT NULL THEN {} END",
        literal(prefix),
        literal(REDACTED),
    )
}

/// `zip3` of an expression of type text. What does not begin with five digits is no ZIP code: one that lost its leading
/// zero must not show its first four digits.
pub(super) fn zip3_of(text: &str) -> String {
    let sparse = SPARSE_ZIP3.iter().map(|zip| literal(zip)).collect::<Vec<_>>().join(", ");
    let area = format!("pg_catalog.left({text} COLLATE pg_catalog.\"C\", 3)");
    format!(
        "CASE WHEN {text} IS NULL THEN NULL \
         WHEN {} AND {area} OPERATOR(pg_catalog.<>) ALL (ARRAY[{sparse}]) THEN {area} ELSE '000' END",
        begins_with_digits(text, ZIP_LENGTH),
    )
}

/// Whether an expression of type text begins with so many of the ten digits of ASCII.
pub(super) fn begins_with_digits(text: &str, digits: usize) -> String {
    let beginning = format!("pg_catalog.left({text} COLLATE pg_catalog.\"C\", {digits})");
    format!(
        "pg_catalog.char_length({beginning}) OPERATOR(pg_catalog.=) {digits} \
         AND pg_catalog.translate({beginning}, '0123456789', '') OPERATOR(pg_catalog.=) ''"
    )
}

/// Bounds come first, in a CASE of their own: outside of them the functions of the inner one can fail.
fn year(column: &Column, reference: &str) -> Option<String> {
    let (type_name, first, last, moment, start) = match column.base {
        DATE => (
            "date",
            "0001-01-01",
            "9999-12-31",
            reference.to_owned(),
            format!("pg_catalog.make_date(CAST(pg_catalog.date_part('year', {reference}) AS integer), 1, 1)"),
        ),
        TIMESTAMP => (
            "timestamp",
            "0001-01-01 00:00:00",
            "9999-12-31 00:00:00",
            reference.to_owned(),
            format!("pg_catalog.date_trunc('year', {reference})"),
        ),
        TIMESTAMPTZ => (
            "timestamptz",
            "0001-01-02 00:00:00+00",
            "9999-12-30 00:00:00+00",
            format!("pg_catalog.timezone('UTC', {reference})"),
            format!("pg_catalog.date_trunc('year', {reference}, 'UTC')"),
        ),
        _ => return None,
    };
    Some(format!(
        "CASE WHEN {reference} OPERATOR(pg_catalog.>=) CAST('{first}' AS pg_catalog.{type_name}) \
         AND {reference} OPERATOR(pg_catalog.<=) CAST('{last}' AS pg_catalog.{type_name}) \
         THEN CASE WHEN pg_catalog.date_part('year', {moment}) OPERATOR(pg_catalog.>) {OLDEST_YEAR} \
         THEN {start} END END"
    ))
}

/// 64 bits in hexadecimal: fewer would take different values for one.
const HASH_LENGTH_MIN: usize = 16;
/// SHA-256 in hexadecimal.
const HASH_LENGTH_MAX: usize = 64;
const HASHED_TYPES: &str = "character types of at least 16 characters";
pub(super) const REDACTED: &str = "***";
pub(super) const LAST4_PREFIX: &str = "***-**-";
/// Four shown characters are at most half of the value.
const LAST4_VALUE_MIN: usize = 8;
/// A ZIP code without what may follow it.
const ZIP_LENGTH: usize = 5;
/// The last year that is hidden: whoever was born in a later one is no older than 89 before this year ends.
pub(super) const OLDEST_YEAR: &str =
    "(pg_catalog.date_part('year', pg_catalog.timezone('UTC', pg_catalog.now())) OPERATOR(pg_catalog.-) 90)";
/// Three-digit areas of 20,000 people or fewer, by the census of 2000 (as in the Office for Civil Rights' guidance on
/// de-identification) and by that of 2010: areas of either list are hidden.
const SPARSE_ZIP3: [&str; 21] = [
    "036", "059", "063", "102", "203", "205", "369", "556", "692", "753", "772", "790", "821", "823", "830", "831",
    "878", "879", "884", "890", "893",
];
