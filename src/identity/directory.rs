//! The registered clients, in memory: what every call looks at instead of the ledger.
//!
//! A reader takes no lock. The picture is replaced as a whole by [`ClientDirectory::refresh`], which costs one small
//! query when nothing has changed; whoever runs a node calls it when the ledger's stamp has moved, so that a suspension made
//! by any process is seen within a second.

use std::{collections::HashMap, sync::Arc};

use arc_swap::{ArcSwap, Guard};
use tokio::sync::Mutex;

use super::jwks::KeySet;
use crate::{
    identifiers::ClientId,
    ledger::{Client, Ledger, LedgerError},
};

/// A client and its usable keys.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) client: Client,
    pub(super) keys: KeySet,
}

/// The clients as they stood at one revision of the ledger.
#[derive(Debug)]
pub(super) struct Snapshot {
    revision: i64,
    entries: HashMap<ClientId, Entry>,
}

impl Snapshot {
    pub(super) fn find(&self, id: &str) -> Option<&Entry> {
        self.entries.get(id)
    }
}

/// The registered clients, in memory.
#[derive(Debug)]
pub struct ClientDirectory {
    ledger: Ledger,
    snapshot: ArcSwap<Snapshot>,
    /// Refreshes take turns, so that an older picture never replaces a newer one.
    turn: Mutex<()>,
}

impl ClientDirectory {
    /// Read the clients of that ledger.
    pub async fn open(ledger: Ledger) -> Result<Self, LedgerError> {
        let snapshot = ArcSwap::from_pointee(read(&ledger).await?);
        Ok(Self { ledger, snapshot, turn: Mutex::new(()) })
    }

    /// See what has changed. `true`: something had. After an error the old picture stands.
    pub async fn refresh(&self) -> Result<bool, LedgerError> {
        let _turn = self.turn.lock().await;
        if self.ledger.stamp().await? == self.snapshot.load().revision {
            return Ok(false);
        }
        self.snapshot.store(Arc::new(read(&self.ledger).await?));
        Ok(true)
    }

    pub(super) fn snapshot(&self) -> Guard<Arc<Snapshot>> {
        self.snapshot.load()
    }

    pub(super) fn ledger(&self) -> &Ledger {
        &self.ledger
    }
}

/// The revision is read first: a change in between is then read again next time, never missed.
async fn read(ledger: &Ledger) -> Result<Snapshot, LedgerError> {
    let revision = ledger.stamp().await?;
    let entry = |client: Client| {
        // A key set that cannot be read is a client without keys: refused, by name, where it calls.
        let keys = KeySet::from_json(client.keys.as_json()).unwrap_or_default();
        (client.id.clone(), Entry { client, keys })
    };
    let entries = ledger.clients().await?.into_iter().map(entry).collect();
    Ok(Snapshot { revision, entries })
}

#[cfg(test)]
mod tests {
    use super::{super::fixture::Bench, *};
    use crate::ledger::ClientStatus;

    #[tokio::test]
    async fn a_change_by_another_process_is_seen_at_the_next_refresh() {
        let bench = Bench::new().await;
        assert!(!bench.directory.refresh().await.unwrap());
        let other_process = Ledger::open(&bench.ledger_path()).await.unwrap();
        other_process.set_client_status(&bench.client, ClientStatus::Suspended, bench.now).await.unwrap();
        let status = || bench.directory.snapshot().find(bench.client.as_str()).unwrap().client.status;
        assert_eq!(status(), ClientStatus::Active);
        assert!(bench.directory.refresh().await.unwrap());
        assert_eq!(status(), ClientStatus::Suspended);
        assert!(!bench.directory.refresh().await.unwrap());
    }
}
