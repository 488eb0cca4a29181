//! Policy sets: proposed by one, activated by another, rolled back; and what each of them must pass.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use reqwest::Method;
use serde_json::{Value, json};
use shuqiao::{policy::PolicyFiles, problem::Code};

use crate::support::{
    node::{Answered, TestNode, verification},
    refusal::PATIENCE,
    registers::person,
    root,
};

const PATH: &str = "/v1/policies";
const OFFICE: &str = "gd-government-services";

/// The repository's policies without their cases, and something besides.
fn files(more: &str) -> BTreeMap<String, String> {
    let files = PolicyFiles::read(&root().join("policies")).unwrap();
    let mut texts: BTreeMap<String, String> = files
        .texts()
        .into_iter()
        .filter(|(name, _)| !name.starts_with("tests/"))
        .map(|(name, text)| (name.to_owned(), text.to_owned()))
        .collect();
    texts.insert("more.cedar".to_owned(), format!("// {more}\n{more}\n"));
    texts
}

const CLOSED: &str = "@id(\"closed\") @why(\"the office is closed\") forbid (principal, action, resource);";

async fn act(node: &TestNode, token: &str, path: &str, body: &Value) -> Answered {
    node.send(node.request(Method::POST, path).bearer_auth(token).json(body)).await
}

async fn propose(node: &TestNode, token: &str, files: &BTreeMap<String, String>) -> Answered {
    act(node, token, PATH, &json!({ "files": files, "reason": "下班后不受理" })).await
}

async fn decide(node: &TestNode, token: &str, hash: &str, verb: &str) -> Answered {
    act(node, token, &format!("{PATH}/{hash}/{verb}"), &json!({ "reason": "已复核" })).await
}

async fn get(node: &TestNode, token: &str, path: &str) -> Answered {
    node.send(node.request(Method::GET, path).bearer_auth(token)).await
}

fn hash(answer: &Answered) -> String {
    answer.json["hash"].as_str().unwrap_or_else(|| panic!("{}", answer.json)).to_owned()
}

async fn call(node: &TestNode) -> Answered {
    node.post("/v1/verifications", &verification(person(3).id.as_str(), json!({ "name": "测试3" }))).await
}

/// Call until that is said.
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

#[tokio::test]
async fn a_set_decides_once_another_person_approved_it_until_it_is_rolled_back() {
    let node = TestNode::with_persons(20).await;
    let steward = node.account("li", OFFICE, "steward,approver").await;
    let approver = node.account("wu", OFFICE, "approver").await;
    let folders = get(&node, &steward, PATH).await.json["deciding"].as_str().unwrap().to_owned();
    let proposed = propose(&node, &steward, &files(CLOSED)).await;
    assert_eq!(proposed.status, 201, "{}", proposed.json);
    let set = hash(&proposed);
    assert!(proposed.json["probes"].as_u64().unwrap() > 100);
    let warnings = proposed.json["warnings"].to_string();
    assert!(warnings.contains("verify-under-agreement: permits only what `closed` always forbids"), "{warnings}");
    assert_eq!(call(&node).await.said(), "match", "a proposal decides nothing");

    let own = decide(&node, &steward, &set, "approve").await;
    assert_eq!((own.status, own.said()), (403, Code::RoleRequired.as_str()), "{}", own.json);
    assert!(own.json["detail"].as_str().unwrap().contains("`li` has proposed"), "{}", own.json);
    assert_eq!(decide(&node, &approver, &set, "approve").await.status, 200);
    let denied = until(&node, "denied").await;
    assert_eq!(denied.json["policies"], json!(["closed"]));
    assert_eq!(node.records().pop().unwrap().policy_set.as_deref(), Some(set.as_str()));
    assert_eq!(decide(&node, &approver, &set, "approve").await.said(), "conflict");
    assert_eq!(decide(&node, &approver, &set, "reject").await.said(), "conflict");
    assert_eq!(propose(&node, &steward, &files(CLOSED)).await.said(), "conflict");

    let node = node.restart().await;
    let (steward, approver) = (node.token_of("li").await, node.token_of("wu").await);
    assert_eq!(call(&node).await.said(), "denied", "a restart takes the set of the ledger");
    let back = act(&node, &approver, "/v1/policies/rollback", &json!({ "reason": "误操作" })).await;
    assert_eq!((back.status, hash(&back)), (200, folders.clone()), "{}", back.json);
    until(&node, "match").await;
    let listed = get(&node, &steward, PATH).await;
    assert_eq!(listed.json["deciding"], folders);
    let states: BTreeMap<_, _> = listed.json["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|set| (set["hash"].as_str().unwrap(), set["state"].as_str().unwrap()))
        .collect();
    assert_eq!(states, [(folders.as_str(), "active"), (set.as_str(), "retired")].into());
    let none = act(&node, &approver, "/v1/policies/rollback", &json!({ "reason": "误操作" })).await;
    assert_eq!(none.said(), "conflict", "there is none before the folder's: {}", none.json);
    let there = act(&node, &approver, "/v1/policies/rollback", &json!({ "to": set, "reason": "再试" })).await;
    assert_eq!(there.status, 200, "{}", there.json);
    until(&node, "denied").await;
}

#[tokio::test]
async fn what_does_not_pass_is_neither_proposed_nor_approved() {
    let node = TestNode::with_persons(20).await;
    let steward = node.account("li", OFFICE, "steward").await;
    let refused = |answer: Answered, says: &str| {
        assert_eq!((answer.status, answer.said()), (422, Code::PolicyInvalid.as_str()), "{}", answer.json);
        assert!(answer.json["detail"].as_str().unwrap().contains(says), "{}: {}", says, answer.json);
    };
    refused(propose(&node, &steward, &files("permit")).await, "more.cedar:2:");
    let mut open = files("");
    let text = open["forbids.cedar"].replace(
        "unless { principal in context.item.department }",
        "when { context.hour > 22 && context.never.contains(\"x\") }",
    );
    open.insert("forbids.cedar".to_owned(), text);
    refused(propose(&node, &steward, &open).await, "start-up probe `item-of-another`");
    let case = "cases:\n  - { name: always open, department: gd-health, dataset: natural-person, operation: verify, fields: [name], \
                item: 11440100MB9YYY997R3440101001000, day: 2026-11-24, expect: allow }\n";
    let mut failing = files(CLOSED);
    failing.insert("tests/a.yaml".to_owned(), case.to_owned());
    refused(propose(&node, &steward, &failing).await, "always open: expected allow, got deny");
    failing.insert("tests/a.yaml".to_owned(), case.replace("gd-health", "gd-helth"));
    refused(propose(&node, &steward, &failing).await, "Did you mean `gd-health`?");
    failing.insert("forbids.ceder".to_owned(), String::new());
    refused(propose(&node, &steward, &failing).await, "neither schema nor policies");
    let empty = act(&node, &steward, PATH, &json!({ "files": files(""), "reason": " " })).await;
    assert_eq!((empty.status, &empty.json["field"]), (422, &json!("/reason")), "{}", empty.json);
    assert_eq!(get(&node, &steward, PATH).await.json["items"], json!([]));
}

#[tokio::test]
async fn each_act_takes_its_role_and_rejected_sets_can_be_proposed_again() {
    let node = TestNode::with_persons(20).await;
    let (consumer, auditor) =
        (node.account("he", OFFICE, "consumer").await, node.account("an", OFFICE, "auditor").await);
    let (operator, approver) =
        (node.account("op", OFFICE, "operator").await, node.account("wu", OFFICE, "approver").await);
    for token in [&consumer, &auditor, &approver] {
        assert_eq!(propose(&node, token, &files(CLOSED)).await.said(), Code::RoleRequired.as_str());
    }
    let set = hash(&propose(&node, &operator, &files(CLOSED)).await);
    for token in [&consumer, &auditor] {
        assert_eq!(decide(&node, token, &set, "approve").await.status, 403);
        assert_eq!(decide(&node, token, &set, "reject").await.status, 403);
        assert_eq!(act(&node, token, "/v1/policies/rollback", &json!({ "reason": "x" })).await.status, 403);
        assert_eq!(get(&node, token, &format!("{PATH}/{set}")).await.status, 200);
    }
    let shown = get(&node, &auditor, &format!("{PATH}/{set}")).await;
    assert_eq!(
        (&shown.json["state"], &shown.json["files"]["more.cedar"]),
        (&json!("proposed"), &json!(files(CLOSED)["more.cedar"]))
    );
    assert_eq!(decide(&node, &approver, &set, "reject").await.status, 204);
    assert_eq!(decide(&node, &approver, &set, "approve").await.said(), "conflict");
    assert_eq!(propose(&node, &operator, &files(CLOSED)).await.status, 201);
    assert_eq!(decide(&node, &operator, &set, "reject").await.status, 204, "its proposer takes it back");
    for path in [format!("{PATH}/{}", "0".repeat(64)), format!("{PATH}/none")] {
        assert_eq!(get(&node, &auditor, &path).await.said(), Code::NotFound.as_str());
    }
    let system = node.token().await.to_owned();
    assert_eq!(get(&node, &system, PATH).await.status, 403);

    for more in ["@id(\"a\") @why(\"x\") forbid (principal, action, resource) when { context.hour < 1 };", CLOSED] {
        assert_eq!(propose(&node, &operator, &files(more)).await.status, 201);
    }
    let first = get(&node, &auditor, &format!("{PATH}?limit=1")).await;
    let next = first.json["next"].as_str().unwrap();
    let second = get(&node, &auditor, &format!("{PATH}?limit=1&after={next}")).await;
    assert_eq!(second.json["items"].as_array().unwrap().len(), 1);
    assert_ne!(first.json["items"][0]["hash"], second.json["items"][0]["hash"]);
    for (query, code) in [("after=x", "invalid_value"), ("limit=0", "invalid_value"), ("limt=1", "malformed_body")] {
        assert_eq!(get(&node, &auditor, &format!("{PATH}?{query}")).await.said(), code, "{query}");
    }
}

#[tokio::test]
async fn a_set_is_checked_and_tested_without_being_proposed() {
    let node = TestNode::with_persons(20).await;
    let steward = node.account("li", OFFICE, "steward").await;
    let auditor = node.account("an", OFFICE, "auditor").await;
    let (check, test) = (format!("{PATH}/check"), format!("{PATH}/test"));
    let whole: BTreeMap<_, _> = PolicyFiles::read(&root().join("policies"))
        .unwrap()
        .texts()
        .into_iter()
        .map(|(name, text)| (name.to_owned(), text.to_owned()))
        .collect();
    for path in [&check, &test] {
        assert_eq!(act(&node, &auditor, path, &json!({ "files": whole })).await.said(), "role_required");
    }
    let good = act(&node, &steward, &check, &json!({ "files": whole })).await;
    assert_eq!(
        (good.status, &good.json["complaints"], &good.json["warnings"]),
        (200, &json!([]), &json!([])),
        "{}",
        good.json
    );
    assert_eq!(good.json["hash"], get(&node, &steward, PATH).await.json["deciding"]);
    let tried = act(&node, &steward, &test, &json!({ "files": whole })).await;
    assert_eq!((&tried.json["failed"], &tried.json["coverage"]), (&json!(0), &json!(100.0)), "{}", tried.json);

    let bad = act(&node, &steward, &check, &json!({ "files": files("permit") })).await;
    assert_eq!((bad.status, bad.json.get("hash")), (200, None), "{}", bad.json);
    assert_eq!(
        (&bad.json["complaints"][0]["file"], &bad.json["complaints"][0]["line"]),
        (&json!("more.cedar"), &json!(2))
    );
    let unread = act(&node, &steward, &test, &json!({ "files": files("permit") })).await;
    assert_eq!((unread.said(), &unread.json["field"]), ("policy_invalid", &json!("/files")), "{}", unread.json);
    let doubtful = act(&node, &steward, &check, &json!({ "files": files(CLOSED) })).await;
    assert!(
        doubtful.json["warnings"].to_string().contains("permits only what `closed` always forbids"),
        "{}",
        doubtful.json
    );
    let mut failing = files(CLOSED);
    let case = "cases:\n  - { name: always open, department: gd-health, dataset: natural-person, operation: verify, fields: [name], \
                item: 11440100MB9YYY997R3440101001000, day: 2026-11-24, expect: allow }\n";
    failing.insert("tests/a.yaml".to_owned(), case.to_owned());
    let failed = act(&node, &steward, &test, &json!({ "files": failing })).await;
    assert_eq!((failed.status, &failed.json["failed"]), (200, &json!(1)), "{}", failed.json);
    assert_eq!(failed.json["cases"][0]["failures"], json!(["expected allow, got deny"]));
    assert_eq!(get(&node, &steward, PATH).await.json["items"], json!([]), "nothing is kept");
}

#[tokio::test]
async fn recorded_calls_are_explained_and_decided_again_under_another_set() {
    let node = TestNode::with_persons(20).await;
    let (steward, stranger, auditor) = (
        node.account("li", "gd-public-security", "steward").await,
        node.account("hu", "gd-human-resources", "steward").await,
        node.account("an", OFFICE, "auditor").await,
    );
    let answered = call(&node).await.json["call_id"].as_str().unwrap().to_owned();
    call(&node).await;
    let path = format!("/v1/calls/{answered}/explanation");
    for token in [&steward, &auditor] {
        let explained = get(&node, token, &path).await;
        assert_eq!((explained.status, &explained.json["decision"]), (200, &json!("allow")), "{}", explained.json);
        assert_eq!(explained.json["decided_by"], json!(["verify-under-agreement"]));
        let conditions = explained.json["policies"][0]["conditions"].to_string();
        assert!(conditions.contains("context has agreement"), "{conditions}");
        assert!(!explained.json.to_string().contains(person(3).id.as_str()), "no register value");
    }
    assert_eq!(get(&node, &stranger, &path).await.said(), "not_found");
    let window = node.token().await.to_owned();
    assert_eq!(get(&node, &window, &path).await.said(), "role_required");
    for none in ["0193a5b2-7c00-7000-8000-000000000001", "yesterday"] {
        assert_eq!(get(&node, &auditor, &format!("/v1/calls/{none}/explanation")).await.said(), "not_found");
    }
    let malformed = node.post("/v1/verifications", &json!({ "dataset": 7 })).await;
    let refused =
        get(&node, &auditor, &format!("/v1/calls/{}/explanation", malformed.json["call_id"].as_str().unwrap())).await;
    assert_eq!((refused.status, refused.said()), (409, "conflict"), "{}", refused.json);

    let replay = format!("{PATH}/replay");
    let told = act(&node, &steward, &replay, &json!({ "files": files(CLOSED), "examples": 1 })).await;
    assert_eq!((told.status, &told.json["complete"]), (200, &json!(true)), "{}", told.json);
    assert_eq!(
        (&told.json["decided"], &told.json["flipped"]["allow_to_deny"]),
        (&json!(2), &json!(2)),
        "{}",
        told.json
    );
    assert_eq!(told.json["by_policy"][0]["policy"], "closed");
    assert_eq!(told.json["flips"][0]["examples"], json!([answered]));
    let set = hash(&propose(&node, &steward, &files(CLOSED)).await);
    let kept = act(&node, &steward, &replay, &json!({ "hash": set, "against": "record" })).await;
    assert_eq!(kept.json["flipped"]["allow_to_deny"], 2, "{}", kept.json);
    let later = act(
        &node,
        &steward,
        &replay,
        &json!({ "hash": set, "since": "2020-01-01T00:00:00Z", "until": "2020-02-01T00:00:00Z" }),
    )
    .await;
    assert_eq!(later.json["calls"], 0, "{}", later.json);
    for (body, code) in [
        (json!({}), "invalid_value"),
        (json!({ "hash": set, "files": {} }), "invalid_value"),
        (json!({ "hash": set, "against": "nothing" }), "invalid_value"),
        (json!({ "hash": set, "examples": 101 }), "invalid_value"),
        (json!({ "hash": set, "since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z" }), "invalid_value"),
        (json!({ "hash": "0".repeat(64) }), "not_found"),
        (json!({ "files": files("permit") }), "policy_invalid"),
    ] {
        assert_eq!(act(&node, &steward, &replay, &body).await.said(), code, "{body}");
    }
    assert_eq!(act(&node, &auditor, &replay, &json!({ "hash": set })).await.said(), "role_required");
}
