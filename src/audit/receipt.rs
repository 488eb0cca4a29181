//! The receipt: the node's signed statement of one answer, and how anybody checks it.
//!
//! Two forms, told apart by how they are written. A *single* receipt is a compact JWS (RFC 7515) over its claims, with
//! EdDSA (RFC 8037) and the type `receipt+jwt`. A *batched* one carries its claims and their path in a Merkle tree,
//! whose head is such a JWS for all receipts of one commit group (`batch`). The key stands in the node's
//! `/.well-known/jwks.json` under the header's `kid`. Hashes are lower-case hexadecimal, as `sha256sum` prints them.
//!
//! ```text
//!  request body ── SHA-256 ──────────────────────────> request_sha256 ┐
//!  answer without `receipt` ── RFC 8785 ── SHA-256 ──> answer_sha256  ├─> claims ── EdDSA ───────> single receipt
//!  record in the audit log ── RFC 6962 ──────────────> log.leaf       ┘      └── tree, EdDSA ──> batched receipt
//! ```
//!
//! Pure, but for [`Receipts`], which records an answer and gives its receipt.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use uuid::Uuid;

use super::{Digest, Operation, RecordedDecision, sha256};
use crate::{
    identifiers::{CallId, CaseNo, ClientId, DatasetId, DepartmentId, ItemCode, VersionNo},
    keys::{
        PublicKeys, SigningKey,
        jws::{self, JwsError},
    },
    problem::Code,
};

pub(super) mod batch;
mod issue;
mod strict;

pub use batch::{GroupPlace, HEAD_TYPE, HeadSigner, KnownHeads, ReceiptHead};
pub use issue::Receipts;
pub use strict::parse_answer;

/// What kind of JWS a single receipt is; no other token passes for one (RFC 8725 section 3.11).
pub const TYPE: &str = "receipt+jwt";

/// Longest receipt that is looked at.
pub const RECEIPT_BYTES_MAX: usize = 16 * 1024;

/// The member of an answer that holds its receipt.
pub const MEMBER: &str = "receipt";

/// What a receipt states.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiptClaims {
    /// The node that answered, by its public URL.
    pub iss: String,
    /// When the call arrived, in seconds since 1970.
    pub iat: i64,
    /// The call's id.
    pub jti: CallId,
    /// Who asked, on whose behalf, for what purpose.
    pub client: ClientId,
    pub department: DepartmentId,
    pub item: ItemCode,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub case: Option<CaseNo>,
    pub operation: Operation,
    pub dataset: DatasetId,
    /// The published version that answered; absent where none could be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dataset_version: Option<VersionNo>,
    /// When that version's data was true, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<String>,
    pub decision: RecordedDecision,
    pub outcome: String,
    /// Hash of the policy set that decided.
    pub policy_set: String,
    /// SHA-256 of the request body as it was sent.
    pub request_sha256: Digest,
    /// SHA-256 of the answer in RFC 8785 form, without its `receipt` member.
    pub answer_sha256: Digest,
    pub log: LogPlace,
}

/// Where the record of the call stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogPlace {
    /// Which log.
    pub id: Uuid,
    /// Which record, from 0. In a batch the claims are made before the record has its place: there the head and the
    /// position in its tree say it, and [`verify`] puts it in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<u64>,
    /// Its leaf hash (RFC 6962).
    pub leaf: Digest,
}

/// Why a receipt does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    #[error("the receipt has {bytes} bytes; at most {RECEIPT_BYTES_MAX} are looked at")]
    TooLong { bytes: usize },
    #[error("the receipt does not hold: {0}")]
    Signature(#[from] JwsError),
    #[error("the receipt is not of the documented form: {reason}")]
    Batch { reason: &'static str },
    #[error("the signed head of the batch does not cover what the receipt states")]
    NotCovered,
    #[error("what the receipt states is not of the documented form: {reason}")]
    Claims { reason: String },
    #[error("the answer is not a JSON object that can be signed: {reason}")]
    Answer { reason: String },
    #[error("the answer carries no receipt")]
    NoReceipt,
    #[error("the answer is not the one that was signed")]
    OtherAnswer,
    #[error("the request is not the one that was answered")]
    OtherRequest,
}

impl ReceiptError {
    pub fn code(&self) -> Code {
        Code::ReceiptInvalid
    }
}

impl ReceiptClaims {
    /// The bytes that are signed.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("claims have text keys and no maps, so they are JSON")
    }
}

/// Sign what a receipt states, by itself.
pub fn sign(key: &SigningKey, claims: &ReceiptClaims) -> String {
    jws::sign(key, TYPE, &claims.to_bytes())
}

/// What a receipt of either form states, if one of the keys has signed it.
///
/// Strict: exactly `alg`, `kid` and `typ` in the header, EdDSA, the right type, a key of the set, canonical base64url, no
/// unknown and no repeated member; of a batch, the exact path and nothing after it. A change of any one bit is refused.
pub fn verify(receipt: &str, keys: &PublicKeys) -> Result<ReceiptClaims, ReceiptError> {
    verify_any(receipt, keys, None)
}

/// The same for whoever is handed many receipts of a node.
pub fn verify_one_of_many(receipt: &str, keys: &PublicKeys, known: &KnownHeads) -> Result<ReceiptClaims, ReceiptError> {
    verify_any(receipt, keys, Some(known))
}

fn verify_any(receipt: &str, keys: &PublicKeys, known: Option<&KnownHeads>) -> Result<ReceiptClaims, ReceiptError> {
    if receipt.len() > RECEIPT_BYTES_MAX {
        return Err(ReceiptError::TooLong { bytes: receipt.len() });
    }
    if receipt.contains(batch::SEPARATOR) {
        return batch::verify(receipt, keys, known);
    }
    let claims: ReceiptClaims = claims_of(&jws::verify(receipt, TYPE, keys)?)?;
    match claims.log.index {
        Some(_) => Ok(claims),
        None => Err(ReceiptError::Claims { reason: "`log.index` is missing".to_owned() }),
    }
}

fn claims_of<T: DeserializeOwned>(payload: &[u8]) -> Result<T, ReceiptError> {
    serde_json::from_slice(payload).map_err(|error| ReceiptError::Claims { reason: error.to_string() })
}

/// Check a whole answer: its receipt, and that the receipt is of this answer.
pub fn verify_answer(answer: &[u8], keys: &PublicKeys) -> Result<ReceiptClaims, ReceiptError> {
    let answer = parse_answer(answer)?;
    let receipt = answer.get(MEMBER).and_then(Value::as_str).ok_or(ReceiptError::NoReceipt)?;
    let claims = verify(receipt, keys)?;
    if answer_digest(&answer)? != claims.answer_sha256 {
        return Err(ReceiptError::OtherAnswer);
    }
    Ok(claims)
}

/// Check that a receipt is of this request, by the body's bytes as they were sent.
pub fn verify_request(claims: &ReceiptClaims, request: &[u8]) -> Result<(), ReceiptError> {
    if sha256(request) == claims.request_sha256 { Ok(()) } else { Err(ReceiptError::OtherRequest) }
}

/// SHA-256 over the RFC 8785 form of an answer without its `receipt` member.
///
/// An answer with a number that RFC 8785 cannot keep apart from its neighbours (beyond ±(2^53 − 1), RFC 7493 section 2.2)
/// has no digest.
pub fn answer_digest(answer: &Value) -> Result<Digest, ReceiptError> {
    let bad = |reason: &str| ReceiptError::Answer { reason: reason.to_owned() };
    let mut members = answer.as_object().ok_or_else(|| bad("it is not an object"))?.clone();
    members.remove(MEMBER);
    let unsigned = Value::Object(members);
    if !strict::has_exact_numbers(&unsigned) {
        return Err(bad("a number is beyond 2^53. Send it as text"));
    }
    let canonical = serde_jcs::to_vec(&unsigned).map_err(|error| bad(&error.to_string()))?;
    Ok(sha256(&canonical))
}

#[cfg(test)]
mod tests;
