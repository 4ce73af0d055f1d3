//! The few changes of definitions that the relay can follow.

use pg_query::NodeEnum;
use pg_query::protobuf::{
    ColumnDef, ConstrType, Constraint, CreateStmt, DropBehavior, DropStmt, IndexStmt, Node, ObjectType, RangeVar,
    TruncateStmt,
};

use super::outcome::{Effects, OnTransaction};
use super::rewriter::{Resolved, Resource, Rewriter};
use super::{expression, scan};
use crate::catalog::{Kind, QualifiedName, Relation};
use crate::statement::Refusal;

impl<'a> Rewriter<'a> {
    pub(super) fn drop_tables(&mut self, statement: &mut DropStmt) -> Result<Effects, Refusal> {
        if statement.remove_type != i32::from(ObjectType::ObjectTable) {
            return Err(Refusal::unsupported("DROP of anything but a table is not supported by the relay yet"));
        }
        restricted(statement.behavior, "DROP TABLE")?;
        for object in &mut statement.objects {
            let Some(NodeEnum::List(list)) = object.node.as_mut() else {
                return Err(Refusal::unsupported("DROP TABLE of this form is not supported by the relay"));
            };
            let parts: Vec<String> = list.items.iter().filter_map(expression::name).collect();
            let mut range = match parts.as_slice() {
                [name] => RangeVar { relname: name.clone(), ..RangeVar::default() },
                [schema, name] => RangeVar { schemaname: schema.clone(), relname: name.clone(), ..RangeVar::default() },
                _ => return Err(Refusal::unsupported("names with a database in front are not supported by the relay")),
            };
            let relation = self.changeable(&mut range, "DROP TABLE")?;
            list.items = vec![scan::text(&relation.schema), scan::text(&relation.name)];
        }
        Ok(changed())
    }

    pub(super) fn truncate(&mut self, statement: &mut TruncateStmt) -> Result<Effects, Refusal> {
        restricted(statement.behavior, "TRUNCATE")?;
        for node in &mut statement.relations {
            let Some(NodeEnum::RangeVar(range)) = node.node.as_mut() else {
                return Err(Refusal::unsupported("TRUNCATE of this form is not supported by the relay"));
            };
            self.changeable(range, "TRUNCATE")?;
        }
        Ok(Effects::default())
    }

    pub(super) fn create_index(&mut self, statement: &mut IndexStmt) -> Result<Effects, Refusal> {
        let range = statement.relation.as_mut().ok_or_else(|| Refusal::unsupported("an index without a table"))?;
        self.changeable(range, "CREATE INDEX on")?;
        let on_transaction = if statement.concurrent { OnTransaction::Commits } else { OnTransaction::Nothing };
        Ok(Effects { on_transaction, ..changed() })
    }

    pub(super) fn create_table(&mut self, statement: &mut CreateStmt) -> Result<Effects, Refusal> {
        let range = statement.relation.as_mut().ok_or_else(|| Refusal::unsupported("a table without a name"))?;
        if range.relpersistence == "t" || !range.catalogname.is_empty() {
            return Err(Refusal::unsupported("temporary tables are not supported by the relay yet"));
        }
        if range.schemaname.is_empty() {
            let schema = self.catalog.searched(self.path).next();
            schema
                .ok_or_else(|| Refusal::forbidden("no schema of the search path is usable"))?
                .clone_into(&mut range.schemaname);
        }
        let (schema, table) = (range.schemaname.clone(), range.relname.clone());
        if !self.catalog.schemas().any(|known| known == schema) {
            return Err(Refusal::forbidden("tables are created in the database's own, existing schemas only"));
        }
        let grant = self.access.schemas.get(&schema).cloned().unwrap_or_default();
        self.require(&grant, "ddl", "CREATE TABLE in schema", &schema)?;
        self.no_opaque_event("CREATE TABLE")?;
        let created = QualifiedName { schema: &schema, name: &table };
        self.found.resolved.insert(Resolved {
            object: created.to_string(),
            verb: "ddl",
            resource: Resource::Schema(schema.clone()),
            held: grant.held,
        });
        self.note_created(created);
        for element in statement.table_elts.iter_mut().chain(&mut statement.constraints) {
            self.element(element)?;
        }
        Ok(changed())
    }

    fn element(&mut self, element: &mut Node) -> Result<(), Refusal> {
        match element.node.as_mut() {
            Some(NodeEnum::ColumnDef(definition)) => self.column_definition(definition),
            Some(NodeEnum::Constraint(constraint)) => self.constraint(constraint),
            _ => Err(Refusal::unsupported("this element of CREATE TABLE is not supported by the relay yet")),
        }
    }

    fn column_definition(&mut self, definition: &mut ColumnDef) -> Result<(), Refusal> {
        let name = definition.type_name.as_mut().ok_or_else(|| Refusal::unsupported("a column without a type"))?;
        // serial makes a sequence and a default: names of their own, not types.
        self.type_name(name)?;
        for node in &mut definition.constraints {
            self.element(node)?;
        }
        Ok(())
    }

    fn constraint(&mut self, constraint: &mut Constraint) -> Result<(), Refusal> {
        match ConstrType::try_from(constraint.contype) {
            Ok(
                ConstrType::ConstrNull
                | ConstrType::ConstrNotnull
                | ConstrType::ConstrPrimary
                | ConstrType::ConstrUnique
                | ConstrType::ConstrIdentity
                | ConstrType::ConstrAttrDeferrable
                | ConstrType::ConstrAttrNotDeferrable
                | ConstrType::ConstrAttrDeferred
                | ConstrType::ConstrAttrImmediate,
            ) => Ok(()),
            Ok(ConstrType::ConstrForeign) => {
                let range = constraint.pktable.as_mut().ok_or_else(|| Refusal::unsupported("a key without a table"))?;
                let relation = self.resolve(range)?.ok_or_else(|| Refusal::forbidden("keys to system relations"))?;
                let access = self.ask(relation, "select", "referencing")?;
                if access.protected {
                    return Err(Refusal::forbidden(format!(
                        "a foreign key to {} is refused: it would tell by success or failure what its columns hold",
                        relation.qualified()
                    )));
                }
                Ok(())
            }
            _ => Err(Refusal::unsupported(
                "constraints and defaults with expressions are not supported by the relay yet",
            )),
        }
    }

    /// A table whose definition may be changed: policy permits it, nothing protected depends on it.
    fn changeable(&mut self, range: &mut RangeVar, what: &str) -> Result<&'a Relation, Refusal> {
        let Some(relation) = self.resolve(range)? else {
            return Err(Refusal::forbidden("system relations are not changed through the relay"));
        };
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
        Ok(relation)
    }

    /// Whether some view reads this relation and, directly or not, a protected one too.
    fn beside_protected(&self, oid: u32) -> bool {
        self.catalog.relations().filter(|relation| !relation.reads.is_empty()).any(|view| {
            let read = self.catalog.reads(view.oid);
            read.contains(&oid)
                && read.iter().any(|oid| self.access.relations.get(oid).is_some_and(|access| access.protected))
        })
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

fn restricted(behavior: i32, what: &str) -> Result<(), Refusal> {
    if behavior == i32::from(DropBehavior::DropCascade) {
        return Err(Refusal::unsupported(format!("{what} … CASCADE is not supported by the relay yet"))
            .hint("Name every object and leave CASCADE out."));
    }
    Ok(())
}

fn changed() -> Effects {
    Effects { changes_catalog: true, ..Effects::default() }
}
