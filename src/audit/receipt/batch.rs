//! Receipts of a commit group under one signature: a Merkle tree over what they state, and its signed head.
//!
//! Pure. The tree (RFC 6962 section 2.1) has a leaf for each record of the group, in the order of the log, so that a
//! leaf's position says the record's index: `log.first` of the head, plus the position. The leaf of an answer is
//! SHA-256(0x00 || claims); a record that asks for no receipt (a refusal) stands with its own leaf of the log, which is
//! no claims' leaf, because no record is of their form.
//!
//! ```text
//!  claims ── SHA-256(0x00 || ·) ──> leaf ─┐
//!  claims ── SHA-256(0x00 || ·) ──> leaf ─┴─> root ──> head ── EdDSA ──> compact JWS, `receipt-head+jwt`
//!
//!  receipt:  head ~ base64url(claims) ~ base64url(position, 4 bytes, big-endian; then the path, 32 bytes a hash)
//! ```
//!
//! Nothing in it has two spellings, and nothing is left over: a receipt with any bit changed is another receipt.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    super::{
        Digest, leaf_hash,
        proof::verify_inclusion,
        tree::{Hash, node_hash},
    },
    ReceiptClaims, ReceiptError,
};
use crate::keys::{
    KeyRing, PublicKey, PublicKeys,
    jws::{self, JwsError},
};

/// What kind of JWS the head of a batch is; neither a receipt nor any other token passes for one.
pub const HEAD_TYPE: &str = "receipt-head+jwt";

/// Stands between the parts of a batched receipt, and in no compact JWS.
pub(super) const SEPARATOR: char = '~';

const HASH_BYTES: usize = size_of::<Hash>();

/// Who signs the heads of batches, and by which clock.
#[derive(Clone, Debug)]
pub struct HeadSigner {
    pub keys: Arc<KeyRing>,
    /// The node's public URL, as its receipts name it.
    pub issuer: String,
    pub clock: fn() -> DateTime<Utc>,
}

/// What a signed head states.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiptHead {
    /// The node that signed, by its public URL.
    pub iss: String,
    /// When it signed, in seconds since 1970.
    pub iat: i64,
    pub log: GroupPlace,
    /// Root of the tree over the group.
    pub root: Digest,
}

/// Which records of the log a head is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupPlace {
    /// Which log.
    pub id: Uuid,
    /// Index of the group's first record, from 0.
    pub first: u64,
    /// Records in the group, which are the leaves of the tree.
    pub size: u64,
}

/// The tree over a group and its signed head, shared by those who wait for a receipt out of it.
#[derive(Debug)]
pub(in crate::audit) struct Batch {
    signer: Arc<HeadSigner>,
    place: GroupPlace,
    /// Level after level, leaves first and the root last. A node without a sibling is carried up unchanged, which
    /// gives the tree of the standard.
    nodes: Vec<Hash>,
    /// Signed by the first who asks for a receipt. Nobody can ask before the group is durable, so nothing is signed that
    /// is not; and the appender can go on to the next group. Who asks meanwhile waits for the few microseconds.
    head: OnceLock<String>,
}

impl Batch {
    /// Grow the tree over the leaves, of which there is at least one.
    pub(in crate::audit) fn new(signer: Arc<HeadSigner>, log: Uuid, first: u64, leaves: Vec<Hash>) -> Self {
        let place = GroupPlace { id: log, first, size: leaves.len() as u64 };
        Self { signer, place, nodes: grow(leaves), head: OnceLock::new() }
    }

    fn head(&self) -> &str {
        self.head.get_or_init(|| {
            let head = ReceiptHead {
                iss: self.signer.issuer.clone(),
                iat: (self.signer.clock)().timestamp(),
                log: self.place,
                root: self.nodes.last().copied().map(Digest).expect("a batch has at least one leaf"),
            };
            let payload = serde_json::to_vec(&head).expect("a head has text keys and no maps, so it is JSON");
            jws::sign(&self.signer.keys.signing(), HEAD_TYPE, &payload)
        })
    }

    /// The receipt of the record with this index, which is one of the group, over its claims.
    pub(in crate::audit) fn receipt(&self, index: u64, claims: &[u8]) -> String {
        let position = u32::try_from(index - self.place.first).expect("a group has fewer records than 2^32");
        let mut place = position.to_be_bytes().to_vec();
        self.path(position as usize).for_each(|hash| place.extend_from_slice(hash));
        let head = self.head();
        let mut text = String::with_capacity(head.len() + (claims.len() + place.len()) * 4 / 3 + 8);
        text.push_str(head);
        for part in [claims, &place] {
            text.push(SEPARATOR);
            BASE64URL.encode_string(part, &mut text);
        }
        text
    }

    /// The siblings from a leaf up to below the root.
    fn path(&self, position: usize) -> impl Iterator<Item = &Hash> {
        let (mut start, mut width, mut at) = (0, self.place.size as usize, position);
        let levels = std::iter::from_fn(move || {
            let sibling = (width > 1).then_some((start, at ^ 1, width))?;
            (start, width, at) = (start + width, width.div_ceil(2), at / 2);
            Some(sibling)
        });
        levels.filter(|(_, sibling, width)| sibling < width).map(|(start, sibling, _)| &self.nodes[start + sibling])
    }
}

fn grow(mut nodes: Vec<Hash>) -> Vec<Hash> {
    let (mut start, mut width) = (0, nodes.len());
    nodes.reserve(width + usize::BITS as usize);
    while width > 1 {
        for left in (start..start + width).step_by(2) {
            let node = if left + 1 < start + width { node_hash(&nodes[left], &nodes[left + 1]) } else { nodes[left] };
            nodes.push(node);
        }
        (start, width) = (start + width, width.div_ceil(2));
    }
    nodes
}

/// Heads whose signature has been verified. The receipts of one group share theirs: whoever is handed many of a group one by
/// one verifies one signature for all of them.
#[derive(Debug, Default)]
pub struct KnownHeads(Mutex<VecDeque<KnownHead>>);

#[derive(Debug)]
struct KnownHead {
    text: String,
    payload: Vec<u8>,
    key: PublicKey,
}

impl KnownHeads {
    /// As many as may be under way at once.
    const MOST: usize = 64;

    /// As [`jws::verify`]: a head is known by every byte of it, and only while the key that has signed it is in the set.
    fn verify(&self, text: &str, keys: &PublicKeys) -> Result<Vec<u8>, JwsError> {
        let is_good = |known: &&KnownHead| known.text == text && keys.find(known.key.kid()) == Some(&known.key);
        if let Some(known) = self.lock().iter().rev().find(is_good) {
            return Ok(known.payload.clone());
        }
        let (payload, key) = jws::verify_by(text, HEAD_TYPE, keys)?;
        let mut known = self.lock();
        if known.len() == Self::MOST {
            known.pop_front();
        }
        known.push_back(KnownHead { text: text.to_owned(), payload: payload.clone(), key: key.clone() });
        Ok(payload)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<KnownHead>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a batched receipt states, with its index, if one of the keys has signed the head that covers it.
pub(super) fn verify(
    receipt: &str,
    keys: &PublicKeys,
    known: Option<&KnownHeads>,
) -> Result<ReceiptClaims, ReceiptError> {
    let malformed = |reason| ReceiptError::Batch { reason };
    let mut parts = receipt.split(SEPARATOR);
    let (Some(head), Some(claims), Some(place), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return Err(malformed("it has not three parts"));
    };
    let decode = |part| BASE64URL.decode(part).map_err(|_| malformed("a part is not base64url"));
    let (claims, place) = (decode(claims)?, decode(place)?);
    let (position, path) = place.split_first_chunk().ok_or(malformed("its position is cut"))?;
    let position = u64::from(u32::from_be_bytes(*position));
    let (path, []) = path.as_chunks::<HASH_BYTES>() else { return Err(malformed("its path is cut")) };

    let head = match known {
        Some(known) => known.verify(head, keys)?,
        None => jws::verify(head, HEAD_TYPE, keys)?,
    };
    let head: ReceiptHead = super::claims_of(&head)?;
    if !verify_inclusion(&leaf_hash(&claims), position, head.log.size, path, &head.root.0) {
        return Err(ReceiptError::NotCovered);
    }
    let mut claims: ReceiptClaims = super::claims_of(&claims)?;
    if claims.log.index.is_some() {
        return Err(malformed("its claims name a place that only the signed head can name"));
    }
    if claims.iss != head.iss || claims.log.id != head.log.id {
        return Err(malformed("its claims are of another node or log than the signed head"));
    }
    let index = head.log.first.checked_add(position).ok_or(malformed("its index is beyond any log"))?;
    claims.log.index = Some(index);
    Ok(claims)
}

#[cfg(test)]
mod tests;
