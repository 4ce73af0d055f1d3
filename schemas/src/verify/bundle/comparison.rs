//! Compares each table, row by row, with the rows that the evidence gives while it is verified.

use std::collections::BTreeSet;

use super::csv_rows::CsvRows;
use super::encoded::{Compared, EncodedRows};
use super::json_rows::JsonRows;
use super::parquet_rows::ParquetRows;
use super::{Files, Inspection};
use crate::bundle::layout::{BundleFile, Encoding};
use crate::rule::Rule;
use crate::tables::{Table, Value};

pub(super) struct Comparison {
    tables: Vec<ComparedTable>,
    findings: Vec<(String, Rule, String)>,
    compared: u64,
    equal_rows: u64,
}

/// A table and its files that can be compared.
struct ComparedTable {
    table: Table,
    rows: u64,
    files: Vec<ComparedFile>,
}

struct ComparedFile {
    path: String,
    rows: Box<dyn EncodedRows>,
    differing: u64,
    ended: bool,
}

impl Comparison {
    /// Opens the tables among the `sound` files; another one is a finding already.
    pub(super) fn open(inspection: &mut Inspection<'_>, sound: &BTreeSet<BundleFile>) -> Self {
        let mut comparison = Self { tables: Vec::new(), findings: Vec::new(), compared: 0, equal_rows: 0 };
        for table in Table::ALL {
            let mut files = Vec::new();
            for encoding in Encoding::ALL {
                let file = BundleFile::Table(table, encoding);
                let path = file.path();
                if !sound.contains(&file) {
                    continue;
                }
                match open(inspection.files, &path, table, encoding) {
                    Ok(rows) => files.push(ComparedFile { path, rows, differing: 0, ended: false }),
                    Err(problem) => inspection.find(&path, Rule::TableForm, problem),
                }
            }
            comparison.compared += files.len() as u64;
            comparison.tables.push(ComparedTable { table, rows: 0, files });
        }
        comparison
    }

    /// Looks for rows that are left, and writes down what was found.
    pub(super) fn finish(mut self, inspection: &mut Inspection<'_>) {
        for table in &mut self.tables {
            for file in &mut table.files {
                self.findings.extend(file.finish(table.rows));
            }
            inspection.report.checked.rows.insert(table.table.name().to_owned(), table.rows);
        }
        inspection.report.checked.tables = self.compared;
        inspection.report.checked.equal_rows = self.equal_rows;
        for (path, rule, message) in self.findings {
            inspection.find(&path, rule, message);
        }
    }

    /// Compares the next row of a table.
    pub(super) fn row(&mut self, table: Table, row: &[Value]) {
        let Some(compared) = self.tables.iter_mut().find(|compared| compared.table == table) else { return };
        compared.rows += 1;
        for file in &mut compared.files {
            match file.compare(compared.rows, row) {
                Ok(equal) => self.equal_rows += u64::from(equal),
                Err(finding) => self.findings.push(finding),
            }
        }
    }
}

impl ComparedFile {
    /// Whether the next row is the expected one, where that is still looked at.
    fn compare(&mut self, number: u64, expected: &[Value]) -> Result<bool, (String, Rule, String)> {
        if self.ended {
            return Ok(false);
        }
        let (rule, message) = match self.rows.compare(expected) {
            Ok(Compared::Equal) => return Ok(true),
            Ok(Compared::Differs(column)) => {
                self.differing += 1;
                if self.differing > LISTED_MAX {
                    return Ok(false);
                }
                let place =
                    column.map_or("written in another way than".to_owned(), |column| format!("column {column}: not"));
                (Rule::TableRows, format!("row {number}, {place} what the evidence gives"))
            }
            Ok(Compared::Missing) => {
                self.ended = true;
                (Rule::TableRows, format!("ends after {} rows; the evidence gives more", number.saturating_sub(1)))
            }
            Err(problem) => {
                self.ended = true;
                (Rule::TableForm, format!("row {number}: {problem}"))
            }
        };
        Err((self.path.clone(), rule, message))
    }

    fn finish(&mut self, expected: u64) -> Vec<(String, Rule, String)> {
        let mut findings = Vec::new();
        let mut find = |rule, message| findings.push((self.path.clone(), rule, message));
        if self.differing > LISTED_MAX {
            find(Rule::TableRows, format!("{} rows differ in all", self.differing));
        }
        if !self.ended {
            match self.rows.rest(SURPLUS_MAX) {
                Ok(0) => {}
                Ok(SURPLUS_MAX..) => {
                    find(Rule::TableRows, format!("has {SURPLUS_MAX} rows or more after the {expected} expected"));
                }
                Ok(surplus) => find(Rule::TableRows, format!("has {surplus} rows after the {expected} expected")),
                Err(problem) => find(Rule::TableForm, problem),
            }
        }
        findings
    }
}

fn open(files: &dyn Files, path: &str, table: Table, encoding: Encoding) -> Result<Box<dyn EncodedRows>, String> {
    let file = files.open(path).map_err(|error| format!("cannot be read: {error}"))?;
    Ok(match encoding {
        Encoding::Parquet => Box::new(ParquetRows::open(table, file)?),
        Encoding::Csv => Box::new(CsvRows::open(table, file)?),
        Encoding::Json => Box::new(JsonRows::open(table, file)?),
    })
}

/// Rows too many that are counted: a small Parquet file can tell of very many.
const SURPLUS_MAX: u64 = 1000;
/// Rows of a file that are named one by one; all that follow a missing row differ.
const LISTED_MAX: u64 = 3;
