//! The allow-list of operators, by name.

/// Whether an operator of `pg_catalog` with this name does nothing but compute.
///
/// A name covers all its overloads of `pg_catalog`; each was looked at.
pub(crate) fn allowed(name: &str) -> bool {
    OPERATORS.contains(&name)
}

const OPERATORS: &[&str] = &[
    // Comparison.
    "=", "<>", "<", "<=", ">", ">=", // Arithmetic and bits.
    "+", "-", "*", "/", "%", "^", "|/", "||/", "@", "&", "|", "#", "~", "<<", ">>",
    // Text: concatenation, LIKE, regular expressions, prefix, byte order.
    "||", "~~", "!~~", "~~*", "!~~*", "~*", "!~", "!~*", "^@", "~<~", "~<=~", "~>~", "~>=~",
    // Arrays, ranges, JSON, text search.
    "&&", "@>", "<@", "&<", "&>", "-|-", "->", "->>", "#>", "#>>", "?", "?|", "?&", "#-", "@?", "@@", "@@@", "!!",
    "<->", // Networks and figures.
    "<<=", ">>=", "~=", "##", "@-@", "?#", "?-", "?-|", "?||", "<<|", "|>>", "&<|", "|&>", "<^", ">^",
];
