//! `LOCK TABLE … IN ACCESS SHARE MODE`, by which `pg_dump` keeps definitions as they are while it reads them.

use pg_query::NodeEnum;
use pg_query::protobuf::LockStmt;

use super::rewriter::Rewriter;
use crate::catalog::Kind;
use crate::statement::Refusal;

impl Rewriter<'_> {
    /// The weakest mode alone: it is what a `SELECT` takes, and whoever may read may take it. Every other one keeps others
    /// from writing.
    pub(super) fn lock(&mut self, lock: &mut LockStmt) -> Result<(), Refusal> {
        if lock.mode != ACCESS_SHARE {
            return Err(Refusal::unsupported("LOCK is supported IN ACCESS SHARE MODE alone")
                .hint("Other modes keep other sessions from their work."));
        }
        for node in &mut lock.relations {
            let Some(NodeEnum::RangeVar(range)) = node.node.as_mut() else {
                return Err(Refusal::unsupported("LOCK of this form is not supported by the relay"));
            };
            let Some(relation) = self.resolve(range)? else {
                return Err(Refusal::forbidden("LOCK of system relations is refused"));
            };
            self.ask(relation, "select", "locking")?;
            if !matches!(relation.kind, Kind::Table | Kind::Partitioned) {
                return Err(Refusal::unsupported("LOCK of anything but a table is not supported by the relay"));
            }
        }
        Ok(())
    }
}

/// `AccessShareLock` of PostgreSQL's parse trees.
const ACCESS_SHARE: i32 = 1;
