//! The vectors of the law's calendar, what a bad file says, and the laws of counting.

use proptest::prelude::*;

use super::*;

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn calendar() -> Calendar {
    Calendar::built_in().unwrap()
}

#[test]
fn deadlines_are_those_of_the_published_calendar() {
    let calendar = calendar();
    for (received, working_days, last) in [
        ("2025-09-26", 1, "2025-09-28"), // a Sunday that is worked
        ("2025-09-26", 5, "2025-10-10"),
        ("2025-09-26", 10, "2025-10-16"),
        ("2025-09-26", 20, "2025-10-30"),
        ("2025-09-30", 1, "2025-10-09"),
        ("2025-09-30", 10, "2025-10-21"),
        ("2025-10-01", 1, "2025-10-09"), // received on a holiday: as if on the day before it
        ("2025-10-01", 10, "2025-10-21"),
        ("2025-08-01", 10, "2025-08-15"),
        ("2025-08-01", 20, "2025-08-29"),
        ("2026-02-13", 1, "2026-02-14"), // a Saturday that is worked
        ("2026-02-13", 10, "2026-03-05"),
    ] {
        let deadline = calendar.deadline_after(day(received), working_days);
        assert_eq!((deadline.day, deadline.provisional), (day(last), false), "{received} + {working_days}");
        assert_eq!(calendar.working_days_between(day(received), day(last)), working_days);
    }
}

#[test]
fn the_day_is_the_day_in_china() {
    let calendar = calendar();
    // One minute before and after midnight in China, both on the 31st of July in Greenwich.
    assert_eq!(calendar.deadline(at("2025-07-31T15:59:00Z"), 1).day, day("2025-08-01"));
    assert_eq!(calendar.deadline(at("2025-07-31T16:00:00Z"), 1).day, day("2025-08-04"));
    let deadline = calendar.deadline(at("2025-08-01T02:00:00Z"), 10);
    assert!(!is_overdue(deadline, at("2025-08-15T15:59:59Z")), "the last day counts whole");
    assert!(is_overdue(deadline, at("2025-08-15T16:00:00Z")));
}

#[test]
fn beyond_the_published_years_a_deadline_says_that_it_may_move() {
    let calendar = calendar();
    assert_eq!(calendar.years(), 2018..=2026);
    for (received, working_days, provisional) in [
        ("2026-12-30", 1, false),
        ("2026-12-30", 2, true),
        ("2026-12-31", 0, false),
        ("2027-05-06", 10, true),
        ("2017-12-28", 5, true),
        ("2017-12-31", 1, false), // only days after receipt are counted
    ] {
        let deadline = calendar.deadline_after(day(received), working_days);
        assert_eq!(deadline.provisional, provisional, "{received} + {working_days}: {deadline:?}");
    }
}

#[test]
fn nothing_to_wait_for_is_due_on_the_day_itself() {
    let holiday = day("2025-10-03");
    assert_eq!(calendar().deadline_after(holiday, 0), Deadline { day: holiday, provisional: false });
    assert_eq!(calendar().working_days_between(holiday, holiday), 0);
    assert_eq!(calendar().working_days_between(day("2025-10-20"), holiday), 0);
}

#[test]
fn a_wrong_file_names_its_line_and_the_remedy() {
    for (text, expected) in [
        ("day,kind,holiday\n", "w.csv:1: the first line names other columns. Write `date,kind,holiday`"),
        ("", "w.csv:1: the first line names other columns"),
        ("# a remark\ndate,kind,holiday\n2025-13-01,holiday,x\n", "w.csv:3: `2025-13-01` is no date"),
        ("date,kind,holiday\n2025-10-01,feast,x\n", "w.csv:2: `feast` is no kind of day. Write `holiday` or"),
        ("date,kind,holiday\n2025-10-04,holiday,x\n", "w.csv:2: 2025-10-04 is a weekend day"),
        ("date,kind,holiday\n2025-10-09,workday,x\n", "w.csv:2: 2025-10-09 is a weekday"),
        ("date,kind,holiday\n2025-10-01,holiday,x\n2025-10-01,holiday,y\n", "w.csv:3: 2025-10-01 stands twice"),
        ("date,kind,holiday\n2025-10-01,holiday,x\n2027-10-01,holiday,y\n", "the year 2026 has no holidays"),
        ("date,kind,holiday\n2025-10-01,holiday\n", "w.csv:2: this is no line of the file"),
        ("date,kind,holiday\n", "no day is named"),
    ] {
        let error = Calendar::read("w.csv", text).unwrap_err();
        assert!(error.to_string().contains(expected), "{text:?}: {error}");
        assert_eq!(error.code(), Code::ConfigInvalid);
    }
}

#[test]
fn a_file_takes_the_place_of_the_built_in_calendar() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("w.csv");
    assert!(matches!(Calendar::load(Some(&path)), Err(CalendarError::Unreadable { .. })));
    std::fs::write(&path, "\u{feff}date,kind,holiday\r\n2031-01-01, holiday ,New Year\r\n").unwrap();
    let calendar = Calendar::load(Some(&path)).unwrap();
    assert_eq!(calendar.years(), 2031..=2031);
    assert_eq!(calendar.deadline_after(day("2030-12-31"), 1).day, day("2031-01-02"));
    assert_eq!(Calendar::load(None).unwrap(), super::Calendar::built_in().unwrap());
}

prop_compose! {
    /// From before the published years to after them.
    fn any_day()(offset in 0_i64..4_500) -> NaiveDate {
        day("2017-01-01") + chrono::TimeDelta::days(offset)
    }
}

proptest! {
    #[test]
    fn a_deadline_is_a_working_day_so_many_days_later(received in any_day(), working_days in 1_u32..300) {
        let calendar = calendar();
        let deadline = calendar.deadline_after(received, working_days);
        prop_assert!(calendar.is_working_day(deadline.day));
        prop_assert!(deadline.day > received);
        prop_assert_eq!(calendar.working_days_between(received, deadline.day), working_days);
    }

    #[test]
    fn a_later_receipt_or_more_days_never_end_earlier(
        received in any_day(), later in 0_i64..60, working_days in 0_u32..100, more in 0_u32..30,
    ) {
        let calendar = calendar();
        let first = calendar.deadline_after(received, working_days).day;
        prop_assert!(first <= calendar.deadline_after(received + chrono::TimeDelta::days(later), working_days).day);
        prop_assert!(first <= calendar.deadline_after(received, working_days + more).day);
    }

    #[test]
    fn so_many_days_and_then_so_many_more_are_their_sum(received in any_day(), one in 0_u32..60, two in 0_u32..60) {
        let calendar = calendar();
        let half_way = calendar.deadline_after(received, one).day;
        prop_assert_eq!(calendar.deadline_after(half_way, two).day, calendar.deadline_after(received, one + two).day);
    }

    #[test]
    fn what_is_certain_lies_in_the_published_years(received in any_day(), working_days in 1_u32..300) {
        let calendar = calendar();
        let deadline = calendar.deadline_after(received, working_days);
        let counted = received.succ_opt().unwrap().year()..=deadline.day.year();
        let known = calendar.years();
        prop_assert_eq!(deadline.provisional, !(known.contains(counted.start()) && known.contains(counted.end())));
    }

    #[test]
    fn no_file_makes_it_panic(text in "\\PC{0,60}|(date,kind,holiday\n)?([0-9,-]{0,12}(holiday|workday)?[\n,\"#])*") {
        let _ = Calendar::read("w.csv", &text);
    }
}
