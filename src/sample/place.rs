//! Where and when people are born: a plausible spread that never gives two people one number.

use chrono::{Datelike, NaiveDate};

use super::{Dice, dice::mix};
use crate::identifiers::{DivisionCode, ResidentId};

/// Slots that are dealt out in turn, round after round; 130 million people are 2,000 rounds.
const SLOTS: usize = 1 << 16;
/// Serials of one birth date and division (GB 11643: three digits; 000 is not given out).
const SERIALS: u64 = 999;
const DAYS: u64 = 365;
/// People born before this have an abolished code on their card where their division has one, one time in three.
const ABOLISHED_UNTIL: i32 = 1988;

#[derive(Clone, Copy, Debug)]
pub(super) struct Division {
    pub(super) code: DivisionCode,
    pub(super) city: &'static str,
    pub(super) name: &'static str,
    abolished: Option<DivisionCode>,
}

/// A division and a birth year.
#[derive(Clone, Copy, Debug)]
struct Slot {
    division: u16,
    year: i16,
    /// Which of the slots of its division and year it is, and how many those are.
    ordinal: u32,
    siblings: u32,
}

/// The divisions of Guangdong, and the slots of (division, year) in a shuffled order.
#[derive(Debug)]
pub(super) struct Places {
    divisions: Vec<Division>,
    slots: Vec<Slot>,
}

/// Where somebody was born, by number, and where that leads today.
pub(super) struct Birth {
    pub(super) id: ResidentId,
    pub(super) division: Division,
}

impl Places {
    pub(super) fn new(seed: u64, as_of: NaiveDate) -> Self {
        let successors: Vec<_> = DivisionCode::all_known().filter(DivisionCode::is_abolished).collect();
        let divisions: Vec<_> = DivisionCode::guangdong()
            .map(|code| Division {
                code,
                city: code.city().and_then(|city| city.name()).unwrap_or_default(),
                name: code.name().unwrap_or_default(),
                abolished: successors.iter().copied().find(|old| old.successor() == Some(code)),
            })
            .collect();
        let slots = slots(&divisions, seed, as_of.year());
        Self { divisions, slots }
    }

    pub(super) fn any(&self, dice: &mut Dice) -> Division {
        *dice.pick(&self.divisions)
    }

    pub(super) fn has(&self, area: &DivisionCode) -> bool {
        self.slots.iter().any(|slot| area.contains(&self.divisions[usize::from(slot.division)].code))
    }

    /// The division of person number `number`, who need not be made for it.
    pub(super) fn division(&self, number: u64) -> &Division {
        &self.divisions[usize::from(self.slots[(number % SLOTS as u64) as usize].division)]
    }

    /// Person number `number`'s place, date and ID. Different numbers have different IDs: a slot comes up once a round, the
    /// slots of one division and year count their people together, and a permutation spreads the count over the days and
    /// serials. An abolished code belongs to one division only, so it cannot make two IDs equal either.
    pub(super) fn birth(&self, number: u64, dice: &mut Dice) -> Birth {
        let slot = self.slots[(number % SLOTS as u64) as usize];
        let division = self.divisions[usize::from(slot.division)];
        let count = (number / SLOTS as u64) * u64::from(slot.siblings) + u64::from(slot.ordinal);
        // 225,347 is prime to 365 × 999, so multiplying by it permutes; each division and year begins elsewhere.
        let begin = mix(u64::from(slot.division) << 16 | u64::from(slot.year.unsigned_abs())) % (DAYS * SERIALS);
        let spread = (count % (DAYS * SERIALS) * 225_347 + begin) % (DAYS * SERIALS);
        let (day, serial) = (spread % DAYS + 1, spread / DAYS + 1);
        let year = i32::from(slot.year);
        let birth = NaiveDate::from_yo_opt(year, day as u32).unwrap_or_default();
        let old = division.abolished.filter(|_| year < ABOLISHED_UNTIL && dice.below(3) == 0);
        let digits = old.unwrap_or(division.code).as_str().parse().unwrap_or(440_100);
        let id = ResidentId::from_parts(digits, birth, serial as u16)
            .expect("a known division, a day of the year, a serial");
        Birth { id, division }
    }
}

/// Weights by age and by size of the place, dealt out to slots and shuffled.
fn slots(divisions: &[Division], seed: u64, this_year: i32) -> Vec<Slot> {
    let mut cells = Vec::new();
    for (number, division) in divisions.iter().enumerate() {
        for age in 1..=99 {
            cells.push((number, this_year - age, weight(division, age)));
        }
    }
    let total: f64 = cells.iter().map(|&(_, _, weight)| weight).sum();
    let mut slots = Vec::with_capacity(SLOTS);
    let mut due = 0.0;
    for &(number, year, weight) in &cells {
        due += weight / total * SLOTS as f64;
        // How many slots the cells so far are due, less those dealt: rounding never adds up to an error.
        let siblings = (due.round() as usize).min(SLOTS).saturating_sub(slots.len()) as u32;
        for ordinal in 0..siblings {
            slots.push(Slot { division: number as u16, year: year as i16, ordinal, siblings });
        }
    }
    // Fisher and Yates, with numbers that depend on the seed alone.
    for last in (1..slots.len()).rev() {
        slots.swap(last, (mix(seed ^ (last as u64) << 20) % (last as u64 + 1)) as usize);
    }
    slots
}

fn weight(division: &Division, age: i32) -> f64 {
    let size = match division.city {
        "广州市" | "深圳市" => 3.0,
        "东莞市" => 14.0,
        "中山市" => 6.0,
        "佛山市" => 2.5,
        _ => 1.0,
    };
    let age = f64::from(age);
    size * if age < 60.0 { 1.0 } else { (1.0 - (age - 60.0) / 40.0).max(0.02) }
}
