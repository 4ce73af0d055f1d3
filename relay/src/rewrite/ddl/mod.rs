//! Changes of definitions: of what is not protected, with expressions that call nothing but listed functions.
//!
//! Whatever evaluates rows or tells about them is asked for on relations that nothing protected depends on. New names must
//! not take the place of protected ones: the classification goes by names.

mod alter;
mod cascade;
mod comment;
mod drop;
mod enumeration;
mod index;
mod partition;
mod place;
mod protected;
mod refresh;
mod rename;
mod rights;
mod schema;
mod sequence;
mod table;
mod table_as;
mod upkeep;
mod view;

pub(super) use table_as::{is_into, table_as, take_into};
pub(super) use upkeep::set_constraints;

use pg_query::NodeEnum;
use pg_query::protobuf::{DropBehavior, Node, RangeVar};

use super::expression;
use super::outcome::Effects;
use super::own::{OwnChange, TEMPORARY, is_own};
use super::rewriter::{Resolved, Resource, Rewriter};
use super::scan;
use crate::catalog::{Dependent, Kind, QualifiedName, Relation};
use crate::statement::{Refusal, shape};

impl<'a> Rewriter<'a> {
    /// A table whose definition may be changed: policy permits it, nothing protected depends on it.
    fn changeable(&mut self, range: &mut RangeVar, what: &str) -> Result<&'a Relation, Refusal> {
        let Some(relation) = self.resolve(range)? else {
            return Err(Refusal::forbidden("system relations are not changed through the relay"));
        };
        self.changeable_relation(relation, what)?;
        Ok(relation)
    }

    /// As [`Self::changeable`]. With `IF EXISTS` nothing, where there is none of that name: it is written as one of the
    /// session's own temporary ones, so that the target finds none either.
    fn changeable_if_any(
        &mut self,
        range: &mut RangeVar,
        missing_ok: bool,
        what: &str,
    ) -> Result<Option<&'a Relation>, Refusal> {
        match self.changeable(range, what) {
            Err(refusal) if missing_ok && refusal.unknown_name => {
                self.absent(range);
                Ok(None)
            }
            other => other.map(Some),
        }
    }

    /// Writes a name as that of something that is not there.
    fn absent(&mut self, range: &mut RangeVar) {
        self.assumes_absent = true;
        TEMPORARY.clone_into(&mut range.schemaname);
    }

    fn changeable_relation(&mut self, relation: &Relation, what: &str) -> Result<(), Refusal> {
        let access = self.ask(relation, "ddl", what)?;
        self.no_opaque_event(what)?;
        let name = relation.qualified();
        if access.protected {
            return Err(Refusal::forbidden(format!(
                "{what} {name} is refused: it has protected columns, and the definition of protected relations is not \
                 changed through the relay"
            )));
        }
        if !matches!(relation.kind, Kind::Table | Kind::Partitioned) {
            return Err(Refusal::unsupported(format!("{what} {name} is refused: it is a {}", relation.kind.noun())));
        }
        // TRUNCATE sets off triggers, and an index computes what it holds.
        self.no_opaque_code(relation, what)?;
        if self.beside_protected(relation.oid) {
            return Err(Refusal::forbidden(format!(
                "{what} {name} is refused: a view reads it together with protected columns"
            )));
        }
        Ok(())
    }

    /// The classification goes by the names of relations and columns, also of those that it calls clear.
    fn not_classified(&self, relation: &Relation, what: &str) -> Result<(), Refusal> {
        if is_own(relation) || !self.answers(relation)?.classified {
            return Ok(());
        }
        Err(Refusal::forbidden(format!(
            "{what} {} is refused: the classification names it and its columns",
            relation.qualified()
        ))
        .hint("Take it out of the classification first; it protects nothing of it."))
    }

    /// A view whose definition may be changed.
    fn changeable_view(&mut self, range: &mut RangeVar, what: &str) -> Result<&'a Relation, Refusal> {
        let Some(relation) = self.resolve(range)? else {
            return Err(Refusal::forbidden("system relations are not changed through the relay"));
        };
        self.changeable_view_relation(relation, what)?;
        Ok(relation)
    }

    fn changeable_view_relation(&mut self, relation: &Relation, what: &str) -> Result<(), Refusal> {
        self.ask(relation, "ddl", what)?;
        self.no_opaque_event(what)?;
        let name = relation.qualified();
        if relation.kind != Kind::View || is_own(relation) {
            return Err(Refusal::unsupported(format!("{what} {name} is refused: it is a {}", relation.kind.noun())));
        }
        let reads_protected = self.catalog.reads(relation.oid).iter().any(|oid| self.is_protected(*oid));
        if reads_protected || self.beside_protected(relation.oid) {
            return Err(Refusal::forbidden(format!(
                "{what} {name} is refused: protected columns are read with it or by it"
            )));
        }
        Ok(())
    }

    /// An index or a sequence that may be changed: what it belongs to may be. `range` gets its schema. Nothing, as
    /// [`Self::changeable_if_any`].
    fn changeable_dependent(
        &mut self,
        range: &mut RangeVar,
        sequence: bool,
        missing_ok: bool,
        what: &str,
    ) -> Result<Option<&'a Dependent>, Refusal> {
        let Some(dependent) = self.dependent(range, sequence) else {
            if missing_ok {
                self.absent(range);
                return Ok(None);
            }
            return Err(Refusal::unknown_relation(written(range)));
        };
        dependent.schema.clone_into(&mut range.schemaname);
        match dependent.of.map(|oid| self.catalog.relation(oid)) {
            Some(Some(relation))
                if what == "DROP INDEX" && self.is_index_of_clear_columns(relation, &dependent.name) =>
            {
                self.may_define(relation, what)?;
            }
            Some(Some(relation)) => {
                let relation: &Relation = relation;
                self.changeable_relation(relation, what)?;
            }
            Some(None) => {
                return Err(Refusal::forbidden(format!("{what}: it belongs to no relation of this snapshot")));
            }
            None => self.ask_schema(&dependent.schema, written(range), what)?,
        }
        self.no_opaque_event(what)?;
        self.note_created(QualifiedName { schema: &dependent.schema, name: &dependent.name });
        Ok(Some(dependent))
    }

    fn dependent(&self, range: &RangeVar, sequence: bool) -> Option<&'a Dependent> {
        let named = |schema: &str| {
            let dependent = self.catalog.dependent_named(schema, &range.relname);
            dependent.filter(|dependent| dependent.sequence == sequence)
        };
        match range.schemaname.is_empty() {
            true => self.catalog.searched(self.path).find_map(named),
            false => named(&range.schemaname),
        }
    }

    /// Asks whether something may be made or changed in a schema that belongs to no relation.
    fn ask_schema(&mut self, schema: &str, object: String, what: &str) -> Result<(), Refusal> {
        if !self.catalog.schemas().any(|known| known == schema) {
            return Err(Refusal::forbidden(format!("{what} works in the database's own, existing schemas only")));
        }
        let grant = self.access.schemas.get(schema).cloned().unwrap_or_default();
        self.require(&grant, "ddl", &format!("{what} in schema"), schema)?;
        self.no_opaque_event(what)?;
        self.found.resolved.insert(Resolved {
            object,
            verb: "ddl",
            resource: Resource::Schema(schema.to_owned()),
            held: grant.held,
            from_masks: Vec::new(),
        });
        Ok(())
    }

    /// Whether some view reads this relation and, directly or not, a protected one too.
    fn beside_protected(&self, oid: u32) -> bool {
        self.catalog.relations().filter(|relation| !relation.reads.is_empty()).any(|view| {
            let read = self.catalog.reads(view.oid);
            read.contains(&oid) && read.iter().any(|oid| self.is_protected(*oid))
        })
    }

    fn is_protected(&self, oid: u32) -> bool {
        self.access.relations.get(&oid).is_some_and(|access| access.protected)
    }

    fn note_created(&mut self, name: QualifiedName<'_>) {
        let object = name.to_string();
        let touched = schemas::event::Touched {
            object: object.clone(),
            action: "ddl".to_owned(),
            masked: Vec::new(),
            revealed: Vec::new(),
        };
        self.found.touched.insert((object, "ddl"), touched);
    }
}

impl Rewriter<'_> {
    /// An expression that a definition keeps, or that is evaluated for it: of a row alone. The target takes no subquery
    /// there either.
    fn computed(&mut self, expression: &mut Option<Box<Node>>) -> Result<(), Refusal> {
        expression.as_deref_mut().map_or(Ok(()), no_subquery)?;
        let around = std::mem::replace(&mut self.defines, true);
        let result = self.maybe(expression);
        self.defines = around;
        result?;
        self.calls_nobody()
    }

    /// Others set it off later, whom policy was not asked about.
    fn calls_nobody(&self) -> Result<(), Refusal> {
        match self.found.touched.keys().any(|(_, action)| *action == "call") {
            false => Ok(()),
            true => Err(Refusal::forbidden("a definition computes by functions of the relay's list alone")),
        }
    }
}

fn no_subquery(node: &mut Node) -> Result<(), Refusal> {
    match &node.node {
        Some(NodeEnum::SubLink(_) | NodeEnum::SelectStmt(_)) => {
            Err(Refusal::unsupported("a definition computes from the row alone: it cannot have a subquery"))
        }
        _ => shape::children(node, &mut no_subquery),
    }
}

fn restricted(behavior: i32, what: &str) -> Result<(), Refusal> {
    if behavior == i32::from(DropBehavior::DropCascade) {
        return Err(Refusal::unsupported(format!("{what} … CASCADE is not supported by the relay yet"))
            .hint("Name every object and leave CASCADE out."));
    }
    Ok(())
}

fn changed() -> Effects {
    Effects { changes_catalog: true, locks_relations: true, ..Effects::default() }
}

fn changed_own(changes: Vec<OwnChange>) -> Effects {
    Effects { own: changes, ..changed() }
}

fn gone(range: &RangeVar) -> OwnChange {
    OwnChange::Gone { schema: range.schemaname.clone(), name: range.relname.clone() }
}

/// `name` or `schema.name`, as a list of names in the tree.
fn range_of(parts: &[String]) -> Result<RangeVar, Refusal> {
    match parts {
        [name] => Ok(RangeVar { relname: name.clone(), ..RangeVar::default() }),
        [schema, name] => Ok(RangeVar { schemaname: schema.clone(), relname: name.clone(), ..RangeVar::default() }),
        _ => Err(Refusal::unsupported("names with a database in front are not supported by the relay")),
    }
}

fn names_in(node: &Node) -> Option<Vec<String>> {
    match &node.node {
        Some(NodeEnum::List(list)) => list.items.iter().map(expression::name).collect(),
        _ => None,
    }
}

/// The names of an object, `rest` being what follows the relation's.
fn list_of(range: &RangeVar, rest: &[String]) -> Node {
    let parts = [&range.schemaname, &range.relname].into_iter().chain(rest);
    let items = parts.map(|part| scan::text(part)).collect();
    scan::node(NodeEnum::List(pg_query::protobuf::List { items }))
}

fn written(range: &RangeVar) -> String {
    match range.schemaname.is_empty() {
        true => crate::catalog::Readable(&range.relname).to_string(),
        false => QualifiedName { schema: &range.schemaname, name: &range.relname }.to_string(),
    }
}

fn odd(what: &str) -> Refusal {
    Refusal::unsupported(format!("{what} of this form is not supported by the relay"))
}
