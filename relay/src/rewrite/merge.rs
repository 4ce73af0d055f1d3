//! `MERGE`: which rows match, and what becomes of each, follows from clear columns alone.

use pg_query::NodeEnum;
use pg_query::protobuf::{CmdType, MergeMatchKind, MergeStmt, MergeWhenClause, Node};

use super::returning::MERGE_RETURNS;
use super::rewriter::Rewriter;
use super::scan;
use super::scope::Role;
use super::telling::Assigned;
use super::withheld::Mode;
use crate::catalog::Relation;
use crate::statement::Refusal;

impl<'a> Rewriter<'a> {
    pub(super) fn merge(&mut self, merge: &mut MergeStmt) -> Result<(), Refusal> {
        let nested = self.scopes.depth() > 0;
        let newer = self.catalog.server_version() >= MERGE_RETURNS;
        if !newer && (nested || merge.returning_clause.is_some()) {
            return Err(Refusal::unsupported("MERGE returns rows on PostgreSQL 17 and later"));
        }
        self.mode = Mode::Writes;
        self.scopes.push();
        if let Some(with) = &mut merge.with_clause {
            self.with(with)?;
        }
        let target = self.target(merge.relation.as_mut())?;
        self.ask(target, "select", "merging with rows of")?;
        let name = self.enter(target, merge.relation.as_ref(), Role::Target);
        if let Some(source) = &mut merge.source_relation {
            self.item_of_from(source)?;
        }
        self.scopes.complete();
        self.maybe(&mut merge.join_condition)?;
        for node in &mut merge.merge_when_clauses {
            match node.node.as_mut() {
                Some(NodeEnum::MergeWhenClause(clause)) => self.when(clause, target, newer)?,
                _ => return Err(Refusal::unsupported("MERGE of this form is not supported by the relay")),
            }
        }
        self.returning(&mut merge.returning_clause, target, &name, nested, true)?;
        let level = self.scopes.pop();
        // After a change of names nothing is done, neither with what matches nor with what does not. What stands for a guard
        // stands once in a text, so all clauses but the first have the guards themselves.
        let read = level.guards.iter().filter_map(|(oid, _)| self.catalog.relation(*oid));
        let again: Vec<Node> = scan::guards(target, Vec::new()).into_iter().chain(read.map(scan::guard)).collect();
        let mut guards = Some(scan::guards(target, level.guards));
        for node in &mut merge.merge_when_clauses {
            if let Some(NodeEnum::MergeWhenClause(clause)) = node.node.as_mut() {
                scan::and_where(&mut clause.condition, guards.take().unwrap_or_else(|| again.clone()));
            }
        }
        Ok(())
    }

    fn when(&mut self, clause: &mut MergeWhenClause, target: &'a Relation, newer: bool) -> Result<(), Refusal> {
        let by_source = clause.match_kind == i32::from(MergeMatchKind::MergeWhenNotMatchedBySource);
        if by_source && !newer {
            return Err(Refusal::unsupported("WHEN NOT MATCHED BY SOURCE is known to PostgreSQL 17 and later"));
        }
        self.maybe(&mut clause.condition)?;
        match CmdType::try_from(clause.command_type) {
            Ok(CmdType::CmdInsert) => {
                let all = clause.target_list.is_empty() && !clause.values.is_empty();
                let given = if all { Assigned::All } else { self.assigned(target, &clause.target_list)? };
                self.may(target, "insert", "inserting into", &given)?;
                self.expressions(&mut clause.target_list)?;
            }
            Ok(CmdType::CmdUpdate) => {
                let given = self.assigned(target, &clause.target_list)?;
                self.may(target, "update", "updating", &given)?;
                self.assignments(&mut clause.target_list, target, None)?;
            }
            Ok(CmdType::CmdDelete) => {
                self.may(target, "delete", "deleting from", &Assigned::These(Default::default()))?;
            }
            Ok(CmdType::CmdNothing) => {}
            _ => return Err(Refusal::unsupported("this action of MERGE is not supported by the relay")),
        }
        self.expressions(&mut clause.values)
    }
}
