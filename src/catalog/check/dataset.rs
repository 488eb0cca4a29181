//! Datasets: who provides them, how they are shared, what they are looked up by.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    super::{
        Dataset, Department, Disclosure, Field, FieldKind, Node, Sharing, SharingAttribute, Status,
        complaint::{Path, Position, quoted},
        inspection::{Declared, Inspection},
        raw::{RawDataset, RawFile, RawSharing, RawStatus},
        yaml::At,
    },
    bilingual, each,
    field::{field, sensitivity},
    listing, placement, returns,
};
use crate::identifiers::{DepartmentId, FieldName, ResourceCode};

/// Codes named in a remedy, at most.
const CODES_SHOWN_MAX: usize = 10;

/// With the resource codes that they have.
pub(super) fn datasets(
    inspection: &mut Inspection,
    files: &[(String, RawFile)],
    departments: &Declared<Department>,
    nodes: &Declared<Node>,
) -> (Declared<Dataset>, BTreeMap<ResourceCode, String>) {
    let mut codes = BTreeMap::new();
    let datasets = each(
        inspection,
        files,
        ("datasets", "dataset", "id"),
        |file| &file.datasets,
        |raw| &raw.id,
        |inspection, path, raw| {
            let code = resource_code(inspection, &path.key("code"), raw, &mut codes);
            dataset(inspection, path, raw, code, (departments, nodes))
        },
    );
    (datasets, codes)
}

fn dataset(
    inspection: &mut Inspection,
    path: &Path<'_>,
    raw: &RawDataset,
    code: Option<ResourceCode>,
    (departments, nodes): (&Declared<Department>, &Declared<Node>),
) -> Option<Dataset> {
    let id = inspection.parse(&path.key("id"), &raw.id);
    let name = bilingual(inspection, &path.key("name"), &raw.name);
    let summary = bilingual(inspection, &path.key("summary"), &raw.summary);
    let provider = provider(inspection, &path.key("provider"), &raw.provider, departments);
    let sharing = sharing(inspection, &path.key("sharing"), &raw.sharing);
    let sensitivity = sensitivity(inspection, &path.key("sensitivity"), &raw.sensitivity);
    let reject_share_max = share(inspection, &path.key("reject_share_max"), &raw.reject_share_max);
    let listing = listing::listing(inspection, &path.key("listing"), &raw.listing, sharing.as_ref());
    let fields = fields(inspection, &path.key("fields"), raw);
    let key = key(inspection, &path.key("key"), &raw.key, &fields, true);
    let secondary_keys = secondary_keys(inspection, &path.key("secondary_keys"), raw, &fields);
    let status = match &raw.status {
        Some(status) => Some(self::status(inspection, &path.key("status"), status, &fields)?),
        None => None,
    };
    let placement = placement::placement(inspection, &path.key("placement"), &raw.placement, nodes);
    let division = match &raw.division {
        Some(name) => Some(division(inspection, &path.key("division"), name, &fields)?),
        None => None,
    };
    let returns = returns::returns(inspection, path, raw, &fields, (departments, nodes));
    let in_order = raw.fields.value.iter().map(|field| fields.get(&field.value.name.value)?.sound.clone());
    Some(Dataset {
        id: id?,
        code: code?,
        name: name?,
        summary: summary?,
        provider: provider?,
        sharing: sharing?,
        update_cycle: raw.update_cycle.into(),
        sensitivity: sensitivity?,
        key: key?,
        secondary_keys,
        status,
        placement: placement?,
        returns: returns?,
        division,
        reject_share_max: reject_share_max?,
        listing: listing?,
        fields: in_order.collect::<Option<Vec<Field>>>()?,
    })
}

fn provider(
    inspection: &mut Inspection,
    path: &Path<'_>,
    name: &At<String>,
    departments: &Declared<Department>,
) -> Option<DepartmentId> {
    inspection.refer(path, "department", name, departments).map(|department| department.id.clone())
}

/// Each code once.
fn resource_code(
    inspection: &mut Inspection,
    path: &Path<'_>,
    raw: &RawDataset,
    codes: &mut BTreeMap<ResourceCode, String>,
) -> Option<ResourceCode> {
    let code: ResourceCode = inspection.parse(path, &raw.code)?;
    if let Some(other) = codes.insert(code.clone(), raw.id.value.clone())
        && other != raw.id.value
    {
        let message =
            format!("the resource code {} is already that of the dataset {}", quoted(&raw.code.value), quoted(&other));
        inspection.complaints.add(path, raw.code.position, message, "Give each dataset its own");
    }
    Some(code)
}

/// What is not shared, or only under conditions, must say why (decree 809, articles 15 and 16).
fn sharing(inspection: &mut Inspection, path: &Path<'_>, raw: &RawSharing) -> Option<Sharing> {
    let attribute = SharingAttribute::from(raw.attribute.value);
    let ground = match &raw.ground {
        Some(ground) => Some(inspection.words(&path.key("ground"), ground)?),
        None => None,
    };
    let (message, remedy) = match attribute {
        SharingAttribute::Conditional => (
            "a `conditional` dataset states no conditions",
            "Add `ground` with the conditions under which it is shared",
        ),
        SharingAttribute::NotShared => {
            ("a `not_shared` dataset states no legal ground", "Add `ground` with the law that forbids sharing")
        }
        SharingAttribute::Unconditional => return Some(Sharing { attribute, ground }),
    };
    if ground.is_none() {
        inspection.complaints.add(&path.key("attribute"), raw.attribute.position, message, remedy);
        return None;
    }
    Some(Sharing { attribute, ground })
}

fn share(inspection: &mut Inspection, path: &Path<'_>, share: &At<f64>) -> Option<f64> {
    // Not a range from 0 to 1: `contains` also refuses what is not a number.
    if (0.0..=1.0).contains(&share.value) {
        return Some(share.value);
    }
    inspection.complaints.add(
        path,
        share.position,
        format!("{} is not a share", share.value),
        "Write a number from 0 to 1",
    );
    None
}

fn fields(inspection: &mut Inspection, path: &Path<'_>, raw: &RawDataset) -> Declared<Field> {
    inspection.not_empty(path, &raw.fields);
    let mut declared = Declared::new();
    for (index, element) in raw.fields.value.iter().enumerate() {
        let path = path.index(index);
        let field = field(inspection, &path, &element.value);
        if let Some(field) = &field
            && field.sensitivity.level() > raw.sensitivity.value
        {
            // The whole is at least as sensitive as its most sensitive part (GB/T 43697-2024).
            let message = format!(
                "the field is at level {}, its dataset only at {}",
                field.sensitivity.level(),
                raw.sensitivity.value
            );
            let position = element.value.sensitivity.position;
            inspection.complaints.add(&path.key("sensitivity"), position, message, "Raise the level of the dataset");
        }
        let name = &element.value.name;
        inspection.declare(&path.key("name"), "field", (name.value.clone(), name.position), field, &mut declared);
    }
    declared
}

/// A key is there and may be compared: asking by a field is comparing with it.
fn key(
    inspection: &mut Inspection,
    path: &Path<'_>,
    name: &At<String>,
    fields: &Declared<Field>,
    is_primary: bool,
) -> Option<FieldName> {
    let field = inspection.refer_within(path, "field", name, fields)?;
    let mut complain = |message: &str, remedy: &str| {
        inspection.complaints.add(path, name.position, format!("the key `{}` {message}", field.name), remedy);
        None
    };
    if !field.disclosure.is_join_key() {
        let message = match field.disclosure {
            Disclosure::AggregateOnly => "is a field for statistics only",
            _ => "is a field that may `never` be used",
        };
        return complain(message, "Let it be `join_key_only` at least, or choose another key");
    }
    match field.kind {
        FieldKind::ResidentId | FieldKind::CreditCode | FieldKind::LicenceId | FieldKind::Text { .. } => {}
        FieldKind::Division | FieldKind::Code { .. } | FieldKind::Date | FieldKind::Integer | FieldKind::Boolean => {
            return complain("does not name a subject", "Choose an identifier or a text");
        }
    }
    if is_primary && !field.required {
        return complain("is not required", "A record without a key cannot be found: make the field required");
    }
    Some(field.name.clone())
}

fn secondary_keys(
    inspection: &mut Inspection,
    path: &Path<'_>,
    raw: &RawDataset,
    fields: &Declared<Field>,
) -> Vec<FieldName> {
    inspection.distinct(path, &raw.secondary_keys);
    let mut names = Vec::new();
    for (index, name) in raw.secondary_keys.iter().enumerate() {
        let path = path.index(index);
        if name.value == raw.key.value {
            let message = "the key is a secondary key as well";
            inspection.complaints.add(&path, name.position, message, "Remove it here");
        }
        names.extend(key(inspection, &path, name, fields, false));
    }
    names
}

fn status(inspection: &mut Inspection, path: &Path<'_>, raw: &RawStatus, fields: &Declared<Field>) -> Option<Status> {
    inspection.not_empty(&path.key("ordinary"), &raw.ordinary);
    inspection.distinct(&path.key("ordinary"), &raw.ordinary.value);
    let field_path = path.key("field");
    let field = inspection.refer_within(&field_path, "field", &raw.field, fields)?;
    let FieldKind::Code { values } = &field.kind else {
        complain_of_status(inspection, &field_path, raw.field.position, "is not of kind `code`", "List its codes");
        return None;
    };
    if !field.required {
        complain_of_status(inspection, &field_path, raw.field.position, "is not required", "Make it required");
    }
    let known: BTreeSet<&str> = values.iter().map(|(code, _)| code.as_str()).collect();
    for (index, code) in raw.ordinary.value.iter().enumerate() {
        if !known.contains(code.value.as_str()) {
            let some =
                known.iter().take(CODES_SHOWN_MAX).map(|code| format!("`{code}`")).collect::<Vec<_>>().join(", ");
            let message = format!("the status field has no code {}", quoted(&code.value));
            let remedy = format!("It has {some}{}", if known.len() > CODES_SHOWN_MAX { " and more" } else { "" });
            inspection.complaints.add(&path.key("ordinary").index(index), code.position, message, remedy);
        }
    }
    let ordinary = raw.ordinary.value.iter().map(|code| code.value.clone()).collect();
    Some(Status { field: field.name.clone(), ordinary })
}

/// Where a record belongs is read of it for policy's sake and not told, so the field may be of any class.
fn division(
    inspection: &mut Inspection,
    path: &Path<'_>,
    name: &At<String>,
    fields: &Declared<Field>,
) -> Option<FieldName> {
    let field = inspection.refer_within(path, "field", name, fields)?;
    if field.kind != FieldKind::Division {
        let message = format!("the field `{}` does not hold a division", field.name);
        inspection.complaints.add(path, name.position, message, "Name a field of kind `division`");
        return None;
    }
    Some(field.name.clone())
}

fn complain_of_status(inspection: &mut Inspection, path: &Path<'_>, position: Position, message: &str, remedy: &str) {
    inspection.complaints.add(path, position, format!("the status field {message}"), remedy);
}
