//! Keys as a listing writes them. Asked to, S3 encodes them (`encoding-type=url`): a key may hold what XML cannot, and
//! somebody's odd key must not make a listing unreadable.

/// Undoes the encoding of forms: `%2F` and `+`. Nothing when it is none.
pub(super) fn decode(encoded: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => hex(rest.next()?)? << 4 | hex(rest.next()?)?,
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded_and_nothing_else() {
        for (encoded, key) in [
            ("evidence/a/b-1_2.zst", Some("evidence/a/b-1_2.zst")),
            ("a%2Fb+c%2B%c3%A9%01", Some("a/b c+é\u{1}")),
            ("a%2", None),
            ("a%", None),
            ("a%zz", None),
            ("%ff", None),
        ] {
            assert_eq!(decode(encoded).as_deref(), key, "{encoded}");
        }
    }
}
