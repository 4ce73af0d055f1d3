//! `INSERT`, `UPDATE`, `DELETE`.
//!
//! A subquery cannot stand for the target of a write, and a protected column must never choose the rows that change, nor
//! become rows (rules 2 and 7). So nothing of the statement may refer to one ([`super::withheld`]), but for new values that
//! the client gives, and for what is returned, where it is masked ([`super::returning`]).

use pg_query::NodeEnum;
use pg_query::protobuf::{DeleteStmt, InsertStmt, MultiAssignRef, Node, OnConflictClause, UpdateStmt};

use super::access::Treatment;
use super::own::is_temporary;
use super::rewriter::Rewriter;
use super::scan;
use super::scope::{Item, Role};
use super::telling::Assigned;
use super::withheld::Mode;
use crate::catalog::Relation;
use crate::statement::Refusal;

impl<'a> Rewriter<'a> {
    pub(super) fn insert(&mut self, insert: &mut InsertStmt) -> Result<(), Refusal> {
        let nested = self.scopes.depth() > 0;
        let target = self.target(insert.relation.as_mut())?;
        let stores = self.inserts_masks(insert, target, nested);
        self.mode = if stores { Mode::Copies } else { self.mode_of(insert, target) };
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
        let given = if insert.cols.is_empty() && insert.select_stmt.is_some() {
            Assigned::All
        } else {
            self.assigned(target, &insert.cols)?
        };
        self.may(target, "insert", "inserting into", &given)?;
        if stores {
            self.mode = Mode::Writes;
            let columns = self.protected_among(target, &given)?;
            if columns.is_empty() {
                // Masks would stand in clear columns alone: that nobody is asked for.
                return Err(Refusal::forbidden("masks become rows where no protected column is given a value"));
            }
            self.hold_masks(target, columns)?;
        }
        let name = self.enter(target, insert.relation.as_ref(), Role::Target);
        self.expressions(&mut insert.cols)?;
        if let Some(conflict) = &mut insert.on_conflict_clause {
            self.on_conflict(conflict, target)?;
        }
        self.returning(&mut insert.returning_clause, target, &name, nested, false)?;
        self.scopes.pop();
        Ok(())
    }

    pub(super) fn update(&mut self, update: &mut UpdateStmt) -> Result<(), Refusal> {
        let nested = self.scopes.depth() > 0;
        let target = self.target(update.relation.as_mut())?;
        self.mode = self.mode_of_change(target);
        self.scopes.push();
        if let Some(with) = &mut update.with_clause {
            self.with(with)?;
        }
        let given = self.assigned(target, &update.target_list)?;
        self.may(target, "update", "updating", &given)?;
        let name = self.enter(target, update.relation.as_ref(), Role::Target);
        for item in &mut update.from_clause {
            self.item_of_from(item)?;
        }
        self.scopes.complete();
        let stores = self.updates_with_masks(target, nested).then_some(name.as_str());
        self.assignments(&mut update.target_list, target, stores)?;
        let at_cursor =
            self.at_cursor(update.where_clause.as_deref(), target, nested, update.from_clause.is_empty())?;
        if !at_cursor {
            self.choosing(&mut update.where_clause)?;
        }
        self.returning(&mut update.returning_clause, target, &name, nested, false)?;
        let level = self.scopes.pop();
        if !at_cursor {
            scan::and_where(&mut update.where_clause, scan::guards(target, level.guards));
        }
        Ok(())
    }

    pub(super) fn delete(&mut self, delete: &mut DeleteStmt) -> Result<(), Refusal> {
        let nested = self.scopes.depth() > 0;
        let target = self.target(delete.relation.as_mut())?;
        self.mode = self.mode_of_change(target);
        self.scopes.push();
        if let Some(with) = &mut delete.with_clause {
            self.with(with)?;
        }
        self.may(target, "delete", "deleting from", &Assigned::These(Default::default()))?;
        let name = self.enter(target, delete.relation.as_ref(), Role::Target);
        for item in &mut delete.using_clause {
            self.item_of_from(item)?;
        }
        self.scopes.complete();
        let at_cursor =
            self.at_cursor(delete.where_clause.as_deref(), target, nested, delete.using_clause.is_empty())?;
        if !at_cursor {
            self.choosing(&mut delete.where_clause)?;
        }
        self.returning(&mut delete.returning_clause, target, &name, nested, false)?;
        let level = self.scopes.pop();
        if !at_cursor {
            scan::and_where(&mut delete.where_clause, scan::guards(target, level.guards));
        }
        Ok(())
    }

    /// New rows of a relation that is not protected may hold masks, unless they decide what becomes of others.
    fn mode_of(&self, insert: &InsertStmt, target: &Relation) -> Mode {
        let adds_alone = self.mode != Mode::Writes
            && self.writes <= 1
            && (insert.on_conflict_clause.is_none() || is_temporary(target));
        if adds_alone && !self.may_be_protected(target) { Mode::Copies } else { Mode::Writes }
    }

    /// Rows of the session's own temporary table are its own: masks may choose and become them.
    fn mode_of_change(&self, target: &Relation) -> Mode {
        let alone = self.mode != Mode::Writes && self.writes <= 1;
        if alone && is_temporary(target) { Mode::Copies } else { Mode::Writes }
    }

    /// The names on the left are the target's columns; what is on the right and in subscripts are expressions.
    /// Where the target has a name in `stores`, masks may stand for its masked columns, once somebody approves.
    pub(super) fn assignments(
        &mut self,
        targets: &mut [Node],
        target: &'a Relation,
        stores: Option<&str>,
    ) -> Result<(), Refusal> {
        let mut from_masks = Vec::new();
        // The one source of several columns stands with each of them in the tree, and once in the text.
        let mut source = None;
        for node in targets {
            let shared = shared_source(node);
            if let (Some(assign), Some(source)) = (shared, source.clone()) {
                assign.source = Some(source);
                continue;
            }
            self.assigning = self.protected_column(target, node);
            match (stores, self.assigning.clone()) {
                (Some(name), Some(column)) if self.new_value(node, target, name)? => from_masks.push(column),
                (Some(_), Some(_)) => {}
                _ => self.expression(node)?,
            }
            source = shared_source(node)
                .filter(|assign| assign.colno < assign.ncolumns)
                .and_then(|assign| assign.source.clone());
        }
        self.assigning = None;
        self.hold_masks(target, from_masks)
    }

    fn protected_column(&self, target: &Relation, node: &Node) -> Option<String> {
        let Some(NodeEnum::ResTarget(column)) = &node.node else { return None };
        let columns = &self.access.relations.get(&target.oid)?.columns;
        let known = columns.iter().find(|known| known.name == column.name)?;
        let alone = !matches!(column.val.as_deref(), Some(Node { node: Some(NodeEnum::MultiAssignRef(_)) }));
        (alone && known.treatment != Treatment::Clear).then(|| known.name.clone())
    }

    /// Whether a change is of the row at which a cursor is, `WHERE CURRENT OF`. It carries no guard, for that takes no other
    /// condition: the target itself sees to it that the cursor reads this relation, and it holds its name as long as it is
    /// open. What the cursor has read only the session knows ([`super::outcome::Cursor::Positions`]).
    fn at_cursor(
        &mut self,
        condition: Option<&Node>,
        target: &Relation,
        nested: bool,
        alone: bool,
    ) -> Result<bool, Refusal> {
        let Some(Node { node: Some(NodeEnum::CurrentOfExpr(current)) }) = condition else { return Ok(false) };
        if self.may_be_protected(target) {
            return Err(Refusal::forbidden(format!(
                "WHERE CURRENT OF is refused: {} has protected columns",
                target.qualified()
            )));
        }
        if nested || !alone || current.cursor_name.is_empty() {
            return Err(Refusal::unsupported("WHERE CURRENT OF beside other relations or parameters is not supported"));
        }
        self.current_of = Some(current.cursor_name.clone());
        Ok(true)
    }

    fn choosing(&mut self, condition: &mut Option<Box<Node>>) -> Result<(), Refusal> {
        self.chooses = true;
        let result = self.maybe(condition);
        self.chooses = false;
        result
    }

    /// `DO UPDATE` reads and changes rows of the target, so both are asked for. `excluded` is the row that was to be added:
    /// what is in it is the client's.
    fn on_conflict(&mut self, clause: &mut OnConflictClause, target: &'a Relation) -> Result<(), Refusal> {
        if let Some(infer) = &mut clause.infer {
            self.maybe(&mut infer.where_clause)?;
        }
        if clause.target_list.is_empty() {
            return Ok(());
        }
        let given = self.assigned(target, &clause.target_list)?;
        self.may(target, "update", "updating", &given)?;
        let items = self.scopes.innermost().len();
        self.scopes.add_item(Item {
            name: "excluded".to_owned(),
            relation: Some(target),
            system: None,
            aliased: true,
            renamed: false,
            role: Role::Own,
        });
        self.assignments(&mut clause.target_list, target, None)?;
        self.maybe(&mut clause.where_clause)?;
        self.scopes.keep_items(items);
        scan::and_where(&mut clause.where_clause, scan::guards(target, Vec::new()));
        Ok(())
    }
}

fn shared_source(node: &mut Node) -> Option<&mut MultiAssignRef> {
    let Some(NodeEnum::ResTarget(target)) = node.node.as_mut() else { return None };
    match target.val.as_deref_mut().and_then(|value| value.node.as_mut()) {
        Some(NodeEnum::MultiAssignRef(assign)) => Some(assign),
        _ => None,
    }
}
