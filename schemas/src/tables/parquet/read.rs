use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::errors::{ParquetError as Cause, Result};
use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};
use parquet::file::reader::{ChunkReader, Length};

use super::forms::{FOOTER, PAGE_HEADER};
use super::thrift::skim;
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
        contain(|| Self::open_contained(table, &file))
    }

    fn open_contained(table: Table, file: &File) -> std::result::Result<Self, ParquetError> {
        file.skim_footer()?;
        let builder = ParquetRecordBatchReaderBuilder::try_new(file.clone()).map_err(|cause| malformed(&cause))?;
        let (found, expected) = (builder.schema(), schema(table));
        if found.fields() != expected.fields() {
            return Err(ParquetError::Malformed("its columns are not those of the table".to_owned()));
        }
        let columns = builder.metadata().row_groups().iter().flat_map(RowGroupMetaData::columns);
        let mut ranges: Vec<(u64, u64)> = columns.map(ColumnChunkMetaData::byte_range).collect();
        ranges.sort_unstable();
        // Else a long footer could have the same bytes looked over once for each of its columns.
        if ranges.array_windows().any(|[(start, length), (next, _)]| start.saturating_add(*length) > *next) {
            return Err(ParquetError::Malformed("its columns overlap".to_owned()));
        }
        ranges.into_iter().try_for_each(|(start, length)| file.skim_pages(start, length))?;
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

    /// Looks over the footer, which ends the file: `footer | u32 length (little endian) | PAR1`.
    fn skim_footer(&self) -> std::result::Result<(), ParquetError> {
        let none = || ParquetError::Malformed("it has no footer".to_owned());
        let tail_at = self.length.checked_sub(TAIL).ok_or_else(none)?;
        let mut length = [0; 4];
        self.part(tail_at, TAIL).read_exact(&mut length)?;
        let length = u64::from(u32::from_le_bytes(length));
        let start = tail_at.checked_sub(length).ok_or_else(none)?;
        skim(&mut self.part(start, length), &FOOTER).map(|_| ()).map_err(|error| outside(&error))
    }

    /// Looks over the headers of a column's pages, which stand one behind the other.
    fn skim_pages(&self, start: u64, length: u64) -> std::result::Result<(), ParquetError> {
        let end = start.checked_add(length).filter(|end| *end <= self.length);
        let end = end.ok_or_else(|| ParquetError::Malformed("a column lies beyond the end of the file".to_owned()))?;
        let mut at = start;
        while at < end {
            let header = skim(&mut self.part(at, end - at), &PAGE_HEADER).map_err(|error| outside(&error))?;
            let page = header.third.and_then(|length| u64::try_from(length).ok());
            let page = page.ok_or_else(|| ParquetError::Malformed("a page without a length".to_owned()))?;
            at = at.saturating_add(header.length).saturating_add(page);
        }
        Ok(())
    }

    fn part(&self, position: u64, length: u64) -> impl Read {
        BufReader::with_capacity(SKIM_BUFFER, Cursor { file: self.clone(), position }.take(length))
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

fn outside(error: &io::Error) -> ParquetError {
    ParquetError::Malformed(format!("what it says of itself: {error}"))
}

fn malformed(cause: &Cause) -> ParquetError {
    ParquetError::Malformed(cause.to_string())
}

/// Length of the footer, and `PAR1`.
const TAIL: u64 = 8;
/// An ordinary page header is shorter.
const SKIM_BUFFER: usize = 512;
