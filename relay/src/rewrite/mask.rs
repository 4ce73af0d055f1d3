//! Masks: one SQL expression for each style and type.
//!
//! Every expression is total (no stored value makes it fail), independent of settings, and has exactly the column's
//! base type, type modifier and collation, so that clients which decode binary see the type they expect (rule 10).
//! `redact`, `constant`, `null` and `default` tell nothing, not even whether there is a value; `last4`, `year` and
//! `zip3` show a part of it and leave NULL as NULL.

use std::fmt;
use std::str::FromStr;

use crate::catalog::{Column, literal};

/// How a protected column looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Style {
    /// Character types: `***`.
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
    /// Common types: a fixed value of the type.
    Constant,
    /// Any type: `redact` for character types, NULL for the others.
    Default,
}

/// A style that does not exist, or may not be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StyleError {
    /// Not a style.
    #[error("`{0}` is no mask style: expected clear, redact, last4, null, year, zip3, constant or default")]
    Unknown(String),
    /// A keyed hash would show its key in plans and logs (rule 11).
    #[error("`hash` is refused: its key would appear in plans and server logs")]
    Hash,
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
        })
    }
}

/// Whether a style fits a column.
///
/// # Errors
/// [`Misfit`].
pub(crate) fn check(style: Style, column: &Column) -> Result<(), Misfit> {
    expression(style, column, "").map(|_| ())
}

/// The mask as SQL text; `reference` is the column's qualified and quoted reference.
///
/// # Errors
/// [`Misfit`] when the style has no meaning for the column's type.
pub(crate) fn expression(style: Style, column: &Column, reference: &str) -> Result<String, Misfit> {
    let misfit = |fits| Misfit { style, type_name: column.base_name.clone(), fits };
    let character = is_character(column);
    let value = match style {
        Style::Default if character => literal(REDACTED),
        Style::Null | Style::Default => "NULL".to_owned(),
        Style::Redact if character => literal(REDACTED),
        Style::Last4 if character => {
            last4(column, reference).ok_or_else(|| misfit("types of at least 8 characters"))?
        }
        Style::Zip3 if character => zip3(column, reference).ok_or_else(|| misfit("types of at least 3 characters"))?,
        Style::Redact | Style::Last4 | Style::Zip3 => return Err(misfit("character types")),
        Style::Year => year(column, reference).ok_or_else(|| misfit("dates and timestamps"))?,
        Style::Constant => constant(column).map(|text| literal(&text)).ok_or_else(|| misfit("common types"))?,
    };
    Ok(typed(column, &value, character))
}

/// The column's exact type and collation around a value.
fn typed(column: &Column, value: &str, character: bool) -> String {
    let cast = format!("CAST({value} AS {})", column.base_name);
    match &column.collation {
        Some(collation) => format!("({cast}) COLLATE {collation}"),
        None if column.base == NAME => format!("({cast}) COLLATE pg_catalog.\"C\""),
        None if character => format!("({cast}) COLLATE pg_catalog.\"default\""),
        None => cast,
    }
}

fn is_character(column: &Column) -> bool {
    matches!(column.base, TEXT | VARCHAR | BPCHAR | NAME)
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
    let text = format!("CAST({reference} AS pg_catalog.text)");
    Some(format!(
        "CASE WHEN pg_catalog.char_length({text}) OPERATOR(pg_catalog.>=) {LAST4_VALUE_MIN} \
         THEN {} OPERATOR(pg_catalog.||) pg_catalog.right({text}, 4) \
         WHEN {reference} IS NOT NULL THEN {} END",
        literal(&prefix),
        literal(REDACTED),
    ))
}

fn zip3(column: &Column, reference: &str) -> Option<String> {
    if capacity(column).is_some_and(|characters| characters < 3) {
        return None;
    }
    let area = format!("pg_catalog.left(CAST({reference} AS pg_catalog.text) COLLATE pg_catalog.\"C\", 3)");
    let sparse = SPARSE_ZIP3.iter().map(|zip| literal(zip)).collect::<Vec<_>>().join(", ");
    Some(format!(
        "CASE WHEN {reference} IS NULL THEN NULL \
         WHEN pg_catalog.char_length({area}) OPERATOR(pg_catalog.=) 3 \
         AND pg_catalog.translate({area}, '0123456789', '') OPERATOR(pg_catalog.=) '' \
         AND {area} OPERATOR(pg_catalog.<>) ALL (ARRAY[{sparse}]) THEN {area} ELSE '000' END"
    ))
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
         THEN CASE WHEN pg_catalog.date_part('year', {moment}) OPERATOR(pg_catalog.>) \
         (pg_catalog.date_part('year', pg_catalog.timezone('UTC', pg_catalog.now())) OPERATOR(pg_catalog.-) {AGE_MAX}) \
         THEN {start} END END"
    ))
}

fn constant(column: &Column) -> Option<String> {
    let value = match column.base {
        _ if is_character(column) => "masked",
        BOOL => "false",
        INT2 | INT4 | INT8 | FLOAT4 | FLOAT8 | NUMERIC => "0",
        DATE => "1900-01-01",
        TIMESTAMP => "1900-01-01 00:00:00",
        TIMESTAMPTZ => "1900-01-01 00:00:00+00",
        TIME => "00:00:00",
        INTERVAL => "0",
        UUID => "00000000-0000-0000-0000-000000000000",
        JSON | JSONB => "{}",
        BYTEA => "",
        INET | CIDR => "0.0.0.0",
        _ if column.base_name.ends_with("[]") => "{}",
        _ => return None,
    };
    Some(value.to_owned())
}

const REDACTED: &str = "***";
const LAST4_PREFIX: &str = "***-**-";
/// Four shown characters are at most half of the value.
const LAST4_VALUE_MIN: usize = 8;
/// A year is shown while nobody born in it is older than 89 before the year ends.
const AGE_MAX: u32 = 90;
/// Three-digit areas of 20,000 people or fewer, by the census of 2000 (as in the Office for Civil Rights' guidance on
/// de-identification) and by that of 2010: areas of either list are hidden.
const SPARSE_ZIP3: [&str; 21] = [
    "036", "059", "063", "102", "203", "205", "369", "556", "692", "753", "772", "790", "821", "823", "830", "831",
    "878", "879", "884", "890", "893",
];

const BOOL: u32 = 16;
const BYTEA: u32 = 17;
const NAME: u32 = 19;
const INT8: u32 = 20;
const INT2: u32 = 21;
const INT4: u32 = 23;
const TEXT: u32 = 25;
const JSON: u32 = 114;
const CIDR: u32 = 650;
const FLOAT4: u32 = 700;
const FLOAT8: u32 = 701;
const INET: u32 = 869;
const BPCHAR: u32 = 1042;
const VARCHAR: u32 = 1043;
const DATE: u32 = 1082;
const TIME: u32 = 1083;
const TIMESTAMP: u32 = 1114;
const TIMESTAMPTZ: u32 = 1184;
const INTERVAL: u32 = 1186;
const NUMERIC: u32 = 1700;
const UUID: u32 = 2950;
const JSONB: u32 = 3802;
