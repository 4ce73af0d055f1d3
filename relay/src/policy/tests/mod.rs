//! Decisions on a hand-written clinic.

mod approval;
mod bypass;
mod copy;
mod decisions;
mod depth;
mod evidence;
mod functions;
mod migrations;
mod ordinary;
mod profile;
mod session;
mod set_off;
mod storing;
mod temporary;
mod writes;

use std::sync::Arc;

use schemas::event::Path;
use serde_json::{Value, json};

use super::*;
use crate::catalog::Snapshot;
use crate::config::{Classification, Connection};
use crate::rewrite::Rewriter;

/// A session of somebody on the clinic.
pub(super) struct Clinic {
    pub(super) snapshot: Snapshot,
    pub(super) profile: AccessProfile,
    search_path: Vec<String>,
    own: Arc<Own>,
}

impl Clinic {
    /// An analyst: reads everything masked, writes `billing.invoices`.
    pub(super) fn analyst() -> Self {
        Self::of("analysts", &|_| {})
    }

    /// As [`Self::analyst`], with changes to the database.
    pub(super) fn changed(change: &dyn Fn(&mut Value)) -> Self {
        Self::of("analysts", change)
    }

    pub(super) fn of(group: &str, change: &dyn Fn(&mut Value)) -> Self {
        let mut catalog = catalog();
        change(&mut catalog);
        let snapshot = Snapshot::from_json(&catalog.to_string()).unwrap();
        let profile = policies().profile(&principal(group), &connection(), &classification(), &snapshot).unwrap();
        Self { snapshot, profile, search_path: vec!["public".to_owned(), "clinic".to_owned()], own: Arc::default() }
    }

    pub(super) fn decide(&self, sql: &str) -> Ruling {
        self.decide_by(Path::Simple, sql)
    }

    pub(super) fn decide_by(&self, path: Path, sql: &str) -> Ruling {
        let context = Context {
            profile: &self.profile,
            snapshot: &self.snapshot,
            footing: &Footing::on(&self.search_path),
            own: &self.own,
            token: &token,
        };
        let ruling = decide(&context, path, sql, &[]);
        if let Outcome::Permitted { upstream_sql } | Outcome::Held { upstream_sql, .. } = &ruling.outcome {
            assert_eq!(*upstream_sql, self.written_whole(sql), "{sql}\nis not spliced as it would be written");
        }
        ruling
    }

    /// The text upstream when every masked scan is put into the tree itself, and all of it written and read again.
    fn written_whole(&self, sql: &str) -> String {
        let one = |parsed: crate::statement::Parsed| {
            let whole = |mut rewriter: Rewriter<'_>| {
                rewriter.whole_trees = true;
                let mut node = parsed.node.clone().unwrap();
                rewriter.statement(&mut node).map(|_| crate::rewrite::deparse(node).unwrap())
            };
            let rewriter = || Rewriter::new(&self.snapshot, &self.search_path, self.profile.access(), &self.own);
            whole(rewriter()).or_else(|_| whole(rewriter().storing_masks())).unwrap()
        };
        crate::statement::parse(sql).unwrap().0.into_iter().map(one).collect::<Vec<_>>().join("; ")
    }

    pub(super) fn upstream(&self, sql: &str) -> String {
        match self.decide(sql).outcome {
            Outcome::Permitted { upstream_sql } => upstream_sql,
            Outcome::Held { .. } => panic!("{sql}\nwas held"),
            Outcome::Refused { refusal } => panic!("{sql}\nwas refused: {}", refusal.message),
        }
    }

    /// The text upstream; the session is then one that has run it.
    pub(super) fn run(&mut self, sql: &str) -> String {
        let ruling = self.decide(sql);
        let text = self.upstream(sql);
        let own = Arc::make_mut(&mut self.own);
        ruling.statements.iter().flat_map(|ruled| &ruled.effects.own).for_each(|change| own.apply(change));
        text
    }

    pub(super) fn refusal(&self, sql: &str) -> crate::statement::Refusal {
        match self.decide(sql).outcome {
            Outcome::Held { upstream_sql, .. } | Outcome::Permitted { upstream_sql } => {
                panic!("{sql}\nwas permitted: {upstream_sql}")
            }
            Outcome::Refused { refusal } => refusal,
        }
    }
}

fn token(bytes: &[u8]) -> String {
    format!("{:016x}", bytes.iter().fold(7u64, |h, b| h.wrapping_mul(1_000_003).wrapping_add(u64::from(*b))))
}

pub(super) fn principal(group: &str) -> identity::Principal {
    identity::Principal {
        kind: identity::Kind::User,
        issuer: "https://idp.example".to_owned(),
        subject: "u1".to_owned(),
        name: "Ada".to_owned(),
        groups: vec![group.to_owned()],
        expires_at: 4_000_000_000,
        acts_for: None,
    }
}

pub(super) fn connection() -> Connection {
    toml::from_str(
        "name = 'clinic'\nhost = 'localhost'\ndatabase = 'clinic'\nuser = 'relay'\npassword = { file = 'p' }\n\
         classification = 'c.toml'\ntls = { mode = 'disable' }",
    )
    .unwrap()
}

pub(super) fn policies() -> PolicySet {
    let text = r#"
        @id("analysts read")
        permit(principal in Group::"analysts", action in [Action::"connect", Action::"select"], resource);
        @id("analysts bill")
        permit(principal in Group::"analysts", action in [Action::"insert", Action::"update", Action::"delete"],
               resource in Schema::"clinic/billing");
        @id("nobody reads payroll")
        forbid(principal, action, resource == Table::"clinic/billing.payroll");
        @id("doctors")
        permit(principal in Group::"doctors", action in [Action::"connect", Action::"select"], resource);
        @id("doctors see names")
        permit(principal in Group::"doctors", action == Action::"reveal", resource)
        when { resource.style != "last4" };
        @id("operators")
        permit(principal in Group::"operators",
               action in [Action::"connect", Action::"select", Action::"insert", Action::"update", Action::"delete", Action::"ddl"],
               resource);
        @id("owners")
        permit(principal in Group::"owners", action, resource);
    "#;
    PolicySet::from_texts(&[("clinic.cedar".to_owned(), text.to_owned())]).unwrap()
}

pub(super) fn classification() -> Classification {
    toml::from_str(
        r#"
        [[table]]
        name = "clinic.patients"
        columns = { id = "clear", mrn = "redact", name = "redact", ssn = "last4", birth_date = "year", zip = "zip3", visited = "clear" }
        [[table]]
        name = "clinic.visits"
        columns = { id = "clear", patient_id = "clear", visited_on = "clear", department = "clear", reason = "redact" }
        "#,
    )
    .unwrap()
}

/// `(number, name, type, base_name, kind)` into a column of the snapshot.
pub(super) fn column(number: i16, name: &str, oid: u32, base_name: &str) -> Value {
    json!({"number": number, "name": name, "type": oid, "base": oid, "typmod": -1, "base_kind": "b",
           "base_name": base_name, "collation": null, "generated_from": null})
}

pub(super) fn relation(oid: u32, schema: &str, name: &str, kind: &str, columns: &[Value]) -> Value {
    json!({"oid": oid, "schema": schema, "name": name, "kind": kind, "readable": true, "row_security": false,
           "triggers": false, "rules": false, "options": null, "parents": null, "definition": null, "reads": null,
           "opaque_writes": false, "columns": columns})
}

fn view(oid: u32, schema: &str, name: &str, reads: u32, definition: &str, columns: &[Value]) -> Value {
    let mut view = relation(oid, schema, name, "v", columns);
    view["definition"] = json!(definition);
    view["reads"] = json!([reads]);
    view
}

fn catalog() -> Value {
    let visits = || {
        vec![
            column(1, "id", 20, "bigint"),
            column(2, "patient_id", 23, "integer"),
            column(3, "visited_on", 1082, "date"),
            column(4, "department", 25, "text"),
            column(5, "reason", 25, "text"),
            column(6, "notes", 25, "text"),
        ]
    };
    let mut partition = relation(201, "clinic", "visits_2024", "r", &visits());
    partition["parents"] = json!([200]);
    let mut old = relation(202, "clinic", "visits_old", "r", &visits());
    old["parents"] = json!([200]);
    json!({
        "format": 4, "server_version_num": 150018, "login": "relay", "encoding": "UTF8",
        "schemas": [{"name": "public", "usable": true}, {"name": "clinic", "usable": true},
                    {"name": "billing", "usable": true}, {"name": "hidden", "usable": false}],
        "system_relations": ["pg_class", "pg_stats", "pg_statistic", "pg_stat_activity", "pg_authid", "pg_shadow",
                             "pg_namespace", "pg_attribute", "pg_type", "pg_largeobject", "pg_user_mappings"],
        "relations": [
            relation(100, "clinic", "patients", "r", &[
                column(1, "id", 23, "integer"), column(2, "mrn", 25, "text"), column(3, "name", 25, "text"),
                column(4, "ssn", 25, "text"), column(5, "birth_date", 1082, "date"), column(6, "zip", 25, "text"),
                column(7, "email", 25, "text"), column(8, "phone", 1043, "character varying(20)"),
                column(9, "visited", 1082, "date")]),
            relation(200, "clinic", "visits", "p", &visits()), partition, old,
            relation(300, "billing", "payers", "r", &[column(1, "id", 23, "integer"), column(2, "name", 25, "text")]),
            relation(301, "billing", "invoices", "r", &[
                column(1, "id", 20, "bigint"), column(2, "patient_id", 23, "integer"), column(3, "amount", 1700, "numeric(10,2)"),
                column(4, "status", 25, "text")]),
            relation(302, "billing", "payroll", "r", &[column(1, "id", 23, "integer")]),
            relation(303, "billing", "audited", "r", &[column(1, "id", 23, "integer"), column(2, "note", 25, "text")]),
            relation(400, "clinic", "remote", "f", &[column(1, "id", 23, "integer")]),
            view(500, "clinic", "contacts", 100, " SELECT patients.id,\n    patients.email\n   FROM clinic.patients;",
                &[column(1, "id", 23, "integer"), column(2, "email", 25, "text")]),
            view(501, "billing", "open_invoices", 301,
                " SELECT invoices.id,\n    invoices.amount\n   FROM billing.invoices\n  WHERE (invoices.status = 'open'::text);",
                &[column(1, "id", 20, "bigint"), column(2, "amount", 1700, "numeric(10,2)")]),
            view(502, "billing", "sly", 301, " SELECT query_to_xml('SELECT * FROM clinic.patients'::text, true, true, ''::text) AS x\n   FROM billing.invoices;",
                &[column(1, "x", 142, "xml")]),
            view(503, "billing", "opaque", 301, " SELECT public.leak(invoices.id) AS x\n   FROM billing.invoices;",
                &[column(1, "x", 25, "text")]),
        ],
        "dependents": [
            {"schema": "billing", "name": "invoices_pkey", "sequence": false, "of": 301},
            {"schema": "billing", "name": "invoices_id_seq", "sequence": true, "of": 301},
            {"schema": "billing", "name": "numbers", "sequence": true, "of": null},
            {"schema": "clinic", "name": "patients_ssn", "sequence": false, "of": 100},
            {"schema": "clinic", "name": "patients_id_seq", "sequence": true, "of": 100}],
        "foreign_keys": [
            {"from": 200, "from_columns": [2], "to": 100, "to_columns": [1], "acts": false},
            {"from": 301, "from_columns": [2], "to": 100, "to_columns": [1], "acts": false},
            {"from": 303, "from_columns": [2], "to": 100, "to_columns": [4], "acts": false}],
        "types": [
            {"oid": 17000, "schema": "public", "name": "mood", "kind": "e"},
            {"oid": 17001, "schema": "clinic", "name": "patients", "kind": "c", "relation": 100, "parts": [23, 25]},
            {"oid": 17003, "schema": "billing", "name": "payers", "kind": "c", "relation": 300, "parts": [23, 25]},
            {"oid": 17004, "schema": "billing", "name": "cents", "kind": "d", "parts": [20], "checks": ["(VALUE >= 0)"]},
            {"oid": 17005, "schema": "billing", "name": "amounts", "kind": "c", "parts": [1700, 17004]},
            {"oid": 17006, "schema": "billing", "name": "sly", "kind": "d", "parts": [25], "checks": ["(public.leak(VALUE) IS NULL)"]},
            {"oid": 17007, "schema": "billing", "name": "of_sly", "kind": "c", "parts": [23, 17006]},
            {"oid": 17008, "schema": "billing", "name": "strange", "kind": "c", "parts": [2249], "odd": true},
            {"oid": 17002, "schema": "public", "name": "positive", "kind": "d"}],
        "functions": [["public", "leak", false], ["public", "lower", false], ["hidden", "upper", false], ["public", "max", true]],
        "added_to_pg_catalog": null,
        "system_columns": {"pg_stat_user_tables": ["relid", "schemaname", "relname", "n_dead_tup"],
                           "pg_stat_database": ["datid", "xact_commit", "tup_fetched"],
                           "pg_attribute": ["attrelid", "attname", "attmissingval"],
                           "pg_stat_activity": ["pid", "state", "query_id", "query"],
                           "pg_stat_ssl": ["pid", "ssl"], "pg_subscription": ["subname", "subconninfo"]},
        "other_functions": ["set_config", "query_to_xml", "now"],
        "unary_functions": ["currval", "height", "lo_get", "name", "pg_ls_dir", "pg_read_file", "ts_stat", "upper"],
        "operators": [["public", "@@@"]],
        "operators_added_to_pg_catalog": null,
        "opaque_casts": null
    })
}
