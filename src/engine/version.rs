//! A version that is being served, and how records are found in it.

use std::{collections::HashMap, sync::Arc};

use arc_swap::ArcSwap;
use arrow::{
    array::AsArray,
    datatypes::{Field, SchemaRef},
};
use chrono::{DateTime, Utc};
use datafusion::{
    common::internal_err,
    error::Result as DfResult,
    execution::TaskContext,
    logical_expr::Operator,
    physical_expr::expressions::{BinaryExpr, Column, Literal},
    physical_plan::ExecutionPlan,
    scalar::ScalarValue,
};
use futures::TryStreamExt;
use parquet::schema::types::ColumnDescPtr;

use super::{
    EngineError, KINDS, Serving, arrow_schema,
    cells::Cells,
    keyed::{KeyedExec, Shape},
    keypages::KeyPages,
    mapped::{MappedFile, not_ours},
    retyped, rows, scan,
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
    key_column: usize,
    files: Vec<Arc<MappedFile>>,
    /// For each file, where the columns of the schema stand in it. One that was declared after the file was written has
    /// no place, and no record has a value in it.
    leaves: Vec<Vec<Option<usize>>>,
    /// `None` where the table's pages overlap.
    key_pages: Option<KeyPages>,
    shapes: ArcSwap<HashMap<Box<[usize]>, Arc<Shape>>>,
}

/// How often a look-up fetches what was evicted again before it could be read.
const FETCHES_MAX: usize = 4;

/// Sets of columns whose shape is kept.
const SHAPES_MAX: usize = 256;

impl Version {
    /// Map the files and read their footers. Refuses a version whose fields are not what the catalogue says they are, or
    /// that lacks one by which records are found or told apart.
    pub(super) fn open(dataset: &Dataset, table: TableVersion) -> Result<Self, EngineError> {
        let schema = arrow_schema(dataset);
        let files = table
            .files
            .iter()
            .map(|file| {
                let mapped = MappedFile::open(file)?;
                let leaves = find_columns(&mapped, dataset, &schema).map_err(|reason| not_ours(&file.path, reason))?;
                Ok((mapped, leaves))
            })
            .collect::<Result<Vec<_>, EngineError>>()?;
        let (files, leaves): (Vec<_>, Vec<_>) = files.into_iter().unzip();
        let key_pages = KeyPages::build(&files, dataset.key.as_str());
        Ok(Self {
            number: table.version,
            as_of: table.as_of,
            key: dataset.key.clone(),
            key_column: dataset.field(dataset.key.as_str()).map_or(0, |(position, _)| position),
            schema,
            files,
            leaves,
            key_pages,
            shapes: ArcSwap::default(),
        })
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

    /// Can records be found by their key alone?
    pub(super) fn is_keyed(&self) -> bool {
        self.key_pages.is_some()
    }

    pub(super) fn key(&self) -> &FieldName {
        &self.key
    }

    /// The records whose `by` field holds `value`; at most one more than `rows_max`.
    pub(super) async fn look_up(
        self: &Arc<Self>,
        task: &Arc<TaskContext>,
        by: &FieldName,
        value: &str,
        fields: &[usize],
        rows_max: usize,
    ) -> DfResult<Vec<Vec<Option<Value>>>> {
        if self.is_keyed() && *by == self.key {
            let plan = KeyedExec::new(Arc::clone(self), self.shape(fields)?, [value.to_owned()]);
            return match plan.execute(0, Arc::clone(task))?.try_next().await? {
                Some(batch) => (0..batch.num_rows()).map(|position| rows::row(&batch, position, 0)).collect(),
                None => Ok(Vec::new()),
            };
        }
        let by_column = self.schema.index_of(by.as_str())?;
        self.by_predicate(task, by_column, value, fields, rows_max).await
    }

    /// What is constant of look-ups that read these columns; made at the first of them.
    pub(super) fn shape(&self, columns: &[usize]) -> DfResult<Arc<Shape>> {
        if let Some(known) = self.shapes.load().get(columns) {
            return Ok(Arc::clone(known));
        }
        let shape = Arc::new(Shape::new(&self.schema, columns.to_vec())?);
        self.shapes.rcu(|known| {
            // Callers choose the columns; what they choose must not fill the memory.
            let mut shapes = if known.len() < SHAPES_MAX { HashMap::clone(known) } else { HashMap::new() };
            shapes.insert(columns.into(), Arc::clone(&shape));
            shapes
        });
        Ok(shape)
    }

    /// The cells of the record with this key, if there is one.
    pub(super) fn record(&self, key: &str, columns: &[usize]) -> DfResult<Option<Vec<Option<Value>>>> {
        let Some(place) = self.key_pages.as_ref().and_then(|pages| pages.find(key.as_bytes())) else {
            return Ok(None);
        };
        let (file, leaves) = (&self.files[place.file as usize], &self.leaves[place.file as usize]);
        let cells = Cells { file, group: place.group as usize };
        // INVARIANT: `find_columns` refuses a file without the key. Were there one, it would not say that a key is not there.
        let Some(key_leaf) = leaves[self.key_column] else { return internal_err!("a version without its key") };
        let Some(row) = cells.find(key_leaf, place, key)? else {
            return Ok(None);
        };
        let cell = |&column: &usize| match leaves[column] {
            Some(leaf) => cells.cell(leaf, row, self.schema.field(column).data_type()),
            None => Ok(None),
        };
        Ok(Some(columns.iter().map(cell).collect::<Result<_, _>>()?))
    }

    /// The same where files may be in an object store: what is not here of them is fetched, all of it at once.
    pub(super) async fn record_wherever(&self, key: &str, columns: &[usize]) -> DfResult<Option<Vec<Option<Value>>>> {
        let mut tries = 0;
        loop {
            let found = self.record(key, columns);
            if found.is_ok() {
                return found;
            }
            let Some(place) = self.key_pages.as_ref().and_then(|pages| pages.find(key.as_bytes())) else {
                return found;
            };
            let file = &self.files[place.file as usize];
            if file.is_whole() || tries == FETCHES_MAX {
                return found;
            }
            let leaves = &self.leaves[place.file as usize];
            let cells = Cells { file, group: place.group as usize };
            let columns = columns.iter().chain([&self.key_column]);
            let leaves = columns.filter_map(|&column| leaves[column]);
            let ranges: Vec<_> = leaves.flat_map(|leaf| cells.ranges(leaf, place)).collect();
            if ranges.iter().all(|range| file.here(range).is_some()) {
                return found; // It was no lack of bytes.
            }
            file.read(&ranges).await?;
            tries += 1;
        }
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

/// Where each column of the catalogue stands in the file. What is there is of its type and of the kind that was published;
/// what is not there is a field that came later, and no key or state.
fn find_columns(file: &MappedFile, dataset: &Dataset, schema: &SchemaRef) -> Result<Vec<Option<usize>>, String> {
    let metadata = file.metadata.file_metadata();
    let found = parquet::arrow::parquet_to_arrow_schema(metadata.schema_descr(), metadata.key_value_metadata())
        .map_err(|error| error.to_string())?;
    let told = metadata.key_value_metadata().into_iter().flatten().find(|entry| entry.key == KINDS);
    if let Some(reason) = told.and_then(|entry| retyped(dataset, entry.value.as_deref()?)) {
        return Err(reason);
    }
    let leaf = |field: &Arc<Field>| {
        match found.field_with_name(field.name()) {
            Ok(column) if column.data_type() == field.data_type() => {}
            Ok(column) => {
                return Err(format!("column `{}` is {}, not {}", field.name(), column.data_type(), field.data_type()));
            }
            Err(_) if is_needed(dataset, field.name()) => return Err(format!("column `{}` is missing", field.name())),
            Err(_) => return Ok(None),
        }
        let mut leaves = metadata.schema_descr().columns().iter();
        let whole = |column: &ColumnDescPtr| column.path().parts() == [field.name().as_str()];
        leaves.position(whole).map(Some).ok_or_else(|| format!("column `{}` is nested", field.name()))
    };
    schema.fields().iter().map(leaf).collect()
}

/// Without it no record is found, or a dead one would pass for a living one.
fn is_needed(dataset: &Dataset, field: &str) -> bool {
    let is_status = dataset.status.as_ref().is_some_and(|status| status.field.as_str() == field);
    is_status || dataset.field(field).is_some_and(|(_, field)| dataset.is_key(&field.name))
}
