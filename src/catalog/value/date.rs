//! Calendar days as registers and people write them.

use chrono::{Datelike, NaiveDate};

use super::half_width;

/// What registers write for "no end": 9999-12-31. `长期` (long-term), as printed on cards and licences, means this day.
pub const LONG_TERM: NaiveDate =
    NaiveDate::from_ymd_opt(9999, 12, 31).expect("the last day of the last four-digit year exists");

/// What a caller is told when a text is no date.
pub(super) const EXPECTED: &str = "a date is expected, such as 2020-01-31, 20200131, 2020/1/31 or 2020年1月31日, \
                                   from 1800 to 9999, or 长期 for an open end";

/// First year accepted: before it, a date in a register is a slip of the pen or a placeholder.
const YEAR_MIN: i32 = 1800;

/// A calendar day in any of the common notations: `2020-01-31`, `20200131`, `2020/1/31`, `2020.1.31`, `2020年1月31日`, also in
/// full-width digits, and `长期` for [`LONG_TERM`]. `None` for anything else, for a day that is not in the calendar and for
/// years before 1800.
pub fn parse_date(text: &str) -> Option<NaiveDate> {
    let bytes = text.as_bytes();
    match bytes {
        // The two spellings that exports use, read without looking any further.
        [_, _, _, _, b'-', _, _, b'-', _, _] => day(number(&bytes[..4])?, number(&bytes[5..7])?, number(&bytes[8..])?),
        digits if is_compact(digits) => compact(digits),
        _ => written_out(text),
    }
}

fn written_out(text: &str) -> Option<NaiveDate> {
    let text = half_width(text.trim());
    let text = text.as_ref();
    if text == "长期" {
        return Some(LONG_TERM);
    }
    if is_compact(text.as_bytes()) {
        return compact(text.as_bytes());
    }
    let (year, rest, closing) = if let Some((year, rest)) = text.split_once('年') {
        (year, rest.split_once('月')?, Some('日'))
    } else {
        let separator = ['-', '/', '.'].into_iter().find(|&c| text.contains(c))?;
        let (year, rest) = text.split_once(separator)?;
        (year, rest.split_once(separator)?, None)
    };
    let (month, last) = rest;
    let last = match closing {
        Some(sign) => last.strip_suffix(sign)?,
        None => last,
    };
    if year.len() != 4 || !(1..=2).contains(&month.len()) || !(1..=2).contains(&last.len()) {
        return None;
    }
    day(number(year.as_bytes())?, number(month.as_bytes())?, number(last.as_bytes())?)
}

fn is_compact(text: &[u8]) -> bool {
    text.len() == 8 && text.iter().all(u8::is_ascii_digit)
}

fn compact(digits: &[u8]) -> Option<NaiveDate> {
    day(number(&digits[..4])?, number(&digits[4..6])?, number(&digits[6..])?)
}

fn day(year: u32, month: u32, day: u32) -> Option<NaiveDate> {
    let date = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?;
    (date.year() >= YEAR_MIN).then_some(date)
}

/// At most four ASCII digits.
fn number(digits: &[u8]) -> Option<u32> {
    debug_assert!(digits.len() <= 4, "a longer number could overflow");
    digits.iter().try_fold(0, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + u32::from(byte - b'0')))
}
