//! Whoever walks through a register is slowed, blocked and told of; others are not; a restart forgets nothing; the steward
//! lifts it.

use std::time::{Duration, Instant};

use chrono::{Days, NaiveDate};
use reqwest::Method;
use serde_json::{Value, json};
use shuqiao::{identifiers::ResidentId, problem::Code};

use crate::support::{
    node::{Answered, TestNode, WINDOW, verification},
    refusal::{self, PATIENCE},
    registers::person,
};

/// A small node that keeps its watch often, and slows hard.
const SETTINGS: &str = "[enumeration]\nkeep_ms = 200\nslow_calls_per_minute = 6000\n";
const OTHER: &str = "gz-other-window";
const PROVIDER: &str = "gd-public-security";

/// Nobody: serials of a day on which none of the register was born.
fn nobody(serial: u16) -> String {
    let birth = NaiveDate::from_ymd_opt(2014, 5, 6).unwrap() + Days::new(1);
    ResidentId::from_parts(440_106, birth, serial).unwrap().as_str().to_owned()
}

async fn call(node: &TestNode, token: &str, subject: &str) -> Answered {
    let body = verification(subject, json!({ "name": "测试3" }));
    node.send(node.request(Method::POST, "/v1/verifications").bearer_auth(token).json(&body)).await
}

/// Serial after serial, until none is answered any more; the calls that were answered, and the refusal.
async fn walk(node: &TestNode, token: &str, from: u16) -> (usize, Answered) {
    let mut answered = 0;
    for serial in from..from + 200 {
        let answer = call(node, token, &nobody(serial)).await;
        match answer.said() {
            "enumeration_slowed" => tokio::time::sleep(Duration::from_millis(15)).await,
            "enumeration_blocked" => return (answered, answer),
            _ => answered += 1,
        }
    }
    panic!("200 calls in the order of their serials, and nobody has noticed");
}

async fn alerts(node: &TestNode, token: &str, query: &str) -> Vec<Value> {
    let request = node.request(Method::GET, &format!("/v1/alerts{query}")).bearer_auth(token);
    node.send(request).await.json["items"].as_array().unwrap().clone()
}

async fn until_alert(node: &TestNode, token: &str, is_it: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        if let Some(alert) = alerts(node, token, "").await.into_iter().find(|alert| is_it(alert)) {
            return alert;
        }
        assert!(began.elapsed() < PATIENCE, "the steward is not told");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn who_walks_through_a_register_is_blocked_until_the_steward_lifts_it_and_a_restart_does_not_help() {
    let node = TestNode::start(20, SETTINGS).await;
    node.register(OTHER, "gz-administrative-approval").await;
    let steward = node.account("gd-steward", PROVIDER, "steward").await;
    let token = node.token_of(WINDOW).await;
    let (answered, refused) = walk(&node, &token, 1).await;
    assert!((6..20).contains(&answered), "{answered}");
    refusal::check_call(&refused, Code::EnumerationBlocked, None);
    let wait: u64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((3_500..=3_600).contains(&wait), "{wait}");
    assert_eq!(refused.json["policies"], json!(["enumeration-blocked"]));
    let record = node.records().pop().unwrap();
    assert_eq!(record.code.as_deref(), Some("enumeration_blocked"));

    // Another client of the same department goes on.
    let other = node.token_of(OTHER).await;
    assert_eq!(call(&node, &other, person(3).id.as_str()).await.said(), "match");

    let alert = until_alert(&node, &steward, |alert| alert["level"] == "block").await;
    assert_eq!((&alert["signal"], &alert["client"], &alert["state"]), (&json!("walk"), &json!(WINDOW), &json!("open")));
    assert_eq!(alert["evidence"]["calls"], answered);
    assert!(!alert.to_string().contains("440106"), "counts, nobody's number: {alert}");

    let node = node.restart().await;
    let (token, other) = (node.token_of(WINDOW).await, node.token_of(OTHER).await);
    refusal::check_call(&call(&node, &token, person(3).id.as_str()).await, Code::EnumerationBlocked, None);
    assert_eq!(call(&node, &other, person(4).id.as_str()).await.status, 200);

    let steward = node.token_of("gd-steward").await;
    let number = alert["number"].as_i64().unwrap();
    let act = async |token: &str, verb: &str| {
        let request = node.request(Method::POST, &format!("/v1/alerts/{number}/{verb}")).bearer_auth(token);
        node.send(request.json(&json!({ "reason": "测试脚本" }))).await
    };
    assert_eq!(act(&steward, "acknowledge").await.json["state"], "acknowledged");
    refusal::check_call(&call(&node, &token, person(3).id.as_str()).await, Code::EnumerationBlocked, None);
    let dismissed = act(&steward, "dismiss").await;
    assert_eq!((&dismissed.json["state"], &dismissed.json["account"]), (&json!("dismissed"), &json!("gd-steward")));
    refusal::check(&act(&steward, "dismiss").await, Code::Conflict, None);
    let began = Instant::now();
    while call(&node, &token, person(3).id.as_str()).await.said() != "match" {
        assert!(began.elapsed() < PATIENCE, "still blocked");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn alerts_are_for_the_stewards_of_the_provider() {
    let node = TestNode::start(20, SETTINGS).await;
    let steward = node.account("gd-steward", PROVIDER, "steward").await;
    let stranger = node.account("gz-steward", "gz-housing", "steward").await;
    let auditor = node.account("gd-auditor", "gd-government-services", "auditor").await;
    let consumer = node.account("gz-consumer", "gz-housing", "consumer").await;
    walk(&node, &node.token_of(WINDOW).await, 1).await;
    let number = until_alert(&node, &steward, |_| true).await["number"].as_i64().unwrap();
    let path = format!("/v1/alerts/{number}");
    let get = async |token: &str, path: &str| node.send(node.request(Method::GET, path).bearer_auth(token)).await;
    assert_eq!(get(&auditor, &path).await.status, 200);
    assert_eq!(alerts(&node, &stranger, "").await, Vec::<Value>::new());
    refusal::check(&get(&stranger, &path).await, Code::NotFound, None);
    refusal::check(&get(&consumer, &path).await, Code::RoleRequired, None);
    refusal::check(&get(&steward, "/v1/alerts?state=shut").await, Code::InvalidValue, Some("/state"));
    refusal::check(&get(&steward, "/v1/alerts/nine").await, Code::NotFound, None);
    assert_eq!(alerts(&node, &steward, "?state=dismissed").await.len(), 0);
    let dismiss = node.request(Method::POST, &format!("{path}/dismiss")).bearer_auth(&auditor);
    refusal::check(&node.send(dismiss.json(&json!({ "reason": "x" }))).await, Code::RoleRequired, None);
    let dismiss = node.request(Method::POST, &format!("{path}/dismiss")).bearer_auth(&steward);
    assert_eq!(node.send(dismiss.json(&json!({ "reason": " " }))).await.said(), "invalid_value");
}

#[tokio::test]
async fn a_slowed_client_is_told_when_to_come_back() {
    let node = TestNode::start(20, "[enumeration]\nslow_calls_per_minute = 1\nblock_score = 60\n").await;
    let token = node.token_of(WINDOW).await;
    let began = Instant::now();
    let mut serial = 0;
    let refused = loop {
        serial += 1;
        let answer = call(&node, &token, &nobody(serial)).await;
        if answer.status != 200 {
            break answer;
        }
        assert!(began.elapsed() < PATIENCE && serial < 100);
    };
    refusal::check_call(&refused, Code::EnumerationSlowed, None);
    let wait: u64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
}
