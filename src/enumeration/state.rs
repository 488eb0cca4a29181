//! What the defence remembers, as bytes: kept in the ledger, so that a restart forgets nothing.
//!
//! A place is known by its name (`account/gz-hukou-window/natural-person`); its bytes are a version and then every counter
//! and every way of every window, little-endian. Bytes of another version or length are not read: the place begins anew.

use std::{fmt, str::FromStr, sync::atomic::Ordering::Relaxed};

use super::{
    score::Score,
    series::{Group, Series},
};
use crate::identifiers::{ClientId, DatasetId, DepartmentId, ItemCode};

/// Of the layout below and of the weights: old scores mean nothing under new weights.
const VERSION: u8 = 1;

/// Whose memory it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    Item(ClientId, DatasetId, ItemCode),
    Account(ClientId, DatasetId),
    Department(DepartmentId, DatasetId),
    Dataset(DatasetId),
}

/// A name that is no place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` names nothing that the enumeration defence remembers")]
pub struct NoPlace(String);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Item(client, dataset, item) => write!(f, "item/{client}/{dataset}/{item}"),
            Self::Account(client, dataset) => write!(f, "account/{client}/{dataset}"),
            Self::Department(department, dataset) => write!(f, "department/{department}/{dataset}"),
            Self::Dataset(dataset) => write!(f, "dataset/{dataset}"),
        }
    }
}

impl FromStr for Place {
    type Err = NoPlace;
    fn from_str(text: &str) -> Result<Self, NoPlace> {
        let words: Vec<_> = text.split('/').collect();
        let place = match *words {
            ["item", client, dataset, item] => {
                (|| Some(Self::Item(client.parse().ok()?, dataset.parse().ok()?, item.parse().ok()?)))()
            }
            ["account", client, dataset] => (|| Some(Self::Account(client.parse().ok()?, dataset.parse().ok()?)))(),
            ["department", department, dataset] => {
                (|| Some(Self::Department(department.parse().ok()?, dataset.parse().ok()?)))()
            }
            ["dataset", dataset] => dataset.parse().ok().map(Self::Dataset),
            _ => None,
        };
        place.ok_or_else(|| NoPlace(text.to_owned()))
    }
}

/// Writes words one after the other.
pub(super) struct Writer(Vec<u8>);

/// Reads them in the same order; nothing where they end too early.
pub(super) struct Reader<'a>(&'a [u8]);

impl Writer {
    pub(super) fn new() -> Self {
        Self(vec![VERSION])
    }

    pub(super) fn u32(&mut self, word: u32) {
        self.0.extend_from_slice(&word.to_le_bytes());
    }

    pub(super) fn u64(&mut self, word: u64) {
        self.0.extend_from_slice(&word.to_le_bytes());
    }

    pub(super) fn score(&mut self, score: &Score) {
        self.u32(score.get().cast_unsigned());
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

impl<'a> Reader<'a> {
    /// Nothing where the bytes are of another version.
    pub(super) fn new(bytes: &'a [u8]) -> Option<Self> {
        bytes.split_first().filter(|(version, _)| **version == VERSION).map(|(_, rest)| Self(rest))
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (word, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*word)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    pub(super) fn score(&mut self, score: &Score) -> Option<()> {
        score.set(self.u32()?.cast_signed());
        Some(())
    }

    /// Something where all was read and nothing is left.
    pub(super) fn end(self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

impl Series {
    pub(super) fn write(&self, to: &mut Writer) {
        self.today.counts().iter().for_each(|count| to.u32(count.load(Relaxed)));
        self.scores().iter().for_each(|score| to.score(score));
        self.recent.words().for_each(|word| to.u32(word.load(Relaxed)));
        self.lanes.words().for_each(|word| to.u64(word.load(Relaxed)));
        to.0.extend(self.today.distinct.registers().iter().map(|register| register.load(Relaxed)));
    }

    pub(super) fn read(&self, from: &mut Reader<'_>) -> Option<()> {
        for count in self.today.counts() {
            count.store(from.u32()?, Relaxed);
        }
        for score in self.scores() {
            from.score(score)?;
        }
        for word in self.recent.words() {
            word.store(from.u32()?, Relaxed);
        }
        for word in self.lanes.words() {
            word.store(from.u64()?, Relaxed);
        }
        for register in self.today.distinct.registers() {
            register.store(from.take::<1>()?[0], Relaxed);
        }
        self.today.distinct.estimate_again();
        Some(())
    }
}

impl Group {
    pub(super) fn write(&self, to: &mut Writer) {
        to.u64(self.held.load(Relaxed).cast_unsigned());
        self.recent.words().for_each(|word| to.u64(word.load(Relaxed)));
    }

    pub(super) fn read(&self, from: &mut Reader<'_>) -> Option<()> {
        self.held.store(from.u64()?.cast_signed(), Relaxed);
        for word in self.recent.words() {
            word.store(from.u64()?, Relaxed);
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_was_written() {
        for name in [
            "item/gz-window/natural-person/11440100MB9YYY997R3440101001000",
            "account/gz-window/natural-person",
            "department/gz-housing/legal-entity",
            "dataset/legal-entity",
        ] {
            assert_eq!(name.parse::<Place>().unwrap().to_string(), name);
        }
        for name in ["", "account/gz-window", "dataset/a/b", "account/GZ/natural-person", "street/a/b"] {
            assert!(name.parse::<Place>().is_err(), "{name}");
        }
    }

    #[test]
    fn bytes_of_another_version_or_length_are_not_read() {
        let mut writer = Writer::new();
        Series::new().write(&mut writer);
        let bytes = writer.into_bytes();
        let read = |bytes: &[u8]| {
            let mut reader = Reader::new(bytes)?;
            Series::new().read(&mut reader)?;
            reader.end()
        };
        assert!(read(&bytes).is_some());
        let longer = [&bytes[..], &[0]].concat();
        let newer = [&[VERSION + 1], &bytes[1..]].concat();
        for wrong in [&bytes[..bytes.len() - 1], &longer, &newer, &[]] {
            assert!(read(wrong).is_none(), "{} bytes", wrong.len());
        }
    }
}
