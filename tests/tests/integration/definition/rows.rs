//! Random rows, raw and masked: NULLs, duplicates, nothing, the ends of time.

use super::kind::{Kind, quoted, quoted_literal};
use super::masks::this_year;
use super::random::Random;
use super::schema::{Column, Is, Relation};

/// Rows of a table as two statements: as they are, and as their masks are.
pub(super) fn inserts(random: &mut Random, table: &Relation) -> [String; 2] {
    let number = random.between(6, 14);
    let mut rows: Vec<Vec<Option<String>>> = Vec::new();
    for id in 1..=number {
        if id > 1 && random.chance(12) {
            rows.push(rows[random.below(rows.len())].clone());
            continue;
        }
        rows.push(table.columns.iter().map(|column| value(random, table, column, id)).collect());
    }
    [false, true].map(|masked| insert(table, &rows, masked))
}

fn insert(table: &Relation, rows: &[Vec<Option<String>>], masked: bool) -> String {
    let stored: Vec<usize> = (0..table.columns.len()).filter(|at| masked || !table.columns[*at].generated).collect();
    let names: Vec<String> = stored.iter().map(|at| quoted(&table.columns[*at].name)).collect();
    let row = |values: &Vec<Option<String>>| {
        let shown = stored.iter().map(|at| shown(&table.columns[*at], values[*at].as_deref(), masked));
        format!("({})", shown.collect::<Vec<_>>().join(", "))
    };
    let rows: Vec<String> = rows.iter().map(row).collect();
    format!("INSERT INTO {} ({}) VALUES {};\n", table.qualified(), names.join(", "), rows.join(", "))
}

fn shown(column: &Column, value: Option<&str>, masked: bool) -> String {
    let value = match column.style.filter(|_| masked) {
        Some(style) => {
            style.mask(column.kind, value, value.and_then(|text| year_of(column.kind, text)), column.capacity)
        }
        None => value.map(str::to_owned),
    };
    value.map_or_else(|| "NULL".to_owned(), |text| quoted_literal(&text))
}

fn value(random: &mut Random, table: &Relation, column: &Column, id: usize) -> Option<String> {
    if !column.never_null && random.chance(15) && column.name != "grp" {
        return None;
    }
    let low = match &table.is {
        Is::Part { low, .. } => Some(*low),
        _ => None,
    };
    Some(match column.name.as_str() {
        "id" => id.to_string(),
        "grp" if low == Some(true) => random.below(2).to_string(),
        "grp" if low == Some(false) => random.between(2, 4).to_string(),
        "grp" => random.below(4).to_string(),
        "owner" => random.between(1, 12).to_string(),
        _ => random.one_of(&fitting(column)).clone(),
    })
}

fn fitting(column: &Column) -> Vec<String> {
    let mut values: Vec<String> = column.kind.pool().iter().map(|text| (*text).to_owned()).collect();
    let fits = |text: &String| text.chars().count() <= column.capacity && text != "***" && text != "masked";
    match column.kind {
        Kind::Text => values.retain(fits),
        Kind::Date | Kind::Timestamp | Kind::Timestamptz => values.extend(ends_of_time(column.kind)),
        _ => {}
    }
    values
}

/// Also the years at which an age over 89 begins.
fn ends_of_time(kind: Kind) -> Vec<String> {
    let mut ends = vec!["infinity".to_owned(), "-infinity".to_owned()];
    for date in ["0044-03-15", "10500-01-01"]
        .map(str::to_owned)
        .into_iter()
        .chain([format!("{}-07-01", this_year() - 90), format!("{}-07-01", this_year() - 89)])
    {
        let era = if date.starts_with("0044") { " BC" } else { "" };
        ends.push(match kind {
            Kind::Date => format!("{date}{era}"),
            Kind::Timestamp => format!("{date} 08:00:00{era}"),
            _ => format!("{date} 08:00:00+00{era}"),
        });
    }
    ends
}

/// In UTC; none before our era, after the year 9999, and at the ends of time.
fn year_of(kind: Kind, text: &str) -> Option<i64> {
    let (year, rest) = text.split_once('-')?;
    let year: i64 = year.parse().ok()?;
    if text.ends_with("BC") || year > 9999 {
        return None;
    }
    // The last hours of a year, west of Greenwich, are of the next one.
    let next =
        kind == Kind::Timestamptz && rest.starts_with("12-31 23:") && rest.contains('-') && rest.ends_with("-02");
    Some(if next { year + 1 } else { year })
}
