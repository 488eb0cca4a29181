//! Where a policy command finds the policies, the catalogue and the agreements.
//!
//! What is named comes first. Else, to check and test: the folders of a checkout, where one stands in it; else those of the
//! node. Recorded calls are a node's, so for them its own come before those of a checkout.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::{
    agreements::{self, Agreements},
    catalog::{self, Catalog},
    cli::home::Home,
    policy::{self, Case, PolicyFiles, PolicySet},
};

/// In a checkout.
const POLICIES: &str = "policies";
const CATALOG: &str = "catalogs/guangdong";
const AGREEMENTS: &str = "catalogs/guangdong-agreements.yaml";

#[derive(Debug, Args)]
pub(super) struct GroundArgs {
    /// Directory of the catalogue [default: catalogs/guangdong, else that of the node in --dir].
    #[arg(long, value_name = "DIR")]
    pub(super) catalog: Option<PathBuf>,
    /// File of agreements [default: that beside the catalogue, else that of the node].
    #[arg(long, value_name = "FILE")]
    pub(super) agreements: Option<PathBuf>,
}

/// What cases are tried on.
pub(super) struct Ground {
    pub(super) catalog: Catalog,
    pub(super) agreements: Agreements,
}

impl GroundArgs {
    /// For recorded calls: what is not named is that of the node, if there is one in --dir.
    pub(super) fn load_for_calls(&self, home: &Home) -> anyhow::Result<Ground> {
        if !home.settings_file().exists() {
            return self.load(home);
        }
        let paths = home.settings()?.paths;
        let named = Self {
            catalog: Some(self.catalog.clone().unwrap_or(paths.catalog)),
            agreements: Some(self.agreements.clone().unwrap_or(paths.agreements)),
        };
        named.load(home)
    }

    pub(super) fn load(&self, home: &Home) -> anyhow::Result<Ground> {
        let here = Path::new(CATALOG).is_dir() && self.agreements.is_none();
        let (catalog, agreements) = match (&self.catalog, &self.agreements) {
            (Some(catalog), Some(agreements)) => (catalog.clone(), agreements.clone()),
            (Some(catalog), None) if here => (catalog.clone(), AGREEMENTS.into()),
            (None, None) if here => (CATALOG.into(), AGREEMENTS.into()),
            (catalog, agreements) => {
                let paths = home.settings()?.paths;
                (catalog.clone().unwrap_or(paths.catalog), agreements.clone().unwrap_or(paths.agreements))
            }
        };
        let catalog = catalog::load(&catalog)?;
        let agreements = agreements::load(&agreements, &catalog)?;
        Ok(Ground { catalog, agreements })
    }
}

/// The folder that was named; else that of the checkout, or of the node.
pub(super) fn folder(named: Option<&PathBuf>, home: &Home) -> anyhow::Result<PathBuf> {
    match named {
        Some(folder) => Ok(folder.clone()),
        None if Path::new(POLICIES).is_dir() => Ok(POLICIES.into()),
        None => Ok(home.settings()?.paths.policies),
    }
}

/// The cases of a set's files; or everything that is wrong with them.
pub(super) fn cases(
    files: &PolicyFiles,
    set: &PolicySet,
    ground: &Ground,
) -> Result<Vec<Case>, Vec<catalog::Complaint>> {
    policy::cases(&files.cases, set, &ground.catalog, &|department, dataset, item, day| {
        ground.agreements.find(department, dataset, item, day).cloned()
    })
}
