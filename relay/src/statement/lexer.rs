//! Tokens by PostgreSQL's own scanner.

use pg_query::protobuf::ScanToken;

/// The tokens of a text, comments among them.
///
/// A text without a token must not reach `pg_query::scan_tokens` (18.1): it makes a slice of the null pointer that
/// libpg_query returns for it, which aborts the process where that is checked and is undefined where it is not.
///
/// # Errors
/// When the scanner refuses the text, or it holds a NUL.
pub(crate) fn tokens(sql: &str) -> Result<Vec<ScanToken>, pg_query::Error> {
    if sql.bytes().all(is_space) { Ok(Vec::new()) } else { pg_query::scan_tokens(sql) }
}

/// The scanner's own `space`; whatever else stands in a text begins a token or is an error.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_without_a_token_has_none() {
        for text in ["", " ", "\n", " \t\r\n\x0b\x0c "] {
            assert!(tokens(text).unwrap().is_empty(), "{text:?}");
        }
    }

    #[test]
    fn the_shortest_texts_with_one_have_one() {
        for byte in 0x21..=0xff_u8 {
            let text = char::from(byte).to_string();
            assert!(tokens(&text).is_err() || !tokens(&text).unwrap().is_empty(), "{text:?}");
        }
        for text in ["--", "-- \n", "/**/", ";", "\u{a0}", "\u{3000}", "\u{feff}"] {
            assert_eq!(tokens(text).unwrap().len(), 1, "{text:?}");
        }
    }
}
