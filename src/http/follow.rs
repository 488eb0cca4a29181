//! What calls are decided by, read from the files and the ledger, and read again whenever the ledger says that it changed.

use std::sync::{Arc, atomic::Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use metrics::counter;

use super::{Node, NodeError, shelf::Shelf};
use crate::{
    agreements::{self, Agreements},
    catalog::{Catalog, Sources},
    config::Settings,
    exchange::{Rights, day_in_china, prove_the_locks},
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
        self.directory.refresh().await?;
        self.take_stops().await?;
        self.take_agreements().await?;
        // Each by itself, after what was stopped and revoked: what cannot be taken must keep nothing going.
        let (policies, catalog) = (self.take_policies().await, self.take_catalog().await);
        policies.and(catalog)?;
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

    /// The published catalogue, where it is another than the one in use.
    async fn changed_catalog(&self) -> Result<Option<Current>, NodeError> {
        let published = self.ledger.published_revision().await?.map(|revision| revision.number);
        if published.is_none_or(|number| number == self.shelf().revision) {
            return Ok(None);
        }
        Ok(Some(revisions::current(&self.ledger).await?))
    }

    /// Decide, serve and show by a new catalogue, once its locks are proven.
    async fn take_catalog(&self) -> Result<(), NodeError> {
        let Some(current) = self.changed_catalog().await? else { return Ok(()) };
        let agreements = Arc::new(held(&self.settings, &self.ledger, &current.catalog).await?);
        let policies = self.exchange.rights().policies;
        prove_the_locks(&current.catalog, &agreements, &policies, day_in_china(self.now()))?;
        // The engine first: it answers calls of the catalogue before as well, by the names of their fields.
        for error in self.engine.take(&current.catalog).await? {
            counter!("shuqiao_version_errors_total").increment(1);
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "a register does not fit the new catalogue and is not served until it is published again"
            );
        }
        self.exchange.change_rights(|rights| {
            rights.catalog = Arc::clone(&current.catalog);
            rights.agreements = Arc::clone(&agreements);
        });
        self.shelf.store(Arc::new(Shelf::new(&current)));
        tracing::info!(revision = current.revision.number, "the catalogue has changed");
        Ok(())
    }
}

impl Node {
    /// Decide by the policy set that is active in the ledger. One that does not pass the probes here is not used: the node
    /// goes on with the one before, which did.
    async fn take_policies(&self) -> Result<(), NodeError> {
        let Some(active) = self.ledger.active_policy_set().await? else { return Ok(()) };
        let mut rights = self.exchange.rights();
        self.policies_of_ledger.store(true, Ordering::Relaxed);
        if rights.policies.hash() == active.hash {
            return Ok(());
        }
        rights.policies = Arc::new(kept(&self.ledger, &active.hash).await?);
        let (proved, today) = (rights.clone(), day_in_china(self.now()));
        let proving =
            move || prove_the_locks(&proved.catalog, &proved.agreements, &proved.policies, today).map(|_| proved);
        match tokio::task::spawn_blocking(proving).await {
            Ok(Ok(proved)) => {
                tracing::info!(policies = active.hash, "another policy set decides");
                self.exchange.change_rights(|rights| rights.policies = Arc::clone(&proved.policies));
            }
            Ok(Err(failed)) => {
                let error = &failed as &dyn std::error::Error;
                tracing::error!(error, policies = active.hash, "the active policy set is not used here");
            }
            Err(error) => tracing::error!(error = &error as &dyn std::error::Error, "policies could not be proved"),
        }
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

async fn kept(ledger: &Ledger, hash: &str) -> Result<PolicySet, NodeError> {
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
    Ok((stamp, Rights { catalog, agreements, policies, suspensions, objections }, current))
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
async fn held(settings: &Settings, ledger: &Ledger, catalog: &Catalog) -> Result<Agreements, NodeError> {
    let ended = revisions::ended(ledger).await?;
    let declared = agreements::load_except(&settings.paths.agreements, catalog, &ended)?;
    let mut agreed = ledger.agreed().await?;
    agreed.granted.retain(|agreement| !ended.contains(&agreement.id));
    Ok(declared.join(&agreed)?)
}

async fn marks(ledger: &Ledger, now: DateTime<Utc>) -> Result<Marks, NodeError> {
    Ok(Marks::new(ledger.objection_marks(now - CORRECTIONS_SHOWN).await?))
}
