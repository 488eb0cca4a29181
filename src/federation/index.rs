//! Which node may have a record: of each part a filter of its keys, kept by the node above.
//!
//! A filter holds keyed hashes, so that whoever sees it without the key learns no number from it. It never says no wrongly;
//! it says yes wrongly for about one key in 65,536 (a binary fuse filter of 16 bits), which costs a call to a node that has
//! no such record. A no is only as fresh as the version that the filter was made of, so an answer that rests on it names
//! that version, and a filter that its node has not confirmed for a while is not asked.

use std::{
    collections::{HashMap, HashSet},
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use aws_lc_rs::hmac;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use xorf::{BinaryFuse16, Filter};

use super::FederationError;
use crate::identifiers::{DatasetId, FieldName, NodeId};

/// How long the last confirmation of a filter is good.
const FRESH_FOR: Duration = Duration::from_secs(15);
/// Largest filter that is taken: that of some hundred million keys.
pub const BYTES_MAX: usize = 512 << 20;

/// The keys of one dataset at one node, in one version.
#[derive(Debug)]
pub struct Index {
    pub about: About,
    filter: BinaryFuse16,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    pub dataset: DatasetId,
    pub version: u64,
    /// When that version's data was true, RFC 3339.
    pub as_of: String,
    /// Fields by which records can be looked up; the others' values are not in it.
    pub fields: Vec<FieldName>,
    pub keys: u64,
}

/// The first line of an index as it is sent; the fingerprints follow, two bytes each, the lower one first.
#[derive(Serialize, Deserialize)]
struct Head {
    #[serde(flatten)]
    about: About,
    filter: BinaryFuse16,
}

/// Hashes keys for a filter.
pub struct KeyHasher(hmac::Key);

impl KeyHasher {
    pub fn new(secret: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    pub fn hash(&self, field: &FieldName, value: &str) -> u64 {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(field.as_str().as_bytes());
        context.update(b"\0");
        context.update(value.as_bytes());
        let tag = context.sign();
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&tag.as_ref()[..8]);
        u64::from_le_bytes(bytes)
    }
}

impl Index {
    /// The filter of these hashes.
    pub fn build(mut about: About, hashes: HashSet<u64>) -> Result<Self, FederationError> {
        about.keys = hashes.len() as u64;
        let hashes: Vec<u64> = hashes.into_iter().collect();
        let filter = BinaryFuse16::try_from(&hashes).map_err(wrong)?;
        Ok(Self { about, filter })
    }

    pub fn to_bytes(&self) -> Result<Vec<u8>, FederationError> {
        let bare = BinaryFuse16 { descriptor: self.filter.descriptor.clone(), fingerprints: Box::default() };
        let head = Head { about: self.about.clone(), filter: bare };
        let mut bytes = serde_json::to_vec(&head).map_err(|error| wrong(&error.to_string()))?;
        bytes.push(b'\n');
        bytes.extend(self.filter.fingerprints.iter().flat_map(|print| print.to_le_bytes()));
        Ok(bytes)
    }

    /// Read an index that another node has sent.
    pub fn parse(bytes: &[u8]) -> Result<Self, FederationError> {
        let end = memchr::memchr(b'\n', bytes).ok_or_else(|| wrong("it has no first line"))?;
        let head: Head = serde_json::from_slice(&bytes[..end]).map_err(|error| wrong(&error.to_string()))?;
        let prints = bytes[end + 1..].chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
        let filter = BinaryFuse16 { fingerprints: prints.collect(), ..head.filter };
        // The filter reads where its descriptor says; one that points outside would end the process.
        let of = &filter.descriptor;
        let whole = u64::from(of.segment_count_length) + 2 * u64::from(of.segment_length);
        let sound = of.segment_length.is_power_of_two()
            && of.segment_length_mask == of.segment_length - 1
            && of.segment_count_length.is_multiple_of(of.segment_length);
        if !sound || filter.fingerprints.len() as u64 != whole {
            return Err(wrong("its parts do not fit each other"));
        }
        Ok(Self { about: head.about, filter })
    }

    fn may_have(&self, hash: u64) -> bool {
        self.filter.contains(&hash)
    }
}

fn wrong(reason: &str) -> FederationError {
    FederationError::Directory { reason: format!("an index cannot be used: {reason}") }
}

struct Kept {
    index: Arc<Index>,
    confirmed: Instant,
}

/// The indexes of the nodes below, at the node that holds them.
#[derive(Default)]
pub struct Indexes {
    held: ArcSwap<HashMap<(NodeId, DatasetId), Kept>>,
    under_way: Mutex<HashSet<(NodeId, DatasetId)>>,
}

impl Indexes {
    /// Fetch an index beside everything else, unless that is under way: a node that does not answer holds nobody up.
    pub fn fetch_aside<F: Future<Output = ()> + Send + 'static>(
        self: &Arc<Self>,
        (node, dataset): (&NodeId, &DatasetId),
        fetching: impl FnOnce() -> F,
    ) {
        let key = (node.clone(), dataset.clone());
        if !self.under_way.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone()) {
            return;
        }
        let (indexes, fetching) = (Arc::clone(self), fetching());
        tokio::spawn(async move {
            fetching.await;
            indexes.under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
        });
    }

    /// The version of an index that is held.
    pub fn version(&self, node: &NodeId, dataset: &DatasetId) -> Option<u64> {
        self.held.load().get(&(node.clone(), dataset.clone())).map(|kept| kept.index.about.version)
    }

    /// Hold an index, or (`None`) note that the one that is held is still the newest.
    pub fn take(&self, node: &NodeId, dataset: &DatasetId, index: Option<Index>) {
        let (key, index) = ((node.clone(), dataset.clone()), index.map(Arc::new));
        self.held.rcu(|held| {
            let mut next: HashMap<_, _> = held
                .iter()
                .map(|(key, kept)| (key.clone(), Kept { index: Arc::clone(&kept.index), confirmed: kept.confirmed }))
                .collect();
            let index = index.clone().or_else(|| next.get(&key).map(|kept| Arc::clone(&kept.index)));
            if let Some(index) = index {
                next.insert(key.clone(), Kept { index, confirmed: Instant::now() });
            }
            next
        });
    }

    /// The index that says that a node has no such record, where one does.
    pub fn rules_out(&self, node: &NodeId, dataset: &DatasetId, field: &FieldName, hash: u64) -> Option<About> {
        let held = self.held.load();
        let kept = held.get(&(node.clone(), dataset.clone()))?;
        let about = &kept.index.about;
        let usable = kept.confirmed.elapsed() < FRESH_FOR && about.fields.contains(field);
        (usable && !kept.index.may_have(hash)).then(|| about.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(numbers: std::ops::Range<u64>) -> (Index, KeyHasher, FieldName) {
        let (hasher, field): (_, FieldName) = (KeyHasher::new(&[7; 32]), "resident_id".parse().unwrap());
        let about = About {
            dataset: "natural-person".parse().unwrap(),
            version: 3,
            as_of: "2026-11-27T00:00:00Z".to_owned(),
            fields: vec![field.clone()],
            keys: 0,
        };
        let hashes = numbers.map(|number| hasher.hash(&field, &number.to_string())).collect();
        (Index::build(about, hashes).unwrap(), hasher, field)
    }

    #[test]
    fn an_index_is_never_wrong_when_it_says_no_and_seldom_when_it_says_yes() {
        let (index, hasher, field) = index(0..20_000);
        let read = Index::parse(&index.to_bytes().unwrap()).unwrap();
        assert_eq!((read.about.keys, read.about.version), (20_000, 3));
        let may_have = |number: u64| read.may_have(hasher.hash(&field, &number.to_string()));
        assert!((0..20_000).all(may_have));
        let wrong = (20_000..220_000).filter(|number| may_have(*number)).count();
        assert!(wrong < 20, "{wrong} of 200,000"); // 3 are to be expected
    }

    #[test]
    fn an_index_that_is_cut_or_changed_is_not_taken() {
        let bytes = index(0..1_000).0.to_bytes().unwrap();
        assert!(Index::parse(&bytes[..bytes.len() - 2]).is_err());
        assert!(Index::parse(b"{}\n").is_err() && Index::parse(b"").is_err());
        let text = String::from_utf8_lossy(&bytes[..200]);
        let length = text.split("\"segment_length\":").nth(1).unwrap().split([',', '}']).next().unwrap().to_owned();
        let larger = format!("\"segment_length\":{}", length.parse::<u64>().unwrap() * 2);
        let changed = text.replace(&format!("\"segment_length\":{length}"), &larger);
        let changed = [changed.as_bytes(), &bytes[200..]].concat();
        assert!(Index::parse(&changed).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn an_index_that_is_not_confirmed_rules_nothing_out() {
        let ((index, hasher, field), indexes) = (index(0..10), Indexes::default());
        let (node, dataset) = ("shenzhen".parse().unwrap(), "natural-person".parse().unwrap());
        let ruled_out = |number: &str| indexes.rules_out(&node, &dataset, &field, hasher.hash(&field, number));
        assert_eq!(ruled_out("99"), None);
        indexes.take(&node, &dataset, Some(index));
        assert_eq!((ruled_out("99").map(|about| about.version), ruled_out("3")), (Some(3), None));
        tokio::time::advance(FRESH_FOR).await;
        assert_eq!(ruled_out("99"), None);
        indexes.take(&node, &dataset, None);
        assert!(ruled_out("99").is_some());
        let other = "phone".parse().unwrap();
        assert_eq!(indexes.rules_out(&node, &dataset, &other, hasher.hash(&other, "99")), None);
    }
}
