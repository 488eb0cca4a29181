//! One file of an object store as this node reads it: what is here at memory speed, what is not by ranged requests.
//!
//! ```text
//! here(range) ─ all blocks present ─> slice of the map            no lock, no await, no copy
//! read(ranges) ─ blocks absent ─> one flight a run of blocks ─> GET ─> local copy ─> slices
//!                 └ another's flight is joined, never repeated
//! ```
//!
//! A flight is a task of its own: a caller that gives up at its deadline leaves it flying, and the next caller finds the
//! blocks here. A store that is away makes `read` an error; it never makes bytes.

use std::{
    collections::HashMap,
    ops::Range,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use arc_swap::ArcSwap;
use aws_lc_rs::digest;
use bytes::Bytes;
use futures::{
    FutureExt,
    future::{BoxFuture, Shared, try_join_all},
};
use metrics::{counter, histogram};
use object_store::{GetOptions, GetRange, ObjectStore, path::Path as ObjectPath};

use super::{
    StorageError,
    cache::Cache,
    copy::{Identity, LocalCopy},
};

/// Blocks of one request: enough that a whole column chunk is a few requests, few enough that a look-up need not wait for it.
const RUN_BLOCKS_MAX: u64 = 16;
/// How often blocks are fetched again that were evicted before they could be read.
const TRIES: usize = 4;

/// A fetch that any number of callers wait for.
type Flight = Shared<BoxFuture<'static, Result<(), Arc<StorageError>>>>;

#[derive(Debug)]
pub struct CachedFile {
    /// As a person knows it: `s3://bucket/prefix/dataset/file`.
    shown: String,
    location: ObjectPath,
    length: u64,
    store: Arc<dyn ObjectStore>,
    cache: Arc<Cache>,
    /// Replaced by an empty one when it is evicted.
    copy: ArcSwap<LocalCopy>,
    /// Read since the last time room was made.
    used: AtomicBool,
    /// Flights by block; taken by those who miss only.
    flights: Mutex<HashMap<u64, Flight>>,
    myself: Weak<CachedFile>,
}

impl CachedFile {
    pub(super) fn new(
        shown: String,
        location: ObjectPath,
        store: Arc<dyn ObjectStore>,
        cache: Arc<Cache>,
        copy: LocalCopy,
        length: u64,
    ) -> Arc<Self> {
        Arc::new_cyclic(|myself| Self {
            shown,
            location,
            length,
            store,
            cache,
            copy: ArcSwap::from_pointee(copy),
            used: AtomicBool::new(true),
            flights: Mutex::default(),
            myself: Weak::clone(myself),
        })
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// The bytes, if all of them are here.
    pub(super) fn here(&self, range: &Range<u64>) -> Option<Bytes> {
        let slice = self.copy.load().slice(range)?;
        // Written once between two evictions, so that callers on many cores do not fight for the line.
        if !self.used.load(Ordering::Relaxed) {
            self.used.store(true, Ordering::Relaxed);
        }
        Some(slice)
    }

    /// The bytes of each range; what is not here is fetched, all of it at once.
    pub(super) async fn read(&self, ranges: &[Range<u64>]) -> Result<Vec<Bytes>, StorageError> {
        if let Some(beyond) = ranges.iter().find(|range| range.start > range.end || range.end > self.length) {
            let reason = format!("bytes {beyond:?} were asked of {}", self.length);
            return Err(StorageError::Unsupported { path: self.shown.clone().into(), reason });
        }
        for _ in 0..TRIES {
            if let Some(slices) = ranges.iter().map(|range| self.here(range)).collect() {
                return Ok(slices);
            }
            try_join_all(self.flights_for(ranges)).await.map_err(StorageError::Shared)?;
        }
        Err(StorageError::Unsupported {
            path: self.shown.clone().into(),
            reason: "its blocks are evicted as fast as they are fetched. Raise `tables.cache_bytes_max`".to_owned(),
        })
    }

    /// A flight for every block of these ranges that is not here: those under way, and new ones for the rest.
    fn flights_for(&self, ranges: &[Range<u64>]) -> Vec<Flight> {
        let Some(myself) = self.myself.upgrade() else { return Vec::new() };
        let copy = self.copy.load();
        let mut blocks: Vec<_> = ranges.iter().flat_map(|range| copy.blocks_of(range)).collect();
        blocks.sort_unstable();
        blocks.dedup();
        let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        // Looked at under the lock: a flight that has ended since then has left its blocks present.
        blocks.retain(|&block| !copy.is_present(block));
        let mut joined: Vec<_> = blocks.iter().filter_map(|block| flights.get(block).cloned()).collect();
        blocks.retain(|block| !flights.contains_key(block));
        for run in runs(&blocks) {
            let task = tokio::spawn(Arc::clone(&myself).fly(run.clone()));
            let flight = async move {
                let stopped = |error: tokio::task::JoinError| StorageError::Unsupported {
                    path: "cache".into(),
                    reason: error.to_string(),
                };
                task.await.map_err(stopped).flatten().map_err(Arc::new)
            };
            let flight = flight.boxed().shared();
            flights.extend(run.map(|block| (block, flight.clone())));
            joined.push(flight);
        }
        joined
    }

    /// Bring these blocks here: check those that a copy from before claims to have, fetch the others.
    async fn fly(self: Arc<Self>, run: Range<u64>) -> Result<(), StorageError> {
        let _landing = Landing { file: &self, run: run.clone() };
        let _permit = self.cache.admit().await;
        let copy = self.copy.load_full();
        let missing = on_disk(move || Ok(copy.missing(run))).await?;
        for part in runs(&missing) {
            let range = self.copy.load().bytes_of(&part);
            let (bytes, identity) = self.get(range).await?;
            let file = Arc::clone(&self);
            on_disk(move || {
                file.cache.make_room_for(bytes.len() as u64)?;
                // Loaded after room was made: it may be this file that was evicted.
                file.copy.load().write(part, &bytes, identity)
            })
            .await?;
        }
        Ok(())
    }

    async fn get(&self, range: Range<u64>) -> Result<(Bytes, Identity), StorageError> {
        let began = Instant::now();
        let options = GetOptions { range: Some(GetRange::Bounded(range.clone())), ..GetOptions::default() };
        let got = async {
            let answer = self.store.get_opts(&self.location, options).await?;
            let meta = answer.meta.clone();
            Ok::<_, object_store::Error>((meta, answer.bytes().await?))
        };
        let got = got.await;
        histogram!("shuqiao_store_read_seconds").record(began.elapsed().as_secs_f64());
        counter!("shuqiao_store_reads_total", "result" => if got.is_ok() { "ok" } else { "failed" }).increment(1);
        let (meta, bytes) = got.map_err(|source| StorageError::of_store(&self.shown, "read", source))?;
        if meta.size != self.length || bytes.len() as u64 != range.end - range.start {
            let reason = format!("it has {} bytes where its version says {}", meta.size, self.length);
            return Err(StorageError::Unsupported { path: self.shown.clone().into(), reason });
        }
        let mut identity = Identity::default();
        let tag = meta.e_tag.unwrap_or_default();
        identity.copy_from_slice(digest::digest(&digest::SHA256, tag.as_bytes()).as_ref());
        Ok((bytes, identity))
    }

    /// Bytes that would become free.
    pub(super) fn held(&self) -> u64 {
        self.copy.load().held()
    }

    /// Was it read since it was asked the last time?
    pub(super) fn take_used(&self) -> bool {
        self.used.swap(false, Ordering::Relaxed)
    }

    /// Begin an empty copy. Slices of the old one stay valid; its space is free when the last of them is dropped.
    pub(super) fn evict(&self) -> Result<(), StorageError> {
        let fresh = LocalCopy::fresh(self.copy.load().path(), self.length, self.cache.block_bytes())?;
        self.copy.store(Arc::new(fresh));
        Ok(())
    }
}

/// Takes a flight's blocks off the board, however it ends.
struct Landing<'a> {
    file: &'a CachedFile,
    run: Range<u64>,
}

impl Drop for Landing<'_> {
    fn drop(&mut self) {
        let mut flights = self.file.flights.lock().unwrap_or_else(PoisonError::into_inner);
        for block in self.run.clone() {
            flights.remove(&block);
        }
    }
}

/// Neighbouring blocks of an ascending list, in runs of bearable length.
fn runs(blocks: &[u64]) -> Vec<Range<u64>> {
    let mut runs: Vec<Range<u64>> = Vec::new();
    for &block in blocks {
        match runs.last_mut() {
            Some(run) if run.end == block && run.end - run.start < RUN_BLOCKS_MAX => run.end += 1,
            _ => runs.push(block..block + 1),
        }
    }
    runs
}

/// Disk work, off the runtime's threads.
async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StorageError> + Send + 'static,
) -> Result<T, StorageError> {
    let stopped =
        |error: tokio::task::JoinError| StorageError::Unsupported { path: "cache".into(), reason: error.to_string() };
    tokio::task::spawn_blocking(work).await.map_err(stopped)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_fetched_together_and_others_apart() {
        assert_eq!(runs(&[]), []);
        assert_eq!(runs(&[1, 2, 3, 7, 9, 10]), [1..4, 7..8, 9..11]);
        let many: Vec<_> = (0..RUN_BLOCKS_MAX + 1).collect();
        assert_eq!(runs(&many), [0..RUN_BLOCKS_MAX, RUN_BLOCKS_MAX..RUN_BLOCKS_MAX + 1]);
    }
}
