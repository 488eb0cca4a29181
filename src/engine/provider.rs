//! The registers as DataFusion tables, for ordinary SQL.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::{
    catalog::{Session, TableProvider},
    common::DFSchema,
    datasource::TableType,
    error::Result as DfResult,
    logical_expr::{Expr, TableProviderFilterPushDown, utils::conjunction},
    physical_plan::{ExecutionPlan, empty::EmptyExec},
};

use super::{arrow_schema, mapped::MappedFile, scan, version::Version};
use crate::catalog::Dataset;

/// A dataset as a table: each statement reads the version that is current when it is planned.
#[derive(Debug)]
pub(super) struct RegisterTable {
    schema: SchemaRef,
    current: Arc<ArcSwapOption<Version>>,
}

impl RegisterTable {
    pub(super) fn new(dataset: &Dataset, current: Arc<ArcSwapOption<Version>>) -> Self {
        Self { schema: arrow_schema(dataset), current }
    }
}

#[async_trait]
impl TableProvider for RegisterTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> DfResult<Vec<TableProviderFilterPushDown>> {
        // Inexact: DataFusion keeps its own filter above, so that pruning can only make it faster, never wrong.
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        let Some(version) = self.current.load_full() else {
            let schema = match projection {
                Some(columns) => Arc::new(self.schema.project(columns)?),
                None => self.schema(),
            };
            return Ok(Arc::new(EmptyExec::new(schema)));
        };
        let predicate = match conjunction(filters.to_vec()) {
            Some(filter) => {
                let schema = DFSchema::try_from(self.schema())?;
                Some(state.create_physical_expr(filter, &schema)?)
            }
            None => None,
        };
        let groups = version.files().iter().map(|file| vec![MappedFile::partitioned(file)]).collect();
        Ok(scan::files(groups, &self.schema, projection.cloned(), predicate, limit)?)
    }
}
