//! Policy sets under review: who may propose, approve, reject and roll back, and what a set must pass before it decides.
//!
//! A set is proposed by one person and approved by another. Both times it is read strictly, its own cases are tried, and the
//! locks are proved on the catalogue and the agreements of this node: what does not pass cannot be activated. Promises that
//! nobody approves what they have proposed, and that a set decides as it was reviewed: its text is never changed.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{Rights, day_in_china, prove_the_locks};
use crate::{
    identifiers::Role,
    ledger::{Actor, By, KeptPolicySet, Ledger, LedgerError, NewPolicySet, PolicySetState},
    policy::{self, Doubt, DoubtKind, PolicyError, PolicyFiles, PolicySet, Trial, try_cases},
    problem::{Code, Problem},
    revisions,
};

/// Complaints and failures that are told at once.
const TOLD_MAX: usize = 10;

/// A set that has been proposed, with what is worth knowing about it.
#[derive(Clone, Debug)]
pub struct Proposal {
    pub hash: String,
    pub trial: Trial,
    pub doubts: Vec<Doubt>,
    /// Questions that were put to prove the locks.
    pub probes: usize,
}

/// What a person does, and why.
#[derive(Clone, Copy, Debug)]
pub struct Act<'a> {
    pub actor: &'a Actor,
    pub reason: &'a str,
    pub now: DateTime<Utc>,
}

impl<'a> Act<'a> {
    fn by(&self) -> By<'a> {
        By { account: self.actor.account.as_str(), reason: self.reason, now: self.now }
    }
}

/// Propose a set, for somebody else to approve.
pub async fn propose(ledger: &Ledger, files: &PolicyFiles, rights: &Rights, act: Act<'_>) -> Result<Proposal, Problem> {
    act.actor.require(&[Role::Operator, Role::Steward])?;
    let proposal = examined(files.clone(), rights, act.now).await?;
    let texts = files.texts();
    let new = NewPolicySet { hash: &proposal.hash, files: &texts };
    if ledger.propose_policy_set(new, act.by()).await.map_err(ledger_failed)? {
        return Ok(proposal);
    }
    let state = known(ledger, &proposal.hash).await?.state;
    let remedy = match state {
        PolicySetState::Retired => "Roll back to it instead: it has been reviewed.",
        _ => "See the list of policy sets.",
    };
    Err(Problem::new(Code::Conflict, format!("the policy set `{}` is {state} already", proposal.hash)).remedy(remedy))
}

/// Let a set decide that somebody else has proposed. `folder` is what this node would decide by without any in the ledger.
pub async fn approve(
    ledger: &Ledger,
    hash: &str,
    folder: &PolicyFiles,
    rights: &Rights,
    act: Act<'_>,
) -> Result<Proposal, Problem> {
    act.actor.require(&[Role::Approver])?;
    let kept = known(ledger, hash).await?;
    if kept.proposed_by == act.actor.account.as_str() {
        let detail = format!("`{}` has proposed the policy set, so another person approves it", act.actor.account);
        return Err(Problem::new(Code::RoleRequired, detail).remedy("Let another account with the role approve it."));
    }
    in_state(&kept, PolicySetState::Proposed)?;
    // What passed when it was proposed may not pass now: the catalogue and the agreements have gone on.
    let proposal = examined(files_of(ledger, hash).await?, rights, act.now).await?;
    let in_folder = folder.set().map_err(|error| refused(&error))?;
    let texts = folder.texts();
    let new = NewPolicySet { hash: in_folder.hash(), files: &texts };
    if ledger.activate_policy_set(hash, new, act.by()).await.map_err(ledger_failed)? {
        return Ok(proposal);
    }
    Err(changed_meanwhile(hash))
}

/// Refuse a set that is proposed. Its proposer may take it back.
pub async fn reject(ledger: &Ledger, hash: &str, act: Act<'_>) -> Result<(), Problem> {
    let kept = known(ledger, hash).await?;
    if kept.proposed_by != act.actor.account.as_str() {
        act.actor.require(&[Role::Approver])?;
    }
    in_state(&kept, PolicySetState::Proposed)?;
    match ledger.reject_policy_set(hash, act.by()).await.map_err(ledger_failed)? {
        true => Ok(()),
        false => Err(changed_meanwhile(hash)),
    }
}

/// Let the set decide again that was active before this one, or the one that is named. The hash of it.
pub async fn roll_back(ledger: &Ledger, to: Option<&str>, rights: &Rights, act: Act<'_>) -> Result<String, Problem> {
    act.actor.require(&[Role::Approver, Role::Operator])?;
    let active = ledger.active_policy_set().await.map_err(ledger_failed)?;
    let Some(active) = active else {
        let detail = "no policy set of the ledger is active: nodes decide by the policies in their folder";
        return Err(Problem::new(Code::Conflict, detail).remedy("Propose a set and have it approved."));
    };
    let to = match to.or(active.replaced.as_deref()) {
        Some(hash) => known(ledger, hash).await?,
        None => {
            let detail = format!("no policy set was active before `{}`", active.hash);
            return Err(Problem::new(Code::Conflict, detail).remedy("Name the one to roll back to."));
        }
    };
    in_state(&to, PolicySetState::Retired)?;
    // Its cases are of another time and may fail today; its locks must hold.
    let (files, ground, now) = (files_of(ledger, &to.hash).await?, rights.clone(), act.now);
    aside(move || {
        let set = files.set().map_err(|error| refused(&error))?;
        prove(&set, &ground, now)
    })
    .await?;
    match ledger.roll_back_policy_set(&active.hash, &to.hash, act.by()).await.map_err(ledger_failed)? {
        true => Ok(to.hash),
        false => Err(changed_meanwhile(&to.hash)),
    }
}

/// The files of a set in the ledger.
pub async fn files_of(ledger: &Ledger, hash: &str) -> Result<PolicyFiles, Problem> {
    let texts = ledger.policy_set_files(hash).await.map_err(ledger_failed)?;
    let texts = texts.ok_or_else(|| unknown(hash))?;
    PolicyFiles::from_texts(texts).map_err(|error| refused(&error))
}

async fn examined(files: PolicyFiles, rights: &Rights, now: DateTime<Utc>) -> Result<Proposal, Problem> {
    let rights = rights.clone();
    aside(move || examine(&files, &rights, now)).await
}

/// Away from the threads that answer calls: with many agreements the probes take seconds.
pub(super) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(Problem::new(Code::Internal, "the policy set could not be examined")))
}

/// Does a set pass? Read strictly, its cases tried, the locks proved. Blocks.
fn examine(files: &PolicyFiles, rights: &Rights, now: DateTime<Utc>) -> Result<Proposal, Problem> {
    let set = files.set().map_err(|error| refused(&error))?;
    let agreed =
        |department: &_, dataset: &_, item: &_, day| rights.agreements.find(department, dataset, item, day).cloned();
    let cases = policy::cases(&files.cases, &set, &rights.catalog, &agreed)
        .map_err(|complaints| refused(&PolicyError::Inconsistent { complaints }))?;
    let trial = try_cases(&set, &cases);
    if trial.failed() > 0 {
        let failed = trial.cases.iter().filter(|tried| !tried.failures.is_empty());
        let told: Vec<_> = failed
            .take(TOLD_MAX)
            .map(|tried| format!("{}: {}: {}", tried.place, tried.name, tried.failures.join("; ")))
            .collect();
        let detail = format!("{} of the cases failed: {}", trial.failed(), told.join(" | "));
        return Err(Problem::new(Code::PolicyInvalid, detail).remedy("Correct the policies, or the cases."));
    }
    let probes = prove(&set, rights, now)?;
    let mut doubts = set.doubts();
    doubts.extend(trial.uncovered().map(|id| Doubt { policy: id.to_owned(), kind: DoubtKind::Untested }));
    Ok(Proposal { hash: set.hash().to_owned(), trial, doubts, probes })
}

fn prove(set: &PolicySet, rights: &Rights, now: DateTime<Utc>) -> Result<usize, Problem> {
    prove_the_locks(&rights.catalog, &rights.agreements, set, day_in_china(now)).map_err(|failed| {
        Problem::new(Code::PolicyInvalid, failed.to_string()).remedy("Close the lock that the probe went through.")
    })
}

/// Would the locks hold under a revision of the catalogue? For an approver, before it is published: nodes do not answer by one
/// under which they do not.
pub async fn prove_revision(
    ledger: &Ledger,
    number: i64,
    rights: &Rights,
    by: &Actor,
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    by.require(&[Role::Approver])?;
    let sources = revisions::sources(ledger, number).await?;
    let rights = rights.clone();
    aside(move || {
        // Whether it holds together is for the review to say.
        let Ok(catalog) = sources.check() else { return Ok(()) };
        let proved = prove_the_locks(&catalog, &rights.agreements, &rights.policies, day_in_china(now));
        proved.map(drop).map_err(|failed| {
            Problem::new(Code::CatalogInvalid, failed.to_string())
                .remedy("Change the revision, or let policies that close the lock be approved first.")
        })
    })
    .await
}

/// A set of the ledger, by its hash.
pub async fn known(ledger: &Ledger, hash: &str) -> Result<KeptPolicySet, Problem> {
    ledger.policy_set(hash).await.map_err(ledger_failed)?.ok_or_else(|| unknown(hash))
}

fn unknown(hash: &str) -> Problem {
    // What was sent may be anything; only what could be a hash is repeated.
    let shown = if hash.len() == 64 && hash.bytes().all(|c| c.is_ascii_hexdigit()) { hash } else { "of that hash" };
    Problem::new(Code::NotFound, format!("there is no policy set {shown}")).remedy("See the list of policy sets.")
}

fn in_state(kept: &KeptPolicySet, state: PolicySetState) -> Result<(), Problem> {
    if kept.state == state {
        return Ok(());
    }
    let detail = format!("the policy set `{}` is {}, not {state}", kept.hash, kept.state);
    Err(Problem::new(Code::Conflict, detail).remedy("See the list of policy sets."))
}

fn changed_meanwhile(hash: &str) -> Problem {
    Problem::new(Code::Conflict, format!("somebody else has just changed the policy set `{hash}`"))
        .remedy("See the list of policy sets, then decide again.")
}

/// Everything that is wrong with the files, up to a bound.
pub(super) fn refused(error: &PolicyError) -> Problem {
    let complaints: Vec<_> = error.complaints().iter().take(TOLD_MAX).map(ToString::to_string).collect();
    let detail = if complaints.is_empty() { error.to_string() } else { complaints.join(" | ") };
    Problem::new(error.code(), detail).remedy("Correct the files; `shuqiao policy check` finds the same.")
}

fn ledger_failed(error: LedgerError) -> Problem {
    match error.code() {
        code @ Code::InvalidValue => Problem::new(code, error.to_string()).at("/reason"),
        code => {
            tracing::error!(error = &error as &dyn std::error::Error, "the ledger failed");
            Problem::new(code, "the ledger failed").remedy("Try again; the node's operator finds the cause in its log.")
        }
    }
}

/// Files as they come through a door.
pub fn files(texts: BTreeMap<String, String>) -> Result<PolicyFiles, Problem> {
    PolicyFiles::from_texts(texts).map_err(|error| refused(&error))
}
