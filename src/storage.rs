//! Bytes at rest: memory maps, files that appear whole, and the Delta tables that hold published versions.
//!
//! Floor 1: may use `identifiers` and `problem`. `publish` and `engine` share it. A file that a version names is never
//! changed in place; that is what makes it safe to map.

pub mod delta;
mod map;
mod whole;

pub use map::map_file;
pub use whole::{sync_folder, write_whole};

use std::path::{Path, PathBuf};

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
