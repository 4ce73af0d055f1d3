//! What is looked for in what passes: the third net, behind classification and masking.

use serde::Deserialize;

/// Detectors of one connection. A form proves nothing, and its absence proves less: they find what a classification
/// forgot, and hold nobody who means to hide a value from them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DetectorSettings {
    /// What is looked for, at least one kind.
    pub kinds: Vec<DetectorKind>,
    /// What becomes of a row in which it is seen. Literals and parameters are reported only.
    #[serde(default)]
    pub action: WhenDetected,
    /// Columns, as `schema.relation.column`, in which nothing is looked for, such as the addresses of suppliers. The
    /// target says which column of a result is one of a relation.
    #[serde(default)]
    pub except: Vec<String>,
    /// The hospital's own form of record numbers; without it `mrn` sees those that have `MRN` before them.
    #[serde(default)]
    pub mrn: Option<RecordNumbers>,
}

/// A kind of identifier that has a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DetectorKind {
    /// Social security numbers: with hyphens, or behind their name.
    Ssn,
    /// Medical record numbers.
    Mrn,
    /// Electronic mail addresses.
    Email,
    /// Telephone and fax numbers, of North America or with a `+`.
    Phone,
    /// Payment card numbers, by their check digit.
    Card,
    /// Dates behind a word such as `born`.
    DateOfBirth,
    /// A number, a name, and a word such as `Street`.
    Address,
}

/// What becomes of a row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WhenDetected {
    /// It is neither recorded nor returned, and the session ends.
    #[default]
    End,
    /// It goes on, and what was seen is on record before.
    Report,
}

/// A form of record numbers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordNumbers {
    /// A regular expression (syntax of the crate `regex`, ASCII) of a whole number, such as `[A-Z]{2}[0-9]{6}`.
    pub pattern: String,
    /// Characters that such a number has at most, 1 to 64: what is longer is none.
    pub longest: usize,
}

impl DetectorSettings {
    pub(super) fn check(&self) -> Result<(), String> {
        if self.kinds.is_empty() {
            return Err(
                "kinds: expected at least one of ssn, mrn, email, phone, card, date-of-birth, address".to_owned()
            );
        }
        if let Some(name) = self.except.iter().find(|name| name.split('.').filter(|part| !part.is_empty()).count() < 3)
        {
            return Err(format!("except: `{name}`: expected schema.relation.column"));
        }
        match &self.mrn {
            Some(_) if !self.kinds.contains(&DetectorKind::Mrn) => {
                Err("mrn: expected `mrn` among the kinds, for its form is given".to_owned())
            }
            Some(numbers) if !(1..=LONGEST_MAX).contains(&numbers.longest) => {
                Err(format!("mrn.longest is {}, expected 1 to {LONGEST_MAX}", numbers.longest))
            }
            _ => Ok(()),
        }
    }
}

/// No hospital numbers people by more characters.
const LONGEST_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<DetectorSettings, String> {
        let settings: DetectorSettings = toml::from_str(text).map_err(|error| error.to_string())?;
        settings.check().map(|()| settings)
    }

    #[test]
    fn a_list_of_kinds_is_enough_and_the_session_ends_unless_told_otherwise() {
        let settings = read("kinds = [\"ssn\", \"date-of-birth\"]").unwrap();
        assert_eq!(settings.action, WhenDetected::End);
        let settings =
            read("kinds = [\"mrn\"]\naction = \"report\"\nmrn = { pattern = \"[A-Z]{2}[0-9]{6}\", longest = 8 }");
        assert_eq!(settings.unwrap().action, WhenDetected::Report);
    }

    #[test]
    fn what_would_look_for_nothing_or_without_bound_is_refused() {
        for text in [
            "kinds = []",
            "kinds = [\"passport\"]",
            "kinds = [\"ssn\"]\naction = \"mask\"",
            "kinds = [\"ssn\"]\nexcept = [\"patients.ssn\"]",
            "kinds = [\"ssn\"]\nmrn = { pattern = \"[0-9]{6}\", longest = 6 }",
            "kinds = [\"mrn\"]\nmrn = { pattern = \"[0-9]{6}\" }",
            "kinds = [\"mrn\"]\nmrn = { pattern = \"[0-9]{6}\", longest = 65 }",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
