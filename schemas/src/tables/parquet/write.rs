use std::io::Write;
use std::mem;

use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError as Cause;
use parquet::file::properties::{EnabledStatistics, WriterProperties};

use super::{BATCH_ROWS, GROUP_ROWS, ParquetError, batch, schema};
use crate::tables::{Row, Table, Value};

/// Writes a table row by row. The same rows give the same bytes.
pub struct ParquetWriter<W: Write + Send> {
    table: Table,
    waiting: Vec<Vec<Value>>,
    writer: ArrowWriter<W>,
}

impl<W: Write + Send> ParquetWriter<W> {
    /// A table without rows.
    ///
    /// # Errors
    /// [`ParquetError::Io`].
    pub fn new(table: Table, out: W) -> Result<Self, ParquetError> {
        Self::with(table, out, false)
    }

    /// A table without rows, of which there will be few: without statistics, indexes and Arrow's own schema, which would be
    /// larger than they are.
    ///
    /// # Errors
    /// [`ParquetError::Io`].
    pub fn small(table: Table, out: W) -> Result<Self, ParquetError> {
        Self::with(table, out, true)
    }

    fn with(table: Table, out: W, small: bool) -> Result<Self, ParquetError> {
        let level = ZstdLevel::try_new(LEVEL).map_err(|cause| writing(&cause))?;
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(level))
            .set_created_by(CREATED_BY.to_owned())
            .set_max_row_group_row_count(Some(GROUP_ROWS));
        if small {
            properties = properties.set_statistics_enabled(EnabledStatistics::None).set_offset_index_disabled(true);
        }
        let options = ArrowWriterOptions::new().with_properties(properties.build()).with_skip_arrow_metadata(small);
        let writer = ArrowWriter::try_new_with_options(out, schema(table), options).map_err(|cause| writing(&cause))?;
        Ok(Self { table, waiting: Vec::new(), writer })
    }

    /// Appends a row.
    ///
    /// # Errors
    /// [`ParquetError::Bug`] for a row of another table, [`ParquetError::Io`].
    pub fn push<R: Row>(&mut self, row: &R) -> Result<(), ParquetError> {
        if R::TABLE != self.table {
            return Err(ParquetError::Bug(format!("a row of {} for {}", R::TABLE, self.table)));
        }
        self.push_values(row.values())
    }

    /// Appends a row given as its values.
    ///
    /// # Errors
    /// [`ParquetError::Bug`] for values that are not those of the table's columns, [`ParquetError::Io`].
    pub fn push_values(&mut self, values: Vec<Value>) -> Result<(), ParquetError> {
        self.waiting.push(values);
        if self.waiting.len() >= BATCH_ROWS { self.encode() } else { Ok(()) }
    }

    /// Ends the file and gives the output back.
    ///
    /// # Errors
    /// Those of [`ParquetWriter::push`].
    pub fn finish(mut self) -> Result<W, ParquetError> {
        self.encode()?;
        self.writer.into_inner().map_err(|cause| writing(&cause))
    }

    fn encode(&mut self) -> Result<(), ParquetError> {
        let rows = mem::take(&mut self.waiting);
        self.writer.write(&batch::encode(self.table, &rows)?).map_err(|cause| writing(&cause))
    }
}

fn writing(cause: &Cause) -> ParquetError {
    ParquetError::Io(std::io::Error::other(cause.to_string()))
}

/// Better compression costs more than it gives for files of this size.
const LEVEL: i32 = 3;
/// Without the version of any library, so that a build says nothing of the machine.
const CREATED_BY: &str = "affidavit";
