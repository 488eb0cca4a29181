//! Sent values become values of a field's type.

use chrono::NaiveDate;

use super::{
    super::{code, name, spelling::is_forbidden},
    Bound, ClaimError, ClaimInput, ONE_OF_MAX, Operand, Operator, Order, Scalar, Test,
};
use crate::catalog::{Comparator, Field, FieldKind, Value, ValueError};

/// Most codes of a field that a remedy lists.
const CODES_LISTED_MAX: usize = 12;

/// How the values of a field are held against a claim: its kind and its comparator in one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Name,
    Code,
    Exact,
    Date,
    Integer,
    Boolean,
}

impl Way {
    fn of(field: &Field) -> Result<Self, ClaimError> {
        match (&field.kind, field.comparator) {
            (FieldKind::Date, Comparator::Date | Comparator::Exact) => Ok(Self::Date),
            (FieldKind::Integer, Comparator::Number | Comparator::Exact) => Ok(Self::Integer),
            (FieldKind::Boolean, Comparator::Exact | Comparator::Code) => Ok(Self::Boolean),
            (FieldKind::Text { .. }, Comparator::Name) => Ok(Self::Name),
            (
                FieldKind::Text { .. }
                | FieldKind::Code { .. }
                | FieldKind::ResidentId
                | FieldKind::CreditCode
                | FieldKind::LicenceId
                | FieldKind::Division,
                Comparator::Code,
            ) => Ok(Self::Code),
            (
                FieldKind::Text { .. }
                | FieldKind::Code { .. }
                | FieldKind::ResidentId
                | FieldKind::CreditCode
                | FieldKind::LicenceId
                | FieldKind::Division,
                Comparator::Exact,
            ) => Ok(Self::Exact),
            // The catalogue refuses such a field when it is loaded.
            (_, Comparator::Name | Comparator::Date | Comparator::Code | Comparator::Number) => {
                Err(ClaimError::Incomparable { field: field.name.clone(), kind: field.kind.name() })
            }
        }
    }
}

/// Reads the values of one claim.
pub(super) struct Reader<'a> {
    field: &'a Field,
    way: Way,
    today: NaiveDate,
}

impl<'a> Reader<'a> {
    pub(super) fn new(field: &'a Field, today: NaiveDate) -> Result<Self, ClaimError> {
        Ok(Self { field, way: Way::of(field)?, today })
    }

    pub(super) fn test(&self, input: &ClaimInput) -> Result<Test, ClaimError> {
        let operator = input.operator();
        match input {
            ClaimInput::Equals(value) => Ok(Test::Equals(self.operand(operator, value)?)),
            ClaimInput::Before(value) => self.ordered(operator, Order::Before, value),
            ClaimInput::After(value) => self.ordered(operator, Order::After, value),
            ClaimInput::AtLeast(value) => self.ordered(operator, Order::AtLeast, value),
            ClaimInput::AtMost(value) => self.ordered(operator, Order::AtMost, value),
            ClaimInput::OneOf(values) if (1..=ONE_OF_MAX).contains(&values.len()) => {
                let operands = values.iter().map(|value| self.operand(operator, value));
                Ok(Test::OneOf(operands.collect::<Result<_, _>>()?))
            }
            ClaimInput::OneOf(values) => Err(ClaimError::Count { count: values.len() }),
        }
    }

    fn ordered(&self, operator: Operator, order: Order, value: &Scalar) -> Result<Test, ClaimError> {
        let unordered = ClaimError::Unordered { operator, kind: self.field.kind.name() };
        if !matches!(self.way, Way::Date | Way::Integer) {
            return Err(unordered); // Before the value is looked at: whatever it is, the operator is wrong.
        }
        match self.operand(operator, value)? {
            Operand::Date(date) => Ok(Test::Ordered(order, Bound::Date(date))),
            Operand::Integer(number) => Ok(Test::Ordered(order, Bound::Integer(number))),
            Operand::Name { .. }
            | Operand::Code { .. }
            | Operand::Canonical { .. }
            | Operand::Exact(_)
            | Operand::Boolean(_) => Err(unordered),
        }
    }

    fn operand(&self, operator: Operator, value: &Scalar) -> Result<Operand, ClaimError> {
        let wrong_type = |expected| ClaimError::WrongType { operator, expected, given: value.kind() };
        match (self.way, value) {
            (Way::Integer, Scalar::Integer(number)) => Ok(Operand::Integer(*number)),
            (Way::Boolean, Scalar::Boolean(truth)) => Ok(Operand::Boolean(*truth)),
            (way, Scalar::Text(text)) => self.text(way, text).map_err(|error| self.refuse(operator, error)),
            (Way::Integer, Scalar::Boolean(_)) => Err(wrong_type("a whole number")),
            (Way::Boolean, Scalar::Integer(_)) => Err(wrong_type("a truth value")),
            (Way::Date, Scalar::Integer(_) | Scalar::Boolean(_)) => Err(wrong_type("a date in a text")),
            // A number would have lost the leading zeros of a code.
            (Way::Name | Way::Code | Way::Exact, Scalar::Integer(_) | Scalar::Boolean(_)) => Err(wrong_type("a text")),
        }
    }

    fn text(&self, way: Way, text: &str) -> Result<Operand, ValueError> {
        let raw = text.trim();
        if raw.chars().any(is_forbidden) {
            return Err(ValueError { reason: "the value contains a control character".into() });
        }
        match way {
            Way::Name => {
                // The length is not checked: blanks may make a name longer than the field, and one too long mismatches.
                let form = name::form(raw).into_owned();
                not_empty(&form)?;
                Ok(Operand::Name { raw: text.to_owned(), form })
            }
            Way::Code => self.code(text, raw),
            Way::Exact => {
                self.parse(raw)?;
                Ok(Operand::Exact(raw.to_owned()))
            }
            Way::Date | Way::Integer | Way::Boolean => match self.parse(raw)? {
                Value::Date(date) => Ok(Operand::Date(date)),
                Value::Integer(number) => Ok(Operand::Integer(number)),
                Value::Boolean(truth) => Ok(Operand::Boolean(truth)),
                Value::Text(text) => Ok(Operand::Exact(text)), // None of these kinds has texts for values.
            },
        }
    }

    /// An identifier or a listed code has to be a valid one; free text has only to fit the field.
    fn code(&self, text: &str, raw: &str) -> Result<Operand, ValueError> {
        if let FieldKind::Text { .. } = self.field.kind {
            let form = code::form(raw).into_owned();
            not_empty(&form)?;
            self.parse(&form)?;
            return Ok(Operand::Code { raw: text.to_owned(), form });
        }
        let canonical = self.parse(raw)?.as_text().into_owned();
        Ok(Operand::Canonical { raw: text.to_owned(), canonical })
    }

    fn parse(&self, text: &str) -> Result<Value, ValueError> {
        self.field.kind.parse(text, self.today)
    }

    fn refuse(&self, operator: Operator, error: ValueError) -> ClaimError {
        let remedy = match &self.field.kind {
            FieldKind::ResidentId | FieldKind::CreditCode | FieldKind::LicenceId | FieldKind::Division => {
                Some("Check the number against the document.".to_owned())
            }
            FieldKind::Date => Some("Write the date as YYYY-MM-DD.".to_owned()),
            FieldKind::Code { values } if values.len() <= CODES_LISTED_MAX => {
                let listed: Vec<_> = values.iter().map(|(code, meaning)| format!("{code} ({meaning})")).collect();
                Some(format!("Send one of the codes: {}.", listed.join(", ")))
            }
            FieldKind::Code { .. } => Some("Send one of the codes that the catalogue lists for the field.".to_owned()),
            FieldKind::Text { .. } | FieldKind::Integer | FieldKind::Boolean => None,
        };
        ClaimError::Value { operator, reason: error.reason, remedy }
    }
}

fn not_empty(form: &str) -> Result<(), ValueError> {
    if form.is_empty() {
        return Err(ValueError { reason: "the value is empty".into() });
    }
    Ok(())
}
