//! Rows out of a CSV or Parquet file, cell by cell, by the catalogue's field positions.

use std::{fs::File, io, path::Path};

use arrow::{
    array::{Array, AsArray, RecordBatch, RecordBatchReader, StringArray},
    compute::cast,
    datatypes::DataType,
};
use csv::{ByteRecord, ReaderBuilder};
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use super::PublishError;
use crate::catalog::Dataset;

const BUFFER_BYTES: usize = 1 << 20;
/// The byte order mark that spreadsheet programs put before UTF-8.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// One cell as it stands in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cell<'a> {
    Missing,
    Text(&'a str),
    /// Bytes that are not UTF-8.
    NotText,
}

/// A file being read, standing at one row.
pub(super) enum Source {
    Csv(Csv),
    Parquet(Box<Parquet>),
}

pub(super) struct Csv {
    reader: csv::Reader<File>,
    row: ByteRecord,
    /// For each field of the catalogue, its column in the file.
    columns: Vec<Option<usize>>,
    width: usize,
    bytes: u64,
}

pub(super) struct Parquet {
    reader: ParquetRecordBatchReader,
    /// For each field of the catalogue, its column in the batch, as text.
    cells: Vec<Option<StringArray>>,
    columns: Vec<Option<usize>>,
    rows_in_batch: usize,
    /// Position in the batch of the row after the current one.
    next: usize,
    done: u64,
    total: u64,
}

impl Source {
    /// Open a file by its extension and find the catalogue's fields in it.
    pub(super) fn open(path: &Path, dataset: &Dataset) -> Result<Self, PublishError> {
        let extension = path.extension().map(|text| text.to_ascii_lowercase());
        let file = || File::open(path).map_err(unreadable(path));
        match extension.as_ref().and_then(|text| text.to_str()) {
            Some("csv") => Csv::open(file()?, path, dataset).map(Self::Csv),
            Some("parquet") => Parquet::open(file()?, path, dataset).map(|parquet| Self::Parquet(Box::new(parquet))),
            _ => Err(PublishError::UnknownFormat { path: path.to_owned() }),
        }
    }

    /// Go to the next row; false at the end.
    pub(super) fn advance(&mut self) -> io::Result<bool> {
        match self {
            Self::Csv(csv) => csv.reader.read_byte_record(&mut csv.row).map_err(io::Error::other),
            Self::Parquet(parquet) => parquet.advance(),
        }
    }

    /// Line of the current row in the file: the header is line 1 of a CSV; Parquet rows count from 1.
    pub(super) fn line(&self) -> u64 {
        match self {
            Self::Csv(csv) => csv.row.position().map_or(0, csv::Position::line),
            Self::Parquet(parquet) => parquet.done,
        }
    }

    /// A row that cannot be taken apart into its cells.
    pub(super) fn misshapen(&self) -> Option<String> {
        match self {
            Self::Csv(csv) if csv.row.len() != csv.width => {
                Some(format!("the row has {} columns, the header has {}", csv.row.len(), csv.width))
            }
            Self::Csv(_) | Self::Parquet(_) => None,
        }
    }

    /// The cell of the current row for a field of the catalogue. An empty cell is a missing one.
    pub(super) fn cell(&self, field: usize) -> Cell<'_> {
        match self {
            Self::Csv(csv) => match csv.columns[field].and_then(|column| csv.row.get(column)) {
                None | Some([]) => Cell::Missing,
                Some(bytes) => std::str::from_utf8(bytes).map_or(Cell::NotText, Cell::Text),
            },
            Self::Parquet(parquet) => match &parquet.cells[field] {
                Some(column) if column.is_valid(parquet.next - 1) => match column.value(parquet.next - 1) {
                    "" => Cell::Missing,
                    text => Cell::Text(text),
                },
                _ => Cell::Missing,
            },
        }
    }

    /// How much of the file has been read: bytes of a CSV, rows of a Parquet file.
    pub(super) fn progress(&self) -> (u64, u64) {
        match self {
            Self::Csv(csv) => (csv.reader.position().byte(), csv.bytes),
            Self::Parquet(parquet) => (parquet.done, parquet.total),
        }
    }
}

impl Csv {
    fn open(file: File, path: &Path, dataset: &Dataset) -> Result<Self, PublishError> {
        let bytes = file.metadata().map_err(unreadable(path))?.len();
        let mut reader = ReaderBuilder::new().flexible(true).buffer_capacity(BUFFER_BYTES).from_reader(file);
        let header = reader.headers().map_err(|error| unreadable(path)(io::Error::other(error)))?;
        let names: Vec<_> =
            header.iter().map(|name| name.trim_start_matches(BYTE_ORDER_MARK).trim().to_owned()).collect();
        let columns = find_columns(&names, path, dataset)?;
        Ok(Self { reader, row: ByteRecord::new(), columns, width: names.len(), bytes })
    }
}

impl Parquet {
    fn open(file: File, path: &Path, dataset: &Dataset) -> Result<Self, PublishError> {
        let failed = |error: parquet::errors::ParquetError| unreadable(path)(io::Error::other(error));
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(failed)?;
        let total = u64::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or_default();
        let reader = builder.build().map_err(failed)?;
        let names: Vec<_> = reader.schema().fields().iter().map(|field| field.name().clone()).collect();
        let columns = find_columns(&names, path, dataset)?;
        let cells = vec![None; columns.len()];
        Ok(Self { reader, cells, columns, rows_in_batch: 0, next: 0, done: 0, total })
    }

    fn advance(&mut self) -> io::Result<bool> {
        while self.next == self.rows_in_batch {
            let Some(batch) = self.reader.next() else { return Ok(false) };
            let batch = batch.map_err(io::Error::other)?;
            self.cells = self
                .columns
                .iter()
                .map(|column| column.map(|c| text(&batch, c)).transpose())
                .collect::<io::Result<_>>()?;
            (self.rows_in_batch, self.next) = (batch.num_rows(), 0);
        }
        self.next += 1;
        self.done += 1;
        Ok(true)
    }
}

/// A column as text, so that one set of rules checks both formats.
fn text(batch: &RecordBatch, column: usize) -> io::Result<StringArray> {
    let cells = cast(batch.column(column), &DataType::Utf8).map_err(io::Error::other)?;
    Ok(cells.as_string::<i32>().clone())
}

/// For each field of the catalogue, its column in the file. Unknown, doubled and missing columns are refused: a misspelt
/// header would otherwise publish a register whose field is empty.
fn find_columns(names: &[String], path: &Path, dataset: &Dataset) -> Result<Vec<Option<usize>>, PublishError> {
    let refused = |reason| PublishError::Columns { path: path.to_owned(), dataset: dataset.id.clone(), reason };
    for (position, name) in names.iter().enumerate() {
        if names[..position].contains(name) {
            return Err(refused(format!("column `{name}` stands in it twice")));
        }
        if dataset.field(name).is_none() {
            let near = dataset
                .fields
                .iter()
                .map(|field| field.name.as_str())
                .max_by(|a, b| strsim::jaro_winkler(a, name).total_cmp(&strsim::jaro_winkler(b, name)));
            let hint = near.map(|near| format!(". Did you mean `{near}`?")).unwrap_or_default();
            return Err(refused(format!("column `{name}` is not a field of it{hint}")));
        }
    }
    let find = |field: &crate::catalog::Field| {
        let column = names.iter().position(|name| name == field.name.as_str());
        match column {
            None if field.required => Err(refused(format!("column `{}` is missing", field.name))),
            column => Ok(column),
        }
    };
    dataset.fields.iter().map(find).collect()
}

fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> PublishError {
    let path = path.to_owned();
    move |source| PublishError::Input { path, source }
}
