//! What an operator may change while the node serves: policies and keys.

use std::sync::{Arc, atomic::Ordering};

use super::{Node, NodeError};
use crate::{
    exchange::{day_in_china, prove_the_locks},
    policy::PolicySet,
};

/// No stamp of a ledger.
const UNKNOWN: i64 = i64::MIN;

/// What is used after a reload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reloaded {
    /// Hash of the policy set that decides.
    pub policies: String,
    /// Ids of the keys that sign receipts and tokens.
    pub receipt_key: String,
    pub token_key: String,
}

impl Node {
    /// Read policies and keys again, and use them from the next call on. Where a policy set is active in the ledger, it
    /// stays: the folder's would not have been reviewed.
    ///
    /// All of them or, where one is not in order, none. Where a start-up probe gets through, no call is answered until a reload
    /// passes: the folder's policies are what is in force, and those before may allow what they forbid. Calls under way end
    /// as they began. Blocks for the reading, and until the other nodes know of a new key.
    pub fn reload(&self) -> Result<Reloaded, NodeError> {
        let _proving = self.proving.blocking_lock();
        let rights = self.exchange.rights();
        let policies = match self.policies_of_ledger.load(Ordering::Relaxed) {
            true => Arc::clone(&rights.policies),
            false => Arc::new(PolicySet::load(&self.settings.paths.policies)?),
        };
        if let Err(failed) = prove_the_locks(&rights.catalog, &rights.agreements, &policies, day_in_china(self.now())) {
            self.reload_failed.store(true, Ordering::Relaxed);
            self.close(&failed.clone().into());
            return Err(failed.into());
        }
        let (receipt_keys, token_keys) = (self.receipt_keys.read_again()?, self.token_keys.read_again()?);

        // Whoever verifies takes a key before whoever signs with it: the other nodes, then this one.
        let announced = tokio::runtime::Handle::current()
            .block_on(self.announce(&[receipt_keys.public(), token_keys.public()]))
            .and_then(|()| Ok(self.verifier.set_own_keys(&token_keys.public())?));
        if announced.is_ok() {
            self.token_keys.take(&token_keys);
            self.receipt_keys.take(&receipt_keys);
        }
        self.announced();
        announced?;
        self.exchange.change_rights(|rights| rights.policies = Arc::clone(&policies));
        self.reload_failed.store(false, Ordering::Relaxed);
        // Where nothing was answered, perhaps because of the policies before: look again.
        self.laws_stamp.store(UNKNOWN, Ordering::Relaxed);
        Ok(Reloaded {
            policies: policies.hash().to_owned(),
            receipt_key: self.receipt_keys.signing().kid().to_owned(),
            token_key: self.token_keys.signing().kid().to_owned(),
        })
    }
}
