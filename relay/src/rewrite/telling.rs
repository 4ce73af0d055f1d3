//! Whether a write would tell, by success or failure, what masked columns of its target hold.
//!
//! Constraints and indexes are held against stored values. Where one of them reads a masked column together with what
//! the client gives, a guess can be tried on it (`23505` or not). So such a write is refused before it runs. What reads
//! values of the client's own alone, or clear columns alone, tells nothing.

use std::collections::BTreeSet;

use super::access::{RelationAccess, Treatment};
use super::mask::Style;
use super::rewriter::Rewriter;
use super::trigger_code::word;
use crate::catalog::{Check, Column, ForeignKey, Index, Kind, Relation};
use crate::statement::{Refusal, tokens};

/// Which columns of the target get values from the client.
pub(super) enum Assigned {
    /// Any.
    All,
    /// These, by name.
    These(BTreeSet<String>),
}

impl Rewriter<'_> {
    /// Refuses a write of `target` that would tell, also by way of its children.
    pub(super) fn tells_nothing(
        &self,
        target: &Relation,
        action: &'static str,
        assigned: &Assigned,
    ) -> Result<(), Refusal> {
        for oid in self.catalog.written_with(target.oid, false) {
            let Some(relation) = self.catalog.relation(oid) else { continue };
            let part = Part::new(relation, self.answers(relation)?, assigned);
            let told = if part.masked.is_empty() {
                None
            } else if relation.kind == Kind::Foreign {
                Some("another server holds rows of it to constraints that the relay does not know".to_owned())
            } else if relation.row_security {
                Some("its row-level security may read masked columns".to_owned())
            } else if let Some(column) = part.hashed(action) {
                Some(format!("column {column} is masked by a hash, and whoever gives values could try guesses on it"))
            } else {
                part.told_by(action)
                    .or_else(|| self.catalog.foreign_keys().iter().find_map(|key| part.key(key, action)))
            };
            if let Some(why) = told {
                return Err(Refusal::forbidden(format!("{action} is refused on {}: {why}", relation.qualified()))
                    .hint("By success or failure it would tell what masked columns hold. Leave such columns out, or have them revealed."));
            }
        }
        Ok(())
    }
}

/// One relation whose rows are written.
struct Part<'a> {
    relation: &'a Relation,
    masked: BTreeSet<i16>,
    /// Those masked by a keyed hash.
    hashed: BTreeSet<i16>,
    assigned: BTreeSet<i16>,
}

impl<'a> Part<'a> {
    fn new(relation: &'a Relation, access: &RelationAccess, assigned: &Assigned) -> Self {
        let is_masked = |treatment: &Treatment| matches!(treatment, Treatment::Masked(_));
        let masked = access.columns.iter().filter(|column| is_masked(&column.treatment)).map(|column| column.number);
        let masked: BTreeSet<i16> = masked.collect();
        let hash = |treatment: &Treatment| matches!(treatment, Treatment::Masked(Style::Hash(_)));
        let hashed = access.columns.iter().filter(|column| hash(&column.treatment)).map(|column| column.number);
        let hashed = hashed.collect();
        // A trigger may hand what is given on to other clear columns.
        let hands_on = !relation.trigger_functions.is_empty();
        let given = |column: &&Column| match assigned {
            Assigned::All => true,
            Assigned::These(names) => names.contains(&column.name) || hands_on && !masked.contains(&column.number),
        };
        let assigned = relation.columns.iter().filter(given).map(|column| column.number).collect();
        Self { relation, masked, hashed, assigned }
    }

    /// A column whose hash would be that of a value which the client gives.
    fn hashed(&self, action: &str) -> Option<&str> {
        let gives = matches!(action, "insert" | "update");
        let hands_on = !self.relation.trigger_functions.is_empty();
        let given = |number: &i16| {
            let sources = self.column(*number).and_then(|column| column.generated_from.as_deref()).unwrap_or_default();
            hands_on || self.assigned.contains(number) || sources.iter().any(|source| self.assigned.contains(source))
        };
        let number = self.hashed.iter().filter(|_| gives).find(|number| given(number))?;
        self.column(*number).map(|column| column.name.as_str())
    }

    fn told_by(&self, action: &str) -> Option<String> {
        match action {
            "insert" => self.relation.indexes.iter().find_map(|index| self.inserted(index)),
            "update" => self.updated(),
            _ => None,
        }
    }

    /// A new row's values are the client's and the server's own: only rows that are there can answer.
    fn inserted(&self, index: &Index) -> Option<String> {
        let masked = self.masked_of(&self.read_by(index))?;
        if !index.unique || index.expressions.is_none() && index.predicate.is_none() && self.meets_nobody(index) {
            return self.placed(index);
        }
        Some(format!("a unique index or exclusion constraint reads masked column {masked}"))
    }

    /// Whether no row that is there can have the same in this index, whatever the client gives.
    fn meets_nobody(&self, index: &Index) -> bool {
        let left_out = index.columns.iter().filter(|number| !self.assigned.contains(number));
        let mut columns = left_out.filter_map(|number| self.column(*number));
        // A trigger could fill it in; a domain can have a default of its own.
        self.relation.trigger_functions.is_empty()
            && columns.any(|column| match &column.default {
                None if column.identity => true,
                None => index.nulls_distinct && column.generated_from.is_none() && column.type_oid == column.base,
                Some(default) => OWN_NUMBERS.iter().any(|call| default.starts_with(call)),
            })
    }

    /// Stored values of masked columns meet those that the client gives for others.
    fn updated(&self) -> Option<String> {
        let indexes = self.relation.indexes.iter().find_map(|index| self.updated_index(index));
        let checks = || self.relation.checks.iter().find_map(|check| self.updated_check(check));
        let generated = || {
            let sources = self.relation.columns.iter().filter_map(|column| column.generated_from.as_deref());
            sources.into_iter().find_map(|sources| self.mixed("a generated column", &self.with_sources(sources)))
        };
        let partitions = || {
            let key = &self.relation.partition_key;
            let read = if key.contains(&0) { self.all() } else { self.with_sources(key) };
            self.mixed("the partition key", &read)
        };
        indexes.or_else(checks).or_else(generated).or_else(partitions)
    }

    /// Where in an index a value is put that the client gives follows from the stored ones beside it, and rows can come in its
    /// order. Whether an index grows by it, tells whether it is the stored one.
    fn placed(&self, index: &Index) -> Option<String> {
        let given = self.read_by(index).intersection(&self.assigned).copied().collect();
        let masked = self.masked_of(&given)?;
        Some(format!("masked column {masked} is in an index, and where a value goes there tells those beside it"))
    }

    fn updated_index(&self, index: &Index) -> Option<String> {
        let read = self.read_by(index);
        let masked = self.masked_of(&read)?;
        // Any update of a row may add it anew to an index that it belongs to, and sizes can be seen.
        if index.predicate.is_some() {
            return Some(format!("which rows are in an index follows from masked column {masked}"));
        }
        if index.unique && !read.is_disjoint(&self.assigned) {
            return Some(format!("a unique index or exclusion constraint reads masked column {masked}"));
        }
        if let Some(told) = self.placed(index) {
            return Some(told);
        }
        // How long a stored value is, tells whether both together are too long for an entry.
        let computes = index.expressions.is_some() || index.predicate.is_some();
        let grows = read.intersection(&self.assigned).filter_map(|number| self.column(*number)).any(is_of_any_length);
        if computes || grows { self.mixed("an index", &read) } else { None }
    }

    fn updated_check(&self, check: &Check) -> Option<String> {
        let text = check.expression.as_deref().unwrap_or_default();
        let mut read = self.named_in(text);
        read.extend(&check.columns);
        let read = if read.contains(&0) { self.all() } else { self.with_sources(&Vec::from_iter(read)) };
        let masked = self.masked_of(&read.difference(&self.assigned).copied().collect())?;
        // Otherwise the row satisfied it before, and does so still.
        let unsettled = !check.validated || self.follows_settings(text, &read);
        match self.mixed("a CHECK constraint", &read) {
            None if unsettled => {
                Some(format!("a constraint reads masked column {masked}, and rows that are there may not satisfy it"))
            }
            told => told,
        }
    }

    /// Whether a condition could be true under some settings of the session and false under others, by how they write
    /// and read times and numbers.
    fn follows_settings(&self, text: &str, read: &BTreeSet<i16>) -> bool {
        let mut columns = read.iter().filter_map(|number| self.column(*number));
        let plain = columns.all(|column| column.base_kind == 'e' || PLAIN.contains(&column.base));
        let words = tokens(text).unwrap_or_default();
        let mut words = words.iter().filter_map(|token| word(text, token.start, token.end).flatten());
        let named = words.any(|word| BY_SETTINGS.contains(&word.as_str()));
        (!plain || named) && (text.contains(")::") || text.contains("with time zone") || calls(text))
    }

    /// Of keys to masked columns and of those from them.
    fn key(&self, key: &ForeignKey, action: &str) -> Option<String> {
        if key.to == self.relation.oid {
            let columns = self.with_sources(&key.to_columns);
            let masked = self.masked_of(&columns)?;
            let concerned = action == "delete" || action == "update" && !columns.is_disjoint(&self.assigned);
            return concerned.then(|| format!("a foreign key refers to masked column {masked}"));
        }
        let from = key.from == self.relation.oid && action == "update";
        let columns = self.with_sources(&key.from_columns);
        // Whether the other row is looked up, and locked, tells whether the value is another than the stored one.
        let given = || {
            let masked = self.masked_of(&columns.intersection(&self.assigned).copied().collect())?;
            Some(format!("a foreign key from masked column {masked} is looked up where its value changes"))
        };
        if from { given().or_else(|| self.mixed("a foreign key", &columns)) } else { None }
    }

    /// Told where this reads stored values of masked columns together with given ones.
    fn mixed(&self, what: &str, read: &BTreeSet<i16>) -> Option<String> {
        let stored = read.difference(&self.assigned).copied().collect();
        let masked = self.masked_of(&stored)?;
        (!read.is_disjoint(&self.assigned))
            .then(|| format!("{what} reads masked column {masked} together with columns that are changed"))
    }

    /// Everything that an index reads.
    fn read_by(&self, index: &Index) -> BTreeSet<i16> {
        let mut read: BTreeSet<i16> = index.columns.iter().copied().collect();
        for text in [&index.expressions, &index.predicate].into_iter().flatten() {
            read.extend(self.named_in(text));
        }
        if read.contains(&0) { self.all() } else { self.with_sources(&Vec::from_iter(read)) }
    }

    /// Columns whose names stand in an expression; 0 where it may read all.
    fn named_in(&self, text: &str) -> BTreeSet<i16> {
        let Ok(tokens) = tokens(text) else { return BTreeSet::from([0]) };
        // `relation.*` is the whole row.
        if text.contains(".*") {
            return BTreeSet::from([0]);
        }
        let words = tokens.iter().filter_map(|token| word(text, token.start, token.end));
        let number = |word: String| self.relation.column(&word).map(|column| column.number);
        words.filter_map(|word| word.map_or(Some(0), number)).collect()
    }

    /// Columns, and those that generated ones among them are made from.
    fn with_sources(&self, numbers: &[i16]) -> BTreeSet<i16> {
        let mut all: BTreeSet<i16> = numbers.iter().copied().collect();
        let mut pending: Vec<i16> = numbers.to_vec();
        while let Some(number) = pending.pop() {
            let sources = self.column(number).and_then(|column| column.generated_from.as_deref()).unwrap_or_default();
            pending.extend(sources.iter().filter(|source| all.insert(**source)));
        }
        all
    }

    fn masked_of(&self, read: &BTreeSet<i16>) -> Option<&str> {
        let first = read.intersection(&self.masked).next()?;
        self.column(*first).map(|column| column.name.as_str())
    }

    fn column(&self, number: i16) -> Option<&Column> {
        self.relation.columns.iter().find(|column| column.number == number)
    }

    fn all(&self) -> BTreeSet<i16> {
        self.relation.columns.iter().map(|column| column.number).collect()
    }
}

/// Whether a function is called in an expression: a name in front of a parenthesis.
fn calls(text: &str) -> bool {
    let tokens = tokens(text).unwrap_or_default();
    tokens.windows(2).any(|pair| match pair {
        [name, open] => {
            let opens = text.get(usize::try_from(open.start).unwrap_or(0)..).is_some_and(|rest| rest.starts_with('('));
            let named = word(text, name.start, name.end).flatten();
            opens
                && named
                    .is_some_and(|named| named.starts_with(char::is_alphabetic) && !KEYWORDS.contains(&named.as_str()))
        }
        _ => false,
    })
}

fn is_of_any_length(column: &Column) -> bool {
    column.base_kind != 'e' && !OF_ONE_LENGTH.contains(&column.base)
}

/// Defaults that give each row a number or name of its own.
const OWN_NUMBERS: [&str; 2] = ["nextval(", "gen_random_uuid("];
/// What may stand in front of a parenthesis without being called.
const KEYWORDS: [&str; 10] = ["and", "any", "all", "array", "between", "case", "in", "not", "or", "when"];
/// Types and functions whose results follow settings.
const BY_SETTINGS: [&str; 16] = [
    "bytea",
    "current_setting",
    "date",
    "double",
    "interval",
    "json",
    "jsonb",
    "money",
    "real",
    "time",
    "timestamp",
    "to_char",
    "to_date",
    "to_number",
    "to_timestamp",
    "to_tsvector",
];
/// Types whose values compare, and are written, the same under every setting: `bool`, `int2`, `int4`, `int8`, `numeric`,
/// `text`, `varchar`, `bpchar`, `uuid`, `inet`, `cidr`.
const PLAIN: [u32; 11] = [16, 21, 23, 20, 1700, 25, 1043, 1042, 2950, 869, 650];
/// Types whose values are as long as each other: `bool`, `int2`, `int4`, `int8`, `float4`, `float8`, `date`, `time`,
/// `timetz`, `timestamp`, `timestamptz`, `interval`, `uuid`, `oid`.
const OF_ONE_LENGTH: [u32; 14] = [16, 21, 23, 20, 700, 701, 1082, 1083, 1266, 1114, 1184, 1186, 2950, 26];
