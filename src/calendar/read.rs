//! The exceptions from a CSV: `date,kind,holiday`, and lines of remarks that begin with `#`.
//!
//! Uses the rest of this room. A row that says what its weekday says anyway, a day named twice and a year left out between
//! two others are mistakes of whoever keeps the file, and each would move deadlines without anybody seeing it; so they are
//! refused, with their line.

use std::{collections::BTreeMap, fs, path::Path};

use chrono::{Datelike, NaiveDate, Weekday};
use csv::{ReaderBuilder, StringRecord, Trim};

use super::{BUILT_IN, Calendar, CalendarError, Exception};

const COLUMNS: [&str; 3] = ["date", "kind", "holiday"];

impl Calendar {
    /// The calendar that came with the program.
    pub fn built_in() -> Result<Self, CalendarError> {
        Self::read("workday-exceptions.csv", BUILT_IN)
    }

    /// The calendar in that file, or the one that came with the program.
    pub fn load(path: Option<&Path>) -> Result<Self, CalendarError> {
        let Some(path) = path else { return Self::built_in() };
        let unreadable = |source| CalendarError::Unreadable { path: path.to_owned(), source };
        Self::read(&path.display().to_string(), &fs::read_to_string(path).map_err(unreadable)?)
    }

    /// Check a text, under the name that errors give it.
    pub fn read(name: &str, text: &str) -> Result<Self, CalendarError> {
        let wrong = |line, reason, remedy| CalendarError::Wrong { name: name.to_owned(), line, reason, remedy };
        let text = text.trim_start_matches('\u{feff}'); // what spreadsheets put before the first line
        let mut reader = ReaderBuilder::new().comment(Some(b'#')).trim(Trim::All).from_reader(text.as_bytes());
        let head = reader.headers().map_err(|error| not_csv(name, &error))?;
        if head.iter().ne(COLUMNS) {
            let line = head.position().map_or(1, |position| position.line());
            let reason = "the first line names other columns".to_owned();
            return Err(wrong(line, reason, "Write `date,kind,holiday`"));
        }
        let mut exceptions = BTreeMap::new();
        for record in reader.records() {
            let record = record.map_err(|error| not_csv(name, &error))?;
            let line = record.position().map_or(0, |position| position.line());
            let (day, exception) = row(&record).map_err(|(reason, remedy)| wrong(line, reason, remedy))?;
            if exceptions.insert(day, exception).is_some() {
                return Err(wrong(line, format!("{day} stands twice"), "Remove one of the two"));
            }
        }
        let years = years(&exceptions).map_err(|reason| wrong(1, reason, "Add its holidays"))?;
        Ok(Self { exceptions, years })
    }
}

type Reason = (String, &'static str);

fn row(record: &StringRecord) -> Result<(NaiveDate, Exception), Reason> {
    let cell = |index| record.get(index).unwrap_or_default();
    let day = NaiveDate::parse_from_str(cell(0), "%Y-%m-%d")
        .map_err(|_| (format!("`{}` is no date", cell(0)), "Write it as 2025-10-01"))?;
    let weekend = matches!(day.weekday(), Weekday::Sat | Weekday::Sun);
    match (cell(1), weekend) {
        ("holiday", false) => Ok((day, Exception::Holiday)),
        ("workday", true) => Ok((day, Exception::Workday)),
        ("holiday", true) => Err((format!("{day} is a weekend day, so it is free anyway"), "Remove the line")),
        ("workday", false) => Err((format!("{day} is a weekday, so it is worked anyway"), "Remove the line")),
        (other, _) => Err((format!("`{other}` is no kind of day"), "Write `holiday` or `workday`")),
    }
}

/// First and last year, where every year between them has its days: there is none without a holiday on a weekday.
fn years(exceptions: &BTreeMap<NaiveDate, Exception>) -> Result<std::ops::RangeInclusive<i32>, String> {
    let holidays = exceptions.iter().filter(|(_, exception)| **exception == Exception::Holiday);
    let named: std::collections::BTreeSet<i32> = holidays.map(|(day, _)| day.year()).collect();
    let (Some(&first), Some(&last)) = (named.first(), named.last()) else {
        return Err("no day is named".to_owned());
    };
    match (first..=last).find(|year| !named.contains(year)) {
        Some(missing) => Err(format!("the year {missing} has no holidays, though years before and after it have")),
        None => Ok(first..=last),
    }
}

fn not_csv(name: &str, error: &csv::Error) -> CalendarError {
    CalendarError::Wrong {
        name: name.to_owned(),
        line: error.position().map_or(1, |position| position.line()),
        reason: format!("this is no line of the file: {error}"),
        remedy: "Write `date,kind,holiday`, such as `2025-10-01,holiday,National Day`",
    }
}
