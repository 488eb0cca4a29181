//! How one set differs from another, policy by policy, and what the decisions of a set can depend on.
//!
//! Pure. For replays: what changed is named, and calls that no policy can tell apart are decided once.

use std::collections::BTreeMap;

use cedar_policy::PolicyId;
use serde_json::Value;

use super::{PolicySet, Question, anatomy::Anatomy};

/// How a policy differs between two sets, in what decides: its effect, scope, conditions, obligations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Difference {
    Added,
    Removed,
    Changed,
}

impl Difference {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
        }
    }
}

/// What, of the things that differ from call to call, decisions of a set depend on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depends {
    /// The client, beyond its department.
    pub client: bool,
    /// The hour of the day.
    pub hour: bool,
    /// How much of the day's calls is used.
    pub volume: bool,
}

impl Depends {
    /// What the decisions of one or of the other depend on.
    pub fn or(self, other: Self) -> Self {
        Self { client: self.client || other.client, hour: self.hour || other.hour, volume: self.volume || other.volume }
    }
}

impl PolicySet {
    /// The policies that are not the same in a set that would take the place of this one. Wording is no difference.
    pub fn differences(&self, candidate: &Self) -> BTreeMap<String, Difference> {
        let mut found = BTreeMap::new();
        for id in self.ids() {
            match (self.core(id), candidate.core(id)) {
                (Some(own), Some(other)) if own == other => {}
                (_, Some(_)) => drop(found.insert(id.to_owned(), Difference::Changed)),
                (_, None) => drop(found.insert(id.to_owned(), Difference::Removed)),
            }
        }
        for id in candidate.ids().filter(|id| !self.rules.contains_key(*id)) {
            found.insert(id.to_owned(), Difference::Added);
        }
        found
    }

    /// Of the policies that differ, those that make a difference to this question: they hold in one of the sets only, or in
    /// both with other obligations. One that cannot be evaluated counts as holding: it settles the call too.
    pub fn telling(
        &self,
        candidate: &Self,
        differences: &BTreeMap<String, Difference>,
        question: &Question<'_>,
    ) -> Vec<String> {
        let Ok(asked) = question.in_cedar(&self.names, None) else { return Vec::new() };
        let holds = |set: &Self, id: &str| {
            let policy = set.cedar.policy(&PolicyId::new(id));
            let alone = policy.and_then(|policy| cedar_policy::PolicySet::from_policies([policy.clone()]).ok());
            alone.is_some_and(|alone| {
                let response = set.authorizer.is_authorized(&asked.request, &alone, &asked.entities);
                let said = response.diagnostics();
                said.reason().next().is_some() || said.errors().next().is_some()
            })
        };
        let tells = |id: &&String| match (holds(self, id), holds(candidate, id)) {
            (true, true) => {
                let obliging = |set: &Self| set.rules.get(*id).map(|rule| (rule.obliging, rule.qualifies));
                obliging(self) != obliging(candidate)
            }
            (one, other) => one != other,
        };
        differences.keys().filter(tells).cloned().collect()
    }

    /// A policy without its words for people.
    fn core(&self, id: &str) -> Option<Value> {
        let mut whole = self.cedar.policy(&PolicyId::new(id))?.to_json().ok()?;
        if let Some(annotations) = whole.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove("why");
        }
        Some(whole)
    }

    /// What decisions may depend on. Where a policy cannot be taken apart, on everything.
    ///
    /// A client differs from another of its department by its name only, so only a policy that names one can tell them
    /// apart. Hour and volume are read by their names, or with the context as a whole.
    pub fn depends(&self) -> Depends {
        let client = self.names.client.to_string();
        let names_client = |value: &Value| value.get("type").and_then(Value::as_str) == Some(client.as_str());
        let reads = |name: &'static str| {
            move |value: &Value| {
                let access = value.get(".").or_else(|| value.get("has"));
                let read = |access: &Value| access.get("attr").is_some_and(|attr| attr.to_string().contains(name));
                access.is_some_and(read) || uses_context_whole(value)
            }
        };
        let (hour, volume) = (reads("\"hour\""), reads("\"volume\""));
        let anatomies = self.cedar.policies().map(Anatomy::of);
        anatomies.fold(Depends::default(), |depends, anatomy| match anatomy {
            None => Depends { client: true, hour: true, volume: true },
            Some(anatomy) => depends.or(Depends {
                client: anatomy.any(&names_client),
                hour: anatomy.any(&hour),
                volume: anatomy.any(&volume),
            }),
        })
    }
}

/// Is the context an operand, rather than that of which an attribute is read?
fn uses_context_whole(value: &Value) -> bool {
    let is_context = |value: &Value| value.get("Var").and_then(Value::as_str) == Some("context");
    let Some(members) = value.as_object() else {
        return value.as_array().is_some_and(|list| list.iter().any(is_context));
    };
    members.iter().any(|(operator, operands)| {
        let attribute_of = matches!(operator.as_str(), "." | "has");
        let used = |operands: &Value| match operands {
            Value::Object(operands) => operands.values().any(is_context),
            Value::Array(operands) => operands.iter().any(is_context),
            _ => false,
        };
        !attribute_of && used(operands)
    })
}
