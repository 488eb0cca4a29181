//! Making room: data files that no version needs any more.

use std::{
    fs,
    path::{Path, PathBuf},
};

use chrono::{DateTime, TimeDelta, Utc};

use super::{PublishError, leftovers, lock};
use crate::{
    catalog::Dataset,
    storage::{
        StorageError,
        delta::{self, Past},
    },
};

/// Which versions before the newest can still be read afterwards. A file stays if either says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// How many versions, the newest included.
    pub versions: u64,
    /// Files that were superseded less than that long ago.
    pub younger_than: TimeDelta,
}

/// Files and the room that they take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heap {
    pub files: u64,
    pub bytes: u64,
}

/// What was found, and removed unless it was a dry run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vacuumed {
    /// Left by a publication that was killed: data files of no version, commits that were not finished, spilled rows.
    pub orphans: Heap,
    /// Only in versions that need not be kept.
    pub expired: Heap,
    /// Data files that stay: of the newest version, and of those before it that are kept.
    pub kept: Heap,
}

/// Remove the data files of a dataset that nothing needs.
///
/// Nothing is removed while a publication is under way. A node that maps a file goes on reading it after it is gone from its
/// folder, as Linux keeps the bytes of a file until the last map of it ends.
pub async fn vacuum(
    dataset: &Dataset,
    table: &Path,
    spill: &Path,
    retention: Retention,
    now: DateTime<Utc>,
    dry_run: bool,
) -> Result<Vacuumed, PublishError> {
    if !table.is_dir() {
        return Ok(Vacuumed::default());
    }
    let _lock = lock(dataset, table)?;
    let orphans = leftovers::orphans(table).await?;
    let past = delta::past(table, retention.versions.saturating_sub(1)).await?;
    let superseded_before = now - retention.younger_than;
    let named = leftovers::data_files(table)?.into_iter().filter(|path| !orphans.contains(path));
    let (kept, expired): (Vec<_>, Vec<_>) = named.partition(|path| is_needed(path, &past, superseded_before));
    let left = [orphans, leftovers::spilled(&spill.join(dataset.id.as_str()))?].concat();
    let found = Vacuumed { orphans: heap(&left)?, expired: heap(&expired)?, kept: heap(&kept)? };
    if !dry_run {
        for path in left.iter().chain(&expired) {
            fs::remove_file(path).map_err(StorageError::file(path, "removed"))?;
        }
    }
    Ok(found)
}

fn heap(paths: &[PathBuf]) -> Result<Heap, StorageError> {
    let mut heap = Heap::default();
    for path in paths {
        heap.files += 1;
        heap.bytes += fs::metadata(path).map_err(StorageError::file(path, "read"))?.len();
    }
    Ok(heap)
}

fn is_needed(path: &PathBuf, past: &Past, superseded_before: DateTime<Utc>) -> bool {
    if past.newest.contains(path) || past.before.contains(path) {
        return true;
    }
    // A file that the log names without telling when it went may be one of yesterday.
    past.superseded.get(path).is_none_or(|when| *when > superseded_before)
}
