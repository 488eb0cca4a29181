//! A file of the version before and the changes to its keys, merged into new files.
//!
//! Both come sorted, so that one pass suffices and nothing is held but a batch of each.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use arrow::{
    array::{Array, AsArray, RecordBatch, StringArray},
    compute::interleave,
    datatypes::SchemaRef,
};
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;

use super::{
    PublishError,
    packed::deletions,
    write::{Writer, write_failed},
};

/// What became of the changes.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) inserted: AtomicU64,
    pub(super) replaced: AtomicU64,
    pub(super) deleted: AtomicU64,
    /// Deletions of keys that were not there.
    pub(super) absent: AtomicU64,
}

/// Where a row of the result comes from.
const BASE: usize = 0;
const CHANGES: usize = 1;

pub(super) struct Merge<'a> {
    base: ParquetRecordBatchReader,
    batch: Option<RecordBatch>,
    /// Rows of `batch` that are done.
    at: usize,
    key: usize,
    schema: SchemaRef,
    tally: &'a Tally,
    writer: Writer<'a>,
}

impl<'a> Merge<'a> {
    /// `key` is the key's position among the columns of `schema`, which are those of `base`.
    pub(super) fn new(
        base: ParquetRecordBatchReader,
        key: usize,
        schema: &SchemaRef,
        tally: &'a Tally,
        writer: Writer<'a>,
    ) -> Result<Self, PublishError> {
        let mut merge = Self { base, batch: None, at: 0, key, schema: Arc::clone(schema), tally, writer };
        merge.read_on()?;
        Ok(merge)
    }

    /// Apply a batch of changes, sorted, whose keys follow those that came before.
    pub(super) fn apply(&mut self, changes: &RecordBatch) -> Result<(), PublishError> {
        let mut next = 0;
        while next < changes.num_rows() {
            let mut picks = Vec::with_capacity(changes.num_rows());
            next = self.pick(changes, next, &mut picks);
            self.write(changes, &picks)?;
            if self.batch.as_ref().is_some_and(|batch| batch.num_rows() == self.at) {
                self.read_on()?;
            }
        }
        Ok(())
    }

    /// Pick rows until the changes or the base's batch is used up; the number of the next change.
    fn pick(&mut self, changes: &RecordBatch, first: usize, picks: &mut Vec<(usize, usize)>) -> usize {
        let keys = keys(changes, self.key);
        let deletions = deletions(changes);
        let base = self.batch.as_ref().map(|batch| self::keys(batch, self.key));
        let count = |counter: &AtomicU64| counter.fetch_add(1, Ordering::Relaxed);
        for change in first..changes.num_rows() {
            let key = keys.value(change);
            let mut is_there = false;
            if let Some(base) = base {
                let start = self.at;
                while self.at < base.len() && base.value(self.at) < key {
                    self.at += 1;
                }
                picks.extend((start..self.at).map(|row| (BASE, row)));
                if self.at == base.len() {
                    return change; // What follows in the base may still lie before this key.
                }
                is_there = base.value(self.at) == key;
            }
            self.at += usize::from(is_there);
            match (deletions.value(change), is_there) {
                (true, true) => count(&self.tally.deleted),
                (true, false) => count(&self.tally.absent),
                (false, true) => count(&self.tally.replaced),
                (false, false) => count(&self.tally.inserted),
            };
            if !deletions.value(change) {
                picks.push((CHANGES, change));
            }
        }
        changes.num_rows()
    }

    fn write(&mut self, changes: &RecordBatch, picks: &[(usize, usize)]) -> Result<(), PublishError> {
        if picks.is_empty() {
            return Ok(());
        }
        let column = |column: usize| {
            let changed = changes.column(column).as_ref();
            let base = self.batch.as_ref().map_or(changed, |batch| batch.column(column).as_ref());
            interleave(&[base, changed], picks)
        };
        let columns = (0..self.schema.fields().len()).map(column).collect::<Result<_, _>>().map_err(write_failed)?;
        let merged = RecordBatch::try_new(Arc::clone(&self.schema), columns).map_err(write_failed)?;
        self.writer.write(&merged)
    }

    /// The base's next batch that has a row.
    fn read_on(&mut self) -> Result<(), PublishError> {
        self.at = 0;
        self.batch = self.base.next().transpose().map_err(|error| PublishError::ReadBase(error.into()))?;
        Ok(())
    }

    /// What is left of the base goes over as it is.
    pub(super) fn finish(mut self) -> Result<(), PublishError> {
        while let Some(batch) = self.batch.take() {
            let rest = batch.slice(self.at, batch.num_rows() - self.at);
            let rest = RecordBatch::try_new(Arc::clone(&self.schema), rest.columns().to_vec()).map_err(write_failed)?;
            self.writer.write(&rest)?;
            self.read_on()?;
        }
        self.writer.finish()
    }
}

fn keys(batch: &RecordBatch, key: usize) -> &StringArray {
    batch.column(key).as_string()
}
