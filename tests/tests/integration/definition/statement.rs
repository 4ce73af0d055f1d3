//! A random query and the way in which it is sent: simple or extended, text or binary, by a cursor, prepared, copied out.

use super::generator::{Generator, Parameter, Place};
use super::kind::quoted;
use super::schema::{Is, Relation};
use crate::harness::raw::{bind_of, describe, message, parse_with, query, sync};

/// What is asked, and how.
pub(super) struct Statement {
    /// As it is shown and parsed: all that is sent.
    pub(super) sql: String,
    /// One after the other, each answered before the next.
    pub(super) steps: Vec<Vec<u8>>,
    /// Rows come in one order alone.
    pub(super) ordered: bool,
    /// A protected column is in a predicate, in what is grouped by, or in a join.
    pub(super) uses_protected: bool,
}

/// The statement of this seed.
pub(super) fn made(seed: u64, relations: &[Relation]) -> Statement {
    let mut generator = Generator::new(seed, relations);
    let way = generator.random.below(100);
    if matches!(way, 30..=59 | 90..=95) && generator.random.chance(50) {
        generator.parameters = Some(Vec::new());
        generator.infers = way < 60;
    }
    let (sql, ordered) = match generator.random.below(100) {
        0..=1 => (table(&mut generator), false),
        2..=3 => (failing(&mut generator), false),
        _ => {
            let select = generator.outermost();
            (select.sql, select.ordered)
        }
    };
    let parameters = generator.parameters.take().unwrap_or_default();
    let (sql, steps) = match way {
        0..=29 => (sql.clone(), vec![query(&sql)]),
        30..=59 => extended(&mut generator, sql, &parameters),
        60..=74 => (sql.clone(), vec![query(&format!("{sql};"))]),
        75..=79 if !sql.contains(FAILING) => sent(&[format!("{sql}; {}; SELECT 'end'", table(&mut generator))]),
        80..=89 => by_cursor(&mut generator, &sql, ordered),
        90..=95 => prepared(&sql, &parameters),
        _ => copied(&mut generator, &sql),
    };
    // A TABLE beside it has no order.
    let ordered = ordered && !(75..=79).contains(&way);
    let uses = [Place::Predicate, Place::Grouping, Place::Join];
    Statement { sql, steps, ordered, uses_protected: uses.iter().any(|place| generator.uses.contains(place)) }
}

/// A column that no table has.
const FAILING: &str = "nothing";

fn table(generator: &mut Generator<'_>) -> String {
    let name = generator.some_relation().qualified();
    format!("TABLE {name}")
}

/// Fails for its first row, whichever that is.
fn failing(generator: &mut Generator<'_>) -> String {
    let tables: Vec<&Relation> = generator.relations.iter().filter(|relation| relation.is == Is::Table).collect();
    let table = generator.random.one_of(&tables).qualified();
    match generator.random.below(3) {
        0 => format!("SELECT 1 / (id - id) FROM {table}"),
        1 => format!("SELECT (id::text || 'x')::int FROM {table}"),
        _ => format!("SELECT {FAILING} FROM {table}"),
    }
}

fn extended(generator: &mut Generator<'_>, sql: String, parameters: &[Parameter]) -> (String, Vec<Vec<u8>>) {
    let types: Vec<u32> =
        parameters.iter().map(|parameter| if parameter.typed { parameter.kind.oid() } else { 0 }).collect();
    let values: Vec<&str> = parameters.iter().map(|parameter| parameter.value.as_str()).collect();
    let binary = generator.random.chance(50);
    let mut bytes = parse_with("", &sql, &types);
    if generator.random.chance(50) {
        bytes.extend(describe("S", ""));
    }
    bytes.extend(bind_of(&values, binary));
    bytes.extend(describe("P", ""));
    if generator.random.chance(20) {
        bytes.extend(message(b'E', &[&[0], &3_i32.to_be_bytes()]));
    }
    bytes.extend(message(b'E', &[&[0, 0, 0, 0, 0]]));
    bytes.extend(sync());
    (sql, vec![bytes])
}

/// Its rows at once, or where their order is fixed, some and some more.
fn by_cursor(generator: &mut Generator<'_>, sql: &str, ordered: bool) -> (String, Vec<Vec<u8>>) {
    let part = if ordered { *generator.random.one_of(&[0, 1, 1, 2, 2, 2]) } else { 0 };
    let (how, fetches): (&str, &[&str]) = match part {
        0 if generator.random.chance(20) => ("WITH HOLD ", &["COMMIT", "FETCH ALL FROM c", "BEGIN"]),
        0 if generator.random.chance(40) => (
            "SCROLL ",
            &["FETCH ALL FROM c", "FETCH BACKWARD ALL FROM c", "FETCH ABSOLUTE 0 FROM c", "FETCH ALL FROM c"],
        ),
        0 => ("", &["FETCH ALL FROM c"]),
        1 => ("NO SCROLL ", &["FETCH 2 FROM c", "MOVE 1 FROM c", "FETCH FORWARD ALL FROM c"]),
        _ => ("SCROLL ", &["FETCH 3 FROM c", "FETCH PRIOR FROM c", "FETCH LAST FROM c", "FETCH ABSOLUTE 1 FROM c"]),
    };
    let declared = if how == "WITH HOLD " { "CURSOR WITH HOLD".to_owned() } else { format!("{how}CURSOR") };
    let mut texts = vec!["BEGIN".to_owned(), format!("DECLARE c {declared} FOR {sql}")];
    texts.extend(fetches.iter().map(|fetch| (*fetch).to_owned()));
    texts.extend(["CLOSE c".to_owned(), "COMMIT".to_owned()]);
    sent(&texts)
}

fn prepared(sql: &str, parameters: &[Parameter]) -> (String, Vec<Vec<u8>>) {
    let types: Vec<&str> = parameters.iter().map(|parameter| parameter.kind.sql()).collect();
    let values: Vec<String> = parameters.iter().map(|parameter| parameter.kind.literal(&parameter.value)).collect();
    let list = |items: String| if items.is_empty() { items } else { format!("({items})") };
    let (types, values) = (list(types.join(", ")), list(values.join(", ")));
    sent(&[format!("PREPARE p{types} AS {sql}"), format!("EXECUTE p{values}"), "DEALLOCATE p".to_owned()])
}

fn copied(generator: &mut Generator<'_>, sql: &str) -> (String, Vec<Vec<u8>>) {
    let options = generator.random.pick(&["", " (FORMAT csv, HEADER)", " (FORMAT binary)", " (NULL '~')"]);
    let tables = generator.relations.iter().filter(|relation| !matches!(relation.is, Is::View | Is::Partitioned));
    let tables: Vec<&Relation> = tables.collect();
    if generator.random.chance(20) {
        let table = *generator.random.one_of(&tables);
        let stored = table.columns.iter().filter(|column| !column.generated);
        let names: Vec<String> = stored.map(|column| quoted(&column.name)).collect();
        return sent(&[format!("COPY {} ({}) TO STDOUT{options}", table.qualified(), names.join(", "))]);
    }
    sent(&[format!("COPY ({sql}) TO STDOUT{options}")])
}

fn sent(texts: &[String]) -> (String, Vec<Vec<u8>>) {
    (texts.join("; "), texts.iter().map(|text| query(text)).collect())
}
