//! Declared files in, a catalogue that holds together out.
//!
//! Uses `yaml` to read and `check` to judge. [`load`] is the only part that touches a disk; [`load_from`] is pure.
//! Promises to report everything it finds, not the first only: one complaint for a file whose shape is wrong, and every
//! contradiction in and between the others.

use std::{
    fs, io,
    io::Read as _,
    path::{Path, PathBuf},
};

use super::{
    Catalog, check,
    complaint::{Complaint, Summary},
    raw::RawFile,
    yaml,
};
use crate::problem::Code;

/// Files in one catalogue. Together with the size of a file this bounds what a start of the node may read.
pub(super) const FILES_MAX: usize = 512;

/// How deep below the directory files are looked for.
const DIRECTORY_DEPTH_MAX: usize = 4;

/// Why there is no catalogue.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    #[error("catalogue file `{path}` cannot be read")]
    Unreadable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("there is no catalogue in `{directory}`: it holds no .yaml file")]
    Absent { directory: PathBuf },
    #[error(
        "`{directory}` holds more than {FILES_MAX} .yaml files, or nests them deeper than {DIRECTORY_DEPTH_MAX} levels"
    )]
    TooManyFiles { directory: PathBuf },
    #[error("the sources of a catalogue are not in order: {reason}")]
    Sources { reason: String },
    /// Never empty.
    #[error("{}", Summary { what: "the catalogue files", complaints })]
    Inconsistent { complaints: Vec<Complaint> },
}

impl CatalogError {
    pub fn code(&self) -> Code {
        match self {
            Self::Unreadable { .. } => Code::StorageFailed,
            Self::Absent { .. } | Self::TooManyFiles { .. } | Self::Sources { .. } | Self::Inconsistent { .. } => {
                Code::CatalogInvalid
            }
        }
    }

    /// What was found wrong in the files, where they could be read.
    pub fn complaints(&self) -> &[Complaint] {
        match self {
            Self::Inconsistent { complaints } => complaints,
            Self::Unreadable { .. } | Self::Absent { .. } | Self::TooManyFiles { .. } | Self::Sources { .. } => &[],
        }
    }
}

/// Read every `.yaml` file under `directory` and check them as one catalogue. Files are named in complaints by their path
/// as reached from `directory`.
pub fn load(directory: &Path) -> Result<Catalog, CatalogError> {
    load_from(read_all(directory)?.into_iter().map(|(path, text)| (path.display().to_string(), text)))
}

/// The text of every `.yaml` file under `directory`, in the order of paths. Never none.
pub(super) fn read_all(directory: &Path) -> Result<Vec<(PathBuf, String)>, CatalogError> {
    let mut paths = Vec::new();
    collect(directory, directory, 0, &mut paths)?;
    if paths.is_empty() {
        return Err(CatalogError::Absent { directory: directory.to_owned() });
    }
    paths.sort();
    let mut files = Vec::with_capacity(paths.len());
    for path in paths {
        let text = read(&path).map_err(|source| CatalogError::Unreadable { path: path.clone(), source })?;
        files.push((path, text));
    }
    Ok(files)
}

/// Check texts, each with the name that complaints give it, as one catalogue.
pub fn load_from(files: impl IntoIterator<Item = (String, String)>) -> Result<Catalog, CatalogError> {
    let mut raw: Vec<(String, RawFile)> = Vec::new();
    let mut unread = Vec::new();
    for (name, text) in files {
        match yaml::read(&name, &text) {
            Ok(file) => raw.push((name, file)),
            Err(complaint) => unread.push(complaint),
        }
    }
    check::catalog(&raw, unread).map_err(|complaints| CatalogError::Inconsistent { complaints })
}

/// The JSON Schema of a catalogue file, for editors.
pub fn json_schema() -> serde_json::Value {
    schemars::schema_for!(RawFile).to_value()
}

fn collect(root: &Path, directory: &Path, depth: usize, paths: &mut Vec<PathBuf>) -> Result<(), CatalogError> {
    let unreadable = |source| CatalogError::Unreadable { path: directory.to_owned(), source };
    for entry in fs::read_dir(directory).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.is_dir() {
            if depth == DIRECTORY_DEPTH_MAX {
                return Err(CatalogError::TooManyFiles { directory: root.to_owned() });
            }
            collect(root, &path, depth + 1, paths)?;
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            if paths.len() == FILES_MAX {
                return Err(CatalogError::TooManyFiles { directory: root.to_owned() });
            }
            paths.push(path);
        }
    }
    Ok(())
}

/// The text of a file. Of one that is too large it is only the beginning, still too large for `yaml::read`, which then
/// refuses it with the right words.
pub(crate) fn read(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(yaml::FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > yaml::FILE_BYTES_MAX {
        return Ok(String::from_utf8_lossy(&bytes).into_owned());
    }
    String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

#[cfg(test)]
mod tests;
