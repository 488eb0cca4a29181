//! Applications and agreements: from a wish to a call, and back to a refusal.

use std::time::{Duration, Instant};

use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use shuqiao::problem::Code;

use crate::support::{
    node::{Answered, DEPARTMENT, ITEM, Setup, TestNode, verification},
    refusal::{self, PATIENCE},
    registers::person,
    root,
};

const PROVIDER: &str = "gd-public-security";
const DECLARED: &str = "/v1/agreements/agr-gz-hukou-person";

fn wish() -> Value {
    json!({
        "dataset": "natural-person",
        "items": [ITEM],
        "compare": ["resident_id", "name", "sex"],
        "legal_basis": "《户口登记条例》第十条",
        "scenario": "窗口核验",
        "mode": "service_interface",
        "calls_per_second": 50,
        "calls_per_day": 10000,
        "valid_from": "2025-01-01",
        "valid_until": "2099-12-31",
    })
}

async fn act(node: &TestNode, token: &str, path: &str, body: Value) -> Answered {
    node.send(node.request(Method::POST, path).bearer_auth(token).json(&body)).await
}

async fn get(node: &TestNode, token: &str, path: &str) -> Answered {
    node.send(node.request(Method::GET, path).bearer_auth(token)).await
}

async fn call(node: &TestNode, claims: Value) -> Answered {
    node.post("/v1/verifications", &verification(person(3).id.as_str(), claims)).await
}

/// What a call is answered, once the rate of the agreement lets it through.
async fn heard(node: &TestNode) -> String {
    loop {
        let answer = call(node, json!({ "name": "测试3" })).await;
        if answer.said() != Code::RateLimited.as_str() {
            return answer.said().to_owned();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Call until that is said. Nothing else than what was said before may be said meanwhile, and nothing of it after.
async fn until(node: &TestNode, said: &str, before: &str) {
    let began = Instant::now();
    while heard(node).await == before {
        assert!(began.elapsed() < PATIENCE, "still `{before}`");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for _ in 0..5 {
        assert_eq!(heard(node).await, said);
    }
}

#[tokio::test]
async fn an_agreement_revoked_under_load_stops_calls_and_an_application_lets_them_go_on() {
    let node = TestNode::with_persons(20).await;
    let clerk = node.account("gz-clerk", DEPARTMENT, "consumer").await;
    let approver = node.account("ps-approver", PROVIDER, "approver").await;
    let why = || json!({ "reason": "数据源通报异常" });
    assert_eq!(heard(&node).await, "match");
    for (step, standing, said, before) in
        [("suspend", "suspended", "denied", "match"), ("resume", "in_force", "match", "denied")]
    {
        let stands = act(&node, &approver, &format!("{DECLARED}/{step}"), why()).await;
        assert_eq!(stands.json["standing"], standing, "{}", stands.json);
        until(&node, said, before).await;
    }
    let load = join_all((0..4).map(|_| until(&node, "denied", "match")));
    let revoke = format!("{DECLARED}/revoke");
    let revoked = act(&node, &approver, &revoke, why());
    let (_, revoked) = tokio::join!(load, revoked);
    assert_eq!(revoked.json["standing"], "revoked", "{}", revoked.json);
    tokio::time::sleep(Duration::from_secs(1)).await; // So that the rate of the agreement is not what refuses.
    let refused = call(&node, json!({ "name": "测试3" })).await;
    assert_eq!(refused.json["policies"], json!(["agreement-in-force"]), "{}", refused.json);
    refusal::check(&act(&node, &approver, &format!("{DECLARED}/resume"), why()).await, Code::Conflict, None);

    let made = act(&node, &clerk, "/v1/applications", wish()).await;
    assert_eq!((made.status, made.json["state"].as_str()), (201, Some("submitted")), "{}", made.json);
    let part = json!({ "verdict": "approve", "reason": "符合条件", "grant": { "compare": ["resident_id", "name"] } });
    let granted = act(&node, &approver, "/v1/applications/app-1/review", part).await;
    assert_eq!((granted.status, granted.json["state"].as_str()), (200, Some("granted_in_part")), "{}", granted.json);
    until(&node, "match", "denied").await;
    assert_eq!(node.records().last().unwrap().agreement.as_ref().unwrap().as_str(), "app-1");
    tokio::time::sleep(Duration::from_secs(1)).await; // As above.
    let outside = call(&node, json!({ "sex": "1" })).await;
    assert_eq!(outside.json["policies"], json!(["fields-agreed-for-comparison"]), "{}", outside.json);

    let shown = get(&node, &clerk, "/v1/applications/app-1").await;
    let steps: Vec<_> = shown.json["timeline"].as_array().unwrap().iter().map(|one| one["step"].clone()).collect();
    assert_eq!(steps, ["applied", "approved_in_part"], "{}", shown.json);
    let node = node.restart().await;
    assert_eq!(heard(&node).await, "match", "what was granted outlives the process");
}

#[tokio::test]
async fn what_is_not_to_be_done_says_why() {
    let node = TestNode::with_persons(5).await;
    let clerk = node.account("gz-clerk", DEPARTMENT, "consumer").await;
    let approver = node.account("ps-approver", PROVIDER, "approver,consumer").await;
    let stranger = node.account("gz-stranger", "gz-housing", "approver").await;
    let system = node.token().await.to_owned();
    let approve = || json!({ "verdict": "approve", "reason": "x" });
    assert_eq!(act(&node, &clerk, "/v1/applications", wish()).await.status, 201);
    let wrong = |key: &str, value: Value| {
        let mut wish = wish();
        wish[key] = value;
        wish
    };
    let review = "/v1/applications/app-1/review";
    for (token, path, body, code, field) in [
        (&clerk, "/v1/applications", wrong("mode", json!("fax")), Code::InvalidValue, Some("/mode")),
        (&clerk, "/v1/applications", wrong("items", json!([])), Code::InvalidValue, Some("/items")),
        (&clerk, "/v1/applications", wrong("compare", json!(["phone"])), Code::InvalidValue, Some("/compare")),
        (&clerk, "/v1/applications", wrong("x", json!(1)), Code::MalformedBody, None),
        (&stranger, "/v1/applications", wish(), Code::RoleRequired, None),
        (&system, "/v1/applications", wish(), Code::RoleRequired, None),
        (&clerk, review, approve(), Code::RoleRequired, None),
        (&stranger, review, approve(), Code::NotFound, None),
        (&approver, "/v1/applications/app-2/review", approve(), Code::NotFound, None),
        (&approver, "/v1/applications/%FF/review", approve(), Code::NotFound, None),
        // The declared agreement is in force for the same item.
        (&approver, review, approve(), Code::Conflict, None),
        (&approver, review, json!({ "verdict": "reject", "reason": "x" }), Code::InvalidValue, Some("/ground")),
        (&clerk, "/v1/applications/app-1/answer", json!({ "text": "x" }), Code::Conflict, None),
        (&approver, "/v1/applications/app-1/withdraw", json!({ "reason": "x" }), Code::RoleRequired, None),
        (&clerk, "/v1/applications/app-1/withdraw", json!({ "reason": " " }), Code::InvalidValue, Some("/reason")),
        (&stranger, "/v1/agreements/agr-gz-hukou-person/revoke", json!({ "reason": "x" }), Code::NotFound, None),
        (&clerk, "/v1/agreements/agr-gz-hukou-person/revoke", json!({ "reason": "x" }), Code::RoleRequired, None),
        (&clerk, "/v1/agreements/none/renew", json!({ "valid_until": "2099-01-01" }), Code::NotFound, None),
    ] {
        refusal::check(&act(&node, token, path, body).await, code, field);
    }
    for (path, code) in [
        ("/v1/applications?limit=0", Code::InvalidValue),
        ("/v1/applications?state=lost", Code::InvalidValue),
        ("/v1/applications?after=x", Code::InvalidValue),
        ("/v1/agreements?after=x", Code::InvalidValue),
        ("/v1/applications?color=red", Code::MalformedBody),
        ("/v1/applications/17", Code::NotFound),
    ] {
        let answer = get(&node, &clerk, path).await;
        assert_eq!(answer.said(), code.as_str(), "{path}: {}", answer.json);
    }
}

#[tokio::test]
async fn lists_go_on_where_they_stopped() {
    let node = TestNode::with_persons(5).await;
    let clerk = node.account("gz-clerk", DEPARTMENT, "consumer").await;
    for _ in 0..3 {
        act(&node, &clerk, "/v1/applications", wish()).await;
    }
    for (path, least) in [("/v1/applications", 3), ("/v1/agreements", 4)] {
        let ids = |page: &Value| {
            page["items"].as_array().unwrap().iter().map(|one| one["id"].to_string()).collect::<Vec<_>>()
        };
        let whole = ids(&get(&node, &clerk, path).await.json);
        let (mut pages, mut after) = (Vec::new(), String::new());
        loop {
            let page = get(&node, &clerk, &format!("{path}?limit=2{after}")).await.json;
            pages.extend(ids(&page));
            let Some(next) = page["next"].as_str() else { break };
            after = format!("&after={next}");
        }
        assert_eq!(pages, whole);
        assert!(whole.len() >= least, "{whole:?}");
    }
    let overdue = get(&node, &clerk, "/v1/applications?overdue=true").await;
    assert_eq!(overdue.json["items"], json!([]), "{}", overdue.json);
}

#[tokio::test]
async fn one_hand_is_not_on_both_sides() {
    let node = TestNode::with_persons(5).await;
    // A department that provides what it uses.
    let both = node.account("mr-both", "gd-market-regulation", "consumer,steward,approver").await;
    let mut wish = wish();
    wish["dataset"] = json!("legal-entity");
    wish["items"] = json!(["11440000MB9Y0002402440125001000"]);
    wish["compare"] = json!(["credit_code", "name"]);
    let made = act(&node, &both, "/v1/applications", wish).await;
    assert_eq!(made.status, 201, "{}", made.json);
    let approve = json!({ "verdict": "approve", "reason": "x" });
    let refused = act(&node, &both, "/v1/applications/app-1/review", approve).await;
    refusal::check(&refused, Code::SeparationOfDuties, None);
}

#[tokio::test]
async fn what_is_not_shared_is_refused_with_its_ground() {
    // The credit register once more, under another name, as one that may not be shared.
    let text = std::fs::read_to_string(root().join("catalogs/guangdong/social-credit.yaml")).unwrap();
    let (_, credit) = text.split_once("datasets:\n").unwrap();
    let secret = credit.replacen("id: social-credit", "id: secret-credit", 1).replacen(
        "attribute: unconditional",
        "attribute: not_shared\n      ground: 《某法》第三条规定不得提供",
        1,
    );
    let code = secret.lines().find_map(|line| line.trim().strip_prefix("code: ")).unwrap().to_owned();
    let secret = secret.replacen(&code, "104001/000009", 1);
    let secret = secret.replacen("opening: { attribute: open }", "opening: { attribute: not_open }", 1);
    let both = format!("datasets:\n{secret}\n{credit}");
    let catalog: &[_] = &[("social-credit.yaml", &*text, &*both)];
    let node = TestNode::of(Setup { persons: 5, catalog, ..Setup::default() }).await;
    let clerk = node.account("gz-clerk", DEPARTMENT, "consumer").await;
    let mut wish = wish();
    wish["dataset"] = json!("secret-credit");
    let refused = act(&node, &clerk, "/v1/applications", wish).await;
    refusal::check(&refused, Code::NotShared, Some("/dataset"));
    assert!(refused.json["detail"].as_str().unwrap().contains("《某法》第三条"), "{}", refused.json);
}
