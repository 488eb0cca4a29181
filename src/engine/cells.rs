//! Single rows out of a Parquet file, by the page index: one page a column is decoded, the rest is not looked at.
//!
//! The library's page and column readers do the decoding. They are told of two pages only, the first of the chunk and
//! the wanted one, as if all between them belonged to the first: to the library it is one page that is skipped.

use std::{
    ops::Range,
    sync::{Arc, LazyLock},
};

use arrow::datatypes::DataType as ArrowType;
use bytes::Bytes;
use parquet::{
    basic::Encoding,
    column::{
        page::{Page, PageReader},
        reader::ColumnReaderImpl,
    },
    data_type::{BoolType, ByteArray, ByteArrayType, DataType, Int32Type, Int64Type},
    errors::{ParquetError, Result as ParquetResult},
    file::{
        page_index::offset_index::PageLocation,
        properties::{ReaderProperties, ReaderPropertiesPtr},
        serialized_reader::SerializedPageReader,
        statistics::Statistics,
    },
};

use super::{keypages::Place, mapped::MappedFile};
use crate::catalog::Value;

static READING: LazyLock<ReaderPropertiesPtr> = LazyLock::new(|| Arc::new(ReaderProperties::builder().build()));

/// A row group that single rows are read from.
pub(super) struct Cells<'a> {
    pub(super) file: &'a Arc<MappedFile>,
    pub(super) group: usize,
}

impl Cells<'_> {
    /// The row of the group whose text in a column is `key`, within a page of that column.
    pub(super) fn find(&self, leaf: usize, place: Place, key: &str) -> ParquetResult<Option<usize>> {
        let first = place.first as usize;
        if let Some(values) = self.plain_values(leaf, first)? {
            return Ok(find_in_plain(&values, place.rows as usize, key.as_bytes())?.map(|row| first + row));
        }
        let mut reader = self.column::<ByteArrayType>(leaf, first)?;
        let (mut levels, mut keys) = (Vec::new(), Vec::new());
        let (read, _, _) = reader.read_records(place.rows as usize, Some(&mut levels), None, &mut keys)?;
        if read != place.rows as usize {
            return Err(ParquetError::EOF(format!("{read} of {} rows of a page", place.rows)));
        }
        let position = keys.iter().position(|found: &ByteArray| found.data() == key.as_bytes());
        Ok(position.map(|position| first + row_of_value(&levels, position)))
    }

    /// The values of a page as we write them: plain, and without a row that lacks its key. `None` where it is not one.
    fn plain_values(&self, leaf: usize, first: usize) -> ParquetResult<Option<Bytes>> {
        let chunk = self.file.metadata.row_group(self.group).column(leaf);
        let (pages, end) = self.pages(leaf, first)?;
        // Where a dictionary stands before the first page, the pages are not plain, or not all of them.
        let begins = chunk.byte_range().0 == pages[0].offset.cast_unsigned();
        if !begins || chunk.statistics().and_then(Statistics::null_count_opt) != Some(0) {
            return Ok(None);
        }
        let is_first = pages.len() == 1;
        let mut reader = self.page_reader(leaf, pages, end)?;
        if !is_first {
            reader.skip_next_page()?;
        }
        let Some(Page::DataPage { buf, encoding: Encoding::PLAIN, def_level_encoding: Encoding::RLE, .. }) =
            reader.get_next_page()?
        else {
            return Ok(None);
        };
        if chunk.column_descr().max_def_level() == 0 {
            return Ok(Some(buf));
        }
        let (_, values) = prefixed(&buf).ok_or_else(broken)?;
        Ok(Some(buf.slice_ref(values)))
    }

    /// The cell of a column in a row of the group.
    pub(super) fn cell(&self, leaf: usize, row: usize, kind: &ArrowType) -> ParquetResult<Option<Value>> {
        Ok(match kind {
            ArrowType::Utf8 => {
                let text = self.value::<ByteArrayType>(leaf, row)?;
                text.map(|text| text.as_utf8().map(str::to_owned)).transpose()?.map(Value::Text)
            }
            ArrowType::Date32 => self.value::<Int32Type>(leaf, row)?.map(date).transpose()?.map(Value::Date),
            ArrowType::Int64 => self.value::<Int64Type>(leaf, row)?.map(Value::Integer),
            ArrowType::Boolean => self.value::<BoolType>(leaf, row)?.map(Value::Boolean),
            other => return Err(ParquetError::General(format!("a register column of type {other}"))),
        })
    }

    fn value<T: DataType>(&self, leaf: usize, row: usize) -> ParquetResult<Option<T::T>> {
        let mut reader = self.column::<T>(leaf, row)?;
        let (mut levels, mut values) = (Vec::with_capacity(1), Vec::with_capacity(1));
        match reader.read_records(1, Some(&mut levels), None, &mut values)? {
            (1, _, _) => Ok(values.pop()),
            _ => Err(ParquetError::EOF(format!("row {row} of group {}", self.group))),
        }
    }

    /// Where the bytes of a column are that reading the rows of a place may need.
    pub(super) fn ranges(&self, leaf: usize, place: Place) -> Vec<Range<u64>> {
        let of_page = |page: &PageLocation| {
            let (offset, bytes) = (u64::try_from(page.offset).ok()?, u64::try_from(page.compressed_page_size).ok()?);
            Some(offset..offset + bytes)
        };
        let chunk = self.file.metadata.row_group(self.group).column(leaf);
        let index = self.file.metadata.offset_index().and_then(|index| index.get(self.group)?.get(leaf));
        let pages = index.map_or(&[][..], |index| index.page_locations().as_slice());
        let (first, end) = (i64::from(place.first), i64::from(place.first) + i64::from(place.rows));
        let begin = pages.partition_point(|page| page.first_row_index <= first).saturating_sub(1);
        let end = pages.partition_point(|page| page.first_row_index < end);
        // A dictionary stands before the first page, and every page needs it.
        let dictionary = chunk
            .dictionary_page_offset()
            .zip(pages.first())
            .and_then(|(start, page)| Some(u64::try_from(start).ok()?..u64::try_from(page.offset).ok()?));
        let wanted = pages.get(begin..end).unwrap_or_default();
        dictionary.into_iter().chain(wanted.iter().filter_map(of_page)).collect()
    }

    /// A reader of a column that stands at a row of the group.
    fn column<T: DataType>(&self, leaf: usize, row: usize) -> ParquetResult<ColumnReaderImpl<T>> {
        let descriptor = self.file.metadata.row_group(self.group).column(leaf).column_descr_ptr();
        let (pages, end) = self.pages(leaf, row)?;
        let mut reader = ColumnReaderImpl::new(descriptor, Box::new(self.page_reader(leaf, pages, end)?));
        match reader.skip_records(row)? {
            skipped if skipped == row => Ok(reader),
            _ => Err(ParquetError::EOF(format!("row {row} of group {}", self.group))),
        }
    }

    /// A reader of some pages of a column's chunk, up to a row of the group.
    fn page_reader(
        &self,
        leaf: usize,
        pages: Vec<PageLocation>,
        end: usize,
    ) -> ParquetResult<SerializedPageReader<MappedFile>> {
        let chunk = self.file.metadata.row_group(self.group).column(leaf);
        SerializedPageReader::new_with_properties(Arc::clone(self.file), chunk, end, Some(pages), Arc::clone(&READING))
    }

    /// The first page of a column's chunk and, where it is another, the one that holds a row; and the row after its last.
    fn pages(&self, leaf: usize, row: usize) -> ParquetResult<(Vec<PageLocation>, usize)> {
        let unindexed = || ParquetError::General("a column without an offset index".to_owned());
        let index = self.file.metadata.offset_index().ok_or_else(unindexed)?;
        let all = index.get(self.group).and_then(|group| group.get(leaf)).ok_or_else(unindexed)?.page_locations();
        let rows = self.file.metadata.row_group(self.group).num_rows();
        let after = page_after(all, i64::try_from(row).unwrap_or(i64::MAX));
        let wanted = all[..after].last().ok_or_else(unindexed)?;
        let end = usize::try_from(all.get(after).map_or(rows, |next| next.first_row_index));
        let mut pages = Vec::with_capacity(2);
        if after > 1 {
            pages.push(all[0].clone());
        }
        pages.push(wanted.clone());
        Ok((pages, end.map_err(|_| unindexed())?))
    }
}

/// How many pages begin at or before a row. Our pages have equally many rows, so the first guess is nearly always right,
/// and a search would miss the processor's cache at every step.
fn page_after(pages: &[PageLocation], row: i64) -> usize {
    let begins = |page: usize| pages.get(page).map(|page| page.first_row_index);
    if let Some(rows) = begins(1).filter(|&rows| rows > 0) {
        let guess = usize::try_from(row / rows).unwrap_or_default();
        if begins(guess).is_some_and(|first| first <= row) && begins(guess + 1).is_none_or(|next| row < next) {
            return guess + 1;
        }
    }
    pages.partition_point(|page| page.first_row_index <= row)
}

/// The row of a page whose text is `key`, among so many rows in plain encoding.
///
/// The library would make a counted slice of every key on the way, which took longer than all the rest of a look-up. A
/// page that ends too early or too late is damaged: it does not say that the key is not there (promise 1).
fn find_in_plain(values: &[u8], rows: usize, key: &[u8]) -> ParquetResult<Option<usize>> {
    let mut rest = values;
    for row in 0..rows {
        let (text, after) = prefixed(rest).ok_or_else(broken)?;
        if text == key {
            return Ok(Some(row));
        }
        rest = after;
    }
    if rest.is_empty() { Ok(None) } else { Err(broken()) }
}

fn broken() -> ParquetError {
    ParquetError::General("a page of keys is not of its length".to_owned())
}

/// The bytes that stand behind their own length, and what comes after them.
fn prefixed(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(u32::from_le_bytes(*length) as usize)
}

/// The row, among the rows of these definition levels, of the value at a position: rows without a value have none.
fn row_of_value(levels: &[i16], position: usize) -> usize {
    let with_value = levels.iter().enumerate().filter(|&(_, &level)| level > 0).map(|(row, _)| row);
    // A required column has no levels: every row has its value.
    with_value.clone().nth(position).unwrap_or(position)
}

fn date(days: i32) -> ParquetResult<chrono::NaiveDate> {
    arrow::temporal_conversions::date32_to_datetime(days)
        .map(|time| time.date())
        .ok_or_else(|| ParquetError::General("a day outside the calendar".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_of_a_row_is_found_whether_pages_are_equal_or_not() {
        let page = |first_row_index| PageLocation { offset: 0, compressed_page_size: 0, first_row_index };
        for begins in [vec![0], vec![0, 128, 256, 384], vec![0, 10, 300, 301], vec![0, 300, 301, 500]] {
            let pages: Vec<_> = begins.iter().copied().map(page).collect();
            for row in 0..600 {
                let searched = begins.iter().filter(|&&first| first <= row).count();
                assert_eq!(page_after(&pages, row), searched, "row {row} of {begins:?}");
            }
        }
        assert_eq!(page_after(&[], 3), 0);
    }

    #[test]
    fn a_page_that_is_cut_or_too_long_is_an_error_and_never_an_absence() {
        let page: Vec<u8> =
            ["a", "bb", "d"].iter().flat_map(|key| [&[key.len() as u8, 0, 0, 0], key.as_bytes()].concat()).collect();
        for (key, row) in [("a", Some(0)), ("bb", Some(1)), ("d", Some(2)), ("c", None), ("", None)] {
            assert_eq!(find_in_plain(&page, 3, key.as_bytes()).unwrap(), row, "{key}");
        }
        for cut in 0..page.len() {
            assert!(find_in_plain(&page[..cut], 3, b"c").is_err(), "{cut} bytes");
        }
        assert!(find_in_plain(&page, 2, b"c").is_err() && find_in_plain(&page, 4, b"c").is_err());
    }

    #[test]
    fn rows_without_a_value_are_counted_as_rows() {
        assert_eq!(row_of_value(&[1, 0, 0, 1, 1], 0), 0);
        assert_eq!(row_of_value(&[1, 0, 0, 1, 1], 1), 3);
        assert_eq!(row_of_value(&[0, 1], 0), 1);
        assert_eq!(row_of_value(&[], 7), 7);
    }
}
