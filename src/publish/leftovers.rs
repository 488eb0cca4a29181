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

/// Remove what was begun and never became part of a version. Whoever calls holds the dataset's lock.
pub(super) async fn remove_orphans(table: &Path) -> Result<(), StorageError> {
    orphans(table).await?.iter().try_for_each(|path| fs::remove_file(path).map_err(StorageError::file(path, "removed")))
}

/// Data files that no version names, and commits that were not finished. Only our own, by the pattern of their names;
/// what any version names is none, so that older ones can still be read. Whoever calls holds the dataset's lock.
pub(super) async fn orphans(table: &Path) -> Result<Vec<PathBuf>, StorageError> {
    let log = table.join("_delta_log");
    let (mut named, mut found) = (String::new(), Vec::new());
    if log.is_dir() {
        for commit in files(&log, |name| name.ends_with(".json"))? {
            named += &fs::read_to_string(&commit).map_err(StorageError::file(&commit, "read"))?;
        }
        found = files(&log, is_unfinished)?;
    }
    let begun = files(table, is_ours)?;
    if begun.is_empty() {
        return Ok(found);
    }
    // Of a log that was condensed into a checkpoint, the newest version may be in no commit any more.
    let newest = delta::read(table).await?.map(|version| version.files).unwrap_or_default();
    let is_named = |path: &PathBuf| named.contains(name_of(path)) || newest.iter().any(|file| file.path == *path);
    found.extend(begun.into_iter().filter(|path| !is_named(path)));
    Ok(found)
}

/// Every data file of ours in the folder.
pub(super) fn data_files(table: &Path) -> Result<Vec<PathBuf>, StorageError> {
    files(table, is_ours)
}

/// Rows that were spilled to this folder or one in it.
pub(super) fn spilled(folder: &Path) -> Result<Vec<PathBuf>, StorageError> {
    let mut found = Vec::new();
    if folder.is_dir() {
        for path in files(folder, |_| true)? {
            if path.is_dir() { found.extend(spilled(&path)?) } else { found.push(path) }
        }
    }
    Ok(found)
}

fn name_of(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

/// The name under which the log store writes a file before it is renamed, such as `00000000000000000007.json#1`.
fn is_unfinished(name: &str) -> bool {
    let staged = name.rsplit_once('#').is_some_and(|(_, number)| number.parse::<u32>().is_ok());
    staged || (name.starts_with("_commit_") && name.ends_with(".tmp"))
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
    fn a_commit_that_was_not_finished_is_known_by_its_name() {
        for name in ["00000000000000000007.json#1", "_last_checkpoint#2", "_commit_7a5c.json.tmp"] {
            assert!(is_unfinished(name), "{name}");
        }
        for name in ["00000000000000000007.json", "00000000000000000010.checkpoint.parquet", "a#b", "_last_checkpoint"]
        {
            assert!(!is_unfinished(name), "{name}");
        }
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
