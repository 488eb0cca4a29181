//! Synthetic registers: deterministic, plausible, of any size. Nobody in them exists.
//!
//! Floor 3: may use `identifiers`. A row is a pure function of (seed, number), so that any part can be made by itself,
//! both cores can work on it, and a smaller register is the beginning of a larger one. The registers fit together: a
//! licence's holder and a firm's representative are persons of the same seed.
//!
//! ```
//! use shuqiao::sample::{World, Row};
//! let world = World::new(1, "2026-11-01".parse().unwrap(), 1000);
//! assert_eq!(world.person(7).cells(), world.person(7).cells());
//! assert_ne!(world.person(7).resident_id, world.person(8).resident_id);
//! ```

mod dice;
mod firm;
mod licence;
mod names;
mod person;
mod place;
mod write;

use chrono::NaiveDate;

pub use firm::{Credit, Firm};
pub use licence::Licence;
pub use person::Person;
pub use write::{Made, SampleError, write, write_rows};

pub(crate) use dice::Dice;
use place::Places;

/// A register that can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Register {
    NaturalPerson,
    LegalEntity,
    SocialCredit,
    ELicence,
}

impl Register {
    pub const ALL: &'static [Self] = &[Self::NaturalPerson, Self::LegalEntity, Self::SocialCredit, Self::ELicence];

    /// The dataset that it is a sample of.
    pub const fn dataset(self) -> &'static str {
        match self {
            Self::NaturalPerson => "natural-person",
            Self::LegalEntity => "legal-entity",
            Self::SocialCredit => "social-credit",
            Self::ELicence => "e-licence",
        }
    }

    /// Names of its columns, in the catalogue's order.
    pub const fn columns(self) -> &'static [&'static str] {
        match self {
            Self::NaturalPerson => person::COLUMNS,
            Self::LegalEntity => firm::COLUMNS,
            Self::SocialCredit => firm::CREDIT_COLUMNS,
            Self::ELicence => licence::COLUMNS,
        }
    }
}

/// What to make.
#[derive(Clone, Copy, Debug)]
pub struct SampleRequest {
    pub register: Register,
    pub rows: u64,
    pub seed: u64,
    /// The day on which the register is as it is: nobody is born and nothing issued after it.
    pub as_of: NaiveDate,
    /// How many persons the natural-person register of the same seed has; holders and representatives are among them.
    pub persons: u64,
}

/// One row, cell by cell, in the order of its register's columns. An absent value is `Cell::Nothing`.
pub trait Row {
    fn cells(&self) -> Vec<Cell<'_>>;
}

/// One cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell<'a> {
    Nothing,
    Text(&'a str),
    Date(NaiveDate),
    Integer(i64),
    Boolean(bool),
}

impl Cell<'_> {
    fn date(day: Option<NaiveDate>) -> Self {
        day.map_or(Self::Nothing, Self::Date)
    }
}

/// The world that the registers of one seed describe.
#[derive(Debug)]
pub struct World {
    seed: u64,
    as_of: NaiveDate,
    persons: u64,
    places: Places,
}

/// Which kind of thing a dice is thrown for, so that person 7 and firm 7 are independent.
#[derive(Clone, Copy)]
enum Kind {
    Person = 1,
    Firm = 2,
    Credit = 3,
    Licence = 4,
}

impl World {
    pub fn new(seed: u64, as_of: NaiveDate, persons: u64) -> Self {
        Self { seed, as_of, persons: persons.max(1), places: Places::new(seed, as_of) }
    }

    fn dice(&self, kind: Kind, number: u64) -> Dice {
        Dice::new(self.seed, kind as u64, number)
    }

    /// A day between `first` and the day of the register.
    fn day_since(&self, dice: &mut Dice, first: NaiveDate) -> NaiveDate {
        let span = (self.as_of - first).num_days().max(0).unsigned_abs();
        first.checked_add_days(chrono::Days::new(dice.below(span + 1))).unwrap_or(self.as_of)
    }
}
