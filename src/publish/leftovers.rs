//! What a publication that was killed has left behind: register rows on disk that no version names.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use uuid::Uuid;

use crate::storage::{StorageError, delta};

/// The folder in which this dataset's sort spills, empty. Whoever calls holds the dataset's lock, so that nobody spills
/// there at this moment.
pub(super) fn empty_spill(spill: &Path, dataset: &str) -> Result<PathBuf, StorageError> {
    let folder = spill.join(dataset);
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(StorageError::file(&folder, "emptied")(error));
        }
        _ => {}
    }
    fs::create_dir_all(&folder).map_err(StorageError::file(&folder, "made"))?;
    Ok(folder)
}

/// Remove data files that were begun and never became part of a version. Only our own, by the pattern of their names;
/// what any version names stays, so that older ones can still be read. Whoever calls holds the dataset's lock.
pub(super) async fn remove_orphans(table: &Path) -> Result<(), StorageError> {
    let begun = files(table, is_ours)?;
    if begun.is_empty() {
        return Ok(());
    }
    let log = table.join("_delta_log");
    let mut named = String::new();
    if log.is_dir() {
        for commit in files(&log, |name| name.ends_with(".json"))? {
            named += &fs::read_to_string(&commit).map_err(StorageError::file(&commit, "read"))?;
        }
    }
    // Of a log that was condensed into a checkpoint, the newest version may be in no commit any more.
    let newest = delta::read(table).await?.map(|version| version.files).unwrap_or_default();
    for path in begun {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if !named.contains(name) && !newest.iter().any(|file| file.path == path) {
            fs::remove_file(&path).map_err(StorageError::file(&path, "removed"))?;
        }
    }
    Ok(())
}

/// The name of a data file.
pub(super) fn file_name(id: Uuid) -> String {
    format!("part-{id}.parquet")
}

fn is_ours(name: &str) -> bool {
    let id = name.strip_prefix("part-").and_then(|rest| rest.strip_suffix(".parquet"));
    id.and_then(|id| Uuid::try_parse(id).ok()).is_some_and(|id| file_name(id) == name)
}

fn files(folder: &Path, which: impl Fn(&str) -> bool) -> Result<Vec<PathBuf>, StorageError> {
    let listed = fs::read_dir(folder).and_then(|entries| entries.collect::<io::Result<Vec<_>>>());
    let listed = listed.map_err(StorageError::file(folder, "listed"))?;
    let wanted = listed.into_iter().filter(|entry| entry.file_name().to_str().is_some_and(&which));
    Ok(wanted.map(|entry| entry.path()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_our_own_making_are_ours() {
        assert!(is_ours(&file_name(Uuid::from_u128(7))));
        for other in [
            "part-00000-711eb947-641b-48a8-ab56-fb8b67304981-c000.snappy.parquet",
            "part-711EB947-641B-48A8-AB56-FB8B67304981.parquet",
            "part-.parquet",
            "persons.parquet",
        ] {
            assert!(!is_ours(other), "{other}");
        }
    }

    #[tokio::test]
    async fn what_nothing_names_goes_and_everything_else_stays() {
        let dir = tempfile::tempdir().unwrap();
        let orphan = file_name(Uuid::from_u128(1));
        for name in [orphan.as_str(), "persons.parquet", ".publish.lock"] {
            fs::write(dir.path().join(name), "x").unwrap();
        }
        remove_orphans(dir.path()).await.unwrap();
        let mut left: Vec<_> = files(dir.path(), |_| true).unwrap();
        left.sort();
        assert_eq!(left, [dir.path().join(".publish.lock"), dir.path().join("persons.parquet")]);
    }

    #[test]
    fn a_spill_of_another_dataset_is_not_touched() {
        let dir = tempfile::tempdir().unwrap();
        for dataset in ["one", "two"] {
            let folder = empty_spill(dir.path(), dataset).unwrap();
            fs::write(folder.join("rows"), "x").unwrap();
        }
        let folder = empty_spill(dir.path(), "one").unwrap();
        assert!(!folder.join("rows").exists() && dir.path().join("two/rows").exists());
    }
}
