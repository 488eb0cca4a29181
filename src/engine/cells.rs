//! Single rows out of a Parquet file, by the page index: one page a column is decoded, the rest is not looked at.
//!
//! The library's page and column readers do the decoding. They are told of two pages only, the first of the chunk and
//! the wanted one, as if all between them belonged to the first: to the library it is one page that is skipped.

use std::{
    ops::Range,
    sync::{Arc, LazyLock},
};

use arrow::datatypes::DataType as ArrowType;
use parquet::{
    column::reader::ColumnReaderImpl,
    data_type::{BoolType, ByteArray, ByteArrayType, DataType, Int32Type, Int64Type},
    errors::{ParquetError, Result as ParquetResult},
    file::{
        metadata::ColumnChunkMetaData,
        page_index::offset_index::PageLocation,
        properties::{ReaderProperties, ReaderPropertiesPtr},
        serialized_reader::SerializedPageReader,
    },
};

use super::{keypages::Place, mapped::MappedFile};
use crate::catalog::Value;

static READING: LazyLock<ReaderPropertiesPtr> = LazyLock::new(|| Arc::new(ReaderProperties::builder().build()));

/// Keys decoded at a time while a page is searched: a search that ends early leaves the rest alone.
const KEYS_AT_ONCE: usize = 32;

/// A row group that single rows are read from.
pub(super) struct Cells<'a> {
    pub(super) file: &'a Arc<MappedFile>,
    pub(super) group: usize,
}

impl Cells<'_> {
    /// The row of the group whose text in a column is `key`, within a page of that column.
    pub(super) fn find(&self, leaf: usize, place: Place, key: &str) -> ParquetResult<Option<usize>> {
        let (first, rows) = (place.first as usize, place.rows as usize);
        let mut reader = self.column::<ByteArrayType>(leaf, first)?;
        let (mut levels, mut keys) = (Vec::with_capacity(KEYS_AT_ONCE), Vec::with_capacity(KEYS_AT_ONCE));
        let mut seen = 0;
        while seen < rows {
            levels.clear();
            keys.clear();
            let at_once = KEYS_AT_ONCE.min(rows - seen);
            let (read, _, _) = reader.read_records(at_once, Some(&mut levels), None, &mut keys)?;
            if read == 0 {
                break;
            }
            if let Some(position) = keys.iter().position(|found: &ByteArray| found.data() == key.as_bytes()) {
                return Ok(Some(first + seen + row_of_value(&levels, position)));
            }
            seen += read;
        }
        Ok(None)
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
        let metadata = &self.file.metadata;
        let group = metadata.row_group(self.group);
        let chunk = group.column(leaf);
        let (pages, end) = self.pages(leaf, row, usize::try_from(group.num_rows()).unwrap_or_default())?;
        let pages = self.reader(chunk, end, pages)?;
        let mut reader = ColumnReaderImpl::new(chunk.column_descr_ptr(), Box::new(pages));
        match reader.skip_records(row)? {
            skipped if skipped == row => Ok(reader),
            _ => Err(ParquetError::EOF(format!("row {row} of group {}", self.group))),
        }
    }

    fn reader(
        &self,
        chunk: &ColumnChunkMetaData,
        end: usize,
        pages: Vec<PageLocation>,
    ) -> ParquetResult<SerializedPageReader<MappedFile>> {
        SerializedPageReader::new_with_properties(Arc::clone(self.file), chunk, end, Some(pages), Arc::clone(&READING))
    }

    /// The first page of a column's chunk and the one that holds a row, and the row after the latter's last.
    fn pages(&self, leaf: usize, row: usize, rows: usize) -> ParquetResult<(Vec<PageLocation>, usize)> {
        let unindexed = || ParquetError::General("a column without an offset index".to_owned());
        let index = self.file.metadata.offset_index().ok_or_else(unindexed)?;
        let all = index.get(self.group).and_then(|group| group.get(leaf)).ok_or_else(unindexed)?.page_locations();
        let after = all.partition_point(|page| usize::try_from(page.first_row_index).is_ok_and(|first| first <= row));
        let wanted = all[..after].last().ok_or_else(unindexed)?;
        let end = all.get(after).map_or(Some(rows), |next| usize::try_from(next.first_row_index).ok());
        let mut pages = Vec::with_capacity(2);
        if after > 1 {
            pages.push(all[0].clone());
        }
        pages.push(wanted.clone());
        Ok((pages, end.ok_or_else(unindexed)?))
    }
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
    fn rows_without_a_value_are_counted_as_rows() {
        assert_eq!(row_of_value(&[1, 0, 0, 1, 1], 0), 0);
        assert_eq!(row_of_value(&[1, 0, 0, 1, 1], 1), 3);
        assert_eq!(row_of_value(&[0, 1], 0), 1);
        assert_eq!(row_of_value(&[], 7), 7);
    }
}
