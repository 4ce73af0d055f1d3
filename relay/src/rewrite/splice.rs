//! Masked scans and guards are written and verified once, and spliced into the text of each statement that needs them.
//!
//! In the tree a name stands for the part: as a relation in the same place of the same `FROM` and under the same alias, or as
//! a column among the conditions of the `WHERE`. The tree with the names is written, read again and compared as any other
//! (rule 3). Then each name, which must stand in the text exactly once, gives way to its part. A scan gets parentheses
//! around it; a guard is a comparison by an operator, which binds more closely than the `AND` beside it. So the part can be
//! read only as it was read alone, and the text means the tree in which each name is the part's own tree. A name that the
//! client's text holds too makes it two, and the statement is refused.

use std::sync::Arc;

use pg_query::NodeEnum;
use pg_query::protobuf::{Node, SelectStmt};

use super::scan::{node, select_of, string_constants};
use super::verify::{deparse, not_exact};
use crate::statement::{Literals, Refusal, Vocabulary, tokenise_upstream};

/// A verified part of a statement.
#[derive(Debug)]
pub(crate) struct Spliced {
    text: String,
    /// The text as evidence tells it.
    told: String,
    #[cfg(test)]
    select: SelectStmt,
}

/// A part, and the name that stands for it in the tree.
#[derive(Debug, Clone)]
pub(crate) struct Splice {
    pub(super) name: String,
    pub(super) part: Arc<Spliced>,
}

impl Spliced {
    /// Writes and verifies a query, for a `FROM`. Every constant in it is the relay's; `known` are the names that evidence may
    /// repeat.
    ///
    /// # Errors
    /// A [`Refusal`] when it cannot be written back exactly: a bug of the relay.
    pub(super) fn query(select: SelectStmt, known: &dyn Fn(&str) -> bool) -> Result<Self, Refusal> {
        Self::new(select, known, |text| Some(format!("({text})")))
    }

    /// As [`Spliced::query`]; a comparison by an operator, for a `WHERE`.
    ///
    /// # Errors
    /// As [`Spliced::query`].
    pub(super) fn condition(condition: Node, known: &dyn Fn(&str) -> bool) -> Result<Self, Refusal> {
        let select = SelectStmt { where_clause: Some(Box::new(condition)), ..select_of("SELECT")? };
        Self::new(select, known, |text| text.strip_prefix("SELECT WHERE ").map(str::to_owned))
    }

    /// `part` gives what of the written query is spliced.
    fn new(
        select: SelectStmt,
        known: &dyn Fn(&str) -> bool,
        part: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Refusal> {
        #[cfg(test)]
        let copy = select.clone();
        let text = part(&deparse(node(NodeEnum::SelectStmt(Box::new(select))))?).ok_or_else(not_exact)?;
        let constants = string_constants(&text);
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
    pub(super) fn select(&self) -> SelectStmt {
        self.select.clone()
    }
}

/// A name for the part with this number. None is the beginning of another.
pub(super) fn name(number: usize) -> String {
    format!("affidavit_part_{number}_")
}

/// A verified text in which the parts stand where their names stood.
///
/// # Errors
/// A [`Refusal`] when a name does not stand in it exactly once.
pub(crate) fn spliced_text(text: String, splices: &[Splice]) -> Result<String, Refusal> {
    replaced(text, splices, |part| &part.text).ok_or_else(|| {
        Refusal::unsupported("the statement holds a name or a value that the relay uses itself")
            .hint("Write it without `affidavit_part_`.")
    })
}

/// As [`spliced_text`], of the text that evidence tells.
pub(crate) fn spliced_told(told: String, splices: &[Splice]) -> Option<String> {
    replaced(told, splices, |part| &part.told)
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
    let longer: usize = splices.iter().map(|splice| part(&splice.part).len()).sum();
    let mut spliced = String::with_capacity(text.len().saturating_add(longer));
    let mut rest = 0;
    for (at, splice) in places {
        spliced.push_str(text.get(rest..at)?);
        spliced.push_str(part(&splice.part));
        rest = at.checked_add(splice.name.len())?;
    }
    spliced.push_str(text.get(rest..)?);
    Some(spliced)
}
