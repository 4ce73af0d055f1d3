//! Qualified names as text, written so that two different names never look the same.

use std::fmt;

/// `schema.name`; each part is quoted as SQL would, unless it is plain lowercase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QualifiedName<'a> {
    /// Schema.
    pub schema: &'a str,
    /// Name in it.
    pub name: &'a str,
}

impl fmt::Display for QualifiedName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", Readable(self.schema), Readable(self.name))
    }
}

/// An identifier for people: quoted only where it is not plain.
pub(crate) struct Readable<'a>(pub(crate) &'a str);

impl fmt::Display for Readable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let starts = self.0.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
        if starts && self.0.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_') {
            f.write_str(self.0)
        } else {
            f.write_str(&quoted(self.0))
        }
    }
}

/// An identifier that SQL reads back as it is, whatever is in it.
pub(crate) fn quoted(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}

/// Text as an SQL string constant; safe with `standard_conforming_strings = on`, which the relay pins, and without
/// backslashes in either setting.
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dot_in_a_name_cannot_move_the_border_between_schema_and_name() {
        let one = QualifiedName { schema: "a.b", name: "c" }.to_string();
        let other = QualifiedName { schema: "a", name: "b.c" }.to_string();
        assert_eq!((one.as_str(), other.as_str()), ("\"a.b\".c", "a.\"b.c\""));
    }
}
