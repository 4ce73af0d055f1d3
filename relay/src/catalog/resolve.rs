//! What a relation's name in a statement means, by the server's rules and the relay's fixed search path.

use super::relation::Relation;
use super::snapshot::Snapshot;
use super::system;

/// What a name means.
pub(crate) enum Resolved<'a> {
    /// A relation of the snapshot.
    Relation(&'a Relation),
    /// A readable relation of a system schema, by that schema's name.
    System(&'static str),
}

/// Why a name means nothing the relay lets pass.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unresolved {
    /// No such relation in the snapshot; a newer one may know it.
    Unknown,
    /// A system relation that is not readable.
    SystemRefused,
    /// A temporary, TOAST or otherwise foreign schema.
    SchemaRefused,
}

/// Resolves `schema.name`, or `name` along the search path. `pg_catalog` comes first, as on the server. What the
/// session made itself comes before that and is no part of a snapshot: the rewriter looks there first.
pub(crate) fn resolve<'a>(
    catalog: &'a Snapshot,
    path: &[String],
    schema: &str,
    name: &str,
) -> Result<Resolved<'a>, Unresolved> {
    match schema {
        "" if catalog.in_pg_catalog(name) || name.starts_with("pg_") => system_relation(name),
        "" => catalog
            .searched(path)
            .find_map(|schema| catalog.relation_named(schema, name))
            .map(Resolved::Relation)
            .ok_or(Unresolved::Unknown),
        "pg_catalog" => system_relation(name),
        "information_schema" if system::information_schema_readable(name) => Ok(Resolved::System("information_schema")),
        "information_schema" => Err(Unresolved::SystemRefused),
        _ if schema.starts_with("pg_") => Err(Unresolved::SchemaRefused),
        _ => catalog.relation_named(schema, name).map(Resolved::Relation).ok_or(Unresolved::Unknown),
    }
}

fn system_relation(name: &str) -> Result<Resolved<'static>, Unresolved> {
    if system::readable(name) { Ok(Resolved::System("pg_catalog")) } else { Err(Unresolved::SystemRefused) }
}
