//! Electronic licences.

use chrono::{Datelike, NaiveDate};

use super::{Cell, Kind, Row, World};
use crate::identifiers::LicenceId;

pub(super) const COLUMNS: &[&str] = &[
    "licence_id",
    "licence_number",
    "licence_type",
    "licence_name",
    "holder_name",
    "holder_code",
    "holder_code_type",
    "issuer_name",
    "issuer_code",
    "issued_on",
    "valid_from",
    "valid_until",
    "status",
    "division",
];

// Shares, in ten thousand, of what is not simply valid; expired ones are valid ones past their last day.
const SUSPENDED: u64 = 50;
const WITHDRAWN: u64 = 20;
const CANCELLED: u64 = 300;
const VOID: u64 = 150;
const REVOKED: u64 = 30;

/// A type of licence: code, name, years of validity (`None`: long-term), held by firms, letter of its numbers.
struct Type {
    code: &'static str,
    name: &'static str,
    years: Option<i32>,
    for_firms: bool,
    letter: char,
}

/// Made-up types of made-up bodies; the first 18 characters of a code are the defining body's credit code.
const TYPES: &[(Type, u32)] = &[
    (Type { code: "11440000MB9Y000165001", name: "居民户口簿", years: None, for_firms: false, letter: 'H' }, 25),
    (
        Type {
            code: "11440000MB9Y000165002", name: "机动车驾驶证", years: Some(10), for_firms: false, letter: 'J'
        },
        25,
    ),
    (Type { code: "11440000MB9Y00059J001", name: "结婚证", years: None, for_firms: false, letter: 'M' }, 15),
    (Type { code: "11440000MB9Y00091X001", name: "学位证书", years: None, for_firms: false, letter: 'X' }, 10),
    (Type { code: "11440000MB9Y000240001", name: "营业执照", years: None, for_firms: true, letter: 'Y' }, 15),
    (
        Type {
            code: "11440000MB9Y000833001",
            name: "医疗机构执业许可证",
            years: Some(5),
            for_firms: true,
            letter: 'L',
        },
        4,
    ),
    (
        Type {
            code: "11440000MB9Y00067D001",
            name: "建筑业企业资质证书",
            years: Some(5),
            for_firms: true,
            letter: 'Z',
        },
        6,
    ),
];
/// Who issues, by the first digits of the place: credit code and name.
const ISSUERS: &[(&str, &str, &str)] = &[
    ("4401", "11440100MB9YYY997R", "广州市行政审批局"),
    ("4403", "11440300MB9Y030144", "深圳市市场监督管理局"),
    ("44", "11440000000999993T", "广东省政务服务和数据管理局"),
];
/// Validity without end, as the registers write it.
const LONG_TERM: NaiveDate = NaiveDate::from_ymd_opt(9999, 12, 31).expect("a day of the calendar");

/// One licence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Licence {
    pub licence_id: LicenceId,
    pub licence_number: String,
    pub licence_type: &'static str,
    pub licence_name: &'static str,
    pub holder_name: String,
    pub holder_code: String,
    pub holder_code_type: &'static str,
    pub issuer_name: &'static str,
    pub issuer_code: &'static str,
    pub issued_on: NaiveDate,
    pub valid_until: NaiveDate,
    pub status: &'static str,
    pub division: String,
}

impl World {
    /// Licence number `number` of this world.
    pub fn licence(&self, number: u64) -> Licence {
        let mut dice = self.dice(Kind::Licence, number);
        let weights: Vec<_> = TYPES.iter().map(|(kind, weight)| (kind, *weight)).collect();
        let kind = dice.weighted(&weights);
        let (holder_name, holder_code, holder_code_type, division, first) = if kind.for_firms {
            let firm = self.firm(dice.below((self.persons / 10).max(1)));
            (firm.name, firm.credit_code.as_str().to_owned(), "001", firm.division, firm.established_on)
        } else {
            let person = self.person(dice.below(self.persons));
            (person.name, person.resident_id.as_str().to_owned(), "111", person.division, person.birth_date)
        };
        let recent = self.as_of.with_year(self.as_of.year() - 15).unwrap_or(first);
        let issued_on = self.day_since(&mut dice, first.max(recent));
        let (_, issuer_code, issuer_name) =
            ISSUERS.iter().find(|(place, _, _)| division.starts_with(place)).unwrap_or(&ISSUERS[2]);
        let status = match () {
            () if dice.in_ten_thousand(SUSPENDED) => "02",
            () if dice.in_ten_thousand(WITHDRAWN) => "03",
            () if dice.in_ten_thousand(CANCELLED) => "04",
            () if dice.in_ten_thousand(VOID) => "05",
            () if dice.in_ten_thousand(REVOKED) => "07",
            () => "01",
        };
        let serial = format!("{}{number:012}", issued_on.year());
        let version = dice.weighted(&[(1, 90), (2, 8), (3, 2)]);
        Licence {
            licence_id: LicenceId::from_parts(kind.code, issuer_code, &serial, version)
                .expect("a type code, an issuer's code and digits"),
            licence_number: format!("粤{}{number:010}", kind.letter),
            licence_type: kind.code,
            licence_name: kind.name,
            holder_name,
            holder_code,
            holder_code_type,
            issuer_name,
            issuer_code,
            issued_on,
            valid_until: kind.years.map_or(LONG_TERM, |years| years_later(issued_on, years)),
            status,
            division,
        }
    }
}

/// The last day of validity: the day before the same date, so many years on.
fn years_later(day: NaiveDate, years: i32) -> NaiveDate {
    let before = day.pred_opt().unwrap_or(day);
    before
        .with_year(before.year() + years)
        .or_else(|| before.pred_opt()?.with_year(before.year() + years))
        .unwrap_or(before)
}

impl Row for Licence {
    fn cells(&self) -> Vec<Cell<'_>> {
        vec![
            Cell::Text(self.licence_id.as_str()),
            Cell::Text(&self.licence_number),
            Cell::Text(self.licence_type),
            Cell::Text(self.licence_name),
            Cell::Text(&self.holder_name),
            Cell::Text(&self.holder_code),
            Cell::Text(self.holder_code_type),
            Cell::Text(self.issuer_name),
            Cell::Text(self.issuer_code),
            Cell::Date(self.issued_on),
            Cell::Date(self.issued_on),
            Cell::Date(self.valid_until),
            Cell::Text(self.status),
            Cell::Text(&self.division),
        ]
    }
}
