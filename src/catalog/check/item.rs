//! Service items, their materials and what stands in for them.

use super::{
    super::{
        Dataset, Department, Disclosure, Item, Material, SharingAttribute, StandIn,
        complaint::{Path, quoted},
        inspection::{Declared, Inspection},
        raw::{RawFile, RawItem, RawMaterial, RawStandIn},
    },
    bilingual, each,
};
use crate::identifiers::{ItemCode, ItemCodeKind};

pub(super) fn items(
    inspection: &mut Inspection,
    files: &[(String, RawFile)],
    departments: &Declared<Department>,
    datasets: &Declared<Dataset>,
) -> Declared<Item> {
    each(
        inspection,
        files,
        ("items", "item", "code"),
        |file| &file.items,
        |raw| &raw.code,
        |inspection, path, raw| item(inspection, path, raw, departments, datasets),
    )
}

fn item(
    inspection: &mut Inspection,
    path: &Path<'_>,
    raw: &RawItem,
    departments: &Declared<Department>,
    datasets: &Declared<Dataset>,
) -> Option<Item> {
    let code = implementation_code(inspection, &path.key("code"), raw);
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
        name: name?,
        department: department?.id.clone(),
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
