//! All tables in all encodings, written session by session.

use std::io::{self, BufWriter, Write};

use super::layout::{BundleFile, Encoding};
use super::{Assembly, BundleWriter, Counts};
use crate::tables::parquet::{ParquetError, ParquetWriter};
use crate::tables::{JsonWriter, RowSink, SessionRows, Table, csv_header, csv_row};

/// The files of all tables.
pub struct TableFiles(Vec<TableFile>);

/// One table in its three encodings.
struct TableFile {
    table: Table,
    rows: u64,
    parquet: ParquetWriter<BundleWriter>,
    csv: BufWriter<BundleWriter>,
    json: JsonWriter<BufWriter<BundleWriter>>,
}

impl TableFiles {
    pub(super) fn create(assembly: &Assembly<'_>) -> io::Result<Self> {
        Table::ALL.into_iter().map(|table| TableFile::create(table, assembly)).collect::<io::Result<_>>().map(Self)
    }

    /// Ends all files and tells how many rows each table has.
    ///
    /// # Errors
    /// Those of the files.
    pub fn finish(self) -> io::Result<Counts> {
        self.0.into_iter().map(TableFile::finish).collect()
    }
}

impl RowSink for TableFiles {
    fn session(&mut self, rows: &SessionRows) -> io::Result<()> {
        self.0.iter_mut().try_for_each(|file| file.push(rows))
    }
}

impl TableFile {
    fn create(table: Table, assembly: &Assembly<'_>) -> io::Result<Self> {
        let file = |encoding| assembly.create(&BundleFile::Table(table, encoding));
        let mut csv = BufWriter::new(file(Encoding::Csv)?);
        csv.write_all(&csv_header(table))?;
        Ok(Self {
            table,
            rows: 0,
            parquet: ParquetWriter::new(table, file(Encoding::Parquet)?).map_err(failed)?,
            csv,
            json: JsonWriter::new(table, BufWriter::new(file(Encoding::Json)?)),
        })
    }

    fn push(&mut self, rows: &SessionRows) -> io::Result<()> {
        for values in rows.of(self.table) {
            self.csv.write_all(&csv_row(&values))?;
            self.json.push_values(&values)?;
            self.parquet.push_values(values).map_err(failed)?;
            self.rows = self.rows.saturating_add(1);
        }
        Ok(())
    }

    fn finish(self) -> io::Result<(String, u64)> {
        self.parquet.finish().map_err(failed)?.finish()?;
        self.csv.into_inner().map_err(io::IntoInnerError::into_error)?.finish()?;
        self.json.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?.finish()?;
        Ok((self.table.name().to_owned(), self.rows))
    }
}

fn failed(error: ParquetError) -> io::Error {
    match error {
        ParquetError::Io(error) => error,
        other => io::Error::other(other),
    }
}
