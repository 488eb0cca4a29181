//! The catalogue: what exists. Nodes, departments, datasets with their fields, service items with their materials.
//!
//! Floor 1: may use `identifiers` and `problem`. Declared in `catalogs/**/*.yaml`, loaded and checked as a whole; a value
//! of type [`Catalog`] holds together (every name it mentions is declared in it).
//!
//! ```text
//! *.yaml --yaml--> raw (what is said) --check--> Catalog (what holds)     value: how one cell of a register is typed
//! ```
//!
//! Reading, positions and complaints (`yaml`, `inspection`, `complaint`) are shared with `agreements`.

pub(crate) mod complaint;
pub(crate) mod inspection;
pub(crate) mod yaml;

pub mod dcat;
pub mod diff;

mod check;
mod entry;
mod list;
mod load;
mod placement;
mod raw;
mod returns;
mod search;
mod sources;
mod value;
mod words;

use std::{collections::BTreeMap, sync::Arc};

use chrono::NaiveDate;

pub use complaint::Complaint;
pub use entry::Entry;
pub use list::DatasetFilter;
pub(crate) use load::read;
pub use load::{CatalogError, json_schema, load, load_from};
pub use placement::{Part, Placement};
pub use returns::{Return, Returns};
pub use search::{Hit, SearchIndex, Target};
pub use sources::Sources;
pub use value::{Cell, FieldKind, LONG_TERM, Value, ValueError, parse_date};

use crate::identifiers::{
    CreditCode, DatasetId, DepartmentId, DivisionCode, FieldName, ItemCode, MaterialId, NodeId, ResourceCode,
};

/// Everything that is declared, and consistent.
#[derive(Debug)]
pub struct Catalog {
    pub nodes: BTreeMap<NodeId, Node>,
    pub departments: BTreeMap<DepartmentId, Department>,
    pub datasets: BTreeMap<DatasetId, Arc<Dataset>>,
    /// The newest version of each item; [`Catalog::item_on`] finds the one in force.
    pub items: BTreeMap<ItemCode, Arc<Item>>,
    /// The versions before it, oldest first; only of items that have any.
    pub earlier_items: BTreeMap<ItemCode, Vec<Arc<Item>>>,
    /// GB/T 2260 codes known here, with their names; abolished ones too, because they live on people's cards.
    pub divisions: BTreeMap<DivisionCode, Division>,
}

impl Catalog {
    /// The versions of an item, oldest first.
    pub fn versions(&self, code: &ItemCode) -> impl DoubleEndedIterator<Item = &Arc<Item>> {
        self.earlier_items.get(code).into_iter().flatten().chain(self.items.get(code))
    }

    /// The version of an item that is in force on a day; else the last one that was, else the first one to come, so that
    /// a refusal can say which.
    pub fn item_on(&self, code: &ItemCode, day: NaiveDate) -> Option<&Arc<Item>> {
        // Nearly every item has one version, and every call comes through here.
        if self.earlier_items.is_empty() {
            return self.items.get(code);
        }
        let begun = self.versions(code).rev().find(|item| item.valid_from <= day);
        begun.or_else(|| self.versions(code).next())
    }

    /// The dataset with that resource code.
    pub fn by_resource_code(&self, code: &ResourceCode) -> Option<&Arc<Dataset>> {
        self.datasets.values().find(|dataset| dataset.code == *code)
    }
}

/// A Chinese name with its English one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bilingual {
    pub zh: String,
    pub en: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    pub id: NodeId,
    pub name: Bilingual,
    pub division: DivisionCode,
    /// The node above it, if any.
    pub parent: Option<NodeId>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Department {
    pub id: DepartmentId,
    pub name: Bilingual,
    pub credit_code: CreditCode,
    pub division: DivisionCode,
    pub node: NodeId,
}

#[derive(Clone, Debug)]
pub struct Division {
    pub code: DivisionCode,
    pub name: String,
    /// No longer in GB/T 2260, still on cards issued before.
    pub abolished: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    pub id: DatasetId,
    /// Resource code of the guideline, such as `101001/000001`: class, item, section and detail are in it.
    pub code: ResourceCode,
    pub name: Bilingual,
    pub summary: Bilingual,
    pub provider: DepartmentId,
    pub sharing: Sharing,
    pub update_cycle: UpdateCycle,
    pub sensitivity: Sensitivity,
    /// The look-up key; unique within a version.
    pub key: FieldName,
    /// Further fields one may look up by; several records may share a value.
    pub secondary_keys: Vec<FieldName>,
    /// The field that tells whether a record is in its ordinary state, where the register has one.
    pub status: Option<Status>,
    /// Where its records are kept.
    pub placement: Placement,
    /// To whom parts of it are handed back, or from where it comes itself.
    pub returns: Returns,
    /// The field that tells to which division a record belongs, where the register has one.
    pub division: Option<FieldName>,
    /// Share of bad rows, 0 to 1, above which nothing is published.
    pub reject_share_max: f64,
    pub listing: Listing,
    pub fields: Vec<Field>,
}

impl Dataset {
    /// The field of that name, with its position.
    pub fn field(&self, name: &str) -> Option<(usize, &Field)> {
        self.fields.iter().enumerate().find(|(_, field)| field.name.as_str() == name)
    }

    /// May a subject be named by this field?
    pub fn is_key(&self, name: &FieldName) -> bool {
        *name == self.key || self.secondary_keys.contains(name)
    }
}

/// What the guideline on catalogues asks of an entry beside the rest; nothing that a call is decided by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    pub format: Format,
    /// Never empty.
    pub modes: Vec<SharingMode>,
    pub opening: Opening,
    pub published_on: NaiveDate,
    pub updated_on: NaiveDate,
    /// Each the code of another entry of this catalogue.
    pub related: Vec<ResourceCode>,
}

/// What a resource is kept as (信息资源格式).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Database,
    Spreadsheet,
    Document,
    Image,
    Stream,
    /// XML, JSON and the like.
    SelfDescribing,
}

/// A way in which a resource is shared (共享方式).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SharingMode {
    ServiceInterface,
    BatchExchange,
    FileDownload,
}

/// May the public have it (开放属性)?
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    pub attribute: OpenAttribute,
    /// Always there where it is conditional.
    pub conditions: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenAttribute {
    Open,
    Conditional,
    NotOpen,
}

/// How a record says that it is dead, cancelled or locked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    pub field: FieldName,
    /// The codes under which a record answers like any other.
    pub ordinary: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sharing {
    pub attribute: SharingAttribute,
    /// The conditions (conditional) or the legal ground (not shared).
    pub ground: Option<String>,
}

/// Regulation on Government Data Sharing (State Council decree 809), article 15.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SharingAttribute {
    Unconditional,
    Conditional,
    NotShared,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdateCycle {
    RealTime,
    Daily,
    Weekly,
    Monthly,
    Quarterly,
    HalfYearly,
    Yearly,
    Irregular,
}

impl UpdateCycle {
    /// How long after one update the next is due; `None` where nobody can say.
    pub fn seconds(self) -> Option<u64> {
        const DAY: u64 = 86_400;
        match self {
            Self::RealTime => Some(3600),
            Self::Daily => Some(DAY),
            Self::Weekly => Some(7 * DAY),
            Self::Monthly => Some(31 * DAY),
            Self::Quarterly => Some(92 * DAY),
            Self::HalfYearly => Some(184 * DAY),
            Self::Yearly => Some(366 * DAY),
            Self::Irregular => None,
        }
    }
}

/// Data classification, level 1 (public) to 4 (most sensitive).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sensitivity(u8);

impl Sensitivity {
    pub fn new(level: u8) -> Option<Self> {
        (1..=4).contains(&level).then_some(Self(level))
    }

    pub fn level(self) -> u8 {
        self.0
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    pub name: FieldName,
    pub title: Bilingual,
    /// The data element's pinyin initials, such as `XM` or `GMSFHM`.
    pub element: String,
    pub kind: FieldKind,
    pub comparator: Comparator,
    pub sensitivity: Sensitivity,
    pub disclosure: Disclosure,
    pub mask: MaskStyle,
    /// Must every record carry it?
    pub required: bool,
}

/// How a claim is held against the register's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparator {
    /// Character by character.
    Exact,
    /// As a clerk reads a name: full-width forms, spaces, middle dots and Latin case do not matter.
    Name,
    /// A calendar day in any common notation.
    Date,
    /// An identifier or code: case and full-width forms do not matter.
    Code,
    /// A whole number.
    Number,
}

/// The most that may ever leave of a field, whatever policy and agreement say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disclosure {
    Plain,
    Masked,
    /// Claims may be compared with it; its value never leaves.
    CompareOnly,
    /// It goes into counts and sums over many records; of one record nothing is said.
    AggregateOnly,
    /// It names the subject, or joins records of two registers; it is neither claimed nor told.
    JoinKeyOnly,
    Never,
}

impl Disclosure {
    /// May a claim be held against the field?
    pub fn is_compared(self) -> bool {
        matches!(self, Self::Plain | Self::Masked | Self::CompareOnly)
    }

    /// May its value be told, plain or masked?
    pub fn is_told(self) -> bool {
        matches!(self, Self::Plain | Self::Masked)
    }

    /// May it name the subject of a call, or join records of two registers?
    pub fn is_join_key(self) -> bool {
        self.is_compared() || self == Self::JoinKeyOnly
    }

    /// May it go into counts and sums over many records? What may only be compared may not: the largest of one value is
    /// that value.
    pub fn in_aggregates(self) -> bool {
        self.is_told() || self == Self::AggregateOnly
    }
}

/// Customary ways to mask a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaskStyle {
    /// `张*`, `张*三`; first character of a long name.
    Name,
    /// First 6 and last 4 of a resident ID.
    ResidentId,
    /// `138****1234`.
    Phone,
    /// Down to the county or district.
    Address,
    /// Head and tail of a licence number.
    LicenceNumber,
    /// Everything.
    Whole,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The 31-character implementation code (GB/T 39554.1).
    pub code: ItemCode,
    /// Which edition of the item this is; editions of one code follow each other in time, and never overlap.
    pub version: u32,
    pub name: Bilingual,
    /// The department that carries the item out; only its clients may call for its sake.
    pub department: DepartmentId,
    /// That department's.
    pub division: DivisionCode,
    /// Is it carried out for applicants of any division (跨区域办理)? Then records of all divisions matter to it.
    pub cross_region: bool,
    pub valid_from: NaiveDate,
    pub valid_until: Option<NaiveDate>,
    pub materials: Vec<Material>,
}

impl Item {
    pub fn is_in_force_on(&self, day: NaiveDate) -> bool {
        self.valid_from <= day && self.valid_until.is_none_or(|last| day <= last)
    }

    /// The fields of `dataset` that this item needs: the union over its materials.
    pub fn needed_fields(&self, dataset: &DatasetId) -> impl Iterator<Item = &FieldName> {
        self.materials
            .iter()
            .flat_map(|material| &material.stand_ins)
            .filter(move |s| s.dataset == *dataset)
            .flat_map(|s| &s.fields)
    }
}

/// A document an applicant would otherwise bring, and what can stand in for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Material {
    pub id: MaterialId,
    pub name: Bilingual,
    pub stand_ins: Vec<StandIn>,
}

/// Fields of one dataset which together replace a material.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandIn {
    pub dataset: DatasetId,
    pub fields: Vec<FieldName>,
}
