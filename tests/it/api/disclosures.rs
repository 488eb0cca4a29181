//! `POST /v1/disclosures`: the agreed fields of a record, masked as obliged.

use reqwest::Method;
use serde_json::{Value, json};
use shuqiao::{audit::receipt, identifiers::CreditCode, problem::Code};

use crate::support::{
    node::{Answered, ITEM, Setup, TestNode, WINDOW},
    refusal,
    registers::{Person, person},
};

const PATH: &str = "/v1/disclosures";
/// Food business licence, an item of the department of [`WINDOW`].
const FOOD: &str = "11440100MB9YYY997R3440101002000";

fn body(person: &Person, fields: &[&str]) -> Value {
    json!({
        "dataset": "natural-person", "item": ITEM, "case": "TEST-1",
        "subject": { "resident_id": person.id.as_str() }, "fields": fields,
    })
}

async fn ask(node: &TestNode, person: &Person, fields: &[&str]) -> Answered {
    node.post(PATH, &body(person, fields)).await
}

#[tokio::test]
async fn agreed_fields_are_disclosed_and_the_sensitive_ones_masked() {
    let node = TestNode::with_persons(100).await;
    let answer = ask(&node, &person(10), &["sex", "division", "name", "birth_date", "status"]).await;
    assert_eq!((answer.status, answer.said()), (200, "found"), "{}", answer.json);
    let values = &answer.json["values"];
    assert_eq!((&values["sex"], &values["division"]), (&json!("1"), &json!("440106")));
    assert_eq!(
        (&values["name"], &values["birth_date"], &values["status"]),
        (&json!("测***"), &json!("****"), &json!("****"))
    );
    assert_eq!(answer.json["masked"], json!(["name", "birth_date", "status"]));
    let claims = receipt::verify_answer(&answer.bytes, &node.jwks()).unwrap();
    assert_eq!(claims.answer_sha256, receipt::answer_digest(&answer.json).unwrap());
    receipt::verify_request(
        &claims,
        body(&person(10), &["sex", "division", "name", "birth_date", "status"]).to_string().as_bytes(),
    )
    .unwrap();
    let record = node.records().pop().unwrap();
    assert_eq!(record.outcome.as_deref(), Some("found"));
    assert_eq!(record.disclosed, ["birth_date", "division", "name", "sex", "status"]);
    assert!(record.obligations.iter().any(|word| word.contains("mask")), "{:?}", record.obligations);
}

#[tokio::test]
async fn every_style_of_mask_hides_what_it_should() {
    // The item needs more than in the province's catalogue, and the agreement grants all of it.
    let needs = (
        "items-guangzhou.yaml",
        "[resident_id, name, birth_date, sex] }",
        "[resident_id, name, phone, address, former_name] }",
    );
    let agreements = format!(
        "agreements:\n  - id: agr-all\n    consumer: gz-administrative-approval\n    dataset: natural-person\n    items: [{ITEM}]\n    \
         compare: [resident_id]\n    disclose: [resident_id, name, phone, address, former_name]\n    valid_from: 2025-01-01\n    valid_until: 2099-12-31\n    \
         calls_per_second: 1000\n    calls_per_day: 1000\n"
    );
    let setup = Setup { persons: 20, agreements: Some(&agreements), catalog: &[needs], ..Setup::default() };
    let node = TestNode::of(setup).await;
    let answer = ask(&node, &person(3), &["resident_id", "name", "phone", "address", "former_name"]).await;
    let id = person(3).id.to_string();
    let shown = json!({
        "resident_id": format!("440106********{}", &id[14..]), "name": "测***", "phone": "138****0000",
        "address": "广东省广州市天河区****", "former_name": null,
    });
    assert_eq!(answer.json["values"], shown, "{}", answer.json);
    assert_eq!(answer.json["masked"], json!(["resident_id", "name", "phone", "address"]), "a null hides nothing");
}

#[tokio::test]
async fn fields_that_were_not_agreed_on_or_may_only_be_compared_are_denied() {
    let node = TestNode::with_persons(20).await;
    node.register("gz-housing-desk", "gz-housing").await;
    let housing = "11440100MB9Y01027M3440517001000";
    for (client, item, fields, policies) in [
        (WINDOW, ITEM, json!(["name", "address"]), "fields-agreed-for-disclosure fields-needed-by-item"),
        (WINDOW, ITEM, json!(["resident_id"]), "fields-agreed-for-disclosure"),
        (WINDOW, FOOD, json!(["name"]), "agreement-required fields-needed-by-item"),
        (
            "gz-housing-desk",
            housing,
            json!(["marital_status"]),
            "compare-only-not-disclosed fields-agreed-for-disclosure",
        ),
        ("gz-housing-desk", ITEM, json!(["name"]), "agreement-required item-of-caller"),
    ] {
        let mut body = body(&person(3), &[]);
        (body["item"], body["fields"]) = (json!(item), fields.clone());
        let token = node.token_of(client).await;
        let answer = node.send(node.request(Method::POST, PATH).bearer_auth(token).json(&body)).await;
        refusal::check_call(&answer, Code::Denied, None);
        let mut decided: Vec<_> =
            answer.json["policies"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        decided.sort_unstable();
        assert_eq!(decided.join(" "), policies, "{fields}");
        assert!(!String::from_utf8_lossy(&answer.bytes).contains("测试"));
    }
}

#[tokio::test]
async fn a_question_that_cannot_be_answered_is_refused_with_a_pointer() {
    let node = TestNode::with_persons(20).await;
    let many: Vec<_> = (0..65).map(|n| format!("f{n}")).collect();
    for (fields, code, field) in [
        (json!([]), Code::InvalidValue, Some("/fields")),
        (json!(["name", "name"]), Code::InvalidValue, Some("/fields/1")),
        (json!(many), Code::InvalidValue, Some("/fields")),
        (json!(["name", "shoe_size"]), Code::UnknownField, Some("/fields/1")),
        (json!("name"), Code::MalformedBody, None),
        (json!([1]), Code::MalformedBody, None),
        (json!({ "name": true }), Code::MalformedBody, None),
    ] {
        let mut body = body(&person(3), &[]);
        body["fields"] = fields;
        refusal::check_call(&node.post(PATH, &body).await, code, field);
    }
}

#[tokio::test]
async fn what_is_said_of_a_record_depends_on_its_state() {
    let node = TestNode::with_persons(100).await;
    let (dead, absent) = (person(19), person(5000));
    let answer = ask(&node, &absent, &["name"]).await;
    assert_eq!((answer.status, answer.said(), answer.json.get("values")), (200, "not_found", None));
    let mut folded = body(&absent, &["name"]);
    folded.as_object_mut().unwrap().remove("case");
    let answer = node.post(PATH, &folded).await;
    assert_eq!((answer.said(), &answer.json["reason"]), ("indeterminate", &json!("no_value")), "{}", answer.json);
    let answer = ask(&node, &dead, &["name"]).await;
    assert_eq!((answer.said(), &answer.json["reason"]), ("indeterminate", &json!("record_not_ordinary")));
    assert_eq!((&answer.json["disposition"], answer.json.get("values")), (&json!("check_by_hand"), None));
    // The status is masked for this caller, so it would not tell that the person is dead.
    let answer = ask(&node, &dead, &["status", "sex"]).await;
    assert_eq!((answer.said(), answer.json.get("values")), ("indeterminate", None), "{}", answer.json);
}

fn firm(code: &CreditCode, status: &str) -> String {
    format!(
        "credit_code,name,kind,legal_representative,legal_representative_id,registered_capital,established_on,division,\
         address,status,status_date\n{code},测试公司,91,测试一,{},1000000,2020-01-31,440106,测试路1号,{status},\n",
        person(1).id
    )
}

#[tokio::test]
async fn a_record_out_of_the_ordinary_is_shown_to_who_is_told_its_state() {
    let node = TestNode::start(0, "").await;
    let code = CreditCode::from_parts('9', '1', 440_106, *b"MA9AAAA1").unwrap();
    node.publish("legal-entity", &firm(&code, "2")).await;
    for (fields, said, values) in [
        (json!(["name"]), "indeterminate", Value::Null),
        (json!(["name", "status"]), "found", json!({ "name": "测试公司", "status": "2" })),
    ] {
        let answer = node.post(PATH, &firm_question(&code, &fields)).await;
        assert_eq!((answer.said(), &answer.json["values"]), (said, &values), "{}", answer.json);
    }
}

fn firm_question(code: &CreditCode, fields: &Value) -> Value {
    json!({
        "dataset": "legal-entity", "item": FOOD, "case": "TEST-1",
        "subject": { "credit_code": code.as_str() }, "fields": fields,
    })
}

#[tokio::test]
async fn a_register_that_is_published_later_is_served_and_its_public_fields_are_plain() {
    let node = TestNode::start(0, "").await;
    let code = CreditCode::from_parts('9', '1', 440_106, *b"MA9AAAA1").unwrap();
    let question = firm_question(&code, &json!(["credit_code", "name", "status"]));
    let before = node.post(PATH, &question).await;
    assert_eq!((before.said(), &before.json["reason"]), ("indeterminate", &json!("not_published")));
    node.publish("legal-entity", &firm(&code, "1")).await;
    let answer = node.post(PATH, &question).await;
    assert_eq!(answer.json["values"], json!({ "credit_code": code.as_str(), "name": "测试公司", "status": "1" }));
    assert_eq!((answer.json.get("masked"), &answer.json["as_of"]), (None, &json!("2026-11-24T02:00:00.000Z")));
}
