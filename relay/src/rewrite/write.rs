//! `INSERT`, `UPDATE`, `DELETE`: only where no protected relation is anywhere in them.
//!
//! A subquery cannot stand for the target of a write, and a masked column must never choose the rows that change
//! (rule 2); so until protected targets are supported column by column, one protected relation refuses the statement.

use pg_query::NodeEnum;
use pg_query::protobuf::{DeleteStmt, InsertStmt, Node, OnConflictClause, RangeVar, ReturningClause, UpdateStmt};

use super::access::{RelationAccess, Treatment};
use super::own::is_temporary;
use super::rewriter::Rewriter;
use super::scan;
use super::scope::Item;
use crate::catalog::{ForeignKey, Kind, Relation};
use crate::statement::Refusal;

impl<'a> Rewriter<'a> {
    pub(super) fn insert(&mut self, insert: &mut InsertStmt) -> Result<(), Refusal> {
        self.scopes.push();
        if let Some(with) = &mut insert.with_clause {
            self.with(with)?;
        }
        if let Some(select) = &mut insert.select_stmt {
            match select.node.as_mut() {
                Some(NodeEnum::SelectStmt(select)) => self.select(select)?,
                _ => return Err(Refusal::unsupported("INSERT from anything but a query is not supported")),
            }
        }
        self.target(insert.relation.as_mut(), "insert", "inserting into")?;
        self.assignments(&mut insert.cols)?;
        if let Some(conflict) = &mut insert.on_conflict_clause {
            self.on_conflict(conflict, insert.relation.as_mut())?;
        }
        self.returning(&mut insert.returning_clause)?;
        self.scopes.pop();
        self.nothing_protected("INSERT")
    }

    pub(super) fn update(&mut self, update: &mut UpdateStmt) -> Result<(), Refusal> {
        self.scopes.push();
        if let Some(with) = &mut update.with_clause {
            self.with(with)?;
        }
        let target = self.target(update.relation.as_mut(), "update", "updating")?;
        for item in &mut update.from_clause {
            self.item_of_from(item)?;
        }
        self.assignments(&mut update.target_list)?;
        self.maybe(&mut update.where_clause)?;
        self.returning(&mut update.returning_clause)?;
        let level = self.scopes.pop();
        scan::and_where(&mut update.where_clause, scan::guards(target, level.guards));
        self.nothing_protected("UPDATE")
    }

    pub(super) fn delete(&mut self, delete: &mut DeleteStmt) -> Result<(), Refusal> {
        self.scopes.push();
        if let Some(with) = &mut delete.with_clause {
            self.with(with)?;
        }
        let target = self.target(delete.relation.as_mut(), "delete", "deleting from")?;
        for item in &mut delete.using_clause {
            self.item_of_from(item)?;
        }
        self.maybe(&mut delete.where_clause)?;
        self.returning(&mut delete.returning_clause)?;
        let level = self.scopes.pop();
        scan::and_where(&mut delete.where_clause, scan::guards(target, level.guards));
        self.nothing_protected("DELETE")
    }

    /// The names on the left are the target's columns; what is on the right and in subscripts are expressions.
    fn assignments(&mut self, targets: &mut [Node]) -> Result<(), Refusal> {
        self.expressions(targets)
    }

    /// `DO UPDATE` reads and changes rows of the target, so both are asked for.
    fn on_conflict(&mut self, clause: &mut OnConflictClause, range: Option<&mut RangeVar>) -> Result<(), Refusal> {
        if let Some(infer) = &mut clause.infer {
            self.maybe(&mut infer.where_clause)?;
        }
        if !clause.target_list.is_empty() {
            self.target(range, "update", "updating")?;
        }
        self.assignments(&mut clause.target_list)?;
        self.maybe(&mut clause.where_clause)
    }

    fn returning(&mut self, clause: &mut Option<ReturningClause>) -> Result<(), Refusal> {
        clause.as_mut().map_or(Ok(()), |clause| self.expressions(&mut clause.exprs))
    }

    pub(super) fn target(
        &mut self,
        range: Option<&mut RangeVar>,
        action: &'static str,
        what: &str,
    ) -> Result<&'a Relation, Refusal> {
        let range = range.ok_or_else(|| Refusal::unsupported("a write without a target"))?;
        let Some(relation) = self.resolve(range)? else {
            return Err(Refusal::forbidden("system relations are not written through the relay"));
        };
        let access = self.ask(relation, action, what)?;
        let temporary = is_temporary(relation);
        self.targets.temporary |= temporary;
        self.targets.lasting |= !temporary;
        self.writable(relation, access, action)?;
        self.no_opaque_code(relation, action)?;
        self.scopes.add_item(Item {
            name: range.alias.as_ref().map_or(&range.relname, |alias| &alias.aliasname).clone(),
            relation: Some(relation),
            system: None,
            aliased: range.alias.is_some(),
            renamed: false,
        });
        Ok(relation)
    }

    fn writable(&self, relation: &Relation, access: &RelationAccess, action: &str) -> Result<(), Refusal> {
        let name = relation.qualified();
        if access.protected {
            return Err(Refusal::unsupported(format!(
                "{action} is refused: {name} has protected columns, and writes to such relations are not supported yet"
            )));
        }
        if !matches!(relation.kind, Kind::Table | Kind::Partitioned) {
            return Err(Refusal::unsupported(format!(
                "{action} is refused: {name} is a {}, and only tables are written through the relay",
                relation.kind.noun()
            )));
        }
        if relation.rules || relation.opaque_writes {
            return Err(Refusal::forbidden(format!(
                "{action} is refused: {name} has rules, or defaults, constraints or indexes that call user-defined functions"
            )));
        }
        match self.catalog.foreign_keys().iter().any(|key| self.tells(key, relation, action)) {
            false => Ok(()),
            true => Err(Refusal::forbidden(format!(
                "{action} is refused: a foreign key between {name} and a protected relation would change it or tell its values"
            ))),
        }
    }

    /// Whether a foreign key carries a write over to protected rows, or tells by success or failure what they hold.
    pub(super) fn tells(&self, key: &ForeignKey, relation: &Relation, action: &str) -> bool {
        let (other, columns) = if key.from == relation.oid {
            (key.to, &key.to_columns)
        } else if key.to == relation.oid {
            (key.from, &key.from_columns)
        } else {
            return false;
        };
        let Some(access) = self.access.relations.get(&other).filter(|access| access.protected) else { return false };
        let carries = key.to == relation.oid && key.acts && action != "insert";
        let protected = |number: &i16| {
            access.columns.iter().any(|column| column.number == *number && column.treatment != Treatment::Clear)
        };
        carries || columns.iter().any(protected)
    }

    pub(super) fn nothing_protected(&self, statement: &str) -> Result<(), Refusal> {
        if !self.found.protected {
            return Ok(());
        }
        // Masks may be kept for as long as the session lasts.
        if self.targets.temporary && !self.targets.lasting {
            return self.nothing_revealed(statement);
        }
        let protected: Vec<String> = self
            .found
            .relations
            .iter()
            .filter(|oid| self.access.relations.get(oid).is_some_and(|access| access.protected))
            .filter_map(|oid| self.catalog.relation(*oid))
            .map(|relation| relation.qualified().to_string())
            .collect();
        Err(Refusal::unsupported(format!(
            "{statement} that reads protected relations ({}) is not supported yet: masked values would choose or become rows",
            protected.join(", ")
        )))
    }
}
