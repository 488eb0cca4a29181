//! Revisions of the catalogue: proposed by one person, reviewed by another, published whole.
//!
//! Floor 3: may use `catalog`, `ledger`, `identifiers`, `problem`. The node's files make the first revision; from then on
//! the catalogue is what the ledger says is published.
//!
//! ```text
//! files ─seed─> 1 published
//! steward ─draft──> draft ─submit─> in_review ─approve (another account)─> published ─by the next─> retired
//!                     └──────────── reject ─────────┘                        └─ roll back: a draft with its content
//! ```
//!
//! One act does without a second person: [`recover`], where this program cannot read what is published.
//!
//! Promises: nothing is published that does not hold together, that is not its author's to change, that its author approved
//! alone, that was made from a catalogue which is no longer the published one, or that breaks an agreement which its author
//! has not named.

mod impact;
mod reach;
mod state;

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, Utc};

pub use impact::{Broken, broken_by, faults};
pub use state::{Current, SeedError, current, ended, seed};

use crate::{
    catalog::{
        Catalog, CatalogError, Sources,
        diff::{self, Change, Effect},
    },
    identifiers::{AgreementId, Role},
    ledger::{Actor, Agreement, Ledger, LedgerError, NewRevision, Publishing, Review, Revision, RevisionState},
    problem::{Code, Problem},
};

/// Longest reason or note, in characters; what the ledger keeps of acts is as long.
const REASON_CHARS_MAX: usize = 2_000;
/// Complaints told of a catalogue that does not hold together; the rest is counted.
const COMPLAINTS_SHOWN_MAX: usize = 20;

/// A catalogue that somebody would like to have.
#[derive(Clone, Debug)]
pub struct Proposal {
    pub sources: Sources,
    pub reason: String,
    /// Agreements that the author accepts to end.
    pub ended: BTreeSet<AgreementId>,
}

/// What a proposal would do.
#[derive(Clone, Debug)]
pub struct Outlook {
    pub changes: Vec<Change>,
    pub broken: Vec<Broken>,
}

/// When an act happens, and the day it is in China.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    pub now: DateTime<Utc>,
    pub today: NaiveDate,
}

/// What `sources` would change of the published catalogue, and which agreements it would break.
pub fn outlook<'a>(
    current: &Catalog,
    sources: &Sources,
    agreements: impl IntoIterator<Item = &'a Agreement>,
    today: NaiveDate,
) -> Result<(Catalog, Outlook), Problem> {
    let new = sources.check().map_err(|error| does_not_hold(&error))?;
    let changes = diff::diff(current, &new);
    let broken = broken_by(current, &new, agreements, today);
    Ok((new, Outlook { changes, broken }))
}

/// Write a proposal down as a draft of the steward's.
pub async fn draft(
    ledger: &Ledger,
    actor: &Actor,
    proposal: Proposal,
    agreements: &[&Agreement],
    moment: Moment,
) -> Result<(Revision, Outlook), Problem> {
    actor.require(&[Role::Steward])?;
    let reason = said(&proposal.reason, "reason")?;
    let current = current(ledger).await?;
    if proposal.sources.hash() == current.revision.hash {
        let detail = format!("these are the files of revision {}, which is published", current.revision.number);
        return Err(Problem::new(Code::Conflict, detail).remedy("Change something, then propose it."));
    }
    let agreements = agreements.iter().copied();
    let (new, outlook) = outlook(&current.catalog, &proposal.sources, agreements, moment.today)?;
    reach::check(actor, &current.catalog, &new, &outlook.changes)?;
    accepted(&outlook.broken, &proposal.ended)?;
    needlessly(&outlook.broken, &proposal.ended)?;
    let new = NewRevision {
        base: current.revision.number,
        hash: proposal.sources.hash(),
        content: proposal.sources.to_json(),
        changes: outlook.changes.iter().map(|change| format!("{change}\n")).collect(),
        effect: diff::worst(&outlook.changes).unwrap_or(Effect::Compatible).word().to_owned(),
        reason: reason.to_owned(),
        ended: proposal.ended.into_iter().collect(),
        author: actor.account.clone(),
        author_department: actor.department.clone(),
    };
    let number = ledger.draft_revision(&new, moment.now).await.map_err(failed)?;
    Ok((found(ledger, number).await?, outlook))
}

/// Hand one's own draft in for review.
pub async fn submit(ledger: &Ledger, actor: &Actor, number: i64, moment: Moment) -> Result<Revision, Problem> {
    actor.require(&[Role::Steward])?;
    let revision = found(ledger, number).await?;
    if revision.author.as_ref() != Some(&actor.account) {
        let detail = format!("revision {number} is not a draft of `{}`", actor.account);
        return Err(Problem::new(Code::RoleRequired, detail).remedy("Let its author hand it in, or make your own."));
    }
    let current = current(ledger).await?;
    up_to_date(&revision, &current.revision)?;
    if !ledger.submit_revision(number, &actor.account, moment.now).await.map_err(failed)? {
        return Err(wrong_state(&revision, "a draft"));
    }
    found(ledger, number).await
}

/// Publish a revision that somebody else has proposed. Everything is looked at again, under today's agreements.
pub async fn approve(
    ledger: &Ledger,
    actor: &Actor,
    number: i64,
    note: &str,
    agreements: &[&Agreement],
    moment: Moment,
) -> Result<Revision, Problem> {
    actor.require(&[Role::Approver])?;
    let note = said(note, "note")?;
    let revision = found(ledger, number).await?;
    by_another(&revision, actor)?;
    if revision.state != RevisionState::InReview {
        return Err(wrong_state(&revision, "in review"));
    }
    let current = current(ledger).await?;
    up_to_date(&revision, &current.revision)?;
    let sources = sources(ledger, number).await?;
    let agreements = agreements.iter().copied();
    let (_, outlook) = outlook(&current.catalog, &sources, agreements, moment.today)?;
    accepted(&outlook.broken, &revision.ended.iter().cloned().collect())?;
    let review = Review { reviewer: &actor.account, note, now: moment.now };
    match ledger.publish_revision(number, &review).await.map_err(failed)? {
        Publishing::Done => found(ledger, number).await,
        Publishing::Stale => Err(stale(&revision)),
        Publishing::NotInReview => Err(wrong_state(&revision, "in review")),
    }
}

/// Publish files without a second person, where the published ones cannot be read by this program: nobody could propose a
/// change to them, and no node starts with them.
pub async fn recover(
    ledger: &Ledger,
    actor: &Actor,
    sources: &Sources,
    reason: &str,
    moment: Moment,
) -> Result<Revision, Problem> {
    actor.require(&[Role::Operator])?;
    let reason = said(reason, "reason")?;
    let Some(published) = ledger.published_revision().await.map_err(failed)? else {
        return current(ledger).await.map(|current| current.revision);
    };
    if current(ledger).await.is_ok() {
        let detail = format!("revision {}, which is published, can be read", published.number);
        return Err(
            Problem::new(Code::Conflict, detail).remedy("Propose a change to it, for a second person to publish.")
        );
    }
    sources.check().map_err(|error| does_not_hold(&error))?;
    let new = NewRevision {
        base: published.number,
        hash: sources.hash(),
        content: sources.to_json(),
        changes: "the files before could not be read any more\n".to_owned(),
        effect: Effect::Breaking.word().to_owned(),
        reason: reason.to_owned(),
        ended: Vec::new(),
        author: actor.account.clone(),
        author_department: actor.department.clone(),
    };
    let number = ledger.draft_revision(&new, moment.now).await.map_err(failed)?;
    ledger.submit_revision(number, &actor.account, moment.now).await.map_err(failed)?;
    let review = Review { reviewer: &actor.account, note: reason, now: moment.now };
    match ledger.publish_revision(number, &review).await.map_err(failed)? {
        Publishing::Done => found(ledger, number).await,
        Publishing::Stale | Publishing::NotInReview => Err(stale(&found(ledger, number).await?)),
    }
}

/// Turn a revision down, with the reason. An author may take back what is not published yet.
pub async fn reject(
    ledger: &Ledger,
    actor: &Actor,
    number: i64,
    note: &str,
    moment: Moment,
) -> Result<Revision, Problem> {
    let note = said(note, "note")?;
    let revision = found(ledger, number).await?;
    if revision.author.as_ref() != Some(&actor.account) {
        actor.require(&[Role::Approver])?;
    }
    let review = Review { reviewer: &actor.account, note, now: moment.now };
    if !ledger.reject_revision(number, &review).await.map_err(failed)? {
        return Err(wrong_state(&revision, "a draft or in review"));
    }
    found(ledger, number).await
}

/// The texts of a revision.
pub async fn sources(ledger: &Ledger, number: i64) -> Result<Sources, Problem> {
    let content = ledger.revision_content(number).await.map_err(failed)?.ok_or_else(|| unknown(number))?;
    Sources::from_json(&content).map_err(|error| damaged(number, &error))
}

/// The revision of that number.
pub async fn found(ledger: &Ledger, number: i64) -> Result<Revision, Problem> {
    ledger.revision(number).await.map_err(failed)?.ok_or_else(|| unknown(number))
}

/// An agreement that would hold all the same is not ended by the way.
fn needlessly(broken: &[Broken], ended: &BTreeSet<AgreementId>) -> Result<(), Problem> {
    let is_broken = |named: &&AgreementId| broken.iter().any(|one| one.agreement == **named);
    let Some(named) = ended.iter().find(|named| !is_broken(named)) else { return Ok(()) };
    let detail = format!("the change does not break the agreement `{named}`");
    Err(Problem::new(Code::InvalidValue, detail)
        .at("/ended")
        .remedy("Do not name it; end it by itself, if it shall end."))
}

/// What breaks an agreement is published only where its author has named the agreement.
fn accepted(broken: &[Broken], ended: &BTreeSet<AgreementId>) -> Result<(), Problem> {
    let unnamed: Vec<_> = broken.iter().filter(|one| !ended.contains(&one.agreement)).collect();
    if unnamed.is_empty() {
        return Ok(());
    }
    let told = unnamed.iter().map(ToString::to_string).collect::<Vec<_>>().join(". ");
    let detail = format!("{} live agreements would not hold any more: {told}", unnamed.len());
    Err(Problem::new(Code::Conflict, detail)
        .at("/ended")
        .remedy("End them first, or name each under `ended` (--end AGREEMENT): calls under them are then refused."))
}

fn by_another(revision: &Revision, actor: &Actor) -> Result<(), Problem> {
    if revision.author.as_ref() != Some(&actor.account) {
        return Ok(());
    }
    let detail = format!("`{}` has proposed revision {} itself", actor.account, revision.number);
    Err(Problem::new(Code::RoleRequired, detail).remedy("Let a second person, with the role `approver`, review it."))
}

fn up_to_date(revision: &Revision, published: &Revision) -> Result<(), Problem> {
    if revision.base == published.number { Ok(()) } else { Err(stale(revision)) }
}

fn stale(revision: &Revision) -> Problem {
    let detail = format!(
        "revision {} was made from revision {}, which is no longer the published one",
        revision.number, revision.base
    );
    Problem::new(Code::Conflict, detail)
        .remedy("Export the published catalogue, make the change there again, and propose that.")
}

fn wrong_state(revision: &Revision, needed: &str) -> Problem {
    let detail = format!("revision {} is {}, not {needed}", revision.number, revision.state.word());
    Problem::new(Code::Conflict, detail).remedy("See `GET /v1/catalog/revisions` for where each stands.")
}

fn unknown(number: i64) -> Problem {
    Problem::new(Code::NotFound, format!("there is no revision {number}"))
        .remedy("See `GET /v1/catalog/revisions` for those there are.")
}

/// Something to read, and not too much of it.
fn said<'a>(text: &'a str, member: &str) -> Result<&'a str, Problem> {
    let text = text.trim();
    if (1..=REASON_CHARS_MAX).contains(&text.chars().count()) {
        return Ok(text);
    }
    Err(Problem::new(Code::InvalidValue, format!("`{member}` has 1 to {REASON_CHARS_MAX} characters"))
        .at(format!("/{member}"))
        .remedy("Say why, for those who read it later."))
}

fn does_not_hold(error: &CatalogError) -> Problem {
    let complaints = error.complaints();
    let mut told: Vec<String> = complaints.iter().take(COMPLAINTS_SHOWN_MAX).map(ToString::to_string).collect();
    match complaints.len() {
        0 => told.push(error.to_string()),
        all if all > COMPLAINTS_SHOWN_MAX => told.push(format!("{} more", all - COMPLAINTS_SHOWN_MAX)),
        _ => {}
    }
    Problem::new(Code::CatalogInvalid, told.join(" | ")).at("/files").remedy("Correct the files where they are named.")
}

fn failed(error: LedgerError) -> Problem {
    tracing::error!(error = &error as &dyn std::error::Error, "the ledger failed");
    Problem::new(error.code(), "the ledger failed").remedy("Try again; the node's operator finds the cause in its log.")
}

fn damaged(number: i64, error: &CatalogError) -> Problem {
    tracing::error!(number, error = error as &dyn std::error::Error, "a revision cannot be read");
    let told = error.complaints().first().map_or_else(|| error.to_string(), ToString::to_string);
    Problem::new(Code::StorageFailed, format!("revision {number} of the catalogue cannot be read: {told}"))
        .remedy("`shuqiao catalog export --format yaml --revision` gives its files, `shuqiao catalog recover` takes them corrected.")
}

#[cfg(test)]
mod tests;
