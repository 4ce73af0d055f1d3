//! What names mean at a point of a statement: common table expressions and the items of FROM, level by level.

use pg_query::protobuf::Node;

use crate::catalog::Relation;

/// One query level.
#[derive(Default)]
pub(super) struct Scope<'a> {
    /// Names of the common table expressions that this level defines, as far as they are visible.
    pub(super) ctes: Vec<String>,
    /// Items of its FROM, in order.
    pub(super) items: Vec<Item<'a>>,
    /// Guards to add to its WHERE, by the OIDs of their relations.
    pub(super) guards: Vec<(u32, Node)>,
    /// Columns of those common table expressions whose names the text tells.
    cte_columns: Vec<(String, Vec<String>)>,
    /// Columns that items of its FROM have by the text itself.
    written: Vec<String>,
    /// Its FROM is done: what follows sees all items of it.
    complete: bool,
}

/// An item of a FROM.
pub(super) struct Item<'a> {
    /// The name by which columns refer to it.
    pub(super) name: String,
    /// The relation it reads, when it is one of the snapshot.
    pub(super) relation: Option<&'a Relation>,
    /// The schema of a readable relation of the system.
    pub(super) system: Option<&'static str>,
    /// It has an alias of its own, so that its schema cannot qualify it any more.
    pub(super) aliased: bool,
    /// Its columns have other names than the relation's.
    pub(super) renamed: bool,
    /// Whose values it has.
    pub(super) role: Role,
}

/// Whose values an item has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Role {
    /// Stored ones, by way of a scan where they are protected.
    #[default]
    Read,
    /// Stored ones of the relation that is written: no scan stands before them.
    Target,
    /// The client's own: `excluded`.
    Own,
}

/// The levels around a point, innermost last.
#[derive(Default)]
pub(super) struct Scopes<'a> {
    levels: Vec<Scope<'a>>,
}

/// What a qualified column reference `schema.relation.column` points at.
pub(super) enum Qualified {
    /// The nearest item of its name.
    Item,
    /// No item of that schema and name.
    Missing,
    /// An item between here and there has the same name: without its schema the reference would change its meaning.
    Hidden,
}

impl<'a> Scopes<'a> {
    pub(super) fn push(&mut self) {
        self.levels.push(Scope::default());
    }

    pub(super) fn pop(&mut self) -> Scope<'a> {
        self.levels.pop().unwrap_or_default()
    }

    pub(super) fn add_cte(&mut self, name: &str) {
        if let Some(level) = self.levels.last_mut() {
            level.ctes.push(name.to_owned());
        }
    }

    /// The names of the columns of a common table expression of the innermost level, as the text tells them.
    pub(super) fn add_cte_columns(&mut self, name: &str, columns: Vec<String>) {
        if let Some(level) = self.levels.last_mut() {
            level.cte_columns.push((name.to_owned(), columns));
        }
    }

    /// Those of the one that a name means.
    pub(super) fn cte_columns(&self, name: &str) -> Vec<String> {
        let level = self.levels.iter().rev().find(|level| level.ctes.iter().any(|cte| cte == name));
        let known = level.and_then(|level| level.cte_columns.iter().rev().find(|(cte, _)| cte == name));
        known.map(|(_, columns)| columns.clone()).unwrap_or_default()
    }

    /// An item of the innermost level has columns of these names. How many there were before.
    pub(super) fn add_written(&mut self, columns: Vec<String>) -> usize {
        let Some(level) = self.levels.last_mut() else { return 0 };
        let before = level.written.len();
        level.written.extend(columns);
        before
    }

    /// Takes the newest of them away again.
    pub(super) fn keep_written(&mut self, count: usize) {
        if let Some(level) = self.levels.last_mut() {
            level.written.truncate(count);
        }
    }

    /// The FROM of the innermost level is done.
    pub(super) fn complete(&mut self) {
        if let Some(level) = self.levels.last_mut() {
            level.complete = true;
        }
    }

    /// Whether a column of this name is certainly one of the level where it stands: it means none of a level around it then.
    pub(super) fn supplies(&self, column: &str) -> bool {
        let has = |item: &Item<'a>| {
            item.role == Role::Read && !item.renamed && item.relation.is_some_and(|one| one.column(column).is_some())
        };
        self.levels.last().is_some_and(|level| {
            level.complete && (level.written.iter().any(|written| written == column) || level.items.iter().any(has))
        })
    }

    pub(super) fn add_item(&mut self, item: Item<'a>) {
        if let Some(level) = self.levels.last_mut() {
            level.items.push(item);
        }
    }

    /// Every item that can be seen from here, and those of levels between.
    pub(super) fn all(&self) -> impl Iterator<Item = &Item<'a>> {
        self.levels.iter().flat_map(|level| &level.items)
    }

    /// Items of the innermost level.
    pub(super) fn innermost(&self) -> &[Item<'a>] {
        self.levels.last().map(|level| level.items.as_slice()).unwrap_or_default()
    }

    /// Takes the newest items of the innermost level away again.
    pub(super) fn keep_items(&mut self, count: usize) {
        if let Some(level) = self.levels.last_mut() {
            level.items.truncate(count);
        }
    }

    /// How many levels there are.
    pub(super) fn depth(&self) -> usize {
        self.levels.len()
    }

    /// Whether the innermost level guards this relation.
    pub(super) fn is_guarded(&self, oid: u32) -> bool {
        self.levels.last().is_some_and(|level| level.guards.iter().any(|(guarded, _)| *guarded == oid))
    }

    /// Once for each relation and level.
    pub(super) fn add_guard(&mut self, oid: u32, guard: Node) {
        if let Some(level) = self.levels.last_mut() {
            level.guards.push((oid, guard));
        }
    }

    /// Whether an unqualified relation name is that of a visible common table expression.
    pub(super) fn is_cte(&self, name: &str) -> bool {
        self.levels.iter().any(|level| level.ctes.iter().any(|cte| cte == name))
    }

    /// Whether there are items that columns call by this name, and this holds for all of them: which one is meant follows
    /// also from what a subquery in FROM may see, with LATERAL and without.
    pub(super) fn all_items(&self, name: &str, holds: impl Fn(&Item<'a>) -> bool) -> bool {
        let mut items = self.levels.iter().flat_map(|level| &level.items).filter(|item| item.name == name).peekable();
        items.peek().is_some() && items.all(holds)
    }

    /// What `schema.relation` in front of a column points at.
    pub(super) fn qualified(&self, schema: &str, name: &str) -> Qualified {
        for level in self.levels.iter().rev() {
            let is_it = |item: &&Item<'a>| {
                let is_relation =
                    item.relation.is_some_and(|relation| relation.schema == schema && relation.name == name);
                !item.aliased && (is_relation || item.system == Some(schema) && item.name == name)
            };
            let same_name = level.items.iter().filter(|item| item.name == name).count();
            match level.items.iter().find(is_it) {
                Some(_) if same_name == 1 => return Qualified::Item,
                None if same_name == 0 => {}
                _ => return Qualified::Hidden,
            }
        }
        Qualified::Missing
    }
}
