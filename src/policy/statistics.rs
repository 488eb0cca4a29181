//! May this account count in this dataset, by these fields?
//!
//! A question of its own kind: about a person and a statement, not about a system, an agreement and a record. So its policies,
//! `statistics.cedar` of a set, have a schema of their own. A set without that file permits no statistics.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    str::FromStr,
};

use cedar_policy::{
    Authorizer, Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, Request, RestrictedExpression as Term,
    Schema,
};
use chrono::NaiveDate;

use super::{
    Decision, PolicySet, check, decide,
    files::Rule,
    question::{in_words, of_dataset, set, text},
};
use crate::{
    catalog::{Complaint, Dataset, Department, Item},
    identifiers::{ClientId, FieldName, Roles},
};

/// The file of a set that holds these policies.
pub(super) const STATISTICS_FILE: &str = "statistics.cedar";
const SCHEMA: &str = include_str!("statistics.cedarschema");

/// One question: may this account count so?
#[derive(Clone, Copy, Debug)]
pub struct StatisticsQuestion<'a> {
    pub account: &'a ClientId,
    pub roles: &'a Roles,
    /// The account's department.
    pub department: &'a Department,
    pub dataset: &'a Dataset,
    /// Left out where it is only asked which datasets may be counted at all.
    pub item: Option<&'a Item>,
    pub grouped: &'a BTreeSet<FieldName>,
    pub filtered: &'a BTreeSet<FieldName>,
    pub aggregated: &'a BTreeSet<FieldName>,
    /// The day in China.
    pub today: NaiveDate,
    /// The hour of that day.
    pub hour: u32,
}

/// The policies about statistics of a set.
#[derive(Debug, Default)]
pub(super) struct Statistics {
    cedar: cedar_policy::PolicySet,
    rules: BTreeMap<String, Rule>,
}

impl Statistics {
    pub(super) fn new(sources: &[&(String, String)]) -> Result<Self, Vec<Complaint>> {
        if sources.is_empty() {
            return Ok(Self::default());
        }
        // The schema is the node's own, so it fits.
        let (cedar, rules) = check::policies(SCHEMA, sources, |_| Ok(()))?;
        Ok(Self { cedar, rules })
    }
}

impl PolicySet {
    /// May the account count so? Pure.
    pub fn decide_statistics(&self, question: &StatisticsQuestion<'_>) -> Decision {
        let (request, entities) = match question.in_cedar(None) {
            Ok(put) => put,
            Err(reason) => return decide::deny(format!("the question could not be put: {reason}")),
        };
        let response = Authorizer::new().is_authorized(&request, &self.statistics.cedar, &entities);
        let failed: Vec<_> = response.diagnostics().errors().map(decide::failed_policy).collect();
        if !failed.is_empty() {
            return decide::not_evaluated(failed);
        }
        let mut decided: Vec<_> = response.diagnostics().reason().map(ToString::to_string).collect();
        decided.sort();
        match response.decision() {
            cedar_policy::Decision::Allow => {
                Decision::Allow { policies: decided, obligations: super::Obligations::default() }
            }
            cedar_policy::Decision::Deny if decided.is_empty() => decide::deny_by_default(),
            cedar_policy::Decision::Deny => {
                let why = |id: &String| self.statistics.rules.get(id).map(|rule| rule.why.clone());
                Decision::Deny { reasons: decided.iter().filter_map(why).collect(), policies: decided }
            }
        }
    }
}

impl StatisticsQuestion<'_> {
    fn in_cedar(&self, schema: Option<&Schema>) -> Result<(Request, Entities), String> {
        let action = action("aggregate")?;
        let (account, dataset) = (uid("Account", self.account.as_str())?, uid("Dataset", self.dataset.id.as_str())?);
        let context = Context::from_pairs(self.context()?).map_err(in_words)?;
        let request = Request::new(account.clone(), action, dataset.clone(), context, schema).map_err(in_words)?;
        let person = HashMap::from([
            ("roles".to_owned(), set(self.roles.iter().map(|role| role.as_str()))),
            ("division".to_owned(), text(self.department.division.as_str())),
            ("node".to_owned(), text(self.department.node.as_str())),
        ]);
        let department = uid("Department", self.department.id.as_str())?;
        let person = Entity::new(account, person, HashSet::from([department])).map_err(in_words)?;
        let resource = of_dataset(self.dataset, uid("Department", self.dataset.provider.as_str())?);
        let resource = Entity::new(dataset, resource, HashSet::new()).map_err(in_words)?;
        Ok((request, Entities::from_entities([person, resource], schema).map_err(in_words)?))
    }

    fn context(&self) -> Result<Vec<(String, Term)>, String> {
        let used = self.grouped.iter().chain(self.filtered).chain(self.aggregated);
        // A field that the catalogue does not know counts as the most sensitive.
        let level =
            |name: &FieldName| self.dataset.field(name.as_str()).map_or(4, |(_, field)| field.sensitivity.level());
        let mut context = vec![
            ("grouped".to_owned(), set(self.grouped.iter().map(FieldName::as_str))),
            ("filtered".to_owned(), set(self.filtered.iter().map(FieldName::as_str))),
            ("aggregated".to_owned(), set(self.aggregated.iter().map(FieldName::as_str))),
            ("sensitivity".to_owned(), Term::new_long(used.map(level).max().unwrap_or(1).into())),
            ("hour".to_owned(), Term::new_long(self.hour.into())),
        ];
        if let Some(item) = self.item {
            let carrier = uid("Department", item.department.as_str())?;
            let item = [
                ("code".to_owned(), text(item.code.as_str())),
                ("department".to_owned(), Term::new_entity_uid(carrier)),
                ("in_force".to_owned(), Term::new_bool(item.is_in_force_on(self.today))),
            ];
            context.push(("item".to_owned(), Term::new_record(item).map_err(in_words)?));
        }
        Ok(context)
    }
}

pub(super) fn action(name: &str) -> Result<EntityUid, String> {
    EntityUid::from_str(&format!("Shuqiao::Action::\"{name}\"")).map_err(in_words)
}

pub(super) fn uid(kind: &str, id: &str) -> Result<EntityUid, String> {
    let kind = EntityTypeName::from_str(&format!("Shuqiao::{kind}")).map_err(in_words)?;
    Ok(EntityUid::from_type_name_and_id(kind, EntityId::new(id)))
}

#[cfg(test)]
mod tests {
    use std::{path::Path, sync::LazyLock};

    use super::*;
    use crate::catalog::{self, Catalog};

    static GUANGDONG: LazyLock<Catalog> =
        LazyLock::new(|| catalog::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("catalogs/guangdong")).unwrap());

    fn decided(set: &PolicySet, department: &str, roles: &str, today: &str) -> String {
        let item = &GUANGDONG.items[&"11440100MB9YYY997R3440101001000".parse().unwrap()];
        let fields = BTreeSet::from(["division".parse().unwrap()]);
        let question = StatisticsQuestion {
            account: &"person".parse().unwrap(),
            roles: &roles.parse().unwrap(),
            department: &GUANGDONG.departments[department],
            dataset: &GUANGDONG.datasets["legal-entity"],
            item: Some(item),
            grouped: &fields,
            filtered: &BTreeSet::new(),
            aggregated: &BTreeSet::new(),
            today: today.parse().unwrap(),
            hour: 10,
        };
        let (schema, _) = Schema::from_cedarschema_str(SCHEMA).unwrap();
        question.in_cedar(Some(&schema)).unwrap();
        set.decide_statistics(&question).policies().join(" ")
    }

    #[test]
    fn auditors_count_everywhere_and_stewards_what_their_department_provides() {
        let set = PolicySet::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("policies")).unwrap();
        let (day, provider) = ("2026-11-24", "gd-market-regulation");
        for (department, roles, today, expected) in [
            ("gd-tax", "auditor", day, "statistics-for-auditors"),
            (provider, "steward", day, "statistics-for-stewards-of-the-provider"),
            ("gd-public-security", "steward", day, "default-deny"),
            (provider, "consumer,approver,operator", day, "default-deny"),
            (provider, "", day, "default-deny"),
            (provider, "steward", "2001-01-01", "statistics-item-in-force"),
        ] {
            let department = if GUANGDONG.departments.contains_key(department) { department } else { "gd-health" };
            assert_eq!(decided(&set, department, roles, today), expected, "{department} {roles} {today}");
        }
    }

    #[test]
    fn a_set_without_such_policies_permits_no_statistics() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
        let mut files = super::super::PolicyFiles::read(&folder).unwrap();
        files.policies.retain(|(file, _)| file != STATISTICS_FILE);
        let set = files.set().unwrap();
        assert_eq!(decided(&set, "gd-health", "auditor", "2026-11-24"), "default-deny");
    }

    #[test]
    fn a_wrong_policy_about_statistics_is_complained_of_by_name() {
        let policy = "@id(\"wrong\") @why(\"x\") permit (principal, action, resource) when { context.case_given };";
        let complaints = Statistics::new(&[&(STATISTICS_FILE.to_owned(), policy.to_owned())]).unwrap_err();
        assert_eq!((complaints[0].file.as_str(), complaints[0].path.as_str()), (STATISTICS_FILE, "wrong"));
    }
}
