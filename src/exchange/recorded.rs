//! A recorded call as a question once more.
//!
//! The record says what was asked, by whom, under which agreement and when; catalogue and agreements say what that means,
//! as they do now. What is gone cannot be asked again, and is named.

use std::{collections::HashMap, str::FromStr, sync::Arc};

use chrono::{DateTime, Days, NaiveDate, Utc};

use super::answer::CHINA_OFFSET_SECONDS;
use crate::{
    agreements::Agreements,
    audit::{self, Record, RecordedDecision},
    catalog::{Catalog, Dataset, Department, Item},
    identifiers::{AgreementId, ClientId, FieldName, ItemCode, NodeId},
    ledger::Agreement,
    policy::{Channel, Explanation, Manner, Operation, PolicySet, Question, Volume},
};

const SECONDS_A_DAY: i64 = 86_400;
const SECONDS_AN_HOUR: i64 = 3600;

/// Days since 1970 in China, and the hour of that day.
pub(super) fn china_day_and_hour(time: DateTime<Utc>) -> (i64, u32) {
    let local = time.timestamp() + i64::from(CHINA_OFFSET_SECONDS);
    let hour = local.rem_euclid(SECONDS_A_DAY) / SECONDS_AN_HOUR;
    (local.div_euclid(SECONDS_A_DAY), u32::try_from(hour).unwrap_or_default())
}

/// A question as it was recorded: everything that a decision depends on.
#[derive(Clone, Debug)]
pub(super) struct Recorded {
    pub(super) discloses: bool,
    pub(super) client: String,
    pub(super) department: String,
    pub(super) dataset: String,
    pub(super) item: String,
    pub(super) agreement: Option<String>,
    pub(super) subject_field: String,
    pub(super) fields: Vec<String>,
    pub(super) case_present: bool,
    /// Days since 1970 in China, and the hour of that day.
    pub(super) day: i64,
    pub(super) hour: u32,
    pub(super) suspicion: u8,
    /// Not in the records of older versions.
    pub(super) origin: Option<String>,
    pub(super) manner: Manner,
}

/// How a recorded call came; a door that is not known counts as the node's own, as the records of older versions do.
pub(super) fn manner(channel: Option<&str>, volume: u8, given: [bool; 3]) -> Manner {
    let [consent_given, operator_given, approver_given] = given;
    Manner {
        channel: channel.and_then(Channel::from_word).unwrap_or_default(),
        volume: Volume::from_percent(volume),
        consent_given,
        operator_given,
        approver_given,
    }
}

impl Recorded {
    /// The question of a call that policy decided; nothing of another.
    fn of(record: &Record) -> Option<Self> {
        let text = |member: Option<&str>| member.map(str::to_owned);
        let (day, hour) = china_day_and_hour(record.time);
        let discloses = match record.operation {
            audit::Operation::Verification => false,
            audit::Operation::Disclosure => true,
            audit::Operation::Token | audit::Operation::Statistics | audit::Operation::Return => return None,
        };
        if record.decision == RecordedDecision::Refused {
            return None;
        }
        Some(Self {
            discloses,
            client: text(record.client.as_ref().map(AsRef::as_ref))?,
            department: text(record.department.as_ref().map(AsRef::as_ref))?,
            dataset: text(record.dataset.as_ref().map(AsRef::as_ref))?,
            item: text(record.item.as_ref().map(ItemCode::as_str))?,
            agreement: text(record.agreement.as_ref().map(AsRef::as_ref)),
            subject_field: text(record.subject_field.as_ref().map(AsRef::as_ref))?,
            fields: record.fields.iter().map(|field| field.as_str().to_owned()).collect(),
            case_present: record.case.is_some(),
            day,
            hour,
            suspicion: record.suspicion,
            origin: text(record.origin.as_ref().map(AsRef::as_ref)),
            manner: manner(
                record.channel.as_deref(),
                record.volume,
                [record.consent.is_some(), record.operator.is_some(), record.approver.is_some()],
            ),
        })
    }

    pub(super) fn day(&self) -> NaiveDate {
        let since = u64::try_from(self.day).unwrap_or_default();
        NaiveDate::default().checked_add_days(Days::new(since)).unwrap_or_default()
    }
}

/// Agreements by their ids, those that have ended included.
pub(super) type ById<'a> = HashMap<&'a AgreementId, &'a Arc<Agreement>>;

pub(super) fn by_id(agreements: &Agreements) -> ById<'_> {
    agreements.iter().map(|agreement| (&agreement.id, agreement)).collect()
}

/// What a recorded question is about, as it is now.
pub(super) struct Found<'a> {
    pub(super) client: ClientId,
    pub(super) department: &'a Department,
    pub(super) dataset: &'a Dataset,
    pub(super) item: &'a Item,
    pub(super) agreement: Option<&'a Agreement>,
    pub(super) subject_field: FieldName,
    pub(super) fields: Vec<FieldName>,
    /// The node of the department where the record does not say.
    pub(super) origin: NodeId,
}

impl<'a> Found<'a> {
    /// What a question is about, or what of it is gone.
    pub(super) fn find(recorded: &Recorded, catalog: &'a Catalog, agreements: &ById<'a>) -> Result<Self, String> {
        let gone = |kind: &str, name: &str| format!("the {kind} `{name}` is gone");
        let department = catalog.departments.get(recorded.department.as_str());
        let dataset = catalog.datasets.get(recorded.dataset.as_str());
        let dataset = dataset.ok_or_else(|| gone("dataset", &recorded.dataset))?;
        let item = parsed::<ItemCode>("item", &recorded.item)?;
        let item = catalog.items.get(&item).ok_or_else(|| gone("item", &recorded.item))?;
        let agreement: Option<&'a Agreement> = match &recorded.agreement {
            None => None,
            Some(id) => {
                let known = agreements.get(&parsed::<AgreementId>("agreement", id)?).copied();
                Some(known.ok_or_else(|| gone("agreement", id))?)
            }
        };
        let field = |name: &String| match dataset.field(name) {
            Some((_, field)) => Ok(field.name.clone()),
            None => Err(format!("the field `{name}` of the dataset `{}` is gone", dataset.id)),
        };
        let department = department.ok_or_else(|| gone("department", &recorded.department))?;
        let origin = recorded.origin.as_ref().map(|origin| parsed::<NodeId>("node", origin)).transpose()?;
        Ok(Found {
            client: parsed("client", &recorded.client)?,
            origin: origin.unwrap_or_else(|| department.node.clone()),
            department,
            item,
            agreement,
            subject_field: field(&recorded.subject_field)?,
            fields: recorded.fields.iter().map(field).collect::<Result<_, _>>()?,
            dataset,
        })
    }

    pub(super) fn question(&self, recorded: &Recorded) -> Question<'_> {
        Question {
            operation: if recorded.discloses { Operation::Disclose } else { Operation::Verify },
            client: &self.client,
            department: self.department,
            dataset: self.dataset,
            item: self.item,
            agreement: self.agreement,
            subject_field: &self.subject_field,
            fields: &self.fields,
            case_present: recorded.case_present,
            today: recorded.day(),
            hour: recorded.hour,
            suspicion: recorded.suspicion,
            origin: &self.origin,
            manner: recorded.manner,
        }
    }
}

fn parsed<T: FromStr>(kind: &str, text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("the record names a {kind} that is none"))
}

/// Why a recorded call is not explained.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotExplained {
    #[error("the call was refused before policy was asked")]
    NotDecided,
    #[error("the call cannot be decided again: {0}")]
    Gone(String),
}

/// What a set says to a recorded call, and why, with catalogue and agreements as they are now.
pub fn explain(
    record: &Record,
    catalog: &Catalog,
    agreements: &Agreements,
    policies: &PolicySet,
) -> Result<Explanation, NotExplained> {
    let recorded = Recorded::of(record).ok_or(NotExplained::NotDecided)?;
    let found = Found::find(&recorded, catalog, &by_id(agreements)).map_err(NotExplained::Gone)?;
    Ok(policies.explain(&found.question(&recorded)))
}
