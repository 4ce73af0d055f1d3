//! A table, view or foreign table, as the catalog tells it.

use serde::Deserialize;

use super::name::QualifiedName;

/// A relation outside the system's schemas.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Relation {
    /// `pg_class.oid`.
    pub oid: u32,
    /// Schema.
    pub schema: String,
    /// Name.
    pub name: String,
    /// `relkind`.
    pub kind: Kind,
    /// The login may read it, so a view over it can be inlined (rule 9).
    pub readable: bool,
    /// Row-level security is enabled.
    pub row_security: bool,
    /// It has triggers that users made.
    pub triggers: bool,
    /// It has rewrite rules other than a view's own.
    pub rules: bool,
    /// `reloptions`, e.g. `security_barrier=true`.
    #[serde(default, deserialize_with = "or_empty")]
    pub options: Vec<String>,
    /// Direct parents by inheritance or partitioning.
    #[serde(default, deserialize_with = "or_empty")]
    pub parents: Vec<u32>,
    /// A view's query, with qualified names.
    #[serde(default)]
    pub definition: Option<String>,
    /// Relations that the query of a view or materialized view depends on, one step.
    #[serde(default, deserialize_with = "or_empty")]
    pub reads: Vec<u32>,
    /// A default, constraint or index of it calls a function that users made.
    pub opaque_writes: bool,
    /// Something depends on it that is neither a view, nor a foreign key, nor its own: a function, or a column of its row type.
    #[serde(default)]
    pub others_depend: bool,
    /// What runs when its rows are written.
    #[serde(default, deserialize_with = "or_empty")]
    pub trigger_functions: Vec<TriggerFunction>,
    /// Its defaults, generated columns, checks, and what its indexes compute.
    #[serde(default, deserialize_with = "or_empty")]
    pub write_expressions: Vec<String>,
    /// Its indexes.
    #[serde(default, deserialize_with = "or_empty")]
    pub indexes: Vec<Index>,
    /// What its rows must satisfy.
    #[serde(default, deserialize_with = "or_empty")]
    pub checks: Vec<Check>,
    /// Columns that it is partitioned by; 0 stands for an expression.
    #[serde(default, deserialize_with = "or_empty")]
    pub partition_key: Vec<i16>,
    /// Columns of its primary key, if that is checked at once: the others depend on them.
    #[serde(default, deserialize_with = "or_empty")]
    pub primary_key: Vec<i16>,
    /// Columns by position, dropped ones left out.
    #[serde(default, deserialize_with = "or_empty")]
    pub columns: Vec<Column>,
}

/// The code behind a trigger.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct TriggerFunction {
    /// Its text in PL/pgSQL; empty for PostgreSQL's own; none in other languages.
    #[serde(default)]
    pub source: Option<String>,
    /// Its WHEN calls a function that users made.
    pub conditional: bool,
    /// It has a WHEN, or transition tables: it reads rows in other ways than by NEW and OLD in its text.
    #[serde(default)]
    pub sees_rows: bool,
}

/// An index.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Index {
    /// Its name, in the schema of its relation.
    #[serde(default)]
    pub name: Option<String>,
    /// No two rows may have the same in it, or it belongs to an exclusion constraint.
    pub unique: bool,
    /// Rows with NULL in it are not the same.
    pub nulls_distinct: bool,
    /// Its plain columns, also those it only includes.
    #[serde(default, deserialize_with = "or_empty")]
    pub columns: Vec<i16>,
    /// Expressions that it is over, as SQL text.
    #[serde(default)]
    pub expressions: Option<String>,
    /// Which rows are in it, as SQL text.
    #[serde(default)]
    pub predicate: Option<String>,
}

/// A CHECK constraint, or a NOT NULL that older rows were not held to.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Check {
    /// Columns that it reads.
    #[serde(default, deserialize_with = "or_empty")]
    pub columns: Vec<i16>,
    /// Every row was held to it.
    pub validated: bool,
    /// The condition, as SQL text.
    #[serde(default)]
    pub expression: Option<String>,
}

/// `pg_class.relkind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Kind {
    /// Ordinary table.
    #[serde(rename = "r")]
    Table,
    /// Partitioned table.
    #[serde(rename = "p")]
    Partitioned,
    /// View.
    #[serde(rename = "v")]
    View,
    /// Materialized view.
    #[serde(rename = "m")]
    MaterializedView,
    /// Foreign table.
    #[serde(rename = "f")]
    Foreign,
}

/// A column. A domain is told by its base type, with the type modifier that reaches it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Column {
    /// `attnum`.
    pub number: i16,
    /// Name.
    pub name: String,
    /// Declared type's OID.
    #[serde(rename = "type")]
    pub type_oid: u32,
    /// Base type's OID: the declared one unless that is a domain.
    pub base: u32,
    /// Type modifier of the base type, -1 for none.
    pub typmod: i32,
    /// `typtype` of the base type: `b`, `e` (enum), `c` (composite), `r`, `m`, `p`.
    pub base_kind: char,
    /// The base type as SQL text, modifier included, qualified unless it is of `pg_catalog`.
    pub base_name: String,
    /// For an enum, its first label.
    #[serde(default)]
    pub label: Option<String>,
    /// Qualified collation as SQL text, where it is not the type's own.
    #[serde(default)]
    pub collation: Option<String>,
    /// Its default, as SQL text.
    #[serde(default)]
    pub default: Option<String>,
    /// It numbers its rows itself.
    #[serde(default)]
    pub identity: bool,
    /// For a generated column, the columns it is made from.
    #[serde(default)]
    pub generated_from: Option<Vec<i16>>,
}

/// A foreign key.
#[derive(Debug, Clone, Deserialize)]
pub struct ForeignKey {
    /// Referencing relation.
    pub from: u32,
    /// Referencing columns.
    pub from_columns: Vec<i16>,
    /// Referenced relation.
    pub to: u32,
    /// Referenced columns.
    pub to_columns: Vec<i16>,
    /// It changes referencing rows (`CASCADE`, `SET NULL`, `SET DEFAULT`).
    pub acts: bool,
}

/// An index or a sequence.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Dependent {
    /// Schema.
    pub schema: String,
    /// Name.
    pub name: String,
    /// It is a sequence.
    pub sequence: bool,
    /// The relation that it is an index of, or whose column it numbers.
    #[serde(default)]
    pub of: Option<u32>,
}

/// A type outside `pg_catalog`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct UserType {
    /// OID.
    pub oid: u32,
    /// Schema.
    pub schema: String,
    /// Name.
    pub name: String,
    /// `typtype`.
    pub kind: char,
    /// The relation whose row it is.
    #[serde(default)]
    pub relation: Option<u32>,
    /// What a domain is over, and what a row is made of; of arrays, their elements.
    #[serde(default, deserialize_with = "or_empty")]
    pub parts: Vec<u32>,
    /// One of these is a type of the system's that holds more than a plain value, or a domain is over a domain.
    #[serde(default)]
    pub odd: bool,
    /// What a domain's values must satisfy, as SQL text.
    #[serde(default, deserialize_with = "or_empty")]
    pub checks: Vec<String>,
}

impl Relation {
    /// Its qualified name.
    #[must_use]
    pub fn qualified(&self) -> QualifiedName<'_> {
        QualifiedName { schema: &self.schema, name: &self.name }
    }

    /// A column by name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|c| c.name == name)
    }

    /// Whether a `reloptions` entry says yes.
    #[must_use]
    pub fn option(&self, name: &str) -> bool {
        self.options.iter().filter_map(|o| o.split_once('=')).any(|(key, value)| {
            key.eq_ignore_ascii_case(name)
                && !matches!(value.to_ascii_lowercase().as_str(), "false" | "off" | "no" | "0")
        })
    }
}

impl Kind {
    /// What a person calls it.
    #[must_use]
    pub fn noun(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Partitioned => "partitioned table",
            Self::View => "view",
            Self::MaterializedView => "materialized view",
            Self::Foreign => "foreign table",
        }
    }
}

pub(super) fn or_empty<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(Option::<Vec<T>>::deserialize(deserializer)?.unwrap_or_default())
}
