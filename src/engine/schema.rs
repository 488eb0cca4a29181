//! A dataset's fields as Arrow and Delta columns, in the catalogue's order.

use std::{collections::BTreeMap, sync::Arc};

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

/// Key in a data file's metadata under which it is told what its fields were when it was published. Types alone do not
/// tell it: a text, a code and a resident ID are all text.
pub const KINDS: &str = "shuqiao.kinds";

/// The kind of each field, as text.
pub fn kinds(dataset: &Dataset) -> String {
    let kinds: BTreeMap<_, _> = dataset.fields.iter().map(|field| (field.name.as_str(), field.kind.name())).collect();
    serde_json::to_string(&kinds).unwrap_or_default()
}

/// The first field that is of another kind now than [`kinds`] told, in words.
pub fn retyped(dataset: &Dataset, told: &str) -> Option<String> {
    let told: BTreeMap<String, String> = serde_json::from_str(told).unwrap_or_default();
    dataset.fields.iter().find_map(|field| {
        let (then, now) = (told.get(field.name.as_str())?, field.kind.name());
        let reason = || {
            format!(
                "`{}` was published as {then}, the catalogue now says {now}. Publish the register again",
                field.name
            )
        };
        (then != now).then(reason)
    })
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
