//! Domains and row types in casts: those that hold nothing but plain values.
//!
//! A domain's checks run where a value becomes one, and a row's columns are read by what reads their types. So both may be
//! named where all of it is PostgreSQL's own and on the relay's list, for as long as a statement runs: a definition would keep
//! the name, and others could make more of it. The row type of a protected relation may not be named.

use pg_query::NodeEnum;
use pg_query::protobuf::{Node, TypeName};

use super::expression::name;
use super::rewriter::Rewriter;
use super::{scan, types};
use crate::catalog::{FIRST_USER_OID, Kind, UserType};
use crate::statement::Refusal;

impl Rewriter<'_> {
    /// The type of a cast.
    pub(super) fn cast_to(&self, type_name: &mut TypeName) -> Result<(), Refusal> {
        self.type_name(type_name).or_else(|refusal| {
            let plain = self.plain_type(type_name).filter(|_| !self.defines && !self.unguarded);
            let user_type = plain.ok_or(refusal)?;
            type_name.names = vec![scan::text(&user_type.schema), scan::text(&user_type.name)];
            Ok(())
        })
    }

    /// What makes a row of a document: a value of a type that the statement names.
    pub(super) fn populates(&self, function: &str, args: &[Node]) -> bool {
        let Some(Node { node: Some(NodeEnum::TypeCast(cast)) }) = args.first() else { return false };
        let row = cast.type_name.as_ref().and_then(|type_name| self.plain_type(type_name));
        POPULATE.contains(&function) && args.len() == 2 && row.is_some_and(|row| row.kind == 'c')
    }

    /// The domain or row type that a name means, if it is plain.
    fn plain_type(&self, type_name: &TypeName) -> Option<&UserType> {
        let parts: Vec<String> = type_name.names.iter().filter_map(name).collect();
        let known = match parts.as_slice() {
            [local] if !types::is_of_system(local) && !self.catalog.in_pg_catalog(local) => {
                self.catalog.searched(self.path).find_map(|schema| self.catalog.type_named(schema, local))
            }
            [schema, local] => self.catalog.type_named(schema, local),
            _ => None,
        };
        known.filter(|known| self.is_plain(known, 0))
    }

    fn is_plain(&self, known: &UserType, depth: usize) -> bool {
        let of_open_relation = |oid: u32| {
            let relation = self.catalog.relation(oid);
            relation.is_some_and(|relation| {
                matches!(relation.kind, Kind::Table | Kind::Partitioned)
                    && self.answers(relation).is_ok_and(|access| !access.protected)
            })
        };
        let part = |oid: &u32| {
            *oid < FIRST_USER_OID
                || self
                    .catalog
                    .type_of(*oid)
                    .is_some_and(|part| part.kind == 'e' || self.is_plain(part, depth.saturating_add(1)))
        };
        depth < DEPTH_MAX
            && matches!(known.kind, 'c' | 'd')
            && !known.odd
            && !known.parts.is_empty()
            && known.relation.is_none_or(of_open_relation)
            && known.checks.iter().all(|check| self.computes_alone(check))
            && known.parts.iter().all(part)
    }
}

const POPULATE: [&str; 4] =
    ["json_populate_record", "json_populate_recordset", "jsonb_populate_record", "jsonb_populate_recordset"];
/// Rows in rows; more than people nest.
const DEPTH_MAX: usize = 8;
