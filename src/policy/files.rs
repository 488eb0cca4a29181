//! Policies out of files: a set that is read whole, or refused with everything that is wrong in it.
//!
//! Uses `check` to judge. [`PolicyFiles::read`] is the only part of the room that touches a disk;
//! [`PolicySet::from_sources`] is pure.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    str::FromStr,
};

use aws_lc_rs::digest::{Context, SHA256};
use cedar_policy::{Authorizer, EntityTypeName, EntityUid};

use super::{
    check,
    obligations::Obliging,
    parties::Parties,
    returns::{RETURNS_FILE, ReturnPolicies},
    slices::Slices,
    specimen,
    statistics::{STATISTICS_FILE, Statistics},
};
use crate::{
    catalog::{
        Complaint,
        complaint::{Position, Summary},
    },
    problem::Code,
};

pub(super) const SCHEMA_FILE: &str = "shuqiao.cedarschema";
const README_FILE: &str = "README.md";
/// Where the cases are that the set must pass.
const CASES_FOLDER: &str = "tests";
const CASES_SUFFIX: &str = ".yaml";
const POLICIES_SUFFIX: &str = ".cedar";

/// Why a policy set cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    #[error("`{path}` cannot be read")]
    Unreadable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// Never empty.
    #[error("{}", Summary { what: "the policies", complaints })]
    Inconsistent { complaints: Vec<Complaint> },
}

impl PolicyError {
    pub fn code(&self) -> Code {
        match self {
            Self::Unreadable { .. } | Self::Inconsistent { .. } => Code::PolicyInvalid,
        }
    }

    /// What was found wrong in the files, where they could be read.
    pub fn complaints(&self) -> &[Complaint] {
        match self {
            Self::Inconsistent { complaints } => complaints,
            Self::Unreadable { .. } => &[],
        }
    }
}

/// What is known of a policy besides its conditions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Permits, or forbids.
    pub permits: bool,
    /// The sentence a refused caller is told.
    pub why: String,
    /// Where it stands.
    pub(crate) file: String,
    pub(crate) position: Position,
    /// A permit that opens nothing by itself, and only adds its obligations to those that do.
    pub(super) qualifies: bool,
    pub(super) obliging: Obliging,
}

/// Cedar's names of our types and actions, parsed once.
#[derive(Clone, Debug)]
pub(super) struct Names {
    pub(super) client: EntityTypeName,
    pub(super) department: EntityTypeName,
    pub(super) dataset: EntityTypeName,
    pub(super) verify: EntityUid,
    pub(super) disclose: EntityUid,
}

impl Names {
    pub(super) fn new() -> Self {
        const REASON: &str = "a constant in Cedar's grammar";
        let kind = |name: &str| EntityTypeName::from_str(&format!("Shuqiao::{name}")).expect(REASON);
        let action = |name: &str| EntityUid::from_str(&format!("Shuqiao::Action::\"{name}\"")).expect(REASON);
        Self {
            client: kind("Client"),
            department: kind("Department"),
            dataset: kind("Dataset"),
            verify: action("verify"),
            disclose: action("disclose"),
        }
    }
}

/// A validated set of policies.
#[derive(Debug)]
pub struct PolicySet {
    pub(super) cedar: cedar_policy::PolicySet,
    pub(super) slices: Slices,
    pub(super) parties: Parties,
    pub(super) authorizer: Authorizer,
    pub(super) rules: BTreeMap<String, Rule>,
    pub(super) names: Names,
    pub(super) statistics: Statistics,
    pub(super) returns: ReturnPolicies,
    hash: String,
}

/// The files of a policy folder: what a set is made of, with the cases that it must pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyFiles {
    pub schema: String,
    /// Name and text of every `*.cedar`, by their names.
    pub policies: Vec<(String, String)>,
    /// The same of every `tests/*.yaml`; the names begin with `tests/`.
    pub cases: Vec<(String, String)>,
}

impl PolicyFiles {
    /// Read `shuqiao.cedarschema`, every `*.cedar` and every `tests/*.yaml` of a folder. A folder with anything else in it,
    /// save a `README.md` and dotfiles, is refused: a forbid in a file with a misspelt name would silently not hold.
    pub fn read(folder: &Path) -> Result<Self, PolicyError> {
        let (mut files, mut unknown) = (Self::default(), Vec::new());
        for (name, path) in listed(folder)? {
            if name == CASES_FOLDER && path.is_dir() {
                for (name, path) in listed(&path)? {
                    let name = format!("{CASES_FOLDER}/{name}");
                    if name.ends_with(CASES_SUFFIX) {
                        files.cases.push((name, text(&path)?));
                    } else {
                        unknown.push(name);
                    }
                }
            } else if name.ends_with(POLICIES_SUFFIX) {
                files.policies.push((name, text(&path)?));
            } else if name != SCHEMA_FILE {
                unknown.push(name);
            }
        }
        if !unknown.is_empty() {
            return Err(unknown_files(unknown));
        }
        files.schema = text(&folder.join(SCHEMA_FILE))?;
        Ok(files)
    }

    /// The same from texts by their names, such as a ledger keeps.
    pub fn from_texts(texts: impl IntoIterator<Item = (String, String)>) -> Result<Self, PolicyError> {
        let (mut files, mut unknown) = (Self::default(), Vec::new());
        for (name, text) in texts {
            if name == SCHEMA_FILE {
                files.schema = text;
            } else if name.starts_with(&format!("{CASES_FOLDER}/")) && name.ends_with(CASES_SUFFIX) {
                files.cases.push((name, text));
            } else if name.ends_with(POLICIES_SUFFIX) && !name.contains('/') {
                files.policies.push((name, text));
            } else {
                unknown.push(name);
            }
        }
        files.policies.sort();
        files.cases.sort();
        if unknown.is_empty() { Ok(files) } else { Err(unknown_files(unknown)) }
    }

    /// Every file by its name.
    pub fn texts(&self) -> BTreeMap<&str, &str> {
        let others = self.policies.iter().chain(&self.cases).map(|(name, text)| (name.as_str(), text.as_str()));
        others.chain([(SCHEMA_FILE, self.schema.as_str())]).collect()
    }

    /// The set that the policies are.
    pub fn set(&self) -> Result<PolicySet, PolicyError> {
        PolicySet::from_sources(&self.schema, &self.policies)
    }
}

/// Names and paths in a folder, in alphabetical order, without what is passed over.
fn listed(folder: &Path) -> Result<Vec<(String, PathBuf)>, PolicyError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable(folder))? {
        let path = entry.map_err(unreadable(folder))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !name.starts_with('.') && name != README_FILE {
            found.push((name, path));
        }
    }
    found.sort();
    Ok(found)
}

fn text(path: &Path) -> Result<String, PolicyError> {
    fs::read_to_string(path).map_err(unreadable(path))
}

fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> PolicyError {
    let path = path.to_owned();
    move |source| PolicyError::Unreadable { path, source }
}

fn unknown_files(mut names: Vec<String>) -> PolicyError {
    names.sort();
    PolicyError::Inconsistent { complaints: names.into_iter().map(check::unknown_file).collect() }
}

impl PolicySet {
    /// Read the set of a folder, as [`PolicyFiles::read`] does.
    pub fn load(folder: &Path) -> Result<Self, PolicyError> {
        PolicyFiles::read(folder)?.set()
    }

    /// The same from texts: file names with contents. Every complaint is collected.
    pub fn from_sources(schema: &str, policies: &[(String, String)]) -> Result<Self, PolicyError> {
        let mut sources: Vec<_> = policies.iter().collect();
        sources.sort();
        let names = Names::new();
        // Statistics and returns are questions of other kinds: their policies have schemas of their own.
        let (counting, others): (Vec<_>, Vec<_>) =
            sources.iter().copied().partition(|(file, _)| file == STATISTICS_FILE);
        let (returning, calling): (Vec<_>, Vec<_>) = others.into_iter().partition(|(file, _)| file == RETURNS_FILE);
        let calls = check::policies(schema, &calling, |schema| specimen::fits(&names, schema));
        let ((cedar, rules), statistics, returns) =
            match (calls, Statistics::new(&counting), ReturnPolicies::new(&returning)) {
                (Ok(calls), Ok(statistics), Ok(returns)) => (calls, statistics, returns),
                (calls, statistics, returns) => {
                    let others = statistics.err().into_iter().chain(returns.err());
                    let complaints = calls.err().into_iter().chain(others).flatten().collect();
                    return Err(PolicyError::Inconsistent { complaints });
                }
            };
        let slices = Slices::new(&cedar);
        Ok(Self {
            cedar,
            slices,
            parties: Parties::default(),
            authorizer: Authorizer::new(),
            rules,
            names,
            statistics,
            returns,
            hash: hash(schema, &sources),
        })
    }

    /// SHA-256 over the schema and every file with its name, in hex: the set's name in records and receipts.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The id of every policy, in alphabetical order.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.rules.keys().map(String::as_str)
    }

    /// Every policy by its id.
    pub fn rules(&self) -> impl Iterator<Item = (&str, &Rule)> {
        self.rules.iter().map(|(id, rule)| (id.as_str(), rule))
    }
}

/// Lengths stand before contents, so that no two sets of files run together to the same bytes.
fn hash(schema: &str, sources: &[&(String, String)]) -> String {
    let mut context = Context::new(&SHA256);
    let mut part = |text: &str| {
        context.update(&(text.len() as u64).to_be_bytes());
        context.update(text.as_bytes());
    };
    part(SCHEMA_FILE);
    part(schema);
    for (file, text) in sources {
        part(file);
        part(text);
    }
    hex::encode(context.finish())
}
