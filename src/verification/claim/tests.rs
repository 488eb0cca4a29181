//! Tests of `claim`.

use proptest::prelude::*;

use super::{super::fixtures::*, *};
use crate::{
    catalog::{Comparator, FieldKind},
    problem::Code,
};

/// The error that the operators give on a field.
fn refused(kind: FieldKind, comparator: Comparator, inputs: &[ClaimInput]) -> ClaimError {
    claim(kind, comparator, inputs).unwrap_err()
}

#[test]
fn a_value_that_is_none_of_its_field_is_refused_with_reason_and_remedy() {
    let check = |kind: FieldKind, comparator, value: &str, reason: &str| {
        let error = refused(kind, comparator, &equals(value));
        assert_eq!(error.code(), Code::InvalidValue, "{value}");
        assert_eq!(error.operator(), Some(Operator::Equals), "{value}");
        let said = error.to_string();
        assert!(said.contains(reason), "{said}");
        assert!(value.is_empty() || !said.contains(value), "{said}");
    };
    check(FieldKind::ResidentId, Comparator::Code, "440100188912310014", "check");
    check(FieldKind::ResidentId, Comparator::Exact, "44030018990229001X", "not a resident ID");
    check(FieldKind::CreditCode, Comparator::Code, "91440300MA9TETT93U", "check");
    check(FieldKind::Division, Comparator::Code, "4401", "");
    check(FieldKind::LicenceId, Comparator::Code, "1.2.156.3005.2.x", "");
    check(status_codes(), Comparator::Code, "7", "codes");
    check(FieldKind::Date, Comparator::Date, "2023-02-29", "date");
    check(FieldKind::Integer, Comparator::Number, "twelve", "whole number");
    check(FieldKind::Boolean, Comparator::Exact, "maybe", "expected");
    check(FieldKind::Text { chars_max: 3 }, Comparator::Exact, "张三李四", "at most 3");
    check(FieldKind::Text { chars_max: 3 }, Comparator::Code, "A1234", "at most 3");
    for comparator in [Comparator::Name, Comparator::Code, Comparator::Exact] {
        for empty in ["", "  ", "\u{3000}"] {
            check(NAME, comparator, empty, "empty");
        }
        check(NAME, comparator, "张\u{0007}三", "control character");
        check(NAME, comparator, "张\n三", "control character");
        check(NAME, comparator, "张\u{202E}三", "control character");
    }
    check(NAME, Comparator::Name, "\u{200B}\u{FE0F}", "empty");
}

#[test]
fn a_remedy_says_what_to_send() {
    let check = |error: ClaimError, expect: &str| assert_eq!(error.remedy().as_deref(), Some(expect));
    let listed = refused(status_codes(), Comparator::Code, &equals("7"));
    check(listed, "Send one of the codes: 0 (有效), 1 (注销), 2 (加锁), 9 (死亡).");
    let date = refused(FieldKind::Date, Comparator::Date, &equals("soon"));
    check(date, "Write the date as YYYY-MM-DD.");
    let id = refused(FieldKind::ResidentId, Comparator::Code, &equals("1"));
    check(id, "Check the number against the document.");
}

#[test]
fn an_operator_that_does_not_fit_is_refused_before_its_value_is_read() {
    let operators: [fn(Scalar) -> ClaimInput; 4] =
        [ClaimInput::Before, ClaimInput::After, ClaimInput::AtLeast, ClaimInput::AtMost];
    let kinds = [
        (NAME, Comparator::Name),
        (NAME, Comparator::Exact),
        (status_codes(), Comparator::Code),
        (FieldKind::ResidentId, Comparator::Code),
        (FieldKind::Division, Comparator::Code),
        (FieldKind::Boolean, Comparator::Exact),
    ];
    for (kind, comparator) in kinds {
        for operator in operators {
            let error = refused(kind.clone(), comparator, &[operator(Scalar::Integer(1))]);
            let expect = operator(Scalar::Integer(1)).operator();
            assert_eq!(error, ClaimError::Unordered { operator: expect, kind: kind.name() });
            assert_eq!(error.code(), Code::InvalidValue);
        }
    }
}

#[test]
fn an_error_in_an_operator_names_it() {
    let check = |inputs: &[ClaimInput], expect: &str| {
        assert_eq!(refused(FieldKind::Integer, Comparator::Number, inputs).to_string(), expect);
    };
    let number = "a whole number is expected, without separators, within 64 bits";
    check(&[ClaimInput::Equals(text("x"))], number);
    check(&[ClaimInput::Before(text("x"))], &format!("`before`: {number}"));
    check(&[ClaimInput::OneOf(vec![Scalar::Integer(1), text("x")])], &format!("`one_of`: {number}"));
    check(&[ClaimInput::AtMost(Scalar::Boolean(true))], "`at_most`: a whole number is expected, not a truth value");
    check(&[ClaimInput::OneOf(Vec::new())], "`one_of` takes 1 to 32 values, not 0");
    check(&[ClaimInput::OneOf(vec![Scalar::Integer(1); 33])], "`one_of` takes 1 to 32 values, not 33");
    check(&[], "nothing is claimed of the field");
    let twice = [ClaimInput::Before(Scalar::Integer(1)), ClaimInput::Before(Scalar::Integer(2))];
    check(&twice, "operator `before` is given twice");
}

#[test]
fn a_list_may_have_as_many_values_as_the_error_says() {
    for count in [1, 32] {
        let input = [ClaimInput::OneOf(vec![Scalar::Integer(1); count])];
        assert!(claim(FieldKind::Integer, Comparator::Number, &input).is_ok(), "{count}");
    }
}

#[test]
fn a_scalar_of_another_type_is_refused() {
    let check = |kind: FieldKind, comparator, value: Scalar, expect: &str| {
        let error = refused(kind, comparator, &[ClaimInput::Equals(value)]);
        assert_eq!(error.to_string(), expect);
        assert_eq!(error.code(), Code::InvalidValue);
    };
    // The number would have lost the zeros at the front of a code.
    check(FieldKind::Division, Comparator::Code, Scalar::Integer(440_100), "a text is expected, not a number");
    check(NAME, Comparator::Name, Scalar::Boolean(true), "a text is expected, not a truth value");
    check(FieldKind::Date, Comparator::Date, Scalar::Integer(20_200_131), "a date in a text is expected, not a number");
    check(FieldKind::Boolean, Comparator::Exact, Scalar::Integer(1), "a truth value is expected, not a number");
}

#[test]
fn a_field_whose_comparator_does_not_fit_its_kind_cannot_be_asked() {
    let fitting = |kind: &FieldKind, comparator| match kind {
        FieldKind::Text { .. } => matches!(comparator, Comparator::Name | Comparator::Code | Comparator::Exact),
        FieldKind::Date => matches!(comparator, Comparator::Date | Comparator::Exact),
        FieldKind::Integer => matches!(comparator, Comparator::Number | Comparator::Exact),
        _ => matches!(comparator, Comparator::Code | Comparator::Exact),
    };
    let kinds = [
        (NAME, "1"),
        (status_codes(), "1"),
        (FieldKind::ResidentId, "11010519491231002X"),
        (FieldKind::CreditCode, "91440300MA9TETT93T"),
        (FieldKind::Division, "440100"),
        (FieldKind::Date, "2020-01-31"),
        (FieldKind::Integer, "1"),
        (FieldKind::Boolean, "1"),
    ];
    for (kind, value) in kinds {
        for comparator in [Comparator::Exact, Comparator::Name, Comparator::Date, Comparator::Code, Comparator::Number]
        {
            let parsed = claim(kind.clone(), comparator, &equals(value));
            let expect = if fitting(&kind, comparator) { None } else { Some(Code::UnknownField) };
            assert_eq!(parsed.err().map(|error| error.code()), expect, "{} {comparator:?}", kind.name());
        }
    }
}

#[test]
fn nothing_that_is_printed_for_a_log_shows_a_claimed_value() {
    let inputs = [ClaimInput::Equals(text("张三")), ClaimInput::OneOf(vec![text("张三"), text("李四")])];
    let claim = claim(NAME, Comparator::Name, &inputs).unwrap();
    assert_eq!(format!("{claim:?}"), "Claim([Equals, OneOf])");
    assert_eq!(format!("{inputs:?}"), "[Equals(Scalar(a text)), OneOf([Scalar(a text), Scalar(a text)])]");
}

fn any_kind() -> impl Strategy<Value = (FieldKind, Comparator)> {
    let kind = prop::sample::select(vec![
        NAME,
        status_codes(),
        FieldKind::ResidentId,
        FieldKind::CreditCode,
        FieldKind::LicenceId,
        FieldKind::Division,
        FieldKind::Date,
        FieldKind::Integer,
        FieldKind::Boolean,
    ]);
    let comparators = [Comparator::Exact, Comparator::Name, Comparator::Date, Comparator::Code, Comparator::Number];
    (kind, prop::sample::select(comparators.to_vec()))
}

fn any_input() -> impl Strategy<Value = ClaimInput> {
    let scalar = || {
        prop_oneof![
            any::<String>().prop_map(Scalar::Text),
            "[0-9Xx./年月日长期-]{0,20}".prop_map(Scalar::Text),
            any::<i64>().prop_map(Scalar::Integer),
            any::<bool>().prop_map(Scalar::Boolean),
        ]
    };
    prop_oneof![
        scalar().prop_map(ClaimInput::Equals),
        scalar().prop_map(ClaimInput::Before),
        scalar().prop_map(ClaimInput::After),
        scalar().prop_map(ClaimInput::AtLeast),
        scalar().prop_map(ClaimInput::AtMost),
        prop::collection::vec(scalar(), 0..4).prop_map(ClaimInput::OneOf),
    ]
}

proptest! {
    #[test]
    fn whatever_is_sent_becomes_a_claim_or_an_error_of_one_line(
        (kind, comparator) in any_kind(),
        inputs in prop::collection::vec(any_input(), 0..4),
    ) {
        if let Err(error) = claim(kind, comparator, &inputs) {
            let said = error.to_string();
            prop_assert!(!said.is_empty() && !said.contains('\n') && !said.ends_with('.'), "{}", said);
        }
    }
}
