//! A plain value of each type, and what the masks must know of types.

use crate::catalog::types::*;
use crate::catalog::{Column, literal};

/// A fixed value of the column's type, as SQL; nothing for types that have none which any server reads alike: those of
/// extensions, and the system's own whose texts cannot be read back.
pub(super) fn constant(column: &Column) -> Option<String> {
    let text = match (column.base_kind, column.base) {
        ('c', _) => return Some("NULL".to_owned()),
        ('e', _) => return Some(column.label.as_deref().map_or_else(|| "NULL".to_owned(), literal)),
        ('r', _) => "empty",
        ('m', _) => "{}",
        (_, INT2VECTOR | OIDVECTOR | BYTEA | VARBIT | TSVECTOR) => "",
        _ if is_array(column) => "{}",
        _ if is_character(column) => "masked",
        (_, base) => plain(base)?,
    };
    Some(literal(text))
}

fn plain(base: u32) -> Option<&'static str> {
    Some(match base {
        BOOL => "false",
        CHAR => "*",
        INT2 | INT4 | INT8 | FLOAT4 | FLOAT8 | NUMERIC | MONEY | BIT | INTERVAL => "0",
        OID | XID | XID8 | CID | REGPROC | REGPROCEDURE | REGOPER | REGOPERATOR | REGCLASS | REGTYPE | REGROLE
        | REGNAMESPACE | REGCOLLATION | REGCONFIG | REGDICTIONARY => "0",
        DATE => "1900-01-01",
        TIMESTAMP => "1900-01-01 00:00:00",
        TIMESTAMPTZ => "1900-01-01 00:00:00+00",
        TIME => "00:00:00",
        TIMETZ => "00:00:00+00",
        UUID => "00000000-0000-0000-0000-000000000000",
        JSON | JSONB => "{}",
        // Valid as document and as content, whatever the setting `xmloption` says.
        XML => "<masked/>",
        INET | CIDR => "0.0.0.0",
        MACADDR => "00:00:00:00:00:00",
        MACADDR8 => "00:00:00:00:00:00:00:00",
        POINT | TID => "(0,0)",
        LSEG => "[(0,0),(0,0)]",
        PATH | POLYGON => "((0,0))",
        BOX => "(0,0),(0,0)",
        LINE => "{1,0,0}",
        CIRCLE => "<(0,0),0>",
        // An empty one is told by a NOTICE.
        TSQUERY | REFCURSOR => "masked",
        JSONPATH => "$",
        PG_LSN => "0/0",
        TXID_SNAPSHOT | PG_SNAPSHOT => "1:1:",
        _ => return None,
    })
}

pub(super) fn is_character(column: &Column) -> bool {
    matches!(column.base, TEXT | VARCHAR | BPCHAR | NAME)
}

pub(super) fn is_character_array(column: &Column) -> bool {
    matches!(column.base, TEXT_ARRAY | VARCHAR_ARRAY | BPCHAR_ARRAY | NAME_ARRAY)
}

/// `format_type` writes every array so, and quotes what else ends in brackets.
fn is_array(column: &Column) -> bool {
    column.base_name.ends_with("[]")
}

/// The name of a type of `pg_catalog` with its schema, so that none of the same name in the session's schema of temporary
/// objects is meant; those that the grammar spells out mean `pg_catalog` by themselves, and have no other name with their
/// modifiers.
pub(super) fn qualified_type(name: &str) -> String {
    let word = name.split(['(', ' ', '[']).next().unwrap_or(name);
    if name.contains('.') || SPELT_OUT.contains(&word) { name.to_owned() } else { format!("pg_catalog.{name}") }
}

/// `bpchar` is among them, for the deparser makes `char` of the qualified one: a type of that name that a session made could
/// stand in its place, and the statement would fail.
const SPELT_OUT: [&str; 13] = [
    "bigint",
    "bit",
    "boolean",
    "bpchar",
    "character",
    "double",
    "integer",
    "interval",
    "numeric",
    "real",
    "smallint",
    "time",
    "timestamp",
];
