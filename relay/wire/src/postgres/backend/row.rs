//! One row of a result.

use crate::postgres::body::Reader;
use crate::postgres::error::Error;
use std::fmt;

/// A `DataRow`, checked whole, its columns read as they are asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct DataRow<'a> {
    count: usize,
    /// The columns, each with its length in front.
    values: &'a [u8],
}

impl<'a> DataRow<'a> {
    /// Number of columns.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// True if there is no column.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The columns in order; `None` inside is SQL NULL.
    #[must_use]
    pub fn columns(&self) -> Columns<'a> {
        Columns { left: self.count, reader: Reader::new(MESSAGE, self.values) }
    }

    pub(super) fn decode(reader: &mut Reader<'a>) -> Result<Self, Error> {
        let count = reader.count("columns", 4)?;
        let start = reader.clone();
        for _ in 0..count {
            reader.nullable("column")?;
        }
        // What is not a column stays in `reader`, whose user refuses what is left.
        let length = start.left() - reader.left();
        Ok(Self { count, values: start.clone().take("columns", length)? })
    }
}

impl<'a> IntoIterator for DataRow<'a> {
    type Item = Option<&'a [u8]>;
    type IntoIter = Columns<'a>;

    fn into_iter(self) -> Columns<'a> {
        self.columns()
    }
}

impl fmt::Debug for DataRow<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DataRow ({} columns, {} bytes)", self.count, self.values.len())
    }
}

/// The columns of a [`DataRow`].
#[derive(Clone)]
pub struct Columns<'a> {
    left: usize,
    reader: Reader<'a>,
}

impl<'a> Iterator for Columns<'a> {
    type Item = Option<&'a [u8]>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        self.reader.nullable("column").ok()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Columns<'_> {}

impl fmt::Debug for Columns<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} columns", self.left)
    }
}

const MESSAGE: &str = "DataRow";
