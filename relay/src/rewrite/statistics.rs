//! What the server counts: of relations whose figures tell nothing but what who asks may read.
//!
//! Whether an update was HOT tells whether it changed an indexed column, and how often an index was looked into follows from
//! the values looked for. So figures of protected relations are NULL, and those of relations that a foreign key ties to a
//! masked column; and so are those of relations that are not known yet.

use pg_query::protobuf::SelectStmt;

use super::rewriter::Rewriter;
use super::scan;
use crate::catalog::{Kind, Relation, quoted};
use crate::statement::Refusal;

impl Rewriter<'_> {
    /// What stands for a view of figures, and the constants in it; nothing where it is none.
    pub(super) fn statistics(&self, name: &str) -> Result<Option<(SelectStmt, Vec<String>)>, Refusal> {
        let columns = self.catalog.system_columns(name);
        let by_relation = BY_RELATION.contains(&name);
        if !by_relation && name != OF_DATABASES {
            return Ok(None);
        }
        if columns.is_empty() {
            return Err(Refusal::forbidden(format!("system relation {name} is not known as this server has it")));
        }
        let condition = if by_relation { "s.shown IS NOT NULL" } else { "false" };
        let shown = |column: &String| match SHOWN.contains(&column.as_str()) {
            true => format!("n.{}", quoted(column)),
            false => format!("CASE WHEN {condition} THEN n.{0} END AS {0}", quoted(column)),
        };
        let columns: Vec<String> = columns.iter().map(shown).collect();
        let mut text = format!("SELECT {} FROM pg_catalog.{name} n", columns.join(", "));
        if by_relation {
            let shown = self.catalog.relations().filter(|relation| self.figures_tell_nothing(relation));
            let shown: Vec<String> = shown.map(|relation| relation.oid.to_string()).collect();
            text.push_str(&format!(
                " LEFT JOIN pg_catalog.unnest('{{{}}}'::pg_catalog.oid[]) AS s (shown) ON s.shown OPERATOR(pg_catalog.=) n.relid",
                shown.join(",")
            ));
        }
        Ok(Some((scan::select_of(&text)?, scan::string_constants(&text))))
    }

    fn figures_tell_nothing(&self, relation: &Relation) -> bool {
        let is_table = matches!(relation.kind, Kind::Table | Kind::Partitioned);
        let readable = self.answers(relation).is_ok_and(|access| !access.protected && access.select.permitted);
        is_table && readable && !self.catalog.foreign_keys().iter().any(|key| self.tells(key, relation, "insert"))
    }
}

const BY_RELATION: [&str; 8] = [
    "pg_stat_all_indexes",
    "pg_stat_all_tables",
    "pg_stat_user_indexes",
    "pg_stat_user_tables",
    "pg_statio_all_indexes",
    "pg_statio_all_tables",
    "pg_statio_user_indexes",
    "pg_statio_user_tables",
];
const OF_DATABASES: &str = "pg_stat_database";
/// What is no figure; and of databases, how many came and went.
const SHOWN: [&str; 20] = [
    "relid",
    "indexrelid",
    "schemaname",
    "relname",
    "indexrelname",
    "datid",
    "datname",
    "numbackends",
    "xact_commit",
    "xact_rollback",
    "conflicts",
    "deadlocks",
    "checksum_failures",
    "checksum_last_failure",
    "session_time",
    "sessions",
    "sessions_abandoned",
    "sessions_fatal",
    "sessions_killed",
    "stats_reset",
];
