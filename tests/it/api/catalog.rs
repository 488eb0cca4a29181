//! `/v1/catalog`: what every account sees, and how a change goes from a draft to every call.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use shuqiao::problem::Code;

use crate::support::{
    node::{Answered, ITEM, Setup, TestNode, verification},
    refusal::{self, PATIENCE},
    registers::person,
    root,
};

const REVISIONS: &str = "/v1/catalog/revisions";
const PROVIDER: &str = "gd-public-security";

async fn get(node: &TestNode, path: &str) -> Answered {
    let token = node.token().await;
    node.send(node.request(Method::GET, path).bearer_auth(token)).await
}

async fn post(node: &TestNode, token: &str, path: &str, body: &Value) -> Answered {
    node.send(node.request(Method::POST, path).bearer_auth(token).json(body)).await
}

fn ids(answer: &Answered) -> Vec<&str> {
    answer.json["items"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect()
}

/// The text of a file of the catalogue with a change in it, as a draft's `files`.
fn edited(name: &str, old: &str, new: &str) -> Value {
    let text = std::fs::read_to_string(root().join("catalogs/guangdong").join(name)).unwrap();
    assert!(text.contains(old), "{old}");
    json!({ name: text.replacen(old, new, 1) })
}

#[tokio::test]
async fn every_account_sees_what_exists_and_finds_it() {
    let node = TestNode::start(0, "").await;
    let all = get(&node, "/v1/catalog/datasets").await;
    assert_eq!(ids(&all), ["e-licence", "legal-entity", "natural-person", "social-credit"]);
    assert_eq!((all.status, &all.json["revision"]), (200, &json!(1)));
    for (query, found) in [
        ("sharing=unconditional", &["social-credit"][..]),
        ("provider=gd-public-security", &["natural-person"]),
        ("theme=10&update_cycle=daily", &["legal-entity", "natural-person"]),
        ("theme=105", &["e-licence"]),
        ("sensitivity=4&node=guangdong&mode=service_interface", &["natural-person"]),
        ("node=shenzhen", &[]),
        ("q=%E5%A9%9A%E5%A7%BB", &["natural-person"]),
        ("q=GMSFHM&sharing=unconditional", &[]),
    ] {
        let answer = get(&node, &format!("/v1/catalog/datasets?{query}")).await;
        assert_eq!(ids(&answer), found, "{query}");
    }
    let one = get(&node, "/v1/catalog/datasets/natural-person").await;
    assert_eq!(one.json["classification"]["theme_name"]["zh"], "人口");
    assert_eq!(one.json["provider"]["credit_code"], "11440000MB9Y000165");
    assert_eq!(one.json["fields"].as_array().unwrap().len(), 12);
    let item = get(&node, &format!("/v1/catalog/items/{ITEM}")).await;
    assert_eq!(item.json["versions"][0]["in_force"], true, "{}", item.json);
    let items = get(&node, "/v1/catalog/items?department=gz-administrative-approval&limit=2").await;
    assert_eq!(items.json["items"].as_array().unwrap().len(), 2);
    assert!(get(&node, "/v1/catalog/departments").await.json["items"].as_array().unwrap().len() > 10);
    let exported = get(&node, "/v1/catalog.jsonld").await;
    assert_eq!(
        (exported.content_type.as_str(), &exported.json["@type"]),
        ("application/ld+json", &json!("dcat:Catalog"))
    );
}

#[tokio::test]
async fn a_list_goes_on_where_it_ended_and_wrong_questions_are_refused() {
    let node = TestNode::start(0, "").await;
    for list in ["datasets?", "datasets?q=信息&", "items?", "items?q=许可&"] {
        let (mut seen, mut after) = (Vec::new(), String::new());
        loop {
            let answer = get(&node, &format!("/v1/catalog/{list}limit=3{after}")).await;
            let items = answer.json["items"].as_array().unwrap();
            assert!((1..=3).contains(&items.len()), "{list}: {}", answer.json);
            seen.extend(items.iter().map(ToString::to_string));
            let Some(next) = answer.json["next"].as_str() else { break };
            after = format!("&after={next}");
        }
        let whole = get(&node, &format!("/v1/catalog/{list}limit=200")).await;
        let whole: Vec<_> = whole.json["items"].as_array().unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(seen, whole, "{list}");
    }
    for (path, code) in [
        ("datasets?sharing=free", Code::InvalidValue),
        ("datasets?provider=A B", Code::InvalidValue),
        ("datasets?theme=abc", Code::InvalidValue),
        ("datasets?limit=0", Code::InvalidValue),
        ("datasets?q=信息&after=x", Code::InvalidValue),
        ("datasets?colour=red", Code::MalformedBody),
        ("datasets/nothing", Code::NotFound),
        ("items/11440100MB9YYY997R3440101001999", Code::NotFound),
        ("items/x", Code::NotFound),
    ] {
        refusal::check(&get(&node, &format!("/v1/catalog/{path}")).await, code, None);
    }
    let anonymous = node.send(node.request(Method::GET, "/v1/catalog/datasets")).await;
    refusal::check(&anonymous, Code::TokenMissing, None);
    refusal::check(&get(&node, REVISIONS).await, Code::RoleRequired, None);
}

#[tokio::test]
async fn who_has_the_catalogue_already_is_told_so_until_it_changes() {
    let node = TestNode::start(0, "").await;
    let (token, path) = (node.token().await.to_owned(), "/v1/catalog/datasets/natural-person");
    let ask = async |tag: &str| {
        let request = node.request(Method::GET, path).bearer_auth(&token).header("if-none-match", tag);
        node.send(request).await
    };
    let first = get(&node, path).await;
    let tag = first.headers["etag"].to_str().unwrap().to_owned();
    let again = ask(&tag).await;
    assert_eq!((again.status, again.bytes.len(), again.headers["etag"].to_str().unwrap()), (304, 0, tag.as_str()));
    let steward = node.account("gd-steward", PROVIDER, "steward,operator").await;
    let approver = node.account("gd-approver", PROVIDER, "approver").await;
    let files = edited("natural-person.yaml", "zh: 自然人基础信息", "zh: 自然人登记信息");
    publish(&node, &steward, &approver, &json!({ "files": files, "reason": "更名" })).await;
    let began = Instant::now();
    while ask(&tag).await.status == 304 {
        assert!(began.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(get(&node, path).await.json["name"]["zh"], "自然人登记信息");
}

/// Draft, submit, approve.
async fn publish(node: &TestNode, steward: &str, approver: &str, draft: &Value) -> Value {
    let drafted = post(node, steward, REVISIONS, draft).await;
    assert_eq!(drafted.status, 201, "{}", drafted.json);
    let path = format!("{REVISIONS}/{}", drafted.json["number"]);
    let submitted = post(node, steward, &format!("{path}/submit"), &json!({})).await;
    assert_eq!(submitted.json["state"], "in_review", "{}", submitted.json);
    let published = post(node, approver, &format!("{path}/approve"), &json!({ "note": "同意" })).await;
    assert_eq!((published.status, &published.json["state"]), (200, &json!("published")), "{}", published.json);
    published.json
}

#[tokio::test]
async fn a_change_that_breaks_an_agreement_names_it_and_then_reaches_its_calls() {
    let node = TestNode::with_persons(10).await;
    let steward = node.account("gd-steward", PROVIDER, "steward,operator,approver").await;
    let approver = node.account("gd-approver", PROVIDER, "approver").await;
    let body = verification(person(3).id.as_str(), json!({ "name": "测试3" }));
    assert_eq!(node.post("/v1/verifications", &body).await.said(), "match");

    let files =
        edited("items-guangzhou.yaml", "[resident_id, name, birth_date, sex]", "[resident_id, name, birth_date]");
    let mut draft = json!({ "files": files, "reason": "材料减少" });
    let refused = post(&node, &steward, REVISIONS, &draft).await;
    refusal::check(&refused, Code::Conflict, Some("/ended"));
    assert!(refused.json["detail"].as_str().unwrap().contains("agr-gz-hukou-person"), "{}", refused.json);
    draft["ended"] = json!(["agr-gz-hukou-person"]);
    let drafted = post(&node, &steward, REVISIONS, &draft).await;
    assert_eq!(drafted.json["broken"][0]["agreement"], "agr-gz-hukou-person", "{}", drafted.json);
    assert_eq!(drafted.json["effect"], "breaking");
    let path = format!("{REVISIONS}/{}", drafted.json["number"]);
    let early = post(&node, &approver, &format!("{path}/approve"), &json!({ "note": "同意" })).await;
    refusal::check(&early, Code::Conflict, None);
    post(&node, &steward, &format!("{path}/submit"), &json!({})).await;
    let alone = post(&node, &steward, &format!("{path}/approve"), &json!({ "note": "同意" })).await;
    refusal::check(&alone, Code::RoleRequired, None);
    assert_eq!(node.post("/v1/verifications", &body).await.said(), "match", "nothing is published yet");
    let published = post(&node, &approver, &format!("{path}/approve"), &json!({ "note": "同意" })).await;
    assert_eq!(published.status, 200, "{}", published.json);

    let began = Instant::now();
    while node.post("/v1/verifications", &body).await.said() == "match" {
        assert!(began.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    refusal::check_call(&node.post("/v1/verifications", &body).await, Code::Denied, None);

    // The files on the disk are those of the first revision; the node starts with what is published.
    let node = node.restart().await;
    let again = node.post("/v1/verifications", &body).await;
    refusal::check_call(&again, Code::Denied, None);
    let shown = node.send(node.request(Method::GET, &path).bearer_auth(node.token_of("gd-approver").await)).await;
    assert_eq!(shown.json["ended"], json!(["agr-gz-hukou-person"]));
}

#[tokio::test]
async fn a_steward_does_not_change_what_is_another_departments() {
    let node = TestNode::start(0, "").await;
    let steward = node.account("gd-steward", "gd-civil-affairs", "steward").await;
    let files = edited("natural-person.yaml", "zh: 自然人基础信息", "zh: 自然人登记信息");
    let refused = post(&node, &steward, REVISIONS, &json!({ "files": files, "reason": "更名" })).await;
    refusal::check(&refused, Code::RoleRequired, None);
    assert!(refused.json["detail"].as_str().unwrap().contains("dataset natural-person"), "{}", refused.json);
}

#[tokio::test]
async fn a_dataset_that_is_new_is_served_and_one_that_is_retired_is_gone_without_a_restart() {
    let node = TestNode::with_persons(10).await;
    let steward = node.account("gd-steward", PROVIDER, "steward,operator").await;
    let approver = node.account("gd-approver", PROVIDER, "approver").await;
    let text = std::fs::read_to_string(root().join("catalogs/guangdong/social-credit.yaml")).unwrap();
    let text = text.replace("id: social-credit", "id: red-list").replace("104001/000001", "104001/000002");
    let draft = json!({ "files": { "red-list.yaml": text }, "reason": "新增红名单" });
    publish(&node, &steward, &approver, &draft).await;
    let ask = json!({
        "dataset": "red-list", "item": ITEM, "case": "C-1",
        "subject": { "credit_code": "91440300MA9TETT93T" }, "claims": { "name": "某公司" },
    });
    let until = async |code: Code| {
        let began = Instant::now();
        while node.post("/v1/verifications", &ask).await.said() != code.as_str() {
            assert!(began.elapsed() < PATIENCE, "{code}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    until(Code::Denied).await; // It is there, and nobody has an agreement on it.
    assert_eq!(node.verify(person(3).id.as_str(), json!({ "name": "测试3" })).await.said(), "match");
    publish(&node, &steward, &approver, &json!({ "retire": "red-list", "reason": "停止归集" })).await;
    until(Code::UnknownDataset).await;
    assert_eq!(node.verify(person(3).id.as_str(), json!({ "name": "测试3" })).await.said(), "match");

    let back = publish(&node, &steward, &approver, &json!({ "restore": 2, "reason": "恢复" })).await;
    assert_eq!(back["number"], 4);
    until(Code::Denied).await;
    let needed = post(&node, &steward, REVISIONS, &json!({ "retire": "natural-person", "reason": "停" })).await;
    refusal::check(&needed, Code::CatalogInvalid, Some("/files"));
    assert!(needed.json["detail"].as_str().unwrap().contains("unknown dataset `natural-person`"), "{}", needed.json);
}

#[tokio::test]
async fn a_draft_says_in_one_way_what_shall_change() {
    let node = TestNode::start(0, "").await;
    let steward = node.account("gd-steward", PROVIDER, "steward,operator").await;
    for (body, code, field) in [
        (json!({ "reason": "x" }), Code::InvalidValue, Some("/files")),
        (json!({ "reason": "x", "retire": "e-licence", "restore": 1 }), Code::InvalidValue, Some("/files")),
        (json!({ "reason": "x", "restore": 9 }), Code::NotFound, None),
        (json!({ "reason": "x", "restore": 1 }), Code::Conflict, None),
        (json!({ "reason": "x", "retire": "nothing" }), Code::UnknownDataset, Some("/retire")),
        (json!({ "reason": "x", "files": { "../x.yaml": "nodes: []" } }), Code::CatalogInvalid, Some("/files")),
        (json!({ "reason": "x", "files": { "x.yaml": null } }), Code::CatalogInvalid, Some("/files")),
        (json!({ "reason": "x", "files": { "x.yaml": "nodes: 3" } }), Code::CatalogInvalid, Some("/files")),
        (json!({ "reason": "", "files": { "x.yaml": "nodes: []" } }), Code::InvalidValue, Some("/reason")),
        (json!({ "reason": "x", "files": {}, "ended": ["A B"] }), Code::InvalidValue, Some("/ended/0")),
        (json!({ "files": {} }), Code::MalformedBody, None),
    ] {
        refusal::check(&post(&node, &steward, REVISIONS, &body).await, code, field);
    }
    let missing = node.send(node.request(Method::GET, &format!("{REVISIONS}/x")).bearer_auth(&steward)).await;
    refusal::check(&missing, Code::NotFound, None);
    let files = node.send(node.request(Method::GET, &format!("{REVISIONS}/1/files")).bearer_auth(&steward)).await;
    assert!(files.json["files"]["natural-person.yaml"].as_str().unwrap().contains("公民身份号码"));
}

/// The second version of [`ITEM`] does without the sex.
const SECOND: &str = "items:
  - code: 11440100MB9YYY997R3440101001000
    version: 2
    name: { zh: 户口迁入, en: Household registration transfer }
    department: gz-administrative-approval
    valid_from: 2025-02-01
    materials:
      - id: identity-card
        name: { zh: 居民身份证, en: Identity card }
        stand_ins:
          - { dataset: natural-person, fields: [resident_id, name, birth_date, division, status] }
";

#[tokio::test]
async fn a_call_is_held_against_the_version_of_its_item_that_is_in_force() {
    let file = "items-guangzhou.yaml";
    let catalog = [
        (file, "valid_from: 2025-01-01\n", "valid_from: 2025-01-01\n    valid_until: 2025-01-31\n"),
        (file, "items:\n", SECOND),
    ];
    let node = TestNode::of(Setup { persons: 10, catalog: &catalog, ..Setup::default() }).await;
    assert_eq!(node.verify(person(3).id.as_str(), json!({ "name": "测试3" })).await.said(), "match");
    // The agreement still lists it, because the version before needed it.
    let refused = node.verify(person(3).id.as_str(), json!({ "name": "测试3", "sex": "1" })).await;
    refusal::check_call(&refused, Code::Denied, None);
    let shown = get(&node, &format!("/v1/catalog/items/{ITEM}")).await;
    let in_force: Vec<_> = shown.json["versions"].as_array().unwrap().iter().map(|one| &one["in_force"]).collect();
    assert_eq!(in_force, [false, true]);
}
