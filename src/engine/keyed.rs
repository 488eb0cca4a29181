//! The look-up by key as a leaf of DataFusion plans: the rows of a version whose key is one of a few.
//!
//! What is constant is made once per version and set of columns ([`Shape`]); a look-up adds its keys. SQL that asks for
//! keys and the road's look-ups read through this one leaf.

use std::{fmt, sync::Arc};

use arrow::{
    array::{ArrayRef, BooleanArray, Date32Array, Int64Array, RecordBatch, StringArray},
    datatypes::{DataType, Date32Type, SchemaRef},
};
use datafusion::{
    common::{internal_err, tree_node::TreeNodeRecursion},
    error::{DataFusionError, Result as DfResult},
    execution::{SendableRecordBatchStream, TaskContext},
    physical_expr::{EquivalenceProperties, PhysicalExpr},
    physical_plan::{
        DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties,
        execution_plan::{Boundedness, EmissionType},
        stream::RecordBatchStreamAdapter,
    },
};

use super::version::Version;
use crate::catalog::Value;

/// The columns that a look-up reads, with what DataFusion wants to know of a plan over them.
#[derive(Debug)]
pub(super) struct Shape {
    /// Positions in the catalogue's order.
    pub(super) columns: Vec<usize>,
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
}

impl Shape {
    pub(super) fn new(register: &SchemaRef, columns: Vec<usize>) -> DfResult<Self> {
        let schema = Arc::new(register.project(&columns)?);
        let properties = Arc::new(PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&schema)),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        ));
        Ok(Self { columns, schema, properties })
    }
}

/// Reads the records of some keys.
pub(super) struct KeyedExec {
    version: Arc<Version>,
    shape: Arc<Shape>,
    keys: Arc<[String]>,
}

impl KeyedExec {
    pub(super) fn new(version: Arc<Version>, shape: Arc<Shape>, keys: impl Into<Arc<[String]>>) -> Self {
        Self { version, shape, keys: keys.into() }
    }
}

impl ExecutionPlan for KeyedExec {
    fn name(&self) -> &'static str {
        "KeyedExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.shape.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> DfResult<TreeNodeRecursion>,
    ) -> DfResult<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, _: Vec<Arc<dyn ExecutionPlan>>) -> DfResult<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(&self, _partition: usize, _task: Arc<TaskContext>) -> DfResult<SendableRecordBatchStream> {
        let (version, shape, keys) = (Arc::clone(&self.version), Arc::clone(&self.shape), Arc::clone(&self.keys));
        let schema = Arc::clone(&shape.schema);
        let batch = async move {
            let mut records = Vec::with_capacity(keys.len());
            for key in keys.iter() {
                records.extend(version.record_wherever(key, &shape.columns).await?);
            }
            batch(&shape.schema, &records)
        };
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, futures::stream::once(batch))))
    }
}

/// Records as Arrow columns.
fn batch(schema: &SchemaRef, records: &[Vec<Option<Value>>]) -> DfResult<RecordBatch> {
    let columns = schema.fields().iter().enumerate().map(|(column, field)| {
        let cells = records.iter().map(|record| record[column].as_ref());
        Ok::<ArrayRef, DataFusionError>(match field.data_type() {
            DataType::Utf8 => Arc::new(cells.map(|cell| cell.and_then(text)).collect::<StringArray>()),
            DataType::Int64 => Arc::new(cells.map(|cell| cell.and_then(integer)).collect::<Int64Array>()),
            DataType::Boolean => Arc::new(cells.map(|cell| cell.and_then(truth)).collect::<BooleanArray>()),
            DataType::Date32 => Arc::new(cells.map(|cell| cell.and_then(day)).collect::<Date32Array>()),
            other => return internal_err!("a register column of type {other}"),
        })
    });
    let columns = columns.collect::<DfResult<Vec<_>>>()?;
    let rows = arrow::array::RecordBatchOptions::new().with_row_count(Some(records.len()));
    Ok(RecordBatch::try_new_with_options(Arc::clone(schema), columns, &rows)?)
}

fn text(value: &Value) -> Option<&str> {
    if let Value::Text(text) = value { Some(text) } else { None }
}

fn integer(value: &Value) -> Option<i64> {
    if let Value::Integer(number) = value { Some(*number) } else { None }
}

fn truth(value: &Value) -> Option<bool> {
    if let Value::Boolean(truth) = value { Some(*truth) } else { None }
}

fn day(value: &Value) -> Option<i32> {
    if let Value::Date(date) = value { Some(Date32Type::from_naive_date(*date)) } else { None }
}

impl DisplayAs for KeyedExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not which keys: a plan is printed where a person's number has no business.
        write!(f, "KeyedExec: keys={}, columns={:?}", self.keys.len(), self.shape.columns)
    }
}

impl fmt::Debug for KeyedExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_as(DisplayFormatType::Default, f)
    }
}
