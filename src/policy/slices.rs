//! Which policies can matter to a question.
//!
//! A decision costs time for every policy that is looked at. The scope of a policy (its head) says for whom and for what it
//! is at all; those that are for another department, dataset or operation are left out before Cedar sees them. Sound: what
//! is left out could not have held, because a scope is a condition. Where a scope says something that is not understood
//! here, the policy stays in.

use std::{collections::HashMap, sync::Arc};

use arc_swap::ArcSwap;
use cedar_policy::{ActionConstraint, EntityUid, Policy, PolicySet, PrincipalConstraint, ResourceConstraint};

use super::{Operation, Question, files::Names};
use crate::identifiers::{DatasetId, DepartmentId};

/// Slices kept. More combinations of department and dataset than that call a node seldom; theirs are made anew.
const SLICES_MAX: usize = 8_192;

/// Who asks for what: the same slice for all its questions.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Place {
    operation: Operation,
    department: DepartmentId,
    dataset: DatasetId,
}

/// The policies of a set, and the slices of it that were asked for.
#[derive(Debug)]
pub(super) struct Slices {
    all: Vec<Policy>,
    made: ArcSwap<HashMap<Place, Arc<PolicySet>>>,
}

impl Slices {
    pub(super) fn new(policies: &PolicySet) -> Self {
        Self { all: policies.policies().cloned().collect(), made: ArcSwap::default() }
    }

    /// The policies that can matter to the question.
    pub(super) fn of(&self, question: &Question<'_>, names: &Names) -> Arc<PolicySet> {
        let place = Place {
            operation: question.operation,
            department: question.department.id.clone(),
            dataset: question.dataset.id.clone(),
        };
        if let Some(slice) = self.made.load().get(&place) {
            return Arc::clone(slice);
        }
        let slice = Arc::new(self.cut(&place, names));
        self.made.rcu(|made| {
            let mut made = HashMap::clone(made);
            if made.len() < SLICES_MAX {
                made.insert(place.clone(), Arc::clone(&slice));
            }
            made
        });
        slice
    }

    fn cut(&self, place: &Place, names: &Names) -> PolicySet {
        let mut slice = PolicySet::new();
        for policy in self.all.iter().filter(|policy| may_matter(policy, place, names)) {
            // Their ids are distinct: they are of one set.
            let _ = slice.add(policy.clone());
        }
        slice
    }
}

fn may_matter(policy: &Policy, place: &Place, names: &Names) -> bool {
    of_action(&policy.action_constraint(), place, names)
        && of_principal(&policy.principal_constraint(), place, names)
        && of_resource(&policy.resource_constraint(), place, names)
}

fn of_action(constraint: &ActionConstraint, place: &Place, names: &Names) -> bool {
    let (ours, other) = match place.operation {
        Operation::Verify => (&names.verify, &names.disclose),
        Operation::Disclose => (&names.disclose, &names.verify),
    };
    // An action that is neither is a group of actions, which may hold ours.
    match constraint {
        ActionConstraint::Any => true,
        ActionConstraint::Eq(action) => action == ours,
        ActionConstraint::In(actions) => actions.iter().any(|action| action == ours || action != other),
    }
}

/// A client is in its department and in nothing else.
fn of_principal(constraint: &PrincipalConstraint, place: &Place, names: &Names) -> bool {
    match constraint {
        PrincipalConstraint::In(group) | PrincipalConstraint::IsIn(_, group)
            if *group.type_name() == names.department =>
        {
            is(group, place.department.as_str())
        }
        _ => true,
    }
}

/// A dataset is in nothing but itself.
fn of_resource(constraint: &ResourceConstraint, place: &Place, names: &Names) -> bool {
    match constraint {
        ResourceConstraint::In(one) | ResourceConstraint::Eq(one) | ResourceConstraint::IsIn(_, one)
            if *one.type_name() == names.dataset =>
        {
            is(one, place.dataset.as_str())
        }
        _ => true,
    }
}

fn is(uid: &EntityUid, id: &str) -> bool {
    uid.id().unescaped() == id
}
