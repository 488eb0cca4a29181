//! Memory maps of immutable files.

use std::{fs::File, path::Path};

use bytes::Bytes;
use memmap2::Mmap;

use super::StorageError;

/// The whole file as bytes that the kernel pages in and out.
///
/// The map keeps the file's contents reachable after the file is unlinked, so a version that has been superseded goes on
/// answering the calls that hold it.
pub(super) fn map_file(path: &Path) -> Result<Bytes, StorageError> {
    let file = File::open(path).map_err(StorageError::file(path, "opened"))?;
    map_open_file(&file, path)
}

/// The same of a file that is open already; `path` is for the error.
pub(super) fn map_open_file(file: &File, path: &Path) -> Result<Bytes, StorageError> {
    // INVARIANT: files named by a published version are written once, under a name of their own, and never changed or
    // shortened afterwards (`publish` keeps it). A cache's copy is filled while it is mapped, but no part is handed out
    // before it is written, or written after it was handed out (`copy` keeps it).
    #[expect(unsafe_code, reason = "mapping is unsafe only where mapped bytes change; see the invariant")]
    let map = unsafe { Mmap::map(file) }.map_err(StorageError::file(path, "mapped"))?;
    Ok(Bytes::from_owner(map))
}
