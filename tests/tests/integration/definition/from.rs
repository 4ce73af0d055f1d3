//! Random items of FROM and joins of them.

use super::generator::{Generator, Level, Place, Row, Shown, Visible};
use super::kind::Kind;
use super::schema::{Is, Relation, plain_or_quoted};

/// An item that stands in FROM: its text, how it is called, what it has.
struct Item {
    sql: String,
    name: String,
    columns: Vec<Shown>,
    /// It has a row that can be referred to.
    row: bool,
    /// Columns of a relation have other names here.
    renamed: bool,
}

impl Generator<'_> {
    /// A FROM clause; what it brings can be seen in this level from then on.
    pub(super) fn from(&mut self, depth: usize) -> String {
        let mut number = match self.random.below(100) {
            0..=49 => 1,
            50..=87 => 2,
            _ => 3,
        };
        if self.levels.len() > 1 {
            number = number.min(2);
        }
        let first = self.item(depth);
        let mut sql = first.sql.clone();
        // What is before a comma cannot be seen in conditions of joins behind it.
        let mut since = 0;
        self.bring(&first);
        for _ in 1..number {
            let before = self.level().columns.len();
            if self.random.chance(12) {
                let item = self.sideways(depth);
                sql = format!("{sql}, {}", item.sql);
                since = before;
                self.bring(&item);
            } else {
                sql = self.join(&sql, since, depth, false);
            }
        }
        sql
    }

    /// `on`: only with a condition, so that no columns are merged.
    fn join(&mut self, left: &str, since: usize, depth: usize, on: bool) -> String {
        let kind =
            *self.random.one_of(&["JOIN", "JOIN", "INNER JOIN", "LEFT JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"]);
        let sees_left = matches!(kind, "JOIN" | "INNER JOIN" | "LEFT JOIN");
        let item = if sees_left && since == 0 && !on { self.sideways(depth) } else { self.item(depth) };
        let before = self.level().columns.len();
        let lefts: Vec<Visible> = self.level().columns[since..].to_vec();
        let single = !on && lefts.iter().all(|column| column.item == lefts[0].item);
        self.bring(&item);
        let rights: Vec<Visible> = self.level().columns[before..].to_vec();
        let common = common(&lefts, &rights);
        if since == 0 && self.random.chance(6) {
            return format!("{left} CROSS JOIN {}", item.sql);
        }
        if single && natural(&lefts, &rights) && self.random.chance(65) {
            self.at(Place::Join, |own| common.iter().for_each(|column| drop(own.refer(column))));
            return format!("{left} NATURAL {kind} {}", item.sql);
        }
        if !on && !common.is_empty() && self.random.chance(25) {
            return self.using(left, kind, &item, &common);
        }
        let condition = self.join_condition(kind, &lefts, &rights);
        format!("{left} {kind} {} ON {condition}", item.sql)
    }

    fn using(&mut self, left: &str, kind: &str, item: &Item, common: &[Visible]) -> String {
        let mut chosen = vec![self.random.one_of(common).clone()];
        if self.random.chance(40) {
            chosen.extend(common.iter().find(|column| column.name != chosen[0].name).cloned());
        }
        self.at(Place::Join, |own| chosen.iter().for_each(|column| drop(own.refer(column))));
        let names: Vec<&str> = chosen.iter().map(|column| column.name.as_str()).collect();
        let mut sql = format!("{left} {kind} {} USING ({})", item.sql, names.join(", "));
        if self.random.chance(50) {
            let name = self.name("u");
            sql = format!("{sql} AS {name}");
            let merged = chosen.into_iter().map(|column| Visible { item: name.clone(), ..column });
            self.level().columns.extend(merged);
        }
        sql
    }

    fn join_condition(&mut self, kind: &str, lefts: &[Visible], rights: &[Visible]) -> String {
        let mut pairs: Vec<(&Visible, &Visible)> = Vec::new();
        for left in lefts.iter().filter(|column| column.kind.sorts()) {
            for right in rights.iter().filter(|right| right.kind == left.kind) {
                let weight = if left.name == right.name { 4 } else { 1 };
                pairs.extend(std::iter::repeat_n((left, right), weight));
            }
        }
        if pairs.is_empty() {
            return "true".to_owned();
        }
        let protected: Vec<(&Visible, &Visible)> =
            pairs.iter().copied().filter(|(one, two)| one.protected || two.protected).collect();
        let among = if !protected.is_empty() && self.random.chance(35) { &protected } else { &pairs };
        let (left, right) = *self.random.one_of(among);
        // An outer join of both sides needs what can be hashed or merged.
        let operator = if kind == "FULL JOIN" {
            "="
        } else {
            *self.random.one_of(&["=", "=", "=", "=", "<=", "<>", "IS NOT DISTINCT FROM"])
        };
        let (one, two) = self.at(Place::Join, |own| (own.qualified(left), own.qualified(right)));
        let condition = format!("{one} {operator} {two}");
        if kind == "FULL JOIN" || self.random.chance(75) {
            return condition;
        }
        // What else stands in ON may name the two sides alone.
        let columns = [lefts, rights].concat();
        let level = Level { columns, ..Level::default() };
        self.levels.push(level);
        let more = self.at(Place::Join, |own| own.permitting(false, false, |own| own.closed(|own| own.condition(1))));
        self.levels.pop();
        format!("{condition} {} {more}", self.random.pick(&["AND", "OR"]))
    }

    /// In a condition of a join: another item, further left, may have a column of the same name.
    fn qualified(&mut self, column: &Visible) -> String {
        let _noted = self.refer(column);
        column.sql()
    }

    /// An item that may look at those before it.
    fn sideways(&mut self, depth: usize) -> Item {
        match self.random.below(100) {
            0..=11 if depth > 0 && self.subqueries > 0 => {
                self.subqueries -= 1;
                let select = self.nested(|own| own.select(None, depth - 1));
                let name = self.name("l");
                let sql = format!("LATERAL ({}) AS {name}", select.sql);
                Item { sql, name, columns: select.columns, row: true, renamed: false }
            }
            12..=27 => self.function(),
            _ => self.item(depth),
        }
    }

    fn item(&mut self, depth: usize) -> Item {
        match self.random.below(100) {
            0..=24 if !self.tables.is_empty() => self.common_table(),
            25..=35 if depth > 0 && self.subqueries > 0 => {
                self.subqueries -= 1;
                self.subselect(depth - 1)
            }
            36..=38 => self.values_item(),
            39..=42 if depth > 0 => self.joined(),
            _ => self.relation(),
        }
    }

    /// A relation as people write it: qualified or not, with an alias or not, with new names for columns or not.
    fn relation(&mut self) -> Item {
        let relation = self.some_relation();
        let mut columns: Vec<Shown> = relation.columns.iter().map(shown).collect();
        let bare = plain_or_quoted(&relation.name);
        let stands = self.levels.iter().any(|level| level.bare.contains(&bare));
        let hidden = self.tables.iter().any(|table| table.name == bare);
        let written = if hidden || self.random.chance(60) { relation.qualified() } else { bare.clone() };
        let written = self.with_or_without_children(relation, written);
        if !stands && self.random.chance(30) {
            self.level().bare.push(bare.clone());
            let name = if written.contains("app.") && self.random.chance(25) { format!("app.{bare}") } else { bare };
            return Item { sql: written, name, columns, row: true, renamed: false };
        }
        let name = self.name("t");
        let mut sql = format!("{written} {}{name}", self.random.pick(&["AS ", ""]));
        let renamed = self.random.chance(10);
        if renamed {
            let number = self.random.between(1, columns.len());
            let new: Vec<String> = (0..number).map(|_| self.name("x")).collect();
            for (column, name) in columns.iter_mut().zip(&new) {
                column.name.clone_from(name);
            }
            sql = format!("{sql} ({})", new.join(", "));
        }
        Item { sql, name, columns, row: true, renamed }
    }

    fn with_or_without_children(&mut self, relation: &Relation, name: String) -> String {
        let table = relation.is != Is::View;
        match self.random.below(100) {
            0..=7 if table && relation.is != Is::Partitioned => format!("ONLY {name}"),
            8..=11 if table && relation.is != Is::Partitioned => format!("ONLY ({name})"),
            12..=14 if table => format!("{name} *"),
            _ => name,
        }
    }

    fn common_table(&mut self) -> Item {
        let table = self.random.one_of(&self.tables).clone();
        let name = self.name("t");
        Item { sql: format!("{} AS {name}", table.name), name, columns: table.columns, row: true, renamed: false }
    }

    fn subselect(&mut self, depth: usize) -> Item {
        // Without LATERAL, what stands beside it in FROM cannot be seen.
        let beside = std::mem::take(self.level());
        let select = self.nested(|own| own.select(None, depth));
        *self.level() = beside;
        let name = self.name("s");
        let mut columns = select.columns;
        let mut sql = format!("({}) AS {name}", select.sql);
        if self.random.chance(15) {
            for column in &mut columns {
                column.name = self.name("x");
            }
            let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
            sql = format!("{sql} ({})", names.join(", "));
        }
        Item { sql, name, columns, row: true, renamed: false }
    }

    pub(super) fn values_item_text(&mut self, kinds: &[Kind]) -> String {
        let mut rows = Vec::new();
        for _ in 0..self.random.between(1, 4) {
            let row: Vec<String> = kinds.iter().map(|kind| self.literal(*kind)).collect();
            rows.push(format!("({})", row.join(", ")));
        }
        format!("VALUES {}", rows.join(", "))
    }

    fn values_item(&mut self) -> Item {
        let kinds = [Kind::Int, *self.random.one_of(&super::kind::ALL), Kind::Text];
        let values = self.values_item_text(&kinds);
        let name = self.name("v");
        let columns: Vec<Shown> = kinds.iter().map(|kind| clear(self.name("x"), *kind)).collect();
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        Item { sql: format!("({values}) AS {name} ({})", names.join(", ")), name, columns, row: true, renamed: false }
    }

    /// A join in parentheses, with a name for it and its columns.
    fn joined(&mut self) -> Item {
        let beside = std::mem::take(self.level());
        let first = self.relation();
        self.bring(&first);
        let sql = self.join(&first.sql.clone(), 0, 0, true);
        let inside = std::mem::replace(self.level(), beside);
        let renamed = |column: &Visible, name| Shown { name, kind: column.kind, protected: column.protected };
        let columns: Vec<Shown> = inside.columns.iter().map(|column| renamed(column, self.name("x"))).collect();
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        let name = self.name("j");
        Item { sql: format!("({sql}) AS {name} ({})", names.join(", ")), name, columns, row: true, renamed: false }
    }

    /// A function of what stands before it.
    fn function(&mut self) -> Item {
        let name = self.name("f");
        let (call, columns, protected) = self.call();
        let mut columns: Vec<Shown> =
            columns.iter().map(|kind| Shown { name: self.name("x"), kind: *kind, protected }).collect();
        let ordinality = self.random.chance(40);
        if ordinality {
            columns.push(clear(self.name("n"), Kind::Big));
        }
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        let with = if ordinality { " WITH ORDINALITY" } else { "" };
        let row = columns.len() > 1;
        Item { sql: format!("{call}{with} AS {name} ({})", names.join(", ")), name, columns, row, renamed: false }
    }

    fn call(&mut self) -> (String, Vec<Kind>, bool) {
        let what = self.random.below(9);
        let part = |own: &mut Self, kind| {
            own.watched(|own| own.permitting(false, false, |own| own.closed(|own| own.leaf(kind))))
        };
        match what {
            0 => {
                let (texts, protected) = part(self, Kind::Texts);
                (format!("unnest({texts})"), vec![Kind::Text], protected)
            }
            1 => {
                let (numbers, protected) = part(self, Kind::Ints);
                (format!("unnest({numbers})"), vec![Kind::Int], protected)
            }
            2 => {
                let (text, protected) = part(self, Kind::Text);
                (format!("string_to_table({text}, '-')"), vec![Kind::Text], protected)
            }
            3 => {
                let (document, protected) = part(self, Kind::Jsonb);
                let object = format!("CASE WHEN jsonb_typeof({document}) = 'object' THEN {document} END");
                (format!("jsonb_each({object})"), vec![Kind::Text, Kind::Jsonb], protected)
            }
            4 | 8 => {
                let (texts, one) = part(self, Kind::Texts);
                let (numbers, two) = part(self, Kind::Ints);
                (format!("ROWS FROM (unnest({texts}), unnest({numbers}))"), vec![Kind::Text, Kind::Int], one || two)
            }
            5 => {
                let (texts, one) = part(self, Kind::Texts);
                let (numbers, two) = part(self, Kind::Ints);
                (format!("unnest({texts}, {numbers})"), vec![Kind::Text, Kind::Int], one || two)
            }
            6 => {
                let (text, protected) = part(self, Kind::Text);
                (format!("regexp_split_to_table({text}, '[-*]')"), vec![Kind::Text], protected)
            }
            _ => {
                let (number, protected) = part(self, Kind::Int);
                (format!("generate_series(1, LEAST({number}, 5))"), vec![Kind::Int], protected)
            }
        }
    }

    fn bring(&mut self, item: &Item) {
        let visible = item.columns.iter().map(|column| Visible {
            item: item.name.clone(),
            name: column.name.clone(),
            kind: column.kind,
            protected: column.protected,
        });
        let visible: Vec<Visible> = visible.collect();
        let protected = item.columns.iter().any(|column| column.protected);
        let level = self.level();
        level.columns.extend(visible);
        if item.row && !item.name.contains('.') {
            level.rows.push(Row { item: item.name.clone(), protected, renamed: item.renamed });
        }
    }
}

/// Columns of one name and kind, one on each side; those of the left.
fn common(lefts: &[Visible], rights: &[Visible]) -> Vec<Visible> {
    let once = |columns: &[Visible], name: &str| columns.iter().filter(|column| column.name == name).count() == 1;
    let same = |left: &&Visible| {
        let right = rights.iter().find(|right| right.name == left.name);
        right.is_some_and(|right| right.kind == left.kind && left.kind.sorts())
            && once(lefts, &left.name)
            && once(rights, &left.name)
    };
    let joined = lefts.iter().filter(same).cloned().map(|mut left| {
        left.protected |= rights.iter().any(|right| right.name == left.name && right.protected);
        left
    });
    joined.collect()
}

/// All columns that have the same name can be compared.
fn natural(lefts: &[Visible], rights: &[Visible]) -> bool {
    let shared = lefts.iter().filter(|left| rights.iter().any(|right| right.name == left.name)).count();
    let common = common(lefts, rights).len();
    // Of many, hardly any two rows agree.
    common > 0 && common == shared && common <= 4
}

fn shown(column: &super::schema::Column) -> Shown {
    Shown { name: plain_or_quoted(&column.name), kind: column.kind, protected: column.style.is_some() }
}

fn clear(name: String, kind: Kind) -> Shown {
    Shown { name, kind, protected: false }
}
