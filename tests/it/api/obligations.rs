//! What policies may demand of a call and of the record that answers it, through the door and into the log.

use serde_json::{Value, json};
use shuqiao::problem::Code;

use crate::support::{
    node::{Setup, TestNode, verification},
    refusal,
    registers::{self, person},
};

const PATH: &str = "/v1/verifications";
const DEMANDING: &str = "
@id(\"consent-for-status\") @why(\"the state of a record is told with consent only\")
@qualifies(\"true\") @obligation_require_consent(\"true\")
permit (principal, action, resource) when { context.fields.contains(\"status\") };

@id(\"two-for-birth-date\") @why(\"a date of birth takes two officials\")
@qualifies(\"true\") @obligation_require_second_approver(\"true\")
permit (principal, action, resource) when { context.fields.contains(\"birth_date\") };
";

async fn demanding() -> TestNode {
    TestNode::of(Setup { persons: 20, policies: DEMANDING, ..Setup::default() }).await
}

fn asking(claims: Value, more: Value) -> Value {
    let mut body = verification(person(3).id.as_str(), claims);
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

#[tokio::test]
async fn who_has_no_consent_is_told_to_ask_for_it_and_the_log_keeps_the_reference() {
    let node = demanding().await;
    let status = || json!({ "status": "0" });
    let answer = node.post(PATH, &asking(status(), json!({}))).await;
    refusal::check_call(&answer, Code::ConsentRequired, Some("/consent"));
    assert_eq!(answer.json["policies"], json!(["consent-for-status", "verify-under-agreement"]));
    let record = node.records().pop().unwrap();
    assert_eq!(record.code.as_deref(), Some("consent_required"));
    assert_eq!((record.obligations, record.outcome), (vec!["require_consent".to_owned()], None));
    let answer = node.post(PATH, &asking(status(), json!({ "consent": "CONSENT/2026/7" }))).await;
    assert_eq!(answer.said(), "match", "{}", answer.json);
    let record = node.records().pop().unwrap();
    assert_eq!(record.consent.as_ref().map(|consent| consent.as_str()), Some("CONSENT/2026/7"));
    // What nothing is demanded for is answered without.
    assert_eq!(node.post(PATH, &asking(json!({ "name": "测试3" }), json!({}))).await.said(), "match");
}

#[tokio::test]
async fn two_officials_are_two_persons_and_stand_in_the_log_under_other_names() {
    let node = demanding().await;
    let born = || json!({ "birth_date": "1950-01-04" });
    let answer = node.post(PATH, &asking(born(), json!({ "operator": "li.na" }))).await;
    refusal::check_call(&answer, Code::SecondApproverRequired, Some("/approver"));
    for (more, field) in [
        (json!({ "operator": "li.na", "approver": "LI.NA" }), "/approver"),
        (json!({ "approver": "wu.gang" }), "/approver"),
        (json!({ "operator": "李娜", "approver": "wu.gang" }), "/operator"),
        (json!({ "consent": "a b" }), "/consent"),
    ] {
        let answer = node.post(PATH, &asking(born(), more)).await;
        refusal::check_call(&answer, Code::InvalidValue, Some(field));
    }
    let both = json!({ "operator": "li.na", "approver": "wu.gang" });
    let answer = node.post(PATH, &asking(born(), both)).await;
    assert_eq!(answer.said(), "match", "{}", answer.json);
    let record = node.records().pop().unwrap();
    let (operator, approver) = (record.operator.unwrap(), record.approver.unwrap());
    assert!(operator.contains(':') && approver.contains(':') && operator != approver, "{operator} {approver}");
    // The other way round they are the same two.
    let swapped = json!({ "operator": "wu.gang", "approver": "li.na" });
    assert_eq!(node.post(PATH, &asking(born(), swapped)).await.said(), "match");
    let record = node.records().pop().unwrap();
    assert_eq!((record.operator, record.approver), (Some(approver), Some(operator)));
    let log = node.log_bytes();
    assert!(
        !["li.na", "LI.NA", "wu.gang"].iter().any(|name| contains(&log, name)),
        "a name of an official is in the log"
    );
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

const OWN_RECORDS: &str = "
@id(\"own-division\") @why(\"a city sees its own records\")
@qualifies(\"true\") @obligation_rows_by_division(\"true\")
permit (principal, action, resource) when { resource.by_division };
";

/// Person 1 is registered in Shenzhen, the others in Guangzhou, whose department asks.
async fn divided(catalog: &[(&str, &str, &str)]) -> TestNode {
    let node = TestNode::of(Setup { policies: OWN_RECORDS, catalog, ..Setup::default() }).await;
    let line = |n: u64| match n {
        1 => registers::line(&person(n)).replace(",440106,", ",440305,"),
        _ => registers::line(&person(n)),
    };
    let lines: Vec<_> = std::iter::once(registers::HEADER.to_owned()).chain((0..5).map(line)).collect();
    node.publish("natural-person", &(lines.join("\n") + "\n")).await;
    node
}

async fn asked(node: &TestNode, number: u64, case: bool) -> Value {
    let mut body = verification(person(number).id.as_str(), json!({ "name": format!("测试{number}") }));
    if !case {
        body.as_object_mut().unwrap().remove("case");
    }
    node.post(PATH, &body).await.json
}

#[tokio::test]
async fn a_city_is_not_told_of_records_of_another_and_never_that_there_are_none() {
    let node = divided(&[]).await;
    assert_eq!(asked(&node, 0, true).await["outcome"], "match");
    let elsewhere = asked(&node, 1, true).await;
    assert_eq!(
        (&elsewhere["outcome"], &elsewhere["reason"], &elsewhere["disposition"]),
        (&json!("indeterminate"), &json!("outside_division"), &json!("check_by_hand"))
    );
    assert_eq!(asked(&node, 17, true).await["outcome"], "not_found", "there is none");
    // Without a case neither is told from a wrong claim.
    for number in [1, 17] {
        let folded = asked(&node, number, false).await;
        assert_eq!((&folded["outcome"], &folded["reason"]), (&json!("mismatch"), &Value::Null), "{folded}");
    }
    let fields = json!({
        "dataset": "natural-person", "item": crate::support::node::ITEM, "case": "TEST-1",
        "subject": { "resident_id": person(1).id.as_str() }, "fields": ["name", "division"],
    });
    let answer = node.post("/v1/disclosures", &fields).await;
    assert_eq!((answer.said(), &answer.json["reason"]), ("indeterminate", &json!("outside_division")));
    assert_eq!(answer.json["values"], Value::Null);
    let record = node.records().pop().unwrap();
    assert!(record.obligations.contains(&"rows_by_division".to_owned()), "{:?}", record.obligations);
}

#[tokio::test]
async fn an_item_for_applicants_of_any_division_sees_records_of_any() {
    let cross = ("items-guangzhou.yaml", "    materials:", "    cross_region: true\n    materials:");
    let node = divided(&[cross]).await;
    assert_eq!(asked(&node, 1, true).await["outcome"], "match");
    let record = node.records().pop().unwrap();
    assert!(record.obligations.is_empty(), "{:?}", record.obligations);
}

#[tokio::test]
async fn how_a_call_came_is_policy_and_stands_in_its_record() {
    let closing = "@id(\"half-is-enough\") @why(\"the rest of the day is for emergencies\")
        forbid (principal, action, resource)
        when { context.volume >= 50 && context.channel == \"api\" && context.origin == \"guangdong\" };";
    let agreements = format!(
        "agreements:\n  - id: agr-four\n    consumer: gz-administrative-approval\n    dataset: natural-person\n    \
         items: [{}]\n    compare: [resident_id, name]\n    valid_from: 2025-01-01\n    valid_until: 2099-12-31\n    \
         calls_per_second: 1000\n    calls_per_day: 4\n",
        crate::support::node::ITEM
    );
    let setup = Setup { persons: 20, policies: closing, agreements: Some(&agreements), ..Setup::default() };
    let node = TestNode::of(setup).await;
    let mut said = Vec::new();
    for _ in 0..5 {
        said.push(node.verify(person(3).id.as_str(), json!({ "name": "测试3" })).await.said().to_owned());
    }
    assert_eq!(said, ["match", "match", "denied", "denied", "quota_exceeded"]);
    let records = node.records();
    let volumes: Vec<_> = records.iter().map(|record| record.volume).collect();
    assert_eq!(volumes, [0, 20, 50, 70, 0]);
    assert!(records[..4].iter().all(|record| record.origin.as_ref().is_some_and(|node| node.as_str() == "guangdong")));
    assert!(records.iter().all(|record| record.channel.is_none()), "the usual door is not written down");
}
