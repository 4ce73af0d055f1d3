//! Which columns of a result are looked into.

use wire::postgres::backend::FieldDescription;

/// What is known of a result's columns, in order.
#[derive(Debug)]
pub(crate) struct Columns(Vec<Column>);

/// A column of a result.
#[derive(Debug)]
pub(crate) struct Column {
    /// Its values can hold a text, and policy or the operator does not let them pass.
    pub(crate) looked_into: bool,
    /// Its relation, 0 where it is of none.
    pub(crate) relation: u32,
    /// Its number there.
    pub(crate) number: i16,
    /// The result's name for it; empty where there are too many.
    pub(crate) name: Box<str>,
}

impl Columns {
    /// As the target describes them; `passes` tells of a relation's column whether its values may be anything.
    pub(crate) fn new(fields: &[FieldDescription<'_>], passes: impl Fn(u32, i16) -> bool) -> Self {
        let named = fields.len() <= NAMED_MAX;
        let column = |field: &FieldDescription<'_>| Column {
            looked_into: !TEXTLESS.contains(&field.type_oid) && !passes(field.table_oid, field.column),
            relation: field.table_oid,
            number: field.column,
            name: if named { field.name.into() } else { Box::default() },
        };
        Self(fields.iter().map(column).collect())
    }

    /// The column at this place, from 0.
    pub(crate) fn get(&self, place: usize) -> Option<&Column> {
        self.0.get(place)
    }

    /// Whether nothing is to be looked into.
    pub(crate) fn all_pass(&self) -> bool {
        self.0.iter().all(|column| !column.looked_into)
    }
}

/// A session may prepare thousands of statements; a result may have 1,664 columns.
const NAMED_MAX: usize = 100;

/// Types whose values are no texts in either format: numbers, truth values, dates and times, UUIDs, bits, bytes; arrays and
/// ranges of them.
const TEXTLESS: &[u32] = &[
    16, 17, 20, 21, 23, 26, 27, 28, 29, 600, 601, 602, 603, 604, 628, 700, 701, 718, 774, 790, 829, 1000, 1001, 1005,
    1007, 1016, 1021, 1022, 1028, 1082, 1083, 1114, 1115, 1182, 1183, 1184, 1185, 1186, 1187, 1231, 1266, 1270, 1560,
    1562, 1700, 2950, 2951, 3220, 3904, 3906, 3908, 3910, 3912, 3926, 5069,
];
