//! The DataFusion engine: keyed look-ups and ordinary SQL over the published version of each dataset.
//!
//! Floor 2: may use `catalog`, `storage`, `identifiers`, `problem`. The only module that names DataFusion types; others
//! see plain functions and Arrow.
//!
//! ```text
//! storage::Table::newer ─> Version (files mapped or cached, parsed footers, key pages)    once per publication
//!                             │ ArcSwap: a call holds the version it began with
//! look_up(key) ─ plan kept per shape ─> KeyedExec ─ binary search in the key pages ─> one page a column ─> row
//! look_up(secondary) ─ predicate, bloom filters, page statistics ──────────────────> DataSourceExec ─> rows
//! sql(text) ─ DataFusion's planner ─ the same files, the same reader ─────────────────────────────> batches
//! ```
//!
//! [`Engine::take`] follows a new catalogue while calls are answered: a dataset whose layout is the same keeps its version,
//! and a call that began under the old catalogue names its columns by that one.
//!
//! What makes a keyed look-up fast is what it leaves out: no SQL, no planning, no footer read, no listing, no thread hop.

mod cells;
mod keyed;
mod keypages;
mod keys;
mod mapped;
mod past;
mod provider;
mod rows;
mod scan;
mod schema;
mod sort;
pub mod statistics;
mod take;
mod version;
mod whole;

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use arc_swap::{ArcSwap, ArcSwapOption};
use arrow::array::RecordBatch;
use chrono::{DateTime, Utc};
use datafusion::{
    error::DataFusionError,
    execution::{TaskContext, context::SQLOptions, runtime_env::RuntimeEnvBuilder},
    prelude::{SessionConfig, SessionContext},
};
use futures::future::join_all;

pub use past::PastError;
pub use schema::{KINDS, arrow_schema, delta_columns, kinds, retyped};
pub use sort::{BatchStream, SortPlace, sort_batches};
pub use whole::Reading;

use crate::{
    catalog::{Catalog, Dataset, Value},
    identifiers::{DatasetId, FieldName, VersionNo},
    problem::Code,
    storage::{StorageError, Table, Tables},
};
use version::Version;

/// Why a look-up could not be answered. Never to be taken for "not found" (promise 1).
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    #[error("dataset `{dataset}` is not in the catalogue")]
    Unknown { dataset: DatasetId },
    #[error("dataset `{dataset}` has no published version")]
    NotPublished { dataset: DatasetId },
    #[error("`{dataset}` no longer has the field `{field}` as the call knew it")]
    Changed { dataset: DatasetId, field: FieldName },
    #[error("more than {rows_max} records of `{dataset}` share that value")]
    TooMany { dataset: DatasetId, rows_max: usize },
    #[error("version {version} of `{dataset}` could not be read")]
    Unreadable {
        dataset: DatasetId,
        version: VersionNo,
        #[source]
        source: Box<DataFusionError>,
    },
}

/// Why the engine could not start, switch a version, sort or answer SQL.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("data file `{path}` is not a Parquet file of this dataset: {reason}")]
    NotOurs { path: PathBuf, reason: String },
    #[error("the query failed: {0}")]
    Query(#[from] DataFusionError),
    #[error("dataset `{dataset}` is not in the catalogue")]
    Unknown { dataset: DatasetId },
}

impl EngineError {
    pub fn code(&self) -> Code {
        match self {
            Self::Storage(_) | Self::NotOurs { .. } => Code::StorageFailed,
            Self::Query(_) => Code::InvalidValue,
            Self::Unknown { .. } => Code::UnknownDataset,
        }
    }
}

/// What a look-up found, and where.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    pub version: VersionNo,
    pub as_of: DateTime<Utc>,
    /// One row per record; its cells in the order of the fields asked.
    pub rows: Vec<Vec<Option<Value>>>,
}

/// What is being served of a dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Serving {
    pub version: VersionNo,
    pub as_of: DateTime<Utc>,
    pub rows: u64,
    /// Can keys be found by binary search in the page index?
    pub keyed: bool,
}

/// One dataset with the version that is being served; replaced whole by a publication.
#[derive(Debug)]
struct Live {
    dataset: Arc<Dataset>,
    table: Arc<Table>,
    current: Arc<ArcSwapOption<Version>>,
}

/// Answers look-ups on published versions.
pub struct Engine {
    /// Replaced whole by [`Engine::take`].
    live: ArcSwap<BTreeMap<DatasetId, Arc<Live>>>,
    tables: Tables,
    session: SessionContext,
    task: Arc<TaskContext>,
    rows_max: usize,
}

impl Engine {
    /// An engine over these tables, one a dataset; serves nothing until [`Engine::refresh`].
    ///
    /// `sql_memory_bytes` bounds what all SQL statements together may hold in memory before they spill; `rows_max` how many
    /// records one look-up by a secondary key may return.
    pub fn new(
        catalog: &Catalog,
        tables: impl Into<Tables>,
        sql_memory_bytes: usize,
        rows_max: usize,
    ) -> Result<Self, EngineError> {
        let runtime = RuntimeEnvBuilder::new().with_memory_limit(sql_memory_bytes, 1.0).build_arc()?;
        let config = SessionConfig::new().with_information_schema(true);
        let session = SessionContext::new_with_config_rt(config, runtime);
        let task = session.task_ctx();
        let engine = Self { live: ArcSwap::default(), tables: tables.into(), session, task, rows_max };
        let mut live = BTreeMap::new();
        for (id, dataset) in &catalog.datasets {
            let entry = engine.fresh(dataset);
            engine.register(&entry)?;
            live.insert(id.clone(), Arc::new(entry));
        }
        engine.live.store(Arc::new(live));
        Ok(engine)
    }

    /// Serve the newest version of every dataset. Returns the datasets that changed.
    ///
    /// A dataset whose new version cannot be read keeps serving the one before, and its error is returned.
    pub async fn refresh(&self) -> (Vec<DatasetId>, Vec<EngineError>) {
        let (mut changed, mut errors) = (Vec::new(), Vec::new());
        // Side by side: a store that is away keeps each of them waiting.
        let live = self.live.load_full();
        let looked = join_all(live.iter().map(async |(id, live)| (id, live.refresh().await))).await;
        for (id, outcome) in looked {
            match outcome {
                Ok(true) => changed.push(id.clone()),
                Ok(false) => {}
                Err(error) => errors.push(error),
            }
        }
        (changed, errors)
    }

    /// What is being served of a dataset, if anything is.
    pub fn serving(&self, dataset: &DatasetId) -> Option<Serving> {
        self.live.load().get(dataset)?.current.load().as_deref().map(Version::serving)
    }

    /// The records whose `by` field holds `value`, as the fields at the given positions of the dataset that is served.
    pub async fn look_up(
        &self,
        dataset: &DatasetId,
        by: &FieldName,
        value: &str,
        fields: &[usize],
    ) -> Result<Found, LookupError> {
        let served = self.live.load().get(dataset).map(|live| Arc::clone(&live.dataset));
        let served = served.ok_or_else(|| LookupError::Unknown { dataset: dataset.clone() })?;
        self.look_up_in(&served, by, value, fields).await
    }

    /// The same for a call that was read under some catalogue: positions are those of its own declaration of the dataset,
    /// whatever has become of it since.
    pub async fn look_up_in(
        &self,
        dataset: &Dataset,
        by: &FieldName,
        value: &str,
        fields: &[usize],
    ) -> Result<Found, LookupError> {
        let id = &dataset.id;
        let (version, translated) = {
            let live = self.live.load();
            let live = live.get(id).ok_or_else(|| LookupError::Unknown { dataset: id.clone() })?;
            let translated = take::translated(dataset, &live.dataset, by, fields)?;
            (live.current.load_full(), translated)
        };
        let version = version.ok_or_else(|| LookupError::NotPublished { dataset: id.clone() })?;
        let fields = translated.as_deref().unwrap_or(fields);
        // Boxed: DataFusion's future is large and would be copied through every caller.
        let looking = Box::pin(version.look_up(&self.task, by, value, fields, self.rows_max));
        let rows = looking.await.map_err(|source| LookupError::Unreadable {
            dataset: id.clone(),
            version: version.number(),
            source: Box::new(source),
        })?;
        if rows.len() > self.rows_max {
            return Err(LookupError::TooMany { dataset: id.clone(), rows_max: self.rows_max });
        }
        Ok(Found { version: version.number(), as_of: version.as_of(), rows })
    }

    /// Answer a read-only SQL statement over the registers, each under its dataset id (quoted: `"natural-person"`).
    ///
    /// For stewards and auditors on the node itself; no caller's text reaches it.
    pub async fn sql(&self, text: &str) -> Result<Vec<RecordBatch>, EngineError> {
        let read_only = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
        let frame = Box::pin(self.session.sql_with_options(text, read_only)).await?;
        Ok(Box::pin(frame.collect()).await?)
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("live", &self.live).finish_non_exhaustive()
    }
}

impl Live {
    async fn refresh(&self) -> Result<bool, EngineError> {
        let known = self.current.load().as_ref().map(|current| current.number());
        let Some(table) = self.table.newer(known).await? else { return Ok(false) };
        let dataset = Arc::clone(&self.dataset);
        // Reading footers is disk and CPU work, and may wait for the store: off the runtime's threads.
        let opened = tokio::task::spawn_blocking(move || Version::open(&dataset, table)).await;
        let version = opened.map_err(|error| DataFusionError::External(Box::new(error)))??;
        self.current.store(Some(Arc::new(version)));
        Ok(true)
    }
}
