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

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::tables::parquet::ParquetWriter;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn a_damaged_table_is_read_or_refused(
            damage in vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
            keep in any::<prop::sample::Index>(),
        ) {
            let mut bytes = ParquetWriter::new(Table::Statements, Vec::new()).unwrap().finish().unwrap();
            for (place, value) in damage {
                let place = place.index(bytes.len());
                bytes[place] = value;
            }
            bytes.truncate(keep.index(bytes.len() * 2));
            table(&bytes);
        }
    }
}
