//! Policies and catalogues that come into force unproven: the node answers nothing until others do, and then by itself.

use std::{
    collections::BTreeMap,
    fs,
    time::{Duration, Instant},
};

use chrono::Utc;
use reqwest::Method;
use serde_json::{Value, json};
use shuqiao::{
    http::open_ledger,
    ledger::{By, NewPolicySet, Publishing, Review},
    policy::PolicyFiles,
    problem::Code,
};

use crate::support::{
    node::{Answered, TestNode},
    process::{Home, client, verify},
    refusal::{self, PATIENCE},
    registers::person,
    root,
};

const PROVIDER: &str = "gd-public-security";
/// A lock that is left open for a field of the future.
const HOLE: (&str, &str) = (
    "{ !context.compare_only.isEmpty() }",
    "{ !context.compare_only.isEmpty() && !context.asked.contains(\"nickname\") }",
);
const NICKNAME: &str = "      - name: nickname
        title: { zh: 昵称, en: Nickname }
        element: NICHENG
        kind: text
        chars_max: 50
        comparator: exact
        sensitivity: 3
        disclosure: compare_only
        required: false
";

/// The repository's policies without their cases, changed.
fn policies(change: impl Fn(&str) -> String) -> BTreeMap<String, String> {
    let files = PolicyFiles::read(&root().join("policies")).unwrap();
    let texts = files.texts();
    let kept = texts.into_iter().filter(|(name, _)| !name.starts_with("tests/"));
    kept.map(|(name, text)| (name.to_owned(), change(text))).collect()
}

/// Let a set decide without any review, as another program that writes the ledger could.
async fn activate(node: &TestNode, texts: &BTreeMap<String, String>) -> String {
    let ledger = open_ledger(&node.settings).await.unwrap();
    let folder = PolicyFiles::read(&root().join("policies")).unwrap();
    let (set, folders) = (PolicyFiles::from_texts(texts.clone()).unwrap().set().unwrap(), folder.set().unwrap());
    let files = texts.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let by = By { account: "somebody", reason: "test", now: Utc::now() };
    assert!(ledger.propose_policy_set(NewPolicySet { hash: set.hash(), files: &files }, by).await.unwrap());
    let folder = NewPolicySet { hash: folders.hash(), files: &folder.texts() };
    assert!(ledger.activate_policy_set(set.hash(), folder, by).await.unwrap());
    ledger.close().await;
    set.hash().to_owned()
}

async fn call(node: &TestNode) -> Answered {
    node.verify(person(3).id.as_str(), json!({ "name": "测试3" })).await
}

async fn until(node: &TestNode, said: &str) -> Answered {
    let began = Instant::now();
    loop {
        let answer = call(node).await;
        if answer.said() == said {
            return answer;
        }
        assert!(began.elapsed() < PATIENCE, "still `{}`", answer.said());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn post(node: &TestNode, token: &str, path: &str, body: &Value) -> Answered {
    node.send(node.request(Method::POST, path).bearer_auth(token).json(body)).await
}

async fn ready(node: &TestNode) -> Answered {
    node.send(node.request(Method::GET, "/readyz")).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_set_that_a_probe_gets_through_stops_the_calls_until_it_is_rolled_back() {
    let node = TestNode::with_persons(20).await;
    let approver = node.account("wu", "gd-government-services", "approver").await;
    assert_eq!(call(&node).await.said(), "match");
    let open =
        |text: &str| text.replace("unless { principal in context.item.department }", "when { context.hour > 30 }");
    activate(&node, &policies(open)).await;

    let refused = until(&node, "not_ready").await;
    refusal::check_call(&refused, Code::NotReady, None);
    assert!(refused.json["detail"].as_str().unwrap().contains("`item-of-another`"), "{}", refused.json);
    let unready = ready(&node).await;
    assert_eq!((unready.status, &unready.json["detail"]), (503, &refused.json["detail"]));
    assert_eq!(node.records().pop().unwrap().code.as_deref(), Some("not_ready"), "a refusal is recorded");
    // A change of something else does not open it.
    node.register("gz-another", "gz-administrative-approval").await;
    assert_eq!(call(&node).await.said(), "not_ready");

    let back = post(&node, &approver, "/v1/policies/rollback", &json!({ "reason": "误操作" })).await;
    assert_eq!(back.status, 200, "{}", back.json);
    until(&node, "match").await;
    assert_eq!(ready(&node).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_catalogue_that_a_probe_gets_through_is_not_approved_and_stops_the_calls_until_policies_close_the_lock() {
    let node = TestNode::with_persons(20).await;
    let steward = node.account("gd-steward", PROVIDER, "steward,operator").await;
    let approver = node.account("gd-approver", PROVIDER, "approver").await;
    let holed = activate(&node, &policies(|text| text.replace(HOLE.0, HOLE.1))).await;
    let began = Instant::now();
    while call(&node).await.said() != "match" || node.records().pop().unwrap().policy_set.as_deref() != Some(&*holed) {
        assert!(began.elapsed() < PATIENCE, "the set passes as long as there is no such field");
    }

    let name = "natural-person.yaml";
    let text = fs::read_to_string(root().join("catalogs/guangdong").join(name)).unwrap();
    let files =
        json!({ name: text.replacen("      - name: status\n", &format!("{NICKNAME}      - name: status\n"), 1) });
    let drafted = post(&node, &steward, "/v1/catalog/revisions", &json!({ "files": files, "reason": "新增" })).await;
    assert_eq!(drafted.status, 201, "{}", drafted.json);
    let number = drafted.json["number"].as_i64().unwrap();
    let path = format!("/v1/catalog/revisions/{number}");
    assert_eq!(post(&node, &steward, &format!("{path}/submit"), &json!({})).await.status, 200);
    let refused = post(&node, &approver, &format!("{path}/approve"), &json!({ "note": "同意" })).await;
    refusal::check(&refused, Code::CatalogInvalid, None);
    assert!(refused.json["detail"].as_str().unwrap().contains("`compare-only-field`"), "{}", refused.json);
    assert_eq!(call(&node).await.said(), "match");

    let ledger = open_ledger(&node.settings).await.unwrap();
    let review = Review { reviewer: &"gd-approver".parse().unwrap(), note: "同意", now: Utc::now() };
    assert_eq!(ledger.publish_revision(number, &review).await.unwrap(), Publishing::Done);
    ledger.close().await;
    let stopped = until(&node, "not_ready").await;
    assert!(stopped.json["detail"].as_str().unwrap().contains("`compare-only-field`"), "{}", stopped.json);

    // The policies before have no hole: both come into force together.
    let back = post(&node, &approver, "/v1/policies/rollback", &json!({ "reason": "堵住" })).await;
    assert_eq!(back.status, 200, "{}", back.json);
    until(&node, "match").await;
    let began = Instant::now();
    let shown = async || {
        let request = node.request(Method::GET, "/v1/catalog/datasets/natural-person").bearer_auth(&steward);
        node.send(request).await.json.to_string()
    };
    while !shown().await.contains("nickname") {
        assert!(began.elapsed() < PATIENCE, "the catalogue is not the new one");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn policies_of_the_folder_that_a_probe_gets_through_at_a_reload_stop_the_calls_until_they_are_mended() {
    let home = Home::with_persons(20, "").await;
    let node = home.serve().await;
    let (token, http, url) = (home.token().await, client(), home.url("/v1/verifications"));
    let status = async || verify(&http, &url, &token, &person(1), &person(1).name).await.expect("an answer").0;
    assert_eq!(status().await, 200);
    let file = home.path("policies/forbids.cedar");
    let whole = fs::read_to_string(&file).unwrap();
    let until = async |expected: u16| {
        let began = Instant::now();
        node.signal("-HUP");
        while status().await != expected {
            assert!(began.elapsed() < PATIENCE, "{}", home.log_text());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    fs::write(&file, whole.replace(HOLE.0, "{ context.hour > 30 }")).unwrap();
    until(503).await;
    assert!(home.log_text().contains("compare-only-field"), "{}", home.log_text());
    // What is suspended and resumed meanwhile does not open it.
    assert_eq!(home.run(&["suspend", "client:gz-none", "--reason", "x"]).code, Some(0));
    tokio::time::sleep(Duration::from_millis(600)).await; // The ledger is looked at five times a second.
    assert_eq!(status().await, 503);
    fs::write(&file, whole).unwrap();
    until(200).await;
}
