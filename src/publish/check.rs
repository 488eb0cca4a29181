//! Rows against the catalogue: every cell typed, or the row rejected with every reason.

use std::sync::{Arc, Mutex, PoisonError};

use arrow::{
    array::{ArrayRef, BooleanBuilder, Date32Builder, Int64Builder, RecordBatch, StringBuilder, UInt64Builder},
    datatypes::{DataType, Date32Type, Field, Schema, SchemaRef},
};
use chrono::NaiveDate;

use super::{PublishError, read::Cell, read::Source, rejects::Rejects};
use crate::{
    catalog::{Dataset, Value},
    engine::arrow_schema,
};

/// Column that carries the row's line through the sort; not a possible field name.
pub(super) const LINE: &str = "#line";
const BATCH_ROWS: usize = 8192;

/// Checks rows and gathers the good ones into batches.
pub(super) struct Checker {
    dataset: Arc<Dataset>,
    today: NaiveDate,
    schema: SchemaRef,
    columns: Vec<Column>,
    lines: UInt64Builder,
    rows: usize,
    /// The current row's cells; kept only if all are good.
    row: Vec<Option<Value>>,
}

enum Column {
    Text(StringBuilder),
    Date(Date32Builder),
    Integer(Int64Builder),
    Boolean(BooleanBuilder),
}

impl Checker {
    pub(super) fn new(dataset: &Arc<Dataset>, today: NaiveDate) -> Self {
        let stored = arrow_schema(dataset);
        let columns = stored.fields().iter().map(|field| Column::new(field.data_type())).collect();
        let line = Arc::new(Field::new(LINE, DataType::UInt64, false));
        let schema = Arc::new(Schema::new(stored.fields().iter().cloned().chain([line]).collect::<Vec<_>>()));
        let row = Vec::with_capacity(dataset.fields.len());
        Self { dataset: Arc::clone(dataset), today, schema, columns, lines: UInt64Builder::new(), rows: 0, row }
    }

    /// The dataset's columns and the line.
    pub(super) fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    pub(super) fn is_full(&self) -> bool {
        self.rows == BATCH_ROWS
    }

    /// The rows gathered so far.
    pub(super) fn take(&mut self) -> RecordBatch {
        self.rows = 0;
        let mut columns: Vec<ArrayRef> = self.columns.iter_mut().map(Column::finish).collect();
        columns.push(Arc::new(self.lines.finish()));
        RecordBatch::try_new(self.schema(), columns).expect("the builders are made from this very schema")
    }

    /// Keep the source's current row, or write down why not.
    pub(super) fn check(&mut self, source: &Source, rejects: &Mutex<Rejects>) -> Result<(), PublishError> {
        self.row.clear();
        let line = source.line();
        let mut reasons = Vec::new();
        match source.misshapen() {
            Some(reason) => reasons.push((String::new(), reason)),
            None => {
                for (position, field) in self.dataset.fields.iter().enumerate() {
                    match typed(field, source.cell(position), self.today) {
                        Ok(value) => self.row.push(value),
                        Err(reason) => reasons.push((field.name.as_str().to_owned(), reason)),
                    }
                }
            }
        }
        if reasons.is_empty() {
            self.append(line);
            return Ok(());
        }
        rejects.lock().unwrap_or_else(PoisonError::into_inner).add(line, &reasons)
    }

    fn append(&mut self, line: u64) {
        for (column, value) in self.columns.iter_mut().zip(&self.row) {
            column.append(value.as_ref());
        }
        self.lines.append_value(line);
        self.rows += 1;
    }
}

fn typed(field: &crate::catalog::Field, cell: Cell<'_>, today: NaiveDate) -> Result<Option<Value>, String> {
    match cell {
        Cell::Missing if field.required => Err("a required value is missing".to_owned()),
        Cell::Missing => Ok(None),
        Cell::NotText => Err("the text is not UTF-8".to_owned()),
        Cell::Text(text) => field.kind.parse(text, today).map(Some).map_err(|error| error.reason),
    }
}

impl Column {
    fn new(kind: &DataType) -> Self {
        match kind {
            DataType::Date32 => Self::Date(Date32Builder::new()),
            DataType::Int64 => Self::Integer(Int64Builder::new()),
            DataType::Boolean => Self::Boolean(BooleanBuilder::new()),
            _ => Self::Text(StringBuilder::new()),
        }
    }

    /// INVARIANT: a value has its column's type, because `FieldKind::parse` makes the one and `arrow_schema` the other
    /// from the same kind.
    fn append(&mut self, value: Option<&Value>) {
        match (self, value) {
            (Self::Text(builder), Some(Value::Text(text))) => builder.append_value(text),
            (Self::Date(builder), Some(Value::Date(day))) => builder.append_value(Date32Type::from_naive_date(*day)),
            (Self::Integer(builder), Some(Value::Integer(number))) => builder.append_value(*number),
            (Self::Boolean(builder), Some(Value::Boolean(truth))) => builder.append_value(*truth),
            (Self::Text(builder), _) => builder.append_null(),
            (Self::Date(builder), _) => builder.append_null(),
            (Self::Integer(builder), _) => builder.append_null(),
            (Self::Boolean(builder), _) => builder.append_null(),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Text(builder) => Arc::new(builder.finish()),
            Self::Date(builder) => Arc::new(builder.finish()),
            Self::Integer(builder) => Arc::new(builder.finish()),
            Self::Boolean(builder) => Arc::new(builder.finish()),
        }
    }
}
