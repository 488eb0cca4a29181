//! Delta tables: which files make up which version.
//!
//! Only the log is Delta's here: `publish` writes the data files, [`commit`] makes them a version in one atomic step,
//! and [`read`] tells `engine` what the newest version consists of. Any Delta reader (Spark, DuckDB, pandas) can read
//! the same folder.

use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use chrono::{DateTime, SecondsFormat, Utc};
use deltalake_core::{
    DeltaTable, DeltaTableError,
    kernel::{
        Action, Add, DataType, StructField,
        transaction::{CommitBuilder, CommitProperties},
    },
    operations::create::CreateBuilder,
    protocol::{DeltaOperation, SaveMode},
    table::builder::DeltaTableBuilder,
};
use futures::TryStreamExt;
use serde_json::Value;
use url::Url;

use super::{DataBytes, StorageError, cached::CachedFile, sync_folder};
use crate::identifiers::VersionNo;

/// Key of the commit's metadata under which the data's own cut-off time stands.
pub(super) const AS_OF: &str = "shuqiao.as_of";
/// The same for where a version that another node has returned comes from.
const RETURNED: &str = "shuqiao.returned";
/// Name of the publishing engine in each commit.
pub(super) const ENGINE: &str = concat!("shuqiao/", env!("CARGO_PKG_VERSION"));

/// One published version.
#[derive(Clone, Debug)]
pub struct TableVersion {
    pub version: VersionNo,
    /// When the data was true: stated by the publisher, else the time of the commit.
    pub as_of: DateTime<Utc>,
    pub files: Vec<DataFile>,
}

/// One data file of a version.
#[derive(Clone, Debug)]
pub struct DataFile {
    pub path: PathBuf,
    pub bytes: u64,
    /// Of a file in an object store, what is here of it.
    pub(super) cached: Option<Arc<CachedFile>>,
}

impl DataFile {
    pub fn open(&self) -> Result<DataBytes, StorageError> {
        match &self.cached {
            Some(file) => Ok(DataBytes::Cached(Arc::clone(file))),
            None => DataBytes::map(&self.path),
        }
    }
}

/// A data file that is written and durable, and about to become part of a version.
#[derive(Clone, Debug)]
pub struct NewFile {
    /// File name inside the table's folder.
    pub name: String,
    pub bytes: u64,
    pub rows: u64,
    pub key: String,
    pub key_min: String,
    pub key_max: String,
}

/// Which files of the version before are not in the next one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Superseded {
    All,
    /// These alone, of that version: if another one has come since, nothing is committed.
    Files {
        of: VersionNo,
        paths: Vec<PathBuf>,
    },
}

/// A column as Delta sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnType {
    Text,
    Date,
    Integer,
    Boolean,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    pub kind: ColumnType,
    pub required: bool,
}

/// The number of the newest version, or `None` where nothing was ever published. Lists the log, reads no file.
pub async fn newest(folder: &Path) -> Result<Option<VersionNo>, StorageError> {
    if !is_table(folder) {
        return Ok(None);
    }
    let table = unloaded(folder)?;
    match table.get_latest_version().await {
        Ok(version) => Ok(Some(VersionNo(version))),
        Err(DeltaTableError::NotATable(_)) => Ok(None),
        Err(error) => Err(failed(folder, "read")(error)),
    }
}

/// The newest version, or `None` where nothing was ever published.
pub async fn read(folder: &Path) -> Result<Option<TableVersion>, StorageError> {
    let Some(table) = open(folder).await? else { return Ok(None) };
    let file = |name: &str, bytes| Ok(DataFile { path: folder.join(name), bytes, cached: None });
    version_of(&table, folder, file).await.map(Some)
}

/// A version by its number, or `None` where the log does not have it (any more). Its files may be gone all the same.
pub async fn read_version(folder: &Path, number: VersionNo) -> Result<Option<TableVersion>, StorageError> {
    if !is_table(folder) {
        return Ok(None);
    }
    let file = |name: &str, bytes| Ok(DataFile { path: folder.join(name), bytes, cached: None });
    version_at(unloaded(folder)?, number, folder, file).await
}

/// The same of a table wherever it is; nothing of it is loaded yet.
pub(super) async fn version_at(
    mut table: DeltaTable,
    number: VersionNo,
    shown: &Path,
    file: impl Fn(&str, u64) -> Result<DataFile, StorageError>,
) -> Result<Option<TableVersion>, StorageError> {
    match table.load_version(number.0).await {
        Ok(()) if table.version() == Some(number.0) => version_of(&table, shown, file).await.map(Some),
        Ok(()) => Ok(None),
        // The library has no error of its own for a log that does not go back so far: then there is no such commit.
        Err(error) => match table.log_store().read_commit_entry(number.0).await {
            Ok(None) => Ok(None),
            Ok(Some(_)) | Err(_) => Err(failed(shown, "read")(error)),
        },
    }
}

/// What a table that was loaded consists of; `shown` is where it is.
pub(super) async fn version_of(
    table: &DeltaTable,
    shown: &Path,
    file: impl Fn(&str, u64) -> Result<DataFile, StorageError>,
) -> Result<TableVersion, StorageError> {
    let snapshot = table.snapshot().map_err(failed(shown, "read"))?;
    let mut files = Vec::new();
    for view in snapshot.log_data().iter() {
        if view.deletion_vector_descriptor().is_some() {
            let reason = "it has deletion vectors. Rewrite it without them".to_owned();
            return Err(StorageError::Unsupported { path: shown.to_owned(), reason });
        }
        let bytes = u64::try_from(view.size()).unwrap_or_default();
        files.push(file(view.path().as_ref(), bytes)?);
    }
    let version = VersionNo(snapshot.version());
    Ok(TableVersion { version, as_of: as_of(table, shown).await?, files })
}

/// What the log tells of files that are not in the newest version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Past {
    /// Files of the newest version.
    pub newest: HashSet<PathBuf>,
    /// Files of the versions before it that were asked for.
    pub before: HashSet<PathBuf>,
    /// When a file was superseded, as far as the log goes back.
    pub superseded: HashMap<PathBuf, DateTime<Utc>>,
}

/// The files of the newest version, of `before` versions before it, and of those that were superseded.
pub async fn past(folder: &Path, before: u64) -> Result<Past, StorageError> {
    let Some(mut table) = open(folder).await? else { return Ok(Past::default()) };
    let files = |table: &DeltaTable| {
        let snapshot = table.snapshot().map_err(failed(folder, "read"))?;
        Ok::<_, StorageError>(snapshot.log_data().iter().map(|view| folder.join(view.path().as_ref())).collect())
    };
    let snapshot = table.snapshot().map_err(failed(folder, "read"))?;
    let newest_number = snapshot.version();
    let mut past = Past { newest: files(&table)?, ..Past::default() };
    let log = table.log_store();
    let mut removed = snapshot.all_tombstones(&*log);
    while let Some(file) = removed.try_next().await.map_err(failed(folder, "read"))? {
        let when = file.deletion_timestamp().and_then(DateTime::from_timestamp_millis).unwrap_or(DateTime::UNIX_EPOCH);
        past.superseded.insert(folder.join(file.path().as_ref()), when);
    }
    drop(removed);
    for version in (newest_number.saturating_sub(before)..newest_number).rev() {
        match table.load_version(version).await {
            Ok(()) => past.before.extend(files(&table)?),
            Err(_) => break, // The log no longer goes back so far.
        }
    }
    Ok(past)
}

/// What a commit says of its version, beside the files.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// When the data was true.
    pub as_of: DateTime<Utc>,
    /// Where it comes from, where another node has returned it: part of the very commit, so that the two are never apart.
    pub returned: Option<&'a str>,
}

/// Make `files` part of the next version, in one atomic commit, with what is not superseded of the version before.
pub async fn commit(
    folder: &Path,
    columns: &[Column],
    files: &[NewFile],
    superseded: &Superseded,
    about: About<'_>,
    now: DateTime<Utc>,
) -> Result<VersionNo, StorageError> {
    let adds = files.iter().map(|file| Action::Add(add(file, now)));
    let stamp = about.as_of.to_rfc3339_opts(SecondsFormat::Millis, true);
    let mut metadata =
        HashMap::from([(AS_OF.to_owned(), Value::from(stamp)), ("engineInfo".to_owned(), Value::from(ENGINE))]);
    metadata.extend(about.returned.map(|returned| (RETURNED.to_owned(), Value::from(returned))));
    let version = match open(folder).await? {
        None => create(folder, columns, adds.collect(), metadata).await?,
        Some(table) => replace(folder, &table, adds.collect(), superseded, metadata, now).await?,
    };
    // The log store renames the commit into place but does not sync it.
    let log = folder.join("_delta_log");
    let commit = log.join(format!("{:020}.json", version.0));
    std::fs::File::open(&commit)
        .and_then(|file| file.sync_all())
        .map_err(StorageError::file(&commit, "made durable"))?;
    sync_folder(&log)?;
    Ok(version)
}

async fn create(
    folder: &Path,
    columns: &[Column],
    adds: Vec<Action>,
    metadata: HashMap<String, Value>,
) -> Result<VersionNo, StorageError> {
    let table = CreateBuilder::new()
        .with_log_store(unloaded(folder)?.log_store())
        .with_columns(columns.iter().map(struct_field))
        .with_actions(adds)
        .with_commit_properties(CommitProperties::default().with_metadata(metadata))
        .await
        .map_err(failed(folder, "created"))?;
    Ok(VersionNo(table.version().unwrap_or_default()))
}

async fn replace(
    folder: &Path,
    table: &DeltaTable,
    mut actions: Vec<Action>,
    superseded: &Superseded,
    metadata: HashMap<String, Value>,
    now: DateTime<Utc>,
) -> Result<VersionNo, StorageError> {
    let snapshot = table.snapshot().map_err(failed(folder, "read"))?;
    let goes = |path: PathBuf| match superseded {
        Superseded::All => true,
        Superseded::Files { paths, .. } => paths.contains(&path),
    };
    if let Superseded::Files { of, .. } = superseded
        && VersionNo(snapshot.version()) != *of
    {
        let reason =
            format!("version {} was committed meanwhile, by another program. Publish again", snapshot.version());
        return Err(StorageError::Unsupported { path: folder.to_owned(), reason });
    }
    for view in snapshot.log_data().iter().filter(|view| goes(folder.join(view.path().as_ref()))) {
        let mut remove = view.remove_action(true);
        remove.deletion_timestamp = Some(now.timestamp_millis());
        actions.push(Action::Remove(remove));
    }
    let operation = DeltaOperation::Write { mode: SaveMode::Overwrite, partition_by: None, predicate: None };
    let done = CommitBuilder::from(CommitProperties::default().with_metadata(metadata))
        .with_actions(actions)
        .build(Some(snapshot), table.log_store(), operation)
        .await
        .map_err(failed(folder, "committed to"))?;
    Ok(VersionNo(done.version()))
}

fn add(file: &NewFile, now: DateTime<Utc>) -> Add {
    let stats = serde_json::json!({
        "numRecords": file.rows,
        "minValues": { &file.key: file.key_min },
        "maxValues": { &file.key: file.key_max },
        "nullCount": { &file.key: 0 },
    });
    Add {
        path: file.name.clone(),
        size: i64::try_from(file.bytes).unwrap_or(i64::MAX),
        modification_time: now.timestamp_millis(),
        data_change: true,
        stats: Some(stats.to_string()),
        ..Add::default()
    }
}

fn struct_field(column: &Column) -> StructField {
    let kind = match column.kind {
        ColumnType::Text => DataType::STRING,
        ColumnType::Date => DataType::DATE,
        ColumnType::Integer => DataType::LONG,
        ColumnType::Boolean => DataType::BOOLEAN,
    };
    // Nullable throughout: `publish` refuses missing values, and a later, laxer catalogue then needs no new schema.
    StructField::new(column.name.clone(), kind, true)
}

/// Where the newest version comes from, by its own commit, if another node has returned it.
pub async fn returned(folder: &Path) -> Result<Option<String>, StorageError> {
    let Some(newest) = newest(folder).await? else { return Ok(None) };
    let info = commit_info(&unloaded(folder)?, newest, folder).await?;
    Ok(info.get(RETURNED).and_then(Value::as_str).map(str::to_owned))
}

async fn commit_info(table: &DeltaTable, version: VersionNo, folder: &Path) -> Result<Value, StorageError> {
    let entry = table.log_store().read_commit_entry(version.0).await.map_err(failed(folder, "read"))?;
    let actions = serde_json::Deserializer::from_slice(entry.as_deref().unwrap_or_default()).into_iter::<Value>();
    let mut infos = actions.map_while(Result::ok).filter_map(|mut action| Some(action.get_mut("commitInfo")?.take()));
    Ok(infos.next().unwrap_or_default())
}

/// When the data of the version that is loaded was true. Its own commit says so; later ones speak of their own.
pub(super) async fn as_of(table: &DeltaTable, folder: &Path) -> Result<DateTime<Utc>, StorageError> {
    let info = commit_info(table, VersionNo(table.version().unwrap_or_default()), folder).await?;
    let stated = info.get(AS_OF).and_then(Value::as_str);
    let stated = stated.and_then(|text| DateTime::parse_from_rfc3339(text).ok()).map(|time| time.with_timezone(&Utc));
    let committed = || info.get("timestamp").and_then(Value::as_i64).and_then(DateTime::from_timestamp_millis);
    Ok(stated.or_else(committed).unwrap_or(DateTime::UNIX_EPOCH))
}

pub(super) async fn open(folder: &Path) -> Result<Option<DeltaTable>, StorageError> {
    if !is_table(folder) {
        return Ok(None);
    }
    let mut table = unloaded(folder)?;
    match table.load().await {
        Ok(()) => Ok(Some(table)),
        Err(DeltaTableError::NotATable(_)) => Ok(None),
        Err(error) => Err(failed(folder, "read")(error)),
    }
}

fn is_table(folder: &Path) -> bool {
    folder.join("_delta_log").is_dir()
}

fn unloaded(folder: &Path) -> Result<DeltaTable, StorageError> {
    let absolute = std::path::absolute(folder).map_err(StorageError::file(folder, "found"))?;
    let url = Url::from_directory_path(&absolute)
        .map_err(|()| StorageError::Unsupported { path: absolute, reason: "its path is not a file URL".to_owned() })?;
    DeltaTableBuilder::from_url(url).and_then(DeltaTableBuilder::build).map_err(failed(folder, "opened"))
}

pub(super) fn failed(folder: &Path, action: &'static str) -> impl FnOnce(DeltaTableError) -> StorageError {
    let path = folder.to_owned();
    move |source| StorageError::Table { path, action, source: Box::new(source) }
}
