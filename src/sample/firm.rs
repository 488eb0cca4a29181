//! Legal entities, and what the social credit register says of the same.

use chrono::NaiveDate;

use super::{Cell, Kind, Row, World, names};
use crate::identifiers::CreditCode;

pub(super) const COLUMNS: &[&str] = &[
    "credit_code",
    "name",
    "kind",
    "legal_representative",
    "legal_representative_id",
    "registered_capital",
    "established_on",
    "division",
    "address",
    "status",
    "status_date",
];
pub(super) const CREDIT_COLUMNS: &[&str] = &[
    "credit_code",
    "name",
    "dishonest",
    "dishonest_since",
    "serious_violation",
    "abnormal_operation",
    "tax_grade",
    "penalties_3y",
    "division",
    "updated_on",
];

// Shares, in ten thousand.
const CANCELLED: u64 = 1_500;
const REVOKED: u64 = 200;
const MOVED: u64 = 50;
const DISHONEST: u64 = 150;
const SERIOUS_VIOLATION: u64 = 40;
const ABNORMAL_OPERATION: u64 = 500;
const PENALISED: u64 = 800;

/// Characters of a credit code's body; the bodies of made-up firms begin with MA9.
const ALPHABET: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";
const BODY_PREFIX: &[u8; 3] = b"MA9";
/// Bodies of five free characters.
const BODIES: u64 = 31 * 31 * 31 * 31 * 31;

/// One firm of the register of legal entities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Firm {
    pub credit_code: CreditCode,
    pub name: String,
    pub kind: &'static str,
    pub legal_representative: String,
    pub legal_representative_id: String,
    pub registered_capital: Option<i64>,
    pub established_on: NaiveDate,
    pub division: String,
    pub address: String,
    pub status: &'static str,
    pub status_date: Option<NaiveDate>,
}

/// What is known of a firm's credit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credit {
    pub firm: Firm,
    pub dishonest_since: Option<NaiveDate>,
    pub serious_violation: bool,
    pub abnormal_operation: bool,
    pub tax_grade: &'static str,
    pub penalties_3y: i64,
    pub updated_on: NaiveDate,
}

/// First day on which a made-up firm was established.
fn first_day() -> NaiveDate {
    NaiveDate::from_ymd_opt(1990, 1, 1).unwrap_or_default()
}

impl World {
    /// Firm number `number` of this world.
    pub fn firm(&self, number: u64) -> Firm {
        let mut dice = self.dice(Kind::Firm, number);
        let kind = dice.weighted(&[("91", 68), ("92", 28), ("93", 2), ("52", 2)]);
        let place = self.places.any(&mut dice);
        let representative = self.person(dice.below(self.persons));
        let established_on = self.day_since(&mut dice, first_day());
        let status = match () {
            () if dice.in_ten_thousand(CANCELLED) => "2",
            () if dice.in_ten_thousand(REVOKED) => "3",
            () if dice.in_ten_thousand(MOVED) => "4",
            () => "1",
        };
        let status_date = (status != "1").then(|| self.day_since(&mut dice, established_on));
        Firm {
            credit_code: credit_code(number, kind, place.code.as_str()),
            name: names::firm(&mut dice, place.city, kind),
            kind,
            legal_representative: representative.name,
            legal_representative_id: representative.resident_id.as_str().to_owned(),
            registered_capital: (kind == "91").then(|| 10_000 * *dice.pick(&[1, 3, 10, 50, 100, 500, 1_000, 5_000])),
            established_on,
            division: place.code.as_str().to_owned(),
            address: format!("广东省{}{}工业路{}号", place.city, place.name, dice.below(500) + 1),
            status,
            status_date,
        }
    }

    /// What the social credit register says of firm number `number`.
    pub fn credit(&self, number: u64) -> Credit {
        let firm = self.firm(number);
        let mut dice = self.dice(Kind::Credit, number);
        let since = firm.established_on;
        Credit {
            dishonest_since: dice.in_ten_thousand(DISHONEST).then(|| self.day_since(&mut dice, since)),
            serious_violation: dice.in_ten_thousand(SERIOUS_VIOLATION),
            abnormal_operation: dice.in_ten_thousand(ABNORMAL_OPERATION),
            tax_grade: dice.weighted(&[("A", 20), ("B", 45), ("M", 25), ("C", 7), ("D", 3)]),
            penalties_3y: if dice.in_ten_thousand(PENALISED) { dice.below(5) as i64 + 1 } else { 0 },
            updated_on: self.day_since(&mut dice, since),
            firm,
        }
    }
}

/// A code of its own for each number: the body is the number, multiplied into disorder by a factor prime to 31.
fn credit_code(number: u64, kind: &str, division: &str) -> CreditCode {
    // Beyond the bodies of one prefix the registrar's kind and division still tell firms apart in practice, but the
    // promise is uniqueness up to `BODIES`.
    let mut left = (number % BODIES) * 12_345_701 % BODIES;
    let mut body = *b"MA900000";
    body[..3].copy_from_slice(BODY_PREFIX);
    for character in body[3..].iter_mut().rev() {
        *character = ALPHABET[(left % 31) as usize];
        left /= 31;
    }
    let mut kinds = kind.chars();
    let (authority, category) = (kinds.next().unwrap_or('9'), kinds.next().unwrap_or('1'));
    CreditCode::from_parts(authority, category, division.parse().unwrap_or(440_100), body)
        .expect("characters of the alphabet and a six-digit division")
}

impl Row for Firm {
    fn cells(&self) -> Vec<Cell<'_>> {
        vec![
            Cell::Text(self.credit_code.as_str()),
            Cell::Text(&self.name),
            Cell::Text(self.kind),
            Cell::Text(&self.legal_representative),
            Cell::Text(&self.legal_representative_id),
            self.registered_capital.map_or(Cell::Nothing, Cell::Integer),
            Cell::Date(self.established_on),
            Cell::Text(&self.division),
            Cell::Text(&self.address),
            Cell::Text(self.status),
            Cell::date(self.status_date),
        ]
    }
}

impl Row for Credit {
    fn cells(&self) -> Vec<Cell<'_>> {
        vec![
            Cell::Text(self.firm.credit_code.as_str()),
            Cell::Text(&self.firm.name),
            Cell::Boolean(self.dishonest_since.is_some()),
            Cell::date(self.dishonest_since),
            Cell::Boolean(self.serious_violation),
            Cell::Boolean(self.abnormal_operation),
            Cell::Text(self.tax_grade),
            Cell::Integer(self.penalties_3y),
            Cell::Text(&self.firm.division),
            Cell::Date(self.updated_on),
        ]
    }
}
