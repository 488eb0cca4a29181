//! The record that an objection is about: as it was in the version that answered, and as it is now, side by side.
//!
//! For a steward of the provider who has not filed the objection, and who names the subject: the node keeps the number only
//! while the objection is open, and never takes it for granted. Each look is written down before anything is shown.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use chrono::{DateTime, Utc};

use super::{for_steward, ledger_failed, subject::Named};
use crate::{
    audit::{self, Pseudonymiser, Record},
    catalog::{Catalog, Dataset, Disclosure, Value},
    engine::{Engine, Found, LookupError},
    identifiers::{CallId, FieldName, VersionNo},
    ledger::{Actor, Ledger, Objection},
    problem::{Code, Problem},
};

/// What a steward has to say to look.
#[derive(Clone, Debug)]
pub struct Look {
    /// The subject's number, as it was asked.
    pub subject: String,
    /// Why; it is written down with the look.
    pub reason: String,
}

/// Where the record is, and what a look is checked against.
#[derive(Clone, Copy)]
pub struct Archive<'a> {
    pub ledger: &'a Ledger,
    pub engine: &'a Engine,
    pub catalog: &'a Catalog,
    pub pseudonyms: &'a Pseudonymiser,
    /// The node's own log.
    pub log: &'a Path,
}

/// The fields that were asked, then and now.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// In the version that answered.
    pub then: Side,
    /// In the version that is served; nothing where none is.
    pub now: Option<Side>,
    /// Asked, and not shown: the catalogue never discloses them, or no longer has them.
    pub withheld: Vec<FieldName>,
}

/// What one version says: by field, in their canonical text. Nothing, or several records, where the subject is no key.
#[derive(Clone, Debug, PartialEq)]
pub struct Side {
    pub version: VersionNo,
    pub as_of: DateTime<Utc>,
    pub records: Vec<BTreeMap<FieldName, Option<String>>>,
}

/// Look at the record that an objection is about.
pub async fn look(
    objection: &Objection,
    look: Look,
    by: &Actor,
    archive: Archive<'_>,
    now: DateTime<Utc>,
) -> Result<Seen, Problem> {
    for_steward(objection, by)?;
    let filed = &objection.filed;
    let asked = call_of(filed.call, archive.log).await?.fields;
    let dataset = archive.catalog.datasets.get(&filed.dataset).ok_or_else(|| {
        let detail = format!("the dataset `{}` is no longer in the catalogue", filed.dataset);
        Problem::new(Code::UnknownDataset, detail).remedy("Its versions can be read on the node itself.")
    })?;
    let named = Named {
        about: format!("objection:{}", filed.id),
        field: filed.subject_field.clone(),
        right: archive.pseudonyms.pseudonym(filed.subject_field.as_str(), &look.subject) == filed.subject,
        remedy: "Look the record up in the register itself.",
    };
    named.checked(archive.ledger, &by.account, now).await?;
    archive.ledger.note_look(&filed.id, &by.account, &look.reason, now).await.map_err(ledger_failed)?;

    let (shown, withheld) = fields(&asked, dataset);
    let positions: Vec<_> = shown.iter().map(|(position, _)| *position).collect();
    let then = archive.engine.look_up_at(dataset, filed.version, &filed.subject_field, &look.subject, &positions).await;
    let then = then.map_err(|error| {
        tracing::warn!(error = &error as &dyn std::error::Error, "a version of before could not be asked");
        Problem::new(error.code(), error.to_string()).remedy("`shuqiao vacuum` says how long versions are kept.")
    })?;
    let now = match archive.engine.look_up_in(dataset, &filed.subject_field, &look.subject, &positions).await {
        Ok(found) => Some(side(&shown, found)),
        Err(LookupError::NotPublished { .. }) => None,
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "the version that is served could not be asked");
            let detail = "the version that is served could not be asked";
            return Err(Problem::new(Code::StorageFailed, detail).remedy("Try again."));
        }
    };
    Ok(Seen { then: side(&shown, then), now, withheld })
}

/// The call whose answer is objected to.
async fn call_of(call: CallId, log: &Path) -> Result<Record, Problem> {
    let log = log.to_owned();
    // Reads the log, perhaps all of it: off the runtime's threads.
    let found = tokio::task::spawn_blocking(move || audit::find(&log, &call)).await;
    let found = found.map_err(|_| Problem::new(Code::Internal, "the audit log could not be read"))?;
    let found = found.map_err(|error| Problem::new(error.code(), "the audit log could not be read"))?;
    found.ok_or_else(|| {
        Problem::new(Code::NotFound, format!("the record of call `{call}` is not in this node's log"))
            .remedy("Look at the node that answered.")
    })
}

/// Which of the fields that were asked are shown, and which are not.
fn fields(asked: &[FieldName], dataset: &Arc<Dataset>) -> (Vec<(usize, FieldName)>, Vec<FieldName>) {
    let (mut shown, mut withheld) = (Vec::new(), Vec::new());
    for name in asked {
        match dataset.field(name.as_str()) {
            Some((position, field)) if field.disclosure != Disclosure::Never => shown.push((position, name.clone())),
            Some(_) | None => withheld.push(name.clone()),
        }
    }
    (shown, withheld)
}

fn side(shown: &[(usize, FieldName)], found: Found) -> Side {
    let text = |value: Option<Value>| value.map(|value| value.as_text().into_owned());
    let names = || shown.iter().map(|(_, name)| name.clone());
    let record = |row: Vec<Option<Value>>| names().zip(row.into_iter().map(text)).collect();
    Side { version: found.version, as_of: found.as_of, records: found.rows.into_iter().map(record).collect() }
}
