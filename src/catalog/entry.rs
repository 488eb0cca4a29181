//! One entry alone, as one node tells it to another: the dataset, its provider and the node that the provider is on.
//!
//! It is written as a file of a catalogue (JSON, which is YAML too), so that whoever hears it reads and checks it as strictly
//! as its own files. What concerns the entry's own node only is left out: where records are kept, and the share of rejects.
//!
//! Promises: an entry that is read is the one that was written; the same entry is written in the same way.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    Bilingual, Catalog, CatalogError, Dataset, Department, Field, FieldKind, Node, check, complaint::Complaint,
    raw::RawFile, yaml,
};

/// How complaints name the text.
const NAME: &str = "entry";

/// A dataset that some node publishes, with all that it refers to.
#[derive(Clone, Debug)]
pub struct Entry {
    pub node: Node,
    pub provider: Department,
    pub dataset: Arc<Dataset>,
}

impl Entry {
    /// A dataset of a catalogue; `None` where the catalogue lacks its provider, which a checked one rules out.
    pub fn of(catalog: &Catalog, dataset: &Arc<Dataset>) -> Option<Self> {
        let provider = catalog.departments.get(&dataset.provider)?;
        let node = catalog.nodes.get(&provider.node)?;
        Some(Self { node: node.clone(), provider: provider.clone(), dataset: Arc::clone(dataset) })
    }

    /// Read and check it as a file of a catalogue, but for related entries, which stand elsewhere.
    pub fn read(text: &str) -> Result<Self, CatalogError> {
        let refused = |complaints: Vec<Complaint>| CatalogError::Inconsistent { complaints };
        let raw: RawFile = yaml::read(NAME, text).map_err(|complaint| refused(vec![complaint]))?;
        check::entry(NAME, raw).map_err(refused)
    }

    pub fn to_json(&self) -> Value {
        let (node, provider) = (&self.node, &self.provider);
        json!({
            "nodes": [{ "id": node.id, "name": words(&node.name), "division": node.division.as_str() }],
            "departments": [{
                "id": provider.id, "name": words(&provider.name), "credit_code": provider.credit_code.to_string(),
                "division": provider.division.as_str(), "node": provider.node,
            }],
            "datasets": [dataset(&self.dataset)],
        })
    }
}

fn dataset(dataset: &Dataset) -> Value {
    let listing = &dataset.listing;
    let status = dataset.status.as_ref();
    without_nulls(json!({
        "id": dataset.id, "code": dataset.code.as_str(), "name": words(&dataset.name), "summary": words(&dataset.summary),
        "provider": dataset.provider,
        "sharing": without_nulls(json!({
            "attribute": dataset.sharing.attribute.word(), "ground": dataset.sharing.ground,
        })),
        "update_cycle": dataset.update_cycle.word(), "sensitivity": dataset.sensitivity.level(),
        "key": dataset.key, "secondary_keys": dataset.secondary_keys,
        "status": status.map(|status| json!({ "field": status.field, "ordinary": status.ordinary })),
        "division": dataset.division,
        "reject_share_max": 0, // A file must say one.
        "listing": {
            "format": listing.format.word(),
            "modes": listing.modes.iter().map(|mode| mode.word()).collect::<Vec<_>>(),
            "opening": without_nulls(json!({
                "attribute": listing.opening.attribute.word(), "conditions": listing.opening.conditions,
            })),
            "published_on": listing.published_on.to_string(), "updated_on": listing.updated_on.to_string(),
            "related": listing.related.iter().map(|code| code.as_str()).collect::<Vec<_>>(),
        },
        "fields": dataset.fields.iter().map(field).collect::<Vec<_>>(),
    }))
}

fn field(field: &Field) -> Value {
    let (chars_max, codes) = match &field.kind {
        FieldKind::Text { chars_max } => (Some(*chars_max), None),
        FieldKind::Code { values } => {
            let codes = values.iter().map(|(code, meaning)| (code.clone(), json!(meaning)));
            (None, Some(codes.collect::<serde_json::Map<_, _>>()))
        }
        FieldKind::ResidentId
        | FieldKind::CreditCode
        | FieldKind::LicenceId
        | FieldKind::Division
        | FieldKind::Date
        | FieldKind::Integer
        | FieldKind::Boolean => (None, None),
    };
    without_nulls(json!({
        "name": field.name, "title": words(&field.title), "element": field.element, "kind": field.kind.name(),
        "chars_max": chars_max, "codes": codes, "comparator": field.comparator.word(),
        "sensitivity": field.sensitivity.level(), "disclosure": field.disclosure.word(), "mask": field.mask.word(),
        "required": field.required,
    }))
}

fn words(words: &Bilingual) -> Value {
    json!({ "zh": words.zh, "en": words.en })
}

fn without_nulls(mut value: Value) -> Value {
    if let Some(members) = value.as_object_mut() {
        members.retain(|_, member| !member.is_null());
    }
    value
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::catalog::{Placement, load};

    fn entries() -> Vec<Entry> {
        let catalog = load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("catalogs/guangdong")).unwrap();
        catalog.datasets.values().map(|dataset| Entry::of(&catalog, dataset).unwrap()).collect()
    }

    #[test]
    fn every_entry_of_the_catalogue_reads_back_but_for_what_is_its_nodes_own() {
        for entry in entries() {
            let text = entry.to_json().to_string();
            let read = Entry::read(&text).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(read.to_json().to_string(), text);
            let mut told = Dataset::clone(&entry.dataset);
            (told.placement, told.reject_share_max) = (Placement::default(), 0.0);
            for field in &mut told.fields {
                if let FieldKind::Code { values } = &mut field.kind {
                    values.sort(); // A JSON object has no order.
                }
            }
            let mut heard = Dataset::clone(&read.dataset);
            for field in &mut heard.fields {
                if let FieldKind::Code { values } = &mut field.kind {
                    values.sort();
                }
            }
            assert_eq!(heard, told);
            assert_eq!((read.provider, read.node.id), (entry.provider, entry.node.id));
        }
    }

    #[test]
    fn what_is_no_entry_says_why() {
        let entry = entries().remove(0).to_json();
        let changed = |change: fn(&mut Value)| {
            let mut other = entry.clone();
            change(&mut other);
            Entry::read(&other.to_string()).unwrap_err().complaints()[0].to_string()
        };
        for (said, expect) in [
            (changed(|it| it["datasets"] = json!([])), "one node, one department and one dataset"),
            (changed(|it| it["nodes"][0]["division"] = json!("440300")), "does not cover division"),
            (changed(|it| it["datasets"][0]["provider"] = json!("else")), "unknown department `else`"),
            (changed(|it| it["datasets"][0]["name"]["zh"] = json!("")), "name.zh"),
            (changed(|it| it["datasets"][0]["more"] = json!(1)), "unknown key `more`"),
            (changed(|it| it["items"] = json!([{}])), "the key `code` is missing"),
        ] {
            assert!(said.contains(expect), "{said}");
        }
        assert!(Entry::read(&"[".repeat(10_000)).is_err());
    }
}
