//! The directory: which nodes there are, signed by the node above them all.
//!
//! A node that is not in it is nobody: its certificate is refused, and so are its tokens. So revoking a node is issuing a
//! directory without it.

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
    sync::Arc,
};

use arc_swap::ArcSwap;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{Card, FederationError, Jwks, Thumbprint};
use crate::{
    identifiers::NodeId,
    keys::{PublicKeys, SigningKey, jws},
    storage::write_whole,
};

/// What kind of JWS a directory is (RFC 8725 section 3.11).
const TYPE: &str = "node-directory+jwt";

/// How often a confirmation is kept: after a restart the time of grace has so much less left.
const KEEP_EVERY: TimeDelta = TimeDelta::seconds(30);

/// Changes of the issuer's key that a node may sleep through without a new card from people.
const BRIDGES_MAX: usize = 8;

/// The nodes, as one of them has signed it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Directory {
    pub issuer: NodeId,
    /// Grows with every change; an older directory never takes the place of a newer one.
    pub serial: u64,
    /// Seconds since 1970.
    pub issued_at: i64,
    pub members: Vec<Card>,
}

impl Directory {
    pub fn sign(&self, key: &SigningKey) -> Result<String, FederationError> {
        let payload =
            serde_json::to_vec(self).map_err(|error| FederationError::Directory { reason: error.to_string() })?;
        Ok(jws::sign(key, TYPE, &payload))
    }

    fn verify(text: &str, keys: &PublicKeys) -> Result<Self, FederationError> {
        let refused = |reason: String| FederationError::Directory { reason };
        let payload = jws::verify(text, TYPE, keys).map_err(|error| refused(error.to_string()))?;
        let directory: Self = serde_json::from_slice(&payload).map_err(|error| refused(error.to_string()))?;
        directory.members.iter().try_for_each(Card::check)?;
        Ok(directory)
    }

    fn card(&self, node: &NodeId) -> Option<&Card> {
        self.members.iter().find(|card| card.node == *node)
    }
}

/// A directory in use.
#[derive(Debug)]
pub struct Held {
    /// As it was signed, to be handed on.
    pub text: String,
    pub serial: u64,
    pub issued_at: i64,
    pub members: BTreeMap<NodeId, Card>,
    certificates: HashMap<Thumbprint, NodeId>,
    /// When its issuer last said that it is the newest.
    pub confirmed: DateTime<Utc>,
    /// The confirmation that is on the disk.
    kept: DateTime<Utc>,
}

impl Held {
    fn new(text: String, directory: Directory, confirmed: DateTime<Utc>, kept: DateTime<Utc>) -> Self {
        let owners =
            |card: &Card| card.certificates.iter().map(|print| (*print, card.node.clone())).collect::<Vec<_>>();
        let certificates = directory.members.iter().flat_map(owners).collect();
        let (serial, issued_at) = (directory.serial, directory.issued_at);
        let members = directory.members.into_iter().map(|card| (card.node.clone(), card)).collect();
        Self { text, serial, issued_at, members, certificates, confirmed, kept }
    }

    /// Whose certificate is it?
    pub fn owner(&self, certificate: &Thumbprint) -> Option<&NodeId> {
        self.certificates.get(certificate)
    }
}

/// What is kept of a directory for the next start.
#[derive(Serialize, Deserialize)]
struct Kept {
    directory: String,
    confirmed: DateTime<Utc>,
    /// The keys of its issuer that it was verified with: those on the card that people brought may be older.
    #[serde(default)]
    issuer_keys: Option<Jwks>,
}

/// The directory that this node goes by.
#[derive(Debug)]
pub struct Membership {
    /// The card of the directory's issuer, handed over by people. None at the issuer itself.
    anchor: Option<Card>,
    file: PathBuf,
    /// How long the last directory is good while its issuer is away.
    grace: TimeDelta,
    held: ArcSwap<Option<Arc<Held>>>,
}

impl Membership {
    /// Go on with the directory of before, if there is one.
    pub fn open(anchor: Option<Card>, file: &Path, grace: TimeDelta) -> Result<Self, FederationError> {
        let membership = Self { anchor, file: file.to_owned(), grace, held: ArcSwap::default() };
        if membership.anchor.is_some()
            && let Some(kept) = kept(file)?
        {
            membership.take_by(&kept.directory, kept.confirmed, kept.issuer_keys.as_ref())?;
        }
        Ok(membership)
    }

    /// The directory that a node has kept, for whoever works beside it: not checked again, and never changed.
    pub fn read(file: &Path, grace: TimeDelta) -> Result<Self, FederationError> {
        let membership = Self { anchor: None, file: file.to_owned(), grace, held: ArcSwap::default() };
        if let Some(Kept { directory, confirmed, .. }) = kept(file)? {
            let payload = directory.split('.').nth(1).unwrap_or_default();
            let payload = BASE64URL.decode(payload).unwrap_or_default();
            let read: Directory = serde_json::from_slice(&payload)
                .map_err(|error| FederationError::Directory { reason: error.to_string() })?;
            membership.held.store(Arc::new(Some(Arc::new(Held::new(directory, read, confirmed, confirmed)))));
        }
        Ok(membership)
    }

    /// The card of the issuer, at a node that is not it.
    pub fn anchor(&self) -> Option<&Card> {
        self.anchor.as_ref()
    }

    /// The directory, while it may be gone by.
    pub fn current(&self, now: DateTime<Utc>) -> Option<Arc<Held>> {
        self.last().filter(|held| self.anchor.is_none() || now - held.confirmed <= self.grace)
    }

    /// The last directory, however old.
    pub fn last(&self) -> Option<Arc<Held>> {
        Option::clone(&self.held.load())
    }

    /// The node with that certificate, if it is one.
    pub fn owner(&self, certificate: &Thumbprint, now: DateTime<Utc>) -> Option<NodeId> {
        let held = self.current(now).and_then(|held| held.owner(certificate).cloned());
        // Before the first directory only its issuer is known, by the card that people have brought.
        held.or_else(|| {
            let anchor = self.anchor.as_ref()?;
            anchor.certificates.contains(certificate).then(|| anchor.node.clone())
        })
    }

    /// The same for a handshake, which knows no time: whether the directory is too old is looked at with each request.
    pub fn is_listed(&self, certificate: &Thumbprint) -> bool {
        let of_anchor = self.anchor.as_ref().is_some_and(|anchor| anchor.certificates.contains(certificate));
        of_anchor || self.last().is_some_and(|held| held.owner(certificate).is_some())
    }

    /// Where a node is reached and what it signs with.
    pub fn card(&self, node: &NodeId, now: DateTime<Utc>) -> Option<Card> {
        self.current(now)?.members.get(node).cloned()
    }

    /// The certificates that a node may show: of the directory; of its issuer those on its card as well.
    pub fn certificates(&self, node: &NodeId) -> Vec<Thumbprint> {
        let listed = self.last().and_then(|held| held.members.get(node).map(|card| card.certificates.clone()));
        let anchor = self.anchor.as_ref().filter(|anchor| anchor.node == *node);
        listed.into_iter().flatten().chain(anchor.into_iter().flat_map(|card| card.certificates.clone())).collect()
    }

    /// Take a directory from its issuer, or a confirmation that it is still the newest.
    pub fn take(&self, text: &str, confirmed: DateTime<Utc>) -> Result<(), FederationError> {
        self.take_by(text, confirmed, None)
    }

    fn take_by(&self, text: &str, confirmed: DateTime<Utc>, more: Option<&Jwks>) -> Result<(), FederationError> {
        let known = self.last();
        let anchor = self.anchor.as_ref().ok_or(FederationError::IsIssuer)?;
        // The issuer may have changed its keys since its card was brought: those of the last directory hold as well.
        let of_last =
            known.iter().filter_map(|held| held.members.get(&anchor.node)).flat_map(|card| card.keys.0.iter());
        let more = more.into_iter().flat_map(|keys| keys.0.iter());
        let keys = PublicKeys::new(anchor.keys.0.iter().chain(of_last).chain(more).cloned());
        let directory = Directory::verify(text, &keys)?;
        if directory.issuer != anchor.node || directory.card(&anchor.node).is_none() {
            let reason = format!("it was issued by {}, not by {}", directory.issuer, anchor.node);
            return Err(FederationError::Directory { reason });
        }
        if let Some(known) = known.filter(|known| directory.serial < known.serial) {
            let reason = format!("its serial {} is older than {}", directory.serial, known.serial);
            return Err(FederationError::Directory { reason });
        }
        self.hold(text.to_owned(), directory, confirmed, Some(Jwks(keys)))
    }

    /// The same, where the issuer's key may have changed more than once since this node last heard of it: each bridge was
    /// signed with one key and names the next.
    pub fn take_over(&self, text: &str, bridges: &[String], confirmed: DateTime<Utc>) -> Result<(), FederationError> {
        let Err(refused) = self.take(text, confirmed) else { return Ok(()) };
        // Those from before the last directory that is known here are refused, and need not be taken.
        let crossed = bridges.iter().filter(|bridge| self.take(bridge, confirmed).is_ok()).count();
        if crossed == 0 { Err(refused) } else { self.take(text, confirmed) }
    }

    /// At the issuer: directories that were signed with a key before it was changed, and name the next one.
    pub fn bridges(&self) -> Vec<String> {
        let kept = std::fs::read(self.file.with_extension("bridges.json")).unwrap_or_default();
        serde_json::from_slice(&kept).unwrap_or_default()
    }

    /// At the issuer: the directory that is out now is the last one with the present key.
    pub fn keep_bridge(&self) -> Result<(), FederationError> {
        let Some(held) = self.last() else { return Ok(()) };
        let mut bridges = self.bridges();
        bridges.push(held.text.clone());
        bridges.drain(..bridges.len().saturating_sub(BRIDGES_MAX));
        let kept =
            serde_json::to_vec(&bridges).map_err(|error| FederationError::Directory { reason: error.to_string() })?;
        Ok(write_whole(&self.file.with_extension("bridges.json"), &kept)?)
    }

    /// Go by a directory that this node has issued itself.
    pub fn issue(&self, directory: Directory, key: &SigningKey, now: DateTime<Utc>) -> Result<(), FederationError> {
        directory.members.iter().try_for_each(Card::check)?;
        self.hold(directory.sign(key)?, directory, now, None)
    }

    fn hold(
        &self,
        text: String,
        directory: Directory,
        confirmed: DateTime<Utc>,
        issuer_keys: Option<Jwks>,
    ) -> Result<(), FederationError> {
        let kept = serde_json::to_vec(&Kept { directory: text.clone(), confirmed, issuer_keys })
            .map_err(|error| FederationError::Directory { reason: error.to_string() })?;
        // A confirmation that says nothing new is not worth a write each time.
        let known = self.last().filter(|known| known.text == text && confirmed - known.kept < KEEP_EVERY);
        let kept_at = match &known {
            Some(known) => known.kept,
            None => {
                write_whole(&self.file, &kept)?;
                confirmed
            }
        };
        self.held.store(Arc::new(Some(Arc::new(Held::new(text, directory, confirmed, kept_at)))));
        Ok(())
    }
}

fn kept(file: &Path) -> Result<Option<Kept>, FederationError> {
    let in_file = |source| FederationError::File { path: file.display().to_string(), source };
    match std::fs::read(file) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| in_file(error.into())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(in_file(error)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn card(keys: &[&SigningKey]) -> Card {
        let keys = PublicKeys::new(keys.iter().map(|key| key.public())).jwks();
        let card = json!({
            "node": "guangdong", "endpoint": "https://127.0.0.1:1", "protocol": { "oldest": 1, "newest": 1 },
            "keys": keys, "certificates": ["00".repeat(32)], "datasets": [],
        });
        serde_json::from_value(card).unwrap()
    }

    #[test]
    fn who_was_away_while_the_issuer_changed_its_key_twice_finds_the_way_over_its_bridges() {
        let keys: Vec<_> = (0..3).map(|_| SigningKey::generate().unwrap()).collect();
        let folder = tempfile::tempdir().unwrap();
        let (of_issuer, of_city) = (folder.path().join("issuer.json"), folder.path().join("city.json"));
        let issuer = Membership::open(None, &of_issuer, TimeDelta::hours(1)).unwrap();
        let city = Membership::open(Some(card(&[&keys[0]])), &of_city, TimeDelta::hours(1)).unwrap();
        let issue = |serial, named: &[&SigningKey], by: &SigningKey| {
            let directory =
                Directory { issuer: "guangdong".parse().unwrap(), serial, issued_at: 0, members: vec![card(named)] };
            issuer.issue(directory, by, Utc::now()).unwrap();
        };
        for (step, pair) in keys.windows(2).enumerate() {
            issue(2 * step as u64 + 1, &[&pair[0], &pair[1]], &pair[0]);
            issuer.keep_bridge().unwrap();
            issue(2 * step as u64 + 2, &[&pair[1]], &pair[1]);
        }
        let text = issuer.last().unwrap().text.clone();
        assert!(city.take(&text, Utc::now()).is_err() && city.take_over(&text, &[], Utc::now()).is_err());
        city.take_over(&text, &issuer.bridges(), Utc::now()).unwrap();
        assert_eq!(city.last().unwrap().serial, 4);
    }

    #[test]
    fn a_restart_goes_on_with_a_directory_that_is_signed_with_a_key_younger_than_the_card_that_was_brought() {
        let (old, new) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("directory.json");
        let open = || Membership::open(Some(card(&[&old])), &file, TimeDelta::hours(1)).unwrap();
        let membership = open();
        for (serial, keys, by) in [(1, &[&old, &new][..], &old), (2, &[&new], &new)] {
            let members = vec![card(keys)];
            let directory = Directory { issuer: "guangdong".parse().unwrap(), serial, issued_at: 0, members };
            membership.take(&directory.sign(by).unwrap(), Utc::now()).unwrap();
        }
        assert_eq!(open().last().unwrap().serial, 2);
    }
}
