//! `CREATE VIEW`, of what is not protected.
//!
//! A view is read through its definition, whatever that has come to mean by then; so it needs no guard, which would stand in
//! it for ever. One of the session's own is held each time to what it was made of: tables that are not protected.

use std::sync::Arc;

use pg_query::NodeEnum;
use pg_query::protobuf::ViewStmt;

use super::place::Place;
use super::table_as::columns;
use super::{changed, odd};
use crate::catalog::{Kind, Relation};
use crate::rewrite::outcome::Effects;
use crate::rewrite::own::{Made, OwnChange};
use crate::rewrite::rewriter::Rewriter;
use crate::statement::Refusal;

impl Rewriter<'_> {
    pub(in crate::rewrite) fn create_view(&mut self, statement: &mut ViewStmt) -> Result<Effects, Refusal> {
        let range = statement.view.as_mut().ok_or_else(|| odd("CREATE VIEW"))?;
        let place = self.place(range, "CREATE VIEW")?;
        let (schema, name) = (range.schemaname.clone(), range.relname.clone());
        if !statement.options.is_empty() {
            return Err(Refusal::unsupported("options of views are not supported by the relay yet"));
        }
        if statement.replace && place == Place::Temporary {
            return Err(odd("CREATE OR REPLACE TEMPORARY VIEW"));
        }
        if statement.replace && self.catalog.relation_named(&range.schemaname, &range.relname).is_some() {
            self.changeable_view(range, "CREATE OR REPLACE VIEW")?;
        }
        self.unguarded = true;
        match statement.query.as_mut().and_then(|query| query.node.as_mut()) {
            Some(NodeEnum::SelectStmt(select)) => self.select(select)?,
            _ => return Err(odd("CREATE VIEW")),
        }
        self.locking()?;
        if self.found.protected || self.found.narrowed {
            return Err(Refusal::forbidden(
                "CREATE VIEW is refused: its query reads protected columns, or a system relation that is seen in part",
            )
            .hint("Views of protected relations are made by those who classify them, beside the relay."));
        }
        if self.found.temporary {
            return Err(Refusal::unsupported("a view of a temporary table is not supported by the relay"));
        }
        match (place, statement.query.as_ref().and_then(|query| query.node.as_ref())) {
            (Place::Temporary, Some(NodeEnum::SelectStmt(select))) => {
                let columns = columns(&statement.aliases, select);
                self.temporary_view(Made::table(&schema, &name, columns))
            }
            _ => Ok(changed()),
        }
    }

    fn temporary_view(&self, mut made: Made) -> Result<Effects, Refusal> {
        let read = self.found.relations.iter().map(|oid| self.catalog.relation(*oid));
        let plain = |relation: Option<&Relation>| {
            relation.is_some_and(|relation| matches!(relation.kind, Kind::Table | Kind::Partitioned))
        };
        if self.locks || self.found.calls || !read.into_iter().all(plain) {
            return Err(Refusal::unsupported(
                "a temporary view reads committed tables, without locks and users' functions",
            )
            .hint("CREATE TEMPORARY TABLE … AS keeps the rows of a query."));
        }
        made.relation.kind = Kind::View;
        made.relation.reads = self.found.relations.iter().copied().collect();
        made.extension_types = self.found.extension_types;
        Ok(Effects { own: vec![OwnChange::Relation(Arc::new(made))], ..Effects::default() })
    }

    /// What a view of the session's own reads, as it is now.
    pub(in crate::rewrite) fn own_view(&mut self, view: &Relation) -> Result<(), Refusal> {
        for oid in &view.reads {
            let protected = match self.catalog.relation(*oid) {
                Some(relation) => self.ask(relation, "select", "reading")?.protected,
                None => true,
            };
            if protected {
                return Err(Refusal::forbidden(format!(
                    "temporary view {} is refused: what it reads is there no longer, or is protected now",
                    view.qualified()
                ))
                .hint("Make it anew."));
            }
        }
        Ok(())
    }
}
