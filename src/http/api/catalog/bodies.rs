//! The catalogue in JSON: what the API answers and the command line prints.

mod elsewhere;
mod revision;

use serde::Serialize;
use utoipa::ToSchema;

pub(crate) use elsewhere::{OriginBody, origin};
pub(crate) use revision::{RevisionBody, shown};

use crate::{
    catalog::{self, Bilingual, Catalog, Dataset, Department, Field, FieldKind, Item, Material},
    identifiers::ResourceClass,
};

/// Words in Chinese and in English.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BilingualText)]
pub(crate) struct Words {
    pub(crate) zh: String,
    pub(crate) en: String,
}

/// Where a resource is sorted in: the parts of its code.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ResourceClassification)]
pub(crate) struct Classification {
    /// Class (类): 1 base, 2 theme, 3 department.
    class: String,
    class_name: Words,
    /// Class and item (项), such as `101`.
    theme: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    theme_name: Option<Words>,
    /// Section (目).
    section: String,
    /// Detail (细目), where there is one.
    #[serde(skip_serializing_if = "str::is_empty")]
    #[schema(required = false)]
    detail: String,
}

/// A dataset, as a list shows it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DatasetSummary)]
pub(crate) struct DatasetLine {
    pub(crate) id: String,
    /// Resource code (信息资源代码).
    pub(crate) code: String,
    pub(crate) name: Words,
    pub(crate) provider: String,
    /// `unconditional`, `conditional` or `not_shared`.
    pub(crate) sharing: &'static str,
    pub(crate) update_cycle: &'static str,
    /// 1 (public) to 4 (most sensitive).
    pub(crate) sensitivity: u8,
    pub(crate) fields: usize,
    /// Whose entry it is, where entries of all nodes were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) origin: Option<OriginBody>,
}

/// A dataset with everything that the catalogue says of it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DatasetEntry)]
pub(crate) struct DatasetBody {
    id: String,
    /// Resource code (信息资源代码).
    code: String,
    classification: Classification,
    name: Words,
    summary: Words,
    provider: DepartmentBody,
    /// What it is kept as.
    format: &'static str,
    sharing: SharingBody,
    opening: OpeningBody,
    update_cycle: &'static str,
    /// 1 (public) to 4 (most sensitive).
    sensitivity: u8,
    /// The day on which the entry was first published.
    published_on: String,
    /// The day on which the entry was last changed.
    updated_on: String,
    /// Resource codes of related entries.
    related: Vec<String>,
    /// The field that a record is looked up by.
    key: String,
    secondary_keys: Vec<String>,
    /// The field that tells whether a record is in its ordinary state.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    /// The field that tells to which division a record belongs.
    #[serde(skip_serializing_if = "Option::is_none")]
    division: Option<String>,
    fields: Vec<FieldBody>,
    /// Whose entry it is, where that of a certain node was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) origin: Option<OriginBody>,
}

/// How departments get it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SharingTerms)]
pub(crate) struct SharingBody {
    /// `unconditional`, `conditional` or `not_shared`.
    attribute: &'static str,
    /// The conditions, or the legal ground for not sharing.
    #[serde(skip_serializing_if = "Option::is_none")]
    ground: Option<String>,
    /// `service_interface`, `batch_exchange`, `file_download`.
    modes: Vec<&'static str>,
}

/// How the public gets it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OpeningTerms)]
pub(crate) struct OpeningBody {
    /// `open`, `conditional` or `not_open`.
    attribute: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    conditions: Option<String>,
}

/// A field of a dataset.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FieldEntry)]
pub(crate) struct FieldBody {
    pub(crate) name: String,
    pub(crate) title: Words,
    /// Pinyin initials of the data element.
    pub(crate) element: String,
    pub(crate) kind: &'static str,
    /// Of a text: the most characters it may have.
    #[serde(skip_serializing_if = "Option::is_none")]
    chars_max: Option<usize>,
    /// Of a code: every code with its meaning.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    codes: Vec<CodeBody>,
    pub(crate) comparator: &'static str,
    pub(crate) sensitivity: u8,
    /// The most that may ever leave of it: `plain`, `masked`, `compare_only` or `never`.
    pub(crate) disclosure: &'static str,
    mask: &'static str,
    pub(crate) required: bool,
}

/// A code with its meaning.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CodeEntry)]
pub(crate) struct CodeBody {
    code: String,
    meaning: String,
}

/// A department.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DepartmentEntry)]
pub(crate) struct DepartmentBody {
    pub(crate) id: String,
    pub(crate) name: Words,
    /// Unified social credit code (GB 32100).
    pub(crate) credit_code: String,
    /// GB/T 2260 code.
    pub(crate) division: String,
    /// The node its systems call.
    pub(crate) node: String,
}

/// A service item, as a list shows it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ItemSummary)]
pub(crate) struct ItemLine {
    /// Implementation code (GB/T 39554.1).
    pub(crate) code: String,
    pub(crate) version: u32,
    pub(crate) name: Words,
    pub(crate) department: String,
    /// Is it carried out for applicants of any division?
    pub(crate) cross_region: bool,
    pub(crate) valid_from: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) valid_until: Option<String>,
    /// Is this version in force today, in China?
    pub(crate) in_force: bool,
}

/// A service item with all its versions, the oldest first.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ItemEntry)]
pub(crate) struct ItemBody {
    code: String,
    versions: Vec<ItemVersionBody>,
}

/// A version of a service item.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ItemVersion)]
pub(crate) struct ItemVersionBody {
    #[serde(flatten)]
    line: ItemLine,
    materials: Vec<MaterialBody>,
}

/// A document that nobody has to bring, and what stands in for it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MaterialEntry)]
pub(crate) struct MaterialBody {
    id: String,
    name: Words,
    stand_ins: Vec<StandInBody>,
}

/// Fields of one dataset which together replace a material.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StandInEntry)]
pub(crate) struct StandInBody {
    dataset: String,
    fields: Vec<String>,
}

impl From<&Bilingual> for Words {
    fn from(words: &Bilingual) -> Self {
        Self { zh: words.zh.clone(), en: words.en.clone() }
    }
}

fn words((zh, en): (&str, &str)) -> Words {
    Words { zh: zh.to_owned(), en: en.to_owned() }
}

pub(crate) fn dataset_line(dataset: &Dataset) -> DatasetLine {
    DatasetLine {
        id: dataset.id.to_string(),
        code: dataset.code.to_string(),
        name: (&dataset.name).into(),
        provider: dataset.provider.to_string(),
        sharing: dataset.sharing.attribute.word(),
        update_cycle: dataset.update_cycle.word(),
        sensitivity: dataset.sensitivity.level(),
        fields: dataset.fields.len(),
        origin: None,
    }
}

/// The dataset whole; `None` where its provider is not in the catalogue, which a checked one rules out.
pub(crate) fn dataset(catalog: &Catalog, dataset: &Dataset) -> Option<DatasetBody> {
    Some(provided(dataset, catalog.departments.get(&dataset.provider)?))
}

/// The same where the provider is at hand.
pub(crate) fn provided(dataset: &Dataset, provider: &Department) -> DatasetBody {
    let code = &dataset.code;
    let class = match code.class() {
        ResourceClass::Base => "1",
        ResourceClass::Theme => "2",
        ResourceClass::Department => "3",
    };
    let listing = &dataset.listing;
    DatasetBody {
        id: dataset.id.to_string(),
        code: code.to_string(),
        classification: Classification {
            class: class.to_owned(),
            class_name: words(code.class().names()),
            theme: code.theme().to_owned(),
            theme_name: code.theme_names().map(words),
            section: code.section().to_owned(),
            detail: code.detail().to_owned(),
        },
        name: (&dataset.name).into(),
        summary: (&dataset.summary).into(),
        provider: department(provider),
        format: listing.format.word(),
        sharing: SharingBody {
            attribute: dataset.sharing.attribute.word(),
            ground: dataset.sharing.ground.clone(),
            modes: listing.modes.iter().map(|mode| mode.word()).collect(),
        },
        opening: OpeningBody {
            attribute: listing.opening.attribute.word(),
            conditions: listing.opening.conditions.clone(),
        },
        update_cycle: dataset.update_cycle.word(),
        sensitivity: dataset.sensitivity.level(),
        published_on: listing.published_on.to_string(),
        updated_on: listing.updated_on.to_string(),
        related: listing.related.iter().map(ToString::to_string).collect(),
        key: dataset.key.to_string(),
        secondary_keys: dataset.secondary_keys.iter().map(ToString::to_string).collect(),
        status: dataset.status.as_ref().map(|status| status.field.to_string()),
        division: dataset.division.as_ref().map(ToString::to_string),
        fields: dataset.fields.iter().map(field).collect(),
        origin: None,
    }
}

pub(crate) fn field(field: &Field) -> FieldBody {
    let (chars_max, codes) = match &field.kind {
        FieldKind::Text { chars_max } => (Some(*chars_max), Vec::new()),
        FieldKind::Code { values } => (None, values.iter().map(code).collect()),
        FieldKind::ResidentId
        | FieldKind::CreditCode
        | FieldKind::LicenceId
        | FieldKind::Division
        | FieldKind::Date
        | FieldKind::Integer
        | FieldKind::Boolean => (None, Vec::new()),
    };
    FieldBody {
        name: field.name.to_string(),
        title: (&field.title).into(),
        element: field.element.clone(),
        kind: field.kind.name(),
        chars_max,
        codes,
        comparator: field.comparator.word(),
        sensitivity: field.sensitivity.level(),
        disclosure: field.disclosure.word(),
        mask: field.mask.word(),
        required: field.required,
    }
}

fn code((code, meaning): &(String, String)) -> CodeBody {
    CodeBody { code: code.clone(), meaning: meaning.clone() }
}

pub(crate) fn department(department: &Department) -> DepartmentBody {
    DepartmentBody {
        id: department.id.to_string(),
        name: (&department.name).into(),
        credit_code: department.credit_code.to_string(),
        division: department.division.to_string(),
        node: department.node.to_string(),
    }
}

pub(crate) fn item_line(item: &Item, today: chrono::NaiveDate) -> ItemLine {
    ItemLine {
        code: item.code.to_string(),
        version: item.version,
        name: (&item.name).into(),
        department: item.department.to_string(),
        cross_region: item.cross_region,
        valid_from: item.valid_from.to_string(),
        valid_until: item.valid_until.map(|day| day.to_string()),
        in_force: item.is_in_force_on(today),
    }
}

/// Every version of the item of that code; of one that is not there, none.
pub(crate) fn item(catalog: &Catalog, code: &crate::identifiers::ItemCode, today: chrono::NaiveDate) -> ItemBody {
    let version = |item: &std::sync::Arc<Item>| ItemVersionBody {
        line: item_line(item, today),
        materials: item.materials.iter().map(material).collect(),
    };
    ItemBody { code: code.to_string(), versions: catalog.versions(code).map(version).collect() }
}

fn material(material: &Material) -> MaterialBody {
    let stand_in = |one: &catalog::StandIn| StandInBody {
        dataset: one.dataset.to_string(),
        fields: one.fields.iter().map(ToString::to_string).collect(),
    };
    MaterialBody {
        id: material.id.to_string(),
        name: (&material.name).into(),
        stand_ins: material.stand_ins.iter().map(stand_in).collect(),
    }
}
