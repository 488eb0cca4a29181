//! An answer is recorded and gets its receipt.

use std::sync::Arc;

use super::{
    super::{AuditError, Digest, Log, Record, leaf_hash},
    LogPlace, sign,
};
use crate::keys::KeyRing;

/// Makes receipts, in the form for which the log was opened: batched where it signs heads, else single.
#[derive(Debug)]
pub struct Receipts {
    log: Arc<Log>,
    keys: Arc<KeyRing>,
    issuer: String,
}

impl Receipts {
    /// `keys` sign single receipts; `issuer` is the node's public URL.
    pub fn new(log: Arc<Log>, keys: Arc<KeyRing>, issuer: String) -> Self {
        Self { log, keys, issuer }
    }

    /// Record an answer and sign its receipt; returns when the record is durable. Fails as [`Log::append`] does.
    pub async fn record(&self, record: &Record) -> Result<String, AuditError> {
        let payload = record.to_bytes()?;
        let place = |index, leaf| LogPlace { id: self.log.id(), index, leaf: Digest(leaf) };
        if self.log.signs_heads() {
            let leaf = leaf_hash(&payload);
            let claims = record.receipt_claims(&self.issuer, place(None, leaf))?.to_bytes();
            self.log.append_with_receipt(payload, leaf, &claims).await
        } else {
            let appended = self.log.append(payload).await?;
            let claims = record.receipt_claims(&self.issuer, place(Some(appended.index), appended.leaf))?;
            Ok(sign(&self.keys.signing(), &claims))
        }
    }
}
