//! Policies out of files: a set that is read whole, or refused with everything that is wrong in it.
//!
//! Uses `check` to judge. [`PolicySet::load`] is the only part of the room that touches a disk;
//! [`PolicySet::from_sources`] is pure.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    str::FromStr,
};

use aws_lc_rs::digest::{Context, SHA256};
use cedar_policy::{Authorizer, EntityTypeName, EntityUid};

use super::{check, obligations::Obliging};
use crate::{
    catalog::{Complaint, complaint::Summary},
    problem::Code,
};

pub(super) const SCHEMA_FILE: &str = "shuqiao.cedarschema";
const README_FILE: &str = "README.md";

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
    pub(super) authorizer: Authorizer,
    pub(super) rules: BTreeMap<String, Rule>,
    pub(super) names: Names,
    hash: String,
}

impl PolicySet {
    /// Read `shuqiao.cedarschema` and every `*.cedar` of a folder. A folder with anything else in it, save a `README.md`
    /// and dotfiles, is refused: a forbid in a file with a misspelt name would silently not hold.
    pub fn load(folder: &Path) -> Result<Self, PolicyError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| PolicyError::Unreadable { path, source }
        };
        let read = |path: &Path| fs::read_to_string(path).map_err(failed(path));
        let (mut sources, mut unknown) = (Vec::new(), Vec::new());
        for entry in fs::read_dir(folder).map_err(failed(folder))? {
            let path = entry.map_err(failed(folder))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.starts_with('.') || name == SCHEMA_FILE || name == README_FILE {
                continue;
            } else if name.ends_with(".cedar") {
                sources.push((name, read(&path)?));
            } else {
                unknown.push(check::unknown_file(name));
            }
        }
        if !unknown.is_empty() {
            unknown.sort_by(|a, b| a.file.cmp(&b.file));
            return Err(PolicyError::Inconsistent { complaints: unknown });
        }
        Self::from_sources(&read(&folder.join(SCHEMA_FILE))?, &sources)
    }

    /// The same from texts: file names with contents. Every complaint is collected.
    pub fn from_sources(schema: &str, policies: &[(String, String)]) -> Result<Self, PolicyError> {
        let mut sources: Vec<_> = policies.iter().collect();
        sources.sort();
        let names = Names::new();
        let (cedar, rules) =
            check::policies(schema, &sources, &names).map_err(|complaints| PolicyError::Inconsistent { complaints })?;
        Ok(Self { cedar, authorizer: Authorizer::new(), rules, names, hash: hash(schema, &sources) })
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
