//! Targets of writes: whether policy permits the write, and whether it could tell or change what is protected.

use std::collections::BTreeSet;

use pg_query::NodeEnum;
use pg_query::protobuf::{Node, RangeVar, SelectStmt};

use super::access::{RelationAccess, Treatment};
use super::own::is_own;
use super::rewriter::Rewriter;
use super::scope::{Item, Role};
use super::telling::Assigned;
use crate::catalog::{ForeignKey, Kind, Readable, Relation};
use crate::statement::Refusal;

impl<'a> Rewriter<'a> {
    /// The relation that a write names.
    pub(super) fn target(&mut self, range: Option<&mut RangeVar>) -> Result<&'a Relation, Refusal> {
        let range = range.ok_or_else(|| Refusal::unsupported("a write without a target"))?;
        self.resolve(range)?.ok_or_else(|| Refusal::forbidden("system relations are not written through the relay"))
    }

    /// Asks for one verb on the target, with values from the client for these columns.
    pub(super) fn may(
        &mut self,
        target: &'a Relation,
        action: &'static str,
        what: &str,
        assigned: &Assigned,
    ) -> Result<(), Refusal> {
        let access = self.ask(target, action, what)?;
        if target.kind == Kind::View && !is_own(target) {
            self.through(target, action, what, assigned)?;
        } else {
            self.writable(target, access, action, assigned)?;
        }
        self.no_opaque_code(target, action)
    }

    /// A view that is written is a name for rows of one relation: what holds of writing that, holds of it. Whether it can be
    /// written is the target's to say. Its query reads nothing protected, nor chooses by it.
    fn through(
        &mut self,
        view: &'a Relation,
        action: &'static str,
        what: &str,
        assigned: &Assigned,
    ) -> Result<(), Refusal> {
        let refused =
            |why: &str| Err(Refusal::forbidden(format!("{action} is refused: view {} {why}", view.qualified())));
        if view.rules || view.triggers || view.opaque_writes {
            return refused("has rules, triggers, or defaults that call user-defined functions");
        }
        let (select, mut inside) = self.definition(view)?;
        if inside.found.protected || inside.found.narrowed || inside.found.calls {
            return refused("reads protected columns, or calls users' functions");
        }
        let Some(base) =
            only_relation(&select).and_then(|base| self.catalog.relation_named(&base.schemaname, &base.relname))
        else {
            return refused("reads something else than one relation");
        };
        inside.found.splices.clear();
        self.found.absorb(inside.found);
        self.may(base, action, what, assigned)?;
        match self.may_be_protected(base) {
            true => refused("is of a protected relation"),
            false => Ok(()),
        }
    }

    /// From here on columns can refer to the target, by the name that is returned.
    pub(super) fn enter(&mut self, target: &'a Relation, range: Option<&RangeVar>, role: Role) -> String {
        let alias = range.and_then(|range| range.alias.as_ref());
        let name = alias.map_or(&target.name, |alias| &alias.aliasname).clone();
        self.scopes.add_item(Item {
            name: name.clone(),
            relation: Some(target),
            system: None,
            aliased: alias.is_some(),
            renamed: false,
            role,
        });
        name
    }

    /// The columns that a list of assignments names.
    ///
    /// A part of a protected column is not assigned: what the rest of it holds decides whether that succeeds.
    pub(super) fn assigned(&self, target: &Relation, targets: &[Node]) -> Result<Assigned, Refusal> {
        let access = self.access.relations.get(&target.oid);
        let mut names = BTreeSet::new();
        for node in targets {
            let Some(NodeEnum::ResTarget(column)) = &node.node else {
                return Err(Refusal::unsupported("an assignment of this form is not supported by the relay"));
            };
            let mut columns = access.into_iter().flat_map(|access| &access.columns);
            let protected = columns.any(|known| known.name == column.name && known.treatment != Treatment::Clear);
            if protected && !column.indirection.is_empty() {
                return Err(Refusal::forbidden(format!(
                    "{} of {} is protected: it is assigned as a whole, not in part",
                    Readable(&column.name),
                    target.qualified()
                )));
            }
            names.insert(column.name.clone());
        }
        Ok(Assigned::These(names))
    }

    pub(super) fn may_be_protected(&self, relation: &Relation) -> bool {
        self.answers(relation).map_or(true, |access| access.protected)
    }

    fn writable(
        &self,
        relation: &Relation,
        access: &RelationAccess,
        action: &'static str,
        assigned: &Assigned,
    ) -> Result<(), Refusal> {
        let name = relation.qualified();
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
        if access.protected {
            if action != "insert" {
                self.tells_no_key(relation, access)?;
            }
            self.tells_nothing(relation, action, assigned)?;
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
}

/// The one relation that a query reads in its `FROM`.
fn only_relation(select: &SelectStmt) -> Option<&RangeVar> {
    match select.from_clause.as_slice() {
        [Node { node: Some(NodeEnum::RangeVar(range)) }] => Some(range),
        _ => None,
    }
}
