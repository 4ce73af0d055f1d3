//! Relations of the system of which a part is to be seen: some columns are NULL, or some rows are not there.

use pg_query::protobuf::SelectStmt;

use super::rewriter::Rewriter;
use super::{scan, setting_calls};
use crate::catalog::quoted;
use crate::statement::Refusal;

/// One of them.
struct Narrowed {
    name: &'static str,
    /// What stands for columns that are not shown.
    hidden: &'static [(&'static str, &'static str)],
    /// Which rows are there; all of them where nothing is said.
    rows: &'static str,
}

impl Rewriter<'_> {
    /// What stands for `pg_catalog.<name>`, and the constants in it; nothing where all of it may be seen.
    pub(super) fn narrowed(&self, name: &str) -> Result<Option<(SelectStmt, Vec<String>)>, Refusal> {
        match name {
            "pg_settings" => return setting_calls::view().map(Some),
            "pg_db_role_setting" => return setting_calls::of_roles().map(Some),
            _ => {}
        }
        if let Some(statistics) = self.statistics(name)? {
            return Ok(Some(statistics));
        }
        let Some(Narrowed { hidden, rows, .. }) = NARROWED.iter().find(|narrowed| narrowed.name == name) else {
            return Ok(None);
        };
        let columns = self.catalog.system_columns(name);
        if columns.is_empty() {
            return Err(Refusal::forbidden(format!("system relation {name} is not known as this server has it")));
        }
        let shown = |column: &String| match hidden.iter().find(|(hidden, _)| hidden == column) {
            Some((_, instead)) => format!("{instead} AS {}", quoted(column)),
            None => format!("n.{}", quoted(column)),
        };
        let columns: Vec<String> = columns.iter().map(shown).collect();
        let text = format!("SELECT {} FROM pg_catalog.{name} n{rows}", columns.join(", "));
        Ok(Some((scan::select_of(&text)?, scan::string_constants(&text))))
    }
}

/// Which relations these are, for the snapshot's query: `snapshot.sql` names them too.
const NARROWED: &[Narrowed] = &[
    // Of rows that are older than their column, the values.
    Narrowed {
        name: "pg_attribute",
        hidden: &[("attmissingval", "CASE WHEN false THEN n.attmissingval END")],
        rows: "",
    },
    // The relay's own texts.
    Narrowed { name: "pg_cursors", hidden: &[("statement", "NULL::pg_catalog.text")], rows: "" },
    // Where in an index a row is tells its order; what keys of applications' locks are made of only they know.
    Narrowed {
        name: "pg_locks",
        hidden: &[
            ("page", "NULL::pg_catalog.int4"),
            ("tuple", "NULL::pg_catalog.int2"),
            ("classid", "NULL::pg_catalog.oid"),
            ("objid", "NULL::pg_catalog.oid"),
            ("objsubid", "NULL::pg_catalog.int2"),
        ],
        rows: UNTELLING,
    },
    Narrowed { name: "pg_prepared_statements", hidden: &[("statement", "NULL::pg_catalog.text")], rows: "" },
    // What others run. The number of a text follows from the constants in it where it is no query.
    Narrowed {
        name: "pg_stat_activity",
        hidden: &[("query", "NULL::pg_catalog.text"), ("query_id", "NULL::pg_catalog.int8")],
        rows: "",
    },
    Narrowed { name: "pg_stat_gssapi", hidden: &[], rows: OWN },
    // How much was written follows from what was written.
    Narrowed {
        name: "pg_stat_replication",
        hidden: &[
            ("sent_lsn", "NULL::pg_catalog.pg_lsn"),
            ("write_lsn", "NULL::pg_catalog.pg_lsn"),
            ("flush_lsn", "NULL::pg_catalog.pg_lsn"),
            ("replay_lsn", "NULL::pg_catalog.pg_lsn"),
        ],
        rows: "",
    },
    Narrowed { name: "pg_stat_ssl", hidden: &[], rows: OWN },
    // How the other server is connected to, password included.
    Narrowed { name: "pg_subscription", hidden: &[("subconninfo", "NULL::pg_catalog.text")], rows: "" },
    Narrowed { name: "pg_user_mappings", hidden: &[("umoptions", "NULL::pg_catalog.text[]")], rows: "" },
];

/// Locks on rows and pages, those that a serializable transaction notes, and those on what holds long values: by which of
/// them a statement takes, what it read and wrote would be told.
const UNTELLING: &str = " WHERE n.mode OPERATOR(pg_catalog.<>) 'SIReadLock' \
    AND n.locktype OPERATOR(pg_catalog.<>) ALL (ARRAY['page', 'tuple']) \
    AND (n.relation IS NULL OR NOT EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid OPERATOR(pg_catalog.=) n.relation \
    AND (c.relkind OPERATOR(pg_catalog.=) 't' OR c.relispartition \
    OR EXISTS (SELECT FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class h ON h.oid OPERATOR(pg_catalog.=) x.indrelid \
    WHERE x.indexrelid OPERATOR(pg_catalog.=) c.oid AND (h.relkind OPERATOR(pg_catalog.=) 't' OR h.relispartition)))))";
/// The session's own row.
const OWN: &str = " WHERE n.pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid()";
