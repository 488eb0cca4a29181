//! `POST /v1/verifications`: answers, and refusals of what is asked.

use chrono::{TimeDelta, Utc};
use reqwest::Method;
use serde_json::{Value, json};
use shuqiao::{
    audit::{Operation, RecordedDecision, receipt},
    keys::{SigningKey, jws},
    problem::Code,
};

use crate::support::{
    node::{Answered, ITEM, TestNode, WINDOW, verification},
    refusal,
    registers::{Person, person},
};

const PATH: &str = "/v1/verifications";

fn right(person: &Person) -> Value {
    json!({ "name": person.name })
}

/// A good body with one member changed.
fn with(member: &str, value: Value) -> Value {
    let mut body = verification(person(10).id.as_str(), right(&person(10)));
    body[member] = value;
    body
}

/// No value of the register, and none that was asked about.
fn says_no_value(answer: &Answered) {
    let text = String::from_utf8(answer.bytes.clone()).unwrap();
    assert!(!text.contains("测试") && !text.contains(&person(10).id.as_str()[..17]), "{text}");
}

async fn post_text(node: &TestNode, kind: &str, body: &str) -> Answered {
    let request = node.request(Method::POST, PATH).bearer_auth(node.token().await).header("content-type", kind);
    node.send(request.body(body.to_owned())).await
}

#[tokio::test]
async fn a_claim_is_answered_yes_or_no_and_the_register_says_nothing_else() {
    let node = TestNode::with_persons(1000).await;
    let (alive, dead, absent) = (person(10), person(19), person(5000));
    for (id, claims, outcome) in [
        (&alive, right(&alive), "match"),
        (&alive, json!({ "name": " 测 试 １０ " }), "match"),
        (&alive, json!({ "name": "测试11" }), "mismatch"),
        (&alive, json!({ "name": "测试10", "birth_date": "1950年1月11日" }), "match"),
        (&alive, json!({ "birth_date": { "before": "1950-01-12", "after": "1950-01-10" } }), "match"),
        (&alive, json!({ "birth_date": { "before": "1950-01-11" } }), "mismatch"),
        (&alive, json!({ "sex": { "one_of": ["1", "2"] } }), "match"),
        (&dead, right(&dead), "indeterminate"),
        (&dead, json!({ "status": "9" }), "match"),
        (&absent, right(&absent), "not_found"),
    ] {
        let answer = node.verify(id.id.as_str(), claims.clone()).await;
        assert_eq!((answer.status, answer.said()), (200, outcome), "{claims} {:?}", answer.json);
        let text = String::from_utf8(answer.bytes).unwrap();
        assert!(!text.contains("测试") && !text.contains(id.id.as_str()), "{text}");
    }
}

#[tokio::test]
async fn a_receipt_binds_the_request_and_the_answer() {
    let node = TestNode::with_persons(20).await;
    let person = person(3);
    let answer = node.verify(person.id.as_str(), right(&person)).await;
    let claims = receipt::verify_answer(&answer.bytes, &node.jwks()).unwrap();
    assert_eq!(claims.outcome, "match");
    let request = serde_json::to_vec(&verification(person.id.as_str(), right(&person))).unwrap();
    receipt::verify_request(&claims, &request).unwrap();
    let mut changed = answer.json.clone();
    changed["outcome"] = json!("mismatch");
    let refused = receipt::verify_answer(changed.to_string().as_bytes(), &node.jwks()).unwrap_err();
    assert_eq!(refused.code(), Code::ReceiptInvalid);
}

#[tokio::test]
async fn who_names_no_case_is_not_told_whether_there_is_a_record() {
    let node = TestNode::with_persons(100).await;
    let ask = |id: String, claims: Value| {
        let mut body = verification(&id, claims);
        body.as_object_mut().unwrap().remove("case");
        let node = &node;
        async move { node.post(PATH, &body).await }
    };
    let wrong = ask(person(10).id.to_string(), json!({ "name": "测试11" })).await;
    let absent = ask(person(5000).id.to_string(), json!({ "name": "测试11" })).await;
    assert_eq!((wrong.said(), absent.said()), ("mismatch", "mismatch"));
    let shape = |answer: &Answered| answer.json.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(shape(&wrong), shape(&absent));
    assert_eq!(wrong.json["claims"], absent.json["claims"]);
}

#[tokio::test]
async fn a_dataset_that_was_never_published_is_indeterminate_and_says_what_to_do() {
    let node = TestNode::start(0, "").await;
    let answer = node.verify(person(1).id.as_str(), right(&person(1))).await;
    assert_eq!((answer.status, answer.said()), (200, "indeterminate"));
    assert_eq!(
        (&answer.json["reason"], &answer.json["disposition"]),
        (&json!("not_published"), &json!("ask_for_paper"))
    );
    assert_eq!(answer.json["claims"]["name"]["reason"], "not_published");
    assert_eq!(answer.json.get("dataset_version"), None);
    receipt::verify_answer(&answer.bytes, &node.jwks()).unwrap();
}

#[tokio::test]
async fn a_body_of_another_shape_is_refused_and_not_repeated() {
    let node = TestNode::with_persons(20).await;
    let id = person(10).id.to_string();
    let good = verification(&id, right(&person(10))).to_string();
    let number: u64 = id.parse().unwrap_or(440_106_195_001_110_000);
    for body in [
        String::new(),
        "{".to_owned(),
        "null".to_owned(),
        format!("{good} {good}"),
        good.replace("\"natural-person\"", "1"),
        with("subject", json!(id)).to_string(),
        with("subject", json!({ "resident_id": number })).to_string(),
        with("claims", json!("测试10")).to_string(),
        with("claims", json!({ "name": null })).to_string(),
        with("claims", json!({ "name": 1.5 })).to_string(),
        with("claims", json!({ "name": { "like": "测试10" } })).to_string(),
        with("nickname", json!("测试10")).to_string(),
        // JSON readers differ in which of two members they take.
        good.replacen('{', "{\"case\": \"TEST-0\", ", 1),
        good.replace("\"resident_id\"", "\"resident_id\":\"0\",\"resident_id\""),
        good.replace("\"name\"", "\"name\":\"x\",\"name\""),
        with("claims", json!({ "birth_date": {} }))
            .to_string()
            .replace("{}", r#"{"before":"2000-01-01","before":"x"}"#),
        // An array in the order of the members is no documented shape.
        json!(["natural-person", ITEM, "TEST-1", { "resident_id": id }, { "name": "测试10" }]).to_string(),
        with("claims", json!({ "birth_date": ["1950-01-12", null, null, null, null] })).to_string(),
    ] {
        let answer = post_text(&node, "application/json", &body).await;
        refusal::check_call(&answer, Code::MalformedBody, None);
        says_no_value(&answer);
    }
    for kind in ["text/plain", "", "application/jsonx", "application/x-www-form-urlencoded"] {
        let answer = post_text(&node, kind, &good).await;
        refusal::check_call(&answer, Code::UnsupportedMediaType, None);
    }
    assert_eq!(post_text(&node, "Application/JSON; charset=utf-8", &good).await.said(), "match");
}

#[tokio::test]
async fn a_value_that_cannot_be_is_refused_with_a_pointer_to_it() {
    let node = TestNode::with_persons(20).await;
    let id = person(10).id.to_string();
    let wrong_digit = format!("{}{}", &id[..17], if id.ends_with('0') { '1' } else { '0' });
    let many: Vec<_> = (0..33).map(|n| format!("测试{n}")).collect();
    let fields: serde_json::Map<_, _> = (0..65).map(|n| (format!("f{n}"), json!("x"))).collect();
    for (member, value, code, field) in [
        ("subject", json!({ "resident_id": wrong_digit }), Code::InvalidValue, "/subject/resident_id"),
        ("subject", json!({ "resident_id": "" }), Code::InvalidValue, "/subject/resident_id"),
        ("subject", json!({ "resident_id": id, "name": "测试10" }), Code::InvalidValue, "/subject"),
        ("subject", json!({}), Code::InvalidValue, "/subject"),
        ("subject", json!({ "name": "测试10" }), Code::UnknownField, "/subject/name"),
        ("claims", json!({ "birth_date": "1950-02-30" }), Code::InvalidValue, "/claims/birth_date"),
        ("claims", json!({ "name": { "before": "测试10" } }), Code::InvalidValue, "/claims/name"),
        ("claims", json!({ "name": { "one_of": many } }), Code::InvalidValue, "/claims/name"),
        ("claims", json!({ "name": { "one_of": [] } }), Code::InvalidValue, "/claims/name"),
        ("claims", json!({ "name": {} }), Code::InvalidValue, "/claims/name"),
        ("claims", json!({ "name": "" }), Code::InvalidValue, "/claims/name"),
        ("claims", json!({ "name": 10 }), Code::InvalidValue, "/claims/name"),
        ("claims", json!({ "sex": "7" }), Code::InvalidValue, "/claims/sex"),
        ("claims", json!({}), Code::InvalidValue, "/claims"),
        ("claims", Value::Object(fields), Code::InvalidValue, "/claims"),
        ("claims", json!({ "shoe_size": "43" }), Code::UnknownField, "/claims/shoe_size"),
        // What cannot be the name of a field is not repeated: it may be somebody's number.
        ("subject", json!({ id.as_str(): id }), Code::UnknownField, "/subject"),
        ("claims", json!({ "测试10\n": "43" }), Code::UnknownField, "/claims"),
        ("claims", json!({ "a/b~c": "43" }), Code::UnknownField, "/claims"),
        ("case", json!(""), Code::InvalidValue, "/case"),
        ("case", json!("TEST 1"), Code::InvalidValue, "/case"),
        ("case", json!("案件1"), Code::InvalidValue, "/case"),
        ("dataset", json!("Natural Person"), Code::InvalidValue, "/dataset"),
        ("dataset", json!("unnatural-person"), Code::UnknownDataset, "/dataset"),
        ("item", json!("11440100MB9YYY997R"), Code::InvalidValue, "/item"),
        ("item", json!("11440100MB9YYY997R3440101009000"), Code::UnknownItem, "/item"),
    ] {
        let answer = node.post(PATH, &with(member, value)).await;
        refusal::check_call(&answer, code, Some(field));
        says_no_value(&answer);
        assert!(!String::from_utf8_lossy(&answer.bytes).contains(&wrong_digit));
    }
}

/// A token of the node's own form, by any key.
fn token(node: &TestNode, key: &SigningKey, life: TimeDelta) -> String {
    let (now, url) = (Utc::now(), node.settings.node.url.as_str());
    let claims = json!({
        "iss": url, "aud": node.settings.node.audience.as_str(), "sub": WINDOW, "client_id": WINDOW,
        "department": "gz-administrative-approval", "iat": (now - TimeDelta::seconds(120)).timestamp(),
        "exp": (now + life).timestamp(), "jti": "a-token",
    });
    jws::sign(key, "at+jwt", claims.to_string().as_bytes())
}

#[tokio::test]
async fn a_call_without_a_good_token_is_refused_and_said_why() {
    let node = TestNode::with_persons(20).await;
    let body = verification(person(3).id.as_str(), right(&person(3)));
    let receipt = node.post(PATH, &body).await.json["receipt"].as_str().unwrap().to_owned();
    let own = SigningKey::load(&node.settings.paths.keys().join("token.pem")).unwrap();
    let receipts = SigningKey::load(&node.settings.paths.keys().join("receipt.pem")).unwrap();
    let (foreign, minute) = (SigningKey::generate().unwrap(), TimeDelta::seconds(60));
    let good = format!("bearer {}", token(&node, &own, minute));
    for (authorization, code) in [
        (None, Code::TokenMissing),
        (Some("Basic d2luZG93OnNlY3JldA==".to_owned()), Code::TokenMissing),
        (Some("Bearer".to_owned()), Code::TokenMissing),
        (Some("Bearer garbage".to_owned()), Code::TokenInvalid),
        (Some(format!("Bearer {receipt}")), Code::TokenInvalid),
        (Some(format!("Bearer {}", token(&node, &own, -minute))), Code::TokenInvalid),
        (Some(format!("Bearer {}", token(&node, &foreign, minute))), Code::TokenInvalid),
        (Some(format!("Bearer {}", token(&node, &receipts, minute))), Code::TokenInvalid),
        (Some(format!("{good}x")), Code::TokenInvalid),
    ] {
        let request = node.request(Method::POST, PATH).json(&body);
        let request = authorization.iter().fold(request, |request, value| request.header("authorization", value));
        let answer = node.send(request).await;
        refusal::check_call(&answer, code, None);
        let challenge = answer.headers["www-authenticate"].to_str().unwrap();
        assert!(challenge.starts_with("Bearer realm="), "{challenge}");
        assert_eq!(challenge.contains("invalid_token"), code == Code::TokenInvalid, "{challenge}");
    }
    let answer = node.send(node.request(Method::POST, PATH).json(&body).header("authorization", good)).await;
    assert_eq!(answer.said(), "match");
}

/// Clients of other departments, whose items and agreements the table of denials needs.
const CLIENTS: [(&str, &str); 4] = [
    ("gz-housing-desk", "gz-housing"),
    ("gd-transport-desk", "gd-transport"),
    ("sz-services-desk", "sz-government-services"),
    ("gz-school-desk", "gz-education"),
];

#[tokio::test]
async fn a_denial_names_the_policies_that_decided() {
    let node = TestNode::with_persons(20).await;
    for (client, department) in CLIENTS {
        node.register(client, department).await;
    }
    let food = "11440100MB9YYY997R3440101002000";
    let school = "11440100MB9Y01035G3442005001000";
    let housing = "11440100MB9Y01027M3440517001000";
    let presale = "11440100MB9Y01027M3440117002000";
    let ended = "11440000MB9Y0007582442018002000";
    let newborn = "11440300MB9Y03022Y3442035002000";
    let firm = json!({ "credit_code": "11440100MB9YYY997R" });
    let man = json!({ "resident_id": person(3).id.as_str() });
    let name = || json!({ "name": "测试3" });
    let married = || json!({ "marital_status": "10" });
    for (client, dataset, item, subject, claims, case, policies) in [
        (WINDOW, "natural-person", food, &man, name(), true, "agreement-required fields-needed-by-item"),
        (WINDOW, "natural-person", school, &man, name(), true, "agreement-required item-of-caller"),
        ("gz-school-desk", "natural-person", ITEM, &man, name(), true, "agreement-required item-of-caller"),
        (
            WINDOW,
            "natural-person",
            ITEM,
            &man,
            json!({ "address": "广东省广州市" }),
            true,
            "fields-agreed-for-comparison fields-needed-by-item",
        ),
        ("gd-transport-desk", "natural-person", ended, &man, name(), true, "agreement-required item-in-force"),
        ("sz-services-desk", "natural-person", newborn, &man, name(), true, "agreement-in-force item-in-force"),
        ("gz-housing-desk", "legal-entity", presale, &firm, name(), true, "agreement-in-force"),
        ("gz-housing-desk", "natural-person", housing, &man, married(), false, "case-required-for-sensitive"),
    ] {
        let mut body = json!({ "dataset": dataset, "item": item, "subject": subject, "claims": claims });
        if case {
            body["case"] = json!("TEST-1");
        }
        let token = node.token_of(client).await;
        let answer = node.send(node.request(Method::POST, PATH).bearer_auth(token).json(&body)).await;
        let call = refusal::check_call(&answer, Code::Denied, None);
        let named = |value: &Value| {
            value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let mut decided: Vec<String> = named(&answer.json["policies"]);
        decided.sort();
        assert_eq!(decided.join(" "), policies, "{client} {item}");
        says_no_value(&answer);
        let record = node.records().into_iter().find(|record| record.call_id.to_string() == call).unwrap();
        assert_eq!((record.decision, record.policies.len()), (RecordedDecision::Deny, decided.len()));
    }
    let token = node.token_of("gz-housing-desk").await;
    let body =
        json!({ "dataset": "natural-person", "item": housing, "case": "TEST-1", "subject": man, "claims": married() });
    let answer = node.send(node.request(Method::POST, PATH).bearer_auth(token).json(&body)).await;
    assert_eq!(answer.said(), "match", "what the table denies is allowed with a case");
}

#[tokio::test]
async fn every_answer_and_refusal_is_in_the_log_and_no_person_is() {
    let node = TestNode::start(100, "[audit]\nsegment_bytes = 131072\n").await;
    let (alive, absent) = (person(10), person(5000));
    let mut expected = Vec::new();
    for (body, said) in [
        (with("case", json!("TEST-7")), "match"),
        (with("claims", json!({ "name": "测试11" })), "mismatch"),
        (verification(absent.id.as_str(), right(&absent)), "not_found"),
        (with("subject", json!({ "resident_id": alive.id.as_str(), "name": "测试10" })), "invalid_value"),
        (with("claims", json!({ "测试10": "x" })), "unknown_field"),
        (with("claims", json!({ "phone": "13800000000" })), "denied"),
        (json!({ "subject": alive.id.as_str() }), "malformed_body"),
    ] {
        let answer = node.post(PATH, &body).await;
        assert_eq!(answer.said(), said, "{}", answer.json);
        expected.push((answer.json["call_id"].as_str().unwrap().to_owned(), said));
    }
    let nobody = node.send(node.request(Method::POST, PATH).json(&with("case", json!("TEST-8")))).await;
    expected.push((nobody.json["call_id"].as_str().unwrap().to_owned(), "token_missing"));

    let records = node.records();
    let logged = records.iter().map(|record| {
        let said = record.outcome.as_deref().or(record.code.as_deref()).unwrap();
        (record.call_id.to_string(), said)
    });
    assert_eq!(logged.collect::<Vec<_>>(), expected);
    let first = &records[0];
    assert_eq!(first.operation, Operation::Verification);
    assert_eq!(first.client.as_ref().unwrap().as_str(), WINDOW);
    assert_eq!(first.case.as_ref().unwrap().as_str(), "TEST-7");
    assert_eq!(first.agreement.as_ref().unwrap().as_str(), "agr-gz-hukou-person");
    assert_eq!(first.subject, records[1].subject, "one person has one pseudonym");
    assert_ne!(first.subject, records[2].subject);
    assert_eq!(first.subject.as_ref().unwrap().split_once(':').unwrap().1.len(), 64);

    let bytes = node.log_bytes();
    let has = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(has("TEST-7") && has(WINDOW), "the log is what is looked into");
    for secret in [alive.id.as_str(), absent.id.as_str(), "测试", "13800000000"] {
        assert!(!has(secret), "`{secret}` is in the log");
    }
}
