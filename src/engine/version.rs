//! A version that is being served, and how records are found in it.

use std::sync::Arc;

use arrow::{array::AsArray, datatypes::SchemaRef};
use chrono::{DateTime, Utc};
use datafusion::{
    error::Result as DfResult,
    execution::TaskContext,
    logical_expr::Operator,
    physical_expr::expressions::{BinaryExpr, Column, Literal},
    physical_plan::ExecutionPlan,
    scalar::ScalarValue,
};
use futures::TryStreamExt;

use super::{
    EngineError, Serving, arrow_schema,
    keypages::KeyPages,
    mapped::{MappedFile, not_ours},
    rows, scan,
};
use crate::{
    catalog::{Dataset, Value},
    identifiers::{FieldName, VersionNo},
    storage::delta::TableVersion,
};

/// One immutable version of one dataset, open for look-ups.
#[derive(Debug)]
pub(super) struct Version {
    number: VersionNo,
    as_of: DateTime<Utc>,
    schema: SchemaRef,
    key: FieldName,
    files: Vec<Arc<MappedFile>>,
    /// `None` where the table's pages overlap.
    key_pages: Option<KeyPages>,
}

impl Version {
    /// Map the files and read their footers. Refuses a version that lacks a column or holds another type.
    pub(super) fn open(dataset: &Dataset, table: TableVersion) -> Result<Self, EngineError> {
        let schema = arrow_schema(dataset);
        let files = table
            .files
            .iter()
            .map(|file| {
                let mapped = MappedFile::open(file)?;
                check_columns(&mapped, &schema).map_err(|reason| not_ours(&file.path, reason))?;
                Ok(mapped)
            })
            .collect::<Result<Vec<_>, EngineError>>()?;
        let key_pages = KeyPages::build(&files, dataset.key.as_str());
        Ok(Self { number: table.version, as_of: table.as_of, schema, key: dataset.key.clone(), files, key_pages })
    }

    pub(super) fn number(&self) -> VersionNo {
        self.number
    }

    pub(super) fn as_of(&self) -> DateTime<Utc> {
        self.as_of
    }

    pub(super) fn files(&self) -> &[Arc<MappedFile>] {
        &self.files
    }

    pub(super) fn serving(&self) -> Serving {
        Serving {
            version: self.number,
            as_of: self.as_of,
            rows: self.files.iter().map(|file| file.rows()).sum(),
            keyed: self.key_pages.is_some(),
        }
    }

    /// The records whose `by` field holds `value`; at most one more than `rows_max`.
    pub(super) async fn look_up(
        &self,
        task: &Arc<TaskContext>,
        by: &FieldName,
        value: &str,
        fields: &[usize],
        rows_max: usize,
    ) -> DfResult<Vec<Vec<Option<Value>>>> {
        let by_column = self.schema.index_of(by.as_str())?;
        match &self.key_pages {
            Some(pages) if *by == self.key => self.in_page(task, pages, by_column, value, fields).await,
            _ => self.by_predicate(task, by_column, value, fields, rows_max).await,
        }
    }

    async fn in_page(
        &self,
        task: &Arc<TaskContext>,
        pages: &KeyPages,
        key_column: usize,
        key: &str,
        fields: &[usize],
    ) -> DfResult<Vec<Vec<Option<Value>>>> {
        let Some(place) = pages.find(key.as_bytes()) else { return Ok(Vec::new()) };
        let columns = with_first(key_column, fields);
        let plan = scan::page(&self.files[place.file as usize], place, &self.schema, columns)?;
        let mut batches = plan.execute(0, Arc::clone(task))?;
        while let Some(batch) = batches.try_next().await? {
            if let Some(position) = rows::position(&batch, key) {
                return Ok(vec![rows::row(&batch, position, 1)?]);
            }
        }
        Ok(Vec::new())
    }

    async fn by_predicate(
        &self,
        task: &Arc<TaskContext>,
        column: usize,
        value: &str,
        fields: &[usize],
        rows_max: usize,
    ) -> DfResult<Vec<Vec<Option<Value>>>> {
        let name = self.schema.field(column).name();
        let wanted = Arc::new(BinaryExpr::new(
            Arc::new(Column::new(name, column)),
            Operator::Eq,
            Arc::new(Literal::new(ScalarValue::Utf8(Some(value.to_owned())))),
        ));
        let files = self.files.iter().map(MappedFile::partitioned).collect();
        let plan = scan::files(vec![files], &self.schema, Some(with_first(column, fields)), Some(wanted), None)?;
        let mut batches = plan.execute(0, Arc::clone(task))?;
        let mut found = Vec::new();
        while let Some(batch) = batches.try_next().await? {
            // The scan has filtered already; what it lets through is checked once more, because a wrong record here
            // would be somebody else's.
            let texts = batch.column(0).as_string::<i32>();
            for position in (0..batch.num_rows()).filter(|&row| texts.value(row) == value) {
                found.push(rows::row(&batch, position, 1)?);
                if found.len() > rows_max {
                    return Ok(found);
                }
            }
        }
        Ok(found)
    }
}

fn with_first(first: usize, rest: &[usize]) -> Vec<usize> {
    std::iter::once(first).chain(rest.iter().copied()).collect()
}

/// Every column of the catalogue must be in the file, under its type.
fn check_columns(file: &MappedFile, schema: &SchemaRef) -> Result<(), String> {
    let metadata = file.metadata.file_metadata();
    let found = parquet::arrow::parquet_to_arrow_schema(metadata.schema_descr(), metadata.key_value_metadata())
        .map_err(|error| error.to_string())?;
    for field in schema.fields() {
        match found.field_with_name(field.name()) {
            Ok(column) if column.data_type() == field.data_type() => {}
            Ok(column) => {
                return Err(format!("column `{}` is {}, not {}", field.name(), column.data_type(), field.data_type()));
            }
            Err(_) => return Err(format!("column `{}` is missing", field.name())),
        }
    }
    Ok(())
}
