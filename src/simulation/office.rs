//! Honest clients: halls with their windows, and the work that looks most like a harvest without being one.

use chrono::NaiveDate;

use super::{
    chance::Chance,
    population::{Number, Population},
};
use crate::enumeration::Outcome;

/// What a client's terminals do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// Whoever comes to the window, and his family.
    Hall,
    /// Children of one school year and one district, class by class.
    School,
    /// Newborns of the last weeks, of a city: neighbours in number, and now and then not in the register yet.
    Births,
    /// Who is entitled? A third of the claims do not hold.
    Screening,
    /// A village's list, sorted by number, a tenth of it out of date.
    Batch,
    /// Many from other provinces, of whom the register knows a few.
    Migrants,
}

impl Work {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Hall => "hall",
            Self::School => "school",
            Self::Births => "births",
            Self::Screening => "screening",
            Self::Batch => "batch",
            Self::Migrants => "migrants",
        }
    }
}

/// One client of one department.
pub(super) struct Office {
    pub(super) work: Work,
    division: u32,
    /// The next to be asked about: the rest of a family, a second try, the rest of a list.
    waiting: Vec<(Number, Outcome)>,
    chance: Chance,
}

impl Office {
    pub(super) fn new(work: Work, population: &Population, mut chance: Chance) -> Self {
        let division = population.anywhere(&mut chance);
        Self { work, division, waiting: Vec::new(), chance }
    }

    /// Whom the next call is about, and what comes of it.
    pub(super) fn next(&mut self, population: &Population) -> (Number, Outcome) {
        if let Some(next) = self.waiting.pop() {
            return next;
        }
        match self.work {
            Work::Hall => self.window(population, 60),
            Work::Migrants => self.window(population, 3_500),
            Work::School => {
                let child = population.born_on(self.division, self.within(population, 7 * 365, 365), &mut self.chance);
                self.answered(child, 100, 200)
            }
            Work::Births => {
                let born = self.within(population, 0, 21);
                let child =
                    population.born_on(population.near(self.division, &mut self.chance), born, &mut self.chance);
                self.answered(child, 300, 100)
            }
            Work::Screening => {
                let somebody = population.of_division(self.division, &mut self.chance);
                self.answered(somebody, 200, 3_500)
            }
            Work::Batch => {
                let mut village: Vec<_> =
                    (0..300).map(|_| population.of_division(self.division, &mut self.chance)).collect();
                village.sort_by_key(|number| (number.birth, number.serial));
                let list: Vec<_> =
                    village.into_iter().rev().map(|number| self.answered(number, 1_000, 1_000)).collect();
                self.waiting = list;
                self.waiting.pop().unwrap_or_else(|| self.window(population, 60))
            }
        }
    }

    fn window(&mut self, population: &Population, elsewhere: u64) -> (Number, Outcome) {
        let chance = &mut self.chance;
        if chance.in_ten_thousand(elsewhere) {
            let division = *chance.pick(&[430_102, 450_102, 360_102, 420_102, 510_104, 410_102]); // Changsha and beyond
            let birth = population.birth(chance);
            let stranger = Number { division, birth, serial: chance.below(1_000) as u16 };
            let known = chance.in_ten_thousand(4_000);
            return (stranger, if known { Outcome::Match } else { Outcome::NotFoundElsewhere });
        }
        let division = match chance.below(100) {
            0..70 => self.division,
            70..88 => population.near(self.division, chance),
            _ => population.anywhere(chance),
        };
        if chance.in_ten_thousand(120) {
            return (population.nobody(division, chance), Outcome::NotFound);
        }
        let somebody = population.of_division(division, chance);
        if chance.in_ten_thousand(1_500) {
            self.family(somebody, population);
        }
        let (number, outcome) = self.answered(somebody, 0, 400);
        if outcome == Outcome::Mismatch && self.chance.in_ten_thousand(7_000) {
            // Typed once more, right this time or not.
            let again = if self.chance.in_ten_thousand(6_000) { Outcome::Match } else { Outcome::Mismatch };
            self.waiting.push((number, again));
        }
        (number, outcome)
    }

    /// Spouse and children come along; one family in eighty has twins, whose numbers are neighbours.
    fn family(&mut self, of: Number, population: &Population) {
        let spouse = population.of_division(of.division, &mut self.chance);
        let child = population.born_on(of.division, self.within(population, 3 * 365, 12 * 365), &mut self.chance);
        self.waiting.extend([(spouse, Outcome::Match), (child, Outcome::Match)]);
        if self.chance.in_ten_thousand(125) {
            self.waiting.push((Number { serial: child.serial + 1, ..child }, Outcome::Match));
        }
    }

    /// A day that lies so many days back, and up to so many more.
    fn within(&mut self, population: &Population, least: u64, span: u64) -> NaiveDate {
        population.days_ago(least + 1 + self.chance.below(span))
    }

    fn answered(&mut self, number: Number, not_found: u64, mismatch: u64) -> (Number, Outcome) {
        let outcome = match self.chance.below(10_000) {
            share if share < not_found => Outcome::NotFound,
            share if share < not_found + mismatch => Outcome::Mismatch,
            _ => Outcome::Match,
        };
        (number, outcome)
    }
}
