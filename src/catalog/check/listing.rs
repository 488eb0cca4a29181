//! What the guideline on catalogues asks of an entry beside the rest: format, modes, opening, dates, related entries.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{
    Listing, OpenAttribute, Opening, Sharing, SharingAttribute,
    complaint::{Path, quoted},
    inspection::Inspection,
    raw::{RawFile, RawListing, RawMode, RawOpening},
    yaml::At,
};
use crate::identifiers::ResourceCode;

pub(super) fn listing(
    inspection: &mut Inspection,
    path: &Path<'_>,
    raw: &RawListing,
    sharing: Option<&Sharing>,
) -> Option<Listing> {
    let modes_path = path.key("modes");
    inspection.not_empty(&modes_path, &raw.modes);
    for (index, mode) in raw.modes.value.iter().enumerate() {
        if raw.modes.value[..index].iter().any(|earlier| earlier.value == mode.value) {
            let message = format!("`{}` stands twice in the list", word(mode.value));
            inspection.complaints.add(&modes_path.index(index), mode.position, message, "Remove one of the two");
        }
    }
    let opening = opening(inspection, &path.key("opening"), &raw.opening, sharing);
    let published_on = inspection.date(&path.key("published_on"), &raw.published_on);
    let updated_on = inspection.date(&path.key("updated_on"), &raw.updated_on);
    if let (Some(published), Some(updated)) = (published_on, updated_on)
        && updated < published
    {
        let message = format!("`updated_on` {updated} lies before `published_on` {published}");
        let position = raw.updated_on.position;
        inspection.complaints.add(&path.key("updated_on"), position, message, "Correct one of the two");
    }
    let related_path = path.key("related");
    inspection.distinct(&related_path, &raw.related);
    let related = raw.related.iter().enumerate();
    let related = related.filter_map(|(index, code)| inspection.parse(&related_path.index(index), code)).collect();
    Some(Listing {
        format: raw.format.into(),
        modes: raw.modes.value.iter().map(|mode| mode.value.into()).collect(),
        opening: opening?,
        published_on: published_on?,
        updated_on: updated_on?,
        related,
    })
}

fn word(mode: RawMode) -> &'static str {
    match mode {
        RawMode::ServiceInterface => "service_interface",
        RawMode::BatchExchange => "batch_exchange",
        RawMode::FileDownload => "file_download",
    }
}

/// What departments get only under conditions, or not at all, the public does not get without.
fn opening(
    inspection: &mut Inspection,
    path: &Path<'_>,
    raw: &RawOpening,
    sharing: Option<&Sharing>,
) -> Option<Opening> {
    let attribute = OpenAttribute::from(raw.attribute.value);
    let conditions = match &raw.conditions {
        Some(conditions) => Some(inspection.words(&path.key("conditions"), conditions)?),
        None => None,
    };
    if attribute == OpenAttribute::Conditional && conditions.is_none() {
        let message = "a `conditional` opening states no conditions";
        let remedy = "Add `conditions` under which the public may have it";
        inspection.complaints.add(&path.key("attribute"), raw.attribute.position, message, remedy);
        return None;
    }
    let too_open = match sharing.map(|sharing| sharing.attribute) {
        Some(SharingAttribute::NotShared) => attribute != OpenAttribute::NotOpen,
        Some(SharingAttribute::Conditional) => attribute == OpenAttribute::Open,
        Some(SharingAttribute::Unconditional) | None => false,
    };
    if too_open {
        let message = "the public would have what departments do not have without conditions";
        let remedy = "Use `not_open`, or share it with departments first";
        inspection.complaints.add(&path.key("attribute"), raw.attribute.position, message, remedy);
    }
    Some(Opening { attribute, conditions })
}

/// Related entries are entries of this catalogue, and others.
pub(super) fn check_related(
    inspection: &mut Inspection,
    files: &[(String, RawFile)],
    codes: &BTreeMap<ResourceCode, String>,
) {
    if !inspection.is_complete() {
        return; // It may stand in the file that could not be read.
    }
    let known: BTreeSet<&str> = codes.keys().map(ResourceCode::as_str).collect();
    for (file, raw) in files {
        let file = Path::file(file);
        let heading = file.key("datasets");
        for (index, element) in raw.datasets.iter().enumerate() {
            let path = heading.index(index);
            let (path, own) = (path.key("listing"), &element.value.code.value);
            let path = path.key("related");
            for (index, code) in element.value.listing.related.iter().enumerate() {
                check_one(inspection, &path.index(index), code, own, &known);
            }
        }
    }
}

fn check_one(inspection: &mut Inspection, path: &Path<'_>, code: &At<String>, own: &str, known: &BTreeSet<&str>) {
    if code.value == own {
        inspection.complaints.add(path, code.position, "the entry is related to itself", "Name another entry");
    } else if code.value.parse::<ResourceCode>().is_ok() && !known.contains(code.value.as_str()) {
        let remedy =
            inspection.complaints.nearest(&code.value, known.iter().copied(), "Name an entry of the catalogue");
        let message = format!("no dataset has the resource code {}", quoted(&code.value));
        inspection.complaints.add(path, code.position, message, remedy);
    }
}
