//! The node under test and its registers.

pub(crate) mod database;
pub(crate) mod dice;
pub(crate) mod node;
pub(crate) mod process;
pub(crate) mod proxy;
pub(crate) mod refusal;
pub(crate) mod registers;
pub(crate) mod s3;
pub(crate) mod snapshots;

use std::path::PathBuf;

use chrono::{DateTime, NaiveDate, Utc};
use shuqiao::catalog::{self, Catalog};

/// The repository's root, where `catalogs` and `policies` are.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn guangdong() -> Catalog {
    catalog::load(&root().join("catalogs/guangdong")).unwrap_or_else(|error| panic!("{error}"))
}

pub(crate) fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// A moment at which everything in the catalogue that is meant to be in force is.
pub(crate) fn now() -> DateTime<Utc> {
    "2026-11-24T02:00:00Z".parse().unwrap()
}
