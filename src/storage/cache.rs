//! The cache of an object store's files on this machine's disk: one sparse copy a file, within a bound.
//!
//! Whole copies are evicted: those of files that nobody serves first, the oldest before the newer ones, then served ones
//! that were not read since the last time, then any. A copy that is evicted while it is read stays readable to the end.

use std::{
    collections::HashMap,
    fs,
    os::unix::fs::MetadataExt,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::SystemTime,
};

use aws_lc_rs::digest;
use metrics::gauge;
use object_store::{ObjectStore, path::Path as ObjectPath};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::{StorageError, cached::CachedFile, copy::LocalCopy};

/// Requests to the store at once: enough to fill a line over some distance, few enough for any store.
const REQUESTS_MAX: usize = 32;
/// Down to how much room is made, in percent of the bound: not for each block again.
const FILLED_PERCENT: u64 = 90;
const ENDING: &str = "blocks";

#[derive(Debug)]
pub(super) struct Cache {
    folder: PathBuf,
    bytes_max: u64,
    block_bytes: u64,
    used: AtomicU64,
    open: Mutex<HashMap<PathBuf, Weak<CachedFile>>>,
    /// Held while room is made.
    sweeping: Mutex<()>,
    requests: Semaphore,
}

/// A copy on the disk, in the order in which copies go.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    /// Nobody serves it; since when it was not written.
    Left(SystemTime),
    Idle,
    Used,
}

impl Cache {
    pub(super) fn open(folder: PathBuf, bytes_max: u64, block_bytes: u64) -> Result<Self, StorageError> {
        fs::create_dir_all(&folder).map_err(StorageError::file(&folder, "made"))?;
        let cache = Self {
            folder,
            bytes_max,
            block_bytes,
            used: AtomicU64::new(0),
            open: Mutex::default(),
            sweeping: Mutex::default(),
            requests: Semaphore::new(REQUESTS_MAX),
        };
        let used = cache.copies()?.iter().map(|(_, _, bytes)| bytes).sum();
        cache.used.store(used, Ordering::Relaxed);
        Ok(cache)
    }

    pub(super) fn block_bytes(&self) -> u64 {
        self.block_bytes
    }

    pub(super) fn folder(&self) -> &std::path::Path {
        &self.folder
    }

    /// A place among the requests. The semaphore is never closed, so there always is one.
    pub(super) async fn admit(&self) -> Option<SemaphorePermit<'_>> {
        self.requests.acquire().await.ok()
    }

    /// The file `shown` of the store at `endpoint`; the same one for all who ask while somebody holds it.
    pub(super) fn file(
        self: &Arc<Self>,
        endpoint: &str,
        shown: &str,
        location: ObjectPath,
        store: &Arc<dyn ObjectStore>,
        length: u64,
    ) -> Result<Arc<CachedFile>, StorageError> {
        // A digest: whatever a table calls its files, the name stays inside the folder.
        let name =
            hex::encode(&digest::digest(&digest::SHA256, format!("{endpoint} {shown}").as_bytes()).as_ref()[..16]);
        let path = self.folder.join(name).with_extension(ENDING);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = open.get(&path).and_then(Weak::upgrade).filter(|file| file.length() == length) {
            return Ok(file);
        }
        let copy = LocalCopy::open(&path, length, self.block_bytes)?;
        let file = CachedFile::new(shown.to_owned(), location, Arc::clone(store), Arc::clone(self), copy, length);
        open.retain(|_, file| file.strong_count() > 0);
        open.insert(path, Arc::downgrade(&file));
        Ok(file)
    }

    /// Count bytes that are about to be written, and evict copies where they would be too many.
    pub(super) fn make_room_for(&self, bytes: u64) -> Result<(), StorageError> {
        let mut used = self.used.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if used > self.bytes_max {
            let _alone = self.sweeping.lock().unwrap_or_else(PoisonError::into_inner);
            if self.used.load(Ordering::Relaxed) > self.bytes_max {
                used = self.sweep()? + bytes;
                self.used.store(used, Ordering::Relaxed);
            }
        }
        gauge!("shuqiao_cache_bytes").set(used as f64);
        Ok(())
    }

    /// Evict until the cache is a little below its bound; returns what is left.
    fn sweep(&self) -> Result<u64, StorageError> {
        let mut copies = self.copies()?;
        let mut left: u64 = copies.iter().map(|(_, _, bytes)| bytes).sum();
        copies.sort_by(|(one, ..), (other, ..)| one.cmp(other));
        for (_, path, bytes) in copies {
            if left <= self.bytes_max / 100 * FILLED_PERCENT {
                break;
            }
            match self.served(&path) {
                Some(file) => file.evict()?,
                None => fs::remove_file(&path).map_err(StorageError::file(&path, "removed"))?,
            }
            left = left.saturating_sub(bytes);
        }
        Ok(left)
    }

    /// Every copy with its standing and the bytes that it holds.
    fn copies(&self) -> Result<Vec<(Standing, PathBuf, u64)>, StorageError> {
        let failed = || StorageError::file(&self.folder, "listed");
        let mut copies = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(failed())? {
            let path = entry.map_err(failed())?.path();
            if path.extension().is_none_or(|ending| ending != ENDING) {
                continue;
            }
            let metadata = fs::metadata(&path).map_err(StorageError::file(&path, "read"))?;
            let (standing, bytes) = match self.served(&path) {
                Some(file) if file.take_used() => (Standing::Used, file.held()),
                Some(file) => (Standing::Idle, file.held()),
                // In a sparse file only what was written takes space; blocks of 512 bytes by POSIX.
                None => {
                    (Standing::Left(metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH)), metadata.blocks() * 512)
                }
            };
            copies.push((standing, path, bytes));
        }
        Ok(copies)
    }

    fn served(&self, path: &std::path::Path) -> Option<Arc<CachedFile>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).get(path).and_then(Weak::upgrade)
    }
}
