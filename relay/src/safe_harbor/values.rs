//! What the form of a value gives away: patterns with check digits, reserved ranges and context.

use std::ops::Range;

use regex::Regex;

use super::Identifier;

/// Compiled patterns.
pub(crate) struct Values {
    patterns: Vec<Pattern>,
}

/// Something in a text that has the form of an identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// The kind whose form it has.
    pub(crate) identifier: Identifier,
    /// Where it stands, in bytes.
    pub(crate) at: Range<usize>,
}

struct Pattern {
    identifier: Identifier,
    /// Told only of a whole value: within a text it may be anything.
    whole: bool,
    form: Regex,
    check: fn(&str) -> bool,
}

impl Values {
    /// Compiles them.
    ///
    /// # Errors
    /// When a pattern is none: a bug.
    pub(crate) fn new() -> Result<Self, regex::Error> {
        let compiled = PATTERNS.iter().map(|(identifier, whole, form, check)| {
            let form = if *whole { format!("^(?:{form})$") } else { format!(r"(?:^|[^\w])({form})(?:$|[^\w])") };
            Ok(Pattern { identifier: *identifier, whole: *whole, form: Regex::new(&form)?, check: *check })
        });
        Ok(Self { patterns: compiled.collect::<Result<_, regex::Error>>()? })
    }

    /// What a value as a whole has the form of; the first that fits.
    pub(crate) fn whole(&self, value: &str) -> Option<Identifier> {
        let value = value.trim();
        let fits = |pattern: &&Pattern| {
            let all = if pattern.whole {
                pattern.form.is_match(value)
            } else {
                pattern
                    .form
                    .captures(value)
                    .and_then(|found| found.get(1))
                    .is_some_and(|found| found.len() == value.len())
            };
            all && (pattern.check)(value)
        };
        self.patterns.iter().find(fits).map(|pattern| pattern.identifier)
    }

    /// What stands in a text, by place. Where two kinds overlap, both are told.
    pub(crate) fn within(&self, text: &str) -> Vec<Found> {
        let mut all = Vec::new();
        for pattern in self.patterns.iter().filter(|pattern| !pattern.whole) {
            let mut from = 0;
            // What ends one match may begin the next.
            while let Some(found) = pattern.form.captures_at(text, from).and_then(|found| found.get(1)) {
                if (pattern.check)(found.as_str()) {
                    all.push(Found { identifier: pattern.identifier, at: found.range() });
                }
                from = found.end();
            }
        }
        all.sort_by_key(|found| (found.at.start, found.at.end));
        all
    }
}

/// Forms of a kind that are told within a text, each with its check.
pub(crate) fn forms(identifier: Identifier) -> impl Iterator<Item = (&'static str, fn(&str) -> bool)> {
    let of_kind = move |written: &&Written| written.0 == identifier && !written.1;
    PATTERNS.iter().filter(of_kind).map(|(_, _, form, check)| (*form, *check))
}

type Written = (Identifier, bool, &'static str, fn(&str) -> bool);

/// More special forms first.
const PATTERNS: &[Written] = &[
    (Identifier::Email, false, r"[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}", any),
    (Identifier::Url, false, r"(?i:https?|ftp)://[^\s<>\x22]{3,}", any),
    (Identifier::SocialSecurity, false, r"\d{3}-\d{2}-\d{4}", social_security),
    (
        Identifier::SocialSecurity,
        false,
        r"(?i:ssn|social security(?: number)?)[\x22' :=#]{1,5}(?:\d{9}|\d{3} \d{2} \d{4})",
        social_security_named,
    ),
    (Identifier::MedicalRecord, false, r"(?i:MRN)[\x22' #:=-]{0,5}[A-Z0-9]{4,14}", has_digit),
    (
        Identifier::Beneficiary,
        false,
        r"[1-9][AC-HJKMNP-RT-Y][AC-HJKMNP-RT-Y0-9]\d-?[AC-HJKMNP-RT-Y][AC-HJKMNP-RT-Y0-9]\d-?[AC-HJKMNP-RT-Y]{2}\d{2}",
        any,
    ),
    (
        Identifier::Account,
        false,
        r"[3-6]\d{12,18}|[3-6]\d{3}(?: \d{4}){2} \d{1,4}(?: \d{1,3})?|[3-6]\d{3}(?:-\d{4}){2}-\d{1,4}(?:-\d{1,3})?|3\d{3}[ -]\d{6}[ -]\d{5}",
        luhn,
    ),
    (Identifier::Account, true, r"[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7} ?[A-Z0-9]{0,4}", iban),
    (Identifier::Telephone, false, r"(?:\+?1[-. ]?)?\(?[2-9]\d{2}\)?[-. ]\d{3}[-. ]\d{4}", any),
    (Identifier::Telephone, false, r"\+[1-9]\d{0,2}(?:[ .-]?\d{2,4}){2,5}", any),
    (Identifier::Device, false, r"(?i:[0-9a-f]{2}[:-]){5}(?i:[0-9a-f]{2})", any),
    (Identifier::Device, false, r"\(01\)\d{14}(?:\(\d{2}\)[A-Za-z0-9]{1,20}){0,4}", any),
    (Identifier::Device, true, r"(?i:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})", never),
    (Identifier::InternetAddress, false, r"\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}", internet_address),
    (Identifier::InternetAddress, true, r"[0-9a-fA-F:]{2,39}", internet_address_6),
    (Identifier::Vehicle, true, r"[A-HJ-NPR-Z0-9]{17}", vehicle),
    (Identifier::License, true, r"[A-Z]{2}\d{7}", dea),
    (Identifier::License, true, r"[12]\d{9}", npi),
    (Identifier::Zip, true, r"\d{5}(?:-\d{4})?", any),
    (
        Identifier::Address,
        false,
        r"\d{1,6}[A-Za-z]? (?:[A-Z][A-Za-z.']{0,30} ){1,4}(?:St|Street|Ave|Avenue|Rd|Road|Blvd|Boulevard|Ln|Lane|Dr|Drive|Ct|Court|Pl|Place|Way|Hwy|Highway)\.?",
        any,
    ),
    (Identifier::Date, true, r"(?:19|20)\d{2}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}.*)?|\d{1,2}/\d{1,2}/(?:19|20)\d{2}", any),
    (
        Identifier::Date,
        false,
        r"(?i:born|dob|birth[ _]?date|date[ _]of[ _]birth)[\x22' :=]{1,5}(?:on )?\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}",
        no_year_mask,
    ),
];

fn any(_: &str) -> bool {
    true
}

/// A UUID has a form, but says of nobody that it is theirs.
fn never(_: &str) -> bool {
    false
}

/// Words alone are no number.
fn has_digit(text: &str) -> bool {
    text.contains(|letter: char| letter.is_ascii_digit())
}

/// The first of January is what the mask `year` makes of every day.
fn no_year_mask(text: &str) -> bool {
    !text.ends_with("-01-01")
}

/// As [`social_security`], of nine digits behind words.
fn social_security_named(text: &str) -> bool {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    match (digits.get(..3), digits.get(3..5), digits.get(5..)) {
        (Some(area), Some(group), Some(serial)) => social_security(&format!("{area}-{group}-{serial}")),
        _ => false,
    }
}

/// No area 000 or 666, no group 00, no serial 0000. Areas from 900 on are those of taxpayers' numbers, which identify alike.
fn social_security(text: &str) -> bool {
    let mut parts = text.split('-');
    let area = parts.next();
    !matches!(area, Some("000" | "666")) && parts.next() != Some("00") && parts.next() != Some("0000")
}

fn digits(text: &str) -> impl DoubleEndedIterator<Item = u32> + '_ {
    text.chars().filter_map(|letter| letter.to_digit(10))
}

/// ISO/IEC 7812-1, annex B.
fn luhn(text: &str) -> bool {
    let double = |(place, digit): (usize, u32)| match place % 2 {
        0 => digit,
        _ if digit > 4 => digit.saturating_mul(2).saturating_sub(9),
        _ => digit.saturating_mul(2),
    };
    let length = digits(text).count();
    (13..=19).contains(&length) && digits(text).rev().enumerate().map(double).sum::<u32>().is_multiple_of(10)
}

/// ISO 13616-1: the remainder by 97 is 1 with the first four characters at the end.
fn iban(text: &str) -> bool {
    let text: String = text.chars().filter(|letter| *letter != ' ').collect();
    let Some((head, tail)) = text.split_at_checked(4) else { return false };
    let mut remainder = 0_u32;
    for value in tail.chars().chain(head.chars()).filter_map(|letter| letter.to_digit(36)) {
        let shift = if value > 9 { 100 } else { 10 };
        remainder = remainder.saturating_mul(shift).saturating_add(value) % 97;
    }
    remainder == 1 && text.len() >= 15
}

/// 45 CFR 162.406: ten digits, the last of which checks the others behind the prefix 80840.
fn npi(text: &str) -> bool {
    luhn(&format!("80840{text}"))
}

/// 21 CFR 1301.35 numbers: the last digit is the last one of a sum.
fn dea(text: &str) -> bool {
    let numbers: Vec<u32> = digits(text).collect();
    let [a, b, c, d, e, f, check] = numbers.as_slice() else { return false };
    let (odd, even) = ([a, c, e].into_iter().sum::<u32>(), [b, d, f].into_iter().sum::<u32>());
    odd.saturating_add(even.saturating_mul(2)) % 10 == *check
}

/// 49 CFR 565.15(c): the ninth character is the remainder by 11.
fn vehicle(text: &str) -> bool {
    const WEIGHTS: [u32; 17] = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2];
    let value = |letter: char| match letter {
        'A' | 'J' => 1,
        'B' | 'K' | 'S' => 2,
        'C' | 'L' | 'T' => 3,
        'D' | 'M' | 'U' => 4,
        'E' | 'N' | 'V' => 5,
        'F' | 'W' => 6,
        'G' | 'P' | 'X' => 7,
        'H' | 'Y' => 8,
        'R' | 'Z' => 9,
        digit => digit.to_digit(10).unwrap_or(0),
    };
    let remainder =
        text.chars().zip(WEIGHTS).map(|(letter, weight)| value(letter).saturating_mul(weight)).sum::<u32>() % 11;
    let check = text.chars().nth(8);
    check == if remainder == 10 { Some('X') } else { char::from_digit(remainder, 10) }
}

fn internet_address(text: &str) -> bool {
    text.parse::<std::net::Ipv4Addr>().is_ok()
}

fn internet_address_6(text: &str) -> bool {
    text.parse::<std::net::Ipv6Addr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_known_by_form_and_check_digit() {
        let values = Values::new().unwrap();
        for (value, identifier) in [
            ("912-34-5678", Some(Identifier::SocialSecurity)),
            ("000-12-3456", None),
            ("123-00-4567", None),
            ("someone@clinic.example.org", Some(Identifier::Email)),
            ("+1-617-555-0147", Some(Identifier::Telephone)),
            ("(617) 555-0147", Some(Identifier::Telephone)),
            ("+49 30 1234567", Some(Identifier::Telephone)),
            ("4111 1111 1111 1111", Some(Identifier::Account)),
            ("4111 1111 1111 1112", None),
            ("GB82 WEST 1234 5698 7654 32", Some(Identifier::Account)),
            ("MRN-731904", Some(Identifier::MedicalRecord)),
            ("1EG4-TE5-MK73", Some(Identifier::Beneficiary)),
            ("203.0.113.77", Some(Identifier::InternetAddress)),
            ("999.0.113.77", None),
            ("2001:db8::1", Some(Identifier::InternetAddress)),
            ("00:1b:44:11:3a:b7", Some(Identifier::Device)),
            ("1M8GDM9AXKP042788", Some(Identifier::Vehicle)),
            ("1M8GDM9AXKP042789", None),
            ("1234567893", Some(Identifier::License)),
            ("1234567890", None),
            ("02139-1234", Some(Identifier::Zip)),
            ("12 Elm Street", Some(Identifier::Address)),
            ("1984-11-23", Some(Identifier::Date)),
            ("https://clinic.example/p/7", Some(Identifier::Url)),
            ("paid", None),
            ("", None),
            ("7", None),
            ("10.5", None),
        ] {
            assert_eq!(values.whole(value), identifier, "{value}");
        }
    }

    #[test]
    fn what_stands_within_a_text_is_found_each_time_and_in_place() {
        let values = Values::new().unwrap();
        let text = "Call 617-555-0147 or 617-555-0148, ssn 912-34-5678; DOB: 11/23/1984. Mail a@b.example.";
        let found: Vec<(Identifier, &str)> =
            values.within(text).into_iter().map(|found| (found.identifier, &text[found.at])).collect();
        assert_eq!(
            found,
            [
                (Identifier::Telephone, "617-555-0147"),
                (Identifier::Telephone, "617-555-0148"),
                (Identifier::SocialSecurity, "912-34-5678"),
                (Identifier::Date, "DOB: 11/23/1984"),
                (Identifier::Email, "a@b.example"),
            ]
        );
        // No part of a longer number, and nothing of which the whole alone tells.
        assert_eq!(values.within("1912-34-56789 and 02139 and 1234567893"), []);
    }
}
