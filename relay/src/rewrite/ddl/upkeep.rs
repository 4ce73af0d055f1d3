//! `ANALYZE`, `VACUUM`, `REINDEX` of tables by name, and `SET CONSTRAINTS`.

use pg_query::NodeEnum;
use pg_query::protobuf::{ConstraintsSetStmt, Node, ReindexObjectType, ReindexStmt, VacuumStmt};

use super::odd;
use crate::rewrite::explain::definition;
use crate::rewrite::outcome::{Effects, OnTransaction};
use crate::rewrite::own::is_temporary;
use crate::rewrite::rewriter::Rewriter;
use crate::statement::Refusal;

impl Rewriter<'_> {
    pub(in crate::rewrite) fn vacuum(&mut self, statement: &mut VacuumStmt) -> Result<Effects, Refusal> {
        let what = if statement.is_vacuumcmd { "VACUUM" } else { "ANALYZE" };
        plain_options(&statement.options, &["analyze", "freeze", "full", "skip_locked"], what)?;
        if statement.rels.is_empty() {
            return Err(Refusal::unsupported(format!("{what} of everything is not supported by the relay"))
                .hint("Name the tables."));
        }
        let mut lasting = false;
        for node in &mut statement.rels {
            let Some(NodeEnum::VacuumRelation(relation)) = node.node.as_mut() else { return Err(odd(what)) };
            let range = relation.relation.as_mut().ok_or_else(|| odd(what))?;
            lasting |= !is_temporary(self.changeable(range, what)?);
        }
        let on_transaction = if statement.is_vacuumcmd { OnTransaction::Commits } else { OnTransaction::Nothing };
        Ok(Effects { on_transaction, locks_relations: lasting, ..Effects::default() })
    }

    pub(in crate::rewrite) fn reindex(&mut self, statement: &mut ReindexStmt) -> Result<Effects, Refusal> {
        plain_options(&statement.params, &["concurrently"], "REINDEX")?;
        let range = statement.relation.as_mut();
        match (ReindexObjectType::try_from(statement.kind), range) {
            (Ok(ReindexObjectType::ReindexObjectTable), Some(range)) => {
                self.changeable(range, "REINDEX").map(|_| ())?
            }
            (Ok(ReindexObjectType::ReindexObjectIndex), Some(range)) => {
                self.changeable_dependent(range, false, false, "REINDEX")?;
            }
            _ => {
                return Err(Refusal::unsupported(
                    "REINDEX of more than a table or an index is not supported by the relay",
                ));
            }
        }
        let on_transaction = if statement.params.is_empty() { OnTransaction::Nothing } else { OnTransaction::Commits };
        Ok(Effects { on_transaction, locks_relations: true, ..Effects::default() })
    }
}

/// When constraints are checked that the transaction has put off: at its end, or now. What a check says is the same.
pub(in crate::rewrite) fn set_constraints(statement: &ConstraintsSetStmt) -> Result<Effects, Refusal> {
    let plain = statement.constraints.iter().all(
        |node| matches!(&node.node, Some(NodeEnum::RangeVar(range)) if range.catalogname.is_empty() && range.alias.is_none()),
    );
    if plain { Ok(Effects::default()) } else { Err(odd("SET CONSTRAINTS")) }
}

fn plain_options(options: &[Node], known: &[&str], what: &str) -> Result<(), Refusal> {
    let plain = |node: &Node| {
        let bare = matches!(&node.node, Some(NodeEnum::DefElem(element)) if element.arg.is_none());
        bare && definition(node).is_some_and(|name| known.contains(&name))
    };
    match options.iter().all(plain) {
        true => Ok(()),
        false => Err(Refusal::unsupported(format!("this option of {what} is not supported by the relay"))),
    }
}
