//! The registers as DataFusion tables, for ordinary SQL.

use std::{collections::BTreeSet, sync::Arc};

use arc_swap::ArcSwapOption;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::{
    catalog::{Session, TableProvider},
    common::DFSchema,
    datasource::TableType,
    error::Result as DfResult,
    logical_expr::{BinaryExpr, Expr, Operator, TableProviderFilterPushDown, expr::InList, utils::conjunction},
    physical_plan::{ExecutionPlan, empty::EmptyExec},
};

use super::{arrow_schema, keyed::KeyedExec, mapped::MappedFile, scan, version::Version};
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
        if version.is_keyed()
            && let Some(keys) = filters.iter().find_map(|filter| keys_asked(filter, version.key().as_str()))
        {
            let all = (0..self.schema.fields().len()).collect();
            let shape = version.shape(projection.unwrap_or(&all))?;
            return Ok(Arc::new(KeyedExec::new(version, shape, keys)));
        }
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

/// The keys that a filter asks for, each once, where it asks for keys and nothing else.
fn keys_asked(filter: &Expr, key: &str) -> Option<Vec<String>> {
    let is_key = |side: &Expr| matches!(side, Expr::Column(column) if column.name == key);
    let text = |side: &Expr| side.as_literal().and_then(|value| value.try_as_str().flatten().map(str::to_owned));
    let asked: Option<BTreeSet<String>> = match filter {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) if is_key(left) => {
            text(right).map(|key| [key].into())
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) if is_key(right) => {
            text(left).map(|key| [key].into())
        }
        Expr::InList(InList { expr, list, negated: false }) if is_key(expr) => list.iter().map(text).collect(),
        _ => None,
    };
    asked.map(|keys| keys.into_iter().collect())
}
