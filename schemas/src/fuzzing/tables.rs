//! Tables of bundles.

use std::io::Cursor;

use crate::tables::parquet::ParquetReader;
use crate::tables::{Column, Table};

/// Any bytes are a table's Parquet file or none; a row that is read has the table's columns.
pub fn table(bytes: &[u8]) {
    for table in [Table::Sessions, Table::Statements, Table::Chunks] {
        let Ok(reader) = ParquetReader::open(table, Box::new(Cursor::new(bytes.to_vec()))) else { continue };
        let columns: &[Column] = table.columns();
        for row in reader.flatten().take(ROWS_MAX) {
            assert_eq!(row.len(), columns.len(), "a row of another table");
        }
    }
}

const ROWS_MAX: usize = 10_000;
