//! A statement's text for the evidence: every constant replaced by a token.

use std::ops::Range;

use pg_query::protobuf::{ScanToken, Token as Lexeme};
use schemas::event::Token;

/// A text without its values: constants are `?1`, `?2`, …, comments are gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokenised {
    /// The text.
    pub text: String,
    /// What stood at `?1`, `?2`, …
    pub literals: Vec<Token>,
}

/// What the text of a rewritten statement may repeat.
pub(crate) struct Vocabulary<'a> {
    /// Constants that the relay itself wrote, as they stand in the text.
    pub(crate) own_constants: &'a dyn Fn(&str) -> bool,
    /// Literals of the client's text, to be referred to by their numbers.
    pub(crate) literals: &'a Literals,
}

/// What stood at `?1`, `?2`, … in clear, to find it again in a rewritten text. No `Debug`: it holds values.
#[derive(Default)]
pub(crate) struct Literals(Vec<(&'static str, String)>);

/// Replaces every constant by `?n`, drops comments, and replaces quoted identifiers that are no name of the catalog:
/// what a person quotes may be anything. `None` when the text cannot be lexed.
///
/// `token_key` makes a token of a value's bytes; equal values get equal tokens.
#[must_use]
pub fn tokenise(sql: &str, token_key: &dyn Fn(&[u8]) -> String, known: &dyn Fn(&str) -> bool) -> Option<Tokenised> {
    let tokens = super::tokens(sql).ok()?;
    tokenise_own(sql, 0..sql.len(), &tokens, token_key, known).map(|(tokenised, _)| tokenised)
}

/// The values of all constants of a text, in order.
pub(crate) fn constants(sql: &str) -> Option<Vec<String>> {
    let mut values = Vec::new();
    rebuild(sql, &(0..sql.len()), &super::tokens(sql).ok()?, &|_| true, |_, lexeme| {
        values.push(value(lexeme));
        String::new()
    })?;
    Some(values)
}

/// As [`tokenise`], of one statement in a text with these tokens; with the literals themselves.
pub(crate) fn tokenise_own(
    sql: &str,
    statement: Range<usize>,
    tokens: &[ScanToken],
    token_key: &dyn Fn(&[u8]) -> String,
    known: &dyn Fn(&str) -> bool,
) -> Option<(Tokenised, Literals)> {
    let mut clear = Literals::default();
    let text = rebuild(sql, &statement, tokens, known, |kind, lexeme| {
        clear.0.push((kind, value(lexeme)));
        format!("?{}", clear.0.len())
    })?;
    let literals = clear.0.iter().map(|(kind, value)| token(kind, value, token_key)).collect();
    Some((Tokenised { text, literals }, clear))
}

/// As [`tokenise`], for the text that runs upstream: a constant of the client's is told by its number there, one of
/// the relay's own stands as it is, anything else is `?`.
pub(crate) fn tokenise_upstream(
    sql: &str,
    known: &dyn Fn(&str) -> bool,
    vocabulary: &Vocabulary<'_>,
) -> Option<String> {
    rebuild(sql, &(0..sql.len()), &super::tokens(sql).ok()?, known, |kind, lexeme| {
        let value = value(lexeme);
        match vocabulary.literals.0.iter().position(|(of, literal)| *of == kind && *literal == value) {
            Some(index) => format!("?{}", index.saturating_add(1)),
            None if (vocabulary.own_constants)(lexeme) => lexeme.to_owned(),
            None => "?".to_owned(),
        }
    })
}

fn rebuild(
    sql: &str,
    statement: &Range<usize>,
    tokens: &[ScanToken],
    known: &dyn Fn(&str) -> bool,
    mut constant: impl FnMut(&'static str, &str) -> String,
) -> Option<String> {
    let mut text = String::with_capacity(statement.len());
    let mut previous_end = statement.start;
    for token in tokens {
        let (start, end) = range(token)?;
        if start < statement.start || end > statement.end {
            continue;
        }
        let lexeme = sql.get(start..end)?;
        if start > previous_end && !text.is_empty() && !text.ends_with(' ') {
            text.push(' ');
        }
        previous_end = end;
        match Lexeme::try_from(token.token).ok()? {
            Lexeme::SqlComment | Lexeme::CComment => {
                if !text.is_empty() && !text.ends_with(' ') {
                    text.push(' ');
                }
            }
            Lexeme::Ident | Lexeme::Uident => text.push_str(&identifier(lexeme, known)),
            other => match constant_kind(other) {
                Some(kind) => text.push_str(&constant(kind, lexeme)),
                None => text.push_str(lexeme),
            },
        }
    }
    text.truncate(text.trim_end().len());
    Some(text)
}

fn range(token: &ScanToken) -> Option<(usize, usize)> {
    Some((usize::try_from(token.start).ok()?, usize::try_from(token.end).ok()?))
}

fn identifier(lexeme: &str, known: &dyn Fn(&str) -> bool) -> String {
    let Some(inner) = lexeme.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return if lexeme.contains('"') { UNKNOWN_IDENTIFIER.to_owned() } else { lexeme.to_owned() };
    };
    if known(&inner.replace("\"\"", "\"")) { lexeme.to_owned() } else { UNKNOWN_IDENTIFIER.to_owned() }
}

fn constant_kind(lexeme: Lexeme) -> Option<&'static str> {
    match lexeme {
        Lexeme::Sconst | Lexeme::Usconst => Some("string"),
        Lexeme::Iconst => Some("integer"),
        Lexeme::Fconst => Some("float"),
        Lexeme::Bconst | Lexeme::Xconst => Some("bit"),
        _ => None,
    }
}

fn token(kind: &str, value: &str, token_key: &dyn Fn(&[u8]) -> String) -> Token {
    Token { kind: kind.to_owned(), length: u64::try_from(value.len()).ok(), token: Some(token_key(value.as_bytes())) }
}

/// A plain quoted string stands for its value, so that it has the token that an equal parameter has; every other form
/// stands for itself.
fn value(lexeme: &str) -> String {
    match lexeme.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        Some(inner) => inner.replace("''", "'"),
        None => lexeme.to_owned(),
    }
}

/// Stands for a quoted identifier that the catalog does not know.
const UNKNOWN_IDENTIFIER: &str = "\"?\"";

#[cfg(test)]
mod tests {
    use super::*;

    fn length_key(bytes: &[u8]) -> String {
        format!("{:016x}", bytes.iter().fold(7u64, |h, b| h.wrapping_mul(31).wrapping_add(u64::from(*b))))
    }

    fn text(sql: &str) -> String {
        tokenise(sql, &length_key, &|name| name == "Patients").unwrap().text
    }

    #[test]
    fn every_form_of_a_constant_becomes_a_number() {
        let sql = "SELECT 'a''b', E'\\n', $$x$$, $t$y$t$, 12, 1.5e3, B'01', X'ff', U&'d\\0061', $1 -- secret\n";
        assert_eq!(text(sql), "SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, $1");
    }

    #[test]
    fn a_quoted_name_stays_only_if_the_catalog_has_it() {
        assert_eq!(
            text("SELECT \"John Doe\" FROM \"Patients\" /* 123-45-6789 */ WHERE true"),
            "SELECT \"?\" FROM \"Patients\" WHERE true"
        );
    }

    #[test]
    fn equal_values_have_equal_tokens() {
        let tokens = tokenise("SELECT 'a', 'a', 'b'", &length_key, &|_| true).unwrap().literals;
        assert_eq!(tokens[0], tokens[1]);
        assert_ne!(tokens[0], tokens[2]);
    }

    #[test]
    fn what_cannot_be_lexed_has_no_text() {
        assert_eq!(tokenise("SELECT 'oops", &length_key, &|_| true), None);
    }
}
