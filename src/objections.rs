//! Objections and ratings: "this is wrong" and "this was good", each bound to a receipt.
//!
//! Floor 3: may use `audit` (receipts, the log), `engine` (records as they were), `catalog`, `calendar`, `ledger`. The
//! department that was answered may object, through a registered system or an account, and so may the provider; the
//! provider's steward decides before the clock runs out. An open objection never closes a door: calls go on, and their
//! answers say that there is one.
//!
//! ```text
//! receipt + subject + what is wrong ─ verified against keys and log ─> open ─ steward ─> corrected | upheld | not_ours
//!                                                                      │        └ looks at the record, then and now
//!                                                                      └─ marks later answers
//! ```

mod marks;
mod rate;
mod record;
mod subject;

use std::path::Path;

use chrono::{DateTime, Utc};

pub use marks::Marks;
pub use rate::{NewRating, rating};
pub use record::{Archive, Look, Seen, Side, look};

use crate::{
    audit::{
        self, Pseudonymiser, Record,
        receipt::{self, ReceiptClaims},
    },
    calendar::Calendar,
    catalog::{Catalog, Dataset},
    identifiers::{FieldName, ObjectionId, Role, VersionNo},
    keys::PublicKeys,
    ledger::{Actor, Decided, Filed, Ledger, LedgerError, Objection, ObjectionState},
    problem::{Code, Problem},
};
use subject::Named;

/// Longest statement, in characters.
const STATEMENT_CHARS_MAX: usize = 1_000;

/// What one has to say to object.
#[derive(Clone, Debug)]
pub struct NewObjection {
    /// Of the answer that is objected to.
    pub receipt: String,
    /// The subject's number, as it was asked.
    pub subject: String,
    /// Names of the fields that are said to be wrong; none: the record as a whole.
    pub fields: Vec<String>,
    /// What is wrong.
    pub statement: String,
}

/// What an objection is checked against.
#[derive(Clone, Copy)]
pub struct Evidence<'a> {
    pub keys: &'a PublicKeys,
    pub pseudonyms: &'a Pseudonymiser,
    pub catalog: &'a Catalog,
    pub calendar: &'a Calendar,
    /// Working days that the provider has.
    pub working_days: u32,
    /// The node's own log.
    pub log: &'a Path,
}

/// A new objection in which everything is in order but perhaps whom it is about.
#[derive(Clone, Debug)]
pub struct Examined {
    filed: Filed,
    named: Named,
}

impl Examined {
    /// What is to be filed, if the subject was named rightly. Wrong ones are counted, for each receipt.
    pub async fn of_the_subject(self, ledger: &Ledger, now: DateTime<Utc>) -> Result<Filed, Problem> {
        let Self { filed, named } = self;
        named.checked(ledger, &filed.by, now).await?;
        Ok(filed)
    }
}

/// Check a new objection, but for whom it is about. Reads one record of the log, so it blocks.
pub fn examine(
    new: &NewObjection,
    by: &Actor,
    id: ObjectionId,
    evidence: Evidence<'_>,
    now: DateTime<Utc>,
) -> Result<Examined, Problem> {
    let claims = claims_of(&new.receipt, evidence.keys)?;
    let dataset = dataset_of(&claims, evidence.catalog)?;
    if ![&claims.department, &dataset.provider].contains(&&by.department) {
        let problem = Problem::new(Code::InvalidValue, "the answer was given to another department");
        let remedy = "Let the department that asked file it, or the provider of the dataset.";
        return Err(problem.at("/receipt").remedy(remedy));
    }
    let (Some(version), Some(as_of)) = (claims.dataset_version, claims.as_of.clone()) else {
        let detail = "the answer came from no version of the dataset, so nothing in it can be wrong";
        return Err(Problem::new(Code::InvalidValue, detail).at("/receipt").remedy("Ask again, then object."));
    };
    let record = record_of(&claims, evidence.log)?;
    let (Some(subject_field), Some(subject)) = (record.subject_field, record.subject) else {
        return Err(Problem::new(Code::InvalidValue, "the answer is about nobody").at("/receipt"));
    };
    let named = Named {
        about: format!("receipt:{}", claims.jti),
        field: subject_field.clone(),
        right: evidence.pseudonyms.pseudonym(subject_field.as_str(), &new.subject) == subject,
        remedy: "Ask again, and object to the new answer.",
    };
    let due = evidence.calendar.deadline(now, evidence.working_days);
    let filed = Filed {
        id,
        call: claims.jti,
        dataset: claims.dataset,
        provider: dataset.provider.clone(),
        item: claims.item,
        version,
        as_of,
        fields: fields(&new.fields, dataset)?,
        statement: statement(&new.statement)?,
        subject_field,
        subject,
        by: by.account.clone(),
        department: by.department.clone(),
        at: now,
        due: due.day,
        due_provisional: due.provisional,
    };
    Ok(Examined { filed, named })
}

fn claims_of(text: &str, keys: &PublicKeys) -> Result<ReceiptClaims, Problem> {
    receipt::verify(text, keys).map_err(|error| {
        Problem::new(error.code(), error.to_string())
            .at("/receipt")
            .remedy("Send the receipt of an answer of this node, whole and unchanged.")
    })
}

fn dataset_of<'c>(claims: &ReceiptClaims, catalog: &'c Catalog) -> Result<&'c Dataset, Problem> {
    catalog.datasets.get(&claims.dataset).map(|dataset| &**dataset).ok_or_else(|| {
        let detail = format!("the dataset `{}` is no longer in the catalogue", claims.dataset);
        Problem::new(Code::UnknownDataset, detail).at("/receipt")
    })
}

/// The record that the receipt was given for.
fn record_of(claims: &ReceiptClaims, log: &Path) -> Result<Record, Problem> {
    let missing = || {
        Problem::new(Code::NotFound, format!("the record of call `{}` is not in this node's log", claims.jti))
            .remedy("Object at the node that answered; its address stands in the receipt.")
    };
    let unreadable = |error: audit::AuditError| Problem::new(error.code(), "the audit log could not be read");
    let index = claims.log.index.ok_or_else(missing)?;
    let (_, payload) = audit::read(log, index).map_err(unreadable)?.next().ok_or_else(missing)?.map_err(unreadable)?;
    let record = Record::from_bytes(&payload).map_err(unreadable)?;
    if record.call_id == claims.jti { Ok(record) } else { Err(missing()) }
}

fn fields(names: &[String], dataset: &Dataset) -> Result<Vec<FieldName>, Problem> {
    let known = |(index, name): (usize, &String)| match dataset.field(name) {
        Some((_, field)) => Ok(field.name.clone()),
        None => Err(Problem::new(Code::UnknownField, format!("the dataset `{}` has no such field", dataset.id))
            .at(format!("/fields/{index}"))
            .remedy("See the catalogue for its fields.")),
    };
    names.iter().enumerate().map(known).collect()
}

fn statement(text: &str) -> Result<String, Problem> {
    let text = text.trim();
    if (1..=STATEMENT_CHARS_MAX).contains(&text.chars().count()) {
        return Ok(text.to_owned());
    }
    let detail = format!("`statement` has 1 to {STATEMENT_CHARS_MAX} characters");
    Err(Problem::new(Code::InvalidValue, detail).at("/statement").remedy("Say what is wrong, and how it is right."))
}

/// May this person or system see the objection? Its filer's department, its provider, and auditors may.
pub fn may_see(actor: &Actor, objection: &Objection) -> bool {
    actor.department == objection.filed.department
        || may_see_subject(actor, objection)
        || actor.roles.has_any(&[Role::Auditor])
}

/// The subject's number is for those who have to correct the register.
pub fn may_see_subject(actor: &Actor, objection: &Objection) -> bool {
    actor.department == objection.filed.provider && actor.roles.has_any(&[Role::Steward, Role::Approver])
}

/// A steward of the provider, and not who has filed it.
fn for_steward(objection: &Objection, by: &Actor) -> Result<(), Problem> {
    by.require(&[Role::Steward])?;
    let filed = &objection.filed;
    if by.department == filed.provider && by.account != filed.by {
        return Ok(());
    }
    let detail = format!("the objection is for a steward of `{}` who has not filed it", filed.provider);
    Err(Problem::new(Code::RoleRequired, detail).remedy("Let another account do it."))
}

fn ledger_failed(error: LedgerError) -> Problem {
    match error.code() {
        code @ Code::InvalidValue => Problem::new(code, error.to_string()).at("/reason").remedy("Say why."),
        code => {
            tracing::error!(error = &error as &dyn std::error::Error, "the ledger failed");
            Problem::new(code, "the ledger failed").remedy("Try again; the node's operator finds the cause in its log.")
        }
    }
}

/// What a decision says.
#[derive(Clone, Debug)]
pub struct Decision {
    pub state: ObjectionState,
    /// For the filer.
    pub reason: String,
}

/// Check a decision: by the provider's steward, not by who filed it; and what is called corrected has been published.
pub fn decide(
    objection: &Objection,
    decision: Decision,
    by: &Actor,
    serving: Option<VersionNo>,
    now: DateTime<Utc>,
) -> Result<Decided, Problem> {
    for_steward(objection, by)?;
    let filed = &objection.filed;
    if objection.state != ObjectionState::Open || decision.state == ObjectionState::Open {
        let problem = Problem::new(Code::Conflict, format!("the objection is `{}`", objection.state.as_str()));
        return Err(problem.remedy("A decision stands; whoever disagrees files a new objection."));
    }
    let corrected_version = match decision.state {
        ObjectionState::Corrected => Some(serving.filter(|serving| *serving > filed.version).ok_or_else(|| {
            let detail = format!("version {} answered, and no later one is served", filed.version);
            Problem::new(Code::Conflict, detail).remedy("Publish the correction first.")
        })?),
        _ => None,
    };
    Ok(Decided {
        by: by.account.clone(),
        at: now,
        reason: statement(&decision.reason)?,
        corrected_version,
        told_at: None,
    })
}
