//! What would be done, and where: the plan, and what each node would be asked. Nothing is counted, and nobody is asked.

use std::sync::Arc;

use arrow::{
    array::{RecordBatch, StringArray},
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use async_trait::async_trait;
use datafusion::{
    common::tree_node::{TreeNode, TreeNodeRecursion},
    error::{DataFusionError, Result as DfResult},
    logical_expr::{Aggregate, LogicalPlan},
    physical_plan::displayable,
};

use super::{
    Counted, Counting, Kept, StatementError,
    cells::{asks_nothing, in_order, with_sizes},
    inspect::makes_cells,
    nodes::{self, NODE_COLUMN, PeerCounts, PeerFailure, Peers, Remote},
};
use crate::identifiers::NodeId;

/// Where the statement for another node stands in the description of a plan.
const STATEMENT: &str = "base_sql=";

/// The columns of an explanation: the node, nothing for the whole; and its part, as a plan or, for others, as SQL.
pub(super) fn schema() -> SchemaRef {
    let text = |name: &str, nullable| Field::new(name, DataType::Utf8, nullable);
    Arc::new(Schema::new(vec![text(NODE_COLUMN, true), text("part", false)]))
}

pub(super) async fn explain(counting: &Counting) -> Result<Counted, StatementError> {
    let mut rows = vec![(None, counting.plan.display_indent().to_string())];
    let mut aggregates = Vec::new();
    let collected = counting.plan.apply(|part| {
        let Some(aggregate) = makes_cells(part) else { return Ok(TreeNodeRecursion::Continue) };
        aggregates.push(aggregate.clone());
        Ok(TreeNodeRecursion::Jump)
    });
    collected.map_err(StatementError::failed)?;
    if let Kept::Divided { nodes, .. } = &counting.kept {
        for aggregate in &aggregates {
            for node in nodes {
                let part = part(counting, node, aggregate).await?;
                rows.extend(part.map(|part| (Some(node.to_string()), part)));
            }
        }
    }
    let (nodes, parts): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
    let columns =
        RecordBatch::try_new(schema(), vec![Arc::new(StringArray::from(nodes)), Arc::new(StringArray::from(parts))]);
    let batch = columns.map_err(|error| StatementError::failed(DataFusionError::from(error)))?;
    Ok(Counted { schema: schema(), batches: vec![batch], suppressed: 0, nodes: Vec::new() })
}

/// What a node would be asked; nothing where it has none of the records.
async fn part(counting: &Counting, node: &NodeId, aggregate: &Aggregate) -> Result<Option<String>, StatementError> {
    let Kept::Divided { own, table, .. } = &counting.kept else { return Ok(None) };
    let whole = |aggregate: &Aggregate| -> DfResult<LogicalPlan> { with_sizes(aggregate).and_then(in_order) };
    let here = nodes::at_node(aggregate, node, table).map_err(StatementError::failed)?;
    if asks_nothing(&counting.session, &here).map_err(StatementError::failed)? {
        return Ok(None);
    }
    if node == own {
        let plan = whole(&here).map_err(StatementError::failed)?;
        return Ok(Some(plan.display_indent().to_string()));
    }
    let remote = Remote::new(&counting.session, (node, &counting.dataset), &table.schema(), Arc::new(Nobody));
    let there = nodes::at_node(aggregate, node, &remote.table).and_then(|there| whole(&there));
    let there = there.map_err(StatementError::failed)?;
    let session = remote.session_for(&there)?;
    let planned = Box::pin(session.state().create_physical_plan(&there)).await.map_err(StatementError::failed)?;
    let described = displayable(planned.as_ref()).indent(false).to_string();
    let statement = described.split_once(STATEMENT).map(|(_, rest)| rest.lines().next().unwrap_or_default().to_owned());
    Ok(Some(statement.unwrap_or(described)))
}

/// Nobody is asked for an explanation.
struct Nobody;

#[async_trait]
impl Peers for Nobody {
    async fn count(&self, _node: &NodeId, _statement: &str) -> Result<PeerCounts, PeerFailure> {
        Err(PeerFailure { end: "unreachable", code: None })
    }
}
