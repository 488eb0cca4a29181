//! The catalogue of all at this node: what it hands up, what it fetches from the nodes below, and what it shows of both.

use std::{
    collections::{BTreeSet, HashSet},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use metrics::{counter, gauge};

use super::Node;
use crate::{
    cascade::{self, Asked, CascadeError, Everywhere, Freshness, Heard, Hearing, Page},
    catalog::Catalog,
    federation::{self, Federation, FederationError, paths},
    identifiers::NodeId,
    ledger::{Ledger, LedgerError},
    problem::Problem,
};

/// How long one page may be under way.
const PAGE_MAX: Duration = Duration::from_secs(10);
/// Longest page that is read; its entries are JSON of some kilobytes each.
const PAGE_BYTES_MAX: usize = 8 << 20;
/// Pages fetched in one go; the rest is fetched at the next look.
const PAGES_MAX: usize = 1_000;
/// Refused entries named in the log, of one page.
const NAMED_MAX: usize = 10;

/// What a node keeps of it in memory.
#[derive(Default)]
pub(super) struct Harvest {
    /// The revision whose entries are in the feed.
    handed: AtomicI64,
    /// Nodes whose feed is being heard.
    under_way: Arc<Mutex<HashSet<NodeId>>>,
    everywhere: tokio::sync::Mutex<Option<Arc<Everywhere>>>,
}

/// Everything that is known, how fresh it is, and when that was.
pub(super) struct View {
    pub(super) all: Arc<Everywhere>,
    pub(super) freshness: Freshness,
    pub(super) now: DateTime<Utc>,
}

impl Node {
    /// Hand up what has changed, and hear the nodes below. Whichever is slow is so by itself.
    pub(super) async fn cascade(&self, federation: &Arc<Federation>) {
        if let Err(error) = self.hand_up().await {
            tracing::error!(error = &error as &dyn std::error::Error, "the catalogue's entries could not be handed up");
        }
        if let Err(error) = self.hear_below(federation).await {
            tracing::error!(error = &error as &dyn std::error::Error, "other catalogues could not be looked after");
        }
    }

    async fn hand_up(&self) -> Result<(), LedgerError> {
        let (shelf, own) = (self.shelf(), &self.settings.node.id);
        if self.shared.harvest.handed.load(Ordering::Relaxed) == shelf.revision {
            return Ok(());
        }
        let changed = cascade::hand_up(&self.ledger, own, (shelf.revision, &shelf.catalog), self.now()).await?;
        if changed > 0 {
            tracing::info!(changed, revision = shelf.revision, "entries of the catalogue are told to the node above");
        }
        self.shared.harvest.handed.store(shelf.revision, Ordering::Relaxed);
        Ok(())
    }

    async fn hear_below(&self, federation: &Arc<Federation>) -> Result<(), LedgerError> {
        let (catalog, now) = (self.catalog(), self.now());
        let Some(held) = federation.membership().last() else { return Ok(()) };
        let issues = federation.membership().anchor().is_none();
        let below: BTreeSet<_> =
            held.members.keys().filter(|node| is_below(&catalog, federation.own(), node, issues)).collect();
        for source in self.ledger.sources().await?.iter().filter(|source| !below.contains(&source.sender)) {
            self.ledger.forget_source(&source.sender, now).await?;
            tracing::info!(node = %source.sender, "the node's catalogue is not shown any more: it is not a node below this one");
        }
        if federation.membership().current(now).is_none() {
            return Ok(());
        }
        for sender in below {
            let Some(turn) = Turn::of(&self.shared.harvest.under_way, sender) else { continue };
            let errand = Errand {
                federation: Arc::clone(federation),
                ledger: self.ledger.clone(),
                catalog: Arc::clone(&catalog),
                sender: sender.clone(),
                clock: self.clock,
            };
            tokio::spawn(async move {
                let _turn = turn;
                errand.hear().await;
            });
        }
        Ok(())
    }

    /// A part of this node's feed.
    pub(super) async fn catalog_page(&self, asked: &Asked) -> Result<Page, Problem> {
        cascade::page(&self.ledger, &self.settings.node.id, asked).await.map_err(|error| unreadable(&error))
    }

    /// Everything that is known of all catalogues.
    pub(super) async fn everywhere(&self) -> Result<View, Problem> {
        let shelf = self.shelf();
        let mut held = self.shared.harvest.everywhere.lock().await;
        let (own, failed) = (&self.settings.node.id, |error: LedgerError| unreadable(&error));
        let all = Everywhere::follow(held.clone(), &self.ledger, own, &shelf.catalog).await.map_err(failed)?;
        *held = Some(Arc::clone(&all));
        let freshness = Freshness::read(&self.ledger).await.map_err(failed)?;
        Ok(View { all, freshness, now: self.now() })
    }

    /// After how long without a confirmation an entry is stale.
    pub(super) fn stale_after(&self) -> TimeDelta {
        TimeDelta::from_std(self.settings.federation.catalog_stale).unwrap_or(TimeDelta::hours(1))
    }
}

/// Nodes of the directory whose parent is this one; where it is issued, those too that the catalogue does not know.
fn is_below(catalog: &Catalog, own: &NodeId, node: &NodeId, issues: bool) -> bool {
    match catalog.nodes.get(node) {
        Some(known) => known.parent.as_ref() == Some(own),
        None => issues && node != own,
    }
}

fn unreadable(error: &LedgerError) -> Problem {
    tracing::error!(error = error as &dyn std::error::Error, "the catalogue of all could not be read");
    Problem::new(error.code(), "the catalogue of all could not be read").remedy("Try again.").retry_after(5)
}

/// One node is heard once at a time.
struct Turn {
    under_way: Arc<Mutex<HashSet<NodeId>>>,
    node: NodeId,
}

impl Turn {
    fn of(under_way: &Arc<Mutex<HashSet<NodeId>>>, node: &NodeId) -> Option<Self> {
        let began = under_way.lock().unwrap_or_else(PoisonError::into_inner).insert(node.clone());
        began.then(|| Self { under_way: Arc::clone(under_way), node: node.clone() })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.node);
    }
}

/// Why a page could not be heard.
#[derive(Debug, thiserror::Error)]
enum HearingError {
    #[error(transparent)]
    Federation(#[from] FederationError),
    #[error(transparent)]
    Cascade(#[from] CascadeError),
}

/// Hearing one node to the end of its feed.
struct Errand {
    federation: Arc<Federation>,
    ledger: Ledger,
    catalog: Arc<Catalog>,
    sender: NodeId,
    clock: fn() -> DateTime<Utc>,
}

impl Errand {
    async fn hear(&self) {
        for _ in 0..PAGES_MAX {
            match self.hear_page().await {
                Ok(Some(Heard { whole: false, .. })) => {}
                Ok(_) => return,
                // Away, perhaps; whoever waits for it sees when it was last heard.
                Err(HearingError::Federation(error)) => {
                    tracing::debug!(node = %self.sender, %error, "its catalogue could not be heard");
                    return;
                }
                Err(HearingError::Cascade(error)) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(node = %self.sender, error, "what it tells of its catalogue cannot be taken");
                    return;
                }
            }
        }
    }

    async fn hear_page(&self) -> Result<Option<Heard>, HearingError> {
        let (sender, own) = (&self.sender, self.federation.own());
        let hearing = Hearing { own, sender, catalog: &self.catalog };
        let (known, asked) = cascade::ask(&self.ledger, hearing).await?;
        let began = (self.clock)();
        let page = self.fetch(&asked).await?;
        let heard = cascade::hear(&self.ledger, hearing, known, page, began).await?;
        if let Some(Heard { changed, refused, whole }) = &heard {
            if *whole {
                gauge!("shuqiao_catalog_confirmed_timestamp_seconds", "peer" => sender.as_str().to_owned())
                    .set(began.timestamp() as f64);
            }
            if *changed > 0 {
                counter!("shuqiao_catalog_changes_total", "peer" => sender.as_str().to_owned())
                    .increment(*changed as u64);
                tracing::info!(node = %sender, changed, "entries of another catalogue have changed");
            }
            if !refused.is_empty() {
                counter!("shuqiao_catalog_refused_total", "peer" => sender.as_str().to_owned())
                    .increment(refused.len() as u64);
            }
            for reason in refused.iter().take(NAMED_MAX) {
                tracing::warn!(node = %sender, reason, "an entry of another catalogue is not shown");
            }
        }
        Ok(heard)
    }

    async fn fetch(&self, asked: &Asked) -> Result<Page, HearingError> {
        let unreachable = || FederationError::Unreachable { node: self.sender.clone() };
        let card = self.federation.membership().card(&self.sender, (self.clock)()).ok_or_else(unreachable)?;
        let mut url = card.endpoint.join(paths::CATALOG).map_err(|_| unreachable())?;
        if let (Some(feed), Some(after)) = (&asked.feed, asked.after) {
            url.query_pairs_mut().append_pair("feed", feed).append_pair("after", &after.to_string());
        }
        let request = self.federation.peers().client(&self.sender)?.get(url).timeout(PAGE_MAX);
        let (status, bytes) = federation::fetch(request, PAGE_BYTES_MAX).await.map_err(|_| unreachable())?;
        if status != 200 {
            return Err(unreachable().into());
        }
        let shape = |error: serde_json::Error| CascadeError::Page { reason: error.to_string() };
        Ok(serde_json::from_slice(&bytes).map_err(shape)?)
    }
}
