//! A claim held against one cell.
//!
//! All tests of a claim are run, all values of a list are compared and texts are compared in constant time, so that how
//! long a comparison takes does not tell how close the claim came.

use aws_lc_rs::constant_time::verify_slices_are_equal;

use super::{
    Claim, Reason,
    claim::{Bound, Operand, Order, Test},
    code, name,
};
use crate::catalog::Value;

/// What one claim came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClaimResult {
    Match,
    Mismatch,
    Indeterminate(Reason),
}

/// What one claim came to, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Comparison {
    pub result: ClaimResult,
    /// The rule without which it would not have matched: `name-normalised` or `code-normalised`. Only on a match.
    pub rule: Option<&'static str>,
}

impl Comparison {
    const MATCH: Self = Self { result: ClaimResult::Match, rule: None };
    const MISMATCH: Self = Self { result: ClaimResult::Mismatch, rule: None };

    const fn by_rule(rule: &'static str) -> Self {
        Self { result: ClaimResult::Match, rule: Some(rule) }
    }

    pub(super) const fn indeterminate(reason: Reason) -> Self {
        Self { result: ClaimResult::Indeterminate(reason), rule: None }
    }

    /// Of two comparisons, which says more for the claim: a mismatch least, then an unknown, then a match by a rule.
    fn strength(&self) -> u8 {
        match (self.result, self.rule) {
            (ClaimResult::Mismatch, _) => 0,
            (ClaimResult::Indeterminate(_), _) => 1,
            (ClaimResult::Match, Some(_)) => 2,
            (ClaimResult::Match, None) => 3,
        }
    }

    const fn when(holds: bool) -> Self {
        if holds { Self::MATCH } else { Self::MISMATCH }
    }
}

impl Claim {
    /// Hold the claim against the register's value; no value, or a blank one, is [`Reason::NoValue`].
    pub fn compare(&self, value: Option<&Value>) -> Comparison {
        match value {
            Some(Value::Text(text)) if text.trim().is_empty() => Comparison::indeterminate(Reason::NoValue),
            Some(value) => all_of(self.tests.iter().map(|test| test.compare(value))),
            None => Comparison::indeterminate(Reason::NoValue),
        }
    }
}

impl Test {
    fn compare(&self, value: &Value) -> Comparison {
        match self {
            Self::Equals(operand) => operand.compare(value),
            Self::OneOf(operands) => any_of(operands.iter().map(|operand| operand.compare(value))),
            Self::Ordered(order, bound) => bound.compare(*order, value),
        }
    }
}

impl Operand {
    fn compare(&self, value: &Value) -> Comparison {
        match (self, value) {
            (Self::Name { raw, form }, Value::Text(registered)) => compare_names(raw, form, registered),
            (Self::Code { raw, form }, Value::Text(registered)) => compare_codes(raw, form, registered),
            (Self::Canonical { raw, canonical }, Value::Text(registered)) => {
                compare_canonical(raw, canonical, registered)
            }
            (Self::Exact(raw), Value::Text(registered)) => Comparison::when(equal(raw, registered)),
            (Self::Date(claimed), Value::Date(registered)) => Comparison::when(claimed == registered),
            (Self::Integer(claimed), Value::Integer(registered)) => Comparison::when(claimed == registered),
            (Self::Boolean(claimed), Value::Boolean(registered)) => Comparison::when(claimed == registered),
            (
                Self::Name { .. }
                | Self::Code { .. }
                | Self::Canonical { .. }
                | Self::Exact(_)
                | Self::Date(_)
                | Self::Integer(_)
                | Self::Boolean(_),
                Value::Text(_) | Value::Date(_) | Value::Integer(_) | Value::Boolean(_),
            ) => of_another_type(),
        }
    }
}

impl Bound {
    fn compare(&self, order: Order, value: &Value) -> Comparison {
        let ordering = match (self, value) {
            (Self::Date(bound), Value::Date(registered)) => registered.cmp(bound),
            (Self::Integer(bound), Value::Integer(registered)) => registered.cmp(bound),
            (
                Self::Date(_) | Self::Integer(_),
                Value::Text(_) | Value::Date(_) | Value::Integer(_) | Value::Boolean(_),
            ) => {
                return of_another_type();
            }
        };
        Comparison::when(match order {
            Order::Before => ordering.is_lt(),
            Order::After => ordering.is_gt(),
            Order::AtLeast => ordering.is_ge(),
            Order::AtMost => ordering.is_le(),
        })
    }
}

/// Publication types every column as the catalogue says. A cell of another type is no value of the field, and no grounds
/// for telling an applicant that a claim is wrong.
const fn of_another_type() -> Comparison {
    Comparison::indeterminate(Reason::NoValue)
}

fn compare_names(raw: &str, form: &str, registered: &str) -> Comparison {
    if equal(raw, registered) {
        return Comparison::MATCH;
    }
    let theirs = name::form(registered);
    if equal(form, &theirs) {
        Comparison::by_rule(name::RULE)
    } else if name::differ_only_where_unreadable(form, &theirs) {
        Comparison::indeterminate(Reason::RareCharacter)
    } else {
        Comparison::MISMATCH
    }
}

fn compare_codes(raw: &str, form: &str, registered: &str) -> Comparison {
    if equal(raw, registered) {
        Comparison::MATCH
    } else if equal(form, &code::form(registered)) {
        Comparison::by_rule(code::RULE)
    } else {
        Comparison::MISMATCH
    }
}

/// INVARIANT: the register's side is canonical; publication has parsed it as the claim was parsed.
fn compare_canonical(raw: &str, canonical: &str, registered: &str) -> Comparison {
    if equal(raw, registered) {
        Comparison::MATCH
    } else if equal(canonical, registered) {
        Comparison::by_rule(code::RULE)
    } else {
        Comparison::MISMATCH
    }
}

/// Are the texts equal? For equal lengths the time does not depend on where they differ.
fn equal(one: &str, other: &str) -> bool {
    verify_slices_are_equal(one.as_bytes(), other.as_bytes()).is_ok()
}

/// All must hold: the weakest counts, so that a match names the rule that it needed.
fn all_of(comparisons: impl Iterator<Item = Comparison>) -> Comparison {
    comparisons.min_by_key(Comparison::strength).unwrap_or(Comparison::MISMATCH)
}

/// One must hold: the strongest counts.
fn any_of(comparisons: impl Iterator<Item = Comparison>) -> Comparison {
    comparisons.max_by_key(Comparison::strength).unwrap_or(Comparison::MISMATCH)
}

#[cfg(test)]
mod tests;
