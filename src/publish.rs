//! Publication: a file in, a checked, sorted, atomic version out.
//!
//! Floor 3: may use `engine` (to sort), `catalog`, `storage`, `identifiers`, `problem`.
//!
//! ```text
//! read (CSV, Parquet) -> check each cell -> sort by key -> write data files -> commit one Delta version
//!                           └ rejects          └ spills       └ duplicates are rejects too
//! ```
//!
//! Promises: bounded memory at any size; a bad row never stops the others, and is written to the rejects file with its
//! line, field and reason, never with its value; above the catalogue's tolerance nothing is published; whatever stops the
//! process before the commit leaves the version before it serving; what it leaves on the disk, the next one removes.

mod check;
mod leftovers;
mod read;
mod rejects;
mod write;

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use arrow::array::RecordBatch;
use chrono::{DateTime, NaiveDate, Utc};
use futures::{StreamExt, TryStreamExt};
use tokio::sync::mpsc;

use crate::{
    catalog::Dataset,
    engine::{EngineError, SortPlace, delta_columns, sort_batches},
    identifiers::{DatasetId, VersionNo},
    problem::Code,
    storage::{StorageError, delta},
};
use check::Checker;
use read::Source;
use rejects::Rejects;
use write::DataFiles;

/// Batches that may wait between reading and sorting, and between sorting and writing.
const BATCHES_WAITING_MAX: usize = 4;

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
    pub files: usize,
    pub bytes: u64,
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
    #[error("`{path}` does not have the columns of `{dataset}`: {reason}")]
    Columns { path: PathBuf, dataset: DatasetId, reason: String },
    #[error("`{path}` has no row that could be published")]
    Empty { path: PathBuf },
    #[error(
        "{rejected} of {rows} rows are bad, more than the {tolerance} that `{dataset}` tolerates. Nothing was published; the reasons are in `{rejects}`"
    )]
    TooManyBadRows { dataset: DatasetId, rows: u64, rejected: u64, tolerance: f64, rejects: PathBuf },
    #[error("another publication of `{dataset}` is under way. Wait for it to end")]
    Busy { dataset: DatasetId },
    #[error("writing a data file failed")]
    Write(#[source] parquet::errors::ParquetError),
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("sorting failed")]
    Sort(#[from] EngineError),
    #[error("a worker of the publication stopped")]
    Worker(#[from] tokio::task::JoinError),
}

impl PublishError {
    pub fn code(&self) -> Code {
        match self {
            Self::Input { .. } | Self::UnknownFormat { .. } => Code::InvalidValue,
            Self::Columns { .. } | Self::Empty { .. } | Self::TooManyBadRows { .. } | Self::Busy { .. } => {
                Code::PublicationRefused
            }
            Self::Write(_) | Self::Storage(_) | Self::Sort(_) => Code::StorageFailed,
            Self::Worker(_) => Code::Internal,
        }
    }
}

/// Publish a file as the next version of a dataset.
pub async fn publish(
    publication: Publication<'_>,
    progress: Arc<dyn Fn(Progress) + Send + Sync>,
) -> Result<Published, PublishError> {
    let Publication { dataset, file, table, .. } = publication;
    fs::create_dir_all(table).map_err(StorageError::file(table, "made"))?;
    let _lock = lock(dataset, table)?;
    leftovers::remove_orphans(table).await?;
    let spill = leftovers::empty_spill(&publication.sort.spill, dataset.id.as_str())?;
    let sort = SortPlace { spill, ..publication.sort.clone() };
    let source = Source::open(file, dataset)?;
    let checker = Checker::new(dataset, publication.today);
    let rejects = Arc::new(Mutex::new(Rejects::new(publication.rejects)));

    let (to_sort, unsorted) = mpsc::channel(BATCHES_WAITING_MAX);
    let schema = checker.schema();
    let reading = {
        let (rejects, progress, path) = (Arc::clone(&rejects), Arc::clone(&progress), file.to_owned());
        tokio::task::spawn_blocking(move || read_all(source, checker, &rejects, &to_sort, &*progress, &path))
    };
    let by = [dataset.key.as_str(), check::LINE];
    let unsorted =
        futures::stream::unfold(unsorted, |mut input| async { input.recv().await.map(|batch| (batch, input)) });
    let mut sorted = sort_batches(unsorted.boxed(), &schema, &by, &sort)?;

    let (to_write, ready) = mpsc::channel(BATCHES_WAITING_MAX);
    let writing = {
        let (rejects, files) = (Arc::clone(&rejects), DataFiles::new(dataset, table));
        tokio::task::spawn_blocking(move || write_all(files, ready, &rejects, &*progress))
    };
    while let Some(batch) = sorted.try_next().await? {
        if to_write.send(batch).await.is_err() {
            break; // The writer has stopped; its error is told below.
        }
    }
    drop(to_write);
    let read = reading.await??;
    let written = writing.await??;
    drop(sorted);

    let rejected = rejects.lock().unwrap_or_else(PoisonError::into_inner).finish()?;
    refuse_bad(&publication, read, rejected)?;
    if written.rows() == 0 {
        return Err(PublishError::Empty { path: file.to_owned() });
    }
    let files = written.finish()?;
    let version = delta::commit(table, &delta_columns(dataset), &files, publication.as_of, publication.now).await?;
    let report = Published {
        version,
        rows: files.iter().map(|file| file.rows).sum(),
        rejected,
        files: files.len(),
        bytes: files.iter().map(|file| file.bytes).sum(),
    };
    files.keep();
    Ok(report)
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

/// Read and check every row; returns how many rows there were.
fn read_all(
    mut source: Source,
    mut checker: Checker,
    rejects: &Mutex<Rejects>,
    to_sort: &mpsc::Sender<io::Result<RecordBatch>>,
    progress: &dyn Fn(Progress),
    path: &Path,
) -> Result<u64, PublishError> {
    let unreadable = |source| PublishError::Input { path: path.to_owned(), source };
    let mut rows = 0;
    while source.advance().map_err(unreadable)? {
        rows += 1;
        checker.check(&source, rejects)?;
        if checker.is_full() {
            let (done, total) = source.progress();
            progress(Progress::Read { done, total });
            if to_sort.blocking_send(Ok(checker.take())).is_err() {
                return Ok(rows); // The sort has stopped; its error is told by the caller.
            }
        }
    }
    let _ = to_sort.blocking_send(Ok(checker.take()));
    let (_, total) = source.progress();
    progress(Progress::Read { done: total, total });
    Ok(rows)
}

fn write_all(
    mut files: DataFiles,
    mut ready: mpsc::Receiver<RecordBatch>,
    rejects: &Mutex<Rejects>,
    progress: &dyn Fn(Progress),
) -> Result<DataFiles, PublishError> {
    while let Some(batch) = ready.blocking_recv() {
        files.write(&batch, rejects)?;
        progress(Progress::Written { rows: files.rows() });
    }
    Ok(files)
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
