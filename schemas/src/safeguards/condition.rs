//! A condition on one column of a row.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::tables::{ColumnType, Table, Value};

/// A condition on one column. Exactly one test is given.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub struct Condition {
    column: String,
    test: Test,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Test {
    /// The value is one of these.
    In(Vec<Literal>),
    /// The value is none of these; neither is an absent one.
    NotIn(Vec<Literal>),
    /// Absent, an empty text or an empty list: yes or no.
    Empty(bool),
    /// A number or time above this one.
    Above(u64),
    /// The same value as in another column, and not absent.
    SameAs(String),
    /// A value above the one in another column, both there.
    AboveColumn(String),
}

/// A value as a catalogue writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum Literal {
    Boolean(bool),
    Integer(u64),
    Text(String),
}

/// A condition as a catalogue writes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Written {
    column: String,
    is: Option<Literal>,
    is_not: Option<Literal>,
    #[serde(rename = "in")]
    one_of: Option<Vec<Literal>>,
    #[serde(rename = "not-in")]
    none_of: Option<Vec<Literal>>,
    empty: Option<bool>,
    above: Option<u64>,
    same_as: Option<String>,
    above_column: Option<String>,
}

impl Condition {
    /// Whether it holds for a row of `table`.
    pub(super) fn holds(&self, table: Table, row: &[Value]) -> bool {
        let value = value(table, row, &self.column);
        match &self.test {
            Test::In(literals) => literals.iter().any(|literal| literal.is(value)),
            Test::NotIn(literals) => !literals.iter().any(|literal| literal.is(value)),
            Test::Empty(expected) => is_empty(value) == *expected,
            Test::Above(limit) => {
                matches!(value, Value::Integer(number) | Value::Time(number) if u64::try_from(*number).is_ok_and(|n| n > *limit))
            }
            Test::SameAs(other) => *value != Value::Null && value == self::value(table, row, other),
            Test::AboveColumn(other) => {
                let other = self::value(table, row, other);
                *value != Value::Null && *other != Value::Null && value > other
            }
        }
    }

    /// Whether `table` has the columns, and values of the literals' types.
    pub(super) fn check(&self, table: Table) -> Result<(), String> {
        let kind = column_type(table, &self.column)?;
        let other = |other: &String| match column_type(table, other)? {
            of_other if of_other == kind => Ok(()),
            _ => Err(format!("{table}.{} and {other} have different types", self.column)),
        };
        match &self.test {
            Test::In(literals) | Test::NotIn(literals) if literals.iter().any(|literal| literal.kind() != kind) => {
                Err(format!("{table}.{}: expected values of the column's type", self.column))
            }
            Test::Above(_) if !matches!(kind, ColumnType::Integer | ColumnType::Time) => {
                Err(format!("{table}.{}: expected a column of numbers", self.column))
            }
            Test::SameAs(column) | Test::AboveColumn(column) => other(column),
            Test::In(_) | Test::NotIn(_) | Test::Empty(_) | Test::Above(_) => Ok(()),
        }
    }
}

impl Literal {
    fn is(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Boolean(literal), Value::Boolean(value)) => literal == value,
            (Self::Integer(literal), Value::Integer(value)) => {
                u64::try_from(*value).is_ok_and(|value| value == *literal)
            }
            (Self::Text(literal), Value::Text(value)) => literal == value,
            _ => false,
        }
    }

    fn kind(&self) -> ColumnType {
        match self {
            Self::Boolean(_) => ColumnType::Boolean,
            Self::Integer(_) => ColumnType::Integer,
            Self::Text(_) => ColumnType::Text,
        }
    }
}

impl TryFrom<Written> for Condition {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        let tests = [
            written.is.map(|literal| Test::In(vec![literal])),
            written.is_not.map(|literal| Test::NotIn(vec![literal])),
            written.one_of.map(Test::In),
            written.none_of.map(Test::NotIn),
            written.empty.map(Test::Empty),
            written.above.map(Test::Above),
            written.same_as.map(Test::SameAs),
            written.above_column.map(Test::AboveColumn),
        ];
        let mut given = tests.into_iter().flatten();
        match (given.next(), given.next()) {
            (Some(test), None) => Ok(Self { column: written.column, test }),
            _ => Err(format!("column {} needs exactly one test", written.column)),
        }
    }
}

/// As people read it: `client_tls is none`.
impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let column = &self.column;
        match &self.test {
            Test::In(literals) => write!(f, "{column} is {}", one_of(literals, "or")),
            Test::NotIn(literals) => write!(f, "{column} is not {}", one_of(literals, "or")),
            Test::Empty(true) => write!(f, "{column} is empty"),
            Test::Empty(false) => write!(f, "{column} is not empty"),
            Test::Above(limit) => write!(f, "{column} is above {limit}"),
            Test::SameAs(other) => write!(f, "{column} is the same as {other}"),
            Test::AboveColumn(other) => write!(f, "{column} is above {other}"),
        }
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean(value) => write!(f, "{value}"),
            Self::Integer(value) => write!(f, "{value}"),
            Self::Text(value) => f.write_str(value),
        }
    }
}

/// The value of a column; no value where the row has none.
pub(super) fn value<'a>(table: Table, row: &'a [Value], column: &str) -> &'a Value {
    table.column(column).and_then(|index| row.get(index)).unwrap_or(&Value::Null)
}

/// Type of a column.
pub(super) fn column_type(table: Table, column: &str) -> Result<ColumnType, String> {
    let found = table.columns().iter().find(|known| known.name == column);
    found.map(|known| known.kind).ok_or_else(|| format!("{table}.{column}: there is no such column"))
}

/// `a`, `a or b`, `a, b or c`.
fn one_of(literals: &[Literal], last: &str) -> String {
    let texts: Vec<String> = literals.iter().map(ToString::to_string).collect();
    match texts.split_last() {
        Some((end, [])) => end.clone(),
        Some((end, before)) => format!("{} {last} {end}", before.join(", ")),
        None => "nothing".to_owned(),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Text(text) => text.is_empty(),
        Value::Texts(texts) => texts.is_empty(),
        Value::Integer(_) | Value::Boolean(_) | Value::Time(_) => false,
    }
}
