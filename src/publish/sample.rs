//! Where to part the keys: quantiles of a sample, taken before anything is checked.
//!
//! A sample that misleads costs time and nothing else: ranges of unequal size, at worst one that is sorted on disk.

use std::{fs::File, io, os::unix::fs::FileExt, path::Path};

use arrow::{array::AsArray, compute::cast, datatypes::DataType};
use chrono::NaiveDate;
use csv::ReaderBuilder;
use memchr::{memchr, memrchr};
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
/// Places of a CSV that are looked at, and how much is read at each: some dozens of lines.
const PLACES: u64 = 1024;
const PLACE_BYTES: usize = 8192;
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

/// Records are looked for from one line end to the last one in a place. Where the first lies inside quotes, what follows is
/// no record of the right width, or a wrong cell is taken for the key, which then is no key.
fn csv(path: &Path, column: usize, width: usize, kind: &FieldKind, today: NaiveDate) -> io::Result<Sample> {
    let file = File::open(path)?;
    let bytes = file.metadata()?.len();
    let (mut keys, mut place, mut records, mut seen) = (Vec::new(), vec![0; PLACE_BYTES], 0_u64, 0_usize);
    let step = (bytes / PLACES).max(PLACE_BYTES as u64);
    for at in (0..bytes).step_by(step as usize) {
        let length = file.read_at(&mut place, at)?;
        let read = &place[..length];
        let (Some(first), Some(last)) = (memchr(b'\n', read), memrchr(b'\n', read)) else { continue };
        let lines = &read[first + 1..=last.max(first)];
        let mut reader = ReaderBuilder::new().flexible(true).has_headers(false).from_reader(lines);
        for record in reader.byte_records().map_while(Result::ok) {
            records += 1;
            let cell = record.get(column).filter(|_| record.len() == width);
            keys.extend(cell.and_then(|cell| key(std::str::from_utf8(cell).ok()?, kind, today)));
        }
        seen += lines.len();
    }
    let rows = if seen == 0 { 0 } else { (bytes as f64 * records as f64 / seen as f64) as u64 };
    Ok(Sample { keys, rows, bytes })
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
    match kind.read(text, today) {
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

    #[test]
    fn keys_are_found_all_over_a_csv_whatever_else_is_quoted() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.csv");
        let line = |n: u32| format!("\"a, \"\"b\"\"\nc\",\"k{n:06}\",d\r\n");
        let text: String = (0..100_000).map(line).collect();
        std::fs::write(&path, &text).unwrap();
        let kind = FieldKind::Text { chars_max: 10 };
        let sample = super::csv(&path, 1, 3, &kind, NaiveDate::default()).unwrap();
        let true_keys = sample.keys.iter().filter(|key| key.starts_with(b"k") && key.len() == 7).count();
        assert!(true_keys * 10 > sample.keys.len() * 9 && true_keys > 1000, "{true_keys} of {}", sample.keys.len());
        assert!((50_000..200_000).contains(&sample.rows), "{}", sample.rows);
        let bounds = quantiles(sample, text.len() as u64 / 8);
        let mut rows = [0; 9];
        for n in 0..100_000 {
            rows[bounds.range_of(format!("k{n:06}").as_bytes())] += 1;
        }
        assert!(rows.iter().all(|rows| *rows < 25_000), "{rows:?}");
    }
}
