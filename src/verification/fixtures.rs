//! Fields, claims and a register for the tests of this room.

use chrono::NaiveDate;

use super::{Claim, ClaimError, ClaimInput, Comparison, Scalar};
use crate::catalog::{
    Bilingual, Comparator, Dataset, Disclosure, Field, FieldKind, Format, Listing, MaskStyle, OpenAttribute, Opening,
    Placement, Returns, Sensitivity, Sharing, SharingAttribute, SharingMode, Status, UpdateCycle, Value,
};

pub(super) const NAME: FieldKind = FieldKind::Text { chars_max: 50 };

pub(super) fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

pub(super) fn today() -> NaiveDate {
    day("2026-11-24")
}

pub(super) fn status_codes() -> FieldKind {
    let listed = [("0", "有效"), ("1", "注销"), ("2", "加锁"), ("9", "死亡")];
    FieldKind::Code { values: listed.map(|(code, meaning)| (code.into(), meaning.into())).into() }
}

pub(super) fn field(name: &str, kind: FieldKind, comparator: Comparator) -> Field {
    Field {
        name: name.parse().unwrap(),
        title: Bilingual { zh: name.into(), en: name.into() },
        element: "XM".into(),
        kind,
        comparator,
        sensitivity: Sensitivity::new(3).unwrap(),
        disclosure: Disclosure::Masked,
        mask: MaskStyle::Whole,
        required: true,
    }
}

/// A register of persons with a status of which `0` is the ordinary one.
pub(super) fn persons() -> Dataset {
    let bilingual = || Bilingual { zh: "自然人".into(), en: "natural persons".into() };
    Dataset {
        id: "natural-person".parse().unwrap(),
        code: "101001/000001".parse().unwrap(),
        name: bilingual(),
        summary: bilingual(),
        provider: "gd-public-security".parse().unwrap(),
        sharing: Sharing { attribute: SharingAttribute::Unconditional, ground: None },
        update_cycle: UpdateCycle::Daily,
        sensitivity: Sensitivity::new(3).unwrap(),
        key: "resident_id".parse().unwrap(),
        secondary_keys: vec!["name".parse().unwrap()],
        status: Some(Status { field: "status".parse().unwrap(), ordinary: vec!["0".into()] }),
        placement: Placement::default(),
        returns: Returns::default(),
        division: None,
        reject_share_max: 0.01,
        listing: Listing {
            format: Format::Database,
            modes: vec![SharingMode::ServiceInterface],
            opening: Opening { attribute: OpenAttribute::NotOpen, conditions: None },
            published_on: today(),
            updated_on: today(),
            related: Vec::new(),
        },
        fields: vec![
            field("resident_id", FieldKind::ResidentId, Comparator::Code),
            field("name", NAME, Comparator::Name),
            field("birth_date", FieldKind::Date, Comparator::Date),
            field("status", status_codes(), Comparator::Code),
        ],
    }
}

pub(super) fn text(value: &str) -> Scalar {
    Scalar::Text(value.into())
}

pub(super) fn equals(value: &str) -> Vec<ClaimInput> {
    vec![ClaimInput::Equals(text(value))]
}

pub(super) fn claim(kind: FieldKind, comparator: Comparator, inputs: &[ClaimInput]) -> Result<Claim, ClaimError> {
    Claim::parse(&field("some_field", kind, comparator), inputs, today())
}

/// The claim that a text equals the register's text.
pub(super) fn compare_text(kind: FieldKind, comparator: Comparator, claimed: &str, registered: &str) -> Comparison {
    claim(kind, comparator, &equals(claimed)).unwrap().compare(Some(&Value::Text(registered.into())))
}
