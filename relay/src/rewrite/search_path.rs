//! Search paths as clients write them, and which of them a session may have.
//!
//! The relay looks names up as the server does: temporary relations first, then `pg_catalog`, then the path. So a path may
//! say neither otherwise: no `pg_temp`, and `pg_catalog` nowhere but in front, where it is anyway.

use pg_query::NodeEnum;
use pg_query::protobuf::{Node, a_const::Val};

use crate::statement::Refusal;

/// The schemas that `SET search_path TO …` names, each of them one constant.
pub(super) fn of_constants(args: &[Node]) -> Result<Vec<String>, Refusal> {
    let name = |node: &Node| match &node.node {
        Some(NodeEnum::AConst(constant)) => match &constant.val {
            Some(Val::Sval(text)) => Some(text.sval.clone()),
            _ => None,
        },
        _ => None,
    };
    let names: Option<Vec<String>> = args.iter().map(name).collect();
    names.and_then(searchable).ok_or_else(unsearchable)
}

/// The schemas that a text names as `set_config` and start-up options have it: names with commas between them, in quotes or
/// folded to small letters.
pub(crate) fn of_text(text: &str) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let mut rest = text.trim_matches(is_space);
    if rest.is_empty() {
        return Some(names);
    }
    loop {
        let (name, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_name(quoted)?,
            None => {
                let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '$')));
                let (name, after) = rest.split_at(end.unwrap_or(rest.len()));
                (Some(name).filter(|name| !name.is_empty())?.to_ascii_lowercase(), after)
            }
        };
        names.push(name);
        let after = after.trim_start_matches(is_space);
        if after.is_empty() {
            return searchable(names);
        }
        rest = after.strip_prefix(',')?.trim_start_matches(is_space);
    }
}

fn quoted_name(quoted: &str) -> Option<(String, &str)> {
    let mut name = String::new();
    let mut rest = quoted;
    loop {
        let (part, after) = rest.split_once('"')?;
        name.push_str(part);
        match after.strip_prefix('"') {
            Some(more) => {
                name.push('"');
                rest = more;
            }
            None => return Some((name, after)),
        }
    }
}

/// What is looked at of a path; nothing where the relay cannot look names up along it.
fn searchable(mut names: Vec<String>) -> Option<Vec<String>> {
    if names.first().is_some_and(|first| first == "pg_catalog") {
        names.remove(0);
    }
    // No schema has the empty name: by it people search none.
    names.retain(|name| !name.is_empty());
    let known = |name: &String| {
        // The server cuts longer ones, and takes two names for one.
        name.len() <= NAME_BYTES_MAX && !name.starts_with("pg_") && name != "information_schema" && !name.contains('\0')
    };
    (names.len() <= PATH_MAX && names.iter().all(known)).then_some(names)
}

fn unsearchable() -> Refusal {
    Refusal::unsupported(
        "search_path takes plain names of schemas, without information_schema, pg_temp and other system schemas, and \
         pg_catalog only in front",
    )
}

/// PostgreSQL's `scanner_isspace`, but for the vertical tab: before version 16 that is a part of a name.
fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{c}')
}

/// `NAMEDATALEN - 1`.
const NAME_BYTES_MAX: usize = 63;
/// More schemas than anybody lists by hand.
const PATH_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_split_as_the_server_does() {
        let path = |text| of_text(text).map(|names| names.join("|"));
        assert_eq!(path("clinic, Billing,\"Odd \"\"name, here\" ").as_deref(), Some("clinic|billing|Odd \"name, here"));
        assert_eq!(path("\"$user\", public").as_deref(), Some("$user|public"));
        assert_eq!(path(" ").as_deref(), Some(""));
        assert_eq!(path("\"\"").as_deref(), Some(""), "as dumps write it");
        assert_eq!(path("pg_catalog, public").as_deref(), Some("public"));
    }

    #[test]
    fn a_path_that_would_be_searched_otherwise_than_the_relay_does_is_none() {
        let long = "x".repeat(64);
        let many = ["x"; 33].join(",");
        for text in [
            "public, pg_catalog",
            "pg_temp",
            "a,pg_temp",
            "PG_TEMP_3",
            "\"pg_toast\"",
            "information_schema",
            "a,,b",
            "a,",
            ",a",
            "a b",
            "a\"b\"",
            "\"a",
            "\"a\"b",
            "a.b",
            "a,\u{b}b",
            "a\u{b}, b",
            "é",
            &long,
            &many,
        ] {
            assert_eq!(of_text(text), None, "{text}");
        }
    }
}
