//! Binary arrays, of any dimensions, as PostgreSQL writes them: `{1,2,NULL}`.

use super::{TYPES, binary};

/// Name of an array type whose elements can be written.
pub(super) fn name(type_oid: u32) -> Option<&'static str> {
    ARRAYS.iter().find(|(oid, _)| *oid == type_oid).map(|(_, name)| *name)
}

/// Number of dimensions, a flag for NULLs, the elements' type, length and lower bound of each dimension, elements.
pub(super) fn render(value: &[u8]) -> Option<String> {
    let mut reader = Elements { rest: value, type_oid: 0 };
    let dimensions = usize::try_from(reader.word()?).ok().filter(|count| *count <= DIMENSIONS_MAX)?;
    reader.word()?;
    reader.type_oid = reader.word()?;
    TYPES.iter().find(|(oid, ..)| *oid == reader.type_oid)?;
    let mut lengths = Vec::with_capacity(dimensions);
    for _ in 0..dimensions {
        lengths.push(reader.word()?);
        reader.word()?;
    }
    let mut out = String::new();
    if lengths.is_empty() {
        out.push_str("{}");
    } else {
        reader.write(&lengths, &mut out)?;
    }
    reader.rest.is_empty().then_some(out)
}

struct Elements<'a> {
    rest: &'a [u8],
    type_oid: u32,
}

impl Elements<'_> {
    fn word(&mut self) -> Option<u32> {
        let (word, rest) = self.rest.split_first_chunk::<4>()?;
        self.rest = rest;
        Some(u32::from_be_bytes(*word))
    }

    /// One dimension after the other. Every element takes four bytes at least, so a stated length that is too great
    /// ends at the first element that is not there; a dimension of no elements below one of many is refused.
    fn write(&mut self, lengths: &[u32], out: &mut String) -> Option<()> {
        let Some((length, inner)) = lengths.split_first() else { return self.element(out) };
        if *length == 0 {
            return None;
        }
        out.push('{');
        for index in 0..*length {
            if index > 0 {
                out.push(',');
            }
            self.write(inner, out)?;
        }
        out.push('}');
        Some(())
    }

    fn element(&mut self, out: &mut String) -> Option<()> {
        let length = self.word()?;
        if length == u32::MAX {
            out.push_str("NULL");
            return Some(());
        }
        let (value, rest) = self.rest.split_at_checked(usize::try_from(length).ok()?)?;
        self.rest = rest;
        let text = binary(self.type_oid, value)?;
        let plain = !text.is_empty()
            && !text.eq_ignore_ascii_case("null")
            && !text.contains(|c: char| c.is_whitespace() || matches!(c, '{' | '}' | ',' | '"' | '\\'));
        if plain {
            out.push_str(&text);
        } else {
            out.push('"');
            out.push_str(&text.replace('\\', "\\\\").replace('"', "\\\""));
            out.push('"');
        }
        Some(())
    }
}

/// PostgreSQL's own `MAXDIM`.
const DIMENSIONS_MAX: usize = 6;

/// OID and name.
const ARRAYS: [(u32, &str); 22] = [
    (199, "json[]"),
    (1000, "bool[]"),
    (1001, "bytea[]"),
    (1002, "\"char\"[]"),
    (1003, "name[]"),
    (1005, "int2[]"),
    (1007, "int4[]"),
    (1009, "text[]"),
    (1014, "bpchar[]"),
    (1015, "varchar[]"),
    (1016, "int8[]"),
    (1021, "float4[]"),
    (1022, "float8[]"),
    (1028, "oid[]"),
    (1115, "timestamp[]"),
    (1182, "date[]"),
    (1183, "time[]"),
    (1185, "timestamptz[]"),
    (1187, "interval[]"),
    (1231, "numeric[]"),
    (2951, "uuid[]"),
    (3807, "jsonb[]"),
];
