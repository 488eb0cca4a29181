//! Where to part the keys: quantiles of a sample, taken before anything is checked.
//!
//! A sample that misleads costs time and nothing else: ranges of unequal size, at worst one that is sorted on disk.

use std::{fs::File, io, os::unix::fs::FileExt, path::Path};

use arrow::{array::AsArray, compute::cast, datatypes::DataType};
use chrono::NaiveDate;
use parquet::{
    arrow::{ProjectionMask, arrow_reader::ParquetRecordBatchReaderBuilder},
    errors::ParquetError,
};

use super::{
    PublishError,
    input::{Columns, Format, unreadable},
    ranges::Bounds,
    write::FILE_ROWS,
};
use crate::catalog::{Cell, Dataset, FieldKind};

/// Rows of a range: several make up a file, so that files come out about equally large whatever the sample says.
const RANGE_ROWS: u64 = FILE_ROWS / 8;
const RANGES_MAX: u64 = 4096;
/// Places of a CSV that are looked at, and how much is read at each: some ten lines.
const PLACES: u64 = 2048;
const PLACE_BYTES: usize = 2048;
/// Row groups of a Parquet file whose keys are read.
const GROUPS_MAX: usize = 32;

/// A look at a file.
struct Sample {
    keys: Vec<Box<[u8]>>,
    rows: u64,
    bytes: u64,
}

/// Bounds that part the file's keys into ranges of about equal size, each at most about `bytes_max` when packed.
pub(super) fn bounds(
    path: &Path,
    columns: &Columns,
    dataset: &Dataset,
    today: NaiveDate,
    bytes_max: usize,
) -> Result<Bounds, PublishError> {
    let Some((position, field)) = dataset.field(dataset.key.as_str()) else { return Ok(Bounds::default()) };
    let Some(column) = columns.fields[position] else { return Ok(Bounds::default()) };
    let sampled = match Format::of(path)? {
        Format::Csv => csv(path, column, columns.width, &field.kind, today),
        Format::Parquet => parquet(path, column, &field.kind, today).map_err(io::Error::other),
    };
    Ok(quantiles(sampled.map_err(unreadable(path))?, bytes_max as u64))
}

fn quantiles(sample: Sample, bytes_max: u64) -> Bounds {
    let Sample { mut keys, rows, bytes } = sample;
    let ranges = rows.div_ceil(RANGE_ROWS).max(bytes.div_ceil(bytes_max.max(1))).min(RANGES_MAX) as usize;
    if keys.len() < ranges || rows <= FILE_ROWS && bytes <= bytes_max {
        return Bounds::default();
    }
    keys.sort_unstable();
    Bounds::new((1..ranges).map(|range| keys[range * keys.len() / ranges].clone()))
}

/// Lines are found by their ends alone. Where quotes hide commas or line ends, a line is left out, or a wrong cell taken
/// for the key, which then is no key.
fn csv(path: &Path, column: usize, width: usize, kind: &FieldKind, today: NaiveDate) -> io::Result<Sample> {
    let file = File::open(path)?;
    let bytes = file.metadata()?.len();
    let mut sample = Sample { keys: Vec::new(), rows: 0, bytes };
    let (mut place, mut lines, mut seen) = ([0; PLACE_BYTES], 0, 0);
    let step = (bytes / PLACES).max(PLACE_BYTES as u64);
    for at in (0..bytes).step_by(step as usize) {
        let read = file.read_at(&mut place, at)?;
        let whole = place[..read].split(|&byte| byte == b'\n').skip(1);
        let mut whole: Vec<_> = whole.collect();
        whole.pop(); // Cut short, as the one before the first line end is.
        for line in whole {
            (lines, seen) = (lines + 1, seen + line.len() as u64 + 1);
            let mut cells = line.split(|&byte| byte == b',');
            let cell = cells.clone().nth(column).filter(|_| cells.by_ref().count() == width);
            sample.keys.extend(cell.and_then(|cell| key(std::str::from_utf8(cell).ok()?, kind, today)));
        }
    }
    sample.rows = if seen == 0 { 0 } else { (bytes as f64 * lines as f64 / seen as f64) as u64 };
    Ok(sample)
}

fn parquet(path: &Path, column: usize, kind: &FieldKind, today: NaiveDate) -> Result<Sample, ParquetError> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(path)?)?;
    let groups = builder.metadata().row_groups();
    let rows = groups.iter().map(|group| group.num_rows()).sum::<i64>();
    let bytes = groups.iter().map(|group| group.total_byte_size()).sum::<i64>();
    let step = groups.len().div_ceil(GROUPS_MAX).max(1);
    let chosen = (0..groups.len()).step_by(step).collect();
    let mask = ProjectionMask::roots(builder.parquet_schema(), [column]);
    let mut keys = Vec::new();
    for batch in builder.with_projection(mask).with_row_groups(chosen).build()? {
        let cells = cast(batch?.column(0), &DataType::Utf8)?;
        let cells = cells.as_string::<i32>().iter().step_by(64).flatten();
        keys.extend(cells.filter_map(|cell| key(cell, kind, today)));
    }
    Ok(Sample { keys, rows: rows.max(0) as u64, bytes: bytes.max(0) as u64 })
}

/// The key as it will be stored.
fn key(text: &str, kind: &FieldKind, today: NaiveDate) -> Option<Box<[u8]>> {
    match kind.read(text.trim_matches(['"', '\r']), today) {
        Ok(Cell::Text(text)) => Some(text.as_bytes().into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_of_equal_size_and_as_many_as_needed() {
        let keys = |count: u32| (0..count).rev().map(|n| format!("{n:05}").as_bytes().into()).collect::<Vec<_>>();
        let made = |rows, bytes, bytes_max| quantiles(Sample { keys: keys(1000), rows, bytes }, bytes_max);
        assert_eq!(made(1000, 1000, 1000).ranges(), 1);
        assert_eq!(made(1000, 1000, 250), Bounds::new(["00250", "00500", "00750"].map(|key| key.as_bytes().into())));
        assert_eq!(made(16 * RANGE_ROWS, 1, 1000).ranges(), 16);
        // Of fewer keys than ranges nothing can be told.
        assert_eq!(made(100 * FILE_ROWS * 1000, 1, 1000).ranges(), 1);
    }
}
