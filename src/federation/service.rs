//! Asking other nodes, and being one that others ask.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwapOption;
use chrono::{DateTime, TimeDelta, Utc};
use metrics::{counter, gauge, histogram};
use tokio::{sync::Mutex, time::Instant};
use url::Url;

use super::{
    Breakers, Card, Certificate, Directory, End, Failure, FederationError, Forwarding, Indexes, Jwks, Manner,
    Membership, PROTOCOL, Peers, Told, ask, index::KeyHasher, peers,
};
use crate::{
    audit::receipt,
    identifiers::{DatasetId, FieldName, NodeId},
    keys::{KeyRing, PublicKeys, SigningKey},
    policy::Operation,
};

/// Kept of the caller's budget for what this node still has to do with the answer.
const OWN_SHARE: Duration = Duration::from_millis(50);
/// The directory is not fetched more often than this because somebody showed an unknown key.
const PULL_PAUSE: Duration = Duration::from_millis(200);
/// How long fetching it may take.
const PULL_MAX: Duration = Duration::from_secs(2);

/// What the service is made of.
pub struct Means {
    pub own: NodeId,
    pub endpoint: Url,
    pub membership: Arc<Membership>,
    pub certificate: Arc<Certificate>,
    /// Sign forwarded calls and the directory.
    pub call_keys: Arc<KeyRing>,
    /// Sign receipts and the log's heads.
    pub receipt_keys: Arc<KeyRing>,
    /// Under which keys of records are hashed for indexes; at the issuer of the directory, which hands it out.
    pub index_secret: Option<Vec<u8>>,
}

/// How patient it is.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    pub manner: Manner,
    /// How long a call may be under way to other nodes.
    pub deadline: Duration,
    /// How far the clocks of two nodes may be apart.
    pub skew: TimeDelta,
}

/// This node among others.
pub struct Federation {
    means: Means,
    pace: Pace,
    peers: Peers,
    breakers: Breakers,
    pub indexes: Arc<Indexes>,
    hasher: ArcSwapOption<KeyHasher>,
    pulled: Mutex<Option<Instant>>,
    /// The certificate that is to be shown once the others know it.
    next: ArcSwapOption<Next>,
    /// Keys that are about to sign.
    coming: ArcSwapOption<PublicKeys>,
    /// Of the receipts that others' answers came with.
    heads: receipt::KnownHeads,
}

struct Next {
    certificate: Certificate,
    /// Since when it has been in the directory.
    listed: Option<Instant>,
}

/// A call on its way to other nodes.
#[derive(Clone, Debug)]
pub struct Errand<'a> {
    pub operation: Operation,
    pub body: &'a [u8],
    pub forwarding: Forwarding,
}

impl Federation {
    pub fn new(means: Means, pace: Pace) -> Self {
        let peers = Peers::new(Arc::clone(&means.certificate), Arc::clone(&means.membership));
        let hasher = ArcSwapOption::from(means.index_secret.as_deref().map(KeyHasher::new).map(Arc::new));
        let (breakers, indexes, pulled) = (Breakers::default(), Arc::<Indexes>::default(), Mutex::default());
        Self {
            means,
            pace,
            peers,
            breakers,
            indexes,
            hasher,
            pulled,
            next: ArcSwapOption::empty(),
            coming: ArcSwapOption::empty(),
            heads: receipt::KnownHeads::default(),
        }
    }

    pub fn own(&self) -> &NodeId {
        &self.means.own
    }

    pub fn membership(&self) -> &Arc<Membership> {
        &self.means.membership
    }

    pub fn certificate(&self) -> &Arc<Certificate> {
        &self.means.certificate
    }

    pub fn peers(&self) -> &Peers {
        &self.peers
    }

    /// The key that signs what this node states to others for keeps, as its receipts.
    pub fn receipt_key(&self) -> Arc<SigningKey> {
        self.means.receipt_keys.signing()
    }

    pub fn breakers(&self) -> &Breakers {
        &self.breakers
    }

    pub fn hasher(&self) -> Option<Arc<KeyHasher>> {
        self.hasher.load_full()
    }

    /// Until when a call that came in with this budget is waited for.
    pub fn deadline(&self, budget: Option<Duration>) -> Instant {
        let budget = budget.map_or(self.pace.deadline, |budget| budget.saturating_sub(OWN_SHARE));
        Instant::now() + budget.min(self.pace.deadline)
    }

    /// What this node says of itself.
    pub fn card(&self, datasets: Vec<DatasetId>) -> Card {
        let mut keys: Vec<_> = self.means.receipt_keys.public().iter().cloned().collect();
        let coming = self.coming.load_full();
        let others = self.means.call_keys.public();
        for key in others.iter().chain(coming.iter().flat_map(|coming| coming.iter())) {
            if !keys.iter().any(|known| known.kid() == key.kid()) {
                keys.push(key.clone());
            }
        }
        let next = self.next.load().as_ref().map(|next| next.certificate.thumbprint());
        Card {
            node: self.means.own.clone(),
            endpoint: self.means.endpoint.clone(),
            protocol: PROTOCOL,
            keys: Jwks(PublicKeys::new(keys)),
            certificates: std::iter::once(self.means.certificate.thumbprint()).chain(next).collect(),
            datasets,
        }
    }

    /// Say of these keys that they are about to sign; none, when they do, or will not.
    pub fn announce(&self, coming: Option<PublicKeys>) {
        self.coming.store(coming.map(Arc::new));
    }

    /// Look whether there is a new certificate in the files. It is first listed, and shown when everybody has had the time
    /// to hear of it.
    pub fn watch_certificate(&self, known_after: Duration) -> Result<(), FederationError> {
        let found = self.means.certificate.read_again()?;
        let print = found.thumbprint();
        if print == self.means.certificate.thumbprint() {
            self.next.store(None);
            return Ok(());
        }
        let held = self.means.membership.last();
        let listed = held.and_then(|held| held.owner(&print).map(|owner| *owner == self.means.own)).unwrap_or(false);
        let before = self.next.load_full().filter(|next| next.certificate.thumbprint() == print);
        let since = before.and_then(|next| next.listed);
        match since {
            Some(since) if listed && since.elapsed() >= known_after => {
                self.means.certificate.take(&found);
                self.next.store(None);
                self.peers.forget();
                tracing::info!(certificate = %print, "another certificate is shown to the other nodes");
            }
            _ => {
                let listed = since.or(listed.then(Instant::now));
                self.next.store(Some(Arc::new(Next { certificate: found, listed })));
            }
        }
        Ok(())
    }

    /// Ask the nodes that keep the parts. Of each part one is told of, unless it has no holder.
    pub async fn ask(
        &self,
        errand: &Errand<'_>,
        parts: &[Vec<NodeId>],
        deadline: Instant,
        now: DateTime<Utc>,
    ) -> Vec<Told> {
        let courier = Courier { federation: self, errand, now };
        let told = Box::pin(ask::ask_parts(&courier, &self.breakers, parts, self.pace.manner, deadline)).await;
        for told in &told {
            let (node, end) = (told.node.as_str().to_owned(), told.end.word());
            counter!("shuqiao_peer_calls_total", "peer" => node.clone(), "end" => end).increment(1);
            histogram!("shuqiao_peer_call_seconds", "peer" => node).record(told.took);
        }
        told
    }

    /// Show how the circuits to the others stand.
    pub fn show_circuits(&self) {
        for node in self.means.membership.last().iter().flat_map(|held| held.members.keys()) {
            let state = match self.breakers.state(node) {
                super::State::Closed => 0.0,
                super::State::HalfOpen => 1.0,
                super::State::Open => 2.0,
            };
            gauge!("shuqiao_peer_circuit", "peer" => node.as_str().to_owned()).set(state);
        }
    }

    /// What a token says that came with a call, if it holds. A key that is not known yet may be in a newer directory.
    pub async fn accept(
        &self,
        token: &str,
        from: &NodeId,
        request_sha256: [u8; 32],
        now: DateTime<Utc>,
    ) -> Result<Forwarding, FederationError> {
        match self.examine(token, from, request_sha256, now) {
            Err(FederationError::UnknownKey { .. }) => {
                self.pull(now).await?;
                self.examine(token, from, request_sha256, now)
            }
            other => other,
        }
    }

    fn examine(
        &self,
        token: &str,
        from: &NodeId,
        request_sha256: [u8; 32],
        now: DateTime<Utc>,
    ) -> Result<Forwarding, FederationError> {
        let held = self.means.membership.current(now).ok_or(FederationError::Stale)?;
        let keys_of = |node: &NodeId| held.members.get(node).map(|card| &card.keys.0);
        Forwarding::verify(token, (from, &self.means.own), &keys_of, request_sha256, (now, self.pace.skew))
    }

    /// Fetch the directory from its issuer, and the secret of the indexes with it.
    pub async fn pull(&self, now: DateTime<Utc>) -> Result<(), FederationError> {
        let Some(anchor) = self.means.membership.anchor() else { return Ok(()) };
        let asked = Instant::now();
        let mut pulled = self.pulled.lock().await;
        if let Some(at) = *pulled {
            // Somebody else has fetched it while this one waited; or it is too early to fetch it again.
            if at > asked {
                return Ok(());
            }
            tokio::time::sleep_until(at + PULL_PAUSE).await;
        }
        *pulled = Some(Instant::now());
        let handed = self.fetch_directory(anchor).await?;
        self.means.membership.take_over(&handed.directory, &handed.bridges, now)?;
        if let Ok(secret) = hex::decode(&handed.index_secret) {
            self.hasher.store(Some(Arc::new(KeyHasher::new(&secret))));
        }
        Ok(())
    }

    /// The issuer may have moved since its card was brought, or since the last directory.
    async fn fetch_directory(&self, anchor: &Card) -> Result<Handed, FederationError> {
        let unreachable = || FederationError::Unreachable { node: anchor.node.clone() };
        let listed = self.means.membership.last().and_then(|held| held.members.get(&anchor.node).cloned());
        let listed = listed.map(|card| card.endpoint).filter(|listed| *listed != anchor.endpoint);
        for endpoint in listed.iter().chain([&anchor.endpoint]) {
            let url = endpoint.join(peers::paths::DIRECTORY).map_err(|_| unreachable())?;
            let request = self.peers.client(&anchor.node)?.get(url).timeout(PULL_MAX);
            match peers::fetch(request, peers::ANSWER_BYTES_MAX).await {
                Ok((200, bytes)) => {
                    return serde_json::from_slice(&bytes)
                        .map_err(|error| FederationError::Directory { reason: error.to_string() });
                }
                Err(Failure::Late) => self.peers.renew(&anchor.node),
                _ => {}
            }
        }
        Err(unreachable())
    }

    /// At the issuer: list these nodes and itself from now on.
    pub fn issue(
        &self,
        serial: u64,
        mut members: Vec<Card>,
        own: Card,
        now: DateTime<Utc>,
    ) -> Result<(), FederationError> {
        members.retain(|card| card.node != own.node);
        members.push(own);
        members.sort_by(|one, other| one.node.cmp(&other.node));
        let directory = Directory { issuer: self.means.own.clone(), serial, issued_at: now.timestamp(), members };
        self.means.membership.issue(directory, &self.means.call_keys.signing(), now)
    }

    /// At the issuer: the directory as it is handed to a member.
    pub fn handed(&self) -> Option<Handed> {
        let held = self.means.membership.last()?;
        let index_secret = self.means.index_secret.as_deref().map(hex::encode)?;
        Some(Handed { directory: held.text.clone(), bridges: self.means.membership.bridges(), index_secret })
    }

    /// Those of the parts whose index says that they have no such record are not asked: what is left, and what is told of
    /// the others.
    pub fn rule_out(
        &self,
        parts: Vec<Vec<NodeId>>,
        dataset: &DatasetId,
        (field, value): (&FieldName, &str),
    ) -> (Vec<Vec<NodeId>>, Vec<Told>) {
        let Some(hasher) = self.hasher.load_full() else { return (parts, Vec::new()) };
        let hash = hasher.hash(field, value);
        let (mut left, mut told) = (Vec::new(), Vec::new());
        for holders in parts {
            let ruled_out =
                holders.first().and_then(|node| Some((node, self.indexes.rules_out(node, dataset, field, hash)?)));
            match ruled_out {
                Some((node, about)) => {
                    let end = End::RuledOut { version: about.version, as_of: about.as_of };
                    told.push(Told { node: node.clone(), end, took: Duration::ZERO });
                }
                None => left.push(holders),
            }
        }
        (left, told)
    }

    /// The token for one node that is asked within this budget.
    pub(super) fn token(
        &self,
        forwarding: &Forwarding,
        to: &NodeId,
        budget: Duration,
        now: DateTime<Utc>,
    ) -> Result<String, FederationError> {
        let budget_ms = u64::try_from(budget.as_millis()).unwrap_or(u64::MAX);
        let forwarding = Forwarding { budget_ms, ..forwarding.clone() };
        forwarding.sign(to, &self.means.call_keys.signing(), now)
    }
}

/// The directory with the secret of the indexes, for members only: it goes over mutual TLS.
#[derive(serde::Serialize, serde::Deserialize)]
pub struct Handed {
    pub directory: String,
    /// For those who have not heard of the issuer's present key: the ways from older ones to it.
    #[serde(default)]
    pub bridges: Vec<String>,
    /// Hexadecimal.
    pub index_secret: String,
}

/// Carries one call to nodes and brings their answers back.
struct Courier<'a> {
    federation: &'a Federation,
    errand: &'a Errand<'a>,
    now: DateTime<Utc>,
}

impl ask::Wire for Courier<'_> {
    async fn ask(&self, node: &NodeId, budget: Duration) -> Result<End, Failure> {
        let Some(card) = self.federation.means.membership.card(node, self.now) else { return Ok(End::Unreachable) };
        if card.protocol.common(PROTOCOL).is_none() {
            return Ok(End::Refused { code: "protocol".to_owned(), policies: Vec::new() });
        }
        let (client, token) = (
            self.federation.peers.client(node),
            self.federation.token(&self.errand.forwarding, node, budget, self.now),
        );
        let (Ok(client), Ok(token)) = (client, token) else { return Err(Failure::Unreachable) };
        let sent = (self.errand.operation, token.as_str(), self.errand.body);
        let end = peers::send_call(&client, &card.endpoint, sent, budget).await?;
        match &end {
            End::Answered(answered) if !self.holds(answered, &card) && !self.holds_by_now(node, answered).await => {
                tracing::error!(peer = %node, "an answer came with a receipt that does not verify");
                Ok(End::Unreachable)
            }
            _ => Ok(end),
        }
    }

    fn suspect(&self, node: &NodeId) {
        self.federation.peers.renew(node);
    }
}

impl Courier<'_> {
    /// The same with the newest directory: the node may have changed its key.
    async fn holds_by_now(&self, node: &NodeId, answered: &super::Answered) -> bool {
        if self.federation.pull(self.now).await.is_err() {
            return false;
        }
        let card = self.federation.means.membership.card(node, self.now);
        card.is_some_and(|card| self.holds(answered, &card))
    }

    /// The receipt was signed by that node, over this answer to this request.
    fn holds(&self, answered: &super::Answered, card: &Card) -> bool {
        let Ok(digest) = receipt::answer_digest(&answered.answer) else { return false };
        let heads = &self.federation.heads;
        receipt::verify_one_of_many(&answered.receipt, &card.keys.0, heads).is_ok_and(|claims| {
            claims.request_sha256 == self.errand.forwarding.request_sha256.into() && claims.answer_sha256 == digest
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::federation::Thumbprint;

    #[tokio::test]
    async fn an_issuer_that_is_away_is_told_and_the_directory_stays() {
        let dir = tempfile::tempdir().unwrap();
        let key = SigningKey::generate().unwrap();
        let anchor = Card {
            node: "guangdong".parse().unwrap(),
            endpoint: "https://127.0.0.1:9/".parse().unwrap(), // nobody listens on the port of `discard`
            protocol: PROTOCOL,
            keys: Jwks(PublicKeys::new([key.public()])),
            certificates: vec![Thumbprint::of(b"another")],
            datasets: Vec::new(),
        };
        let ring = |name: &str| Arc::new(KeyRing::open(&dir.path().join(name)).unwrap());
        let own: NodeId = "shenzhen".parse().unwrap();
        let certificate = Certificate::open(&dir.path().join("c.pem"), &dir.path().join("k.pem"), &own).unwrap();
        let membership = Membership::open(Some(anchor), &dir.path().join("d.json"), TimeDelta::hours(1)).unwrap();
        let means = Means {
            own,
            endpoint: "https://127.0.0.1:8641/".parse().unwrap(),
            membership: Arc::new(membership),
            certificate: Arc::new(certificate),
            call_keys: ring("token.pem"),
            receipt_keys: ring("receipt.pem"),
            index_secret: None,
        };
        let manner = Manner { parallel: 2, hedge: Duration::from_millis(100) };
        let pace = Pace { manner, deadline: Duration::from_secs(1), skew: TimeDelta::seconds(5) };
        let federation = Federation::new(means, pace);
        let error = federation.pull(Utc::now()).await.unwrap_err();
        assert_eq!(error.code(), crate::problem::Code::PeerUnreachable, "{error}");
        let asked = federation.accept("x.y.z", &"guangzhou".parse().unwrap(), [0; 32], Utc::now()).await;
        assert_eq!(asked.unwrap_err().code(), crate::problem::Code::PeerUnknown);
    }
}
