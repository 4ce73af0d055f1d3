//! Rows and COPY data, gathered until they are complete or fill a page.

use super::entry::NULL;
use super::safe_text::{line, text};
use super::values::{is_number, render};
use crate::postgres::backend::{DataRow, FieldDescription};
use crate::postgres::format::Format;
use std::fmt;

/// A column of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// OID of its type; 0 if the recording does not tell.
    pub type_oid: u32,
    /// Format of its values.
    pub format: Format,
}

impl Column {
    pub(super) fn of(field: &FieldDescription<'_>) -> Self {
        Self { name: field.name.to_owned(), type_oid: field.type_oid, format: field.format }
    }

    pub(super) fn unknown(index: usize, format: Format) -> Self {
        Self { name: format!("?column {}?", index.saturating_add(1)), type_oid: 0, format }
    }
}

/// Rows of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its columns.
    pub columns: Vec<Column>,
    /// The rows as text; `None` is SQL NULL.
    pub rows: Vec<Vec<Option<String>>>,
    /// Number of this result's rows in tables before this one: a long result is told in pages.
    pub rows_before: u64,
    /// True for the last page of a result that the server completed.
    pub complete: bool,
    /// Rows that the server says it returned, where that is more than there are here: the others are not in the recording.
    pub returned: Option<u64>,
}

/// As psql writes it, but NULL as `\N` and escapes as COPY writes them.
impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.columns.iter().map(|column| line(&column.name)).collect();
        let mut widths: Vec<usize> = names.iter().map(|name| width(name)).collect();
        let cells = |row: &'_ [Option<String>]| -> Vec<String> {
            row.iter().map(|value| value.as_deref().map_or(NULL.into(), line).into_owned()).collect()
        };
        let rows: Vec<Vec<String>> = self.rows.iter().map(|row| cells(row)).collect();
        for row in &rows {
            for (widest, cell) in widths.iter_mut().zip(row) {
                *widest = (*widest).max(width(cell));
            }
        }
        let header: Vec<_> = names.iter().zip(&widths).map(|(name, width)| format!(" {name:^width$} ")).collect();
        writeln!(f, "{}", header.join("|").trim_end())?;
        let rule: Vec<_> = widths.iter().map(|width| "-".repeat(width + 2)).collect();
        writeln!(f, "{}", rule.join("+"))?;
        for row in &rows {
            let cells = row.iter().zip(&widths).zip(&self.columns).map(|((cell, width), column)| {
                if is_number(column.type_oid) { format!(" {cell:>width$} ") } else { format!(" {cell:<width$} ") }
            });
            writeln!(f, "{}", cells.collect::<Vec<_>>().join("|").trim_end())?;
        }
        let count = self.rows_before.saturating_add(u64::try_from(self.rows.len()).unwrap_or(u64::MAX));
        match (self.complete, self.returned, count) {
            (true, Some(returned), _) => write!(f, "({returned} rows, {count} of them recorded)"),
            (true, None, 1) => write!(f, "(1 row)"),
            (true, None, _) => write!(f, "({count} rows)"),
            (false, ..) => write!(f, "({count} rows so far)"),
        }
    }
}

/// COPY data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyPiece {
    /// The data: text as it is, binary in hexadecimal.
    pub data: String,
    /// Its length as recorded, in bytes.
    pub bytes: u64,
}

impl fmt::Display for CopyPiece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes:", self.bytes)?;
        text(&self.data).lines().try_for_each(|line| write!(f, "\n   | {line}"))
    }
}

/// The result that is coming in.
#[derive(Debug, Default)]
pub(super) struct Rows {
    table: Option<Table>,
    bytes: usize,
}

impl Rows {
    pub(super) fn begin(&mut self, columns: Vec<Column>) {
        self.table = Some(Table { columns, rows: Vec::new(), rows_before: 0, complete: false, returned: None });
        self.bytes = 0;
    }

    /// Begins unless a result is coming in already.
    pub(super) fn begin_once(&mut self, columns: impl FnOnce() -> Vec<Column>) {
        if self.table.is_none() {
            self.begin(columns());
        }
    }

    /// Adds a row; gives a page when it is full.
    pub(super) fn add(&mut self, row: DataRow<'_>) -> Option<Table> {
        self.begin_once(Vec::new);
        let table = self.table.as_mut()?;
        for index in table.columns.len()..row.len() {
            table.columns.push(Column::unknown(index, Format::Text));
        }
        let value = |(column, value): (&Column, Option<&[u8]>)| {
            value.map(|value| render(column.type_oid, column.format, value))
        };
        let values: Vec<Option<String>> = table.columns.iter().zip(row.columns()).map(value).collect();
        self.bytes += values.iter().flatten().map(String::len).sum::<usize>();
        table.rows.push(values);
        if table.rows.len() < PAGE_ROWS && self.bytes < PAGE_BYTES {
            return None;
        }
        let rows_before = table.rows_before.saturating_add(u64::try_from(table.rows.len()).unwrap_or(u64::MAX));
        let columns = table.columns.clone();
        self.bytes = 0;
        self.table.replace(Table { columns, rows: Vec::new(), rows_before, complete: false, returned: None })
    }

    /// The server completes the result, under this tag.
    pub(super) fn complete(&mut self, tag: &str) -> Option<Table> {
        let table = self.table.take()?;
        let here = table.rows_before.saturating_add(u64::try_from(table.rows.len()).unwrap_or(u64::MAX));
        // Other commands count the rows that they changed.
        let counted = tag.strip_prefix("SELECT ").or_else(|| tag.strip_prefix("FETCH "));
        let returned = counted.and_then(|count| count.parse().ok()).filter(|returned| *returned > here);
        Some(Table { complete: true, returned, ..table })
    }

    /// Something else ends the result.
    pub(super) fn end(&mut self) -> Option<Table> {
        self.table.take()
    }
}

/// COPY data that are coming in.
#[derive(Debug, Default)]
pub(super) struct Copying {
    format: Format,
    data: Vec<u8>,
}

impl Copying {
    pub(super) fn begin(&mut self, format: Format) {
        self.format = format;
    }

    /// Adds data; gives a page when it is full.
    pub(super) fn add(&mut self, data: &[u8]) -> Option<CopyPiece> {
        self.data.extend_from_slice(data);
        if self.data.len() < PAGE_BYTES { None } else { self.end() }
    }

    pub(super) fn end(&mut self) -> Option<CopyPiece> {
        let data = std::mem::take(&mut self.data);
        let bytes = u64::try_from(data.len()).unwrap_or(u64::MAX);
        (bytes > 0).then(|| CopyPiece { data: render(0, self.format, &data), bytes })
    }
}

/// Characters a cell takes, up to the widest that others are aligned to: one long value shall not pad every row.
fn width(cell: &str) -> usize {
    cell.chars().take(WIDEST).count()
}

/// Widest column that is aligned, in characters.
const WIDEST: usize = 60;

/// Rows of a page: what a person reads at once, and memory that a replay needs.
const PAGE_ROWS: usize = 1_000;

/// Bytes of a page.
const PAGE_BYTES: usize = 1 << 20;
