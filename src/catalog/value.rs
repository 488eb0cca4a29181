//! How one cell of a register is typed, and how outside text becomes such a cell.

use chrono::NaiveDate;

/// What a field holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldKind {
    ResidentId,
    CreditCode,
    LicenceId,
    Division,
    /// Text of at most so many characters.
    Text { chars_max: usize },
    /// One of the listed codes, with their meanings.
    Code { values: Vec<(String, String)> },
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

/// Why a text is not a value of a field. Carries no register value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct ValueError {
    pub reason: String,
}
