//! A node without its register, a window that asked it, and what the window does then.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use super::receiver::Receiver;
use crate::support::{
    node::{Answered, TestNode, WINDOW, verification},
    refusal::PATIENCE,
    registers::{csv, person},
};

pub(super) const PATH: &str = "/v1/rechecks";
/// Tries come quickly.
pub(super) const QUICK: &str = "[rechecks]\nretry_ms = 50\nresend_ms = 50\n";

/// The body of a call about person `n`, as it is sent.
pub(super) fn question(n: u64) -> String {
    let person = person(n);
    verification(person.id.as_str(), json!({ "name": person.name })).to_string()
}

pub(super) async fn ask(node: &TestNode, body: &str) -> Answered {
    let token = node.token().await;
    let request = node.request(Method::POST, "/v1/verifications").bearer_auth(token);
    node.send(request.header("content-type", "application/json").body(body.to_owned())).await
}

/// What is to be filed after an answer to that body.
pub(super) fn filing(answer: &Answered, body: &str) -> Value {
    json!({ "receipt": answer.json["receipt"], "body": body })
}

/// Ask about person `n`, which nobody can answer yet, and have it finished later: the call's id, the re-check's.
pub(super) async fn filed(node: &TestNode, n: u64) -> (String, String) {
    let body = question(n);
    let answer = ask(node, &body).await;
    assert_eq!(answer.said(), "indeterminate", "{}", answer.json);
    let filed = node.post(PATH, &filing(&answer, &body)).await;
    assert_eq!((filed.status, &filed.json["state"]), (202, &json!("waiting")), "{}", filed.json);
    let text = |member: &Value| member.as_str().unwrap().to_owned();
    assert_eq!(filed.json["call_id"], answer.json["call_id"]);
    (text(&answer.json["call_id"]), text(&filed.json["id"]))
}

pub(super) async fn get(node: &TestNode, token: &str, path: &str) -> Answered {
    node.send(node.request(Method::GET, path).bearer_auth(token)).await
}

pub(super) async fn post(node: &TestNode, token: &str, path: &str, body: &Value) -> Answered {
    node.send(node.request(Method::POST, path).bearer_auth(token).json(body)).await
}

/// The re-check, as its client sees it.
pub(super) async fn show(node: &TestNode, id: &str) -> Answered {
    get(node, node.token().await, &format!("{PATH}/{id}")).await
}

/// The node gets its register.
pub(super) async fn publish(node: &TestNode) {
    node.publish("natural-person", &csv((0..20).map(person))).await;
}

/// An operator has the window told there.
pub(super) async fn set_webhook(node: &TestNode, operator: &str, receiver: &Receiver) {
    let body = json!({ "client": WINDOW, "url": receiver.url, "reason": "接收补核结果" });
    let set = post(node, operator, "/v1/webhooks", &body).await;
    assert_eq!((set.status, &set.json["url"]), (201, &json!(receiver.url)), "{}", set.json);
}

pub(super) async fn operator(node: &TestNode) -> String {
    node.account("gd-operator", "gd-government-services", "operator").await
}

/// Wait for something that comes by itself.
pub(super) async fn until<T>(holds: impl AsyncFn() -> Result<T, String>) -> T {
    until_in(PATIENCE * 3, holds).await
}

pub(super) async fn until_in<T>(patience: Duration, holds: impl AsyncFn() -> Result<T, String>) -> T {
    let began = Instant::now();
    loop {
        match holds().await {
            Ok(found) => return found,
            Err(seen) => assert!(began.elapsed() < patience, "it never came; last seen: {seen}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Wait until the re-check is in that state.
pub(super) async fn until_state(node: &TestNode, id: &str, state: &str) -> Value {
    until(async || {
        let seen = show(node, id).await.json;
        if seen["state"] == state { Ok(seen) } else { Err(seen.to_string()) }
    })
    .await
}
