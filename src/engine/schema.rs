//! A dataset's fields as Arrow and Delta columns, in the catalogue's order.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use crate::{
    catalog::{Dataset, FieldKind},
    storage::delta::{Column, ColumnType},
};

/// The Arrow schema of a register. Identifiers and codes are their canonical text.
pub fn arrow_schema(dataset: &Dataset) -> SchemaRef {
    let fields = dataset.fields.iter().map(|field| {
        let kind = match column_type(&field.kind) {
            ColumnType::Text => DataType::Utf8,
            ColumnType::Date => DataType::Date32,
            ColumnType::Integer => DataType::Int64,
            ColumnType::Boolean => DataType::Boolean,
        };
        Field::new(field.name.as_str(), kind, true)
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// The same fields as the table's log declares them.
pub fn delta_columns(dataset: &Dataset) -> Vec<Column> {
    let column = |field: &crate::catalog::Field| Column {
        name: field.name.as_str().to_owned(),
        kind: column_type(&field.kind),
        required: field.required,
    };
    dataset.fields.iter().map(column).collect()
}

fn column_type(kind: &FieldKind) -> ColumnType {
    match kind {
        FieldKind::ResidentId
        | FieldKind::CreditCode
        | FieldKind::LicenceId
        | FieldKind::Division
        | FieldKind::Text { .. }
        | FieldKind::Code { .. } => ColumnType::Text,
        FieldKind::Date => ColumnType::Date,
        FieldKind::Integer => ColumnType::Integer,
        FieldKind::Boolean => ColumnType::Boolean,
    }
}
