//! Harvesters: the ways to carry a register away one answer at a time.

use std::fmt;

use chrono::{Days, NaiveDate};

use super::{
    chance::Chance,
    population::{Number, Population},
};
use crate::enumeration::Outcome;

/// A way to harvest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Serial after serial, day after day, one call a second.
    Sequential,
    /// Numbers made up at random, one call a second.
    Random,
    /// Masked numbers (`440106********0015`) are completed: date after date.
    MaskSweep,
    /// A name and a birth date are known: serials are tried, in no order, until the name matches.
    NameSweep,
    /// Serial after serial, one call in five minutes.
    LowSlowSequential,
    /// Numbers made up at random, one call in five minutes.
    LowSlowRandom,
    /// Twelve clients of four departments share the serials among them, one call in two minutes each.
    ColludingSequential,
    /// Twenty clients of one department make up numbers at random, six each, and stop.
    ColludingRandom,
    /// One call in twenty of a busy hall walks through the serials.
    HiddenSequential,
    /// One call in five of a busy hall is a number made up at random.
    HiddenRandom,
    /// Only numbers that exist, in their order: somebody has the list, and wants to know what else the register says.
    SortedList,
    /// Only numbers that exist, in no order; one in 2,000 is honey, because the list came out of a register.
    LeakedList,
}

/// How a kind goes about it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) clients: usize,
    pub(super) departments: usize,
    /// Seconds from one call of a client to its next.
    pub(super) every_s: u64,
    /// Calls of one client, at most.
    pub(super) calls_max: u64,
    /// Honest calls of the same client for each one of the harvest.
    pub(super) honest: u64,
}

impl Kind {
    pub const ALL: [Self; 12] = [
        Self::Sequential,
        Self::Random,
        Self::MaskSweep,
        Self::NameSweep,
        Self::LowSlowSequential,
        Self::LowSlowRandom,
        Self::ColludingSequential,
        Self::ColludingRandom,
        Self::HiddenSequential,
        Self::HiddenRandom,
        Self::SortedList,
        Self::LeakedList,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sequential => "sequential",
            Self::Random => "random",
            Self::MaskSweep => "mask-sweep",
            Self::NameSweep => "name-sweep",
            Self::LowSlowSequential => "low-slow-sequential",
            Self::LowSlowRandom => "low-slow-random",
            Self::ColludingSequential => "colluding-sequential",
            Self::ColludingRandom => "colluding-random",
            Self::HiddenSequential => "hidden-sequential",
            Self::HiddenRandom => "hidden-random",
            Self::SortedList => "sorted-list",
            Self::LeakedList => "leaked-list",
        }
    }

    pub(super) const fn plan(self) -> Plan {
        let alone = Plan { clients: 1, departments: 1, every_s: 1, calls_max: u64::MAX, honest: 0 };
        match self {
            Self::Sequential | Self::Random => alone,
            Self::MaskSweep | Self::NameSweep | Self::SortedList | Self::LeakedList => Plan { every_s: 2, ..alone },
            Self::LowSlowSequential | Self::LowSlowRandom => Plan { every_s: 300, ..alone },
            Self::ColludingSequential => Plan { clients: 12, departments: 4, every_s: 120, ..alone },
            Self::ColludingRandom => Plan { clients: 20, every_s: 60, calls_max: 6, ..alone },
            Self::HiddenSequential => Plan { every_s: 60, honest: 19, ..alone },
            Self::HiddenRandom => Plan { every_s: 15, honest: 4, ..alone },
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Where a harvest stands; its clients share it.
pub(super) struct Harvest {
    pub(super) kind: Kind,
    at: Number,
    /// Whose masked number, or whose name, is looked for.
    target: Number,
    first_day: NaiveDate,
    chance: Chance,
}

impl Harvest {
    pub(super) fn new(kind: Kind, population: &Population, mut chance: Chance) -> Self {
        let division = population.anywhere(&mut chance);
        let target = population.of_division(division, &mut chance);
        let first_day = population.days_ago(80 * 365);
        let birth = match kind {
            Kind::MaskSweep => first_day,
            _ => population.birth(&mut chance),
        };
        Self { kind, at: Number { division, birth, serial: 0 }, target, first_day, chance }
    }

    /// Whom the next call is about, what comes of it, and whether it is honey.
    pub(super) fn next(&mut self, population: &Population) -> (Number, Outcome, bool) {
        let told = |number: Number| if population.exists(number) { Outcome::Match } else { Outcome::NotFound };
        match self.kind {
            Kind::Sequential | Kind::LowSlowSequential | Kind::ColludingSequential | Kind::HiddenSequential => {
                self.step(population);
                (self.at, told(self.at), false)
            }
            Kind::Random | Kind::LowSlowRandom | Kind::ColludingRandom | Kind::HiddenRandom => {
                let chance = &mut self.chance;
                let (division, birth) = (population.anywhere(chance), population.birth(chance));
                let number = Number { division, birth, serial: chance.below(1_000) as u16 };
                (number, told(number), false)
            }
            Kind::MaskSweep => self.next_date(population),
            Kind::NameSweep => {
                let number = Number { serial: self.chance.below(CROWDED) as u16, ..self.target };
                let outcome = self.held_against(number, population);
                self.next_target(outcome, population);
                (number, outcome, false)
            }
            Kind::SortedList => loop {
                self.step(population);
                if population.exists(self.at) {
                    return (self.at, Outcome::Match, false);
                }
            },
            Kind::LeakedList => {
                let division = population.anywhere(&mut self.chance);
                let number = population.of_division(division, &mut self.chance);
                (number, Outcome::Match, self.chance.below(2_000) == 0)
            }
        }
    }

    fn step(&mut self, population: &Population) {
        self.at.serial += 1;
        if u64::from(self.at.serial) >= CROWDED {
            self.at.serial = 1;
            self.at.birth = self.at.birth + Days::new(1);
        }
        if self.at.birth > population.days_ago(0) {
            self.at.birth = self.first_day;
        }
    }

    /// The next date on which the last four characters are right, check character included.
    fn next_date(&mut self, population: &Population) -> (Number, Outcome, bool) {
        let tail = |number: Number| number.id().map(|id| id.as_str()[14..].to_owned());
        let wanted = tail(self.target);
        loop {
            self.at.birth = self.at.birth + Days::new(1);
            let number = Number { birth: self.at.birth, ..self.target };
            if tail(number) == wanted {
                let outcome = self.held_against(number, population);
                if self.next_target(outcome, population) {
                    self.at.birth = self.first_day;
                }
                return (number, outcome, false);
            }
        }
    }

    fn held_against(&self, number: Number, population: &Population) -> Outcome {
        match population.exists(number) {
            true if number == self.target => Outcome::Match,
            true => Outcome::Mismatch,
            false => Outcome::NotFound,
        }
    }

    /// On to the next person, once this one is found.
    fn next_target(&mut self, outcome: Outcome, population: &Population) -> bool {
        let found = outcome == Outcome::Match || self.at.birth > population.days_ago(0);
        if found {
            self.target = population.of_division(self.at.division, &mut self.chance);
        }
        found
    }
}

/// Serials below which most people are.
const CROWDED: u64 = 300;
