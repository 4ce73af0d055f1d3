//! `CREATE INDEX`, also on expressions and of a part of the rows.

use pg_query::NodeEnum;
use pg_query::protobuf::{IndexElem, IndexStmt, Node};

use super::{changed, odd};
use crate::rewrite::expression::name;
use crate::rewrite::outcome::{Effects, OnTransaction};
use crate::rewrite::own::is_temporary;
use crate::rewrite::rewriter::Rewriter;
use crate::statement::Refusal;

impl Rewriter<'_> {
    pub(in crate::rewrite) fn create_index(&mut self, statement: &mut IndexStmt) -> Result<Effects, Refusal> {
        let range = statement.relation.as_mut().ok_or_else(|| Refusal::unsupported("an index without a table"))?;
        storage_options(&statement.options)?;
        if let Some(relation) = self.protected_table(range) {
            return self.index_clear_columns(statement, relation);
        }
        let relation = self.changeable(range, "CREATE INDEX on")?;
        if !METHODS.contains(&statement.access_method.as_str()) {
            return Err(Refusal::unsupported(
                "access methods other than PostgreSQL's own are not supported by the relay",
            ));
        }
        let mut computes = statement.where_clause.is_some();
        for node in &mut statement.index_params {
            match node.node.as_mut() {
                Some(NodeEnum::IndexElem(element)) => computes |= self.index_element(element)?,
                _ => return Err(odd("CREATE INDEX")),
            }
        }
        for node in &statement.index_including_params {
            match &node.node {
                Some(NodeEnum::IndexElem(element)) if element.expr.is_none() => {}
                _ => return Err(odd("CREATE INDEX")),
            }
        }
        if computes || statement.unique {
            self.looks_at_rows(Some(relation))?;
        }
        self.computed(&mut statement.where_clause)?;
        let on_transaction = if statement.concurrent { OnTransaction::Commits } else { OnTransaction::Nothing };
        Ok(match is_temporary(relation) {
            true => Effects { on_transaction, ..Effects::default() },
            false => Effects { on_transaction, ..changed() },
        })
    }

    /// Says whether it computes. Operator classes of users' own code are in no database that is served.
    fn index_element(&mut self, element: &mut IndexElem) -> Result<bool, Refusal> {
        self.computed(&mut element.expr)?;
        Ok(element.expr.is_some())
    }
}

/// How it is stored, as plain numbers and words: what is in it stays the same.
fn storage_options(options: &[Node]) -> Result<(), Refusal> {
    let plain = |node: &Node| {
        let Some(NodeEnum::DefElem(option)) = &node.node else { return false };
        let value = option.arg.as_ref().and_then(|arg| arg.node.as_ref());
        let plain = match value {
            Some(NodeEnum::Integer(_) | NodeEnum::Float(_) | NodeEnum::String(_)) | None => true,
            // A word, which the grammar takes for a type.
            Some(NodeEnum::TypeName(word)) => {
                let words: Option<Vec<String>> = word.names.iter().map(name).collect();
                let alone =
                    words.filter(|words| words.len() == 1 && word.typmods.is_empty() && word.array_bounds.is_empty());
                alone.is_some_and(|words| words.iter().all(|word| WORDS.contains(&word.as_str())))
            }
            _ => false,
        };
        plain && option.defnamespace.is_empty() && STORAGE.contains(&option.defname.as_str())
    };
    match options.iter().all(plain) {
        true => Ok(()),
        false => Err(Refusal::unsupported("this option of an index is not supported by the relay")),
    }
}

const WORDS: [&str; 5] = ["on", "off", "true", "false", "auto"];
const STORAGE: [&str; 7] = [
    "fillfactor",
    "deduplicate_items",
    "fastupdate",
    "gin_pending_list_limit",
    "pages_per_range",
    "autosummarize",
    "buffering",
];
const METHODS: [&str; 6] = ["btree", "hash", "gin", "gist", "spgist", "brin"];
