//! A sequence, and the columns that get their numbers from it.

use serde::Deserialize;

use super::name::QualifiedName;
use super::relation::or_empty;

/// A sequence outside the system's schemas.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Sequence {
    /// `pg_class.oid`.
    pub oid: u32,
    /// Schema.
    pub schema: String,
    /// Name.
    pub name: String,
    /// Columns that own it or whose defaults name it: a relation's OID and the column's number.
    #[serde(default, deserialize_with = "or_empty")]
    pub columns: Vec<(u32, i16)>,
}

impl Sequence {
    /// Schema and name.
    #[must_use]
    pub fn qualified(&self) -> QualifiedName<'_> {
        QualifiedName { schema: &self.schema, name: &self.name }
    }
}
