//! Working days in China: when the clocks of the law run out.
//!
//! Floor 1: may use `problem`. Pure; the moment comes in as an argument. A clock starts on the day after receipt (the day in
//! China), statutory holidays do not count, weekend days that are worked in exchange do. The holidays of a year are known
//! when the State Council has published them: a deadline that reaches into a year without them is provisional, and
//! says so. Promises that a deadline of one day or more is a working day, that a later receipt never has an earlier
//! deadline, and that so many days and then so many more are their sum.
//!
//! ```text
//! workday-exceptions.csv --read--> Calendar --deadline(received, 10)--> Deadline { day, provisional }
//! ```

mod read;

use std::{collections::BTreeMap, io, ops::RangeInclusive, path::PathBuf};

use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, Utc, Weekday};

use crate::problem::Code;

/// The exceptions that this version of the program knows.
const BUILT_IN: &str = include_str!("../catalogs/workday-exceptions.csv");

/// China has one time, and no summer time.
const CHINA: FixedOffset = FixedOffset::east_opt(8 * 3600).expect("eight hours are less than a day");

/// Why there is no calendar.
#[derive(Debug, thiserror::Error)]
pub enum CalendarError {
    #[error("the working-day calendar `{}` cannot be read", path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{name}:{line}: {reason}. {remedy}")]
    Wrong { name: String, line: u64, reason: String, remedy: &'static str },
}

impl CalendarError {
    pub fn code(&self) -> Code {
        match self {
            Self::Unreadable { .. } | Self::Wrong { .. } => Code::ConfigInvalid,
        }
    }
}

/// Which days are worked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calendar {
    exceptions: BTreeMap<NaiveDate, Exception>,
    /// The years whose holidays are known, without a gap.
    years: RangeInclusive<i32>,
}

/// A day that is not what its weekday says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exception {
    /// A weekday on which nobody works.
    Holiday,
    /// A weekend day that is worked in exchange for a holiday.
    Workday,
}

/// The last day on which something is in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    pub day: NaiveDate,
    /// A day that was counted lies in a year whose holidays are not known: the deadline may still move.
    pub provisional: bool,
}

/// The day in China at that moment.
pub fn day_in_china(at: DateTime<Utc>) -> NaiveDate {
    at.with_timezone(&CHINA).date_naive()
}

impl Calendar {
    /// The years whose holidays are known.
    pub fn years(&self) -> RangeInclusive<i32> {
        self.years.clone()
    }

    pub fn is_working_day(&self, day: NaiveDate) -> bool {
        match self.exceptions.get(&day) {
            Some(Exception::Holiday) => false,
            Some(Exception::Workday) => true,
            None => !matches!(day.weekday(), Weekday::Sat | Weekday::Sun),
        }
    }

    /// The last of so many working days after receipt. None at all: the day of receipt itself, working or not.
    ///
    /// ```
    /// use shuqiao::calendar::Calendar;
    ///
    /// let received = "2025-09-30T10:00:00+08:00".parse::<chrono::DateTime<chrono::Utc>>()?;
    /// let deadline = Calendar::built_in()?.deadline(received, 10);
    /// assert_eq!(deadline.day.to_string(), "2025-10-21"); // the holidays of October, and a Saturday worked for them
    /// assert!(!deadline.provisional);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn deadline(&self, received: DateTime<Utc>, working_days: u32) -> Deadline {
        self.deadline_after(day_in_china(received), working_days)
    }

    /// The same, of something received on that day in China.
    pub fn deadline_after(&self, received: NaiveDate, working_days: u32) -> Deadline {
        let mut day = received;
        let mut left = working_days;
        while left > 0
            && let Some(next) = day.succ_opt()
        {
            day = next;
            left -= u32::from(self.is_working_day(day));
        }
        // Years only grow on the way, so it is enough to look at both ends.
        let first = if working_days == 0 { day } else { received.succ_opt().unwrap_or(received) };
        let known = |day: NaiveDate| self.years.contains(&day.year());
        Deadline { day, provisional: !(known(first) && known(day)) }
    }

    /// Working days after the one day, up to the other and with it; none where the other is not later.
    pub fn working_days_between(&self, after: NaiveDate, until: NaiveDate) -> u32 {
        let days = after.iter_days().skip(1).take_while(|day| *day <= until);
        days.map(|day| u32::from(self.is_working_day(day))).sum()
    }
}

/// Is it too late? The deadline's own day is still in time, until midnight in China.
pub fn is_overdue(deadline: Deadline, now: DateTime<Utc>) -> bool {
    day_in_china(now) > deadline.day
}

#[cfg(test)]
mod tests;
