//! The kill switches: who may use them, what they stop, and that they stop it at once.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use shuqiao::problem::Code;

use crate::support::{
    node::{Answered, TestNode, verification},
    refusal::{self, PATIENCE},
    registers::person,
};

const PATH: &str = "/v1/suspensions";
const PROVIDER: &str = "gd-public-security";

async fn call(node: &TestNode, claims: Value) -> Answered {
    node.post("/v1/verifications", &verification(person(3).id.as_str(), claims)).await
}

async fn switch(node: &TestNode, token: &str, path: &str, target: &str) -> Answered {
    let body = json!({ "target": target, "reason": "数据源通报错误" });
    node.send(node.request(Method::POST, path).bearer_auth(token).json(&body)).await
}

/// Call until that is said. Nothing else than what was said before may be said meanwhile.
async fn until(node: &TestNode, said: &str, before: &str) {
    let began = Instant::now();
    loop {
        let answer = call(node, json!({ "name": "测试3" })).await;
        if answer.said() == said {
            return;
        }
        assert_eq!(answer.said(), before);
        assert!(began.elapsed() < PATIENCE, "still `{before}`");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn each_switch_stops_its_calls_and_lets_them_go_on() {
    let node = TestNode::with_persons(20).await;
    let operator = node.account("gd-operator", "gd-government-services", "operator").await;
    assert_eq!(call(&node, json!({ "name": "测试3" })).await.said(), "match");
    let agreement = node.records().last().unwrap().agreement.clone().unwrap();
    for (target, code) in [
        ("everything".to_owned(), Code::Suspended),
        ("dataset:natural-person".to_owned(), Code::Suspended),
        ("field:natural-person.name".to_owned(), Code::Suspended),
        ("client:gz-hukou-window".to_owned(), Code::CallerSuspended),
        (format!("agreement:{agreement}"), Code::CallerSuspended),
    ] {
        assert_eq!(switch(&node, &operator, PATH, &target).await.status, 201, "{target}");
        until(&node, code.as_str(), "match").await;
        let refused = call(&node, json!({ "name": "测试3" })).await;
        refusal::check_call(&refused, code, None);
        assert!(refused.json["detail"].as_str().unwrap().contains(&target), "{}", refused.json);
        assert!(!refused.json.to_string().contains("数据源"), "the reason is for colleagues");
        let record = node.records().pop().unwrap();
        assert_eq!(record.code.as_deref(), Some(code.as_str()));

        assert_eq!(switch(&node, &operator, PATH, &target).await.said(), "conflict");
        assert_eq!(switch(&node, &operator, "/v1/suspensions/resume", &target).await.status, 204);
        until(&node, "match", code.as_str()).await;
        assert_eq!(switch(&node, &operator, "/v1/suspensions/resume", &target).await.said(), "conflict");
    }
}

#[tokio::test]
async fn a_stopped_field_leaves_the_others_alone() {
    let node = TestNode::with_persons(20).await;
    let operator = node.account("gd-operator", "gd-government-services", "operator").await;
    switch(&node, &operator, PATH, "field:natural-person.name").await;
    until(&node, "suspended", "match").await;
    let other = call(&node, json!({ "sex": "1" })).await;
    assert_eq!(other.status, 200, "{}", other.json);
}

#[tokio::test]
async fn switches_are_for_operators_and_the_stewards_of_the_provider() {
    let node = TestNode::with_persons(20).await;
    let (steward, stranger, auditor) = (
        node.account("ps-steward", PROVIDER, "steward").await,
        node.account("gz-steward", "gz-housing", "steward").await,
        node.account("gd-auditor", "gd-government-services", "auditor").await,
    );
    let system = node.token().await.to_owned();
    for (token, target, status) in [
        (&steward, "dataset:natural-person", 201),
        (&steward, "everything", 403),
        (&stranger, "dataset:natural-person", 403),
        (&auditor, "dataset:natural-person", 403),
        (&system, "dataset:natural-person", 403),
        (&steward, "dataset:nothing", 422),
        (&steward, "field:natural-person.nothing", 422),
        (&steward, "all", 422),
    ] {
        let answer = switch(&node, token, PATH, target).await;
        assert_eq!(answer.status, status, "{target}: {}", answer.json);
        if status == 403 {
            assert_eq!(answer.said(), Code::RoleRequired.as_str());
        }
    }
    let get = |path: &'static str, token: &str| node.request(Method::GET, path).bearer_auth(token.to_owned());
    let listed = node.send(get(PATH, &auditor)).await;
    assert_eq!(listed.json["items"][0]["target"], "dataset:natural-person", "{}", listed.json);
    assert_eq!(listed.json["items"][0]["account"], "ps-steward");
    let acts = node.send(get("/v1/acts?limit=1", &auditor)).await;
    assert_eq!(
        (&acts.json["items"][0]["act"], &acts.json["items"][0]["account"]),
        (&json!("suspend"), &json!("ps-steward"))
    );
    let rest = node.send(get("/v1/acts", &auditor)).await;
    assert!(rest.json["items"].as_array().unwrap().len() > 3 && rest.json.get("next").is_none(), "{}", rest.json);
    assert_eq!(node.send(get("/v1/acts", &steward)).await.status, 403);
    assert_eq!(node.send(get("/v1/acts?limit=0", &auditor)).await.said(), "invalid_value");
    assert_eq!(node.send(get("/v1/acts?limit=many", &auditor)).await.said(), "malformed_body");
}

#[tokio::test]
async fn a_person_makes_no_calls() {
    let node = TestNode::with_persons(20).await;
    let token = node.account("gz-steward", "gz-administrative-approval", "steward").await;
    let body = verification(person(3).id.as_str(), json!({ "name": "测试3" }));
    let answer = node.send(node.request(Method::POST, "/v1/verifications").bearer_auth(token).json(&body)).await;
    refusal::check_call(&answer, Code::RoleRequired, None);
}

#[tokio::test]
async fn a_switch_holds_across_a_restart() {
    let node = TestNode::with_persons(20).await;
    let operator = node.account("gd-operator", "gd-government-services", "operator").await;
    switch(&node, &operator, PATH, "dataset:natural-person").await;
    let node = node.restart().await;
    assert_eq!(call(&node, json!({ "name": "测试3" })).await.said(), "suspended");
}
