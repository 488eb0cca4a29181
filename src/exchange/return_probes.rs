//! The locks of returns, proven before the node opens as those of calls are (promise 8).
//!
//! Every return that the catalogue names is put to the policies as it would be under an agreement that grants it, with one
//! lock closed at a time. What is permitted then would hand a part of a register to somebody who has no ground for it.

use std::{num::NonZeroU32, sync::Arc};

use chrono::{Days, NaiveDate};

use super::probes::ProbeFailed;
use crate::{
    catalog::{Catalog, Dataset, Item, Return},
    identifiers::FieldName,
    ledger::{Agreement, Budget, Standing},
    policy::{Decision, PolicySet, ReturnQuestion},
};

/// An ordinary hour of work.
const HOUR: u32 = 10;
/// The agreement of a probe, and a department that is nobody's.
const PROBE: &str = "start-up-probe";

/// A return in owned parts.
#[derive(Clone)]
struct Situation {
    agreement: Option<Agreement>,
    item: Item,
    today: NaiveDate,
}

/// What closes one lock.
type Close = fn(&mut Situation);

const LOCKS: [(&str, Close); 8] = [
    ("return-without-agreement", |it| it.agreement = None),
    ("return-lapsed-agreement", |it| {
        let yesterday = it.today - Days::new(1);
        it.agree(|agreement| agreement.valid_until = yesterday);
    }),
    ("return-suspended-agreement", |it| it.agree(|agreement| agreement.standing = Standing::Suspended)),
    ("return-item-not-covered", |it| it.agree(|agreement| agreement.items.clear())),
    ("return-fields-not-agreed", |it| {
        it.agree(|agreement| {
            agreement.disclose.clear();
            agreement.compare.clear();
        });
    }),
    ("return-item-of-another", |it| {
        if let Ok(nobody) = PROBE.parse() {
            it.item.department = nobody;
        }
    }),
    ("return-item-not-in-force", |it| it.item.valid_until = Some(it.today - Days::new(1))),
    ("return-fields-not-needed", |it| it.item.materials.clear()),
];

impl Situation {
    fn agree(&mut self, change: impl FnOnce(&mut Agreement)) {
        if let Some(agreement) = &mut self.agreement {
            change(agreement);
        }
    }
}

/// Put every probe of every return to the policies; the number of questions asked.
pub(super) fn prove(catalog: &Catalog, policies: &PolicySet, today: NaiveDate) -> Result<usize, ProbeFailed> {
    let mut asked = 0;
    for dataset in catalog.datasets.values() {
        for to in &dataset.returns.to {
            let Some(open) = open(catalog, dataset, to, today) else { continue };
            for (probe, close) in LOCKS {
                let mut closed = open.clone();
                close(&mut closed);
                must_deny(probe, policies, dataset, to, &closed)?;
                asked += 1;
            }
        }
    }
    Ok(asked)
}

/// As it would be where everything is as it must.
fn open(catalog: &Catalog, dataset: &Arc<Dataset>, to: &Return, today: NaiveDate) -> Option<Situation> {
    let mut item = Item::clone(catalog.item_on(&to.item, today)?);
    (item.valid_from, item.valid_until) = (item.valid_from.min(today), None);
    let agreement = Agreement {
        id: PROBE.parse().ok()?,
        consumer: to.department.clone(),
        dataset: dataset.id.clone(),
        items: [item.code.clone()].into(),
        compare: to.fields.iter().cloned().collect(),
        disclose: to.fields.iter().cloned().collect(),
        valid_from: today,
        valid_until: today,
        budget: Budget { calls_per_second: NonZeroU32::MIN, calls_per_day: 1 },
        standing: Standing::InForce,
    };
    Some(Situation { agreement: Some(agreement), item, today })
}

fn must_deny(
    probe: &'static str,
    policies: &PolicySet,
    dataset: &Dataset,
    to: &Return,
    closed: &Situation,
) -> Result<(), ProbeFailed> {
    let Situation { agreement, item, today } = closed;
    let question = ReturnQuestion { dataset, to, item, agreement: agreement.as_ref(), today: *today, hour: HOUR };
    match policies.decide_return(&question) {
        Decision::Deny { .. } => Ok(()),
        Decision::Allow { policies, .. } => {
            let fields: Vec<_> = to.fields.iter().map(FieldName::as_str).collect();
            let happened = format!(
                "was allowed by {}: {} of `{}` to `{}`",
                policies.join(", "),
                fields.join(", "),
                dataset.id,
                to.node
            );
            Err(ProbeFailed { probe, happened })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::fixtures::in_repository, *};
    use crate::policy::PolicyFiles;

    fn catalog() -> Catalog {
        let mut catalog = crate::catalog::load(&in_repository("catalogs/guangdong")).unwrap();
        let item = "11440300MB9Y03022Y3442035001000".parse().unwrap();
        let mut dataset = Dataset::clone(&catalog.datasets["natural-person"]);
        dataset.returns.to = vec![Return {
            node: "shenzhen".parse().unwrap(),
            division: "440300".parse().unwrap(),
            department: "sz-government-services".parse().unwrap(),
            item,
            fields: ["resident_id", "sex"].map(|name| name.parse().unwrap()).into(),
        }];
        catalog.datasets.insert(dataset.id.clone(), Arc::new(dataset));
        catalog
    }

    #[test]
    fn the_locks_of_returns_hold_and_each_that_is_missing_is_found() {
        let (catalog, today) = (catalog(), "2026-11-24".parse().unwrap());
        let files = PolicyFiles::read(&in_repository("policies")).unwrap();
        assert_eq!(prove(&catalog, &files.set().unwrap(), today), Ok(LOCKS.len()));
        let open = "@id(\"open\") @why(\"x\") permit (principal, action, resource);";
        for (lock, probe) in [
            ("return-agreement-in-force", "return-lapsed-agreement"),
            ("return-agreement-covers-item", "return-item-not-covered"),
            ("return-fields-agreed", "return-fields-not-agreed"),
            ("return-item-of-department", "return-item-of-another"),
            ("return-item-in-force", "return-item-not-in-force"),
            ("return-fields-needed-by-item", "return-fields-not-needed"),
            ("return-under-agreement", "return-without-agreement"),
        ] {
            let mut files = files.clone();
            let (_, text) = files.policies.iter_mut().find(|(file, _)| file == "returns.cedar").unwrap();
            let all: cedar_policy::PolicySet = text.parse().unwrap();
            let others = all.policies().filter(|policy| policy.annotation("id") != Some(lock));
            let others: String = others.map(|policy| policy.to_cedar().unwrap() + "\n").collect();
            *text = if lock == "return-under-agreement" { others + open } else { others };
            let found = prove(&catalog, &files.set().unwrap(), today).unwrap_err();
            assert_eq!(found.probe, probe, "without {lock}");
        }
    }
}
