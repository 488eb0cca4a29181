//! What may be said of records of other divisions, and of fields that may not be used.

use chrono::DateTime;

use super::*;
use crate::{
    exchange::{
        call::{Asked, Question},
        demand,
        fixtures::{GUANGDONG, call, fields, names, question, today},
    },
    identifiers::VersionNo,
    problem::Code,
    verification::{ClaimInput, Scalar},
};

const CITY: &str = "440100";

fn own_division() -> Obligations {
    Obligations { rows_of: Some(CITY.parse().unwrap()), ..Obligations::default() }
}

fn folding(obligations: Obligations) -> Obligations {
    Obligations { fold_not_found: true, ..obligations }
}

/// A claim of the firm's name.
fn claim() -> Call {
    let claims = vec![("name".to_owned(), vec![ClaimInput::Equals(Scalar::Text("测试公司".to_owned()))])];
    call(&question(Asked::Claims(claims)))
}

fn disclosure() -> Call {
    call(&question(fields(&["name"])))
}

/// Firms of that name in these divisions, as the look-up would find them; nowhere is a record that does not say.
fn found(call: &Call, obligations: &Obligations, divisions: &[Option<&str>]) -> (Found, Columns) {
    let (positions, columns) = positions_to_read(call, obligations);
    let cell = |position: &usize, division: Option<&str>| match call.dataset.fields[*position].name.as_str() {
        "name" => Some(Value::Text("测试公司".into())),
        "status" => Some(Value::Text("1".into())),
        "division" => division.map(|code| Value::Text(code.into())),
        other => panic!("{other} was read"),
    };
    let rows = divisions.iter().map(|division| positions.iter().map(|at| cell(at, *division)).collect()).collect();
    (Found { version: VersionNo(1), as_of: DateTime::UNIX_EPOCH, rows }, columns)
}

fn said(call: &Call, obligations: &Obligations, divisions: &[Option<&str>]) -> Shaped {
    let (found, columns) = found(call, obligations, divisions);
    shape(call, &found, columns, obligations)
}

#[test]
fn a_city_is_answered_of_its_own_records_and_of_others_neither_yes_nor_no() {
    let inside = [CITY, "440106", "440113012001"];
    // Another city, the province above, another province; and a record that does not say.
    let outside = [Some("440300"), Some("440306"), Some("440000"), Some("110101"), None];
    for (call, answered) in [(claim(), OutcomeWord::Match), (disclosure(), OutcomeWord::Found)] {
        for division in inside {
            assert_eq!(said(&call, &own_division(), &[Some(division)]).outcome, answered, "{division}");
        }
        for division in outside {
            let shaped = said(&call, &own_division(), &[division]);
            let outcome = (shaped.outcome, shaped.reason, shaped.values);
            assert_eq!(outcome, (OutcomeWord::Indeterminate, Some(Reason::OutsideDivision), None), "{division:?}");
        }
        assert_eq!(said(&call, &own_division(), &[]).outcome, OutcomeWord::NotFound, "there is none at all");
        // Without the obligation the division is neither read nor asked for.
        let shaped = said(&call, &Obligations::default(), &[Some("440300")]);
        assert_eq!(shaped.outcome, answered);
    }
}

#[test]
fn an_abolished_division_counts_as_the_one_that_took_its_place() {
    // 潮安县 was Shantou's before it was Chaozhou's, 顺德市 was a county of its own code.
    let (old, new) = GUANGDONG
        .divisions
        .keys()
        .filter_map(|code| Some((*code, code.successor()?)))
        .find(|(old, new)| old.as_str()[..4] != new.as_str()[..4])
        .unwrap();
    let of = |division: DivisionCode| Obligations { rows_of: Some(division), ..Obligations::default() };
    let city = |code: DivisionCode| format!("{}00", &code.as_str()[..4]).parse::<DivisionCode>();
    let shaped = said(&claim(), &of(city(new).unwrap()), &[Some(old.as_str())]);
    assert_eq!(shaped.outcome, OutcomeWord::Match, "{old:?} is now {new:?}");
    if let Ok(before) = city(old) {
        assert_eq!(said(&claim(), &of(before), &[Some(old.as_str())]).reason, Some(Reason::OutsideDivision));
    }
}

#[test]
fn who_is_not_told_whether_there_is_a_record_cannot_tell_one_elsewhere_from_none() {
    for call in [claim(), disclosure()] {
        let folded = folding(own_division());
        assert_eq!(said(&call, &folded, &[Some("440300")]), said(&call, &folded, &[]));
    }
}

#[test]
fn of_several_records_only_those_inside_count() {
    assert_eq!(said(&disclosure(), &own_division(), &[Some("440300"), Some(CITY)]).outcome, OutcomeWord::Found);
    let two = said(&disclosure(), &own_division(), &[Some(CITY), Some("440106"), Some("440300")]);
    assert_eq!(two.reason, Some(Reason::Ambiguous));
}

#[test]
fn a_register_that_tells_no_divisions_tells_nothing_by_division() {
    let mut call = claim();
    let mut dataset = Dataset::clone(&call.dataset);
    dataset.division = None;
    call.dataset = dataset.into();
    assert_eq!(said(&call, &own_division(), &[Some(CITY)]).reason, Some(Reason::OutsideDivision));
}

#[test]
fn a_claim_on_a_field_that_may_not_be_used_is_neither_confirmed_nor_denied() {
    let withheld = Obligations { dropped: names(&["name"]), ..Obligations::default() };
    let shaped = said(&claim(), &withheld, &[Some(CITY)]);
    assert_eq!((shaped.outcome, shaped.reason), (OutcomeWord::Indeterminate, Some(Reason::NoValue)));
    let shaped = said(&disclosure(), &withheld, &[Some(CITY)]);
    assert_eq!((shaped.values, shaped.withheld), (Some(BTreeMap::new()), names(&["name"])));
}

fn with(consent: Option<&str>, operator: Option<&str>, approver: Option<&str>) -> Question {
    let text = |text: Option<&str>| text.map(str::to_owned);
    Question {
        consent: text(consent),
        operator: text(operator),
        approver: text(approver),
        ..question(fields(&["name"]))
    }
}

#[test]
fn what_a_permit_demands_must_come_with_the_call() {
    let demands = Obligations { require_consent: true, require_second_approver: true, ..Obligations::default() };
    let met = |question: &Question| demand::met(&demands, &call(question), &["by".to_owned()]);
    for (question, code, field) in [
        (with(None, None, None), Code::ConsentRequired, "/consent"),
        (with(None, Some("li"), Some("wu")), Code::ConsentRequired, "/consent"),
        (with(Some("C-1"), None, None), Code::SecondApproverRequired, "/approver"),
        (with(Some("C-1"), Some("li"), None), Code::SecondApproverRequired, "/approver"),
    ] {
        let problem = met(&question).unwrap_err();
        assert_eq!((problem.code, problem.field.as_deref()), (code, Some(field)));
        assert_eq!(problem.policies, ["by"]);
    }
    assert_eq!(met(&with(Some("C-1"), Some("li"), Some("wu"))), Ok(()));
    let nothing = demand::met(&Obligations::default(), &call(&with(None, None, None)), &[]);
    assert_eq!(nothing, Ok(()), "nothing is demanded where no permit does");
}

#[test]
fn an_approval_is_by_a_second_person() {
    for (question, field, says) in [
        (with(None, None, Some("wu")), "/approver", "nobody whose call it is"),
        (with(None, Some("wu"), Some("Wu")), "/approver", "cannot approve"),
        (with(None, Some("李"), None), "/operator", "visible ASCII"),
        (with(Some(""), None, None), "/consent", "1 to 64"),
    ] {
        let problem = Call::parse(&question, &GUANGDONG, today()).unwrap_err();
        assert_eq!((problem.code, problem.field.as_deref()), (Code::InvalidValue, Some(field)));
        assert!(problem.detail.contains(says), "{problem}");
    }
}
