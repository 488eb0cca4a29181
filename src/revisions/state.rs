//! Which catalogue is published, and how the first one came to be.

use std::{collections::BTreeSet, path::Path, sync::Arc};

use chrono::{DateTime, Utc};

use super::{damaged, failed, sources};
use crate::{
    catalog::{Catalog, CatalogError, Sources},
    identifiers::AgreementId,
    ledger::{Ledger, LedgerError, Revision},
    problem::{Code, Problem},
};

/// The published catalogue, with the revision that it is.
#[derive(Clone, Debug)]
pub struct Current {
    pub revision: Revision,
    pub catalog: Arc<Catalog>,
}

/// The catalogue that is published.
pub async fn current(ledger: &Ledger) -> Result<Current, Problem> {
    let Some(revision) = ledger.published_revision().await.map_err(failed)? else {
        return Err(Problem::new(Code::NotFound, "no catalogue is published yet")
            .remedy("Start the node once: its files make the first revision."));
    };
    let catalog = sources(ledger, revision.number).await?.check();
    let catalog = catalog.map_err(|error| damaged(revision.number, &error))?;
    Ok(Current { revision, catalog: Arc::new(catalog) })
}

/// Why the first revision could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// Where no catalogue is published, let the files of that folder be the first; true if they were made it.
///
/// Files that do not hold together are complained about and not taken.
pub async fn seed(ledger: &Ledger, folder: &Path, now: DateTime<Utc>) -> Result<bool, SeedError> {
    if ledger.published_revision().await?.is_some() {
        return Ok(false);
    }
    crate::catalog::load(folder)?;
    let sources = Sources::read(folder)?;
    Ok(ledger.seed_catalog(&sources.hash(), &sources.to_json(), now).await?)
}

/// Agreements that a published revision has ended, now or before.
pub async fn ended(ledger: &Ledger) -> Result<BTreeSet<AgreementId>, LedgerError> {
    ledger.ended_by_revisions().await
}
