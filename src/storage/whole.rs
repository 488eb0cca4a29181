//! Files that appear whole or not at all.

use std::{fs, io::Write, path::Path};

use super::StorageError;

/// Replace `path` by a file with this content; a reader sees the old one or the new one, also after a power cut.
pub fn write_whole(path: &Path, content: &[u8]) -> Result<(), StorageError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let failed = || StorageError::file(path, "written");
    fs::create_dir_all(folder).map_err(failed())?;
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed())?;
    file.write_all(content).map_err(failed())?;
    file.as_file().sync_all().map_err(failed())?;
    file.persist(path).map_err(|error| failed()(error.error))?;
    sync_folder(folder)
}

/// Make the names in a folder durable.
pub fn sync_folder(folder: &Path) -> Result<(), StorageError> {
    fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(StorageError::file(folder, "made durable"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_else_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/file");
        write_whole(&path, b"old").unwrap();
        write_whole(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }
}
