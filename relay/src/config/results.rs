//! How much of what a target returns goes on record.

use serde::Deserialize;

/// How much of a result goes on record (the braces make serde refuse a member too many). Counts of rows and bytes always do, and of what is not kept a keyed digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", tag = "keep")]
pub enum Results {
    /// All rows, as the client got them.
    Full {},
    /// The first rows and a keyed digest of all of them.
    Digest {
        /// How many rows of each execution (of a COPY: messages of data), at least 1.
        rows: u64,
    },
    /// No rows: counts and a keyed digest of all of them.
    Counts {},
}

impl Default for Results {
    fn default() -> Self {
        Self::Full {}
    }
}

impl Results {
    /// How many rows of an execution go on record at most; none where all of them do.
    #[must_use]
    pub fn rows_kept(self) -> Option<u64> {
        match self {
            Self::Full {} => None,
            Self::Digest { rows } => Some(rows),
            Self::Counts {} => Some(0),
        }
    }

    pub(super) fn of_revealing() -> Self {
        Self::Counts {}
    }

    pub(super) fn check(self) -> Result<(), String> {
        match self {
            Self::Digest { rows } if !(1..=ROWS_MAX).contains(&rows) => {
                Err(format!("rows is {rows}, expected 1 to {ROWS_MAX}; `counts` keeps none and `full` all"))
            }
            _ => Ok(()),
        }
    }
}

/// The greatest number that canonical JSON holds.
const ROWS_MAX: u64 = (1 << 53) - 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Setting {
        results: Results,
    }

    fn read(text: &str) -> Result<Results, String> {
        let setting: Setting = toml::from_str(text).map_err(|error| error.to_string())?;
        setting.results.check().map(|()| setting.results)
    }

    #[test]
    fn each_choice_is_said_in_a_line() {
        assert_eq!(read("results = { keep = \"full\" }").unwrap().rows_kept(), None);
        assert_eq!(read("results = { keep = \"digest\", rows = 20 }").unwrap().rows_kept(), Some(20));
        assert_eq!(read("results = { keep = \"counts\" }").unwrap().rows_kept(), Some(0));
    }

    #[test]
    fn what_is_no_choice_is_refused() {
        for text in [
            "results = { keep = \"digest\", rows = 0 }",
            "results = { keep = \"digest\" }",
            "results = { keep = \"counts\", rows = 3 }",
            "results = { keep = \"none\" }",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
