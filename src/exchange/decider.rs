//! Step 5: a policy set with the decisions it has made.
//!
//! Callers ask for the same kind of thing again and again: the same client, for the same item, the same fields. A
//! decision depends on nothing else, the day and the hour included, so it is kept and given again. It is kept with the
//! rights that it was made by, and goes with them.

use std::{hash::Hash, sync::Arc};

use chrono::NaiveDate;
use quick_cache::{Equivalent, sync::Cache};

use crate::{
    identifiers::{AgreementId, ClientId, DatasetId, DepartmentId, FieldName, ItemCode, NodeId},
    policy::{Decision, Manner, Operation, PolicySet, Question},
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
    suspicion: u8,
    origin: &'a NodeId,
    manner: Manner,
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
    suspicion: u8,
    origin: NodeId,
    manner: Manner,
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
            suspicion,
            origin,
            manner,
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
            suspicion,
            origin,
            manner,
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
            suspicion: self.suspicion,
            origin: self.origin.clone(),
            manner: self.manner,
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
            suspicion: self.suspicion,
            origin: &self.origin,
            manner: self.manner,
        }
    }
}

impl Equivalent<Key> for Asked<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        *self == key.as_asked()
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::fixtures::{GUANGDONG, in_repository, names, today},
        *,
    };
    use crate::{
        agreements,
        policy::{Channel, Volume},
    };

    #[test]
    fn what_is_remembered_is_what_the_policies_say_of_this_very_question() {
        let agreements = agreements::load(&in_repository("catalogs/guangdong-agreements.yaml"), &GUANGDONG).unwrap();
        let policies = Arc::new(PolicySet::load(&in_repository("policies")).unwrap());
        let decider = Decider::new(Arc::clone(&policies));
        let department = |id: &str| &GUANGDONG.departments[id];
        let item = |code: &str| &*GUANGDONG.items[&code.parse::<ItemCode>().unwrap()];
        let (client, other) = ("window".parse().unwrap(), "other".parse().unwrap());
        let (field, few, many): (FieldName, Vec<_>, Vec<_>) =
            ("resident_id".parse().unwrap(), names(&["name"]), names(&["name", "marital_status"]));
        let marriage = item("11440000MB9Y00059J2440711001000");
        let civil = department("gd-civil-affairs");
        let dataset = &GUANGDONG.datasets["natural-person"];
        let agreement = agreements.find(&civil.id, &dataset.id, &marriage.code, today()).map(|agreement| &**agreement);
        let first = Question {
            operation: Operation::Verify,
            client: &client,
            department: civil,
            dataset,
            item: marriage,
            agreement,
            subject_field: &field,
            fields: &few,
            case_present: true,
            today: today(),
            hour: 10,
            suspicion: 0,
            origin: &civil.node,
            manner: Manner::default(),
        };
        let elsewhere: NodeId = "shenzhen".parse().unwrap();
        let manner = Manner::default();
        // Each differs from the first in one thing that a decision may depend on.
        let questions = [
            first,
            Question { operation: Operation::Disclose, ..first },
            Question { client: &other, ..first },
            Question { department: department("gd-health"), ..first },
            Question { dataset: &GUANGDONG.datasets["legal-entity"], ..first },
            Question { item: item("11440100MB9YYY997R3440101002000"), ..first },
            Question { agreement: None, ..first },
            Question { subject_field: &few[0], ..first },
            Question { fields: &many, ..first },
            Question { case_present: false, ..first },
            Question { today: "2025-05-09".parse().unwrap(), ..first },
            Question { hour: 3, ..first },
            Question { suspicion: 3, ..first },
            Question { origin: &elsewhere, ..first },
            Question { manner: Manner { channel: Channel::Peer, ..manner }, ..first },
            Question { manner: Manner { volume: Volume::of(1, 2), ..manner }, ..first },
            Question { manner: Manner { consent_given: true, ..manner }, ..first },
            Question { manner: Manner { operator_given: true, ..manner }, ..first },
            Question { manner: Manner { approver_given: true, ..manner }, ..first },
        ];
        for _ in 0..2 {
            for question in &questions {
                assert_eq!(*decider.decide(question), policies.decide(question), "{question:?}");
            }
        }
        assert_eq!(decider.made.len(), questions.len());
        assert!(matches!(*decider.decide(&first), Decision::Allow { .. }));
    }
}
