//! How one cell of a register is typed, and how outside text becomes such a cell.
//!
//! May use `identifiers`. Pure: the day comes in as an argument. Promises that a [`Value`] made here is canonical (an
//! identifier in its standard spelling, a date as a date), so that equal things compare equal, and that a [`ValueError`]
//! never repeats the text it was made from.
//!
//! ```text
//! cell as text --trim--> FieldKind::parse --> Value (canonical)  or  ValueError (what was expected)
//! ```
//!
//! Every cell of a register passes here once at publication, so the usual spelling of each kind has a short way through.

mod date;

use std::{borrow::Cow, fmt, str::FromStr};

use chrono::NaiveDate;

use crate::identifiers::{CreditCode, DivisionCode, IdentifierError, LicenceId, ResidentId};

pub use date::{LONG_TERM, parse_date};

/// What a field holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldKind {
    ResidentId,
    CreditCode,
    LicenceId,
    Division,
    /// Text of at most so many characters.
    Text {
        chars_max: usize,
    },
    /// One of the listed codes, with their meanings.
    Code {
        values: Vec<(String, String)>,
    },
    Date,
    Integer,
    Boolean,
}

/// One cell. Identifiers are kept in their canonical text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Text(String),
    Date(NaiveDate),
    Integer(i64),
    Boolean(bool),
}

/// One cell as it was read: like [`Value`], without a copy of text that is canonical already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell<'a> {
    Text(Cow<'a, str>),
    Date(NaiveDate),
    Integer(i64),
    Boolean(bool),
}

/// Why a text is not a value of a field. Carries no register value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct ValueError {
    pub reason: String,
}

impl ValueError {
    fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}

/// Characters of a value that a reason may repeat: fewer say nothing about anybody.
const REPEATED_CHARS_MAX: usize = 3;

/// The reason why a text is not an identifier, unless it repeats a part of it, as the one for a wrong birth date does.
fn not_an_identifier(text: &str, error: &IdentifierError) -> ValueError {
    let characters: Vec<char> = text.chars().collect();
    let repeats =
        characters.windows(REPEATED_CHARS_MAX + 1).any(|part| error.reason.contains(&String::from_iter(part)));
    if repeats { ValueError::new(format!("it is not a {}", error.kind)) } else { ValueError::new(error.reason.clone()) }
}

impl FieldKind {
    /// The name of the kind, as the catalogue spells it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::ResidentId => "resident_id",
            Self::CreditCode => "credit_code",
            Self::LicenceId => "licence_id",
            Self::Division => "division",
            Self::Text { .. } => "text",
            Self::Code { .. } => "code",
            Self::Date => "date",
            Self::Integer => "integer",
            Self::Boolean => "boolean",
        }
    }

    /// Turn the text of one cell into a value. White space around it does not count; an empty cell is the caller's
    /// matter and refused here. `today` bounds what cannot lie ahead, such as the birth date in a resident ID.
    pub fn parse(&self, text: &str, today: NaiveDate) -> Result<Value, ValueError> {
        self.read(text, today).map(|cell| match cell {
            Cell::Text(text) => Value::Text(text.into_owned()),
            Cell::Date(day) => Value::Date(day),
            Cell::Integer(number) => Value::Integer(number),
            Cell::Boolean(truth) => Value::Boolean(truth),
        })
    }

    /// The same, borrowing what need not be changed: for the ten millions of cells of a publication.
    pub fn read<'a>(&self, text: &'a str, today: NaiveDate) -> Result<Cell<'a>, ValueError> {
        let text = trimmed(text);
        if text.is_empty() {
            return Err(ValueError::new("the value is empty"));
        }
        match self {
            Self::ResidentId => resident_id(text, today),
            Self::CreditCode => identifier::<CreditCode>(text),
            Self::LicenceId => identifier::<LicenceId>(text),
            Self::Division => identifier::<DivisionCode>(text),
            Self::Text { chars_max } => free_text(text, *chars_max),
            Self::Code { values } => code(text, values),
            Self::Date => parse_date(text).map(Cell::Date).ok_or_else(|| ValueError::new(date::EXPECTED)),
            Self::Integer => integer(text),
            Self::Boolean => boolean(text),
        }
    }
}

impl Value {
    /// The value in its canonical text: dates as `2020-01-31`, booleans as `true` and `false`.
    pub fn as_text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Date(date) => Cow::Owned(date.to_string()),
            Self::Integer(number) => Cow::Owned(number.to_string()),
            Self::Boolean(true) => Cow::Borrowed("true"),
            Self::Boolean(false) => Cow::Borrowed("false"),
        }
    }
}

/// Without the white space around it. Most cells have none, which two bytes tell.
fn trimmed(text: &str) -> &str {
    let graphic = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_graphic);
    let bytes = text.as_bytes();
    if graphic(bytes.first()) && graphic(bytes.last()) { text } else { text.trim() }
}

/// Full-width forms as their ASCII counterparts; text without them is borrowed. The rest of NFKC would be too much here:
/// it folds characters that differ in a code.
fn half_width(text: &str) -> Cow<'_, str> {
    if text.is_ascii() || !text.contains(|c| matches!(c, '\u{FF01}'..='\u{FF5E}' | '\u{3000}')) {
        return Cow::Borrowed(text);
    }
    let narrow = |c: char| match c {
        // INVARIANT: the block U+FF01..U+FF5E mirrors U+0021..U+007E, 0xFEE0 apart.
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(c as u32 - 0xFEE0).unwrap_or(c),
        '\u{3000}' => ' ',
        other => other,
    };
    Cow::Owned(text.chars().map(narrow).collect())
}

fn resident_id(text: &str, today: NaiveDate) -> Result<Cell<'_>, ValueError> {
    let id: ResidentId = text.parse().map_err(|error| not_an_identifier(text, &error))?;
    id.check_on(today).map_err(|error| not_an_identifier(text, &error))?;
    Ok(Cell::Text(canonical(text, id.as_str())))
}

fn identifier<T: FromStr<Err = IdentifierError> + fmt::Display>(text: &str) -> Result<Cell<'_>, ValueError> {
    let identifier: T = text.parse().map_err(|error| not_an_identifier(text, &error))?;
    Ok(Cell::Text(canonical(text, &identifier.to_string())))
}

/// The text itself where it is the canonical spelling.
fn canonical<'a>(text: &'a str, spelling: &str) -> Cow<'a, str> {
    if text == spelling { Cow::Borrowed(text) } else { Cow::Owned(spelling.to_owned()) }
}

fn free_text(text: &str, chars_max: usize) -> Result<Cell<'_>, ValueError> {
    // A text has no more characters than bytes, so most need no counting.
    if text.len() > chars_max {
        let chars = text.chars().count();
        if chars > chars_max {
            return Err(ValueError::new(format!("the text has {chars} characters, at most {chars_max} are allowed")));
        }
    }
    let printable = text.bytes().all(|byte| matches!(byte, 0x20..=0x7E));
    if !printable && text.chars().any(is_invisible_control) {
        return Err(ValueError::new("the text contains a control character"));
    }
    Ok(Cell::Text(Cow::Borrowed(text)))
}

/// Characters that change how others are shown, or end a line: a name that carries one could be read as another name.
fn is_invisible_control(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}')
}

fn code<'a>(text: &'a str, values: &[(String, String)]) -> Result<Cell<'a>, ValueError> {
    let listed = |text: &str| values.iter().any(|(code, _)| code == text);
    if listed(text) {
        return Ok(Cell::Text(Cow::Borrowed(text)));
    }
    // Codes of the standards are digits and capitals; a clerk's lower case or full-width form means the same.
    let folded = half_width(text).to_ascii_uppercase();
    if listed(&folded) {
        return Ok(Cell::Text(Cow::Owned(folded)));
    }
    Err(ValueError::new(format!("the value is not one of the {} codes of the field", values.len())))
}

fn integer(text: &str) -> Result<Cell<'_>, ValueError> {
    half_width(text)
        .parse()
        .map(Cell::Integer)
        .map_err(|_| ValueError::new("a whole number is expected, without separators, within 64 bits"))
}

fn boolean(text: &str) -> Result<Cell<'_>, ValueError> {
    let word = half_width(text);
    match word.as_ref() {
        "1" | "是" => Ok(Cell::Boolean(true)),
        "0" | "否" => Ok(Cell::Boolean(false)),
        word if word.eq_ignore_ascii_case("true") => Ok(Cell::Boolean(true)),
        word if word.eq_ignore_ascii_case("false") => Ok(Cell::Boolean(false)),
        _ => Err(ValueError::new("one of 1, 0, true, false, 是, 否 is expected")),
    }
}

#[cfg(test)]
mod tests;
