//! Checked rows, parted by ranges of their keys: what makes each range small enough to be sorted in memory, and all of
//! them sortable at once.
//!
//! ```text
//! worker: row -> its range's open block -> full: kept in memory, or beyond the budget, appended to the worker's spill
//! ```
//!
//! Spill files have no name in their folder, so nothing of them is left however the process ends.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::PublishError;
use crate::storage::StorageError;

/// Bytes of a block: below, a spill is many small reads; above, the open blocks of many ranges are much memory.
const BLOCK_BYTES_MIN: usize = 16 << 10;
const BLOCK_BYTES_MAX: usize = 1 << 20;

/// Keys at which a range begins. Keys below the first are in range 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Bounds(Vec<Box<[u8]>>);

impl Bounds {
    /// Ranges that begin at these keys, and the one before them.
    pub(super) fn new(keys: impl IntoIterator<Item = Box<[u8]>>) -> Self {
        let mut keys: Vec<_> = keys.into_iter().collect();
        keys.sort_unstable();
        keys.dedup();
        Self(keys)
    }

    pub(super) fn ranges(&self) -> usize {
        self.0.len() + 1
    }

    pub(super) fn range_of(&self, key: &[u8]) -> usize {
        self.0.partition_point(|bound| &**bound <= key)
    }
}

/// The rows gathered so far, range by range.
pub(super) struct Ranges {
    bounds: Bounds,
    block_bytes: usize,
    held_bytes_max: usize,
    held_bytes: Arc<AtomicUsize>,
    ranges: Vec<Mutex<Gathered>>,
}

#[derive(Default)]
struct Gathered {
    blocks: Vec<Block>,
    rows: usize,
    bytes: usize,
}

enum Block {
    Held(Vec<u8>),
    Spilled { file: Arc<File>, at: u64, bytes: usize },
}

/// Blocks of packed rows on their way out.
pub(super) struct Blocks {
    blocks: std::vec::IntoIter<Block>,
    held_bytes: Arc<AtomicUsize>,
}

impl Iterator for Blocks {
    type Item = io::Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.blocks.next()? {
            Block::Held(rows) => {
                self.held_bytes.fetch_sub(rows.capacity(), Ordering::Relaxed);
                Some(Ok(rows))
            }
            Block::Spilled { file, at, bytes } => {
                let mut rows = vec![0; bytes];
                Some(file.read_exact_at(&mut rows, at).map(|()| rows))
            }
        }
    }
}

/// What a range holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) rows: usize,
    pub(super) bytes: usize,
}

impl Ranges {
    /// `memory_bytes` bounds what is held, open blocks of `workers` included.
    pub(super) fn new(bounds: Bounds, memory_bytes: usize, workers: usize) -> Self {
        let open = memory_bytes / 4;
        let block_bytes = (open / (bounds.ranges() * workers)).clamp(BLOCK_BYTES_MIN, BLOCK_BYTES_MAX);
        let ranges = (0..bounds.ranges()).map(|_| Mutex::default()).collect();
        Self { bounds, block_bytes, held_bytes_max: memory_bytes - open, held_bytes: Arc::default(), ranges }
    }

    pub(super) fn count(&self) -> usize {
        self.ranges.len()
    }

    pub(super) fn held(&self, range: usize) -> Held {
        let gathered = self.lock(range);
        Held { rows: gathered.rows, bytes: gathered.bytes }
    }

    /// The blocks of a range, each whole packed rows. They are gone from here.
    pub(super) fn take(&self, range: usize) -> Blocks {
        let gathered = std::mem::take(&mut *self.lock(range));
        Blocks { blocks: gathered.blocks.into_iter(), held_bytes: Arc::clone(&self.held_bytes) }
    }

    fn lock(&self, range: usize) -> std::sync::MutexGuard<'_, Gathered> {
        self.ranges[range].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keep a full block, if the budget has room for it.
    fn may_hold(&self, bytes: usize) -> bool {
        let before = self.held_bytes.fetch_add(bytes, Ordering::Relaxed);
        let fits = before + bytes <= self.held_bytes_max;
        if !fits {
            self.held_bytes.fetch_sub(bytes, Ordering::Relaxed);
        }
        fits
    }
}

/// One worker's way into the ranges.
pub(super) struct Gatherer<'a> {
    ranges: &'a Ranges,
    spill: Spill<'a>,
    open: Vec<Open>,
}

#[derive(Default)]
struct Open {
    bytes: Vec<u8>,
    rows: usize,
}

struct Spill<'a> {
    folder: &'a Path,
    file: Option<Arc<File>>,
    end: u64,
}

impl<'a> Gatherer<'a> {
    /// Blocks for which there is no room are appended to a nameless file in `spill`.
    pub(super) fn new(ranges: &'a Ranges, spill: &'a Path) -> Self {
        let open = (0..ranges.count()).map(|_| Open::default()).collect();
        Self { ranges, spill: Spill { folder: spill, file: None, end: 0 }, open }
    }

    pub(super) fn add(&mut self, key: &[u8], row: &[u8]) -> Result<(), PublishError> {
        let range = self.ranges.bounds.range_of(key);
        let block_bytes = self.ranges.block_bytes;
        let open = &mut self.open[range];
        if !open.bytes.is_empty() && open.bytes.len() + row.len() > block_bytes {
            self.close(range)?;
        }
        let open = &mut self.open[range];
        if open.bytes.capacity() == 0 {
            open.bytes.reserve_exact(block_bytes.max(row.len()));
        }
        open.bytes.extend_from_slice(row);
        open.rows += 1;
        Ok(())
    }

    /// Hand over what is open.
    pub(super) fn finish(mut self) -> Result<(), PublishError> {
        (0..self.open.len()).try_for_each(|range| self.close(range))
    }

    fn close(&mut self, range: usize) -> Result<(), PublishError> {
        let open = &mut self.open[range];
        if open.bytes.is_empty() {
            return Ok(());
        }
        let (bytes, rows) = (open.bytes.len(), std::mem::take(&mut open.rows));
        let block = if self.ranges.may_hold(open.bytes.capacity()) {
            Block::Held(std::mem::take(&mut open.bytes))
        } else {
            let block = self.spill.append(&open.bytes)?;
            open.bytes.clear();
            block
        };
        let mut gathered = self.ranges.lock(range);
        gathered.blocks.push(block);
        gathered.rows += rows;
        gathered.bytes += bytes;
        Ok(())
    }
}

impl Spill<'_> {
    fn append(&mut self, rows: &[u8]) -> Result<Block, PublishError> {
        let failed = |error| StorageError::file(self.folder, "written")(error);
        let file = match &self.file {
            Some(file) => file,
            None => self.file.insert(Arc::new(tempfile::tempfile_in(self.folder).map_err(failed)?)),
        };
        file.write_all_at(rows, self.end).map_err(StorageError::file(self.folder, "written"))?;
        let block = Block::Spilled { file: Arc::clone(file), at: self.end, bytes: rows.len() };
        self.end += rows.len() as u64;
        Ok(block)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows_of(ranges: &Ranges, range: usize) -> Vec<u8> {
        ranges.take(range).map(Result::unwrap).collect::<Vec<_>>().concat()
    }

    #[test]
    fn a_key_is_in_the_range_whose_bound_is_the_last_at_or_before_it() {
        let bounds = Bounds::new(["d", "b", "d"].map(|key| key.as_bytes().into()));
        assert_eq!(bounds.ranges(), 3);
        for (key, range) in [("a", 0), ("b", 1), ("c", 1), ("d", 2), ("e", 2)] {
            assert_eq!(bounds.range_of(key.as_bytes()), range, "{key}");
        }
    }

    #[test]
    fn what_does_not_fit_is_spilled_without_a_name_and_comes_back() {
        let dir = tempfile::tempdir().unwrap();
        let ranges = Ranges::new(Bounds::new([b"m"[..].into()]), 4 * BLOCK_BYTES_MIN, 1);
        let mut gatherer = Gatherer::new(&ranges, dir.path());
        let row = |key: &str, n: u32| format!("{key}{n:07}").repeat(16).into_bytes();
        let mut expect = [Vec::new(), Vec::new()];
        for n in 0..2000 {
            let (range, key) = if n % 3 == 0 { (0, "a") } else { (1, "z") };
            expect[range].extend(row(key, n));
            gatherer.add(key.as_bytes(), &row(key, n)).unwrap();
        }
        assert!(gatherer.spill.end > 0, "nothing was spilled");
        gatherer.finish().unwrap();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        assert_eq!(ranges.held(1), Held { rows: 1333, bytes: expect[1].len() });
        for (range, expect) in expect.iter().enumerate() {
            assert_eq!(rows_of(&ranges, range), *expect);
        }
        assert_eq!(ranges.held_bytes.load(Ordering::Relaxed), 0);
    }
}
