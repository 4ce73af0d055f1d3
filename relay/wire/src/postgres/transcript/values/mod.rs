//! Values as text.
//!
//! Sources: PostgreSQL's `pg_type` catalog for the OIDs (built-in types have the same on every server); the binary
//! forms are those of each type's `…send` function.

mod array;
mod number;
mod time;

use crate::postgres::format::Format;
use std::fmt::Write as _;

/// A value as text: text form as it is; binary form of the common types as PostgreSQL would write it in ISO date
/// style and UTC; anything else, and whatever does not fit its type, as `\x` and hexadecimal digits.
#[must_use]
pub fn render(type_oid: u32, format: Format, value: &[u8]) -> String {
    match format {
        Format::Text => String::from_utf8_lossy(value).into_owned(),
        Format::Binary => binary(type_oid, value).unwrap_or_else(|| hexadecimal(value)),
    }
}

/// Name of a common type.
#[must_use]
pub fn type_name(type_oid: u32) -> Option<&'static str> {
    TYPES.iter().find(|(oid, ..)| *oid == type_oid).map(|(_, name, _)| *name).or_else(|| array::name(type_oid))
}

/// True for types whose values are aligned to the right.
pub(super) fn is_number(type_oid: u32) -> bool {
    TYPES.iter().any(|(oid, _, kind)| *oid == type_oid && matches!(kind, Kind::Number(_)))
}

fn binary(type_oid: u32, value: &[u8]) -> Option<String> {
    match TYPES.iter().find(|(oid, ..)| *oid == type_oid) {
        Some((_, _, Kind::Number(render) | Kind::Other(render))) => render(value),
        None if array::name(type_oid).is_some() => array::render(value),
        None => None,
    }
}

fn hexadecimal(value: &[u8]) -> String {
    let mut out = String::with_capacity(2 + 2 * value.len());
    out.push_str("\\x");
    for byte in value {
        // Writing to a string cannot fail.
        let _ = write!(out, "{byte:02x}");
    }
    out
}

fn boolean(value: &[u8]) -> Option<String> {
    match value {
        [0] => Some("f".to_owned()),
        [1] => Some("t".to_owned()),
        _ => None,
    }
}

fn text(value: &[u8]) -> Option<String> {
    str::from_utf8(value).ok().map(str::to_owned)
}

/// A version byte, then text.
fn jsonb(value: &[u8]) -> Option<String> {
    value.strip_prefix(&[1]).and_then(text)
}

fn bytea(value: &[u8]) -> Option<String> {
    Some(hexadecimal(value))
}

fn uuid(value: &[u8]) -> Option<String> {
    let number = u128::from_be_bytes(value.try_into().ok()?);
    let (a, b, c) = (number >> 96, (number >> 80) & 0xffff, (number >> 64) & 0xffff);
    let (d, e) = ((number >> 48) & 0xffff, number & 0xffff_ffff_ffff);
    Some(format!("{a:08x}-{b:04x}-{c:04x}-{d:04x}-{e:012x}"))
}

type Render = fn(&[u8]) -> Option<String>;

enum Kind {
    Number(Render),
    Other(Render),
}

/// OID, name, and how to write its binary form.
static TYPES: &[(u32, &str, Kind)] = &[
    (16, "bool", Kind::Other(boolean)),
    (17, "bytea", Kind::Other(bytea)),
    (18, "\"char\"", Kind::Other(text)),
    (19, "name", Kind::Other(text)),
    (20, "int8", Kind::Number(number::int8)),
    (21, "int2", Kind::Number(number::int2)),
    (23, "int4", Kind::Number(number::int4)),
    (25, "text", Kind::Other(text)),
    (26, "oid", Kind::Number(number::oid)),
    (114, "json", Kind::Other(text)),
    (142, "xml", Kind::Other(text)),
    (700, "float4", Kind::Number(number::float4)),
    (701, "float8", Kind::Number(number::float8)),
    (705, "unknown", Kind::Other(text)),
    (1042, "bpchar", Kind::Other(text)),
    (1043, "varchar", Kind::Other(text)),
    (1082, "date", Kind::Other(time::date)),
    (1083, "time", Kind::Other(time::time)),
    (1114, "timestamp", Kind::Other(time::timestamp)),
    (1184, "timestamptz", Kind::Other(time::timestamptz)),
    (1186, "interval", Kind::Other(time::interval)),
    (1700, "numeric", Kind::Number(number::numeric)),
    (2950, "uuid", Kind::Other(uuid)),
    (3802, "jsonb", Kind::Other(jsonb)),
];

#[cfg(test)]
mod tests;
