//! The node proves its locks before it opens (promise 8).
//!
//! Calls that must be denied, and a disclosure that must be masked, are put to the very policy set and catalogue that
//! will decide. A policy file that is well formed and wrong is found here, before a department finds it.

use chrono::NaiveDate;

use crate::{
    agreements::Agreements,
    catalog::{Catalog, Disclosure, Item},
    identifiers::{ClientId, FieldName},
    ledger::Agreement,
    policy::{Decision, Operation, PolicySet, Question},
};

/// A probe that did not come out as it must. The node does not serve.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("start-up probe `{probe}` {happened}. Check the policies; the node does not serve until every probe passes")]
pub struct ProbeFailed {
    pub probe: &'static str,
    pub happened: String,
}

/// Put every probe to the policy set; the number of questions asked.
pub fn prove_the_locks(
    catalog: &Catalog,
    agreements: &Agreements,
    policies: &PolicySet,
    today: NaiveDate,
) -> Result<usize, ProbeFailed> {
    let client: ClientId = "start-up-probe".parse().map_err(|_| failed("canary", "has no name"))?;
    let bench = Bench { catalog, policies, client: &client, today };
    let mut asked = 0;
    for agreement in agreements.iter().filter(|agreement| agreement.is_in_force_on(today)) {
        for item in agreement.items.iter().filter_map(|code| catalog.items.get(code)) {
            asked += bench.probe(agreement, item)?;
        }
    }
    Ok(asked)
}

struct Bench<'a> {
    catalog: &'a Catalog,
    policies: &'a PolicySet,
    client: &'a ClientId,
    today: NaiveDate,
}

impl Bench<'_> {
    fn probe(&self, agreement: &Agreement, item: &Item) -> Result<usize, ProbeFailed> {
        let compare: Vec<_> = agreement.compare.iter().cloned().collect();
        let none = None;
        self.must_deny("no-agreement", Operation::Verify, item, none, &compare)?;
        let lapsed = Agreement { valid_until: self.today.pred_opt().unwrap_or(self.today), ..agreement.clone() };
        self.must_deny("lapsed-agreement", Operation::Verify, item, Some(&lapsed), &compare)?;
        let uncovered = Agreement { items: Default::default(), ..agreement.clone() };
        self.must_deny("item-not-covered", Operation::Verify, item, Some(&uncovered), &compare)?;
        let mut asked = 3;
        for stranger in self.catalog.items.values().filter(|other| other.department != item.department).take(1) {
            self.must_deny("item-of-another", Operation::Verify, stranger, Some(agreement), &compare)?;
            asked += 1;
        }
        asked += self.probe_fields(agreement, item)?;
        Ok(asked)
    }

    /// Every field by itself: what the catalogue keeps must stay, and what is shown must be masked.
    fn probe_fields(&self, agreement: &Agreement, item: &Item) -> Result<usize, ProbeFailed> {
        let Some(dataset) = self.catalog.datasets.get(&agreement.dataset) else { return Ok(0) };
        for field in &dataset.fields {
            let one = std::slice::from_ref(&field.name);
            match field.disclosure {
                Disclosure::Never => {
                    self.must_deny("never-field", Operation::Verify, item, Some(agreement), one)?;
                    self.must_deny("never-field", Operation::Disclose, item, Some(agreement), one)?;
                }
                Disclosure::CompareOnly => {
                    self.must_deny("compare-only-field", Operation::Disclose, item, Some(agreement), one)?;
                }
                Disclosure::Masked => self.must_mask(item, agreement, one)?,
                Disclosure::Plain => {}
            }
        }
        Ok(dataset.fields.len())
    }

    fn must_deny(
        &self,
        probe: &'static str,
        operation: Operation,
        item: &Item,
        agreement: Option<&Agreement>,
        fields: &[FieldName],
    ) -> Result<(), ProbeFailed> {
        match self.ask(operation, item, agreement, fields) {
            Some(Decision::Allow { policies, .. }) => {
                Err(failed(probe, &format!("was allowed by {}", policies.join(", "))))
            }
            Some(Decision::Deny { .. }) | None => Ok(()),
        }
    }

    fn must_mask(&self, item: &Item, agreement: &Agreement, fields: &[FieldName]) -> Result<(), ProbeFailed> {
        match self.ask(Operation::Disclose, item, Some(agreement), fields) {
            Some(Decision::Allow { obligations, .. }) => {
                let kept =
                    |field: &FieldName| obligations.masked.contains(field) || obligations.dropped.contains(field);
                match fields.iter().find(|field| !kept(field)) {
                    Some(field) => Err(failed("masked-field", &format!("disclosed `{field}` in the clear"))),
                    None => Ok(()),
                }
            }
            Some(Decision::Deny { .. }) | None => Ok(()),
        }
    }

    /// The question as the road would put it, by a client of the agreement's consumer.
    fn ask(
        &self,
        operation: Operation,
        item: &Item,
        agreement: Option<&Agreement>,
        fields: &[FieldName],
    ) -> Option<Decision> {
        let consumer = agreement.map_or(&item.department, |agreement| &agreement.consumer);
        let dataset = match agreement {
            Some(agreement) => self.catalog.datasets.get(&agreement.dataset),
            None => self.catalog.datasets.values().next(),
        }?;
        Some(self.policies.decide(&Question {
            operation,
            client: self.client,
            department: self.catalog.departments.get(consumer)?,
            dataset,
            item,
            agreement,
            subject_field: &dataset.key,
            fields,
            case_present: true,
            today: self.today,
            hour: 10,
        }))
    }
}

fn failed(probe: &'static str, happened: &str) -> ProbeFailed {
    ProbeFailed { probe, happened: happened.to_owned() }
}
