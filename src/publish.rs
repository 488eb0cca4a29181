//! Publication: a file in, a checked, sorted, atomic version out.
//!
//! Floor 3: may use `engine` (to sort), `catalog`, `storage`, `identifiers`, `problem`.
//!
//! ```text
//! input (CSV, Parquet) -> parts -> check each cell -> ranges of keys -> sort each -> data files -> one Delta version
//!                                   └ rejects          └ spills      └ duplicates   └ or merged with a file of the
//!                                                                      are rejects    version before (changes)
//! ```
//!
//! The workers do each half side by side: first they take parts of the input and gather the checked rows by ranges of
//! their keys, then they take ranges and make files of them. Nothing is shared while a row is worked on.
//!
//! Promises: bounded memory at any size; a bad row never stops the others, and is written to the rejects file with its
//! line, field and reason, never with its value; above the catalogue's tolerance nothing is published; whatever stops the
//! process before the commit leaves the version before it serving; what it leaves on the disk, the next one removes.

mod base;
mod check;
mod chunks;
mod drift;
mod gather;
mod input;
mod leftovers;
mod make;
mod merge;
mod packed;
mod ranges;
mod rejects;
mod rows;
mod sample;
mod sort;
mod vacuum;
mod work;
mod write;

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use chrono::{DateTime, NaiveDate, Utc};

pub use drift::{Difference, Drift, Near};
pub use vacuum::{Heap, Retention, Vacuumed, vacuum};

use crate::{
    catalog::Dataset,
    engine::{EngineError, SortPlace, delta_columns},
    identifiers::{DatasetId, VersionNo},
    problem::Code,
    storage::{
        StorageError,
        delta::{self, About},
    },
};
use base::Base;
use gather::Gathering;
use input::Input;
use make::Making;
use rejects::Rejects;
use write::Made;

pub use write::FILE_ROWS;

/// What to publish, and where.
#[derive(Clone, Debug)]
pub struct Publication<'a> {
    pub dataset: &'a Arc<Dataset>,
    /// CSV or Parquet, by its extension.
    pub file: &'a Path,
    /// The dataset's own folder; made if missing.
    pub table: &'a Path,
    /// Where bad rows are written; created only when there are any.
    pub rejects: &'a Path,
    pub sort: SortPlace,
    /// When the data was true.
    pub as_of: DateTime<Utc>,
    pub now: DateTime<Utc>,
    /// Today in China, against which dates are checked.
    pub today: NaiveDate,
}

/// How far a publication has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Part of the input read so far, of `total` bytes or rows.
    Read { done: u64, total: u64 },
    /// Rows sorted and written.
    Written { rows: u64 },
}

/// What was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    pub version: VersionNo,
    pub rows: u64,
    pub rejected: u64,
    /// Of the whole version, also those that were kept.
    pub files: usize,
    /// Of the files that were written.
    pub bytes: u64,
    /// What became of the changes, where changes were published.
    pub applied: Option<Applied>,
}

/// What changes did to the version before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Applied {
    pub inserted: u64,
    pub replaced: u64,
    pub deleted: u64,
    /// Deletions of keys that were not there: no fault, so that the same file may be published twice.
    pub absent: u64,
    pub files_kept: usize,
    pub files_rewritten: usize,
}

/// Why nothing was published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    #[error("`{path}` cannot be read")]
    Input {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("`{path}` is neither `.csv` nor `.parquet`")]
    UnknownFormat { path: PathBuf },
    #[error("`{path}` does not have the columns of `{dataset}`: {drift}")]
    Columns { path: PathBuf, dataset: DatasetId, drift: Drift },
    #[error("`{path}` has no row that could be published")]
    Empty { path: PathBuf },
    #[error(
        "{rejected} of {rows} rows are bad, more than the {tolerance} that `{dataset}` tolerates. Nothing was published; the reasons are in `{rejects}`"
    )]
    TooManyBadRows { dataset: DatasetId, rows: u64, rejected: u64, tolerance: f64, rejects: PathBuf },
    #[error("another publication of `{dataset}` is under way. Wait for it to end")]
    Busy { dataset: DatasetId },
    #[error("`{dataset}` has no version that changes could be applied to. Publish the whole register first")]
    NoBase { dataset: DatasetId },
    #[error(
        "changes cannot be applied to the newest version of `{dataset}`: {reason}. Publish the whole register once"
    )]
    UnfitBase { dataset: DatasetId, reason: String },
    #[error("the changes in `{path}` would leave `{dataset}` without a record. Nothing was published")]
    Emptied { path: PathBuf, dataset: DatasetId },
    #[error("a data file of the version before could not be read")]
    ReadBase(#[source] parquet::errors::ParquetError),
    #[error("writing a data file failed")]
    Write(#[source] parquet::errors::ParquetError),
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("sorting failed")]
    Sort(#[from] EngineError),
    #[error("`{dataset}` has become another version meanwhile. Pull again")]
    Overtaken { dataset: DatasetId },
    #[error("a worker of the publication stopped")]
    Worker(#[from] tokio::task::JoinError),
}

impl PublishError {
    pub fn code(&self) -> Code {
        match self {
            Self::Input { .. } | Self::UnknownFormat { .. } => Code::InvalidValue,
            Self::Columns { .. }
            | Self::Empty { .. }
            | Self::TooManyBadRows { .. }
            | Self::Busy { .. }
            | Self::NoBase { .. }
            | Self::UnfitBase { .. }
            | Self::Overtaken { .. }
            | Self::Emptied { .. } => Code::PublicationRefused,
            Self::ReadBase(_) | Self::Write(_) | Self::Storage(_) | Self::Sort(_) => Code::StorageFailed,
            Self::Worker(_) => Code::Internal,
        }
    }
}

/// Called with every step forward, from any worker.
pub type Watch = Arc<dyn Fn(Progress) + Send + Sync>;

/// Publish a file as the next version of a dataset: the whole of it.
pub async fn publish(publication: Publication<'_>, watch: Watch) -> Result<Published, PublishError> {
    let Publication { dataset, table, .. } = publication;
    fs::create_dir_all(table).map_err(StorageError::file(table, "made"))?;
    let _lock = lock(dataset, table)?;
    carry_out(publication, None, None, watch).await
}

/// Publish the whole of what another node has returned, as the version that comes after the one that remembers `after`.
///
/// `cursor` becomes part of the very commit, so that the version and how far the node has come are never apart, whatever
/// stops the process. Where the newest version remembers something else by now, nothing is published.
pub async fn publish_returned(
    publication: Publication<'_>,
    cursor: &str,
    after: Option<&str>,
    watch: Watch,
) -> Result<Published, PublishError> {
    let Publication { dataset, table, .. } = publication;
    fs::create_dir_all(table).map_err(StorageError::file(table, "made"))?;
    let _lock = lock(dataset, table)?;
    if delta::returned(table).await?.as_deref() != after {
        return Err(PublishError::Overtaken { dataset: dataset.id.clone() });
    }
    carry_out(publication, None, Some(cursor), watch).await
}

/// Publish changes to the newest version as the next one. Beside the dataset's columns the file has `_change`, which says of
/// each row whether it is an `upsert` or a `delete`; of a deletion nothing but the key is read.
///
/// A data file of the version before in whose range of keys nothing changes is part of the next version as it is.
pub async fn publish_changes(publication: Publication<'_>, watch: Watch) -> Result<Published, PublishError> {
    let Publication { dataset, table, .. } = publication;
    if !table.is_dir() {
        return Err(PublishError::NoBase { dataset: dataset.id.clone() });
    }
    let _lock = lock(dataset, table)?;
    let base = Base::newest(table, dataset).await?;
    carry_out(publication, Some(base), None, watch).await
}

/// Both halves of the work, then the commit. Whoever calls holds the lock.
async fn carry_out(
    publication: Publication<'_>,
    base: Option<Base>,
    returned: Option<&str>,
    watch: Watch,
) -> Result<Published, PublishError> {
    let Publication { dataset, file, table, .. } = publication;
    leftovers::remove_orphans(table).await?;
    let spill = leftovers::empty_spill(&publication.sort.spill, dataset.id.as_str())?;
    let place = SortPlace { spill, ..publication.sort.clone() };
    let input = Input::open(file, dataset, base.is_some())?;
    let rejects = Arc::new(Rejects::new(publication.rejects));

    let gathering = Gathering::new(&publication, input, base.as_ref(), &place, &rejects, &watch)?;
    let gathered = gathering.run().await?;
    rejects.second_round();
    let made = Arc::new(Made::new(dataset, table));
    let making = Making::new(dataset, gathered.ranges, base, place, &rejects, &made, &watch);
    let outcome = making.run().await?;

    let rejected = rejects.finish()?;
    refuse_bad(&publication, gathered.rows, rejected)?;
    if gathered.rows == rejected {
        return Err(PublishError::Empty { path: file.to_owned() });
    }
    let files = made.finish()?;
    let kept = outcome.applied.map_or(0, |applied| applied.files_kept);
    if files.is_empty() && kept == 0 {
        return Err(PublishError::Emptied { path: file.to_owned(), dataset: dataset.id.clone() });
    }
    let columns = delta_columns(dataset);
    let about = About { as_of: publication.as_of, returned };
    let version = delta::commit(table, &columns, &files, &outcome.superseded, about, publication.now).await?;
    made.keep();
    Ok(Published {
        version,
        rows: files.iter().map(|file| file.rows).sum::<u64>() + outcome.rows_kept,
        rejected,
        files: files.len() + kept,
        bytes: files.iter().map(|file| file.bytes).sum(),
        applied: outcome.applied,
    })
}

/// One publication of a dataset at a time. The lock goes with the process, however it ends.
fn lock(dataset: &Dataset, table: &Path) -> Result<File, PublishError> {
    let path = table.join(".publish.lock");
    let file = File::create(&path).map_err(StorageError::file(&path, "written"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(PublishError::Busy { dataset: dataset.id.clone() }),
        Err(fs::TryLockError::Error(error)) => Err(StorageError::file(&path, "locked")(error).into()),
    }
}

fn refuse_bad(publication: &Publication<'_>, rows: u64, rejected: u64) -> Result<(), PublishError> {
    let tolerance = publication.dataset.reject_share_max;
    if rejected as f64 <= tolerance * rows as f64 {
        return Ok(());
    }
    Err(PublishError::TooManyBadRows {
        dataset: publication.dataset.id.clone(),
        rows,
        rejected,
        tolerance,
        rejects: publication.rejects.to_owned(),
    })
}
