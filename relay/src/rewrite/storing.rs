//! Masks in place of stored values: what of a write is refused otherwise, and policy lets somebody approve.
//!
//! A write in which a masked column becomes rows is refused. Where policy permits `write_masks` on the target, and for that
//! reason alone, it is held instead: an `INSERT … SELECT` then reads masks, and in the `SET` of an `UPDATE` a mask stands for
//! each masked column of its own row. What is stored is a mask, never the value; what chooses rows is as clear as ever.

use pg_query::NodeEnum;
use pg_query::protobuf::{InsertStmt, Node};

use super::access::{RelationAccess, Treatment};
use super::expression::name;
use super::own::is_temporary;
use super::returning::mask_for;
use super::rewriter::{Resolved, Resource, Rewriter};
use super::telling::Assigned;
use crate::catalog::Relation;
use crate::statement::Refusal;

/// The new value of a protected column, while it is being rewritten.
pub(super) struct Storing<'a> {
    target: &'a Relation,
    access: &'a RelationAccess,
    /// By which name columns refer to the target.
    name: String,
    /// A mask was written into it.
    masked: bool,
}

/// Whether a statement is of a kind that can store masks.
pub(crate) fn may_store_masks(node: &Node) -> bool {
    matches!(node.node, Some(NodeEnum::InsertStmt(_) | NodeEnum::UpdateStmt(_)))
}

impl<'a> Rewriter<'a> {
    /// From here on masks may be stored where policy lets somebody approve it.
    pub(crate) fn storing_masks(mut self) -> Self {
        self.stores_masks = true;
        self
    }

    /// Whether an `INSERT` reads masks, to be stored once somebody approves.
    pub(super) fn inserts_masks(&self, insert: &InsertStmt, target: &Relation, nested: bool) -> bool {
        let alone = !nested && self.writes == 1 && insert.on_conflict_clause.is_none() && !is_temporary(target);
        alone && self.may_store(target)
    }

    /// Whether masks may stand in what an `UPDATE` of this relation alone sets.
    pub(super) fn updates_with_masks(&self, target: &Relation, nested: bool) -> bool {
        let alone = !nested && self.writes == 1 && self.scopes.innermost().len() == 1 && !is_temporary(target);
        alone && self.may_store(target)
    }

    fn may_store(&self, target: &Relation) -> bool {
        self.stores_masks && self.answers(target).is_ok_and(|access| access.protected && access.write_masks.permitted)
    }

    /// Rewrites the new value of a protected column. Says whether a mask is in it.
    pub(super) fn new_value(&mut self, node: &mut Node, target: &'a Relation, name: &str) -> Result<bool, Refusal> {
        let access = self.answers(target)?;
        self.storing = Some(Storing { target, access, name: name.to_owned(), masked: false });
        let result = self.expression(node);
        let masked = self.storing.take().is_some_and(|storing| storing.masked);
        result.map(|()| masked)
    }

    /// A reference to a column in it.
    pub(super) fn stored(&mut self, node: &mut Node) -> Result<(), Refusal> {
        let Some(NodeEnum::ColumnRef(reference)) = node.node.as_mut() else { return Ok(()) };
        self.column(reference)?;
        let parts: Vec<Option<String>> = reference.fields.iter().map(name).collect();
        let Some(storing) = &self.storing else { return self.withhold(reference) };
        let column = match parts.as_slice() {
            [Some(column)] => column,
            [Some(qualifier), Some(column)] if *qualifier == storing.name => column,
            _ => return self.withhold(reference),
        };
        let known = storing.access.columns.iter().find(|known| known.name == *column);
        let Some(Treatment::Masked(style)) = known.map(|known| &known.treatment) else {
            return self.withhold(reference);
        };
        let (mask, constants) = mask_for(style, storing.target, &storing.name, column)?;
        *node = mask;
        self.found.constants.extend(constants);
        if let Some(storing) = &mut self.storing {
            storing.masked = true;
        }
        Ok(())
    }

    /// The protected columns among those that get values.
    pub(super) fn protected_among(&self, target: &Relation, assigned: &Assigned) -> Result<Vec<String>, Refusal> {
        let columns = self.answers(target)?.columns.iter().filter(|column| column.treatment != Treatment::Clear);
        let given = |name: &str| match assigned {
            Assigned::All => true,
            Assigned::These(names) => names.contains(name),
        };
        Ok(columns.filter(|column| given(&column.name)).map(|column| column.name.clone()).collect())
    }

    /// Notes that these columns get masks: somebody has to approve that.
    pub(super) fn hold_masks(&mut self, target: &Relation, from_masks: Vec<String>) -> Result<(), Refusal> {
        if from_masks.is_empty() {
            return Ok(());
        }
        let access = self.ask(target, "select", "reading masks of")?;
        let object = target.qualified().to_string();
        self.require(&access.write_masks, "write_masks", "storing masks in", &object)?;
        let touched = super::rewriter::touched(object.clone(), access, "write_masks");
        self.found.touched.insert((object.clone(), "write_masks"), touched);
        let resource = Resource::Relation(target.oid);
        self.found.resolved.insert(Resolved { object, verb: "write_masks", resource, held: true, from_masks });
        Ok(())
    }
}
