//! Clocks of an application: when it is due, what a pause leaves, how long it is overdue.
//!
//! Pure; uses `calendar`. While the provider waits for the consumer its clock pauses: the day on which it asks and those
//! until the answer do not count, and what was left runs on from the day after the answer. It does not begin again, or a
//! provider could gain time without end by asking. A clock that had run out is due on the day of the answer.
//!
//! Only the beginning and the number of days are kept, never the deadline: when a year's holidays are published, the
//! deadlines that reach into it move by themselves.

use chrono::{DateTime, Utc};

use crate::{
    calendar::{Calendar, Deadline, day_in_china},
    ledger::Clock,
};

/// The last day on which it is in time, where the clock runs.
pub fn due(clock: Clock, calendar: &Calendar) -> Option<Deadline> {
    match clock {
        Clock::Running { from, working_days } => Some(calendar.deadline(from, working_days)),
        Clock::Paused { .. } | Clock::Stopped => None,
    }
}

/// Stop for somebody else's turn.
pub(super) fn paused(clock: Clock, now: DateTime<Utc>, calendar: &Calendar) -> Clock {
    let Clock::Running { from, working_days } = clock else { return clock };
    let yesterday = day_in_china(now).pred_opt().unwrap_or_default();
    let used = calendar.working_days_between(day_in_china(from), yesterday);
    Clock::Paused { working_days: working_days.saturating_sub(used) }
}

/// Run on after a pause.
pub(super) fn resumed(clock: Clock, now: DateTime<Utc>) -> Clock {
    match clock {
        Clock::Paused { working_days } => Clock::Running { from: now, working_days },
        Clock::Running { .. } | Clock::Stopped => clock,
    }
}

/// So many days more.
pub(super) fn extended(clock: Clock, more: u32) -> Clock {
    match clock {
        Clock::Running { from, working_days } => {
            Clock::Running { from, working_days: working_days.saturating_add(more) }
        }
        Clock::Paused { working_days } => Clock::Paused { working_days: working_days.saturating_add(more) },
        Clock::Stopped => clock,
    }
}

/// How loudly it is to be called overdue: 0 in time, 1 from the day after the deadline, one more after each
/// `escalation_days`.
pub(super) fn level(clock: Clock, now: DateTime<Utc>, calendar: &Calendar, escalation_days: u32) -> u32 {
    let Some(deadline) = due(clock, calendar) else { return 0 };
    let today = day_in_china(now);
    if today <= deadline.day {
        return 0;
    }
    1 + calendar.working_days_between(deadline.day, today) / escalation_days.max(1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        format!("{text}T10:00:00+08:00").parse().unwrap()
    }

    fn running(from: &str, working_days: u32) -> Clock {
        Clock::Running { from: at(from), working_days }
    }

    #[test]
    fn a_pause_takes_nothing_and_gives_nothing() {
        let calendar = Calendar::built_in().unwrap();
        // Received on a Friday; Monday and Tuesday are used, Wednesday is the day of the question.
        let asked = paused(running("2025-08-01", 10), at("2025-08-06"), &calendar);
        assert_eq!(asked, Clock::Paused { working_days: 8 });
        assert_eq!(due(asked, &calendar), None);
        let answered = resumed(asked, at("2025-08-20"));
        assert_eq!(due(answered, &calendar).unwrap().day.to_string(), "2025-09-01");
        // On the day of receipt, on the last day, and too late.
        for (asked_on, left) in [("2025-08-01", 10), ("2025-08-15", 1), ("2025-08-18", 0), ("2025-09-18", 0)] {
            let paused = paused(running("2025-08-01", 10), at(asked_on), &calendar);
            assert_eq!(paused, Clock::Paused { working_days: left }, "{asked_on}");
        }
    }

    #[test]
    fn levels_rise_from_the_day_after_the_deadline() {
        let calendar = Calendar::built_in().unwrap();
        let clock = running("2025-08-01", 10); // due on the 15th, a Friday
        for (today, expected) in [
            ("2025-08-15", 0),
            ("2025-08-16", 1), // a Saturday: late all the same
            ("2025-08-18", 1),
            ("2025-08-21", 1),
            ("2025-08-22", 2),
            ("2025-08-29", 3),
        ] {
            assert_eq!(level(clock, at(today), &calendar, 5), expected, "{today}");
        }
        assert_eq!(level(Clock::Stopped, at("2030-01-01"), &calendar, 5), 0);
        assert_eq!(level(extended(clock, 5), at("2025-08-22"), &calendar, 5), 0);
    }

    proptest! {
        #[test]
        fn days_used_and_days_left_are_those_that_were_given(start in 0_i64..3_000, days in 0_i64..40, given in 1_u32..30) {
            let calendar = Calendar::built_in().unwrap();
            let from = at("2018-01-02") + chrono::TimeDelta::days(start);
            let now = from + chrono::TimeDelta::days(days);
            let clock = Clock::Running { from, working_days: given };
            let due = due(clock, &calendar).unwrap().day;
            let Clock::Paused { working_days: left } = paused(clock, now, &calendar) else { panic!("it ran") };
            let yesterday = day_in_china(now).pred_opt().unwrap();
            let used = calendar.working_days_between(day_in_china(from), yesterday);
            prop_assert_eq!(left, given.saturating_sub(used));
            // Whoever asks in time has a day left at least, and whoever asks late none.
            prop_assert_eq!(left > 0, day_in_china(now) <= due);
        }
    }
}
