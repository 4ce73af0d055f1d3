//! Answering a catalogue while rows come by, table by table or session by session, each row once.

use std::collections::BTreeSet;

use super::SafeguardError;
use super::answer::{Answer, AnsweredCount, AnsweredException, Answers, LISTED_MAX, shown};
use super::catalogue::{Catalogue, Safeguard};
use super::condition::value;
use super::query::{Measure, Query, combination};
use crate::digest::Sha256Digest;
use crate::tables::{SessionRows, Table, Value};

/// Counts and exceptions so far. The same catalogue and the same rows in the same order give the same answers.
#[derive(Debug)]
pub struct Answering {
    framework: String,
    catalogue_sha256: Sha256Digest,
    safeguards: Vec<Pending>,
}

#[derive(Debug)]
struct Pending {
    safeguard: Safeguard,
    counts: Vec<Tally>,
    exceptions: Vec<Tally>,
}

/// One query's rows so far.
#[derive(Debug, Default)]
struct Tally {
    count: u64,
    distinct: BTreeSet<Vec<Value>>,
    /// The first rows, as shown.
    listed: Vec<Vec<Value>>,
    /// Rows that may have a partner in a table that comes later.
    waiting: Vec<Waiting>,
    partners: BTreeSet<Vec<Value>>,
}

#[derive(Debug)]
struct Waiting {
    on: Vec<Value>,
    row: Vec<Value>,
}

impl Answering {
    /// Reads the catalogue's text.
    ///
    /// # Errors
    /// [`SafeguardError`]: it is no catalogue, or asks for a table or column that there is not.
    pub fn new(text: &str) -> Result<Self, SafeguardError> {
        let catalogue = Catalogue::parse(text)?;
        let pending = |safeguard: Safeguard| Pending {
            counts: safeguard.count.iter().map(|_| Tally::default()).collect(),
            exceptions: safeguard.exception.iter().map(|_| Tally::default()).collect(),
            safeguard,
        };
        Ok(Self {
            framework: catalogue.framework,
            catalogue_sha256: Sha256Digest::of(text.as_bytes()),
            safeguards: catalogue.safeguard.into_iter().map(pending).collect(),
        })
    }

    /// Takes rows of a session.
    pub fn session(&mut self, rows: &SessionRows) {
        for table in Table::ALL {
            for row in rows.of(table) {
                self.row(table, &row);
            }
        }
    }

    /// Takes a row of a table: its values in the order of the table's columns.
    pub fn row(&mut self, table: Table, row: &[Value]) {
        for pending in &mut self.safeguards {
            for (count, tally) in pending.safeguard.count.iter().zip(&mut pending.counts) {
                tally.add(&count.query, table, row);
            }
            for (exception, tally) in pending.safeguard.exception.iter().zip(&mut pending.exceptions) {
                tally.add(&exception.query, table, row);
            }
        }
    }

    /// The answers, when every row was taken.
    #[must_use]
    pub fn finish(self) -> Answers {
        Answers {
            framework: self.framework,
            catalogue_sha256: self.catalogue_sha256,
            answers: self.safeguards.into_iter().map(Pending::finish).collect(),
        }
    }
}

impl Pending {
    fn finish(self) -> Answer {
        let counts = self.safeguard.count.into_iter().zip(self.counts).map(|(count, tally)| AnsweredCount {
            query: count.query.to_string(),
            count: tally.finish(&count.query).count,
            label: count.label,
        });
        let exceptions = self.safeguard.exception.into_iter().zip(self.exceptions).map(|(exception, tally)| {
            let tally = tally.finish(&exception.query);
            let table = exception.query.table;
            AnsweredException {
                label: exception.label,
                query: exception.query.to_string(),
                count: tally.count,
                rows: tally.listed.iter().map(|row| shown(table, row, &exception.show)).collect(),
                columns: exception.show,
            }
        });
        Answer {
            citation: self.safeguard.citation,
            title: self.safeguard.title,
            counts: counts.collect(),
            exceptions: exceptions.collect(),
            not_covered: self.safeguard.not_covered,
        }
    }
}

impl Tally {
    fn add(&mut self, query: &Query, table: Table, row: &[Value]) {
        if let Some(without) = &query.without {
            if without.selects(table, row) {
                self.partners.insert(combination(table, row, &without.on));
            }
            if query.selects(table, row) {
                self.waiting.push(Waiting { on: combination(table, row, &without.on), row: row.to_vec() });
            }
        } else if query.selects(table, row) {
            self.count(query, row);
        }
    }

    fn count(&mut self, query: &Query, row: &[Value]) {
        match &query.measure {
            Measure::Rows => self.count = self.count.saturating_add(1),
            Measure::Distinct(columns) => {
                self.distinct.insert(combination(query.table, row, columns));
            }
            Measure::Sum(column) => {
                if let Value::Integer(number) = value(query.table, row, column) {
                    self.count = self.count.saturating_add(u64::try_from(*number).unwrap_or(0));
                }
            }
        }
        if self.listed.len() < LISTED_MAX {
            self.listed.push(row.to_vec());
        }
    }

    fn finish(mut self, query: &Query) -> Self {
        for waiting in std::mem::take(&mut self.waiting) {
            if !self.partners.contains(&waiting.on) {
                self.count(query, &waiting.row);
            }
        }
        if matches!(query.measure, Measure::Distinct(_)) {
            self.count = self.distinct.len() as u64;
        }
        self
    }
}
