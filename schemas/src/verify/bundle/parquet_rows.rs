use super::encoded::{Compared, EncodedRows};
use crate::tables::parquet::{ParquetReader, RandomRead};
use crate::tables::{Table, Value};

/// The rows of a Parquet file.
pub(super) struct ParquetRows {
    table: Table,
    rows: ParquetReader,
}

impl ParquetRows {
    pub(super) fn open(table: Table, file: Box<dyn RandomRead>) -> Result<Self, String> {
        ParquetReader::open(table, file).map(|rows| Self { table, rows }).map_err(|error| error.to_string())
    }

    fn next(&mut self) -> Result<Option<Vec<Value>>, String> {
        self.rows.next().transpose().map_err(|error| error.to_string())
    }
}

impl EncodedRows for ParquetRows {
    fn compare(&mut self, expected: &[Value]) -> Result<Compared, String> {
        let Some(found) = self.next()? else { return Ok(Compared::Missing) };
        let mut columns = self.table.columns().iter().zip(found.iter().zip(expected));
        let different = columns.find(|(_, (found, expected))| found != expected);
        Ok(different.map_or(Compared::Equal, |(column, _)| Compared::Differs(Some(column.name))))
    }

    fn rest(&mut self, limit: u64) -> Result<u64, String> {
        let mut rows = 0;
        while rows < limit && self.next()?.is_some() {
            rows += 1;
        }
        Ok(rows)
    }
}
