//! Enums.

use pg_query::protobuf::{AlterEnumStmt, CreateEnumStmt, RangeVar};

use super::place::Place;
use super::{changed, changed_own, odd, range_of, written};
use crate::catalog::QualifiedName;
use crate::rewrite::expression::name;
use crate::rewrite::outcome::Effects;
use crate::rewrite::own::{OwnChange, Thing};
use crate::rewrite::rewriter::Rewriter;
use crate::rewrite::{scan, types};
use crate::statement::Refusal;

impl Rewriter<'_> {
    pub(in crate::rewrite) fn create_enum(&mut self, statement: &mut CreateEnumStmt) -> Result<Effects, Refusal> {
        let parts: Vec<String> = statement.type_name.iter().filter_map(name).collect();
        let mut range = range_of(&parts)?;
        if types::is_of_system(&range.relname) {
            return Err(Refusal::forbidden("CREATE TYPE is refused: PostgreSQL has a type of that name"));
        }
        if self.place(&mut range, "CREATE TYPE")? == Place::Temporary {
            return Err(Refusal::unsupported("temporary types are not supported by the relay"));
        }
        statement.type_name = vec![scan::text(&range.schemaname), scan::text(&range.relname)];
        Ok(changed_own(vec![OwnChange::Thing(Thing::Enum, range.schemaname, range.relname)]))
    }

    /// A label that is added changes no value. One that is renamed does, in protected columns too.
    pub(in crate::rewrite) fn alter_enum(&mut self, statement: &mut AlterEnumStmt) -> Result<Effects, Refusal> {
        if !statement.old_val.is_empty() {
            return Err(Refusal::unsupported("ALTER TYPE … RENAME VALUE is not supported by the relay yet"));
        }
        let parts: Vec<String> = statement.type_name.iter().filter_map(name).collect();
        let range = self.changeable_enum(&parts, "ALTER TYPE")?;
        statement.type_name = vec![scan::text(&range.schemaname), scan::text(&range.relname)];
        Ok(changed())
    }

    /// An enum that may be changed, by its qualified name.
    pub(super) fn changeable_enum(&mut self, parts: &[String], what: &str) -> Result<RangeVar, Refusal> {
        let mut range = range_of(parts)?;
        let schema = self.enum_schema(&range.schemaname, &range.relname);
        let Some(schema) = schema else {
            let known = match range.schemaname.as_str() {
                "" => self.catalog.has_type(&range.relname) || types::is_of_system(&range.relname),
                schema => self.catalog.type_named(schema, &range.relname).is_some() || schema.starts_with("pg_"),
            };
            return Err(match known {
                true => odd(what),
                false => Refusal { sqlstate: "42704", ..Refusal::unknown_relation(written(&range)) },
            });
        };
        range.schemaname = schema;
        self.ask_schema(&range.schemaname, written(&range), what)?;
        self.note_created(QualifiedName { schema: &range.schemaname, name: &range.relname });
        Ok(range)
    }
}
