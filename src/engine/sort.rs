//! Sorting more than fits in memory: what `publish` needs of the engine.

use std::{
    fmt,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use arrow::{array::RecordBatch, compute::SortOptions, datatypes::SchemaRef};
use datafusion::{
    common::internal_datafusion_err,
    error::DataFusionError,
    execution::{SendableRecordBatchStream, TaskContext, memory_pool::FairSpillPool, runtime_env::RuntimeEnvBuilder},
    physical_expr::{LexOrdering, PhysicalSortExpr, expressions::Column},
    physical_plan::{
        ExecutionPlan,
        sorts::sort::SortExec,
        stream::RecordBatchStreamAdapter,
        streaming::{PartitionStream, StreamingTableExec},
    },
    prelude::{SessionConfig, SessionContext},
};
use futures::{StreamExt, TryStreamExt, stream::BoxStream};

use super::EngineError;

/// Record batches as they come.
pub type BatchStream<E = EngineError> = BoxStream<'static, Result<RecordBatch, E>>;

/// Where and within what memory to sort.
#[derive(Clone, Debug)]
pub struct SortPlace {
    /// Memory that may be held before sorted runs are written to `spill`.
    pub memory_bytes: usize,
    pub spill: PathBuf,
}

/// Sort batches by the given columns, ascending, missing values last, in bounded memory.
pub fn sort_batches(
    input: BatchStream<std::io::Error>,
    schema: &SchemaRef,
    by: &[&str],
    place: &SortPlace,
) -> Result<BatchStream, EngineError> {
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(FairSpillPool::new(place.memory_bytes)))
        .with_temp_file_path(&place.spill)
        .build_arc()?;
    let session = SessionContext::new_with_config_rt(SessionConfig::new().with_target_partitions(1), runtime);
    let source = Arc::new(Once { schema: Arc::clone(schema), input: Mutex::new(Some(input)) });
    let table = StreamingTableExec::try_new(Arc::clone(schema), vec![source as _], None, [], false, None)?;
    let order = by
        .iter()
        .map(|name| {
            let column = Arc::new(Column::new(name, schema.index_of(name)?));
            Ok(PhysicalSortExpr::new(column, SortOptions { descending: false, nulls_first: false }))
        })
        .collect::<Result<Vec<_>, DataFusionError>>()?;
    let order = LexOrdering::new(order).ok_or_else(|| internal_datafusion_err!("nothing to sort by"))?;
    let sorted = SortExec::new(order, Arc::new(table)).execute(0, session.task_ctx())?;
    Ok(sorted.map_err(EngineError::from).boxed())
}

/// A plan's leaf that hands out its stream once.
struct Once {
    schema: SchemaRef,
    input: Mutex<Option<BatchStream<std::io::Error>>>,
}

impl fmt::Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Once")
    }
}

impl PartitionStream for Once {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _ctx: Arc<TaskContext>) -> SendableRecordBatchStream {
        let taken = self.input.lock().unwrap_or_else(PoisonError::into_inner).take();
        let stream = taken.unwrap_or_else(|| futures::stream::empty().boxed());
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), stream.map_err(DataFusionError::from)))
    }
}
