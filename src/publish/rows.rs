//! Rows of a part of the input, cell by cell, by the catalogue's field positions.

use arrow::{
    array::{Array, AsArray, RecordBatch, StringArray},
    compute::cast,
    datatypes::DataType,
};
use csv::{ByteRecord, ReaderBuilder};
use memchr::{memchr, memchr_iter};
use std::io;

use super::{
    chunks::{Piece, is_plain},
    input::{Columns, Part},
};

/// One cell as it stands in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Given<'a> {
    Missing,
    Text(&'a str),
    /// Bytes that are not UTF-8.
    NotText,
}

/// One row as it stands in the file.
pub(super) struct Row<'a> {
    /// The header is line 1 of a CSV; Parquet rows count from 1.
    pub(super) line: u64,
    columns: &'a Columns,
    cells: Cells<'a>,
}

enum Cells<'a> {
    Text(&'a [&'a str]),
    Bytes(&'a ByteRecord),
    Arrays(&'a [Option<StringArray>], usize),
}

impl Row<'_> {
    /// A row that cannot be taken apart into its cells.
    pub(super) fn misshapen(&self) -> Option<String> {
        let found = match &self.cells {
            Cells::Text(cells) => cells.len(),
            Cells::Bytes(record) => record.len(),
            Cells::Arrays(..) => return None,
        };
        let width = self.columns.width;
        (found != width).then(|| format!("the row has {found} columns, the header has {width}"))
    }

    /// The cell for a field of the catalogue. An empty cell is a missing one.
    pub(super) fn cell(&self, field: usize) -> Given<'_> {
        self.columns.fields[field].map_or(Given::Missing, |column| self.at(column))
    }

    /// What the row is, in a file of changes.
    pub(super) fn change(&self) -> Given<'_> {
        self.columns.change.map_or(Given::Missing, |column| self.at(column))
    }

    fn at(&self, column: usize) -> Given<'_> {
        let text = match &self.cells {
            Cells::Text(cells) => cells.get(column).copied(),
            Cells::Bytes(record) => match record.get(column).map(std::str::from_utf8) {
                Some(Err(_)) => return Given::NotText,
                cell => cell.and_then(Result::ok),
            },
            Cells::Arrays(arrays, row) => {
                arrays[column].as_ref().filter(|array| array.is_valid(*row)).map(|array| array.value(*row))
            }
        };
        text.filter(|text| !text.is_empty()).map_or(Given::Missing, Given::Text)
    }
}

/// Show each row of a part to `look`; how many there were.
pub(super) fn each_row(part: &Part, columns: &Columns, look: &mut impl FnMut(&Row<'_>)) -> Result<u64, io::Error> {
    match part {
        Part::Csv(piece) if is_plain(&piece.text) => match std::str::from_utf8(&piece.text) {
            Ok(text) => Ok(plain(text, piece.line, columns, look)),
            Err(_) => quoted(piece, columns, look),
        },
        Part::Csv(piece) => quoted(piece, columns, look),
        Part::Parquet { batch, first } => arrays(batch, *first, columns, look),
    }
}

/// Text without quotes and carriage returns, which is most of it: a line is a record, and commas part its cells.
fn plain(text: &str, first: u64, columns: &Columns, look: &mut impl FnMut(&Row<'_>)) -> u64 {
    let (mut rows, mut line, mut rest) = (0, first, text);
    let mut cells = Vec::with_capacity(columns.width);
    while !rest.is_empty() {
        let end = memchr(b'\n', rest.as_bytes()).unwrap_or(rest.len());
        let record = &rest[..end];
        rest = rest.get(end + 1..).unwrap_or_default();
        if !record.is_empty() {
            cells.clear();
            let mut start = 0;
            for comma in memchr_iter(b',', record.as_bytes()) {
                cells.push(&record[start..comma]);
                start = comma + 1;
            }
            cells.push(&record[start..]);
            rows += 1;
            look(&Row { line, columns, cells: Cells::Text(&cells) });
        }
        line += 1;
    }
    rows
}

fn quoted(piece: &Piece, columns: &Columns, look: &mut impl FnMut(&Row<'_>)) -> io::Result<u64> {
    let mut reader =
        ReaderBuilder::new().flexible(true).has_headers(false).buffer_capacity(1 << 16).from_reader(&piece.text[..]);
    let (mut record, mut rows) = (ByteRecord::new(), 0);
    let (mut line, mut at) = (piece.line, 0);
    while reader.read_byte_record(&mut record).map_err(io::Error::other)? {
        // The reader's own position is where it began to look: before the end of the line before, and empty lines.
        let begun = record.position().map_or(0, |position| position.byte() as usize);
        let blank = piece.text[begun..].iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
        line += memchr_iter(b'\n', &piece.text[at..begun + blank]).count() as u64;
        at = begun + blank;
        rows += 1;
        look(&Row { line, columns, cells: Cells::Bytes(&record) });
    }
    Ok(rows)
}

/// Every column as text, so that one set of rules checks both formats.
fn arrays(batch: &RecordBatch, first: u64, columns: &Columns, look: &mut impl FnMut(&Row<'_>)) -> io::Result<u64> {
    let wanted = |column: &usize| columns.fields.contains(&Some(*column)) || columns.change == Some(*column);
    let text = |column| {
        let cells = cast(batch.column(column), &DataType::Utf8).map_err(io::Error::other)?;
        Ok::<_, io::Error>(cells.as_string::<i32>().clone())
    };
    let arrays = (0..batch.num_columns())
        .map(|column| Some(column).filter(wanted).map(text).transpose())
        .collect::<io::Result<Vec<_>>>()?;
    for row in 0..batch.num_rows() {
        look(&Row { line: first + row as u64, columns, cells: Cells::Arrays(&arrays, row) });
    }
    Ok(batch.num_rows() as u64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Seen = Vec<(u64, Option<String>, Vec<Option<String>>)>;

    fn columns() -> Columns {
        Columns { fields: vec![Some(1), None, Some(0)], change: None, width: 2 }
    }

    fn seen(read: impl FnOnce(&Columns, &mut dyn FnMut(&Row<'_>))) -> Seen {
        let mut seen = Vec::new();
        read(&columns(), &mut |row| {
            let text = |field| match row.cell(field) {
                Given::Text(text) => Some(text.to_owned()),
                Given::Missing | Given::NotText => None,
            };
            seen.push((row.line, row.misshapen(), (0..3).map(text).collect()));
        });
        seen
    }

    proptest! {
        #[test]
        fn the_plain_way_reads_what_the_csv_crate_reads(lines in proptest::collection::vec("[a中,]{1,9}", 0..9), last in any::<bool>()) {
            let text = lines.join("\n") + if last && !lines.is_empty() { "\n" } else { "" };
            let piece = Piece { text: text.clone().into_bytes(), line: 7 };
            let one = seen(|columns, mut look| { plain(&text, 7, columns, &mut look); });
            let other = seen(|columns, mut look| { quoted(&piece, columns, &mut look).unwrap(); });
            prop_assert_eq!(one, other);
        }
    }

    #[test]
    fn an_empty_line_is_no_row_and_counts_as_a_line() {
        let rows = seen(|columns, mut look| assert_eq!(plain("a,b\n\nc,d", 2, columns, &mut look), 2));
        assert_eq!(rows.iter().map(|row| row.0).collect::<Vec<_>>(), [2, 4]);
        assert_eq!(rows[1].2, [Some("d".to_owned()), None, Some("c".to_owned())]);
    }

    #[test]
    fn a_line_is_counted_once_however_it_ends() {
        let piece = Piece { text: b"a,b\r\n\r\n\"c\nc\",d\r\ne,f".to_vec(), line: 2 };
        let rows = seen(|columns, mut look| assert_eq!(quoted(&piece, columns, &mut look).unwrap(), 3));
        assert_eq!(rows.iter().map(|row| row.0).collect::<Vec<_>>(), [2, 4, 6]);
    }

    #[test]
    fn bytes_that_are_no_text_spoil_their_cell_alone() {
        let part = Part::Csv(Piece { text: b"a,\xff\n".to_vec(), line: 2 });
        let mut cells = Vec::new();
        let mut look = |row: &Row<'_>| cells.push((row.cell(0) == Given::NotText, row.cell(2) == Given::Text("a")));
        assert_eq!(each_row(&part, &columns(), &mut look).unwrap(), 1);
        assert_eq!(cells, [(true, true)]);
    }
}
