//! Statistics: who may count what, for which item and case; and the record of it.
//!
//! The same order as the road of a call: identify, parse, resolve, limit, decide, count, record. What a statement may be is
//! the engine's to judge, by its plan; which fields may be looked at is the catalogue's; whether this account may is policy's.
//! An answer leaves when its record is durable, as with calls (promise 2). Statistics have no receipt: they are about nobody.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use chrono::{DateTime, Timelike, Utc};
use metrics::counter;
use tokio::sync::Semaphore;

use super::{
    answer::{Asker, Exchange, Refusal, audit_failed, day_in_china, in_china, sha256, timestamp},
    caller::no_token,
    counting::Nodes,
    forward::{forwarded, speaks_for_its_own},
    incoming::Credential,
    rights::InForce,
};
use crate::{
    audit::{self, CountingNode, Counts, Record},
    catalog::{Dataset, Disclosure, Field, Item, Value},
    engine::statistics::{Counted, Counting, NodeTold, StatementError},
    federation::Forwarding,
    identifiers::{CallId, CaseNo, DatasetId, FieldName, IdentifierError, ItemCode, Role, VersionNo},
    identity::Caller,
    policy::{Decision, StatisticsQuestion},
    problem::{Code, Problem},
};

/// From this sensitivity on, no field is looked at by a statement, whatever its disclosure.
const SENSITIVITY_MAX: u8 = 2;
/// Who may ask at all; which of them may count what is policy's to say.
const COUNTERS: &[Role] = &[Role::Steward, Role::Auditor];

/// What statistics may tell, and cost.
#[derive(Clone, Copy, Debug)]
pub struct StatisticsLimits {
    /// A cell that rests on fewer records is not shown.
    pub cell_min: u64,
    pub deadline: Duration,
    /// Statements under way at once.
    pub at_once_max: usize,
}

/// The limits, and the statements under way.
pub(super) struct StatisticsDesk {
    pub(super) limits: StatisticsLimits,
    places: Semaphore,
}

impl StatisticsDesk {
    pub(super) fn new(limits: StatisticsLimits) -> Self {
        Self { limits, places: Semaphore::new(limits.at_once_max) }
    }
}

/// A statement as a door hands it in. Time and the call's id come from outside.
#[derive(Clone, Copy, Debug)]
pub struct Statement<'a> {
    pub call_id: CallId,
    pub credential: Credential<'a>,
    /// Code of the service item, as it was sent.
    pub item: Option<&'a str>,
    /// Number of the case, as it was sent.
    pub case: Option<&'a str>,
    /// Is an answer wanted where some of the nodes that keep the records told nothing?
    pub partial: bool,
    pub text: &'a str,
    /// What takes the places of its placeholders.
    pub parameters: &'a [Option<Value>],
    pub received: DateTime<Utc>,
}

/// Counts that have been recorded.
#[derive(Clone, Debug)]
pub struct Statistics {
    pub call_id: CallId,
    pub dataset: DatasetId,
    /// The version of this node's own records, and when its data was true; none where other nodes keep all of them.
    pub version: Option<VersionNo>,
    pub as_of: Option<DateTime<Utc>>,
    pub schema: SchemaRef,
    pub batches: Vec<RecordBatch>,
    /// Cells that are not shown, because they rest on fewer records than `cell_min`.
    pub suppressed: u64,
    pub cell_min: u64,
    /// The nodes that were asked, and what each said; none where the records are kept here alone.
    pub nodes: Vec<NodeTold>,
}

impl Exchange {
    /// Count. Refusals are recorded as well.
    ///
    /// Dropping the future stops the work and leaves nothing behind: nothing was told.
    pub async fn statistics(&self, asked: Statement<'_>) -> Result<Statistics, Refusal> {
        let started = std::time::Instant::now();
        let mut record = begin(&asked);
        let counted = match self.admitted(&asked, &mut record).await {
            Ok((counting, nodes)) => {
                let counted = self.count(&counting, nodes, asked.partial).await;
                counted.map(|counted| (counting, counted))
            }
            Err(problem) => Err(problem),
        };
        let answered = match counted {
            Ok((counting, counted)) => Ok(self.answered(asked.call_id, counting, counted, &mut record)),
            Err(problem) => {
                record.refused(problem.code);
                Err(problem)
            }
        };
        record.took(started.elapsed());
        self.keep(&record, asked.call_id).await?;
        answered.map_err(|problem| Refusal { call_id: asked.call_id, problem })
    }

    /// The columns that a statement would answer with, where it would be answered; a refusal is recorded. Counts nothing,
    /// and gives no right: [`Exchange::statistics`] looks at everything again.
    pub async fn statistics_schema(&self, asked: Statement<'_>) -> Result<SchemaRef, Refusal> {
        let mut record = begin(&asked);
        match self.admitted(&asked, &mut record).await {
            Ok((counting, _)) => Ok(counting.schema),
            Err(problem) => {
                record.refused(problem.code);
                self.keep(&record, asked.call_id).await?;
                Err(Refusal { call_id: asked.call_id, problem })
            }
        }
    }

    /// The datasets in which an account may count, with the fields that it may use.
    pub async fn countable(
        &self,
        credential: Credential<'_>,
        now: DateTime<Utc>,
    ) -> Result<Vec<(Arc<Dataset>, Vec<Field>)>, Problem> {
        let caller = self.counter(credential, now).await?;
        let in_force = self.in_force.load_full();
        let none = BTreeSet::new();
        let mut found = Vec::new();
        for dataset in in_force.rights.catalog.datasets.values() {
            if decide(&in_force, &caller, dataset, None, (&none, &none, &none), now)?.allows() {
                let fields = dataset.fields.iter().filter(|field| kept_out(dataset, field).is_none());
                found.push((Arc::clone(dataset), fields.cloned().collect()));
            }
        }
        Ok(found)
    }

    /// The account of a person who may count at all.
    pub async fn counter(&self, credential: Credential<'_>, now: DateTime<Utc>) -> Result<Caller, Problem> {
        self.counting(credential, now).await.map(|asker| asker.caller)
    }

    async fn counting(&self, credential: Credential<'_>, now: DateTime<Utc>) -> Result<Asker, Problem> {
        let asker = match credential {
            Credential::Bearer(bearer) => Asker { caller: self.registered(bearer, now).await?, forwarding: None },
            Credential::Forwarded(accepted) => forwarded_person(accepted)?,
            Credential::Missing => return Err(no_token()),
            Credential::Signed { .. } | Credential::Filed { .. } => {
                return Err(Problem::new(
                    Code::RoleRequired,
                    "statistics are asked with the token of a person's account",
                )
                .remedy("Get one at /oauth/token and send it as `authorization: Bearer ...`."));
            }
        };
        if asker.caller.roles.has_any(COUNTERS) {
            return Ok(asker);
        }
        let detail = format!("`{}` is neither a steward's account nor an auditor's", asker.caller.client);
        Err(Problem::new(Code::RoleRequired, detail)
            .remedy("Statistics are made by stewards and auditors; systems put calls to /v1/verifications."))
    }

    /// Everything that must hold before a statement is carried out; what is learnt on the way is noted in the record.
    async fn admitted(&self, asked: &Statement<'_>, record: &mut Record) -> Result<(Counting, Nodes), Problem> {
        let now = asked.received;
        let asker = self.counting(asked.credential, now).await?;
        let caller = &asker.caller;
        record.caller(&caller.client, &caller.department);
        record.forwarded(asker.forwarding.as_ref().map(|it| (it.chain.as_slice(), it.call_id)));
        let in_force = self.in_force.load_full();
        if let Some(forwarding) = &asker.forwarding {
            speaks_for_its_own(forwarding, &in_force.rights.catalog)?;
        }
        let (item, case) = purpose(asked, asker.forwarding.as_ref(), &in_force, now)?;
        record.purpose(&item.code, &case);
        let nodes = Nodes::of(self, (asked, &asker), (&item, &case), &in_force);
        let reading = self.parts.engine.read_statistics(asked.text, asked.parameters, nodes.spread()).await;
        let counting = reading.map_err(|error| refused(&error))?;
        let dataset = in_force.rights.catalog.datasets.get(&counting.dataset).ok_or_else(|| {
            Problem::new(Code::UnknownDataset, format!("dataset `{}` is not in the catalogue", counting.dataset))
        })?;
        record.counts_in(&counting.dataset, counting.fields());
        in_force.counting_goes_on(&asker, &counting)?;
        self.limits.admit(&caller.client, None, now)?;
        let used = (&counting.grouped, &counting.filtered, &counting.aggregated);
        let decision = decide(&in_force, caller, dataset, Some(&item), used, now)?;
        let policies = &in_force.rights.policies;
        match decision {
            Decision::Allow { policies: decided, .. } => record.allowed(decided, &[""; 0], policies.hash()),
            Decision::Deny { policies: decided, reasons } => {
                record.denied(decided.clone(), policies.hash());
                return Err(Problem::new(Code::Denied, reasons.join("; ")).policies(decided).remedy(
                    "Stewards count in what their department provides, auditors everywhere; the policies are named.",
                ));
            }
        }
        counting.fields().into_iter().try_for_each(|name| usable(dataset, name.as_str()))?;
        Ok((counting, nodes))
    }

    async fn count(&self, counting: &Counting, nodes: Nodes, partial: bool) -> Result<Counted, Problem> {
        let desk = &self.statistics;
        let Ok(_place) = desk.places.try_acquire() else {
            return Err(Problem::new(Code::Overloaded, "as many statements are under way as the node takes")
                .remedy("Try again.")
                .retry_after(1));
        };
        let counting = self.parts.engine.count(counting, desk.limits.cell_min, nodes.peers());
        match tokio::time::timeout(desk.limits.deadline, counting).await {
            Ok(counted) => {
                let counted = counted.map_err(|error| refused(&error))?;
                complete(&counted.nodes, partial)?;
                Ok(counted)
            }
            Err(_) => {
                let detail = format!("the statement took longer than {} ms", desk.limits.deadline.as_millis());
                Err(Problem::new(Code::StatementTooSlow, detail)
                    .remedy("Choose fewer records, or try at a quieter time."))
            }
        }
    }

    fn answered(&self, call_id: CallId, counting: Counting, counted: Counted, record: &mut Record) -> Statistics {
        let (rows, cell_min) = (counted.rows(), self.statistics.limits.cell_min);
        let Counted { schema, batches, suppressed, nodes } = counted;
        let Counting { text, dataset, version, as_of, .. } = counting;
        let counts =
            Counts { statement: text, rows, suppressed, cell_min, nodes: nodes.iter().map(recorded).collect() };
        record.counted(counts, version, as_of.map(timestamp));
        counter!("shuqiao_statistics_cells_suppressed_total").increment(suppressed);
        Statistics { call_id, dataset, version, as_of, schema, batches, suppressed, cell_min, nodes }
    }

    /// Durable, or nothing is said.
    async fn keep(&self, record: &Record, call_id: CallId) -> Result<(), Refusal> {
        let code = record.code.clone().unwrap_or_else(|| "none".to_owned());
        counter!("shuqiao_statements_total", "code" => code).increment(1);
        let kept = match record.to_bytes() {
            Ok(bytes) => self.parts.log.append(bytes).await.map(|_| ()),
            Err(error) => Err(error),
        };
        kept.map_err(|error| Refusal { call_id, problem: audit_failed(&error) })
    }
}

/// The record names the statement by its digest, whatever becomes of it; its text only where it was answered.
fn begin(asked: &Statement<'_>) -> Record {
    let mut said = asked.text.to_owned();
    for parameter in asked.parameters {
        said.push('\n');
        said.push_str(&parameter.as_ref().map_or_else(|| "null".into(), Value::as_text));
    }
    Record::begin(asked.call_id, asked.received, audit::Operation::Statistics, sha256(said.as_bytes()))
}

/// Both are required: a statement without a purpose is a walk through the registers.
fn purpose(
    asked: &Statement<'_>,
    forwarding: Option<&Forwarding>,
    in_force: &InForce,
    now: DateTime<Utc>,
) -> Result<(Arc<Item>, CaseNo), Problem> {
    let missing = |what: &str, header: &str| {
        Problem::new(Code::InvalidValue, format!("no {what} was named"))
            .remedy(format!("Send it as the header `{header}`."))
    };
    let wrong = |error: IdentifierError, header: &str| {
        Problem::new(Code::InvalidValue, error.reason).remedy(format!("Correct the header `{header}`."))
    };
    let (item, case) = match forwarding {
        Some(forwarding) => (Some(forwarding.item.as_str()), forwarding.case.as_ref().map(AsRef::as_ref)),
        None => (asked.item, asked.case),
    };
    let item = item.ok_or_else(|| missing("service item", "x-shuqiao-item"))?;
    let case = case.ok_or_else(|| missing("case", "x-shuqiao-case"))?;
    let code: ItemCode = item.parse().map_err(|error| wrong(error, "x-shuqiao-item"))?;
    let case = case.parse().map_err(|error| wrong(error, "x-shuqiao-case"))?;
    let item = in_force.rights.catalog.item_on(&code, day_in_china(now)).cloned();
    let unknown = || {
        Problem::new(Code::UnknownItem, format!("service item `{code}` is not in the catalogue"))
            .remedy("Name the 31-character implementation code of an item that this node knows.")
    };
    Ok((item.ok_or_else(unknown)?, case))
}

/// The account of a person who is registered at another node, with the roles that it says.
fn forwarded_person(accepted: &Result<Forwarding, Problem>) -> Result<Asker, Problem> {
    let mut asker = forwarded(accepted)?;
    asker.caller.roles = asker.forwarding.as_ref().map(|it| it.roles.clone()).unwrap_or_default();
    Ok(asker)
}

/// Fields grouped, filtered and aggregated by.
type Used<'a> = (&'a BTreeSet<FieldName>, &'a BTreeSet<FieldName>, &'a BTreeSet<FieldName>);

fn decide(
    in_force: &InForce,
    caller: &Caller,
    dataset: &Dataset,
    item: Option<&Item>,
    (grouped, filtered, aggregated): Used<'_>,
    now: DateTime<Utc>,
) -> Result<Decision, Problem> {
    let department = in_force.rights.catalog.departments.get(&caller.department).ok_or_else(|| {
        Problem::new(Code::Denied, format!("department `{}` is not in the catalogue", caller.department))
            .remedy("Ask the node's operator to add it.")
    })?;
    let local = in_china(now);
    Ok(in_force.rights.policies.decide_statistics(&StatisticsQuestion {
        account: &caller.client,
        roles: &caller.roles,
        department,
        dataset,
        item,
        grouped,
        filtered,
        aggregated,
        today: local.date_naive(),
        hour: local.hour(),
    }))
}

/// May a statement look at the field at all? Choosing by a field tells of it as much as grouping by it does.
fn usable(dataset: &Dataset, name: &str) -> Result<(), Problem> {
    let why = match dataset.field(name) {
        Some((_, field)) => kept_out(dataset, field),
        None => Some("is not in the catalogue"),
    };
    let Some(why) = why else { return Ok(()) };
    let detail = format!("`{}` of `{}` {why}, so no statement may look at it", name, dataset.id);
    Err(Problem::new(Code::StatementRefused, detail)
        .remedy("Choose, group and sum by other fields; the metadata lists those that may be used."))
}

fn kept_out(dataset: &Dataset, field: &Field) -> Option<&'static str> {
    if dataset.is_key(&field.name) {
        return Some("is a key, which names a person or an enterprise");
    }
    match field.disclosure {
        Disclosure::Never => Some("must not leave in any form"),
        Disclosure::CompareOnly => Some("may be compared only"),
        Disclosure::JoinKeyOnly => Some("names the subject only"),
        Disclosure::Masked => Some("may be disclosed masked only"),
        Disclosure::AggregateOnly => None,
        Disclosure::Plain if field.sensitivity.level() > SENSITIVITY_MAX => Some("is of sensitivity 3 or more"),
        Disclosure::Plain => None,
    }
}

fn recorded(told: &NodeTold) -> CountingNode {
    let (code, call_id) = match &told.end {
        Ok(said) => (None, Some(said.call_id.clone()).filter(|id| !id.is_empty())),
        Err(failure) => (failure.code.clone(), None),
    };
    CountingNode { node: told.node.clone(), end: told.word().to_owned(), code, call_id }
}

/// Nobody adds up what some nodes told and takes it for all, unless he said that he knows.
fn complete(nodes: &[NodeTold], partial: bool) -> Result<(), Problem> {
    let missing = nodes.iter().filter(|told| told.end.is_err());
    let missing: Vec<_> = missing.map(|told| format!("`{}` ({})", told.node, told.word())).collect();
    if missing.is_empty() || partial {
        return Ok(());
    }
    Err(Problem::new(Code::NodesMissing, format!("nothing came from {}", missing.join(", ")))
        .remedy("Try again, or send `x-shuqiao-partial: allow` to have what the others told.")
        .retry_after(5))
}

/// What the engine refused, in the caller's words; what failed is logged, and not told.
fn refused(error: &StatementError) -> Problem {
    if error.code() == Code::Internal {
        tracing::error!(error = error as &dyn std::error::Error, "a statement could not be carried out");
    }
    Problem::new(error.code(), error.to_string()).remedy(error.remedy())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::statistics::{PeerFailure, PeerSaid};

    #[test]
    fn a_node_that_told_nothing_is_named_unless_a_part_is_wanted() {
        let told = |node: &str, end| NodeTold { node: node.parse().unwrap(), statement: None, end };
        let late = || Err(PeerFailure { end: "late", code: None });
        let nodes = [told("guangzhou", Ok(PeerSaid::default())), told("shenzhen", late())];
        let problem = complete(&nodes, false).unwrap_err();
        assert_eq!(
            (problem.code, problem.detail.as_str()),
            (Code::NodesMissing, "nothing came from `shenzhen` (late)")
        );
        assert_eq!(complete(&nodes, true), Ok(()));
        assert_eq!(complete(&nodes[..1], false), Ok(()));
    }
}
