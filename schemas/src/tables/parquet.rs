//! Tables as Parquet (compressed with zstd): what DuckDB, pyarrow, Spark and Athena open.

mod batch;
mod forms;
mod read;
mod thrift;
mod write;

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};

pub use read::{ParquetReader, RandomRead};
pub use write::ParquetWriter;

use super::{Column, ColumnType, Table};

/// The table's Arrow schema.
#[must_use]
pub fn schema(table: Table) -> SchemaRef {
    let fields: Vec<Field> = table.columns().iter().map(field).collect();
    Arc::new(Schema::new(fields))
}

fn field(column: &Column) -> Field {
    Field::new(column.name, data_type(column.kind), column.optional)
}

fn data_type(kind: ColumnType) -> DataType {
    match kind {
        ColumnType::Text => DataType::Utf8,
        ColumnType::Integer => DataType::Int64,
        ColumnType::Boolean => DataType::Boolean,
        ColumnType::Time => DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into())),
        ColumnType::Texts => DataType::List(item()),
    }
}

/// The texts of a list are never null.
fn item() -> Arc<Field> {
    Arc::new(Field::new("item", DataType::Utf8, false))
}

/// Why a Parquet file was not written or read.
#[derive(Debug, thiserror::Error)]
pub enum ParquetError {
    /// The producer of the file: it is not Parquet, or not the table.
    #[error("not this table as Parquet: {0}")]
    Malformed(String),
    /// The file cannot be read or written.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// This program: rows do not fit their schema.
    #[error("bug: {0}")]
    Bug(String),
}

/// A reader has no need of a time zone database for it.
const UTC: &str = "UTC";
/// Rows in memory before they are encoded, and rows read at once.
const BATCH_ROWS: usize = 4096;
/// Rows of a row group, which a writer holds encoded in memory.
const GROUP_ROWS: usize = 64 * 1024;
