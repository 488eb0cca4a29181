//! A version from the folder in which it was made to the object store from which nodes read it.
//!
//! Files first, then one commit that the store takes only if nobody else took its number (a conditional PUT). Whatever ends
//! an upload before the commit leaves the version before it; its files at the store are sent again, or rather not, because
//! they are there already: their names are never used twice.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
};

use chrono::{DateTime, SecondsFormat, Utc};
use deltalake_core::{
    DeltaTable, DeltaTableError,
    kernel::{
        Action, Add,
        transaction::{CommitBuilder, CommitProperties},
    },
    operations::create::CreateBuilder,
    protocol::{DeltaOperation, SaveMode},
};
use object_store::{ObjectStoreExt, WriteMultipart};
use serde_json::Value;
use tokio::io::AsyncReadExt;

use super::{
    RemoteTable, StorageError,
    delta::{self, AS_OF, ENGINE, failed},
};
use crate::identifiers::VersionNo;

/// One part of a file on its way; parts under way are memory.
const PART_BYTES: usize = 8 << 20;
const PARTS_AT_ONCE: usize = 4;

/// Make the newest version of the table in `folder` the newest one at the store. Files that are there are not sent again.
pub async fn upload(folder: &Path, table: &RemoteTable, now: DateTime<Utc>) -> Result<VersionNo, StorageError> {
    let unpublished = || StorageError::Unsupported { path: folder.to_owned(), reason: "it has no version".to_owned() };
    let local = delta::open(folder).await?.ok_or_else(unpublished)?;
    let remote = load(table).await?;
    let there = remote.as_ref().map(|remote| paths_of(remote, table.shown().as_ref())).transpose()?.unwrap_or_default();
    let snapshot = local.snapshot().map_err(failed(folder, "read"))?;
    #[expect(deprecated, reason = "the log itself is copied; rows of it as Arrow would have to become actions again")]
    let adds: Vec<Add> = snapshot.log_data().iter().map(|view| view.add_action()).collect();
    for add in adds.iter().filter(|add| !there.contains(&add.path)) {
        send(&folder.join(&add.path), table, &add.path).await?;
    }
    let stamp = delta::as_of(&local, folder).await?.to_rfc3339_opts(SecondsFormat::Millis, true);
    let metadata =
        HashMap::from([(AS_OF.to_owned(), Value::from(stamp)), ("engineInfo".to_owned(), Value::from(ENGINE))]);
    let properties = CommitProperties::default().with_metadata(metadata);
    match remote {
        None => create(&local, folder, table, adds, properties).await,
        Some(remote) => replace(&remote, table, adds, properties, now).await,
    }
}

async fn create(
    local: &DeltaTable,
    folder: &Path,
    table: &RemoteTable,
    adds: Vec<Add>,
    properties: CommitProperties,
) -> Result<VersionNo, StorageError> {
    let snapshot = local.snapshot().map_err(failed(folder, "read"))?;
    let created = CreateBuilder::new()
        .with_log_store(table.log(&table.store().writing)?)
        .with_columns(snapshot.schema().fields().cloned())
        .with_actions(adds.into_iter().map(Action::Add))
        .with_commit_properties(properties)
        .await
        .map_err(failed(table.shown().as_ref(), "created"))?;
    Ok(VersionNo(created.version().unwrap_or_default()))
}

async fn replace(
    remote: &DeltaTable,
    table: &RemoteTable,
    adds: Vec<Add>,
    properties: CommitProperties,
    now: DateTime<Utc>,
) -> Result<VersionNo, StorageError> {
    let snapshot = remote.snapshot().map_err(failed(table.shown().as_ref(), "read"))?;
    let kept: HashSet<_> = adds.iter().map(|add| add.path.clone()).collect();
    let there = paths_of(remote, table.shown().as_ref())?;
    let mut actions: Vec<_> = adds.into_iter().filter(|add| !there.contains(&add.path)).map(Action::Add).collect();
    for view in snapshot.log_data().iter().filter(|view| !kept.contains(view.path().as_ref())) {
        let mut remove = view.remove_action(true);
        remove.deletion_timestamp = Some(now.timestamp_millis());
        actions.push(Action::Remove(remove));
    }
    let operation = DeltaOperation::Write { mode: SaveMode::Overwrite, partition_by: None, predicate: None };
    let done = CommitBuilder::from(properties)
        .with_actions(actions)
        .build(Some(snapshot), remote.log_store(), operation)
        .await
        .map_err(failed(table.shown().as_ref(), "committed to"))?;
    Ok(VersionNo(done.version()))
}

async fn load(table: &RemoteTable) -> Result<Option<DeltaTable>, StorageError> {
    if table.newest(None).await?.is_none() {
        return Ok(None);
    }
    let mut remote = DeltaTable::new(table.log(&table.store().writing)?);
    match remote.load().await {
        Ok(()) => Ok(Some(remote)),
        Err(DeltaTableError::NotATable(_)) => Ok(None),
        Err(error) => Err(failed(table.shown().as_ref(), "read")(error)),
    }
}

fn paths_of(table: &DeltaTable, shown: &Path) -> Result<HashSet<String>, StorageError> {
    let snapshot = table.snapshot().map_err(failed(shown, "read"))?;
    Ok(snapshot.log_data().iter().map(|view| view.path().into_owned()).collect())
}

/// Send one file in parts. It appears at the store whole, with the last of them, or not at all.
async fn send(file: &Path, table: &RemoteTable, name: &str) -> Result<(), StorageError> {
    let unreadable = || StorageError::file(file, "read");
    let refused = |error| StorageError::of_store(&format!("{}/{name}", table.shown()), "written", error);
    let mut input = tokio::fs::File::open(file).await.map_err(unreadable())?;
    let length = input.metadata().await.map_err(unreadable())?.len();
    let (store, location) = (&table.store().writing, table.location(name));
    if store.head(&location).await.is_ok_and(|there| there.size == length) {
        return Ok(()); // Sent by an upload that did not reach its commit.
    }
    let upload = store.put_multipart(&location).await.map_err(refused)?;
    let mut upload = WriteMultipart::new_with_chunk_size(upload, PART_BYTES);
    let mut part = Vec::with_capacity(PART_BYTES);
    loop {
        part.clear();
        let read = (&mut input).take(PART_BYTES as u64).read_to_end(&mut part).await.map_err(unreadable())?;
        if read == 0 {
            break;
        }
        upload.wait_for_capacity(PARTS_AT_ONCE).await.map_err(refused)?;
        upload.write(&part);
    }
    upload.finish().await.map(drop).map_err(refused)
}
