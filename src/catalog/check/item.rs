//! Service items, their materials and what stands in for them.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    super::{
        Dataset, Department, Disclosure, Item, Material, SharingAttribute, StandIn,
        complaint::{Path, Position, quoted},
        inspection::{Declared, Inspection},
        raw::{RawFile, RawItem, RawMaterial, RawStandIn},
    },
    bilingual,
};
use crate::identifiers::{ItemCode, ItemCodeKind};

/// The newest version of each item, and those before it.
pub(super) type Items = (BTreeMap<ItemCode, Arc<Item>>, BTreeMap<ItemCode, Vec<Arc<Item>>>);

pub(super) fn items(
    inspection: &mut Inspection,
    files: &[(String, RawFile)],
    departments: &Declared<Department>,
    datasets: &Declared<Dataset>,
) -> Items {
    let mut declared = Declared::new();
    let mut editions: BTreeMap<ItemCode, Vec<Edition<'_>>> = BTreeMap::new();
    for (file, raw) in files {
        let root = Path::file(file);
        let heading = root.key("items");
        for (index, element) in raw.items.iter().enumerate() {
            let path = heading.index(index);
            let (raw, code) = (&element.value, &element.value.code);
            let sound = item(inspection, &path, raw, departments, datasets);
            let named = match &raw.version {
                Some(version) => format!("{} version {}", code.value, version.value),
                None => code.value.clone(),
            };
            // Without a number it is the first, as with the number 1.
            let named = named.strip_suffix(" version 1").unwrap_or(&named).to_owned();
            inspection.declare(&path.key("code"), "item", (named, code.position), Some(()), &mut declared);
            if let Some(sound) = sound {
                let place = (file.as_str(), index, raw.valid_from.position);
                editions.entry(sound.code.clone()).or_default().push((Arc::new(sound), place));
            }
        }
    }
    let (mut newest, mut earlier) = (BTreeMap::new(), BTreeMap::new());
    for (code, mut all) in editions {
        all.sort_by_key(|(item, _)| item.version);
        check_sequence(inspection, &all);
        let mut all: Vec<_> = all.into_iter().map(|(item, _)| item).collect();
        newest.extend(all.pop().map(|item| (code.clone(), item)));
        if !all.is_empty() {
            earlier.insert(code, all);
        }
    }
    (newest, earlier)
}

/// A version of an item, and where it stands: file, position in the list, and of its first day.
type Edition<'f> = (Arc<Item>, (&'f str, usize, Position));

/// On no day two versions of an item are in force: which materials are asked for would be open.
fn check_sequence(inspection: &mut Inspection, editions: &[Edition<'_>]) {
    for pair in editions.windows(2) {
        let ((before, _), (after, (file, index, position))) = (&pair[0], &pair[1]);
        let message = match before.valid_until {
            Some(last) if last < after.valid_from => continue,
            Some(last) => format!("in force together with version {}, which ends on {last}", before.version),
            None => format!("in force together with version {}, which has no last day", before.version),
        };
        let root = Path::file(file);
        let path = root.key("items");
        let path = path.index(*index);
        let remedy = format!("Let version {} end before version {} begins", before.version, after.version);
        inspection.complaints.add(&path.key("valid_from"), *position, message, remedy);
    }
}

fn item(
    inspection: &mut Inspection,
    path: &Path<'_>,
    raw: &RawItem,
    departments: &Declared<Department>,
    datasets: &Declared<Dataset>,
) -> Option<Item> {
    let code = implementation_code(inspection, &path.key("code"), raw);
    let version = raw.version.as_ref().map_or(1, |version| version.value);
    if let Some(raw_version) = &raw.version
        && version == 0
    {
        let message = "there is no version 0";
        inspection.complaints.add(&path.key("version"), raw_version.position, message, "Count from 1");
    }
    let name = bilingual(inspection, &path.key("name"), &raw.name);
    let department = inspection.refer(&path.key("department"), "department", &raw.department, departments);
    if let (Some(code), Some(department)) = (&code, department)
        && code.authority().as_ref() != Some(&department.credit_code)
    {
        let message =
            format!("the item code does not begin with the credit code of the department `{}`", department.id);
        let remedy = format!("Begin it with {}, or name the department whose item it is", department.credit_code);
        inspection.complaints.add(&path.key("code"), raw.code.position, message, remedy);
    }
    let period = inspection.period(path, &raw.valid_from, raw.valid_until.as_ref());
    let materials_path = path.key("materials");
    inspection.not_empty(&materials_path, &raw.materials);
    let mut materials = Declared::new();
    let mut in_order = Vec::new();
    for (index, element) in raw.materials.value.iter().enumerate() {
        let path = materials_path.index(index);
        in_order.extend(material(inspection, &path, &element.value, datasets));
        let id = &element.value.id;
        inspection.declare(&path.key("id"), "material", (id.value.clone(), id.position), Some(()), &mut materials);
    }
    let (valid_from, valid_until) = period?;
    Some(Item {
        code: code?,
        version,
        name: name?,
        department: department?.id.clone(),
        division: department?.division,
        cross_region: raw.cross_region.unwrap_or(false),
        valid_from,
        valid_until,
        materials: in_order,
    })
}

/// The code of an item as one department carries it out; the basic code alone would belong to nobody.
fn implementation_code(inspection: &mut Inspection, path: &Path<'_>, raw: &RawItem) -> Option<ItemCode> {
    let code: ItemCode = inspection.parse(path, &raw.code)?;
    if code.kind() == ItemCodeKind::Implementation {
        return Some(code);
    }
    let message = format!("{} is a {} code", quoted(&raw.code.value), code.kind().as_str());
    inspection.complaints.add(path, raw.code.position, message, "Write the implementation code of 31 characters");
    None
}

fn material(
    inspection: &mut Inspection,
    path: &Path<'_>,
    raw: &RawMaterial,
    datasets: &Declared<Dataset>,
) -> Option<Material> {
    let id = inspection.parse(&path.key("id"), &raw.id);
    let name = bilingual(inspection, &path.key("name"), &raw.name);
    let stand_ins_path = path.key("stand_ins");
    inspection.not_empty(&stand_ins_path, &raw.stand_ins);
    let mut stand_ins = Vec::new();
    for (index, element) in raw.stand_ins.value.iter().enumerate() {
        stand_ins.extend(stand_in(inspection, &stand_ins_path.index(index), &element.value, datasets));
    }
    Some(Material { id: id?, name: name?, stand_ins })
}

fn stand_in(
    inspection: &mut Inspection,
    path: &Path<'_>,
    raw: &RawStandIn,
    datasets: &Declared<Dataset>,
) -> Option<StandIn> {
    let fields_path = path.key("fields");
    inspection.not_empty(&fields_path, &raw.fields);
    inspection.distinct(&fields_path, &raw.fields.value);
    let dataset = inspection.refer(&path.key("dataset"), "dataset", &raw.dataset, datasets)?;
    if dataset.sharing.attribute == SharingAttribute::NotShared {
        let message = format!("the dataset `{}` is not shared", dataset.id);
        inspection.complaints.add(&path.key("dataset"), raw.dataset.position, message, "Name one that is");
    }
    let mut fields = Vec::new();
    for (index, name) in raw.fields.value.iter().enumerate() {
        let path = fields_path.index(index);
        let Some(field) = inspection.field(&path, name, dataset) else { continue };
        if field.disclosure == Disclosure::Never {
            let message = format!("the field `{}` may never be used", field.name);
            inspection.complaints.add(&path, name.position, message, "Name another field, or let it be `compare_only`");
        }
        fields.push(field.name.clone());
    }
    Some(StandIn { dataset: dataset.id.clone(), fields })
}
