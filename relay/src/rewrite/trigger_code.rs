//! Triggers: code that a write sets off and that no parser of the statement sees.
//!
//! What it reads can come back by the row that is returned, by a count, an error or a setting, or stay where nothing is
//! protected. So a write that sets off a trigger is refused, unless every name in the trigger's text is harmless: a text
//! that names nothing protected, runs no other text and calls nothing that is not listed cannot tell what it has not read.

use pg_query::protobuf::{ScanToken, Token};

use super::access::Treatment;
use super::functions;
use super::rewriter::Rewriter;
use crate::catalog::{Kind, Relation, TriggerFunction};
use crate::statement::{Refusal, tokens};

impl Rewriter<'_> {
    /// Refuses a write of `relation` that sets off code that cannot be seen through, also by way of its children and of
    /// those that refer to it.
    pub(super) fn no_opaque_code(&mut self, relation: &Relation, action: &str) -> Result<(), Refusal> {
        let name = relation.qualified();
        let target_protected = self.access.relations.get(&relation.oid).is_some_and(|access| access.protected);
        let family = self.catalog.written_with(relation.oid, false);
        for oid in self.catalog.written_with(relation.oid, action != "insert") {
            let Some(reached) = self.catalog.relation(oid) else { continue };
            self.found.triggers |= reached.triggers;
            let protected = self.access.relations.get(&oid).is_none_or(|access| access.protected);
            if protected && !(target_protected && family.contains(&oid)) {
                return Err(Refusal::forbidden(format!(
                    "{action} is refused: it would change rows of {}, which has protected columns",
                    reached.qualified()
                )));
            }
            let computes = reached.write_expressions.iter().all(|expression| self.computes(expression));
            if reached.opaque_writes || !computes {
                return Err(Refusal::forbidden(format!(
                    "{action} is refused: {name} has rules, or defaults, constraints or indexes that call functions \
                     outside of the relay's list"
                )));
            }
            let harmless = |function: &TriggerFunction| {
                self.sees_through(function) && (!protected || self.keeps_to_clear_columns(function, oid))
            };
            if !reached.trigger_functions.iter().all(harmless) {
                return Err(Refusal::forbidden(format!(
                    "{action} is refused: it sets off a trigger of {}, whose code could read or tell protected values",
                    reached.qualified()
                ))
                .hint("Triggers in PL/pgSQL run that name no protected relation or column, no view and no function outside of the relay's list."));
            }
        }
        Ok(())
    }

    /// The same of what runs whenever definitions change.
    pub(super) fn no_opaque_event(&mut self, what: &str) -> Result<(), Refusal> {
        self.found.triggers |= !self.catalog.event_triggers().is_empty();
        match self.catalog.event_triggers().iter().all(|function| self.sees_through(function)) {
            true => Ok(()),
            false => Err(Refusal::forbidden(format!(
                "{what} is refused: it sets off an event trigger, whose code could read or tell protected values"
            ))),
        }
    }

    fn sees_through(&self, function: &TriggerFunction) -> bool {
        match &function.source {
            Some(source) if !function.conditional => self.is_harmless(source),
            _ => false,
        }
    }

    /// Rows of a protected relation are in NEW and OLD: of them the text takes clear columns one by one, or returns all.
    fn keeps_to_clear_columns(&self, function: &TriggerFunction, oid: u32) -> bool {
        let (Some(access), Some(source)) = (self.access.relations.get(&oid), &function.source) else { return false };
        let (Ok(tokens), false) = (tokens(source), function.sees_rows) else { return false };
        // What PostgreSQL itself brings compares or copies whole rows.
        if source.is_empty() {
            return false;
        }
        let clear = |name: &str| {
            let mut named = access.columns.iter().filter(|column| column.name == name);
            named.all(|column| column.treatment == Treatment::Clear)
        };
        let text = |token: &ScanToken| {
            source
                .get(usize::try_from(token.start).ok()?..usize::try_from(token.end).ok()?)
                .map(str::to_ascii_lowercase)
        };
        let code = tokens.iter().filter(|token| !is_comment(token));
        let words: Vec<(String, Option<String>)> =
            code.filter_map(|token| Some((text(token)?, word(source, token.start, token.end).flatten()))).collect();
        words.iter().enumerate().all(|(at, (_, word))| {
            let Some(word) = word else { return true };
            let around = |offset: Option<usize>| offset.and_then(|at| words.get(at)).map(|(text, _)| text.as_str());
            let (before, after) = (around(at.checked_sub(1)), around(at.checked_add(1)));
            if !ROWS.contains(&word.as_str()) {
                return clear(word);
            }
            match after {
                Some(".") => around(at.checked_add(2)) != Some("*"),
                Some(";") => before == Some("return"),
                _ => false,
            }
        })
    }

    /// An expression of the catalog's, such as a default: no name in it means code outside of the list.
    pub(super) fn computes(&self, expression: &str) -> bool {
        let Ok(tokens) = tokens(expression) else { return false };
        let mut words = tokens.iter().filter_map(|token| word(expression, token.start, token.end));
        words.all(|word| word.is_some_and(|word| self.is_listed(&word)))
    }

    /// As [`Self::computes`], of what reads nothing but what it is given: no relation, sequence or setting.
    pub(super) fn computes_alone(&self, expression: &str) -> bool {
        let Ok(tokens) = tokens(expression) else { return false };
        let mut words = tokens.iter().filter_map(|token| word(expression, token.start, token.end));
        words.all(|word| {
            word.is_some_and(|word| {
                let reads = READS.contains(&word.as_str()) || OF_TRIGGERS.contains(&word.as_str());
                !reads && self.is_listed(&word) && !self.catalog.has_type(&word) && !word.starts_with("pg_")
            })
        })
    }

    fn is_harmless(&self, source: &str) -> bool {
        let Ok(tokens) = tokens(source) else { return false };
        let mut words = tokens.iter().filter_map(|token| word(source, token.start, token.end));
        words.all(|word| {
            word.is_some_and(|word| {
                !RUNS_TEXT.contains(&word.as_str()) && self.is_listed(&word) && !self.hides_something(&word)
            })
        })
    }

    /// It is no function, or operator, outside of the list.
    fn is_listed(&self, word: &str) -> bool {
        let built_in =
            !self.catalog.built_in_function(word) || functions::allowed_as_field(word) || OF_TRIGGERS.contains(&word);
        built_in && !self.catalog.user_code_named(word)
    }

    /// It is the name of something that is protected, or of what can show such: in whichever schema.
    fn hides_something(&self, word: &str) -> bool {
        let named = self.catalog.relations().filter(|relation| relation.name == word);
        let shows = |relation: &Relation| {
            let protected = self.access.relations.get(&relation.oid).is_none_or(|access| access.protected);
            protected
                || !matches!(relation.kind, Kind::Table | Kind::Partitioned)
                || !relation.trigger_functions.is_empty()
        };
        word.starts_with("pg_") && !OF_TRIGGERS.contains(&word) && !functions::allowed(word)
            || self.catalog.in_pg_catalog(word)
            || named.into_iter().any(shows)
    }
}

/// What a token names: nothing for constants, comments and punctuation; `Some(None)` where it cannot be told.
pub(super) fn word(text: &str, start: i32, end: i32) -> Option<Option<String>> {
    let token = text.get(usize::try_from(start).ok()?..usize::try_from(end).ok()?)?;
    let mut letters = token.chars();
    let first = letters.next()?;
    if token.starts_with("U&\"") || token.starts_with("u&\"") {
        return Some(None);
    }
    if let Some(quoted) = token.strip_prefix('"') {
        return Some(Some(quoted.trim_end_matches('"').replace("\"\"", "\"")));
    }
    if token.starts_with("--") || token.starts_with("/*") || token.contains('\'') {
        return None;
    }
    let named = first.is_alphabetic() || first == '_' || OPERATORS.contains(first);
    named.then(|| Some(token.to_ascii_lowercase()))
}

fn is_comment(token: &ScanToken) -> bool {
    matches!(Token::try_from(token.token), Ok(Token::SqlComment | Token::CComment))
}

/// The rows that a trigger has.
const ROWS: [&str; 2] = ["new", "old"];
/// What runs a text, reads files or loads code.
const RUNS_TEXT: [&str; 7] = ["execute", "copy", "call", "load", "import", "prepare", "create"];

/// What begins a query.
const READS: [&str; 9] = ["select", "table", "values", "with", "from", "insert", "update", "delete", "merge"];

/// What triggers ordinarily call beside the functions of the list: numbers, and what tells about themselves.
const OF_TRIGGERS: [&str; 13] = [
    "current_setting",
    "currval",
    "lastval",
    "nextval",
    "pg_advisory_xact_lock",
    "pg_event_trigger_ddl_commands",
    "pg_event_trigger_dropped_objects",
    "pg_notify",
    "pg_trigger_depth",
    "setval",
    "txid_current",
    "pg_current_xact_id",
    "suppress_redundant_updates_trigger",
];

const OPERATORS: &str = "+-*/<>=~!@#%^&|`?";
