//! What was agreed between a provider and a consumer.

use std::{collections::BTreeSet, num::NonZeroU32};

use chrono::NaiveDate;

use crate::identifiers::{AgreementId, DatasetId, DepartmentId, FieldName, ItemCode};

/// An approved application: this consumer, these fields of this dataset, for these items, until this day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreement {
    pub id: AgreementId,
    pub consumer: DepartmentId,
    pub dataset: DatasetId,
    pub items: BTreeSet<ItemCode>,
    /// Fields that claims may be held against.
    pub compare: BTreeSet<FieldName>,
    /// Fields whose values may be disclosed, masked where policy says so.
    pub disclose: BTreeSet<FieldName>,
    pub valid_from: NaiveDate,
    pub valid_until: NaiveDate,
    pub budget: Budget,
    pub standing: Standing,
}

impl Agreement {
    pub fn is_in_force_on(&self, day: NaiveDate) -> bool {
        self.standing == Standing::InForce && self.covers(day)
    }

    /// Does the day lie between its first and its last?
    pub fn covers(&self, day: NaiveDate) -> bool {
        (self.valid_from..=self.valid_until).contains(&day)
    }
}

/// What the provider has made of an agreement since it was granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    InForce,
    /// Nobody may use it until it is resumed.
    Suspended,
    /// Nobody may ever use it again.
    Revoked,
}

/// How often an agreement may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    pub calls_per_second: NonZeroU32,
    pub calls_per_day: u64,
}
