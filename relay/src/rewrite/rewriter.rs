//! The rewriter's state, and what every part of it asks: may this be touched, and is it protected.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use schemas::event::{MaskedColumn, Touched};

use super::access::{Access, Grant, RelationAccess, Treatment};
use super::own::{self, Own};
use super::returning::Returning;
use super::scope::Scopes;
use super::splice::{self, Splice, Spliced};
use super::storing::Storing;
use super::withheld::Mode;
use crate::catalog::{QualifiedName, Relation, Snapshot};
use crate::statement::Refusal;

/// Rewrites one statement. Everything it meets is resolved against the snapshot and the fixed search path.
pub(crate) struct Rewriter<'a> {
    pub(super) catalog: &'a Snapshot,
    /// Where names of relations, functions and types are looked up: nowhere but `pg_catalog` inside of a view.
    pub(super) path: &'a [String],
    /// Where operators are looked up: always along the session's path, for a view's text runs there too.
    pub(super) operator_path: &'a [String],
    pub(super) access: &'a Access,
    /// What the session made itself.
    pub(super) own: &'a Own,
    pub(super) scopes: Scopes<'a>,
    /// How many views are around this point; zero in the client's own text.
    pub(super) view_depth: usize,
    /// What becomes of what is read at this point.
    pub(super) mode: Mode,
    /// Inside of a condition that chooses rows of the target.
    pub(super) chooses: bool,
    /// The protected column of the target whose new value is being computed.
    pub(super) assigning: Option<String>,
    /// What is returned of a write, where that is what is being rewritten.
    pub(super) returning: Option<Returning<'a>>,
    /// Masks may be stored where policy lets somebody approve it.
    pub(super) stores_masks: bool,
    /// The new value of a protected column, where that is what is being rewritten.
    pub(super) storing: Option<Storing<'a>>,
    /// Common table expressions of the outermost level may write.
    pub(super) writes_admitted: bool,
    /// How many writes the statement has.
    pub(super) writes: usize,
    /// A locking clause was met.
    pub(super) locks: bool,
    /// The query at this point asks in which part of a whole its rows are.
    pub(super) asks_for_part: bool,
    /// What is rewritten here a definition keeps.
    pub(super) defines: bool,
    /// It is a definition, to be kept without guards.
    pub(super) unguarded: bool,
    /// A name in it was taken for one of nothing.
    pub(super) assumes_absent: bool,
    /// The cursor at whose row something is changed.
    pub(super) current_of: Option<String>,
    pub(super) found: Found,
    /// Parts that the statements around this one have spliced in already.
    pub(super) spliced_before: usize,
    /// Parts are put into the tree itself, to compare with what splicing writes.
    #[cfg(test)]
    pub(crate) whole_trees: bool,
}

/// What a statement was found to touch.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// By object and action.
    pub(crate) touched: BTreeMap<(String, &'static str), Touched>,
    /// The same as what the catalog knows them by, and whether it needs approval.
    pub(crate) resolved: BTreeSet<Resolved>,
    /// OIDs of the relations read or written.
    pub(crate) relations: BTreeSet<u32>,
    /// A protected relation is among them.
    pub(crate) protected: bool,
    /// A relation of the system is among them that is seen in part: a view of it must not be left as it is.
    pub(crate) narrowed: bool,
    /// A temporary table is among them.
    pub(crate) temporary: bool,
    /// A relation with triggers of users is among them.
    pub(crate) triggers: bool,
    /// A function that users made is called.
    pub(crate) calls: bool,
    /// A relation with columns of an extension's types is among them.
    pub(crate) extension_types: bool,
    /// A function was called whose name an extension has too, over types of its own.
    pub(crate) shadowed: Option<String>,
    /// Policies that permitted it.
    pub(crate) policies: BTreeSet<String>,
    /// String constants that the relay wrote into it, as they stand in SQL text.
    pub(crate) constants: BTreeSet<String>,
    /// Parts that names stand for in the tree.
    pub(crate) splices: Vec<Splice>,
}

/// One verb on one object that a statement was found to touch.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Resolved {
    /// Qualified name, `schema.relation`.
    pub object: String,
    /// The action that was asked for.
    pub verb: &'static str,
    /// Which resource of the policies it is.
    pub resource: Resource,
    /// The action is permitted only when somebody approves.
    pub held: bool,
    /// Protected columns that get masks in place of values; of `write_masks` alone.
    pub from_masks: Vec<String>,
}

/// A resource of the policies, as the catalog knows it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resource {
    /// A relation, by OID.
    Relation(u32),
    /// A schema that something is made in, by name.
    Schema(String),
}

impl<'a> Rewriter<'a> {
    pub(crate) fn new(catalog: &'a Snapshot, path: &'a [String], access: &'a Access, own: &'a Own) -> Self {
        Self {
            catalog,
            path,
            operator_path: path,
            access,
            own,
            scopes: Scopes::default(),
            view_depth: 0,
            mode: Mode::default(),
            chooses: false,
            assigning: None,
            returning: None,
            stores_masks: false,
            storing: None,
            writes_admitted: false,
            writes: 0,
            locks: false,
            defines: false,
            asks_for_part: false,
            unguarded: false,
            assumes_absent: false,
            current_of: None,
            found: Found::default(),
            spliced_before: 0,
            #[cfg(test)]
            whole_trees: false,
        }
    }

    /// Notes a part and gives the name that stands for it in the tree.
    pub(super) fn splice(&mut self, part: &Arc<Spliced>) -> String {
        let name = splice::name(self.spliced_so_far());
        self.found.splices.push(Splice { name: name.clone(), part: Arc::clone(part) });
        name
    }

    pub(super) fn spliced_so_far(&self) -> usize {
        self.spliced_before.saturating_add(self.found.splices.len())
    }

    /// What was found until now, also when the statement was refused.
    pub(crate) fn into_found(self) -> Found {
        self.found
    }

    /// The answers for a relation, unless it is barred.
    pub(super) fn answers(&self, relation: &Relation) -> Result<&'a RelationAccess, Refusal> {
        if own::is_own(relation) {
            return Ok(own::access());
        }
        let access = self.access.relations.get(&relation.oid).ok_or_else(|| {
            Refusal::forbidden(format!("{} is not known to this session's access profile", relation.qualified()))
        })?;
        match &access.barred {
            Some(why) => Err(Refusal::forbidden(format!("{}: {why}", relation.qualified()))),
            None => Ok(access),
        }
    }

    /// Asks for one action on a relation and notes that it was touched; `what` says it for people.
    pub(super) fn ask(
        &mut self,
        relation: &Relation,
        action: &'static str,
        what: &str,
    ) -> Result<&'a RelationAccess, Refusal> {
        let access = self.answers(relation)?;
        let grant = match action {
            "select" => &access.select,
            "insert" => &access.insert,
            "update" => &access.update,
            "delete" => &access.delete,
            _ => &access.ddl,
        };
        // Who may read a view reads through it: its relations are not asked for again, only masked.
        if self.view_depth == 0 {
            self.require(grant, action, what, &relation.qualified().to_string())?;
        }
        self.touch(relation, access, action);
        self.found.resolved.insert(Resolved {
            object: relation.qualified().to_string(),
            verb: action,
            resource: Resource::Relation(relation.oid),
            held: grant.held && self.view_depth == 0,
            from_masks: Vec::new(),
        });
        Ok(access)
    }

    /// Asks whether a function may be called that users or an extension made, and notes that it is; `None` where there is
    /// no such function.
    pub(super) fn ask_call(&mut self, schema: &str, name: &str) -> Option<Result<(), Refusal>> {
        let seen_through = Grant { permitted: true, ..Grant::default() };
        let granted = self.access.functions.get(&(schema.to_owned(), name.to_owned()));
        let granted = granted.or_else(|| self.computes_from_arguments(schema, name).then_some(&seen_through));
        let Some(grant) = granted else {
            let is_there = self.catalog.user_functions().any(|function| function == (schema, name));
            let refusal = || {
                let function = QualifiedName { schema, name };
                Refusal::forbidden(format!("policy does not permit calling {function}")).hint(format!(
                    "You have no grant of action \"call\" on {function}; ask the owner of the policies for one."
                ))
            };
            return is_there.then(|| Err(refusal()));
        };
        self.found.policies.extend(grant.policies.iter().cloned());
        self.found.calls = true;
        let object = called(schema, name);
        let touched =
            Touched { object: object.clone(), action: "call".to_owned(), masked: Vec::new(), revealed: Vec::new() };
        self.found.touched.insert((object, "call"), touched);
        Some(Ok(()))
    }

    /// A function whose body the server has parsed, and which calls nothing but what anybody may call.
    fn computes_from_arguments(&self, schema: &str, name: &str) -> bool {
        let forbidden = || self.access.forbidden_functions.contains(&(schema.to_owned(), name.to_owned()));
        let bodies = self.catalog.parsed_bodies(schema, name);
        !bodies.is_empty() && !forbidden() && bodies.iter().all(|body| self.computes_alone(body))
    }

    pub(super) fn require(&mut self, grant: &Grant, action: &str, what: &str, object: &str) -> Result<(), Refusal> {
        if grant.permitted {
            self.found.policies.extend(grant.policies.iter().cloned());
            return Ok(());
        }
        Err(Refusal::forbidden(format!("policy does not permit {what} {object}")).hint(format!(
            "You have no grant of action \"{action}\" on {object}; ask the owner of the policies for one."
        )))
    }

    fn touch(&mut self, relation: &Relation, access: &RelationAccess, action: &'static str) {
        self.found.relations.insert(relation.oid);
        self.found.protected |= access.protected;
        self.found.triggers |= relation.triggers;
        self.found.extension_types |=
            self.catalog.has_extension_types(relation) || self.own.has_extension_types(relation);
        self.found.temporary |= own::is_temporary(relation);
        if access.columns.iter().any(|column| column.treatment == Treatment::Revealed) {
            self.found.policies.extend(access.reveal_policies.iter().cloned());
        }
        self.found.constants.insert(crate::catalog::literal(&relation.qualified().to_string()));
        self.found.constants.insert(crate::catalog::literal(&relation.oid.to_string()));
        let object = relation.qualified().to_string();
        self.found.touched.entry((object.clone(), action)).or_insert_with(|| touched(object, access, action));
    }
}

impl Found {
    /// Whether a relation with masked columns is touched.
    pub(crate) fn is_masked(&self) -> bool {
        self.touched.values().any(|touched| !touched.masked.is_empty())
    }

    /// A call is written with `pg_catalog` in front; for a value of an extension's type it could then be another function
    /// than the client meant, and answer wrongly.
    pub(super) fn keeps_meaning(&self) -> Result<(), Refusal> {
        match &self.shadowed {
            Some(function) if self.extension_types => Err(Refusal::unsupported(format!(
                "function {function} has other forms for an extension's types, which this statement reads"
            ))
            .hint(format!("Cast the argument to a built-in type and write pg_catalog.{function}."))),
            _ => Ok(()),
        }
    }

    /// Adds what was found inside of a view.
    pub(super) fn absorb(&mut self, other: Found) {
        self.touched.extend(other.touched);
        self.resolved.extend(other.resolved);
        self.relations.extend(other.relations);
        self.protected |= other.protected;
        self.narrowed |= other.narrowed;
        self.temporary |= other.temporary;
        self.triggers |= other.triggers;
        self.calls |= other.calls;
        self.extension_types |= other.extension_types;
        self.shadowed = self.shadowed.take().or(other.shadowed);
        self.policies.extend(other.policies);
        self.constants.extend(other.constants);
        self.splices.extend(other.splices);
    }
}

/// A function as evidence names it: no relation has such a name.
pub(crate) fn called(schema: &str, name: &str) -> String {
    format!("{}()", QualifiedName { schema, name })
}

pub(super) fn touched(object: String, access: &RelationAccess, action: &str) -> Touched {
    let mut masked = Vec::new();
    let mut revealed = Vec::new();
    for column in &access.columns {
        match &column.treatment {
            Treatment::Clear => {}
            Treatment::Revealed => revealed.push(column.name.clone()),
            Treatment::Masked(style) => {
                masked.push(MaskedColumn { column: column.name.clone(), style: style.to_string() });
            }
        }
    }
    Touched { object, action: action.to_owned(), masked, revealed }
}
