//! Data return (数据回流): the slice of a register that concerns the residents of one node, cut, signed and checked.
//!
//! Floor 3: may use `audit` (digests), `engine`, `policy` (obligations), `verification` (masks), `catalog`, `storage`, `keys`,
//! `identifiers`, `problem`. Knows neither who may have a slice, which `exchange` decides, nor how it travels, nor how it
//! becomes a version, which `publish` does.
//!
//! ```text
//! catalogue's return + obligations ─> Terms ─> Cursor (version, terms)
//! engine's batches ─ Cut: rows of the area, fields that may leave, masked ─> Slice: a Parquet file without a name, its SHA-256
//!                                                                              └> Manifest (JWS): what, for whom, after what
//! the node that gets it: Manifest verified ─> bytes checked ─> a version that remembers its cursor
//! ```
//!
//! Promises: a row of another division is in no slice, nor one that does not say where it belongs; what is dropped is not in
//! the file at all; memory does not grow with the register.

mod cursor;
mod cut;
mod manifest;
mod slice;
mod terms;

#[cfg(test)]
mod tests;

pub use cursor::Cursor;
pub use cut::Cut;
pub use manifest::{Expected, MANIFEST_BYTES_MAX, MANIFEST_HEADER, Manifest};
pub use slice::{Slice, check, spool};
pub use terms::Terms;

use std::{io, path::PathBuf};

use crate::{
    engine::EngineError,
    identifiers::{DatasetId, FieldName, NodeId},
    problem::Code,
};

/// Why nothing was cut, or what came is not taken.
#[derive(Debug, thiserror::Error)]
pub enum ReturnError {
    #[error("the key `{key}` of `{dataset}` may not leave, and without it no record is found")]
    KeyWithheld { dataset: DatasetId, key: FieldName },
    #[error("`{dataset}` does not tell to which division a record belongs")]
    NoDivision { dataset: DatasetId },
    #[error("the version of `{dataset}` that is served is not laid out as its return needs it: {reason}")]
    Layout { dataset: DatasetId, reason: String },
    #[error("the records could not be read")]
    Read(#[from] EngineError),
    #[error("the slice could not be written")]
    Write(#[source] parquet::errors::ParquetError),
    #[error("`{path}` could not be {action}")]
    File {
        path: PathBuf,
        action: &'static str,
        #[source]
        source: io::Error,
    },
    #[error("a worker of the return stopped")]
    Worker(#[from] tokio::task::JoinError),
    #[error("the manifest does not hold: {reason}")]
    Manifest { reason: String },
    #[error("version {offered} of `{node}` is not newer than {here}, which is here already")]
    NotNewer { node: NodeId, offered: Cursor, here: Cursor },
    #[error("what came is not what was signed: {reason}")]
    Bytes { reason: String },
}

impl ReturnError {
    pub fn code(&self) -> Code {
        match self {
            Self::KeyWithheld { .. } => Code::Denied,
            Self::NoDivision { .. } => Code::CatalogInvalid,
            Self::Layout { .. } | Self::Read(_) | Self::Write(_) | Self::File { .. } => Code::StorageFailed,
            Self::Worker(_) => Code::Internal,
            Self::Manifest { .. } | Self::NotNewer { .. } | Self::Bytes { .. } => Code::ReturnInvalid,
        }
    }

    fn file(path: impl Into<PathBuf>, action: &'static str) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, action, source }
    }
}
