//! A version read from its first record to its last: some columns of all rows, batch by batch.

use std::sync::Arc;

use arrow::{
    array::RecordBatch,
    compute::cast,
    datatypes::{Schema, SchemaRef},
};
use chrono::{DateTime, Utc};
use datafusion::{error::DataFusionError, physical_plan::ExecutionPlan};
use futures::{StreamExt, TryStreamExt};

use super::{BatchStream, Engine, EngineError, arrow_schema, mapped::MappedFile, scan};
use crate::{
    identifiers::{DatasetId, FieldName, VersionNo},
    storage::StorageError,
};

/// A version that is being read. What has been published since changes nothing of it.
pub struct Reading {
    pub version: VersionNo,
    pub as_of: DateTime<Utc>,
    /// The columns that were asked, in that order.
    pub schema: SchemaRef,
    pub batches: BatchStream,
}

impl Engine {
    /// Read the version that is being served; nothing, where none is. Memory is that of a few batches.
    pub fn read_whole(&self, dataset: &DatasetId, columns: &[FieldName]) -> Result<Option<Reading>, EngineError> {
        let live = self.live.load().get(dataset).cloned();
        let live = live.ok_or_else(|| EngineError::Unknown { dataset: dataset.clone() })?;
        let Some(version) = live.current.load_full() else { return Ok(None) };
        let register = arrow_schema(&live.dataset);
        let place = |name: &FieldName| {
            register.index_of(name.as_str()).map_err(|_| StorageError::Unsupported {
                path: dataset.as_str().into(),
                reason: format!("the version that is served has no field `{name}`"),
            })
        };
        let positions = columns.iter().map(place).collect::<Result<Vec<_>, _>>()?;
        let schema: SchemaRef = Arc::new(register.project(&positions).map_err(DataFusionError::from)?);
        // One group: the files follow each other as their keys do, so the same version always reads the same.
        let files = version.files().iter().map(MappedFile::partitioned).collect();
        let plan = scan::files(vec![files], &register, Some(positions), None, None)?;
        let batches = plan.execute(0, Arc::clone(&self.task))?.map_err(EngineError::from);
        let expected = Arc::clone(&schema);
        let batches = batches.map(move |batch| as_declared(&batch?, &expected)).boxed();
        Ok(Some(Reading { version: version.number(), as_of: version.as_of(), schema, batches }))
    }
}

/// A reader may hand out another layout of the same values.
fn as_declared(batch: &RecordBatch, schema: &Arc<Schema>) -> Result<RecordBatch, EngineError> {
    let columns = batch.columns().iter().zip(schema.fields());
    let columns = columns.map(|(column, field)| match column.data_type() == field.data_type() {
        true => Ok(Arc::clone(column)),
        false => cast(column, field.data_type()),
    });
    let columns = columns.collect::<Result<Vec<_>, _>>().map_err(DataFusionError::from)?;
    Ok(RecordBatch::try_new(Arc::clone(schema), columns).map_err(DataFusionError::from)?)
}
