//! A Delta table in an object store: what is new in its log, and its files through the cache.
//!
//! Looking for a new version is one request that lists the log behind the version known. A store that is away is asked
//! again after a pause; what is served goes on being served. The newest version that was read is remembered beside the
//! cache, so that a node that restarts while the store is away answers from what it has.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use deltalake_core::{
    DeltaTable,
    logstore::{LogStoreRef, StorageConfig, default_logstore},
};
use futures::TryStreamExt;
use object_store::{ObjectStore, path::Path as ObjectPath, prefix::PrefixStore};
use serde::{Deserialize, Serialize};
use url::Url;

use super::{
    StorageError, Store,
    delta::{self, DataFile, TableVersion},
    write_whole,
};
use crate::identifiers::VersionNo;

/// After a store has not answered, it is left alone for so long.
const PAUSE: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub struct RemoteTable {
    store: Arc<Store>,
    dataset: String,
    /// `s3://bucket/prefix/dataset`
    shown: String,
    asked_in_vain: Mutex<Option<Instant>>,
}

/// The newest version that was read, as it is remembered.
#[derive(Debug, Serialize, Deserialize)]
struct Remembered {
    version: u64,
    as_of: DateTime<Utc>,
    files: Vec<(String, u64)>,
}

impl RemoteTable {
    pub(super) fn new(store: Arc<Store>, dataset: &str) -> Self {
        let shown = format!("{}{dataset}", store.url);
        Self { store, dataset: dataset.to_owned(), shown, asked_in_vain: Mutex::default() }
    }

    pub(super) fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// `s3://bucket/prefix/dataset`
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// A file of the table in the bucket.
    pub(super) fn location(&self, name: &str) -> ObjectPath {
        name.split('/').fold(self.root(), |path, part| path.join(part))
    }

    fn root(&self) -> ObjectPath {
        self.store.prefix.clone().join(self.dataset.as_str())
    }

    /// The table's log, through the connection with the patience wanted. Nothing is read yet.
    pub(super) fn log(&self, through: &Arc<dyn ObjectStore>) -> Result<LogStoreRef, StorageError> {
        let url = Url::parse(&format!("{}/", self.shown));
        let url = url.map_err(|error| self.unsupported(error.to_string()))?;
        let prefixed = Arc::new(PrefixStore::new(Arc::clone(through), self.root()));
        Ok(default_logstore(prefixed, Arc::clone(through), &url, &StorageConfig::default()))
    }

    /// The newest version, if it is another than the one known.
    pub(super) async fn newer(&self, known: Option<VersionNo>) -> Result<Option<TableVersion>, StorageError> {
        if self.is_pausing() {
            return Ok(None);
        }
        match self.ask(known).await {
            Ok(version) => Ok(version),
            Err(error) => {
                *self.asked_in_vain.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
                // At a start, what was known before serves until the store is back.
                match self.remembered().filter(|_| known.is_none()) {
                    Some(version) => {
                        let error = &error as &dyn std::error::Error;
                        tracing::warn!(error, "the store cannot be asked; the version read last is served");
                        Ok(Some(version))
                    }
                    None => Err(error),
                }
            }
        }
    }

    fn is_pausing(&self) -> bool {
        let asked = *self.asked_in_vain.lock().unwrap_or_else(PoisonError::into_inner);
        asked.is_some_and(|asked| asked.elapsed() < PAUSE)
    }

    async fn ask(&self, known: Option<VersionNo>) -> Result<Option<TableVersion>, StorageError> {
        let newest = self.newest(known).await?;
        if newest.is_none_or(|newest| Some(newest) == known) {
            return Ok(None);
        }
        let mut table = DeltaTable::new(self.log(&self.store.reading)?);
        table.load().await.map_err(delta::failed(&PathBuf::from(&self.shown), "read"))?;
        let version =
            delta::version_of(&table, &PathBuf::from(&self.shown), |name, bytes| self.file(name, bytes)).await?;
        self.remember(&version)?;
        Ok(Some(version))
    }

    /// A version by its number; `None` where the log does not have it (any more).
    pub(super) async fn at(&self, number: VersionNo) -> Result<Option<TableVersion>, StorageError> {
        let table = DeltaTable::new(self.log(&self.store.reading)?);
        delta::version_at(table, number, &PathBuf::from(&self.shown), |name, bytes| self.file(name, bytes)).await
    }

    /// The number of the newest version behind the one known, else the known one; `None` where nothing was published.
    pub(super) async fn newest(&self, known: Option<VersionNo>) -> Result<Option<VersionNo>, StorageError> {
        let log = self.root().join("_delta_log");
        let listing = match known {
            None => self.store.reading.list(Some(&log)),
            Some(VersionNo(number)) => {
                self.store.reading.list_with_offset(Some(&log), &log.clone().join(format!("{number:020}.json")))
            }
        };
        let found: Vec<_> = listing
            .map_err(|error| StorageError::of_store(&self.shown, "listed", error))
            .try_filter_map(|object| async move { Ok(object.location.filename().and_then(version_in)) })
            .try_collect()
            .await?;
        Ok(found.into_iter().map(VersionNo).chain(known).max())
    }

    fn file(&self, name: &str, bytes: u64) -> Result<DataFile, StorageError> {
        let shown = format!("{}/{name}", self.shown);
        let Store { endpoint, reading, cache, .. } = &*self.store;
        let cached = cache.file(endpoint, &shown, self.location(name), reading, bytes)?;
        Ok(DataFile { path: shown.into(), bytes, cached: Some(cached) })
    }

    fn memory(&self) -> PathBuf {
        self.store.cache.folder().join(format!("{}.version.json", self.dataset))
    }

    fn remember(&self, version: &TableVersion) -> Result<(), StorageError> {
        let name = |file: &DataFile| {
            let path = file.path.to_string_lossy();
            path.strip_prefix(&self.shown).unwrap_or(&path).trim_start_matches('/').to_owned()
        };
        let remembered = Remembered {
            version: version.version.0,
            as_of: version.as_of,
            files: version.files.iter().map(|file| (name(file), file.bytes)).collect(),
        };
        let text = serde_json::to_vec(&(&self.store.endpoint, &self.shown, remembered));
        write_whole(&self.memory(), &text.map_err(|error| self.unsupported(error.to_string()))?)
    }

    /// None where nothing is remembered, or of another store.
    fn remembered(&self) -> Option<TableVersion> {
        let text = std::fs::read(self.memory()).ok()?;
        let (endpoint, shown, remembered): (String, String, Remembered) = serde_json::from_slice(&text).ok()?;
        if endpoint != self.store.endpoint || shown != self.shown {
            return None;
        }
        let files = remembered.files.iter().map(|(name, bytes)| self.file(name, *bytes)).collect::<Result<_, _>>();
        Some(TableVersion { version: VersionNo(remembered.version), as_of: remembered.as_of, files: files.ok()? })
    }

    fn unsupported(&self, reason: String) -> StorageError {
        StorageError::Unsupported { path: self.shown.clone().into(), reason }
    }
}

/// The version of a commit, or of the checkpoint that stands for commits that were cleaned away.
fn version_in(name: &str) -> Option<u64> {
    let (digits, ending) = name.split_once('.')?;
    let commit = ending == "json" || ending.starts_with("checkpoint.");
    (digits.len() == 20 && commit).then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_from_commits_and_checkpoints_only() {
        for (name, version) in [
            ("00000000000000000007.json", Some(7)),
            ("00000000000000000010.checkpoint.parquet", Some(10)),
            ("00000000000000000010.checkpoint.0000000001.0000000002.parquet", Some(10)),
            ("_last_checkpoint", None),
            ("00000000000000000007.json.tmp", None),
            ("00000000000000000003.00000000000000000006.compacted.json", None),
            ("7.json", None),
        ] {
            assert_eq!(version_in(name), version, "{name}");
        }
    }
}
