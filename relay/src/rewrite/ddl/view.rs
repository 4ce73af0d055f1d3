//! `CREATE VIEW`, of what is not protected.
//!
//! A view is read through its definition, whatever that has come to mean by then; so it needs no guard, which would stand in
//! it for ever.

use pg_query::NodeEnum;
use pg_query::protobuf::ViewStmt;

use super::place::Place;
use super::{changed, odd};
use crate::rewrite::outcome::Effects;
use crate::rewrite::rewriter::Rewriter;
use crate::statement::Refusal;

impl Rewriter<'_> {
    pub(in crate::rewrite) fn create_view(&mut self, statement: &mut ViewStmt) -> Result<Effects, Refusal> {
        let range = statement.view.as_mut().ok_or_else(|| odd("CREATE VIEW"))?;
        if self.place(range, "CREATE VIEW")? == Place::Temporary {
            return Err(Refusal::unsupported("temporary views are not supported by the relay")
                .hint("CREATE TEMPORARY TABLE … AS keeps the rows of a query."));
        }
        if !statement.options.is_empty() {
            return Err(Refusal::unsupported("options of views are not supported by the relay yet"));
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
        Ok(changed())
    }
}
