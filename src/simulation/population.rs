//! Who exists. About 34 persons to each county and birth date, which is Guangdong's: a number made up at random is
//! somebody's once in thirty times.
//!
//! Stations give serials out in runs, so whoever exists has a neighbour half of the time. That makes it easier for who walks
//! through the numbers, and harder to tell him from a school.

use chrono::{Days, NaiveDate};

use super::chance::{Chance, mix};
use crate::identifiers::{DivisionCode, ResidentId};

/// Serials that a station gives out in a row.
const RUN: u16 = 4;
/// Runs that were given out, and serials in one, in ten thousand; below this serial many, above it few.
const CROWDED_BELOW: u16 = 300;
const RUN_CROWDED: u64 = 1_300;
const RUN_SPARSE: u64 = 120;
const IN_RUN: u64 = 7_500;
/// Serials tried before it is taken that nobody was born on a day.
const TRIES: u64 = 2_000;

pub(super) struct Population {
    seed: u64,
    /// Counties, and cities without counties.
    pub(super) divisions: Vec<u32>,
    today: NaiveDate,
}

/// A number in its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number {
    pub(super) division: u32,
    pub(super) birth: NaiveDate,
    pub(super) serial: u16,
}

impl Number {
    pub(super) fn id(self) -> Option<ResidentId> {
        ResidentId::from_parts(self.division, self.birth, self.serial).ok()
    }
}

impl Population {
    pub(super) fn new(seed: u64, today: NaiveDate) -> Self {
        let divisions = DivisionCode::guangdong().filter_map(|code| code.as_str().parse().ok()).collect();
        Self { seed, divisions, today }
    }

    pub(super) fn exists(&self, number: Number) -> bool {
        let day = number.birth.signed_duration_since(NaiveDate::MIN).num_days().unsigned_abs();
        let cell = mix(self.seed ^ mix(u64::from(number.division) << 32 ^ day));
        let given_out = if number.serial < CROWDED_BELOW { RUN_CROWDED } else { RUN_SPARSE };
        let chance = |salt: u64| mix(cell ^ mix(salt)) % 10_000;
        number.birth <= self.today
            && chance(u64::from(number.serial / RUN)) < given_out
            && chance(10_000 + u64::from(number.serial)) < IN_RUN
    }

    /// Somebody of a county who was born on that day; or before, as there are days on which nobody was.
    pub(super) fn born_on(&self, division: u32, birth: NaiveDate, chance: &mut Chance) -> Number {
        let mut number = Number { division, birth, serial: 0 };
        loop {
            for _ in 0..TRIES {
                number.serial = chance.below(1_000) as u16;
                if self.exists(number) {
                    return number;
                }
            }
            number.birth = number.birth - Days::new(1);
        }
    }

    /// Somebody of a county.
    pub(super) fn of_division(&self, division: u32, chance: &mut Chance) -> Number {
        let birth = self.birth(chance);
        self.born_on(division, birth, chance)
    }

    pub(super) fn anywhere(&self, chance: &mut Chance) -> u32 {
        *chance.pick(&self.divisions)
    }

    /// One of the twenty counties around this one.
    pub(super) fn near(&self, division: u32, chance: &mut Chance) -> u32 {
        let at = self.divisions.iter().position(|&known| known == division).unwrap_or(0);
        self.divisions[(at + chance.below(20) as usize) % self.divisions.len()]
    }

    /// A day in the last eighty years.
    pub(super) fn birth(&self, chance: &mut Chance) -> NaiveDate {
        self.days_ago(1 + chance.below(80 * 365))
    }

    pub(super) fn days_ago(&self, days: u64) -> NaiveDate {
        self.today.checked_sub_days(Days::new(days)).unwrap_or(self.today)
    }

    /// A number that nobody has: a slip of the pen that the check character does not catch, or an old card.
    pub(super) fn nobody(&self, division: u32, chance: &mut Chance) -> Number {
        loop {
            let number = Number { division, birth: self.birth(chance), serial: chance.below(1_000) as u16 };
            if !self.exists(number) {
                return number;
            }
        }
    }
}
