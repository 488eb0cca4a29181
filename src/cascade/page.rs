//! What a node tells of its catalogue: its own entries, and those that it has heard.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    catalog::{Catalog, Entry},
    identifiers::{DatasetId, NodeId},
    ledger::{FeedEntry, Ledger, LedgerError},
};

/// Changes in one page, where nothing was said and at most.
const CHANGES_MAX: i64 = 200;
/// Texts in one page; the first is told however long it is.
const BYTES_MAX: usize = 1 << 20;

/// Which part of a feed is asked for.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Asked {
    /// The feed that was heard before; another one is told from its beginning.
    pub feed: Option<String>,
    /// After this number.
    pub after: Option<i64>,
    /// Changes, at most.
    pub limit: Option<i64>,
}

/// A part of a feed, as it is told. Members that a newer program adds are passed over.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Page {
    pub feed: String,
    /// The part begins after this number.
    pub from: i64,
    /// The last number of the feed.
    pub newest: i64,
    /// The feed goes on after this number; absent at its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<i64>,
    /// When the feeds of the nodes below were last heard to their end.
    #[serde(default)]
    pub origins: BTreeMap<NodeId, DateTime<Utc>>,
    /// Each a [`Told`]; one that is not in order holds up no other.
    pub changes: Vec<Value>,
}

/// One change of a feed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Told {
    pub(super) number: i64,
    pub(super) origin: NodeId,
    pub(super) dataset: DatasetId,
    /// The nodes that it has passed, from its origin to the one that tells it.
    pub(super) path: Vec<NodeId>,
    pub(super) changed: DateTime<Utc>,
    /// The entry as a file of a catalogue; null: it is no longer published.
    pub(super) entry: Option<Value>,
}

/// Have in the feed what this node publishes: the datasets whose provider is on it. How many entries have changed.
pub async fn hand_up(
    ledger: &Ledger,
    own: &NodeId,
    (revision, catalog): (i64, &Catalog),
    now: DateTime<Utc>,
) -> Result<usize, LedgerError> {
    let entries = catalog.datasets.values().filter_map(|dataset| Entry::of(catalog, dataset));
    let published = entries.filter(|entry| entry.node.id == *own);
    let published = published.map(|entry| (entry.dataset.id.clone(), entry.to_json().to_string())).collect();
    ledger.keep_own_entries(own, revision, &published, now).await
}

/// The part of this node's feed that was asked for.
pub async fn page(ledger: &Ledger, own: &NodeId, asked: &Asked) -> Result<Page, LedgerError> {
    let mark = ledger.feed().await?;
    // Whoever has heard more than there is knows this feed from before it was put back.
    let known = asked.feed.as_ref() == Some(&mark.id);
    let from = asked.after.filter(|after| known && (0..=mark.newest).contains(after)).unwrap_or(0);
    let limit = asked.limit.unwrap_or(CHANGES_MAX).clamp(1, CHANGES_MAX);
    let found = ledger.feed_after(from, limit + 1).await?;
    let (mut changes, mut last, mut bytes) = (Vec::new(), from, 0_usize);
    let mut whole = true;
    for FeedEntry { number, entry } in found {
        bytes = bytes.saturating_add(entry.text.as_ref().map_or(0, String::len));
        if changes.len() as i64 == limit || (bytes > BYTES_MAX && !changes.is_empty()) {
            whole = false;
            break;
        }
        let mut path = entry.path;
        if path.last() != Some(own) {
            path.push(own.clone());
        }
        let damaged = |error: serde_json::Error| LedgerError::Damaged { reason: format!("entry {number}: {error}") };
        let text = entry.text.as_deref().map(serde_json::from_str).transpose().map_err(damaged)?;
        let (origin, dataset, changed) = (entry.origin, entry.dataset, entry.changed);
        let told = Told { number, origin, dataset, path, changed, entry: text };
        changes.push(serde_json::to_value(told).map_err(damaged)?);
        last = number;
    }
    let origins = ledger.confirmed_origins().await?.into_iter().map(|one| (one.origin, one.at)).collect();
    let next = (!whole).then_some(last);
    Ok(Page { feed: mark.id, from, newest: mark.newest.max(last), next, origins, changes })
}
