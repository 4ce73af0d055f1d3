//! Recorded text made safe for a terminal: no escape sequence, no reordering of characters.

use std::borrow::Cow;
use std::fmt::Write as _;

/// A value on one line. Backslash, newline, tab and carriage return as COPY writes them, so that it can be told
/// from text that only looks so.
pub(super) fn line(value: &str) -> Cow<'_, str> {
    escaped(value, |character| match character {
        '\\' => Some("\\\\"),
        '\n' => Some("\\n"),
        '\t' => Some("\\t"),
        '\r' => Some("\\r"),
        _ => None,
    })
}

/// A text of several lines, such as a statement: newlines and tabs stay.
pub(super) fn text(value: &str) -> Cow<'_, str> {
    escaped(value, |character| match character {
        '\n' => Some("\n"),
        '\t' => Some("\t"),
        _ => None,
    })
}

fn escaped(value: &str, known: impl Fn(char) -> Option<&'static str>) -> Cow<'_, str> {
    if !value.chars().any(|character| known(character).is_some() || is_unsafe(character)) {
        return Cow::Borrowed(value);
    }
    let mut out = String::with_capacity(value.len() + 16);
    for character in value.chars() {
        if let Some(known) = known(character) {
            out.push_str(known);
        } else if is_unsafe(character) {
            // Writing to a string cannot fail.
            let _ = write!(out, "\\u{{{:x}}}", u32::from(character));
        } else {
            out.push(character);
        }
    }
    Cow::Owned(out)
}

/// Controls, and the characters that change the order in which others are shown (Unicode's `Bidi_Control`) or hide.
fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}
