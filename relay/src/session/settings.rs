//! What a client may set at start-up, and what the relay pins (rules 1, 3, 4; bypass classes 9 and 10).

use wire::postgres::{ErrorFields, SqlState};

use crate::config::Connection;
use crate::rewrite::{REASON, is_reason, search_path};

/// Settings of one session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    /// For the target's start-up packet, pinned ones last so that they win.
    pub(crate) upstream: Vec<(String, String)>,
    /// Where unqualified names are looked for as the session begins.
    pub(crate) search_path: Vec<String>,
    /// The same, in the client's own words.
    written_path: Option<String>,
    /// The client's claim of itself.
    pub(crate) application: String,
    /// Why it will ask for what needs approval.
    pub(crate) reason: Option<String>,
}

impl Settings {
    /// Reads the start-up parameters.
    ///
    /// # Errors
    /// The FATAL error to send: a setting that is not on the list, or a value the relay cannot accept.
    pub(crate) fn read(parameters: &[(String, String)], connection: &Connection) -> Result<Self, Box<ErrorFields>> {
        let mut settings = Self {
            upstream: Vec::new(),
            search_path: connection.search_path.clone(),
            written_path: None,
            application: String::new(),
            reason: None,
        };
        for (name, value) in parameters {
            match name.as_str() {
                "user" | "database" => {}
                "options" => {
                    for (name, value) in options(value)? {
                        settings.set(&name, &value)?;
                    }
                }
                name if name.starts_with("_pq_.") => {}
                name => settings.set(name, value)?,
            }
        }
        settings.pin();
        Ok(settings)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), Box<ErrorFields>> {
        let lower = name.to_ascii_lowercase();
        match lower.as_str() {
            "client_encoding" if is_utf8(value) => {}
            "client_encoding" => return Err(refused(name, "only UTF8 can be chosen: the relay reads every statement")),
            "search_path" => {
                self.search_path = search_path::of_text(value).ok_or_else(|| {
                    refused(name, "expected names of schemas, without system schemas, and pg_catalog only in front")
                })?;
                self.written_path = Some(value.to_owned());
            }
            "application_name" => {
                self.application = value.chars().filter(|c| !c.is_control()).take(APPLICATION_MAX).collect();
                self.upstream.push((lower, self.application.clone()));
            }
            REASON if is_reason(value) => {
                self.reason = Some(value.to_owned()).filter(|reason| !reason.is_empty());
                self.upstream.push((lower, value.to_owned()));
            }
            REASON => return Err(refused(name, "it is a text of one line and limited length")),
            "client_min_messages" if !MESSAGE_LEVELS.contains(&value.to_ascii_lowercase().as_str()) => {
                return Err(refused(
                    name,
                    "only notice, warning and error can be chosen: below them the server tells of itself",
                ));
            }
            known if ALLOWED.contains(&known) => self.upstream.push((lower, value.to_owned())),
            _ => return Err(refused(name, "it is not among the settings that a session may choose")),
        }
        Ok(())
    }

    fn pin(&mut self) {
        let path: Vec<String> = self.search_path.iter().map(|schema| quoted(schema)).collect();
        // As the client wrote it, for that is how it is shown.
        let path = self.written_path.take().unwrap_or_else(|| path.join(", "));
        let pinned = [
            ("client_encoding", "UTF8"),
            ("standard_conforming_strings", "on"),
            // Read from an index alone, rows come in the order of its first column's raw values, masked or not.
            ("enable_indexonlyscan", "off"),
            ("search_path", &path),
        ];
        for (name, value) in pinned {
            self.upstream.push((name.to_owned(), value.to_owned()));
        }
    }
}

/// Whether a setting that the target reports tells how it reads literals and parameters. An approver must know it: the
/// same text means another date, another hour.
pub(crate) fn is_for_reading(name: &str) -> bool {
    matches!(name, "DateStyle" | "IntervalStyle" | "TimeZone")
}

/// `-c name=value`, `-cname=value` or `--name=value`, separated by spaces; a backslash keeps the next character
/// (PostgreSQL, "libpq: options").
fn options(text: &str) -> Result<Vec<(String, String)>, Box<ErrorFields>> {
    let malformed = || refused("options", "expected -c name=value");
    let mut words = words(text).into_iter();
    let mut found = Vec::new();
    while let Some(word) = words.next() {
        let assignment = match word.strip_prefix("--").or_else(|| word.strip_prefix("-c")) {
            Some("") => words.next().ok_or_else(malformed)?,
            Some(rest) => rest.to_owned(),
            None => return Err(malformed()),
        };
        let (name, value) = assignment.split_once('=').ok_or_else(malformed)?;
        found.push((name.replace('-', "_"), value.to_owned()));
    }
    Ok(found)
}

fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => word.extend(characters.next()),
            ' ' | '\t' | '\n' | '\r' => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            _ => word.push(character),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// As the server writes it in a path: in quotes where it has to be.
fn quoted(identifier: &str) -> String {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    if !identifier.is_empty() && identifier.bytes().all(plain) {
        return identifier.to_owned();
    }
    format!("\"{}\"", identifier.replace('"', "\"\""))
}

fn is_utf8(encoding: &str) -> bool {
    let plain: String = encoding.chars().filter(char::is_ascii_alphanumeric).collect();
    ["utf8", "unicode"].iter().any(|known| plain.eq_ignore_ascii_case(known))
}

fn refused(name: &str, why: &str) -> Box<ErrorFields> {
    let shown: String = name.chars().filter(|c| c.is_ascii_graphic()).take(IDENTIFIER_MAX).collect();
    Box::new(ErrorFields::fatal(SqlState::INVALID_PARAMETER_VALUE, format!("start-up setting \"{shown}\": {why}")))
}

/// Settings that change neither how text is parsed nor what a plan or an error can tell.
const ALLOWED: [&str; 9] = [
    "datestyle",
    "timezone",
    "intervalstyle",
    "extra_float_digits",
    "statement_timeout",
    "lock_timeout",
    "idle_in_transaction_session_timeout",
    "client_min_messages",
    "bytea_output",
];
/// As `SET client_min_messages` may say later (`rewrite::settings`).
const MESSAGE_LEVELS: [&str; 3] = ["notice", "warning", "error"];
/// `NAMEDATALEN - 1`.
const IDENTIFIER_MAX: usize = 63;
const APPLICATION_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn connection() -> Connection {
        toml::from_str(
            r#"
            name = "clinic"
            host = "localhost"
            database = "clinic"
            user = "relay"
            password = { environment = "X" }
            classification = "c.toml"
            "#,
        )
        .unwrap()
    }

    fn read(parameters: &[(&str, &str)]) -> Result<Settings, Box<ErrorFields>> {
        let parameters: Vec<_> = parameters.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        Settings::read(&parameters, &connection())
    }

    #[test]
    fn ordinary_drivers_get_their_settings_and_the_pinned_ones_come_last() {
        let settings = read(&[
            ("user", "alice"),
            ("client_encoding", "'utf-8'"),
            ("DateStyle", "ISO"),
            ("application_name", "psql"),
            ("options", "-c statement_timeout=5s --lock-timeout=1s -csearch_path=clinic,\"billing\""),
        ])
        .unwrap();
        assert_eq!(settings.search_path, ["clinic", "billing"]);
        let last: Vec<_> = settings.upstream.iter().rev().take(4).map(|(name, _)| name.as_str()).collect();
        assert_eq!(last, ["search_path", "enable_indexonlyscan", "standard_conforming_strings", "client_encoding"]);
        assert!(settings.upstream.contains(&("lock_timeout".to_owned(), "1s".to_owned())));
    }

    #[test]
    fn what_would_change_the_meaning_of_a_statement_is_refused() {
        for bad in [
            ("standard_conforming_strings", "off"),
            ("client_encoding", "SJIS"),
            ("search_path", "public, pg_catalog"),
            ("search_path", "pg_temp"),
            ("options", "-c role=postgres"),
            ("options", "-c enable_seqscan=off"),
            ("options", "-c enable_indexonlyscan=on"),
            ("client_min_messages", "debug5"),
            ("options", "-c client_min_messages=LOG"),
            ("options", "-E"),
            ("replication", "database"),
            ("session_preload_libraries", "x"),
        ] {
            assert!(read(&[bad]).is_err(), "{bad:?}");
        }
    }
}
