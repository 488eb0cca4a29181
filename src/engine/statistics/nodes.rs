//! Datasets whose records are kept by several nodes: a statement is carried out at each, and only cells come back.
//!
//! Each lowest aggregate is handed over whole, as SQL text: the other node plans it itself, decides by its own policy, keeps
//! its own small cells back and writes its own record. Never a plan crosses the border, nor a record: where the aggregate
//! cannot be handed over whole, the statement is refused.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use arrow::{
    array::RecordBatch,
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use async_trait::async_trait;
use datafusion::{
    catalog::{Session, TableProvider},
    common::{
        TableReference, not_impl_err,
        tree_node::{Transformed, TreeNode},
    },
    datasource::{TableType, provider_as_source},
    error::{DataFusionError, Result as DfResult},
    execution::{SendableRecordBatchStream, SessionStateBuilder},
    logical_expr::{Aggregate, Expr, Filter, LogicalPlan, LogicalPlanBuilder, TableScan, TableSource, lit},
    physical_expr::PhysicalExpr,
    physical_plan::{ExecutionPlan, stream::RecordBatchStreamAdapter},
    prelude::SessionContext,
    sql::unparser::dialect::{DefaultDialect, Dialect},
};
use datafusion_federation::{
    FederatedQueryPlanner, FederatedTableProviderAdaptor, default_optimizer_rules,
    sql::{RemoteTableRef, SQLExecutor, SQLFederationProvider, SQLTableSource},
};
use futures::{TryStreamExt, stream};

use super::StatementError;
use crate::identifiers::{DatasetId, NodeId};

/// The column that tells whose records are counted, in datasets that are divided over nodes.
pub const NODE_COLUMN: &str = "node";

/// Where the records of divided datasets are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spread {
    /// This node.
    pub own: NodeId,
    /// The nodes of each dataset that is not kept here alone.
    pub nodes: BTreeMap<DatasetId, Vec<NodeId>>,
}

/// Asks other nodes to count. The transport is not the engine's matter.
#[async_trait]
pub trait Peers: Send + Sync {
    /// What that node answers to the statement. Dropping the future ends the question.
    async fn count(&self, node: &NodeId, statement: &str) -> Result<PeerCounts, PeerFailure>;
}

/// Cells of another node.
#[derive(Clone, Debug)]
pub struct PeerCounts {
    pub batches: Vec<RecordBatch>,
    pub about: PeerSaid,
}

/// What another node says of the cells that it tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerSaid {
    /// Cells that it kept back.
    pub suppressed: u64,
    pub cell_min: u64,
    /// The statement's id in its audit log.
    pub call_id: String,
    pub dataset_version: String,
    /// RFC 3339.
    pub as_of: String,
}

/// Why another node told nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerFailure {
    /// `refused`, `late` or `unreachable`.
    pub end: &'static str,
    /// Its code, where it refused.
    pub code: Option<String>,
}

/// How asking one node ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeTold {
    pub node: NodeId,
    /// What was handed over; nothing where the node is this one.
    pub statement: Option<String>,
    pub end: Result<PeerSaid, PeerFailure>,
}

impl NodeTold {
    pub(super) fn failed(node: &NodeId, end: &'static str) -> Self {
        Self { node: node.clone(), statement: None, end: Err(PeerFailure { end, code: None }) }
    }

    /// `answered`, `refused`, `late` or `unreachable`.
    pub fn word(&self) -> &'static str {
        self.end.as_ref().map_or_else(|failure| failure.end, |_| "answered")
    }
}

/// The columns of a divided dataset: its own, and that of the node.
pub(super) fn with_node(schema: &Schema) -> SchemaRef {
    let own = schema.fields().iter().cloned();
    let node = Arc::new(Field::new(NODE_COLUMN, DataType::Utf8, false));
    Arc::new(Schema::new(own.chain([node]).collect::<Vec<_>>()))
}

/// Stands for a divided dataset while a statement is planned. It is never read: each node's own table takes its place.
#[derive(Debug)]
pub(super) struct Divided(pub(super) SchemaRef);

#[async_trait]
impl TableProvider for Divided {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.0)
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        _projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        not_impl_err!("a divided dataset is read at its nodes")
    }
}

pub(super) fn is_node(expr: &Expr) -> bool {
    matches!(expr, Expr::Column(column) if column.name == NODE_COLUMN)
}

/// The aggregate as one node is asked it: over that node's table, without the column of the node.
pub(super) fn at_node(aggregate: &Aggregate, node: &NodeId, table: &Arc<dyn TableSource>) -> DfResult<Aggregate> {
    let input = records_of(&aggregate.input, node, table)?;
    let groups = aggregate.group_expr.iter().filter(|expr| !is_node(expr)).cloned().collect();
    Aggregate::try_new(Arc::new(input), groups, aggregate.aggr_expr.clone())
}

/// The same for the plan of records below it, which has no other parts: `inspect` has seen to that.
fn records_of(plan: &LogicalPlan, node: &NodeId, table: &Arc<dyn TableSource>) -> DfResult<LogicalPlan> {
    match plan {
        LogicalPlan::TableScan(TableScan { table_name, .. }) => {
            LogicalPlanBuilder::scan(table_name.clone(), Arc::clone(table), None)?.build()
        }
        LogicalPlan::SubqueryAlias(alias) => {
            LogicalPlanBuilder::from(records_of(&alias.input, node, table)?).alias(alias.alias.clone())?.build()
        }
        LogicalPlan::Projection(projection) => {
            let columns = projection.expr.iter().filter(|expr| !is_node(&(*expr).clone().unalias())).cloned();
            let columns: Vec<_> = columns.collect();
            LogicalPlanBuilder::from(records_of(&projection.input, node, table)?).project(columns)?.build()
        }
        LogicalPlan::Filter(filter) => {
            let input = records_of(&filter.input, node, table)?;
            let named = |expr: Expr| match is_node(&expr) {
                true => Ok(Transformed::yes(lit(node.as_str()))),
                false => Ok(Transformed::no(expr)),
            };
            let predicate = filter.predicate.clone().transform(named)?.data;
            Ok(LogicalPlan::Filter(Filter::try_new(predicate, Arc::new(input))?))
        }
        other => not_impl_err!("{} below an aggregate over several nodes", other.display()),
    }
}

/// A dataset as another node has it.
pub(super) struct Remote {
    session: SessionContext,
    executor: Arc<Executor>,
    pub(super) table: Arc<dyn TableSource>,
}

impl Remote {
    /// `schema` is that of the records, without the column of the node.
    pub(super) fn new(
        session: &SessionContext,
        (node, dataset): (&NodeId, &DatasetId),
        schema: &SchemaRef,
        peers: Arc<dyn Peers>,
    ) -> Self {
        let executor = Arc::new(Executor { node: node.clone(), peers, said: Arc::default() });
        let provider = Arc::new(SQLFederationProvider::new(Arc::clone(&executor) as Arc<dyn SQLExecutor>));
        let reference = RemoteTableRef::from(TableReference::bare(dataset.as_str()));
        let source = SQLTableSource::new_with_schema(provider, reference, Arc::clone(schema));
        let table = provider_as_source(Arc::new(FederatedTableProviderAdaptor::new(Arc::new(source))));
        let state = SessionStateBuilder::new_from_existing(session.state())
            .with_optimizer_rules(default_optimizer_rules())
            .with_query_planner(Arc::new(FederatedQueryPlanner::new()))
            .build();
        Self { session: SessionContext::new_with_state(state), executor, table }
    }

    /// A session that hands this plan over whole; refused where a part of it would be done here, over records.
    pub(super) fn session_for(&self, plan: &LogicalPlan) -> Result<&SessionContext, StatementError> {
        let optimised = self.session.state().optimize(plan).map_err(StatementError::failed)?;
        match &optimised {
            LogicalPlan::Extension(extension) if extension.node.name() == "Federated" => Ok(&self.session),
            _ => Err(StatementError::Refused {
                what: format!("`{}` cannot be asked this as a whole", self.executor.node),
                rule: "Make it simpler: only counts, never records, come from another node.",
            }),
        }
    }

    /// What was handed over, and what the node said.
    pub(super) fn told(&self) -> NodeTold {
        let said = self.executor.said.lock().unwrap_or_else(PoisonError::into_inner).take();
        let node = self.executor.node.clone();
        match said {
            Some((statement, end)) => NodeTold { node, statement: Some(statement), end },
            None => NodeTold::failed(&node, "unreachable"),
        }
    }
}

fn has_columns(batch: &RecordBatch, names: &[String]) -> bool {
    batch.schema().fields().iter().map(|field| field.name()).eq(names)
}

/// The statement that was handed over, and how that ended.
type Said = Arc<Mutex<Option<(String, Result<PeerSaid, PeerFailure>)>>>;

struct Executor {
    node: NodeId,
    peers: Arc<dyn Peers>,
    said: Said,
}

#[async_trait]
impl SQLExecutor for Executor {
    fn name(&self) -> &str {
        "flight"
    }

    fn compute_context(&self) -> Option<String> {
        Some(self.node.to_string())
    }

    fn dialect(&self) -> Arc<dyn Dialect> {
        Arc::new(DefaultDialect {})
    }

    fn execute(
        &self,
        query: &str,
        schema: SchemaRef,
        _filters: &[Arc<dyn PhysicalExpr>],
    ) -> DfResult<SendableRecordBatchStream> {
        let (node, peers, said) = (self.node.clone(), Arc::clone(&self.peers), Arc::clone(&self.said));
        let statement = query.to_owned();
        let names: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
        let asked = async move {
            let answer = peers.count(&node, &statement).await;
            let (end, batches) = match answer {
                // Columns are taken by their place, so they must be those that were asked for.
                Ok(counts) if counts.batches.iter().all(|batch| has_columns(batch, &names)) => {
                    (Ok(counts.about), Ok(counts.batches))
                }
                Ok(_) => {
                    let wrong = DataFusionError::Execution(format!("`{node}` told other columns than were asked for"));
                    (Err(PeerFailure { end: "unreachable", code: None }), Err(wrong))
                }
                Err(failure) => (Err(failure), Err(DataFusionError::Execution(format!("`{node}` told nothing")))),
            };
            *said.lock().unwrap_or_else(PoisonError::into_inner) = Some((statement, end));
            batches.map(|batches| stream::iter(batches.into_iter().map(Ok)))
        };
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, stream::once(asked).try_flatten())))
    }

    async fn table_names(&self) -> DfResult<Vec<String>> {
        not_impl_err!("tables of other nodes are known from the catalogue")
    }

    async fn get_table_schema(&self, _table_name: &str) -> DfResult<SchemaRef> {
        not_impl_err!("tables of other nodes are known from the catalogue")
    }
}
