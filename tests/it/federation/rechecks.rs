//! A call that another node could not answer is finished when that node is back.

use reqwest::Method;
use serde_json::{Value, json};
use shuqiao::audit::receipt;

use super::province::{EACH, Province, ends, until};
use crate::support::{
    node::{TestNode, verification},
    registers::person,
};

async fn show(node: &TestNode, id: &str) -> Value {
    let token = node.token().await;
    node.send(node.request(Method::GET, &format!("/v1/rechecks/{id}")).bearer_auth(token)).await.json
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_a_city_could_not_answer_is_finished_when_the_city_is_back() {
    let province = Province::with("[rechecks]\nretry_ms = 50\n", "").await;
    let Province { guangdong, guangzhou, shenzhen } = province;
    let there = person(EACH + 3);
    let body = verification(there.id.as_str(), json!({ "name": there.name }));
    let shenzhen = shenzhen.go_away().await;
    let answer = guangzhou.post("/v1/verifications", &body).await;
    assert_eq!((answer.said(), answer.json["disposition"].as_str()), ("indeterminate", Some("accept_provisionally")));
    let filing = json!({ "receipt": answer.json["receipt"], "body": body.to_string() });
    let filed = guangzhou.post("/v1/rechecks", &filing).await;
    assert_eq!(filed.status, 202, "{}", filed.json);
    let id = filed.json["id"].as_str().unwrap();

    let shenzhen = shenzhen.come_back().await;
    until(async || {
        let seen = show(&guangzhou, id).await;
        (seen["state"] == "settled").then_some(()).ok_or(format!("{seen:#}"))
    })
    .await;
    let settled = show(&guangzhou, id).await["answer"].clone();
    assert_eq!(settled["outcome"], "match", "{settled:#}");
    assert_eq!(ends(&settled["nodes"][1]["answer"]), ["shenzhen answered"]);
    receipt::verify_answer(&serde_json::to_vec(&settled).unwrap(), &guangzhou.jwks()).unwrap();

    // The city's log has the call as any other that came in at Guangzhou.
    let record = shenzhen.records().pop().unwrap();
    assert_eq!((record.channel.as_deref(), record.finishes), (Some("peer"), None));
    drop(guangdong);
}
