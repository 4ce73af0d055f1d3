//! `LOCK TABLE`.
//!
//! A lock tells nothing of what is in a relation. What it does is to keep others waiting, so it is for those who could keep
//! them waiting by their work: the weakest mode, by which `pg_dump` keeps definitions as they are, for who may read; the
//! others for who may change rows; and the one behind which nobody can even read, for who may change definitions.

use pg_query::NodeEnum;
use pg_query::protobuf::LockStmt;

use super::outcome::Effects;
use super::rewriter::Rewriter;
use crate::catalog::Kind;
use crate::statement::Refusal;

impl Rewriter<'_> {
    pub(super) fn lock(&mut self, lock: &mut LockStmt) -> Result<Effects, Refusal> {
        let action = match lock.mode {
            ACCESS_SHARE => "select",
            mode if (ACCESS_SHARE..ACCESS_EXCLUSIVE).contains(&mode) => "update",
            _ => "ddl",
        };
        for node in &mut lock.relations {
            let Some(NodeEnum::RangeVar(range)) = node.node.as_mut() else {
                return Err(Refusal::unsupported("LOCK of this form is not supported by the relay"));
            };
            let Some(relation) = self.resolve(range)? else {
                return Err(Refusal::forbidden("LOCK of system relations is refused"));
            };
            self.ask(relation, action, "locking")?;
            if !matches!(relation.kind, Kind::Table | Kind::Partitioned) {
                return Err(Refusal::unsupported("LOCK of anything but a table is not supported by the relay"));
            }
        }
        // Definitions cannot be read behind the strongest one.
        Ok(Effects { locks_relations: action == "ddl", ..Effects::default() })
    }
}

/// `AccessShareLock` of PostgreSQL's parse trees.
const ACCESS_SHARE: i32 = 1;
/// `AccessExclusiveLock`.
const ACCESS_EXCLUSIVE: i32 = 8;
