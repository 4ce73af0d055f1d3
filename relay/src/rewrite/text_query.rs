//! `ts_stat`, which runs a text as SQL.
//!
//! A text that stands in the statement as a constant is rewritten as a statement would be, and must read nothing protected. In
//! a definition it would be read along somebody else's search path, so there it is refused.

use pg_query::NodeEnum;
use pg_query::protobuf::{Node, a_const::Val};

use super::rewriter::Rewriter;
use super::splice::spliced_text;
use super::verify::deparse;
use crate::statement::{self, Refusal};

impl Rewriter<'_> {
    /// Whether this is such a call; the query in it is then the rewritten one.
    pub(super) fn text_query(&mut self, function: &str, args: &mut [Node]) -> Result<bool, Refusal> {
        if function != "ts_stat" {
            return Ok(false);
        }
        let text = args.first_mut().and_then(|arg| match arg.node.as_mut() {
            Some(NodeEnum::AConst(constant)) => match constant.val.as_mut() {
                Some(Val::Sval(text)) => Some(text),
                _ => None,
            },
            _ => None,
        });
        let Some(text) = text.filter(|_| self.view_depth == 0 && !self.unguarded) else {
            return Err(Refusal::unsupported(
                "ts_stat is supported in statements, with a query that stands there as a constant",
            ));
        };
        text.sval = self.rewritten_query(&text.sval)?;
        Ok(true)
    }

    fn rewritten_query(&mut self, sql: &str) -> Result<String, Refusal> {
        let (mut parsed, _) = statement::parse(sql)?;
        let (Some(one), true) = (parsed.pop(), parsed.is_empty()) else {
            return Err(Refusal::syntax("ts_stat takes one query"));
        };
        let mut node = one.node?;
        let Some(NodeEnum::SelectStmt(select)) = node.node.as_mut() else {
            return Err(Refusal::syntax("ts_stat takes a query"));
        };
        let mut inside = Rewriter::new(self.catalog, self.path, self.access, self.own);
        inside.mode = self.mode;
        #[cfg(test)]
        {
            inside.whole_trees = self.whole_trees;
        }
        inside.select(select)?;
        if inside.found.protected || inside.found.narrowed || inside.found.calls || inside.locks {
            return Err(Refusal::forbidden(
                "ts_stat is refused: its query reads protected relations or what is seen in part, locks rows, or calls users' \
                 functions",
            ));
        }
        let splices = std::mem::take(&mut inside.found.splices);
        self.found.absorb(inside.found);
        spliced_text(deparse(node)?, &splices)
    }
}
