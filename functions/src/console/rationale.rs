//! Why somebody decided, in their words: it is kept with the evidence and shown to others.

use super::problem::Problem;

/// The rationale as it is kept: trimmed, lines ending in a plain newline, without control characters.
pub(super) fn check(given: &str) -> Result<String, Problem> {
    let text = given.replace("\r\n", "\n").trim().to_owned();
    if text.is_empty() {
        return Err(Problem::bad_request("Expected a rationale: say why you decide so."));
    }
    if text.len() > RATIONALE_MAX {
        return Err(Problem::bad_request("The rationale is longer than 1,000 bytes."));
    }
    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
        return Err(Problem::bad_request("The rationale holds control characters; expected plain text."));
    }
    Ok(text)
}

/// Bytes; with a login under way it must fit into a cookie, sealed.
const RATIONALE_MAX: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rationale_says_something_and_is_plain_text() {
        assert_eq!(check("  ticket 4711\r\nchecked ").unwrap(), "ticket 4711\nchecked");
        assert!(check(&"x".repeat(1000)).is_ok());
        for bad in ["", " \r\n ", "a\u{1b}[2J", "a\u{0}b", &"x".repeat(1001), &"é".repeat(501)] {
            assert!(check(bad).is_err(), "{bad:?}");
        }
    }
}
