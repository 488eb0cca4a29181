//! Where a node's tables are, and one table of them: in a folder of this machine, or in an object store.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    StorageError, Store,
    delta::{self, TableVersion},
    remote::RemoteTable,
};
use crate::identifiers::VersionNo;

/// Where all tables of a node are, one folder a dataset.
#[derive(Clone, Debug)]
pub enum Tables {
    Folder(PathBuf),
    Store(Arc<Store>),
}

impl From<&Path> for Tables {
    fn from(folder: &Path) -> Self {
        Self::Folder(folder.to_owned())
    }
}

impl From<&PathBuf> for Tables {
    fn from(folder: &PathBuf) -> Self {
        Self::Folder(folder.clone())
    }
}

impl Tables {
    /// The table of one dataset, whether it exists yet or not.
    pub fn table(&self, dataset: &str) -> Table {
        match self {
            Self::Folder(folder) => Table::Folder(folder.join(dataset)),
            Self::Store(store) => Table::Store(RemoteTable::new(Arc::clone(store), dataset)),
        }
    }
}

/// The table of one dataset.
#[derive(Debug)]
pub enum Table {
    Folder(PathBuf),
    Store(RemoteTable),
}

impl Table {
    /// The newest version, if it is another than the one known. Cheap where it is not.
    pub async fn newer(&self, known: Option<VersionNo>) -> Result<Option<TableVersion>, StorageError> {
        match self {
            Self::Folder(folder) => match delta::newest(folder).await? {
                Some(newest) if Some(newest) != known => delta::read(folder).await,
                _ => Ok(None),
            },
            Self::Store(table) => table.newer(known).await,
        }
    }

    /// A version by its number; `None` where the table's log does not have it (any more).
    pub async fn at(&self, number: VersionNo) -> Result<Option<TableVersion>, StorageError> {
        match self {
            Self::Folder(folder) => delta::read_version(folder, number).await,
            Self::Store(table) => table.at(number).await,
        }
    }
}
