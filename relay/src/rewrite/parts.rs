//! `tableoid` of protected relations: in which part of the whole, or in which child, a row is.
//!
//! A masked scan has no system columns. Where a query asks for this one, the scan brings it along as a column; not where `*`
//! or a join by all common names would bring it to light. It tells what the whole is cut by, so that must be clear.

use pg_query::NodeEnum;
use pg_query::protobuf::{Node, RangeVar, SelectStmt};

use super::access::{RelationAccess, Treatment};
use super::expression::name;
use super::from::in_place_of;
use super::rewriter::Rewriter;
use super::scan;
use super::withheld::Mode;
use crate::catalog::Relation;
use crate::statement::{Refusal, shape};

impl Rewriter<'_> {
    /// Whether a query asks for it, and for no more than it names.
    pub(super) fn asks_for_part(select: &mut SelectStmt) -> Result<bool, Refusal> {
        let mut seen = Seen::default();
        let SelectStmt {
            distinct_clause,
            target_list,
            from_clause,
            where_clause,
            group_clause,
            having_clause,
            sort_clause,
            ..
        } = select;
        let lists = [distinct_clause, target_list, from_clause, group_clause, sort_clause];
        let nodes = lists.into_iter().flatten().chain(where_clause.as_deref_mut()).chain(having_clause.as_deref_mut());
        for node in nodes {
            seen.look(node)?;
        }
        Ok(seen.part && !seen.all)
    }

    /// The masked scan with `tableoid`, where the query asks for that and may be told.
    pub(super) fn scan_with_part(
        &mut self,
        range: &RangeVar,
        relation: &Relation,
        access: &RelationAccess,
    ) -> Result<Option<NodeEnum>, Refusal> {
        if !self.asks_for_part || self.mode != Mode::Reads || self.cut_by_protected(relation) {
            return Ok(None);
        }
        let text = scan::text_of(relation, &access.columns, &format!(", {}.{PART} AS {PART}", scan::SCAN))
            .map_err(|_| Refusal::unsupported("a scan with tableoid cannot be written"))?;
        let mut select = scan::select_of(&text)?;
        if let Some(NodeEnum::RangeVar(scanned)) = select.from_clause.first_mut().and_then(|item| item.node.as_mut()) {
            scanned.inh = range.inh;
        }
        self.found.constants.extend(scan::string_constants(&text));
        Ok(Some(in_place_of(range, &relation.name, select)))
    }

    /// Whether some whole among the relations that share rows with this one is cut by a column that is not clear.
    fn cut_by_protected(&self, relation: &Relation) -> bool {
        self.catalog.family(relation.oid).iter().any(|oid| {
            let (Some(whole), Some(access)) = (self.catalog.relation(*oid), self.access.relations.get(oid)) else {
                return true;
            };
            whole.partition_key.iter().any(|number| {
                let column = access.columns.iter().find(|column| column.number == *number);
                column.is_none_or(|column| column.treatment != Treatment::Clear)
            })
        })
    }
}

#[derive(Default)]
struct Seen {
    part: bool,
    all: bool,
}

impl Seen {
    fn look(&mut self, node: &mut Node) -> Result<(), Refusal> {
        match &node.node {
            Some(NodeEnum::AStar(_)) => self.all = true,
            Some(NodeEnum::JoinExpr(join)) if join.is_natural => self.all = true,
            Some(NodeEnum::ColumnRef(reference)) => {
                self.part |= reference.fields.last().and_then(name).is_some_and(|field| field == PART);
            }
            _ => {}
        }
        shape::children(node, &mut |child| self.look(child))
    }
}

const PART: &str = "tableoid";
