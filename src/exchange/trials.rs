//! Policies tried without deciding anything: checked, tested on their cases, held against recorded calls.
//!
//! What `shuqiao policy check | test | explain | replay` does on the node itself, for those who work through the API: by the
//! catalogue and the agreements in force. Nothing of it changes anything.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Instant};

use chrono::{DateTime, Utc};

use super::{
    Rights,
    recorded::{NotExplained, explain},
    replay::{Baseline, Replay, ReplayPlan, replay},
    review::{aside, files_of, refused},
};
use crate::{
    agreements::Agreements,
    audit::{self, Record},
    catalog::{Catalog, Complaint},
    identifiers::{CallId, Role},
    ledger::{Actor, Ledger},
    policy::{self, Case, Doubt, DoubtKind, Explanation, PolicyError, PolicyFiles, PolicySet, Trial, try_cases},
    problem::{Code, Problem},
};

/// Who tries policies: who may propose them.
const PROPOSERS: &[Role] = &[Role::Operator, Role::Steward];

/// What is to be said of a set's files.
#[derive(Clone, Debug, Default)]
pub struct Checked {
    /// Nothing where they do not hold together.
    pub set: Option<Arc<PolicySet>>,
    pub complaints: Vec<Complaint>,
    /// What is doubtful, in the order of the files.
    pub warnings: Vec<Complaint>,
}

/// Do the files hold together, and does each policy do something?
pub async fn check(texts: BTreeMap<String, String>, rights: &Rights, by: &Actor) -> Result<Checked, Problem> {
    by.require(PROPOSERS)?;
    let rights = rights.clone();
    aside(move || {
        Ok(checked(texts, &rights)
            .unwrap_or_else(|error| Checked { complaints: error.complaints().to_vec(), ..Checked::default() }))
    })
    .await
}

fn checked(texts: BTreeMap<String, String>, rights: &Rights) -> Result<Checked, PolicyError> {
    let (files, set) = read(texts)?;
    let mut doubts = set.doubts();
    if !files.cases.is_empty() {
        let trial = try_cases(&set, &cases(&files, &set, rights)?);
        doubts.extend(trial.uncovered().map(|id| Doubt { policy: id.to_owned(), kind: DoubtKind::Untested }));
    }
    let warnings = warnings(&set, &doubts);
    Ok(Checked { set: Some(Arc::new(set)), complaints: Vec::new(), warnings })
}

/// The cases beside the policies, put to them.
pub async fn test(texts: BTreeMap<String, String>, rights: &Rights, by: &Actor) -> Result<(PolicySet, Trial), Problem> {
    by.require(PROPOSERS)?;
    let rights = rights.clone();
    let tried = move || {
        let (files, set) = read(texts)?;
        let trial = try_cases(&set, &cases(&files, &set, &rights)?);
        Ok((set, trial))
    };
    aside(move || tried().map_err(|error: PolicyError| refused(&error).at("/files"))).await
}

fn read(texts: BTreeMap<String, String>) -> Result<(PolicyFiles, PolicySet), PolicyError> {
    let files = PolicyFiles::from_texts(texts)?;
    let set = files.set()?;
    Ok((files, set))
}

fn cases(files: &PolicyFiles, set: &PolicySet, rights: &Rights) -> Result<Vec<Case>, PolicyError> {
    let agreed =
        |department: &_, dataset: &_, item: &_, day| rights.agreements.find(department, dataset, item, day).cloned();
    policy::cases(&files.cases, set, &rights.catalog, &agreed)
        .map_err(|complaints| PolicyError::Inconsistent { complaints })
}

/// Doubts where their policies stand, in the order of the files.
pub fn warnings(set: &PolicySet, doubts: &[Doubt]) -> Vec<Complaint> {
    let in_place = |doubt: &Doubt| {
        let (id, rule) = set.rules().find(|(id, _)| *id == doubt.policy)?;
        Some(Complaint {
            file: rule.file.clone(),
            line: rule.position.line,
            column: rule.position.column,
            path: id.to_owned(),
            message: doubt.message(),
            remedy: doubt.remedy().to_owned(),
        })
    };
    let mut warnings: Vec<_> = doubts.iter().filter_map(in_place).collect();
    warnings.sort_by(|a, b| (&a.file, a.line, a.column, &a.message).cmp(&(&b.file, b.line, b.column, &b.message)));
    warnings
}

/// Why a recorded call was decided so, with what has changed since.
#[derive(Clone, Debug)]
pub struct Explained {
    pub time: DateTime<Utc>,
    pub notes: Vec<String>,
    pub explanation: Explanation,
}

/// What a set says to a recorded call, held against what is recorded.
pub fn explained(
    record: &Record,
    catalog: &Catalog,
    agreements: &Agreements,
    set: &PolicySet,
) -> Result<Explained, NotExplained> {
    let explanation = explain(record, catalog, agreements, set)?;
    let mut notes = Vec::new();
    if record.policy_set.as_deref() != Some(set.hash()) {
        let then = record.policy_set.as_deref().unwrap_or("an unnamed one");
        notes.push(format!("the call was decided by policy set {then}; explained here by {}", set.hash()));
    }
    if record.policies != explanation.decision.policies() {
        let then = format!("{} by {}", record.decision.as_str(), record.policies.join(", "));
        notes.push(format!("recorded: {then}; policies, catalogue or agreements have changed since"));
    }
    Ok(Explained { time: record.time, notes, explanation })
}

/// Explain a call of this node's log, by the set that decided it where the ledger has it: for auditors, and for stewards of
/// the department that asked or of the dataset's provider.
pub async fn explain_call(
    call: CallId,
    ledger: &Ledger,
    log: &Path,
    rights: &Rights,
    by: &Actor,
) -> Result<Explained, Problem> {
    by.require(&[Role::Steward, Role::Auditor])?;
    let (log, none) = (log.to_owned(), || {
        Problem::new(Code::NotFound, "this node's log has no such call").remedy("Ask the node that answered it.")
    });
    let unreadable = |error: audit::AuditError| Problem::new(error.code(), "the audit log could not be read");
    let record = aside(move || audit::find(&log, &call).map_err(unreadable)).await?.ok_or_else(none)?;
    let provider = record.dataset.as_ref().and_then(|dataset| rights.catalog.datasets.get(dataset));
    let theirs = [record.department.as_ref(), provider.map(|dataset| &dataset.provider)];
    if !by.roles.has_any(&[Role::Auditor]) && !theirs.contains(&Some(&by.department)) {
        return Err(none());
    }
    let set = match &record.policy_set {
        Some(hash) if hash != rights.policies.hash() => decided_then(ledger, hash).await?,
        _ => None,
    };
    let (rights, set) = (rights.clone(), set.map_or_else(|| Arc::clone(&rights.policies), Arc::new));
    aside(move || {
        explained(&record, &rights.catalog, &rights.agreements, &set).map_err(|error| {
            Problem::new(Code::Conflict, error.to_string()).remedy("Its record in the log says what is known.")
        })
    })
    .await
}

/// The very set that decided a call, if the ledger has it.
async fn decided_then(ledger: &Ledger, hash: &str) -> Result<Option<PolicySet>, Problem> {
    match files_of(ledger, hash).await {
        Ok(files) => files.set().map(Some).map_err(|error| refused(&error)),
        Err(problem) if problem.code == Code::NotFound => Ok(None),
        Err(problem) => Err(problem),
    }
}

/// Which calls are decided again, and under what.
#[derive(Debug)]
pub struct Rerun {
    pub candidate: Candidate,
    pub baseline: Baseline,
    pub since: DateTime<Utc>,
    pub until: DateTime<Utc>,
    pub examples_max: usize,
    /// What has not been read by then is left out; the latest calls are read first.
    pub deadline: Instant,
}

/// The set that is tried.
#[derive(Debug)]
pub enum Candidate {
    /// Of the ledger.
    Kept(String),
    Files(BTreeMap<String, String>),
}

/// Decide the recorded calls of a time again, under a set that does not decide. `place` is held until it is done, whoever
/// has gone away meanwhile.
pub async fn rerun(
    rerun: Rerun,
    ledger: &Ledger,
    log: &Path,
    rights: &Rights,
    by: &Actor,
    place: impl Send + 'static,
) -> Result<Replay, Problem> {
    by.require(PROPOSERS)?;
    let files = match rerun.candidate {
        Candidate::Kept(hash) => files_of(ledger, &hash).await.map_err(|problem| problem.at("/hash"))?,
        Candidate::Files(texts) => PolicyFiles::from_texts(texts).map_err(|error| refused(&error).at("/files"))?,
    };
    let (log, rights) = (log.to_owned(), rights.clone());
    aside(move || {
        let _place = place;
        let candidate = files.set().map_err(|error| refused(&error).at("/files"))?;
        let plan = ReplayPlan {
            catalog: &rights.catalog,
            agreements: &rights.agreements,
            in_force: &rights.policies,
            candidate: &candidate,
            baseline: rerun.baseline,
            since: rerun.since,
            until: rerun.until,
            examples_max: rerun.examples_max,
            deadline: Some(rerun.deadline),
            progress: &|_| {},
        };
        let replayed = audit::parts(&log).and_then(|parts| replay(parts, &plan));
        replayed.map_err(|error| {
            tracing::error!(error = &error as &dyn std::error::Error, "the calls could not be decided again");
            Problem::new(error.code(), "the audit log could not be read")
        })
    })
    .await
}
