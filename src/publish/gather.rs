//! The first half: the workers take parts of the input, check every row, and gather the good ones by ranges of keys.

use std::{path::PathBuf, sync::Arc};

use chrono::NaiveDate;

use super::{
    Progress, Publication, PublishError, Watch,
    base::Base,
    check::Checker,
    input::{Input, unreadable},
    ranges::{Gatherer, Ranges},
    rejects::{Reasons, Rejects},
    rows::{Row, each_row},
    sample, work,
};
use crate::{catalog::Dataset, engine::SortPlace};

/// Everything that the workers share.
pub(super) struct Gathering {
    dataset: Arc<Dataset>,
    today: NaiveDate,
    file: PathBuf,
    input: Input,
    changes: bool,
    ranges: Arc<Ranges>,
    spill: PathBuf,
    rejects: Arc<Rejects>,
    watch: Watch,
}

/// What came of it.
pub(super) struct Gathered {
    pub(super) ranges: Arc<Ranges>,
    /// Rows of the input, bad ones included.
    pub(super) rows: u64,
}

impl Gathering {
    pub(super) fn new(
        publication: &Publication<'_>,
        input: Input,
        base: Option<&Base>,
        place: &SortPlace,
        rejects: &Arc<Rejects>,
        watch: &Watch,
    ) -> Result<Self, PublishError> {
        let Publication { dataset, file, today, .. } = *publication;
        let bounds = match base {
            Some(base) => base.bounds(),
            // Half of what may be sorted at once, because a sample is not exact.
            None => sample::bounds(file, &input.columns, dataset, today, range_bytes_max(place.memory_bytes) / 2)?,
        };
        Ok(Self {
            dataset: Arc::clone(dataset),
            today,
            file: file.to_owned(),
            input,
            changes: base.is_some(),
            ranges: Arc::new(Ranges::new(bounds, place.memory_bytes / 2, work::workers())),
            spill: place.spill.clone(),
            rejects: Arc::clone(rejects),
            watch: Arc::clone(watch),
        })
    }

    pub(super) async fn run(self) -> Result<Gathered, PublishError> {
        let ranges = Arc::clone(&self.ranges);
        let rows = work::together(move |stop| self.check(stop)).await?;
        Ok(Gathered { ranges, rows: rows.iter().sum() })
    }

    /// One worker's share; how many rows it saw.
    fn check(&self, stop: &work::Stop) -> Result<u64, PublishError> {
        let mut checker = Checker::new(&self.dataset, self.today, self.changes);
        let mut gatherer = Gatherer::new(&self.ranges, &self.spill);
        let mut rows = 0;
        while let Some((number, part)) = self.input.next().map_err(unreadable(&self.file))? {
            if stop.is_set() {
                break;
            }
            let mut reasons = Reasons::default();
            let mut added = Ok(());
            let mut look = |row: &Row<'_>| {
                if let (Ok(()), Some((key, packed))) = (&added, checker.check(row, &mut reasons)) {
                    added = gatherer.add(key, packed);
                }
            };
            rows += each_row(&part, &self.input.columns, &mut look).map_err(unreadable(&self.file))?;
            added?;
            self.rejects.add(number, reasons)?;
            (self.watch)(Progress::Read { done: self.input.done(), total: self.input.total });
        }
        gatherer.finish()?;
        Ok(rows)
    }
}

/// Packed bytes of a range that is sorted in memory: a quarter of the memory for all workers together. Half of it is held
/// from the first half of the work, the rest is for what is being written.
pub(super) fn range_bytes_max(memory_bytes: usize) -> usize {
    memory_bytes / 4 / work::workers()
}
