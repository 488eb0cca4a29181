//! Carrying a statement out: cells first, then what is made of those that may be shown.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray},
    compute::{cast, concat_batches, filter_record_batch},
    datatypes::{Field, Int64Type, Schema, SchemaRef},
    error::ArrowError,
};
use datafusion::{
    common::tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    datasource::{MemTable, provider_as_source},
    error::{DataFusionError, Result as DfResult},
    functions_aggregate::expr_fn::count as count_of,
    logical_expr::{Aggregate, Expr, LogicalPlan, LogicalPlanBuilder, TableSource, lit},
    physical_plan,
    prelude::{SessionContext, ident},
};
use futures::future::join_all;

use super::{
    Counted, Counting, Kept, StatementError,
    inspect::{columns_aggregated, makes_cells},
    nodes::{self, NodeTold, PeerSaid, Peers, Remote},
};
use crate::identifiers::NodeId;

/// Most cells of one aggregate. A statistic that nobody can read is a register that somebody carries away in parts.
const CELLS_MAX: usize = 100_000;

/// The cells of one aggregate that may be shown.
struct Cells {
    batch: RecordBatch,
    suppressed: u64,
}

/// What a statement is carried out with.
struct Work<'a> {
    counting: &'a Counting,
    cell_min: u64,
    peers: Option<Arc<dyn Peers>>,
}

pub(super) async fn count(
    counting: &Counting,
    cell_min: u64,
    peers: Option<Arc<dyn Peers>>,
) -> Result<Counted, StatementError> {
    let work = Work { counting, cell_min, peers };
    let mut aggregates = Vec::new();
    let collected = counting.plan.apply(|part| {
        let Some(aggregate) = makes_cells(part) else { return Ok(TreeNodeRecursion::Continue) };
        aggregates.push(aggregate.clone());
        Ok(TreeNodeRecursion::Jump)
    });
    collected.map_err(StatementError::failed)?;
    let (mut tables, mut suppressed, mut told) = (Vec::new(), 0, Vec::new());
    for aggregate in &aggregates {
        let (batches, kept_back) = match &counting.kept {
            Kept::Here => {
                let cells = work.cells(&counting.session, aggregate).await?;
                (vec![shown(aggregate, &cells.batch, None).map_err(failed)?], cells.suppressed)
            }
            Kept::Divided { .. } => work.cells_of_nodes(aggregate, &mut told).await?,
        };
        suppressed += kept_back;
        tables.push(as_plan(aggregate, batches).map_err(StatementError::failed)?);
    }
    // In the same order as they were found.
    let mut tables = tables.into_iter();
    let above = counting.plan.clone().transform_down(|part| match makes_cells(&part).and_then(|_| tables.next()) {
        Some(table) => Ok(Transformed::new(table, true, TreeNodeRecursion::Jump)),
        None => Ok(Transformed::no(part)),
    });
    let (schema, batches) = run(&counting.session, &above.map_err(StatementError::failed)?.data).await?;
    Ok(Counted { schema, batches, suppressed, nodes: told })
}

impl Work<'_> {
    async fn cells(&self, session: &SessionContext, aggregate: &Aggregate) -> Result<Cells, StatementError> {
        let shown = aggregate.schema.fields().len();
        let counted = with_sizes(aggregate).map_err(StatementError::failed)?;
        let (schema, batches) = run(session, &in_order(counted).map_err(StatementError::failed)?).await?;
        let all = concat_batches(&schema, &batches).map_err(failed)?;
        if all.num_rows() > CELLS_MAX {
            return Err(StatementError::TooManyCells { cells_max: CELLS_MAX });
        }
        let sizes = &all.columns()[shown..];
        let large = |row: usize| sizes.iter().all(|size| at(size, row) >= self.cell_min);
        let large: BooleanArray = (0..all.num_rows()).map(|row| Some(large(row))).collect();
        let kept = filter_record_batch(&all, &large).and_then(|kept| kept.project(&(0..shown).collect::<Vec<_>>()));
        let batch = kept.map_err(failed)?;
        let suppressed = (all.num_rows() - batch.num_rows()) as u64;
        Ok(Cells { batch, suppressed })
    }

    /// The cells of every node that has some of the records; all are asked at once.
    async fn cells_of_nodes(
        &self,
        aggregate: &Aggregate,
        told: &mut Vec<NodeTold>,
    ) -> Result<(Vec<RecordBatch>, u64), StatementError> {
        let Kept::Divided { nodes, .. } = &self.counting.kept else { return Ok((Vec::new(), 0)) };
        let asked = join_all(nodes.iter().map(|node| self.cells_at(node, aggregate))).await;
        let (mut batches, mut suppressed) = (Vec::new(), 0);
        for (node, outcome) in nodes.iter().zip(asked) {
            let Some((cells, said)) = outcome? else { continue };
            suppressed += said.end.as_ref().map_or(0, |said| said.suppressed);
            batches.extend(cells.map(|cells| shown(aggregate, &cells.batch, Some(node))).transpose().map_err(failed)?);
            remember(told, said);
        }
        Ok((batches, suppressed))
    }

    /// The cells of one node, and what it said; nothing where it has none of the records that are asked for.
    async fn cells_at(
        &self,
        node: &NodeId,
        aggregate: &Aggregate,
    ) -> Result<Option<(Option<Cells>, NodeTold)>, StatementError> {
        let Kept::Divided { own, table, .. } = &self.counting.kept else { return Ok(None) };
        let here = nodes::at_node(aggregate, node, table).map_err(StatementError::failed)?;
        if asks_nothing(&self.counting.session, &here).map_err(StatementError::failed)? {
            return Ok(None);
        }
        if node == own {
            let cells = self.cells(&self.counting.session, &here).await?;
            let said = PeerSaid {
                suppressed: cells.suppressed,
                cell_min: self.cell_min,
                call_id: String::new(),
                dataset_version: self.counting.version.map(|version| version.to_string()).unwrap_or_default(),
                as_of: self.counting.as_of.map(|as_of| as_of.to_rfc3339()).unwrap_or_default(),
            };
            return Ok(Some((Some(cells), NodeTold { node: node.clone(), statement: None, end: Ok(said) })));
        }
        self.cells_from(node, aggregate, table).await.map(Some)
    }

    async fn cells_from(
        &self,
        node: &NodeId,
        aggregate: &Aggregate,
        table: &Arc<dyn TableSource>,
    ) -> Result<(Option<Cells>, NodeTold), StatementError> {
        let unreachable = || NodeTold::failed(node, "unreachable");
        let Some(peers) = self.peers.clone() else { return Ok((None, unreachable())) };
        let remote = Remote::new(&self.counting.session, (node, &self.counting.dataset), &table.schema(), peers);
        let there = nodes::at_node(aggregate, node, &remote.table).map_err(StatementError::failed)?;
        let whole = with_sizes(&there).and_then(in_order).map_err(StatementError::failed)?;
        let session = remote.session_for(&whole)?;
        let cells = self.cells(session, &there).await;
        let mut told = remote.told();
        match (cells, &mut told.end) {
            (Ok(cells), Ok(said)) => {
                said.suppressed += cells.suppressed;
                Ok((Some(cells), told))
            }
            (Err(error), Ok(_)) => {
                tracing::warn!(%node, error = &error as &dyn std::error::Error, "cells of another node are not usable");
                Ok((None, unreachable()))
            }
            (_, Err(_)) => Ok((None, told)),
        }
    }
}

/// A statement may ask a node more than once: it has answered if it has answered each time.
fn remember(told: &mut Vec<NodeTold>, new: NodeTold) {
    match told.iter_mut().find(|earlier| earlier.node == new.node) {
        None => told.push(new),
        Some(earlier) => match (&mut earlier.end, new.end) {
            (Ok(said), Ok(more)) => said.suppressed += more.suppressed,
            (Ok(_), Err(failure)) => earlier.end = Err(failure),
            (Err(_), _) => {}
        },
    }
}

/// Does the condition leave no record of this node, whatever they are?
pub(super) fn asks_nothing(session: &SessionContext, aggregate: &Aggregate) -> DfResult<bool> {
    let plan = session.state().optimize(&LogicalPlan::Aggregate(aggregate.clone()))?;
    plan.exists(|part| Ok(matches!(part, LogicalPlan::EmptyRelation(_))))
}

/// The aggregate with the size of each cell, and how many records each of its functions rests on, behind its own columns.
pub(super) fn with_sizes(aggregate: &Aggregate) -> DfResult<Aggregate> {
    let records = std::iter::once(count_of(lit(1_i64)));
    let sizes = records.chain(columns_aggregated(aggregate).into_iter().map(count_of));
    let sizes = sizes.enumerate().map(|(number, size)| size.alias(format!("size of a cell {number}")));
    let functions = aggregate.aggr_expr.iter().cloned().chain(sizes).collect();
    Aggregate::try_new(Arc::clone(&aggregate.input), aggregate.group_expr.clone(), functions)
}

/// The aggregate with its columns named and in their order. SQL that is made of an aggregate alone has them in another.
pub(super) fn in_order(aggregate: Aggregate) -> DfResult<LogicalPlan> {
    let columns = aggregate.schema.columns().into_iter().enumerate();
    let named: Vec<_> = columns.map(|(number, column)| Expr::Column(column).alias(name(number))).collect();
    LogicalPlanBuilder::from(LogicalPlan::Aggregate(aggregate)).project(named)?.build()
}

fn at(sizes: &ArrayRef, row: usize) -> u64 {
    sizes.as_primitive_opt::<Int64Type>().map_or(0, |sizes| sizes.value(row).max(0).unsigned_abs())
}

/// Cells as the rest of the plan takes them: columns by number, in the kinds that were planned; that of the node filled in.
fn shown(aggregate: &Aggregate, cells: &RecordBatch, node: Option<&NodeId>) -> Result<RecordBatch, ArrowError> {
    let mut columns = cells.columns().iter();
    let planned = aggregate.schema.fields().iter().enumerate();
    let filled = planned.map(|(number, field)| {
        let column: ArrayRef = match node {
            Some(node) if aggregate.group_expr.get(number).is_some_and(nodes::is_node) => {
                Arc::new(StringArray::from(vec![node.as_str(); cells.num_rows()]))
            }
            _ => {
                let missing = || ArrowError::SchemaError("a column of cells is missing".to_owned());
                cast(columns.next().ok_or_else(missing)?, field.data_type())?
            }
        };
        Ok(column)
    });
    let columns = filled.collect::<Result<Vec<_>, ArrowError>>()?;
    RecordBatch::try_new(schema_of(aggregate), columns)
}

fn schema_of(aggregate: &Aggregate) -> SchemaRef {
    let fields = aggregate.schema.fields().iter().enumerate();
    let plain = fields.map(|(number, field)| Field::new(name(number), field.data_type().clone(), true));
    Arc::new(Schema::new(plain.collect::<Vec<_>>()))
}

/// Cells in memory, under the names by which the rest of the plan knows the aggregate's columns.
fn as_plan(aggregate: &Aggregate, batches: Vec<RecordBatch>) -> DfResult<LogicalPlan> {
    let table = MemTable::try_new(schema_of(aggregate), vec![batches])?;
    let columns = aggregate.schema.iter().enumerate();
    let renamed: Vec<Expr> = columns
        .map(|(number, (qualifier, field))| ident(name(number)).alias_qualified(qualifier.cloned(), field.name()))
        .collect();
    LogicalPlanBuilder::scan("cells", provider_as_source(Arc::new(table)), None)?.project(renamed)?.build()
}

fn name(number: usize) -> String {
    format!("cell_{number}")
}

fn failed(error: ArrowError) -> StatementError {
    StatementError::failed(DataFusionError::from(error))
}

async fn run(session: &SessionContext, plan: &LogicalPlan) -> Result<(SchemaRef, Vec<RecordBatch>), StatementError> {
    let running = async {
        let plan = session.state().create_physical_plan(plan).await?;
        let schema = plan.schema();
        Ok((schema, physical_plan::collect(plan, session.task_ctx()).await?))
    };
    Box::pin(running).await.map_err(StatementError::failed)
}
