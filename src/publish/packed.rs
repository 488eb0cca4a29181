//! A checked row as bytes: what is sorted, kept and spilled.
//!
//! One row lies in one place, so that sorting moves nothing but numbers, and a row is gathered with one step through
//! memory, not with one a column. Nothing of it outlives the publication.
//!
//! ```text
//! length u32 | line u64 | deletion u8 | key: length u16, bytes | the other cells in the catalogue's order
//! text: length + 1 in a byte, or 255 and a u32; then its bytes     date, integer: 0 or 1, then i64     boolean: 0, 1, 2
//! (missing: 0)
//! ```

use std::{ops::Range, sync::Arc};

use arrow::{
    array::{
        ArrayRef, AsArray, BinaryBuilder, BooleanArray, BooleanBuilder, Date32Builder, Int64Builder, RecordBatch,
        StringArray, UInt64Builder,
    },
    datatypes::{DataType, Date32Type, Field, Schema, SchemaRef},
    error::ArrowError,
};

use crate::{
    catalog::{Cell, Dataset},
    engine::arrow_schema,
};

/// Columns that carry the row's line and whether it is a deletion through a sort; not possible field names.
pub(super) const LINE: &str = "#line";
pub(super) const DELETION: &str = "#deletion";

const LINE_AT: usize = 4;
const DELETION_AT: usize = 12;
const KEY_AT: usize = 15;
/// What stands for the length of a text that does not fit in the byte.
const LONG: u8 = 255;

/// Packs one row after the other in a place that is used again.
pub(super) struct Packer {
    row: Vec<u8>,
    key: Range<usize>,
}

impl Packer {
    pub(super) fn new() -> Self {
        Self { row: Vec::new(), key: 0..0 }
    }

    pub(super) fn begin(&mut self, line: u64, deletion: bool, key: &str) {
        self.row.clear();
        self.row.extend_from_slice(&[0; LINE_AT]);
        self.row.extend_from_slice(&line.to_le_bytes());
        self.row.push(u8::from(deletion));
        // Keys are identifiers of some dozens of characters; `Checker` refuses longer ones.
        self.row.extend_from_slice(&(key.len() as u16).to_le_bytes());
        self.row.extend_from_slice(key.as_bytes());
        self.key = KEY_AT..self.row.len();
    }

    /// The next cell; the key's own is left out.
    pub(super) fn cell(&mut self, cell: Option<&Cell<'_>>) {
        let row = &mut self.row;
        let mut number = |number: i64| {
            row.push(1);
            row.extend_from_slice(&number.to_le_bytes());
        };
        match cell {
            Some(Cell::Date(day)) => number(Date32Type::from_naive_date(*day).into()),
            Some(Cell::Integer(integer)) => number(*integer),
            Some(Cell::Boolean(truth)) => row.push(1 + u8::from(*truth)),
            Some(Cell::Text(text)) => {
                match u8::try_from(text.len() + 1) {
                    Ok(length) if length != LONG => row.push(length),
                    _ => {
                        row.push(LONG);
                        row.extend_from_slice(&(text.len() as u32).to_le_bytes());
                    }
                }
                row.extend_from_slice(text.as_bytes());
            }
            None => row.push(0),
        }
    }

    /// The row's key and the row.
    pub(super) fn end(&mut self) -> (&[u8], &[u8]) {
        let length = (self.row.len() as u32).to_le_bytes();
        self.row[..LINE_AT].copy_from_slice(&length);
        (&self.row[self.key.clone()], &self.row)
    }
}

/// A packed row.
#[derive(Clone, Copy)]
pub(super) struct Packed<'a>(&'a [u8]);

impl<'a> Packed<'a> {
    /// The row that begins at byte `at`.
    ///
    /// INVARIANT: `rows` holds nothing but rows that [`Packer`] made, one after the other, and `at` is where one begins.
    pub(super) fn at(rows: &'a [u8], at: usize) -> Self {
        let length = u32::from_le_bytes(array(&rows[at..]));
        Self(&rows[at..at + length as usize])
    }

    pub(super) fn bytes(self) -> usize {
        self.0.len()
    }

    pub(super) fn line(self) -> u64 {
        u64::from_le_bytes(array(&self.0[LINE_AT..]))
    }

    pub(super) fn is_deletion(self) -> bool {
        self.0[DELETION_AT] == 1
    }

    pub(super) fn key(self) -> &'a [u8] {
        let length = u16::from_le_bytes(array(&self.0[DELETION_AT + 1..]));
        &self.0[KEY_AT..KEY_AT + usize::from(length)]
    }
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(&bytes[..N]);
    array
}

/// Turns packed rows into batches of the dataset's columns, with each row's line and whether it is a deletion.
pub(super) struct Unpacker {
    schema: SchemaRef,
    key: usize,
    columns: Vec<Column>,
    lines: UInt64Builder,
    deletions: BooleanBuilder,
    rows: usize,
}

enum Column {
    /// Checked to be UTF-8 as a whole, when it is finished.
    Text(BinaryBuilder),
    Date(Date32Builder),
    Integer(Int64Builder),
    Boolean(BooleanBuilder),
}

impl Unpacker {
    pub(super) fn new(dataset: &Dataset) -> Self {
        let stored = arrow_schema(dataset);
        let columns = stored.fields().iter().map(|field| Column::new(field.data_type())).collect();
        let (key, _) = dataset.field(dataset.key.as_str()).expect("the catalogue's check has found the key");
        let (lines, deletions) = (UInt64Builder::new(), BooleanBuilder::new());
        Self { schema: sortable(&stored), key, columns, lines, deletions, rows: 0 }
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// The dataset's columns, the line, the deletion.
    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    pub(super) fn add(&mut self, row: Packed<'_>) {
        let mut rest = &row.0[KEY_AT + row.key().len()..];
        for (position, column) in self.columns.iter_mut().enumerate() {
            match column {
                Column::Text(builder) if position == self.key => builder.append_value(row.key()),
                column => rest = column.add(rest),
            }
        }
        self.lines.append_value(row.line());
        self.deletions.append_value(row.is_deletion());
        self.rows += 1;
    }

    /// The rows added since the last time.
    pub(super) fn take(&mut self) -> Result<RecordBatch, ArrowError> {
        self.rows = 0;
        let mut columns = self.columns.iter_mut().map(Column::finish).collect::<Result<Vec<_>, _>>()?;
        columns.push(Arc::new(self.lines.finish()));
        columns.push(Arc::new(self.deletions.finish()));
        RecordBatch::try_new(Arc::clone(&self.schema), columns)
    }
}

/// The stored columns, the line and the deletion.
fn sortable(stored: &Schema) -> SchemaRef {
    let more = [Field::new(LINE, DataType::UInt64, false), Field::new(DELETION, DataType::Boolean, false)];
    Arc::new(Schema::new(stored.fields().iter().cloned().chain(more.map(Arc::new)).collect::<Vec<_>>()))
}

/// Which rows of a batch of an [`Unpacker`] are deletions.
pub(super) fn deletions(batch: &RecordBatch) -> &BooleanArray {
    batch.column(batch.num_columns() - 1).as_boolean()
}

impl Column {
    fn new(kind: &DataType) -> Self {
        match kind {
            DataType::Date32 => Self::Date(Date32Builder::new()),
            DataType::Int64 => Self::Integer(Int64Builder::new()),
            DataType::Boolean => Self::Boolean(BooleanBuilder::new()),
            _ => Self::Text(BinaryBuilder::new()),
        }
    }

    /// Append the cell with which `bytes` begin; what follows it.
    fn add<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let (tag, rest) = (bytes[0], &bytes[1..]);
        let number = || i64::from_le_bytes(array(rest));
        match (self, tag) {
            (Self::Text(builder), 0) => builder.append_null(),
            (Self::Date(builder), 0) => builder.append_null(),
            (Self::Integer(builder), 0) => builder.append_null(),
            (Self::Boolean(builder), 0) => builder.append_null(),
            (Self::Boolean(builder), truth) => builder.append_value(truth == 2),
            (Self::Text(builder), tag) => {
                let (length, rest) = match tag {
                    LONG => (u32::from_le_bytes(array(rest)) as usize, &rest[4..]),
                    tag => (usize::from(tag) - 1, rest),
                };
                let (text, rest) = rest.split_at(length);
                builder.append_value(text);
                return rest;
            }
            (Self::Date(builder), _) => {
                builder.append_value(number() as i32);
                return &rest[8..];
            }
            (Self::Integer(builder), _) => {
                builder.append_value(number());
                return &rest[8..];
            }
        }
        rest
    }

    fn finish(&mut self) -> Result<ArrayRef, ArrowError> {
        Ok(match self {
            Self::Text(builder) => Arc::new(StringArray::try_from_binary(builder.finish())?),
            Self::Date(builder) => Arc::new(builder.finish()),
            Self::Integer(builder) => Arc::new(builder.finish()),
            Self::Boolean(builder) => Arc::new(builder.finish()),
        })
    }
}
