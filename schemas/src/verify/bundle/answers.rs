//! Answers to safeguards: given again by the bundle's own catalogue, and compared.

use std::collections::BTreeSet;

use super::Inspection;
use crate::bundle::layout::BundleFile;
use crate::canonical;
use crate::rule::Rule;
use crate::safeguards::{Answer, Answering, Answers, HIPAA};
use crate::tables::{Table, Value};

pub(super) struct RecomputedAnswers {
    answering: Answering,
    found: Answers,
}

impl RecomputedAnswers {
    /// Reads catalogue and answers, if they are among the `sound` files; where not, that is a finding already.
    pub(super) fn begin(inspection: &mut Inspection<'_>, sound: &BTreeSet<BundleFile>) -> Option<Self> {
        if !sound.contains(&BundleFile::Catalogue) || !sound.contains(&BundleFile::Safeguards) {
            return None;
        }
        let begun = read(inspection);
        begun.map_err(|(file, problem)| inspection.find(&file.path(), Rule::Safeguards, problem)).ok()
    }

    pub(super) fn row(&mut self, table: Table, row: &[Value]) {
        self.answering.row(table, row);
    }

    pub(super) fn finish(self, inspection: &mut Inspection<'_>) {
        let expected = self.answering.finish();
        inspection.report.checked.safeguards = expected.answers.len() as u64;
        if self.found == expected {
            return;
        }
        let path = BundleFile::Safeguards.path();
        let mut named = false;
        for answer in &expected.answers {
            let found = self.found.answers.iter().find(|found| found.citation == answer.citation);
            if let Some(problem) = difference(found, answer) {
                inspection.find(&path, Rule::Safeguards, format!("{}: {problem}", answer.citation));
                named = true;
            }
        }
        if !named {
            inspection.find(&path, Rule::Safeguards, "not the answers that the catalogue gives, in its order");
        }
    }
}

fn read(inspection: &mut Inspection<'_>) -> Result<RecomputedAnswers, (BundleFile, String)> {
    let get = |file: BundleFile| {
        let bytes = inspection.files.get(&file.path(), ANSWERS_MAX);
        bytes.map_err(|error| (file, format!("cannot be read: {error}")))
    };
    let (catalogue, answers) = (get(BundleFile::Catalogue)?, get(BundleFile::Safeguards)?);
    let wrong = |problem: String| (BundleFile::Catalogue, problem);
    let catalogue = String::from_utf8(catalogue).map_err(|_| wrong("expected text in UTF-8".to_owned()))?;
    let answering = Answering::new(&catalogue).map_err(|error| wrong(error.to_string()))?;
    let found: Answers = canonical::from_slice("answers to safeguards", &answers)
        .map_err(|error| (BundleFile::Safeguards, error.to_string()))?;
    if catalogue != HIPAA {
        let message =
            "another catalogue than the one this verifier was built with: whoever made the bundle chose what it asks";
        inspection.find(&BundleFile::Catalogue.path(), Rule::SafeguardsCatalogue, message);
    }
    Ok(RecomputedAnswers { answering, found })
}

/// What of an answer is not as expected.
fn difference(found: Option<&Answer>, expected: &Answer) -> Option<String> {
    let Some(found) = found else { return Some("no answer".to_owned()) };
    if found == expected {
        return None;
    }
    for (index, count) in expected.counts.iter().enumerate() {
        if found.counts.get(index) != Some(count) {
            return Some(format!("the count {:?} is not what the evidence gives: {}", count.label, count.count));
        }
    }
    for (index, exception) in expected.exceptions.iter().enumerate() {
        if found.exceptions.get(index) != Some(exception) {
            return Some(format!("the exceptions {:?} are not what the evidence gives", exception.label));
        }
    }
    Some("not the answer that the catalogue gives".to_owned())
}

/// A catalogue is read by people, and an answer lists few rows of each kind.
const ANSWERS_MAX: u64 = 16 * 1024 * 1024;
