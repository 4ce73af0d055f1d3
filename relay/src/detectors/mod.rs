//! Pattern detectors: the third net. What passes is looked at for the form of identifiers, with check digits and context.
//!
//! They know forms alone. `reverse(ssn)` has none; whoever means to hide a value from them can. They are for what a
//! classification forgot, and for what people write into free text.

mod columns;
mod values;

use regex::bytes::{Regex, RegexBuilder};

use crate::config::{DetectorKind, DetectorSettings, WhenDetected};
use crate::safe_harbor::{Identifier, forms};

pub(crate) use columns::Columns;
pub(crate) use values::{each_copied, each_text};

/// Compiled detectors of one connection.
#[derive(Debug)]
pub(crate) struct Detectors {
    /// Whether there can be anything: one pass over a value, where mostly there is nothing.
    any: Regex,
    patterns: Vec<Pattern>,
    action: WhenDetected,
    except: Vec<String>,
}

/// One form of one kind.
#[derive(Debug)]
struct Pattern {
    kind: DetectorKind,
    form: Regex,
    check: fn(&str) -> bool,
    longest: usize,
}

type Written<'a> = (DetectorKind, &'a str, fn(&str) -> bool, usize);

/// Several kinds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Kinds(u8);

impl Detectors {
    /// Compiles them.
    ///
    /// # Errors
    /// What is wrong with the operator's own pattern.
    pub(crate) fn new(settings: &DetectorSettings) -> Result<Self, String> {
        let mut kinds = settings.kinds.clone();
        kinds.sort_unstable();
        kinds.dedup();
        let mut written: Vec<Written<'_>> = Vec::new();
        for kind in kinds {
            match (&settings.mrn, kind) {
                (Some(numbers), DetectorKind::Mrn) => {
                    let alone = bounded(&numbers.pattern).map_err(|error| format!("mrn.pattern: {error}"))?;
                    if alone.is_match(b"") {
                        return Err("mrn.pattern matches the empty text: expected the form of a number".to_owned());
                    }
                    written.push((kind, &numbers.pattern, |_| true, numbers.longest));
                }
                _ => written.extend(forms(identifier(kind)).map(|(form, check)| (kind, form, check, usize::MAX))),
            }
        }
        let compile = |form: &str| bounded(&standing_alone("", form)).map_err(|error| error.to_string());
        let all: Vec<String> = written.iter().map(|(_, form, ..)| format!("(?:{form})")).collect();
        let patterns = written.iter().map(|(kind, form, check, longest)| {
            Ok(Pattern { kind: *kind, form: compile(form)?, check: *check, longest: *longest })
        });
        Ok(Self {
            any: bounded(&standing_alone("?:", &all.join("|"))).map_err(|error| error.to_string())?,
            patterns: patterns.collect::<Result<_, String>>()?,
            action: settings.action,
            except: settings.except.clone(),
        })
    }

    /// What becomes of a row in which something is seen.
    pub(crate) fn action(&self) -> WhenDetected {
        self.action
    }

    /// `schema.relation.column` of columns in which nothing is looked for.
    pub(crate) fn except(&self) -> &[String] {
        &self.except
    }

    /// What stands in a text, which need not be UTF-8. Takes time in proportion to its length.
    pub(crate) fn within(&self, text: &[u8]) -> Kinds {
        let mut found = Kinds::default();
        if self.any.is_match(text) {
            for pattern in &self.patterns {
                if !found.has(pattern.kind) && pattern.is_in(text) {
                    found.add(pattern.kind);
                }
            }
        }
        found
    }
}

impl Pattern {
    fn is_in(&self, text: &[u8]) -> bool {
        let mut from = 0;
        while let Some(found) = self.form.captures_at(text, from).and_then(|found| found.get(1)) {
            let fits = std::str::from_utf8(found.as_bytes()).is_ok_and(self.check);
            if fits && found.len() <= self.longest {
                return true;
            }
            // A number that fails its check may have swallowed the beginning of one that does not. The relay's own forms
            // are short, so that this is still in proportion to the text's length; an operator's need not be.
            from = if self.longest == usize::MAX { found.start().saturating_add(1) } else { found.end() };
        }
        false
    }
}

impl Kinds {
    fn add(&mut self, kind: DetectorKind) {
        self.0 |= bit(kind);
    }

    fn has(self, kind: DetectorKind) -> bool {
        self.0 & bit(kind) != 0
    }

    /// These and those.
    pub(crate) fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Their names, as configured.
    pub(crate) fn names(self) -> impl Iterator<Item = &'static str> {
        NAMES.iter().filter(move |(kind, _)| self.has(*kind)).map(|(_, name)| *name)
    }
}

/// Anything but a part of a longer word or number. What is written with a backslash, in COPY data and in JSON, ends a word.
fn standing_alone(group: &str, form: &str) -> String {
    format!(r"(?:^|[^\w]|\\(?:[bfnrtv]|u[0-9A-Fa-f]{{4}}))({group}{form})(?:$|[^\w])")
}

/// Bytes are compared as ASCII: what begins or ends with another letter stands alone.
fn bounded(form: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(form).unicode(false).size_limit(COMPILED_BYTES_MAX).build()
}

fn identifier(kind: DetectorKind) -> Identifier {
    match kind {
        DetectorKind::Ssn => Identifier::SocialSecurity,
        DetectorKind::Mrn => Identifier::MedicalRecord,
        DetectorKind::Email => Identifier::Email,
        DetectorKind::Phone => Identifier::Telephone,
        DetectorKind::Card => Identifier::Account,
        DetectorKind::DateOfBirth => Identifier::Date,
        DetectorKind::Address => Identifier::Address,
    }
}

fn bit(kind: DetectorKind) -> u8 {
    match kind {
        DetectorKind::Ssn => 1,
        DetectorKind::Mrn => 2,
        DetectorKind::Email => 4,
        DetectorKind::Phone => 8,
        DetectorKind::Card => 16,
        DetectorKind::DateOfBirth => 32,
        DetectorKind::Address => 64,
    }
}

const NAMES: [(DetectorKind, &str); 7] = [
    (DetectorKind::Ssn, "ssn"),
    (DetectorKind::Mrn, "mrn"),
    (DetectorKind::Email, "email"),
    (DetectorKind::Phone, "phone"),
    (DetectorKind::Card, "card"),
    (DetectorKind::DateOfBirth, "date-of-birth"),
    (DetectorKind::Address, "address"),
];
/// Of a compiled pattern; all seven kinds together take about a megabyte.
const COMPILED_BYTES_MAX: usize = 8 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::config::RecordNumbers;

    fn detectors(mrn: Option<RecordNumbers>) -> Detectors {
        let kinds = NAMES.map(|(kind, _)| kind).to_vec();
        Detectors::new(&DetectorSettings { kinds, action: WhenDetected::End, except: Vec::new(), mrn }).unwrap()
    }

    fn seen(text: &str) -> Vec<&'static str> {
        detectors(None).within(text.as_bytes()).names().collect()
    }

    #[test]
    fn each_kind_is_seen_by_its_form_check_digit_or_context() {
        for (text, kinds) in [
            ("called about 912-34-5678 today", vec!["ssn"]),
            (r#"{"ssn": "912345678"}"#, vec!["ssn"]),
            (r#"{"note": "first\n912-34-5678"}"#, vec!["ssn"]),
            ("000-34-5678 and 666-34-5678 and 912-00-5678", vec![]),
            ("1912-34-56789", vec![]),
            ("MRN 731904", vec!["mrn"]),
            (r#"{"mrn": "***", "MRN": null}"#, vec![]),
            ("write to ann@clinic.example.", vec!["email"]),
            ("(617) 555-0147", vec!["phone"]),
            ("4111 1111 1111 1111", vec!["card"]),
            ("4111 1111 1111 1112", vec![]),
            ("ref 3000 4111 1111 1111 1111", vec!["card"]),
            ("DOB: 11/23/1984", vec!["date-of-birth"]),
            (r#"{"birth_date": "1984-11-23"}"#, vec!["date-of-birth"]),
            ("seen on 1984-11-23", vec![]),
            ("lives at 12 Elm Street", vec!["address"]),
            ("***-**-5678 *** 000 1984-01-01", vec![]),
            (r#"{"dob":"1984-01-01","ssn":"***-**-5678","zip":"021"}"#, vec![]),
            ("", vec![]),
        ] {
            assert_eq!(seen(text), kinds, "{text}");
        }
    }

    #[test]
    fn a_hospital_has_its_own_form_of_record_numbers() {
        let own = detectors(Some(RecordNumbers { pattern: "[A-Z]{2}[0-9]{6,}".to_owned(), longest: 8 }));
        let seen = |text: &str| own.within(text.as_bytes()).names().collect::<Vec<_>>();
        assert_eq!(seen("see BW731904."), ["mrn"]);
        assert!(seen("see BW7319045 and MRN 731904").is_empty(), "longer, or another's form");
        for pattern in ["[0-9]*", "([0-9]{6}", "(?:[0-9]{1000}){1000}"] {
            let settings = DetectorSettings {
                kinds: vec![DetectorKind::Mrn],
                action: WhenDetected::End,
                except: Vec::new(),
                mrn: Some(RecordNumbers { pattern: pattern.to_owned(), longest: 8 }),
            };
            assert!(Detectors::new(&settings).is_err(), "{pattern}");
        }
    }

    #[test]
    fn a_long_text_that_is_nearly_something_takes_no_longer_than_in_proportion() {
        let detectors = detectors(Some(RecordNumbers { pattern: "[A-Z].*".to_owned(), longest: 8 }));
        for piece in ["4111-1111-1111-1112 ", "666-34-5678 ", "3000 ", "A ", "12 Elm ", "a.b.c.d@", "+1 22 ", "dob : "]
        {
            let began = Instant::now();
            assert_eq!(detectors.within(piece.repeat(1 << 16).as_bytes()).names().count(), 0, "{piece}");
            assert!(began.elapsed().as_secs() < 10, "{piece}: {:?}", began.elapsed());
        }
    }
}
