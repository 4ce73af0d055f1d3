//! `CREATE SCHEMA` and `DROP SCHEMA`: of empty ones.

use pg_query::protobuf::{CreateSchemaStmt, DropBehavior, DropStmt};

use super::{changed, odd};
use crate::catalog::{QualifiedName, Readable};
use crate::rewrite::expression::name;
use crate::rewrite::outcome::Effects;
use crate::rewrite::rewriter::{Resolved, Resource, Rewriter};
use crate::statement::Refusal;

impl Rewriter<'_> {
    pub(in crate::rewrite) fn create_schema(&mut self, statement: &CreateSchemaStmt) -> Result<Effects, Refusal> {
        if statement.authrole.is_some() || !statement.schema_elts.is_empty() || statement.schemaname.is_empty() {
            return Err(odd("CREATE SCHEMA").hint("Write CREATE SCHEMA with a name alone."));
        }
        self.ask_new_schema(&statement.schemaname, "CREATE SCHEMA")?;
        Ok(changed())
    }

    /// Without CASCADE the target drops a schema that is empty, and no other.
    pub(super) fn drop_schemas(&mut self, statement: &mut DropStmt) -> Result<Effects, Refusal> {
        for object in &statement.objects {
            let schema = name(object).ok_or_else(|| odd("DROP SCHEMA"))?;
            if self.catalog.schemas().any(|known| known == schema) {
                self.ask_schema(&schema, Readable(&schema).to_string(), "DROP SCHEMA")?;
                self.note_created(QualifiedName { schema: &schema, name: "" });
            } else {
                self.ask_new_schema(&schema, "DROP SCHEMA")?;
            }
        }
        statement.behavior = DropBehavior::DropRestrict.into();
        Ok(changed())
    }

    /// Of a schema that the snapshot does not know.
    fn ask_new_schema(&mut self, schema: &str, what: &str) -> Result<(), Refusal> {
        if schema.starts_with("pg_") || schema == "information_schema" {
            return Err(Refusal::forbidden(format!("{what} {} is refused: it is the system's own", Readable(schema))));
        }
        let grant = self.access.new_schema.clone();
        self.require(&grant, "ddl", what, &Readable(schema).to_string())?;
        self.no_opaque_event(what)?;
        self.found.resolved.insert(Resolved {
            object: Readable(schema).to_string(),
            verb: "ddl",
            resource: Resource::Schema(schema.to_owned()),
            held: grant.held,
            from_masks: Vec::new(),
        });
        Ok(())
    }
}
