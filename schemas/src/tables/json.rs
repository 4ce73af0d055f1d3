//! Rows as JSON: an array with one row a line, so that it can be read as a whole or line by line.

use std::io::{self, Write};

use serde_json::{Map, Value as Json};

use super::{Table, Value};
use crate::canonical;
use crate::instant::rfc3339;

/// Writes the rows of a table.
#[derive(Debug)]
pub struct JsonWriter<W> {
    table: Table,
    out: W,
    rows: u64,
}

impl<W: Write> JsonWriter<W> {
    /// A table without rows.
    pub fn new(table: Table, out: W) -> Self {
        Self { table, out, rows: 0 }
    }

    /// Appends a row, given as the values of the table's columns.
    ///
    /// # Errors
    /// Those of the output.
    pub fn push_values(&mut self, values: &[Value]) -> io::Result<()> {
        self.out.write_all(if self.rows == 0 { OPENING } else { SEPARATOR })?;
        self.rows = self.rows.saturating_add(1);
        self.out.write_all(&line(self.table, values).map_err(io::Error::other)?)
    }

    /// Ends the array and gives the output back.
    ///
    /// # Errors
    /// Those of the output.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.write_all(if self.rows == 0 { EMPTY } else { CLOSING })?;
        self.out.flush()?;
        Ok(self.out)
    }
}

/// A row as a JSON object: a member for each column, `null` for no value, times as RFC 3339.
#[must_use]
pub fn json_row(table: Table, values: &[Value]) -> Map<String, Json> {
    table.columns().iter().zip(values).map(|(column, value)| (column.name.to_owned(), json(value))).collect()
}

/// The row's line, without what separates lines: canonical JSON.
pub(crate) fn line(table: Table, values: &[Value]) -> Result<Vec<u8>, crate::Error> {
    canonical::to_vec(&json_row(table, values))
}

fn json(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Text(text) => Json::from(text.clone()),
        Value::Integer(number) => Json::from(*number),
        Value::Boolean(flag) => Json::from(*flag),
        Value::Time(time_us) => Json::from(rfc3339(time_us.unsigned_abs())),
        Value::Texts(texts) => Json::from(texts.clone()),
    }
}

/// Before the first row.
pub(crate) const OPENING: &[u8] = b"[\n";
/// Between two rows.
pub(crate) const SEPARATOR: &[u8] = b",\n";
/// After the last row.
pub(crate) const CLOSING: &[u8] = b"\n]\n";
/// A table without rows.
pub(crate) const EMPTY: &[u8] = b"[]\n";
