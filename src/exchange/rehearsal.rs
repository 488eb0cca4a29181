//! A log of made-up calls, to try on it what reads the log.
//!
//! The calls are such as the catalogue's departments could have made: most within their agreements, some not, each decided
//! by the policies. Nobody was asked about anybody; subjects are random numbers. The same seed makes the same calls.

use std::{collections::HashMap, path::Path, sync::Arc, time::Duration};

use aws_lc_rs::digest;
use chrono::{DateTime, NaiveDate, TimeDelta, Timelike, Utc};

use super::answer::in_china;
use crate::{
    agreements::Agreements,
    audit::{self, Answered, AuditError, Log, LogOptions, Record},
    catalog::{Catalog, Dataset, Department, Item},
    identifiers::{AgreementId, CallId, CaseNo, ClientId, DepartmentId, FieldName},
    ledger::Agreement,
    policy::{Decision, Depends, Manner, Operation, PolicySet, Question},
    problem::Code,
    sample::Dice,
};

/// Records that wait for the disk together.
const BATCH: usize = 2_000;
/// Systems of a department.
const CLIENTS: u64 = 3;
/// Kinds of calls that are made again and again, as programs do.
const KINDS: u64 = 500;

/// What is made up.
pub struct Rehearsal<'a> {
    pub catalog: &'a Catalog,
    pub agreements: &'a Agreements,
    pub policies: Arc<PolicySet>,
    pub calls: u64,
    pub seed: u64,
    /// The calls are spread evenly from here to there.
    pub since: DateTime<Utc>,
    pub until: DateTime<Utc>,
    /// Told how many calls have been written.
    pub progress: &'a (dyn Fn(u64) + Sync),
}

/// A call as a program makes it every time.
struct Kind {
    operation: Operation,
    client: ClientId,
    department: Department,
    dataset: Arc<Dataset>,
    item: Arc<Item>,
    fields: Vec<FieldName>,
    case: Option<CaseNo>,
}

/// Make up calls and append them to a log in that folder; the log is begun where there is none. How many were written.
pub async fn rehearse(folder: &Path, options: LogOptions, rehearsal: &Rehearsal<'_>) -> Result<u64, AuditError> {
    let kinds = kinds(rehearsal);
    if kinds.is_empty() {
        return Ok(0);
    }
    let mut decisions = Decisions::new(&rehearsal.policies);
    let (log, _) = Log::open(folder, options)?;
    let step =
        (rehearsal.until - rehearsal.since).num_milliseconds() / i64::try_from(rehearsal.calls.max(1)).unwrap_or(1);
    let mut written = 0;
    while written < rehearsal.calls {
        let batch = (rehearsal.calls - written).min(BATCH as u64);
        let appends = (written..written + batch).map(|number| {
            let after = TimeDelta::milliseconds(step.saturating_mul(i64::try_from(number).unwrap_or(i64::MAX)));
            let mut dice = Dice::new(rehearsal.seed, 2, number);
            let kind = dice.pick(&kinds);
            let record = record((kind.0, &kind.1), rehearsal, &mut decisions, rehearsal.since + after, &mut dice);
            record.to_bytes().map(|payload| log.append(payload))
        });
        let appends = appends.collect::<Result<Vec<_>, _>>()?;
        futures::future::try_join_all(appends).await?;
        written += batch;
        (rehearsal.progress)(written);
    }
    Ok(written)
}

/// Nine of ten are a use that an agreement is for; the others go beyond it in one way or another.
fn kinds(rehearsal: &Rehearsal<'_>) -> Vec<(usize, Kind)> {
    let agreements: Vec<_> = rehearsal.agreements.iter().collect();
    if agreements.is_empty() {
        return Vec::new();
    }
    let kinds =
        (0..KINDS).filter_map(|number| kind(rehearsal.catalog, &agreements, &mut Dice::new(rehearsal.seed, 1, number)));
    kinds.enumerate().collect()
}

fn kind(catalog: &Catalog, agreements: &[&Arc<Agreement>], dice: &mut Dice) -> Option<Kind> {
    let agreement = *dice.pick(agreements);
    let items: Vec<_> = agreement.items.iter().collect();
    let mut item = catalog.items.get(*dice.pick(&items))?;
    let mut department = catalog.departments.get(&agreement.consumer)?;
    let dataset = catalog.datasets.get(&agreement.dataset)?;
    let operation = if dice.in_ten_thousand(8_000) { Operation::Verify } else { Operation::Disclose };
    let granted = match operation {
        Operation::Verify => &agreement.compare,
        Operation::Disclose => &agreement.disclose,
    };
    let mut fields: Vec<FieldName> = granted.iter().filter(|_| dice.in_ten_thousand(5_000)).cloned().collect();
    let mut case = dice.in_ten_thousand(8_000);
    if !dice.in_ten_thousand(9_000) {
        let every: Vec<_> = dataset.fields.iter().map(|field| &field.name).collect();
        match dice.below(4) {
            0 => fields.push((*dice.pick(&every)).clone()),
            1 => department = *dice.pick(&catalog.departments.values().collect::<Vec<_>>()),
            2 => item = *dice.pick(&catalog.items.values().collect::<Vec<_>>()),
            _ => case = false,
        }
    }
    fields.extend(granted.iter().next().filter(|_| fields.is_empty()).cloned());
    fields.sort();
    fields.dedup();
    let client = client(&department.id, dice)?;
    let case = if case { "CASE-REHEARSED".parse().ok() } else { None };
    let (dataset, item) = (Arc::clone(dataset), Arc::clone(item));
    (!fields.is_empty()).then(|| Kind {
        operation,
        client,
        department: department.clone(),
        dataset,
        item,
        fields,
        case,
    })
}

fn client(department: &DepartmentId, dice: &mut Dice) -> Option<ClientId> {
    format!("{department}-window-{}", dice.below(CLIENTS) + 1).parse().ok()
}

/// What makes two calls of a kind the same: item in force, agreement and whether it is in force, hour where it matters.
type Same = (usize, bool, Option<(AgreementId, bool)>, u32);

/// Decisions that have been made: of a kind of calls there are few, whatever the day.
struct Decisions<'a> {
    policies: &'a PolicySet,
    depends: Depends,
    made: HashMap<Same, Decision>,
}

impl<'a> Decisions<'a> {
    fn new(policies: &'a PolicySet) -> Self {
        Self { policies, depends: policies.depends(), made: HashMap::new() }
    }

    fn decide(&mut self, number: usize, question: &Question<'_>) -> &Decision {
        let agreed = |agreement: &Agreement| (agreement.id.clone(), agreement.is_in_force_on(question.today));
        let hour = if self.depends.hour { question.hour } else { 0 };
        let key = (number, question.item.is_in_force_on(question.today), question.agreement.map(agreed), hour);
        self.made.entry(key).or_insert_with(|| self.policies.decide(question))
    }
}

fn record(
    (number, kind): (usize, &Kind),
    rehearsal: &Rehearsal<'_>,
    decisions: &mut Decisions<'_>,
    time: DateTime<Utc>,
    dice: &mut Dice,
) -> Record {
    let local = in_china(time);
    let today: NaiveDate = local.date_naive();
    let agreement = rehearsal.agreements.find(&kind.department.id, &kind.dataset.id, &kind.item.code, today);
    let decision = decisions.decide(
        number,
        &Question {
            operation: kind.operation,
            client: &kind.client,
            department: &kind.department,
            dataset: &kind.dataset,
            item: &kind.item,
            agreement: agreement.map(|agreement| &**agreement),
            subject_field: &kind.dataset.key,
            fields: &kind.fields,
            case_present: kind.case.is_some(),
            today,
            hour: local.hour(),
            suspicion: 0,
            origin: &kind.department.node,
            manner: Manner::default(),
        },
    );
    let mut bytes = [0; 32];
    bytes.as_chunks_mut::<8>().0.iter_mut().for_each(|eight| *eight = dice.next().to_be_bytes());
    let operation = match kind.operation {
        Operation::Verify => audit::Operation::Verification,
        Operation::Disclose => audit::Operation::Disclosure,
    };
    let mut record = Record::begin(call_id(time, dice), time, operation, bytes);
    record.caller(&kind.client, &kind.department.id);
    record.department_credit_code = Some(kind.department.credit_code);
    let subject = format!("rehearsed:{}", hex::encode(bytes));
    record.call(&kind.dataset.id, &kind.item.code, kind.case.as_ref(), &kind.dataset.key, subject, &kind.fields);
    record.origin = Some(kind.department.node.clone());
    record.agreement(agreement.map(|agreement| &agreement.id));
    let set = rehearsal.policies.hash();
    match decision {
        Decision::Allow { policies, obligations } => {
            record.allowed(policies.clone(), &obligations.words(), set);
            record.answered(&answered(kind, dice), digest_of(&bytes));
        }
        Decision::Deny { policies, .. } => {
            record.denied(policies.clone(), set);
            record.refused(Code::Denied);
        }
    }
    record.took(Duration::from_micros(300 + dice.below(400)));
    record
}

fn answered(kind: &Kind, dice: &mut Dice) -> Answered {
    let outcome = match kind.operation {
        Operation::Verify if dice.in_ten_thousand(9_500) => "match",
        Operation::Verify => "mismatch",
        Operation::Disclose => "found",
    };
    let disclosed = match kind.operation {
        Operation::Verify => Vec::new(),
        Operation::Disclose => kind.fields.iter().map(|field| field.as_str().to_owned()).collect(),
    };
    Answered { outcome: outcome.to_owned(), reason: None, dataset_version: Some(1), as_of: None, disclosed }
}

fn digest_of(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    hash
}

/// A UUID of version 7 that the dice make.
fn call_id(time: DateTime<Utc>, dice: &mut Dice) -> CallId {
    let mut random = [0; 10];
    random[..8].copy_from_slice(&dice.next().to_be_bytes());
    random[8..].copy_from_slice(&dice.next().to_be_bytes()[..2]);
    let millis = u64::try_from(time.timestamp_millis()).unwrap_or_default();
    CallId::new(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
}
