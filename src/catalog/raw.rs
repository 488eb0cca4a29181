//! The catalogue as it is written: exactly what a file says, nothing judged.
//!
//! Uses `yaml`. The doc comments here are what an editor shows beside each key: [`super::json_schema`] is made from these
//! types. The catalogue that the rest of the node sees is made from them by `check`.

mod listing;
mod returns;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Comparator, Disclosure, MaskStyle, SharingAttribute, UpdateCycle};
use crate::catalog::yaml::{At, Ordered};
pub(super) use listing::{RawListing, RawMode, RawOpening};
pub(super) use returns::RawReturn;

/// One file of a catalogue. A catalogue is all files of a directory together; any file may declare anything.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping with `nodes`, `departments`, `datasets` or `items`")]
#[schemars(title = "Shuqiao catalogue file")]
pub(super) struct RawFile {
    /// Nodes of the platform: the province's and the cities'.
    #[serde(default)]
    pub(super) nodes: Vec<At<RawNode>>,
    /// Departments, as providers and as consumers.
    #[serde(default)]
    pub(super) departments: Vec<At<RawDepartment>>,
    /// Registered data resources.
    #[serde(default)]
    pub(super) datasets: Vec<At<RawDataset>>,
    /// Service items with the materials they ask for.
    #[serde(default)]
    pub(super) items: Vec<At<RawItem>>,
}

/// A name in Chinese and in English.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping with `zh` and `en`")]
#[schemars(rename = "Bilingual")]
pub(super) struct RawBilingual {
    pub(super) zh: At<String>,
    pub(super) en: At<String>,
}

/// One running exchange node.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a node: a mapping with `id`, `name` and `division`")]
#[schemars(rename = "Node")]
pub(super) struct RawNode {
    /// Lower-case letters, digits and inner hyphens.
    pub(super) id: At<String>,
    pub(super) name: RawBilingual,
    /// GB/T 2260 code of the area it serves.
    #[schemars(extend("pattern" = "^[0-9]{6}$"))]
    pub(super) division: At<String>,
    /// The node above it.
    pub(super) parent: Option<At<String>>,
}

/// A department.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "a department: a mapping with `id`, `name`, `credit_code`, `division` and `node`"
)]
#[schemars(rename = "Department")]
pub(super) struct RawDepartment {
    /// Lower-case letters, digits and inner hyphens.
    pub(super) id: At<String>,
    pub(super) name: RawBilingual,
    /// Unified social credit code (GB 32100).
    #[schemars(extend("pattern" = "^[0-9A-HJ-NPQRTUWXY]{18}$"))]
    pub(super) credit_code: At<String>,
    /// GB/T 2260 code of the area it is responsible for.
    #[schemars(extend("pattern" = "^[0-9]{6}$"))]
    pub(super) division: At<String>,
    /// The node its systems call.
    pub(super) node: At<String>,
}

/// A registered data resource.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a dataset: a mapping with `id`, `code`, `name`, `fields` and more")]
#[schemars(rename = "Dataset")]
pub(super) struct RawDataset {
    /// Lower-case letters, digits and inner hyphens.
    pub(super) id: At<String>,
    /// Resource code: class, item, section and detail, a slash, a serial number.
    #[schemars(extend("pattern" = "^[123][0-9]{5,11}/[0-9]{1,10}$"))]
    pub(super) code: At<String>,
    pub(super) name: RawBilingual,
    /// What the resource holds, in a sentence.
    pub(super) summary: RawBilingual,
    /// The department that owns it.
    pub(super) provider: At<String>,
    pub(super) sharing: RawSharing,
    pub(super) update_cycle: RawUpdateCycle,
    /// Classification level: at least that of its most sensitive field.
    #[schemars(range(min = 1, max = 4))]
    pub(super) sensitivity: At<u8>,
    /// The field a record is looked up by; unique within a version.
    pub(super) key: At<String>,
    /// Further fields to look up by; several records may share a value.
    #[serde(default)]
    pub(super) secondary_keys: Vec<At<String>>,
    /// The field that tells whether a record is in its ordinary state.
    pub(super) status: Option<RawStatus>,
    /// The nodes that keep its records, each its part. Left out: every node that publishes it answers by its own.
    #[serde(default)]
    pub(super) placement: Vec<At<RawPart>>,
    /// The field that tells to which division a record belongs: one of kind `division`.
    pub(super) division: Option<At<String>>,
    /// The nodes that are handed the records of their own division (docs/returns.md).
    #[serde(default)]
    pub(super) returns: Vec<At<RawReturn>>,
    /// The node whose returns fill the dataset here.
    pub(super) returned_from: Option<At<String>>,
    /// Share of bad rows, 0 to 1, above which nothing is published.
    #[schemars(range(min = 0, max = 1))]
    pub(super) reject_share_max: At<f64>,
    pub(super) listing: RawListing,
    pub(super) fields: At<Vec<At<RawField>>>,
}

/// The part of a dataset that one node keeps.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a part: a mapping with `node`")]
#[schemars(rename = "Part")]
pub(super) struct RawPart {
    pub(super) node: At<String>,
    /// Nodes that keep a copy.
    #[serde(default)]
    pub(super) replicas: Vec<At<String>>,
    /// GB/T 2260 codes of the divisions that are responsible for its records. Left out: the node's own.
    #[serde(default)]
    pub(super) divisions: Vec<At<String>>,
}

/// Sharing attribute with its ground.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping with `attribute` and `ground`")]
#[schemars(rename = "Sharing")]
pub(super) struct RawSharing {
    pub(super) attribute: At<RawAttribute>,
    /// The conditions (`conditional`) or the legal ground (`not_shared`).
    pub(super) ground: Option<At<String>>,
}

/// Regulation on Government Data Sharing, article 15.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", expecting = "one of `unconditional`, `conditional`, `not_shared`")]
#[schemars(rename = "SharingAttribute")]
pub(super) enum RawAttribute {
    Unconditional,
    Conditional,
    NotShared,
}

impl From<RawAttribute> for SharingAttribute {
    fn from(raw: RawAttribute) -> Self {
        match raw {
            RawAttribute::Unconditional => Self::Unconditional,
            RawAttribute::Conditional => Self::Conditional,
            RawAttribute::NotShared => Self::NotShared,
        }
    }
}

/// How often the provider renews the resource.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", expecting = "an update cycle, such as `daily`")]
#[schemars(rename = "UpdateCycle")]
pub(super) enum RawUpdateCycle {
    RealTime,
    Daily,
    Weekly,
    Monthly,
    Quarterly,
    HalfYearly,
    Yearly,
    Irregular,
}

impl From<RawUpdateCycle> for UpdateCycle {
    fn from(raw: RawUpdateCycle) -> Self {
        match raw {
            RawUpdateCycle::RealTime => Self::RealTime,
            RawUpdateCycle::Daily => Self::Daily,
            RawUpdateCycle::Weekly => Self::Weekly,
            RawUpdateCycle::Monthly => Self::Monthly,
            RawUpdateCycle::Quarterly => Self::Quarterly,
            RawUpdateCycle::HalfYearly => Self::HalfYearly,
            RawUpdateCycle::Yearly => Self::Yearly,
            RawUpdateCycle::Irregular => Self::Irregular,
        }
    }
}

/// The field that tells whether a record is alive.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping with `field` and `ordinary`")]
#[schemars(rename = "Status")]
pub(super) struct RawStatus {
    /// A required field of kind `code`.
    pub(super) field: At<String>,
    /// The codes under which a record answers like any other.
    pub(super) ordinary: At<Vec<At<String>>>,
}

/// One field of a dataset.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a field: a mapping with `name`, `title`, `element`, `kind` and more")]
#[schemars(rename = "Field")]
pub(super) struct RawField {
    /// A lower-case letter, then letters, digits and `_`.
    pub(super) name: At<String>,
    pub(super) title: RawBilingual,
    /// Pinyin initials of the data element, such as `GMSFHM`.
    #[schemars(extend("pattern" = "^[A-Z][A-Z0-9_]{0,31}$"))]
    pub(super) element: At<String>,
    pub(super) kind: At<RawKind>,
    /// For `text`: the most characters a value may have.
    pub(super) chars_max: Option<At<u32>>,
    /// For `code`: each code with its meaning.
    pub(super) codes: Option<At<Ordered>>,
    /// How a claim is held against the value.
    pub(super) comparator: At<RawComparator>,
    /// Classification level, 1 (public) to 4 (most sensitive).
    #[schemars(range(min = 1, max = 4))]
    pub(super) sensitivity: At<u8>,
    /// The most that may ever leave of the field.
    pub(super) disclosure: At<RawDisclosure>,
    /// How the value is masked where it must be; everything unless said otherwise.
    #[serde(default)]
    pub(super) mask: Option<At<RawMask>>,
    /// Must every record carry it? Yes unless said otherwise.
    pub(super) required: Option<bool>,
}

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", expecting = "a kind of field, such as `text`")]
#[schemars(rename = "Kind")]
pub(super) enum RawKind {
    ResidentId,
    CreditCode,
    LicenceId,
    Division,
    Text,
    Code,
    Date,
    Integer,
    Boolean,
}

/// How a claim is held against the register's value.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", expecting = "a comparator, such as `exact`")]
#[schemars(rename = "Comparator")]
pub(super) enum RawComparator {
    Exact,
    Name,
    Date,
    Code,
    Number,
}

impl From<RawComparator> for Comparator {
    fn from(raw: RawComparator) -> Self {
        match raw {
            RawComparator::Exact => Self::Exact,
            RawComparator::Name => Self::Name,
            RawComparator::Date => Self::Date,
            RawComparator::Code => Self::Code,
            RawComparator::Number => Self::Number,
        }
    }
}

/// The most that may ever leave of a field.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(
    rename_all = "snake_case",
    expecting = "one of `plain`, `masked`, `compare_only`, `aggregate_only`, `join_key_only`, `never`"
)]
#[schemars(rename = "Disclosure")]
pub(super) enum RawDisclosure {
    Plain,
    Masked,
    CompareOnly,
    AggregateOnly,
    JoinKeyOnly,
    Never,
}

impl From<RawDisclosure> for Disclosure {
    fn from(raw: RawDisclosure) -> Self {
        match raw {
            RawDisclosure::Plain => Self::Plain,
            RawDisclosure::Masked => Self::Masked,
            RawDisclosure::CompareOnly => Self::CompareOnly,
            RawDisclosure::AggregateOnly => Self::AggregateOnly,
            RawDisclosure::JoinKeyOnly => Self::JoinKeyOnly,
            RawDisclosure::Never => Self::Never,
        }
    }
}

/// Customary ways to mask a value.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", expecting = "a mask, such as `whole`")]
#[schemars(rename = "Mask")]
pub(super) enum RawMask {
    Name,
    ResidentId,
    Phone,
    Address,
    LicenceNumber,
    Whole,
}

impl From<RawMask> for MaskStyle {
    fn from(raw: RawMask) -> Self {
        match raw {
            RawMask::Name => Self::Name,
            RawMask::ResidentId => Self::ResidentId,
            RawMask::Phone => Self::Phone,
            RawMask::Address => Self::Address,
            RawMask::LicenceNumber => Self::LicenceNumber,
            RawMask::Whole => Self::Whole,
        }
    }
}

/// A service item.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "an item: a mapping with `code`, `name`, `department`, `valid_from` and `materials`"
)]
#[schemars(rename = "Item")]
pub(super) struct RawItem {
    /// Implementation code, 31 characters (GB/T 39554.1); starts with the department's credit code.
    #[schemars(extend("pattern" = "^[0-9A-Z]{31}$"))]
    pub(super) code: At<String>,
    /// Which edition of the item this is: 1 unless said otherwise. Editions of one code follow each other in time.
    #[schemars(range(min = 1))]
    pub(super) version: Option<At<u32>>,
    pub(super) name: RawBilingual,
    /// The department that carries it out.
    pub(super) department: At<String>,
    /// Is it carried out for applicants of any division? No unless said otherwise.
    pub(super) cross_region: Option<bool>,
    /// First day in force.
    #[schemars(extend("format" = "date"))]
    pub(super) valid_from: At<String>,
    /// Last day in force, where there is one.
    #[schemars(extend("format" = "date"))]
    pub(super) valid_until: Option<At<String>>,
    pub(super) materials: At<Vec<At<RawMaterial>>>,
}

/// A document an applicant would otherwise bring.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a material: a mapping with `id`, `name` and `stand_ins`")]
#[schemars(rename = "Material")]
pub(super) struct RawMaterial {
    /// Lower-case letters, digits and inner hyphens; unique within the item.
    pub(super) id: At<String>,
    pub(super) name: RawBilingual,
    /// What can stand in for it.
    pub(super) stand_ins: At<Vec<At<RawStandIn>>>,
}

/// Fields of one dataset which together replace a material.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a stand-in: a mapping with `dataset` and `fields`")]
#[schemars(rename = "StandIn")]
pub(super) struct RawStandIn {
    pub(super) dataset: At<String>,
    pub(super) fields: At<Vec<At<String>>>,
}
