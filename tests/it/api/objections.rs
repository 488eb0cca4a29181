//! "This is wrong": an objection from the receipt to the correction, and who sees what of it.

use std::time::Instant;

use chrono::{TimeDelta, Utc};
use reqwest::Method;
use serde_json::{Value, json};
use shuqiao::{
    http::open_ledger,
    problem::Code,
    publish::{Retention, vacuum},
};

use crate::support::{
    node::{Answered, DEPARTMENT, TestNode},
    refusal::PATIENCE,
    registers::{Person, csv, person},
};

const PATH: &str = "/v1/objections";
const PROVIDER: &str = "gd-public-security";

async fn answer(node: &TestNode) -> Answered {
    node.verify(person(3).id.as_str(), json!({ "name": "测试3" })).await
}

async fn post(node: &TestNode, token: &str, path: &str, body: &Value) -> Answered {
    node.send(node.request(Method::POST, path).bearer_auth(token).json(body)).await
}

async fn get(node: &TestNode, token: &str, path: &str) -> Answered {
    node.send(node.request(Method::GET, path).bearer_auth(token)).await
}

fn objection(receipt: &Value) -> Value {
    json!({ "receipt": receipt, "subject": person(3).id.as_str(), "fields": ["name"], "statement": "姓名用字有误" })
}

/// Call until the answer says that of objections.
async fn until(node: &TestNode, word: &Value) -> Answered {
    let began = Instant::now();
    loop {
        let said = answer(node).await;
        assert_eq!(said.said(), "match", "an objection closes no door");
        if said.json["objection"] == *word {
            return said;
        }
        assert!(began.elapsed() < PATIENCE, "{}", said.json);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn an_objection_goes_from_the_receipt_to_the_correction_and_its_filer_is_told() {
    let node = TestNode::with_persons(20).await;
    let steward = node.account("ps-steward", PROVIDER, "steward").await;
    let window = node.token().await.to_owned();
    let wrong = answer(&node).await;
    assert_eq!(wrong.json.get("objection"), None);

    let filed = post(&node, &window, PATH, &objection(&wrong.json["receipt"])).await;
    assert_eq!(filed.status, 201, "{}", filed.json);
    assert_eq!(
        (&filed.json["state"], &filed.json["dataset_version"]),
        (&json!("open"), &wrong.json["dataset_version"])
    );
    assert_eq!(filed.json.get("subject"), None, "the filer knows it already");
    let again = post(&node, &window, PATH, &objection(&wrong.json["receipt"])).await;
    assert_eq!(again.said(), "conflict");
    until(&node, &json!("open")).await;

    let one = format!("{PATH}/{}", filed.json["id"].as_str().unwrap());
    let listed = get(&node, &steward, &format!("{PATH}?state=open")).await;
    assert_eq!(listed.json["items"][0]["subject"], person(3).id.as_str(), "{}", listed.json);
    let (decide, corrected) = (format!("{one}/decide"), json!({ "outcome": "corrected", "reason": "已更正" }));
    let early = post(&node, &steward, &decide, &corrected).await;
    assert_eq!(early.said(), "conflict", "nothing was published: {}", early.json);

    node.publish("natural-person", &csv((0..20).map(person))).await;
    let done = post(&node, &steward, &decide, &corrected).await;
    assert_eq!((done.status, &done.json["state"]), (200, &json!("corrected")), "{}", done.json);
    assert_eq!(done.json.get("subject"), None, "it is erased");
    assert_eq!(done.json.get("told_at"), None);
    let said = until(&node, &json!("corrected")).await;
    assert_eq!(said.json["dataset_version"], done.json["corrected_version"]);

    let told = get(&node, &window, &one).await;
    assert_eq!((&told.json["decision"], told.json["told_at"].is_string()), (&json!("已更正"), true), "{}", told.json);
    assert!(get(&node, &steward, &one).await.json["told_at"].is_string());
    let twice = post(&node, &steward, &decide, &corrected).await;
    assert_eq!(twice.said(), "conflict");
}

#[tokio::test]
async fn what_is_no_objection_says_why_and_nothing_is_filed() {
    let node = TestNode::with_persons(20).await;
    let auditor = node.account("gd-auditor", "gd-government-services", "auditor").await;
    let window = node.token().await.to_owned();
    let receipt = answer(&node).await.json["receipt"].clone();
    let change = |member: &str, value: Value| {
        let mut body = objection(&receipt);
        body[member] = value;
        body
    };
    let cut = receipt.as_str().unwrap()[1..].to_owned();
    for (body, code, field) in [
        (change("receipt", json!(cut)), Code::ReceiptInvalid, "/receipt"),
        (change("subject", json!(person(4).id.as_str())), Code::InvalidValue, "/subject"),
        (change("fields", json!(["shoe_size"])), Code::UnknownField, "/fields/0"),
        (change("statement", json!(" ")), Code::InvalidValue, "/statement"),
    ] {
        let refused = post(&node, &window, PATH, &body).await;
        assert_eq!((refused.said(), &refused.json["field"]), (code.as_str(), &json!(field)), "{}", refused.json);
        assert!(!refused.json.to_string().contains(person(4).id.as_str()), "no number in an error");
    }
    let listed = get(&node, &auditor, PATH).await;
    assert_eq!(listed.json["items"], json!([]));
}

#[tokio::test]
async fn each_sees_and_decides_what_is_theirs() {
    let node = TestNode::with_persons(20).await;
    let (steward, stranger, auditor) = (
        node.account("ps-steward", PROVIDER, "steward").await,
        node.account("hr-steward", "gd-human-resources", "steward").await,
        node.account("gd-auditor", "gd-government-services", "auditor").await,
    );
    let window = node.token().await.to_owned();
    let receipt = answer(&node).await.json["receipt"].clone();
    let own = post(&node, &steward, PATH, &objection(&receipt)).await;
    let one = format!("{PATH}/{}", own.json["id"].as_str().unwrap());
    assert_eq!(get(&node, &stranger, &one).await.said(), "not_found");
    assert_eq!(get(&node, &window, &one).await.said(), "not_found", "it was filed by another department");
    let seen = get(&node, &auditor, &one).await;
    assert_eq!((seen.status, seen.json.get("subject")), (200, None));
    assert_eq!(get(&node, &stranger, PATH).await.json["items"], json!([]));
    let decision = json!({ "outcome": "upheld", "reason": "登记无误" });
    let decided = post(&node, &steward, &format!("{one}/decide"), &decision).await;
    assert_eq!(decided.said(), Code::RoleRequired.as_str(), "who files does not decide");
    let word = json!({ "outcome": "open", "reason": "x" });
    assert_eq!(post(&node, &steward, &format!("{one}/decide"), &word).await.json["field"], "/outcome");
    for query in ["?state=lost", "?after=yesterday", "?limit=201"] {
        assert_eq!(get(&node, &steward, &format!("{PATH}{query}")).await.said(), "invalid_value", "{query}");
    }
    assert_eq!(get(&node, &steward, &format!("{PATH}?overdue=true")).await.json["items"], json!([]));
}

#[tokio::test]
async fn an_answer_is_rated_once_and_a_bad_grade_says_why() {
    let node = TestNode::with_persons(20).await;
    let steward = node.account("ps-steward", PROVIDER, "steward").await;
    let window = node.token().await.to_owned();
    let rating =
        |receipt: &Value, grade: u8, reason: &str| json!({ "receipt": receipt, "grade": grade, "reason": reason });
    let (first, second) = (answer(&node).await.json["receipt"].clone(), answer(&node).await.json["receipt"].clone());
    let path = "/v1/ratings";
    assert_eq!(post(&node, &window, path, &rating(&first, 5, "")).await.status, 204);
    assert_eq!(post(&node, &window, path, &rating(&first, 4, "")).await.said(), "conflict");
    assert_eq!(post(&node, &window, path, &rating(&second, 2, "")).await.json["field"], "/reason");
    assert_eq!(post(&node, &window, path, &rating(&second, 6, "")).await.json["field"], "/grade");
    assert_eq!(post(&node, &steward, path, &rating(&second, 5, "")).await.json["field"], "/receipt");
    assert_eq!(post(&node, &window, path, &rating(&second, 2, "数据陈旧")).await.status, 204);
    let counted = get(&node, &steward, path).await;
    assert_eq!(counted.json["items"][0]["grades"], json!([0, 1, 0, 0, 1]), "{}", counted.json);
    let bad = get(&node, &steward, "/v1/ratings/natural-person/complaints").await;
    assert_eq!(bad.json["items"][0]["reason"], "数据陈旧", "{}", bad.json);
    assert_eq!(get(&node, &window, "/v1/ratings/natural-person/complaints").await.status, 403);
}

#[tokio::test]
async fn the_providers_steward_sees_the_record_that_answered_beside_the_one_of_today() {
    let node = TestNode::with_persons(20).await;
    let (steward, approver, stranger) = (
        node.account("ps-steward", PROVIDER, "steward").await,
        node.account("ps-approver", PROVIDER, "approver").await,
        node.account("hr-steward", "gd-human-resources", "steward").await,
    );
    let window = node.token().await.to_owned();
    let wrong = answer(&node).await;
    let filed = post(&node, &window, PATH, &objection(&wrong.json["receipt"])).await;
    let mended = |n| Person { name: if n == 3 { "测试叁".to_owned() } else { person(n).name }, ..person(n) };
    node.publish("natural-person", &csv((0..20).map(mended))).await;

    let id = filed.json["id"].as_str().unwrap().to_owned();
    let record = format!("{PATH}/{id}/record");
    let look = json!({ "subject": person(3).id.as_str(), "reason": "核对登记" });
    for (token, code) in [(&approver, "role_required"), (&stranger, "not_found"), (&window, "role_required")] {
        assert_eq!(post(&node, token, &record, &look).await.said(), code);
    }
    let other = json!({ "subject": person(4).id.as_str(), "reason": "核对登记" });
    let refused = post(&node, &steward, &record, &other).await;
    assert_eq!((refused.said(), &refused.json["field"]), ("invalid_value", &json!("/subject")));
    let unsaid = json!({ "subject": person(3).id.as_str(), "reason": " " });
    assert_eq!(post(&node, &steward, &record, &unsaid).await.json["field"], "/reason");

    let calls = node.records().len();
    let seen = post(&node, &steward, &record, &look).await;
    assert_eq!(seen.status, 200, "{}", seen.json);
    let (then, now) = (&seen.json["then"], &seen.json["now"]);
    assert_eq!((&then["dataset_version"], &then["as_of"]), (&filed.json["dataset_version"], &filed.json["as_of"]));
    assert_eq!(then["records"], json!([{ "name": "测试3" }]), "the fields of the call and no others");
    assert_eq!(now["records"], json!([{ "name": "测试叁" }]));
    assert!(now["dataset_version"].as_u64() > then["dataset_version"].as_u64());
    assert_eq!(seen.json["withheld"], json!([]));
    assert_eq!(node.records().len(), calls, "a look is no call");

    let ledger = open_ledger(&node.settings).await.unwrap();
    let acts = ledger.acts(None, 2).await.unwrap();
    let told: Vec<_> = acts.iter().map(|act| (act.account.as_str(), act.subject.as_str(), &act.reason[..])).collect();
    let wrongly = format!("objection:{id}");
    assert_eq!(told, [("ps-steward", id.as_str(), "核对登记"), ("ps-steward", wrongly.as_str(), "")]);
    assert!(acts[0].act.starts_with("look at"), "{acts:?}");
    ledger.close().await;

    let (table, spill) = (node.settings.paths.tables().join("natural-person"), node.settings.paths.data.join("spill"));
    let retention = Retention { versions: 1, younger_than: TimeDelta::zero() };
    let (catalog, later) = (node.node.catalog(), Utc::now() + TimeDelta::days(30));
    vacuum(&catalog.datasets["natural-person"], &table, &spill, retention, later, false).await.unwrap();
    let gone = post(&node, &steward, &record, &look).await;
    assert_eq!((gone.status, gone.said()), (410, Code::VersionRemoved.as_str()), "{}", gone.json);
}

#[tokio::test]
async fn somebody_elses_receipt_opens_nothing_and_wrong_subjects_are_counted_for_good() {
    let node = TestNode::with_persons(20).await;
    node.register("gz-second-window", DEPARTMENT).await;
    node.register("sz-window", "gd-human-resources").await;
    let (first, second, other) =
        (node.token().await.to_owned(), node.token_of("gz-second-window").await, node.token_of("sz-window").await);
    let receipt = answer(&node).await.json["receipt"].clone();
    let right = objection(&receipt);
    let wrong = |n: u64| {
        let mut body = right.clone();
        body["subject"] = json!(person(n).id.as_str());
        body
    };
    let strange = post(&node, &other, PATH, &right).await;
    assert_eq!((strange.said(), &strange.json["field"]), ("invalid_value", &json!("/receipt")), "{}", strange.json);
    for (n, token) in [(4, &first), (5, &second), (6, &first)] {
        assert_eq!(post(&node, token, PATH, &wrong(n)).await.json["field"], "/subject");
    }
    let node = node.restart().await;
    let (first, second) = (node.token().await.to_owned(), node.token_of("gz-second-window").await);
    for (n, token) in [(7, &first), (8, &second)] {
        assert_eq!(post(&node, token, PATH, &wrong(n)).await.said(), "invalid_value");
    }
    for (body, token) in [(wrong(9), &first), (right.clone(), &second), (right.clone(), &first)] {
        let refused = post(&node, token, PATH, &body).await;
        assert_eq!((refused.status, refused.said()), (403, Code::GuessesExceeded.as_str()), "{}", refused.json);
    }
    let again = answer(&node).await.json["receipt"].clone();
    assert_eq!(post(&node, &first, PATH, &objection(&again)).await.status, 201, "another receipt is another matter");
}
