//! The second half: the workers take ranges of keys, sort them, and make data files of them; where changes are published,
//! merged with the file of the version before that has the range.

use std::{
    ops::Range,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use arrow::array::RecordBatch;
use tokio::runtime::Handle;

use super::{
    Applied, Progress, PublishError, Watch,
    base::{Base, BaseFile},
    gather::range_bytes_max,
    merge::{Merge, Tally},
    ranges::Ranges,
    rejects::{Reasons, Rejects},
    sort::Sorter,
    work,
    write::{FILE_ROWS, Made, Writer, write_failed},
};
use crate::{
    catalog::Dataset,
    engine::{SortPlace, arrow_schema},
    storage::delta::Superseded,
};

/// Everything that the workers share.
pub(super) struct Making {
    dataset: Arc<Dataset>,
    key: usize,
    ranges: Arc<Ranges>,
    base: Option<Base>,
    sorter: Sorter,
    rejects: Arc<Rejects>,
    made: Arc<Made>,
    watch: Watch,
    /// Ranges that make a file, or a few, together.
    tasks: Vec<Range<usize>>,
    taken: AtomicUsize,
    written: AtomicU64,
    tally: Tally,
}

/// What came of it, beside the files.
pub(super) struct Outcome {
    pub(super) applied: Option<Applied>,
    pub(super) superseded: Superseded,
    pub(super) rows_kept: u64,
}

impl Making {
    pub(super) fn new(
        dataset: &Arc<Dataset>,
        ranges: Arc<Ranges>,
        base: Option<Base>,
        place: SortPlace,
        rejects: &Arc<Rejects>,
        made: &Arc<Made>,
        watch: &Watch,
    ) -> Self {
        let (key, _) = dataset.field(dataset.key.as_str()).expect("the catalogue's check has found the key");
        let tasks = match &base {
            Some(_) => (0..ranges.count()).filter(|&range| ranges.held(range).rows > 0).map(one).collect(),
            None => in_files(&(0..ranges.count()).map(|range| ranges.held(range).rows as u64).collect::<Vec<_>>()),
        };
        let sorter = Sorter {
            dataset: Arc::clone(dataset),
            range_bytes_max: range_bytes_max(place.memory_bytes),
            place: SortPlace { memory_bytes: place.memory_bytes / 2, ..place },
            one_at_a_time: Mutex::new(()),
            runtime: Handle::current(),
        };
        Self {
            dataset: Arc::clone(dataset),
            key,
            ranges,
            base,
            sorter,
            rejects: Arc::clone(rejects),
            made: Arc::clone(made),
            watch: Arc::clone(watch),
            tasks,
            taken: AtomicUsize::new(0),
            written: AtomicU64::new(0),
            tally: Tally::default(),
        }
    }

    pub(super) async fn run(self) -> Result<Outcome, PublishError> {
        let making = Arc::new(self);
        let working = Arc::clone(&making);
        work::together(move |stop| working.work(stop)).await?;
        Ok(making.outcome())
    }

    fn work(&self, stop: &work::Stop) -> Result<(), PublishError> {
        while !stop.is_set() {
            let number = self.taken.fetch_add(1, Ordering::Relaxed);
            let Some(task) = self.tasks.get(number) else { break };
            let mut reasons = Reasons::default();
            match &self.base {
                None => self.files(task.clone(), &mut reasons)?,
                Some(base) => self.merged(base, task.start, &mut reasons)?,
            }
            self.rejects.add(number as u64, reasons)?;
        }
        Ok(())
    }

    /// Files of a few ranges, one after the other.
    fn files(&self, task: Range<usize>, reasons: &mut Reasons) -> Result<(), PublishError> {
        let rows = task.clone().map(|range| self.ranges.held(range).rows as u64).sum();
        let mut writer = Writer::new(&self.made, rows);
        let stored: Vec<_> = (0..self.dataset.fields.len()).collect();
        for range in task {
            self.sorter.sort(&self.ranges, range, reasons, &mut |batch: RecordBatch| {
                let rows = batch.num_rows() as u64;
                writer.write(&batch.project(&stored).map_err(write_failed)?)?;
                self.progress(rows);
                Ok(())
            })?;
        }
        writer.finish()
    }

    /// A file of the version before, with the changes in its range.
    fn merged(&self, base: &Base, range: usize, reasons: &mut Reasons) -> Result<(), PublishError> {
        let file = &base.files[range];
        let changes = self.ranges.held(range).rows as u64;
        let Some(reader) = base.read(file)? else {
            let reason = "its columns are not those of the catalogue".to_owned();
            return Err(PublishError::UnfitBase { dataset: self.dataset.id.clone(), reason });
        };
        let writer = Writer::new(&self.made, file.rows + changes);
        let mut merge = Merge::new(reader, self.key, &arrow_schema(&self.dataset), &self.tally, writer)?;
        self.sorter.sort(&self.ranges, range, reasons, &mut |batch: RecordBatch| merge.apply(&batch))?;
        merge.finish()?;
        self.progress(file.rows + changes);
        Ok(())
    }

    fn progress(&self, rows: u64) {
        let rows = self.written.fetch_add(rows, Ordering::Relaxed) + rows;
        (self.watch)(Progress::Written { rows });
    }

    fn outcome(&self) -> Outcome {
        let Some(base) = &self.base else {
            return Outcome { applied: None, superseded: Superseded::All, rows_kept: 0 };
        };
        let is_touched = |range: &usize| self.tasks.contains(&one(*range));
        let (touched, kept): (Vec<_>, Vec<_>) = (0..base.files.len()).partition(is_touched);
        let path = |&range: &usize| -> PathBuf { base.files[range].path.clone() };
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let applied = Applied {
            inserted: count(&self.tally.inserted),
            replaced: count(&self.tally.replaced),
            deleted: count(&self.tally.deleted),
            absent: count(&self.tally.absent),
            files_kept: kept.len(),
            files_rewritten: touched.len(),
        };
        Outcome {
            applied: Some(applied),
            superseded: Superseded::Files { of: base.version, paths: touched.iter().map(path).collect() },
            rows_kept: kept.iter().map(|&range| &base.files[range]).map(|file: &BaseFile| file.rows).sum(),
        }
    }
}

fn one(range: usize) -> Range<usize> {
    range..range + 1
}

/// Neighbouring ranges that make a file together.
fn in_files(rows: &[u64]) -> Vec<Range<usize>> {
    let (mut tasks, mut start, mut sum) = (Vec::new(), 0, 0);
    for (range, &rows) in rows.iter().enumerate() {
        if sum > 0 && sum + rows > FILE_ROWS {
            tasks.push(start..range);
            (start, sum) = (range, 0);
        }
        sum += rows;
    }
    if sum > 0 {
        tasks.push(start..rows.len());
    }
    tasks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_put_together_until_they_make_a_file() {
        let half = FILE_ROWS / 2;
        for (rows, expect) in [
            (vec![], vec![]),
            (vec![0, 0], vec![]),
            (vec![1, 1, FILE_ROWS], vec![0..2, 2..3]),
            (vec![half, half, 1], vec![0..2, 2..3]),
            (vec![half, half + 1, half], vec![0..1, 1..2, 2..3]),
            (vec![9 * half, 1, 1], vec![0..1, 1..3]),
        ] {
            assert_eq!(in_files(&rows), expect, "{rows:?}");
        }
    }
}
