//! What the node does for the federation: hands out or fetches the directory, says what it keeps, holds indexes.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, Utc};
use reqwest::header;
use tokio::{net::TcpListener, sync::Mutex};
use url::Url;

use super::{Node, NodeError, harvest::Harvest, peer::tag_of, secrets::secret};
use crate::{
    audit::Record,
    config::{Endpoint, PeerListen, Settings},
    federation::{
        About, BYTES_MAX, Card, Certificate, Federation, FederationError, Index, Key, Manner, Means, Membership, Pace,
        paths,
    },
    identifiers::{DatasetId, NodeId},
    keys::{KeyRing, PublicKeys},
    problem::{Code, Problem},
};

/// How long one index may be under way.
const INDEX_MAX: Duration = Duration::from_secs(60);
/// How long sending the own card may take.
const CARD_MAX: Duration = Duration::from_secs(5);
/// The largest index in memory at once: some ten million keys. Above it a dataset has none, and everybody is asked.
const INDEX_KEYS_MAX: usize = 200_000_000;

/// What a node keeps in memory for other nodes, and of them.
#[derive(Default)]
pub(super) struct Shared {
    /// Of each dataset the index that was made last, with its version.
    own_indexes: Mutex<HashMap<DatasetId, (u64, Vec<u8>)>>,
    pub(super) harvest: Harvest,
}

/// Take part in the federation, if the settings say so.
pub(super) async fn open(
    settings: &Settings,
    call_keys: &Arc<KeyRing>,
    receipt_keys: &Arc<KeyRing>,
) -> Result<Option<(Arc<Federation>, TcpListener)>, NodeError> {
    let (told, paths, own) = (&settings.federation, &settings.paths, &settings.node.id);
    let PeerListen::At(address) = told.address else { return Ok(None) };
    let listener = TcpListener::bind(address).await.map_err(|source| NodeError::Listen { address, source })?;
    let address = listener.local_addr().map_err(|source| NodeError::Listen { address, source })?;
    let anchor = match told.province.path() {
        Some(file) => {
            let text = std::fs::read_to_string(file)
                .map_err(|source| FederationError::File { path: file.display().to_string(), source })?;
            Some(Card::parse(&text)?)
        }
        None => None,
    };
    let index_secret = match &anchor {
        None => Some(secret(&paths.index_secret())?),
        Some(_) => None,
    };
    let span = |time: Duration| chrono::TimeDelta::from_std(time).unwrap_or(chrono::TimeDelta::hours(1));
    let membership = Membership::open(anchor, &paths.directory(), span(told.grace))?;
    let certificate = Certificate::open(&paths.peer_certificate(), &paths.peer_key(), own)?;
    let endpoint = match &told.endpoint {
        Endpoint::Url(url) => url.clone(),
        Endpoint::AsListened => Url::parse(&format!("https://{address}"))
            .map_err(|error| FederationError::Card { reason: error.to_string() })?,
    };
    let means = Means {
        own: own.clone(),
        endpoint,
        membership: Arc::new(membership),
        certificate: Arc::new(certificate),
        call_keys: Arc::clone(call_keys),
        receipt_keys: Arc::clone(receipt_keys),
        index_secret,
    };
    let manner = Manner { parallel: told.parallel, hedge: told.hedge };
    let pace = Pace { manner, deadline: told.deadline, skew: span(told.skew) };
    Ok(Some((Arc::new(Federation::new(means, pace)), listener)))
}

/// A forwarded call, as the log names it.
pub(super) fn forwarded_key(record: &Record) -> Option<Key> {
    Some((record.via.last()?.clone(), record.forwarded_as?))
}

impl Node {
    /// Look after the directory, the indexes and the catalogue of all. What does not work now is tried again.
    pub(super) async fn federate(&self) {
        let Some(federation) = self.federation.clone() else { return };
        // Everybody looks at the directory this often, if set up alike; some more for who is late.
        if let Err(error) = federation.watch_certificate(self.settings.federation.pull * 4) {
            tracing::error!(error = &error as &dyn std::error::Error, "the node's new certificate cannot be used");
        }
        let done = match federation.membership().anchor() {
            None => self.issue_directory(&federation).await,
            Some(_) => self.keep_listed(&federation).await,
        };
        if let Err(error) = done {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the directory of nodes could not be looked after"
            );
        }
        self.fetch_indexes(&federation);
        self.cascade(&federation).await;
    }

    /// What this node says of itself.
    pub fn card(&self) -> Option<Card> {
        let federation = self.federation.as_ref()?;
        let served = self.catalog().datasets.keys().filter(|id| self.engine.serving(id).is_some()).cloned().collect();
        Some(federation.card(served))
    }

    /// At the issuer: a new directory where a member or this node itself has changed.
    async fn issue_directory(&self, federation: &Federation) -> Result<(), NodeError> {
        let Some(own) = self.card() else { return Ok(()) };
        let (serial, listed) = self.listed(federation, &own).await?;
        if federation.membership().last().is_none_or(|held| held.serial != serial) {
            tracing::info!(serial, others = listed.len(), "a new directory of nodes is issued");
            federation.issue(serial, listed, own, self.now())?;
        }
        Ok(())
    }

    /// The others that are in the directory, and its serial, once this node's own card is in it.
    async fn listed(&self, federation: &Federation, own: &Card) -> Result<(u64, Vec<Card>), NodeError> {
        self.ledger
            .admit_member(&own.node, &card_text(own)?, "the node itself", "its own card has changed", self.now())
            .await?;
        let (serial, members) = self.ledger.members().await?;
        let mut listed = Vec::new();
        for member in members.iter().filter(|member| !member.revoked && member.node != *federation.own()) {
            match Card::parse(&member.card) {
                Ok(card) => listed.push(card),
                Err(error) => tracing::error!(node = %member.node, %error, "a member is left out of the directory"),
            }
        }
        Ok((serial, listed))
    }

    /// At the others: fetch the directory, and send the own card where the directory has another.
    async fn keep_listed(&self, federation: &Federation) -> Result<(), NodeError> {
        federation.pull(self.now()).await?;
        let (Some(own), Some(held)) = (self.card(), federation.membership().last()) else { return Ok(()) };
        let text = card_text(&own)?;
        let known = held.members.get(&own.node).map(card_text).transpose()?;
        match known {
            Some(known) if known != text => self.send_card(federation, text).await,
            _ => Ok(()), // Not listed: people admit nodes, and revoke them.
        }
    }

    /// Say to the directory's issuer what this node is from now on.
    async fn send_card(&self, federation: &Federation, text: String) -> Result<(), NodeError> {
        let Some(anchor) = federation.membership().anchor() else { return Ok(()) };
        let issuer = federation.membership().card(&anchor.node, self.now()).unwrap_or_else(|| anchor.clone());
        let unreachable = || FederationError::Unreachable { node: anchor.node.clone() };
        let url = issuer.endpoint.join(paths::CARD).map_err(|_| unreachable())?;
        let request = federation.peers().client(&anchor.node)?.post(url).timeout(CARD_MAX);
        let sent = request.body(text).send().await.map_err(|_| unreachable())?;
        match sent.status().is_success() {
            true => Ok(()),
            false => Err(unreachable().into()),
        }
    }

    /// Keys that are about to sign are told to the others first. At the issuer this waits until they have heard it.
    pub(super) async fn announce(&self, keys: &[PublicKeys]) -> Result<(), NodeError> {
        let (Some(federation), Some(before)) = (&self.federation, self.card()) else { return Ok(()) };
        federation.announce(Some(PublicKeys::new(keys.iter().flat_map(PublicKeys::iter).cloned())));
        let Some(card) = self.card().filter(|card| card.keys.0 != before.keys.0) else { return Ok(()) };
        if federation.membership().anchor().is_some() {
            return self.send_card(federation, card_text(&card)?).await;
        }
        self.issue_directory(federation).await?;
        federation.membership().keep_bridge()?;
        tokio::time::sleep(self.settings.federation.pull * 4).await;
        Ok(())
    }

    /// The keys sign now, or will not.
    pub(super) fn announced(&self) {
        if let Some(federation) = &self.federation {
            federation.announce(None);
        }
    }

    /// At the issuer: a listed node has sent its new card.
    pub(super) async fn renew_card(&self, card: &Card) -> Result<(), Problem> {
        let failed = |error: &NodeError| {
            tracing::error!(error = error as &dyn std::error::Error, "a card could not be kept");
            Problem::new(Code::StorageFailed, "the card could not be kept").remedy("Send it again.")
        };
        let kept = async {
            let text = card_text(card)?;
            self.ledger.renew_member(&card.node, &text, self.now()).await?;
            // At once: whoever meets the new key fetches the directory.
            match &self.federation {
                Some(federation) => self.issue_directory(federation).await,
                None => Ok(()),
            }
        };
        kept.await.map_err(|error| failed(&error))
    }

    /// The index of a dataset for the node above, unless it has that of this very version.
    pub(super) async fn index_for(
        &self,
        from: &NodeId,
        dataset: &DatasetId,
        known: Option<u64>,
    ) -> Result<Option<(u64, Vec<u8>)>, Problem> {
        let catalog = self.catalog();
        let own = &self.settings.node.id;
        let above = catalog.nodes.get(own).and_then(|node| node.parent.as_ref());
        let kept = catalog.datasets.get(dataset).filter(|dataset| dataset.placement.part_of(own).is_some());
        let (true, Some(dataset)) = (above == Some(from), kept) else {
            return Err(Problem::new(Code::NotFound, "there is no such index for that node"));
        };
        let nothing = || Problem::new(Code::NotFound, "nothing is published of that dataset").retry_after(5);
        let serving = self.engine.serving(&dataset.id).ok_or_else(nothing)?;
        if known == Some(serving.version.0) {
            return Ok(None);
        }
        if let Some((version, bytes)) = self.shared.own_indexes.lock().await.get(&dataset.id)
            && *version == serving.version.0
        {
            return Ok(Some((*version, bytes.clone())));
        }
        let made = self.make_index(dataset).await.map_err(|error| {
            tracing::error!(error = &error as &dyn std::error::Error, dataset = %dataset.id, "no index could be made");
            Problem::new(Code::StorageFailed, "no index could be made").retry_after(5)
        })?;
        let (version, bytes) = made.ok_or_else(nothing)?;
        self.shared.own_indexes.lock().await.insert(dataset.id.clone(), (version, bytes.clone()));
        Ok(Some((version, bytes)))
    }

    async fn make_index(&self, dataset: &crate::catalog::Dataset) -> Result<Option<(u64, Vec<u8>)>, NodeError> {
        let hasher = self.federation.as_ref().and_then(|federation| federation.hasher());
        let Some(hasher) = hasher else { return Ok(None) };
        let (mut hashes, mut serving, mut fields) = (HashSet::new(), None, Vec::new());
        for field in std::iter::once(&dataset.key).chain(&dataset.secondary_keys) {
            let take = |value: &str| {
                hashes.insert(hasher.hash(field, value));
            };
            let Some(served) = self.engine.each_value(&dataset.id, field, take).await? else { return Ok(None) };
            if serving.replace(served.clone()).is_some_and(|before| before != served) || hashes.len() > INDEX_KEYS_MAX {
                return Ok(None);
            }
            fields.push(field.clone());
        }
        let Some(serving) = serving else { return Ok(None) };
        let as_of = serving.as_of.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
        let about = About { dataset: dataset.id.clone(), version: serving.version.0, as_of, fields, keys: 0 };
        let bytes = tokio::task::spawn_blocking(move || Index::build(about, hashes)?.to_bytes()).await;
        let bytes = bytes.map_err(|error| NodeError::Index(error.to_string()))??;
        Ok(Some((serving.version.0, bytes)))
    }

    /// Hold the newest index of each part that a node below keeps. Whichever comes late does so by itself.
    fn fetch_indexes(&self, federation: &Arc<Federation>) {
        let (catalog, now) = (self.catalog(), self.now());
        let own = federation.own();
        let below = |node: &NodeId| catalog.nodes.get(node).is_some_and(|node| node.parent.as_ref() == Some(own));
        for dataset in catalog.datasets.values().filter(|dataset| dataset.placement.0.len() > 1) {
            for part in dataset.placement.0.iter().filter(|part| below(&part.node)) {
                federation.indexes.fetch_aside((&part.node, &dataset.id), || {
                    let (federation, node, dataset) = (Arc::clone(federation), part.node.clone(), dataset.id.clone());
                    async move {
                        if let Err(error) = fetch_index(&federation, &node, &dataset, now).await {
                            tracing::debug!(%node, %dataset, %error, "an index could not be fetched");
                        }
                    }
                });
            }
        }
    }
}

async fn fetch_index(
    federation: &Federation,
    node: &NodeId,
    dataset: &DatasetId,
    now: DateTime<Utc>,
) -> Result<(), FederationError> {
    let unreachable = || FederationError::Unreachable { node: node.clone() };
    let card = federation.membership().card(node, now).ok_or_else(unreachable)?;
    let url = card.endpoint.join(&format!("{}/{dataset}", paths::INDEX)).map_err(|_| unreachable())?;
    let mut request = federation.peers().client(node)?.get(url).timeout(INDEX_MAX);
    if let Some(version) = federation.indexes.version(node, dataset) {
        request = request.header(header::IF_NONE_MATCH, tag_of(version));
    }
    let (status, bytes) = crate::federation::fetch(request, BYTES_MAX).await.map_err(|_| unreachable())?;
    match status {
        304 => federation.indexes.take(node, dataset, None),
        200 => {
            let index = tokio::task::spawn_blocking(move || Index::parse(&bytes)).await;
            let index = index.map_err(|_| unreachable())??;
            tracing::info!(%node, %dataset, version = index.about.version, keys = index.about.keys, "an index was fetched");
            federation.indexes.take(node, dataset, Some(index));
        }
        _ => return Err(unreachable()),
    }
    Ok(())
}

impl NodeError {
    /// Does it pass by itself? Another node was not to be reached.
    pub fn passes(&self) -> bool {
        matches!(self, Self::Federation(FederationError::Unreachable { .. }))
    }
}

fn card_text(card: &Card) -> Result<String, NodeError> {
    serde_json::to_string(card).map_err(|error| FederationError::Card { reason: error.to_string() }.into())
}
