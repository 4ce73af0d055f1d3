//! A random schema: tables whose columns are of many types, some protected, some inherited or cut into partitions.

use std::fmt::Write;

use super::kind::{Kind, quoted};
use super::masks::Style;
use super::random::Random;

/// A table or view of schema `app`.
#[derive(Debug, Clone)]
pub(super) struct Relation {
    pub(super) name: String,
    pub(super) columns: Vec<Column>,
    pub(super) is: Is,
    /// A column of it is protected.
    pub(super) protected: bool,
}

/// What a relation is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Is {
    Table,
    /// Cut by `grp`.
    Partitioned,
    /// Of the partitioned table of this name: where `grp` is 0 or 1, or everything else.
    Part {
        of: String,
        low: bool,
    },
    /// Inherits from the table of this name.
    Child(String),
    View,
}

/// A column.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: Kind,
    /// Its type in the database.
    pub(super) declared: String,
    /// Characters that it holds at most.
    pub(super) capacity: usize,
    /// How it is masked; `None` = clear.
    pub(super) style: Option<Style>,
    /// The classification names it; otherwise it is masked because others are.
    pub(super) listed: bool,
    /// Never NULL, and declared so where rows are raw.
    pub(super) never_null: bool,
    /// Made from column `name`.
    pub(super) generated: bool,
}

/// The tables of a schema; views are made over them afterwards.
pub(super) fn tables(random: &mut Random) -> Vec<Relation> {
    let vocabulary = vocabulary(random);
    let mut tables = Vec::new();
    for (name, protected) in
        [("patients", true), ("visits", true), ("Odd Table", true), ("wards", false), ("payers", false)]
    {
        tables.push(table(random, name, Is::Table, &vocabulary, protected));
    }
    let cut = table(random, "events", Is::Partitioned, &vocabulary, true);
    for (name, low) in [("events_low", true), ("events_rest", false)] {
        let mut part = Relation { name: name.to_owned(), is: Is::Part { of: cut.name.clone(), low }, ..cut.clone() };
        if !low {
            part.columns.reverse();
        }
        tables.push(part);
    }
    tables.push(cut);
    let people = table(random, "people", Is::Table, &vocabulary, true);
    let mut staff = Relation { name: "staff".to_owned(), is: Is::Child(people.name.clone()), ..people.clone() };
    staff.columns.push(Column {
        name: "badge".to_owned(),
        style: Some(Style::Default),
        ..Column::plain("badge", Kind::Text, "text")
    });
    tables.extend([people, staff]);
    tables
}

impl Column {
    fn plain(name: &str, kind: Kind, declared: &str) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            declared: declared.to_owned(),
            capacity: capacity(declared),
            style: None,
            listed: false,
            never_null: false,
            generated: false,
        }
    }

    /// Its type in the masked copy: a domain's constraint would not let masks in.
    pub(super) fn masked_type(&self) -> &str {
        match self.declared.as_str() {
            "app.label" => "text",
            "app.short_label" => "varchar(12)",
            "app.small" => "int2",
            "app.sorted" => "text COLLATE \"C\"",
            other => other,
        }
    }
}

impl Relation {
    /// `app.name`, in quotes where it needs them.
    pub(super) fn qualified(&self) -> String {
        format!("app.{}", plain_or_quoted(&self.name))
    }

    /// `CREATE TABLE`, without constraints.
    pub(super) fn create(&self) -> String {
        let columns: Vec<String> = self.columns.iter().map(definition).collect();
        let (name, columns) = (self.qualified(), columns.join(", "));
        // What was dropped still has a number.
        let dropped = format!(
            "CREATE TABLE {name} (gone int, {columns}, lost text);
            ALTER TABLE {name} DROP gone, DROP lost;\n"
        );
        match &self.is {
            Is::Partitioned => format!("CREATE TABLE {name} ({columns}) PARTITION BY LIST (grp);\n"),
            Is::Part { of, low: true } => format!("CREATE TABLE {name} PARTITION OF app.{of} FOR VALUES IN (0, 1);\n"),
            Is::Part { of, low: false } => format!("{dropped}ALTER TABLE app.{of} ATTACH PARTITION {name} DEFAULT;\n"),
            Is::Child(parent) => format!("CREATE TABLE {name} (badge text) INHERITS (app.{parent});\n"),
            Is::Table | Is::View => dropped,
        }
    }

    /// What the masked copy must drop before masks can be put into it.
    pub(super) fn loosen(&self) -> String {
        if !matches!(self.is, Is::Table | Is::Partitioned) {
            return String::new();
        }
        let masked = |column: &&Column| column.style.is_some();
        let alter = |column: &Column, how: String| {
            format!("ALTER TABLE {} ALTER {} {how};\n", self.qualified(), quoted(&column.name))
        };
        let generated = self.columns.iter().filter(|column| column.generated);
        let made = generated.map(|column| alter(column, "DROP EXPRESSION".to_owned()));
        let domains = self.columns.iter().filter(masked).filter(|column| column.masked_type() != column.declared);
        made.chain(domains.map(|column| alter(column, format!("TYPE {}", column.masked_type())))).collect()
    }

    /// Constraints and indexes for the raw rows, from which the planner draws conclusions.
    pub(super) fn constrain(&self) -> String {
        let (mut sql, table) = (String::new(), self.qualified());
        if !matches!(self.is, Is::Table | Is::Partitioned) {
            return sql;
        }
        for column in self.columns.iter().filter(|column| column.never_null) {
            writeln!(sql, "ALTER TABLE {table} ALTER {} SET NOT NULL;", quoted(&column.name)).unwrap();
        }
        for column in self.columns.iter().filter(|column| column.kind == Kind::Text && column.style.is_some()) {
            let name = quoted(&column.name);
            writeln!(sql, "ALTER TABLE {table} ADD CHECK ({name} <> '***' AND {name} <> 'masked');").unwrap();
            writeln!(sql, "CREATE INDEX ON {table} ({name}, id);").unwrap();
        }
        sql
    }

    /// Its entry of the classification; empty where that says nothing of it.
    pub(super) fn classification(&self) -> String {
        if !self.protected || !matches!(self.is, Is::Table | Is::Partitioned) {
            return String::new();
        }
        let stated = self.columns.iter().filter(|column| column.listed).map(|column| {
            let style = column.style.map_or("clear", Style::word);
            format!("{:?} = {style:?}", column.name)
        });
        let stated: Vec<String> = stated.collect();
        format!("[[table]]\nname = {:?}\ncolumns = {{ {} }}\n", self.qualified(), stated.join(", "))
    }
}

fn table(random: &mut Random, name: &str, is: Is, vocabulary: &[Column], protected: bool) -> Relation {
    let mut columns = vec![vocabulary[0].clone(), vocabulary[1].clone(), vocabulary[2].clone()];
    let mut others: Vec<Column> = vocabulary[3..].to_vec();
    random.shuffle(&mut others);
    others.truncate(random.between(6, 13));
    // What is generated is made from a name.
    if protected && is == Is::Table && others.iter().any(|column| column.name == "name") {
        others.push(Column { generated: true, ..Column::plain("initial", Kind::Text, "text") });
    }
    columns.extend(others);
    for (place, column) in columns.iter_mut().enumerate() {
        column.never_null = place == 0 || (!column.generated && random.chance(20));
        classify(random, column, protected, place);
    }
    // Of a partitioned table, the column by which it is cut stays clear: which part a row is in tells it.
    if is != Is::Table {
        columns[1] = Column { style: None, listed: true, never_null: false, ..columns[1].clone() };
    }
    Relation { name: name.to_owned(), columns, is, protected }
}

/// The first column is a key that stays clear; others are named with a style, called clear, or left to the closed world.
fn classify(random: &mut Random, column: &mut Column, protected: bool, place: usize) {
    let fate = random.below(100);
    (column.style, column.listed) = match fate {
        _ if !protected => (None, false),
        _ if place == 0 => (None, true),
        _ if column.generated => (Some(Style::Default), false),
        0..=24 => (None, true),
        25..=39 => (Some(Style::Default), false),
        _ => (Some(*random.one_of(&Style::fitting(column.kind, column.capacity))), true),
    };
}

fn definition(column: &Column) -> String {
    let made = if column.generated { " GENERATED ALWAYS AS (left(name::text, 1)) STORED" } else { "" };
    format!("{} {}{made}", quoted(&column.name), column.declared)
}

/// Names and types of columns: the same name is of the same kind in all tables of a schema, so that they join.
fn vocabulary(random: &mut Random) -> Vec<Column> {
    let choose = |(name, kind, types): &(&str, Kind, &[&str])| Column::plain(name, *kind, random.pick(types));
    VOCABULARY.iter().map(choose).collect()
}

fn capacity(declared: &str) -> usize {
    match declared {
        "app.short_label" => 12,
        "name" => 63,
        _ => declared.split(['(', ')']).nth(1).and_then(|number| number.parse().ok()).unwrap_or(usize::MAX),
    }
}

/// As people would write it.
pub(super) fn plain_or_quoted(name: &str) -> String {
    let plain = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_' || byte.is_ascii_digit());
    if plain && name != "select" && name != "user" { name.to_owned() } else { quoted(name) }
}

/// Types that the tables are made of.
pub(super) const TYPES: &str = "
CREATE SCHEMA app;
CREATE TYPE app.mood AS ENUM ('calm', 'grim', 'gleeful');
CREATE DOMAIN app.label AS text CHECK (length(VALUE) < 40 AND VALUE <> '***' AND VALUE <> 'masked');
CREATE DOMAIN app.short_label AS varchar(12) CHECK (VALUE <> '***' AND VALUE <> 'masked');
CREATE DOMAIN app.sorted AS text COLLATE \"C\" CHECK (VALUE <> '***' AND VALUE <> 'masked');
CREATE DOMAIN app.small AS int2 CHECK (VALUE > -5);
";

const VOCABULARY: &[(&str, Kind, &[&str])] = &[
    ("id", Kind::Int, &["int"]),
    ("grp", Kind::Int, &["int", "int2"]),
    ("owner", Kind::Int, &["int", "app.small"]),
    ("name", Kind::Text, &["text", "varchar(20)", "app.label", "text COLLATE \"C\""]),
    ("ssn", Kind::Text, &["text", "varchar(11)", "varchar(10)", "app.short_label"]),
    ("zip", Kind::Text, &["text", "varchar(10)", "varchar(4)"]),
    ("Full Name", Kind::Text, &["text", "app.label", "name", "app.sorted"]),
    ("naïve", Kind::Text, &["varchar(30)"]),
    ("scan", Kind::Text, &["text", "varchar"]),
    ("user", Kind::Text, &["text"]),
    ("length", Kind::Int, &["int", "int2"]),
    ("date", Kind::Date, &["date"]),
    ("code", Kind::Char, &["char(9)"]),
    ("select", Kind::Int, &["int", "int2"]),
    ("total", Kind::Big, &["bigint"]),
    ("amount", Kind::Numeric, &["numeric(10,2)"]),
    ("score", Kind::Float, &["float8"]),
    ("active", Kind::Bool, &["bool"]),
    ("born", Kind::Date, &["date"]),
    ("visited", Kind::Timestamp, &["timestamp"]),
    ("seen", Kind::Timestamptz, &["timestamptz"]),
    ("clock", Kind::Time, &["time"]),
    ("waited", Kind::Interval, &["interval"]),
    ("uid", Kind::Uuid, &["uuid"]),
    ("doc", Kind::Jsonb, &["jsonb"]),
    ("raw", Kind::Json, &["json"]),
    ("tags", Kind::Texts, &["text[]"]),
    ("nums", Kind::Ints, &["int[]"]),
    ("mood", Kind::Mood, &["app.mood"]),
    ("addr", Kind::Inet, &["inet"]),
    ("blob", Kind::Bytea, &["bytea"]),
    ("span", Kind::Span, &["int4range"]),
    ("days", Kind::Days, &["daterange"]),
    ("moods", Kind::Moods, &["app.mood[]"]),
    ("paid", Kind::Money, &["money"]),
];
