//! The tables of a bundle: what happened, as rows, for who asks questions with SQL or a spreadsheet.
//!
//! Rows are derived from verified evidence alone ([`Derivation`]), so that whoever holds the evidence can make them
//! again and compare. A table has three encodings with the same rows in the same order: Parquet (feature `parquet`),
//! [CSV](csv_row) and [JSON](JsonWriter). `SPEC.md`, section "Tables", is normative.

mod cell;
mod derivation;
mod error_class;
mod json;
#[cfg(feature = "parquet")]
pub mod parquet;
mod rows;
mod session;
#[cfg(test)]
mod tests;
mod text;

use std::fmt;

pub use cell::{Cell, ColumnType, Time, Value};
pub use derivation::{Derivation, RowSink};
pub use error_class::error_class;
pub use json::{JsonWriter, json_row};
pub use rows::{
    ApprovalRow, ChunkRow, DenialRow, DetectionRow, ExecutionRow, GrantRow, MaskingRow, ObjectRow, SessionRow,
    StatementRow,
};
pub use session::SessionRows;
pub use text::{csv_header, csv_row};

/// A table of a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// One row a session.
    Sessions,
    /// One row a decided statement.
    Statements,
    /// One row an execution of a statement.
    Executions,
    /// One row an object a statement touches.
    ObjectsTouched,
    /// One row a protected column of a touched object: masked or revealed.
    Masking,
    /// One row a request for approval.
    Approvals,
    /// One row a statement that was not let through.
    Denials,
    /// One row a column, literal or parameter in which a detector saw the form of an identifier, each time.
    Detections,
    /// One row an object a session was allowed to touch.
    Grants,
    /// One row a chunk.
    Chunks,
}

/// A column of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Name, in every encoding.
    pub name: &'static str,
    /// Type of its values.
    pub kind: ColumnType,
    /// Whether a row may have no value.
    pub optional: bool,
    /// What it says, one sentence.
    pub meaning: &'static str,
}

/// A row of a table.
pub trait Row {
    /// The table.
    const TABLE: Table;
    /// Its columns, in order.
    const COLUMNS: &'static [Column];

    /// The row's values, in the order of the columns.
    fn values(&self) -> Vec<Value>;
}

impl Table {
    /// All tables, in the order of `SPEC.md`.
    pub const ALL: [Self; 10] = [
        Self::Sessions,
        Self::Statements,
        Self::Executions,
        Self::ObjectsTouched,
        Self::Masking,
        Self::Approvals,
        Self::Denials,
        Self::Detections,
        Self::Grants,
        Self::Chunks,
    ];

    /// The table's name; also of its files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sessions => "sessions",
            Self::Statements => "statements",
            Self::Executions => "executions",
            Self::ObjectsTouched => "objects_touched",
            Self::Masking => "masking",
            Self::Approvals => "approvals",
            Self::Denials => "denials",
            Self::Detections => "detections",
            Self::Grants => "grants",
            Self::Chunks => "chunks",
        }
    }

    /// The table of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|table| table.name() == name)
    }

    /// The table's columns, in order.
    #[must_use]
    pub fn columns(self) -> &'static [Column] {
        match self {
            Self::Sessions => SessionRow::COLUMNS,
            Self::Statements => StatementRow::COLUMNS,
            Self::Executions => ExecutionRow::COLUMNS,
            Self::ObjectsTouched => ObjectRow::COLUMNS,
            Self::Masking => MaskingRow::COLUMNS,
            Self::Approvals => ApprovalRow::COLUMNS,
            Self::Denials => DenialRow::COLUMNS,
            Self::Detections => DetectionRow::COLUMNS,
            Self::Grants => GrantRow::COLUMNS,
            Self::Chunks => ChunkRow::COLUMNS,
        }
    }

    /// Position of the column of this name.
    #[must_use]
    pub fn column(self, name: &str) -> Option<usize> {
        self.columns().iter().position(|column| column.name == name)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
