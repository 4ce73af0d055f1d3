//! What masks make of values, written down once more: in Rust, from what the README and the classification's reference
//! promise, and with nothing of the relay's. The masked copy is filled with these.

use std::time::{SystemTime, UNIX_EPOCH};

use super::kind::Kind;

/// How the classification treats a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Redact,
    Last4,
    Null,
    Year,
    Zip3,
    Constant,
    Default,
}

impl Style {
    /// As the classification writes it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Redact => "redact",
            Self::Last4 => "last4",
            Self::Null => "null",
            Self::Year => "year",
            Self::Zip3 => "zip3",
            Self::Constant => "constant",
            Self::Default => "default",
        }
    }

    /// Those that fit a column of this kind that holds at most so many characters.
    pub(super) fn fitting(kind: Kind, capacity: usize) -> Vec<Self> {
        let mut styles = vec![Self::Null, Self::Default];
        if is_character(kind) {
            styles.extend([Self::Redact, Self::Redact, Self::Constant]);
            if capacity >= 5 {
                styles.extend([Self::Zip3, Self::Zip3]);
            }
            if capacity >= 8 {
                styles.extend([Self::Last4, Self::Last4, Self::Last4]);
            }
        } else if matches!(kind, Kind::Date | Kind::Timestamp | Kind::Timestamptz) {
            styles.extend([Self::Year, Self::Year, Self::Year, Self::Constant]);
        } else if !matches!(kind, Kind::Mood | Kind::Moods | Kind::Span | Kind::Days | Kind::Money) {
            styles.extend([Self::Constant, Self::Constant]);
        }
        styles
    }

    /// The masked value, for a column that holds at most so many characters. `year` is the year of a date or timestamp, in
    /// UTC, where it has one from 1 to 9999.
    pub(super) fn mask(self, kind: Kind, value: Option<&str>, year: Option<i64>, capacity: usize) -> Option<String> {
        let masked = match self {
            Self::Redact => Some("***".to_owned()),
            Self::Default => is_character(kind).then(|| "***".to_owned()),
            Self::Null => None,
            Self::Constant => Some(constant(kind).to_owned()),
            Self::Last4 => value.map(|text| last4(text, capacity)),
            Self::Zip3 => value.map(zip3),
            Self::Year => year.filter(|year| *year > this_year() - 90).map(|year| start_of(kind, year)),
        };
        if is_character(kind) { masked.map(|text| text.chars().take(capacity).collect()) } else { masked }
    }
}

fn is_character(kind: Kind) -> bool {
    matches!(kind, Kind::Text | Kind::Char)
}

/// Four characters of eight or more, behind a prefix that is as long as fits.
fn last4(text: &str, capacity: usize) -> String {
    let characters: Vec<char> = text.chars().collect();
    if characters.len() < 8 {
        return "***".to_owned();
    }
    let end: String = characters[characters.len() - 4..].iter().collect();
    let prefix = if capacity >= 11 { "***-**-".to_owned() } else { "*".repeat(capacity - 4) };
    prefix + &end
}

/// Three digits of an area with more than 20,000 people, or `000`.
fn zip3(text: &str) -> String {
    let code: String = text.chars().take(5).collect();
    let digits = code.len() == 5 && code.bytes().all(|byte| byte.is_ascii_digit());
    let area: String = code.chars().take(3).collect();
    if digits && !SPARSE_AREAS.contains(&area.as_str()) { area } else { "000".to_owned() }
}

fn start_of(kind: Kind, year: i64) -> String {
    match kind {
        Kind::Date => format!("{year:04}-01-01"),
        Kind::Timestamp => format!("{year:04}-01-01 00:00:00"),
        _ => format!("{year:04}-01-01 00:00:00+00"),
    }
}

fn constant(kind: Kind) -> &'static str {
    match kind {
        Kind::Text | Kind::Char => "masked",
        Kind::Int | Kind::Big | Kind::Numeric | Kind::Float | Kind::Interval => "0",
        Kind::Bool => "false",
        Kind::Date => "1900-01-01",
        Kind::Timestamp => "1900-01-01 00:00:00",
        Kind::Timestamptz => "1900-01-01 00:00:00+00",
        Kind::Time => "00:00:00",
        Kind::Uuid => "00000000-0000-0000-0000-000000000000",
        Kind::Jsonb | Kind::Json | Kind::Texts | Kind::Ints => "{}",
        Kind::Inet => "0.0.0.0",
        Kind::Bytea => "",
        Kind::Mood | Kind::Moods | Kind::Span | Kind::Days | Kind::Money => panic!("no constant fits"),
    }
}

/// In UTC.
pub(super) fn this_year() -> i64 {
    let mut days = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() / 86_400;
    let mut year = 1970;
    loop {
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let length = if leap { 366 } else { 365 };
        if days < length {
            return year;
        }
        days -= length;
        year += 1;
    }
}

/// By the censuses of 2000 and of 2010.
const SPARSE_AREAS: [&str; 21] = [
    "036", "059", "063", "102", "203", "205", "369", "556", "692", "753", "772", "790", "821", "823", "830", "831",
    "878", "879", "884", "890", "893",
];
