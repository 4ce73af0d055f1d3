//! What a session made that no snapshot tells of: temporary tables, and what its open transaction has made so far.
//!
//! The names in here come before those of the snapshot, as they do at the target. An entry may outlive what it stands for,
//! or be missing. A temporary table is written upstream as `pg_temp.name`, which can mean nothing but this session's own,
//! so a stale entry leads to the target's own error. A relation of the open transaction is one that nobody else can have
//! made under that name, for its maker's transaction holds the name; where it is read it carries a guard all the same,
//! by which it is none of the protected ones.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use super::access::{Grant, RelationAccess};
use crate::catalog::{Column, Kind, Relation, Snapshot};

/// The names that a session made, as a decision depends on them (rule 1).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Own {
    relations: BTreeMap<(String, String), Arc<Made>>,
    things: BTreeSet<(Thing, String, String)>,
}

/// A relation that the session made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// As far as it is known: without columns where they are not, and with 0 for an OID where the snapshot has none.
    pub(super) relation: Relation,
    /// It may have columns of types that extensions made.
    pub(super) extension_types: bool,
    /// It ends with its transaction.
    pub(super) until_commit: bool,
}

/// What else a session makes that its statements name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Thing {
    /// An enum.
    Enum,
    /// A sequence.
    Sequence,
}

/// What a statement does to the names that the session made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnChange {
    /// A relation was made, or has this name and these columns from now on.
    Relation(Arc<Made>),
    /// Something else was made, in this schema, under this name.
    Thing(Thing, String, String),
    /// A relation is there no longer, by this name.
    Gone {
        /// Schema.
        schema: String,
        /// Name.
        name: String,
    },
    /// No temporary table is there any longer.
    NoTemporary,
}

impl Own {
    /// Of a session that made nothing, and of views.
    pub fn none() -> &'static Arc<Self> {
        static NONE: LazyLock<Arc<Own>> = LazyLock::new(Arc::default);
        &NONE
    }

    /// A statement ran that changes it.
    pub(crate) fn apply(&mut self, change: &OwnChange) {
        let full = self.len() >= KEPT_MAX;
        match change {
            // Decided on before those in front of it were answered; the target knows it, and this session does not.
            OwnChange::Relation(_) | OwnChange::Thing(..) if full => {}
            OwnChange::Relation(made) => {
                let key = (made.relation.schema.clone(), made.relation.name.clone());
                self.relations.insert(key, Arc::clone(made));
            }
            OwnChange::Thing(thing, schema, name) => {
                self.things.insert((*thing, schema.clone(), name.clone()));
            }
            OwnChange::Gone { schema, name } => {
                self.relations.remove(&(schema.clone(), name.clone()));
            }
            OwnChange::NoTemporary => self.relations.retain(|(schema, _), _| schema != TEMPORARY),
        }
    }

    /// The transaction has committed: what it made the next snapshot knows.
    pub(crate) fn commit(&mut self) {
        self.things.clear();
        self.relations.retain(|(schema, _), made| schema == TEMPORARY && !made.until_commit);
    }

    /// Temporary tables of `other` that are not among these: part of a transaction was undone, and nobody knows which part.
    pub(crate) fn with_temporary_of(&mut self, other: &Self) {
        self.things.clear();
        self.relations.retain(|(schema, _), _| schema == TEMPORARY);
        let temporary = other.relations.iter().filter(|((schema, _), _)| schema == TEMPORARY);
        for (key, made) in temporary {
            self.relations.entry(key.clone()).or_insert_with(|| Arc::clone(made));
        }
        // Nor which columns they have.
        for made in self.relations.values_mut() {
            Arc::make_mut(made).relation.columns.clear();
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.relations.len().saturating_add(self.things.len())
    }

    /// A temporary table.
    pub(super) fn temporary(&self, name: &str) -> Option<&Relation> {
        self.named(TEMPORARY, name)
    }

    /// A relation by its qualified name.
    pub(super) fn named(&self, schema: &str, name: &str) -> Option<&Relation> {
        // Most sessions make nothing, and every statement asks.
        let made = (!self.relations.is_empty()).then(|| self.relations.get(&(schema.to_owned(), name.to_owned())));
        made.flatten().map(|made| &made.relation)
    }

    /// What `schema.name` means, or `name` along the search path, if that is one of these.
    pub(super) fn find(&self, catalog: &Snapshot, path: &[String], schema: &str, name: &str) -> Option<&Relation> {
        if self.relations.is_empty() {
            return None;
        }
        if !schema.is_empty() {
            return self.named(schema, name);
        }
        let first = |schema| match self.named(schema, name) {
            Some(own) => Some(Some(own)),
            None => catalog.relation_named(schema, name).map(|_| None),
        };
        self.temporary(name).or_else(|| catalog.searched(path).find_map(first).flatten())
    }

    /// The schema of a thing that the session made: the one that is named, or else the first of these that has it.
    pub(super) fn thing<'s>(
        &self,
        thing: Thing,
        mut searched: impl Iterator<Item = &'s str>,
        schema: &str,
        name: &str,
    ) -> Option<String> {
        let has = |schema: &str| self.things.contains(&(thing, schema.to_owned(), name.to_owned()));
        if self.things.is_empty() {
            return None;
        }
        let found = if schema.is_empty() { searched.find(|searched| has(searched)) } else { Some(schema) };
        found.filter(|found| has(found)).map(str::to_owned)
    }

    /// Whether values of extensions' types may be in it.
    pub(super) fn has_extension_types(&self, relation: &Relation) -> bool {
        self.made(relation).is_some_and(|made| made.extension_types)
    }

    /// The same relation with other names, or other columns.
    pub(super) fn changed(&self, relation: Relation) -> OwnChange {
        let was = self.made(&relation);
        let extension_types = was.is_some_and(|made| made.extension_types);
        let until_commit = was.is_some_and(|made| made.until_commit);
        OwnChange::Relation(Arc::new(Made { relation, extension_types, until_commit }))
    }

    fn made(&self, relation: &Relation) -> Option<&Arc<Made>> {
        let same = |made: &&Arc<Made>| made.relation.schema == relation.schema && made.relation.name == relation.name;
        self.relations.values().find(same)
    }
}

impl Made {
    /// A table with these columns; none where they are not known.
    pub(super) fn table(schema: &str, name: &str, columns: Vec<Column>) -> Self {
        let relation = Relation {
            oid: OWN_OID,
            schema: schema.to_owned(),
            name: name.to_owned(),
            kind: Kind::Table,
            readable: true,
            row_security: false,
            triggers: false,
            rules: false,
            options: Vec::new(),
            parents: Vec::new(),
            definition: None,
            reads: Vec::new(),
            opaque_writes: false,
            others_depend: false,
            trigger_functions: Vec::new(),
            write_expressions: Vec::new(),
            partition_key: Vec::new(),
            primary_key: Vec::new(),
            indexes: Vec::new(),
            checks: Vec::new(),
            columns: if columns.len() > COLUMNS_MAX { Vec::new() } else { columns },
        };
        Self { relation, extension_types: false, until_commit: false }
    }
}

/// Whether it is in no snapshot.
pub(super) fn is_own(relation: &Relation) -> bool {
    relation.oid == OWN_OID
}

/// Whether it is a temporary table.
pub(super) fn is_temporary(relation: &Relation) -> bool {
    is_own(relation) && relation.schema == TEMPORARY
}

/// Whoever made it may do anything with it, until policy knows it: nothing is in it but what they put there.
pub(super) fn access() -> &'static RelationAccess {
    static ACCESS: LazyLock<RelationAccess> = LazyLock::new(|| {
        let granted = || Grant { permitted: true, ..Grant::default() };
        RelationAccess {
            select: granted(),
            insert: granted(),
            update: granted(),
            delete: granted(),
            ddl: granted(),
            ..RelationAccess::default()
        }
    });
    &ACCESS
}

/// A column by its name; nothing else of it is known.
pub(super) fn column(number: usize, name: &str, generated: bool) -> Column {
    Column {
        number: i16::try_from(number).unwrap_or(i16::MAX),
        name: name.to_owned(),
        type_oid: 0,
        base: 0,
        typmod: -1,
        base_kind: 'b',
        base_name: String::new(),
        label: None,
        collation: None,
        default: None,
        identity: false,
        generated_from: generated.then(Vec::new),
    }
}

/// The name by which a session's own temporary schema is written.
pub(super) const TEMPORARY: &str = "pg_temp";
/// Stands for the OID of a relation that no snapshot knows.
const OWN_OID: u32 = 0;
/// Of one session at a time; more than reports and migrations make.
pub(super) const OWN_MAX: usize = 256;
/// Kept at most, also of what was sent in one pipeline.
const KEPT_MAX: usize = 2 * OWN_MAX;
/// Of wider tables the columns are not kept.
const COLUMNS_MAX: usize = 32;

#[cfg(test)]
impl Own {
    pub(crate) fn has_temporary(&self, name: &str) -> bool {
        self.temporary(name).is_some()
    }
}

#[cfg(test)]
impl OwnChange {
    pub(crate) fn temporary_table(name: &str) -> Self {
        Self::Relation(Arc::new(Made::table(TEMPORARY, name, Vec::new())))
    }
}
