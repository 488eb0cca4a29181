//! Does a catalogue hold together? What the files say becomes what the node uses.
//!
//! Uses `raw` and `inspection`. Promises that a [`Catalog`] made here names nothing that it does not declare, and that
//! everything wrong is complained about at once.
//!
//! ```text
//! RawFile... --> nodes --> departments --> datasets --> items --> Catalog
//!                each may refer to those before it; complaints gather along the way
//! ```

mod dataset;
mod field;
mod item;
mod listing;
mod organisation;
mod placement;
mod returns;

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Bilingual, Catalog, Division, Entry,
    complaint::{Complaint, Path, Position},
    inspection::{Declared, Inspection, sound},
    raw::{RawBilingual, RawFile},
    yaml::At,
};
use crate::identifiers::DivisionCode;

/// Check everything that was read. `unread` are the complaints about files that could not be.
pub(super) fn catalog(files: &[(String, RawFile)], unread: Vec<Complaint>) -> Result<Catalog, Vec<Complaint>> {
    let mut inspection = Inspection::new(unread);
    let nodes = organisation::nodes(&mut inspection, files);
    let departments = organisation::departments(&mut inspection, files, &nodes);
    let (datasets, codes) = dataset::datasets(&mut inspection, files, &departments, &nodes);
    listing::check_related(&mut inspection, files, &codes);
    let items = item::items(&mut inspection, files, &departments, &datasets);
    returns::check_items(&mut inspection, files, &items.0);
    inspection.complaints.into_result()?;
    let (items, earlier_items) = items;
    Ok(Catalog {
        nodes: sound(nodes).map(|node| (node.id.clone(), node)).collect(),
        departments: sound(departments).map(|department| (department.id.clone(), department)).collect(),
        datasets: sound(datasets).map(|dataset| (dataset.id.clone(), Arc::new(dataset))).collect(),
        items,
        earlier_items,
        divisions: divisions(),
    })
}

/// Check one entry that stands alone: a dataset, its provider, and the provider's node.
pub(super) fn entry(name: &str, raw: RawFile) -> Result<Entry, Vec<Complaint>> {
    let (mut inspection, files) = (Inspection::new(Vec::new()), [(name.to_owned(), raw)]);
    let nodes = organisation::nodes(&mut inspection, &files);
    let departments = organisation::departments(&mut inspection, &files, &nodes);
    let (datasets, _) = dataset::datasets(&mut inspection, &files, &departments, &nodes);
    let counts = (nodes.len(), departments.len(), datasets.len(), files[0].1.items.len());
    if counts != (1, 1, 1, 0) {
        let message = "an entry is one node, one department and one dataset";
        inspection.complaints.add(&Path::file(name), Position::START, message, "Tell each entry by itself");
    }
    inspection.complaints.into_result()?;
    let all = (sound(nodes).next(), sound(departments).next(), sound(datasets).next());
    // What is not sound has been complained about above.
    let (Some(node), Some(provider), Some(dataset)) = all else { return Err(Vec::new()) };
    Ok(Entry { node, provider, dataset: Arc::new(dataset) })
}

fn divisions() -> BTreeMap<DivisionCode, Division> {
    let named = |code: DivisionCode| Some((code, code.name()?.to_owned()));
    DivisionCode::all_known()
        .filter_map(named)
        .map(|(code, name)| (code, Division { code, name, abolished: code.is_abolished() }))
        .collect()
}

/// Convert the elements of one heading in every file.
fn each<R, T>(
    inspection: &mut Inspection,
    files: &[(String, RawFile)],
    (heading, kind, id_key): (&str, &str, &str),
    list: impl Fn(&RawFile) -> &[At<R>],
    id: impl Fn(&R) -> &At<String>,
    mut convert: impl FnMut(&mut Inspection, &Path<'_>, &R) -> Option<T>,
) -> Declared<T> {
    let mut declared = Declared::new();
    for (file, raw) in files {
        let file = Path::file(file);
        let heading = file.key(heading);
        for (index, element) in list(raw).iter().enumerate() {
            let path = heading.index(index);
            let sound = convert(inspection, &path, &element.value);
            let id = id(&element.value);
            inspection.declare(&path.key(id_key), kind, (id.value.clone(), id.position), sound, &mut declared);
        }
    }
    declared
}

fn bilingual(inspection: &mut Inspection, path: &Path<'_>, raw: &RawBilingual) -> Option<Bilingual> {
    let zh = inspection.words(&path.key("zh"), &raw.zh);
    let en = inspection.words(&path.key("en"), &raw.en);
    Some(Bilingual { zh: zh?, en: en? })
}

#[cfg(test)]
mod tests;
