//! What is filed, by whom, and what is not.

use serde_json::{Value, json};
use shuqiao::problem::Code;

use super::scene::{PATH, QUICK, ask, filed, filing, get, post, publish, question, show};
use crate::support::{
    node::{DEPARTMENT, TestNode},
    refusal,
    registers::person,
};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_unfinished_answer_with_its_question_is_refused_and_says_why() {
    let node = TestNode::start(0, QUICK).await;
    let window = node.token().await.to_owned();
    let steward = node.account("gz-steward", DEPARTMENT, "steward").await;
    node.register("gz-stranger", "gd-civil-affairs").await;
    let stranger = node.token_of("gz-stranger").await;
    let (body, other) = (question(3), question(4));
    let answer = ask(&node, &body).await;
    publish(&node).await;
    let finished = ask(&node, &body).await;
    assert_eq!((answer.said(), finished.said()), ("indeterminate", "match"));
    let right = filing(&answer, &body);
    let cut = json!({ "receipt": answer.json["receipt"].as_str().unwrap()[1..], "body": body });
    let spaced = filing(&answer, &body.replace("{\"", "{ \""));
    for (token, filed, code, field) in [
        (&window, cut, Code::ReceiptInvalid, Some("/receipt")),
        (&window, filing(&finished, &body), Code::InvalidValue, Some("/receipt")),
        (&window, filing(&answer, &other), Code::InvalidValue, Some("/body")),
        (&window, spaced, Code::InvalidValue, Some("/body")),
        (&stranger, right.clone(), Code::InvalidValue, Some("/receipt")),
        (&steward, right.clone(), Code::RoleRequired, None),
    ] {
        let refused = post(&node, token, PATH, &filed).await;
        refusal::check(&refused, code, field);
        assert!(!refused.json.to_string().contains(person(4).id.as_str()), "no number in an error");
    }
    let listed = get(&node, &window, PATH).await;
    assert_eq!(listed.json["items"], json!([]), "nothing was filed");
    for query in ["?state=lost", "?after=yesterday", "?limit=201"] {
        for path in [PATH, "/v1/deliveries"] {
            assert_eq!(get(&node, &window, &format!("{path}{query}")).await.said(), "invalid_value", "{path}{query}");
        }
    }
    assert_eq!(post(&node, &window, PATH, &right).await.status, 202);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_receipt_is_one_recheck_of_each_client_and_nobody_elses() {
    let node = TestNode::start(0, &format!("{QUICK}waiting_max = 1\n")).await;
    node.register("gz-second-window", DEPARTMENT).await;
    let second = node.token_of("gz-second-window").await;
    let body = question(3);
    let answer = ask(&node, &body).await;
    let first = node.post(PATH, &filing(&answer, &body)).await;
    let again = node.post(PATH, &filing(&answer, &body)).await;
    assert_eq!((again.status, &again.json["id"]), (202, &first.json["id"]));
    let id = first.json["id"].as_str().unwrap().to_owned();
    for (path, verb) in [(format!("{PATH}/{id}"), "GET"), (format!("{PATH}/{id}/cancel"), "POST")] {
        let request = node.request(verb.parse().unwrap(), &path).bearer_auth(&second);
        refusal::check(&node.send(request).await, Code::NotFound, None);
    }
    assert_eq!(get(&node, &second, PATH).await.json["items"], json!([]));
    let own = post(&node, &second, PATH, &filing(&answer, &body)).await;
    assert_eq!((own.status, own.json["id"] == id.as_str()), (202, false), "{}", own.json);

    let another = question(4);
    let answer = ask(&node, &another).await;
    let full = node.post(PATH, &filing(&answer, &another)).await;
    refusal::check(&full, Code::RechecksFull, None);
    assert!(full.headers.contains_key("retry-after"));
    assert_eq!(post(&node, node.token().await, &format!("{PATH}/{id}/cancel"), &Value::Null).await.status, 200);
    let (_, other) = filed(&node, 4).await;
    assert_eq!(show(&node, &other).await.json["state"], "waiting");
}
