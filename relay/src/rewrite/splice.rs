//! Masked scans are written and verified once, and spliced into the text of each statement that reads their relation.
//!
//! In the tree a name stands for the scan, as a relation in the same place of the same `FROM` and under the same alias. The
//! tree with the names is written, read again and compared as any other (rule 3). Then each name, which must stand in the
//! text exactly once, gives way to `(scan)`. What is in parentheses there can be read only as the scan was read alone: the
//! text means the tree in which each name is the scan's own tree. A name that the client's text holds too makes it two.

use std::sync::Arc;

use pg_query::NodeEnum;
use pg_query::protobuf::SelectStmt;

use super::scan::node;
use super::verify::{deparse, not_exact};
use crate::statement::{Literals, Refusal, Vocabulary, tokenise_upstream};

/// A verified query.
#[derive(Debug)]
pub(crate) struct Spliced {
    text: String,
    /// The text as evidence tells it.
    told: String,
    #[cfg(test)]
    select: SelectStmt,
}

/// A scan, and the name that stands for it in the tree.
#[derive(Debug, Clone)]
pub(crate) struct Splice {
    pub(super) name: String,
    pub(super) scan: Arc<Spliced>,
}

impl Spliced {
    /// Writes and verifies a query. `constants` are those that the relay wrote into it, `known` the names that evidence may
    /// repeat.
    ///
    /// # Errors
    /// A [`Refusal`] when it cannot be written back exactly: a bug of the relay.
    pub(super) fn new(select: SelectStmt, constants: &[String], known: &dyn Fn(&str) -> bool) -> Result<Self, Refusal> {
        #[cfg(test)]
        let copy = select.clone();
        let text = deparse(node(NodeEnum::SelectStmt(Box::new(select))))?;
        let own_constants = |lexeme: &str| constants.iter().any(|constant| constant == lexeme);
        let vocabulary = Vocabulary { own_constants: &own_constants, literals: &Literals::default() };
        let told = tokenise_upstream(&text, known, &vocabulary).ok_or_else(not_exact)?;
        Ok(Self {
            text,
            told,
            #[cfg(test)]
            select: copy,
        })
    }

    #[cfg(test)]
    pub(super) fn select(&self) -> &SelectStmt {
        &self.select
    }
}

/// A name for the scan with this number. None is the beginning of another.
pub(super) fn name(number: usize) -> String {
    format!("affidavit_scan_{number}_")
}

/// A verified text in which the scans stand where their names stood.
///
/// # Errors
/// A [`Refusal`] when a name does not stand in it exactly once.
pub(crate) fn spliced_text(text: String, splices: &[Splice]) -> Result<String, Refusal> {
    replaced(text, splices, |scan| &scan.text).ok_or_else(|| {
        Refusal::unsupported("the statement holds a name or a value that the relay uses itself")
            .hint("Write it without `affidavit_scan_`.")
    })
}

/// As [`spliced_text`], of the text that evidence tells.
pub(crate) fn spliced_told(told: String, splices: &[Splice]) -> Option<String> {
    replaced(told, splices, |scan| &scan.told)
}

fn replaced(text: String, splices: &[Splice], part: impl Fn(&Spliced) -> &str) -> Option<String> {
    if splices.is_empty() {
        return Some(text);
    }
    let mut places = Vec::with_capacity(splices.len());
    for splice in splices {
        let mut found = text.match_indices(&splice.name);
        places.push((found.next()?.0, splice));
        if found.next().is_some() {
            return None;
        }
    }
    places.sort_unstable_by_key(|(at, _)| *at);
    let mut spliced = String::with_capacity(splices.iter().map(|s| part(&s.scan).len()).sum::<usize>() + text.len());
    let mut rest = 0;
    for (at, splice) in places {
        spliced.push_str(text.get(rest..at)?);
        spliced.push('(');
        spliced.push_str(part(&splice.scan));
        spliced.push(')');
        rest = at.checked_add(splice.name.len())?;
    }
    spliced.push_str(text.get(rest..)?);
    Some(spliced)
}
