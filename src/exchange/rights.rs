//! What a call is decided by, taken together: it changes as a whole, between two calls.

use std::sync::Arc;

use super::{answer::Asker, call::Call, decider::Decider};
use crate::{
    agreements::Agreements,
    audit::Record,
    catalog::Catalog,
    engine::{Found, statistics::Counting},
    identifiers::{AgreementId, DatasetId, FieldName, NodeId},
    ledger::{Agreement, Suspension, Suspensions, Target},
    objections::Marks,
    policy::{Obligations, PolicySet},
    problem::{Code, Problem},
};

/// When to try again what is stopped: nobody knows, and asking more often does not help.
const RETRY_SECONDS: u64 = 60;

/// Catalogue, agreements, policies, what is stopped, and what is objected to.
#[derive(Clone, Debug)]
pub struct Rights {
    pub catalog: Arc<Catalog>,
    pub agreements: Arc<Agreements>,
    pub policies: Arc<PolicySet>,
    pub suspensions: Arc<Suspensions>,
    /// What answers say of objections.
    pub objections: Arc<Marks>,
    /// Why nothing is answered: the laws that are in force by the ledger could not be proven. Those above are the ones before.
    pub unproven: Option<Problem>,
}

/// Rights in use, with the decisions that they have led to.
pub(super) struct InForce {
    pub(super) rights: Rights,
    pub(super) decider: Decider,
}

impl InForce {
    pub(super) fn new(rights: Rights) -> Self {
        let decider = Decider::new(Arc::clone(&rights.policies));
        Self { rights, decider }
    }

    /// The laws are proven, and nothing that the call needs is stopped.
    pub(super) fn going_on(&self, asker: &Asker, call: &Call, agreement: Option<&Agreement>) -> Result<(), Problem> {
        if let Some(unproven) = &self.rights.unproven {
            return Err(unproven.clone());
        }
        let caller = &asker.caller;
        let suspensions = &self.rights.suspensions;
        if suspensions.is_empty() {
            return Ok(());
        }
        let dataset = &call.dataset.id;
        let fields = call.fields.iter().chain([&call.subject_field]);
        let of_us = [Target::Everything, Target::Dataset(dataset.clone())]
            .into_iter()
            .chain(fields.map(|field| Target::Field(dataset.clone(), field.clone())));
        let of_caller = [Target::Client(caller.client.clone())]
            .into_iter()
            .chain(agreement.map(|agreement| Target::Agreement(agreement.id.clone())));
        let of_peers = asker.chain().iter().map(|node| Target::Peer(node.clone()));
        for target in of_caller.chain(of_peers) {
            if let Some(stopped) = suspensions.get(&target) {
                return Err(suspended(Code::CallerSuspended, &target, stopped));
            }
        }
        for target in of_us {
            if let Some(stopped) = suspensions.get(&target) {
                return Err(suspended(Code::Suspended, &target, stopped).retry_after(RETRY_SECONDS));
            }
        }
        Ok(())
    }
}

impl InForce {
    /// What the answer says of objections. Nothing to those who are not told whether there is a record at all.
    pub(super) fn objection(
        &self,
        call: &Call,
        record: &Record,
        found: Option<&Found>,
        obligations: &Obligations,
    ) -> Option<&'static str> {
        let subject = record.subject.as_deref().filter(|_| !obligations.fold_not_found)?;
        self.rights.objections.word(&call.dataset.id, subject, found.map(|found| found.version))
    }
}

impl InForce {
    /// Nothing that the statement needs is stopped.
    pub(super) fn counting_goes_on(&self, asker: &Asker, counting: &Counting) -> Result<(), Problem> {
        let account = Target::Client(asker.caller.client.clone());
        let dataset = &counting.dataset;
        let fields = counting.fields().into_iter().map(|field| Target::Field(dataset.clone(), field.clone()));
        let needed = [account, Target::Everything, Target::Dataset(dataset.clone())].into_iter().chain(fields);
        let of_peers = asker.chain().iter().map(|node| Target::Peer(node.clone()));
        for target in needed.chain(of_peers) {
            if let Some(stopped) = self.rights.suspensions.get(&target) {
                let of_caller = matches!(target, Target::Client(_) | Target::Peer(_));
                let code = if of_caller { Code::CallerSuspended } else { Code::Suspended };
                return Err(suspended(code, &target, stopped).retry_after(RETRY_SECONDS));
            }
        }
        Ok(())
    }
}

impl InForce {
    /// The laws are proven, and nothing that the return needs is stopped.
    pub(super) fn return_goes_on(
        &self,
        node: &NodeId,
        dataset: &DatasetId,
        fields: &[FieldName],
        agreement: Option<&AgreementId>,
    ) -> Result<(), Problem> {
        if let Some(unproven) = &self.rights.unproven {
            return Err(unproven.clone());
        }
        let of_caller = agreement.map(|agreement| Target::Agreement(agreement.clone()));
        let of_caller = [Target::Peer(node.clone())].into_iter().chain(of_caller);
        let fields = fields.iter().map(|field| Target::Field(dataset.clone(), field.clone()));
        let of_us = [Target::Everything, Target::Dataset(dataset.clone())].into_iter().chain(fields);
        let codes = of_caller.map(|target| (target, Code::CallerSuspended));
        for (target, code) in codes.chain(of_us.map(|target| (target, Code::Suspended))) {
            if let Some(stopped) = self.rights.suspensions.get(&target) {
                return Err(suspended(code, &target, stopped).retry_after(RETRY_SECONDS));
            }
        }
        Ok(())
    }
}

/// The reason was written for colleagues, so it is not told; since when is.
fn suspended(code: Code, target: &Target, stopped: &Suspension) -> Problem {
    let since = stopped.since.format("%Y-%m-%dT%H:%M:%SZ");
    Problem::new(code, format!("`{target}` is suspended since {since}"))
        .remedy("Ask the node's operator; accept the case provisionally if the law allows it.")
}
