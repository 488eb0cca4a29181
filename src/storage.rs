//! Bytes at rest: memory maps, files that appear whole, and the Delta tables that hold published versions.
//!
//! Floor 1: may use `identifiers` and `problem`. `publish` and `engine` share it. A file that a version names is never
//! changed in place; that is what makes it safe to map, and to keep a copy of it.
//!
//! ```text
//! Tables ─ Table ─┬ Folder ─> delta ─> DataFile ─> DataBytes::Mapped
//!                 └ Store ──> remote (log) ─> DataFile ─> DataBytes::Cached ─> cached ─ copy (sparse file, mapped)
//!                                                                                └ GET ─ object store
//! ```

mod cache;
mod cached;
mod copy;
mod data;
pub mod delta;
mod map;
mod remote;
mod store;
mod table;
mod upload;
mod whole;

pub use data::DataBytes;
pub use remote::RemoteTable;
pub use store::{Store, StoreOptions};
pub use table::{Table, Tables};
pub use upload::upload;
pub use whole::{sync_folder, write_whole};

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::problem::Code;

/// Why stored bytes could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    #[error("`{path}` could not be {action}")]
    File {
        path: PathBuf,
        /// What was tried: `read`, `written`, `mapped`.
        action: &'static str,
        #[source]
        source: std::io::Error,
    },
    #[error("the table at `{path}` could not be {action}")]
    Table {
        path: PathBuf,
        action: &'static str,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("the table at `{path}` is not one that this node can serve: {reason}")]
    Unsupported { path: PathBuf, reason: String },
    #[error("`{store}` cannot be asked without credentials. Set the variable `{missing}`")]
    NoCredentials { store: String, missing: &'static str },
    #[error(
        "the store refuses `{store}` to us. Check `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and what they may do"
    )]
    Refused {
        store: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// One failure of all who waited for the same bytes.
    #[error(transparent)]
    Shared(Arc<StorageError>),
}

impl StorageError {
    pub fn code(&self) -> Code {
        Code::StorageFailed
    }

    pub(crate) fn file(path: &Path, action: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, action, source }
    }
}
