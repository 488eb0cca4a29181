//! Why what was sent is no claim.

use super::{ONE_OF_MAX, Operator};
use crate::{identifiers::FieldName, problem::Code};

/// Why what was sent is no claim on the field. Names the field and the operator, never the value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClaimError {
    #[error("field `{field}` cannot be compared: its comparator does not fit its kind {kind}")]
    Incomparable { field: FieldName, kind: &'static str },
    #[error("nothing is claimed of the field")]
    NoOperator,
    #[error("operator `{operator}` is given twice")]
    Repeated { operator: Operator },
    #[error("operator `{operator}` does not fit a field of kind {kind}")]
    Unordered { operator: Operator, kind: &'static str },
    #[error("`one_of` takes 1 to {ONE_OF_MAX} values, not {count}")]
    Count { count: usize },
    #[error("{}{expected} is expected, not {given}", place(*operator))]
    WrongType { operator: Operator, expected: &'static str, given: &'static str },
    #[error("{}{reason}", place(*operator))]
    Value { operator: Operator, reason: String, remedy: Option<String> },
}

/// Where in the claim; a bare value has no operator that its sender would know.
fn place(operator: Operator) -> String {
    match operator {
        Operator::Equals => String::new(),
        named => format!("`{named}`: "),
    }
}

impl ClaimError {
    pub fn code(&self) -> Code {
        match self {
            Self::Incomparable { .. } => Code::UnknownField,
            Self::NoOperator
            | Self::Repeated { .. }
            | Self::Unordered { .. }
            | Self::Count { .. }
            | Self::WrongType { .. }
            | Self::Value { .. } => Code::InvalidValue,
        }
    }

    /// The operator that was wrong, where it was one.
    pub fn operator(&self) -> Option<Operator> {
        match self {
            Self::Incomparable { .. } | Self::NoOperator => None,
            Self::Count { .. } => Some(Operator::OneOf),
            Self::Repeated { operator }
            | Self::Unordered { operator, .. }
            | Self::WrongType { operator, .. }
            | Self::Value { operator, .. } => Some(*operator),
        }
    }

    /// What the caller can do about it, as a sentence of its own.
    pub fn remedy(&self) -> Option<String> {
        match self {
            Self::Incomparable { .. } => {
                Some("Tell the data steward: the catalogue declares the field wrongly.".into())
            }
            Self::NoOperator => {
                Some("Send a value, or an object with before, after, at_least, at_most or one_of.".into())
            }
            Self::Repeated { .. } => Some("Give each operator once; all that are given must hold.".into()),
            Self::Unordered { .. } => {
                Some("Only dates and whole numbers have an order; send a value, or use one_of.".into())
            }
            Self::Count { .. } => Some(format!("List 1 to {ONE_OF_MAX} values.")),
            Self::WrongType { .. } => Some("Send a JSON value of the kind that the field holds.".into()),
            Self::Value { remedy, .. } => remedy.clone(),
        }
    }
}
