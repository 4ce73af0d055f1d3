use std::io::{BufRead, BufReader, Read};

use serde_json::{Map, Value as Json};

use super::encoded::{Compared, EncodedRows, ROW_MAX};
use crate::canonical;
use crate::tables::parquet::RandomRead;
use crate::tables::{Table, Value, json_row};

/// The rows of a JSON file, which has one a line.
pub(super) struct JsonRows {
    table: Table,
    file: BufReader<Box<dyn RandomRead>>,
    /// What the line before asks of the next one.
    next: Next,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Row,
    Closing,
    End,
}

impl JsonRows {
    pub(super) fn open(table: Table, file: Box<dyn RandomRead>) -> Result<Self, String> {
        let mut rows = Self { table, file: BufReader::new(file), next: Next::End };
        rows.next = match rows.line()?.as_slice() {
            b"[" => Next::Row,
            b"[]" => Next::End,
            _ => return Err(FORM.to_owned()),
        };
        Ok(rows)
    }

    /// The next row's text.
    fn next(&mut self) -> Result<Option<Vec<u8>>, String> {
        if self.next == Next::Row {
            let mut row = self.line()?;
            if row.last() == Some(&b',') {
                row.pop();
            } else {
                self.next = Next::Closing;
            }
            return Ok(Some(row));
        }
        if self.next == Next::Closing && self.line()? != b"]" {
            return Err(FORM.to_owned());
        }
        self.next = Next::End;
        let ended = self.file.fill_buf().map_err(|error| error.to_string())?.is_empty();
        if ended { Ok(None) } else { Err("goes on after the end of the array".to_owned()) }
    }

    /// The next line, without its end, which it must have.
    fn line(&mut self) -> Result<Vec<u8>, String> {
        let mut line = Vec::new();
        (&mut self.file).take(ROW_MAX).read_until(b'\n', &mut line).map_err(|error| error.to_string())?;
        if line.pop() == Some(b'\n') {
            Ok(line)
        } else {
            Err("ends within the array, or has a line too long".to_owned())
        }
    }
}

impl EncodedRows for JsonRows {
    fn compare(&mut self, expected: &[Value]) -> Result<Compared, String> {
        let Some(found) = self.next()? else { return Ok(Compared::Missing) };
        let expected = json_row(self.table, expected);
        if canonical::to_vec(&expected).is_ok_and(|expected| expected == found) {
            return Ok(Compared::Equal);
        }
        let found: Map<String, Json> = serde_json::from_slice(&found).map_err(|_| FORM.to_owned())?;
        let mut columns = self.table.columns().iter();
        let column = columns.find(|column| found.get(column.name) != expected.get(column.name));
        Ok(Compared::Differs(column.map(|column| column.name)))
    }

    fn rest(&mut self, limit: u64) -> Result<u64, String> {
        let mut rows = 0;
        while rows < limit && self.next()?.is_some() {
            rows += 1;
        }
        Ok(rows)
    }
}

const FORM: &str = "expected an array of objects, one a line";
