//! A node that is called in the manner of a platform.

use chrono::{TimeDelta, Utc};
use reqwest::Method;
use serde_json::{Value, json};
use shuqiao::{audit::receipt, ledger::ClientStatus, problem::Code, uplink::sign};

use super::papers::{APP_KEY, NATIONAL, PAASID, Papers, REFRESH, RID, SERVICE, SID, Signed, TIF, open};
use crate::federation::province::{EACH, Province, ends, window_of};
use crate::support::{
    node::{Answered, Setup, TestNode, WINDOW},
    registers::{Person, person},
};

const DIRECT: &str = ", two_steps: false";

fn body(person: &Person, name: &str) -> Value {
    json!({ "sfzh": person.id.as_str(), "xm": name, "ywlsh": "TEST-1" })
}

fn national(body: &Value) -> Signed {
    Signed::national(SID, RID, APP_KEY, Utc::now(), body)
}

fn tif(body: &Value) -> Signed {
    Signed::tif(SERVICE, PAASID, Utc::now(), body)
}

/// Envelope, code of the outcome, word.
fn said(answer: &Answered) -> (&str, Option<&str>, &str) {
    let text = |pointer: &str| answer.json.pointer(pointer).and_then(Value::as_str);
    (text("/code").unwrap_or("nothing"), text("/data/result"), text("/data/word").unwrap_or("nothing"))
}

#[tokio::test]
async fn each_outcome_has_its_code_and_a_missing_record_is_no_mismatch() {
    let papers = Papers::called(DIRECT, "");
    let node = TestNode::start(100, &papers.settings()).await;
    let (alive, dead, absent) = (person(10), person(19), person(5000));
    for (body, of_national, of_tif) in [
        (body(&alive, &alive.name), ("0", Some("1"), "match"), ("0", Some("3"), "match")),
        (body(&alive, "别人"), ("0", Some("2"), "mismatch"), ("0", Some("2"), "mismatch")),
        (body(&absent, &absent.name), ("0", Some("3"), "not_found"), ("0", Some("1"), "not_found")),
        (body(&dead, &dead.name), ("-1", None, "abnormal"), ("0", Some("4"), "abnormal")),
    ] {
        for (request, expect) in [(national(&body), of_national), (tif(&body), of_tif)] {
            let answer = request.send(&node).await;
            assert_eq!((answer.status, said(&answer)), (200, expect), "{}", answer.json);
            let signed = answer.json["data"]["answer"].to_string();
            let claims = receipt::verify_answer(signed.as_bytes(), &node.jwks()).unwrap();
            receipt::verify_request(&claims, request.body.as_bytes()).unwrap();
            assert_eq!(claims.client.as_str(), WINDOW);
            assert!(!answer.json.to_string().contains("测试"), "{}", answer.json);
        }
    }
    let records = node.records();
    assert_eq!(records.len(), 8);
    assert!(records.iter().all(|record| record.agreement.is_some() && record.outcome.is_some()), "{records:?}");
}

#[tokio::test]
async fn a_register_that_cannot_be_asked_is_neither_no_nor_not_found() {
    let papers = Papers::called(DIRECT, "");
    let node = TestNode::start(0, &papers.settings()).await;
    let body = body(&person(1), "测试1");
    assert_eq!(said(&national(&body).send(&node).await), ("-1", None, "unavailable"));
    assert_eq!(said(&tif(&body).send(&node).await), ("0", Some("4"), "unavailable"));
}

#[tokio::test]
async fn a_secret_is_got_with_the_app_key_and_signs_calls() {
    let papers = Papers::called("", "");
    let node = TestNode::start(100, &papers.settings()).await;
    let body = body(&person(10), "测试10");
    let early = national(&body).send(&node).await;
    assert_eq!(said(&early), ("-1", None, "denied"));
    assert!(early.json["message"].as_str().unwrap().contains("refreshappsecret"), "{}", early.json);

    let mut refresh = national(&json!({}));
    refresh.path = REFRESH.to_owned();
    let issued = refresh.send(&node).await;
    assert_eq!((issued.status, issued.json["code"].as_str()), (200, Some("0")), "{}", issued.json);
    assert_eq!(issued.headers["cache-control"], "no-store");
    assert!(issued.json["data"]["secretEndTime"].as_i64().unwrap() > Utc::now().timestamp_millis());
    let secret = open(issued.json["data"]["secret"].as_str().unwrap());
    let answer = Signed::national(SID, RID, &secret, Utc::now(), &body).send(&node).await;
    assert_eq!(said(&answer), ("0", Some("1"), "match"), "{}", answer.json);

    let mut forged = Signed::national(SID, RID, "a key of nobody, and long enough", Utc::now(), &json!({}));
    forged.path = REFRESH.to_owned();
    assert_eq!(said(&forged.send(&node).await), ("-1", None, "denied"));
    node.set_status(WINDOW, ClientStatus::Suspended).await;
    let mut code = String::new();
    for _ in 0..100 {
        let mut refresh = national(&json!({}));
        refresh.path = REFRESH.to_owned();
        code = refresh.send(&node).await.json["code"].as_str().unwrap().to_owned();
        if code == "E-106" {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await; // The node looks at the ledger every 200 ms.
    }
    assert_eq!(code, "E-106");
}

/// What is refused says why, and is recorded.
async fn check_refused(node: &TestNode, request: &Signed, envelope: &str, code: Code, word: &str) {
    let answer = request.send(node).await;
    let json = &answer.json;
    assert_eq!((answer.status, json["code"].as_str()), (200, Some(envelope)), "{json}");
    assert_eq!(json["data"]["problem"]["code"], code.as_str(), "{json}");
    assert!(json["message"].as_str().is_some_and(|message| message.contains(word)), "`{word}`: {json}");
    assert!(json["data"]["answer"].is_null() && json["data"]["problem"]["remedy"].is_string(), "{json}");
    let record = node.records().pop().unwrap();
    assert_eq!(record.code.as_deref(), Some(code.as_str()), "{json}");
    assert_eq!(json["data"]["problem"]["call_id"], record.call_id.to_string(), "{json}");
}

#[tokio::test]
async fn a_request_that_does_not_prove_itself_is_refused_with_the_reason() {
    let papers = Papers::called(DIRECT, ", body: digest");
    let node = TestNode::start(20, &papers.settings()).await;
    let body = body(&person(3), "测试3");
    let refused = Code::SignatureRefused;
    for name in [sign::RID, sign::SID, sign::RTIME, sign::SIGN] {
        check_refused(&node, &national(&body).without(name), "-1", refused, &format!("`{name}` is missing")).await;
        let twice = national(&body).with(name, "x");
        check_refused(&node, &twice, "-1", refused, &format!("`{name}` is not one header")).await;
    }
    for name in [sign::PAASID, sign::TIMESTAMP, sign::NONCE, sign::SIGNATURE] {
        let request = tif(&body).with_digest().without(name);
        check_refused(&node, &request, "-1", refused, &format!("`{name}` is missing")).await;
    }
    let bad = national(&body).without(sign::SIGN).with(sign::SIGN, "9On7tqO1XirFExTL3SJLPHdFMwGh5mMg+bxxUDoAAVM=");
    check_refused(&node, &bad, "-1", refused, "signature does not verify").await;
    for skew in [-200, 200] {
        let skewed = Signed::national(SID, RID, APP_KEY, Utc::now() + TimeDelta::seconds(skew), &body);
        check_refused(&node, &skewed, "-1", refused, "more than 120 seconds lie between").await;
    }
    let seconds = national(&body).without(sign::RTIME).with(sign::RTIME, &Utc::now().timestamp().to_string());
    check_refused(&node, &seconds, "-1", refused, "milliseconds").await;
    check_refused(&node, &tif(&body), "-1", refused, "`content-digest` is missing").await;
    let mut changed = tif(&body).with_digest();
    changed.body = changed.body.replace("测试3", "测试4");
    check_refused(&node, &changed, "-1", refused, "not the one that `content-digest` states").await;
    let mut elsewhere = tif(&body).with_digest();
    elsewhere.path = "/ebus/other-window/person".to_owned();
    check_refused(&node, &elsewhere, "-1", refused, "the path names another application").await;
}

#[tokio::test]
async fn a_request_is_answered_once() {
    let papers = Papers::called(DIRECT, "");
    let node = TestNode::start(20, &papers.settings()).await;
    let body = body(&person(3), "测试3");
    for request in [national(&body), tif(&body)] {
        assert_eq!(said(&request.send(&node).await).2, "match");
        check_refused(&node, &request, "-1", Code::Replayed, "answered before").await;
    }
}

#[tokio::test]
async fn who_is_not_listed_or_may_not_is_told_so_in_the_platforms_words() {
    let papers = Papers::called(DIRECT, "");
    let node = TestNode::start(20, &papers.settings()).await;
    let body = body(&person(3), "测试3");
    let stranger = Signed::national(SID, "nobody", APP_KEY, Utc::now(), &body);
    check_refused(&node, &stranger, "E-106", Code::ClientRejected, "无权限：`nobody` is not on the list").await;
    let unknown = Signed::national("s_1", RID, APP_KEY, Utc::now(), &body);
    check_refused(&node, &unknown, "E-106", Code::UnknownService, "no service has that number").await;
    let unregistered = Signed::tif(SERVICE, "unregistered", Utc::now(), &body);
    check_refused(&node, &unregistered, "-1", Code::ClientRejected, "is not registered").await;

    let mut more = body.clone();
    more["dh"] = json!("13800000000");
    check_refused(&node, &national(&more), "-1", Code::UnknownField, "参数不合法").await;
    let less = json!({ "xm": "测试3" });
    check_refused(&node, &national(&less), "-1", Code::InvalidValue, "`sfzh` is missing").await;
    let long = json!({ "sfzh": "4".repeat(70_000) });
    assert_eq!(said(&national(&long).send(&node).await), ("-1", None, "invalid"));
    let mut broken = tif(&body);
    broken.body = "{".to_owned();
    check_refused(&node, &broken, "-1", Code::MalformedBody, "参数不合法").await;
}

/// Without an agreement of its department a call is denied, whatever the signature.
#[tokio::test]
async fn a_signature_gives_no_right() {
    let papers = Papers::called(DIRECT, "");
    let agreements = "agreements: []\n";
    let settings = papers.settings();
    let setup = Setup { persons: 20, settings: &settings, agreements: Some(agreements), ..Setup::default() };
    let node = TestNode::of(setup).await;
    check_refused(&node, &national(&body(&person(3), "测试3")), "E-106", Code::Denied, "无权限").await;
}

#[tokio::test]
async fn a_node_without_the_file_knows_nobody() {
    let node = TestNode::start(0, "").await;
    let body = body(&person(3), "测试3");
    assert_eq!(said(&national(&body).send(&node).await).0, "E-106");
    assert_eq!(said(&tif(&body).send(&node).await).0, "-1");
    for path in [NATIONAL, TIF, REFRESH] {
        assert_eq!(node.send(node.request(Method::GET, path)).await.status, 405, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_in_that_manner_goes_on_to_the_node_that_keeps_the_record() {
    let papers = Papers::called(DIRECT, "");
    let province = Province::with(&papers.settings(), "").await;
    let there = person(EACH + 3);
    for (name, expect) in [(there.name.as_str(), ("0", Some("3"), "match")), ("别人", ("0", Some("2"), "mismatch"))] {
        let answer = tif(&body(&there, name)).send(&province.guangzhou).await;
        assert_eq!((answer.status, said(&answer)), (200, expect), "{}", answer.json);
        let whole = &answer.json["data"]["answer"];
        assert_eq!(ends(whole), ["guangzhou own", "guangdong answered"]);
        let of_shenzhen = &whole["nodes"][1]["answer"]["nodes"][0];
        receipt::verify(of_shenzhen["receipt"].as_str().unwrap(), &province.shenzhen.jwks()).unwrap();
        let record = province.shenzhen.records().pop().unwrap();
        assert_eq!(
            (record.client.unwrap().as_str(), record.outcome.as_deref()),
            (&*window_of("guangzhou"), Some(expect.2))
        );
    }
}
