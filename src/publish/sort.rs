//! The rows of a range in the order of their keys; of rows with the same key the first in the input stays.
//!
//! A range that fits is sorted in memory: what moves are heads of keys and places of rows, and each row is touched once
//! more to become part of a batch. One that does not, because the sample of the keys misled or the memory is small, goes
//! through DataFusion's external sort.

use std::sync::{Arc, Mutex, PoisonError};

use arrow::{
    array::{Array, AsArray, BooleanArray, RecordBatch},
    compute::filter_record_batch,
    datatypes::UInt64Type,
    error::ArrowError,
};
use futures::{StreamExt, TryStreamExt};
use tokio::runtime::Handle;

use super::{
    PublishError,
    packed::{LINE, Packed, Unpacker},
    ranges::{Blocks, Ranges},
    rejects::Reasons,
    write::write_failed,
};
use crate::{
    catalog::Dataset,
    engine::{SortPlace, sort_batches},
    storage::StorageError,
};

const BATCH_ROWS: usize = 8192;

/// Takes sorted batches with the columns of an [`Unpacker`].
pub(super) type Give<'a> = dyn FnMut(RecordBatch) -> Result<(), PublishError> + 'a;

/// Sorts ranges one by one.
pub(super) struct Sorter {
    pub(super) dataset: Arc<Dataset>,
    /// What one range may take in memory, as packed rows and their order.
    pub(super) range_bytes_max: usize,
    /// Memory for a range that takes more, and where to go beyond it.
    pub(super) place: SortPlace,
    pub(super) one_at_a_time: Mutex<()>,
    pub(super) runtime: Handle,
}

impl Sorter {
    /// Give the rows of a range in the order of their keys, and write down which were left out.
    pub(super) fn sort(
        &self,
        ranges: &Ranges,
        range: usize,
        rejects: &mut Reasons,
        give: &mut Give<'_>,
    ) -> Result<(), PublishError> {
        let held = ranges.held(range);
        let blocks = ranges.take(range);
        let needed = held.bytes + held.rows * size_of::<Entry>();
        if needed <= self.range_bytes_max.min(u32::MAX as usize) {
            self.in_memory(blocks, held.bytes, held.rows, rejects, give)
        } else {
            self.external(blocks, rejects, give)
        }
    }

    fn in_memory(
        &self,
        blocks: Blocks,
        bytes: usize,
        count: usize,
        rejects: &mut Reasons,
        give: &mut Give<'_>,
    ) -> Result<(), PublishError> {
        let mut rows = Vec::with_capacity(bytes);
        for block in blocks {
            rows.extend_from_slice(&block.map_err(|error| self.unread(error))?);
        }
        let entries = in_order(&rows, count);
        let mut unpacker = Unpacker::new(&self.dataset);
        let mut before: Option<&[u8]> = None;
        for entry in &entries {
            let row = Packed::at(&rows, entry.at as usize);
            if before == Some(row.key()) {
                self.doubled(row.line(), rejects);
                continue;
            }
            before = Some(row.key());
            unpacker.add(row);
            if unpacker.rows() == BATCH_ROWS {
                give(unpacker.take().map_err(write_failed)?)?;
            }
        }
        if unpacker.rows() > 0 { give(unpacker.take().map_err(write_failed)?) } else { Ok(()) }
    }

    fn external(&self, blocks: Blocks, rejects: &mut Reasons, give: &mut Give<'_>) -> Result<(), PublishError> {
        let _alone = self.one_at_a_time.lock().unwrap_or_else(PoisonError::into_inner);
        let mut unpacker = Unpacker::new(&self.dataset);
        let schema = Arc::clone(unpacker.schema());
        let batches = blocks.map(move |rows| {
            let rows = rows?;
            let mut at = 0;
            while at < rows.len() {
                let row = Packed::at(&rows, at);
                at += row.bytes();
                unpacker.add(row);
            }
            unpacker.take().map_err(std::io::Error::other)
        });
        let by = [self.dataset.key.as_str(), LINE];
        let mut sorted = sort_batches(futures::stream::iter(batches).boxed(), &schema, &by, &self.place)?;
        let mut last = None;
        while let Some(batch) = self.runtime.block_on(sorted.try_next())? {
            let unique = self.unique(&batch, &mut last, rejects).map_err(write_failed)?;
            if unique.num_rows() > 0 {
                give(unique)?;
            }
        }
        Ok(())
    }

    /// A sorted batch without the rows whose key the row before has.
    fn unique(
        &self,
        batch: &RecordBatch,
        last: &mut Option<String>,
        rejects: &mut Reasons,
    ) -> Result<RecordBatch, ArrowError> {
        let keys = batch.column(batch.schema_ref().index_of(self.dataset.key.as_str())?).as_string::<i32>();
        let lines = batch.column(batch.num_columns() - 2).as_primitive::<UInt64Type>();
        let mut kept = Vec::with_capacity(keys.len());
        for row in 0..keys.len() {
            let before = if row == 0 { last.as_deref() } else { Some(keys.value(row - 1)) };
            let is_new = before != Some(keys.value(row));
            if !is_new {
                self.doubled(lines.value(row), rejects);
            }
            kept.push(is_new);
        }
        if let Some(end) = keys.len().checked_sub(1) {
            *last = Some(keys.value(end).to_owned());
        }
        filter_record_batch(batch, &BooleanArray::from(kept))
    }

    fn doubled(&self, line: u64, rejects: &mut Reasons) {
        rejects.row(line);
        rejects.reason(self.dataset.key.as_str(), "an earlier row has the same key".to_owned());
    }

    fn unread(&self, error: std::io::Error) -> PublishError {
        StorageError::file(&self.place.spill, "read")(error).into()
    }
}

/// A row to be sorted: as much of its key as two numbers hold, and where it lies.
#[derive(Clone, Copy)]
struct Entry {
    head: [u64; 2],
    at: u32,
}

/// The rows by key, those with the same key by line.
fn in_order(rows: &[u8], count: usize) -> Vec<Entry> {
    let mut places = Vec::with_capacity(count);
    let mut at = 0;
    while at < rows.len() {
        places.push(at as u32);
        at += Packed::at(rows, at).bytes();
    }
    // The keys of a range begin alike (an identifier begins with its division), which says nothing about their order.
    let key = |at: u32| Packed::at(rows, at as usize).key();
    let common = places.first().map_or(0, |&first| {
        let first = key(first);
        places.iter().fold(first.len(), |common, &at| common_length(&first[..common], key(at)))
    });
    let mut entries: Vec<_> = places.iter().map(|&at| Entry { head: head(&key(at)[common..]), at }).collect();
    entries.sort_unstable_by(|one, other| {
        one.head.cmp(&other.head).then_with(|| {
            let (one, other) = (Packed::at(rows, one.at as usize), Packed::at(rows, other.at as usize));
            one.key().cmp(other.key()).then(one.line().cmp(&other.line()))
        })
    });
    entries
}

/// How many bytes two keys have in common at their beginning.
fn common_length(one: &[u8], other: &[u8]) -> usize {
    one.iter().zip(other).take_while(|(one, other)| one == other).count()
}

/// The first sixteen bytes as numbers that compare as the bytes do; what is shorter is filled up.
fn head(key: &[u8]) -> [u64; 2] {
    let mut bytes = [0; 16];
    let length = key.len().min(16);
    bytes[..length].copy_from_slice(&key[..length]);
    let number = u128::from_be_bytes(bytes);
    [(number >> 64) as u64, number as u64]
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use arrow::compute::concat_batches;
    use proptest::prelude::*;

    use super::*;
    use crate::{
        catalog,
        publish::{packed::Packer, ranges::Bounds, ranges::Gatherer, rejects::Rejects},
    };

    fn dataset() -> Arc<Dataset> {
        let catalog = catalog::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("catalogs/guangdong")).unwrap();
        Arc::clone(&catalog.datasets["natural-person"])
    }

    /// The keys as sorted, each with its line, and what the rejects file says.
    fn sorted(keys: &[String], range_bytes_max: usize) -> (Vec<(String, u64)>, String) {
        let (dir, dataset, runtime) =
            (tempfile::tempdir().unwrap(), dataset(), tokio::runtime::Builder::new_multi_thread().build().unwrap());
        let ranges = Ranges::new(Bounds::default(), 1 << 20, 1);
        let (mut gatherer, mut packer) = (Gatherer::new(&ranges, dir.path()), Packer::new());
        for (line, key) in keys.iter().enumerate() {
            packer.begin(line as u64 + 2, false, key);
            for field in &dataset.fields[1..] {
                let text = catalog::Cell::Text(std::borrow::Cow::Borrowed("测"));
                let is_text = matches!(field.kind, catalog::FieldKind::Text { .. });
                packer.cell(is_text.then_some(&text));
            }
            let (key, row) = packer.end();
            gatherer.add(key, row).unwrap();
        }
        gatherer.finish().unwrap();
        let sorter = Sorter {
            dataset,
            range_bytes_max,
            place: SortPlace { memory_bytes: 64 << 20, spill: dir.path().to_owned() },
            one_at_a_time: Mutex::new(()),
            runtime: runtime.handle().clone(),
        };
        let (mut reasons, mut batches) = (Reasons::default(), Vec::new());
        sorter
            .sort(&ranges, 0, &mut reasons, &mut |batch| {
                batches.push(batch);
                Ok(())
            })
            .unwrap();
        let rejects = dir.path().join("rejects.csv");
        let listed = Rejects::new(&rejects);
        listed.add(0, reasons).unwrap();
        listed.finish().unwrap();
        let batch = concat_batches(Unpacker::new(&sorter.dataset).schema(), &batches).unwrap();
        let lines = batch.column(batch.num_columns() - 2).as_primitive::<UInt64Type>().values().iter().copied();
        let keys = batch.column(0).as_string::<i32>().iter().map(|key| key.unwrap().to_owned());
        (keys.zip(lines).collect(), std::fs::read_to_string(rejects).unwrap_or_default())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        // Keys that begin alike, keys of which one begins the other, keys longer than a head.
        #[test]
        fn what_fits_and_what_does_not_come_out_the_same(
            keys in proptest::collection::vec("(44|4401)[01]{0,3}([ab]{14,20})?", 0..200)
        ) {
            let mut expect: Vec<(String, u64)> = keys.iter().cloned().zip(2..).collect();
            expect.sort();
            expect.dedup_by(|next, first| next.0 == first.0);
            let doubled = keys.len() - expect.len();
            for range_bytes_max in [usize::MAX, 0] {
                let (rows, rejects) = sorted(&keys, range_bytes_max);
                prop_assert_eq!(&rows, &expect);
                prop_assert_eq!(rejects.lines().skip(1).count(), doubled);
            }
        }
    }
}
