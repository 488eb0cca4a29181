//! The bytes of a data file: all of them here, or here block by block.

use std::{ops::Range, path::Path, sync::Arc};

use bytes::Bytes;

use super::{StorageError, cached::CachedFile, map::map_file};

/// Bytes that never change. Cheap to clone.
#[derive(Clone, Debug)]
pub enum DataBytes {
    /// A file of this machine, mapped whole.
    Mapped(Bytes),
    /// A file of an object store, of which a part is here.
    Cached(Arc<CachedFile>),
}

impl DataBytes {
    pub(super) fn map(path: &Path) -> Result<Self, StorageError> {
        Ok(Self::Mapped(map_file(path)?))
    }

    pub fn length(&self) -> u64 {
        match self {
            Self::Mapped(bytes) => bytes.len() as u64,
            Self::Cached(file) => file.length(),
        }
    }

    /// The bytes of a range, if all of them are here: a slice of the map, no copy, no lock. None beyond the file's end.
    pub fn here(&self, range: &Range<u64>) -> Option<Bytes> {
        match self {
            Self::Mapped(bytes) => {
                let within = range.start <= range.end && range.end <= bytes.len() as u64;
                within.then(|| bytes.slice(range.start as usize..range.end as usize))
            }
            Self::Cached(file) => file.here(range),
        }
    }

    /// The bytes of each range; what is not here is fetched, all of it at once. Dropped, it leaves the fetch under way.
    pub async fn read(&self, ranges: &[Range<u64>]) -> Result<Vec<Bytes>, StorageError> {
        match self {
            Self::Mapped(bytes) => {
                let beyond = |range: &Range<u64>| StorageError::Unsupported {
                    path: "data file".into(),
                    reason: format!("bytes {range:?} were asked of {}", bytes.len()),
                };
                ranges.iter().map(|range| self.here(range).ok_or_else(|| beyond(range))).collect()
            }
            Self::Cached(file) => file.read(ranges).await,
        }
    }
}
