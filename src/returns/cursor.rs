//! How far a node has come with the returns of a dataset.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::identifiers::{IdentifierError, VersionNo};

/// A version of the source and the terms under which it was cut: the same version under other terms is another slice.
///
/// Spelt as the number of the version, a hyphen and sixteen hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cursor {
    pub version: VersionNo,
    /// The head of a SHA-256 over everything that the cut depends on.
    pub terms: [u8; 8],
}

impl Cursor {
    /// May a node that has the other one go on with this one? Never back, and never to where it is.
    pub fn follows(self, here: Self) -> bool {
        self.version > here.version || (self.version == here.version && self.terms != here.terms)
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.version, hex::encode(self.terms))
    }
}

impl FromStr for Cursor {
    type Err = IdentifierError;
    fn from_str(text: &str) -> Result<Self, IdentifierError> {
        let parse = || {
            let (version, digits) = text.split_once('-')?;
            let mut terms = [0; 8];
            hex::decode_to_slice(digits, &mut terms).ok()?;
            let cursor = Self { version: VersionNo(version.parse().ok()?), terms };
            (cursor.to_string() == text).then_some(cursor)
        };
        let wrong =
            || IdentifierError::new("cursor", "a cursor is a version, a hyphen and 16 lower-case hexadecimal digits");
        parse().ok_or_else(wrong)
    }
}

impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(|error: IdentifierError| D::Error::custom(error.reason))
    }
}
