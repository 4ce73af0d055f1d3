//! What the relay knows of a target database, read by one query and asked by name or OID.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde::Deserialize;

use super::relation::{Dependent, ForeignKey, Relation, TriggerFunction, UserType};
use super::sequence::Sequence;

/// The query whose single JSON text [`Snapshot::from_json`] reads. It names everything by schema, works with an
/// unprivileged login on PostgreSQL 15 to 18, and leaves nothing behind.
pub const SNAPSHOT_SQL: &str = include_str!("snapshot.sql");

/// A database's catalog at one moment.
///
/// Relations, types, functions and operators of `pg_catalog` and `information_schema` are not in it: what of them
/// may be used is decided by allow-lists, by name.
#[derive(Debug, Clone)]
pub struct Snapshot {
    relations: BTreeMap<u32, Relation>,
    by_name: HashMap<(String, String), u32>,
    system_relations: HashSet<String>,
    schemas: HashMap<String, bool>,
    types: HashMap<(String, String), u32>,
    type_oids: HashMap<u32, UserType>,
    parsed_bodies: BTreeMap<(String, String), Vec<String>>,
    functions: Names,
    shadows: Names,
    unary_functions: HashSet<String>,
    other_functions: HashSet<String>,
    /// Schema and name of functions that keep a key of their own.
    hash_functions: HashSet<(String, String)>,
    event_triggers: Vec<TriggerFunction>,
    system_columns: HashMap<String, Vec<String>>,
    opaque_operator_classes: Vec<String>,
    operators: Names,
    foreign_keys: Vec<ForeignKey>,
    sequences: Vec<Sequence>,
    dependents: HashMap<(String, String), Dependent>,
    opaque_casts: Vec<String>,
    identifiers: HashSet<String>,
    login: String,
    server_version: u32,
    epoch: String,
}

/// A snapshot that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// Not what [`SNAPSHOT_SQL`] returns.
    #[error("the catalog snapshot cannot be read: {0}")]
    Malformed(#[from] serde_json::Error),
    /// Written by another version of the query.
    #[error("the catalog snapshot has format {0}, expected {FORMAT}")]
    Format(u32),
    /// Another encoding than UTF-8: the server would convert the text after the relay has read it.
    #[error("database encoding {0} is not supported: expected UTF8")]
    Encoding(String),
    /// The server is outside the range whose grammar and functions were examined.
    #[error("server version {0} is not supported: expected PostgreSQL 15 to 18")]
    Server(u32),
}

impl Snapshot {
    /// Reads what [`SNAPSHOT_SQL`] returned.
    ///
    /// # Errors
    /// [`SnapshotError`], when the text is not that of this version's query or the server is not supported.
    pub fn from_json(text: &str) -> Result<Self, SnapshotError> {
        let raw: Raw = serde_json::from_str(text)?;
        if raw.format != FORMAT {
            return Err(SnapshotError::Format(raw.format));
        }
        if !SERVER_VERSIONS.contains(&raw.server_version_num) {
            return Err(SnapshotError::Server(raw.server_version_num));
        }
        if raw.encoding != "UTF8" {
            return Err(SnapshotError::Encoding(raw.encoding));
        }
        Ok(raw.index(digest_hex(text)))
    }

    /// A value that differs whenever anything told by the snapshot differs: part of every cache key (rule 1).
    #[must_use]
    pub fn epoch(&self) -> &str {
        &self.epoch
    }

    /// `server_version_num`, e.g. 150018.
    #[must_use]
    pub fn server_version(&self) -> u32 {
        self.server_version
    }

    /// The login whose rights the snapshot tells.
    #[must_use]
    pub fn login(&self) -> &str {
        &self.login
    }

    /// All relations outside the system's schemas, by OID.
    pub fn relations(&self) -> impl Iterator<Item = &Relation> {
        self.relations.values()
    }

    /// A relation by OID.
    #[must_use]
    pub fn relation(&self, oid: u32) -> Option<&Relation> {
        self.relations.get(&oid)
    }

    /// A relation by its qualified name.
    #[must_use]
    pub fn relation_named(&self, schema: &str, name: &str) -> Option<&Relation> {
        self.by_name.get(&(schema.to_owned(), name.to_owned())).and_then(|oid| self.relations.get(oid))
    }

    /// All sequences outside the system's schemas.
    #[must_use]
    pub fn sequences(&self) -> &[Sequence] {
        &self.sequences
    }

    /// The sequence that a name means, if it means one: relations have the same names.
    #[must_use]
    pub fn sequence(&self, path: &[String], schema: &str, name: &str) -> Option<&Sequence> {
        let in_schema = |schema: &str| self.sequences.iter().find(|one| one.schema == schema && one.name == name);
        if !schema.is_empty() {
            return in_schema(schema);
        }
        let has = |schema: &&str| self.relation_named(schema, name).is_some() || in_schema(schema).is_some();
        if self.in_pg_catalog(name) { None } else { self.searched(path).find(has).and_then(in_schema) }
    }

    /// Names of the schemas outside the system's own.
    pub fn schemas(&self) -> impl Iterator<Item = &str> {
        self.schemas.keys().map(String::as_str)
    }

    /// Whether a relation of this name is in `pg_catalog`, which every search path begins with.
    #[must_use]
    pub fn in_pg_catalog(&self, name: &str) -> bool {
        self.system_relations.contains(name)
    }

    /// The schemas of a search path that the server would search for this login, in order. `"$user"` is expanded.
    pub fn searched<'a>(&'a self, path: &'a [String]) -> impl Iterator<Item = &'a str> {
        path.iter()
            .map(|schema| if schema == "$user" { self.login.as_str() } else { schema.as_str() })
            .filter(|schema| self.schemas.get(*schema).copied().unwrap_or(false))
    }

    /// Whether a function of this name that users made is visible in the search path, or was added to `pg_catalog`
    /// itself: then overload resolution is the server's and the name proves nothing (rule 4).
    #[must_use]
    pub fn user_function_visible(&self, path: &[String], name: &str) -> bool {
        self.functions.visible(self.searched(path), name)
    }

    /// Whether an extension has functions of this name over types of its own alone: they are other functions than
    /// `pg_catalog`'s only for values of those types.
    #[must_use]
    pub fn extension_function_visible(&self, path: &[String], name: &str) -> bool {
        self.shadows.visible(self.searched(path), name)
    }

    /// The functions that users and extensions made in their own schemas: schema and name, each once.
    pub fn user_functions(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = [&self.functions, &self.shadows];
        let all = all.into_iter().flat_map(|names| &names.0);
        all.flat_map(|(name, schemas)| schemas.iter().map(move |schema| (schema.as_str(), name.as_str())))
            .filter(|(schema, _)| *schema != PG_CATALOG)
    }

    /// The schemas of a search path that have a function of this name which users or an extension made.
    pub fn schemas_with_function<'a>(&'a self, path: &'a [String], name: &'a str) -> impl Iterator<Item = &'a str> {
        let has = move |schema: &&str| {
            [&self.functions, &self.shadows].iter().any(|names| names.visible(std::iter::once(*schema), name))
        };
        self.searched(path).filter(has)
    }

    /// Whether this is the one function of its name, makes a text of a text, and can keep a key from whoever calls it.
    #[must_use]
    pub fn keeps_hash_key(&self, schema: &str, name: &str) -> bool {
        self.hash_functions.contains(&(schema.to_owned(), name.to_owned()))
    }

    /// Whether `pg_catalog` has a function of this name that takes one argument: what `value.name` can be a call of.
    #[must_use]
    pub fn unary_function(&self, name: &str) -> bool {
        self.unary_functions.contains(name)
    }

    /// Whether `pg_catalog` has a function of this name that a statement can call.
    #[must_use]
    pub fn built_in_function(&self, name: &str) -> bool {
        self.unary_functions.contains(name) || self.other_functions.contains(name)
    }

    /// Whether any schema has a function or an operator of this name that users or extensions made.
    #[must_use]
    pub fn user_code_named(&self, name: &str) -> bool {
        [&self.functions, &self.shadows, &self.operators].iter().any(|names| names.0.contains_key(name))
    }

    /// What runs when definitions are changed.
    #[must_use]
    pub fn event_triggers(&self) -> &[TriggerFunction] {
        &self.event_triggers
    }

    /// Columns of a relation of `pg_catalog` that is seen in part, in order.
    #[must_use]
    pub fn system_columns(&self, name: &str) -> &[String] {
        self.system_columns.get(name).map_or(&[], Vec::as_slice)
    }

    /// Operator families that call functions of users wherever values of their types are compared.
    #[must_use]
    pub fn opaque_operator_classes(&self) -> &[String] {
        &self.opaque_operator_classes
    }

    /// Every relation whose rows a write to this one can reach: its children, and where `cascades`, those whose foreign
    /// keys act on a change; itself included.
    #[must_use]
    pub fn written_with(&self, oid: u32, cascades: bool) -> BTreeSet<u32> {
        let acting = |member| self.foreign_keys.iter().filter(move |key| cascades && key.acts && key.to == member);
        reached([oid], |member| self.children(member).chain(acting(member).map(|key| key.from)))
    }

    /// Every relation that this one is a part or a child of.
    #[must_use]
    pub fn ancestors(&self, oid: u32) -> BTreeSet<u32> {
        reached(self.parents(oid), |member| self.parents(member))
    }

    /// As [`Self::user_function_visible`], for operators; those of extensions over their own types do not count.
    #[must_use]
    pub fn user_operator_visible(&self, path: &[String], name: &str) -> bool {
        self.operators.visible(self.searched(path), name)
    }

    /// Whether a relation has a column of a type that an extension made.
    #[must_use]
    pub fn has_extension_types(&self, relation: &Relation) -> bool {
        relation.columns.iter().any(|column| column.base >= FIRST_USER_OID && column.base_kind != 'e')
    }

    /// A type outside `pg_catalog`, by its qualified name.
    #[must_use]
    pub fn type_named(&self, schema: &str, name: &str) -> Option<&UserType> {
        self.types.get(&(schema.to_owned(), name.to_owned())).and_then(|oid| self.type_of(*oid))
    }

    /// A type outside `pg_catalog`, by OID.
    #[must_use]
    pub fn type_of(&self, oid: u32) -> Option<&UserType> {
        self.type_oids.get(&oid)
    }

    /// What functions of this name do, where the server has parsed it and nothing else can be meant: SQL that follows no
    /// search path, with their caller's rights and settings, from and to built-in types. Otherwise nothing.
    #[must_use]
    pub fn parsed_bodies(&self, schema: &str, name: &str) -> &[String] {
        if self.parsed_bodies.is_empty() {
            return &[];
        }
        self.parsed_bodies.get(&(schema.to_owned(), name.to_owned())).map_or(&[], Vec::as_slice)
    }

    /// Schema and name of the functions that [`Self::parsed_bodies`] tells of.
    pub fn functions_with_parsed_bodies(&self) -> impl Iterator<Item = (&str, &str)> {
        self.parsed_bodies.keys().map(|(schema, name)| (schema.as_str(), name.as_str()))
    }

    /// Whether any schema has a type of this name.
    #[must_use]
    pub fn has_type(&self, name: &str) -> bool {
        self.types.keys().any(|(_, known)| known == name)
    }

    /// `typtype` of a type outside `pg_catalog`, by OID.
    #[must_use]
    pub fn type_kind(&self, oid: u32) -> Option<char> {
        self.type_of(oid).map(|known| known.kind)
    }

    /// Foreign keys of the database.
    #[must_use]
    pub fn foreign_keys(&self) -> &[ForeignKey] {
        &self.foreign_keys
    }

    /// An index or a sequence by its qualified name.
    #[must_use]
    pub fn dependent_named(&self, schema: &str, name: &str) -> Option<&Dependent> {
        self.dependents.get(&(schema.to_owned(), name.to_owned()))
    }

    /// Casts that call user code wherever their types meet, as `type to type`.
    #[must_use]
    pub fn opaque_casts(&self) -> &[String] {
        &self.opaque_casts
    }

    /// Whether some schema, relation, column, type or function has this name, so that it is no secret.
    #[must_use]
    pub fn knows(&self, identifier: &str) -> bool {
        self.identifiers.contains(identifier) || self.system_relations.contains(identifier)
    }

    /// Every relation that a view reads, through other views too.
    #[must_use]
    pub fn reads(&self, view: u32) -> BTreeSet<u32> {
        let read = |oid| self.relations.get(&oid).into_iter().flat_map(|r| r.reads.iter().copied());
        reached(read(view), read)
    }

    /// Whether this relation, and every one that it reads, is defined as in `other`: columns, types, a view's query.
    #[must_use]
    pub fn defines_alike(&self, other: &Self, relation: u32) -> bool {
        let mut concerned = self.reads(relation);
        concerned.insert(relation);
        concerned.iter().all(|oid| self.relations.get(oid) == other.relations.get(oid))
    }

    /// Relations that share rows with this one through inheritance or partitioning, itself included.
    #[must_use]
    pub fn family(&self, oid: u32) -> BTreeSet<u32> {
        reached([oid], |member| self.parents(member).chain(self.children(member)))
    }

    fn parents(&self, oid: u32) -> impl Iterator<Item = u32> {
        self.relations.get(&oid).into_iter().flat_map(|relation| relation.parents.iter().copied())
    }

    fn children(&self, oid: u32) -> impl Iterator<Item = u32> {
        self.relations.values().filter(move |relation| relation.parents.contains(&oid)).map(|relation| relation.oid)
    }
}

/// What these lead to, step by step, themselves included; each is looked at once.
fn reached<I: Iterator<Item = u32>>(from: impl IntoIterator<Item = u32>, next: impl Fn(u32) -> I) -> BTreeSet<u32> {
    let mut pending: Vec<u32> = from.into_iter().collect();
    let mut reached: BTreeSet<u32> = pending.iter().copied().collect();
    while let Some(member) = pending.pop() {
        pending.extend(next(member).filter(|oid| reached.insert(*oid)));
    }
    reached
}

/// Names of functions or operators, with the schemas that have them.
#[derive(Debug, Clone, Default)]
struct Names(HashMap<String, Vec<String>>);

impl Names {
    fn add(&mut self, schema: String, name: String) {
        self.0.entry(name).or_default().push(schema);
    }

    fn visible<'a>(&self, mut path: impl Iterator<Item = &'a str>, name: &str) -> bool {
        self.0.get(name).is_some_and(|schemas| {
            let has = |schema: &str| schemas.iter().any(|s| s == schema);
            has(PG_CATALOG) || path.any(has)
        })
    }
}

impl FromIterator<(String, String)> for Names {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(names: I) -> Self {
        let mut all = Self::default();
        names.into_iter().for_each(|(schema, name)| all.add(schema, name));
        all
    }
}

pub(crate) fn digest_hex(text: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What the query returns; `null` stands for an empty list.
#[derive(Deserialize)]
struct Raw {
    format: u32,
    server_version_num: u32,
    login: String,
    encoding: String,
    schemas: Option<Vec<RawSchema>>,
    system_relations: Option<Vec<String>>,
    relations: Option<Vec<Relation>>,
    foreign_keys: Option<Vec<ForeignKey>>,
    sequences: Option<Vec<Sequence>>,
    dependents: Option<Vec<Dependent>>,
    types: Option<Vec<UserType>>,
    parsed_functions: Option<Vec<RawParsed>>,
    functions: Option<Vec<(String, String, bool)>>,
    added_to_pg_catalog: Option<Vec<String>>,
    unary_functions: Option<Vec<String>>,
    other_functions: Option<Vec<String>>,
    hash_functions: Option<Vec<(String, String)>>,
    event_triggers: Option<Vec<TriggerFunction>>,
    system_columns: Option<HashMap<String, Vec<String>>>,
    opaque_operator_classes: Option<Vec<String>>,
    operators: Option<Vec<(String, String)>>,
    operators_added_to_pg_catalog: Option<Vec<String>>,
    opaque_casts: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct RawSchema {
    name: String,
    usable: bool,
}

#[derive(Deserialize)]
struct RawParsed {
    schema: String,
    name: String,
    bodies: Vec<String>,
}

impl Raw {
    fn index(self, epoch: String) -> Snapshot {
        let relations: BTreeMap<u32, Relation> =
            self.relations.unwrap_or_default().into_iter().map(|r| (r.oid, r)).collect();
        let types = self.types.unwrap_or_default();
        let in_pg_catalog = |names: Option<Vec<String>>| {
            names.unwrap_or_default().into_iter().map(|name| (PG_CATALOG.to_owned(), name))
        };
        let (shadows, functions): (Vec<_>, Vec<_>) =
            self.functions.unwrap_or_default().into_iter().partition(|(_, _, foreign_types)| *foreign_types);
        let named = |(schema, name, _): (String, String, bool)| (schema, name);
        let functions: Vec<_> =
            functions.into_iter().map(named).chain(in_pg_catalog(self.added_to_pg_catalog)).collect();
        let operators = self
            .operators
            .unwrap_or_default()
            .into_iter()
            .chain(in_pg_catalog(self.operators_added_to_pg_catalog))
            .collect();
        let schemas: HashMap<String, bool> =
            self.schemas.unwrap_or_default().into_iter().map(|s| (s.name, s.usable)).collect();
        Snapshot {
            by_name: relations.values().map(|r| ((r.schema.clone(), r.name.clone()), r.oid)).collect(),
            identifiers: identifiers(&relations, &types, &functions, &schemas),
            relations,
            system_relations: self.system_relations.unwrap_or_default().into_iter().collect(),
            schemas,
            types: types.iter().map(|t| ((t.schema.clone(), t.name.clone()), t.oid)).collect(),
            type_oids: types.into_iter().map(|t| (t.oid, t)).collect(),
            parsed_bodies: (self.parsed_functions.unwrap_or_default().into_iter())
                .map(|function| ((function.schema, function.name), function.bodies))
                .collect(),
            functions: functions.into_iter().collect(),
            shadows: shadows.into_iter().map(named).collect(),
            unary_functions: self.unary_functions.unwrap_or_default().into_iter().collect(),
            other_functions: self.other_functions.unwrap_or_default().into_iter().collect(),
            hash_functions: self.hash_functions.unwrap_or_default().into_iter().collect(),
            event_triggers: self.event_triggers.unwrap_or_default(),
            system_columns: self.system_columns.unwrap_or_default(),
            opaque_operator_classes: self.opaque_operator_classes.unwrap_or_default(),
            operators,
            foreign_keys: self.foreign_keys.unwrap_or_default(),
            sequences: self.sequences.unwrap_or_default(),
            dependents: (self.dependents.unwrap_or_default().into_iter())
                .map(|dependent| ((dependent.schema.clone(), dependent.name.clone()), dependent))
                .collect(),
            opaque_casts: self.opaque_casts.unwrap_or_default(),
            login: self.login,
            server_version: self.server_version_num,
            epoch,
        }
    }
}

fn identifiers(
    relations: &BTreeMap<u32, Relation>,
    types: &[UserType],
    functions: &[(String, String)],
    schemas: &HashMap<String, bool>,
) -> HashSet<String> {
    let mut known: HashSet<String> = schemas.keys().cloned().collect();
    for relation in relations.values() {
        known.insert(relation.name.clone());
        known.extend(relation.columns.iter().map(|c| c.name.clone()));
    }
    known.extend(types.iter().map(|t| t.name.clone()));
    known.extend(functions.iter().map(|(_, name)| name.clone()));
    known
}

const PG_CATALOG: &str = "pg_catalog";
/// OIDs below are assigned by PostgreSQL itself (`FirstNormalObjectId`).
pub(crate) const FIRST_USER_OID: u32 = 16_384;
/// Raised whenever `snapshot.sql` changes what it returns.
const FORMAT: u32 = 4;
/// The grammar is PostgreSQL 18's; allow-lists were made from the functions of 15.
const SERVER_VERSIONS: std::ops::Range<u32> = 150_000..190_000;
