//! The desk of a node, and its look at the clocks of applications.

use super::Node;
use crate::{agreements::Desk, exchange::Rights};

impl Node {
    /// Where applications are made and answered, by what is in force now.
    pub(super) fn desk<'a>(&'a self, rights: &'a Rights) -> Desk<'a> {
        Desk {
            ledger: &self.ledger,
            catalog: &rights.catalog,
            agreements: &rights.agreements,
            calendar: &self.calendar,
            clocks: &self.settings.clocks,
        }
    }

    /// Say what is overdue, and note what has come into use.
    pub(super) async fn look_at_clocks(&self) {
        let rights = self.exchange.rights();
        let is_served = |dataset: &_| self.engine.serving(dataset).is_some();
        match Box::pin(self.desk(&rights).sweep(self.now(), is_served)).await {
            Ok(sweep) => {
                for (application, level) in sweep.escalated {
                    tracing::warn!(%application, level, "an application is overdue");
                }
            }
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "the clocks of applications could not be read"
                );
            }
        }
    }
}
