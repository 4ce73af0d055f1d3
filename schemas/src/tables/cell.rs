//! Types and values of columns: few, so that Parquet, CSV and JSON hold the same.

/// Type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// UTF-8 text.
    Text,
    /// An integer from 0 to 2^53 − 1, which JSON readers keep exactly.
    Integer,
    /// True or false.
    Boolean,
    /// Microseconds since 1970-01-01T00:00:00Z, from 0 to 2^63 − 1.
    Time,
    /// A list of texts.
    Texts,
}

/// A value of a row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// No value, in an optional column.
    Null,
    /// Of [`ColumnType::Text`].
    Text(String),
    /// Of [`ColumnType::Integer`].
    Integer(i64),
    /// Of [`ColumnType::Boolean`].
    Boolean(bool),
    /// Of [`ColumnType::Time`].
    Time(i64),
    /// Of [`ColumnType::Texts`].
    Texts(Vec<String>),
}

/// A time: microseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub u64);

impl Time {
    /// The time that is this many seconds since 1970.
    #[must_use]
    pub fn from_seconds(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1_000_000))
    }
}

/// What a field of a row is as a column.
pub trait Cell {
    /// Type of the column.
    const KIND: ColumnType;
    /// Whether there may be no value.
    const OPTIONAL: bool = false;

    /// The field's value.
    fn value(&self) -> Value;
}

impl Cell for String {
    const KIND: ColumnType = ColumnType::Text;

    fn value(&self) -> Value {
        Value::Text(self.clone())
    }
}

impl Cell for u64 {
    const KIND: ColumnType = ColumnType::Integer;

    fn value(&self) -> Value {
        Value::Integer(signed(*self).min(INTEGER_MAX))
    }
}

impl Cell for bool {
    const KIND: ColumnType = ColumnType::Boolean;

    fn value(&self) -> Value {
        Value::Boolean(*self)
    }
}

impl Cell for Time {
    const KIND: ColumnType = ColumnType::Time;

    fn value(&self) -> Value {
        Value::Time(signed(self.0))
    }
}

impl Cell for Vec<String> {
    const KIND: ColumnType = ColumnType::Texts;

    fn value(&self) -> Value {
        Value::Texts(self.clone())
    }
}

impl<T: Cell> Cell for Option<T> {
    const KIND: ColumnType = T::KIND;
    const OPTIONAL: bool = true;

    fn value(&self) -> Value {
        self.as_ref().map_or(Value::Null, Cell::value)
    }
}

/// Parquet readers expect signed integers.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Evidence holds none above; sums stop here.
const INTEGER_MAX: i64 = (1 << 53) - 1;
