//! What psql's backslash commands and drivers ask of the catalog.

use std::process::Stdio;

use super::clinic::{Clinic, skip};

const COMMANDS: &[&str] = &[
    "\\d",
    "\\dt",
    "\\dt+",
    "\\dt *.*",
    "\\d clinic.patients",
    "\\d+ clinic.patients",
    "\\d clinic.visits",
    "\\d+ clinic.visits_2024",
    "\\d clinic.visits_per_department",
    "\\d+ clinic.visits_per_department",
    "\\dn",
    "\\dn+",
    "\\df",
    "\\df+ odd.*",
    "\\l",
    "\\dv",
    "\\di",
    "\\di clinic.*",
    "\\dm",
    "\\ds",
    "\\dT",
    "\\dT+ odd.*",
    "\\dD odd.*",
    "\\du",
    "\\dg",
    "\\dp clinic.*",
    "\\dx",
    "\\dy",
    "\\dd",
    "\\dO",
    "\\da",
    "\\dC",
    "\\dL",
    "\\db",
    "\\ddp",
    "\\dFt",
    "\\dF",
    "\\dFd",
    "\\dP",
    "\\dRp",
    "\\do odd.*",
    "\\sf odd.leak",
    "\\sv clinic.visits_per_department",
    "\\conninfo",
    "\\encoding",
];

#[tokio::test]
async fn psqls_backslash_commands_ask_nothing_that_is_refused() {
    let Some(clinic) = Clinic::start().await else { return skip() };
    let mut refused = Vec::new();
    for command in COMMANDS {
        let output = clinic
            .psql()
            .args(["--no-psqlrc", "--echo-hidden", "--quiet", "--command", command])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        for query in hidden_queries(&text) {
            // A psql older than the server may ask for columns that are gone.
            if clinic.superuser.simple_query(&query).await.is_err() {
                continue;
            }
            match clinic.decide(&query) {
                Ok(upstream) => {
                    let plain = clinic.text_rows(&query).await;
                    let through = clinic.text_rows(&upstream).await;
                    assert_eq!(plain, through, "{command}");
                }
                Err(message) => refused.push(format!("{command}: {message}\n    {}", query.replace('\n', "\n    "))),
            }
        }
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

fn hidden_queries(output: &str) -> Vec<String> {
    let mut queries = Vec::new();
    let mut current: Option<String> = None;
    for line in output.lines() {
        match (line.starts_with("********* QUERY"), line.starts_with("****************"), &mut current) {
            (true, _, _) => current = Some(String::new()),
            (_, true, Some(query)) => {
                queries.push(query.trim_end().trim_end_matches(';').to_owned());
                current = None;
            }
            (_, _, Some(query)) => {
                query.push_str(line);
                query.push('\n');
            }
            _ => {}
        }
    }
    queries
}

/// As drivers and their tools send them (pgjdbc, psycopg, Npgsql, SQLAlchemy, ActiveRecord, DBeaver); written anew.
const DRIVERS: &[&str] = &[
    "SELECT t.oid, t.typname, t.typelem, t.typarray, t.typdelim, t.typtype FROM pg_catalog.pg_type t WHERE t.typname = 'text'",
    "SELECT t.typname AS name, t.oid AS oid, t.typarray AS array_oid, t.oid::regtype::text AS regtype, t.typdelim AS delimiter FROM pg_type t WHERE t.oid = to_regtype('int4') ORDER BY t.oid",
    "SELECT ns.nspname, t.oid, t.typname, t.typtype, t.typnotnull, t.elemtypoid FROM (SELECT typ.oid, typ.typnamespace, typ.typname, typ.typtype, typ.typnotnull, CASE WHEN elem.oid IS NULL THEN 0 ELSE elem.oid END AS elemtypoid FROM pg_type AS typ LEFT JOIN pg_class AS cls ON (cls.oid = typ.typrelid) LEFT JOIN pg_proc AS proc ON proc.oid = typ.typreceive LEFT JOIN pg_type AS elem ON elem.oid = typ.typelem WHERE typ.typtype IN ('b', 'r', 'm', 'e', 'd') OR (typ.typtype = 'c' AND cls.relkind = 'c')) AS t JOIN pg_namespace AS ns ON (ns.oid = t.typnamespace)",
    "SELECT e.enumlabel FROM pg_catalog.pg_enum e JOIN pg_catalog.pg_type t ON t.oid = e.enumtypid ORDER BY e.enumsortorder",
    "SELECT NULL AS table_cat, n.nspname AS table_schem, c.relname AS table_name, CASE n.nspname ~ '^pg_' OR n.nspname = 'information_schema' WHEN true THEN 'SYSTEM' WHEN false THEN CASE c.relkind WHEN 'r' THEN 'TABLE' WHEN 'v' THEN 'VIEW' ELSE NULL END ELSE NULL END AS table_type, d.description AS remarks FROM pg_catalog.pg_namespace n, pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_description d ON (c.oid = d.objoid AND d.objsubid = 0 AND d.classoid = 'pg_class'::regclass) WHERE c.relnamespace = n.oid ORDER BY 4, 2, 3",
    "SELECT * FROM (SELECT n.nspname, c.relname, a.attname, a.atttypid, a.attnotnull OR (t.typtype = 'd' AND t.typnotnull) AS attnotnull, a.atttypmod, a.attlen, t.typtypmod, row_number() OVER (PARTITION BY a.attrelid ORDER BY a.attnum) AS attnum, nullif(a.attidentity, '') AS attidentity, nullif(a.attgenerated, '') AS attgenerated, pg_catalog.pg_get_expr(def.adbin, def.adrelid) AS adsrc, dsc.description, t.typbasetype, t.typtype FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_class c ON (c.relnamespace = n.oid) JOIN pg_catalog.pg_attribute a ON (a.attrelid = c.oid) JOIN pg_catalog.pg_type t ON (a.atttypid = t.oid) LEFT JOIN pg_catalog.pg_attrdef def ON (a.attrelid = def.adrelid AND a.attnum = def.adnum) LEFT JOIN pg_catalog.pg_description dsc ON (c.oid = dsc.objoid AND a.attnum = dsc.objsubid) WHERE c.relkind IN ('r', 'p', 'v', 'f', 'm') AND a.attnum > 0 AND NOT a.attisdropped AND n.nspname LIKE 'clinic') c WHERE true ORDER BY nspname, c.relname, attnum",
    "SELECT result.table_name, result.column_name, result.key_seq, result.pk_name FROM (SELECT ct.relname AS table_name, a.attname AS column_name, (information_schema._pg_expandarray(i.indkey)).n AS key_seq, ci.relname AS pk_name, information_schema._pg_expandarray(i.indkey) AS keys, a.attnum AS a_attnum FROM pg_catalog.pg_class ct JOIN pg_catalog.pg_attribute a ON (ct.oid = a.attrelid) JOIN pg_catalog.pg_namespace n ON (ct.relnamespace = n.oid) JOIN pg_catalog.pg_index i ON (a.attrelid = i.indrelid) JOIN pg_catalog.pg_class ci ON (ci.oid = i.indexrelid) WHERE i.indisprimary) result WHERE result.a_attnum = (result.keys).x ORDER BY result.table_name, result.pk_name, result.key_seq",
    "select pg_catalog.version()",
    "select current_schema()",
    "select current_schemas(false), current_database(), session_user, pg_backend_pid()",
    "show transaction isolation level",
    "show standard_conforming_strings",
    "SELECT pg_catalog.pg_get_constraintdef(r.oid, true) FROM pg_catalog.pg_constraint r WHERE r.conrelid = 'clinic.patients'::regclass AND r.contype = 'f' ORDER BY 1",
    "SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), (SELECT pg_catalog.pg_get_expr(d.adbin, d.adrelid) FROM pg_catalog.pg_attrdef d WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum AND a.atthasdef) AS \"default\", a.attnotnull, a.attrelid AS table_oid, pgd.description AS comment FROM pg_catalog.pg_attribute a LEFT JOIN pg_catalog.pg_description pgd ON (pgd.objoid = a.attrelid AND pgd.objsubid = a.attnum) WHERE a.attrelid = 'clinic.patients'::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
    "SELECT i.relname, ix.indisunique, pg_catalog.pg_get_indexdef(ix.indexrelid), array(SELECT pg_catalog.pg_get_indexdef(ix.indexrelid, k + 1, true) FROM generate_subscripts(ix.indkey, 1) AS k ORDER BY k) FROM pg_index ix JOIN pg_class i ON i.oid = ix.indexrelid WHERE ix.indrelid = 'clinic.patients'::regclass",
    "SELECT table_schema, table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2",
    "SELECT column_name, data_type, is_nullable, column_default FROM information_schema.columns WHERE table_schema = 'clinic' ORDER BY ordinal_position",
    "SELECT pg_catalog.pg_namespace.nspname FROM pg_catalog.pg_namespace WHERE pg_catalog.pg_namespace.nspname NOT LIKE 'pg/_%' ESCAPE '/' ORDER BY pg_catalog.pg_namespace.nspname",
    "SELECT setting FROM pg_catalog.pg_settings WHERE name = 'max_index_keys'",
    "SELECT pg_settings.name, s.setting FROM pg_settings JOIN pg_settings s ON s.name = pg_settings.name WHERE s.name = 'server_version'",
    "SELECT current_setting('transaction_isolation'), current_setting('server_version_num')::int >= 150000",
    "SELECT c.relname FROM pg_class c WHERE c.relname = ANY (current_schemas(true)) OR c.relkind IN ('r')",
];

#[tokio::test]
async fn drivers_catalog_queries_return_what_they_return_without_the_relay() {
    let Some(clinic) = Clinic::start().await else { return skip() };
    for sql in DRIVERS {
        let plain = clinic.text_rows(sql).await;
        let through = clinic.text_rows(&clinic.upstream(sql)).await;
        if !sql.contains("pg_backend_pid") && !sql.contains("typnotnull, t.elemtypoid") {
            assert_eq!(plain, through, "{sql}");
        }
    }
}
