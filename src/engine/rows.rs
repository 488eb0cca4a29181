//! Cells out of Arrow batches.

use arrow::{
    array::{Array, AsArray, RecordBatch},
    datatypes::{DataType, Date32Type, Int64Type},
    temporal_conversions::date32_to_datetime,
};
use datafusion::{common::internal_err, error::Result as DfResult};

use crate::catalog::Value;

/// The cells of one row, in the batch's column order, from `first_column` on.
pub(super) fn row(batch: &RecordBatch, row: usize, first_column: usize) -> DfResult<Vec<Option<Value>>> {
    batch.columns()[first_column..].iter().map(|column| cell(column, row)).collect()
}

/// One cell of a column.
pub(super) fn cell(column: &dyn Array, row: usize) -> DfResult<Option<Value>> {
    if column.is_null(row) {
        return Ok(None);
    }
    let value = match column.data_type() {
        DataType::Utf8 => Value::Text(column.as_string::<i32>().value(row).to_owned()),
        DataType::Int64 => Value::Integer(column.as_primitive::<Int64Type>().value(row)),
        DataType::Boolean => Value::Boolean(column.as_boolean().value(row)),
        DataType::Date32 => match date32_to_datetime(column.as_primitive::<Date32Type>().value(row)) {
            Some(time) => Value::Date(time.date()),
            None => return internal_err!("a day outside the calendar"),
        },
        other => return internal_err!("a register column of type {other}"),
    };
    Ok(Some(value))
}
