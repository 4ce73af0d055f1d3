//! The state of a query that is being made up: what can be seen at a point of it, and what was used where.

use std::collections::BTreeSet;

use super::kind::Kind;
use super::random::Random;
use super::schema::Relation;

/// Makes up queries over a schema.
pub(super) struct Generator<'a> {
    pub(super) random: Random,
    pub(super) relations: &'a [Relation],
    /// Query levels, innermost last.
    pub(super) levels: Vec<Level>,
    /// Common table expressions that can be seen.
    pub(super) tables: Vec<Table>,
    /// Where constants may be parameters, those so far.
    pub(super) parameters: Option<Vec<Parameter>>,
    /// Their types may be left to the server.
    pub(super) infers: bool,
    /// Where protected columns were used for more than being shown.
    pub(super) uses: BTreeSet<Place>,
    place: Place,
    /// A protected column was referred to since this was cleared.
    tainted: bool,
    /// Names given so far.
    names: usize,
    /// The outermost query has a whole row to show, and has not shown it yet.
    pub(super) shows_rows: bool,
    /// How many more subqueries there may be.
    pub(super) subqueries: usize,
    /// Nothing outside of the innermost level may be seen, and no subquery be asked.
    closed: bool,
    aggregates: bool,
    windows: bool,
}

/// One query level.
#[derive(Default)]
pub(super) struct Level {
    pub(super) columns: Vec<Visible>,
    /// What has a row of its own: how it is called.
    pub(super) rows: Vec<Row>,
    /// What a grouped query may show beside aggregates.
    pub(super) keys: Option<Vec<Visible>>,
    /// Definitions of its `WINDOW` clause.
    pub(super) windows: Vec<(String, String)>,
    /// Relations that stand there under their own names.
    pub(super) bare: Vec<String>,
}

/// A column, or a key of a grouped query, that can be referred to.
#[derive(Debug, Clone)]
pub(super) struct Visible {
    /// The item of FROM that it is of; empty for an expression.
    pub(super) item: String,
    /// The column's name, or the expression.
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) protected: bool,
}

/// A row that can be referred to as a whole.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) item: String,
    pub(super) protected: bool,
    /// Its fields have other names than the relation's columns: JSON of it has the relation's, and through the relay the new ones.
    pub(super) renamed: bool,
}

/// A common table expression.
#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) columns: Vec<Shown>,
}

/// A column of a query's result.
#[derive(Debug, Clone)]
pub(super) struct Shown {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) protected: bool,
}

/// A parameter and its value as text.
#[derive(Debug, Clone)]
pub(super) struct Parameter {
    pub(super) kind: Kind,
    pub(super) value: String,
    /// Its type is told with the statement.
    pub(super) typed: bool,
}

/// What a column is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    Output,
    Predicate,
    Grouping,
    Join,
}

impl<'a> Generator<'a> {
    pub(super) fn new(seed: u64, relations: &'a [Relation]) -> Self {
        Self {
            random: Random::new(seed),
            relations,
            levels: Vec::new(),
            tables: Vec::new(),
            parameters: None,
            infers: false,
            uses: BTreeSet::new(),
            place: Place::Output,
            tainted: false,
            names: 0,
            shows_rows: false,
            subqueries: 4,
            closed: false,
            aggregates: false,
            windows: false,
        }
    }

    pub(super) fn name(&mut self, prefix: &str) -> String {
        self.names += 1;
        format!("{prefix}{}", self.names)
    }

    pub(super) fn level(&mut self) -> &mut Level {
        self.levels.last_mut().unwrap()
    }

    /// Does something at a place where columns are used for this.
    pub(super) fn at<T>(&mut self, place: Place, what: impl FnOnce(&mut Self) -> T) -> T {
        let before = std::mem::replace(&mut self.place, place);
        let done = what(self);
        self.place = before;
        done
    }

    /// Whether a protected column was referred to in what was done.
    pub(super) fn watched<T>(&mut self, what: impl FnOnce(&mut Self) -> T) -> (T, bool) {
        let before = std::mem::replace(&mut self.tainted, false);
        let done = what(self);
        let tainted = self.tainted;
        self.tainted |= before;
        (done, tainted)
    }

    /// Does something with or without aggregates and window functions.
    pub(super) fn permitting<T>(&mut self, aggregates: bool, windows: bool, what: impl FnOnce(&mut Self) -> T) -> T {
        let before = (self.aggregates, self.windows, self.closed);
        (self.aggregates, self.windows, self.closed) = (aggregates, windows, false);
        let done = what(self);
        (self.aggregates, self.windows, self.closed) = before;
        done
    }

    /// An aggregate is of the level that its columns are of, so they are of one.
    pub(super) fn inside_of_aggregate<T>(&mut self, what: impl FnOnce(&mut Self) -> T) -> T {
        let before = (self.aggregates, self.windows, self.closed);
        (self.aggregates, self.windows, self.closed) = (false, false, true);
        let keys = self.level().keys.take();
        let done = what(self);
        self.level().keys = keys;
        (self.aggregates, self.windows, self.closed) = before;
        done
    }

    pub(super) fn inside_of_window<T>(&mut self, what: impl FnOnce(&mut Self) -> T) -> T {
        let before = (self.aggregates, self.windows);
        (self.aggregates, self.windows) = (false, false);
        let done = what(self);
        (self.aggregates, self.windows) = before;
        done
    }

    pub(super) fn closed<T>(&mut self, what: impl FnOnce(&mut Self) -> T) -> T {
        let before = std::mem::replace(&mut self.closed, true);
        let done = what(self);
        self.closed = before;
        done
    }

    pub(super) fn may_aggregate(&self) -> bool {
        self.aggregates
    }

    pub(super) fn may_window(&self) -> bool {
        self.windows
    }

    pub(super) fn may_ask(&self) -> bool {
        self.subqueries > 0 && !self.closed && self.levels.len() < 4
    }

    /// A column that can be seen, of this level mostly.
    pub(super) fn some_column(&mut self, fits: impl Fn(&Visible) -> bool) -> Option<Visible> {
        let innermost = self.levels.len().checked_sub(1)?;
        let outer = !self.closed && innermost > 0 && self.random.chance(30);
        let levels = if outer { 0..innermost } else { innermost..innermost + 1 };
        let mut found: Vec<&Visible> = Vec::new();
        for at in levels {
            let level = &self.levels[at];
            let columns = level.keys.as_ref().unwrap_or(&level.columns);
            // An expression that is a key is one at its own level alone.
            found.extend(columns.iter().filter(|column| (at == innermost || !column.item.is_empty()) && fits(column)));
        }
        if found.is_empty() {
            return None;
        }
        // Protected ones are what this is about.
        let protected: Vec<&Visible> = found.iter().copied().filter(|column| column.protected).collect();
        if !protected.is_empty() && self.random.chance(40) {
            return Some((*self.random.one_of(&protected)).clone());
        }
        Some((*self.random.one_of(&found)).clone())
    }

    /// How the column is written, and notes that it is used.
    pub(super) fn refer(&mut self, column: &Visible) -> String {
        self.note(column.protected);
        let whole = self.levels.iter().flat_map(|level| &level.rows).any(|row| row.item == column.item);
        let grouped = self.levels.iter().any(|level| level.keys.is_some());
        if whole && !grouped && !column.item.contains('.') && self.random.chance(4) {
            return format!("({}).{}", column.item, column.name);
        }
        if self.is_alone(column) && self.random.chance(30) {
            return column.name.clone();
        }
        column.sql()
    }

    /// Nothing else at any level has this name, so that it needs no qualification.
    fn is_alone(&self, column: &Visible) -> bool {
        let same = |other: &&Visible| other.name == column.name;
        let columns = self.levels.iter().flat_map(|level| &level.columns);
        !column.item.is_empty()
            && self.levels.last().is_some_and(|level| level.columns.iter().any(|other| other.item == column.item))
            && columns.filter(same).count() == 1
    }

    fn note(&mut self, protected: bool) {
        if protected {
            self.tainted = true;
            if self.place != Place::Output {
                self.uses.insert(self.place);
            }
        }
    }

    /// A whole row of this level.
    pub(super) fn some_row(&mut self, fits: impl Fn(&Row) -> bool) -> Option<String> {
        let level = self.levels.last()?;
        let rows: Vec<Row> = level.rows.iter().filter(|row| level.keys.is_none() && fits(row)).cloned().collect();
        if rows.is_empty() {
            return None;
        }
        let row = self.random.one_of(&rows).clone();
        self.note(row.protected);
        Some(row.item)
    }

    /// Keys by which no two different rows of this level are equal.
    pub(super) fn total_order(&self) -> Option<String> {
        let level = self.levels.last()?;
        let columns = level.keys.as_ref().unwrap_or(&level.columns);
        let few = !columns.is_empty() && columns.len() <= KEYS_MAX;
        let key = |column: &Visible| match column.kind.sorts() {
            true => column.sql(),
            false => format!("{}::text", column.sql()),
        };
        few.then(|| columns.iter().map(key).collect::<Vec<_>>().join(", "))
    }

    /// Puts a definition into the level's `WINDOW` clause.
    pub(super) fn named_window(&mut self, definition: &str) -> Option<String> {
        let name = self.name("w");
        let level = self.levels.last_mut()?;
        level.windows.push((name.clone(), definition.to_owned()));
        Some(name)
    }

    pub(super) fn parameter(&mut self, kind: Kind, value: &str) -> Option<String> {
        // An enum has another OID in each database.
        let parameters = self.parameters.as_mut().filter(|_| kind.oid() != 0)?;
        parameters.push(Parameter { kind, value: value.to_owned(), typed: true });
        Some(format!("${}::{}", parameters.len(), kind.sql()))
    }

    /// Where it stands, the server can tell its type.
    pub(super) fn untyped_parameter(&mut self, kind: Kind, value: &str) -> Option<String> {
        let parameters = self.parameters.as_mut().filter(|_| self.infers)?;
        parameters.push(Parameter { kind, value: value.to_owned(), typed: false });
        Some(format!("${}", parameters.len()))
    }

    /// Of the relations, one that is protected mostly.
    pub(super) fn some_relation(&mut self) -> &'a Relation {
        let protected: Vec<&Relation> = self.relations.iter().filter(|relation| relation.protected).collect();
        if self.random.chance(70) { self.random.pick(&protected) } else { self.random.one_of(self.relations) }
    }

    /// The kind of a column that is there, or any.
    pub(super) fn useful_kind(&mut self, sorted: bool) -> Kind {
        let found = self.some_column(|column| column.kind.sorts() || !sorted).map(|column| column.kind);
        let any = *self.random.one_of(&super::kind::ALL);
        match found {
            Some(kind) if self.random.chance(80) => kind,
            _ if sorted && !any.sorts() => Kind::Text,
            _ => any,
        }
    }
}

impl Visible {
    pub(super) fn sql(&self) -> String {
        if self.item.is_empty() { self.name.clone() } else { format!("{}.{}", self.item, self.name) }
    }
}

/// Longer lists make statements that nobody writes.
const KEYS_MAX: usize = 16;
