//! The classification, closed over inheritance, partitions and generated columns.

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::{Kind, Relation, Snapshot};
use crate::config::{Classification, ClassifiedTable, ColumnStyle};
use crate::rewrite::{Misfit, Style, StyleError, check_style};

/// Which columns are protected, and how each looks. What is not in it is not protected.
#[derive(Debug, Clone, Default)]
pub(crate) struct Protection {
    relations: BTreeMap<u32, BTreeMap<i16, Option<Style>>>,
    barred: BTreeMap<u32, String>,
    named: BTreeSet<u32>,
}

/// A classification that does not fit the database: nothing is served until it does.
#[derive(Debug, thiserror::Error)]
pub enum ClassificationError {
    /// The name is not `schema.relation`.
    #[error("classification of `{0}`: expected schema.relation")]
    Name(String),
    /// No such relation. A renamed one does not lose its protection silently (rule 7).
    #[error("classification of {0}: the database has no such relation")]
    UnknownRelation(String),
    /// Named twice.
    #[error("classification of {0}: it is classified twice")]
    Twice(String),
    /// Views are masked through what they read.
    #[error("classification of {0}: it is a view; classify the relations it reads")]
    View(String),
    /// No such column. A renamed one does not lose its protection silently (rule 7).
    #[error("classification of {table}: the table has no column {column}")]
    UnknownColumn {
        /// The relation.
        table: String,
        /// The column.
        column: String,
    },
    /// No such style, or one that is refused.
    #[error("classification of {table}.{column}: {source}")]
    Style {
        /// The relation.
        table: String,
        /// The column.
        column: String,
        /// Why.
        source: StyleError,
    },
    /// A style that has no meaning for the column's type.
    #[error("classification of {table}.{column}: {source}")]
    Misfit {
        /// The relation.
        table: String,
        /// The column.
        column: String,
        /// Why.
        source: Misfit,
    },
    /// The function of `hash` is none that keeps its key.
    #[error(
        "classification of {table}.{column}: hash: expected {function}(text), the only function of that name, of type text, \
         STRICT, STABLE or IMMUTABLE, SECURITY DEFINER with a search_path of its own, that the relay's login may call and \
         does not own (`relay hash-function` prints one)"
    )]
    HashFunction {
        /// The relation.
        table: String,
        /// The column.
        column: String,
        /// The function.
        function: String,
    },
    /// A generated column is made from a protected one and called clear.
    #[error("classification of {table}.{column}: it is `clear`, but generated from a protected column")]
    Generated {
        /// The relation.
        table: String,
        /// The column.
        column: String,
    },
}

/// What the file says of one relation: by column number, `None` = clear.
type Explicit = BTreeMap<i16, Option<Style>>;

impl Protection {
    /// Closes a classification over a snapshot.
    pub(crate) fn close(classification: &Classification, snapshot: &Snapshot) -> Result<Self, ClassificationError> {
        let mut explicit: BTreeMap<u32, Explicit> = BTreeMap::new();
        for table in &classification.table {
            let relation = named(table, snapshot)?;
            if explicit.insert(relation.oid, stated(table, relation)?).is_some() {
                return Err(ClassificationError::Twice(table.name.clone()));
            }
        }
        let mut protection = Self { named: explicit.keys().copied().collect(), ..Self::default() };
        let mut done = BTreeSet::new();
        for oid in explicit.keys() {
            if !done.contains(oid) {
                let family = snapshot.family(*oid);
                protection.add_family(&family, &explicit, snapshot)?;
                done.extend(family);
            }
        }
        protection.bar(&done, snapshot);
        Ok(protection)
    }

    /// Styles of a relation's columns by number, `None` = clear; nothing for a relation without protected columns.
    pub(crate) fn columns(&self, oid: u32) -> Option<&BTreeMap<i16, Option<Style>>> {
        self.relations.get(&oid)
    }

    /// Whether the classification names a relation.
    pub(crate) fn names(&self, oid: u32) -> bool {
        self.named.contains(&oid)
    }

    /// Why a relation may not be touched at all.
    pub(crate) fn barred(&self, oid: u32) -> Option<&str> {
        self.barred.get(&oid).map(String::as_str)
    }

    /// Relations that share rows share protection: what any of them protects, all do, by column name; a column that
    /// none of them names is masked by default (rule 7).
    fn add_family(
        &mut self,
        family: &BTreeSet<u32>,
        explicit: &BTreeMap<u32, Explicit>,
        snapshot: &Snapshot,
    ) -> Result<(), ClassificationError> {
        let mut by_name: BTreeMap<&str, Option<Style>> = BTreeMap::new();
        for (relation, stated) in members(family, explicit, snapshot) {
            for (number, style) in stated {
                if let Some(column) = relation.columns.iter().find(|c| c.number == *number) {
                    let known = by_name.entry(&column.name).or_insert_with(|| style.clone());
                    *known = known.take().or_else(|| style.clone());
                }
            }
        }
        if by_name.values().all(Option::is_none) && covers_all(family, &by_name, snapshot) {
            return Ok(());
        }
        for relation in family.iter().filter_map(|oid| snapshot.relation(*oid)) {
            let own = explicit.get(&relation.oid);
            let style_of = |number: i16, name: &str| {
                let shared = || by_name.get(name).cloned().unwrap_or(Some(Style::Default));
                own.and_then(|own| own.get(&number)).cloned().flatten().or_else(shared)
            };
            let columns = relation.columns.iter().map(|c| (c.number, style_of(c.number, &c.name))).collect();
            check(relation, &columns, snapshot)?;
            self.relations.insert(relation.oid, columns);
        }
        Ok(())
    }

    /// Foreign tables hold what another server holds, so they are refused unless they are classified, and with them
    /// every table through which their rows are read.
    fn bar(&mut self, classified: &BTreeSet<u32>, snapshot: &Snapshot) {
        for relation in snapshot.relations() {
            if relation.kind == Kind::Foreign && !classified.contains(&relation.oid) {
                for oid in snapshot.family(relation.oid) {
                    self.barred.insert(oid, "foreign tables are refused unless they are classified".to_owned());
                }
            }
        }
    }
}

fn members<'a>(
    family: &'a BTreeSet<u32>,
    explicit: &'a BTreeMap<u32, Explicit>,
    snapshot: &'a Snapshot,
) -> impl Iterator<Item = (&'a Relation, &'a Explicit)> {
    family.iter().filter_map(|oid| Some((snapshot.relation(*oid)?, explicit.get(oid)?)))
}

fn covers_all(family: &BTreeSet<u32>, by_name: &BTreeMap<&str, Option<Style>>, snapshot: &Snapshot) -> bool {
    let mut columns = family.iter().filter_map(|oid| snapshot.relation(*oid)).flat_map(|r| &r.columns);
    columns.all(|column| by_name.contains_key(column.name.as_str()))
}

fn named<'a>(table: &ClassifiedTable, snapshot: &'a Snapshot) -> Result<&'a Relation, ClassificationError> {
    let matches = |relation: &&Relation| relation.qualified().to_string() == table.name;
    if !table.name.contains('.') {
        return Err(ClassificationError::Name(table.name.clone()));
    }
    let relation =
        snapshot.relations().find(matches).ok_or_else(|| ClassificationError::UnknownRelation(table.name.clone()))?;
    if relation.kind == Kind::View { Err(ClassificationError::View(table.name.clone())) } else { Ok(relation) }
}

/// Names and styles, as far as they can be judged without the database.
///
/// # Errors
/// [`ClassificationError`].
pub fn check_classification(classification: &Classification) -> Result<(), ClassificationError> {
    for table in &classification.table {
        if !table.name.contains('.') {
            return Err(ClassificationError::Name(table.name.clone()));
        }
        for (column, style) in &table.columns {
            style_of(table, column, style)?;
        }
    }
    Ok(())
}

fn style_of(table: &ClassifiedTable, column: &str, style: &ColumnStyle) -> Result<Option<Style>, ClassificationError> {
    Style::stated(style).map_err(|source| ClassificationError::Style {
        table: table.name.clone(),
        column: column.to_owned(),
        source,
    })
}

fn stated(table: &ClassifiedTable, relation: &Relation) -> Result<Explicit, ClassificationError> {
    let mut columns = BTreeMap::new();
    for (name, style) in &table.columns {
        let column = relation
            .column(name)
            .ok_or_else(|| ClassificationError::UnknownColumn { table: table.name.clone(), column: name.clone() })?;
        columns.insert(column.number, style_of(table, name, style)?);
    }
    Ok(columns)
}

fn check(
    relation: &Relation,
    columns: &BTreeMap<i16, Option<Style>>,
    snapshot: &Snapshot,
) -> Result<(), ClassificationError> {
    for column in &relation.columns {
        let table = || relation.qualified().to_string();
        match columns.get(&column.number).and_then(Option::as_ref) {
            Some(Style::Hash(function)) if !snapshot.keeps_hash_key(&function.schema, &function.name) => {
                return Err(ClassificationError::HashFunction {
                    table: table(),
                    column: column.name.clone(),
                    function: format!("{}.{}", function.schema, function.name),
                });
            }
            Some(style) => check_style(style, column).map_err(|source| ClassificationError::Misfit {
                table: table(),
                column: column.name.clone(),
                source,
            })?,
            None => {
                let mut sources = column.generated_from.iter().flatten();
                if sources.any(|number| columns.get(number).is_some_and(Option::is_some)) {
                    return Err(ClassificationError::Generated { table: table(), column: column.name.clone() });
                }
            }
        }
    }
    Ok(())
}
