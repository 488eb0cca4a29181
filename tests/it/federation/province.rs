//! A province and two cities that keep the persons between them.

use std::time::{Duration, Instant};

use chrono::Utc;
use reqwest::Method;
use serde_json::{Value, json};
use shuqiao::http::open_ledger;

use crate::support::{
    node::{Answered, Setup, TestNode, WINDOW, verification},
    registers,
};

/// The persons' register is divided over the two cities.
pub(crate) const DIVIDED: (&str, &str, &str) = (
    "natural-person.yaml",
    "    key: resident_id\n",
    "    key: resident_id\n    placement: [{ node: guangzhou }, { node: shenzhen }]\n",
);
/// Of a department that is registered with the province, and an item of its own.
const PENSIONS: (&str, &str, &str) = ("gd-pensions-window", "gd-human-resources", "11440000MB9Y00040M2440514001000");
/// The first persons are in Guangzhou, as many after them in Shenzhen.
pub(crate) const EACH: u64 = 40;

pub(crate) struct Province {
    pub(crate) guangdong: TestNode,
    pub(crate) guangzhou: TestNode,
    pub(crate) shenzhen: TestNode,
}

impl Province {
    /// All three are in the directory, and the province has the cities' indexes.
    pub(crate) async fn found() -> Self {
        Self::with("", "").await
    }

    /// The same, with more settings for each node, which go on in `[federation]`, and policies that Guangzhou alone has.
    pub(crate) async fn with(more: &str, of_guangzhou: &str) -> Self {
        let settings = |own: &str| format!("[federation]\naddress = '127.0.0.1:0'\npull_ms = 100\n{own}{more}");
        let of_province = settings("");
        let setup = Setup { settings: &of_province, catalog: &[DIVIDED], ..Setup::default() };
        let guangdong = TestNode::of(setup).await;
        let card = guangdong.dir.path().join("card.json");
        std::fs::write(&card, serde_json::to_string(&guangdong.node.card().unwrap()).unwrap()).unwrap();
        let settings = settings(&format!("province = '{}'\n", card.display()));
        let city = async |id, policies| {
            let setup = Setup { id: Some(id), settings: &settings, catalog: &[DIVIDED], policies, ..Setup::default() };
            let node = TestNode::of(setup).await;
            admit(&guangdong, &node).await;
            node
        };
        let (guangzhou, shenzhen) = (city("guangzhou", of_guangzhou).await, city("shenzhen", "").await);
        guangdong.register(PENSIONS.0, PENSIONS.1).await;
        guangzhou.publish("natural-person", &registers::csv((0..EACH).map(registers::person))).await;
        shenzhen.publish("natural-person", &registers::csv((EACH..2 * EACH).map(registers::person))).await;
        let province = Self { guangdong, guangzhou, shenzhen };
        province.settled().await;
        province
    }

    /// Put to the province by a department that is registered there.
    pub(crate) async fn ask_above(&self, body: &Value) -> Answered {
        let mut body = body.clone();
        body["item"] = json!(PENSIONS.2);
        let token = self.guangdong.token_of(PENSIONS.0).await;
        let request = self.guangdong.request(Method::POST, "/v1/verifications");
        self.guangdong.send(request.bearer_auth(token).json(&body)).await
    }

    /// Everybody knows everybody.
    async fn settled(&self) {
        let outsider = verification(registers::person(999).id.as_str(), json!({ "name": "无人" }));
        let mut to_shenzhen = outsider.clone();
        to_shenzhen["authority"] = json!("440300");
        until(async || {
            let answer = self.ask_above(&outsider).await;
            let near = self.guangzhou.post("/v1/verifications", &outsider).await;
            let beside = self.guangzhou.post("/v1/verifications", &to_shenzhen).await;
            let ends = [ends(&answer.json), ends(&beside.json)].concat();
            let settled = ends == ["guangzhou ruled_out", "shenzhen ruled_out", "shenzhen answered"];
            (settled && near.said() == "not_found").then_some(()).ok_or(format!("{:#} {:#}", answer.json, near.json))
        })
        .await;
    }
}

/// The province's operator lists a node.
pub(crate) async fn admit(issuer: &TestNode, node: &TestNode) {
    let card = node.node.card().unwrap();
    let ledger = open_ledger(&issuer.settings).await.unwrap();
    let text = serde_json::to_string(&card).unwrap();
    assert!(ledger.admit_member(&card.node, &text, "on-site", "joins", Utc::now()).await.unwrap());
    ledger.close().await;
}

/// The nodes that an answer names, and how each ended.
pub(crate) fn ends(answer: &Value) -> Vec<String> {
    let text = |node: &Value, member: &str| node[member].as_str().unwrap_or_default().to_owned();
    let nodes = answer["nodes"].as_array().into_iter().flatten();
    nodes.map(|node| format!("{} {}", text(node, "node"), text(node, "end"))).collect()
}

/// Wait for something that comes by itself.
pub(crate) async fn until(holds: impl AsyncFn() -> Result<(), String>) {
    let started = Instant::now();
    loop {
        match holds().await {
            Ok(()) => return,
            Err(seen) if started.elapsed() > Duration::from_secs(20) => panic!("it never came; last seen: {seen}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

/// The client of every node under test, as other nodes name it.
pub(crate) fn window_of(node: &str) -> String {
    format!("{node}--{WINDOW}")
}
