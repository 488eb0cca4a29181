//! Policies and catalogue: taken from the ledger once the locks are proven under both.
//!
//! A probe that gets through stops the node (promise 8): it does not go on by the laws before, which may allow what somebody
//! has just taken away. It answers nothing and says why, until a set and a catalogue pass.
//!
//! Proving may take seconds where there are thousands of agreements, so it waits for nobody and nobody waits for it: what is
//! stopped and revoked meanwhile is taken beside it (`follow`).

use std::sync::{Arc, atomic::Ordering};

use metrics::counter;

use super::{
    Node, NodeError,
    follow::{held, kept},
    shelf::Shelf,
};
use crate::{
    agreements::Agreements,
    exchange::{day_in_china, prove_the_locks},
    policy::PolicySet,
    problem::{Code, Problem},
    revisions::{self, Current},
};

/// Somebody has to mend the laws first.
const RETRY_SECONDS: u64 = 60;

impl Node {
    /// See whether policies or catalogue have changed, and decide by them from the next call on, or by nothing.
    pub(super) async fn follow_laws(&self) {
        if let Err(error) = self.take_changed_laws().await {
            tracing::error!(error = &error as &dyn std::error::Error, "a change of the laws could not be taken");
        }
    }

    async fn take_changed_laws(&self) -> Result<(), NodeError> {
        let stamp = self.ledger.stamp().await?;
        if stamp == self.laws_stamp.load(Ordering::Relaxed) {
            return Ok(());
        }
        let _proving = self.proving.lock().await;
        match self.take_laws().await {
            // Tried again when the ledger changes: until then it would come to the same.
            Err(error) if is_of_the_laws(&error) => self.close(&error),
            done => done?,
        }
        self.laws_stamp.store(stamp, Ordering::Relaxed);
        Ok(())
    }

    async fn take_laws(&self) -> Result<(), NodeError> {
        let (policies, current) = (self.changed_policies().await?, self.changed_catalog().await?);
        if policies.is_none() && current.is_none() {
            self.open_again();
            return Ok(());
        }
        let rights = self.exchange.rights();
        let policies = policies.unwrap_or(rights.policies);
        let (catalog, agreements) = match &current {
            Some(current) => {
                (Arc::clone(&current.catalog), Arc::new(held(&self.settings, &self.ledger, &current.catalog).await?))
            }
            None => (rights.catalog, rights.agreements),
        };
        let (proving, today) = (Arc::clone(&policies), day_in_china(self.now()));
        // Off the runtime's threads: calls wait behind whatever holds one of them.
        let proved = tokio::task::spawn_blocking(move || prove_the_locks(&catalog, &agreements, &proving, today)).await;
        proved.map_err(|_| Problem::new(Code::Internal, "the locks could not be proven"))??;
        self.decide_by(&policies, current.as_ref()).await
    }

    /// The policy set that is active in the ledger, where it is another than the one in use.
    async fn changed_policies(&self) -> Result<Option<Arc<PolicySet>>, NodeError> {
        let Some(active) = self.ledger.active_policy_set().await? else { return Ok(None) };
        // The folder's have no say any longer, whether they passed or not.
        self.policies_of_ledger.store(true, Ordering::Relaxed);
        self.reload_failed.store(false, Ordering::Relaxed);
        if self.exchange.rights().policies.hash() == active.hash {
            return Ok(None);
        }
        Ok(Some(Arc::new(kept(&self.ledger, &active.hash).await?)))
    }

    /// The published catalogue, where it is another than the one in use.
    async fn changed_catalog(&self) -> Result<Option<Current>, NodeError> {
        let published = self.ledger.published_revision().await?.map(|revision| revision.number);
        if published.is_none_or(|number| number == self.shelf().revision) {
            return Ok(None);
        }
        Ok(Some(revisions::current(&self.ledger).await?))
    }

    /// From now on, all at once. What was revoked while the locks were proven stays revoked.
    async fn decide_by(&self, policies: &Arc<PolicySet>, current: Option<&Current>) -> Result<(), NodeError> {
        let _taking = self.taking.lock().await;
        let (catalog, shelf) = match current {
            Some(current) => {
                (Some((&current.catalog, self.serve_by(current).await?)), Some(Arc::new(Shelf::new(current))))
            }
            None => (None, None),
        };
        let still_closed = self.reload_failed.load(Ordering::Relaxed);
        self.exchange.change_rights(|rights| {
            rights.policies = Arc::clone(policies);
            rights.unproven = rights.unproven.take().filter(|_| still_closed);
            if let Some((catalog, agreements)) = &catalog {
                rights.catalog = Arc::clone(catalog);
                rights.agreements = Arc::clone(agreements);
            }
        });
        if let Some(shelf) = shelf {
            tracing::info!(revision = shelf.revision, "the catalogue has changed");
            self.shelf.store(shelf);
        }
        tracing::info!(policies = policies.hash(), "these policies decide");
        Ok(())
    }

    /// Let the engine serve by a new catalogue, before calls are decided by it: it answers calls of the one before as well, by
    /// the names of their fields. The agreements under it.
    async fn serve_by(&self, current: &Current) -> Result<Arc<Agreements>, NodeError> {
        let agreements = Arc::new(held(&self.settings, &self.ledger, &current.catalog).await?);
        for error in self.engine.take(&current.catalog).await? {
            counter!("shuqiao_version_errors_total").increment(1);
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "a register does not fit the new catalogue and is not served until it is published again"
            );
        }
        Ok(agreements)
    }

    /// Answer nothing until the laws are proven.
    pub(super) fn close(&self, error: &NodeError) {
        tracing::error!(
            error = error as &dyn std::error::Error,
            "the laws in force do not pass here; no call is answered until they do"
        );
        let detail = format!("the policies and the catalogue in force are not proven: {error}");
        let remedy =
            "Let the data steward approve a set that passes, or roll back; calls are answered by themselves then.";
        let problem = Problem::new(Code::NotReady, detail).remedy(remedy).retry_after(RETRY_SECONDS);
        self.exchange.change_rights(|rights| rights.unproven = Some(problem.clone()));
    }

    /// The laws in use are those in force, which were proven.
    fn open_again(&self) {
        let closed = self.exchange.rights().unproven.is_some();
        if closed && !self.reload_failed.load(Ordering::Relaxed) {
            tracing::info!("the laws in use are in force again; calls are answered");
            self.exchange.change_rights(|rights| rights.unproven = None);
        }
    }
}

/// Does it lie in the laws themselves? A ledger that cannot be asked says nothing about them.
fn is_of_the_laws(error: &NodeError) -> bool {
    match error {
        NodeError::Probe(_) | NodeError::Policy(_) | NodeError::Catalog(_) | NodeError::Agreements(_) => true,
        NodeError::Revision(problem) => problem.code == Code::CatalogInvalid,
        _ => false,
    }
}
