//! May this node be handed its residents' records of this dataset?
//!
//! A question of its own kind: about a node and a whole slice of a register, not about a call and one record. So its
//! policies, `returns.cedar` of a set, have a schema of their own. A set without that file permits no return.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use cedar_policy::{Authorizer, Context, Entities, Entity, Request, RestrictedExpression as Term, Schema};
use chrono::NaiveDate;

use super::{
    Decision, PolicySet, check, decide,
    files::Rule,
    obligations::unite_return,
    question::{in_words, of_dataset, set, text},
    statistics::{action, uid},
};
use crate::{
    catalog::{Complaint, Dataset, Disclosure, Item, Return},
    identifiers::FieldName,
    ledger::Agreement,
};

/// The file of a set that holds these policies.
pub(super) const RETURNS_FILE: &str = "returns.cedar";
pub(super) const SCHEMA: &str = include_str!("returns.cedarschema");
/// The highest level of sensitivity.
const MOST_SENSITIVE: u8 = 4;

/// One question: may the node have this?
#[derive(Clone, Copy, Debug)]
pub struct ReturnQuestion<'a> {
    pub dataset: &'a Dataset,
    /// To which node, for whom there, which fields.
    pub to: &'a Return,
    pub item: &'a Item,
    /// The agreement of this department, dataset and item, if there is one; it may have lapsed.
    pub agreement: Option<&'a Agreement>,
    /// The day in China.
    pub today: NaiveDate,
    /// The hour of that day.
    pub hour: u32,
}

/// The policies about returns of a set.
#[derive(Debug, Default)]
pub(super) struct ReturnPolicies {
    cedar: cedar_policy::PolicySet,
    rules: BTreeMap<String, Rule>,
}

impl ReturnPolicies {
    pub(super) fn new(sources: &[&(String, String)]) -> Result<Self, Vec<Complaint>> {
        if sources.is_empty() {
            return Ok(Self::default());
        }
        // The schema is the node's own, so it fits.
        let (cedar, rules) = check::policies(SCHEMA, sources, |_| Ok(()))?;
        let of_calls = rules.iter().filter(|(_, rule)| rule.obliging.is_of_calls());
        let complaints: Vec<_> = of_calls.map(|(id, rule)| of_calls_only(id, rule)).collect();
        if complaints.is_empty() { Ok(Self { cedar, rules }) } else { Err(complaints) }
    }
}

fn of_calls_only(id: &str, rule: &Rule) -> Complaint {
    Complaint {
        file: rule.file.clone(),
        line: rule.position.line,
        column: rule.position.column,
        path: id.to_owned(),
        message: "the permit obliges to what a return has not: a caller, who could name a consent or an approver"
            .to_owned(),
        remedy: "A return can mask and drop fields by their sensitivity; its rows are cut by division always"
            .to_owned(),
    }
}

impl PolicySet {
    /// The id of every policy about returns, in alphabetical order.
    pub fn return_ids(&self) -> impl Iterator<Item = &str> {
        self.returns.rules.keys().map(String::as_str)
    }

    /// May the node have it, and under which obligations? Pure.
    pub fn decide_return(&self, question: &ReturnQuestion<'_>) -> Decision {
        let (request, entities) = match question.in_cedar(None) {
            Ok(put) => put,
            Err(reason) => return decide::deny(format!("the question could not be put: {reason}")),
        };
        let response = Authorizer::new().is_authorized(&request, &self.returns.cedar, &entities);
        let failed: Vec<_> = response.diagnostics().errors().map(decide::failed_policy).collect();
        if !failed.is_empty() {
            return decide::not_evaluated(failed);
        }
        let mut decided: Vec<_> = response.diagnostics().reason().map(ToString::to_string).collect();
        decided.sort();
        let rules: Vec<_> = decided.iter().filter_map(|id| self.returns.rules.get(id)).collect();
        match response.decision() {
            // A permit that only qualifies others opens nothing where there are none.
            cedar_policy::Decision::Allow if rules.iter().all(|rule| rule.qualifies) => decide::deny_by_default(),
            cedar_policy::Decision::Allow => {
                let permits: Vec<_> = rules.iter().map(|rule| rule.obliging).collect();
                Decision::Allow {
                    policies: decided,
                    obligations: unite_return(&permits, question.dataset, question.to),
                }
            }
            cedar_policy::Decision::Deny if decided.is_empty() => decide::deny_by_default(),
            cedar_policy::Decision::Deny => {
                Decision::Deny { reasons: rules.iter().map(|rule| rule.why.clone()).collect(), policies: decided }
            }
        }
    }
}

impl ReturnQuestion<'_> {
    pub(super) fn in_cedar(&self, schema: Option<&Schema>) -> Result<(Request, Entities), String> {
        let (node, dataset) = (uid("Node", self.to.node.as_str())?, uid("Dataset", self.dataset.id.as_str())?);
        let context = Context::from_pairs(self.context()?).map_err(in_words)?;
        let request =
            Request::new(node.clone(), action("return")?, dataset.clone(), context, schema).map_err(in_words)?;
        let receiver = HashMap::from([
            ("division".to_owned(), text(self.to.division.as_str())),
            ("department".to_owned(), Term::new_entity_uid(uid("Department", self.to.department.as_str())?)),
        ]);
        let receiver = Entity::new(node, receiver, HashSet::new()).map_err(in_words)?;
        let resource = of_dataset(self.dataset, uid("Department", self.dataset.provider.as_str())?);
        let resource = Entity::new(dataset, resource, HashSet::new()).map_err(in_words)?;
        Ok((request, Entities::from_entities([receiver, resource], schema).map_err(in_words)?))
    }

    fn context(&self) -> Result<Vec<(String, Term)>, String> {
        let asked: BTreeSet<&FieldName> = self.to.fields.iter().chain([&self.dataset.key]).collect();
        let declared: Vec<_> =
            asked.iter().filter_map(|name| self.dataset.field(name.as_str())).map(|(_, field)| field).collect();
        let of_class = |class: Disclosure| {
            set(declared.iter().filter(|field| field.disclosure == class).map(|field| field.name.as_str()))
        };
        // A field that the catalogue does not know counts as the most sensitive.
        let level = declared.iter().map(|field| field.sensitivity.level()).max();
        let sensitivity = level.filter(|_| declared.len() == asked.len()).unwrap_or(MOST_SENSITIVE);
        let beside_key = self.to.fields.iter().filter(|name| **name != self.dataset.key);
        let mut context = vec![
            ("item".to_owned(), self.item_term()?),
            ("key".to_owned(), text(self.dataset.key.as_str())),
            ("fields".to_owned(), set(beside_key.map(FieldName::as_str))),
            ("never".to_owned(), of_class(Disclosure::Never)),
            ("compare_only".to_owned(), of_class(Disclosure::CompareOnly)),
            ("aggregate_only".to_owned(), of_class(Disclosure::AggregateOnly)),
            ("join_key_only".to_owned(), of_class(Disclosure::JoinKeyOnly)),
            ("sensitivity".to_owned(), Term::new_long(sensitivity.into())),
            ("hour".to_owned(), Term::new_long(self.hour.into())),
        ];
        if let Some(agreement) = self.agreement {
            context.push(("agreement".to_owned(), self.agreement_term(agreement)?));
        }
        Ok(context)
    }

    fn item_term(&self) -> Result<Term, String> {
        let item = [
            ("code".to_owned(), text(self.item.code.as_str())),
            ("department".to_owned(), Term::new_entity_uid(uid("Department", self.item.department.as_str())?)),
            ("in_force".to_owned(), Term::new_bool(self.item.is_in_force_on(self.today))),
            ("needed".to_owned(), set(self.item.needed_fields(&self.dataset.id).map(FieldName::as_str))),
        ];
        Term::new_record(item).map_err(in_words)
    }

    fn agreement_term(&self, agreement: &Agreement) -> Result<Term, String> {
        // An agreement of somebody else, or over another dataset, covers nothing here.
        let ours = agreement.consumer == self.to.department && agreement.dataset == self.dataset.id;
        let agreement = [
            ("id".to_owned(), text(agreement.id.as_str())),
            ("in_force".to_owned(), Term::new_bool(agreement.is_in_force_on(self.today))),
            ("covers_item".to_owned(), Term::new_bool(ours && agreement.items.contains(&self.item.code))),
            ("compare".to_owned(), set(agreement.compare.iter().map(FieldName::as_str))),
            ("disclose".to_owned(), set(agreement.disclose.iter().map(FieldName::as_str))),
        ];
        Term::new_record(agreement).map_err(in_words)
    }
}
