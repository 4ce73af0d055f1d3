//! Recorded text on a page: markup is escaped by the templates; what steers a display is escaped here.

/// The text with every control and direction-changing character escaped, but for line ends and tabs.
pub(super) fn readable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if is_deceptive(character) { out.extend(character.escape_default()) } else { out.push(character) }
    }
    out
}

/// [`readable`], cut to so many characters.
pub(super) fn cut(text: &str, characters: usize) -> String {
    let beginning: String = text.chars().take(characters).collect();
    let rest = if beginning.len() < text.len() { " …" } else { "" };
    format!("{}{rest}", readable(&beginning))
}

/// Control characters, and those that reorder what stands around them (Unicode Annex 9).
fn is_deceptive(character: char) -> bool {
    let reorders =
        matches!(character, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    (character.is_control() && !matches!(character, '\n' | '\t')) || reorders
}

#[cfg(test)]
mod tests {
    use super::{cut, readable};

    #[test]
    fn what_steers_a_display_is_shown_instead_of_done() {
        assert_eq!(readable("a\u{1b}[2J\n\u{202e}é"), "a\\u{1b}[2J\n\\u{202e}é");
        assert_eq!(cut("abc", 2), "ab …");
        assert_eq!(cut("abc", 3), "abc");
    }
}
