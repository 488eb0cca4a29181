//! All entries that this node knows of, its own and those it has heard, as they are searched and shown.
//!
//! In memory, and brought up to date by what the ledger's feed has since: a small query where nothing has changed.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::Arc,
};

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    catalog::{Catalog, Entry, SearchIndex, dcat::Elsewhere},
    identifiers::{DatasetId, NodeId},
    ledger::{FeedEntry, Ledger, LedgerError},
};

/// Changes read from the ledger at once.
const AT_ONCE: i64 = 1_000;

/// An entry's name: the same dataset of two nodes is two entries. In text `dataset@origin`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name {
    pub dataset: DatasetId,
    pub origin: NodeId,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.dataset, self.origin)
    }
}

/// One entry.
#[derive(Clone, Debug)]
pub struct Listed {
    pub name: Name,
    pub entry: Arc<Entry>,
    /// The nodes that it has passed, its origin first; of an own entry this node alone.
    pub path: Vec<NodeId>,
    /// When its origin changed it. Of an own entry none, where it is not in the feed.
    pub as_of: Option<DateTime<Utc>>,
}

/// When each entry's origin was last heard to its end, over which node.
#[derive(Clone, Debug, Default)]
pub struct Freshness(HashMap<(NodeId, NodeId), DateTime<Utc>>);

impl Freshness {
    pub async fn read(ledger: &Ledger) -> Result<Self, LedgerError> {
        let all = ledger.confirmed_origins().await?;
        Ok(Self(all.into_iter().map(|one| ((one.origin, one.sender), one.at)).collect()))
    }

    /// None: never yet to its end.
    pub fn confirmed(&self, listed: &Listed) -> Option<DateTime<Utc>> {
        let sender = listed.path.last()?;
        self.0.get(&(listed.name.origin.clone(), sender.clone())).copied()
    }

    /// Was the entry not confirmed for longer than that?
    pub fn is_stale(&self, listed: &Listed, after: TimeDelta, now: DateTime<Utc>) -> bool {
        self.confirmed(listed).is_none_or(|at| now - at > after)
    }
}

/// All entries.
#[derive(Debug)]
pub struct Everywhere {
    feed: String,
    newest: i64,
    catalog: Arc<Catalog>,
    own: NodeId,
    /// By name; of other nodes.
    heard: BTreeMap<Name, Arc<Listed>>,
    own_as_of: BTreeMap<DatasetId, DateTime<Utc>>,
    /// Own entries too, in the order of their names as text.
    all: BTreeMap<String, Arc<Listed>>,
    index: SearchIndex<Name>,
}

impl Everywhere {
    /// Everything, as the ledger has it now: `before` where that is still true.
    pub async fn follow(
        before: Option<Arc<Self>>,
        ledger: &Ledger,
        own: &NodeId,
        catalog: &Arc<Catalog>,
    ) -> Result<Arc<Self>, LedgerError> {
        let mark = ledger.feed().await?;
        let before = before.filter(|before| before.feed == mark.id);
        if let Some(before) = &before
            && before.newest == mark.newest
            && Arc::ptr_eq(&before.catalog, catalog)
        {
            return Ok(Arc::clone(before));
        }
        let mut newest = before.as_ref().map_or(0, |before| before.newest);
        let mut changes = Vec::new();
        loop {
            let part = ledger.feed_after(newest, AT_ONCE).await?;
            let Some(last) = part.last() else { break };
            newest = last.number;
            changes.extend(part);
        }
        let (own, catalog) = (own.clone(), Arc::clone(catalog));
        // Off the runtime's threads: calls wait behind whatever holds one of them.
        let made = move || Arc::new(Self::made(before.as_deref(), changes, (mark.id, newest), own, catalog));
        tokio::task::spawn_blocking(made)
            .await
            .map_err(|_| LedgerError::Damaged { reason: "the catalogue of all could not be made".to_owned() })
    }

    fn made(
        before: Option<&Self>,
        changes: Vec<FeedEntry>,
        (feed, newest): (String, i64),
        own: NodeId,
        catalog: Arc<Catalog>,
    ) -> Self {
        let mut heard = before.map(|before| before.heard.clone()).unwrap_or_default();
        let mut own_as_of = before.map(|before| before.own_as_of.clone()).unwrap_or_default();
        for FeedEntry { entry: change, .. } in changes {
            if change.origin == own {
                own_as_of.insert(change.dataset, change.changed);
                continue;
            }
            let name = Name { dataset: change.dataset, origin: change.origin };
            match change.text.as_deref().map(Entry::read) {
                Some(Ok(entry)) => {
                    let (entry, path, as_of) = (Arc::new(entry), change.path, Some(change.changed));
                    heard.insert(name.clone(), Arc::new(Listed { name, entry, path, as_of }));
                }
                Some(Err(error)) => {
                    // An older program than the one that took it.
                    tracing::warn!(entry = %name, error = &error as &dyn std::error::Error, "an entry is not shown");
                    heard.remove(&name);
                }
                None => {
                    heard.remove(&name);
                }
            }
        }
        let of_own = catalog.datasets.values().filter_map(|dataset| {
            let name = Name { dataset: dataset.id.clone(), origin: own.clone() };
            let (entry, as_of) = (Arc::new(Entry::of(&catalog, dataset)?), own_as_of.get(&dataset.id).copied());
            Some(Arc::new(Listed { name, entry, path: vec![own.clone()], as_of }))
        });
        let all: BTreeMap<_, _> =
            of_own.chain(heard.values().cloned()).map(|listed| (listed.name.to_string(), listed)).collect();
        let index = SearchIndex::of_entries(all.values().map(|one| (one.name.clone(), one.entry.as_ref())));
        Self { feed, newest, catalog: Arc::clone(&catalog), own, heard, own_as_of, all, index }
    }

    /// In the order of their names as text.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Listed>> {
        self.all.values()
    }

    /// Those of other nodes, to be exported.
    pub fn elsewhere(&self) -> Vec<Elsewhere<'_>> {
        self.heard.values().filter_map(|one| Some(Elsewhere { entry: &one.entry, as_of: one.as_of? })).collect()
    }

    pub fn get(&self, name: &Name) -> Option<&Arc<Listed>> {
        self.all.get(&name.to_string())
    }

    /// What answers every term of the question, the best first, with how well.
    pub fn search(&self, question: &str) -> Vec<(&Arc<Listed>, u32)> {
        let hits = self.index.search(question).into_iter();
        hits.filter_map(|hit| Some((self.get(&hit.target)?, hit.score))).collect()
    }

    /// Is it an entry of this node?
    pub fn is_own(&self, listed: &Listed) -> bool {
        listed.name.origin == self.own
    }
}
