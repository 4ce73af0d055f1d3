//! Text of somebody else's, shown to a person who decides by it: nothing in it may hide, reorder or steer.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Text of several lines, such as a statement. Newlines and tabs stay; every other control character and every
/// character that is invisible or changes the order of others is shown by its code point, `⟨U+202E⟩`.
#[must_use]
pub fn text(value: &str) -> Cow<'_, str> {
    shown(value, |character| is_hidden(character) && !matches!(character, '\n' | '\t'))
}

/// Text on one line: as [`text`], newlines and tabs shown too.
#[must_use]
pub fn line(value: &str) -> Cow<'_, str> {
    shown(value, is_hidden)
}

fn shown(value: &str, is_shown_by_code: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !value.chars().any(&is_shown_by_code) {
        return Cow::Borrowed(value);
    }
    let mut out = String::with_capacity(value.len().saturating_add(16));
    for character in value.chars() {
        if is_shown_by_code(character) {
            // Writing to a string cannot fail.
            let _ = write!(out, "⟨U+{:04X}⟩", u32::from(character));
        } else {
            out.push(character);
        }
    }
    Cow::Owned(out)
}

/// Control characters, Unicode's `Default_Ignorable_Code_Point` (which contains the bidirectional controls of Annex 9
/// but two), the other line and paragraph breaks, and the spaces that are no plain space.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
        || matches!(
            character,
            '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' | '\u{2800}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hides_or_reorders_is_shown_by_its_code() {
        assert_eq!(text("SET a = 1\n\t-- é 漢"), "SET a = 1\n\t-- é 漢");
        assert_eq!(line("a\nb"), "a⟨U+000A⟩b");
        assert_eq!(text("a\u{1b}[2J\r"), "a⟨U+001B⟩[2J⟨U+000D⟩");
        for hidden in
            ['\u{202e}', '\u{2066}', '\u{200b}', '\u{ad}', '\u{feff}', '\u{a0}', '\u{e0041}', '\u{7f}', '\u{85}']
        {
            assert_eq!(text(&hidden.to_string()), format!("⟨U+{:04X}⟩", u32::from(hidden)));
        }
    }
}
