//! Tests of `judge`.

use proptest::{prelude::*, sample::select};

use super::{super::fixtures::*, *};
use crate::verification::ClaimInput;

use ClaimResult::{Indeterminate, Match, Mismatch};

/// Claims on name and birth date; the rows below have the status as their third cell.
fn judged(dataset: &Dataset, rows: &[Vec<Option<Value>>]) -> Judgement {
    let claims = claims(dataset);
    let claims: Vec<_> = claims.iter().map(|(field, claim)| (field.clone(), claim)).collect();
    judge(dataset, &claims, rows, Some(2))
}

fn claims(dataset: &Dataset) -> [(FieldName, Claim); 2] {
    [("name", equals("张三")), ("birth_date", vec![ClaimInput::Before(text("2008-11-24"))])].map(|(name, inputs)| {
        let (_, field) = dataset.field(name).unwrap();
        (field.name.clone(), Claim::parse(field, &inputs, today()).unwrap())
    })
}

fn row(name: Option<&str>, birth_date: &str, status: Option<&str>) -> Vec<Option<Value>> {
    let text = |value: &str| Value::Text(value.into());
    vec![name.map(text), Some(Value::Date(day(birth_date))), status.map(text)]
}

fn results(judgement: &Judgement) -> Vec<ClaimResult> {
    judgement.results.iter().map(|(_, comparison)| comparison.result).collect()
}

const ORDINARY: Option<&str> = Some("0");
const DEAD: Option<&str> = Some("9");
const OLD: &str = "1990-01-01";
const YOUNG: &str = "2015-01-01";
const NOT_ORDINARY: Outcome = Outcome::Indeterminate(Reason::RecordNotOrdinary);

#[test]
fn no_row_is_not_found() {
    let judgement = judged(&persons(), &[]);
    assert_eq!(judgement, Judgement { outcome: Outcome::NotFound, results: Vec::new() });
}

#[test]
fn one_row_is_judged_by_its_claims() {
    let check = |name, birth_date, outcome, expect: [ClaimResult; 2]| {
        let judgement = judged(&persons(), &[row(name, birth_date, ORDINARY)]);
        assert_eq!((judgement.outcome, results(&judgement)), (outcome, expect.to_vec()));
        let fields: Vec<_> = judgement.results.iter().map(|(field, _)| field.as_str()).collect();
        assert_eq!(fields, ["name", "birth_date"]);
    };
    let no_value = Indeterminate(Reason::NoValue);
    check(Some("张三"), OLD, Outcome::Match, [Match, Match]);
    check(Some("李四"), OLD, Outcome::Mismatch, [Mismatch, Match]);
    check(Some("李四"), YOUNG, Outcome::Mismatch, [Mismatch, Mismatch]);
    check(None, OLD, Outcome::Indeterminate(Reason::NoValue), [no_value, Match]);
    check(None, YOUNG, Outcome::Mismatch, [no_value, Mismatch]);
}

#[test]
fn a_record_that_is_not_ordinary_says_neither_yes_nor_no_whatever_it_holds() {
    for status in [DEAD, Some("1"), Some("2"), None] {
        for (name, birth_date) in [("张三", OLD), ("李四", OLD), ("李四", YOUNG)] {
            let judgement = judged(&persons(), &[row(Some(name), birth_date, status)]);
            assert_eq!(judgement.outcome, NOT_ORDINARY, "{status:?} {name}");
            assert_eq!(results(&judgement), [Indeterminate(Reason::RecordNotOrdinary); 2], "{status:?} {name}");
        }
    }
}

#[test]
fn a_claim_on_the_status_itself_is_answered() {
    let dataset = persons();
    let check = |claimed: &str, status, outcome| {
        let (_, field) = dataset.field("status").unwrap();
        let claim = Claim::parse(field, &equals(claimed), today()).unwrap();
        let rows = [vec![Some(Value::Text(status))]];
        let judgement = judge(&dataset, &[(field.name.clone(), &claim)], &rows, Some(0));
        assert_eq!(judgement.outcome, outcome, "{claimed}");
    };
    check("9", "9".into(), Outcome::Match);
    check("0", "9".into(), Outcome::Mismatch);
    check("0", "0".into(), Outcome::Match);
}

#[test]
fn a_register_without_a_status_has_only_ordinary_records() {
    let dataset = Dataset { status: None, ..persons() };
    assert_eq!(judged(&dataset, &[row(Some("张三"), OLD, DEAD)]).outcome, Outcome::Match);
}

#[test]
fn a_status_that_was_not_read_is_not_taken_for_ordinary() {
    let dataset = persons();
    let claims = claims(&dataset);
    let claims: Vec<_> = claims.iter().map(|(field, claim)| (field.clone(), claim)).collect();
    for status in [None, Some(7)] {
        let judgement = judge(&dataset, &claims, &[row(Some("张三"), OLD, ORDINARY)], status);
        assert_eq!(judgement.outcome, NOT_ORDINARY);
    }
}

#[test]
fn a_row_that_is_too_short_has_empty_cells() {
    let dataset = Dataset { status: None, ..persons() };
    assert_eq!(judged(&dataset, &[Vec::new()]).outcome, Outcome::Indeterminate(Reason::NoValue));
}

#[test]
fn of_several_rows_the_best_fit_answers() {
    let check = |rows: &[Vec<Option<Value>>], outcome, expect: [ClaimResult; 2]| {
        let judgement = judged(&persons(), rows);
        assert_eq!((judgement.outcome, results(&judgement)), (outcome, expect.to_vec()), "{rows:?}");
    };
    let fits = || row(Some("张三"), OLD, ORDINARY);
    let half = || row(Some("李四"), OLD, ORDINARY);
    let none = || row(Some("李四"), YOUNG, ORDINARY);
    let nameless = || row(None, OLD, ORDINARY);
    let dead = || row(Some("张三"), OLD, DEAD);
    let dead_other = || row(Some("李四"), OLD, DEAD);
    let unknown = Indeterminate(Reason::RecordNotOrdinary);

    check(&[none(), half(), fits()], Outcome::Match, [Match, Match]);
    check(&[dead(), fits()], Outcome::Match, [Match, Match]);
    check(&[none(), half()], Outcome::Mismatch, [Mismatch, Match]);
    check(&[dead_other(), none()], Outcome::Mismatch, [Mismatch, Mismatch]);
    // Nothing contradicts these, so nobody may be told that the claims are wrong.
    let no_value = Outcome::Indeterminate(Reason::NoValue);
    check(&[half(), nameless()], no_value, [Indeterminate(Reason::NoValue), Match]);
    check(&[half(), dead()], NOT_ORDINARY, [unknown, unknown]);
    check(&[dead(), nameless()], no_value, [Indeterminate(Reason::NoValue), Match]);
    check(&[dead_other(), dead()], NOT_ORDINARY, [unknown, unknown]);
}

#[test]
fn of_rows_that_fit_equally_the_first_answers() {
    let name_fits = row(Some("张三"), YOUNG, ORDINARY);
    let date_fits = row(Some("李四"), OLD, ORDINARY);
    let first = judged(&persons(), &[name_fits.clone(), date_fits.clone()]);
    assert_eq!(results(&first), [Match, Mismatch]);
    let other = judged(&persons(), &[date_fits, name_fits]);
    assert_eq!(results(&other), [Mismatch, Match]);
}

fn any_row() -> impl Strategy<Value = Vec<Option<Value>>> {
    let names = select(vec![None, Some("张三"), Some("张 三"), Some("李四"), Some("张?")]);
    let statuses = select(vec![ORDINARY, ORDINARY, DEAD, None]);
    (names, select(vec![OLD, YOUNG]), statuses).prop_map(|(name, birth_date, status)| row(name, birth_date, status))
}

proptest! {
    #[test]
    fn a_match_is_said_exactly_when_an_ordinary_row_matches(rows in prop::collection::vec(any_row(), 0..5)) {
        let dataset = persons();
        let alone = |row: &Vec<Option<Value>>| judged(&dataset, std::slice::from_ref(row)).outcome == Outcome::Match;
        prop_assert_eq!(judged(&dataset, &rows).outcome == Outcome::Match, rows.iter().any(alone));
    }

    #[test]
    fn not_found_is_said_exactly_when_there_is_no_row(rows in prop::collection::vec(any_row(), 0..3)) {
        let judgement = judged(&persons(), &rows);
        prop_assert_eq!(judgement.outcome == Outcome::NotFound, rows.is_empty());
        prop_assert_eq!(judgement.results.len(), if rows.is_empty() { 0 } else { 2 });
    }

    #[test]
    fn the_outcome_is_that_of_its_results_and_the_order_of_rows_does_not_change_its_kind(
        rows in prop::collection::vec(any_row(), 1..5),
    ) {
        let judgement = judged(&persons(), &rows);
        prop_assert_eq!(judgement.outcome, overall(&results(&judgement)));
        let backwards: Vec<_> = rows.into_iter().rev().collect();
        let kind = std::mem::discriminant::<Outcome>;
        prop_assert_eq!(kind(&judged(&persons(), &backwards).outcome), kind(&judgement.outcome));
    }

    #[test]
    fn a_mismatch_is_said_only_if_no_row_leaves_a_doubt(rows in prop::collection::vec(any_row(), 1..5)) {
        let without_status = Dataset { status: None, ..persons() };
        if judged(&persons(), &rows).outcome == Outcome::Mismatch {
            prop_assert_eq!(judged(&without_status, &rows).outcome, Outcome::Mismatch);
        }
    }
}
