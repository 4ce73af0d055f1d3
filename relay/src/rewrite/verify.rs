//! What runs upstream is the tree that was checked, and nothing else that its text could mean.

use pg_query::NodeEnum;
use pg_query::protobuf::{Node, ParseResult, RawStmt};

use super::copy;
use crate::statement::{Refusal, parse_own};

/// Writes a tree as text, reads that text again and compares the trees (rule 3): the text is only used if both are equal.
///
/// # Errors
/// A [`Refusal`] when the text cannot be written or means something else.
pub(crate) fn deparse(node: Node) -> Result<String, Refusal> {
    let (text, node) = match &node.node {
        Some(NodeEnum::CopyStmt(statement)) => (copy::text(statement, |query| written(query.clone()).0), Some(node)),
        _ => written(node),
    };
    let text = text.ok_or_else(not_exact)?;
    let mut again = parse_own(&text).map_err(|_| not_exact())?;
    match (again.pop().map(|statement| statement.node), again.is_empty()) {
        (Some(Ok(reread)), true) if Some(&reread) == node.as_ref() => Ok(text),
        _ => Err(not_exact()),
    }
}

/// The text, and the tree again.
fn written(node: Node) -> (Option<String>, Option<Node>) {
    let stmt = RawStmt { stmt: Some(Box::new(node)), stmt_location: 0, stmt_len: 0 };
    let mut tree = ParseResult { version: 0, stmts: vec![stmt] };
    let text = pg_query::deparse(&tree, pg_query::DeparseOptions::default()).ok();
    (text, tree.stmts.pop().and_then(|stmt| stmt.stmt).map(|node| *node))
}

pub(super) fn not_exact() -> Refusal {
    Refusal::unsupported("the relay cannot write this statement back exactly, so it does not run it")
        .hint("Simplify the expression; please report the form of the statement.")
}
