//! Statistics: a statement that counts records and shows none.
//!
//! May use the rest of the room. What a statement may be is judged by its plan, never by its text: each shape of plan and
//! of expression that is known to disclose no record is listed (`inspect`), and everything else is refused by name. Which
//! fields somebody may count is not judged here: [`Counting`] says which are used and how, and the caller decides.
//!
//! ```text
//! text, parameters ─ statement ─> one query ─ DataFusion's planner ─> plan ─ inspect ─> Counting (dataset, fields, plan)
//! Counting ─ each lowest aggregate is run by itself ─> cells ─ those of too few records go ─> the rest of the plan ─> rows
//! ```
//!
//! The plan is run in two steps, so that nothing above an aggregate (a `having`, an order, a quotient) is ever evaluated on a
//! cell that is suppressed: not even an error can tell of it. Where a dataset is divided over nodes, the first step is done
//! at each of them ([`Spread`], [`Peers`]), and cells come back.

mod cells;
mod explain;
mod inspect;
mod nodes;
mod statement;

use std::{collections::BTreeSet, sync::Arc};

use arc_swap::ArcSwapOption;
use arrow::{
    array::{ArrayRef, RecordBatch},
    datatypes::SchemaRef,
};
use chrono::{DateTime, Utc};
use datafusion::{
    catalog::TableProvider,
    common::TableReference,
    datasource::provider_as_source,
    error::DataFusionError,
    logical_expr::{LogicalPlan, TableSource},
    prelude::{SessionConfig, SessionContext},
};

pub use nodes::{NODE_COLUMN, NodeTold, PeerCounts, PeerFailure, PeerSaid, Peers, Spread};
pub use statement::placeholders;

use super::{Engine, Live, arrow_schema, provider::RegisterTable};
use crate::{
    catalog::Value,
    identifiers::{DatasetId, FieldName, NodeId, VersionNo},
    problem::Code,
};
use statement::Statement;

/// The catalogue and the schema under which SQL finds the registers, as metadata shows them.
pub const SQL_CATALOG: &str = "shuqiao";
pub const SQL_SCHEMA: &str = "registers";

/// Why a statement is not answered. No variant repeats a register value.
#[derive(Debug, thiserror::Error)]
pub enum StatementError {
    #[error("the statement could not be read: {reason}")]
    Unreadable { reason: String },
    #[error("the statement has {expected} parameters, and {given} were bound")]
    Parameters { expected: usize, given: usize },
    #[error("{what}")]
    Refused { what: String, rule: &'static str },
    #[error("`{dataset}` has no field `{field}` that could be counted")]
    UnknownField { dataset: DatasetId, field: String },
    #[error("dataset `{dataset}` has no published version")]
    NotPublished { dataset: DatasetId },
    #[error("the statement makes more than {cells_max} cells")]
    TooManyCells { cells_max: usize },
    #[error("the statement could not be carried out")]
    Failed(#[source] Box<DataFusionError>),
}

impl StatementError {
    pub fn code(&self) -> Code {
        match self {
            Self::Unreadable { .. } | Self::Parameters { .. } => Code::InvalidValue,
            Self::Refused { .. } | Self::TooManyCells { .. } => Code::StatementRefused,
            Self::UnknownField { .. } => Code::UnknownField,
            Self::NotPublished { .. } => Code::NotFound,
            Self::Failed(_) => Code::Internal,
        }
    }

    /// What the caller can do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => {
                "Send one query; a register is named by its dataset id in double quotes, as \"legal-entity\"."
            }
            Self::Parameters { .. } => "Bind one value for each placeholder.",
            Self::Refused { rule, .. } => rule,
            Self::UnknownField { .. } => "Ask for the tables with their schemas to see which fields there are.",
            Self::NotPublished { .. } => "Ask the data steward when the register is published.",
            Self::TooManyCells { .. } => "Group by fewer fields, or by coarser ones.",
            Self::Failed(_) => "Try again; the node's operator finds the cause in its log.",
        }
    }

    fn failed(error: DataFusionError) -> Self {
        Self::Failed(Box::new(error))
    }
}

/// A statement that only counts, ready to be carried out: what it counts, and by which fields.
pub struct Counting {
    /// The statement in the parser's spelling, its parameters in their places; no comment is left.
    pub text: String,
    /// The one dataset that it counts in.
    pub dataset: DatasetId,
    /// The version that is counted here; none where all records are kept by other nodes.
    pub version: Option<VersionNo>,
    pub as_of: Option<DateTime<Utc>>,
    /// Fields by which records are told apart into cells.
    pub grouped: BTreeSet<FieldName>,
    /// Fields by which records are chosen.
    pub filtered: BTreeSet<FieldName>,
    /// Fields that are summed up or whose values are counted.
    pub aggregated: BTreeSet<FieldName>,
    /// Columns of the result.
    pub schema: SchemaRef,
    /// Only what would be done is asked.
    explain: bool,
    session: SessionContext,
    plan: LogicalPlan,
    kept: Kept,
}

/// Where the records are that a statement counts.
enum Kept {
    Here,
    Divided {
        own: NodeId,
        nodes: Vec<NodeId>,
        /// This node's own records.
        table: Arc<dyn TableSource>,
    },
}

impl Counting {
    /// Every field that the statement looks at.
    pub fn fields(&self) -> BTreeSet<&FieldName> {
        self.grouped.iter().chain(&self.filtered).chain(&self.aggregated).collect()
    }
}

impl std::fmt::Debug for Counting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Counting").field("text", &self.text).field("dataset", &self.dataset).finish_non_exhaustive()
    }
}

/// What came out.
#[derive(Clone, Debug)]
pub struct Counted {
    pub schema: SchemaRef,
    pub batches: Vec<RecordBatch>,
    /// Cells that rest on fewer records than the smallest that may be shown, over all aggregates of the statement.
    pub suppressed: u64,
    /// The nodes that were asked, this one among them; none where the dataset is kept here alone.
    pub nodes: Vec<NodeTold>,
}

impl Counted {
    pub fn rows(&self) -> u64 {
        self.batches.iter().map(|batch| batch.num_rows() as u64).sum()
    }
}

/// The one cell of a column, as the value of a parameter: a text, a whole number, a date or a truth value.
pub fn parameter(column: &ArrayRef) -> Result<Option<Value>, StatementError> {
    let wrong = || StatementError::Unreadable { reason: "a parameter is of a kind that no field has".to_owned() };
    super::rows::cell(column, 0).map_err(|_| wrong())
}

impl Engine {
    /// Read a statement and see that it makes statistics only. Looks at no record.
    ///
    /// `parameters` take the places of `?` or `$1`, in their order; they are values, never text of the statement. Without
    /// `spread`, only the records that are kept here are counted, whatever other nodes have.
    pub async fn read_statistics(
        &self,
        text: &str,
        parameters: &[Option<Value>],
        spread: Option<&Spread>,
    ) -> Result<Counting, StatementError> {
        let statement = Statement::read(text)?.bind(parameters)?;
        let nodes_of = |dataset: &DatasetId| spread.and_then(|spread| spread.nodes.get(dataset));
        let session = self.registers_alone(|dataset| nodes_of(dataset).is_some()).map_err(StatementError::failed)?;
        let (spelt, explain) = (statement.text(), statement.explain);
        let plan = planned(&session, statement).await.map_err(|error| unreadable(&error))?;
        let live = self.live.load_full();
        let found = inspect::inspect(&plan, &live, |dataset| nodes_of(dataset).is_some())?;
        let serving = self.serving(&found.dataset);
        let not_published = || StatementError::NotPublished { dataset: found.dataset.clone() };
        let kept = match (spread, nodes_of(&found.dataset), live.get(&found.dataset)) {
            (Some(spread), Some(nodes), Some(live)) => Kept::Divided {
                own: spread.own.clone(),
                nodes: nodes.clone(),
                table: provider_as_source(Arc::new(own_table(live))),
            },
            _ if serving.is_none() => return Err(not_published()),
            _ => Kept::Here,
        };
        Ok(Counting {
            text: spelt,
            dataset: found.dataset,
            version: serving.as_ref().map(|serving| serving.version),
            as_of: serving.as_ref().map(|serving| serving.as_of),
            grouped: found.grouped,
            filtered: found.filtered,
            aggregated: found.aggregated,
            schema: if explain { explain::schema() } else { Arc::clone(plan.schema().inner()) },
            explain,
            session,
            plan,
            kept,
        })
    }

    /// Carry a statement out. Cells of fewer records than `cell_min` are left out, and counted. Where the records are divided
    /// over nodes, `peers` asks the others, all at once; one that tells nothing is named in what comes out.
    ///
    /// Dropping the future stops the work.
    pub async fn count(
        &self,
        counting: &Counting,
        cell_min: u64,
        peers: Option<Arc<dyn Peers>>,
    ) -> Result<Counted, StatementError> {
        if counting.explain {
            return Box::pin(explain::explain(counting)).await;
        }
        Box::pin(cells::count(counting, cell_min, peers)).await
    }

    /// A session that knows the registers as they are now and nothing else, under the memory limit of all SQL.
    fn registers_alone(&self, divided: impl Fn(&DatasetId) -> bool) -> Result<SessionContext, DataFusionError> {
        let config = SessionConfig::new()
            .with_information_schema(false)
            .with_default_catalog_and_schema(SQL_CATALOG, SQL_SCHEMA);
        let session = SessionContext::new_with_config_rt(config, self.session.runtime_env());
        for (id, live) in self.live.load().iter() {
            let table: Arc<dyn TableProvider> = match divided(id) {
                true => Arc::new(nodes::Divided(nodes::with_node(&arrow_schema(&live.dataset)))),
                false => Arc::new(own_table(live)),
            };
            session.register_table(TableReference::bare(id.as_str()), table)?;
        }
        Ok(session)
    }
}

/// The records that are kept here, in the version of now: a publication in between must not make the two halves of a union
/// disagree.
fn own_table(live: &Live) -> RegisterTable {
    RegisterTable::new(&live.dataset, Arc::new(ArcSwapOption::new(live.current.load_full())))
}

/// With every conversion written out: one that is implied could fail on a value as well.
async fn planned(session: &SessionContext, statement: Statement) -> Result<LogicalPlan, DataFusionError> {
    let state = session.state();
    let plan = Box::pin(state.statement_to_plan(statement.into_datafusion())).await?;
    state.analyzer().execute_and_check(plan, state.config_options(), |_, _| {})
}

/// The planner's first sentence. It names what the caller wrote, and columns; never a cell.
fn unreadable(error: &DataFusionError) -> StatementError {
    let text = error.strip_backtrace();
    StatementError::Unreadable { reason: text.lines().next().unwrap_or_default().to_owned() }
}
