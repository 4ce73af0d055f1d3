//! Strings and integers of canonical JSON.

use super::writer::Refused;

/// Appends a string as RFC 8785 section 3.2.2.2 writes it: the short escapes, `\\u00xx` for other control characters,
/// everything else as it is.
pub(super) fn write_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|byte| *byte < b' ' || *byte == b'"' || *byte == b'\\') {
        let (plain, tail) = rest.split_at(at);
        out.extend_from_slice(plain);
        if let Some((byte, tail)) = tail.split_first() {
            write_escape(*byte, out);
            rest = tail;
        }
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

/// Appends an integer within ±(2^53 − 1): those that every JSON reader holds exactly (RFC 8785 section 3.2.2.3, RFC
/// 7493 section 2.2).
pub(super) fn write_integer(negative: bool, magnitude: u64, out: &mut Vec<u8>) -> Result<(), Refused> {
    if magnitude > INTEGER_MAX {
        return Err(Refused("an integer lies outside 2^53 - 1"));
    }
    if negative {
        out.push(b'-');
    }
    let mut digits = [0; DIGITS_MAX];
    let mut rest = magnitude;
    let mut used = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
        used += 1;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(DIGITS_MAX - used..).unwrap_or_default());
    Ok(())
}

fn write_escape(byte: u8, out: &mut Vec<u8>) {
    let short = match byte {
        b'"' | b'\\' => byte,
        0x08 => b'b',
        0x09 => b't',
        0x0a => b'n',
        0x0c => b'f',
        0x0d => b'r',
        _ => {
            out.extend_from_slice(b"\\u00");
            out.extend_from_slice(crate::hex::encode(&[byte]).as_bytes());
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

const INTEGER_MAX: u64 = (1 << 53) - 1;
/// Of 9,007,199,254,740,991.
const DIGITS_MAX: usize = 16;
