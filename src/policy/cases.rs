//! Tables of cases beside the policies: what the set must say, checked before it decides.
//!
//! Reads YAML as the catalogue does, with every complaint in its place. Pure: texts, a catalogue and the agreements go in,
//! what each case came to goes out.
//!
//! ```text
//! tests/*.yaml ──read──> Case { scenario, expected } ──try_cases──> Trial { each case, which policies decided }
//! ```

mod raw;
mod read;

use std::{collections::BTreeMap, sync::Arc};

use chrono::NaiveDate;

pub use read::cases;

use super::{Decision, Manner, Operation, PolicySet, Question, ReturnQuestion};
use crate::{
    catalog::{Dataset, Department, Item, Return},
    identifiers::{ClientId, DatasetId, DepartmentId, FieldName, ItemCode, NodeId},
    ledger::Agreement,
};

/// Finds the agreement that the road would find: of this department, dataset and item on that day.
pub type Agreed<'a> = dyn Fn(&DepartmentId, &DatasetId, &ItemCode, NaiveDate) -> Option<Arc<Agreement>> + 'a;

/// A question that owns its parts: what a case is about.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub operation: Operation,
    pub client: ClientId,
    pub department: Department,
    pub dataset: Dataset,
    pub item: Item,
    pub agreement: Option<Agreement>,
    pub subject_field: FieldName,
    pub fields: Vec<FieldName>,
    pub case_present: bool,
    pub today: NaiveDate,
    pub hour: u32,
    pub suspicion: u8,
    pub origin: NodeId,
    pub manner: Manner,
}

impl Scenario {
    pub fn question(&self) -> Question<'_> {
        Question {
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

/// What a case expects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    pub allow: bool,
    /// The policies that decide, in alphabetical order; nothing where the case does not say.
    pub policies: Option<Vec<String>>,
    /// The obligations, in alphabetical order; nothing where the case does not say.
    pub obligations: Option<Vec<String>>,
}

/// One case of a table.
#[derive(Clone, Debug)]
pub struct Case {
    pub name: String,
    /// `file:line`.
    pub place: String,
    pub scenario: Scenario,
    /// What a node would be handed, where the case is about a return: then nothing of the scenario counts that only a call
    /// has.
    pub to: Option<Return>,
    pub expected: Expected,
}

impl Case {
    fn decided(&self, set: &PolicySet) -> Decision {
        let Scenario { dataset, item, agreement, today, hour, .. } = &self.scenario;
        match &self.to {
            None => set.decide(&self.scenario.question()),
            Some(to) => {
                let (agreement, today, hour) = (agreement.as_ref(), *today, *hour);
                set.decide_return(&ReturnQuestion { dataset, to, item, agreement, today, hour })
            }
        }
    }
}

/// What a case came to.
#[derive(Clone, Debug)]
pub struct Tried {
    pub name: String,
    pub place: String,
    pub decision: Decision,
    /// What was not as expected; empty where the case passed.
    pub failures: Vec<String>,
}

/// What all cases came to.
#[derive(Clone, Debug, Default)]
pub struct Trial {
    pub cases: Vec<Tried>,
    /// For every policy of the set, how many cases it decided.
    pub decided: BTreeMap<String, usize>,
}

impl Trial {
    pub fn failed(&self) -> usize {
        self.cases.iter().filter(|tried| !tried.failures.is_empty()).count()
    }

    /// Policies that no case makes decide.
    pub fn uncovered(&self) -> impl Iterator<Item = &str> {
        self.decided.iter().filter(|(_, cases)| **cases == 0).map(|(id, _)| id.as_str())
    }

    /// Share of the policies that decide some case, in percent.
    pub fn coverage(&self) -> f64 {
        match self.decided.len() {
            0 => 100.0,
            all => 100.0 * (all - self.uncovered().count()) as f64 / all as f64,
        }
    }
}

/// Put every case to the set.
pub fn try_cases(set: &PolicySet, cases: &[Case]) -> Trial {
    let ids = set.ids().chain(set.return_ids());
    let mut trial = Trial { cases: Vec::new(), decided: ids.map(|id| (id.to_owned(), 0)).collect() };
    for case in cases {
        let decision = case.decided(set);
        for id in decision.policies() {
            if let Some(count) = trial.decided.get_mut(id) {
                *count += 1;
            }
        }
        let failures = failures(&case.expected, &decision);
        trial.cases.push(Tried { name: case.name.clone(), place: case.place.clone(), decision, failures });
    }
    trial
}

fn failures(expected: &Expected, decision: &Decision) -> Vec<String> {
    let mut failures = Vec::new();
    let word = |allow: bool| if allow { "allow" } else { "deny" };
    if decision.allows() != expected.allow {
        failures.push(format!("expected {}, got {}", word(expected.allow), word(decision.allows())));
    }
    let mut differ = |what: &str, expected: &Option<Vec<String>>, got: &[String]| {
        if let Some(expected) = expected
            && expected != got
        {
            failures.push(format!("expected {what} {}, got {}", listed(expected), listed(got)));
        }
    };
    differ("policies", &expected.policies, decision.policies());
    let mut words = decision.obligation_words();
    words.sort();
    differ("obligations", &expected.obligations, &words);
    failures
}

fn listed(words: &[String]) -> String {
    format!("[{}]", words.join(", "))
}
