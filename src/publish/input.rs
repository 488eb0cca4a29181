//! The file to publish: its columns found in the catalogue, and its rows handed out in parts that can be checked apart.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
    sync::{Mutex, PoisonError},
};

use arrow::array::{RecordBatch, RecordBatchReader};
use csv::ReaderBuilder;
use memchr::memchr_iter;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use super::{
    PublishError,
    chunks::{Piece, Pieces},
    drift::{Drift, Given},
};
use crate::catalog::Dataset;

/// Column of a file of changes that tells what each row is.
pub(super) const CHANGE: &str = "_change";
/// The byte order mark that spreadsheet programs put before UTF-8.
const BYTE_ORDER_MARK: &str = "\u{feff}";
/// Rows of a Parquet file that are checked at a time.
const BATCH_ROWS: usize = 8192;

/// Where in the file each field of the catalogue is.
#[derive(Clone, Debug)]
pub(super) struct Columns {
    /// For each field of the catalogue, its column.
    pub(super) fields: Vec<Option<usize>>,
    /// Where it is told whether the row is an upsert or a deletion; only in a file of changes.
    pub(super) change: Option<usize>,
    pub(super) width: usize,
}

/// A part of the file.
#[derive(Debug)]
pub(super) enum Part {
    Csv(Piece),
    Parquet {
        batch: RecordBatch,
        /// Number of its first row; Parquet rows count from 1.
        first: u64,
    },
}

/// A file being handed out.
pub(super) struct Input {
    pub(super) columns: Columns,
    parts: Mutex<Parts>,
    pub(super) total: u64,
}

struct Parts {
    source: Source,
    taken: u64,
}

enum Source {
    Csv(Pieces),
    Parquet { reader: ParquetRecordBatchReader, done: u64 },
}

impl Input {
    /// Open a file by its extension and find the catalogue's fields in it.
    pub(super) fn open(path: &Path, dataset: &Dataset, changes: bool) -> Result<Self, PublishError> {
        let (given, source, total) = match Format::of(path)? {
            Format::Csv => csv(path)?,
            Format::Parquet => parquet(path)?,
        };
        let columns = Columns::find(&given, path, dataset, changes)?;
        Ok(Self { columns, parts: Mutex::new(Parts { source, taken: 0 }), total })
    }

    /// The next part and its number; `None` at the end.
    pub(super) fn next(&self) -> io::Result<Option<(u64, Part)>> {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let part = match &mut parts.source {
            Source::Csv(pieces) => pieces.next()?.map(Part::Csv),
            Source::Parquet { reader, done } => match reader.next().transpose().map_err(io::Error::other)? {
                None => None,
                Some(batch) => {
                    let first = *done + 1;
                    *done += batch.num_rows() as u64;
                    Some(Part::Parquet { batch, first })
                }
            },
        };
        let number = parts.taken;
        parts.taken += 1;
        Ok(part.map(|part| (number, part)))
    }

    /// How much of the file has been handed out: bytes of a CSV, rows of a Parquet file.
    pub(super) fn done(&self) -> u64 {
        match &self.parts.lock().unwrap_or_else(PoisonError::into_inner).source {
            Source::Csv(pieces) => pieces.done(),
            Source::Parquet { done, .. } => *done,
        }
    }
}

/// What a file is, by its extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Csv,
    Parquet,
}

impl Format {
    pub(super) fn of(path: &Path) -> Result<Self, PublishError> {
        let extension = path.extension().map(|text| text.to_ascii_lowercase());
        match extension.as_ref().and_then(|text| text.to_str()) {
            Some("csv") => Ok(Self::Csv),
            Some("parquet") => Ok(Self::Parquet),
            _ => Err(PublishError::UnknownFormat { path: path.to_owned() }),
        }
    }
}

/// The columns, the rest of the file, its bytes.
fn csv(path: &Path) -> Result<(Vec<Given>, Source, u64), PublishError> {
    let mut file = File::open(path).map_err(unreadable(path))?;
    let bytes = file.metadata().map_err(unreadable(path))?.len();
    let mut reader = ReaderBuilder::new().flexible(true).from_reader(&file);
    let header = reader.headers().map_err(|error| unreadable(path)(io::Error::other(error)))?;
    let named = |name: &str| name.trim_start_matches(BYTE_ORDER_MARK).trim().to_owned();
    let columns = header.iter().map(|name| Given { name: named(name), kind: None }).collect();
    let start = reader.position().byte();
    let mut header = Vec::new();
    file.seek(SeekFrom::Start(0)).map_err(unreadable(path))?;
    file.by_ref().take(start).read_to_end(&mut header).map_err(unreadable(path))?;
    let line = 1 + memchr_iter(b'\n', &header).count() as u64;
    let pieces = Pieces::new(file, start, line).map_err(unreadable(path))?;
    Ok((columns, Source::Csv(pieces), bytes))
}

/// The columns, the batches, how many rows.
fn parquet(path: &Path) -> Result<(Vec<Given>, Source, u64), PublishError> {
    let failed = |error: parquet::errors::ParquetError| unreadable(path)(io::Error::other(error));
    let file = File::open(path).map_err(unreadable(path))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(failed)?;
    let rows = u64::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or_default();
    let reader = builder.with_batch_size(BATCH_ROWS).build().map_err(failed)?;
    let columns = reader.schema();
    let columns = columns.fields().iter();
    let columns = columns.map(|field| Given { name: field.name().clone(), kind: Some(field.data_type().clone()) });
    Ok((columns.collect(), Source::Parquet { reader, done: 0 }, rows))
}

impl Columns {
    /// Unknown, doubled and missing columns are refused: a misspelt header would otherwise publish a register whose field
    /// is empty.
    pub(super) fn find(given: &[Given], path: &Path, dataset: &Dataset, changes: bool) -> Result<Self, PublishError> {
        if let Some(drift) = Drift::between(given, dataset, changes) {
            return Err(PublishError::Columns { path: path.to_owned(), dataset: dataset.id.clone(), drift });
        }
        let place = |wanted: &str| given.iter().position(|column| column.name == wanted);
        let fields = dataset.fields.iter().map(|field| place(field.name.as_str())).collect();
        Ok(Self { fields, change: place(CHANGE), width: given.len() })
    }
}

pub(super) fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> PublishError {
    let path = path.to_owned();
    move |source| PublishError::Input { path, source }
}
