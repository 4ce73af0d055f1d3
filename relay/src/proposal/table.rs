//! What is proposed of one table: who is in it decides what its other columns are.

use std::collections::{BTreeMap, BTreeSet};

use super::column::{Setting, Signs};
use super::sample::Sample;
use super::{Facts, TableProposal};
use crate::catalog::{Column, Kind, Relation, Snapshot};
use crate::config::ColumnStyle;
use crate::safe_harbor;

/// A relation and what was seen of it.
pub(super) struct LookedAt<'a> {
    pub(super) relation: &'a Relation,
    pub(super) columns: Vec<&'a Column>,
    pub(super) samples: BTreeMap<i16, Sample>,
    pub(super) unsampled: Option<String>,
}

/// Views are masked through what they read.
pub(super) fn is_classified_itself(relation: &Relation) -> bool {
    relation.kind != Kind::View
}

/// The columns that no parent has: what those protect is protected in all that share rows with them.
pub(super) fn own_columns<'a>(relation: &'a Relation, snapshot: &'a Snapshot) -> Vec<&'a Column> {
    let ancestors = snapshot.ancestors(relation.oid);
    let inherited: BTreeSet<&str> = ancestors
        .iter()
        .filter_map(|oid| snapshot.relation(*oid))
        .flat_map(|parent| parent.columns.iter().map(|column| column.name.as_str()))
        .collect();
    relation.columns.iter().filter(|column| !inherited.contains(column.name.as_str())).collect()
}

/// Proposes of each, knowing of all.
pub(super) fn propose(all: &[LookedAt<'_>], facts: &Facts, snapshot: &Snapshot) -> Vec<TableProposal> {
    let of_people: BTreeSet<u32> =
        all.iter().filter(|one| is_of_people(one, facts)).map(|one| one.relation.oid).collect();
    let linked = linked(&of_people, snapshot);
    let one = |one: &LookedAt<'_>| {
        let (setting, why) = if of_people.contains(&one.relation.oid) {
            (Setting::OfPeople, "it says who somebody is")
        } else if linked.contains(&one.relation.oid) {
            (Setting::Linked, "it refers, itself or through others, to a table that says who somebody is")
        } else {
            (Setting::Apart, "nothing says that it is about people")
        };
        TableProposal {
            name: one.relation.qualified().to_string(),
            why,
            unsampled: one.unsampled.clone(),
            columns: signs(one, facts).iter().map(|signs| generated(signs, setting, one, facts)).collect(),
        }
    };
    let mut tables: Vec<TableProposal> = all.iter().map(one).collect();
    protect_references(&mut tables, all, snapshot);
    tables
}

/// What refers to these tables by foreign keys, reads them as a materialized view, or is a part of them, step by step.
fn linked(of_people: &BTreeSet<u32>, snapshot: &Snapshot) -> BTreeSet<u32> {
    let mut linked = of_people.clone();
    loop {
        let before = linked.len();
        for key in snapshot.foreign_keys().iter().filter(|key| key.from != key.to) {
            if snapshot.family(key.to).iter().any(|to| linked.contains(to)) {
                linked.extend(snapshot.family(key.from));
            }
        }
        for relation in snapshot.relations() {
            let reads = snapshot.reads(relation.oid);
            if reads.union(&snapshot.ancestors(relation.oid)).any(|other| linked.contains(other)) {
                linked.insert(relation.oid);
            }
        }
        if linked.len() == before {
            return linked;
        }
    }
}

/// A column that refers to a protected one holds the same.
fn protect_references(tables: &mut [TableProposal], all: &[LookedAt<'_>], snapshot: &Snapshot) {
    let place = |oid: u32, number: i16| {
        let table = all.iter().position(|one| one.relation.oid == oid)?;
        let column = all.get(table)?.columns.iter().position(|column| column.number == number)?;
        Some((table, column))
    };
    let pairs = snapshot.foreign_keys().iter().flat_map(|key| {
        let columns = key.from_columns.iter().zip(&key.to_columns);
        columns.filter_map(|(from, to)| Some((place(key.from, *from)?, place(key.to, *to)?)))
    });
    let pairs: Vec<_> = pairs.collect();
    // As many times as there may be steps from one to the next.
    for _ in 0..pairs.len() {
        for ((from_table, from), (to_table, to)) in &pairs {
            let column = |tables: &[TableProposal], table: usize, column: usize| {
                tables.get(table).and_then(|table| table.columns.get(column)).map(|column| column.style.clone())
            };
            let target = column(tables, *to_table, *to).filter(|style| style != ColumnStyle::CLEAR);
            let referring = tables.get_mut(*from_table).and_then(|table| table.columns.get_mut(*from));
            if let (Some(style), Some(referring)) = (target, referring)
                && referring.style == ColumnStyle::CLEAR
            {
                referring.style = style;
                "it refers to a column that is protected".clone_into(&mut referring.why);
            }
        }
    }
}

/// A generated column cannot be clear where one that it is made from is protected.
fn generated(signs: &Signs<'_>, setting: Setting, one: &LookedAt<'_>, facts: &Facts) -> super::ColumnProposal {
    let proposal = signs.proposal(setting);
    let sources = signs.column.generated_from.iter().flatten();
    let all = self::signs(one, facts);
    let protected = sources.filter_map(|number| all.iter().find(|other| other.column.number == *number));
    let from_protected =
        protected.map(|source| source.proposal(setting)).any(|source| source.style != ColumnStyle::CLEAR);
    if from_protected && proposal.style == ColumnStyle::CLEAR {
        let why = "made from a column that is protected".to_owned();
        return super::ColumnProposal { style: "default".to_owned(), why, ..proposal };
    }
    proposal
}

fn is_of_people(one: &LookedAt<'_>, facts: &Facts) -> bool {
    let signs = signs(one, facts);
    let identifying = signs.iter().filter(|signs| signs.identifies()).count();
    let named = safe_harbor::is_of_people(&one.relation.name);
    identifying >= 2 || identifying == 1 && named || named && signs.iter().any(|signs| signs.hint.is_some())
}

fn signs<'a>(one: &'a LookedAt<'_>, facts: &Facts) -> Vec<Signs<'a>> {
    let signs_of = |column: &&'a Column| {
        let place = (one.relation.oid, column.number);
        Signs {
            column,
            hint: safe_harbor::named(&column.name),
            comment: facts.comments.get(&place).and_then(|comment| safe_harbor::named(comment)),
            sample: one.samples.get(&column.number),
            key: facts.keys.contains(&place),
        }
    };
    one.columns.iter().map(signs_of).collect()
}
