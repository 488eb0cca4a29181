//! Does an agreement grant what it may? What the file says becomes what the node uses.

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroU32,
    sync::Arc,
};

use super::{
    law::{self, Fault, Use},
    raw::{RawAgreement, RawFile},
};
use crate::{
    catalog::{
        Catalog, Complaint, Dataset, Department, Item,
        complaint::{Path, Position, quoted},
        inspection::{Declared, Inspection},
        yaml::At,
    },
    identifiers::{AgreementId, ApplicationId, FieldName, ItemCode},
    ledger::{Agreement, Budget, Standing},
};

/// Check everything that was read against the catalogue, but for agreements that have been ended.
pub(super) fn agreements(
    name: &str,
    file: &RawFile,
    catalog: &Catalog,
    ended: &BTreeSet<AgreementId>,
) -> Result<Vec<Arc<Agreement>>, Vec<Complaint>> {
    let mut inspection = Inspection::new(Vec::new());
    let mut declared = Declared::new();
    let mut sound: Vec<(usize, Arc<Agreement>)> = Vec::new();
    let root = Path::file(name);
    let list = root.key("agreements");
    for (index, element) in file.agreements.iter().enumerate() {
        let path = list.index(index);
        let id = &element.value.id;
        if ended.contains(id.value.as_str()) {
            continue;
        }
        if let Some(agreement) = agreement(&mut inspection, &path, &element.value, catalog) {
            sound.push((index, Arc::new(agreement)));
        }
        inspection.declare(&path.key("id"), "agreement", (id.value.clone(), id.position), Some(()), &mut declared);
    }
    check_overlaps(&mut inspection, &list, file, &sound);
    inspection.complaints.into_result()?;
    Ok(sound.into_iter().map(|(_, agreement)| agreement).collect())
}

fn agreement(inspection: &mut Inspection, path: &Path<'_>, raw: &RawAgreement, catalog: &Catalog) -> Option<Agreement> {
    let id = inspection.parse(&path.key("id"), &raw.id);
    if id.as_ref().and_then(ApplicationId::of_agreement).is_some() {
        let message = format!("{} is a name for an agreement that began as an application", quoted(&raw.id.value));
        inspection.complaints.add(&path.key("id"), raw.id.position, message, "Choose another name");
    }
    let consumer = consumer(inspection, &path.key("consumer"), &raw.consumer, catalog);
    let dataset = dataset(inspection, &path.key("dataset"), &raw.dataset, catalog);
    let items = items(inspection, &path.key("items"), raw, catalog, consumer, dataset);
    let (mut compare, mut disclose) = (BTreeSet::new(), BTreeSet::new());
    if let Some(dataset) = dataset {
        let needed: BTreeSet<&FieldName> = items.iter().flat_map(|item| item.needed_fields(&dataset.id)).collect();
        let mut granted = |key: &str, names: &[At<String>], used_for: Use| {
            fields(inspection, &path.key(key), names, dataset, &needed, used_for)
        };
        compare = granted("compare", &raw.compare, Use::Compare);
        disclose = granted("disclose", &raw.disclose, Use::Disclose);
    }
    if raw.compare.is_empty() && raw.disclose.is_empty() {
        let message = "the agreement grants no field";
        inspection.complaints.add(
            &path.key("id"),
            raw.id.position,
            message,
            "Name fields under `compare` or `disclose`",
        );
    }
    let period = inspection.period(path, &raw.valid_from, Some(&raw.valid_until));
    let budget = budget(inspection, path, raw);
    let (valid_from, valid_until) = period?;
    Some(Agreement {
        id: id?,
        consumer: consumer?.id.clone(),
        dataset: dataset?.id.clone(),
        items: items.iter().map(|item| item.code.clone()).collect(),
        compare,
        disclose,
        valid_from,
        valid_until: valid_until?,
        budget: budget?,
        standing: Standing::InForce,
    })
}

fn consumer<'c>(
    inspection: &mut Inspection,
    path: &Path<'_>,
    name: &At<String>,
    catalog: &'c Catalog,
) -> Option<&'c Department> {
    let found = catalog.departments.get(name.value.as_str());
    if found.is_none() {
        let known = catalog.departments.keys().map(|id| id.as_str());
        let remedy = inspection.complaints.nearest(&name.value, known, "Name a department of the catalogue");
        inspection.complaints.add(path, name.position, format!("unknown department {}", quoted(&name.value)), remedy);
    }
    found
}

fn dataset<'c>(
    inspection: &mut Inspection,
    path: &Path<'_>,
    name: &At<String>,
    catalog: &'c Catalog,
) -> Option<&'c Dataset> {
    let Some(dataset) = catalog.datasets.get(name.value.as_str()) else {
        let known = catalog.datasets.keys().map(|id| id.as_str());
        let remedy = inspection.complaints.nearest(&name.value, known, "Name a dataset of the catalogue");
        inspection.complaints.add(path, name.position, format!("unknown dataset {}", quoted(&name.value)), remedy);
        return None;
    };
    complain(inspection, path, name.position, law::is_shared(dataset));
    Some(dataset)
}

/// The items: declared, the consumer's own, and in need of the dataset.
fn items<'c>(
    inspection: &mut Inspection,
    path: &Path<'_>,
    raw: &RawAgreement,
    catalog: &'c Catalog,
    consumer: Option<&Department>,
    dataset: Option<&Dataset>,
) -> Vec<&'c Item> {
    inspection.not_empty(path, &raw.items);
    inspection.distinct(path, &raw.items.value);
    let mut found = Vec::new();
    for (index, code) in raw.items.value.iter().enumerate() {
        let path = path.index(index);
        let Some(parsed) = inspection.parse::<ItemCode>(&path, code) else { continue };
        let Some(item) = catalog.items.get(&parsed) else {
            let known = catalog.items.keys().map(ItemCode::as_str);
            let remedy = inspection.complaints.nearest(&code.value, known, "Name an item of the catalogue");
            inspection.complaints.add(&path, code.position, format!("unknown item {}", quoted(&code.value)), remedy);
            continue;
        };
        let foreign = consumer.and_then(|consumer| law::is_own_item(item, &consumer.id));
        complain(inspection, &path, code.position, foreign);
        // An agreement may outlive a version of its item; a call is held against the one in force on its day.
        let versions = || catalog.versions(&parsed).map(|item| &**item);
        complain(inspection, &path, code.position, dataset.and_then(|dataset| law::is_served(versions(), dataset)));
        found.extend(versions());
    }
    found
}

/// Fields granted: there, usable in that way, and needed by one of the items.
fn fields(
    inspection: &mut Inspection,
    path: &Path<'_>,
    names: &[At<String>],
    dataset: &Dataset,
    needed: &BTreeSet<&FieldName>,
    used_for: Use,
) -> BTreeSet<FieldName> {
    inspection.distinct(path, names);
    let mut granted = BTreeSet::new();
    for (index, name) in names.iter().enumerate() {
        let path = path.index(index);
        let Some(field) = inspection.field(&path, name, dataset) else { continue };
        complain(inspection, &path, name.position, law::may_be_granted(field, used_for, needed));
        granted.insert(field.name.clone());
    }
    granted
}

fn complain(inspection: &mut Inspection, path: &Path<'_>, position: Position, fault: Option<Fault>) {
    if let Some(Fault { message, remedy }) = fault {
        inspection.complaints.add(path, position, message, remedy);
    }
}

fn budget(inspection: &mut Inspection, path: &Path<'_>, raw: &RawAgreement) -> Option<Budget> {
    let calls_per_second = NonZeroU32::new(raw.calls_per_second.value);
    if calls_per_second.is_none() {
        let (path, position) = (path.key("calls_per_second"), raw.calls_per_second.position);
        inspection.complaints.add(&path, position, "no call a second is no agreement", "Write a number from 1");
    }
    if raw.calls_per_day.value == 0 {
        let (path, position) = (path.key("calls_per_day"), raw.calls_per_day.position);
        inspection.complaints.add(&path, position, "no call a day is no agreement", "Write a number from 1");
        return None;
    }
    Some(Budget { calls_per_second: calls_per_second?, calls_per_day: raw.calls_per_day.value })
}

/// Two agreements in force for the same use would leave open which one decides.
fn check_overlaps(inspection: &mut Inspection, list: &Path<'_>, file: &RawFile, sound: &[(usize, Arc<Agreement>)]) {
    let mut uses: BTreeMap<_, Vec<(usize, &Agreement)>> = BTreeMap::new();
    for (index, agreement) in sound {
        for item in &agreement.items {
            uses.entry((&agreement.consumer, &agreement.dataset, item)).or_default().push((*index, agreement));
        }
    }
    for ((_, _, item), mut covering) in uses {
        covering.sort_by_key(|(index, agreement)| (agreement.valid_from, *index));
        let mut longest: Option<&Agreement> = None;
        for (index, agreement) in covering {
            if let Some(earlier) = longest.filter(|earlier| agreement.valid_from <= earlier.valid_until) {
                let (id, last) = (&earlier.id, earlier.valid_until);
                let message = format!("in force for the item {item} together with `{id}`, which ends on {last}");
                let position = file.agreements[index].value.valid_from.position;
                let remedy = "Let one end before the other begins";
                inspection.complaints.add(&list.index(index).key("valid_from"), position, message, remedy);
            }
            longest = longest.into_iter().chain([agreement]).max_by_key(|agreement| agreement.valid_until);
        }
    }
}
