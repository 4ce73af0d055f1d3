//! PEM (RFC 7468): one block, strict form.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// One PEM block with lines of 64 characters.
pub(crate) fn encode(label: &str, der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    let mut text = format!("-----BEGIN {label}-----\n");
    for (position, character) in body.chars().enumerate() {
        if position > 0 && position % LINE == 0 {
            text.push('\n');
        }
        text.push(character);
    }
    text.push_str(&format!("\n-----END {label}-----\n"));
    text
}

/// The bytes of a text that is one PEM block with this label.
pub(crate) fn decode(label: &str, text: &str) -> Option<Vec<u8>> {
    if text.len() > TEXT_MAX {
        return None;
    }
    let body = text.trim().strip_prefix(&format!("-----BEGIN {label}-----"))?;
    let body = body.strip_suffix(&format!("-----END {label}-----"))?;
    let body: String = body.split_ascii_whitespace().collect();
    STANDARD.decode(body).ok()
}

const LINE: usize = 64;
/// A P-256 key takes some 250 characters; anything near this limit is no key of ours.
const TEXT_MAX: usize = 16 * 1024;
