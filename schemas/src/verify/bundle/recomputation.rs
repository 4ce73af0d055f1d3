//! Everything that is made again of the evidence while it is verified.

use std::collections::BTreeSet;
use std::io;

use super::Inspection;
use super::answers::RecomputedAnswers;
use super::comparison::Comparison;
use crate::bundle::layout::BundleFile;
use crate::tables::{RowSink, SessionRows, Table};

pub(super) struct Recomputation {
    comparison: Comparison,
    answers: Option<RecomputedAnswers>,
}

impl Recomputation {
    pub(super) fn begin(inspection: &mut Inspection<'_>, sound: &BTreeSet<BundleFile>) -> Self {
        Self { comparison: Comparison::open(inspection, sound), answers: RecomputedAnswers::begin(inspection, sound) }
    }

    pub(super) fn finish(self, inspection: &mut Inspection<'_>) {
        self.comparison.finish(inspection);
        if let Some(answers) = self.answers {
            answers.finish(inspection);
        }
    }
}

impl RowSink for Recomputation {
    fn session(&mut self, rows: &SessionRows) -> io::Result<()> {
        for table in Table::ALL {
            for row in rows.of(table) {
                self.comparison.row(table, &row);
                if let Some(answers) = &mut self.answers {
                    answers.row(table, &row);
                }
            }
        }
        Ok(())
    }
}
