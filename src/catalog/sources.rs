//! The texts that a catalogue is made from, as one value: what a revision keeps, compares and puts back.
//!
//! Uses `load` and `raw`. Promises that two sources with the same files have the same hash, whatever order they came in,
//! and that a file's name stays inside the folder it is written to.

use std::{collections::BTreeMap, path::Path};

use aws_lc_rs::digest;

use super::{
    Catalog, CatalogError,
    load::{self, FILES_MAX},
    raw::RawFile,
    yaml,
};
use crate::identifiers::DatasetId;

/// All files of a catalogue together. A province's has some hundred kilobytes.
const SOURCES_BYTES_MAX: usize = 16 << 20;
const NAME_BYTES_MAX: usize = 128;

/// File names, relative to the catalogue's folder, with their texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sources {
    files: BTreeMap<String, String>,
}

impl Sources {
    /// Take these files; refuse names that could leave the folder, and more than a catalogue may have.
    pub fn new(files: impl IntoIterator<Item = (String, String)>) -> Result<Self, CatalogError> {
        let wrong = |reason| Err(CatalogError::Sources { reason });
        let (mut all, mut bytes) = (BTreeMap::new(), 0_usize);
        for (name, text) in files {
            if !is_name(&name) {
                return wrong(format!(
                    "a file's name is a relative path of letters, digits, `-`, `_` and `.`, with `.yaml` at its end, not {}",
                    super::complaint::quoted(&name)
                ));
            }
            bytes = bytes.saturating_add(text.len());
            all.insert(name, text);
        }
        if all.is_empty() {
            return wrong("there is no file".to_owned());
        }
        if all.len() > FILES_MAX || bytes > SOURCES_BYTES_MAX {
            return wrong(format!("there are more than {FILES_MAX} files, or more than {SOURCES_BYTES_MAX} bytes"));
        }
        Ok(Self { files: all })
    }

    /// The files of a folder.
    pub fn read(directory: &Path) -> Result<Self, CatalogError> {
        let relative = |path: &Path| {
            let parts = path.strip_prefix(directory).unwrap_or(path).components();
            parts.map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
        };
        Self::new(load::read_all(directory)?.into_iter().map(|(path, text)| (relative(&path), text)))
    }

    /// As a revision keeps them.
    pub fn to_json(&self) -> String {
        serde_json::to_string(&self.files).unwrap_or_default()
    }

    pub fn from_json(text: &str) -> Result<Self, CatalogError> {
        let files: BTreeMap<String, String> =
            serde_json::from_str(text).map_err(|error| CatalogError::Sources { reason: error.to_string() })?;
        Self::new(files)
    }

    pub fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(name, text)| (name.as_str(), text.as_str()))
    }

    /// SHA-256 over names and texts, in hexadecimal.
    pub fn hash(&self) -> String {
        hex::encode(digest::digest(&digest::SHA256, self.to_json().as_bytes()))
    }

    /// The catalogue that they declare.
    pub fn check(&self) -> Result<Catalog, CatalogError> {
        load::load_from(self.files.clone())
    }

    /// These files with some of them replaced, added or (`None`) taken away.
    pub fn with(&self, changes: impl IntoIterator<Item = (String, Option<String>)>) -> Result<Self, CatalogError> {
        let mut files = self.files.clone();
        for (name, text) in changes {
            match text {
                Some(text) => {
                    files.insert(name, text);
                }
                None if files.remove(&name).is_some() => {}
                None => {
                    let reason = format!("there is no file {} that could be removed", super::complaint::quoted(&name));
                    return Err(CatalogError::Sources { reason });
                }
            }
        }
        Self::new(files)
    }

    /// These files without the declaration of one dataset; the rest of each text stays as it was written.
    pub fn without_dataset(&self, dataset: &DatasetId) -> Result<Self, CatalogError> {
        for (name, text) in &self.files {
            let Ok(raw) = yaml::read::<RawFile>(name, text) else { continue };
            let declared = |element: &yaml::At<super::raw::RawDataset>| element.value.id.value == dataset.as_str();
            let Some(index) = raw.datasets.iter().position(declared) else { continue };
            let alone = raw.datasets.len() == 1;
            if alone && raw.nodes.is_empty() && raw.departments.is_empty() && raw.items.is_empty() {
                return self.with([(name.clone(), None)]);
            }
            let first = raw.datasets[index].position.line;
            let next = raw.datasets.get(index + 1).map(|element| element.position.line);
            return self.with([(name.clone(), Some(without_element(text, first, next, alone)))]);
        }
        let reason = format!("no file declares the dataset `{dataset}`");
        Err(CatalogError::Sources { reason })
    }
}

/// A text without the lines of one element of a list: from its dash to the next element, or to the next heading. Where it
/// was alone, the heading goes with it.
fn without_element(text: &str, first: u32, next: Option<u32>, alone: bool) -> String {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let first = (first as usize).saturating_sub(1).min(lines.len());
    let is_heading = |line: &&str| line.starts_with(|c: char| c.is_ascii_alphabetic());
    let end = match next {
        Some(line) => (line as usize).saturating_sub(1),
        None => lines[first..].iter().position(is_heading).map_or(lines.len(), |offset| first + offset),
    };
    let begin = match lines[..first].iter().rposition(is_heading) {
        Some(heading) if alone => heading,
        _ => first,
    };
    lines[..begin].iter().chain(&lines[end.max(begin)..]).copied().collect()
}

fn is_name(name: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
    };
    name.len() <= NAME_BYTES_MAX && name.ends_with(".yaml") && name.split('/').all(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = include_str!("check/small.yaml");

    fn sources(files: &[(&str, &str)]) -> Result<Sources, CatalogError> {
        Sources::new(files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())))
    }

    #[test]
    fn sources_come_back_from_json_with_the_same_hash() {
        let all = sources(&[("b/c.yaml", "nodes: []\n"), ("a.yaml", SMALL)]).unwrap();
        let again = Sources::from_json(&all.to_json()).unwrap();
        assert_eq!((&again, again.hash()), (&all, all.hash()));
        assert_eq!(all.files().map(|(name, _)| name).collect::<Vec<_>>(), ["a.yaml", "b/c.yaml"]);
        assert_eq!(all.check().unwrap().datasets.len(), 1);
        let other = all.with([("a.yaml".to_owned(), Some(format!("{SMALL}\n")))]).unwrap();
        assert_ne!(other.hash(), all.hash());
    }

    #[test]
    fn names_that_could_leave_the_folder_are_refused() {
        for name in
            ["../a.yaml", "/a.yaml", "a/../../b.yaml", ".a.yaml", "a.yml", "a\\b.yaml", "a//b.yaml", "", "甲.yaml"]
        {
            assert!(sources(&[(name, SMALL)]).is_err(), "{name}");
        }
        assert!(sources(&[]).is_err());
        assert!(sources(&[("a.yaml", "")]).unwrap().with([("b.yaml".to_owned(), None)]).is_err());
    }

    #[test]
    fn the_catalogue_of_a_folder_is_read_under_relative_names() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("catalogs/guangdong");
        let all = Sources::read(&folder).unwrap();
        assert!(all.files().any(|(name, _)| name == "natural-person.yaml"));
        assert_eq!(all.check().unwrap().datasets.len(), 4);
    }

    #[test]
    fn a_dataset_is_taken_out_and_the_rest_stays_as_written() {
        let second = SMALL.replace("id: people", "id: others").replace("101001/000001", "101001/000002");
        let start = second.find("datasets:").unwrap() + "datasets:\n".len();
        let second = &second[start..second.find("items:").unwrap()];
        let both = SMALL.replace("items:\n", &format!("{second}items:\n"));
        let id: DatasetId = "others".parse().unwrap();
        let all = sources(&[("a.yaml", &both)]).unwrap().without_dataset(&id).unwrap();
        assert_eq!(all, sources(&[("a.yaml", SMALL)]).unwrap());
        assert!(all.without_dataset(&id).is_err());
        let none = all.without_dataset(&"people".parse().unwrap()).unwrap();
        let (_, text) = none.files().next().unwrap();
        assert!(!text.contains("datasets:") && text.contains("departments:") && text.contains("items:"), "{text}");
        let alone = format!("# A register.\ndatasets:\n{second}");
        let split = sources(&[("a.yaml", SMALL), ("b.yaml", &alone)]).unwrap().without_dataset(&id).unwrap();
        assert_eq!(split, sources(&[("a.yaml", SMALL)]).unwrap());
    }
}
