//! `REFRESH MATERIALIZED VIEW`, of what holds nothing protected.

use pg_query::protobuf::RefreshMatViewStmt;

use super::odd;
use crate::catalog::Kind;
use crate::rewrite::outcome::Effects;
use crate::rewrite::rewriter::Rewriter;
use crate::statement::Refusal;

impl Rewriter<'_> {
    /// Its query runs anew, as it was defined: it is held to what is allowed of it now.
    pub(in crate::rewrite) fn refresh(&mut self, statement: &mut RefreshMatViewStmt) -> Result<Effects, Refusal> {
        const WHAT: &str = "REFRESH MATERIALIZED VIEW";
        let range = statement.relation.as_mut().ok_or_else(|| odd(WHAT))?;
        let Some(relation) = self.resolve(range)? else {
            return Err(Refusal::forbidden("system relations are not changed through the relay"));
        };
        let access = self.ask(relation, "ddl", WHAT)?;
        self.no_opaque_event(WHAT)?;
        let name = relation.qualified();
        if relation.kind != Kind::MaterializedView {
            return Err(Refusal::unsupported(format!("{WHAT} {name} is refused: it is a {}", relation.kind.noun())));
        }
        if access.protected {
            return Err(Refusal::forbidden(format!("{WHAT} {name} is refused: it has protected columns")));
        }
        self.materialized_view(relation)?;
        if self.found.calls {
            return Err(Refusal::forbidden(format!("{WHAT} {name} is refused: its query calls users' functions")));
        }
        // Its indexes compute what they hold.
        self.no_opaque_code(relation, WHAT)?;
        Ok(Effects { locks_relations: true, ..Effects::default() })
    }
}
