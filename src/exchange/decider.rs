//! Step 5: a policy set with the decisions it has made.
//!
//! Callers ask for the same kind of thing again and again: the same client, for the same item, the same fields. A
//! decision depends on nothing else, the day and the hour included, so it is kept and given again. It is kept with its
//! policy set and goes with it; catalogue and agreements, which it depends on too, are those of the exchange.

use std::{hash::Hash, sync::Arc};

use chrono::NaiveDate;
use quick_cache::{Equivalent, sync::Cache};

use crate::{
    identifiers::{AgreementId, ClientId, DatasetId, DepartmentId, FieldName, ItemCode},
    policy::{Decision, Operation, PolicySet, Question},
};

/// Decisions kept: some per client, item and hour.
const DECISIONS_MAX: usize = 16_384;

pub(super) struct Decider {
    policies: Arc<PolicySet>,
    made: Cache<Key, Arc<Decision>>,
}

impl Decider {
    pub(super) fn new(policies: Arc<PolicySet>) -> Self {
        Self { policies, made: Cache::new(DECISIONS_MAX) }
    }

    pub(super) fn policies(&self) -> &Arc<PolicySet> {
        &self.policies
    }

    /// What the policies say to a question.
    pub(super) fn decide(&self, question: &Question<'_>) -> Arc<Decision> {
        let asked = Asked::of(question);
        if let Some(decision) = self.made.get(&asked) {
            return decision;
        }
        let decision = Arc::new(self.policies.decide(question));
        self.made.insert(asked.to_key(), Arc::clone(&decision));
        decision
    }
}

/// All that a decision depends on, as it stands in a question.
///
/// Destructured whole in [`Asked::of`]: what is added to a question does not compile until it stands here too.
#[derive(Hash, PartialEq, Eq)]
struct Asked<'a> {
    operation: Operation,
    client: &'a ClientId,
    department: &'a DepartmentId,
    dataset: &'a DatasetId,
    item: &'a ItemCode,
    agreement: Option<&'a AgreementId>,
    subject_field: &'a FieldName,
    fields: &'a [FieldName],
    case_present: bool,
    today: NaiveDate,
    hour: u32,
}

/// The same, to keep. Its hash is that of [`Asked`], member by member.
#[derive(Hash, PartialEq, Eq)]
struct Key {
    operation: Operation,
    client: ClientId,
    department: DepartmentId,
    dataset: DatasetId,
    item: ItemCode,
    agreement: Option<AgreementId>,
    subject_field: FieldName,
    fields: Vec<FieldName>,
    case_present: bool,
    today: NaiveDate,
    hour: u32,
}

impl<'a> Asked<'a> {
    fn of(question: &Question<'a>) -> Self {
        let Question {
            operation,
            client,
            department,
            dataset,
            item,
            agreement,
            subject_field,
            fields,
            case_present,
            today,
            hour,
        } = *question;
        Self {
            operation,
            client,
            department: &department.id,
            dataset: &dataset.id,
            item: &item.code,
            agreement: agreement.map(|agreement| &agreement.id),
            subject_field,
            fields,
            case_present,
            today,
            hour,
        }
    }

    fn to_key(&self) -> Key {
        Key {
            operation: self.operation,
            client: self.client.clone(),
            department: self.department.clone(),
            dataset: self.dataset.clone(),
            item: self.item.clone(),
            agreement: self.agreement.cloned(),
            subject_field: self.subject_field.clone(),
            fields: self.fields.to_vec(),
            case_present: self.case_present,
            today: self.today,
            hour: self.hour,
        }
    }
}

impl Key {
    fn as_asked(&self) -> Asked<'_> {
        Asked {
            operation: self.operation,
            client: &self.client,
            department: &self.department,
            dataset: &self.dataset,
            item: &self.item,
            agreement: self.agreement.as_ref(),
            subject_field: &self.subject_field,
            fields: &self.fields,
            case_present: self.case_present,
            today: self.today,
            hour: self.hour,
        }
    }
}

impl Equivalent<Key> for Asked<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        *self == key.as_asked()
    }
}
