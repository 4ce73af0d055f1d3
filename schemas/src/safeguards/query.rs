//! Queries: which rows of a table, and what to count of them. Closed on purpose: no expressions, no joins but "has no
//! partner", nothing that a reader with a spreadsheet could not do by hand.

use std::fmt;

use serde::{Deserialize, Deserializer};

use super::condition::{Condition, column_type, value};
use crate::tables::{ColumnType, Table, Value};

/// Rows of one table, and what of them is counted.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// Table.
    #[serde(deserialize_with = "table")]
    pub table: Table,
    /// All of them hold for a row that counts.
    #[serde(default, rename = "where")]
    pub conditions: Vec<Condition>,
    /// Rows that count have no partner in another table.
    #[serde(default)]
    pub without: Option<Without>,
    /// What is counted; the rows, if nothing else is said.
    #[serde(default)]
    pub measure: Measure,
}

/// What is counted of the rows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Measure {
    /// The rows.
    #[default]
    Rows,
    /// The different combinations of values in these columns.
    Distinct(Vec<String>),
    /// The sum of a column of numbers; no value adds nothing.
    Sum(String),
}

/// A partner is a row of `table` that has the same values in all columns of `on` and for which the conditions hold.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Without {
    /// The other table.
    #[serde(deserialize_with = "table")]
    pub table: Table,
    /// Columns that both tables have.
    pub on: Vec<String>,
    /// Conditions on the partner.
    #[serde(default, rename = "where")]
    pub conditions: Vec<Condition>,
}

impl Query {
    /// Whether the conditions hold for this row of this table; partners are not looked for.
    pub(super) fn selects(&self, table: Table, row: &[Value]) -> bool {
        self.table == table && self.conditions.iter().all(|condition| condition.holds(table, row))
    }

    /// Whether tables and columns are there; `shown` are columns besides the query's own.
    pub(super) fn check(&self, shown: &[String]) -> Result<(), String> {
        self.conditions.iter().try_for_each(|condition| condition.check(self.table))?;
        let mut columns: Vec<&String> = shown.iter().collect();
        match &self.measure {
            Measure::Rows => {}
            Measure::Distinct(distinct) => columns.extend(distinct),
            Measure::Sum(column) if column_type(self.table, column)? != ColumnType::Integer => {
                return Err(format!("{}.{column}: expected a column of numbers", self.table));
            }
            Measure::Sum(_) => {}
        }
        if let Some(without) = &self.without {
            without.conditions.iter().try_for_each(|condition| condition.check(without.table))?;
            for column in &without.on {
                if column_type(self.table, column)? != column_type(without.table, column)? {
                    return Err(format!("{column}: of different types in {} and {}", self.table, without.table));
                }
            }
        }
        columns.into_iter().try_for_each(|column| column_type(self.table, column).map(|_| ()))
    }
}

impl Without {
    /// Whether this row can be a partner.
    pub(super) fn selects(&self, table: Table, row: &[Value]) -> bool {
        self.table == table && self.conditions.iter().all(|condition| condition.holds(table, row))
    }
}

/// As people read it: `rows of sessions where client_tls is none`.
impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.measure {
            Measure::Rows => write!(f, "rows of {}", self.table)?,
            Measure::Distinct(columns) => write!(f, "different {} in {}", columns.join(" + "), self.table)?,
            Measure::Sum(column) => write!(f, "sum of {column} in {}", self.table)?,
        }
        write_conditions(&self.conditions, f)?;
        if let Some(without) = &self.without {
            write!(f, ", with no row of the same {} in {}", without.on.join(" + "), without.table)?;
            write_conditions(&without.conditions, f)?;
        }
        Ok(())
    }
}

/// The values of these columns.
pub(super) fn combination(table: Table, row: &[Value], columns: &[String]) -> Vec<Value> {
    columns.iter().map(|column| value(table, row, column).clone()).collect()
}

fn write_conditions(conditions: &[Condition], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (index, condition) in conditions.iter().enumerate() {
        write!(f, "{}{condition}", if index == 0 { " where " } else { " and " })?;
    }
    Ok(())
}

fn table<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Table, D::Error> {
    let name = String::deserialize(deserializer)?;
    Table::named(&name).ok_or_else(|| serde::de::Error::custom(format!("{name}: there is no such table")))
}
