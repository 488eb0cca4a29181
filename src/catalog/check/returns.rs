//! To whom a dataset is returned.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::super::{
    Department, Disclosure, Field, Item, Node, Return, Returns,
    complaint::{Path, quoted},
    inspection::{Declared, Inspection},
    raw::{RawDataset, RawFile, RawReturn},
    yaml::At,
};
use crate::identifiers::{FieldName, ItemCode};

/// Each node once; the outer `None` means that something was wrong.
pub(super) fn returns(
    inspection: &mut Inspection,
    path: &Path<'_>,
    raw: &RawDataset,
    fields: &Declared<Field>,
    (departments, nodes): (&Declared<Department>, &Declared<Node>),
) -> Option<Returns> {
    let from = match &raw.returned_from {
        Some(node) => Some(inspection.refer(&path.key("returned_from"), "node", node, nodes)?.id.clone()),
        None => None,
    };
    let list = path.key("returns");
    if let (Some(first), None) = (raw.returns.first(), &raw.division) {
        let message = "nothing tells which records concern a node";
        let remedy = "Name in `division` the field that tells to which division a record belongs";
        inspection.complaints.add(&list, first.position, message, remedy);
    }
    let (mut taken, mut to) = (BTreeSet::new(), Vec::new());
    for (index, element) in raw.returns.iter().enumerate() {
        let path = list.index(index);
        let node = &element.value.node;
        let one = one(inspection, &path, raw, &element.value, fields, (departments, nodes));
        if !taken.insert(node.value.as_str()) {
            let message = format!("the dataset is returned to {} twice", quoted(&node.value));
            inspection.complaints.add(&path.key("node"), node.position, message, "Join the two");
        }
        to.extend(one);
    }
    (to.len() == raw.returns.len()).then_some(Returns { to, from })
}

fn one(
    inspection: &mut Inspection,
    path: &Path<'_>,
    dataset: &RawDataset,
    raw: &RawReturn,
    fields: &Declared<Field>,
    (departments, nodes): (&Declared<Department>, &Declared<Node>),
) -> Option<Return> {
    let node = inspection.refer(&path.key("node"), "node", &raw.node, nodes);
    let department = inspection.refer(&path.key("department"), "department", &raw.department, departments);
    if let (Some(node), Some(department)) = (node, department)
        && department.node != node.id
    {
        let message =
            format!("the department {} is one of the node `{}`", quoted(&raw.department.value), department.node);
        let remedy = format!("Name a department of {}", quoted(&raw.node.value));
        inspection.complaints.add(&path.key("department"), raw.department.position, message, remedy);
    }
    let item: Option<ItemCode> = inspection.parse(&path.key("item"), &raw.item);
    let names = returned_fields(inspection, &path.key("fields"), dataset, &raw.fields, fields);
    let (node, department) = (node?, department?);
    Some(Return {
        node: node.id.clone(),
        division: node.division,
        department: department.id.clone(),
        item: item?,
        fields: names?,
    })
}

/// In the order of the dataset. What never leaves whole or masked does not leave in a return either; and a record without
/// its key, or with a masked one, would never be found.
fn returned_fields(
    inspection: &mut Inspection,
    path: &Path<'_>,
    dataset: &RawDataset,
    names: &At<Vec<At<String>>>,
    fields: &Declared<Field>,
) -> Option<Vec<FieldName>> {
    inspection.not_empty(path, names);
    inspection.distinct(path, &names.value);
    let is_key = |name: &str| name == dataset.key.value || dataset.secondary_keys.iter().any(|key| key.value == name);
    let mut sound = true;
    for (index, name) in names.value.iter().enumerate() {
        let path = path.index(index);
        let Some(field) = inspection.refer_within(&path, "field", name, fields) else {
            sound = false;
            continue;
        };
        let (why, remedy) = match field.disclosure {
            Disclosure::Masked if name.value == dataset.key.value => (
                "is the key and may leave masked only, so nobody could look a record up",
                "Let it be `join_key_only`, or `plain`",
            ),
            Disclosure::Plain | Disclosure::Masked => continue,
            Disclosure::JoinKeyOnly if is_key(&name.value) => continue,
            Disclosure::JoinKeyOnly => ("names the subject only, and is no key", "Leave it out"),
            Disclosure::CompareOnly => ("may be compared only", "Leave it out"),
            Disclosure::AggregateOnly => ("is a field for statistics only", "Leave it out"),
            Disclosure::Never => ("may `never` leave", "Leave it out"),
        };
        let message = format!("the field {} {why}", quoted(&name.value));
        inspection.complaints.add(&path, name.position, message, remedy);
        sound = false;
    }
    if !names.value.is_empty() && !names.value.iter().any(|name| name.value == dataset.key.value) {
        let message = format!("the key {} is not among the fields", quoted(&dataset.key.value));
        inspection.complaints.add(path, names.position, message, "Add it: a record without its key is never found");
    }
    let asked = |field: &Field| names.value.iter().any(|name| name.value == field.name.as_str());
    let in_order = dataset.fields.value.iter().filter_map(|raw| fields.get(&raw.value.name.value)?.sound.as_ref());
    sound.then(|| in_order.filter(|field| asked(field)).map(|field| field.name.clone()).collect())
}

/// The items are declared after the datasets, which they refer to.
pub(super) fn check_items(
    inspection: &mut Inspection,
    files: &[(String, RawFile)],
    items: &BTreeMap<ItemCode, Arc<Item>>,
) {
    if !inspection.is_complete() {
        return; // It may stand in the file that could not be read.
    }
    for (file, raw) in files {
        let file = Path::file(file);
        let heading = file.key("datasets");
        for (index, dataset) in raw.datasets.iter().enumerate() {
            let dataset_path = heading.index(index);
            let list = dataset_path.key("returns");
            for (index, one) in dataset.value.returns.iter().enumerate() {
                let (path, code) = (list.index(index), &one.value.item);
                if code.value.parse().is_ok_and(|code: ItemCode| !items.contains_key(&code)) {
                    let known = items.keys().map(ItemCode::as_str);
                    let remedy = inspection.complaints.nearest(&code.value, known, "Name an item of the catalogue");
                    let message = format!("unknown item {}", quoted(&code.value));
                    inspection.complaints.add(&path.key("item"), code.position, message, remedy);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::{Complaint, load_from};

    /// The small catalogue, with a return to its city.
    fn text() -> String {
        let small = include_str!("small.yaml");
        let field = "      - name: place\n        title: { zh: 区划, en: Place }\n        element: QH\n        kind: division\n        \
                     comparator: code\n        sensitivity: 1\n        disclosure: plain\nitems:\n";
        let returns = "    division: place\n    returns:\n      - { node: city, department: window, \
                       item: 11440100MB9YYY997R3440101001000, fields: [status, resident_id] }\n    reject_share_max: 0.01\n";
        let text = small.replacen("items:\n", field, 1).replacen("    reject_share_max: 0.01\n", returns, 1);
        text.replacen("disclosure: masked\n        mask: resident_id\n", "disclosure: join_key_only\n", 1)
    }

    fn complaints(changes: &[(&str, &str)]) -> Vec<String> {
        let mut text = text();
        for (old, new) in changes {
            assert!(text.contains(old), "{old:?} does not stand there");
            text = text.replacen(old, new, 1);
        }
        match load_from([("c.yaml".to_owned(), text)]) {
            Ok(_) => Vec::new(),
            Err(error) => error.complaints().iter().map(Complaint::to_string).collect(),
        }
    }

    #[test]
    fn a_return_is_to_a_node_of_its_own_division_in_the_order_of_the_dataset() {
        let catalog = load_from([("c.yaml".to_owned(), text())]).unwrap();
        let returns = &catalog.datasets["people"].returns;
        let one = returns.to_node(&"city".parse().unwrap()).unwrap();
        assert_eq!(one.division, "440100".parse().unwrap());
        assert_eq!(one.fields, ["resident_id", "status"].map(|name| name.parse().unwrap()));
        assert!(returns.to_node(&"province".parse().unwrap()).is_none());
        assert_eq!(returns.words(), "to city for 11440100MB9YYY997R3440101001000 (resident_id, status)");
        let filled = text().replacen("    division: place\n", "    division: place\n    returned_from: province\n", 1);
        let catalog = load_from([("c.yaml".to_owned(), filled)]).unwrap();
        let source = |own: &str| catalog.datasets["people"].returns.source(&own.parse().unwrap()).cloned();
        assert_eq!((source("city"), source("province")), (Some("province".parse().unwrap()), None));
    }

    #[test]
    fn a_return_that_cannot_be_is_complained_of() {
        assert_eq!(complaints(&[]), [""; 0]);
        let returned = "fields: [status, resident_id] }";
        let cases: [(&[(&str, &str)], &str); 11] = [
            (
                &[("returns:\n      - { node: city", "returns:\n      - { node: citi")],
                "returns[0].node: unknown node `citi`",
            ),
            (
                &[("department: window, ", "department: police, ")],
                "the department `police` is one of the node `province`",
            ),
            (&[("item: 11440100MB9YYY997R3440101001000, ", "item: 11440100MB9YYY997R3440101001009, ")], "unknown item"),
            (&[("    division: place\n", "")], "nothing tells which records concern a node"),
            (&[(returned, "fields: [status] }")], "the key `resident_id` is not among the fields"),
            (&[(returned, "fields: [] }")], "the list is empty"),
            (&[(returned, "fields: [resident_id, married] }")], "`married` may be compared only"),
            (&[(returned, "fields: [resident_id, secret] }")], "`secret` may `never` leave"),
            (&[("disclosure: join_key_only", "disclosure: masked")], "is the key and may leave masked only"),
            (&[(returned, "fields: [resident_id, nobody] }")], "unknown field `nobody`"),
            (
                &[(
                    returned,
                    "fields: [resident_id] }\n      - { node: city, department: window, \
                     item: 11440100MB9YYY997R3440101001000, fields: [resident_id] }",
                )],
                "returned to `city` twice",
            ),
        ];
        for (changes, expected) in cases {
            let came = complaints(changes);
            assert!(came.iter().any(|one| one.contains(expected)), "{expected}: {came:#?}");
        }
    }
}
