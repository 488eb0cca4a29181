//! The Parquet page index as the key index: which page may hold a key.
//!
//! A few bytes per page of some hundred rows, never a map of rows. Kept only where it is true: pages must not overlap,
//! which `publish` sees to; a table that somebody else wrote unsorted has no key pages and is searched by statistics.

use std::sync::Arc;

use parquet::file::page_index::column_index::ColumnIndexMetaData;

use super::mapped::MappedFile;

/// Where a page lies: rows `first..first + rows` of a row group of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) file: u32,
    pub(super) group: u32,
    pub(super) first: u32,
    pub(super) rows: u32,
}

/// Lower bounds of all pages, in key order, with the places they bound.
#[derive(Debug, Default)]
pub(super) struct KeyPages {
    /// All lower bounds, one after the other: one allocation, read in order by the binary search.
    bounds: Vec<u8>,
    /// End of each lower bound in `bounds`.
    ends: Vec<u32>,
    places: Vec<Place>,
}

/// A page's bounds as the column index states them. They may be cut short: lower bounds low, upper bounds high.
struct Page {
    low: Vec<u8>,
    high: Vec<u8>,
    place: Place,
}

impl KeyPages {
    /// The key pages of a version's files, or `None` where pages overlap or the index does not say.
    pub(super) fn build(files: &[Arc<MappedFile>], key: &str) -> Option<Self> {
        let mut pages = Vec::new();
        for (number, file) in files.iter().enumerate() {
            pages.extend(pages_of(file, u32::try_from(number).ok()?, key)?);
        }
        pages.sort_by(|a, b| a.low.cmp(&b.low));
        let apart = pages.windows(2).all(|pair| pair[0].high < pair[1].low);
        let mut index = Self::default();
        for page in pages {
            index.bounds.extend_from_slice(&page.low);
            index.ends.push(u32::try_from(index.bounds.len()).ok()?);
            index.places.push(page.place);
        }
        apart.then_some(index)
    }

    /// The only page that can hold `key`, if any can.
    pub(super) fn find(&self, key: &[u8]) -> Option<Place> {
        // First page whose lower bound lies above the key; the one before it is the candidate.
        let (mut low, mut high) = (0, self.places.len());
        while low < high {
            let middle = low.midpoint(high);
            if self.bound(middle) <= key {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low.checked_sub(1).map(|page| self.places[page])
    }

    fn bound(&self, page: usize) -> &[u8] {
        let start = page.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        &self.bounds[start..self.ends[page] as usize]
    }
}

fn pages_of(file: &MappedFile, number: u32, key: &str) -> Option<Vec<Page>> {
    let metadata = &file.metadata;
    let column = metadata.file_metadata().schema_descr().columns().iter().position(|column| column.name() == key)?;
    let (columns, offsets) = (metadata.column_index()?, metadata.offset_index()?);
    let mut pages = Vec::new();
    for (group, row_group) in metadata.row_groups().iter().enumerate() {
        let ColumnIndexMetaData::BYTE_ARRAY(index) = columns.get(group)?.get(column)? else { return None };
        let locations = offsets.get(group)?.get(column)?.page_locations();
        let rows = u32::try_from(row_group.num_rows()).ok()?;
        for (page, location) in locations.iter().enumerate() {
            let first = u32::try_from(location.first_row_index).ok()?;
            let next = locations.get(page + 1).map_or(Some(rows), |next| u32::try_from(next.first_row_index).ok())?;
            let place =
                Place { file: number, group: u32::try_from(group).ok()?, first, rows: next.checked_sub(first)? };
            pages.push(Page { low: index.min_value(page)?.to_vec(), high: index.max_value(page)?.to_vec(), place });
        }
    }
    Some(pages)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(bounds: &[&str]) -> KeyPages {
        let mut index = KeyPages::default();
        for (number, bound) in bounds.iter().enumerate() {
            index.bounds.extend_from_slice(bound.as_bytes());
            index.ends.push(index.bounds.len() as u32);
            index.places.push(Place { file: 0, group: 0, first: number as u32, rows: 1 });
        }
        index
    }

    #[test]
    fn the_candidate_is_the_last_page_that_begins_at_or_before_the_key() {
        let index = index(&["b", "d", "f"]);
        let find = |key: &str| index.find(key.as_bytes()).map(|place| place.first);
        for (key, expected) in [
            ("a", None),
            ("b", Some(0)),
            ("c", Some(0)),
            ("d", Some(1)),
            ("dz", Some(1)),
            ("f", Some(2)),
            ("z", Some(2)),
        ] {
            assert_eq!(find(key), expected, "{key}");
        }
        assert_eq!(KeyPages::default().find(b"a"), None);
    }
}
