//! The catalogue in the world's vocabulary: DCAT 3 as JSON-LD, for portals and catalogues that are not ours.
//!
//! Pure. One `dcat:Catalog` with its datasets, each with publisher, themes, update cycle, access rights and, where it is
//! shared by an interface, the service that answers. Terms of DCAT, Dublin Core, FOAF and PROV only; what has no term
//! there (key, comparators, masks) is not said. Entries of other nodes are told with where they come from, and without a
//! service: whether this node asks that one is for its own catalogue to say.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::{
    Bilingual, Catalog, Dataset, Department, Entry, OpenAttribute, SharingAttribute, SharingMode, UpdateCycle,
};

/// The vocabularies, and which of the values are IRIs or dates.
fn context() -> Value {
    json!({
        "dcat": "http://www.w3.org/ns/dcat#",
        "dct": "http://purl.org/dc/terms/",
        "prov": "http://www.w3.org/ns/prov#",
        "prov:generatedAtTime": { "@type": "xsd:dateTime" },
        "foaf": "http://xmlns.com/foaf/0.1/",
        "skos": "http://www.w3.org/2004/02/skos/core#",
        "xsd": "http://www.w3.org/2001/XMLSchema#",
        "dct:accrualPeriodicity": { "@type": "@id" },
        "dct:accessRights": { "@type": "@id" },
        "dct:format": { "@type": "@id" },
        "dct:relation": { "@type": "@id" },
        "dct:issued": { "@type": "xsd:date" },
        "dct:modified": { "@type": "xsd:date" },
        "dcat:endpointURL": { "@type": "@id" },
        "dcat:endpointDescription": { "@type": "@id" },
        "dcat:accessURL": { "@type": "@id" },
        "dcat:servesDataset": { "@type": "@id" },
        "dcat:theme": { "@type": "@id" },
    })
}

/// An entry of another node.
#[derive(Clone, Copy, Debug)]
pub struct Elsewhere<'e> {
    pub entry: &'e Entry,
    /// When that node changed it.
    pub as_of: DateTime<Utc>,
}

/// The whole catalogue with entries of other nodes, with IRIs below the node's URL (without a slash at its end).
pub fn export(catalog: &Catalog, elsewhere: &[Elsewhere<'_>], node_url: &str) -> Value {
    let base = node_url.trim_end_matches('/');
    let own = catalog.datasets.values().map(|one| of_catalog(catalog, one, base));
    let datasets: Vec<_> = own.chain(elsewhere.iter().map(|one| of_another(*one, base))).collect();
    let all = catalog.datasets.values().chain(elsewhere.iter().map(|one| &one.entry.dataset));
    let themes: std::collections::BTreeMap<_, _> =
        all.map(|dataset| (dataset.code.theme(), dataset.code.theme_names())).collect();
    let schemes: Vec<_> = themes.iter().map(|(theme, names)| concept(base, theme, *names)).collect();
    json!({
        "@context": context(),
        "@id": format!("{base}/v1/catalog.jsonld"),
        "@type": "dcat:Catalog",
        "dct:title": both(&Bilingual { zh: "政务数据目录".to_owned(), en: "Catalogue of government data".to_owned() }),
        "dct:language": ["zh", "en"],
        "dcat:themeTaxonomy": { "@id": format!("{base}/v1/catalog.jsonld#themes"), "@type": "skos:ConceptScheme", "skos:hasTopConcept": schemes },
        "dcat:service": service(catalog, base),
        "dcat:dataset": datasets,
    })
}

fn of_catalog(catalog: &Catalog, one: &Dataset, base: &str) -> Value {
    let own = iri(base, one.id.as_str());
    let related = one.listing.related.iter().filter_map(|code| catalog.by_resource_code(code));
    let related: Vec<_> = related.map(|other| iri(base, other.id.as_str())).collect();
    let mut said = dataset(one, catalog.departments.get(&one.provider), base, &own);
    said["dct:relation"] = json!(related);
    said["dcat:distribution"] = json!(distributions(one, &own, Some(base)));
    said
}

fn of_another(Elsewhere { entry, as_of }: Elsewhere<'_>, base: &str) -> Value {
    let own = format!("{}?origin={}", iri(base, entry.dataset.id.as_str()), entry.node.id);
    let mut said = dataset(&entry.dataset, Some(&entry.provider), base, &own);
    said["dcat:distribution"] = json!(distributions(&entry.dataset, &own, None));
    said["prov:wasAttributedTo"] = json!({
        "@id": format!("{base}/v1/catalog/nodes#{}", entry.node.id),
        "@type": "prov:Agent",
        "dct:identifier": entry.node.id,
        "foaf:name": both(&entry.node.name),
    });
    said["prov:generatedAtTime"] = json!(as_of.to_rfc3339_opts(SecondsFormat::Secs, true));
    said
}

fn dataset(dataset: &Dataset, provider: Option<&Department>, base: &str, own: &str) -> Value {
    let keyword = |title: &Bilingual| json!({ "@value": title.zh, "@language": "zh" });
    let keywords: Vec<_> = dataset.fields.iter().map(|field| keyword(&field.title)).collect();
    let mut said = json!({
        "@id": own,
        "@type": "dcat:Dataset",
        "dct:identifier": [dataset.code.as_str(), dataset.id.as_str()],
        "dct:title": both(&dataset.name),
        "dct:description": both(&dataset.summary),
        "dct:publisher": provider.map(|one| publisher(base, one)),
        "dct:accrualPeriodicity": periodicity(dataset.update_cycle),
        "dct:accessRights": access_rights(dataset),
        "dct:rights": dataset.sharing.ground.as_ref().map(|ground| json!({
            "@type": "dct:RightsStatement",
            "dct:description": { "@value": ground, "@language": "zh" },
        })),
        "dct:issued": dataset.listing.published_on.to_string(),
        "dct:modified": dataset.listing.updated_on.to_string(),
        "dcat:theme": theme_iri(base, dataset.code.theme()),
        "dcat:keyword": keywords,
    });
    if let Some(members) = said.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    said
}

fn iri(base: &str, dataset: &str) -> String {
    format!("{base}/v1/catalog/datasets/{dataset}")
}

fn theme_iri(base: &str, theme: &str) -> String {
    format!("{base}/v1/catalog.jsonld#theme-{theme}")
}

fn concept(base: &str, theme: &str, names: Option<(&str, &str)>) -> Value {
    let label = names.map(|(zh, en)| both(&Bilingual { zh: zh.to_owned(), en: en.to_owned() }));
    let mut said = json!({ "@id": theme_iri(base, theme), "@type": "skos:Concept", "skos:notation": theme });
    if let Some(label) = label {
        said["skos:prefLabel"] = label;
    }
    said
}

fn publisher(base: &str, department: &Department) -> Value {
    json!({
        "@id": format!("{base}/v1/catalog/departments#{}", department.id),
        "@type": "foaf:Organization",
        "foaf:name": both(&department.name),
        "dct:identifier": department.credit_code.to_string(),
    })
}

fn both(words: &Bilingual) -> Value {
    json!([{ "@value": words.zh, "@language": "zh" }, { "@value": words.en, "@language": "en" }])
}

/// The frequencies that the EU's vocabulary names, which DCAT profiles use.
fn periodicity(cycle: UpdateCycle) -> String {
    let name = match cycle {
        UpdateCycle::RealTime => "UPDATE_CONT",
        UpdateCycle::Daily => "DAILY",
        UpdateCycle::Weekly => "WEEKLY",
        UpdateCycle::Monthly => "MONTHLY",
        UpdateCycle::Quarterly => "QUARTERLY",
        UpdateCycle::HalfYearly => "ANNUAL_2",
        UpdateCycle::Yearly => "ANNUAL",
        UpdateCycle::Irregular => "IRREG",
    };
    format!("http://publications.europa.eu/resource/authority/frequency/{name}")
}

/// As seen by the public: what only departments may have is restricted.
fn access_rights(dataset: &Dataset) -> String {
    let right = match (dataset.listing.opening.attribute, dataset.sharing.attribute) {
        (OpenAttribute::Open, _) => "PUBLIC",
        (_, SharingAttribute::NotShared) => "NON_PUBLIC",
        (OpenAttribute::Conditional | OpenAttribute::NotOpen, _) => "RESTRICTED",
    };
    format!("http://publications.europa.eu/resource/authority/access-right/{right}")
}

/// One for each way in which it is shared; `served` below which URL, where this node answers.
fn distributions(dataset: &Dataset, own: &str, served: Option<&str>) -> Vec<Value> {
    let one = |mode: &SharingMode| {
        let mut said = json!({
            "@id": format!("{own}#{}", mode.word()),
            "@type": "dcat:Distribution",
            "dct:title": mode.word(),
            "dcat:accessURL": own,
        });
        if let Some(base) = served.filter(|_| *mode == SharingMode::ServiceInterface) {
            said["dcat:accessService"] = json!({ "@id": service_iri(base) });
        }
        said
    };
    dataset.listing.modes.iter().filter(|_| dataset.sharing.attribute != SharingAttribute::NotShared).map(one).collect()
}

fn service_iri(base: &str) -> String {
    format!("{base}/openapi.json#service")
}

fn service(catalog: &Catalog, base: &str) -> Value {
    let served = |dataset: &&std::sync::Arc<Dataset>| {
        dataset.sharing.attribute != SharingAttribute::NotShared
            && dataset.listing.modes.contains(&SharingMode::ServiceInterface)
    };
    let datasets = catalog.datasets.values().filter(served).map(|dataset| iri(base, dataset.id.as_str()));
    json!({
        "@id": service_iri(base),
        "@type": "dcat:DataService",
        "dct:title": both(&Bilingual { zh: "核验和查询服务".to_owned(), en: "Verification and disclosure".to_owned() }),
        "dcat:endpointURL": format!("{base}/v1"),
        "dcat:endpointDescription": format!("{base}/openapi.json"),
        "dcat:servesDataset": datasets.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = include_str!("check/small.yaml");

    fn exported(text: &str) -> Value {
        let catalog = super::super::load_from([("c.yaml".to_owned(), text.to_owned())]).unwrap();
        export(&catalog, &[], "https://node.example/")
    }

    #[test]
    fn a_dataset_is_told_with_publisher_rights_and_service() {
        let all = exported(SMALL);
        let one = &all["dcat:dataset"][0];
        assert_eq!(one["@id"], "https://node.example/v1/catalog/datasets/people");
        assert_eq!(one["dct:publisher"]["dct:identifier"], "11440000000999993T");
        assert_eq!(one["dct:title"][0], json!({ "@value": "人口", "@language": "zh" }));
        assert_eq!(one["dct:issued"], "2025-08-01");
        assert!(one["dct:accessRights"].as_str().unwrap().ends_with("/RESTRICTED"));
        assert!(one["dct:accrualPeriodicity"].as_str().unwrap().ends_with("/DAILY"));
        assert_eq!(one["dcat:distribution"][0]["dcat:accessService"]["@id"], all["dcat:service"]["@id"]);
        assert_eq!(all["dcat:service"]["dcat:servesDataset"][0], one["@id"]);
    }

    #[test]
    fn what_is_not_shared_has_no_distribution_and_no_service() {
        let items = SMALL.find("items:").unwrap();
        let text =
            SMALL[..items].replace("attribute: conditional, ground: 仅限核验", "attribute: not_shared, ground: 《法》");
        let all = exported(&text);
        assert_eq!(all["dcat:dataset"][0]["dcat:distribution"], json!([]));
        assert_eq!(all["dcat:service"]["dcat:servesDataset"], json!([]));
        assert!(all["dcat:dataset"][0]["dct:accessRights"].as_str().unwrap().ends_with("/NON_PUBLIC"));
    }

    #[test]
    fn an_entry_of_another_node_says_whose_it_is_and_is_not_served_here() {
        let catalog = super::super::load_from([("c.yaml".to_owned(), SMALL.to_owned())]).unwrap();
        let entry = Entry::of(&catalog, catalog.datasets.values().next().unwrap()).unwrap();
        let elsewhere = [Elsewhere { entry: &entry, as_of: DateTime::from_timestamp(1_764_000_000, 0).unwrap() }];
        let all = export(&catalog, &elsewhere, "https://node.example/");
        let (own, other) = (&all["dcat:dataset"][0], &all["dcat:dataset"][1]);
        assert_eq!(other["@id"], format!("{}?origin={}", own["@id"].as_str().unwrap(), entry.node.id));
        assert_eq!(other["prov:wasAttributedTo"]["dct:identifier"], json!(entry.node.id));
        assert_eq!(other["prov:generatedAtTime"], "2025-11-24T16:00:00Z");
        assert_eq!(other["dct:publisher"], own["dct:publisher"]);
        assert!(other["dcat:distribution"][0]["dcat:accessService"].is_null());
        assert_eq!(all["dcat:service"]["dcat:servesDataset"], json!([own["@id"]]));
    }

    #[test]
    fn no_null_and_no_register_value_is_said() {
        fn nulls(value: &Value) -> bool {
            match value {
                Value::Null => true,
                Value::Array(all) => all.iter().any(nulls),
                Value::Object(all) => all.values().any(nulls),
                Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
            }
        }
        assert!(!nulls(&exported(SMALL)));
    }
}
