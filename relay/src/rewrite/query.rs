//! Queries: scoping, common table expressions, and the guards of each level.

use pg_query::NodeEnum;
use pg_query::protobuf::{CommonTableExpr, Node, SelectStmt, WithClause};

use super::rewriter::Rewriter;
use super::scan;
use super::withheld::{self, Mode};
use crate::statement::Refusal;

impl Rewriter<'_> {
    /// Rewrites a query in place: relations resolved, protected ones replaced, every expression checked.
    pub(crate) fn select(&mut self, select: &mut SelectStmt) -> Result<(), Refusal> {
        let (returning, storing) = (self.returning.take(), self.storing.take());
        self.scopes.push();
        let result = self.level(select);
        let level = self.scopes.pop();
        (self.returning, self.storing) = (returning, storing);
        result?;
        scan::and_where(&mut select.where_clause, level.guards.into_iter().map(|(_, guard)| guard).collect());
        Ok(())
    }

    fn level(&mut self, select: &mut SelectStmt) -> Result<(), Refusal> {
        // Taken out already where it may stand.
        if select.into_clause.is_some() {
            return Err(Refusal::syntax("SELECT … INTO stands alone, at the beginning of a statement"));
        }
        if let Some(with) = &mut select.with_clause {
            // What goes into a write is read as for one; what the query itself reads is returned.
            let mode = self.mode;
            if withheld::first_write(Some(with)).is_some() {
                self.mode = Mode::Writes;
            }
            self.with(with)?;
            self.mode = mode;
        }
        for arm in [&mut select.larg, &mut select.rarg].into_iter().flatten() {
            self.select(arm)?;
        }
        let around = std::mem::replace(&mut self.asks_for_part, Self::asks_for_part(select)?);
        for item in &mut select.from_clause {
            self.item_of_from(item)?;
        }
        self.scopes.complete();
        self.asks_for_part = around;
        self.group_by_keys(select)?;
        let outputs = withheld::output_columns(&select.target_list);
        self.by_results(&mut select.distinct_clause, &outputs)?;
        self.expressions(&mut select.target_list)?;
        self.expressions(&mut select.values_lists)?;
        self.by_results(&mut select.group_clause, &outputs)?;
        self.expressions(&mut select.window_clause)?;
        self.by_results(&mut select.sort_clause, &outputs)?;
        for node in
            [&mut select.where_clause, &mut select.having_clause, &mut select.limit_offset, &mut select.limit_count]
        {
            self.maybe(node)?;
        }
        // The names in a locking clause are aliases of this level; what they lock is refused or not as a whole.
        self.locks |= !select.locking_clause.is_empty();
        Ok(())
    }

    /// What a query is sorted or grouped by. A name that stands alone may be that of a column of its result, which comes before
    /// those of queries around it.
    fn by_results(&mut self, nodes: &mut [Node], outputs: &[String]) -> Result<(), Refusal> {
        for node in nodes {
            let output = withheld::alone(node).filter(|alone| outputs.contains(alone));
            let before = self.scopes.add_written(output.into_iter().collect());
            let result = self.expression(node);
            self.scopes.keep_written(before);
            result?;
        }
        Ok(())
    }

    /// Without RECURSIVE a query sees the ones before it; with it, all of them, itself included.
    pub(super) fn with(&mut self, with: &mut WithClause) -> Result<(), Refusal> {
        if with.recursive {
            for name in with.ctes.iter().filter_map(cte_name) {
                self.scopes.add_cte(&name);
            }
        }
        for node in &mut with.ctes {
            let Some(NodeEnum::CommonTableExpr(cte)) = node.node.as_mut() else {
                return Err(Refusal::unsupported("a WITH clause of this form is not supported by the relay"));
            };
            let columns = withheld::written_columns(&cte.aliascolnames, cte.ctequery.as_deref());
            self.common_table(cte)?;
            self.scopes.add_cte_columns(&cte.ctename, columns);
            if !with.recursive {
                self.scopes.add_cte(&cte.ctename);
            }
        }
        Ok(())
    }

    fn common_table(&mut self, cte: &mut CommonTableExpr) -> Result<(), Refusal> {
        if let Some(cycle) = &mut cte.cycle_clause {
            self.operator("=")?;
            self.operator("<>")?;
            self.maybe(&mut cycle.cycle_mark_value)?;
            self.maybe(&mut cycle.cycle_mark_default)?;
        }
        // PostgreSQL, too, has it at the outermost level alone.
        let admitted = self.writes_admitted && self.scopes.depth() == 1;
        match cte.ctequery.as_mut().and_then(|query| query.node.as_mut()) {
            Some(NodeEnum::SelectStmt(select)) => self.select(select),
            Some(NodeEnum::InsertStmt(insert)) if admitted => self.insert(insert),
            Some(NodeEnum::UpdateStmt(update)) if admitted => self.update(update),
            Some(NodeEnum::DeleteStmt(delete)) if admitted => self.delete(delete),
            Some(NodeEnum::MergeStmt(merge)) if admitted => self.merge(merge),
            _ => Err(Refusal::unsupported("a WITH clause that changes rows is not supported by the relay here")
                .hint("Write the change as a statement of its own.")),
        }
    }

    pub(super) fn expressions(&mut self, nodes: &mut [Node]) -> Result<(), Refusal> {
        nodes.iter_mut().try_for_each(|node| self.expression(node))
    }

    pub(super) fn maybe(&mut self, node: &mut Option<Box<Node>>) -> Result<(), Refusal> {
        node.as_deref_mut().map_or(Ok(()), |node| self.expression(node))
    }
}

fn cte_name(node: &Node) -> Option<String> {
    match &node.node {
        Some(NodeEnum::CommonTableExpr(cte)) => Some(cte.ctename.clone()),
        _ => None,
    }
}
