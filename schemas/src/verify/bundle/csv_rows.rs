use std::io::{BufRead, BufReader, Read};

use super::encoded::{Compared, EncodedRows, ROW_MAX};
use crate::tables::parquet::RandomRead;
use crate::tables::{Table, Value, csv_header, csv_row};

/// The records of a CSV file.
pub(super) struct CsvRows {
    table: Table,
    file: BufReader<Box<dyn RandomRead>>,
}

impl CsvRows {
    pub(super) fn open(table: Table, file: Box<dyn RandomRead>) -> Result<Self, String> {
        let mut rows = Self { table, file: BufReader::new(file) };
        match rows.next()? {
            Some(header) if header == csv_header(table) => Ok(rows),
            _ => Err("its columns are not those of the table".to_owned()),
        }
    }

    /// The next record with its line end.
    fn next(&mut self) -> Result<Option<Vec<u8>>, String> {
        let (mut record, mut quoted) = (Vec::new(), false);
        loop {
            let start = record.len();
            let left = ROW_MAX.saturating_sub(start as u64);
            (&mut self.file).take(left).read_until(b'\n', &mut record).map_err(|error| error.to_string())?;
            let line = record.get(start..).unwrap_or_default();
            quoted ^= line.iter().filter(|byte| **byte == b'"').count() % 2 == 1;
            match (line.is_empty(), line.ends_with(b"\r\n")) {
                (false, true) if !quoted => return Ok(Some(record)),
                (true, _) if record.is_empty() => return Ok(None),
                (true, _) => return Err("ends within a record, or has one too long".to_owned()),
                _ => {}
            }
        }
    }
}

impl EncodedRows for CsvRows {
    fn compare(&mut self, expected: &[Value]) -> Result<Compared, String> {
        let Some(found) = self.next()? else { return Ok(Compared::Missing) };
        let expected = csv_row(expected);
        if found == expected {
            return Ok(Compared::Equal);
        }
        let (found, expected) = (fields(&found), fields(&expected));
        let mut columns = self.table.columns().iter().enumerate();
        let column = columns.find(|(index, _)| found.get(*index) != expected.get(*index));
        Ok(Compared::Differs(column.map(|(_, column)| column.name)))
    }

    fn rest(&mut self, limit: u64) -> Result<u64, String> {
        let mut rows = 0;
        while rows < limit && self.next()?.is_some() {
            rows += 1;
        }
        Ok(rows)
    }
}

/// A record's fields as written, quotes included.
fn fields(record: &[u8]) -> Vec<&[u8]> {
    let mut quoted = false;
    let ends_field = |byte: &u8| {
        quoted ^= *byte == b'"';
        *byte == b',' && !quoted
    };
    record.split(ends_field).collect()
}
