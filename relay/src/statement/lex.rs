//! The scanner of PostgreSQL's own grammar.

use pg_query::protobuf::ScanToken;

/// The tokens of a text, comments included; `None` when it cannot be lexed.
///
/// A text without any token never reaches the library: 18.1 makes a slice of its null result, which is undefined.
pub(crate) fn tokens(sql: &str) -> Option<Vec<ScanToken>> {
    if sql.bytes().all(is_space) {
        return Some(Vec::new());
    }
    pg_query::scan_tokens(sql).ok()
}

/// What the scanner skips between tokens (`scan.l`, `space`).
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0B | 0x0C)
}
