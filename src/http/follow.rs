//! What calls are decided by, read from the files and the ledger, and read again whenever the ledger says that it changed.

use std::sync::{Arc, atomic::Ordering};

use chrono::{DateTime, TimeDelta, Utc};

use super::{Node, NodeError};
use crate::{
    agreements, catalog, config::Settings, exchange::Rights, ledger::Ledger, objections::Marks, policy::PolicySet,
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
        let mut rights = self.exchange.rights();
        let (suspensions, objections) = (self.ledger.suspensions().await?, marks(&self.ledger, self.now()).await?);
        // Rights are replaced only where they differ: decisions that were made by the old ones are forgotten with them.
        if *rights.suspensions != suspensions || *rights.objections != objections {
            tracing::info!(stopped = suspensions.iter().count(), "what calls are decided by has changed");
            rights.suspensions = Arc::new(suspensions);
            rights.objections = Arc::new(objections);
            self.exchange.set_rights(rights);
        }
        self.stamp.store(stamp, Ordering::Relaxed);
        Ok(())
    }
}

/// Everything that calls are decided by, and the stamp that it was read under. The stamp is read first: a change in between
/// is then read again next time, never missed.
pub(super) async fn read_rights(
    settings: &Settings,
    ledger: &Ledger,
    now: DateTime<Utc>,
) -> Result<(i64, Rights), NodeError> {
    let stamp = ledger.stamp().await?;
    let paths = &settings.paths;
    let catalog = Arc::new(catalog::load(&paths.catalog)?);
    let agreements = Arc::new(agreements::load(&paths.agreements, &catalog)?);
    let policies = Arc::new(PolicySet::load(&paths.policies)?);
    let suspensions = Arc::new(ledger.suspensions().await?);
    let objections = Arc::new(marks(ledger, now).await?);
    Ok((stamp, Rights { catalog, agreements, policies, suspensions, objections }))
}

async fn marks(ledger: &Ledger, now: DateTime<Utc>) -> Result<Marks, NodeError> {
    Ok(Marks::new(ledger.objection_marks(now - CORRECTIONS_SHOWN).await?))
}
