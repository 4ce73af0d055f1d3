//! Rows as CSV (RFC 4180).

use super::{Table, Value};
use crate::csv;
use crate::instant::rfc3339;

/// The record of the table's column names.
#[must_use]
pub fn csv_header(table: Table) -> Vec<u8> {
    csv::record(table.columns().iter().map(|column| Some(column.name)))
}

/// A row's record. No value is an empty field, an empty text `""`; times are RFC 3339, the texts of a list are joined
/// by `;`.
#[must_use]
pub fn csv_row(values: &[Value]) -> Vec<u8> {
    let cells: Vec<Option<String>> = values.iter().map(cell).collect();
    csv::record(cells.iter().map(Option::as_deref))
}

fn cell(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::Text(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Boolean(flag) => Some(flag.to_string()),
        Value::Time(time_us) => Some(rfc3339(time_us.unsigned_abs())),
        Value::Texts(texts) => Some(texts.join(";")),
    }
}
