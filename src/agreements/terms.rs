//! What a consumer asks for, and what a provider grants of it: text in, checked terms out.
//!
//! Pure; uses `catalog` and the rules of `law`. A refusal points at the member of the body that is wrong, and says what to
//! do. What is granted lies within what was asked, and is held against the law again: an item that is left out takes the
//! fields with it that only it needed.

use std::{
    collections::BTreeSet,
    num::{NonZeroU32, NonZeroU64},
    str::FromStr,
    sync::Arc,
};

use chrono::NaiveDate;
use serde::Deserialize;
use utoipa::ToSchema;

use super::law::{self, Fault, Use};
use crate::{
    catalog::{Catalog, Dataset, SharingAttribute, SharingMode},
    identifiers::{DatasetId, DepartmentId, IdentifierError},
    ledger::Terms,
    problem::{Code, Problem},
};

/// Longest text that says why, in characters.
const TEXT_CHARS_MAX: usize = 2_000;
/// Longest list of items or fields.
const LIST_MAX: usize = 200;

/// What a consumer asks for.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Wish {
    #[schema(example = "natural-person")]
    pub dataset: String,
    /// Codes of the consumer's own items for whose sake it will ask, 1 to 200.
    #[schema(example = json!(["11440100MB9YYY997R3440101001000"]))]
    pub items: Vec<String>,
    /// Fields that claims will be held against.
    #[serde(default)]
    #[schema(example = json!(["resident_id", "name"]))]
    pub compare: Vec<String>,
    /// Fields whose values are to be given out.
    #[serde(default)]
    pub disclose: Vec<String>,
    /// The law or duty that the use rests on (使用依据), 1 to 2000 characters.
    #[schema(example = "《中华人民共和国户口登记条例》第十条")]
    pub legal_basis: String,
    /// What the data is used for (使用场景), 1 to 2000 characters.
    #[schema(example = "户口迁入窗口核验申请人身份")]
    pub scenario: String,
    /// How it is shared (共享方式): `service_interface`, `batch_exchange` or `file_download`.
    #[schema(example = "service_interface")]
    pub mode: String,
    #[schema(minimum = 1, example = 5)]
    pub calls_per_second: u32,
    #[schema(minimum = 1, example = 2000)]
    pub calls_per_day: u64,
    /// First day, such as 2027-01-01.
    #[schema(example = "2027-01-01")]
    pub valid_from: String,
    /// Last day (使用时限).
    #[schema(example = "2028-12-31")]
    pub valid_until: String,
}

/// What a provider grants where it is less than what was asked; what is left out is granted as asked.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Narrowing {
    pub items: Option<Vec<String>>,
    pub compare: Option<Vec<String>>,
    pub disclose: Option<Vec<String>>,
    #[schema(minimum = 1)]
    pub calls_per_second: Option<u32>,
    #[schema(minimum = 1)]
    pub calls_per_day: Option<u64>,
    pub valid_from: Option<String>,
    pub valid_until: Option<String>,
}

/// A wish that may be put to the provider.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) dataset: Arc<Dataset>,
    pub(super) terms: Terms,
    pub(super) legal_basis: String,
    pub(super) scenario: String,
    pub(super) mode: SharingMode,
}

impl Wish {
    pub(super) fn parse(&self, consumer: &DepartmentId, catalog: &Catalog, today: NaiveDate) -> Result<Asked, Problem> {
        let id: DatasetId = parsed("/dataset", &self.dataset)?;
        let Some(dataset) = catalog.datasets.get(&id) else {
            let detail = format!("the dataset `{id}` is not in the catalogue");
            return Err(wrong(Code::UnknownDataset, "/dataset", detail, "See the catalogue for what there is"));
        };
        if dataset.sharing.attribute == SharingAttribute::NotShared {
            return Err(not_shared(dataset));
        }
        let mode = SharingMode::from_word(&self.mode).ok_or_else(|| {
            let known = SharingMode::ALL.iter().map(|mode| format!("`{}`", mode.word())).collect::<Vec<_>>().join(", ");
            wrong(Code::InvalidValue, "/mode", "this is no way of sharing", format!("Write one of {known}"))
        })?;
        if mode != SharingMode::ServiceInterface {
            let detail = format!("this node does not share by `{}`", mode.word());
            return Err(wrong(Code::InvalidValue, "/mode", detail, "Ask for `service_interface`"));
        }
        let terms = Terms {
            items: names("/items", &self.items)?,
            compare: names("/compare", &self.compare)?,
            disclose: names("/disclose", &self.disclose)?,
            calls_per_second: second("/calls_per_second", self.calls_per_second)?,
            calls_per_day: day_quota("/calls_per_day", self.calls_per_day)?,
            valid_from: date("/valid_from", &self.valid_from)?,
            valid_until: date("/valid_until", &self.valid_until)?,
        };
        check(&terms, consumer, dataset, catalog, "")?;
        not_over(&terms, today, "/valid_until")?;
        Ok(Asked {
            dataset: Arc::clone(dataset),
            terms,
            legal_basis: text("/legal_basis", &self.legal_basis)?,
            scenario: text("/scenario", &self.scenario)?,
            mode,
        })
    }
}

impl Narrowing {
    /// What is granted of what was asked.
    pub(super) fn of(&self, asked: &Terms) -> Result<Terms, Problem> {
        let terms = Terms {
            items: fewer("/grant/items", self.items.as_deref(), &asked.items)?,
            compare: fewer("/grant/compare", self.compare.as_deref(), &asked.compare)?,
            disclose: fewer("/grant/disclose", self.disclose.as_deref(), &asked.disclose)?,
            calls_per_second: match self.calls_per_second {
                Some(number) => second("/grant/calls_per_second", number)?,
                None => asked.calls_per_second,
            },
            calls_per_day: match self.calls_per_day {
                Some(number) => day_quota("/grant/calls_per_day", number)?,
                None => asked.calls_per_day,
            },
            valid_from: self
                .valid_from
                .as_deref()
                .map_or(Ok(asked.valid_from), |day| date("/grant/valid_from", day))?,
            valid_until: self
                .valid_until
                .as_deref()
                .map_or(Ok(asked.valid_until), |day| date("/grant/valid_until", day))?,
        };
        for (pointer, within) in [
            ("/grant/calls_per_second", terms.calls_per_second <= asked.calls_per_second),
            ("/grant/calls_per_day", terms.calls_per_day <= asked.calls_per_day),
            ("/grant/valid_from", terms.valid_from >= asked.valid_from),
            ("/grant/valid_until", terms.valid_until <= asked.valid_until),
        ] {
            if !within {
                let detail = "this is more than was asked";
                return Err(wrong(Code::InvalidValue, pointer, detail, "Grant no more than the application asks"));
            }
        }
        Ok(terms)
    }
}

/// The terms, held against the law; `prefix` is where they stand in the body.
pub(super) fn check(
    terms: &Terms,
    consumer: &DepartmentId,
    dataset: &Dataset,
    catalog: &Catalog,
    prefix: &str,
) -> Result<(), Problem> {
    let at = |name: &str| format!("{prefix}/{name}");
    if terms.items.is_empty() {
        return Err(wrong(Code::InvalidValue, at("items"), "no item is named", "Name the items that need the data"));
    }
    if terms.compare.is_empty() && terms.disclose.is_empty() {
        let remedy = "Name fields under `compare` or `disclose`";
        return Err(wrong(Code::InvalidValue, at("compare"), "no field is named", remedy));
    }
    if terms.valid_until < terms.valid_from {
        let detail = format!("{} lies before {}", terms.valid_until, terms.valid_from);
        return Err(wrong(Code::InvalidValue, at("valid_until"), detail, "Correct one of the two days"));
    }
    let mut needed = BTreeSet::new();
    for code in &terms.items {
        let Some(item) = catalog.items.get(code) else {
            let detail = format!("the item {code} is not in the catalogue");
            return Err(wrong(Code::UnknownItem, at("items"), detail, "See the catalogue for what there is"));
        };
        let versions = || catalog.versions(code).map(|item| &**item);
        if let Some(fault) = law::is_own_item(item, consumer).or_else(|| law::is_served(versions(), dataset)) {
            let Fault { message, remedy } = fault;
            return Err(wrong(Code::InvalidValue, at("items"), format!("{code}: {message}"), remedy));
        }
        needed.extend(versions().flat_map(|item| item.needed_fields(&dataset.id)));
    }
    for (name, fields, used_for) in
        [("compare", &terms.compare, Use::Compare), ("disclose", &terms.disclose, Use::Disclose)]
    {
        for field in fields {
            let Some((_, declared)) = dataset.field(field.as_str()) else {
                let detail = format!("the dataset `{}` has no field `{field}`", dataset.id);
                return Err(wrong(Code::UnknownField, at(name), detail, "See the catalogue for what there is"));
            };
            if let Some(Fault { message, remedy }) = law::may_be_granted(declared, used_for, &needed) {
                return Err(wrong(Code::InvalidValue, at(name), message, remedy));
            }
        }
    }
    Ok(())
}

/// There is a day left.
pub(super) fn not_over(terms: &Terms, today: NaiveDate, pointer: &str) -> Result<(), Problem> {
    if terms.valid_until >= today {
        return Ok(());
    }
    Err(wrong(Code::InvalidValue, pointer, format!("{} is over", terms.valid_until), "Name a day to come"))
}

fn not_shared(dataset: &Dataset) -> Problem {
    let ground = dataset.sharing.ground.as_deref().unwrap_or("the catalogue names no ground");
    let detail = format!("the dataset `{}` is not shared: {ground}", dataset.id);
    wrong(
        Code::NotShared,
        "/dataset",
        detail,
        "If the ground no longer holds, ask the provider to change the catalogue",
    )
}

/// Words for people: something to read, no control characters but line breaks.
pub(super) fn text(pointer: &str, text: &str) -> Result<String, Problem> {
    let text = text.trim();
    let chars = text.chars().count();
    let remedy = format!("Write 1 to {TEXT_CHARS_MAX} characters");
    if chars == 0 || chars > TEXT_CHARS_MAX {
        return Err(wrong(Code::InvalidValue, pointer, format!("the text has {chars} characters"), remedy));
    }
    if text.chars().any(|c| c.is_control() && c != '\n') {
        return Err(wrong(Code::InvalidValue, pointer, "the text holds a control character", remedy));
    }
    Ok(text.to_owned())
}

pub(super) fn date(pointer: &str, text: &str) -> Result<NaiveDate, Problem> {
    let exact = text.len() == 10;
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().filter(|_| exact);
    day.ok_or_else(|| wrong(Code::InvalidValue, pointer, "this is no day", "Write it as 2027-01-01"))
}

fn second(pointer: &str, number: u32) -> Result<NonZeroU32, Problem> {
    NonZeroU32::new(number).ok_or_else(|| none_at_all(pointer))
}

fn day_quota(pointer: &str, number: u64) -> Result<NonZeroU64, Problem> {
    NonZeroU64::new(number).ok_or_else(|| none_at_all(pointer))
}

fn none_at_all(pointer: &str) -> Problem {
    wrong(Code::InvalidValue, pointer, "no call at all is no agreement", "Write a number from 1")
}

fn names<T: Ord + FromStr<Err = IdentifierError>>(pointer: &str, texts: &[String]) -> Result<BTreeSet<T>, Problem> {
    if texts.len() > LIST_MAX {
        let detail = format!("the list has {} entries", texts.len());
        return Err(wrong(Code::InvalidValue, pointer, detail, format!("Name at most {LIST_MAX}")));
    }
    let mut names = BTreeSet::new();
    for (index, text) in texts.iter().enumerate() {
        let pointer = format!("{pointer}/{index}");
        if !names.insert(parsed(&pointer, text)?) {
            return Err(wrong(Code::InvalidValue, pointer, "this stands twice in the list", "Remove one of the two"));
        }
    }
    Ok(names)
}

fn fewer<T>(pointer: &str, texts: Option<&[String]>, asked: &BTreeSet<T>) -> Result<BTreeSet<T>, Problem>
where
    T: Ord + Clone + FromStr<Err = IdentifierError>,
{
    let Some(texts) = texts else { return Ok(asked.clone()) };
    let granted = names(pointer, texts)?;
    if granted.is_subset(asked) {
        return Ok(granted);
    }
    let detail = "the list names something that was not asked";
    Err(wrong(Code::InvalidValue, pointer, detail, "Grant no more than the application asks"))
}

fn parsed<T: FromStr<Err = IdentifierError>>(pointer: &str, text: &str) -> Result<T, Problem> {
    text.parse().map_err(|error: IdentifierError| {
        wrong(Code::InvalidValue, pointer, format!("this is no {}: {}", error.kind, error.reason), "Correct it")
    })
}

pub(super) fn wrong(
    code: Code,
    pointer: impl Into<String>,
    detail: impl Into<String>,
    remedy: impl Into<String>,
) -> Problem {
    let mut remedy = remedy.into();
    remedy.push('.');
    Problem::new(code, detail).at(pointer).remedy(remedy)
}
