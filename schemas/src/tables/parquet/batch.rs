//! Rows to columns and back.

use std::sync::Arc;

use arrow_array::builder::{ListBuilder, StringBuilder};
use arrow_array::{
    Array, ArrayRef, BooleanArray, Int64Array, ListArray, RecordBatch, StringArray, TimestampMicrosecondArray,
};

use super::{ParquetError, UTC, item, schema};
use crate::tables::{Column, ColumnType, Table, Value};

/// The rows as a batch; each must have a value for each column.
pub(super) fn encode(table: Table, rows: &[Vec<Value>]) -> Result<RecordBatch, ParquetError> {
    let columns = table.columns().iter().enumerate();
    let arrays: Result<Vec<ArrayRef>, ParquetError> =
        columns.map(|(index, column)| array(column, rows.iter().map(|row| row.get(index)))).collect();
    RecordBatch::try_new(schema(table), arrays?).map_err(|error| ParquetError::Bug(error.to_string()))
}

fn array<'a>(column: &Column, values: impl Iterator<Item = Option<&'a Value>>) -> Result<ArrayRef, ParquetError> {
    Ok(match column.kind {
        ColumnType::Text => Arc::new(StringArray::from(all(column, values, |value| match value {
            Value::Text(text) => Some(text.as_str()),
            _ => None,
        })?)),
        ColumnType::Integer => Arc::new(Int64Array::from(all(column, values, |value| match value {
            Value::Integer(number) => Some(*number),
            _ => None,
        })?)),
        ColumnType::Boolean => Arc::new(BooleanArray::from(all(column, values, |value| match value {
            Value::Boolean(flag) => Some(*flag),
            _ => None,
        })?)),
        ColumnType::Time => {
            let times = all(column, values, |value| match value {
                Value::Time(time_us) => Some(*time_us),
                _ => None,
            })?;
            Arc::new(TimestampMicrosecondArray::from(times).with_timezone(UTC))
        }
        ColumnType::Texts => {
            let mut builder = ListBuilder::new(StringBuilder::new()).with_field(item());
            let lists = all(column, values, |value| match value {
                Value::Texts(texts) => Some(texts),
                _ => None,
            })?;
            for texts in lists.into_iter().flatten() {
                builder.append_value(texts.iter().map(Some));
            }
            Arc::new(builder.finish())
        }
    })
}

/// The values of a column, which `read` makes of values of its type.
fn all<'a, T>(
    column: &Column,
    values: impl Iterator<Item = Option<&'a Value>>,
    read: impl Fn(&'a Value) -> Option<T>,
) -> Result<Vec<Option<T>>, ParquetError> {
    let one = |value: Option<&'a Value>| match value {
        Some(Value::Null) if column.optional => Some(None),
        Some(value) => read(value).map(Some),
        None => None,
    };
    let wrong = || ParquetError::Bug(format!("column {}: a value of another type, or none", column.name));
    values.map(|value| one(value).ok_or_else(wrong)).collect()
}

/// The rows of a batch of this table's schema.
pub(super) fn decode(table: Table, batch: &RecordBatch) -> Result<Vec<Vec<Value>>, ParquetError> {
    let mut rows = vec![Vec::with_capacity(table.columns().len()); batch.num_rows()];
    for (column, array) in table.columns().iter().zip(batch.columns()) {
        let read = reader(column, array.as_ref())
            .ok_or_else(|| ParquetError::Malformed(format!("column {} has another type", column.name)))?;
        for (index, row) in rows.iter_mut().enumerate() {
            row.push(if array.is_null(index) { Value::Null } else { read(index) });
        }
    }
    Ok(rows)
}

/// Reads the values of an array that are not null.
fn reader<'a>(column: &Column, array: &'a dyn Array) -> Option<Box<dyn Fn(usize) -> Value + 'a>> {
    let array = array.as_any();
    Some(match column.kind {
        ColumnType::Text => {
            let array = array.downcast_ref::<StringArray>()?;
            Box::new(|index| Value::Text(array.value(index).to_owned()))
        }
        ColumnType::Integer => {
            let array = array.downcast_ref::<Int64Array>()?;
            Box::new(|index| Value::Integer(array.value(index)))
        }
        ColumnType::Boolean => {
            let array = array.downcast_ref::<BooleanArray>()?;
            Box::new(|index| Value::Boolean(array.value(index)))
        }
        ColumnType::Time => {
            let array = array.downcast_ref::<TimestampMicrosecondArray>()?;
            Box::new(|index| Value::Time(array.value(index)))
        }
        ColumnType::Texts => {
            let array = array.downcast_ref::<ListArray>()?;
            Box::new(|index| texts(array.value(index).as_any().downcast_ref::<StringArray>()))
        }
    })
}

/// A list of anything else equals no list of ours.
fn texts(array: Option<&StringArray>) -> Value {
    array.map_or(Value::Null, |array| {
        Value::Texts(array.iter().map(|text| text.unwrap_or_default().to_owned()).collect())
    })
}
