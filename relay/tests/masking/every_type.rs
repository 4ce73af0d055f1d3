//! Every type that a column can have, with every style: a value of exactly the same type comes out, or the classification
//! is refused and says for which column.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::clinic::{Clinic, skip};

#[tokio::test]
async fn every_style_fits_every_type_exactly_or_is_refused_by_name() {
    let Some(clinic) = Clinic::alone().await else { return skip() };
    examine(clinic).await;
}

#[tokio::test]
async fn every_style_fits_every_type_of_postgresql_18_exactly_or_is_refused_by_name() {
    let Some(clinic) = Clinic::of_version("18").await else { return skip() };
    examine(clinic).await;
}

async fn examine(mut clinic: Clinic) {
    let columns = create(&clinic).await;
    assert!(columns.len() > 300, "{} columns", columns.len());
    clinic.classify("").await.unwrap();
    for style in ["redact", "last4", "null", "year", "zip3", "constant", "default"] {
        let refused = classify_all(&mut clinic, &columns, style);
        let expected: BTreeSet<&str> =
            columns.iter().filter(|column| !fits(style, column)).map(|column| column.name.as_str()).collect();
        assert_eq!(refused.iter().map(String::as_str).collect::<BTreeSet<_>>(), expected, "{style}");
        compare_shapes(&clinic, style).await;
        returns_without_error(&clinic, &columns).await;
    }
}

/// A column, and the type of `pg_catalog` that it is of, an array of, or a domain over.
struct Column {
    name: String,
    form: Form,
    of: String,
    modifier: Option<u32>,
}

#[derive(PartialEq, Eq)]
enum Form {
    Plain,
    Array,
}

/// What the styles promise, told apart from how they are made.
fn fits(style: &str, column: &Column) -> bool {
    let characters = ["text", "varchar", "bpchar", "name"].contains(&column.of.as_str());
    let holds = |least| column.modifier.is_none_or(|modifier| modifier >= least);
    match (style, &column.form) {
        ("null" | "default", _) | ("constant", Form::Array) => true,
        ("redact", Form::Array) => characters,
        ("redact", Form::Plain) => characters || column.of == "char",
        ("last4", Form::Plain) => characters && holds(8),
        ("zip3", Form::Plain) => characters && holds(5),
        ("year", Form::Plain) => ["date", "timestamp", "timestamptz"].contains(&column.of.as_str()),
        ("constant", Form::Plain) => !WITHOUT_INPUT.contains(&column.of.as_str()),
        _ => false,
    }
}

/// Types whose texts no server reads back, and `aclitem`, whose name roles that may be gone.
const WITHOUT_INPUT: [&str; 8] = [
    "aclitem",
    "gtsvector",
    "pg_brin_bloom_summary",
    "pg_brin_minmax_multi_summary",
    "pg_dependencies",
    "pg_mcv_list",
    "pg_ndistinct",
    "pg_node_tree",
];

/// A table with a column of every type, its array, and a domain over it that accepts NULL alone; types with modifiers and
/// collations; enums and composites.
async fn create(clinic: &Clinic) -> Vec<Column> {
    let types = clinic
        .superuser
        .query(
            "SELECT typname::text, format_type(oid, NULL), typarray <> 0 FROM pg_type
             WHERE typnamespace = 'pg_catalog'::regnamespace AND typtype IN ('b', 'r', 'm') AND typname !~ '^_'
             ORDER BY oid",
            &[],
        )
        .await
        .unwrap();
    let mut sql = "CREATE SCHEMA kinds; GRANT USAGE ON SCHEMA kinds TO affidavit_relay;
        CREATE TYPE kinds.\"Mood's\" AS ENUM ('it''s calm', 'grim');
        CREATE TYPE kinds.hollow AS ENUM ();
        CREATE TYPE kinds.pair AS (one text, other kinds.\"Mood's\");"
        .to_owned();
    let mut columns = Vec::new();
    let mut written = Vec::new();
    let mut add = |name: String, form, of: &str, modifier, type_name: &str| {
        written.push(format!("\"{name}\" {type_name}"));
        columns.push(Column { name, form, of: of.to_owned(), modifier });
    };
    for row in types {
        let (name, written, has_array): (String, String, bool) = (row.get(0), row.get(1), row.get(2));
        // Written without a modifier, these two mean one character and one bit.
        let written = match name.as_str() {
            "bpchar" => "bpchar".to_owned(),
            "bit" => "\"bit\"".to_owned(),
            _ => written,
        };
        add(format!("plain_{name}"), Form::Plain, &name, None, &written);
        if has_array {
            add(format!("array_{name}"), Form::Array, &name, None, &format!("{written}[]"));
            let array = format!("CREATE DOMAIN kinds.\"array_of_{name}\" AS {written}[] CHECK (VALUE IS NULL);");
            sql.push_str(&array);
            add(format!("domain_array_{name}"), Form::Array, &name, None, &format!("kinds.\"array_of_{name}\""));
        }
        // A domain over it that accepts nothing, so that a mask of the domain's own type would fail.
        write!(sql, "CREATE DOMAIN kinds.\"only_{name}\" AS {written} CHECK (VALUE IS NULL);").unwrap();
        add(format!("domain_{name}"), Form::Plain, &name, None, &format!("kinds.\"only_{name}\""));
    }
    for (number, (of, modifier, type_name)) in MODIFIED.iter().enumerate() {
        add(format!("modified_{number}"), Form::Plain, of, *modifier, type_name);
        if !type_name.contains("COLLATE") {
            add(format!("modified_array_{number}"), Form::Array, of, *modifier, &format!("{type_name}[]"));
        }
    }
    add("collated_array".to_owned(), Form::Array, "text", None, "text[] COLLATE \"C\"");
    for name in ["kinds.\"Mood's\"", "kinds.hollow", "kinds.pair", "pg_catalog.pg_class"] {
        let column = name.replace(['"', '\''], "_");
        add(format!("{column}_plain"), Form::Plain, "made", None, name);
        add(format!("{column}_array"), Form::Array, "made", None, &format!("{name}[]"));
    }
    write!(sql, "CREATE TABLE kinds.everything ({});", written.join(", ")).unwrap();
    sql.push_str("GRANT SELECT ON kinds.everything TO affidavit_relay; INSERT INTO kinds.everything DEFAULT VALUES;");
    for (column, value) in EXTREMES {
        write!(sql, "INSERT INTO kinds.everything (\"{column}\") VALUES ({value});").unwrap();
    }
    clinic.superuser.batch_execute(&sql).await.unwrap();
    columns
}

/// Type, characters that it holds, as it is written.
const MODIFIED: [(&str, Option<u32>, &str); 19] = [
    ("bpchar", Some(1), "char(1)"),
    ("bpchar", Some(5), "char(5)"),
    ("varchar", Some(4), "varchar(4)"),
    ("varchar", Some(7), "varchar(7)"),
    ("varchar", Some(8), "varchar(8)"),
    ("varchar", Some(20), "varchar(20) COLLATE \"POSIX\""),
    ("text", None, "text COLLATE \"C\""),
    ("name", None, "name COLLATE \"POSIX\""),
    ("bit", None, "bit(5)"),
    ("varbit", None, "bit varying(3)"),
    ("numeric", None, "numeric(6,2)"),
    ("numeric", None, "numeric(2,5)"),
    ("timestamp", None, "timestamp(3)"),
    ("timestamptz", None, "timestamptz(0)"),
    ("timetz", None, "time(1) with time zone"),
    ("interval", None, "interval year to month"),
    ("interval", None, "interval day to second(3)"),
    ("interval", None, "interval(2)"),
    ("interval", None, "interval minute"),
];

/// What a value can be at its worst, for the masks that look at it.
const EXTREMES: [(&str, &str); 30] = [
    ("plain_text", "''"),
    ("plain_text", "'\u{1F9EC}\u{1F9EC}\u{1F9EC}\u{1F9EC}\u{1F9EC}\u{1F9EC}\u{1F9EC}\u{1F9EC}'"),
    ("plain_text", "repeat('9', 100000)"),
    ("plain_text", "E'\\t\\n\\\\'"),
    ("plain_text", "'\u{0661}\u{0662}\u{0663}\u{0664}\u{0665}'"),
    ("plain_varchar", "''"),
    ("plain_bpchar", "''"),
    ("plain_name", "repeat('x', 63)"),
    ("modified_1", "'a'"),
    ("plain_date", "'infinity'"),
    ("plain_date", "'-infinity'"),
    ("plain_date", "'4714-11-24 BC'"),
    ("plain_date", "'5874897-12-31'"),
    ("plain_timestamp", "'infinity'"),
    ("plain_timestamp", "'-infinity'"),
    ("plain_timestamp", "'4714-11-24 00:00:00 BC'"),
    ("plain_timestamp", "'294276-12-31 23:59:59.999999'"),
    ("plain_timestamptz", "'infinity'"),
    ("plain_timestamptz", "'-infinity'"),
    ("plain_timestamptz", "'4714-11-24 00:00:00+00 BC'"),
    ("plain_timestamptz", "'294276-12-31 23:59:59.999999+00'"),
    ("plain_timestamptz", "'0001-01-01 00:00:00+15:59'"),
    ("plain_timestamptz", "'9999-12-31 23:59:59.999999-15:59'"),
    ("plain_float8", "'NaN'"),
    ("plain_numeric", "'NaN'"),
    ("plain_numeric", "'-Infinity'"),
    ("plain_jsonb", "'null'"),
    ("array_text", "'[5:6]={a,NULL}'"),
    ("array_date", "'{infinity,NULL}'"),
    ("plain_tsrange", "'(-infinity,infinity)'"),
];

/// Classifies every column with one style, and those that it does not fit with `null`: the ones that were refused.
fn classify_all(clinic: &mut Clinic, columns: &[Column], style: &str) -> Vec<String> {
    let mut refused: Vec<String> = Vec::new();
    loop {
        let style_of = |name: &String| if refused.contains(name) { "null" } else { style };
        let stated: Vec<String> =
            columns.iter().map(|column| format!("\"{}\" = \"{}\"", column.name, style_of(&column.name))).collect();
        let classification = format!("[[table]]\nname = \"kinds.everything\"\n[table.columns]\n{}", stated.join("\n"));
        let Err(problem) = clinic.reclassify(&classification) else { return refused };
        let named = columns.iter().find(|column| {
            problem.starts_with(&format!("classification of kinds.everything.{}: style `{style}`", column.name))
        });
        let named = named.unwrap_or_else(|| panic!("{style}: no column is named: {problem}"));
        assert!(!refused.contains(&named.name), "{problem}");
        refused.push(named.name.clone());
    }
}

/// Type, type modifier and collation of every column of the masked scan are those of the table, of a domain its base's.
async fn compare_shapes(clinic: &Clinic, style: &str) {
    let upstream = clinic.upstream("SELECT * FROM kinds.everything");
    // A view could not be made of it: constants of type regrole may not stand in one.
    let create = format!("CREATE TABLE kinds.shape AS {upstream} WITH NO DATA");
    clinic.superuser.batch_execute(&create).await.unwrap();
    let rows = clinic
        .superuser
        .query(
            "WITH base AS (SELECT a.attname::text AS name, CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE a.atttypid END AS type,
                    CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END AS typmod, a.attcollation
                 FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
                 WHERE a.attrelid = 'kinds.everything'::regclass AND a.attnum > 0),
             masked AS (SELECT a.attname::text AS name, a.atttypid AS type, a.atttypmod AS typmod, a.attcollation
                 FROM pg_attribute a WHERE a.attrelid = 'kinds.shape'::regclass AND a.attnum > 0)
             SELECT coalesce(base.name, masked.name), base::text, masked::text FROM base FULL JOIN masked USING (name)
             WHERE base IS DISTINCT FROM masked",
            &[],
        )
        .await
        .unwrap();
    let differing: Vec<(String, Option<String>, Option<String>)> =
        rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
    assert!(differing.is_empty(), "{style}: {differing:?}");
    clinic.superuser.batch_execute("DROP TABLE kinds.shape").await.unwrap();
}

/// Every value is written by its type's function for text, and by that for binary where it has one; without a notice.
async fn returns_without_error(clinic: &Clinic, columns: &[Column]) {
    let rows = clinic.text_rows(&clinic.upstream("SELECT * FROM kinds.everything")).await;
    assert_eq!(rows.len(), 1 + EXTREMES.len());
    let binary = |column: &&Column| !["aclitem", "gtsvector"].contains(&column.of.as_str());
    // The row type of a system's table has columns that have no binary form.
    let names: Vec<String> = columns
        .iter()
        .filter(binary)
        .filter(|column| !column.name.contains("pg_class"))
        .map(|column| format!("\"{}\"", column.name))
        .collect();
    let copy = format!("COPY (SELECT {} FROM kinds.everything) TO STDOUT (FORMAT binary)", names.join(", "));
    let mut psql = clinic.psql();
    psql.args(["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--command", &clinic.upstream(&copy)]);
    let output = psql.output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stdout.starts_with(b"PGCOPY\n"));
}
