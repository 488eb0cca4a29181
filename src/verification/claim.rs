//! What is claimed of a field: loose operators in, a typed claim out.
//!
//! May use `catalog` for how a field is typed. Promises that a [`Claim`] fits its field: it can be held against any cell
//! of it without a further question.

mod error;
mod reader;

use std::fmt;

use chrono::NaiveDate;

pub use error::ClaimError;

use self::reader::Reader;
use crate::catalog::Field;

/// Most values of `one_of`.
const ONE_OF_MAX: usize = 32;

/// A value as a caller sends it, before anybody knows what field it is for.
#[derive(Clone, PartialEq, Eq)]
pub enum Scalar {
    Text(String),
    Integer(i64),
    Boolean(bool),
}

impl Scalar {
    fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
            Self::Integer(_) => "a number",
            Self::Boolean(_) => "a truth value",
        }
    }
}

/// What it is, not what it says: it may be somebody's name.
impl fmt::Debug for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scalar({})", self.kind())
    }
}

/// One operator with its value, as a caller sends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimInput {
    /// The register's value is this one.
    Equals(Scalar),
    /// The register's value is earlier or smaller than this one.
    Before(Scalar),
    /// The register's value is later or larger than this one.
    After(Scalar),
    /// The register's value is this one, later or larger.
    AtLeast(Scalar),
    /// The register's value is this one, earlier or smaller.
    AtMost(Scalar),
    /// The register's value is one of these.
    OneOf(Vec<Scalar>),
}

impl ClaimInput {
    pub fn operator(&self) -> Operator {
        match self {
            Self::Equals(_) => Operator::Equals,
            Self::Before(_) => Operator::Before,
            Self::After(_) => Operator::After,
            Self::AtLeast(_) => Operator::AtLeast,
            Self::AtMost(_) => Operator::AtMost,
            Self::OneOf(_) => Operator::OneOf,
        }
    }
}

/// The name of an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operator {
    Equals,
    Before,
    After,
    AtLeast,
    AtMost,
    OneOf,
}

impl Operator {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Equals => "equals",
            Self::Before => "before",
            Self::After => "after",
            Self::AtLeast => "at_least",
            Self::AtMost => "at_most",
            Self::OneOf => "one_of",
        }
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A claim that fits its field; one test or more, all of which must hold.
#[derive(Clone, PartialEq, Eq)]
pub struct Claim {
    pub(super) tests: Vec<Test>,
}

#[derive(Clone, PartialEq, Eq)]
pub(super) enum Test {
    Equals(Operand),
    OneOf(Vec<Operand>),
    Ordered(Order, Bound),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Before,
    After,
    AtLeast,
    AtMost,
}

/// A claimed value in the type of its field.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Operand {
    /// As it was sent, and in its one form (`name::form`).
    Name {
        raw: String,
        form: String,
    },
    /// As it was sent, and in its one form (`code::form`).
    Code {
        raw: String,
        form: String,
    },
    /// As it was sent, and in the spelling of its standard or code list, in which registers keep it.
    Canonical {
        raw: String,
        canonical: String,
    },
    Exact(String),
    Date(NaiveDate),
    Integer(i64),
    Boolean(bool),
}

/// A claimed value that has an order.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Bound {
    Date(NaiveDate),
    Integer(i64),
}

/// The operators, not the values.
impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operator = |test: &Test| match test {
            Test::Equals(_) => Operator::Equals,
            Test::OneOf(_) => Operator::OneOf,
            Test::Ordered(Order::Before, _) => Operator::Before,
            Test::Ordered(Order::After, _) => Operator::After,
            Test::Ordered(Order::AtLeast, _) => Operator::AtLeast,
            Test::Ordered(Order::AtMost, _) => Operator::AtMost,
        };
        f.debug_tuple("Claim").field(&self.tests.iter().map(operator).collect::<Vec<_>>()).finish()
    }
}

impl Claim {
    /// Make a claim on `field` of the operators that were sent; all of them must hold. `today` bounds what cannot lie
    /// ahead, such as the birth date in a resident ID.
    pub fn parse(field: &Field, inputs: &[ClaimInput], today: NaiveDate) -> Result<Self, ClaimError> {
        let reader = Reader::new(field, today)?;
        if inputs.is_empty() {
            return Err(ClaimError::NoOperator);
        }
        for (position, input) in inputs.iter().enumerate() {
            let operator = input.operator();
            if inputs[..position].iter().any(|before| before.operator() == operator) {
                return Err(ClaimError::Repeated { operator });
            }
        }
        Ok(Self { tests: inputs.iter().map(|input| reader.test(input)).collect::<Result<_, _>>()? })
    }
}

#[cfg(test)]
mod tests;
