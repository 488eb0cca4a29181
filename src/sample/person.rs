//! Natural persons.

use chrono::{Datelike, NaiveDate};

use super::{Cell, Kind, Row, World, names};
use crate::identifiers::{DivisionCode, ResidentId, Sex};

pub(super) const COLUMNS: &[&str] = &[
    "resident_id",
    "name",
    "former_name",
    "sex",
    "ethnicity",
    "birth_date",
    "division",
    "address",
    "phone",
    "marital_status",
    "status",
    "status_date",
];

// Shares, in ten thousand.
const FORMER_NAME: u64 = 300;
const MINORITY: u64 = 250;
const PHONE: u64 = 8_500;
const CANCELLED: u64 = 30;
const LOCKED: u64 = 10;
const MOVED_OUT: u64 = 100;
/// Deceased, for each year of age above 50.
const DECEASED_A_YEAR: u64 = 40;

const STREETS: &[&str] =
    &["中山路", "解放路", "人民路", "建设路", "环市路", "文明路", "新华街", "龙津路", "体育路", "滨江路"];
/// Ethnicities beside Han (GB/T 3304) that are common here: Zhuang, Yao, Tujia, Miao, Dong, Hui, Manchu, She.
const MINORITIES: &[&str] = &["08", "13", "15", "06", "12", "03", "11", "22"];

/// One person of the register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    pub resident_id: ResidentId,
    pub name: String,
    pub former_name: Option<String>,
    pub ethnicity: &'static str,
    pub birth_date: NaiveDate,
    /// Household registration today; the ID may carry an abolished code.
    pub division: String,
    pub address: String,
    pub phone: Option<String>,
    pub marital_status: &'static str,
    pub status: &'static str,
    pub status_date: Option<NaiveDate>,
}

impl World {
    /// The persons of an area, in the order of their numbers, without end: `take` as many as are wanted. There is none of
    /// an area in which nobody lives.
    pub fn residents(&self, area: DivisionCode) -> impl Iterator<Item = Person> + '_ {
        let numbers = match self.places.has(&area) {
            true => 0..u64::MAX,
            false => 0..0,
        };
        let there = numbers.filter(move |number| area.contains(&self.places.division(*number).code));
        there.map(|number| self.person(number))
    }

    /// Person number `number` of this world.
    pub fn person(&self, number: u64) -> Person {
        let mut dice = self.dice(Kind::Person, number);
        let birth = self.places.birth(number, &mut dice);
        let birth_date = birth.id.birth_date();
        let age = self.as_of.years_since(birth_date).unwrap_or(0);
        let is_woman = birth.id.sex() == Sex::Female;
        let name = names::person(&mut dice, is_woman, birth_date.year());
        let former_name =
            dice.in_ten_thousand(FORMER_NAME).then(|| names::person(&mut dice, is_woman, birth_date.year()));
        let ethnicity = if dice.in_ten_thousand(MINORITY) { *dice.pick(MINORITIES) } else { "01" };
        let status = match u64::from(age.saturating_sub(50)) {
            years if dice.in_ten_thousand(years * DECEASED_A_YEAR) => "9",
            _ if dice.in_ten_thousand(CANCELLED) => "1",
            _ if dice.in_ten_thousand(LOCKED) => "2",
            _ if dice.in_ten_thousand(MOVED_OUT) => "8",
            _ => "0",
        };
        let status_date = (status != "0").then(|| {
            let adult = birth_date.with_year(birth_date.year() + i32::try_from(age / 2).unwrap_or(0));
            self.day_since(&mut dice, adult.unwrap_or(birth_date))
        });
        let marital_status = match age {
            0..=21 => "10",
            _ => dice.weighted(&[("10", 25), ("21", 60), ("22", 8), ("30", 3), ("40", 4)]),
        };
        let place = birth.division;
        let city = if place.city == place.name { "" } else { place.city };
        let address = format!(
            "广东省{city}{}{}{}号{}房",
            place.name,
            dice.pick(STREETS),
            dice.below(300) + 1,
            dice.below(3000) + 101
        );
        // A block of numbers that no operator gives out.
        let phone = dice.in_ten_thousand(PHONE).then(|| format!("13{}0000{:04}", dice.below(10), dice.below(10_000)));
        Person {
            resident_id: birth.id,
            name,
            former_name,
            ethnicity,
            birth_date,
            division: place.code.as_str().to_owned(),
            address,
            phone,
            marital_status,
            status,
            status_date,
        }
    }
}

impl Row for Person {
    fn cells(&self) -> Vec<Cell<'_>> {
        let sex = match self.resident_id.sex() {
            Sex::Male => "1",
            Sex::Female => "2",
        };
        vec![
            Cell::Text(self.resident_id.as_str()),
            Cell::Text(&self.name),
            self.former_name.as_deref().map_or(Cell::Nothing, Cell::Text),
            Cell::Text(sex),
            Cell::Text(self.ethnicity),
            Cell::Date(self.birth_date),
            Cell::Text(&self.division),
            Cell::Text(&self.address),
            self.phone.as_deref().map_or(Cell::Nothing, Cell::Text),
            Cell::Text(self.marital_status),
            Cell::Text(self.status),
            Cell::date(self.status_date),
        ]
    }
}
