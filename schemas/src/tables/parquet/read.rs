use std::io::{self, Read, Seek, SeekFrom};
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::errors::{ParquetError as Cause, Result};
use parquet::file::reader::{ChunkReader, Length};

use super::{BATCH_ROWS, ParquetError, batch, schema};
use crate::tables::{Table, Value};

/// A file that is read in any order.
pub trait RandomRead: Read + Seek + Send {}

impl<T: Read + Seek + Send> RandomRead for T {}

/// Reads a table row by row; memory holds some of a row group.
pub struct ParquetReader {
    table: Table,
    /// Nothing after an error.
    batches: Option<ParquetRecordBatchReader>,
    rows: std::vec::IntoIter<Vec<Value>>,
}

impl ParquetReader {
    /// Opens a file that must have exactly the table's columns.
    ///
    /// # Errors
    /// [`ParquetError::Malformed`], [`ParquetError::Io`].
    pub fn open(table: Table, file: Box<dyn RandomRead>) -> std::result::Result<Self, ParquetError> {
        let file = File::new(file)?;
        contain(|| Self::open_contained(table, file))
    }

    fn open_contained(table: Table, file: File) -> std::result::Result<Self, ParquetError> {
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|cause| malformed(&cause))?;
        let (found, expected) = (builder.schema(), schema(table));
        if found.fields() != expected.fields() {
            return Err(ParquetError::Malformed("its columns are not those of the table".to_owned()));
        }
        let batches = builder.with_batch_size(BATCH_ROWS).build().map_err(|cause| malformed(&cause))?;
        Ok(Self { table, batches: Some(batches), rows: Vec::new().into_iter() })
    }
}

impl Iterator for ParquetReader {
    type Item = std::result::Result<Vec<Value>, ParquetError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(row) = self.rows.next() {
                return Some(Ok(row));
            }
            match contain(|| self.decode()) {
                Ok(Some(rows)) => self.rows = rows.into_iter(),
                Ok(None) => return None,
                Err(error) => {
                    self.batches = None;
                    return Some(Err(error));
                }
            }
        }
    }
}

impl ParquetReader {
    /// The rows of the next batch.
    fn decode(&mut self) -> std::result::Result<Option<Vec<Vec<Value>>>, ParquetError> {
        match self.batches.as_mut().and_then(Iterator::next) {
            None => Ok(None),
            Some(Ok(batch)) => batch::decode(self.table, &batch).map(Some),
            Some(Err(error)) => Err(ParquetError::Malformed(error.to_string())),
        }
    }
}

/// The parquet crate (60) panics at some files that are none, e.g. at a negative offset in the footer. That must end
/// the reading of this file and nothing else; what it leaves behind is not used again.
fn contain<T>(read: impl FnOnce() -> std::result::Result<T, ParquetError>) -> std::result::Result<T, ParquetError> {
    panic::catch_unwind(AssertUnwindSafe(read))
        .unwrap_or_else(|_| Err(ParquetError::Malformed("cannot be taken apart".to_owned())))
}

/// What the parquet crate reads from.
#[derive(Clone)]
struct File {
    length: u64,
    file: Arc<Mutex<Box<dyn RandomRead>>>,
}

impl File {
    fn new(mut file: Box<dyn RandomRead>) -> io::Result<Self> {
        let length = file.seek(SeekFrom::End(0))?;
        Ok(Self { length, file: Arc::new(Mutex::new(file)) })
    }

    fn read_at(&self, position: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(position))?;
        file.read(buffer)
    }
}

impl Length for File {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for File {
    type T = Cursor;

    fn get_read(&self, position: u64) -> Result<Cursor> {
        Ok(Cursor { file: self.clone(), position })
    }

    fn get_bytes(&self, position: u64, length: usize) -> Result<Bytes> {
        // A file says itself how long its parts are; none is longer than what is left of it.
        let left = self.length.saturating_sub(position);
        if length as u64 > left {
            return Err(Cause::EOF("a part of the file lies beyond its end".to_owned()));
        }
        let mut bytes = Vec::with_capacity(length);
        self.get_read(position)?.take(length as u64).read_to_end(&mut bytes)?;
        if bytes.len() == length { Ok(bytes.into()) } else { Err(Cause::EOF("the file ended".to_owned())) }
    }
}

/// Reads on from a position, whoever else reads.
struct Cursor {
    file: File,
    position: u64,
}

impl Read for Cursor {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(self.position, buffer)?;
        self.position = self.position.saturating_add(read as u64);
        Ok(read)
    }
}

fn malformed(cause: &Cause) -> ParquetError {
    ParquetError::Malformed(cause.to_string())
}
