//! What a write returns: no scan stands before its target, so columns are masked where they are named.
//!
//! `*` is spread into the target's columns, and a reference to a masked one gives way to the mask, under the column's name.
//! References from subqueries, whole rows and calls over them are refused as everywhere in a write.

use pg_query::NodeEnum;
use pg_query::protobuf::{ColumnRef, Node, ResTarget, ReturningClause};

use super::access::{RelationAccess, Treatment};
use super::expression::name;
use super::mask::{self, Style};
use super::rewriter::Rewriter;
use super::scan;
use super::scope::{Item, Role};
use crate::catalog::{Readable, Relation, quoted};
use crate::statement::Refusal;

/// The write whose `RETURNING` is being rewritten.
pub(super) struct Returning<'a> {
    target: &'a Relation,
    access: &'a RelationAccess,
    /// By which name columns refer to the target.
    name: String,
    /// Masks and revealed values may be returned: they go to the client, and into no other write.
    shows: bool,
    /// It is a `MERGE`.
    merges: bool,
    /// A mask was written into it.
    masked: bool,
}

impl<'a> Rewriter<'a> {
    /// Rewrites what is returned of a write to `target`, which columns call `name`; `nested` is a write whose rows other
    /// parts of the statement read.
    pub(super) fn returning(
        &mut self,
        clause: &mut Option<ReturningClause>,
        target: &'a Relation,
        name: &str,
        nested: bool,
        merges: bool,
    ) -> Result<(), Refusal> {
        let Some(clause) = clause else { return Ok(()) };
        let access = self.answers(target)?;
        if access.protected {
            self.ask(target, "select", "reading what is returned of")?;
        }
        let items = self.scopes.innermost().len();
        if self.has_old_and_new() {
            for row in OLD_AND_NEW {
                let item = Item {
                    name: row.to_owned(),
                    relation: Some(target),
                    system: None,
                    aliased: true,
                    renamed: false,
                    role: Role::Target,
                };
                self.scopes.add_item(item);
            }
        }
        let shows = !nested || self.writes == 1;
        self.returning = Some(Returning { target, access, name: name.to_owned(), shows, merges, masked: false });
        let result = self.items_of_returning(&mut clause.exprs, items);
        self.returning = None;
        self.scopes.keep_items(items);
        result
    }

    fn items_of_returning(&mut self, exprs: &mut Vec<Node>, items: usize) -> Result<(), Refusal> {
        for mut node in std::mem::take(exprs) {
            match self.spread(&mut node, items)? {
                Some(columns) => exprs.extend(columns),
                None => exprs.push(node),
            }
        }
        exprs.iter_mut().try_for_each(|node| self.item_of_returning(node))
    }

    /// A mask has no name of its own: it gets the one that the server would have given.
    fn item_of_returning(&mut self, node: &mut Node) -> Result<(), Refusal> {
        let label = match &node.node {
            Some(NodeEnum::ResTarget(item)) if item.name.is_empty() => item.val.as_deref().and_then(label),
            _ => None,
        };
        if let Some(returning) = &mut self.returning {
            returning.masked = false;
        }
        self.expression(node)?;
        let masked = self.returning.as_ref().is_some_and(|returning| returning.masked);
        if let (Some(NodeEnum::ResTarget(item)), Some(label), true) = (node.node.as_mut(), label, masked) {
            item.name = label;
        }
        Ok(())
    }

    /// The columns of the target, where `*` or `target.*` stands for them and some are protected.
    fn spread(&mut self, node: &mut Node, items: usize) -> Result<Option<Vec<Node>>, Refusal> {
        let Some(NodeEnum::ResTarget(item)) = node.node.as_mut() else { return Ok(None) };
        let Some(NodeEnum::ColumnRef(reference)) = item.val.as_deref_mut().and_then(|value| value.node.as_mut()) else {
            return Ok(None);
        };
        if !matches!(reference.fields.last(), Some(Node { node: Some(NodeEnum::AStar(_)) })) {
            return Ok(None);
        }
        self.column(reference)?;
        let Some(returning) = &self.returning else { return Ok(None) };
        if !returning.access.protected {
            return Ok(None);
        }
        let qualifier = match reference.fields.as_slice() {
            [_] if items > 1 => {
                return Err(Refusal::unsupported(format!(
                    "RETURNING * with several relations is not supported where {} has protected columns",
                    returning.target.qualified()
                ))
                .hint("Name the columns, or write * behind the name of each relation."));
            }
            [_] => returning.name.clone(),
            [qualifier, _] => match name(qualifier) {
                Some(qualifier) if self.is_target(&qualifier) => qualifier,
                _ => return Ok(None),
            },
            _ => return Ok(None),
        };
        let column = |column: &crate::catalog::Column| {
            let fields = vec![scan::text(&qualifier), scan::text(&column.name)];
            let reference = scan::node(NodeEnum::ColumnRef(ColumnRef { fields, location: 0 }));
            scan::node(NodeEnum::ResTarget(Box::new(ResTarget {
                val: Some(Box::new(reference)),
                ..ResTarget::default()
            })))
        };
        Ok(Some(returning.target.columns.iter().map(column).collect()))
    }

    /// A reference to a column in what is returned.
    pub(super) fn returned(&mut self, node: &mut Node) -> Result<(), Refusal> {
        let Some(NodeEnum::ColumnRef(reference)) = node.node.as_mut() else { return Ok(()) };
        self.column(reference)?;
        let parts: Vec<Option<String>> = reference.fields.iter().map(name).collect();
        let (qualifier, column) = match parts.as_slice() {
            [Some(column)] => (None, column),
            [Some(qualifier), Some(column)] if self.is_target(qualifier) => (Some(qualifier), column),
            _ => return self.withhold(reference),
        };
        let Some(returning) = &self.returning else { return self.withhold(reference) };
        let known = returning.access.columns.iter().find(|known| known.name == *column);
        match known.map(|known| &known.treatment) {
            None | Some(Treatment::Clear) => self.withhold(reference),
            Some(_) if !returning.shows => Err(Refusal::forbidden(format!(
                "column {} of {} is protected, and what this common table expression returns could choose or become rows \
                 of another write",
                Readable(column),
                returning.target.qualified()
            ))
            .hint("Write the changes as statements of their own, or return clear columns.")),
            Some(Treatment::Revealed) => Ok(()),
            Some(Treatment::Masked(style)) => {
                let qualifier = qualifier.unwrap_or(&returning.name);
                let (mask, constants) = mask_for(style, returning.target, qualifier, column)?;
                *node = mask;
                self.found.constants.extend(constants);
                if let Some(returning) = &mut self.returning {
                    returning.masked = true;
                }
                Ok(())
            }
        }
    }

    /// `MERGE_ACTION()`: on servers that lack it, a call of somebody's function (rule 3).
    pub(super) fn merge_action(&self) -> Result<(), Refusal> {
        match &self.returning {
            Some(returning) if returning.merges && self.catalog.server_version() >= MERGE_RETURNS => Ok(()),
            _ => Err(Refusal::unsupported(
                "MERGE_ACTION() stands in the RETURNING of a MERGE, on PostgreSQL 17 and later",
            )),
        }
    }

    fn is_target(&self, qualifier: &str) -> bool {
        let named = self.returning.as_ref().is_some_and(|returning| returning.name == qualifier);
        named || self.has_old_and_new() && OLD_AND_NEW.contains(&qualifier)
    }

    fn has_old_and_new(&self) -> bool {
        self.catalog.server_version() >= OLD_AND_NEW_SINCE
    }
}

/// The name that PostgreSQL gives an item that is a column, perhaps cast or the last resort of a CASE.
fn label(value: &Node) -> Option<String> {
    match value.node.as_ref()? {
        NodeEnum::ColumnRef(reference) => reference.fields.last().and_then(name),
        NodeEnum::TypeCast(cast) => label(cast.arg.as_deref()?),
        NodeEnum::CollateClause(clause) => label(clause.arg.as_deref()?),
        NodeEnum::CaseExpr(case) => label(case.defresult.as_deref()?),
        NodeEnum::AIndirection(part) if part.indirection.iter().all(|part| name(part).is_none()) => {
            label(part.arg.as_deref()?)
        }
        _ => None,
    }
}

/// The mask of a target's column, and the constants in it.
pub(super) fn mask_for(
    style: &Style,
    target: &Relation,
    qualifier: &str,
    column: &str,
) -> Result<(Node, Vec<String>), Refusal> {
    let reference = format!("{}.{}", quoted(qualifier), quoted(column));
    let stored = target.column(column).ok_or_else(no_mask)?;
    let text = mask::expression(style, stored, &reference).map_err(|_| no_mask())?;
    Ok((expression_of(&text)?, scan::string_constants(&text).into_iter().collect()))
}

fn expression_of(text: &str) -> Result<Node, Refusal> {
    let select = scan::select_of(&format!("SELECT {text}"))?;
    match select.target_list.into_iter().next().and_then(|target| target.node) {
        Some(NodeEnum::ResTarget(target)) => target.val.map(|value| *value).ok_or_else(no_mask),
        _ => Err(no_mask()),
    }
}

fn no_mask() -> Refusal {
    Refusal::unsupported("a mask cannot be written here")
}

/// The rows before and after a change.
const OLD_AND_NEW: [&str; 2] = ["old", "new"];
/// Since when they can be returned, `server_version_num`.
const OLD_AND_NEW_SINCE: u32 = 180_000;
/// Since when `MERGE` returns rows.
pub(super) const MERGE_RETURNS: u32 = 170_000;
