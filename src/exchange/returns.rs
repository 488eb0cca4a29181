//! A return: a node is handed the records of its own residents (数据回流), by the road of anything that is disclosed.
//!
//! The same order as that of a call: who asks is known from its certificate, then resolve, decide, cut, record. The terms are
//! made anew for each pull, so what policy takes away is gone from the next one on. The slice leaves when its record is
//! durable (promise 2), with a manifest that this node has signed. A node that has the newest slice is told so, and nothing
//! is recorded, because nothing was told of anybody.

use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use chrono::{DateTime, Timelike, Utc};
use metrics::counter;
use tokio::sync::Semaphore;

use super::{
    answer::{Exchange, Refusal, audit_failed, day_in_china, in_china, sha256, timestamp},
    rights::InForce,
};
use crate::{
    audit::{self, Record, ReturnPurpose, Returned},
    catalog::Dataset,
    identifiers::{CallId, DatasetId, NodeId},
    policy::{Decision, ReturnQuestion},
    problem::{Code, Problem},
    returns::{Cursor, Cut, Manifest, ReturnError, Slice, Terms, spool},
};

/// How long a slice may be on its way before the node may ask for another one.
const SENDING_MAX: Duration = Duration::from_secs(600);
/// When to try again what is under way already.
const RETRY_SECONDS: u64 = 5;

/// What a node asks for. Time and the id come from outside.
#[derive(Clone, Copy, Debug)]
pub struct ReturnAsked<'a> {
    pub call_id: CallId,
    /// By its certificate.
    pub from: &'a NodeId,
    /// As it was sent.
    pub dataset: &'a str,
    /// How far the node says that it has come, as it was sent.
    pub after: Option<&'a str>,
    /// Where the slice is kept until it has been sent.
    pub folder: &'a Path,
    pub received: DateTime<Utc>,
}

/// A slice that has been recorded and may leave.
#[derive(Debug)]
pub struct HandedBack {
    pub slice: Slice,
    /// Signed.
    pub manifest: String,
    /// Kept for as long as the slice is on its way.
    pub on_its_way: OnItsWay,
}

/// What a node would be handed of a dataset.
#[derive(Clone, Debug)]
pub struct Offer {
    pub dataset: DatasetId,
    /// Where it is then, and when that version's data was true; nothing where none is published. Else why not.
    pub newest: Result<Option<(Cursor, DateTime<Utc>)>, Problem>,
}

/// One slice is cut at a time, and one is on its way to each node.
#[derive(Default)]
pub(super) struct ReturnDesk {
    on_their_way: Arc<Mutex<HashMap<NodeId, Instant>>>,
    cutting: OneAtATime,
}

struct OneAtATime(Semaphore);

impl Default for OneAtATime {
    fn default() -> Self {
        Self(Semaphore::new(1))
    }
}

/// The place of a node whose slice is on its way; given up when it is dropped.
#[derive(Debug)]
pub struct OnItsWay {
    node: NodeId,
    since: Instant,
    all: Arc<Mutex<HashMap<NodeId, Instant>>>,
}

impl ReturnDesk {
    /// Nothing, where a slice is on its way to that node. One that has been for too long does not count.
    fn begin(&self, node: &NodeId) -> Option<OnItsWay> {
        let since = Instant::now();
        let mut all = self.on_their_way.lock().unwrap_or_else(PoisonError::into_inner);
        if all.get(node).is_some_and(|before| since - *before < SENDING_MAX) {
            return None;
        }
        all.insert(node.clone(), since);
        Some(OnItsWay { node: node.clone(), since, all: Arc::clone(&self.on_their_way) })
    }
}

impl Drop for OnItsWay {
    fn drop(&mut self) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if all.get(&self.node) == Some(&self.since) {
            all.remove(&self.node);
        }
    }
}

/// What was decided.
struct Granted {
    dataset: Arc<Dataset>,
    terms: Terms,
}

impl Exchange {
    /// Hand a node its slice of the version that is being served; nothing, where it has that one. Refusals are recorded.
    ///
    /// Dropping the future leaves at most a record of a slice that was not read.
    pub async fn hand_back(&self, asked: ReturnAsked<'_>) -> Result<Option<HandedBack>, Refusal> {
        let started = Instant::now();
        let said = format!("{}\n{}", asked.dataset, asked.after.unwrap_or_default());
        let mut record =
            Record::begin(asked.call_id, asked.received, audit::Operation::Return, sha256(said.as_bytes()));
        let handed = match self.granted(asked.from, asked.dataset, asked.received, &mut record) {
            Ok(granted) => self.cut(&asked, &granted, &mut record).await,
            Err(problem) => Err(problem),
        };
        let handed = match handed {
            Ok(None) => return Ok(None),
            Ok(Some(handed)) => Ok(handed),
            Err(problem) => {
                record.refused(problem.code);
                Err(problem)
            }
        };
        record.took(started.elapsed());
        let code = handed.as_ref().err().map_or("none", |problem| problem.code.as_str());
        counter!("shuqiao_returns_total", "peer" => asked.from.as_str().to_owned(), "code" => code).increment(1);
        let kept = match record.to_bytes() {
            Ok(bytes) => self.parts.log.append(bytes).await.map(|_| ()),
            Err(error) => Err(error),
        };
        let refused = |problem| Refusal { call_id: asked.call_id, problem };
        kept.map_err(|error| refused(audit_failed(&error)))?;
        handed.map(Some).map_err(refused)
    }

    /// What that node would be handed now, dataset by dataset. Tells nothing of any record, so it is not recorded.
    pub fn return_offers(&self, node: &NodeId, now: DateTime<Utc>) -> Vec<Offer> {
        let catalog = self.rights().catalog;
        let returned = catalog.datasets.values().filter(|dataset| dataset.returns.to_node(node).is_some());
        let offer = |dataset: &Arc<Dataset>| {
            let mut unkept = Record::begin(CallId::new(uuid::Uuid::nil()), now, audit::Operation::Return, [0; 32]);
            let granted = self.granted(node, dataset.id.as_str(), now, &mut unkept);
            let newest = granted.map(|granted| {
                let serving = self.parts.engine.serving(&dataset.id)?;
                Some((granted.terms.cursor(serving.version), serving.as_of))
            });
            Offer { dataset: dataset.id.clone(), newest }
        };
        returned.map(offer).collect()
    }

    /// Resolve and decide; what is learnt on the way is noted in the record.
    fn granted(
        &self,
        node: &NodeId,
        dataset: &str,
        now: DateTime<Utc>,
        record: &mut Record,
    ) -> Result<Granted, Problem> {
        let in_force = self.in_force.load_full();
        let rights = &in_force.rights;
        let dataset: Option<DatasetId> = dataset.parse().ok();
        record.return_asked(node, dataset.as_ref());
        // Whether there is such a dataset at all is nothing that a node is told of one that it does not get.
        let found = dataset.as_ref().and_then(|id| rights.catalog.datasets.get(id));
        let Some((dataset, to)) = found.and_then(|found| Some((found, found.returns.to_node(node)?))) else {
            return Err(Problem::new(Code::NotReturned, format!("no such dataset is returned to `{node}`"))
                .remedy("Let the catalogue of the node that keeps it name this node in `returns`."));
        };
        let today = day_in_china(now);
        let agreement = rights.agreements.find(&to.department, &dataset.id, &to.item, today);
        let agreement_id = agreement.map(|agreement| &agreement.id);
        let (department, item, fields) = (&to.department, &to.item, to.fields.as_slice());
        record.return_purpose(ReturnPurpose { department, item, agreement: agreement_id, fields });
        in_force.return_goes_on(node, &dataset.id, fields, agreement_id)?;
        let unknown = || Problem::new(Code::UnknownItem, format!("service item `{item}` is not in the catalogue"));
        let item = rights.catalog.item_on(item, today).ok_or_else(unknown)?;
        let agreement = agreement.map(|agreement| &**agreement);
        let question = ReturnQuestion { dataset, to, item, agreement, today, hour: in_china(now).hour() };
        let obligations = decided(&in_force, &question, record)?;
        let terms = Terms::new(&self.parts.node, dataset, to, &obligations).map_err(|error| told(&error))?;
        Ok(Granted { dataset: Arc::clone(dataset), terms })
    }

    async fn cut(
        &self,
        asked: &ReturnAsked<'_>,
        granted: &Granted,
        record: &mut Record,
    ) -> Result<Option<HandedBack>, Problem> {
        let Granted { dataset, terms } = granted;
        let after = asked.after.map(str::parse::<Cursor>).transpose();
        let after = after.map_err(|error| Problem::new(Code::InvalidValue, error.reason).at("/after"))?;
        let reading = self.parts.engine.read_whole(&dataset.id, &terms.columns());
        let Some(reading) = reading.map_err(|error| told(&error.into()))? else {
            return Err(
                Problem::new(Code::NotFound, format!("nothing is published of `{}`", dataset.id)).retry_after(60)
            );
        };
        let (version, as_of, cursor) = (reading.version, reading.as_of, terms.cursor(reading.version));
        if after == Some(cursor) {
            return Ok(None);
        }
        let busy = || {
            Problem::new(Code::Overloaded, "another slice is being cut, or is on its way to this node")
                .remedy("Try again.")
                .retry_after(RETRY_SECONDS)
        };
        let on_its_way = self.returns.begin(asked.from).ok_or_else(busy)?;
        let cutting = self.returns.cutting.0.try_acquire().map_err(|_| busy())?;
        let cut = Cut::new(terms, &reading.schema).map_err(|error| told(&error))?;
        let slice = Box::pin(spool(asked.folder, cut, reading.batches)).await.map_err(|error| told(&error))?;
        drop(cutting);
        let unknown = || Problem::new(Code::PeerUnknown, "this node hands nothing to others");
        let key = self.parts.federation.as_ref().ok_or_else(unknown)?.receipt_key();
        let manifest = Manifest::new(asked.call_id, terms, &slice, (version, as_of), after, asked.received);
        let signed = manifest.sign(&key).map_err(|error| told(&error))?;
        let (rows, bytes, sha256) = (slice.rows, slice.bytes, slice.sha256);
        let after = after.map(|after| after.to_string());
        let returned = Returned { rows, bytes, sha256, cursor: cursor.to_string(), after };
        record.returned(returned, version, timestamp(as_of), &manifest.fields);
        Ok(Some(HandedBack { slice, manifest: signed, on_its_way }))
    }
}

fn decided(
    in_force: &InForce,
    question: &ReturnQuestion<'_>,
    record: &mut Record,
) -> Result<crate::policy::Obligations, Problem> {
    let policies = &in_force.rights.policies;
    match policies.decide_return(question) {
        Decision::Allow { policies: decided, obligations } => {
            record.allowed(decided, &obligations.words(), policies.hash());
            Ok(obligations)
        }
        Decision::Deny { policies: decided, reasons } => {
            record.denied(decided.clone(), policies.hash());
            Err(Problem::new(Code::Denied, reasons.join("; ")).policies(decided).remedy(
                "A return takes an agreement in force of the department, dataset and item that the catalogue names.",
            ))
        }
    }
}

/// What went wrong here is logged; the node is told no more than it can do something about.
fn told(error: &ReturnError) -> Problem {
    match error.code() {
        code @ (Code::Denied | Code::CatalogInvalid) => Problem::new(code, error.to_string())
            .remedy("Let the node that keeps the dataset change its catalogue or its policies."),
        code => {
            tracing::error!(error = error as &dyn std::error::Error, "a return could not be made");
            Problem::new(code, "the slice could not be made").remedy("Try again.").retry_after(RETRY_SECONDS)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_has_one_slice_on_its_way_and_the_others_do_not_wait_for_it() {
        let (desk, one, other): (_, NodeId, NodeId) =
            (ReturnDesk::default(), "shenzhen".parse().unwrap(), "guangzhou".parse().unwrap());
        let first = desk.begin(&one).unwrap();
        assert!(desk.begin(&one).is_none() && desk.begin(&other).is_some());
        drop(first);
        assert!(desk.begin(&one).is_some());
    }
}
