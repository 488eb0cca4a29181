//! Which agreements a new catalogue would break, and by what.
//!
//! Pure. An agreement holds under a catalogue that has everything it names, in a form in which it may be used; what it
//! lacked before is not held against the change.

use std::{collections::BTreeSet, fmt};

use chrono::NaiveDate;

use crate::{
    catalog::{Catalog, Dataset, Disclosure, SharingAttribute},
    identifiers::{AgreementId, DepartmentId, FieldName},
    ledger::Agreement,
};

/// An agreement that would not hold any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    pub agreement: AgreementId,
    pub consumer: DepartmentId,
    /// One line each; never none.
    pub reasons: Vec<String>,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}: {}", self.agreement, self.consumer, self.reasons.join("; "))
    }
}

/// The agreements, in force or to come, that hold under `old` and would not under `new`.
pub fn broken_by<'a>(
    old: &Catalog,
    new: &Catalog,
    agreements: impl IntoIterator<Item = &'a Agreement>,
    today: NaiveDate,
) -> Vec<Broken> {
    let live = agreements.into_iter().filter(|agreement| today <= agreement.valid_until);
    live.filter_map(|agreement| {
        let before = faults(agreement, old);
        let mut reasons: Vec<_> = faults(agreement, new).difference(&before).cloned().collect();
        reasons.extend(turned(agreement, old, new));
        if reasons.is_empty() {
            return None;
        }
        Some(Broken { agreement: agreement.id.clone(), consumer: agreement.consumer.clone(), reasons })
    })
    .collect()
}

/// What the agreement names that the catalogue does not have, or not for that use. Empty where it holds.
pub fn faults(agreement: &Agreement, catalog: &Catalog) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    if !catalog.departments.contains_key(&agreement.consumer) {
        found.insert(format!("there is no department {}", agreement.consumer));
    }
    let Some(dataset) = catalog.datasets.get(&agreement.dataset) else {
        found.insert(format!("there is no dataset {}", agreement.dataset));
        return found;
    };
    if dataset.sharing.attribute == SharingAttribute::NotShared {
        found.insert(format!("the dataset {} is not shared", dataset.id));
    }
    for code in &agreement.items {
        match catalog.items.get(code) {
            None => {
                found.insert(format!("there is no item {code}"));
            }
            Some(item) if item.department != agreement.consumer => {
                found.insert(format!("the item {code} is carried out by {}", item.department));
            }
            Some(_) => {}
        }
    }
    let items = agreement.items.iter().flat_map(|code| catalog.versions(code));
    let needed: BTreeSet<&FieldName> = items.flat_map(|item| item.needed_fields(&dataset.id)).collect();
    for field in agreement.compare.union(&agreement.disclose) {
        let granted = (agreement.compare.contains(field), agreement.disclose.contains(field));
        found.extend(fault_of_field(dataset, field, granted, needed.contains(field)));
    }
    found
}

fn fault_of_field(
    dataset: &Dataset,
    name: &FieldName,
    (compared, disclosed): (bool, bool),
    is_needed: bool,
) -> Option<String> {
    let Some((_, field)) = dataset.field(name.as_str()) else {
        return Some(format!("there is no field {}.{name}", dataset.id));
    };
    match field.disclosure {
        Disclosure::Never => Some(format!("the field {}.{name} may never be used", dataset.id)),
        Disclosure::CompareOnly if disclosed => Some(format!("the field {}.{name} may only be compared", dataset.id)),
        Disclosure::JoinKeyOnly if disclosed => {
            Some(format!("the field {}.{name} may only name a subject or join records", dataset.id))
        }
        Disclosure::AggregateOnly if compared => {
            Some(format!("the field {}.{name} may only go into statistics", dataset.id))
        }
        _ if !is_needed => Some(format!("no item of it needs {}.{name}", dataset.id)),
        _ => None,
    }
}

/// What it names still, and would find to be something else.
fn turned(agreement: &Agreement, old: &Catalog, new: &Catalog) -> Vec<String> {
    let (Some(before), Some(after)) = (old.datasets.get(&agreement.dataset), new.datasets.get(&agreement.dataset))
    else {
        return Vec::new();
    };
    let mut found = Vec::new();
    if before.key != after.key {
        found.push(format!("records of {} are no longer looked up by {}", before.id, before.key));
    }
    for name in agreement.compare.union(&agreement.disclose) {
        let kind = |dataset: &Dataset| dataset.field(name.as_str()).map(|(_, field)| field.kind.name());
        if let (Some(was), Some(is)) = (kind(before), kind(after))
            && was != is
        {
            found.push(format!("the field {}.{name} turns from {was} to {is}", before.id));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::catalog::load_from;

    const SMALL: &str = include_str!("../catalog/check/small.yaml");
    const ITEM: &str = "11440100MB9YYY997R3440101001000";

    fn changed(changes: &[(&str, &str)]) -> Catalog {
        let mut text = SMALL.to_owned();
        for (old, new) in changes {
            assert!(text.contains(old), "the small catalogue has no {old:?}");
            text = text.replacen(old, new, 1);
        }
        load_from([("c.yaml".to_owned(), text)]).unwrap_or_else(|error| panic!("{error}"))
    }

    fn agreement() -> Agreement {
        Agreement {
            id: "agr-one".parse().unwrap(),
            consumer: "window".parse().unwrap(),
            dataset: "people".parse().unwrap(),
            items: [ITEM.parse().unwrap()].into(),
            compare: ["resident_id", "name"].map(|name| name.parse().unwrap()).into(),
            disclose: ["name".parse().unwrap()].into(),
            valid_from: "2025-01-01".parse().unwrap(),
            valid_until: "2026-12-31".parse().unwrap(),
            budget: crate::ledger::Budget { calls_per_second: std::num::NonZeroU32::MIN, calls_per_day: 1 },
            standing: crate::ledger::Standing::InForce,
        }
    }

    fn broken(changes: &[(&str, &str)], today: &str) -> Vec<String> {
        let (old, new) = (changed(&[]), changed(changes));
        broken_by(&old, &new, [&agreement()], today.parse().unwrap()).iter().map(Broken::to_string).collect()
    }

    #[test]
    fn an_agreement_is_named_with_what_it_loses() {
        let start = SMALL.find("items:").unwrap();
        let without_items = [(&SMALL[start..], "items: []\n")];
        for (changes, reason) in [
            (&[("[resident_id, name] }", "[resident_id] }")][..], "no item of it needs people.name"),
            (&without_items, "there is no item 11440100MB9YYY997R3440101001000"),
            (
                &[("disclosure: masked\n        mask: name", "disclosure: compare_only\n        mask: name")],
                "the field people.name may only be compared",
            ),
            (
                &[
                    (
                        "kind: text\n        chars_max: 50\n        comparator: name",
                        "kind: resident_id\n        comparator: code",
                    ),
                    ("mask: name", "mask: resident_id"),
                ],
                "the field people.name turns from text to resident_id",
            ),
            (
                &[("key: resident_id\n", "key: name\n"), ("[name]", "[resident_id]")],
                "no longer looked up by resident_id",
            ),
        ] {
            let came = broken(changes, "2026-11-24");
            assert!(
                came.len() == 1 && came[0].starts_with("agr-one of window: ") && came[0].contains(reason),
                "{came:?}"
            );
        }
    }

    #[test]
    fn one_that_has_ended_is_not_named_and_neither_is_what_a_change_leaves_alone() {
        let gone = [("[resident_id, name] }", "[resident_id] }")];
        assert_eq!(broken(&gone, "2026-12-31").len(), 1);
        assert!(broken(&gone, "2027-01-01").is_empty());
        for harmless in [
            ("chars_max: 50", "chars_max: 10"),
            ("disclosure: compare_only", "disclosure: never"),
            ("zh: 人口,", "zh: 人,"),
        ] {
            assert!(broken(&[harmless], "2026-11-24").is_empty(), "{harmless:?}");
        }
    }

    #[test]
    fn what_was_broken_before_is_not_the_changes_fault() {
        let mut other = agreement();
        other.dataset = "elsewhere".parse().unwrap();
        let (old, new) = (changed(&[]), changed(&[("chars_max: 50", "chars_max: 10")]));
        assert!(!faults(&other, &old).is_empty());
        assert!(broken_by(&old, &new, [&other], "2026-01-01".parse().unwrap()).is_empty());
    }

    proptest! {
        #[test]
        fn a_catalogue_never_breaks_what_held_under_it(fields in proptest::collection::btree_set("resident_id|name|married|secret|none", 0..4)) {
            let mut agreement = agreement();
            agreement.compare = fields.iter().map(|name| name.parse().unwrap()).collect();
            let one = changed(&[]);
            prop_assert!(broken_by(&one, &changed(&[]), [&agreement], "2026-01-01".parse().unwrap()).is_empty());
            let holds = faults(&agreement, &one).is_empty();
            prop_assert_eq!(holds, fields.iter().all(|name| name == "resident_id" || name == "name"));
        }
    }
}
