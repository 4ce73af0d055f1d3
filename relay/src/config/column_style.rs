//! What the classification says of one column: a word, a function, or paths into a JSON document.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

/// How a column looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ColumnStyle {
    /// `clear`, or a mask style: `redact`, `last4`, `null`, `year`, `zip3`, `constant`, `default`.
    Whole(String),
    /// `{ hash = "schema.function" }`: what a function of the database makes of it, with a key that it keeps.
    Hash(String),
    /// `{ json = { ssn = "last4", "contact.phone" = "redact" }, otherwise = "remove" }`, for columns of type `jsonb` or `json`.
    Json(JsonPaths),
}

/// How the parts of JSON documents look.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JsonPaths {
    /// Path → `clear` or a mask style. A path is keys with dots between them, such as `contact.phone`; a key that holds
    /// a dot, a bracket or a quotation mark is quoted as in JSON; `[]` behind a key stands for each element of an array.
    pub json: BTreeMap<String, String>,
    /// What becomes of keys that no path names, beside those on the way to a path too.
    #[serde(default)]
    pub otherwise: Otherwise,
}

/// What becomes of keys of an object that no path names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Otherwise {
    /// They are left out: a closed world.
    #[default]
    Remove,
    /// They are shown, whatever they hold.
    Clear,
}

impl ColumnStyle {
    /// What the file writes for a column that is not protected.
    pub const CLEAR: &str = "clear";

    /// Not protected.
    #[must_use]
    pub fn clear() -> Self {
        Self::Whole(Self::CLEAR.to_owned())
    }

    /// Whether it says that the column is not protected.
    #[must_use]
    pub fn is_clear(&self) -> bool {
        matches!(self, Self::Whole(style) if style == Self::CLEAR)
    }
}

impl<'de> Deserialize<'de> for ColumnStyle {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WordOrPaths)
    }
}

/// Written out, for an untagged enum's errors name nothing.
struct WordOrPaths;

impl<'de> Visitor<'de> for WordOrPaths {
    type Value = ColumnStyle;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a style such as \"redact\", { hash = \"schema.function\" }, or { json = { … }, otherwise = \"remove\" }",
        )
    }

    fn visit_str<E: Error>(self, style: &str) -> Result<ColumnStyle, E> {
        Ok(ColumnStyle::Whole(style.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ColumnStyle, A::Error> {
        match Written::deserialize(MapAccessDeserializer::new(map))? {
            Written { json: Some(json), otherwise, hash: None } => {
                Ok(ColumnStyle::Json(JsonPaths { json, otherwise: otherwise.unwrap_or_default() }))
            }
            Written { json: None, otherwise: None, hash: Some(function) } => Ok(ColumnStyle::Hash(function)),
            _ => Err(A::Error::custom("expected either `hash`, or `json` with or without `otherwise`")),
        }
    }
}

/// All that may stand in braces.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    json: Option<BTreeMap<String, String>>,
    otherwise: Option<Otherwise>,
    hash: Option<String>,
}
