//! Masks of JSON documents: what is shown is built anew from the paths that the classification names.
//!
//! One expression over `pg_catalog`'s functions of `jsonb`, none of which fails on any document: a key is asked for with
//! `jsonb_object_field`, which is NULL for a missing key and for what is no object. So the shape of the mask is the same for
//! every document, whatever is in it: a masked key is there also where the document has none, an object on the way is made
//! also of NULL, a number or an array. A clear key is there where the document has it. Of an array, where `[]` stands in a
//! path, the number of elements is told; anything else in that place looks like an empty one.
//!
//! `otherwise = "clear"` shows the other keys of objects, and of objects alone: anything else might hold a key that is
//! masked.

use std::collections::BTreeMap;

use super::mask::{LAST4_PREFIX, OLDEST_YEAR, REDACTED, Style, StyleError, begins_with_digits, last4_of, zip3_of};
use crate::catalog::literal;
use crate::config::{ColumnStyle, JsonPaths, Otherwise};

/// A mask of JSON documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonMask {
    written: JsonPaths,
    shape: Shape,
}

/// How a value looks.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Shape {
    /// As it is.
    Clear,
    /// One JSON value that is none of the document's parts, as the style has it.
    Masked(Style),
    /// An object, each of these keys with a shape of its own.
    Object(BTreeMap<String, Shape>),
    /// An array, each of its elements with this shape.
    Array(Box<Shape>),
}

/// A part of a path.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    Elements,
}

impl JsonMask {
    /// Reads paths and styles.
    ///
    /// # Errors
    /// [`StyleError`], when a path is none, contradicts another one, or has a style that values in JSON cannot have.
    pub(crate) fn new(written: &JsonPaths) -> Result<Self, StyleError> {
        if written.json.is_empty() || written.json.len() > PATHS_MAX {
            return Err(StyleError::Paths("`json` expects 1 to 256 paths"));
        }
        let mut shape = None;
        for (path, style) in &written.json {
            let at = |problem: String| StyleError::Path { path: path.clone(), problem };
            let leaf = match Style::stated(&ColumnStyle::Whole(style.clone())) {
                Ok(None) => Shape::Clear,
                Ok(Some(style)) => Shape::Masked(style),
                Err(error) => return Err(at(error.to_string())),
            };
            let steps = steps(path).map_err(|problem| at(problem.to_owned()))?;
            place(&mut shape, &steps, leaf).map_err(|problem| at(problem.to_owned()))?;
        }
        let all_clear = written.json.values().all(|style| style == ColumnStyle::CLEAR);
        match shape {
            Some(shape) if !(all_clear && written.otherwise == Otherwise::Clear) => {
                let mask = Self { written: written.clone(), shape };
                if mask.expression("").len() > EXPRESSION_MAX {
                    return Err(StyleError::Paths(
                        "the paths are too many or too deep for one statement: expected some hundred shallow ones, or some \
                         dozen deep ones",
                    ));
                }
                Ok(mask)
            }
            _ => {
                Err(StyleError::Paths("everything in the documents is clear: expected `clear` for the column instead"))
            }
        }
    }

    /// As the classification states it.
    pub(crate) fn written(&self) -> &JsonPaths {
        &self.written
    }

    /// The mask of the `jsonb` in a column, as SQL.
    pub(super) fn expression(&self, reference: &str) -> String {
        self.value(&self.shape, reference, 0)
    }

    /// The mask of the `json` in a column, as SQL of type `jsonb`.
    ///
    /// `json` is a text that has the form of a document, and holds some that `jsonb` cannot: each function that takes it apart
    /// fails on some of them. What cannot be read for sure looks like no document. Of a key that is there twice the last one
    /// counts. The text is read once, which OFFSET sees to.
    pub(super) fn of_text(&self, reference: &str) -> String {
        let text = format!("CAST({reference} AS pg_catalog.text)");
        format!(
            "(SELECT {} FROM (SELECT CASE WHEN {} THEN CAST({text} AS pg_catalog.jsonb) END AS item OFFSET 0) AS document)",
            self.value(&self.shape, "document.item", 0),
            is_readable(&text),
        )
    }

    fn value(&self, shape: &Shape, value: &str, depth: usize) -> String {
        match shape {
            Shape::Clear => value.to_owned(),
            Shape::Masked(style) => masked(style, value),
            Shape::Object(members) => self.object(members, value, depth),
            Shape::Array(element) => self.array(element, value, depth),
        }
    }

    fn object(&self, members: &BTreeMap<String, Shape>, value: &str, depth: usize) -> String {
        let mut parts = Vec::new();
        let (clear, others): (Vec<_>, Vec<_>) = members.iter().partition(|(_, shape)| **shape == Shape::Clear);
        match self.written.otherwise {
            Otherwise::Clear => parts.push(without(value, others.iter().map(|(key, _)| key.as_str()))),
            Otherwise::Remove => parts.extend(clear.iter().map(|(key, _)| kept(value, key))),
        }
        for some in others.chunks(KEYS_A_CALL) {
            let member = |(key, shape): &(&String, &Shape)| {
                format!("{}, {}", key_of(key), self.value(shape, &field(value, key), depth))
            };
            let members: Vec<String> = some.iter().map(member).collect();
            parts.push(format!("pg_catalog.jsonb_build_object({})", members.join(", ")));
        }
        joined(parts)
    }

    /// The elements in their order. What is no array has none.
    fn array(&self, element: &Shape, value: &str, depth: usize) -> String {
        let alias = format!("elements{depth}");
        let mapped = self.value(element, &format!("{alias}.item"), depth.saturating_add(1));
        format!(
            "COALESCE((SELECT pg_catalog.jsonb_agg({mapped} ORDER BY {alias}.place) \
             FROM pg_catalog.jsonb_array_elements(CASE WHEN {} THEN {value} ELSE {NO_ELEMENTS} END) \
             WITH ORDINALITY AS {alias} (item, place)), {NO_ELEMENTS})",
            is(value, "array"),
        )
    }
}

/// Whether a text of type `json` becomes `jsonb` for sure, on any version: it is not long, has no zero character and no half
/// of a surrogate pair (nor a whole one, which no regular expression can tell from two halves), no number that `numeric`
/// could not hold, and fewer brackets than are too deep for the server's stack.
fn is_readable(text: &str) -> String {
    let length = |of: &str| format!("pg_catalog.octet_length({of})");
    let without = format!("pg_catalog.translate({text}, '[{{', '')");
    format!(
        "{} OPERATOR(pg_catalog.<=) {TEXT_MAX} AND {} OPERATOR(pg_catalog.-) {} OPERATOR(pg_catalog.<=) {BRACKETS_MAX} \
         AND ({text} COLLATE pg_catalog.\"C\") OPERATOR(pg_catalog.!~) {}",
        length(text),
        length(text),
        length(&without),
        literal(UNREADABLE),
    )
}

/// A mask of one value, whatever it is: never SQL's NULL, and nothing of arrays and objects.
fn masked(style: &Style, value: &str) -> String {
    let text = format!("({value} OPERATOR(pg_catalog.#>>) CAST('{{}}' AS pg_catalog.text[]))");
    let shown = |kinds: &[&str], shown: &str, other: &str| {
        let kinds: Vec<String> = kinds.iter().map(|kind| is(value, kind)).collect();
        format!(
            "CASE WHEN {} THEN {shown} WHEN {value} IS NULL OR {} THEN {NULL} ELSE {other} END",
            kinds.join(" OR "),
            is(value, "null"),
        )
    };
    match style {
        Style::Null => NULL.to_owned(),
        Style::Constant => json_text("masked"),
        Style::Last4 => {
            let last4 = format!("pg_catalog.to_jsonb({})", last4_of(&text, LAST4_PREFIX));
            shown(&["string", "number"], &last4, &json_text(REDACTED))
        }
        // A number has lost its leading zeros: its first three digits are others than the ZIP code's.
        Style::Zip3 => {
            let zip3 = format!("pg_catalog.to_jsonb({})", zip3_of(&text));
            shown(&["string"], &zip3, &json_text("000"))
        }
        Style::Year => shown(&["string"], &year_of(&text), NULL),
        Style::Redact | Style::Default | Style::Hash(_) | Style::Json(_) => json_text(REDACTED),
    }
}

/// The first day of the year in a text that begins with a date as ISO 8601 writes it.
fn year_of(text: &str) -> String {
    let year = format!("pg_catalog.left({text}, 4)");
    format!(
        "CASE WHEN {} AND pg_catalog.substr({text}, 5, 1) OPERATOR(pg_catalog.=) ANY (ARRAY['', '-']) \
         THEN CASE WHEN CAST({year} AS pg_catalog.int4) OPERATOR(pg_catalog.>) {OLDEST_YEAR} \
         THEN pg_catalog.to_jsonb({year} OPERATOR(pg_catalog.||) '-01-01') ELSE {NULL} END ELSE {NULL} END",
        begins_with_digits(text, 4),
    )
}

fn field(value: &str, key: &str) -> String {
    format!("pg_catalog.jsonb_object_field({value}, {})", key_of(key))
}

/// An object with one key where `value` is an object that has it, else one with none.
fn kept(value: &str, key: &str) -> String {
    let field = field(value, key);
    format!(
        "CASE WHEN {field} IS NOT NULL THEN pg_catalog.jsonb_build_object({}, {field}) ELSE {NO_KEYS} END",
        key_of(key)
    )
}

/// An object without these keys; one with none for what is no object.
fn without<'a>(value: &str, keys: impl Iterator<Item = &'a str>) -> String {
    let keys = keys.map(key_of).collect::<Vec<_>>().join(", ");
    format!(
        "CASE WHEN {} THEN {value} OPERATOR(pg_catalog.-) CAST(ARRAY[{keys}] AS pg_catalog.text[]) ELSE {NO_KEYS} END",
        is(value, "object"),
    )
}

/// All of these objects in one. A balanced tree, for the depth of expressions is limited.
fn joined(mut parts: Vec<String>) -> String {
    while parts.len() > 1 {
        let pair = |pair: &[String]| match pair {
            [one, other] => format!("pg_catalog.jsonb_concat({one}, {other})"),
            alone => alone.concat(),
        };
        parts = parts.chunks(2).map(pair).collect();
    }
    parts.pop().unwrap_or_else(|| NO_KEYS.to_owned())
}

fn is(value: &str, kind: &str) -> String {
    format!("pg_catalog.jsonb_typeof({value}) OPERATOR(pg_catalog.=) '{kind}'")
}

fn key_of(key: &str) -> String {
    format!("CAST({} AS pg_catalog.text)", literal(key))
}

fn json_text(text: &str) -> String {
    format!("CAST('\"{text}\"' AS pg_catalog.jsonb)")
}

/// Puts a leaf where a path leads; another path may not end on the way, nor go on from there.
fn place(at: &mut Option<Shape>, steps: &[Step], leaf: Shape) -> Result<(), &'static str> {
    const CONTRADICTS: &str = "another path says otherwise of the same place";
    let Some((step, rest)) = steps.split_first() else {
        return if at.replace(leaf).is_none() { Ok(()) } else { Err(CONTRADICTS) };
    };
    match step {
        Step::Key(key) => {
            let Shape::Object(members) = at.get_or_insert_with(|| Shape::Object(BTreeMap::new())) else {
                return Err(CONTRADICTS);
            };
            let mut member = members.remove(key);
            let placed = place(&mut member, rest, leaf);
            members.extend(member.map(|member| (key.clone(), member)));
            placed
        }
        Step::Elements => {
            let mut element = match at.take() {
                None => None,
                Some(Shape::Array(element)) => Some(*element),
                Some(_) => return Err(CONTRADICTS),
            };
            place(&mut element, rest, leaf)?;
            *at = element.map(|element| Shape::Array(Box::new(element)));
            Ok(())
        }
    }
}

/// `contact.phone`, `visits[].date`, `"a.b".c`, `[].ssn`.
fn steps(path: &str) -> Result<Vec<Step>, &'static str> {
    const EXPECTED: &str = "expected keys with dots between them, such as contact.phone, and [] for the elements of an \
                            array; a key with other characters in quotation marks";
    let mut steps = Vec::new();
    let mut rest = path;
    let mut key_comes = true;
    while !rest.is_empty() {
        if let Some(behind) = rest.strip_prefix("[]") {
            if key_comes && !steps.is_empty() {
                return Err(EXPECTED);
            }
            steps.push(Step::Elements);
            (rest, key_comes) = (behind, false);
        } else if let Some(behind) = rest.strip_prefix('.').filter(|_| !key_comes) {
            (rest, key_comes) = (behind, true);
        } else if key_comes {
            let (key, behind) = key(rest).ok_or(EXPECTED)?;
            steps.push(Step::Key(key));
            (rest, key_comes) = (behind, false);
        } else {
            return Err(EXPECTED);
        }
    }
    if steps.is_empty() || key_comes {
        return Err(EXPECTED);
    }
    if steps.len() > STEPS_MAX {
        return Err("expected 16 steps at most");
    }
    Ok(steps)
}

/// The key at the beginning, and what follows it.
fn key(text: &str) -> Option<(String, &str)> {
    if text.starts_with('"') {
        let mut read = serde_json::Deserializer::from_str(text).into_iter::<String>();
        let key = read.next()?.ok()?;
        // `jsonb` has no such keys, and no text of PostgreSQL holds it.
        return (!key.contains('\0'))
            .then_some(())
            .and_then(|()| text.get(read.byte_offset()..))
            .map(|behind| (key, behind));
    }
    let end = text.find(['.', '[', ']', '"']).unwrap_or(text.len());
    let (key, behind) = text.split_at_checked(end)?;
    (!key.is_empty() && !key.contains('\0')).then(|| (key.to_owned(), behind))
}

const NULL: &str = "CAST('null' AS pg_catalog.jsonb)";
const NO_KEYS: &str = "CAST('{}' AS pg_catalog.jsonb)";
const NO_ELEMENTS: &str = "CAST('[]' AS pg_catalog.jsonb)";
/// What stands in texts of type `json` on which a cast to `jsonb` can fail. Conservative: a number is what looks like one.
const UNREADABLE: &str =
    r"\\u(0000|[dD][89a-fA-F])|[0-9]{255}|(^|[][{:,[:space:]])-?[0-9]+([.][0-9]+)?[eE][+-]?[0-9]{4}";
/// Bytes of a document in a column of type `json`.
const TEXT_MAX: usize = 1024 * 1024;
/// Objects and arrays in it: as deep as they could be.
const BRACKETS_MAX: usize = 2000;
const PATHS_MAX: usize = 256;
const STEPS_MAX: usize = 16;
/// Bytes. PostgreSQL compiles large expressions, and for one of 300 kB took a minute, for one of 2 MB ten and gigabytes.
const EXPRESSION_MAX: usize = 64 * 1024;
/// A function takes a hundred arguments at most, and each key has two.
const KEYS_A_CALL: usize = 50;

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(toml: &str) -> Result<JsonMask, StyleError> {
        JsonMask::new(&toml::from_str(toml).unwrap())
    }

    #[test]
    fn a_path_is_keys_and_elements() {
        let key = |key: &str| Step::Key(key.to_owned());
        for (path, expected) in [
            ("ssn", vec![key("ssn")]),
            ("contact.phone", vec![key("contact"), key("phone")]),
            ("visits[].date", vec![key("visits"), Step::Elements, key("date")]),
            ("[][].a b", vec![Step::Elements, Step::Elements, key("a b")]),
            (r#""a.b"."say \"[]\"".c"#, vec![key("a.b"), key("say \"[]\""), key("c")]),
            (r#""""#, vec![key("")]),
        ] {
            assert_eq!(steps(path), Ok(expected), "{path}");
        }
        for path in
            ["", ".", "a.", ".a", "a..b", "a]", "a[0]", "a.[]", r#""a"#, r#""a"b"#, "[]a", r#"a"b""#, r#""\u0000""#]
        {
            assert!(steps(path).is_err(), "{path}");
        }
        assert!(steps(&"a.".repeat(17)[..33]).is_err());
    }

    #[test]
    fn paths_that_contradict_each_other_or_are_too_much_are_refused_by_name() {
        let deep = (0..15).map(|step| format!("k{step}.")).collect::<String>();
        let deep: String = (0..100).map(|number| format!("json.\"{deep}{number}\" = \"last4\"\n")).collect();
        for (paths, named) in [
            (r#"json = { a = "redact", "a.b" = "redact" }"#, "a.b"),
            (r#"json = { "a[]" = "redact", "a.b" = "redact" }"#, "a"),
            (r#"json = { '"a"' = "redact", a = "clear" }"#, "a"),
            (r#"json = { a = "blur" }"#, "`a`"),
            (r#"json = { a = "hash" }"#, "hash"),
            (&deep, "too many or too deep"),
            (r#"json = {}"#, "1 to 256"),
            ("json = { a = \"clear\" }\notherwise = \"clear\"", "everything"),
        ] {
            let problem = mask(paths).unwrap_err().to_string();
            assert!(problem.contains(named), "{paths}: {problem}");
        }
    }
}
