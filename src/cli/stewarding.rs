//! What the commands on applications and agreements work with.

use chrono::{DateTime, Utc};

use super::acting::Acting;
use crate::{
    agreements::Desk,
    calendar::Calendar,
    config::Settings,
    exchange::Rights,
    http::{open_ledger, read_rights},
    identifiers::Role,
    ledger::{Actor, Ledger, ON_SITE},
};

/// Ledger, catalogue, agreements and calendar of a node.
pub(super) struct Office {
    pub(super) ledger: Ledger,
    rights: Rights,
    pub(super) calendar: Calendar,
    settings: Settings,
}

impl Office {
    pub(super) async fn open(settings: Settings, now: DateTime<Utc>) -> anyhow::Result<Self> {
        let calendar = Calendar::load(settings.paths.workdays.path())?;
        let ledger = open_ledger(&settings).await?;
        let (_, rights, _) = read_rights(&settings, &ledger, now).await?;
        Ok(Self { ledger, rights, calendar, settings })
    }

    pub(super) fn desk(&self) -> Desk<'_> {
        Desk {
            ledger: &self.ledger,
            catalog: &self.rights.catalog,
            agreements: &self.rights.agreements,
            calendar: &self.calendar,
            clocks: &self.settings.clocks,
        }
    }
}

/// Who reads. Whoever works on the node itself without an account could read the whole ledger anyway.
pub(super) async fn reader(acting: &Acting, ledger: &Ledger) -> anyhow::Result<Actor> {
    if acting.name(ledger).await? != ON_SITE {
        return acting.actor(ledger).await;
    }
    Ok(Actor { account: ON_SITE.parse()?, department: ON_SITE.parse()?, roles: [Role::Auditor].into_iter().collect() })
}
