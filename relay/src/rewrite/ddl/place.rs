//! Where something new goes, and whether it may have its name.

use pg_query::protobuf::RangeVar;

use crate::catalog::{Kind, QualifiedName, Readable};
use crate::rewrite::own::{OWN_MAX, TEMPORARY};
use crate::rewrite::rewriter::Rewriter;
use crate::rewrite::types;
use crate::statement::Refusal;

/// Where a new relation goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// It is the session's own, and ends with it.
    Temporary,
    /// A schema.
    Schema,
}

impl Rewriter<'_> {
    /// Asks for a new relation, and writes its schema into its name.
    pub(super) fn place(&mut self, range: &mut RangeVar, what: &str) -> Result<Place, Refusal> {
        if !range.catalogname.is_empty() {
            return Err(Refusal::unsupported("names with a database in front are not supported by the relay"));
        }
        if self.own.len() >= OWN_MAX {
            return Err(Refusal::limit(format!(
                "a session has made {OWN_MAX} tables that are not committed or temporary"
            ))
            .hint("Drop temporary tables that are not needed any more."));
        }
        if range.relpersistence == "t" || range.schemaname == TEMPORARY {
            self.temporary_place(range, what)?;
            return Ok(Place::Temporary);
        }
        if range.schemaname.is_empty() {
            let schema = self.catalog.searched(self.path).next();
            schema
                .ok_or_else(|| Refusal::forbidden("no schema of the search path is usable"))?
                .clone_into(&mut range.schemaname);
        }
        let object = QualifiedName { schema: &range.schemaname, name: &range.relname }.to_string();
        self.ask_schema(&range.schemaname, object, what)?;
        self.may_be_named(&range.schemaname, &range.relname, what)?;
        self.note_created(QualifiedName { schema: &range.schemaname, name: &range.relname });
        Ok(Place::Schema)
    }

    /// Whoever may read something here may keep what they have read, masked, for as long as the session lasts.
    fn temporary_place(&mut self, range: &mut RangeVar, what: &str) -> Result<(), Refusal> {
        if !matches!(range.schemaname.as_str(), "" | TEMPORARY) {
            return Err(Refusal::syntax("a temporary table has no schema of its own"));
        }
        if !self.access.relations.values().any(|access| access.select.permitted) {
            return Err(Refusal::forbidden(format!(
                "policy does not permit {what}: there is nothing that you may read"
            )));
        }
        self.no_opaque_event(what)?;
        self.may_be_temporary(&range.relname, what)?;
        TEMPORARY.clone_into(&mut range.schemaname);
        "t".clone_into(&mut range.relpersistence);
        self.note_created(QualifiedName { schema: TEMPORARY, name: &range.relname });
        Ok(())
    }

    /// The target looks for relations and types among the temporary ones first, whoever names them: a trigger's code, or
    /// a type in a mask. So a temporary table has a name that nothing else has.
    pub(super) fn may_be_temporary(&self, name: &str, what: &str) -> Result<(), Refusal> {
        let taken = self.catalog.relations().any(|relation| relation.name == name)
            || self.catalog.in_pg_catalog(name)
            || name.starts_with("pg_")
            || types::is_of_system(name)
            || self.catalog.has_type(name);
        match taken {
            false => Ok(()),
            true => Err(Refusal::forbidden(format!(
                "{what} {} is refused: a relation or type of the database has that name, and would be hidden by it",
                Readable(name)
            ))
            .hint("Give the temporary table a name of its own.")),
        }
    }

    /// Nothing new takes a protected relation's name, or stands before one in the search path: the session's, or that of
    /// those who choose none, who would read and write it in the other's place.
    pub(super) fn may_be_named(&self, schema: &str, name: &str, what: &str) -> Result<(), Refusal> {
        let taken = self.catalog.relation_named(schema, name).is_some_and(|known| {
            self.access.relations.get(&known.oid).is_none_or(|access| access.protected || access.barred.is_some())
        });
        let searched = [self.path, &self.access.search_path];
        let searched = searched.iter().any(|path| self.catalog.searched(path).any(|searched| searched == schema));
        let hidden = || {
            let named = self.catalog.relations().filter(|relation| relation.name == name && relation.schema != schema);
            named.into_iter().any(|relation| {
                self.is_protected(relation.oid)
                    || relation.kind == Kind::View
                        && self.catalog.reads(relation.oid).iter().any(|oid| self.is_protected(*oid))
            })
        };
        if taken || searched && hidden() {
            return Err(Refusal::forbidden(format!(
                "{what} {} is refused: a protected relation has that name, and one could be taken for the other",
                QualifiedName { schema, name }
            )));
        }
        Ok(())
    }
}
