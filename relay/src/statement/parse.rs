//! Text into trees, within limits that keep every later recursion on the stack.

use pg_query::protobuf::{Node, ScanToken, Token};

use super::refusal::Refusal;
use super::shape;

/// One statement of a text: its tree, with every location zeroed, and where it stands.
#[derive(Debug)]
pub(crate) struct Parsed {
    /// The tree; only kinds of nodes that [`shape`] admits are in it.
    pub(crate) node: Result<Node, Refusal>,
    /// First byte in the text.
    pub(crate) start: usize,
    /// One past the last byte.
    pub(crate) end: usize,
}

/// Parses a text into its statements, and says what tokens it has.
///
/// # Errors
/// A [`Refusal`] when the text exceeds a limit or is not SQL. A statement that is SQL and not admitted is told in its
/// own [`Parsed`].
pub(crate) fn parse(sql: &str) -> Result<(Vec<Parsed>, Vec<ScanToken>), Refusal> {
    let tokens = check_limits(sql)?;
    Ok((parse_own(sql)?, tokens))
}

/// As [`parse`], for a text that the relay or the server wrote: masks and guards make it longer than a client's may be,
/// and it nests little deeper. libpg_query's own limit of nesting still holds.
pub(crate) fn parse_own(sql: &str) -> Result<Vec<Parsed>, Refusal> {
    let result = pg_query::parse(sql, 0).map_err(|error| syntax_error(&error))?;
    let mut statements = Vec::new();
    for raw in result.protobuf.stmts {
        let start = usize::try_from(raw.stmt_location).unwrap_or(0);
        let length = usize::try_from(raw.stmt_len).unwrap_or(0);
        let end = if length == 0 { sql.len() } else { start.saturating_add(length) };
        let Some(node) = raw.stmt else { continue };
        let mut node = *node;
        let node = shape::admit(&mut node).map(|()| node);
        statements.push(Parsed { node, start, end });
    }
    Ok(statements)
}

fn check_limits(sql: &str) -> Result<Vec<ScanToken>, Refusal> {
    if sql.len() > STATEMENT_BYTES_MAX {
        let message = format!("statement of {} bytes exceeds the relay's limit of {STATEMENT_BYTES_MAX}", sql.len());
        return Err(Refusal::limit(message).hint("Send data as parameters, or in several statements."));
    }
    if sql.contains('\0') {
        return Err(Refusal::syntax("statement contains a NUL character"));
    }
    let tokens = super::tokens(sql).map_err(|_| unlexable())?;
    let structural = tokens.iter().filter(|token| is_structural(token.token)).count();
    if structural > STRUCTURAL_TOKENS_MAX {
        let message =
            format!("statement of {structural} structural tokens exceeds the relay's limit of {STRUCTURAL_TOKENS_MAX}");
        return Err(
            Refusal::limit(message).hint("Constants, commas and parameters do not count: pass lists as arrays.")
        );
    }
    Ok(tokens)
}

/// Everything but what cannot nest: constants, parameters, commas, comments.
fn is_structural(token: i32) -> bool {
    !matches!(
        Token::try_from(token),
        Ok(Token::Sconst
            | Token::Usconst
            | Token::Bconst
            | Token::Xconst
            | Token::Iconst
            | Token::Fconst
            | Token::Param
            | Token::Ascii44
            | Token::SqlComment
            | Token::CComment)
    )
}

/// The parser's own message quotes the text near the error, which may be a literal: only its kind is told.
fn syntax_error(error: &pg_query::Error) -> Refusal {
    let deep = matches!(error, pg_query::Error::Parse(text) if DEPTH_MESSAGES.iter().any(|part| text.contains(part)));
    if deep {
        return Refusal::limit("statement is nested too deeply").hint("Write it with fewer nested expressions.");
    }
    Refusal::syntax("syntax error: the text is not a statement of PostgreSQL's grammar")
        .hint("The relay parses with the grammar of PostgreSQL 18 and refuses what it cannot parse.")
}

fn unlexable() -> Refusal {
    Refusal::syntax("syntax error: the text has an unterminated string, comment or quoted identifier")
}

/// 1 MiB: far above what people and ORMs write, and a parse of that size stays in the tens of milliseconds.
pub(crate) const STATEMENT_BYTES_MAX: usize = 1024 * 1024;

/// A tree is never deeper than its structural tokens. Chosen so that parsing, walking, comparing, deparsing and dropping
/// the deepest tree stay below half of the relay's 256 MiB stacks in a debug build (the depth-bomb test measures it).
pub(crate) const STRUCTURAL_TOKENS_MAX: usize = 5_000;

/// How libpg_query says that its own stack limit (2 MiB of C frames) or protobuf's nesting limit is reached.
const DEPTH_MESSAGES: [&str; 3] = ["stack depth limit exceeded", "nested too deeply", "memory exhausted"];
