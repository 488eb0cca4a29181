//! Where a policy command finds the policies, the catalogue and the agreements.
//!
//! What is named comes first. Else, to check and test: the folders of a checkout, where one stands in it; else those of the
//! node. Recorded calls are a node's, so for them its own come before those of a checkout.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context;
use chrono::{DateTime, Utc};
use clap::Args;

use crate::{
    agreements::{self, Agreements},
    catalog::{self, Catalog},
    cli::home::Home,
    http::{open_ledger, read_rights},
    ledger::Ledger,
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
    pub(super) catalog: Arc<Catalog>,
    pub(super) agreements: Arc<Agreements>,
}

/// What recorded calls are decided by again.
pub(super) struct GroundOfCalls {
    pub(super) ground: Ground,
    /// Those in force.
    pub(super) policies: Arc<PolicySet>,
    /// Of the node, if there is one.
    pub(super) log: Option<PathBuf>,
    pub(super) ledger: Option<Ledger>,
}

impl GroundArgs {
    /// For recorded calls: what is not named is that of the node, if there is one in --dir, as the node itself reads it.
    pub(super) async fn load_for_calls(
        &self,
        policies: Option<&Path>,
        home: &Home,
        now: DateTime<Utc>,
    ) -> anyhow::Result<GroundOfCalls> {
        if !home.settings_file().exists() {
            let policies = policies.context("name the policies in force by --policies, or the node by --dir")?;
            let policies = Arc::new(PolicyFiles::read(policies)?.set()?);
            return Ok(GroundOfCalls { ground: self.load(home)?, policies, log: None, ledger: None });
        }
        let settings = home.settings()?;
        let ledger = open_ledger(&settings).await?;
        let (_, rights, _) = read_rights(&settings, &ledger, now).await?;
        let catalog = match &self.catalog {
            Some(folder) => Arc::new(catalog::load(folder)?),
            None => rights.catalog,
        };
        let agreements = match &self.agreements {
            Some(file) => Arc::new(agreements::load(file, &catalog)?),
            None => rights.agreements,
        };
        let policies = match policies {
            Some(folder) => Arc::new(PolicyFiles::read(folder)?.set()?),
            None => rights.policies,
        };
        let ground = Ground { catalog, agreements };
        Ok(GroundOfCalls { ground, policies, log: Some(settings.paths.audit()), ledger: Some(ledger) })
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
        let catalog = Arc::new(catalog::load(&catalog)?);
        let agreements = Arc::new(agreements::load(&agreements, &catalog)?);
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
