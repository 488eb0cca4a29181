//! Tables of cases: what is read, what is complained about, what failing looks like.

use std::sync::Arc;

use super::scene::{GUANGDONG, POLICIES, Scene, in_repository, without};
use crate::{
    ledger::Agreement,
    policy::{Case, PolicyFiles, PolicySet, cases, try_cases},
};

/// One agreement, which everybody has.
fn agreed() -> Arc<Agreement> {
    Arc::new(Scene::new().agreement.unwrap())
}

fn read(text: &str) -> Result<Vec<Case>, Vec<String>> {
    let files = [("tests/a.yaml".to_owned(), text.to_owned())];
    cases(&files, &POLICIES, &GUANGDONG, &|_, _, _, _| Some(agreed()))
        .map_err(|complaints| complaints.iter().map(ToString::to_string).collect())
}

const DEFAULTS: &str = "\
defaults:
  department: gz-administrative-approval
  operation: verify
  dataset: natural-person
  item: 11440100MB9YYY997R3440101001000
  fields: [name, sex]
  day: 2026-11-24
cases:
";

fn shipped() -> (PolicySet, Vec<Case>) {
    let files = PolicyFiles::read(&in_repository("policies")).unwrap();
    let set = files.set().unwrap();
    let cases = cases(&files.cases, &set, &GUANGDONG, &|_, _, _, _| Some(agreed())).unwrap();
    (set, cases)
}

#[test]
fn the_cases_of_the_repository_pass_and_make_every_policy_decide() {
    let (set, cases) = shipped();
    let trial = try_cases(&set, &cases);
    let failed: Vec<_> = trial.cases.iter().filter(|tried| !tried.failures.is_empty()).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert_eq!((trial.uncovered().collect::<Vec<_>>(), trial.coverage()), (Vec::<&str>::new(), 100.0));
    assert!(cases.len() > 30);
}

#[test]
fn a_set_without_any_one_of_its_policies_fails_a_case_of_the_repository() {
    let (_, cases) = shipped();
    for id in POLICIES.ids() {
        assert!(try_cases(&without(id), &cases).failed() > 0, "nothing fails without `{id}`");
    }
}

#[test]
fn a_case_says_what_is_different_from_the_defaults() {
    let cases = read(&format!(
        "{DEFAULTS}  - name: a\n    expect: allow\n  - name: b\n    expect: deny\n    operation: disclose\n    fields: [phone]\n    \
         case_given: false\n    hour: 3\n    client: night-window\n    subject_field: name\n    agreement: none\n    day: 2026-01-31\n"
    ))
    .unwrap();
    let [first, second] = cases.as_slice() else { panic!("{cases:?}") };
    assert_eq!((first.place.as_str(), second.place.as_str()), ("tests/a.yaml:9", "tests/a.yaml:11"));
    assert_eq!(first.scenario.agreement.as_ref(), Some(&*agreed()), "the agreement that the road would find");
    assert!(
        first.scenario.case_present && first.scenario.hour == 10 && first.scenario.client.as_str() == "policy-test"
    );
    let asked = &second.scenario;
    assert_eq!(asked.fields, ["phone".parse().unwrap()]);
    assert_eq!((asked.hour, asked.case_present, asked.subject_field.as_str()), (3, false, "name"));
    assert_eq!((asked.client.as_str(), asked.agreement.is_none()), ("night-window", true));
    assert_eq!(asked.today.to_string(), "2026-01-31");
}

#[test]
fn an_agreement_in_a_case_is_as_the_case_needs_it_but_for_its_fields() {
    let cases =
        read(&format!("{DEFAULTS}  - {{ name: a, expect: deny, agreement: {{ compare: [name] }} }}\n")).unwrap();
    let scenario = &cases[0].scenario;
    let agreement = scenario.agreement.as_ref().unwrap();
    assert_eq!((&agreement.consumer, &agreement.dataset), (&scenario.department.id, &scenario.dataset.id));
    assert!(agreement.is_in_force_on(scenario.today) && agreement.items.contains(&scenario.item.code));
    assert_eq!((agreement.compare.len(), agreement.disclose.len()), (1, 0));
}

#[test]
fn what_is_wrong_in_a_file_is_complained_about_in_its_place() {
    let case = |rest: &str| format!("{DEFAULTS}  - {{ name: a, expect: deny, {rest} }}\n");
    let table = [
        (case("department: gz-housin"), "unknown department `gz-housin`. Did you mean `gz-housing`?"),
        (case("dataset: natural-persons"), "unknown dataset `natural-persons`. Did you mean `natural-person`?"),
        (case("item: 11440100MB9YYY997R3440101001999"), "unknown item"),
        (case("item: \"123\""), "is not accepted here"),
        (case("fields: [names]"), "has no field `names`. Did you mean `name`?"),
        (case("fields: [name, name]"), "stands twice"),
        (case("day: 2026-02-30"), "is not a date"),
        (case("hour: 24"), "there is no hour 24. Write 0 to 23"),
        (case("operation: read"), "unknown value `read`"),
        (case("colour: red"), "unknown key `colour`"),
        (case("agreement: some"), "unknown value `some`"),
        (case("agreement: { compare: [shoe_size] }"), "has no field `shoe_size`"),
        (case("agreement: { valid_from: yesterday }"), "`yesterday` is not a date"),
        (
            case("policies: [agreement-require]"),
            "unknown policy `agreement-require`. Did you mean `agreement-required`?",
        ),
        (case("obligations: [fold_not_found]"), "a call that is denied has no obligations"),
        (case("suppose: { fields: { sex: { sensitivity: 5 } } }"), "there is no such sensitivity. Write 1 to 4"),
        (case("suppose: { fields: { shoe: { sensitivity: 1 } } }"), "has no field `shoe`"),
        (format!("{DEFAULTS}  - {{ expect: deny }}\n"), "the case has no `name`"),
        (format!("{DEFAULTS}  - {{ name: a }}\n"), "the case has no `expect`, nor have the defaults. Add `expect`"),
        ("cases: []\n".to_owned(), "there is no case"),
        (
            "cases:\n  - { name: a, expect: deny, dataset: natural-person, item: 11440100MB9YYY997R3440101001000, \
          operation: verify, fields: [name], day: 2026-11-24 }\n"
                .to_owned(),
            "the case has no `department`",
        ),
    ];
    for (text, says) in table {
        let complaints = read(&text).map(|_| ()).unwrap_err();
        let [only] = complaints.as_slice() else { panic!("{text}: {complaints:#?}") };
        assert!(only.starts_with("tests/a.yaml:") && only.contains(says), "{text}: {only}");
    }
}

#[test]
fn a_mistake_in_the_defaults_is_one_complaint_however_many_cases_there_are() {
    let text =
        DEFAULTS.replace("natural-person", "nobody") + "  - { name: a, expect: deny }\n  - { name: b, expect: deny }\n";
    assert_eq!(read(&text).map(|_| ()).unwrap_err().len(), 1);
}

#[test]
fn a_case_that_fails_says_what_was_expected_and_what_came() {
    let cases = read(&format!(
        "{DEFAULTS}  - {{ name: a, expect: deny, policies: [agreement-required] }}\n  - {{ name: b, expect: allow, \
         obligations: [fold_not_found] }}\n  - {{ name: c, expect: allow }}\n"
    ))
    .unwrap();
    let trial = try_cases(&POLICIES, &cases);
    assert_eq!(trial.failed(), 2);
    assert_eq!(
        trial.cases[0].failures,
        ["expected deny, got allow", "expected policies [agreement-required], got [verify-under-agreement]"]
    );
    assert_eq!(trial.cases[1].failures, ["expected obligations [fold_not_found], got []"]);
    let covered: Vec<_> = trial.decided.iter().filter(|(_, cases)| **cases > 0).collect();
    assert_eq!(covered, [(&"verify-under-agreement".to_owned(), &3)]);
}

#[test]
fn files_are_the_same_from_a_folder_and_from_texts() {
    let files = PolicyFiles::read(&in_repository("policies")).unwrap();
    let texts = files.texts().into_iter().map(|(name, text)| (name.to_owned(), text.to_owned()));
    assert_eq!(PolicyFiles::from_texts(texts).unwrap(), files);
    assert!(files.cases.iter().all(|(name, _)| name.starts_with("tests/")));
    for name in ["tests/a.txt", "a.ceder", "tests/deep/a.cedar", "../a.cedar"] {
        let error = PolicyFiles::from_texts([(name.to_owned(), String::new())]).unwrap_err();
        assert_eq!(error.complaints().len(), 1, "{name}");
    }
}
