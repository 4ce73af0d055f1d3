//! What a statement that writes may not see: columns that must neither choose nor become rows (rules 2 and 7).
//!
//! Two nets keep them away. A protected relation that is read is scanned without them, so that nothing can name them; and
//! every reference that could reach one is refused here by its name, which says why, and which alone guards the target: no
//! scan can stand in its place.

use std::borrow::Cow;
use std::sync::OnceLock;

use pg_query::NodeEnum;
use pg_query::protobuf::{ColumnRef, Node, SelectStmt, WithClause};

use super::access::{ColumnAccess, RelationAccess, Scan, Treatment};
use super::expression::name;
use super::rewriter::Rewriter;
use super::scan;
use super::scope::{Item, Role};
use crate::catalog::{Readable, Relation};
use crate::statement::Refusal;

/// What becomes of the values that a part of a statement reads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Mode {
    /// They are returned.
    #[default]
    Reads,
    /// They become new rows of a relation that is not protected: masks may, revealed values may not.
    Copies,
    /// They choose rows that change, or become rows: nothing protected may.
    Writes,
}

impl<'a> Rewriter<'a> {
    /// The scan that stands for a relation in this part of the statement; none where it is read as it is.
    pub(super) fn scan(
        &self,
        relation: &Relation,
        access: &'a RelationAccess,
        renamed: bool,
    ) -> Result<Option<Cow<'a, Scan>>, Refusal> {
        if !self.leaves_out(access, Role::Read) {
            return Ok(access.scan.as_ref().map(Cow::Borrowed));
        }
        if renamed {
            return Err(Refusal::unsupported(format!(
                "other names for the columns of {} are not supported here: this statement reads it without those that are \
                 protected",
                relation.qualified()
            )));
        }
        let narrow = if self.mode == Mode::Writes { &access.narrow } else { &access.unrevealed };
        self.narrow_scan(narrow, relation, access).map(|scan| Some(Cow::Borrowed(scan)))
    }

    /// Written when it is first needed.
    fn narrow_scan(
        &self,
        kept: &'a OnceLock<Scan>,
        relation: &Relation,
        access: &RelationAccess,
    ) -> Result<&'a Scan, Refusal> {
        if let Some(scan) = kept.get() {
            return Ok(scan);
        }
        let stays = |column: &&ColumnAccess| !self.is_withheld(column, Role::Read);
        let columns: Vec<ColumnAccess> = access.columns.iter().filter(stays).cloned().collect();
        let scan = scan::build(relation, &columns, &|name| self.catalog.knows(name))
            .map_err(|_| Refusal::unsupported("a scan without protected columns cannot be written"))?;
        Ok(kept.get_or_init(|| scan))
    }

    /// Refuses a reference that reaches, or could reach, a column that is withheld.
    pub(super) fn withhold(&self, reference: &ColumnRef) -> Result<(), Refusal> {
        if self.mode == Mode::Reads {
            return Ok(());
        }
        let parts: Vec<Option<String>> = reference.fields.iter().map(name).collect();
        match parts.as_slice() {
            [None] => match self.scopes.innermost().iter().find(|item| self.is_partial(item)) {
                Some(item) => Err(all_of(item)),
                None => Ok(()),
            },
            [Some(column)] => self.plain(column),
            [Some(item), column] => self.qualified(item, column.as_deref()),
            _ => Ok(()),
        }
    }

    fn plain(&self, column: &str) -> Result<(), Refusal> {
        for item in self.scopes.all() {
            if self.is_item_column_withheld(item, column) {
                return Err(self.withheld(item, column));
            }
            if self.is_unknown(item, column) && !self.scopes.supplies(column) {
                return Err(unknown(item, column));
            }
            let partial = self.is_partial(item);
            // A whole row, unless it is a column after all.
            if partial && item.name == column && item.relation.is_none_or(|relation| relation.column(column).is_none())
            {
                return Err(all_of(item));
            }
            if partial && item.role == Role::Target && SYSTEM_COLUMNS.contains(&column) {
                return Err(system_column(column));
            }
        }
        Ok(())
    }

    fn qualified(&self, qualifier: &str, column: Option<&str>) -> Result<(), Refusal> {
        for item in self.scopes.all().filter(|item| item.name == qualifier) {
            let Some(column) = column else {
                if self.is_partial(item) {
                    return Err(all_of(item));
                }
                continue;
            };
            if self.is_item_column_withheld(item, column) {
                return Err(self.withheld(item, column));
            }
            if self.is_partial(item) && item.role == Role::Target {
                if SYSTEM_COLUMNS.contains(&column) {
                    return Err(system_column(column));
                }
                // `row.name` can be a call of a function over all of the row.
                if item.relation.is_none_or(|relation| relation.column(column).is_none()) {
                    return Err(all_of(item));
                }
            }
        }
        Ok(())
    }

    /// Joins by columns of these names, or by all that both have.
    pub(super) fn joined_by_name(&self, all: bool, columns: &[Node]) -> Result<(), Refusal> {
        for item in self.scopes.innermost() {
            if all && self.is_partial(item) {
                return Err(all_of(item));
            }
            if let Some(column) = columns.iter().filter_map(name).find(|name| self.is_item_column_withheld(item, name))
            {
                return Err(self.withheld(item, &column));
            }
        }
        Ok(())
    }

    /// Whether some column of an item is withheld.
    pub(super) fn is_partial(&self, item: &Item<'_>) -> bool {
        item.relation
            .and_then(|relation| self.access.relations.get(&relation.oid))
            .is_some_and(|access| self.leaves_out(access, item.role))
    }

    fn leaves_out(&self, access: &RelationAccess, role: Role) -> bool {
        // One whose known columns are all clear may have others by now.
        let all_clear = || access.columns.iter().all(|column| column.treatment == Treatment::Clear);
        access.protected
            && (access.columns.iter().any(|column| self.is_withheld(column, role))
                || role == Role::Target && all_clear())
    }

    /// Whether this could be a column that a protected target has got since the catalog was read, by that name or at all.
    fn is_unknown(&self, item: &Item<'_>, column: &str) -> bool {
        let relation = item.relation.filter(|_| item.role == Role::Target && item.name != column);
        relation.is_some_and(|relation| {
            let protected = self.access.relations.get(&relation.oid).is_some_and(|access| access.protected);
            protected && relation.column(column).is_none() && !SYSTEM_COLUMNS.contains(&column)
        })
    }

    fn is_item_column_withheld(&self, item: &Item<'_>, column: &str) -> bool {
        let access = item.relation.and_then(|relation| self.access.relations.get(&relation.oid));
        let mut columns = access.into_iter().flat_map(|access| &access.columns);
        columns.any(|known| known.name == column && self.is_withheld(known, item.role))
    }

    fn is_withheld(&self, column: &ColumnAccess, role: Role) -> bool {
        match (role, &column.treatment, self.mode) {
            (Role::Own, _, _) | (_, Treatment::Clear, _) | (_, _, Mode::Reads) => false,
            (_, Treatment::Masked(_), mode) => mode == Mode::Writes,
            // Whom it is revealed to may choose by it, and change it by what it is.
            (Role::Target, Treatment::Revealed, _) => {
                !self.chooses && self.assigning.as_deref() != Some(column.name.as_str())
            }
            (_, Treatment::Revealed, _) => true,
        }
    }

    fn withheld(&self, item: &Item<'_>, column: &str) -> Refusal {
        let relation = item.relation.map(|relation| relation.qualified().to_string()).unwrap_or_default();
        let access = item.relation.and_then(|relation| self.access.relations.get(&relation.oid));
        let mut columns = access.into_iter().flat_map(|access| &access.columns);
        let masked = columns.any(|known| known.name == column && matches!(known.treatment, Treatment::Masked(_)));
        let column = Readable(column);
        if masked {
            Refusal::forbidden(format!(
                "column {column} of {relation} is masked: a masked column must never choose or become rows"
            ))
            .hint("A statement that writes may refer to clear columns; qualify the column if another relation's is meant.")
        } else {
            Refusal::forbidden(format!(
                "column {column} of {relation} is protected and revealed to you: it must not become rows where it is not \
                 protected, nor choose rows of another relation"
            ))
            .hint("It may stand in the WHERE of an UPDATE or DELETE of its own relation.")
        }
    }
}

fn all_of(item: &Item<'_>) -> Refusal {
    let relation = item.relation.map(|relation| relation.qualified().to_string()).unwrap_or_default();
    Refusal::forbidden(format!(
        "all columns of {relation} at once, or a whole row of it, hold protected ones: these must never choose or become \
         rows"
    ))
    .hint("Name the clear columns that you need.")
}

fn unknown(item: &Item<'_>, column: &str) -> Refusal {
    let relation = item.relation.map(|relation| relation.qualified().to_string()).unwrap_or_default();
    let message = format!(
        "column {} could be one of {relation} that is not known yet, and so is protected: it must not choose or become rows, \
         nor be returned of a write",
        Readable(column)
    );
    Refusal { unknown_name: true, ..Refusal::forbidden(message) }
        .reason("an unqualified column that could be one of a protected relation's which is not known yet")
        .hint("Where another item's column is meant, write that item's name in front of it.")
}

fn system_column(column: &str) -> Refusal {
    Refusal::unsupported(format!("system column {column} of a relation with protected columns is not supported"))
}

/// The first write among the common table expressions of a statement.
pub(super) fn first_write(with: Option<&WithClause>) -> Option<&Node> {
    writes(with).next()
}

/// The writes among the common table expressions of a statement.
pub(super) fn writes(with: Option<&WithClause>) -> impl Iterator<Item = &Node> {
    with.into_iter().flat_map(|with| &with.ctes).filter_map(|node| match &node.node {
        Some(NodeEnum::CommonTableExpr(cte)) => cte.ctequery.as_deref().filter(|query| is_write(query)),
        _ => None,
    })
}

/// A statement's own common table expressions.
pub(super) fn with_of(node: &Node) -> Option<&WithClause> {
    match &node.node {
        Some(NodeEnum::SelectStmt(select)) => select.with_clause.as_ref(),
        Some(NodeEnum::InsertStmt(insert)) => insert.with_clause.as_ref(),
        Some(NodeEnum::UpdateStmt(update)) => update.with_clause.as_ref(),
        Some(NodeEnum::DeleteStmt(delete)) => delete.with_clause.as_ref(),
        Some(NodeEnum::MergeStmt(merge)) => merge.with_clause.as_ref(),
        _ => None,
    }
}

/// Whether a statement is one that changes rows.
pub(super) fn is_write(node: &Node) -> bool {
    use NodeEnum::{DeleteStmt, InsertStmt, MergeStmt, UpdateStmt};
    matches!(node.node, Some(InsertStmt(_) | UpdateStmt(_) | DeleteStmt(_) | MergeStmt(_)))
}

/// The names of a query's columns, as far as the text tells them: by a list, or by the items themselves.
pub(super) fn written_columns(names: &[Node], query: Option<&Node>) -> Vec<String> {
    let named: Vec<String> = names.iter().filter_map(name).collect();
    let Some(Node { node: Some(NodeEnum::SelectStmt(select)) }) = query.filter(|_| named.is_empty()) else {
        return named;
    };
    let mut first = select;
    while let Some(arm) = first.larg.as_ref() {
        first = arm;
    }
    match first.values_lists.first() {
        Some(Node { node: Some(NodeEnum::List(row)) }) => {
            (1..=row.items.len()).map(|at| format!("column{at}")).collect()
        }
        _ => output_columns(&first.target_list),
    }
}

/// The names that a list of results gives: by AS, or as those of columns.
pub(super) fn output_columns(targets: &[Node]) -> Vec<String> {
    let label = |node: &Node| match &node.node {
        Some(NodeEnum::ResTarget(target)) if !target.name.is_empty() => Some(target.name.clone()),
        Some(NodeEnum::ResTarget(target)) => alone(target.val.as_deref()?),
        _ => None,
    };
    targets.iter().filter_map(label).collect()
}

/// The name of a column that stands alone, also to sort by; without what qualifies it.
pub(super) fn alone(node: &Node) -> Option<String> {
    match node.node.as_ref()? {
        NodeEnum::SortBy(sort) => alone(sort.node.as_deref()?),
        NodeEnum::ColumnRef(reference) => reference.fields.last().and_then(name),
        _ => None,
    }
}

/// Whether a query selects `*` and nothing else.
pub(super) fn is_star(select: &SelectStmt) -> bool {
    let [target] = select.target_list.as_slice() else { return false };
    let Some(NodeEnum::ResTarget(target)) = &target.node else { return false };
    match target.val.as_deref().and_then(|value| value.node.as_ref()) {
        Some(NodeEnum::ColumnRef(reference)) => {
            matches!(reference.fields.as_slice(), [Node { node: Some(NodeEnum::AStar(_)) }])
        }
        _ => false,
    }
}

const SYSTEM_COLUMNS: [&str; 6] = ["ctid", "cmax", "cmin", "tableoid", "xmax", "xmin"];
