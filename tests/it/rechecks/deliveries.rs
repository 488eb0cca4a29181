//! How clients are told, again and again, until somebody has to look.

use serde_json::{Value, json};
use shuqiao::problem::Code;

use super::{
    receiver::Receiver,
    scene::{QUICK, filed, get, operator, post, publish, set_webhook, until, until_state},
};
use crate::support::{
    node::{DEPARTMENT, TestNode, WINDOW},
    refusal,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_fails_too_often_is_dead_until_somebody_replays_it() {
    let node = TestNode::start(0, &format!("{QUICK}sends_max = 3\n")).await;
    // The second one leads elsewhere, and is not followed.
    let receiver = Receiver::answering([503, 302, 500, 500]).await;
    let operator = operator(&node).await;
    set_webhook(&node, &operator, &receiver).await;
    let (_, id) = filed(&node, 3).await;
    publish(&node).await;
    let settled = until_state(&node, &id, "settled").await;
    let dead = async || {
        let listed = get(&node, &operator, "/v1/deliveries?state=dead").await.json;
        if listed["items"][0].is_object() { Ok(listed["items"][0].clone()) } else { Err(listed.to_string()) }
    };
    let given_up = until(dead).await;
    assert_eq!((&given_up["recheck"], &given_up["tries"]), (&json!(id), &json!(3)));
    assert_eq!((&given_up["failure"], &given_up["client"]), (&json!("it answered 500"), &json!(WINDOW)));
    assert_eq!(receiver.heard().len(), 3);

    node.register("gz-second-window", DEPARTMENT).await;
    let stranger = node.token_of("gz-second-window").await;
    let replay = format!("/v1/deliveries/{}/replay", given_up["id"].as_str().unwrap());
    refusal::check(&post(&node, &stranger, &replay, &Value::Null).await, Code::NotFound, None);
    assert_eq!(get(&node, &stranger, "/v1/deliveries").await.json["items"], json!([]));
    let replayed = post(&node, &operator, &replay, &Value::Null).await;
    assert_eq!((replayed.status, &replayed.json["state"]), (202, &json!("waiting")), "{}", replayed.json);
    let arrived = async || {
        let listed = get(&node, node.token().await, "/v1/deliveries?state=delivered").await.json;
        if listed["items"][0].is_object() { Ok(listed["items"][0].clone()) } else { Err(listed.to_string()) }
    };
    let delivered = until(arrived).await;
    assert_eq!((&delivered["id"], &delivered["tries"]), (&given_up["id"], &json!(2)), "it is the same delivery");
    let heard = receiver.heard();
    assert_eq!(heard.len(), 5);
    for told in &heard {
        assert_eq!((told.delivery(), told.verified(&node.jwks())), (given_up["id"].as_str().unwrap(), settled.clone()));
    }

    // Its client may have it again, too.
    assert_eq!(post(&node, node.token().await, &replay, &Value::Null).await.status, 202);
    until(async || if receiver.heard().len() == 6 { Ok(()) } else { Err(receiver.heard().len().to_string()) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_names_the_address_and_nobody_else_and_none_that_can_be_read_on_the_way() {
    let node = TestNode::start(0, QUICK).await;
    let operator = operator(&node).await;
    let auditor = node.account("gd-auditor", "gd-government-services", "auditor").await;
    let window = node.token().await.to_owned();
    let body = |client: &str, url: &str, reason: &str| json!({ "client": client, "url": url, "reason": reason });
    let good = "https://window.example/told";
    for (body, code, field) in [
        (body(WINDOW, "http://window.example/told", "x"), Code::InvalidValue, "/url"),
        (body(WINDOW, "https://u:hunter2@window.example/", "x"), Code::InvalidValue, "/url"),
        (body("nobody", good, "x"), Code::InvalidValue, "/client"),
        (body("No Body", good, "x"), Code::InvalidValue, "/client"),
    ] {
        let refused = post(&node, &operator, "/v1/webhooks", &body).await;
        refusal::check(&refused, code, Some(field));
        assert!(!refused.json.to_string().contains("hunter2"));
    }
    let unsaid = post(&node, &operator, "/v1/webhooks", &body(WINDOW, good, " ")).await;
    assert_eq!((unsaid.said(), &unsaid.json["field"]), ("invalid_value", &json!("/reason")));
    for token in [&window, &auditor] {
        let refused = post(&node, token, "/v1/webhooks", &body(WINDOW, good, "x")).await;
        refusal::check(&refused, Code::RoleRequired, None);
    }
    assert_eq!(post(&node, &operator, "/v1/webhooks", &body(WINDOW, good, "接收补核结果")).await.status, 201);
    let listed = get(&node, &auditor, "/v1/webhooks").await.json;
    assert_eq!((&listed["items"][0]["url"], &listed["items"][0]["account"]), (&json!(good), &json!("gd-operator")));
    assert_eq!(get(&node, &window, "/v1/webhooks").await.said(), "role_required");
    let removal = json!({ "client": WINDOW, "reason": "系统下线" });
    assert_eq!(post(&node, &operator, "/v1/webhooks/remove", &removal).await.status, 204);
    assert_eq!(post(&node, &operator, "/v1/webhooks/remove", &removal).await.said(), "conflict");
    let acts = get(&node, &auditor, "/v1/acts").await.json;
    let told: Vec<_> = acts["items"].as_array().unwrap().iter().map(|act| act["act"].as_str().unwrap()).collect();
    assert!(told.contains(&"set a webhook") && told.contains(&"remove a webhook"), "{acts}");
}
