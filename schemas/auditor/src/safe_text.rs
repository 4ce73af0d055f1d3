//! Recorded text on a terminal: what was recorded must not move the cursor, recolour, or hide other lines.

use std::fmt;

/// Shows text on one line with every control and direction-changing character escaped.
pub(crate) struct OneLine<'a>(pub(crate) &'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            if is_deceptive(character) {
                write!(f, "{}", character.escape_default())?;
            } else {
                write!(f, "{character}")?;
            }
        }
        Ok(())
    }
}

/// Control characters, and those that reorder what stands around them (Unicode Annex 9).
fn is_deceptive(character: char) -> bool {
    let reorders =
        matches!(character, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let breaks = matches!(character, '\u{2028}' | '\u{2029}');
    character.is_control() || reorders || breaks
}

#[cfg(test)]
mod tests {
    use super::OneLine;

    #[test]
    fn recorded_text_cannot_steer_the_terminal() {
        assert_eq!(OneLine("a\u{1b}[2Jb\n\u{202e}é").to_string(), "a\\u{1b}[2Jb\\n\\u{202e}é");
    }
}
