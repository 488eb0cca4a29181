//! From the indeterminate answer to the one that settles it.

use chrono::Utc;
use serde_json::json;
use shuqiao::{
    audit::receipt,
    http::open_ledger,
    ledger::{ClientStatus, DeliveryFilter, RecheckState, Target},
};

use super::{
    receiver::Receiver,
    scene::{
        PATH, QUICK, ask, filed, filing, get, operator, post, publish, question, set_webhook, show, until, until_state,
    },
};
use crate::support::{
    node::{ITEM, TestNode, WINDOW},
    registers::person,
};

/// The ledger's files, where it is in files.
fn ledger_bytes(node: &TestNode) -> Vec<u8> {
    let files = std::fs::read_dir(&node.settings.paths.data).unwrap().map(|file| file.unwrap().path());
    let of_ledger = files.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("ledger.sqlite"));
    of_ledger.flat_map(|path| std::fs::read(path).unwrap()).collect()
}

fn contains(bytes: &[u8], text: &str) -> bool {
    memchr::memmem::find(bytes, text.as_bytes()).is_some()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unfinished_call_is_finished_when_its_register_comes_and_its_client_is_told() {
    let node = TestNode::start(0, QUICK).await;
    let (operator, receiver) = (operator(&node).await, Receiver::answering([]).await);
    set_webhook(&node, &operator, &receiver).await;
    let (call, id) = filed(&node, 3).await;
    until(async || {
        let again = node.records().pop().unwrap();
        let finishes = again.finishes.map(|finished| finished.to_string());
        if finishes == Some(call.clone()) { Ok(()) } else { Err(format!("{again:?}")) }
    })
    .await;
    let again = node.records().pop().unwrap();
    assert_eq!((again.channel.as_deref(), again.client.unwrap().as_str()), (Some("recheck"), WINDOW));
    assert_eq!(again.outcome.as_deref(), Some("indeterminate"));
    assert_eq!(receiver.heard().len(), 0);

    publish(&node).await;
    let settled = until_state(&node, &id, "settled").await;
    let heard = until(async || receiver.heard().first().cloned().ok_or_else(|| "nothing".to_owned())).await;
    let told = heard.verified(&node.jwks());
    assert_eq!(told, settled, "a webhook is told what its client would read");
    assert_eq!((&told["id"], &told["call_id"], &told["state"]), (&json!(id), &json!(call), &json!("settled")));
    let answer = &told["answer"];
    assert_eq!((&answer["outcome"], answer["call_id"] == call.as_str()), (&json!("match"), false));
    let claims = receipt::verify_answer(&serde_json::to_vec(answer).unwrap(), &node.jwks()).unwrap();
    receipt::verify_request(&claims, question(3).as_bytes()).unwrap();
    assert_eq!((claims.client.as_str(), answer["call_id"] == claims.jti.to_string()), (WINDOW, true));
    for (what, forged) in [
        ("address", heard.changed(|target, _, _| target.push_str("&to=another"))),
        ("body", heard.changed(|_, body, _| body.push(b' '))),
        ("delivery", heard.changed(|_, _, headers| drop(headers.insert("shuqiao-delivery", "x".parse().unwrap())))),
    ] {
        assert!(!forged.holds(&node.jwks()), "another {what} does not verify");
    }

    // What is left of it: no body, an answer that is sealed, a log without the number.
    let ledger = open_ledger(&node.settings).await.unwrap();
    let kept = ledger.recheck(&id.parse().unwrap()).await.unwrap().unwrap();
    assert_eq!((kept.state, kept.body, kept.said.is_some()), (RecheckState::Settled, None, true));
    let bytes = ledger_bytes(&node);
    assert!(bytes.is_empty() || contains(&bytes, &id), "this is where it would stand");
    for secret in [person(3).id.as_str(), person(3).name.as_str(), "\"outcome\""] {
        assert!(!contains(&bytes, secret) && !contains(&node.log_bytes(), person(3).id.as_str()), "{secret}");
    }
    let delivered = until(async || {
        let listed = get(&node, node.token().await, "/v1/deliveries?state=delivered").await.json;
        if listed["items"][0].is_object() { Ok(listed) } else { Err(listed.to_string()) }
    })
    .await;
    assert_eq!(delivered["items"][0]["id"], heard.delivery());
    assert_eq!(receiver.heard().len(), 1, "once is enough");
    assert_eq!(ask(&node, &question(3)).await.said(), "match");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_webhook_the_client_reads_what_came_of_it_after_a_restart_too() {
    let node = TestNode::start(0, QUICK).await;
    let (_, unwanted) = filed(&node, 4).await;
    let (_, id) = filed(&node, 3).await;
    let cancelled = post(&node, node.token().await, &format!("{PATH}/{unwanted}/cancel"), &json!({})).await;
    assert_eq!((cancelled.status, &cancelled.json["state"]), (200, &json!("cancelled")), "{}", cancelled.json);
    let twice = post(&node, node.token().await, &format!("{PATH}/{unwanted}/cancel"), &json!({})).await;
    assert_eq!(twice.said(), "conflict");
    let node = node.restart().await;
    publish(&node).await;
    let settled = until_state(&node, &id, "settled").await;
    assert_eq!(settled["answer"]["outcome"], "match");
    assert!(settled["kept_until"].is_string() && settled.get("next_try_at").is_none(), "{settled}");
    assert_eq!(show(&node, &unwanted).await.json["state"], "cancelled");
    let listed = get(&node, node.token().await, &format!("{PATH}?state=settled&limit=1")).await.json;
    assert_eq!((&listed["items"][0], &listed["next"]), (&settled, &json!(id)));
    let rest = get(&node, node.token().await, &format!("{PATH}?after={id}")).await.json;
    assert_eq!((rest["items"][0]["id"] == unwanted.as_str(), rest["items"].as_array().unwrap().len()), (true, 1));
    let deliveries = get(&node, node.token().await, "/v1/deliveries").await.json;
    assert_eq!(deliveries["items"], json!([]), "nobody was to be told");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_finished_in_its_time_expires_with_the_last_answer() {
    let node = TestNode::start(0, &format!("{QUICK}expire_s = 1\n")).await;
    let (operator, receiver) = (operator(&node).await, Receiver::answering([]).await);
    set_webhook(&node, &operator, &receiver).await;
    let (call, id) = filed(&node, 3).await;
    let expired = until_state(&node, &id, "expired").await;
    assert_eq!(expired["answer"]["outcome"], "indeterminate");
    assert_ne!(expired["answer"]["call_id"], call.as_str(), "it is the last answer, not the first");
    let heard = until(async || receiver.heard().pop().ok_or_else(|| "nothing".to_owned())).await;
    assert_eq!(heard.verified(&node.jwks()), expired);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_client_gets_nothing_finished_and_is_told_nothing() {
    let node = TestNode::start(0, QUICK).await;
    let (operator, receiver) = (operator(&node).await, Receiver::answering([]).await);
    set_webhook(&node, &operator, &receiver).await;
    let (call, id) = filed(&node, 3).await;
    node.set_status(WINDOW, ClientStatus::Suspended).await;
    let ledger = open_ledger(&node.settings).await.unwrap();
    until(async || {
        let kept = ledger.recheck(&id.parse().unwrap()).await.unwrap().unwrap();
        if kept.state == RecheckState::Refused { Ok(()) } else { Err(format!("{kept:?}")) }
    })
    .await;
    let record = node.records().pop().unwrap();
    assert_eq!(record.finishes.map(|finished| finished.to_string()), Some(call));
    assert_eq!((record.code.as_deref(), record.outcome), (Some("client_rejected"), None));
    let waiting = until(async || {
        let of_all = ledger.deliveries(&DeliveryFilter::default(), 9).await.unwrap().pop();
        of_all.filter(|delivery| delivery.failure.is_some()).ok_or_else(|| "it was not tried".to_owned())
    })
    .await;
    assert!(waiting.failure.unwrap().contains("suspended"));
    assert_eq!(receiver.heard().len(), 0);

    // Once it may call again, it is told what became of its call.
    node.set_status(WINDOW, ClientStatus::Active).await;
    let heard = until(async || receiver.heard().pop().ok_or_else(|| "nothing".to_owned())).await;
    let told = heard.verified(&node.jwks());
    assert_eq!((&told["state"], &told["problem"]["code"]), (&json!("refused"), &json!("client_rejected")), "{told}");
    assert_eq!(told.get("answer"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_suspended_for_a_time_is_no_end_and_rights_are_those_of_the_moment() {
    let node = TestNode::start(0, QUICK).await;
    let (_, id) = filed(&node, 3).await;
    let ledger = open_ledger(&node.settings).await.unwrap();
    let dataset: Target = "dataset:natural-person".parse().unwrap();
    ledger.suspend(&dataset, "op", "数据源通报错误", Utc::now()).await.unwrap();
    until(async || {
        let last = node.records().pop().unwrap();
        if last.code.as_deref() == Some("suspended") { Ok(()) } else { Err(format!("{last:?}")) }
    })
    .await;
    assert_eq!(show(&node, &id).await.json["state"], "waiting");
    ledger.resume(&dataset, "op", "已更正", Utc::now()).await.unwrap();
    publish(&node).await;
    assert_eq!(until_state(&node, &id, "settled").await["answer"]["outcome"], "match");

    // A client that is stopped by the switch is refused, and that is an end.
    let body = question(999);
    let node = TestNode::start(0, QUICK).await;
    let answer = ask(&node, &body).await;
    let filed = node.post(PATH, &filing(&answer, &body)).await;
    let ledger = open_ledger(&node.settings).await.unwrap();
    ledger.suspend(&format!("client:{WINDOW}").parse().unwrap(), "op", "密钥外泄", Utc::now()).await.unwrap();
    let refused = until_state(&node, filed.json["id"].as_str().unwrap(), "refused").await;
    assert_eq!(refused["problem"]["code"], "caller_suspended", "{refused}");
    assert!(!refused.to_string().contains("密钥"), "the reason is for colleagues");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_has_to_look_at_is_told_at_once() {
    let node = TestNode::start(0, QUICK).await;
    let (_, id) = filed(&node, 9).await;
    assert_eq!(person(9).status, "9", "deceased");
    publish(&node).await;
    let answer = until_state(&node, &id, "settled").await["answer"].clone();
    let said = (&answer["outcome"], &answer["reason"], &answer["disposition"]);
    assert_eq!(said, (&json!("indeterminate"), &json!("record_not_ordinary"), &json!("check_by_hand")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disclosure_is_finished_too_and_its_values_stand_nowhere_in_clear() {
    let node = TestNode::start(0, QUICK).await;
    let who = person(3);
    let body = json!({
        "dataset": "natural-person", "item": ITEM, "case": "TEST-1",
        "subject": { "resident_id": who.id.as_str() }, "fields": ["name"],
    });
    let answer = node.post("/v1/disclosures", &body).await;
    assert_eq!(answer.said(), "indeterminate", "{}", answer.json);
    let filed = node.post(PATH, &filing(&answer, &body.to_string())).await;
    assert_eq!((filed.status, &filed.json["operation"]), (202, &json!("disclose")), "{}", filed.json);
    publish(&node).await;
    let settled = until_state(&node, filed.json["id"].as_str().unwrap(), "settled").await;
    let answer = &settled["answer"];
    assert_eq!((&answer["outcome"], &answer["values"]["name"]), (&json!("found"), &json!("测***")), "{settled}");
    receipt::verify_answer(&serde_json::to_vec(answer).unwrap(), &node.jwks()).unwrap();
    let bytes = ledger_bytes(&node);
    assert!(!contains(&bytes, "测***") && !contains(&bytes, who.id.as_str()));
}
