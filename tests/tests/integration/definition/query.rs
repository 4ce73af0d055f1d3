//! Random queries, and random views, which are queries.

use super::generator::{Generator, Level, Place, Shown, Table, Visible};
use super::kind::Kind;
use super::random::Random;
use super::schema::{Column, Is, Relation, plain_or_quoted};

/// A query.
pub(super) struct Select {
    pub(super) sql: String,
    pub(super) columns: Vec<Shown>,
    /// No two different rows of its result may change places.
    pub(super) ordered: bool,
    /// It has its order and its limit already.
    complete: bool,
}

/// The view of this number over tables and views before it, and the statement that makes it.
pub(super) fn view(random: &mut Random, number: usize, tables: &[Relation], views: &[Relation]) -> (Relation, String) {
    // The last ones read views alone.
    let below = if number < VIEWS - 3 || views.is_empty() { tables } else { views };
    let mut generator = Generator::new(random.next(), below);
    generator.subqueries = 1;
    let select = generator.select(None, 1);
    let name = format!("view{number}");
    let option = generator.random.pick(&["", "", " WITH (security_invoker)"]);
    let definition = format!("CREATE VIEW app.{name}{option} AS {}", select.sql);
    let columns: Vec<Column> = select.columns.iter().map(column).collect();
    let protected = columns.iter().any(|column| column.style.is_some());
    (Relation { name, columns, is: Is::View, protected }, definition)
}

impl Generator<'_> {
    /// A query in parentheses, or an item of FROM.
    pub(super) fn nested<T>(&mut self, what: impl FnOnce(&mut Self) -> T) -> T {
        self.at(Place::Output, |own| own.permitting(false, false, what))
    }

    /// A query of these kinds, or of any; each of its columns has a name of its own.
    pub(super) fn select(&mut self, kinds: Option<&[Kind]>, depth: usize) -> Select {
        if depth > 0 && self.subqueries > 0 && self.random.chance(14) {
            return self.with(kinds, depth - 1);
        }
        let mut select = self.body(kinds, depth);
        self.tail(&mut select);
        select
    }

    /// The outermost query: rows may be among what it shows.
    pub(super) fn outermost(&mut self) -> Select {
        self.shows_rows = self.random.chance(12);
        self.select(None, 2)
    }

    fn body(&mut self, kinds: Option<&[Kind]>, depth: usize) -> Select {
        match self.random.below(100) {
            0..=11 if depth > 0 && self.subqueries > 0 => self.set_operation(kinds, depth - 1),
            12..=14 => self.values(kinds),
            15..=37 => self.grouped(kinds, depth),
            _ => self.plain(kinds, depth),
        }
    }

    fn plain(&mut self, kinds: Option<&[Kind]>, depth: usize) -> Select {
        self.levels.push(Level::default());
        let from = self.from(depth);
        let condition = self.filter();
        let select = if kinds.is_none() && self.random.chance(8) {
            self.star(&from)
        } else {
            let (list, columns) = self.outputs(kinds, false);
            let sorted = columns.iter().all(|column| column.kind.sorts());
            if sorted && self.random.chance(8) {
                return self.first_of_each(&list, columns, &from, &condition);
            }
            let distinct = sorted && self.random.chance(15);
            let sql = format!("SELECT {}{list} FROM {from}", if distinct { "DISTINCT " } else { "" });
            Select { sql, columns, ordered: false, complete: false }
        };
        let level = self.levels.pop().unwrap();
        let sql = format!("{}{condition}{}", select.sql, window_clause(&level));
        Select { sql, ..select }
    }

    /// `DISTINCT ON`, in an order in which it is fixed which row comes first.
    fn first_of_each(&mut self, list: &str, columns: Vec<Shown>, from: &str, condition: &str) -> Select {
        let key = self.at(Place::Grouping, |own| {
            own.closed(|own| {
                let column = own.some_column(|column| column.kind.sorts())?;
                let _noted = own.refer(&column);
                Some(column.sql())
            })
        });
        let level = self.levels.pop().unwrap();
        let places: Vec<String> = (1..=columns.len()).map(|place| place.to_string()).collect();
        let (on, order) = match key {
            Some(key) => (format!("ON ({key}) "), format!("{key}, {}", places.join(", "))),
            None => (String::new(), places.join(", ")),
        };
        let window = window_clause(&level);
        let sql = format!("SELECT DISTINCT {on}{list} FROM {from}{condition}{window} ORDER BY {order}");
        Select { sql, columns, ordered: true, complete: true }
    }

    /// All columns of one item, or a row that says which is the first of its like.
    fn star(&mut self, from: &str) -> Select {
        let columns = self.level().columns.clone();
        let single = columns.iter().all(|column| column.item == columns[0].item);
        let unique = |column: &Visible| columns.iter().filter(|other| other.name == column.name).count() == 1;
        if !single || columns.is_empty() || !columns.iter().all(unique) {
            let (list, columns) = self.outputs(None, false);
            return Select { sql: format!("SELECT {list} FROM {from}"), columns, ordered: false, complete: false };
        }
        let item = columns[0].item.clone();
        let shown = columns.iter().map(|column| Shown {
            name: column.name.clone(),
            kind: column.kind,
            protected: column.protected,
        });
        let list = match self.random.below(10) {
            0..=4 => "*".to_owned(),
            5 | 6 if !item.contains('.') => format!("({item}).*"),
            _ => format!("{item}.*"),
        };
        Select { sql: format!("SELECT {list} FROM {from}"), columns: shown.collect(), ordered: false, complete: false }
    }

    fn filter(&mut self) -> String {
        if self.random.chance(50) {
            return String::new();
        }
        let condition = self.at(Place::Predicate, |own| own.permitting(false, false, |own| own.condition(3)));
        format!(" WHERE {condition}")
    }

    /// The list of what is selected, each with a name.
    fn outputs(&mut self, kinds: Option<&[Kind]>, grouped: bool) -> (String, Vec<Shown>) {
        let number = kinds.map_or_else(|| self.random.between(1, 5), <[Kind]>::len);
        let (mut texts, mut shown) = (Vec::new(), Vec::new());
        for place in 0..number {
            let kind = kinds.map_or_else(|| self.useful_kind(false), |kinds| kinds[place]);
            let windows = !grouped || self.random.chance(30);
            let depth = self.random.between(0, 2);
            let (text, protected) =
                self.watched(|own| own.permitting(grouped, windows, |own| own.expression(kind, depth)));
            let name = self.name("c");
            texts.push(format!("{text} AS {name}"));
            shown.push(Shown { name, kind, protected });
        }
        if kinds.is_none() && !grouped && self.levels.len() == 1 && std::mem::take(&mut self.shows_rows) {
            let row = self.whole_row();
            let name = self.name("c");
            texts.push(format!("{row} AS {name}"));
            // Rows of it are not compared with each other, for which `Json` stands.
            shown.push(Shown { name, kind: Kind::Json, protected: true });
        }
        (texts.join(", "), shown)
    }

    fn whole_row(&mut self) -> String {
        match self.some_row(|_| true) {
            Some(row) if self.random.chance(70) => row,
            Some(row) if self.random.chance(40) => format!("ROW({row}.*)"),
            _ => {
                let (one, two) = (self.leaf(Kind::Text), self.leaf(Kind::Date));
                format!("{}({one}, {two})", self.random.pick(&["ROW", ""]))
            }
        }
    }

    fn grouped(&mut self, kinds: Option<&[Kind]>, depth: usize) -> Select {
        self.levels.push(Level::default());
        let from = self.from(depth);
        let condition = self.filter();
        let keys = self.keys();
        let sets = !keys.is_empty() && self.random.chance(40);
        let mut clause = self.group_clause(&keys, sets);
        self.level().keys = Some(keys.clone());
        // With grouping sets rows that differ have equal keys.
        let (mut list, mut columns) = if sets { self.without_windows(kinds) } else { self.outputs(kinds, true) };
        if sets && kinds.is_none() {
            let name = self.name("c");
            let key = self.random.one_of(&keys).sql();
            list = format!("{list}, GROUPING({key}) AS {name}");
            columns.push(Shown { name, kind: Kind::Int, protected: false });
        }
        if !sets && kinds.is_none() && !keys.is_empty() && self.random.chance(25) {
            // By their places in what is selected.
            for key in keys.iter().rev() {
                let name = self.name("c");
                list = format!("{} AS {name}, {list}", key.sql());
                columns.insert(0, Shown { name, kind: key.kind, protected: key.protected });
            }
            let places: Vec<String> = (1..=keys.len()).map(|place| place.to_string()).collect();
            clause = format!(" GROUP BY {}", places.join(", "));
        }
        let having = if self.random.chance(25) {
            let condition = self.at(Place::Grouping, |own| own.permitting(true, false, |own| own.having()));
            format!(" HAVING {condition}")
        } else {
            String::new()
        };
        let level = self.levels.pop().unwrap();
        let sql = format!("SELECT {list} FROM {from}{condition}{clause}{having}{}", window_clause(&level));
        Select { sql, columns, ordered: false, complete: false }
    }

    fn without_windows(&mut self, kinds: Option<&[Kind]>) -> (String, Vec<Shown>) {
        let chosen: Vec<Kind> = match kinds {
            Some(kinds) => kinds.to_vec(),
            None => (0..3).map(|_| self.useful_kind(false)).collect(),
        };
        let (mut texts, mut shown) = (Vec::new(), Vec::new());
        for kind in chosen {
            let (text, protected) = self.watched(|own| own.permitting(true, false, |own| own.expression(kind, 1)));
            let name = self.name("c");
            texts.push(format!("{text} AS {name}"));
            shown.push(Shown { name, kind, protected });
        }
        (texts.join(", "), shown)
    }

    fn having(&mut self) -> String {
        if self.random.chance(50) {
            return format!("count(*) >= {}", self.random.between(0, 2));
        }
        self.condition(2)
    }

    /// What a query is grouped by: columns mostly.
    fn keys(&mut self) -> Vec<Visible> {
        let mut keys: Vec<Visible> = Vec::new();
        for _ in 0..self.random.below(4) {
            let found = self.at(Place::Grouping, |own| {
                own.closed(|own| {
                    let column = own.some_column(|column| column.kind.sorts())?;
                    // Under its full name, however it is called elsewhere.
                    let _noted = own.refer(&column);
                    Some(column)
                })
            });
            let Some(column) = found else { continue };
            let computed = match column.kind {
                Kind::Text => Some(format!("lower({})", column.sql())),
                Kind::Int => Some(format!("({} % 3)", column.sql())),
                Kind::Date => Some(format!("date_trunc('year', {}::timestamp)::date", column.sql())),
                _ => None,
            };
            let key = match computed {
                Some(name) if self.random.chance(25) => Visible { item: String::new(), name, ..column },
                _ => column,
            };
            if keys.iter().all(|other| other.sql() != key.sql()) {
                keys.push(key);
            }
        }
        keys
    }

    fn group_clause(&mut self, keys: &[Visible], sets: bool) -> String {
        if keys.is_empty() {
            return String::new();
        }
        let texts: Vec<String> = keys.iter().map(Visible::sql).collect();
        let all = texts.join(", ");
        if !sets {
            return format!(" GROUP BY {all}");
        }
        match self.random.below(4) {
            0 => format!(" GROUP BY ROLLUP ({all})"),
            1 => format!(" GROUP BY CUBE ({all})"),
            2 => format!(" GROUP BY GROUPING SETS (({all}), ({}), ())", texts[0]),
            _ => format!(" GROUP BY DISTINCT ROLLUP ({all}), ROLLUP ({})", texts[0]),
        }
    }

    fn set_operation(&mut self, kinds: Option<&[Kind]>, depth: usize) -> Select {
        self.subqueries -= 1;
        let own: Vec<Kind> = match kinds {
            Some(kinds) => kinds.to_vec(),
            None => (0..self.random.between(1, 3)).map(|_| self.useful_kind(true)).collect(),
        };
        let sorted = own.iter().all(|kind| kind.sorts());
        let operators = ["UNION ALL", "UNION", "UNION", "INTERSECT", "INTERSECT ALL", "EXCEPT", "EXCEPT ALL"];
        let operator = if sorted { self.random.pick(&operators) } else { operators[0] };
        let left = self.body(Some(&own), depth);
        let right = self.body(Some(&own), depth);
        let mut columns = left.columns;
        for (column, other) in columns.iter_mut().zip(&right.columns) {
            column.protected |= other.protected;
        }
        // Hardly ever do two queries find the same.
        let both = operator.starts_with("INTERSECT") && self.random.chance(70);
        let right = if both { format!("({}) UNION ALL ({})", left.sql, right.sql) } else { right.sql };
        Select { sql: format!("({}) {operator} ({right})", left.sql), columns, ordered: false, complete: false }
    }

    fn values(&mut self, kinds: Option<&[Kind]>) -> Select {
        let own = kinds.map_or_else(|| vec![Kind::Int, Kind::Text], <[Kind]>::to_vec);
        let values = self.values_item_text(&own);
        let name = |place: usize| format!("column{}", place + 1);
        let columns =
            own.iter().enumerate().map(|(place, kind)| Shown { name: name(place), kind: *kind, protected: false });
        Select { sql: values, columns: columns.collect(), ordered: false, complete: false }
    }

    fn with(&mut self, kinds: Option<&[Kind]>, depth: usize) -> Select {
        let visible = self.tables.len();
        let recursive = self.random.chance(40);
        let mut texts = Vec::new();
        for _ in 0..self.random.between(1, 2) {
            self.subqueries = self.subqueries.saturating_sub(1);
            if recursive && texts.is_empty() {
                let (text, table) = self.recursive();
                texts.push(text);
                self.tables.push(table);
                continue;
            }
            // With RECURSIVE it would mean itself where its own query names it.
            let name = if recursive { self.name("q") } else { self.table_name() };
            let select = self.nested(|own| own.alone(|own| own.select(None, depth)));
            texts.push(format!("{name} AS {}({})", self.materialized(), select.sql));
            self.tables.push(Table { name, columns: select.columns });
        }
        let mut select = self.body(kinds, depth);
        self.tail(&mut select);
        self.tables.truncate(visible);
        let with = if recursive { "WITH RECURSIVE" } else { "WITH" };
        Select { sql: format!("{with} {} {}", texts.join(", "), select.sql), ..select }
    }

    /// Sometimes that of a relation, which it hides.
    fn table_name(&mut self) -> String {
        let name = plain_or_quoted(&self.some_relation().name);
        let taken = self.tables.iter().any(|table| table.name == name);
        if !taken && self.random.chance(25) { name } else { self.name("q") }
    }

    fn materialized(&mut self) -> &'static str {
        self.random.pick(&["", "", "MATERIALIZED ", "NOT MATERIALIZED "])
    }

    /// Counts to three, or follows rows from one to the next. What SEARCH and CYCLE add is of types that no kind is of, so
    /// another query shows it as text.
    fn recursive(&mut self) -> (String, Table) {
        let name = self.name("q");
        let (query, protected) = self.recursive_query(&name);
        let mut text = format!("{name} (n, x) AS {}({query})", self.materialized());
        let column = |name: &str, kind, protected| Shown { name: name.to_owned(), kind, protected };
        let mut columns = vec![column("n", Kind::Int, false), column("x", Kind::Text, protected)];
        let how = self.random.below(100);
        if how < 25 {
            return (text, Table { name, columns });
        }
        let mut shown = "n, x".to_owned();
        if how < 70 {
            let (first, by) = (self.random.pick(&["DEPTH", "BREADTH"]), self.random.pick(&["n", "x", "x, n"]));
            text.push_str(&format!(" SEARCH {first} FIRST BY {by} SET place"));
            shown.push_str(", place::text AS place");
            columns.push(column("place", Kind::Text, protected));
        }
        if how >= 55 {
            // No text: the server prints a view that has one as it would not take it.
            let (mark, kind) = *self.random.one_of(&[("", Kind::Bool), (" TO 1 DEFAULT 0", Kind::Int)]);
            text.push_str(&format!(" CYCLE {} SET met{mark} USING path", self.random.pick(&["x", "x", "n, x"])));
            shown.push_str(", met, path::text AS path");
            columns.extend([column("met", kind, protected), column("path", Kind::Text, protected)]);
        }
        let all = self.name("q");
        (format!("{text}, {all} AS (SELECT {shown} FROM {name})"), Table { name: all, columns })
    }

    /// Whether what it finds is protected, too.
    fn recursive_query(&mut self, name: &str) -> (String, bool) {
        let relation = self.some_relation();
        let text = relation.columns.iter().find(|column| column.kind == Kind::Text);
        let shown = text.map_or_else(|| "'none'".to_owned(), |column| super::kind::quoted(&column.name));
        let protected = text.is_some_and(|column| column.style.is_some());
        let table = relation.qualified();
        let step = if self.random.chance(50) {
            format!("SELECT n + 1, (x || '.')::text FROM {name} WHERE n < 3")
        } else {
            if protected {
                self.uses.insert(Place::Join);
            }
            format!(
                "SELECT r.n + 1, t.{shown}::text FROM {name} r JOIN {table} t ON t.{shown}::text = r.x WHERE r.n < 3"
            )
        };
        let step =
            if text.is_none() { format!("SELECT n + 1, (x || '.')::text FROM {name} WHERE n < 3") } else { step };
        (format!("SELECT 1, {shown}::text FROM {table} UNION {step}"), protected)
    }

    /// Sees nothing of the levels around.
    fn alone<T>(&mut self, what: impl FnOnce(&mut Self) -> T) -> T {
        let around = std::mem::take(&mut self.levels);
        self.shows_rows = false;
        let done = what(self);
        self.levels = around;
        done
    }

    /// An order of all columns, and with it, what takes some of the rows.
    fn tail(&mut self, select: &mut Select) {
        let sorted = select.columns.iter().all(|column| column.kind.sorts());
        if select.complete || !sorted || !self.random.chance(35) {
            return;
        }
        let mut places: Vec<usize> = (1..=select.columns.len()).collect();
        self.random.shuffle(&mut places);
        let key = |own: &mut Self, place: &usize| {
            let key = if own.random.chance(30) { select.columns[place - 1].name.clone() } else { place.to_string() };
            format!("{key}{}", own.random.pick(&["", "", " ASC", " DESC", " NULLS FIRST", " DESC NULLS LAST"]))
        };
        let keys: Vec<String> = places.iter().map(|place| key(self, place)).collect();
        select.ordered = true;
        let tail = match self.random.below(100) {
            0..=24 => format!(" LIMIT {}", self.random.between(1, 9)),
            25..=31 => format!(" LIMIT {} OFFSET {}", self.random.between(2, 9), self.random.between(0, 3)),
            32..=36 => format!(" OFFSET {}", self.random.between(0, 3)),
            37..=41 => format!(" FETCH FIRST {} ROWS ONLY", self.random.between(1, 9)),
            42..=52 => {
                // Of one key: with those that are equal in it, nothing is left open but their order.
                select.ordered = false;
                let tail = format!(" FETCH FIRST {} ROWS WITH TIES", self.random.between(1, 5));
                select.sql = format!("{} ORDER BY {}{tail}", select.sql, keys[0]);
                return;
            }
            _ => String::new(),
        };
        select.sql = format!("{} ORDER BY {}{tail}", select.sql, keys.join(", "));
    }
}

fn window_clause(level: &Level) -> String {
    let named: Vec<String> =
        level.windows.iter().map(|(name, definition)| format!("{name} AS ({definition})")).collect();
    if named.is_empty() { String::new() } else { format!(" WINDOW {}", named.join(", ")) }
}

/// A view's column: protected where a protected one went into it.
fn column(shown: &Shown) -> Column {
    Column {
        name: shown.name.trim_matches('"').to_owned(),
        kind: shown.kind,
        declared: String::new(),
        capacity: usize::MAX,
        style: shown.protected.then_some(super::masks::Style::Default),
        listed: false,
        never_null: false,
        generated: false,
    }
}

/// Of a schema.
pub(super) const VIEWS: usize = 8;
