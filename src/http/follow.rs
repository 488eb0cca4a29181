//! What calls are decided by, read from the files and the ledger, and read again whenever the ledger says that it changed.
//!
//! What is stopped, revoked and objected to is taken here, at once; policies and catalogue, which have to be proven, in `laws`.

use std::sync::{Arc, atomic::Ordering};

use chrono::{DateTime, TimeDelta, Utc};

use super::{Node, NodeError};
use crate::{
    agreements::{self, Agreements},
    catalog::{Catalog, Sources},
    config::Settings,
    exchange::Rights,
    ledger::Ledger,
    objections::Marks,
    policy::{PolicyFiles, PolicySet},
    revisions::{self, Current},
};

/// How long answers say that their record was corrected.
const CORRECTIONS_SHOWN: TimeDelta = TimeDelta::days(365);

impl Node {
    /// See whether anybody has changed what calls are decided by, and decide by it from the next call on.
    ///
    /// One small query where nothing has changed. What cannot be read leaves everything as it was, to be tried again.
    pub(super) async fn follow(&self) {
        if let Err(error) = self.take_changes().await {
            tracing::error!(error = &error as &dyn std::error::Error, "a change in the ledger could not be taken");
        }
    }

    async fn take_changes(&self) -> Result<(), NodeError> {
        let stamp = self.ledger.stamp().await?;
        if stamp == self.stamp.load(Ordering::Relaxed) {
            return Ok(());
        }
        let _taking = self.taking.lock().await;
        self.directory.refresh().await?;
        self.take_stops().await?;
        self.take_agreements().await?;
        self.stamp.store(stamp, Ordering::Relaxed);
        Ok(())
    }

    /// What is suspended, and what is objected to.
    async fn take_stops(&self) -> Result<(), NodeError> {
        let known = self.exchange.rights();
        let (suspensions, objections) = (self.ledger.suspensions().await?, marks(&self.ledger, self.now()).await?);
        // Rights are replaced only where they differ: decisions that were made by the old ones are forgotten with them.
        if *known.suspensions != suspensions || *known.objections != objections {
            tracing::info!(stopped = suspensions.iter().count(), "what is suspended or objected to has changed");
            let (suspensions, objections) = (Arc::new(suspensions), Arc::new(objections));
            self.exchange.change_rights(|rights| {
                rights.suspensions = Arc::clone(&suspensions);
                rights.objections = Arc::clone(&objections);
            });
        }
        Ok(())
    }

    /// What was granted, suspended or revoked.
    async fn take_agreements(&self) -> Result<(), NodeError> {
        let known = self.exchange.rights().agreements;
        if self.ledger.agreed_mark().await? == known.mark() {
            return Ok(());
        }
        let agreements = Arc::new(known.join(&self.ledger.agreed().await?)?);
        tracing::info!(agreements = agreements.iter().count(), "what is agreed has changed");
        self.exchange.change_rights(|rights| rights.agreements = Arc::clone(&agreements));
        Ok(())
    }
}

/// The policies that decide: those that are active in the ledger; else those in the folder.
async fn policies(settings: &Settings, ledger: &Ledger) -> Result<PolicySet, NodeError> {
    match ledger.active_policy_set().await? {
        Some(active) => kept(ledger, &active.hash).await,
        None => Ok(PolicySet::load(&settings.paths.policies)?),
    }
}

pub(super) async fn kept(ledger: &Ledger, hash: &str) -> Result<PolicySet, NodeError> {
    let texts = ledger.policy_set_files(hash).await?.unwrap_or_default();
    Ok(PolicyFiles::from_texts(texts)?.set()?)
}

/// Everything that calls are decided by, and the stamp that it was read under. The stamp is read first: a change in between
/// is then read again next time, never missed.
pub async fn read_rights(
    settings: &Settings,
    ledger: &Ledger,
    now: DateTime<Utc>,
) -> Result<(i64, Rights, Current), NodeError> {
    seed(settings, ledger, now).await?;
    let stamp = ledger.stamp().await?;
    let current = revisions::current(ledger).await?;
    let catalog = Arc::clone(&current.catalog);
    let agreements = Arc::new(held(settings, ledger, &catalog).await?);
    let policies = Arc::new(policies(settings, ledger).await?);
    let suspensions = Arc::new(ledger.suspensions().await?);
    let objections = Arc::new(marks(ledger, now).await?);
    Ok((stamp, Rights { catalog, agreements, policies, suspensions, objections, unproven: None }, current))
}

/// The node's files make the first catalogue; after that they are what somebody may propose.
async fn seed(settings: &Settings, ledger: &Ledger, now: DateTime<Utc>) -> Result<(), NodeError> {
    let folder = &settings.paths.catalog;
    if revisions::seed(ledger, folder, now).await? {
        tracing::info!(folder = %folder.display(), "the catalogue's first revision was read from files");
        return Ok(());
    }
    let published = ledger.published_revision().await?;
    if let (Some(published), Ok(files)) = (published, Sources::read(folder))
        && files.hash() != published.hash
    {
        tracing::warn!(
            revision = published.number,
            folder = %folder.display(),
            "the files differ from the published catalogue and are not used; `shuqiao catalog apply` proposes them"
        );
    }
    Ok(())
}

/// The agreements of the node's file and of the ledger, but for those that a change of the catalogue has ended.
pub(super) async fn held(settings: &Settings, ledger: &Ledger, catalog: &Catalog) -> Result<Agreements, NodeError> {
    let ended = revisions::ended(ledger).await?;
    let declared = agreements::load_except(&settings.paths.agreements, catalog, &ended)?;
    let mut agreed = ledger.agreed().await?;
    agreed.granted.retain(|agreement| !ended.contains(&agreement.id));
    Ok(declared.join(&agreed)?)
}

async fn marks(ledger: &Ledger, now: DateTime<Utc>) -> Result<Marks, NodeError> {
    Ok(Marks::new(ledger.objection_marks(now - CORRECTIONS_SHOWN).await?))
}
