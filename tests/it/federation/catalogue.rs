//! The catalogue of all: what a district and cities publish appears at the province, changes there and goes.

use std::fs;

use chrono::Utc;
use reqwest::Method;
use serde_json::{Value, json};
use shuqiao::{federation::paths, http::open_ledger, identifiers::NodeId, problem::Code};

use super::{
    door::Speaker,
    province::{admit, until},
};
use crate::support::{
    node::{Answered, Setup, TestNode},
    process::{Home, free_address},
    refusal,
};

const DISTRICT: (&str, &str, &str) = (
    "nodes.yaml",
    "nodes:\n",
    "nodes:\n  - { id: nanshan, name: { zh: 南山区分节点, en: Nanshan node }, division: \"440305\", parent: shenzhen }\n",
);
/// At the district's node one department is the district's.
const OFFICE: (&str, &str, &str) = (
    "departments.yaml",
    "11440300MB9Y03049N\n    division: \"440300\"\n    node: shenzhen",
    "11440300MB9Y03049N\n    division: \"440305\"\n    node: nanshan",
);
const FILE: &str = "social-credit.yaml";

/// A dataset of the catalogue's form.
fn dataset(id: &str, number: u32, name: &str, provider: &str) -> String {
    format!(
        "  - id: {id}\n    code: 204001/{number:06}\n    name: {{ zh: {name}, en: Register {id} }}\n    \
         summary: {{ zh: 一项登记, en: A register }}\n    provider: {provider}\n    \
         sharing: {{ attribute: unconditional }}\n    update_cycle: daily\n    sensitivity: 1\n    key: code\n    \
         reject_share_max: 0.1\n    listing: {{ format: database, modes: [service_interface], \
         opening: {{ attribute: open }}, published_on: 2025-08-01, updated_on: 2025-08-01 }}\n    fields:\n      \
         - {{ name: code, title: {{ zh: 编号, en: Code }}, element: BH, kind: text, chars_max: 20, comparator: exact, \
         sensitivity: 1, disclosure: plain }}\n"
    )
}

struct Cascade {
    guangdong: TestNode,
    guangzhou: TestNode,
    shenzhen: TestNode,
}

impl Cascade {
    /// Both cities have published parks, Shenzhen bridges as well.
    async fn found() -> Self {
        let guangdong = node("guangdong", None, "").await;
        let card = card(&guangdong);
        let of_guangzhou = dataset("parks", 1, "城市公园名录", "gz-human-resources");
        let of_shenzhen =
            dataset("parks", 1, "公园基础信息", "sz-housing") + &dataset("bridges", 2, "桥梁名录", "sz-housing");
        let guangzhou = node("guangzhou", Some(&card), &of_guangzhou).await;
        let shenzhen = node("shenzhen", Some(&card), &of_shenzhen).await;
        admit(&guangdong, &guangzhou).await;
        admit(&guangdong, &shenzhen).await;
        let cascade = Self { guangdong, guangzhou, shenzhen };
        cascade.shows(&["bridges@shenzhen", "parks@guangzhou", "parks@shenzhen"]).await;
        cascade
    }

    /// Wait until the province shows these entries of other nodes, and no others.
    async fn shows(&self, expect: &[&str]) {
        shows(&self.guangdong, expect).await;
    }
}

async fn node(id: &str, province: Option<&str>, datasets: &str) -> TestNode {
    let province = province.map(|card| format!("province = '{card}'\n")).unwrap_or_default();
    let settings = format!("[federation]\naddress = '127.0.0.1:0'\npull_ms = 100\n{province}");
    let datasets = format!("datasets:\n{datasets}");
    let mut catalog = vec![DISTRICT, (FILE, "datasets:\n", datasets.as_str())];
    if id == "nanshan" {
        catalog.push(OFFICE);
    }
    TestNode::of(Setup { id: Some(id), settings: &settings, catalog: &catalog, ..Setup::default() }).await
}

fn card(node: &TestNode) -> String {
    let card = node.dir.path().join("card.json");
    fs::write(&card, serde_json::to_string(&node.node.card().unwrap()).unwrap()).unwrap();
    card.display().to_string()
}

async fn get(node: &TestNode, path: &str) -> Answered {
    let token = node.token().await;
    node.send(node.request(Method::GET, path).bearer_auth(token)).await
}

fn names(answer: &Answered) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let items = answer.json["items"].as_array().into_iter().flatten();
    items.map(|one| format!("{}@{}", text(&one["id"]), text(&one["origin"]["node"]))).collect()
}

async fn heard(node: &TestNode) -> Vec<String> {
    let all = names(&get(node, "/v1/catalog/datasets?scope=all&limit=200").await);
    let own = format!("@{}", node.settings.node.id);
    all.into_iter().filter(|name| !name.ends_with(&own)).collect()
}

async fn shows(node: &TestNode, expect: &[&str]) {
    until(async || {
        let heard = heard(node).await;
        (heard == expect).then_some(()).ok_or(format!("{heard:?}"))
    })
    .await;
}

/// Who proposes, and who approves.
async fn people(node: &TestNode, department: &str) -> [String; 2] {
    let steward = node.account("a-steward", department, "steward,operator").await;
    [steward, node.account("an-approver", department, "approver").await]
}

/// Propose a change of the catalogue and publish it.
async fn publish(node: &TestNode, [steward, approver]: &[String; 2], draft: Value) {
    let post = async |token: &str, path: String, body: &Value| {
        let answer = node.send(node.request(Method::POST, &path).bearer_auth(token).json(body)).await;
        assert!(answer.status < 300, "{}", answer.json);
        answer.json
    };
    let path = "/v1/catalog/revisions".to_owned();
    let number = post(steward, path.clone(), &draft).await["number"].clone();
    post(steward, format!("{path}/{number}/submit"), &json!({})).await;
    post(approver, format!("{path}/{number}/approve"), &json!({ "note": "同意" })).await;
}

/// The program beside the running node.
async fn run(node: &TestNode, arguments: &[&str]) -> (bool, Value) {
    let file = node.dir.path().join("shuqiao.toml");
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_shuqiao"));
    let done = command.args(["--config", file.to_str().unwrap()]).args(arguments).output().await.unwrap();
    let said = serde_json::from_slice(&done.stdout).unwrap_or_else(|error| panic!("{error}: {done:?}"));
    (done.status.success(), said)
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_of_cities_are_found_at_the_province_with_origin_and_freshness() {
    let Cascade { guangdong, guangzhou, shenzhen } = Cascade::found().await;
    let all = get(&guangdong, "/v1/catalog/datasets?scope=all&q=%E5%85%AC%E5%9B%AD").await;
    let mut found = names(&all);
    found.sort();
    assert_eq!(found, ["parks@guangzhou", "parks@shenzhen"], "{:#}", all.json);
    let of_shenzhen = all.json["items"].as_array().unwrap().iter().find(|one| one["origin"]["node"] == "shenzhen");
    let origin = &of_shenzhen.unwrap()["origin"];
    assert_eq!(
        (&origin["stale"], &origin["own"], &origin["path"]),
        (&json!(false), &json!(false), &json!(["shenzhen"]))
    );
    for time in ["as_of", "confirmed_at"] {
        assert!(origin[time].as_str().unwrap().parse::<chrono::DateTime<Utc>>().unwrap() <= Utc::now(), "{origin}");
    }
    // Without a scope everything is as it was.
    let own = get(&guangdong, "/v1/catalog/datasets").await;
    assert_eq!(own.json["items"].as_array().unwrap().len(), 4);
    assert!(own.json["items"][0]["origin"].is_null());
    assert_eq!(names(&get(&guangdong, "/v1/catalog/datasets?q=%E5%85%AC%E5%9B%AD").await), Vec::<String>::new());

    let of_one = get(&guangdong, "/v1/catalog/datasets?scope=all&origin=shenzhen&provider=sz-housing").await;
    assert_eq!(names(&of_one), ["bridges@shenzhen", "parks@shenzhen"]);
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let part = get(&guangdong, &format!("/v1/catalog/datasets?scope=all&limit=2{after}")).await;
        seen.extend(names(&part));
        let Some(next) = part.json["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    assert_eq!(seen, names(&get(&guangdong, "/v1/catalog/datasets?scope=all").await));
    let entry = get(&guangdong, "/v1/catalog/datasets/parks?origin=guangzhou").await;
    assert_eq!(entry.json["name"]["zh"], "城市公园名录");
    assert_eq!(entry.json["provider"]["node"], "guangzhou");

    let exported = get(&guangdong, "/v1/catalog.jsonld?scope=all").await;
    let attributed: Vec<_> = exported.json["dcat:dataset"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|one| one["prov:wasAttributedTo"]["dct:identifier"].as_str())
        .collect();
    assert_eq!(attributed, ["shenzhen", "guangzhou", "shenzhen"]);
    for (path, code) in [
        ("datasets?scope=half", Code::InvalidValue),
        ("datasets?origin=shenzhen", Code::InvalidValue),
        ("datasets?scope=all&origin=A%20B", Code::InvalidValue),
        ("datasets/bridges?origin=guangzhou", Code::NotFound),
        ("datasets/bridges", Code::NotFound),
    ] {
        refusal::check(&get(&guangdong, &format!("/v1/catalog/{path}")).await, code, None);
    }

    let (done, said) =
        run(&guangdong, &["catalog", "search", "公园", "--everywhere", "--origin", "shenzhen", "--json"]).await;
    assert!(done && said.as_array().unwrap().len() == 1, "{said:#}");
    assert_eq!((&said[0]["entry"]["id"], &said[0]["entry"]["origin"]["node"]), (&json!("parks"), &json!("shenzhen")));
    let (_, said) = run(&guangdong, &["node", "status", "--json"]).await;
    let lag = |node: &str| {
        said["nodes"].as_array().unwrap().iter().find(|one| one["node"] == node).unwrap()["catalog_lag"].clone()
    };
    assert_eq!((&lag("shenzhen")["changes"], &lag("guangdong")), (&json!(0), &Value::Null), "{said:#}");
    drop((guangzhou, shenzhen));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_and_a_deletion_come_up_also_over_a_restart_of_the_province() {
    let cascade = Cascade::found().await;
    let path = "/v1/catalog/datasets?scope=all&origin=shenzhen&q=%E5%85%AC%E5%9B%AD";
    let ask = async |node: &TestNode, tag: &str| {
        let request = node.request(Method::GET, path).bearer_auth(node.token().await).header("if-none-match", tag);
        node.send(request).await
    };
    let before = get(&cascade.guangdong, path).await;
    let tag = before.headers["etag"].to_str().unwrap().to_owned();
    let text = fs::read_to_string(cascade.shenzhen.settings.paths.catalog.join(FILE)).unwrap();
    let text = text.replace("公园基础信息", "公园和绿道");
    let people = people(&cascade.shenzhen, "sz-housing").await;
    publish(&cascade.shenzhen, &people, json!({ "files": { FILE: text }, "reason": "更名" })).await;
    until(async || {
        let answer = ask(&cascade.guangdong, &tag).await;
        (answer.status == 200 && answer.json["items"][0]["name"]["zh"] == "公园和绿道")
            .then_some(())
            .ok_or(answer.json.to_string())
    })
    .await;
    // While the province is away a dataset goes, and another one comes.
    let Cascade { guangdong, guangzhou, shenzhen } = cascade;
    let meanwhile = async || {
        let more = format!("datasets:\n{}", dataset("tunnels", 3, "隧道名录", "sz-housing"));
        publish(&shenzhen, &people, json!({ "files": { "more.yaml": more }, "reason": "新增" })).await;
        publish(&shenzhen, &people, json!({ "retire": "bridges", "reason": "停止归集" })).await;
    };
    let guangdong = guangdong.restart_after(meanwhile).await;
    let cascade = Cascade { guangdong, guangzhou, shenzhen };
    cascade.shows(&["parks@guangzhou", "parks@shenzhen", "tunnels@shenzhen"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_city_that_lost_its_ledger_is_heard_anew_and_what_it_no_longer_has_goes() {
    let mut cascade = Cascade::found().await;
    let ledger = cascade.shenzhen.settings.paths.ledger();
    if !ledger.exists() {
        return; // On PostgreSQL; `cascade` has the same with ledgers in files.
    }
    let catalog = cascade.shenzhen.settings.paths.catalog.join(FILE);
    let forget = async || {
        for suffix in ["", "-wal", "-shm"] {
            let _ = fs::remove_file(format!("{}{suffix}", ledger.display()));
        }
        let text = fs::read_to_string(&catalog).unwrap();
        let gone = dataset("bridges", 2, "桥梁名录", "sz-housing");
        assert!(text.contains(&gone));
        fs::write(&catalog, text.replace(&gone, "")).unwrap();
    };
    cascade.shenzhen = cascade.shenzhen.restart_after(forget).await;
    cascade.shows(&["parks@guangzhou", "parks@shenzhen"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_city_is_not_shown_from_that_moment_and_again_when_it_is_admitted() {
    let cascade = Cascade::found().await;
    let ledger = open_ledger(&cascade.guangdong.settings).await.unwrap();
    let city: NodeId = "shenzhen".parse().unwrap();
    ledger.revoke_member(&city, "on-site", "key in wrong hands", Utc::now()).await.unwrap();
    assert_eq!(heard(&cascade.guangdong).await, ["parks@guangzhou"]);
    admit(&cascade.guangdong, &cascade.shenzhen).await;
    cascade.shows(&["bridges@shenzhen", "parks@guangzhou", "parks@shenzhen"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_district_is_heard_by_its_city_and_through_it_by_the_province() {
    let guangdong = node("guangdong", None, "").await;
    let card = card(&guangdong);
    let shenzhen = node("shenzhen", Some(&card), "").await;
    let district = dataset("docks", 4, "码头名录", "sz-human-resources");
    let nanshan = node("nanshan", Some(&card), &district).await;
    admit(&guangdong, &shenzhen).await;
    admit(&guangdong, &nanshan).await;
    shows(&shenzhen, &["docks@nanshan"]).await;
    shows(&guangdong, &["docks@nanshan"]).await;
    let entry = get(&guangdong, "/v1/catalog/datasets/docks?origin=nanshan").await;
    assert_eq!(entry.json["origin"]["path"], json!(["nanshan", "shenzhen"]));
    until(async || {
        let origin = &get(&guangdong, "/v1/catalog/datasets/docks?origin=nanshan").await.json["origin"];
        (origin["stale"] == false).then_some(()).ok_or(origin.to_string())
    })
    .await;

    // The same through the door, as a node of the directory asks: page by page, from where the last one ended.
    let speaker = Speaker::of(&nanshan, &guangdong).await;
    let ask = async |query: &str| {
        let path = format!("{}?{query}", paths::CATALOG);
        speaker.say(&shenzhen, &path, None, &Value::Null).await.unwrap()
    };
    let (status, first) = ask("limit=1").await;
    assert_eq!(
        (status, &first["from"], &first["changes"][0]["origin"]),
        (200, &json!(0), &json!("nanshan")),
        "{first:#}"
    );
    let (feed, newest) = (first["feed"].as_str().unwrap(), &first["newest"]);
    let (_, rest) = ask(&format!("feed={feed}&after={newest}")).await;
    assert_eq!((&rest["changes"], &rest["next"]), (&json!([]), &Value::Null), "{rest:#}");
    let (_, whole) = ask(&format!("feed=another&after={newest}")).await;
    assert_eq!(whole["from"], 0);
    assert_eq!(ask("after=x").await.0, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_province_that_is_killed_while_it_hears_a_city_goes_on_where_it_was() {
    const ENTRIES: u32 = 500; // Three pages.
    let home = Home::empty("");
    home.configure(&format!("\n[federation]\naddress = '{}'\npull_ms = 100\n", free_address()));
    let said = home.run(&["peer", "card"]);
    fs::write(home.path("card.json"), &said.out).unwrap();
    let datasets = (1..=ENTRIES).map(|number| dataset(&format!("register-{number}"), number, "登记", "sz-housing"));
    let city = node("shenzhen", home.path("card.json").to_str(), &datasets.collect::<String>()).await;
    let (file, card) = (home.path("city.json"), serde_json::to_string(&city.node.card().unwrap()).unwrap());
    fs::write(&file, card).unwrap();
    let said = home.run(&["peer", "admit", file.to_str().unwrap(), "--reason", "joins"]);
    assert_eq!(said.code, Some(0), "{said:?}");

    let ledger = open_ledger(&home.settings()).await.unwrap();
    let heard = async || ledger.sources().await.unwrap().first().map_or(0, |source| source.heard);
    let mut before = 0;
    while before < i64::from(ENTRIES) {
        let running = home.spawn(&["serve"]);
        until(async || match heard().await {
            heard if heard > before => Ok(()),
            heard => Err(format!("{heard}: {}", home.log_text())),
        })
        .await;
        running.kill();
        // Of the city's feed every number is one entry: what is kept is what was heard, not an entry more or less.
        let kept = ledger.feed_after(0, i64::MAX).await.unwrap().into_iter();
        let kept = kept.filter(|one| one.entry.origin.as_str() == "shenzhen" && one.entry.text.is_some()).count();
        let now = heard().await;
        assert_eq!(kept as i64, now);
        before = now;
    }
    assert_eq!(before, i64::from(ENTRIES));
}
