//! What several nodes say becomes one answer.

use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;

use super::{
    super::fixtures::{self, names},
    *,
};
use crate::{
    federation::Answered,
    verification::{ClaimInput, Scalar},
};

fn claim() -> Call {
    let claims = vec![ClaimInput::Equals(Scalar::Text("某公司".to_owned()))];
    fixtures::call(&fixtures::question(super::super::Asked::Claims(vec![("name".to_owned(), claims)])))
}

fn disclosure() -> Call {
    fixtures::call(&fixtures::question(fixtures::fields(&["name", "legal_representative"])))
}

fn answer(outcome: &str, more: serde_json::Value) -> End {
    let mut answer = json!({
        "answered_at": "2026-11-27T00:00:00Z", "call_id": "x", "dataset": "legal-entity", "dataset_version": 4,
        "as_of": "2026-11-26T00:00:00Z", "outcome": outcome, "later": "a member of a newer node",
    });
    answer.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    End::Answered(Answered { answer, receipt: "a.b.c".to_owned() })
}

fn verdict(result: &str) -> serde_json::Value {
    json!({ "claims": { "name": { "result": result } } })
}

fn ends() -> [(&'static str, End); 9] {
    let refused = End::Refused { code: "denied".to_owned(), policies: vec!["no-outsiders".to_owned()] };
    [
        ("match", answer("match", verdict("match"))),
        ("mismatch", answer("mismatch", verdict("mismatch"))),
        ("not_found", answer("not_found", json!({}))),
        ("ruled_out", End::RuledOut { version: 3, as_of: "2026-11-26T00:00:00Z".to_owned() }),
        ("late", End::Late),
        ("unreachable", End::Unreachable),
        ("refused", refused),
        ("suspended", End::Suspended),
        ("indeterminate", answer("indeterminate", json!({ "reason": "no_value", "claims": {} }))),
    ]
}

fn elsewhere(ends: &[End]) -> Elsewhere {
    let told = |(number, end): (usize, &End)| Told {
        node: format!("city-{number}").parse().unwrap(),
        end: end.clone(),
        took: Duration::ZERO,
    };
    Elsewhere { own: None, columns: Columns::default(), told: ends.iter().enumerate().map(told).collect() }
}

fn shaped(ends: &[End]) -> Shaped {
    elsewhere(ends).shape(&claim(), &Obligations::default())
}

#[test]
fn one_finding_is_the_answer_and_what_could_not_be_asked_is_never_an_absence() {
    let end = |word: &str| ends().into_iter().find(|(known, _)| *known == word).unwrap().1;
    for (words, outcome, reason) in [
        (&["match"][..], OutcomeWord::Match, None),
        (&["not_found", "mismatch", "ruled_out"], OutcomeWord::Mismatch, None),
        (&["late", "match", "refused"], OutcomeWord::Match, None),
        (&["not_found", "ruled_out"], OutcomeWord::NotFound, None),
        (&["not_found", "unreachable"], OutcomeWord::Indeterminate, Some(Reason::SourceUnavailable)),
        (&["late", "ruled_out"], OutcomeWord::Indeterminate, Some(Reason::DeadlineExceeded)),
        (&["not_found", "refused"], OutcomeWord::Indeterminate, Some(Reason::HolderRefused)),
        (&["suspended"], OutcomeWord::Indeterminate, Some(Reason::SourceUnavailable)),
        (&["match", "match"], OutcomeWord::Match, None),
        (&["match", "mismatch"], OutcomeWord::Indeterminate, Some(Reason::Ambiguous)),
        (&["indeterminate", "not_found"], OutcomeWord::Indeterminate, Some(Reason::NoValue)),
        (&[], OutcomeWord::Indeterminate, Some(Reason::HolderUnknown)),
    ] {
        let ends: Vec<_> = words.iter().map(|word| end(word)).collect();
        let shaped = shaped(&ends);
        assert_eq!((shaped.outcome, shaped.reason), (outcome, reason), "{words:?}");
        assert_eq!(shaped.nodes.len(), words.len());
    }
    let refused = &shaped(&[end("refused")]).nodes[0];
    assert_eq!(
        (refused.code.as_deref(), refused.policies.as_deref()),
        (Some("denied"), Some(&["no-outsiders".to_owned()][..]))
    );
}

#[test]
fn an_answer_that_is_none_to_this_call_is_no_answer() {
    for strange in [
        answer("match", json!({})),
        answer("match", json!({ "claims": { "phone": { "result": "match" } } })),
        answer("found", json!({ "values": { "name": "某公司" } })),
        answer("match", json!({ "claims": { "name": { "result": "match" } }, "dataset": "natural-person" })),
        answer("perhaps", verdict("match")),
    ] {
        let shaped = shaped(&[strange]);
        assert_eq!(shaped.outcome, OutcomeWord::Indeterminate);
        assert_eq!((shaped.nodes[0].end.as_str(), &shaped.nodes[0].answer), ("unreachable", &None));
    }
}

#[test]
fn what_this_node_withholds_is_not_said_in_anothers_words() {
    let values = json!({ "values": { "name": "某公司", "legal_representative": "张三丰" } });
    let told = elsewhere(&[answer("found", values)]);
    let plain = told.shape(&disclosure(), &Obligations::default());
    assert!(plain.nodes[0].answer.is_some() && plain.nodes[0].receipt.is_some());

    let masked =
        Obligations { masked: names(&["legal_representative"]), dropped: names(&["name"]), ..Obligations::default() };
    let shaped = told.shape(&disclosure(), &masked);
    let values = shaped.values.unwrap();
    assert_eq!(values.keys().collect::<Vec<_>>(), ["legal_representative"]);
    assert!(!values["legal_representative"].as_str().unwrap().contains("三"));
    assert_eq!((shaped.masked, shaped.withheld), (names(&["legal_representative"]), names(&["name"])));
    assert_eq!((&shaped.nodes[0].answer, &shaped.nodes[0].receipt), (&None, &None));

    let fold = Obligations { fold_not_found: true, ..Obligations::default() };
    let shaped = elsewhere(&[answer("not_found", json!({}))]).shape(&claim(), &fold);
    assert_eq!((shaped.outcome, &shaped.nodes[0].answer, shaped.version), (OutcomeWord::Mismatch, &None, None));
}

proptest! {
    #[test]
    fn not_found_is_only_said_where_everybody_said_so(
        picked in prop::collection::vec(prop::sample::select(ends().to_vec()), 0..6)
    ) {
        let ends: Vec<_> = picked.iter().map(|(_, end)| end.clone()).collect();
        let everybody = !picked.is_empty() && picked.iter().all(|(word, _)| ["not_found", "ruled_out"].contains(word));
        let shaped = shaped(&ends);
        prop_assert_eq!(shaped.outcome == OutcomeWord::NotFound, everybody, "{:?}", picked);
        // And a match only where somebody has found one, and nobody the contrary.
        let has = |wanted: &str| picked.iter().any(|(word, _)| *word == wanted);
        prop_assert_eq!(shaped.outcome == OutcomeWord::Match, has("match") && !has("mismatch"));
    }
}
