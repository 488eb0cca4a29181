//! Tests of `compare`.

use chrono::Days;
use proptest::prelude::*;

use super::{super::fixtures::*, *};
use crate::{
    catalog::{Comparator, FieldKind, LONG_TERM},
    verification::{ClaimInput, Scalar},
};

use ClaimResult::{Indeterminate, Match, Mismatch};

#[test]
fn a_name_that_is_spelt_otherwise_matches_and_names_the_rule() {
    let check = |claimed, registered, result, rule| {
        let comparison = compare_text(NAME, Comparator::Name, claimed, registered);
        assert_eq!(comparison, Comparison { result, rule }, "{claimed}, {registered}");
    };
    let by_rule = Some("name-normalised");
    check("张三", "张三", Match, None);
    check("张 三", "张三", Match, by_rule);
    check(" 张三", "张三", Match, by_rule);
    check("张三", "张　三", Match, by_rule);
    check("张 三", "张 三", Match, None);
    check("阿卜杜拉·买买提", "阿卜杜拉•买买提", Match, by_rule);
    check("阿卜杜拉.买买提", "阿卜杜拉·买买提", Match, by_rule);
    check("JOHN SMITH", "John Smith", Match, by_rule);
    check("张三", "李四", Mismatch, None);
    check("张三", "張三", Mismatch, None);
    check("张三", "张三丰", Mismatch, None);
    check("张𬭎", "张?", Indeterminate(Reason::RareCharacter), None);
    check("李𬭎", "张?", Mismatch, None);
    check("张?", "张三", Mismatch, None);
    check("张三", "  ", Indeterminate(Reason::NoValue), None);
}

#[test]
fn identifiers_and_codes_match_in_any_case_and_width() {
    let check = |kind: &FieldKind, claimed, registered, result, rule| {
        let comparison = compare_text(kind.clone(), Comparator::Code, claimed, registered);
        assert_eq!(comparison, Comparison { result, rule }, "{claimed}, {registered}");
    };
    let by_rule = Some("code-normalised");
    let resident = FieldKind::ResidentId;
    check(&resident, "11010519491231002X", "11010519491231002X", Match, None);
    check(&resident, "11010519491231002x", "11010519491231002X", Match, by_rule);
    check(&resident, "１１０１０５１９４９１２３１００２Ｘ", "11010519491231002X", Match, by_rule);
    check(&resident, "440100188912310015", "11010519491231002X", Mismatch, None);
    check(&FieldKind::CreditCode, "91440300ma9tett93t", "91440300MA9TETT93T", Match, by_rule);
    check(&FieldKind::Division, "440106", "440106", Match, None);
    check(&FieldKind::Division, "440106", "440105", Mismatch, None);
    check(&status_codes(), "0", "0", Match, None);
    check(&status_codes(), "０", "0", Match, by_rule);
    check(&status_codes(), "0", "9", Mismatch, None);
    let both_cases = FieldKind::Code { values: ["a", "A"].map(|code| (code.into(), "".into())).into() };
    check(&both_cases, "a", "A", Mismatch, None);
    check(&both_cases, "ａ", "A", Match, by_rule);
    let number = FieldKind::Text { chars_max: 20 };
    check(&number, "JY34401010000001", "JY34401010000001", Match, None);
    check(&number, "jy3 4401 0100 00001", "JY34401010000001", Match, by_rule);
    check(&number, "ＪＹ34401010000001", "JY34401010000001", Match, by_rule);
    check(&number, "粤A-12345", "粤A 12345", Mismatch, None);
    check(&number, "粤A－12345", "粤A-12345", Match, by_rule);
    check(&number, "JY34401010000002", "JY34401010000001", Mismatch, None);
}

#[test]
fn an_exact_field_is_held_character_by_character() {
    let check = |kind: FieldKind, claimed, registered, result| {
        let comparison = compare_text(kind, Comparator::Exact, claimed, registered);
        assert_eq!(comparison, Comparison { result, rule: None }, "{claimed}, {registered}");
    };
    check(NAME, "体育西路1号", "体育西路1号", Match);
    check(NAME, "体育西路１号", "体育西路1号", Mismatch);
    check(NAME, "a", "A", Mismatch);
    check(FieldKind::ResidentId, "11010519491231002X", "11010519491231002X", Match);
    check(FieldKind::ResidentId, "11010519491231002x", "11010519491231002X", Mismatch);
}

#[test]
fn a_date_matches_in_any_notation() {
    let registered = Value::Date(day("2020-01-31"));
    for claimed in ["2020-01-31", "20200131", "2020/1/31", "2020.1.31", "2020年1月31日", "２０２０－０１－３１"]
    {
        let claim = claim(FieldKind::Date, Comparator::Date, &equals(claimed)).unwrap();
        assert_eq!(claim.compare(Some(&registered)), Comparison::MATCH, "{claimed}");
    }
    let other = claim(FieldKind::Date, Comparator::Date, &equals("2020-01-30")).unwrap();
    assert_eq!(other.compare(Some(&registered)), Comparison::MISMATCH);
}

#[test]
fn long_term_is_the_last_day_of_all() {
    let check = |inputs: &[ClaimInput], result| {
        let comparison =
            claim(FieldKind::Date, Comparator::Date, inputs).unwrap().compare(Some(&Value::Date(LONG_TERM)));
        assert_eq!(comparison.result, result, "{inputs:?}");
    };
    check(&equals("长期"), Match);
    check(&equals("9999-12-31"), Match);
    check(&[ClaimInput::AtLeast(text("2026-11-24"))], Match);
    check(&[ClaimInput::Before(text("2099-12-31"))], Mismatch);
}

#[test]
fn order_operators_are_strict_or_inclusive_as_they_say() {
    let check = |input: fn(Scalar) -> ClaimInput, before, same, after| {
        let on = |registered| {
            let input = [input(text("2008-11-24"))];
            let claim = claim(FieldKind::Date, Comparator::Date, &input).unwrap();
            claim.compare(Some(&Value::Date(day(registered)))).result
        };
        assert_eq!((on("2008-11-23"), on("2008-11-24"), on("2008-11-25")), (before, same, after));
        let at = |registered| {
            let claim = claim(FieldKind::Integer, Comparator::Number, &[input(Scalar::Integer(0))]).unwrap();
            claim.compare(Some(&Value::Integer(registered))).result
        };
        assert_eq!((at(-1), at(0), at(1)), (before, same, after));
    };
    check(ClaimInput::Equals, Mismatch, Match, Mismatch);
    check(ClaimInput::Before, Match, Mismatch, Mismatch);
    check(ClaimInput::AtMost, Match, Match, Mismatch);
    check(ClaimInput::AtLeast, Mismatch, Match, Match);
    check(ClaimInput::After, Mismatch, Mismatch, Match);
}

#[test]
fn one_of_matches_when_one_does_and_prefers_the_plain_one() {
    let check = |claimed: &[&str], registered: &str, result, rule| {
        let input = [ClaimInput::OneOf(claimed.iter().map(|value| text(value)).collect())];
        let comparison = claim(NAME, Comparator::Name, &input).unwrap().compare(Some(&Value::Text(registered.into())));
        assert_eq!(comparison, Comparison { result, rule }, "{claimed:?}, {registered}");
    };
    check(&["李四", "张三"], "张三", Match, None);
    check(&["张 三", "李四"], "张三", Match, Some("name-normalised"));
    check(&["张 三", "张三"], "张三", Match, None);
    check(&["李四", "王五"], "张三", Mismatch, None);
    check(&["李四", "张𬭎"], "张?", Indeterminate(Reason::RareCharacter), None);
    check(&["张?", "张𬭎"], "张?", Match, None);
}

#[test]
fn several_operators_must_all_hold() {
    let check = |number, result| {
        let inputs = [
            ClaimInput::AtLeast(Scalar::Integer(10)),
            ClaimInput::Before(Scalar::Integer(20)),
            ClaimInput::OneOf([5, 10, 19, 20].map(Scalar::Integer).into()),
        ];
        let claim = claim(FieldKind::Integer, Comparator::Number, &inputs).unwrap();
        assert_eq!(claim.compare(Some(&Value::Integer(number))).result, result, "{number}");
    };
    check(5, Mismatch);
    check(10, Match);
    check(11, Mismatch);
    check(19, Match);
    check(20, Mismatch);
    let both = [ClaimInput::Equals(text("张 三")), ClaimInput::OneOf(vec![text("张三")])];
    let comparison = claim(NAME, Comparator::Name, &both).unwrap().compare(Some(&Value::Text("张三".into())));
    assert_eq!(comparison, Comparison::by_rule("name-normalised"));
}

#[test]
fn truth_values_match_however_they_are_sent() {
    let check = |value: Scalar, registered, result| {
        let claim = claim(FieldKind::Boolean, Comparator::Exact, &[ClaimInput::Equals(value)]).unwrap();
        assert_eq!(claim.compare(Some(&Value::Boolean(registered))).result, result);
    };
    check(Scalar::Boolean(true), true, Match);
    check(Scalar::Boolean(true), false, Mismatch);
    check(text("是"), true, Match);
    check(text("否"), true, Mismatch);
}

#[test]
fn an_empty_cell_or_one_of_another_type_is_never_a_mismatch() {
    let claims = [
        claim(NAME, Comparator::Name, &equals("张三")).unwrap(),
        claim(FieldKind::Date, Comparator::Date, &[ClaimInput::Before(text("2020-01-31"))]).unwrap(),
        claim(FieldKind::Integer, Comparator::Number, &[ClaimInput::OneOf(vec![Scalar::Integer(1)])]).unwrap(),
    ];
    for claim in claims {
        assert_eq!(claim.compare(None).result, Indeterminate(Reason::NoValue), "{claim:?}");
        assert_eq!(claim.compare(Some(&Value::Boolean(true))).result, Indeterminate(Reason::NoValue), "{claim:?}");
    }
}

fn any_day() -> impl Strategy<Value = chrono::NaiveDate> {
    (0..80_000_u64).prop_map(|days| day("1850-01-01") + Days::new(days))
}

/// The claim that the operators make of the texts of two days.
fn dated(inputs: &[ClaimInput], registered: chrono::NaiveDate) -> ClaimResult {
    claim(FieldKind::Date, Comparator::Date, inputs).unwrap().compare(Some(&Value::Date(registered))).result
}

fn when(holds: bool) -> ClaimResult {
    if holds { Match } else { Mismatch }
}

proptest! {
    #[test]
    fn predicates_on_dates_agree_with_the_calendar(registered in any_day(), bound in any_day()) {
        let sent = || text(&bound.to_string());
        prop_assert_eq!(dated(&[ClaimInput::Equals(sent())], registered), when(registered == bound));
        prop_assert_eq!(dated(&[ClaimInput::Before(sent())], registered), when(registered < bound));
        prop_assert_eq!(dated(&[ClaimInput::After(sent())], registered), when(registered > bound));
        prop_assert_eq!(dated(&[ClaimInput::AtLeast(sent())], registered), when(registered >= bound));
        prop_assert_eq!(dated(&[ClaimInput::AtMost(sent())], registered), when(registered <= bound));
    }

    #[test]
    fn a_range_is_the_conjunction_of_its_ends(registered in any_day(), low in any_day(), high in any_day()) {
        let ends = [ClaimInput::AtLeast(text(&low.to_string())), ClaimInput::AtMost(text(&high.to_string()))];
        let apart = ends.iter().all(|end| dated(std::slice::from_ref(end), registered) == Match);
        prop_assert_eq!(dated(&ends, registered), when(apart));
    }

    #[test]
    fn comparing_names_is_reflexive_and_symmetric(one in "[ .]?[aAb一丁][a-bA-B一丁·•. ]{0,3}", other in "[ .]?[aAb一丁][a-bA-B一丁·•. ]{0,3}") {
        let compare = |claimed, registered| compare_text(NAME, Comparator::Name, claimed, registered);
        prop_assert_eq!(compare(&one, &one), Comparison::MATCH);
        prop_assert_eq!(compare(&one, &other), compare(&other, &one));
    }

    #[test]
    fn a_rule_is_named_exactly_where_texts_that_differ_match(
        claimed in "[ 张]?[aAｂbＢ张三][aAｂbＢ 张三]?",
        registered in "[ 张]?[aAｂbＢ张三][aAｂbＢ 张三]?",
    ) {
        for comparator in [Comparator::Name, Comparator::Code] {
            let comparison = compare_text(NAME, comparator, &claimed, &registered);
            prop_assert_eq!(comparison.rule.is_some(), comparison.result == Match && claimed != registered);
        }
    }

    #[test]
    fn no_text_makes_a_comparison_panic(claimed in any::<String>(), registered in any::<String>()) {
        for comparator in [Comparator::Name, Comparator::Code, Comparator::Exact] {
            if let Ok(claim) = claim(NAME, comparator, &equals(&claimed)) {
                claim.compare(Some(&Value::Text(registered.clone())));
                prop_assert_eq!(claim.compare(None).result, Indeterminate(Reason::NoValue));
            }
        }
    }
}
