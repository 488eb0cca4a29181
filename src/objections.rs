//! Objections and ratings: "this is wrong" and "this was good", each bound to a receipt.
//!
//! Floor 3: may use `audit` (receipts, the log), `catalog`, `calendar`, `ledger`. Whoever holds a receipt of this node may
//! object to its answer, through a registered system or an account; the provider's steward decides before the clock runs
//! out. An open objection never closes a door: calls go on, and their answers say that there is one.
//!
//! ```text
//! receipt + subject + what is wrong ─ verified against keys and log ─> open ─ steward ─> corrected | upheld | not_ours
//!                                                                      └─ marks later answers ─┘
//! ```

mod marks;
mod rate;

use std::path::Path;

use chrono::{DateTime, Utc};

pub use marks::Marks;
pub use rate::{NewRating, rating};

use crate::{
    audit::{
        self, Pseudonymiser, Record,
        receipt::{self, ReceiptClaims},
    },
    calendar::Calendar,
    catalog::{Catalog, Dataset},
    identifiers::{FieldName, ObjectionId, Role, VersionNo},
    keys::PublicKeys,
    ledger::{Actor, Decided, Filed, Objection, ObjectionState},
    problem::{Code, Problem},
};

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

/// Check a new objection; what is then to be filed. Reads one record of the log, so it blocks.
pub fn examine(
    new: &NewObjection,
    by: &Actor,
    id: ObjectionId,
    evidence: Evidence<'_>,
    now: DateTime<Utc>,
) -> Result<Filed, Problem> {
    let claims = claims_of(&new.receipt, evidence.keys)?;
    let dataset = dataset_of(&claims, evidence.catalog)?;
    let (Some(version), Some(as_of)) = (claims.dataset_version, claims.as_of.clone()) else {
        let detail = "the answer came from no version of the dataset, so nothing in it can be wrong";
        return Err(Problem::new(Code::InvalidValue, detail).at("/receipt").remedy("Ask again, then object."));
    };
    let record = record_of(&claims, evidence.log)?;
    let (Some(subject_field), Some(subject)) = (record.subject_field, record.subject) else {
        return Err(Problem::new(Code::InvalidValue, "the answer is about nobody").at("/receipt"));
    };
    if evidence.pseudonyms.pseudonym(subject_field.as_str(), &new.subject) != subject {
        let detail = format!("`subject` is not the `{subject_field}` that was asked");
        return Err(Problem::new(Code::InvalidValue, detail).at("/subject").remedy("Write it as in the call."));
    }
    let due = evidence.calendar.deadline(now, evidence.working_days);
    Ok(Filed {
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
    })
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
    by.require(&[Role::Steward])?;
    let filed = &objection.filed;
    if by.department != filed.provider || by.account == filed.by {
        let detail = format!("the objection is for a steward of `{}` who has not filed it", filed.provider);
        return Err(Problem::new(Code::RoleRequired, detail).remedy("Let another account decide."));
    }
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
