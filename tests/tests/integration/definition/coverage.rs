//! What was tried: by kinds of nodes, and by what distinguishes nodes of a kind, as PostgreSQL's own parser sees them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::compare::Verdict;

/// Counts of a run.
#[derive(Default)]
pub(super) struct Coverage {
    kinds: BTreeMap<String, Counts>,
    all: Counts,
    /// With an example.
    reasons: BTreeMap<String, Counted>,
    failures: BTreeMap<String, Counted>,
}

/// Of the statements that have something in them.
#[derive(Debug, Clone, Default)]
pub(super) struct Counts {
    /// Tried, and neither refused nor broken off.
    pub(super) executed: usize,
    pub(super) refused: usize,
    pub(super) failed_alike: usize,
    pub(super) unfinished: usize,
    /// With rows.
    pub(super) non_empty: usize,
    /// Executed, with a protected column in a predicate, a group or a join.
    pub(super) on_protected: usize,
}

impl Coverage {
    pub(super) fn add(&mut self, sql: &str, uses_protected: bool, verdict: &Verdict) {
        self.all.add(uses_protected, verdict);
        for kind in kinds(sql) {
            self.kinds.entry(kind).or_default().add(uses_protected, verdict);
        }
        match verdict {
            Verdict::Refused(reason) => {
                self.reasons.entry(reason.clone()).or_insert_with(|| (0, sql.to_owned())).0 += 1;
            }
            Verdict::FailsAlike(error) => {
                self.failures.entry(error.clone()).or_insert_with(|| (0, sql.to_owned())).0 += 1;
            }
            _ => {}
        }
    }

    /// All statements together.
    pub(super) fn all(&self) -> &Counts {
        &self.all
    }

    /// Kinds of nodes, and what distinguishes nodes of a kind, that were executed fewer times: of all that were tried, for
    /// what the grammar makes it is made for.
    pub(super) fn below(&self, floor: usize) -> Vec<&str> {
        let few = self.kinds.iter().filter(|(_, counts)| counts.executed < floor);
        few.map(|(kind, _)| kind.as_str()).collect()
    }

    /// Those of the list that nothing had in it.
    pub(super) fn missing(&self, expected: &[&'static str]) -> Vec<&'static str> {
        expected.iter().copied().filter(|kind| !self.kinds.contains_key(*kind)).collect()
    }

    pub(super) fn table(&self) -> String {
        let mut text = format!(
            "{:<42} {:>8} {:>7} {:>9} {:>12} {:>7} {:>6}\n",
            "node", "executed", "refused", "non-empty", "on protected", "failed", "slow"
        );
        for (kind, counts) in
            self.kinds.iter().map(|(kind, counts)| (kind.as_str(), counts)).chain([("all", &self.all)])
        {
            writeln!(
                text,
                "{kind:<42} {:>8} {:>7} {:>9} {:>12} {:>7} {:>6}",
                counts.executed,
                counts.refused,
                counts.non_empty,
                counts.on_protected,
                counts.failed_alike,
                counts.unfinished
            )
            .unwrap();
        }
        writeln!(text, "\nrefused because").unwrap();
        for (reason, (count, sql)) in most(&self.reasons) {
            writeln!(text, "{count:>6} {reason}: {}", sql.chars().take(EXAMPLE_SHOWN).collect::<String>()).unwrap();
        }
        writeln!(text, "\nfailed alike with").unwrap();
        for (error, (count, sql)) in most(&self.failures) {
            writeln!(text, "{count:>6} {error}: {}", sql.chars().take(EXAMPLE_SHOWN).collect::<String>()).unwrap();
        }
        text
    }
}

impl Counts {
    fn add(&mut self, uses_protected: bool, verdict: &Verdict) {
        match verdict {
            Verdict::Refused(_) => self.refused += 1,
            Verdict::Unfinished => self.unfinished += 1,
            Verdict::FailsAlike(_) => self.failed_alike += 1,
            Verdict::Same(_) | Verdict::Different(_) => {
                self.executed += 1;
                self.non_empty += usize::from(!matches!(verdict, Verdict::Same(0)));
                self.on_protected += usize::from(uses_protected);
            }
        }
    }

    pub(super) fn tried(&self) -> usize {
        self.executed + self.refused + self.failed_alike + self.unfinished
    }
}

type Counted = (usize, String);

fn most(counts: &BTreeMap<String, Counted>) -> Vec<(&String, &Counted)> {
    let mut most: Vec<(&String, &Counted)> = counts.iter().collect();
    most.sort_by_key(|(_, (count, _))| std::cmp::Reverse(*count));
    most.truncate(REASONS_SHOWN);
    most
}

/// Read off the tree's own text: names of messages, values of enumerations, flags that are set, clauses that are there.
fn kinds(sql: &str) -> BTreeSet<String> {
    let tree = match pg_query::parse(sql, pg_query::ParserOptions::default()) {
        Ok(parsed) => format!("{:?}", parsed.protobuf),
        Err(error) => panic!("{error}: {sql}"),
    };
    let mut kinds = BTreeSet::new();
    let word = |at: usize| {
        let end = tree[at..].find(|c: char| !c.is_ascii_alphanumeric() && c != '_').map_or(tree.len(), |end| at + end);
        (&tree[at..end], &tree[end..])
    };
    let mut last = ' ';
    for (at, character) in tree.char_indices() {
        let begins = character.is_ascii_alphabetic() && !last.is_ascii_alphanumeric() && last != '_' && last != '"';
        last = character;
        if !begins {
            continue;
        }
        let (name, rest) = word(at);
        let (message, field) = (rest.starts_with(" {"), rest.strip_prefix(": "));
        if message && !PLUMBING.contains(&name) {
            kinds.insert(name.to_owned());
        } else if let Some(value) = field {
            kinds.extend(told_by(name, value));
        }
    }
    kinds
}

fn told_by(field: &str, value: &str) -> Option<String> {
    let value = value.split([' ', ',', '(', '{', '}']).next().unwrap_or_default();
    let there = value.starts_with('[') && value != "[]" || value == "Some";
    let enumerated =
        value.starts_with(|c: char| c.is_ascii_uppercase()) && !there && value != "None" && value != "Node";
    match field {
        "inh" if value == "false" => Some("RangeVar.ONLY".to_owned()),
        _ if CLAUSES.contains(&field) && there => Some(format!(".{field}")),
        _ if FLAGS.contains(&field) && value == "true" => Some(format!(".{field}")),
        _ if ENUMERATIONS.contains(&field) && enumerated && !value.ends_with("Undefined") => Some(format!("={value}")),
        _ => None,
    }
}

/// Clauses and lists that a node has or has not.
const CLAUSES: &[&str] = &[
    "distinct_clause",
    "where_clause",
    "group_clause",
    "having_clause",
    "window_clause",
    "values_lists",
    "sort_clause",
    "limit_offset",
    "limit_count",
    "with_clause",
    "using_clause",
    "join_using_alias",
    "colnames",
    "agg_order",
    "agg_filter",
    "over",
    "partition_clause",
    "order_clause",
    "array_bounds",
];
const FLAGS: &[&str] = &[
    "group_distinct",
    "is_natural",
    "lateral",
    "ordinality",
    "is_rowsfrom",
    "recursive",
    "agg_distinct",
    "agg_within_group",
    "agg_star",
    "is_slice",
];
const ENUMERATIONS: &[&str] = &[
    "kind",
    "op",
    "boolop",
    "jointype",
    "sub_link_type",
    "nulltesttype",
    "booltesttype",
    "limit_option",
    "ctematerialized",
    "sortby_dir",
    "sortby_nulls",
    "direction",
];
/// In every tree.
const PLUMBING: &[&str] = &["ParseResult", "RawStmt", "Node"];
const REASONS_SHOWN: usize = 12;
/// Characters.
const EXAMPLE_SHOWN: usize = 1500;
