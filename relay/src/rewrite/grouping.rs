//! `GROUP BY` a primary key, on which the other columns of its table depend: PostgreSQL knows that of tables, and of no
//! subquery. Where a masked scan stands for the table, the columns that the statement uses are added to the `GROUP BY`; as
//! they follow from the key, the groups stay the same.

use pg_query::NodeEnum;
use pg_query::protobuf::{ColumnRef, Node, SelectStmt, a_const::Val};

use super::expression::name;
use super::rewriter::Rewriter;
use super::scan;
use super::scope::Item;
use crate::statement::{Refusal, shape};

impl Rewriter<'_> {
    /// Adds them; the items of FROM are known, the expressions are as the client wrote them.
    pub(super) fn group_by_keys(&self, select: &mut SelectStmt) -> Result<(), Refusal> {
        let plain = |node: &Node| !matches!(node.node, Some(NodeEnum::GroupingSet(_)));
        if select.group_clause.is_empty() || !select.group_clause.iter().all(plain) {
            return Ok(());
        }
        let items = self.scopes.innermost();
        let grouped: Vec<(usize, String)> =
            select.group_clause.iter().filter_map(|node| grouped(items, &select.target_list, node)).collect();
        let mut used = Vec::new();
        for node in
            select.target_list.iter_mut().chain(&mut select.sort_clause).chain(select.having_clause.as_deref_mut())
        {
            columns(items, node, &mut used)?;
        }
        for (index, item) in items.iter().enumerate() {
            let is_grouped = |column: &str| grouped.iter().any(|(of, grouped)| *of == index && grouped == column);
            if !self.is_masked(item) || !keys(item).is_some_and(|keys| keys.iter().all(|key| is_grouped(key))) {
                continue;
            }
            let mut added: Vec<&String> =
                used.iter().filter(|(of, _)| *of == index).map(|(_, column)| column).collect();
            added.retain(|column| !is_grouped(column));
            added.sort_unstable();
            added.dedup();
            select.group_clause.extend(added.into_iter().map(|column| reference(&item.name, column)));
        }
        Ok(())
    }

    fn is_masked(&self, item: &Item<'_>) -> bool {
        let access = item.relation.and_then(|relation| self.access.relations.get(&relation.oid));
        access.is_some_and(|access| access.scan.is_some())
    }
}

/// The names of the columns of an item's primary key.
fn keys<'a>(item: &Item<'a>) -> Option<Vec<&'a str>> {
    let relation = item.relation.filter(|relation| !relation.primary_key.is_empty())?;
    let named = |number: &i16| relation.columns.iter().find(|column| column.number == *number);
    relation.primary_key.iter().map(|number| named(number).map(|column| column.name.as_str())).collect()
}

/// The column that an entry of GROUP BY is, by itself or by its place among the results.
fn grouped(items: &[Item<'_>], targets: &[Node], node: &Node) -> Option<(usize, String)> {
    match &node.node {
        Some(NodeEnum::ColumnRef(reference)) => column(items, reference),
        Some(NodeEnum::AConst(constant)) => {
            let Some(Val::Ival(place)) = &constant.val else { return None };
            let target = targets.get(usize::try_from(place.ival).ok()?.checked_sub(1)?)?;
            match &target.node {
                Some(NodeEnum::ResTarget(target)) => grouped(items, &[], target.val.as_deref()?),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Every column that an expression names, in subqueries too: one too many changes no group.
fn columns(items: &[Item<'_>], node: &mut Node, used: &mut Vec<(usize, String)>) -> Result<(), Refusal> {
    if let Some(NodeEnum::ColumnRef(reference)) = &node.node {
        match reference.fields.as_slice() {
            [Node { node: Some(NodeEnum::AStar(_)) }] => {
                (0..items.len()).for_each(|index| all(items, index, used));
            }
            [item, Node { node: Some(NodeEnum::AStar(_)) }] => {
                let item = name(item);
                let of = items.iter().position(|known| Some(&known.name) == item.as_ref());
                of.into_iter().for_each(|index| all(items, index, used));
            }
            _ => used.extend(column(items, reference)),
        }
    }
    shape::children(node, &mut |child| columns(items, child, used))
}

fn all(items: &[Item<'_>], index: usize, used: &mut Vec<(usize, String)>) {
    let relation = items.get(index).and_then(|item| item.relation);
    used.extend(relation.into_iter().flat_map(|relation| &relation.columns).map(|column| (index, column.name.clone())));
}

/// Which column of which item a reference means. An unqualified one only where the columns of all items are known.
fn column(items: &[Item<'_>], reference: &ColumnRef) -> Option<(usize, String)> {
    let parts: Vec<String> = reference.fields.iter().map(name).collect::<Option<_>>()?;
    let has = |item: &Item<'_>, column: &str| item.relation.is_some_and(|relation| relation.column(column).is_some());
    let (column, mut found) = match parts.as_slice() {
        [column] if items.iter().all(|item| item.relation.is_some() && !item.renamed) => {
            (column, items.iter().enumerate().filter(|(_, item)| has(item, column)).collect::<Vec<_>>())
        }
        [item, column] => {
            (column, items.iter().enumerate().filter(|(_, known)| known.name == *item).collect::<Vec<_>>())
        }
        [schema, relation, column] => {
            let is_it = |item: &Item<'_>| {
                !item.aliased && item.relation.is_some_and(|r| r.schema == *schema && r.name == *relation)
            };
            (column, items.iter().enumerate().filter(|(_, item)| is_it(item)).collect::<Vec<_>>())
        }
        _ => return None,
    };
    let (index, item) = found.pop().filter(|_| found.is_empty())?;
    (!item.renamed && has(item, column)).then(|| (index, column.clone()))
}

fn reference(item: &str, column: &str) -> Node {
    scan::node(NodeEnum::ColumnRef(ColumnRef { fields: vec![scan::text(item), scan::text(column)], location: 0 }))
}
