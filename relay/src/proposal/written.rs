//! The proposal as a classification to review: TOML, with a comment behind every line.

use std::fmt::Write;

use super::{ColumnProposal, Confidence, TableProposal};
use crate::config::ColumnStyle;

/// The text. It holds names, and no values.
pub(crate) fn written(connection: &str, tables: &[TableProposal]) -> String {
    let mut text = format!(
        "# Proposed for connection {}; to be reviewed, line by line, by somebody who knows the data.\n\
         # What stands behind a line is how sure the proposal is, and why. Letters are those of 45 CFR 164.514(b)(2)(i).\n\
         # In a table that stands here, a column that does not is masked by its type's default.\n",
        schemas::visible::line(connection),
    );
    let (protected, others): (Vec<_>, Vec<_>) = tables.iter().partition(|table| table.protects());
    for table in protected {
        // Writing to a text cannot fail.
        let _ = write!(
            text,
            "\n# {}.{}\n[[table]]\nname = {}\n[table.columns]\n",
            table.why,
            table.sampled(),
            quoted(&table.name)
        );
        let lines: Vec<(String, &ColumnProposal)> =
            table.columns.iter().map(|column| (column.line(), column)).collect();
        let width = lines.iter().map(|(line, _)| line.chars().count()).max().unwrap_or(0);
        for (line, column) in lines {
            let _ = writeln!(text, "{line:<width$}  # {}: {}", column.confidence.word(), column.why);
        }
    }
    if !others.is_empty() {
        text.push_str("\n# Nothing is proposed for these; they are read as they are:\n");
    }
    for table in others {
        let name = schemas::visible::line(&table.name);
        let _ = writeln!(text, "#   {name}: {}, {} columns.{}", table.why, table.columns.len(), table.sampled());
    }
    text
}

impl TableProposal {
    fn protects(&self) -> bool {
        self.columns.iter().any(|column| column.style != ColumnStyle::CLEAR)
    }

    fn sampled(&self) -> String {
        self.unsampled.as_ref().map_or_else(String::new, |why| format!(" Not sampled: {why}."))
    }
}

impl ColumnProposal {
    fn line(&self) -> String {
        format!("{} = {}", key(&self.name), quoted(&self.style))
    }
}

impl Confidence {
    fn word(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

fn key(name: &str) -> String {
    let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if !name.is_empty() && name.bytes().all(is_bare) { name.to_owned() } else { quoted(name) }
}

/// A basic string of TOML: JSON's, but for one character that JSON need not escape.
fn quoted(text: &str) -> String {
    serde_json::Value::String(text.to_owned()).to_string().replace('\u{7f}', "\\u007F")
}
